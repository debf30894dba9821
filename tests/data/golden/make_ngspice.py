"""Record what ngspice finds for crossbars: `python -m tests.data.golden.make_ngspice`.

Writes ngspice/<name>.npz beside this file: conductances, voltages, wires, the curve of the cells
(v0 and v_read of a Sinh; nan where there is none), currents, and the version of ngspice.
A minute or two.
"""

import dataclasses
import time
from pathlib import Path

import numpy as np

from hwsim.crossbar.netlist import netlist, ngspice_currents, ngspice_version
from hwsim.crossbar.nonlinear import Sinh
from hwsim.crossbar.wires import Wires

FOLDER = Path(__file__).parent / "ngspice"
PLAIN = Wires(1.0, 1.0)
ENDS = Wires(2.0, 0.5, 20.0, 50.0, driven="both", sensed="top")
BENT, CHORD = Sinh(0.25), Sinh(0.15, v_read_volt=0.2)
CASES = {
    "linear-8": (8, 8, PLAIN, None),
    "linear-16": (16, 16, PLAIN, None),
    "linear-32": (32, 32, PLAIN, None),
    "linear-64": (64, 64, PLAIN, None),
    "linear-16x24-ends": (16, 24, ENDS, None),
    "sinh-8": (8, 8, PLAIN, BENT),
    "sinh-16": (16, 16, PLAIN, BENT),
    "sinh-32": (32, 32, PLAIN, BENT),
    "sinh-64": (64, 64, PLAIN, BENT),
    "sinh-16x24-ends": (16, 24, ENDS, CHORD),
}


def main():
    """Run and record all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, (rows, cols, wires, curve) in CASES.items():
        rng = np.random.default_rng(rows * cols)
        g, v = rng.uniform(1e-6, 1e-4, (rows, cols)), rng.uniform(0.05, 0.5, rows)
        start = time.perf_counter()
        found = ngspice_currents(g, v, wires, curve)
        np.savez_compressed(
            FOLDER / f"{name}.npz",
            g=g,
            v=v,
            wires=np.array([str(x) for x in dataclasses.astuple(wires)]),
            curve=np.array([curve.v0_volt, curve.v_read_volt or np.nan] if curve else [np.nan] * 2),
            i_word=found.i_word,
            i_bit=found.i_bit,
            version=ngspice_version(),
            deck_bytes=len(netlist(g, v, wires, curve)),
        )
        print(f"{name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
