"""A curve through a grid that keeps neighbours near: Hilbert's, for rectangles of any size."""

from functools import cache

import numpy as np

from hwsim.arrays import IntArray, frozen


@cache
def hilbert_curve(columns: int, rows: int) -> IntArray:
    """Every cell (x, y) of a grid once, (cells, 2), from (0, 0) along the longer side.

    Neighbours on the curve are neighbours on the grid, but for a diagonal step where a side is
    odd. A rectangle is split in halves that are walked in turn; one that is nearly square in
    three, as Hilbert's curve does.
    """
    cells: list[tuple[int, int]] = []
    if columns >= rows:
        _walk(cells, 0, 0, columns, 0, 0, rows)
    else:
        _walk(cells, 0, 0, 0, rows, columns, 0)
    return frozen(cells, np.int64)


def _walk(cells: list[tuple[int, int]], x: int, y: int, ax: int, ay: int, bx: int, by: int) -> None:
    """Walk the rectangle spanned by `a`, the way to go, and `b`, the side to fill."""
    along, across = abs(ax + ay), abs(bx + by)
    step_a, step_b = (_sign(ax), _sign(ay)), (_sign(bx), _sign(by))
    if across == 1:
        cells.extend((x + i * step_a[0], y + i * step_a[1]) for i in range(along))
        return
    if along == 1:
        cells.extend((x + i * step_b[0], y + i * step_b[1]) for i in range(across))
        return
    hax, hay, hbx, hby = _half(ax), _half(ay), _half(bx), _half(by)
    if 2 * along > 3 * across:  # long: two halves, each walked the same way
        if abs(hax + hay) % 2 and along > 2:
            hax, hay = hax + step_a[0], hay + step_a[1]
        _walk(cells, x, y, hax, hay, bx, by)
        _walk(cells, x + hax, y + hay, ax - hax, ay - hay, bx, by)
        return
    if abs(hbx + hby) % 2 and across > 2:
        hbx, hby = hbx + step_b[0], hby + step_b[1]
    _walk(cells, x, y, hbx, hby, hax, hay)  # up
    _walk(cells, x + hbx, y + hby, ax, ay, bx - hbx, by - hby)  # across
    x, y = x + ax - step_a[0] + hbx - step_b[0], y + ay - step_a[1] + hby - step_b[1]
    _walk(cells, x, y, -hbx, -hby, hax - ax, hay - ay)  # down


def _half(value: int) -> int:
    return value // 2 if value >= 0 else -(-value // 2)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
