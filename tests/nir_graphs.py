"""Graphs that the tests of NIR share."""

import nir

DT = 1e-3


def graph_of(*nodes, dt=DT, **more):
    """A graph of nodes in a row, as `nir` types it."""
    graph = nir.NIRGraph.from_list(*nodes)
    graph.metadata = {"dt": dt, **more}
    return graph


def lif(rng, n, *, rest=True):
    """LIF neurons of `n` different constants."""
    return nir.LIF(
        tau=rng.uniform(2, 9, n) * DT,
        r=rng.uniform(1, 5, n),
        v_leak=rng.normal(0, 0.2, n) * rest,
        v_threshold=rng.uniform(0.4, 1, n),
        v_reset=rng.normal(-0.3, 0.2, n) * rest,
    )
