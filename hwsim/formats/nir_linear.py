"""NIR's linear nodes as synapses: a path of them becomes one projection."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy import sparse

from hwsim.arrays import AnyArray, FloatArray, whole
from hwsim.formats.nir_graph import CONVOLUTIONS, MATRICES, POOLS, Graph, Node
from hwsim.synapses import Conv2d, Dense, Shape, Sparse, Synapses, size_of

MAX_SYNAPSES = 100_000_000  # of a path that must be unrolled
Matrix: TypeAlias = sparse.csr_array


@dataclass(frozen=True, slots=True)
class Window:
    """A convolution or pooling on a source of known shape; `before`, `after` pad (y, x)."""

    weight: FloatArray
    stride: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    source: Shape
    target: Shape

    def joins(self, source: Shape, target: Shape) -> bool:
        """Whether it is a `Conv2d` between these: shapes as they are, padded evenly."""
        return (source, target) == (self.source, self.target) and self.before == self.after


def window_of(node: Node, source: Shape) -> Window:
    """Kernel and geometry of a convolution or a pooling node.

    Raises:
        ValueError: if they do not fit the source.
    """
    if len(source) != 3:
        raise ValueError(
            f"node {node.name!r} ({node.kind}) needs (channels, height, width), {source} reaches it"
        )
    if node.kind in POOLS:
        kernel = _pair(node, "kernel_size")
        if min(kernel) < 1 or size_of(kernel) > 2**20:
            raise ValueError(f"`kernel_size` of node {node.name!r} is {kernel}: must be 1 to 2^20")
        value = 1.0 / size_of(kernel) if node.kind == "AvgPool2d" else 1.0
        weight, groups = np.full((source[0], 1, *kernel), value), source[0]
        dilation = (1, 1)
    else:
        weight = node.numbers("weight")
        if node.kind == "Conv1d" and weight.ndim == 3:
            weight = weight[:, :, None, :]
        if weight.ndim != 4:
            raise ValueError(f"`weight` of node {node.name!r} has shape {weight.shape}")
        groups = node.whole_number("groups")
        dilation = _pair(node, "dilation")
    stride, spans = _pair(node, "stride"), []
    for i in (0, 1):
        spans.append(dilation[i] * (weight.shape[2 + i] - 1))
    before, after = _padding(node, spans, stride)
    try:
        Conv2d.of(weight, stride=stride, dilation=dilation, groups=groups)
    except ValueError as error:
        raise ValueError(f"node {node.name!r}: {error}") from None
    size = [(source[1 + i] + before[i] + after[i] - spans[i] - 1) // stride[i] + 1 for i in (0, 1)]
    if weight.shape[1] * groups != source[0] or min(size) < 1 or min(*before, *after) < 0:
        raise ValueError(
            f"node {node.name!r} ({node.kind}): its weights {weight.shape} in {groups} groups do "
            f"not fit the {source} that reaches it"
        )
    target = (weight.shape[0], *size)
    return Window(weight, stride, before, after, dilation, groups, source, target)


def _pair(node: Node, name: str) -> tuple[int, int]:
    """Two whole numbers, (y, x); those of one axis are of an image of height 1."""
    values = whole(f"`{name}` of node {node.name!r}", node.field(name)).ravel().tolist()
    if node.kind == "Conv1d" and len(values) == 1:
        return (0 if name == "padding" else 1), values[0]
    if len(values) not in (1, 2):
        raise ValueError(f"`{name}` of node {node.name!r} is {values}, must be one number or two")
    return values[0], values[-1]


def _padding(
    node: Node, spans: list[int], stride: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros before and after; "same" puts the odd one after, as torch does."""
    if isinstance(node.field("padding"), str):
        word = node.field("padding")
        if word not in ("same", "valid") or (word == "same" and stride != (1, 1)):
            raise ValueError(
                f"`padding` of node {node.name!r} is {word!r} with stride {stride}: give numbers, "
                "'valid', or 'same' with stride 1"
            )
        total = spans if word == "same" else [0, 0]
        before = (total[0] // 2, total[1] // 2)
        return before, (total[0] - before[0], total[1] - before[1])
    pads = _pair(node, "padding")
    return pads, pads


def bias_of(node: Node, graph: Graph) -> FloatArray | None:
    """What a node adds in every step, flat; None if nothing."""
    if node.kind not in ("Affine", *CONVOLUTIONS) or node.fields.get("bias") is None:
        return None
    shape, bias = graph.shapes[node.name], node.numbers("bias").ravel()
    if node.kind in CONVOLUTIONS and bias.size == shape[0]:
        bias = np.repeat(bias, size_of(shape[1:]))
    if bias.size not in (1, size_of(shape)):
        raise ValueError(
            f"`bias` of node {node.name!r} has {bias.size} values, its output has {size_of(shape)}"
        )
    bias = np.broadcast_to(bias, size_of(shape))
    return bias if bias.any() else None


@dataclass(frozen=True, slots=True)
class Path:
    """Linear nodes in a row: `post * core(pre * x)`, delayed by steps before and after."""

    source: Shape
    core: Dense | Window | Matrix | None
    pre: FloatArray
    post: FloatArray
    steps_pre: AnyArray
    steps_post: AnyArray

    @classmethod
    def along(cls, names: Sequence[str], source: Shape, graph: Graph, dt: float) -> "Path":
        """Compose the nodes of a path from its source."""
        n = size_of(source)
        path = cls(source, None, np.ones(n), np.ones(n), np.zeros(n, int), np.zeros(n, int))
        for name in names:
            path = path._then(graph.nodes[name], graph, dt)
        return path

    def _then(self, node: Node, graph: Graph, dt: float) -> "Path":
        if node.kind in ("Flatten", "Identity"):
            return self
        if node.kind == "Scale":
            scale = _elements(node.numbers("scale"), self.post.size)
            return replace(self, post=self.post * scale)
        if node.kind == "Delay":
            steps = steps_of(_elements(node.numbers("delay"), self.post.size), dt)[0]
            return replace(self, steps_post=self.steps_post + steps)
        core: Dense | Window | Matrix = (
            _dense(node) if node.kind in MATRICES else window_of(node, graph.into(node.name))
        )
        if self.core is None:
            n = size_of(graph.shapes[node.name])
            pre, steps = self.post * self.pre, self.steps_pre + self.steps_post
            return Path(self.source, core, pre, np.ones(n), steps, np.zeros(n, int))
        if np.ptp(self.steps_post):
            raise ValueError(
                f"different delays before {node.name!r}, which sums over them: give its sources "
                "one delay"
            )
        core = _product(_matrix(core), self.post, _matrix(self.core))
        n = size_of(graph.shapes[node.name])
        steps = self.steps_pre + int(self.steps_post[0])
        return Path(self.source, core, self.pre, np.ones(n), steps, np.zeros(n, int))

    def scaled(self, factor: FloatArray) -> "Path":
        """The same path, its ends scaled."""
        return replace(self, post=self.post * _elements(factor, self.post.size))

    def of(self, vector: FloatArray) -> FloatArray:
        """What a constant at the source becomes."""
        held = self.pre * vector
        if isinstance(self.core, Dense):
            held = self.core.weight @ held
        elif self.core is not None:
            held = _matrix(self.core) @ held
        return np.asarray(self.post * held)

    def synapses(self, target: Shape) -> tuple[Synapses, AnyArray]:
        """Synapses onto neurons of a shape, and their delays, one number or one each."""
        pre_alike, one_delay = not np.ptp(self.pre), not np.ptp(self.steps_pre)
        one_delay = one_delay and not np.ptp(self.steps_post)
        delay = np.asarray(self.steps_pre[0] + self.steps_post[0])
        if isinstance(self.core, Dense):
            weight = self.core.weight * self.pre * self.post[:, None]
            steps = delay if one_delay else self.steps_pre + self.steps_post[:, None]
            return Dense.of(weight), steps
        fits = isinstance(self.core, Window) and pre_alike and one_delay
        if isinstance(self.core, Window) and fits and self.core.joins(self.source, target):
            per_channel = self.post.reshape(self.core.target[0], -1)
            if not np.ptp(per_channel, axis=1).any():
                scale = per_channel[:, :1, None, None] * self.pre[0]
                conv = Conv2d.of(
                    self.core.weight * scale,
                    stride=self.core.stride,
                    padding=self.core.before,
                    dilation=self.core.dilation,
                    groups=self.core.groups,
                )
                return conv, delay
        return self._listed(delay if one_delay else None)

    def _listed(self, delay: AnyArray | None) -> tuple[Sparse, AnyArray]:
        """Every synapse on its own."""
        n = self.pre.size
        matrix = sparse.eye_array(n, format="csr") if self.core is None else _matrix(self.core)
        listed = sparse.csc_array(matrix)
        listed.sort_indices()
        source = np.repeat(np.arange(n), np.diff(listed.indptr))
        target = listed.indices
        steps = self.steps_pre[source] + self.steps_post[target]
        made = Sparse.of(
            listed.data * self.pre[source] * self.post[target],
            indptr=listed.indptr,
            target=target,
            n_targets=listed.shape[0],
        )
        if delay is None:
            delay = steps if steps.size else np.zeros((), np.int64)
        return made, delay


def steps_of(delay: FloatArray, dt: float) -> tuple[AnyArray, bool]:
    """A delay in whole steps, and whether that is what it was."""
    if delay.size and (delay.min() < 0 or delay.max() / dt > 2**31):
        raise ValueError(
            f"delays of {delay.min():g} to {delay.max():g} are no 0 to 2^31 steps of {dt:g}: "
            "shorten them or lengthen the step"
        )
    steps = np.rint(delay / dt)
    return steps.astype(np.int64), bool(np.allclose(steps, delay / dt, rtol=1e-4, atol=1e-4))


def _elements(values: AnyArray, n: int) -> FloatArray:
    return np.broadcast_to(values.ravel(), n)


def _dense(node: Node) -> Dense | Matrix:
    weight = node.numbers("weight")
    if weight.ndim == 2:
        return Dense.of(weight)
    blocks = weight.reshape(-1, *weight.shape[-2:])
    return sparse.csr_array(sparse.block_diag(list(blocks), format="csr"))


def _product(left: Matrix, scale: FloatArray, right: Matrix) -> Matrix:
    """Two matrices in a row, the values between them scaled; refused before it would not fit."""
    n_left = np.bincount(left.indices, minlength=left.shape[1])
    n_taps = float(n_left @ np.diff(right.indptr).astype(np.float64))
    if n_taps > MAX_SYNAPSES:
        raise ValueError(
            f"two linear nodes in a row multiply out to {n_taps:,.0f} products, at most "
            f"{MAX_SYNAPSES:,} are made: put neurons between them"
        )
    return sparse.csr_array(left @ sparse.diags_array(scale) @ right)


def _matrix(core: Dense | Window | Matrix) -> Matrix:
    """Any linear node as a matrix (target, source)."""
    if isinstance(core, Dense):
        return sparse.csr_array(core.weight)
    if isinstance(core, Window):
        return unrolled(core)
    return core


def unrolled(window: Window) -> Matrix:
    """A window's synapses, listed tap by tap."""
    (n_out, height, width), (n_in, h_in, w_in) = window.target, window.source
    n_taps = size_of(window.weight.shape[1:]) * size_of(window.target)
    if n_taps > MAX_SYNAPSES:
        raise ValueError(
            f"{n_taps:,} synapses of kernels {window.weight.shape} must be listed one by one, at "
            f"most {MAX_SYNAPSES:,} can: put neurons between the layers, or pad them evenly"
        )
    rows, columns, values = [], [], []
    per_out, per_in = n_out // window.groups, n_in // window.groups
    for o, i, ky, kx in np.ndindex(*window.weight.shape):
        ys, oy = _taps(window, 0, ky, h_in, height)
        xs, ox = _taps(window, 1, kx, w_in, width)
        channel = o // per_out * per_in + i
        rows.append(((o * height + oy[:, None]) * width + ox).ravel())
        columns.append(((channel * h_in + ys[:, None]) * w_in + xs).ravel())
        values.append(np.full(rows[-1].size, window.weight[o, i, ky, kx]))
    ends = (np.concatenate(rows), np.concatenate(columns))
    shape = (size_of(window.target), size_of(window.source))
    return sparse.csr_array((np.concatenate(values), ends), shape=shape)


def _taps(window: Window, axis: int, k: int, n_in: int, n_out: int) -> tuple[AnyArray, AnyArray]:
    out = np.arange(n_out)
    place = out * window.stride[axis] - window.before[axis] + k * window.dilation[axis]
    inside = (place >= 0) & (place < n_in)
    return place[inside], out[inside]
