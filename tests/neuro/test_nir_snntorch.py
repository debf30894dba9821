"""Layers that snnTorch itself turns into NIR nodes fire here as they do there."""

import sys
import types

import nir
import numpy as np
import pytest
import snntorch
import torch

import hwsim

N_IN, N, STEPS = 5, 7, 80


@pytest.fixture
def node_of(monkeypatch):
    """snnTorch's translation of one module; the tracer that it loads beside is not needed."""
    monkeypatch.setitem(sys.modules, "nirtorch", types.ModuleType("nirtorch"))
    from snntorch.export_nir import _extract_snntorch_module

    return _extract_snntorch_module


def layers():
    """Every spiking layer that snnTorch can export, by kind, reset by subtraction or to zero."""
    for reset in ("subtract", "zero"):
        yield snntorch.Leaky(beta=0.8, reset_mechanism=reset)
        yield snntorch.Synaptic(alpha=0.7, beta=0.85, reset_mechanism=reset)
        yield snntorch.RLeaky(beta=0.8, linear_features=N, reset_mechanism=reset)
        yield snntorch.RSynaptic(alpha=0.6, beta=0.8, linear_features=N, reset_mechanism=reset)


def spikes_of(linear, layer, x):
    """snnTorch's own run, (steps, neurons)."""
    name = type(layer).__name__
    state = layer.reset_mem()
    state = list(state) if isinstance(state, tuple) else [state]
    out = []
    for row in x:
        spikes, *rest = layer(linear(row), *state)
        state = [spikes, *rest] if name.startswith("R") else rest
        out.append(spikes.detach().numpy())
    return np.array(out)


@pytest.mark.parametrize("which", range(8))
def test_a_layer_of_snntorch_fires_the_same(node_of, which):
    torch.manual_seed(which)
    layer, linear = list(layers())[which], torch.nn.Linear(N_IN, N)
    with torch.no_grad():
        linear.weight *= 2
    x = (torch.rand(STEPS, N_IN) < 0.5).float()
    nodes = {"in": nir.Input([N_IN]), "fc": node_of(linear), "layer": node_of(layer)}
    nodes["out"] = nir.Output([1])
    edges = [("in", "fc"), ("fc", "layer"), ("layer", "out")]
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    reset = ("subtract", "zero")[which // 4]
    found = hwsim.read_nir(graph, framework="snntorch", reset=reset)
    assert {v.grade for v in found.verdicts} == {"exact"}
    net = found.network
    run = hwsim.simulate(net, x.numpy()[None], record=("spikes",), probe=net.output)
    expected = spikes_of(linear, layer, x)
    assert expected.sum() > 10
    assert np.array_equal(run.spikes[net.output][0], expected)
