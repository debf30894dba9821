"""What NeuroBench 2.3.0 would measure of a network, by its definitions, from a simulation.

The definitions are those of the source, `neurobench/metrics` and `neurobench/hooks` of the release
(Apache-2.0), where it and the paper [Yik et al., Nature Communications 16, 1545 (2025)] differ. A
`Projection` is what is a connection layer there (`Linear`, `Conv2d`), a `Population` with neurons
an activation layer (a neuron of snnTorch); inputs are none. tests/data/golden has its numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from scipy import sparse

from hwsim.arrays import AnyArray, IntArray, whole_number
from hwsim.mapping.plan import Plan
from hwsim.network import Network, Projection
from hwsim.neuron import DECAY_MAX
from hwsim.simulation import Run
from hwsim.synapses import Conv2d, Dense, Shape, Sparse, Synapses, n_synapses

REAL_BYTES = 4  # a real number is torch's float32
INDEX_BYTES = 4  # of a listed synapse's target, and of where a neuron's list begins
# bytes of torch's smallest integer type that holds a chip's field
INTEGER_BYTES = {"du": 2, "dv": 2, "v_th": 4, "v_th_low": 4, "bias_mant": 2, "bias_exp": 1}
INTEGER_BYTES |= {"bias": 4, "weight": 1}
# a constant that is this everywhere is nothing that a model would store
NEUTRAL = {"decay_u": 0, "bias": 0, "v_init": 0, "du": DECAY_MAX, "bias_mant": 0, "bias_exp": 0}


@dataclass(frozen=True, slots=True)
class NeuroBench:
    """NeuroBench's metrics of the algorithm track; what none of them counts is energy.

    Attributes:
        footprint_bytes: `Footprint`, elements times bytes of an element, summed over all
            parameters and buffers before the first sample, so without states. Real numbers take 4
            bytes (float32); a chip's integers the fewest of 1, 2 or 4 that hold their field. Zero
            weights count. Constants that change nothing (no bias, no current) do not. snnTorch's
            own neurons hold 12 bytes a layer more, of bookkeeping.
        connection_sparsity: `ConnectionSparsity`, zero weights over all weights, without biases,
            rounded to 4 decimals as there. A kernel counts once; `Sparse` synapses are the matrix
            they stand for. None if there are no weights.
        activation_sparsity: `ActivationSparsity`, zeros over all outputs of all neurons in all
            steps of all samples. Inputs do not count; a read-out counts, as outputs that are zero.
        effective_macs, effective_acs: `SynapticOperations`, per sample: nonzero weights that meet
            a nonzero input, in all steps, biases left out. Accumulates where all inputs that one
            forward pass, a step of a batch, has for a projection are -1, 0 or 1;
            multiply-accumulates else. A spike that arrives after the last step counts nowhere.
        dense: `SynapticOperations`, per sample, with every weight and every input a one: all
            synapses inside the padded border, in all steps.
        membrane_updates: `MembraneUpdates`, per sample: neurons and steps in which `v` is not what
            it was after the step before; the first step counts as a change of all. None if `v`
            was not recorded.
    """

    footprint_bytes: int
    connection_sparsity: float | None
    activation_sparsity: float
    effective_macs: float
    effective_acs: float
    dense: float
    membrane_updates: float | None


def neurobench(what: Network | Plan, run: Run, *, batch_size: int = 1) -> NeuroBench:
    """NeuroBench's metrics of a run with recorded spikes (and `v`, for membrane updates).

    Args:
        what: what was simulated, a network or a plan of one.
        run: from `simulate(what, samples, record=("spikes", "v"))`.
        batch_size: samples that NeuroBench's data loader puts into one forward pass; it moves
            operations between `effective_macs` and `effective_acs`, and no other number.

    Raises:
        ValueError: if the run has no spikes of some population, was stopped early, or is of a plan
            where a network is given.
    """
    net = what.network if isinstance(what, Plan) else what
    batch_size = whole_number("`batch_size`", batch_size)
    if batch_size < 1:
        raise ValueError(f"`batch_size` is {batch_size}, must be 1 sample or more")
    _check(net, run, isinstance(what, Plan))
    operations = [_operations(net, p, run, batch_size) for p in net.projections]
    weights, zeros = sum(map(_n_weights, net.projections)), sum(map(_n_zeros, net.projections))
    neurons = [p for p in net.populations if p.neuron is not None]
    active = sum(int(run.spike_counts[p.name].sum()) for p in neurons)
    outputs = sum(p.size for p in neurons) * run.n_steps * _n_samples(run)
    return NeuroBench(
        footprint_bytes=footprint(net),
        connection_sparsity=_ratio(zeros, weights) if weights else None,
        activation_sparsity=(outputs - active) / outputs,
        effective_macs=sum(macs for macs, _ in operations) / _n_samples(run),
        effective_acs=sum(acs for _, acs in operations) / _n_samples(run),
        dense=float(run.n_steps * sum(_n_dense(net, p) for p in net.projections)),
        membrane_updates=membrane_updates(net, run),
    )


def footprint(net: Network) -> int:
    """Bytes of all that a network stores; see `NeuroBench.footprint_bytes`."""
    total = 0
    for neuron in (p.neuron for p in net.populations if p.neuron is not None):
        for name in (f.name for f in fields(neuron)):
            values = getattr(neuron, name)
            if not isinstance(values, np.ndarray):  # a convention, not a number
                continue
            if name not in NEUTRAL or (values != NEUTRAL[name]).any():
                total += values.size * (INTEGER_BYTES[name] if net.is_integer else REAL_BYTES)
    return total + sum(map(_stored_bytes, net.projections))


def membrane_updates(net: Network, run: Run) -> float | None:
    """Per sample; see `NeuroBench.membrane_updates`."""
    names = [p.name for p in net.populations if p.neuron is not None]
    if any(name not in run.v for name in names):
        return None
    changed = 0
    for name in names:
        v = run.aligned(name, "v")
        changed += v[:, 0].size + sum(int(np.count_nonzero(x[1:] != x[:-1])) for x in v)
    return changed / _n_samples(run)


def _n_samples(run: Run) -> int:
    return len(run.output)


def _check(net: Network, run: Run, is_plan: bool) -> None:
    if not is_plan and any(run.shift.values()):
        raise ValueError("the run is of a plan, whose delays differ: give the plan")
    if (run.steps < run.n_steps).any():
        raise ValueError(
            "some samples were stopped early: NeuroBench runs all of them, give no `until`"
        )
    missing = [p.name for p in net.populations if p.name not in run.spikes]
    if missing:
        raise ValueError(
            f"spikes of {', '.join(missing)} were not recorded: simulate with "
            '`record=("spikes", "v")`, and no `probe`'
        )


def _ratio(zeros: int, weights: int) -> float:
    """Zeros over all, divided in float32 and rounded as NeuroBench does."""
    return round(float(np.float32(zeros) / np.float32(weights)), 4)


def _stored_bytes(p: Projection) -> int:
    weight = p.synapses.weight
    total = weight.size * (REAL_BYTES if p.word is None else INTEGER_BYTES["weight"])
    if isinstance(p.synapses, Sparse):
        total += (weight.size + p.synapses.indptr.size) * INDEX_BYTES
    if p.delay.ndim:
        total += p.delay.size * np.min_scalar_type(p.delay.max()).itemsize
    return total + (p.gain.size * REAL_BYTES if p.gain.ndim else 0)


def _n_weights(p: Projection) -> int:
    if isinstance(p.synapses, Sparse):
        return (p.synapses.indptr.size - 1) * p.synapses.n_targets
    return int(p.synapses.weight.size)


def _n_zeros(p: Projection) -> int:
    if isinstance(p.synapses, Sparse):
        own = p.synapses
        return _n_weights(p) - int(_listed_fan_out(own, own.weight != 0).sum())
    return int(np.count_nonzero(p.synapses.weight == 0))


def _n_dense(net: Network, p: Projection) -> int:
    """Synapses of a projection, those of a listed one being all pairs."""
    if isinstance(p.synapses, Conv2d):
        return int(n_synapses(p.synapses, net[p.source].shape, net[p.target].shape).sum())
    return _n_weights(p)


def _operations(net: Network, p: Projection, run: Run, batch_size: int) -> tuple[int, int]:
    """MACs and ACs of all samples into one projection."""
    spikes = run.aligned(p.source)
    late = run.shift[p.target] - run.shift[p.source]
    is_read = p.word is None or p.word.message_bits > 0  # else a payload counts as a spike
    valued = _valued_steps(spikes, batch_size) if is_read else np.zeros(spikes.shape[:2], bool)
    macs = acs = 0
    for delay, fan_out in _fan_outs(p, net[p.source].shape, net[p.target].shape):
        n = max(0, run.n_steps - (delay - late))
        if valued.any():
            each = np.array([(x[:n] != 0) @ fan_out for x in spikes])
            own = int(each[valued[:, :n]].sum())
            macs, acs = macs + own, acs + int(each.sum()) - own
        else:
            acs += sum(int(np.count_nonzero(x[:n], axis=0) @ fan_out) for x in spikes)
    return macs, acs


def _valued_steps(spikes: AnyArray, batch_size: int) -> AnyArray:
    """Steps in which something else than -1, 0, 1 is sent in a sample's batch, (samples, steps)."""
    out = np.zeros(spikes.shape[:2], dtype=bool)
    for at in range(0, len(spikes), batch_size):
        some = slice(at, at + batch_size)
        x = spikes[some]
        out[some] = ((x != 0) & (x != 1) & (x != -1)).any(axis=(0, 2))
    return out


def _fan_outs(p: Projection, source: Shape, target: Shape) -> Iterator[tuple[int, IntArray]]:
    """Every delay, and the nonzero synapses that each source neuron has with it, (sources,)."""
    if not p.delay.ndim:
        yield int(p.delay), _fan_out(p.synapses, p.synapses.weight != 0, source, target)
        return
    for delay in np.unique(p.delay):
        kept = (p.synapses.weight != 0) & (p.delay == delay)
        yield int(delay), _fan_out(p.synapses, kept, source, target)


def _fan_out(synapses: Synapses, kept: AnyArray, source: Shape, target: Shape) -> IntArray:
    """Synapses of each source neuron among those kept (the shape of the weights)."""
    if isinstance(synapses, Dense):
        return np.asarray(np.count_nonzero(kept, axis=0))
    if isinstance(synapses, Sparse):
        return _listed_fan_out(synapses, kept)
    out = np.zeros(source, dtype=np.int64)
    groups = kept.reshape(synapses.groups, -1, *kept.shape[1:])
    taps = groups.sum(axis=1).reshape(source[0], *kept.shape[2:])
    for ky in range(kept.shape[2]):
        ys, _ = synapses.taps(0, ky, source[1], target[1])
        for kx in range(kept.shape[3]):
            xs, _ = synapses.taps(1, kx, source[2], target[2])
            out[:, ys[:, None], xs] += taps[:, ky, kx, None, None]
    return out.ravel()


def _listed_fan_out(synapses: Sparse, kept: AnyArray) -> IntArray:
    """The same of listed synapses: those that join the same two neurons count once."""
    ends = synapses.source[kept], synapses.target[kept]
    shape = (synapses.indptr.size - 1, synapses.n_targets)
    pairs = sparse.csr_array((np.ones(ends[0].size, dtype=np.int64), ends), shape=shape)
    pairs.sum_duplicates()
    return np.diff(pairs.indptr).astype(np.int64)
