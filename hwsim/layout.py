"""Where a run keeps what: a prepared network completed for so many steps and these traces."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwsim.arrays import IntArray
from hwsim.kernels import tables as kt
from hwsim.network import Network
from hwsim.program import Program

CHUNK_BYTES = 16 * 2**20  # of events kept between the layers of a sample
KEPT = 8  # layouts of a network


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to do.

    Attributes:
        shift: steps by which each population runs late. n_steps: steps presented.
        u_of, v_of: populations whose traces are kept. valued: whether each input sends values.
        chunk: steps that a group of populations runs before the next one follows; None to choose.
    """

    shift: tuple[int, ...]
    n_steps: int
    u_of: tuple[str, ...]
    v_of: tuple[str, ...]
    valued: tuple[bool, ...]
    chunk: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A wish, laid out; shared by the blocks of a run, and kept for the next one.

    Attributes:
        tables: complete. window: steps in all. n_sums, n_ids, n_values, n_apart: entries of a
            lane. n_columns: of the traces of u and v. n_answer: neurons of a read-out that is the
            output, or 0. n_hits, n_cores: for counting. remembers: there are sigma-delta neurons.
        origins: by population, places: by input, see `order_of`.
        bytes_per_lane: memory of a sample in flight. idle: states for the next block.
    """

    program: Program
    tables: kt.Tables
    listening: kt.Listening
    n_steps: int
    window: int
    chunk: int
    valued: tuple[bool, ...]
    n_sums: int
    n_ids: int
    n_values: int
    n_apart: int
    n_columns: tuple[int, int]
    n_answer: int
    n_hits: int
    n_cores: int
    remembers: bool
    origins: tuple[IntArray, ...]
    places: tuple[IntArray, ...]
    bytes_per_lane: int
    idle: list[kt.State] = field(default_factory=list)


def _nobody() -> kt.Listening:
    """Off chip nothing is counted."""
    empty: dict[str, Any] = {name: np.zeros(0, dtype=np.int64) for name in kt.Listening._fields}
    empty |= {
        "prices": np.zeros(0),
        "hop_prices": np.zeros(0),
        "few": np.zeros(0, np.bool_),
        "listed": np.zeros(0, np.bool_),
    }
    empty |= {name: np.zeros((0, 3), dtype=np.int64) for name in ("routes", "link", "least")}
    empty |= {"counts": False, "slowest_link": 0.0, "slowest_route": 0.0}
    return kt.Listening(**empty)


NOBODY = _nobody()


def lay_out(net: Network, program: Program, listening: kt.Listening, wish: Wish) -> Layout:
    """Complete the tables for a wish; made at its first use."""
    key = (id(listening), wish)
    if key not in program.layouts:
        while len(program.layouts) >= KEPT:
            program.layouts.pop(next(iter(program.layouts)), None)
        program.layouts[key] = _lay_out(net, program, listening, wish)
    layout: Layout = program.layouts[key]
    return layout


def _lay_out(net: Network, program: Program, listening: kt.Listening, wish: Wish) -> Layout:
    rows = program.tables.populations.copy()
    window = wish.n_steps + max(wish.shift)
    chunk = min(window, wish.chunk or _chunk(program, listening))
    n_sums = n_ids = n_inputs = n_answer = 0
    columns = [0, 0]
    for i, (row, population) in enumerate(zip(rows, net.populations, strict=True)):
        row["start"] = wish.shift[i]
        for j, (column, wanted) in enumerate((("u_at", wish.u_of), ("v_at", wish.v_of))):
            row[column] = columns[j] if population.name in wanted else -1
            columns[j] += population.size * (population.name in wanted)
        if population.neuron is None:
            row["valued"], row["ids_at"] = wish.valued[n_inputs], n_inputs
            n_inputs += 1
            continue
        row["sums_at"] = n_sums
        row["sums_steps"] = min(program.max_delay[i], window - 1) + 1
        n_sums += int(row["sums_steps"]) * population.size
        row["ids_at"] = n_ids
        n_ids += chunk * population.size
        if population.name == net.output and population.neuron.emits == "nothing":
            row["answers"], n_answer = 1, population.size
    inner = rows[rows["kind"] != kt.INPUT]
    n_values = n_ids if inner["valued"].any() else 0
    item = np.dtype(program.sum_dtype).itemsize
    return Layout(
        program,
        program.tables._replace(populations=rows),
        listening,
        wish.n_steps,
        window,
        chunk,
        wish.valued,
        n_sums,
        n_ids,
        n_values,
        n_apart=int(inner["size"].max()) if program.tables.projections["apart"].any() else 0,
        n_columns=(columns[0], columns[1]),
        n_answer=n_answer,
        n_hits=int(listening.n_classes[listening.few].max(initial=0)),
        n_cores=listening.neurons_on.size,
        remembers=bool((rows["kind"] == kt.SIGMA_DELTA).any()),
        origins=tuple(program.orders[p.name][0] for p in net.populations),
        places=tuple(program.orders[p.name][1] for p in net.inputs),
        bytes_per_lane=(n_sums + n_values) * item + 4 * n_ids + 44 * program.n_neurons,
    )


def _chunk(program: Program, listening: kt.Listening) -> int:
    """Steps whose events stay within `CHUNK_BYTES`."""
    return max(1, CHUNK_BYTES // (8 * (program.n_neurons + listening.core_of.size)))
