"""A block of samples through a prepared network: owns the arrays, leaves work to the kernels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray, BoolArray, IntArray
from hwsim.kernels import advance, events
from hwsim.kernels import tables as kt
from hwsim.layout import Layout

N_TRAVEL = 6  # three kinds of hops, and of waits
IDLE_BYTES = 8 * 2**20  # states kept for the next run


def list_inputs(layout: Layout, inputs: list[AnyArray]) -> kt.Input:
    """The events of a block of samples: of every input (samples, steps, neurons)."""
    size = sum(x.size for x in inputs)
    values: AnyArray = np.empty(size if any(layout.valued) else 0, dtype=layout.program.sum_dtype)
    ids = np.empty(size, dtype=np.int32)
    n_samples = len(inputs[0])
    ptr = np.empty((len(inputs), n_samples, layout.window + 1), dtype=np.int64)
    at = 0
    for i, x in enumerate(inputs):
        for b in range(n_samples):
            common = (layout.places[i], layout.valued[i], at, ids, values, ptr[i, b])
            if x.dtype == np.uint8:
                at = events.list_bytes(x[b].reshape(-1), x.shape[2], *common)
            else:
                at = events.list_numbers(x[b], *common)
    return kt.Input(ids, values, ptr)


def new_state(layout: Layout, n_lanes: int) -> kt.State:
    """Lanes for samples in flight; the kernels clear them."""
    program, n_parts = layout.program, layout.listening.core_of.size
    neurons = (n_lanes, program.n_neurons)
    counted = (n_lanes, program.n_neurons if layout.listening.counts else 0)
    remembers = (n_lanes, program.n_neurons if layout.remembers else 0)
    sums, state = program.sum_dtype, program.state_dtype
    return kt.State(
        sums=np.empty((n_lanes, layout.n_sums), dtype=sums),
        u=np.empty(neurons, dtype=state),
        v=np.empty(neurons, dtype=state),
        rest=np.empty(neurons, dtype=state),
        fired=np.empty(neurons, dtype=np.int8),
        residue=np.empty(remembers, dtype=state),
        error=np.empty(remembers, dtype=state),
        idle=np.empty(counted, dtype=np.int32),
        awake=np.empty((n_lanes, len(program.number)), dtype=np.bool_),
        ids=np.empty((n_lanes, layout.n_ids), dtype=np.int32),
        values=np.empty((n_lanes, layout.n_values), dtype=sums),
        ptr=np.zeros((n_lanes, len(program.number), layout.chunk + 1), dtype=np.int64),
        apart=np.zeros((n_lanes, layout.n_apart), dtype=sums),
        active_of=np.empty((n_lanes, layout.chunk, n_parts), dtype=np.int64),
    )


def take_state(layout: Layout, n_lanes: int) -> kt.State:
    """A state that an earlier block left, or a new one."""
    if n_lanes == 1 and layout.idle:
        try:
            return layout.idle.pop()
        except IndexError:  # another thread was faster
            pass
    return new_state(layout, n_lanes)


def new_tallies(layout: Layout, n_lanes: int, by_step: list[AnyArray]) -> kt.Tallies:
    """Counters at zero. by_step: where sops, updates and packets of each step and core go."""
    heard, n_work = layout.listening, layout.listening.prices.size
    n_slots = heard.own_slot.size + heard.flow_slot.size
    return kt.Tallies(
        active=np.zeros(heard.core_of.size, dtype=np.int64),
        read=np.zeros((2, n_slots), dtype=np.int64),
        unread=np.zeros((2, n_slots), dtype=np.int64),
        critical=np.zeros(n_work + N_TRAVEL, dtype=np.int64),
        flows=np.zeros((n_lanes, n_slots), dtype=np.int64),
        hits=np.empty(layout.n_hits, dtype=np.int64),
        by_core=np.empty((n_work, layout.n_cores), dtype=np.int64),
        busy=np.empty(layout.n_cores),
        loads=np.empty(len(heard.link), dtype=np.int64),
        sops=by_step[0],
        updates=by_step[1],
        packets_sent=by_step[2],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """When a sample may end before its last step.

    Attributes:
        ask: `ask(step, output)` is true for samples that need no more steps.
        read: the output so far of some samples of a block, (samples, neurons).
        start: step in which the output population begins.
    """

    ask: Callable[[int, AnyArray], BoolArray]
    read: Callable[[IntArray], AnyArray]
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some samples of a run.

    Attributes:
        found: where results go. spikes: where recorded ones go, by number of population.
        ran: steps that each sample ran, (samples,); filled.
        by_step: see `new_tallies`.
    """

    layout: Layout
    given: kt.Input
    found: kt.Found
    spikes: dict[int, AnyArray]
    ran: IntArray
    by_step: list[AnyArray]

    def run(self, stop: Stop | None) -> kt.Tallies:
        """Run all samples, chunk by chunk; returns what was counted."""
        layout = self.layout
        alone = stop is None and not self.spikes  # samples may share a lane, one after another
        n_lanes = 1 if alone else self.ran.size
        self.ran[:] = layout.window
        state = take_state(layout, n_lanes)
        tallies = new_tallies(layout, n_lanes, self.by_step)
        running = np.arange(self.ran.size)
        if alone and layout.chunk < layout.window:  # a lane holds one chunk of one sample
            for b in running:
                self._run(state, tallies, running[b : b + 1], None)
        else:
            self._run(state, tallies, running, stop)
        if n_lanes == 1 and layout.bytes_per_lane <= IDLE_BYTES:
            layout.idle.append(state)
        return tallies

    def _run(
        self, state: kt.State, tallies: kt.Tallies, running: IntArray, stop: Stop | None
    ) -> None:
        window, size = self.layout.window, self.layout.chunk
        t0 = 0
        t1 = size if stop is None else stop.start % size or size
        while t0 < window and running.size:
            t1 = min(t1, window)
            self._advance(state, tallies, running, t0, t1)
            if stop is not None and stop.start < t1 < stop.start + self.layout.n_steps:
                stops = _answer(stop, running, t1 - 1 - stop.start)
                self.ran[running[stops]] = t1
                arrays = (self.layout.tables, self.given, state, self.found)
                advance.forget_unread(*arrays, running[stops], t1 - 1, t0)
                running = running[~stops]
            t0, t1 = t1, t1 + size

    def _advance(
        self, state: kt.State, tallies: kt.Tallies, samples: IntArray, t0: int, t1: int
    ) -> None:
        layout = self.layout
        one_lane = len(state.sums) == 1 and self.ran.size > 1
        arrays = (layout.tables, self.given, state, self.found, layout.listening, tallies)
        steps = (t0, t1, layout.n_steps, layout.window)
        advance.advance(*arrays, samples, one_lane, *steps)
        for i, out in self.spikes.items():
            row = layout.tables.populations[i]
            at, valued = int(row["ids_at"]), bool(row["valued"])
            for b in samples:
                fired = (state.ids[b, at:], state.values[b, at:], valued, state.ptr[b, i])
                events.spread(*fired, layout.origins[i], out[b, t0:t1])


def _answer(stop: Stop, running: IntArray, step: int) -> BoolArray:
    """Which of the running samples stop after a step of the output."""
    stops = np.asarray(stop.ask(step, stop.read(running)), dtype=np.bool_)
    if stops.shape != running.shape:
        raise ValueError(
            f"`until` answered with shape {stops.shape} for {running.size} samples: it must say "
            "of each whether to stop"
        )
    return stops
