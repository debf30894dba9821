"""Networks of all other synapses and neurons that Lava has, loops of each included."""

import numpy as np
from nets import SIGN_MODES, Net
from run_lava import INPUT


def sparse():
    """Listed synapses: every sign mode, bits, exponents, payloads, empty rows, images."""
    for k, mode in enumerate(SIGN_MODES * 2):
        net = Net(f"sparse/{mode} {k}", 900 + k, (11,), 26, rate=0.4)
        exp = [0, 2, -3, 6, -1, 1, 0, -2][k]
        v_th = int(np.ceil(net.rng.integers(40, 200) * 2.0**exp))
        bias = {"bias_mant": min(4095, v_th), "bias_exp": 2}
        bias = {"bias_mant": 4095, "bias_exp": 5} if mode == "inhibitory" else bias
        n = net.neurons((9,), v_th=v_th, dv=60 * k, **bias)
        low, high = [(-300, 300), (-60, 400), (-400, 60), (-200, 255)][k % 4]
        net.sparse(
            INPUT, n, density=[0.1, 0.3, 0.6, 1][k % 4], low=low, high=high, weight_exp=exp,
            sign_mode=mode, num_weight_bits=[8, 7, 6, 5, 4, 3, 2, 8][k],
        )  # fmt: skip
        yield net
    for k, (bits, payload, exp) in enumerate([(8, 255, -2), (16, 60000, 0), (0, 300, 1)]):
        net = Net(f"sparse/graded {bits}", 910 + k, (8,), 24, payload=(-payload, payload))
        n = net.neurons((7,), v_th=min(131071, 40 * payload) if bits else 100)
        net.sparse(INPUT, n, num_message_bits=bits, weight_exp=exp)
        yield net
    net = Net("sparse/images", 915, (2, 4, 3), 24)
    a, b = net.neurons((3, 2, 4), v_th=250), net.neurons((5,), v_th=100)
    net.sparse(INPUT, a, density=0.2, low=-90, high=250)
    net.sparse(a, b, density=0.3, low=-90, high=250)
    yield net
    net = Net("sparse/loop", 916, (6,), 40)
    n = net.neurons((12,), v_th=130)
    net.sparse(INPUT, n, low=-90, high=250)
    net.sparse(n, n, density=0.2, weight_exp=-1)
    yield net


def sparse_delayed():
    """Listed synapses with delays of their own; a sum of each delay is shifted apart."""
    for k, (delay, exp) in enumerate([(0, 0), (1, -2), (7, 1), (31, -3), (62, 0), (63, -3)]):
        net = Net(f"sparse delay/{delay} exp {exp}", 930 + k, (8,), 40 + delay, rate=0.3)
        mode = SIGN_MODES[(k + 2) % 4]
        v_th = int(np.ceil(net.rng.integers(40, 160) * 2.0**exp))
        exp_b = 6 if mode == "inhibitory" else 0
        n = net.neurons((7,), dv=99 * k, v_th=v_th, bias_mant=v_th, bias_exp=exp_b)
        net.sparse(INPUT, n, delays=delay, weight_exp=exp, sign_mode=mode, num_weight_bits=8 - k)
        yield net
    net = Net("sparse delay/graded", 940, (6,), 40, payload=(-127, 127))
    n = net.neurons((5,), v_th=9000)
    net.sparse(INPUT, n, delays=9, num_message_bits=8, density=0.6)
    yield net
    net = Net("sparse delay/loop", 941, (6,), 60)
    n = net.neurons((9,), v_th=130)
    net.sparse(INPUT, n, low=-90, high=250, delays=3)
    net.sparse(n, n, density=0.3, delays=15)
    yield net


def ternaries():
    """`TernaryLIF`: spikes of both signs, heard with and without their sign."""
    for k in range(6):
        net = Net(f"ternary/{k}", 1000 + k, (7,), 30, rate=0.4)
        low, high = [(50, 50), (0, 400), (400, 1), (131071, 90), (60, 131071), (0, 0)][k]
        bias = net.rng.integers(-300, 300, 6)
        n = net.ternary((6,), v_th=high, v_th_low=-low, bias_mant=bias, bias_exp=k % 4)
        net.dense(INPUT, n, weight_exp=k % 3 - 1)
        yield net
    for k, bits in enumerate([0, 2, 8]):
        net = Net(f"ternary/heard with {bits} bits", 1010 + k, (7,), 36, rate=0.4)
        a, b = net.ternary((8,), v_th=200, v_th_low=-150), net.neurons((5,), v_th=120)
        net.dense(INPUT, a)
        net.dense(a, b, num_message_bits=bits)
        net.dense(a, a, num_message_bits=bits, low=-120, high=120)
        yield net
    for k, exp in enumerate([6, 4]):
        net = Net(f"ternary/wrap {exp}", 1020 + k, (90,), 30, rate=0.6)
        n = net.ternary((6,), du=0, dv=[0, 4095][k], v_th=120000, v_th_low=-131071)
        net.dense(INPUT, n, weight_exp=exp)
        yield net
    net = Net("ternary/images", 1025, (1, 6, 5), 20, rate=0.4)
    n = net.ternary((2, 5, 4), v_th=300, v_th_low=-200)
    net.project("conv", INPUT, n, net.rng.integers(-200, 200, (2, 1, 2, 2)))
    out = net.ternary((4,), v_th=200, v_th_low=-200)
    net.sparse(n, out, num_message_bits=2, delays=5)
    yield net


def sigma_deltas():
    """Networks of changes: encoder, layers, loops; both activations, both kinds of error."""
    for k in range(8):
        net = Net(f"sigma delta/{k}", 1100 + k, (6,), 32, rate=0.6, payload=(-40, 60))
        spike, state = [(0, 0), (2, 0), (0, 3), (3, 2), (7, 0), (0, 7), (6, 5), (1, 1)][k]
        exps = {"spike_exp": spike, "state_exp": state, "cum_error": k % 2 == 1}
        first = net.delta((6,), v_th=int(net.rng.integers(0, 30)), **exps)
        net.each_to_its_own(INPUT, first, num_message_bits=8)
        bias = net.rng.integers(-90, 90, 5)
        activation = ["relu", "unit"][k // 2 % 2]
        layer = net.sigma_delta(
            (5,), v_th=int(net.rng.integers(1, 3000)), bias=bias, activation=activation, **exps
        )
        net.dense(first, layer, num_message_bits=16, weight_exp=state)
        out = net.sigma_delta((4,), v_th=20 * k, activation=activation, **exps)
        net.dense(layer, out, num_message_bits=24, weight_exp=state - 6)
        yield net
    for k, kind in enumerate(["dense", "delay_dense", "sparse", "delay_sparse"]):
        net = Net(f"sigma delta/loop {kind}", 1120 + k, (6,), 40, payload=(-20, 20))
        n = net.sigma_delta(
            (7,), v_th=900, bias=300, activation=["relu", "unit"][k % 2], cum_error=k > 1
        )
        net.dense(INPUT, n, num_message_bits=8)
        joins = net.sparse if "sparse" in kind else net.dense
        delays = 6 if "delay" in kind else None
        joins(n, n, num_message_bits=24, delays=delays, weight_exp=-7, low=-100, high=100)
        yield net
    for k, (activation, exp) in enumerate([("unit", 0), ("relu", 2), ("unit", 7)]):
        net = Net(f"sigma delta/32 bits {k}", 1130 + k, (9,), 40, payload=(-(2**22), 2**22))
        n = net.sigma_delta((5,), v_th=2**14, activation=activation, cum_error=k == 2)
        net.dense(INPUT, n, num_message_bits=24, weight_exp=exp)
        yield net
    net = Net("sigma delta/images", 1135, (2, 5, 4), 20, payload=(-9, 30))
    n = net.sigma_delta((2, 4, 3), v_th=2000, bias=net.rng.integers(-99, 99, 24), spike_exp=1)
    net.project("conv", INPUT, n, net.rng.integers(-200, 200, (2, 2, 2, 2)), num_message_bits=8)
    out = net.sigma_delta((3, 3, 2), v_th=3000, activation="unit", state_exp=1)
    weight = net.rng.integers(-200, 200, (3, 2, 2, 2))
    net.project("conv", n, out, weight, num_message_bits=24)
    yield net
    net = Net("sigma delta/into spikes", 1136, (6,), 30, payload=(-40, 60))
    n = net.sigma_delta((5,), v_th=700, cum_error=True)
    net.dense(INPUT, n, num_message_bits=8)
    spikes, counted = net.neurons((4,), v_th=9000), net.neurons((4,), v_th=150)
    net.dense(n, spikes, num_message_bits=16, weight_exp=-3)
    net.dense(n, counted)
    yield net


def encoders():
    """`Delta` by itself: thresholds 0 and more, exponents, both kinds of error, 32-bit wraps."""
    for k in range(6):
        largest = [3, 100, 2**15, 2**20, 2**28, 2**31 - 1][k]
        net = Net(
            f"delta/up to {largest}", 1200 + k, (6,), 36, rate=0.8, payload=(-largest, largest)
        )
        spike, state = [(0, 0), (1, 2), (0, 7), (5, 0), (2, 1), (0, 0)][k]
        n = net.delta(
            (6,), v_th=[0, 20, 2**13, 2**17, 2**20 - 1, 2**23 - 1][k], spike_exp=spike,
            state_exp=state, cum_error=k % 2 == 0,
        )  # fmt: skip
        net.each_to_its_own(INPUT, n, num_message_bits=32)
        yield net
    for k in range(2):
        net = Net(f"delta/loop {k}", 1210 + k, (5,), 36, payload=(-50, 50))
        n = net.delta((5,), v_th=30, state_exp=k, cum_error=k == 1)
        net.each_to_its_own(INPUT, n, weight=2, num_message_bits=8)
        net.dense(n, n, num_message_bits=24, weight_exp=-7, low=-60, high=60, delays=4 * k or None)
        yield net


def called(kind):
    """A kind of graded vector in the names of its networks."""
    return kind.replace("_", " ") + " vec"


def graded_vectors():
    """`GradedVec` and `GradedReluVec`: no memory, payloads of both signs, loops, 32-bit wraps."""
    for k in range(6):
        kind = ["graded", "graded_relu"][k % 2]
        net = Net(
            f"{called(kind)}/{k}",
            1300 + k,
            (7,),
            26,
            rate=0.4,
            payload=[(-99, 99), (-(2**17), 2**17)][k == 4],
        )
        n = net.others(kind, (6,), v_th=[0, 0, 9000, 4000, 2**23 - 1, 1][k])
        net.dense(INPUT, n, num_message_bits=8, weight_exp=[0, -4, 0, 0, 7, -8][k])
        out = net.neurons((4,), v_th=60000)
        net.dense(n, out, num_message_bits=24, weight_exp=[-4, -2, -5, -5, -8, 0][k])
        yield net
    for k, kind in enumerate(["graded", "graded_relu"] * 2):
        net = Net(f"{called(kind)}/loop {k}", 1310 + k, (6,), 40, payload=(-99, 99))
        n = net.others(kind, (7,), v_th=500)
        net.dense(INPUT, n, num_message_bits=8)
        joins = net.sparse if k > 1 else net.dense
        joins(n, n, num_message_bits=24, weight_exp=-8, low=-100, high=130, delays=[None, 8][k % 2])
        yield net
    for k, kind in enumerate(["graded", "graded_relu"]):
        net = Net(f"{called(kind)}/32 bits", 1320 + k, (9,), 24, payload=(-(2**26), 2**26))
        n = net.others(kind, (6,), v_th=2**20)
        net.dense(INPUT, n, num_message_bits=28, weight_exp=[0, -2][k])
        yield net
    net = Net("graded vec/images", 1325, (2, 5, 4), 20, payload=(-50, 50))
    n = net.others("graded", (2, 4, 3), v_th=2000)
    net.project("conv", INPUT, n, net.rng.integers(-200, 200, (2, 2, 2, 2)), num_message_bits=8)
    out = net.others("graded_relu", (5,), v_th=100)
    net.sparse(n, out, delays=3, num_message_bits=24, weight_exp=-5)
    yield net


def wide():
    """Payloads of 24 to 32 bits: every sum wraps at 32 bits, a LIF's current where Lava's does."""
    for k, (bits, exp) in enumerate([(24, 0), (24, -3), (24, 4), (31, 0), (31, -6), (32, 2)]):
        largest = 2 ** min(bits, 31) - 1
        net = Net(f"wide/{bits} bits exp {exp}", 1400 + k, (8,), 26, payload=(-largest, largest))
        n = net.neurons((6,), v_th=100000, du=[0, 300, 4095][k % 3], dv=[0, 4095, 700][k % 3])
        net.dense(INPUT, n, num_message_bits=bits, weight_exp=exp)
        yield net
    for k, kind in enumerate(["sparse", "delay_sparse", "delay_dense"]):
        net = Net(f"wide/{kind}", 1410 + k, (8,), 30, payload=(-(2**30), 2**30))
        n = net.neurons((6,), v_th=100000, du=90, dv=90)
        joins = net.sparse if "sparse" in kind else net.dense
        delays = 5 if "delay" in kind else None
        joins(INPUT, n, num_message_bits=31, weight_exp=[-5, -5, 2][k], delays=delays)
        yield net
    for k, du in enumerate([0, 2]):
        net = Net(f"wide/grows beyond 32 bits {k}", 1420 + k, (4,), 60, payload=(2**22, 2**23))
        n = net.neurons((4,), v_th=131071, du=du, dv=3)
        net.dense(INPUT, n, low=1, high=255, num_message_bits=24, sign_mode="excitatory")
        yield net
    net = Net(
        "wide/conv", 1425, (2, 5, 4), 16, payload=(-(2**18), 2**18)
    )  # beyond 32 bits: undefined
    net.conv(INPUT, 2, (3, 2), neuron={"v_th": 100000}, num_message_bits=24)
    yield net


def refractories():
    """`LIFRefractory`, in floating point: Lava has no other. Weights are quarters: sums are exact.

    With a bias, decays are halves and runs short: the order of additions does not show either.
    """
    for k, rest in enumerate([1, 1, 2, 3, 5, 8, 13, 20, 31, 63]):
        n_steps = 40 if k % 3 else 24
        net = Net(f"refractory/{rest} steps {k}", 1500 + k, (7,), n_steps + rest, rate=0.5)
        net.description["arithmetic"] = "floating_pt"
        if k % 3 == 0:  # 24 bits of fraction
            net.inputs[24:] = 0
        halves = {"du": 0.5, "dv": 0.5, "bias_mant": net.rng.integers(0, 8, 6) / 8}
        drawn = {"du": net.rng.random(), "dv": net.rng.random() / 3, "bias_mant": np.zeros(6)}
        drawn |= halves if k % 3 == 0 and k < 9 else {}
        n = net.others(
            "refractory", (6,), v_th=float(net.rng.integers(2, 12)) / 2, refractory=rest,
            bias_exp=0, **drawn,
        )  # fmt: skip
        for source in (INPUT, n) if k % 2 else (INPUT,):
            net.project("dense", source, n, net.rng.integers(-5, 9, (6, net.size(source))) / 4)
        yield net
    net = Net("refractory/stack with delays", 1520, (7,), 60, rate=0.5)
    net.description["arithmetic"] = "floating_pt"
    plain = {"bias_mant": np.zeros(5), "bias_exp": 0, "du": 0.3, "dv": 0.1}
    a = net.others("refractory", (5,), v_th=1.5, refractory=2, **plain)
    b = net.others("refractory", (5,), v_th=0.5, refractory=4, **plain)
    number = net.project("delay_dense", INPUT, a, net.rng.integers(-5, 9, (5, 7)) / 4)
    net.arrays[f"projection{number}/delays"] = net.rng.integers(0, 9, (5, 7))
    net.project("dense", a, b, net.rng.integers(-5, 9, (5, 5)) / 4)
    net.project("dense", b, a, net.rng.integers(-9, 2, (5, 5)) / 4)
    yield net


FAMILIES = (
    sparse, sparse_delayed, ternaries, sigma_deltas, encoders, graded_vectors, wide, refractories,
)  # fmt: skip
