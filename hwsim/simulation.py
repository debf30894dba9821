"""The engine: run samples through a network, real or integer, on a chip or off it.

Populations are visited in an order in which sources come first. One outside every cycle runs over
all its steps and all samples at once; those of a cycle advance together, step by step. Both ways
call the same kernels, so they cannot differ.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hwsim._accelerate import threads
from hwsim.arrays import AnyArray, IntArray, frozen
from hwsim.counts import Counts
from hwsim.kernels import deliver, neurons
from hwsim.mapping.plan import Plan
from hwsim.network import Network, Population, Projection
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Conv2d, Dense, Sparse, size_of, with_weight
from hwsim.tally import tally

INT32_SAFE = 2**31 - 1
CONV_WRAP = 1 << 24
SAMPLE_MAX = 2**31
RESET_CODE = {"zero": 0, "subtract": 1, "none": 2}
EMIT_CODE = {"nothing": 0, "spikes": 1, "graded": 2}
BLOCK_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a simulation returns.

    Attributes:
        n_steps: steps presented per sample, T. A chip runs T + latency; see `aligned`.
        shift: steps by which each population runs late (all 0 off chip).
        spike_counts: spikes per neuron in each population's own T steps, (samples, neurons).
        output: the network's answer, (samples, neurons): spike counts of the output population,
            or, if it emits nothing, its potential after its last step.
        spikes, u, v: recorded traces, (samples, all steps, neurons), by population.
        sops: synaptic operations counted by the event loop, per sample.
        counts: what happened on the chip; None off chip.
    """

    n_steps: int
    shift: dict[str, int]
    spike_counts: dict[str, IntArray]
    output: AnyArray
    spikes: dict[str, AnyArray]
    u: dict[str, AnyArray]
    v: dict[str, AnyArray]
    sops: IntArray
    counts: Counts | None

    def aligned(self, name: str, trace: str = "spikes") -> AnyArray:
        """A recorded trace on the network's own T steps, its lateness taken off."""
        start = self.shift[name]
        array: AnyArray = getattr(self, trace)[name]
        return array[:, start : start + self.n_steps]


def simulate(
    what: Network | Plan,
    samples: AnyArray,
    *,
    record: tuple[str, ...] = (),
    probe: tuple[str, ...] | None = None,
    on_samples: Callable[[int], None] | None = None,
) -> Run:
    """Run every sample from a cleared state.

    Args:
        what: a network, or a plan of one on a chip (which then counts events).
        samples: input spikes, (samples, steps, *input shape); whole numbers for integer networks.
        record: which traces to keep: any of "spikes", "u", "v".
        probe: populations to keep them of; all by default.
        on_samples: called with the number of samples just finished.

    Raises:
        ValueError: if samples do not have the input's shape or hold what cannot be sent.
    """
    net = what.network if isinstance(what, Plan) else what
    samples = check_samples(net, samples)
    unknown = set(record) - {"spikes", "u", "v"}
    if unknown:
        raise ValueError(f"cannot record {', '.join(sorted(unknown))}: there are spikes, u, v")
    late = what.latency_steps if isinstance(what, Plan) else 0
    runs = []
    for block in _blocks(net, samples, samples.shape[1] + late):
        with threads(len(block)):
            runs.append(_Engine(what, block, record, probe).run())
        if on_samples:
            on_samples(len(block))
    return _joined(runs)


def check_samples(net: Network, samples: AnyArray) -> AnyArray:
    """Samples as (samples, steps, neurons) of the dtype the engine takes, or a clear error."""
    if len(net.inputs) != 1:
        raise ValueError(f"{len(net.inputs)} input populations: exactly one is supported")
    shape = net.inputs[0].shape
    samples = np.asarray(samples)
    if samples.ndim != len(shape) + 2 or samples.shape[2:] != shape:
        raise ValueError(
            f"samples have shape {samples.shape}, the network takes (samples, steps, "
            f"{', '.join(map(str, shape))}): bin or crop them to its input"
        )
    if 0 in samples.shape:
        raise ValueError(f"samples have shape {samples.shape}: there is nothing to run")
    if samples.dtype.kind not in "buif":
        raise ValueError(f"samples are of type {samples.dtype}, must be real numbers")
    if samples.dtype.kind == "f":
        if not np.isfinite(samples).all():
            raise ValueError("samples hold NaN or infinite values")
        if net.is_integer and ((samples % 1).any() or np.abs(samples).max() >= SAMPLE_MAX):
            raise ValueError(
                "an integer network takes whole numbers below 2^31: bin the input to counts"
            )
    flat = samples.reshape(*samples.shape[:2], size_of(shape))
    return flat if not net.is_integer else flat.astype(np.int64, copy=False)


def _blocks(net: Network, samples: AnyArray, n_steps: int) -> Iterator[AnyArray]:
    """Samples in blocks whose arrays stay within `BLOCK_BYTES`."""
    per_sample = n_steps * sum(p.size for p in net.populations) * (1 if net.is_integer else 8)
    per_sample += n_steps * max(p.size for p in net.populations) * 12
    size = max(1, BLOCK_BYTES // per_sample)
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def _joined(runs: list[Run]) -> Run:
    if len(runs) == 1:
        return runs[0]
    first = runs[0]

    def join(attribute: str) -> dict[str, AnyArray]:
        parts = [getattr(run, attribute) for run in runs]
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    counts = [run.counts for run in runs if run.counts is not None]
    return Run(
        first.n_steps,
        first.shift,
        join("spike_counts"),
        np.concatenate([run.output for run in runs]),
        join("spikes"),
        join("u"),
        join("v"),
        np.concatenate([run.sops for run in runs]),
        sum(counts[1:], start=counts[0]) if counts else None,
    )


@dataclass(slots=True)
class _State:
    """A population in flight: arriving sums, state, and what it emitted."""

    a: AnyArray
    u: AnyArray
    v: AnyArray
    fired: AnyArray
    rest: AnyArray
    spikes: AnyArray
    n_active: AnyArray
    u_out: AnyArray
    v_out: AnyArray


@dataclass
class _Engine:
    """One block of samples: owns the arrays, leaves the arithmetic to the kernels."""

    what: Network | Plan
    block: AnyArray
    record: tuple[str, ...]
    probe: tuple[str, ...] | None
    states: dict[str, _State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        on_chip = isinstance(self.what, Plan)
        self.net = self.what.network if isinstance(self.what, Plan) else self.what
        self.n_steps = self.block.shape[1]
        self.shift = self.what.shift if isinstance(self.what, Plan) else self._no_shift()
        self.window = self.n_steps + max(self.shift.values())
        self.sops = np.zeros(len(self.block), dtype=np.int64)
        self.plan = self.what if isinstance(self.what, Plan) else None
        assert on_chip == (self.plan is not None)

    def _no_shift(self) -> dict[str, int]:
        return {p.name: 0 for p in self.net.populations}

    def run(self) -> Run:
        spikes, u, v = {}, {}, {}
        counts: dict[str, IntArray] = {}
        for group in groups(self.net):
            for name in group:
                self.states[name] = self._start(self.net[name])
            self._advance(group)
        for name, state in self.states.items():
            own = state.spikes[:, self.shift[name] : self.shift[name] + self.n_steps]
            counts[name] = np.sum(own != 0, axis=1, dtype=np.int64)
            if self._probed(name, "spikes"):
                spikes[name] = state.spikes
            if self._probed(name, "u"):
                u[name] = state.u_out
            if self._probed(name, "v"):
                v[name] = state.v_out
        return Run(
            self.n_steps,
            self.shift,
            counts,
            self._output(counts),
            spikes,
            u,
            v,
            self.sops,
            self._counts(),
        )

    def _counts(self) -> Counts | None:
        if self.plan is None:
            return None
        emitted = {name: state.spikes for name, state in self.states.items()}
        active = {name: state.n_active for name, state in self.states.items()}
        return tally(self.plan, emitted, active)

    def _output(self, counts: dict[str, IntArray]) -> AnyArray:
        name = self.net.output
        neuron = self.net[name].neuron
        if neuron is None or neuron.emits != "nothing":
            return counts[name]
        return self.states[name].v_out[:, self.shift[name] + self.n_steps - 1]

    def _probed(self, name: str, trace: str) -> bool:
        neuron = self.net[name].neuron
        wanted = trace in self.record and (self.probe is None or name in self.probe)
        return wanted and (neuron is not None or trace == "spikes")

    def _start(self, pop: Population) -> _State:
        """Arrays of a population before its first step."""
        n, steps = len(self.block), self.window
        fixed = self.net.is_integer
        kind = np.int64 if fixed else np.float64
        parts = len(self.plan.parts_of(pop.name)) if self.plan else 1
        is_readout = pop.name == self.net.output and getattr(pop.neuron, "emits", "") == "nothing"

        def trace(wanted: bool) -> AnyArray:
            return np.zeros((n, steps if wanted else 0, pop.size), dtype=kind)

        emits = self._input_dtype() if pop.neuron is None else np.uint8 if fixed else np.float64
        state = _State(
            a=np.zeros((n, steps if pop.neuron else 0, pop.size), dtype=self._sum_dtype(pop)),
            u=np.zeros((n, pop.size)),
            v=np.zeros((n, pop.size)),
            fired=np.zeros((n, pop.size), dtype=np.bool_),
            rest=np.zeros((n, pop.size), dtype=np.int64),
            spikes=np.zeros((n, steps, pop.size), dtype=emits),
            n_active=np.zeros((n, steps, parts), dtype=np.int64),
            u_out=trace(self._probed(pop.name, "u")),
            v_out=trace(self._probed(pop.name, "v") or is_readout),
        )
        if pop.neuron is None:
            state.spikes[:, : self.n_steps] = self.block
        elif isinstance(pop.neuron, Neuron):
            state.v[:] = np.broadcast_to(pop.neuron.v_init, pop.shape).reshape(-1)
        return state

    def _input_dtype(self) -> type:
        if not self.net.is_integer:
            return np.float64
        small = self.block.min() >= 0 and self.block.max() <= 255
        return np.uint8 if small else np.int64

    def _sum_dtype(self, pop: Population) -> type:
        """int32 if no sum of a step can leave it, else int64; float64 for real networks."""
        if not self.net.is_integer:
            return np.float64
        bound = sum(self._bound(p) for p in self.net.into(pop.name))
        return np.int32 if bound <= INT32_SAFE else np.int64

    def _bound(self, p: Projection) -> int:
        """No sum of a step over this projection exceeds this."""
        assert p.word is not None
        payload = 1
        if p.word.message_bits and self.net[p.source].neuron is None:  # neurons emit 0 or 1
            payload = max(1, int(np.abs(self.states[p.source].spikes).max(initial=1)))
        fan_in = p.synapses.fan_in(self.net[p.source].shape)
        largest = max(1, int(np.abs(p.synapses.weight).max(initial=1)))
        return fan_in * largest * payload << max(p.word.exp, 0)

    def _advance(self, group: tuple[str, ...]) -> None:
        """Run the populations of a group through all steps."""
        looped = [p for name in group for p in self.net.into(name) if p.source in group]
        for name in group:
            for p in self.net.into(name):
                if p.source not in group:
                    self._deliver(p, 0, self.window)
        if not looped:
            self._step(group[0], 0, self.window)
            return
        for t in range(self.window):
            for name in group:
                self._step(name, t, t + 1)
                for p in looped:
                    if p.source == name:
                        self._deliver(p, t, t + 1)

    def _deliver(self, p: Projection, t0: int, t1: int) -> None:
        """Add what spikes of steps t0 to t1 send over a projection to the target's sums."""
        target = self.states[p.target]
        if p.word is None:
            self._deliver_real(p, t0, t1, target.a)
            return
        spikes = self.states[p.source].spikes
        if p.word.message_bits == 0 and spikes.dtype != np.uint8:
            spikes = (spikes != 0).astype(np.uint8)
        elif p.word.message_bits == 0 and self.net[p.source].neuron is None:
            spikes = np.minimum(spikes, 1)
        wraps = isinstance(p.synapses, Conv2d) and self._bound(p) >= CONV_WRAP // 2
        if p.word.exp < 0 and p.delay.ndim:
            self._deliver_by_delay(p, spikes, t0, t1)
            return
        if p.word.exp == 0 and not wraps:
            self._scatter(p, spikes, p.synapses.weight, t0, t1, target.a)
            return
        sums = np.zeros_like(target.a, dtype=np.int64)
        self._scatter(p, spikes, p.synapses.weight, t0, t1, sums)
        sums = sums << p.word.exp if p.word.exp > 0 else sums >> -p.word.exp
        if wraps:
            sums = (sums + CONV_WRAP // 2) % CONV_WRAP - CONV_WRAP // 2
        target.a += sums.astype(target.a.dtype)

    def _deliver_by_delay(self, p: Projection, spikes: AnyArray, t0: int, t1: int) -> None:
        """Lava shifts the sum of each delay by itself: for negative exponents that shows."""
        assert p.word is not None
        for delay in np.unique(p.delay):
            weight = np.where(p.delay == delay, p.synapses.weight, 0)
            one = replace(
                p, synapses=with_weight(p.synapses, weight), delay=frozen(delay, np.int64)
            )
            sums = np.zeros_like(self.states[p.target].a, dtype=np.int64)
            counted = self.sops.copy()
            self._scatter(one, spikes, weight, t0, t1, sums)
            if delay != p.delay.max():  # the synapses are read once, not once per delay
                self.sops[:] = counted
            self.states[p.target].a += (sums >> -p.word.exp).astype(self.states[p.target].a.dtype)

    def _deliver_real(self, p: Projection, t0: int, t1: int, a: AnyArray) -> None:
        spikes = self.states[p.source].spikes
        if p.gain.ndim == 0:
            self._scatter(p, spikes, p.synapses.weight * p.gain, t0, t1, a)
            return
        if len(p.gain) < self.n_steps or p.delay.ndim:
            raise ValueError(
                f"projection {p.source} -> {p.target}: a gain per step needs {self.n_steps} "
                f"values (it has {len(p.gain)}) and one delay"
            )
        # the gain of the step in which a sum arrives
        gain = p.gain[np.minimum(np.arange(self.window) + int(p.delay), len(p.gain) - 1)]
        self._scatter(p, spikes * gain[None, :, None], p.synapses.weight, t0, t1, a)

    def _scatter(
        self, p: Projection, spikes: AnyArray, weight: AnyArray, t0: int, t1: int, a: AnyArray
    ) -> None:
        narrow = np.int16 if weight.dtype.kind == "i" else np.float64
        if isinstance(p.synapses, Dense):
            rows = np.ascontiguousarray(weight.T, dtype=narrow)
            if p.delay.ndim:
                beyond = np.minimum(p.delay.T, self.window)  # past the end is past the end
                delay = np.ascontiguousarray(beyond, dtype=np.int32)
                deliver.deliver_delayed(spikes, rows, delay, t0, t1, a, self.sops)
            else:
                deliver.deliver_dense(spikes, rows, int(p.delay), t0, t1, a, self.sops)
            return
        if isinstance(p.synapses, Sparse):
            delay = np.minimum(p.delay, self.window).reshape(-1).astype(np.int32)
            listed = p.synapses
            rows = weight.astype(narrow)
            deliver.deliver_sparse(
                spikes, listed.indptr, listed.target, rows, delay, t0, t1, a, self.sops
            )
            return
        conv = p.synapses
        source, target = self.net[p.source].shape, self.net[p.target].shape
        deliver.deliver_conv2d(
            spikes,
            source[1:],
            target[1:],
            conv_rows(conv, weight).astype(narrow),
            conv.stride,
            conv.padding,
            conv.dilation,
            int(p.delay),
            t0,
            t1,
            a,
            self.sops,
        )

    def _step(self, name: str, t0: int, t1: int) -> None:
        population, state = self.net[name], self.states[name]
        if isinstance(population.neuron, FixedNeuron):
            self._step_fixed(population, population.neuron, state, t0, t1)
        elif isinstance(population.neuron, Neuron):
            self._step_real(population, population.neuron, state, t0, t1)

    def _step_fixed(
        self, pop: Population, neuron: FixedNeuron, state: _State, t0: int, t1: int
    ) -> None:
        def per_neuron(values: AnyArray) -> AnyArray:
            flat = np.broadcast_to(values, pop.shape).reshape(-1)
            return np.ascontiguousarray(flat, dtype=np.float64)

        one = (np.array([0, pop.size]), np.array([0]))
        bounds, run_part = self.plan.runs(pop.name) if self.plan else one
        neurons.step_fixed(
            state.a,
            per_neuron((4095 - neuron.du) / 4096),
            per_neuron((4096 - neuron.dv) / 4096),
            per_neuron(neuron.v_th << 6),
            per_neuron(neuron.bias),
            RESET_CODE[neuron.reset],
            neuron.emits != "nothing",
            self.shift[pop.name],
            bounds,
            run_part,
            t0,
            t1,
            state.u,
            state.v,
            state.spikes,
            state.n_active,
            state.u_out,
            state.v_out,
        )

    def _step_real(self, pop: Population, neuron: Neuron, state: _State, t0: int, t1: int) -> None:
        def per_neuron(values: AnyArray) -> AnyArray:
            return np.ascontiguousarray(np.broadcast_to(values, pop.shape).reshape(-1))

        table = neuron.v_th.ndim == len(pop.shape) + 1
        rows = neuron.v_th if table else neuron.v_th[None]
        if table and len(rows) < self.n_steps:
            raise ValueError(
                f"population {pop.name!r} has thresholds for {len(rows)} steps, the input has "
                f"{self.n_steps}"
            )
        neurons.step_real(
            state.a,
            per_neuron(neuron.decay_u),
            per_neuron(neuron.decay_v),
            np.stack([per_neuron(row) for row in rows]),
            per_neuron(neuron.bias),
            RESET_CODE[neuron.reset],
            neuron.reset_late,
            neuron.fires == "reached",
            EMIT_CODE[neuron.emits],
            neuron.refractory,
            t0,
            t1,
            state.u,
            state.v,
            state.fired,
            state.rest,
            state.spikes,
            state.u_out,
            state.v_out,
        )


def conv_rows(conv: Conv2d, weight: AnyArray) -> AnyArray:
    """Kernel as (source channels, height, width, target channels of one group), contiguous."""
    out, in_per_group, k_h, k_w = weight.shape
    grouped = weight.reshape(conv.groups, out // conv.groups, in_per_group, k_h, k_w)
    rows = grouped.transpose(0, 2, 3, 4, 1).reshape(-1, k_h, k_w, out // conv.groups)
    return np.ascontiguousarray(rows)


def groups(net: Network) -> list[tuple[str, ...]]:
    """Populations, sources first; those that share a cycle come together."""
    reaches = {p.name: {q.target for q in net.out_of(p.name)} for p in net.populations}
    for middle in reaches:
        for name, found in reaches.items():
            if middle in found:
                reaches[name] = found | reaches[middle]
    done: list[tuple[str, ...]] = []
    left = list(net.order)
    while left:
        for name in left:
            loop = tuple(
                n for n in left if n == name or (name in reaches[n] and n in reaches[name])
            )
            outside = set(left) - set(loop)
            if not any(name in reaches[other] for other in outside):
                done.append(loop)
                left = [n for n in left if n not in loop]
                break
    return done
