"""Networks of LIF neurons with plain or graded spikes, in all corners of their words."""

import numpy as np
from nets import SIGN_MODES, Net
from run_lava import INPUT


def sign_modes():
    """Every sign mode with every number of bits, exponents -3 to 6 in turn."""
    for mode in SIGN_MODES:
        for bits in range(1, 9):
            seed = 8 * SIGN_MODES.index(mode) + bits
            net = Net(f"sign {mode}/{bits} bits", seed, (9,), 24)
            exp = seed % 10 - 3
            v_th = int(np.ceil(net.rng.integers(50, 400) * 2.0**exp))
            exp_b = {"inhibitory": 6, None: 4}.get(mode, 3)
            mant = net.rng.integers(-v_th, 6 * v_th, 6).clip(-4096, 4095)
            n = net.neurons((6,), v_th=v_th, dv=4 * seed, bias_mant=mant, bias_exp=exp_b)
            bounds = [(-256, 255), (-90, 300), (-200, 100), (-20, 200)][net.rng.integers(4)]
            net.dense(
                INPUT, n, low=bounds[0], high=bounds[1], num_weight_bits=bits, weight_exp=exp,
                sign_mode=mode,
            )  # fmt: skip
            yield net
    for k, (low, high) in enumerate([(0, 255), (-255, 0), (-400, 400), (0, 0), (-300, -1)]):
        net = Net(f"sign found/{k}", 40 + k, (7,), 20, rate=0.5)
        mant = net.rng.integers(-300, 2000, 5)
        n = net.neurons((5,), v_th=150, dv=50, bias_mant=mant, bias_exp=5)
        net.dense(INPUT, n, low=low, high=high, num_weight_bits=5 + k % 4, sign_mode=None)
        yield net


def biases():
    """Biases of all exponents, of both signs, per neuron; totals below zero."""
    for k, exp in enumerate([0, 1, 3, 6, 7, -1, -4]):
        net = Net(f"bias/exp {exp}", 100 + k, (5,), 30, rate=0.2)
        mant = net.rng.integers(-4096, 4095, 7, endpoint=True)
        n = net.neurons((7,), bias_mant=mant, bias_exp=exp, v_th=200, dv=int(30 * k))
        net.dense(INPUT, n, low=-60, high=60)
        yield net
    net = Net("bias/negative", 110, (5,), 30)
    n = net.neurons((4,), bias_mant=-4096, bias_exp=7, v_th=131071, dv=0)
    net.dense(INPUT, n)
    yield net
    net = Net("bias/mixed exponents", 111, (5,), 30)
    exps = net.rng.integers(0, 7, 8, endpoint=True)
    mant = net.rng.integers(-4096, 4095, 8, endpoint=True)
    n = net.neurons((8,), bias_mant=mant, bias_exp=exps, v_th=3000)
    net.dense(INPUT, n)
    yield net


def extremes():
    """Currents that wrap, potentials that saturate, decays at their ends."""
    for k, (n_in, exp) in enumerate([(12, 6), (90, 6), (60, 6), (40, 5), (95, 6)]):
        net = Net(f"wrap/{k}", 200 + k, (n_in,), 30, rate=0.6)
        n = net.neurons((8,), du=[0, 1, 40, 0, 4095][k], dv=[0, 100, 4095, 7, 50][k], v_th=60000)
        low, high = [(0, 255), (-255, 0), (-256, 255), (100, 255), (0, 255)][k]
        net.dense(INPUT, n, low=low, high=high, weight_exp=exp, sign_mode=None)
        yield net
    for k, (low, high, v_th) in enumerate([(100, 255, 131071), (-255, 0, 50), (-256, 255, 131070)]):
        net = Net(f"saturation/{k}", 210 + k, (6,), 40, rate=0.5)
        bias = net.rng.integers(-4096, 4095, 6)
        n = net.neurons((6,), du=0, dv=[0, 0, 3][k], v_th=v_th, bias_mant=bias, bias_exp=7)
        net.dense(INPUT, n, low=low, high=high, weight_exp=4)
        yield net
    for k, du in enumerate([0, 2048, 4094, 4095]):
        for j, dv in enumerate([0, 2047, 4094, 4095]):
            net = Net(f"decay/{du} {dv}", 220 + 4 * k + j, (6,), 24)
            n = net.neurons((5,), du=du, dv=dv, v_th=int(net.rng.integers(20, 600)))
            net.dense(INPUT, n, weight_exp=j - 1)
            yield net
    for k, v_th in enumerate([0, 1]):
        net = Net(f"threshold/{v_th}", 240 + k, (4,), 24)
        n = net.neurons((5,), v_th=v_th)
        net.dense(INPUT, n, low=-2, high=2)
        yield net
    net = Net("per neuron/flat", 250, (8,), 30)
    high = [4096, 4096, 500]
    du, dv, v_th = (net.rng.integers(0, h, 10) for h in high)
    n = net.neurons((10,), du=du, dv=dv, v_th=v_th)
    net.dense(INPUT, n)
    yield net
    net = Net("per neuron/image", 251, (1, 5, 4), 24)
    du, dv, v_th = (net.rng.integers(0, h, 32) for h in high)
    neuron = {"du": du, "dv": dv, "v_th": v_th, "bias_mant": net.rng.integers(-99, 99, 32)}
    net.conv(INPUT, 2, (2, 1), neuron=neuron)
    yield net


def delayed():
    """Delays from 0 to the largest; negative exponents shift the sum of each delay apart."""
    for k, (delay, exp) in enumerate(
        [(0, 0), (1, 1), (3, -3), (5, 3), (11, -3), (31, 0), (62, 2), (62, -3), (63, 0)]
    ):
        net = Net(f"delay/{delay} exp {exp}", 300 + k, (6,), 40 + delay, rate=0.3)
        mode = SIGN_MODES[k % 4]
        v_th = int(np.ceil(net.rng.integers(50, 200) * 2.0**exp))
        exp_b = 6 if mode == "inhibitory" else 0
        n = net.neurons((5,), dv=99 * k, v_th=v_th, bias_mant=v_th, bias_exp=exp_b)
        net.dense(INPUT, n, delays=delay, weight_exp=exp, sign_mode=mode, num_weight_bits=8 - k % 3)
        yield net
    net = Net("delay/graded", 310, (6,), 40, payload=(1, 255))
    n = net.neurons((5,), v_th=20000)
    net.dense(INPUT, n, delays=9, num_message_bits=8)
    yield net
    net = Net("delay/stack", 311, (6,), 60, rate=0.5)
    a, b = net.neurons((7,), v_th=400), net.neurons((4,), v_th=400)
    net.dense(INPUT, a, delays=12, low=-150, high=200)
    net.dense(a, b, delays=20, low=-150, high=200)
    yield net


def graded():
    """Payloads, and payloads sent where plain spikes are expected."""
    for k, (low, high, bits) in enumerate(
        [(1, 3, 2), (1, 255, 8), (-128, 127, 8), (0, 65535, 16), (-300, 300, 0), (1, 255, 24)]
    ):
        net = Net(f"graded/{bits} bits", 400 + k, (6,), 24, payload=(low, high))
        v_th = int(net.rng.integers(50, 200) * (min(high, 1200) // 3 if bits else 1))
        n = net.neurons((5,), v_th=v_th, dv=200 * k)
        exp = [0, 1, -2, -3, 0, -1][k]
        net.dense(INPUT, n, num_message_bits=bits, weight_exp=exp)
        yield net


def images():
    """Convolutions: strides, paddings, dilations, groups, odd sizes, 24-bit wrap."""
    geometries = [
        ((1, 6, 5), 2, (3, 3), {}),
        ((2, 6, 7), 3, (3, 2), {"padding": (1, 0)}),
        ((2, 7, 6), 2, (2, 3), {"stride": (2, 1), "padding": (0, 2)}),
        ((3, 8, 6), 2, (3, 3), {"stride": (2, 2), "padding": (1, 1)}),
        ((2, 7, 7), 2, (2, 3), {"dilation": (2, 1)}),
        ((2, 8, 7), 2, (3, 2), {"dilation": (1, 3), "padding": (2, 1), "stride": (1, 2)}),
        ((4, 5, 5), 4, (2, 2), {"groups": 2}),
        ((4, 5, 4), 4, (3, 3), {"groups": 4, "padding": (1, 1)}),
        ((2, 5, 6), 6, (1, 1), {"groups": 2}),
        ((1, 9, 1), 2, (4, 1), {"stride": (3, 1)}),
        ((2, 4, 4), 3, (4, 4), {}),
    ]
    for k, (shape, channels, kernel, geometry) in enumerate(geometries):
        net = Net(f"conv/{k}", 500 + k, shape, 14)
        net.conv(INPUT, channels, kernel, neuron={"v_th": 200}, **geometry)
        yield net
    net = Net("conv/bits and exponent", 520, (2, 5, 5), 14)
    geometry = {"num_weight_bits": 4, "weight_exp": 3}  # ignored by Lava's CPU model
    net.conv(INPUT, 2, (3, 3), neuron={"v_th": 200}, low=-500, high=500, **geometry)
    yield net
    for k, high in enumerate([255, 60000]):
        net = Net(f"conv/graded {high}", 521 + k, (2, 5, 5), 14, payload=(1, high))
        neuron = {"v_th": 30000, "du": 4095 if k else 300}
        net.conv(INPUT, 2, (3, 3), neuron=neuron, num_message_bits=16)
        yield net


def stacks():
    """Two and three layers, images flattened into dense layers, skips, two sources at once."""
    for k in range(3):
        net = Net(f"stack/dense {k}", 600 + k, (8,), 30, rate=0.4)
        layers = [net.neurons((n,), v_th=400, du=3000) for n in (5, 9, 7, 4)[: k + 2]]
        for source, target in zip([INPUT, *layers], layers, strict=False):
            net.dense(source, target, low=-150, high=200, num_weight_bits=8 - k)
        yield net
    for k, reach in enumerate([None, 6]):
        net = Net(f"stack/conv dense {k}", 610 + k, (2, 7, 6), 24, rate=0.4)
        neuron = {"v_th": 600, "du": 3000}
        first = net.conv(INPUT, 3, (3, 3), neuron=neuron, low=-150, high=200, stride=(2, 1))
        second = net.conv(first, 2, (2, 3), neuron=neuron, low=-150, high=250)
        last = net.neurons((5,), **neuron)
        net.dense(second, last, low=-200, high=250, delays=reach)
        yield net
    net = Net("stack/dense image dense", 620, (2, 3, 2), 24, rate=0.4)
    image = net.neurons((2, 3, 4), v_th=500, du=3000)
    last = net.conv(image, 2, (2, 2), neuron={"v_th": 400}, low=-200, high=250)
    net.dense(INPUT, image, low=-100, high=250)
    net.dense(last, net.neurons((3,), v_th=300), low=-200, high=250)
    yield net
    net = Net("stack/skip", 621, (7,), 30, rate=0.4)
    a, b = net.neurons((6,), v_th=80), net.neurons((4,), v_th=100)
    net.dense(INPUT, a, low=-100, high=200)
    net.dense(a, b, weight_exp=1)
    net.dense(INPUT, b, weight_exp=-1, num_weight_bits=6)
    yield net


def loops():
    """Recurrence: within a population, with delays, as a convolution, between two."""
    for k, (exp, du, reach) in enumerate([(0, 4095, None), (-1, 500, None), (0, 1000, 7)]):
        net = Net(f"loop/{k}", 700 + k, (6,), 40)
        n = net.neurons((8,), v_th=120, du=du)
        net.dense(INPUT, n, low=-100, high=250)
        net.dense(n, n, delays=reach, weight_exp=exp, low=-256, high=200)
        yield net
    net = Net("loop/conv", 710, (1, 5, 4), 24)
    n = net.conv(INPUT, 2, (2, 2), neuron={"v_th": 500}, low=-100, high=250)
    weight = net.rng.integers(-200, 200, (2, 2, 3, 3))
    net.project("conv", n, n, weight, padding=[1, 1])
    yield net
    net = Net("loop/two populations", 711, (5,), 40)
    a, b = net.neurons((6,), v_th=90), net.neurons((5,), v_th=70)
    net.dense(INPUT, a, low=-50, high=250)
    net.dense(a, b, low=-50, high=250)
    net.dense(b, a, low=-250, high=100, delays=3)
    yield net


def resets():
    """`LIFReset`: the state is cleared before the update, biases and spikes keep coming."""
    for k, reset in enumerate([(1, 0), (5, 0), (5, 1), (7, 3), (7, 10), (6, 6), (13, 12)]):
        net = Net(f"reset/{reset[0]} {reset[1]}", 800 + k, (6,), 30, rate=0.5)
        bias = net.rng.integers(-100, 100, 6)
        n = net.neurons((6,), reset=reset, v_th=400, du=100, bias_mant=bias, bias_exp=4)
        net.dense(INPUT, n, low=-100, high=200)
        yield net
    net = Net("reset/windows of a stack", 810, (2, 5, 5), 36, rate=0.4)
    neuron = {"v_th": 900, "du": 800, "dv": 100, "bias_mant": 999, "bias_exp": 3}
    a = net.conv(INPUT, 2, (3, 3), neuron=neuron | {"reset": (12, 2)}, low=-100, high=200)
    b = net.neurons((5,), **neuron, reset=(12, 3))
    net.dense(a, b, low=-100, high=200)
    yield net


FAMILIES = (sign_modes, biases, extremes, delayed, graded, images, stacks, loops, resets)
