"""What the compiled engine reads and writes: a network as tables and pools, a run as flat arrays.

Compiled code takes arrays only, and few of them. So all populations share one array of each kind,
population p at `at` to `at + size` (padded to a multiple of eight), all projections one pool of
weights, and two tables say where each one's part begins.
"""

from typing import NamedTuple

import numpy as np

from hwsim.arrays import AnyArray

# kinds of populations
INPUT, FIXED, REAL, SIGMA_DELTA, GRADED_VEC = range(5)
# kinds of projections
ROWS, LISTED, KERNELS = range(3)
# resets
ZERO, SUBTRACT, NONE = range(3)
# what fires, and what is then sent: the fields `fires` and `emits`
ABOVE, REACHED, EITHER, NEVER = range(4)
ONE, SIGN, SHIFTED, VALUE, MESSAGE = range(5)

PAD = 8
PACKET = 1 << 40  # in words that count operations, or spikes, below
HEARD_PACKET = 1 << 30  # the same in words of one spike

POPULATION = np.dtype(
    [
        ("kind", np.int64),
        ("size", np.int64),
        ("at", np.int64),  # in arrays over all neurons
        ("unit", np.float64),  # what one unit of an arriving sum adds to the current
        ("start", np.int64),  # the step in which it is cleared and begins to fire
        ("reset", np.int64),
        ("late", np.int64),  # the reset acts at the beginning of the next step
        ("fires", np.int64),
        ("emits", np.int64),
        ("valued", np.int64),  # its events carry values
        ("alike", np.int64),  # its neurons have the same decays, a chip's also the same bias
        ("refractory", np.int64),
        ("v_th_at", np.int64),  # in `thresholds`
        ("v_th_steps", np.int64),  # thresholds for that many steps, 1 if they do not change
        ("v_th_low_at", np.int64),
        ("relu", np.int64),
        ("cum_error", np.int64),
        ("spike_exp", np.int64),
        ("state_exp", np.int64),
        ("integrates", np.int64),
        ("sums_at", np.int64),  # in `sums`: a ring of as many steps as a spike is under way
        ("sums_steps", np.int64),
        ("ids_at", np.int64),  # in `ids`; of an input, which of the inputs it is
        ("u_at", np.int64),  # columns of its traces, or -1
        ("v_at", np.int64),
        ("answers", np.int64),  # its potential after the last step is the network's answer
    ],
    align=True,
)

PROJECTION = np.dtype(
    [
        ("kind", np.int64),
        ("source", np.int64),
        ("target", np.int64),
        ("weight_at", np.int64),
        ("delay", np.int64),
        ("least_delay", np.int64),
        ("n_delays", np.int64),  # of listed synapses: how many different ones
        ("delays_at", np.int64),
        ("segments_at", np.int64),
        ("plain", np.int64),  # whatever a spike carries counts as one
        ("in_order", np.int64),  # sums of real numbers keep their order
        ("apart", np.int64),  # sums of a step are finished before they join the others
        ("scale", np.int64),  # `apart`: times this,
        ("shift", np.int64),  # then shifted right,
        ("wraps", np.int64),  # then folded into 24 bits
        ("gain_at", np.int64),
        ("n_gains", np.int64),  # 0: no gain per step
        ("channels", np.int64),
        ("channels_per_group", np.int64),
        ("width", np.int64),
        ("out_channels", np.int64),
        ("out_per_group", np.int64),
        ("out_width", np.int64),
        ("k_h", np.int64),
        ("k_w", np.int64),
        ("y_ptr", np.int64),
        ("y_k", np.int64),
        ("y_out", np.int64),
        ("x_ptr", np.int64),
        ("x_k", np.int64),
        ("x_out", np.int64),
        ("x_n", np.int64),
    ],
    align=True,
)


class Tables(NamedTuple):
    """A network, prepared.

    Attributes:
        populations, projections: see `POPULATION`, `PROJECTION`.
        group_ptr, members: populations by group, (groups + 1,) and (populations,). A group is
            what shares a cycle, or one population; sources come first.
        feed_ptr, feeds: projections into a group from outside, by group.
        loop_ptr, loops: projections inside a group, by source population.
        weights, targets, segments, delays, gains, taps: pools of the projections.
        keep_u, keep_v, bias, v_init: by neuron. thresholds: pool.
    """

    populations: AnyArray
    projections: AnyArray
    group_ptr: AnyArray
    members: AnyArray
    feed_ptr: AnyArray
    feeds: AnyArray
    loop_ptr: AnyArray
    loops: AnyArray
    weights: AnyArray
    targets: AnyArray
    segments: AnyArray
    delays: AnyArray
    gains: AnyArray
    taps: AnyArray
    keep_u: AnyArray
    keep_v: AnyArray
    bias: AnyArray
    v_init: AnyArray
    thresholds: AnyArray


class Input(NamedTuple):
    """Events of the input populations of a block of samples.

    Attributes:
        ids, values: neurons and what they send, one input, sample and step after another.
        ptr: where those of a step begin, (inputs, samples, steps + 1); none after those presented.
    """

    ids: AnyArray
    values: AnyArray
    ptr: AnyArray


class State(NamedTuple):
    """Samples in flight, one lane each; the first axis are lanes.

    Attributes:
        sums: rings of sums that will arrive, (lanes, places).
        u, v, rest, fired: (lanes, neurons). residue, error: of sigma-delta neurons.
        idle: whether an update could not change a state. awake: whether all neurons of a
            population have a state or a bias, so that its next update is active throughout.
        ids, values: neurons that fired in the steps of the chunk, population by population.
        ptr: where those of a step begin, (lanes, populations, steps of a chunk + 1).
        apart: sums of a projection that is finished apart, (lanes, neurons of the largest target).
        active_of: active updates of every step of the chunk, (lanes, steps, parts).
    """

    sums: AnyArray
    u: AnyArray
    v: AnyArray
    rest: AnyArray
    fired: AnyArray
    residue: AnyArray
    error: AnyArray
    idle: AnyArray
    awake: AnyArray
    ids: AnyArray
    values: AnyArray
    ptr: AnyArray
    apart: AnyArray
    active_of: AnyArray


class Found(NamedTuple):
    """What a run leaves behind; the first axis are the samples of the block.

    Attributes:
        spike_counts: spikes in a population's own steps, (samples, neurons).
        n_sops: synaptic operations, (samples,).
        answer: potential of a read-out after its own last step, (samples, neurons).
        u, v: traces, (samples, steps, columns).
    """

    spike_counts: AnyArray
    n_sops: AnyArray
    answer: AnyArray
    u: AnyArray
    v: AnyArray


class Listening(NamedTuple):
    """Who hears whom, on a chip.

    Neurons whose spikes go the same ways and reach the same synapses form a class. A flow is what
    one part sends to the synapses of one kind on another. Every flow, and every part's own spikes,
    have a slot, where a step adds up one word: operations of a flow, or spikes of a part, and
    `PACKET` for every packet that arrives over the flow, or that the part sends.

    Attributes:
        counts: whether anything is to be counted.
        run_ptr, run_end, run_part: neurons next to each other in one part, runs of them: those of
            each population, (populations + 1,), the neuron after the last one, and the part, in
            the engine's order of parts.
        class_of: (neurons,), from 0 in each population. first_class, n_classes: of each
            population; few: whether they are few; listed: whether its classes have lists, not
            rows, (populations,).
        rows, row_at, slot_at, width: a row of words for each class, that a spike adds to as many
            slots from `slot_at` on: those of its part.
        list_ptr, list_slot, list_word: the same as lists, where rows would be mostly 0 (CSR by
            class).
        own_slot: of each part, (parts,). flow_slot, flow_pair: of each flow, (flows,): its slot,
            and the pair of tiles that it goes over.
        end_ptr, end_kind, end_core: the flows that arrive at the synapses of one kind on one core
            stand next to each other, (ends + 1,); which kind and core that is, (ends,).
        first_part, n_parts: of each population, (populations,).
        core_of, n_neurons: of each part, (parts,); core -1 for inputs. neurons_on: of each core.
        prices: seconds of each event of a core; timed: the events that can happen and take time.
        hop_prices: of hops, (3,).
        pair_ptr, pair_links, pair_route: the links on the way of each pair, in order (CSR), and
            its route. routes: hops of each, by ascending time, (routes, 3).
        link, least: hops that each link is, and of the shortest way to it and from it, (links, 3).
        slowest_link, slowest_route: their seconds.
    """

    counts: bool
    run_ptr: AnyArray
    run_end: AnyArray
    run_part: AnyArray
    class_of: AnyArray
    first_class: AnyArray
    n_classes: AnyArray
    few: AnyArray
    listed: AnyArray
    rows: AnyArray
    row_at: AnyArray
    slot_at: AnyArray
    width: AnyArray
    list_ptr: AnyArray
    list_slot: AnyArray
    list_word: AnyArray
    own_slot: AnyArray
    flow_slot: AnyArray
    flow_pair: AnyArray
    end_ptr: AnyArray
    end_kind: AnyArray
    end_core: AnyArray
    first_part: AnyArray
    n_parts: AnyArray
    core_of: AnyArray
    n_neurons: AnyArray
    neurons_on: AnyArray
    prices: AnyArray
    timed: AnyArray
    hop_prices: AnyArray
    pair_ptr: AnyArray
    pair_links: AnyArray
    pair_route: AnyArray
    routes: AnyArray
    link: AnyArray
    least: AnyArray
    slowest_link: float
    slowest_route: float


class Tallies(NamedTuple):
    """What is counted.

    Attributes:
        active: active updates of every part, summed over steps, (parts,).
        read, unread: of every slot, what was there in all steps but a sample's last, which
            listeners have read, and in the last; the lower and the upper part of words apart,
            (2, slots).
        critical: events of the slowest core of each step, summed, then hops and waits.
        flows: words of the last step, not read yet, (lanes, slots).
        hits: spikes of each class in this step. by_core: events, (kinds of events, cores).
            busy: seconds, (cores,). loads: packets on each link.
        sops, updates, packets_sent: by step and core, (samples, steps, cores), or of no step.
    """

    active: AnyArray
    read: AnyArray
    unread: AnyArray
    critical: AnyArray
    flows: AnyArray
    hits: AnyArray
    by_core: AnyArray
    busy: AnyArray
    loads: AnyArray
    sops: AnyArray
    updates: AnyArray
    packets_sent: AnyArray
