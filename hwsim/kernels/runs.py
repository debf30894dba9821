"""Runs of neighbouring float32, added to, summed and correlated at any place of an array.

A run has 2 or 8 lanes, a vector of the processor. Numba's loops would become such vectors only for
long runs; those of delays are as short as a bump is wide.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

FLOAT = ir.FloatType()
ALIGN = 4  # bytes: a run of taps starts anywhere


class _Emitter:
    """Loads, stores and products of vectors of `lanes` float32, at any index of an array."""

    def __init__(self, context, builder, signature, arguments, lanes):
        self.context, self.builder = context, builder
        self.signature, self.arguments = signature, arguments
        self.vector = ir.VectorType(FLOAT, lanes)
        self.lanes = lanes

    def data(self, n):
        """Where the entries of the n-th argument, an array, begin."""
        array = self.context.make_array(self.signature.args[n])
        return array(self.context, self.builder, self.arguments[n]).data

    def load(self, data, index):
        at = self.builder.gep(data, [index])
        return self.builder.load(self.builder.bitcast(at, self.vector.as_pointer()), align=ALIGN)

    def store(self, value, data, index):
        at = self.builder.gep(data, [index])
        pointer = self.builder.bitcast(at, self.vector.as_pointer())
        self.builder.store(value, pointer, align=ALIGN)

    def index(self, data, at):
        """An entry of an array of int32, as an index."""
        return self.builder.sext(self.builder.load(self.builder.gep(data, [at])), ir.IntType(64))

    def splat(self, number):
        zero = ir.Constant(ir.IntType(32), 0)
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, zero)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask)

    def fma(self, a, b, c):
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fma.v{self.lanes}f32"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [a, b, c])

    def zeros(self, n):
        """Running sums that start at 0 (registers, once LLVM has seen them)."""
        sums = [cgutils.alloca_once(self.builder, self.vector) for _ in range(n)]
        for each in sums:
            self.builder.store(ir.Constant(self.vector, [0.0] * self.lanes), each)
        return sums

    def loop(self, first, last, step=1):
        """`for n in range(first, last, step)`."""
        return cgutils.for_range_slice(self.builder, first, last, _whole(step), intp=ir.IntType(64))


def _lanes(kind):
    return kind.literal_value if isinstance(kind, types.IntegerLiteral) else None


@intrinsic(prefer_literal=True)
def scatter_runs(typing_context, out, base, at, values, first, last, taps, tap, lanes):
    """`out[base + at[e] + l] += values[e] taps[tap + l]`, events e of a range, every lane l."""
    n = _lanes(lanes)
    if n is None:
        return None

    def generate(context, builder, signature, arguments):
        emit = _Emitter(context, builder, signature, arguments, n)
        to, where, what = emit.data(0), emit.data(2), emit.data(3)
        base, begin, end = arguments[1], arguments[4], arguments[5]
        run = emit.load(emit.data(6), arguments[7])
        with emit.loop(begin, end) as (e, _):
            place = builder.add(base, emit.index(where, e))
            value = emit.splat(builder.load(builder.gep(what, [e])))
            emit.store(emit.fma(value, run, emit.load(to, place)), to, place)
        return context.get_dummy_value()

    index = types.intp
    return types.void(out, index, at, values, index, index, taps, index, lanes), generate


UNROLL = 4  # sums in turn: one addition need not wait for the one before


@intrinsic(prefer_literal=True)
def gather_runs(typing_context, source, base, at, values, first, last, out, tap, lanes):
    """`out[tap + l] += sum over events e of a range of values[e] source[base + at[e] + l]`."""
    n = _lanes(lanes)
    if n is None:
        return None

    def generate(context, builder, signature, arguments):
        emit = _Emitter(context, builder, signature, arguments, n)
        of, where, what, to = emit.data(0), emit.data(2), emit.data(3), emit.data(6)
        base, begin, end, tap = arguments[1], arguments[4], arguments[5], arguments[7]
        sums = emit.zeros(UNROLL)
        whole = builder.and_(builder.sub(end, begin), _whole(-UNROLL))
        middle = builder.add(begin, whole)

        def add(e, total):
            place = builder.add(base, emit.index(where, e))
            value = emit.splat(builder.load(builder.gep(what, [e])))
            builder.store(emit.fma(value, emit.load(of, place), builder.load(total)), total)

        with emit.loop(begin, middle, UNROLL) as (e, _):
            for k, total in enumerate(sums):
                add(builder.add(e, _whole(k)), total)
        with emit.loop(middle, end) as (e, _):
            add(e, sums[0])
        found = emit.load(to, tap)
        for total in sums:
            found = builder.fadd(found, builder.load(total))
        emit.store(found, to, tap)
        return context.get_dummy_value()

    index = types.intp
    return types.void(source, index, at, values, index, index, out, index, lanes), generate


STEPS = 8  # lanes of `correlate`


@intrinsic(prefer_literal=True)
def correlate(typing_context, source, base, at, weight, first, last, out, place, n_vectors, n_taps):
    """`out[place + t] += sum over n of a range, k of weight[n, k] source[base + at[n] + k + t]`.

    For t in range(8 n_vectors), k in range(n_taps); weight is flat, (n, n_taps).
    """
    vectors, taps = _lanes(n_vectors), _lanes(n_taps)
    if vectors is None or taps is None:
        return None

    def generate(context, builder, signature, arguments):
        emit = _Emitter(context, builder, signature, arguments, STEPS)
        of, where, what, to = (emit.data(n) for n in (0, 2, 3, 6))
        base, begin, end, place = (arguments[n] for n in (1, 4, 5, 7))
        sums = emit.zeros(vectors)
        with emit.loop(begin, end) as (n, _):
            start = builder.add(base, emit.index(where, n))
            row = builder.mul(n, _whole(taps))
            for k in range(taps):
                entry = builder.gep(what, [builder.add(row, _whole(k))])
                value = emit.splat(builder.load(entry))
                for v, total in enumerate(sums):
                    run = emit.load(of, builder.add(start, _whole(k + STEPS * v)))
                    builder.store(emit.fma(value, run, builder.load(total)), total)
        for v, total in enumerate(sums):
            step = builder.add(place, _whole(STEPS * v))
            emit.store(builder.fadd(emit.load(to, step), builder.load(total)), to, step)
        return context.get_dummy_value()

    index = types.intp
    given = (source, index, at, weight, index, index, out, index, n_vectors, n_taps)
    return types.void(*given), generate


def _whole(number):
    return ir.Constant(ir.IntType(64), number)
