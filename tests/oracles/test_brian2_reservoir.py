"""A reservoir on real events spikes as in Brian2, where the late reset is written out."""

import warnings

import numpy as np
import pytest
from neuro.datasets import load
from neuro.datasets.interface import Binning

import hwsim
from neuro.models.lsm import LSM, RESERVOIR, Reservoir
from neuro.to_network import export

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    brian2 = pytest.importorskip("brian2", reason="the outside oracle Brian2 is not installed")

N_STEPS, DT_S = 50, 1e-3


def in_brian(reservoir, sample):
    """(step, neuron) of every spike; sample: (steps, inputs), 0 or 1.

    A spike only marks its neuron; the next update drops the potential of those that are marked.
    """
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    brian2.defaultclock.dt = DT_S * brian2.second
    group = brian2.NeuronGroup(
        reservoir.n_neurons,
        "u : 1\na : 1\nfired : 1",
        threshold=f"u > {reservoir.v_th!r}",
        reset="fired = 1",
    )
    group.run_regularly(
        f"u = {reservoir.decay_v!r} * u * (1 - fired) + a\na = 0\nfired = 0", when="groups"
    )
    steps, inputs = np.nonzero(sample)
    source = brian2.SpikeGeneratorGroup(reservoir.n_inputs, inputs, steps * DT_S * brian2.second)
    joined = []
    for start, weight in ((source, reservoir.w_in), (group, reservoir.w_rec)):
        synapses = brian2.Synapses(start, group, "w : 1", on_pre="a_post += w")
        synapses.connect()
        synapses.w = weight.T.ravel()
        joined.append(synapses)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, source, *joined, monitor).run((N_STEPS + 1) * DT_S * brian2.second)
    at = np.rint(np.asarray(monitor.t / brian2.second) / DT_S).astype(int)
    # Brian2 delivers an input one step after it; a stack hears it at once
    return sorted(zip((at - 1).tolist(), np.asarray(monitor.i).tolist(), strict=True))


@pytest.mark.parametrize(("n", "scale", "decay_v", "v_th"), [(200, 0.07, 0.9, 5.0),
                                                             (100, 0.15, 0.97, 5.3)])  # fmt: skip
def test_a_reservoir_spikes_as_in_brian2(n, scale, decay_v, v_th):
    how = {"scale": scale, "decay_v": decay_v, "v_th": v_th}
    reservoir = Reservoir.gaussian(256, n, np.random.default_rng(1), **how)
    binning = Binning(n_steps=N_STEPS, clip=1, polarity="off")
    frames = load("nmnist-slice", "test").frames(0, binning)[None, :, :, 9:25, 9:25]
    run = hwsim.simulate(export(LSM(reservoir, (1, 16, 16))), frames, record="spikes")
    ours = [tuple(x) for x in np.argwhere(run.spikes[RESERVOIR][0]).tolist()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = in_brian(reservoir, frames[0].reshape(N_STEPS, -1))
    assert len(ours) > 200
    assert ours == theirs
