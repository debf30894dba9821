"""Slow twin of the crossbar's wires: every node of the array in one sparse system, solved by LU.

Nodes that a wire without resistance joins are one node; ground and drivers have known voltages.
It shares no code with hwsim, and takes any cells, any ends, rows cut off, and sources in the cells.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu


class Nodal:
    """Resistors between named nodes, then `solve`."""

    def __init__(self):
        self.parent, self.edges, self.known = {}, [], {}

    def root(self, node):
        self.parent.setdefault(node, node)
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def join(self, a, b, ohm):
        """A wire: 0 ohm makes one node of two."""
        if ohm == 0:
            self.parent[self.root(a)] = self.root(b)
        else:
            self.edges.append((a, b, 1 / ohm, 0.0))

    def cell(self, a, b, siemens, ampere=0.0):
        """A conductance, with a source of current from a to b in parallel."""
        self.edges.append((a, b, siemens, ampere))

    def solve(self):
        """Volts by node. Nodes that nothing ties down are at 0 V."""
        edges = [(self.root(a), self.root(b), g, i) for a, b, g, i in self.edges]
        known = {self.root(n): v for n, v in self.known.items()}
        assert len({(self.root(n), v) for n, v in self.known.items()}) == len(known)
        nodes = dict.fromkeys([self.root(n) for n in self.parent])
        index = {n: k for k, n in enumerate(n for n in nodes if n not in known)}
        rhs = np.zeros(len(index))
        rows, cols, values = [], [], []
        for a, b, g, i in edges:
            for here, there, sign in ((a, b, 1), (b, a, -1)):
                if here in known:
                    continue
                k = index[here]
                rhs[k] -= sign * i
                rows.append(k), cols.append(k), values.append(g)
                if there in known:
                    rhs[k] += g * known[there]
                else:
                    rows.append(k), cols.append(index[there]), values.append(-g)
        matrix = sp.csc_array((values, (rows, cols)), shape=2 * (len(index),))
        alone = np.flatnonzero(matrix.diagonal() == 0)
        matrix = (
            matrix + sp.csc_array((np.ones(len(alone)), (alone, alone)), matrix.shape)
        ).tocsc()
        volts = splu(matrix, permc_spec="MMD_AT_PLUS_A").solve(rhs) if len(index) else rhs
        values = {n: volts[k] for n, k in index.items()} | known
        return {n: values[self.root(n)] for n in self.parent}


def nodal(g, v, wires, gated=False, source=None):
    """Currents and voltages of an array: i_word, i_bit, v_word, v_bit.

    gated: rows with v == 0 conduct nothing. source (rows, cols): amperes in parallel with cells.
    """
    rows, cols = g.shape
    net = Nodal()
    net.known["ground"] = 0.0
    net.root("ground")
    for i in range(rows):
        net.known["driver", i] = v[i]
        net.root(("driver", i))
        if wires.driven in ("left", "both"):
            net.join(("driver", i), ("left", i), wires.r_driver_ohm)
            net.join(("left", i), ("w", i, 0), wires.r_word_ohm)
        if wires.driven in ("right", "both"):
            net.join(("driver", i), ("right", i), wires.r_driver_ohm)
            net.join(("right", i), ("w", i, cols - 1), wires.r_word_ohm)
        for j in range(cols - 1):
            net.join(("w", i, j), ("w", i, j + 1), wires.r_word_ohm)
        for j in range(cols):
            if not gated or v[i] != 0:
                net.cell(("w", i, j), ("b", i, j), g[i, j], 0.0 if source is None else source[i, j])
    for j in range(cols):
        if wires.sensed in ("bottom", "both"):
            net.join("ground", ("bottom", j), wires.r_sense_ohm)
            net.join(("bottom", j), ("b", rows - 1, j), wires.r_bit_ohm)
        if wires.sensed in ("top", "both"):
            net.join("ground", ("top", j), wires.r_sense_ohm)
            net.join(("top", j), ("b", 0, j), wires.r_bit_ohm)
        for i in range(rows - 1):
            net.join(("b", i, j), ("b", i + 1, j), wires.r_bit_ohm)
    volts = net.solve()
    v_word = np.array([[volts["w", i, j] for j in range(cols)] for i in range(rows)])
    v_bit = np.array([[volts["b", i, j] for j in range(cols)] for i in range(rows)])
    cell = g * (v_word - v_bit) + (0.0 if source is None else source)
    if gated:
        cell[v == 0] = 0.0
    return cell.sum(axis=1), cell.sum(axis=0), v_word, v_bit


def nodal_nonlinear(g, v, wires, f, slope, n_steps=60, gated=False):
    """The same for cells that carry g f(v): Newton's steps without any care, all nodes at once.

    f and slope: functions of the voltages of cells, (rows, cols). For curves that are tame.
    """
    drop = np.zeros(g.shape)
    for _ in range(n_steps):
        source = g * (f(drop) - slope(drop) * drop)
        at = nodal(g * slope(drop), v, wires, gated=gated, source=source)
        drop = at[2] - at[3]
    return at
