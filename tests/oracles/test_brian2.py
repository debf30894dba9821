"""Real networks spike as in Brian2, which solves the same neurons by its own code."""

import warnings

import numpy as np
import pytest

import hwsim
from hwsim.network import Network, Population, Projection
from hwsim.neuron import Neuron
from hwsim.synapses import Dense

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    brian2 = pytest.importorskip("brian2", reason="the outside oracle Brian2 is not installed")

N_IN, N, N_STEPS, DT_S = 5, 8, 60, 1e-3
TAU_U_S, TAU_V_S = 5e-3, 20e-3


def in_brian(feed, loop, sample, *, reset):
    """(step, neuron) of every spike: the same map, stepped, connected and reset by Brian2."""
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    brian2.defaultclock.dt = DT_S * brian2.second
    group = brian2.NeuronGroup(
        N,
        "u : 1\nv : 1\na : 1",
        threshold="v > 1",
        reset={"zero": "v = 0", "subtract": "v -= 1"}[reset],
    )
    group.run_regularly(
        f"u = {float(np.exp(-DT_S / TAU_U_S))!r} * u + a\n"
        f"v = {float(np.exp(-DT_S / TAU_V_S))!r} * v + u\n"
        "a = 0",
        when="groups",
    )
    steps, neurons = np.nonzero(sample)
    source = brian2.SpikeGeneratorGroup(N_IN, neurons, steps * DT_S * brian2.second)
    joined = []
    # spikes of a step are delivered after its update: both take one step, as on a chip
    for start, weight in ((source, feed), (group, loop)):
        synapses = brian2.Synapses(start, group, "w : 1", on_pre="a_post += w")
        synapses.connect()
        synapses.w = weight.T.ravel()
        joined.append(synapses)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, source, *joined, monitor).run(N_STEPS * DT_S * brian2.second)
    at = np.rint(np.asarray(monitor.t / brian2.second) / DT_S).astype(int)
    return sorted(zip(at.tolist(), np.asarray(monitor.i).tolist(), strict=True))


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_a_recurrent_real_network_spikes_as_in_brian2(reset):
    rng = np.random.default_rng(7)
    feed, loop = rng.normal(0.15, 0.3, (N, N_IN)), rng.normal(0, 0.2, (N, N))
    sample = rng.random((N_STEPS, N_IN)) < 0.2
    neuron = Neuron.of(
        decay_u=np.exp(-DT_S / TAU_U_S), decay_v=np.exp(-DT_S / TAU_V_S), v_th=1.0, reset=reset
    )
    net = Network(
        (Population("in", (N_IN,)), Population("out", (N,), neuron)),
        (
            Projection.of("in", "out", Dense.of(feed), delay=1),
            Projection.of("out", "out", Dense.of(loop), delay=1),
        ),
        DT_S,
    )
    run = hwsim.simulate(net, sample[None].astype(float), record=("spikes",))
    ours = [tuple(x) for x in np.argwhere(run.spikes["out"][0]).tolist()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = in_brian(feed, loop, sample, reset=reset)
    assert len(ours) > 20
    assert ours == theirs
