"""Write the files that `make_netx.py` has lava-dl run: `python -m tests.write_netx`."""

from pathlib import Path

import numpy as np

from hwsim.formats.netx_write import write_netx
from tests.netx_cases import CASES, made

FOLDER = Path(__file__).parent / "data" / "golden" / "netx"

if __name__ == "__main__":
    inputs = {}
    for case in CASES:
        net, inputs[case.__name__] = made(case)
        for verdict in write_netx(net, FOLDER / f"{case.__name__}.net"):
            print(case.__name__, verdict)
    np.savez_compressed(FOLDER / "inputs.npz", **inputs)
