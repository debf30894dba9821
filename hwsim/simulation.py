"""Run samples through a network, real or integer, on a chip or off it.

The network is prepared once (`hwsim.program`), samples run in blocks (`hwsim.engine`), on as many
threads as Numba may use.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from hwsim._accelerate import n_threads
from hwsim.arrays import AnyArray, BoolArray, IntArray, whole_number
from hwsim.counts import Counts
from hwsim.engine import Block, Stop, list_inputs
from hwsim.inputs import Samples, check_payloads, check_samples, inputs_of, is_binary, is_whole
from hwsim.kernels import tables as kt
from hwsim.layout import NOBODY, Layout, Wish, lay_out
from hwsim.listening import listeners
from hwsim.mapping.plan import Plan
from hwsim.network import Network
from hwsim.neuron import Neuron
from hwsim.program import Program, prepare
from hwsim.tally import counts_of

BLOCK_BYTES = 64 * 2**20
BLOCKS_PER_THREAD = 4
TRACES = ("spikes", "u", "v")

Until = Callable[[int, AnyArray], BoolArray]

__all__ = ["Run", "StepCounts", "check_samples", "simulate"]


@dataclass(frozen=True, slots=True, eq=False)
class StepCounts:
    """What every core did in every step, (samples, steps, cores); cores as in `Plan.cores`."""

    sops: IntArray
    updates: IntArray
    packets: IntArray


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
        steps: the output's own steps that each sample ran: T, or fewer if it was stopped.
        step_counts: by step and core; None unless asked for.
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
    steps: IntArray
    step_counts: StepCounts | None = None

    def aligned(self, name: str, trace: str = "spikes") -> AnyArray:
        """A recorded trace on the network's own T steps, its lateness taken off."""
        start = self.shift[name]
        array: AnyArray = getattr(self, trace)[name]
        return array[:, start : start + self.n_steps]


def simulate(
    what: Network | Plan,
    samples: Samples,
    *,
    record: str | tuple[str, ...] = (),
    probe: str | tuple[str, ...] | None = None,
    on_samples: Callable[[int], None] | None = None,
    until: Until | None = None,
    every: int = 1,
    step_counts: bool = False,
) -> Run:
    """Run every sample from a cleared state.

    Args:
        what: a network, or a plan of one on a chip (which then counts events).
        samples: input spikes, (samples, steps, *input shape); whole numbers for integer networks.
            A mapping from names to such arrays where there are several inputs.
        record: which traces to keep: any of "spikes", "u", "v".
        probe: populations to keep them of; all by default. One name stands for itself, in
            `record` too.
        on_samples: called with the number of samples just finished, from the calling thread, in
            their order.
        until: `until(step, output)` is asked after every step of the output population (0, 1, ...)
            which of some samples still running may stop; `output` (those samples, neurons) is
            what they have answered so far. A stopped sample does no more work, and what it
            leaves is what the whole run would have left after that step. Asked by the
            calling thread.
        every: ask `until` only after so many steps.
        step_counts: count by step and core too (on a chip only).

    Raises:
        ValueError: if samples do not have the input's shape or hold what cannot be sent, or an
            argument names what does not exist.
    """
    if not isinstance(what, Network | Plan):
        raise ValueError(f"{what!r:.60} cannot be simulated: give a network or a plan of one")
    record = (record,) if isinstance(record, str) else tuple(record)
    probe = (probe,) if isinstance(probe, str) else probe
    every = whole_number("`every`", every)
    net = what.network if isinstance(what, Plan) else what
    inputs = inputs_of(net, samples)
    _check_options(record, every, step_counts and net is what)
    for name in probe or ():
        if name not in (names := [p.name for p in net.populations]):
            raise ValueError(f"cannot probe {name!r}: there are {', '.join(names)}")
    check_tables(net, inputs[0].shape[1])
    if isinstance(what, Plan):
        check_payloads(net, inputs)
    run = _Simulation(what, inputs, record, probe, step_counts, every if until else None)
    return run.result(run.blocks(on_samples, until))


def _check_options(record: tuple[str, ...], every: int, off_chip: bool) -> None:
    unknown = set(record) - set(TRACES)
    if unknown:
        raise ValueError(f"cannot record {', '.join(sorted(unknown))}: there are spikes, u, v")
    if every < 1:
        raise ValueError(f"`every` is {every}, must be 1 step or more")
    if off_chip:
        raise ValueError("`step_counts` are of cores: simulate a plan, not a network")


def check_tables(net: Network, n_steps: int) -> None:
    """Raise if a table per step is shorter than the input."""
    for p in net.populations:
        neuron = p.neuron
        table = isinstance(neuron, Neuron) and neuron.v_th.ndim > len(p.shape)
        if isinstance(neuron, Neuron) and table and len(neuron.v_th) < n_steps:
            raise ValueError(
                f"population {p.name!r} has thresholds for {len(neuron.v_th)} steps, the input "
                f"has {n_steps}"
            )
    for q in net.projections:
        if q.gain.ndim and (q.gain.size < n_steps or q.delay.ndim):
            raise ValueError(
                f"projection {q.source} -> {q.target}: a gain per step needs {n_steps} values "
                f"(it has {q.gain.size}) and one delay"
            )


def _program(net: Network, inputs: list[AnyArray]) -> Program:
    """Whole numbers if weights and inputs are, real numbers else."""
    if not net.is_integer:
        program = prepare(net, whole=True)
        if program is not None and all(is_whole(x, program.payload_max) for x in inputs):
            return program
    program = prepare(net)
    assert program is not None
    return program


def _values_matter(net: Network, name: str, x: AnyArray) -> bool:
    """Whether a projection reads what an input sends: not only ones, or with a gain."""
    if any(p.gain.ndim for p in net.out_of(name)):
        return True
    reads = any(p.word is None or p.word.message_bits > 0 for p in net.out_of(name))
    return reads and not is_binary(x)


class _Simulation:
    """One call of `simulate`: the arrays of its results, and its blocks."""

    def __init__(
        self,
        what: Network | Plan,
        inputs: list[AnyArray],
        record: tuple[str, ...],
        probe: tuple[str, ...] | None,
        step_counts: bool,
        chunk: int | None,
    ) -> None:
        self.plan = what if isinstance(what, Plan) else None
        self.net = net = what.network if isinstance(what, Plan) else what
        self.inputs, self.n_samples = inputs, len(inputs[0])
        self.program = _program(net, inputs)
        self.heard = listeners(self.plan, self.program) if self.plan else None
        self.shift = self.plan.shift if self.plan else {p.name: 0 for p in net.populations}
        self.of = {
            trace: tuple(
                p.name
                for p in net.populations
                if trace in record
                and (probe is None or p.name in probe)
                and (p.neuron is not None or trace == "spikes")
            )
            for trace in TRACES
        }
        wish = Wish(
            tuple(self.shift[p.name] for p in net.populations),
            inputs[0].shape[1],
            self.of["u"],
            self.of["v"],
            tuple(_values_matter(net, p.name, x) for p, x in zip(net.inputs, inputs, strict=True)),
            chunk,
        )
        listening = self.heard.listening if self.heard else NOBODY
        self.layout: Layout = lay_out(net, self.program, listening, wish)
        self._allocate(step_counts)

    def _allocate(self, step_counts: bool) -> None:
        """Arrays of the whole run, of which every block fills its samples."""
        layout, n = self.layout, self.n_samples
        state = self.program.state_dtype
        columns_u, columns_v = layout.n_columns
        self.found = kt.Found(
            spike_counts=np.zeros((n, self.program.n_neurons), dtype=np.int64),
            n_sops=np.zeros(n, dtype=np.int64),
            answer=np.zeros((n, layout.n_answer), dtype=state),
            u=np.zeros((n, layout.window if columns_u else 0, columns_u), dtype=state),
            v=np.zeros((n, layout.window if columns_v else 0, columns_v), dtype=state),
        )
        self.ran = np.zeros(n, dtype=np.int64)
        shape = (n, layout.window if step_counts else 0, layout.n_cores)
        self.by_step: list[AnyArray] = [np.zeros(shape, dtype=np.int64) for _ in range(3)]
        self.spikes: dict[str, AnyArray] = {
            name: np.zeros((n, layout.window, self.program.size[name]), dtype=self._emits(name))
            for name in self.of["spikes"]
            if self.net[name].neuron is not None
        }

    def _emits(self, name: str) -> type:
        """Type of recorded spikes."""
        if not self.net.is_integer:
            return np.float64
        row = self.layout.tables.populations[self.program.number[name]]
        return np.int32 if row["valued"] else np.uint8

    def blocks(
        self, on_samples: Callable[[int], None] | None, until: Until | None
    ) -> list[kt.Tallies]:
        """Run all blocks; what each has counted."""
        per_sample = self.layout.bytes_per_lane + 4 * sum(x[0].size for x in self.inputs)
        size = max(1, BLOCK_BYTES // per_sample)
        alone = until is not None or n_threads() == 1  # a caller's function is asked by one thread
        if not alone:
            size = min(size, -(-self.n_samples // (BLOCKS_PER_THREAD * n_threads())))
        each = [slice(at, at + size) for at in range(0, self.n_samples, size)]
        if len(each) == 1 or alone:
            return [
                self._told(self._block(samples, until), samples, on_samples) for samples in each
            ]
        pool = ThreadPoolExecutor(min(n_threads(), len(each)))
        try:
            runs = [pool.submit(self._block, samples, until) for samples in each]
            done = zip(runs, each, strict=True)
            return [self._told(run.result(), samples, on_samples) for run, samples in done]
        finally:
            pool.shutdown(cancel_futures=True)

    def _told(
        self, tallies: kt.Tallies, samples: slice, on_samples: Callable[[int], None] | None
    ) -> kt.Tallies:
        """What a block has counted, its samples reported."""
        if on_samples:
            on_samples(self.ran[samples].size)
        return tallies

    def _block(self, samples: slice, until: Until | None) -> kt.Tallies:
        ran = self.ran[samples]
        block = Block(
            self.layout,
            list_inputs(self.layout, [x[samples] for x in self.inputs]),
            kt.Found(*(x[samples] for x in self.found)),
            {self.program.number[name]: out[samples] for name, out in self.spikes.items()},
            ran,
            [x[samples] for x in self.by_step],
        )
        start = self.shift[self.net.output]
        return block.run(
            Stop(until, lambda running: self._output(running + samples.start), start)
            if until
            else None
        )

    def _counts_of(self, name: str, samples: "IntArray | slice") -> AnyArray:
        """Spikes of each neuron of a population, in the network's order."""
        own = self.found.spike_counts[samples, self.program.neurons(name)]
        return own[:, self.program.orders[name][1]]

    def _output(self, samples: "IntArray | slice") -> AnyArray:
        name = self.net.output
        if not self.layout.n_answer:
            return self._counts_of(name, samples)
        answer = self.found.answer[samples][:, self.program.orders[name][1]]
        return answer.astype(np.int64) if self.net.is_integer else answer

    def result(self, tallies: list[kt.Tallies]) -> Run:
        """What the blocks have left."""
        n_steps, all_samples = self.layout.n_steps, slice(None)
        counts = None
        if self.plan and self.heard:
            counts = counts_of(self.plan, self.heard, tallies, self.ran)
        given = [name for name in self.of["spikes"] if name not in self.spikes]
        return Run(
            n_steps,
            self.shift,
            {name: self._counts_of(name, all_samples) for name in self.program.number},
            self._output(all_samples),
            self.spikes | {name: self._given(name) for name in given},
            self._traces("u"),
            self._traces("v"),
            self.found.n_sops,
            counts,
            np.clip(self.ran - self.shift[self.net.output], 0, n_steps),
            StepCounts(*self.by_step) if self.by_step[0].size else None,
        )

    def _traces(self, trace: str) -> dict[str, AnyArray]:
        """Recorded states of each population, in the network's order of neurons."""
        columns = getattr(self.found, trace)
        out, at = {}, 0
        for name in self.of[trace]:
            size = self.program.size[name]
            own = columns[:, :, at : at + size][:, :, self.program.orders[name][1]]
            out[name] = own.astype(np.int64) if self.net.is_integer else own
            at += size
        return out

    def _given(self, name: str) -> AnyArray:
        """An input's samples on all steps that each ran."""
        x = self.inputs[[p.name for p in self.net.inputs].index(name)]
        small = x.dtype == np.uint8 or (x.min() >= 0 and x.max() <= np.iinfo(np.uint8).max)
        kind = np.float64 if not self.net.is_integer else np.uint8 if small else np.int64
        out = np.zeros((self.n_samples, self.layout.window, x.shape[2]), dtype=kind)
        out[:, : self.layout.n_steps] = x
        for b, ran in enumerate(self.ran):
            out[b, ran:] = 0
        return out
