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
        v_th_low: of ternary neurons; None for all others.
        emits, reset, refractory: as in `FixedNeuron`: what Lava has not, and was not recorded.
        reset_interval, reset_offset: `u` and `v` are cleared before the update of 0-based step
            `j` where `(j + 1) % reset_interval == reset_offset % reset_interval`; None: never.
        u, v, s: after every step, (steps, neurons), int64.
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
    v_th_low: np.ndarray | None = None
    emits: str = "spikes"
    reset: str = "zero"
    refractory: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class GoldenSigmaDelta:
    """A population of sigma-delta neurons, or (`integrates` False) of encoders; see `SigmaDelta`.

    Attributes:
        u, v, s, residue, error: `sigma`, `act`, messages and the rest of the state after every
            step, (steps, neurons), int64.
    """

    shape: tuple[int, ...]
    v_th: np.ndarray
    bias: np.ndarray
    activation: str
    cum_error: bool
    spike_exp: int
    state_exp: int
    integrates: bool
    reset_interval: int | None
    reset_offset: int
    u: np.ndarray
    v: np.ndarray
    s: np.ndarray
    residue: np.ndarray
    error: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class GoldenVec:
    """A population of graded vectors; Lava has no `u` of them, and their `v` is cleared."""

    shape: tuple[int, ...]
    v_th: np.ndarray
    activation: str
    reset_interval: int | None
    reset_offset: int
    v: np.ndarray
    s: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class GoldenRefractory:
    """A population of real neurons with a refractory time: Lava has them in floats only."""

    shape: tuple[int, ...]
    du: float
    dv: float
    v_th: float
    bias: np.ndarray
    refractory: int
    u: np.ndarray
    v: np.ndarray
    s: np.ndarray


AnyGolden = GoldenPopulation | GoldenSigmaDelta | GoldenVec | GoldenRefractory


@dataclass(frozen=True, slots=True, eq=False)
class GoldenProjection:
    """Synapses between two populations, as they were handed to Lava: not clipped or truncated.

    Attributes:
        kind: "dense", "delay_dense", "sparse", "delay_sparse" or "conv".
        source, target: numbers of populations; source -1 is the input.
        weight: (out, in), or a torch kernel (out, in / groups, height, width) that correlates.
            A synapse that a sparse projection does not list is 0 here.
        delays: like weight, where there are some: a spike of step j arrives at j + 1 + delay.
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
    populations: tuple[AnyGolden, ...]
    projections: tuple[GoldenProjection, ...]

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return self.input.shape[0]


def load_cases(path: Path = GOLDEN, *, arithmetic: str = "fixed_pt") -> list[GoldenCase]:
    """The golden cases of one arithmetic of Lava's, in the order in which they were made."""
    with np.load(path) as file:
        arrays = dict(file)
    return [
        _case(description, arrays, f"case{i}")
        for i, description in enumerate(json.loads(str(arrays["cases"])))
        if description.get("arithmetic", "fixed_pt") == arithmetic
    ]


Arrays = Mapping[str, np.ndarray]


def _case(description: dict, arrays: Arrays, at: str) -> GoldenCase:
    sizes = [int(np.prod(p["shape"])) for p in description["populations"]]
    kind = np.float64 if "arithmetic" in description else np.int64
    ends = np.cumsum(sizes)[:-1]
    traces = [np.split(arrays[f"{at}/{x}"].astype(kind), ends, axis=1) for x in "uvs"]
    flat = arrays[f"{at}/input"].astype(np.int64)
    shapes = [p["shape"] for p in description["populations"]] + [description["input_shape"]]
    return GoldenCase(
        name=description["name"],
        input=flat.reshape(-1, *description["input_shape"]),
        populations=tuple(
            _population(p, arrays, f"{at}/population{i}", *(trace[i] for trace in traces))
            for i, p in enumerate(description["populations"])
        ),
        projections=tuple(
            _projection(p, arrays, f"{at}/projection{i}", shapes)
            for i, p in enumerate(description["projections"])
        ),
    )


def _population(p: dict, arrays: Arrays, at: str, u, v, s) -> AnyGolden:
    kind = p.get("kind", "lif")
    common = {
        "shape": tuple(p["shape"]),
        "reset_interval": p["reset_interval"],
        "reset_offset": p["reset_offset"],
    }

    def number(name: str) -> np.ndarray:
        return np.asarray(arrays[f"{at}/{name}"] if p[name] is None else p[name], dtype=np.int64)

    if kind in ("graded", "graded_relu"):
        activation = "relu" if kind == "graded_relu" else "unit"
        return GoldenVec(**common, v_th=number("v_th"), activation=activation, v=v, s=s)
    if kind in ("sigma_delta", "delta"):
        integrates = kind == "sigma_delta"
        return GoldenSigmaDelta(
            **common,
            **{name: p[name] for name in ("cum_error", "spike_exp", "state_exp")},
            v_th=number("v_th"),
            bias=number("bias") if integrates else np.array(0),
            activation=p["activation"] if integrates else "unit",
            integrates=integrates,
            u=u,
            v=v,
            s=s,
            residue=arrays[f"{at}/residue"].astype(np.int64),
            error=arrays[f"{at}/error"].astype(np.int64),
        )
    if kind == "refractory":
        constants = {name: p[name] for name in ("du", "dv", "v_th", "refractory")}
        bias = arrays[f"{at}/bias_mant"]
        return GoldenRefractory(common["shape"], **constants, bias=bias, u=u, v=v, s=s)
    parameters = {name: number(name) for name in ("du", "dv", "v_th", "bias_mant", "bias_exp")}
    if kind == "ternary":
        parameters |= {"v_th_low": number("v_th_low"), "emits": "ternary"}
    return GoldenPopulation(**common, **parameters, u=u, v=v, s=s)


def _projection(p: dict, arrays: Arrays, at: str, shapes: list[list[int]]) -> GoldenProjection:
    weight, delays = arrays[f"{at}/weight"], arrays.get(f"{at}/delays")
    if p["kind"] in ("sparse", "delay_sparse"):
        size = [int(np.prod(shapes[p[end]])) for end in ("target", "source")]
        ends = arrays[f"{at}/to"], arrays[f"{at}/from"]
        weight = _matrix(size, ends, weight)
        delays = None if delays is None else _matrix(size, ends, delays)
    return GoldenProjection(
        kind=p["kind"],
        source=p["source"],
        target=p["target"],
        weight=weight if weight.dtype.kind == "f" else weight.astype(np.int64),
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


def _matrix(size: list[int], ends: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> np.ndarray:
    out = np.zeros(size, dtype=np.int64)
    out[ends] = values
    return out
