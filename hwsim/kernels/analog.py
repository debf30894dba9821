"""Inner loops of a noisy read: random words, Gaussians, and the converters around a product.

Gaussians are those of Box and Muller [BoxMuller1958], in float32, two of each 64-bit word of
xoshiro256++ [Blackman2021]. Logarithm and sine are polynomials, so that a compiler makes eight at
once. The radius has 31 random bits: nothing lies farther out than 6.7 standard deviations, where
one draw of 4e10 would.
"""

import numpy as np

from hwsim._accelerate import njit
from hwsim.kernels.intrinsics import bits_of_float, float_of_bits, root

N_WORDS = 4  # of the state of xoshiro256++
ROOT_HALF = np.int32(0x3F3504F3)  # bits of sqrt(1/2)
MANTISSA = np.int32(23)
LN2 = np.float32(0.6931471805599453)
ZERO, QUARTER, HALF, ONE = (np.float32(x) for x in (0, 0.25, 0.5, 1))
TO_UNIT, TO_TURN, MINUS_TWO = np.float32(2.0**-31), np.float32(2.0**-32), np.float32(-2)
# sin(2 pi y) = y (S0 + S1 y^2 + ...) where |y| <= 1/4; Chebyshev, off by a float32's last bit
S0, S1, S2, S3, S4 = (
    np.float32(c) for c in (6.28318528, -41.34168067, 81.60248074, -76.58128456, 39.76072208)
)
# ln(1 + f) = f - f^2 / 2 + f^3 (L0 + L1 f + ...), sqrt(1/2) <= 1 + f <= sqrt(2), the same way
L0, L1, L2, L3, L4, L5, L6 = (
    np.float32(c)
    for c in (0.3333341, -0.25000922, 0.19985128, -0.16592856, 0.14676397, -0.14118425, 0.09272214)
)


@njit(allocates=False, inline=True)
def turned(word, by):
    """The bits of a word, rotated left."""
    return (word << np.uint64(by)) | (word >> np.uint64(64 - by))


@njit(allocates=False)
def fill_words(state, out):
    """Random words (n,) uint64 by xoshiro256++; state (4,) uint64 moves on."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for k in range(out.shape[0]):
        out[k] = turned(a + d, 23) + a
        shifted = b << np.uint64(17)
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = turned(d, 45)
    state[0], state[1], state[2], state[3] = a, b, c, d


@njit(allocates=False, inline=True)
def logarithm(u):
    """Natural logarithm of a float32, 0 < u <= 1."""
    bits = bits_of_float(u)
    exponent = np.int32(np.int32(bits - ROOT_HALF) >> MANTISSA)
    f = float_of_bits(np.int32(bits - np.int32(exponent << MANTISSA))) - ONE
    high = L3 + f * (L4 + f * (L5 + f * L6))
    rest = f * f * (f * (L0 + f * (L1 + f * (L2 + f * high))) - HALF)
    return (rest + f) + np.float32(exponent) * LN2


@njit(allocates=False, inline=True)
def sine_of_turn(y):
    """sin(2 pi y) of a float32, |y| <= 1/4."""
    t = y * y
    return y * (S0 + t * (S1 + t * (S2 + t * (S3 + t * S4))))


@njit(allocates=False)
def gaussians_of(radii, turns, cosines, sines):
    """Two Gaussians, float32, of two random int32; all (n,)."""
    for k in range(radii.shape[0]):
        u = (np.float32(radii[k] & np.int32(0x7FFFFFFF)) + HALF) * TO_UNIT
        turn = np.float32(turns[k]) * TO_TURN
        radius = root(MINUS_TWO * logarithm(u))
        size = abs(turn)
        folded = HALF - size if size > QUARTER else size
        sine = sine_of_turn(folded)
        cosines[k] = radius * sine_of_turn(QUARTER - size)
        sines[k] = radius * (-sine if turn < ZERO else sine)


@njit(allocates=False)
def quantise(x, n_steps, out):
    """Round x (n,) float32 to whole steps, n_steps to 1; returns how many are outside [-1, 1]."""
    n_bad = 0
    for k in range(x.shape[0]):
        n_bad += not abs(x[k]) <= ONE  # nan too
        out[k] = np.rint(x[k] * n_steps)
    return n_bad


@njit(allocates=False)
def add_spread(values, spread, gaussians):
    """Add spread (rows, 1 or columns) * gaussians (rows * columns,) to values (rows, columns)."""
    n = values.shape[1]
    wide = spread.shape[1] > 1
    for r in range(values.shape[0]):
        row, z = values[r], gaussians[r * n : r * n + n]
        if wide:
            for c in range(n):
                row[c] += spread[r, c] * z[c]
        else:
            sd = spread[r, 0]
            for c in range(n):
                row[c] += sd * z[c]


@njit(allocates=False)
def convert(values, gain, offset, code_min, code_max):
    """Turn values (rows, columns) into codes, in place; returns how many were clipped.

    A code is `gain` times the value plus `offset`, (columns,) each, rounded half to even.
    """
    n_clipped = 0
    for r in range(values.shape[0]):
        row = values[r]
        n = np.int32(0)  # as wide as a float32, so that eight columns go together
        for c in range(row.shape[0]):
            code = np.rint(row[c] * gain[c] + offset[c])
            n = np.int32(n + np.int32((code < code_min) | (code > code_max)))
            row[c] = min(max(code, code_min), code_max)
        n_clipped += n
    return n_clipped


@njit(allocates=False)
def gaussians(state, words, bits, out):
    """Gaussians (n,) float32 of the stream `state`, n even; `bits` is `words` (n / 2,) as int32."""
    half = out.shape[0] // 2
    fill_words(state, words[:half])
    gaussians_of(bits[:half], bits[half : 2 * half], out[:half], out[half:])


@njit(allocates=False)
def finish(values, spread, state, words, bits, drawn, gain, offset, code_min, code_max):
    """Noise, then codes, block by block, so that all stays in the nearest cache.

    values (rows, columns) float32 or float64, in place. spread (rows, 1 or columns), or (0, 0): no
    noise, and then state, words and bits are not used. gain, offset (columns,), or (0,): no codes.
    Returns how many conversions were clipped.
    """
    n_rows, n_columns = values.shape
    at_once = max(1, drawn.shape[0] // max(1, n_columns))
    n_clipped = 0
    for first in range(0, n_rows, at_once):
        last = min(first + at_once, n_rows)
        block = values[first:last]
        if spread.shape[0] > 0:
            n = (last - first) * n_columns
            gaussians(state, words, bits, drawn[: n + n % 2])
            add_spread(block, spread[first:last], drawn)
        if gain.shape[0] > 0:
            n_clipped += convert(block, gain, offset, code_min, code_max)
    return n_clipped
