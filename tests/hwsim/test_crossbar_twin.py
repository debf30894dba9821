"""Reads of a chip of crossbars against a twin written from the documents, read by read."""

import numpy as np
import pytest

import hwsim
from hwsim import crossbar
from hwsim.crossbar.gated import solve_gated
from hwsim.crossbar.wires import Wires, solve_array
from tests.crossbar_chips import IDEAL, chip_with

OHM = ("r_word_ohm", "r_bit_ohm", "r_driver_ohm", "r_sense_ohm")


def digits(w, w_max, array):
    """Fractions of the range of the columns of one weight: [positive, negative] of every slice."""
    bits, each = array.weight_bits, array.slice_bits
    if array.signed == "pairs":
        parts = [max(w, 0) / w_max, max(-w, 0) / w_max]
        if bits is None:
            return [parts]
        whole = [round(p * (2**bits - 1)) for p in parts]
    else:
        if bits is None:
            return [[(w / w_max + 1) / 2]]
        whole = [round(w / w_max * (2 ** (bits - 1) - 1)) + 2 ** (bits - 1)]
    n, top = -(-bits // each), 2**each - 1
    return [[(q // 2 ** (each * s)) % 2**each / top for q in whole] for s in range(n)]


def unit(array, w_max, span):
    """Siemens of a weight of 1 in the least slice, after both signs are taken off each other."""
    if array.weight_bits is None:
        return span / w_max / (1 if array.signed == "pairs" else 2)
    bits = array.weight_bits - (array.signed == "offset")
    return span / (2**array.slice_bits - 1) * (2**bits - 1) / w_max


def wanted(weight, w_max, array, device):
    """Conductances of a block, column by column."""
    lo, span = device.g_min_siemens, device.g_max_siemens - device.g_min_siemens
    rows = []
    for row in weight:
        g = [lo + span * f for w in row for s in digits(w, w_max, array) for f in s]
        if array.signed == "offset":
            g += [lo + span * f for s in digits(0.0, w_max, array) for f in s]
        rows.append(g)
    return np.array(rows)


def pulses(x, chip, block):
    """(worth, lines) of every pulse of one vector, and how many numbers saturate."""
    kind, bits = chip.input.kind, chip.input.bits
    if kind == "spike":
        return [(1, x)], 0
    if kind == "dac":
        steps = 2 ** (bits - 1) - 1
        cut = np.clip(x / block.x_full, -1, 1)
        lines = np.array([round(c * steps) / steps for c in cut])
        return [(block.x_full, lines)], int((np.abs(x) > block.x_full).sum())
    found = []
    for sign in (1, -1) if block.inputs.signed else (1,):
        part = [max(int(sign * n), 0) for n in x]
        found += [(sign * 2**b, np.array([n // 2**b % 2 for n in part])) for b in range(bits)]
    return found, 0


class Twin:
    def __init__(self, made, time_s):
        self.made, self.time_s = made, time_s
        self.chip, self.net = made.plan.chip, made.plan.network
        a = self.chip.array
        self.wires = Wires(**{n: getattr(a, n) for n in (*OHM, "driven", "sensed")})
        n = len(made.plan.blocks)
        names = "pulses rows_driven cells_driven columns_read conversions clipped shift_adds"
        self.counts = {k: np.zeros(n) for k in (*names.split(), "serial_conversions", "cell_watts")}

    def pulse(self, i, lines):
        """Currents that converters report, of one pulse of block i."""
        a, out, block = self.chip.array, self.chip.output, self.made.plan.blocks[i]
        g, v, c = self.made.cells[i].at(self.time_s), a.v_read_volt * lines, self.counts
        solve = solve_gated if a.idle == "gated" else solve_array
        solved = solve(g, v.astype(float), self.wires)
        c["cell_watts"][i] += solved.i_word @ v
        seen = solved.i_bit
        if a.signed == "pairs" and a.pair == "analog":
            seen = seen[0::2] - seen[1::2]
        c["pulses"][i] += 1
        c["rows_driven"][i] += (lines != 0).sum()
        c["cells_driven"][i] += (lines != 0).sum() * g.shape[1]
        c["columns_read"][i] += g.shape[1]
        c["conversions"][i] += len(seen)
        c["serial_conversions"][i] += min(len(seen), out.columns_per_adc)
        if out.bits is None:
            return seen
        rng = np.random.default_rng((self.made.seed, i, 1))
        drawn = rng.standard_normal((2, -(-len(seen) // out.columns_per_adc)))
        lsb = (block.high - block.low) / (2**out.bits - 1)
        least = -round(-block.low / lsb)
        found = np.empty(len(seen))
        for k, ampere in enumerate(seen):
            gain = 1 + out.gain_sd * drawn[0, k // out.columns_per_adc]
            code = round(
                ampere / lsb * gain + out.offset_sd_lsb * drawn[1, k // out.columns_per_adc]
            )
            inside = min(max(code, least), least + 2**out.bits - 1)
            c["clipped"][i] += inside != code
            found[k] = inside * lsb
        return found

    def sums_of_columns(self, i, seen, n):
        """Sums of n weights from what the converters report, and the additions that takes."""
        a, device = self.chip.array, self.made.plan.device
        p = self.net.projections[self.made.plan.blocks[i].matrix.projection]
        w_max = np.abs(p.synapses.weight).max() or 1.0
        one = unit(a, w_max, device.g_max_siemens - device.g_min_siemens) * a.v_read_volt
        slices = 1 if a.slice_bits is None else -(-a.weight_bits // a.slice_bits)
        worth = [2 ** ((a.slice_bits or 0) * s) for s in range(slices)]
        own = seen if a.signed == "pairs" else seen[: n * slices]
        per = own.reshape(n, slices, -1)
        if per.shape[2] == 2:
            per = per[:, :, :1] - per[:, :, 1:]
        adds = own.size - n
        whole = [sum(wt * s[0] for wt, s in zip(worth, row, strict=True)) for row in per]
        if a.signed == "offset":
            off = sum(wt * s for wt, s in zip(worth, seen[n * slices :], strict=True))
            whole, adds = [w - off for w in whole], adds + slices - 1 + n
        return np.array(whole) / one, adds

    def block(self, i, x, joins):
        """Sums of one read of block i."""
        block, a = self.made.plan.blocks[i], self.chip.array
        n = block.columns.stop - block.columns.start
        total = np.zeros(n)
        found, saturated = pulses(x, self.chip, block)
        self.counts["clipped"][i] += saturated
        for number, (worth, lines) in enumerate(found):
            if a.skip_silent and not lines.any():
                continue
            sums, adds = self.sums_of_columns(i, self.pulse(i, lines), n)
            total += worth * sums
            self.counts["shift_adds"][i] += adds + (n if number or joins else 0)
        return total


def sums(twin, x):
    """What arrives in the last of the steps x (steps, sources), and counts of them all."""
    net, plan = twin.net, twin.made.plan
    for t in range(len(x)):
        total, seen = np.zeros(net.populations[-1].shape), set()
        for i, block in enumerate(plan.blocks):
            m, first = block.matrix, (block.matrix.group, block.columns.start)
            joins = first in seen
            seen.add(first)
            then = x[t - m.delay] if t >= m.delay else np.zeros_like(x[0])
            s = net.projections[0].synapses
            if not isinstance(s, hwsim.Conv2d):
                total[block.columns] += twin.block(i, then[m.rows[block.rows]], joins)
                continue
            image = then.reshape(net.populations[0].shape)
            per, ky, kx = s.weight.shape[1:]
            out_of = len(s.weight) // s.groups
            for oy, ox in np.ndindex(*total.shape[1:]):
                rows = np.zeros((per, ky, kx))
                for c, a, b in np.ndindex(per, ky, kx):
                    y = oy * s.stride[0] - s.padding[0] + a * s.dilation[0]
                    z = ox * s.stride[1] - s.padding[1] + b * s.dilation[1]
                    if 0 <= y < image.shape[1] and 0 <= z < image.shape[2]:
                        rows[c, a, b] = image[m.group * per + c, y, z]
                found = twin.block(i, rows.reshape(-1)[block.rows], joins)
                at = m.group * out_of + np.arange(block.columns.start, block.columns.stop)
                total[at, oy, ox] += found
    return total.reshape(-1)


def a_network(rng):
    """One projection of any kind onto neurons that keep nothing from step to step."""
    how = hwsim.Neuron.of(decay_v=0.0, emits="nothing")
    if rng.random() < 0.4:
        groups, stride, pad, dil = rng.integers(1, 3, 4).tolist()
        kernel = rng.normal(size=(2 * groups, 2, 2, 2))
        s = hwsim.Conv2d.of(
            kernel, groups=groups, stride=stride, padding=(pad, 1), dilation=(1, dil)
        )
        shape = (2 * groups, 4, 5)
        ends = hwsim.Population("in", shape), hwsim.Population("out", s.target_shape(shape), how)
        return hwsim.Network(ends, (hwsim.Projection.of("in", "out", s, delay=rng.integers(0, 3)),))
    weight = rng.normal(size=(7, 9)) * (rng.random((7, 9)) < 0.7)
    s = hwsim.Dense.of(weight) if rng.random() < 0.5 else hwsim.Sparse.from_dense(weight)
    delay = rng.integers(0, 3, s.weight.shape if rng.random() < 0.5 else ())
    ends = hwsim.Population("in", (9,)), hwsim.Population("out", (7,), how)
    return hwsim.Network(ends, (hwsim.Projection.of("in", "out", s, delay=delay),))


def a_chip(rng):
    def one(*of):
        return of[rng.integers(len(of))]

    bits = one(None, (6, 2), (5, 2), (3, 1))
    array = {"rows": one(1, 4, 5, 100), "columns": one(12, 14, 40), "count": 500}
    array |= {"signed": one("pairs", "offset"), "pair": one("analog", "digital")}
    array |= {"idle": one("grounded", "gated"), "skip_silent": one(True, False)}
    array |= {"driven": one("left", "right", "both"), "sensed": one("bottom", "top", "both")}
    if bits:
        array |= {"weight_bits": bits[0], "slice_bits": bits[1]}
    if rng.random() < 0.6:
        array |= {name: float(rng.uniform(1, 300)) for name in OHM}
    output = {"bits": one(None, 1, 4, 8), "columns_per_adc": one(1, 3, 1000)}
    output |= {
        "gain_sd": one(0.0, 0.1),
        "offset_sd_lsb": one(0.0, 0.7),
        "range": one("percentile", "loss"),
    }
    given = one({}, {"kind": "serial", "bits": 3}, {"kind": "dac", "bits": 5})
    return chip_with(output, given, **array)


@pytest.mark.parametrize("seed", range(30))
def test_every_read_is_what_the_documents_say(seed):
    rng = np.random.default_rng(seed)
    net, chip = a_network(rng), a_chip(rng)
    device, time_s = IDEAL.spread(0.1).with_(g_min_siemens=2e-6), 0.0
    if rng.random() < 0.4:
        device, time_s = crossbar.load_device("pcm").with_(read=None), 3600.0
    shape = (2, 3, *net.populations[0].shape)
    if chip.input.kind == "spike":
        x = rng.integers(0, 2, shape).astype(float)
    else:
        x = rng.integers(-7 if rng.random() < 0.5 else 0, 8, shape).astype(float)
    made = crossbar.fabricate(crossbar.compile_crossbar(net, chip, x, device=device), seed=seed)
    if chip.input.kind == "dac":
        x = 1.2 * x
    w_max = np.abs(net.projections[0].synapses.weight).max()
    for block in made.plan.blocks:
        part = block.matrix.weight[block.rows, block.columns]
        np.testing.assert_allclose(
            block.wanted, wanted(part, w_max, chip.array, device), rtol=1e-12, atol=1e-18
        )
    run = crossbar.simulate_crossbar(made, x, time_s=time_s)
    twin = Twin(made, time_s)
    found = np.array([sums(twin, one.reshape(3, -1)) for one in x])
    for name, value in twin.counts.items():
        got = getattr(run.counts, name)
        if name == "clipped" and chip.output.bits:  # one that lies on an edge, in float32
            np.testing.assert_allclose(got, value, atol=2)
        else:
            np.testing.assert_allclose(got, value, rtol=2e-6, err_msg=name)
    error = np.abs(run.output - found) / np.abs(found).max()
    if chip.output.bits is None:
        assert error.max() < 1e-9
    else:
        assert np.mean(error > 1e-5) < 0.02


@pytest.mark.parametrize("bits", [None, 14])
@pytest.mark.parametrize("seed", range(4))
def test_reads_are_as_noisy_as_the_cells_say_at_that_age(seed, bits):
    """Variance of sums: of every cell on a driven row, as much weaker as its current is."""
    rng = np.random.default_rng(seed)
    how = hwsim.Neuron.of(decay_v=0.0, emits="nothing")
    s = hwsim.Dense.of(rng.normal(size=(10, 9)))
    ends = hwsim.Population("in", (9,)), hwsim.Population("out", (10,), how)
    net = hwsim.Network(ends, (hwsim.Projection.of("in", "out", s),))
    array = {
        "signed": "offset" if seed == 1 else "pairs",
        "idle": "gated" if seed > 2 else "grounded",
    }
    array["pair"] = "digital" if seed == 2 else "analog"
    if seed == 0:
        array |= {"weight_bits": 4, "slice_bits": 2}
    chip = chip_with({"bits": bits}, r_bit_ohm=900.0 if seed else 0.0, r_word_ohm=200.0, **array)
    one = rng.integers(0, 2, 9)
    x = np.broadcast_to(one, (6000, 1, 9)).astype(np.uint8)
    device = crossbar.load_device("pcm")
    made = crossbar.fabricate(crossbar.compile_crossbar(net, chip, x[:2], device=device))
    found = crossbar.simulate_crossbar(made, x, time_s=3600.0, seed=1).output
    cells, twin = made.cells[0], Twin(made, 3600.0)
    g, v = cells.at(3600.0), chip.array.v_read_volt
    seen = np.stack([solve_array(g, v * row, twin.wires).i_bit for row in np.eye(9)])
    share = np.divide(seen, g * v, out=np.zeros_like(g), where=g > 0)
    variance = one @ (v * share * cells.read_sd(3600.0)) ** 2
    n = chip.array.n_slices * (2 if chip.array.signed == "pairs" else 1)
    per = variance[: 10 * n].reshape(10, chip.array.n_slices, -1).sum(axis=2)
    per = per @ (2.0 ** (chip.array.slice_bits or 0)) ** (2 * np.arange(chip.array.n_slices))
    if chip.array.signed == "offset":
        per = per + variance[10:]
    w_max, span = np.abs(s.weight).max(), device.g_max_siemens - device.g_min_siemens
    per = per / (unit(chip.array, w_max, span) * v) ** 2
    assert (found.var(axis=0) / per).mean() == pytest.approx(1, abs=0.03)
    assert np.abs(found.var(axis=0) / per - 1).max() < 0.12


def test_equal_blocks_of_a_chip_err_apart():
    """Neither two blocks nor two chips have the same cells or the same converters."""
    net = hwsim.Network(
        (hwsim.Population("in", (40,)), hwsim.Population("out", (6,), hwsim.Neuron.of())),
        (hwsim.Projection.of("in", "out", hwsim.Dense.of(np.ones((6, 40)))),),
    )
    chip = chip_with({"gain_sd": 0.1, "columns_per_adc": 1}, rows=20, pair="digital")
    x = np.ones((1, 1, 40), np.uint8)
    plan = crossbar.compile_crossbar(net, chip, x, device=IDEAL.spread(0.1))
    errors, gains = [], []
    for made in (crossbar.fabricate(plan, seed=s) for s in (0, 1)):
        for i, block in enumerate(plan.blocks):
            errors.append((made.cells[i].at() - block.wanted)[:, 0::2].ravel())
            gains.append(crossbar.made.converters(made, i).gain)
    for few, far in ((errors, 0.4), (gains, 0.95)):
        apart = np.abs(np.corrcoef(few)[np.triu_indices(4, 1)])
        assert apart.max() < far


def test_noise_of_cells_that_hardly_conduct_is_not_that_of_their_neighbours():
    """What reaches a column around such a cell is no current of it: its noise is its own."""
    weight = np.where(np.random.default_rng(0).random((6, 30)) < 0.5, 1e-6, 1.0)
    how = hwsim.Neuron.of(decay_v=0.0, emits="nothing")
    ends = hwsim.Population("in", (30,)), hwsim.Population("out", (6,), how)
    net = hwsim.Network(ends, (hwsim.Projection.of("in", "out", hwsim.Dense.of(weight)),))
    chip = chip_with({"bits": None}, r_bit_ohm=300.0, r_word_ohm=300.0)
    read = {"sd_siemens": (1e-7,), "source": "of this test", "class": "R", "rel_uncertainty": 0.5}
    device = IDEAL.with_(read=read)
    x = np.ones((500, 1, 30), np.uint8)
    made = crossbar.fabricate(crossbar.compile_crossbar(net, chip, x, device=device))
    found = crossbar.simulate_crossbar(made, x).output
    assert (found.std(axis=0) < 1.2 * np.sqrt(30 * 2) * 1e-7 / IDEAL.g_max_siemens).all()


@pytest.mark.parametrize("how", ["percentile", "loss"])
@pytest.mark.parametrize("signed", ["pairs", "offset"])
def test_ranges_are_those_of_the_currents_that_samples_cause(signed, how):
    """Of arrays without error, wires included; of both signs alike where currents have both."""
    rng = np.random.default_rng(3)
    neuron = hwsim.Neuron.of(decay_v=0.0, emits="nothing")
    weight = rng.normal(0.3, 1, size=(6, 9))
    ends = hwsim.Population("in", (9,)), hwsim.Population("out", (6,), neuron)
    net = hwsim.Network(ends, (hwsim.Projection.of("in", "out", hwsim.Dense.of(weight)),))
    output = {"bits": 5, "range": how, "percentile": 90}
    chip = chip_with(output, rows=5, r_bit_ohm=2000.0, r_word_ohm=900.0, signed=signed)
    x = rng.integers(0, 2, (40, 5, 9)) * (rng.random((40, 5, 1)) < 0.4)
    plan = crossbar.compile_crossbar(net, chip, x.astype(np.uint8), device=IDEAL.spread(0.2))
    silent = crossbar.compile_crossbar(net, chip, 0 * x, device=IDEAL)
    for block, unseen in zip(plan.blocks, silent.blocks, strict=True):
        read = [r for r in x.reshape(-1, 9) if r.any()]
        volts = chip.array.v_read_volt * np.array([r[block.rows] for r in read], dtype=float)
        i = solve_array(block.wanted, volts, plan.wires).i_bit
        every = solve_array(block.wanted, np.full((1, len(block.wanted)), 0.2), plan.wires).i_bit
        if signed == "pairs":
            i, every = i[:, 0::2] - i[:, 1::2], every[:, 0::2] - every[:, 1::2]
            i, every = np.concatenate([i, -i]), np.concatenate([every, -every])
        for found, seen in ((block, i), (unseen, every)):
            low, high = np.percentile(seen, [10, 90])
            wanted = min(low, 0), max(high, 0)
            if how == "percentile":
                np.testing.assert_allclose((found.low, found.high), wanted, rtol=1e-9, atol=1e-20)
            else:
                assert quantised(seen, found.low, found.high) < quantised(seen, *wanted)


def quantised(currents, low, high):
    """Mean squared error of converters of five bits."""
    lsb = (high - low) / 31
    least = -round(-low / lsb)
    return np.mean((np.clip(np.rint(currents / lsb), least, least + 31) * lsb - currents) ** 2)
