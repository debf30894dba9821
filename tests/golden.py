"""The golden vectors: what Lava computes for small random networks. See data/golden."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "data" / "golden" / "golden.npz"
INPUT = -1


@dataclass(frozen=True, slots=True, eq=False)
class GoldenPopulation:
    """A population of LIF neurons and what Lava recorded of it.

    Attributes:
        shape: (neurons,) or (channels, height, width).
        du, dv, v_th, bias_mant, bias_exp: one number () or one per neuron (neurons,), int64.
        reset_interval, reset_offset: `u` and `v` are cleared before the update of 0-based step
            `j` where `(j + 1) % reset_interval == reset_offset % reset_interval`; None: never.
        u, v, s: after every step, (steps, neurons), int64, int64, bool.
    """

    shape: tuple[int, ...]
    du: np.ndarray
    dv: np.ndarray
    v_th: np.ndarray
    bias_mant: np.ndarray
    bias_exp: np.ndarray
    reset_interval: int | None
    reset_offset: int
    u: np.ndarray
    v: np.ndarray
    s: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class GoldenProjection:
    """Synapses between two populations, as they were handed to Lava: not clipped or truncated.

    Attributes:
        kind: "dense", "delay_dense" or "conv".
        source, target: numbers of populations; source -1 is the input.
        weight: (out, in), or a torch kernel (out, in / groups, height, width) that correlates.
        delays: like weight, for "delay_dense": a spike of step j arrives at j + 1 + delay.
        sign_mode: "mixed", "excitatory", "inhibitory"; None: Lava looks at the weights.
        num_message_bits: 0 for plain spikes (any nonzero input counts as one).
        stride, padding, dilation: (vertical, horizontal).
    """

    kind: str
    source: int
    target: int
    weight: np.ndarray
    delays: np.ndarray | None
    num_weight_bits: int
    weight_exp: int
    sign_mode: str | None
    num_message_bits: int
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True, slots=True, eq=False)
class GoldenCase:
    """One network, named "family/variant", its input (steps, *shape) int64 and Lava's answer."""

    name: str
    input: np.ndarray
    populations: tuple[GoldenPopulation, ...]
    projections: tuple[GoldenProjection, ...]

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return self.input.shape[0]


def load_cases(path: Path = GOLDEN) -> list[GoldenCase]:
    """All golden cases, in the order in which they were made."""
    with np.load(path) as file:
        arrays = dict(file)
    return [
        _case(description, arrays, f"case{i}")
        for i, description in enumerate(json.loads(str(arrays["cases"])))
    ]


def _case(description: dict, arrays: Mapping[str, np.ndarray], at: str) -> GoldenCase:
    sizes = [int(np.prod(p["shape"])) for p in description["populations"]]
    ends = np.cumsum(sizes)[:-1]
    u, v = (np.split(arrays[f"{at}/{x}"].astype(np.int64), ends, axis=1) for x in "uv")
    s = np.split(arrays[f"{at}/s"].astype(bool), ends, axis=1)
    flat = arrays[f"{at}/input"].astype(np.int64)
    return GoldenCase(
        name=description["name"],
        input=flat.reshape(-1, *description["input_shape"]),
        populations=tuple(
            _population(p, arrays, f"{at}/population{i}", u[i], v[i], s[i])
            for i, p in enumerate(description["populations"])
        ),
        projections=tuple(
            _projection(p, arrays, f"{at}/projection{i}")
            for i, p in enumerate(description["projections"])
        ),
    )


def _population(p: dict, arrays: Mapping[str, np.ndarray], at: str, u, v, s) -> GoldenPopulation:
    parameters = {
        name: np.asarray(arrays[f"{at}/{name}"] if p[name] is None else p[name], dtype=np.int64)
        for name in ("du", "dv", "v_th", "bias_mant", "bias_exp")
    }
    return GoldenPopulation(
        shape=tuple(p["shape"]),
        reset_interval=p["reset_interval"],
        reset_offset=p["reset_offset"],
        u=u,
        v=v,
        s=s,
        **parameters,
    )


def _projection(p: dict, arrays: Mapping[str, np.ndarray], at: str) -> GoldenProjection:
    delays = arrays.get(f"{at}/delays")
    return GoldenProjection(
        kind=p["kind"],
        source=p["source"],
        target=p["target"],
        weight=arrays[f"{at}/weight"].astype(np.int64),
        delays=None if delays is None else delays.astype(np.int64),
        num_weight_bits=p["num_weight_bits"],
        weight_exp=p["weight_exp"],
        sign_mode=p["sign_mode"],
        num_message_bits=p["num_message_bits"],
        stride=tuple(p["stride"]),
        padding=tuple(p["padding"]),
        dilation=tuple(p["dilation"]),
        groups=p["groups"],
    )
