"""Instructions that Numba has no name for."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

READ, KEEP, DATA = 0, 3, 1  # what LLVM's `llvm.prefetch` takes: access, locality, kind of cache


@intrinsic
def prefetch(typing_context, array, index):
    """`prefetch(array, index)`: ask for the cache line of an entry, and go on without it."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        entry = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number]),
            "llvm.prefetch.p0i8",
        )
        builder.call(function, [entry, *(ir.Constant(number, n) for n in (READ, KEEP, DATA))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def lowest_bit(typing_context, word):
    """The place of the lowest bit that is set in a word (uint64) that is not 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def bits_of_float(typing_context, number):
    """The 32 bits of a float32, as an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def float_of_bits(typing_context, bits):
    """The float32 that has these 32 bits (int32)."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def root(typing_context, number):
    """The square root of a float32 that is not negative, as one instruction (no call, no errno)."""

    def generate(context, builder, signature, arguments):
        kind = ir.FloatType()
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), "llvm.sqrt.f32"
        )
        return builder.call(function, arguments)

    return types.float32(types.float32), generate
