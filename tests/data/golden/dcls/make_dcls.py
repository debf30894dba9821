"""Record what the package DCLS 0.1.1 (MIT) computes: `python make_dcls.py`, in its environment.

`pip install DCLS==0.1.1` and any torch. Sequences are (batch, neurons, time) there. A case is
version, sigma, bumps, taps; positions of the last target lie beyond the limits.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from DCLS.construct.modules import Dcls1d
from torch.nn import functional as F

CASES = [("v1", 0.0), ("max", 0.4), ("max", 2.3), ("gauss", 0.23), ("gauss", 1.0), ("gauss", 6.0)]
STEPS, BATCH, SOURCES, TARGETS = 20, 3, 5, 4


def record(kind: str, sigma: float, bumps: int, taps: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (TARGETS, SOURCES, bumps)
    weight = rng.standard_normal(shape).astype(np.float32)
    position = rng.uniform(-(taps // 2), taps // 2, shape).astype(np.float32)
    position[-1] *= 1.3
    layer = Dcls1d(SOURCES, TARGETS, bumps, dilated_kernel_size=taps, bias=False, version=kind)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.P.copy_(torch.from_numpy(position)[None])
        if layer.SIG is not None:
            layer.SIG.fill_(sigma)
    x = (rng.random((BATCH, SOURCES, STEPS)) < 0.3) * rng.uniform(0.5, 1.5, (BATCH, SOURCES, STEPS))
    given = torch.from_numpy(x.astype(np.float32)).requires_grad_()
    y = layer(F.pad(given, (taps - 1, taps // 2)))
    asked = rng.standard_normal(tuple(y.shape)).astype(np.float32)
    y.backward(torch.from_numpy(asked))
    assert given.grad is not None
    found = {
        "weight": weight,
        "position": position,
        "x": given.detach().numpy(),
        "y": y.detach().numpy(),
        "to_y": asked,
        "to_x": given.grad.numpy(),
        "to_weight": layer.weight.grad.numpy(),
        "to_position": layer.P.grad[0].numpy(),
    }
    if layer.SIG is not None:
        found["to_sigma"] = layer.SIG.grad[0].numpy()
    return found


def main() -> None:
    arrays: dict[str, np.ndarray] = {}
    cases = []
    for kind, sigma in CASES:
        for bumps in (1, 2):
            for taps in (7, 26):
                number = len(cases)
                cases.append([kind, sigma, bumps, taps])
                for name, array in record(kind, sigma, bumps, taps, number).items():
                    arrays[f"{number}/{name}"] = array
    about = {"DCLS": version("DCLS"), "torch": torch.__version__, "cases": cases}
    np.savez_compressed(Path(__file__).with_name("dcls.npz"), about=json.dumps(about), **arrays)


if __name__ == "__main__":
    main()
