"""llama.cpp's searches for scales, one value after the other: what the kernels do side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.reference.ggml_arithmetic import PLAIN, Arithmetic, F, clamp, nearest

LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
Floats = Sequence[Any]


def largest_of(x: Floats) -> Any:
    """The first value of the largest magnitude; 0 where all are tiny."""
    best = F(0)
    for v in x:
        if abs(v) > abs(best):
            best = v
    return best if abs(best) >= F(1e-15) else None


def symmetric(x: Floats, w: Floats, top: int, a: Arithmetic) -> tuple[Any, list[int]]:
    """make_qx_quants."""
    largest = largest_of(x)
    if largest is None:
        return F(0), [0] * len(x)

    def codes_of(inverse: Any) -> list[int]:
        return [clamp(a.nearest_product(inverse, v), -top, top - 1) for v in x]

    def sums(codes: list[int], adding: Arithmetic) -> tuple[Any, Any]:
        lx = l2 = F(0)
        for v, u, c in zip(x, w, codes, strict=True):
            lx, l2 = adding.add(u * v, c, lx), adding.add(u * F(c), c, l2)
        return lx, l2

    best_codes = codes_of(F(-top) / largest)
    lx, l2 = sums(best_codes, a)
    scale = lx / l2 if l2 else F(0)
    best = scale * lx
    for i in (*range(-9, 0), *range(1, 10)):
        codes = codes_of(-a.add(0.1, i, top) / largest)
        lx, l2 = sums(codes, PLAIN)
        if l2 > 0 and lx * lx > best * l2:
            best_codes, scale = codes, lx / l2
            best = scale * lx
    return scale, [c + top for c in best_codes]


def refined(x: Floats, top: int, a: Arithmetic) -> tuple[Any, list[int]]:
    """make_q3_quants."""
    largest = largest_of(x)
    if largest is None:
        return F(0), [0] * len(x)
    codes = [clamp(a.nearest_product(F(-top) / largest, v), -top, top - 1) for v in x]
    lx = l2 = F(0)
    for v, c in zip(x, codes, strict=True):
        lx, l2 = a.add(v * v * v, c, lx), a.add(v * v * F(c), c, l2)
    for _ in range(5):
        changed = False
        for i, v in enumerate(x):
            c = F(codes[i])
            other_lx, other_l2 = a.add(-(v * v * v), c, lx), a.add(-(v * v * c), c, l2)
            if not other_lx > 0:
                continue
            moved = clamp(nearest(v * other_l2 / other_lx), -top, top - 1)
            if moved != codes[i]:
                new_lx, new_l2 = a.add(v * v * v, moved, other_lx), a.add(v * v * F(moved), moved, other_l2)
                if new_l2 > 0 and new_lx * new_lx * l2 > lx * lx * new_l2:
                    codes[i], lx, l2, changed = moved, new_lx, new_l2, True
        if not changed:
            break
    return (lx / l2 if l2 > 0 else F(0)), [c + top for c in codes]


def error_of(x: Floats, w: Floats, scale: Any, least: Any, codes: list[int], absolute: bool, a: Arithmetic) -> Any:
    total = F(0)
    for v, u, c in zip(x, w, codes, strict=True):
        off = a.add(scale, c, least) - v
        total = a.add(u, abs(off) if absolute else off * off, total)
    return total


def solved_for(x: Floats, w: Floats, sum_w: Any, sum_x: Any, codes: list[int], a: Arithmetic) -> Any:
    """Scale and smallest value by least squares, if there is one solution."""
    l1 = l2 = lx = F(0)
    for v, u, c in zip(x, w, codes, strict=True):
        l1, l2, lx = l1 + u * F(c), a.add(u * F(c), c, l2), a.add(u * F(c), v, lx)
    solved = a.add(sum_w, l2, -(l1 * l1))
    if not solved > 0:
        return None
    new_least = a.add(l2, sum_x, -(l1 * lx)) / solved
    return (lx / l2, F(0)) if new_least > 0 else (a.add(-sum_x, l1, sum_w * lx) / solved, new_least)


def affine(
    x: Floats, w: Floats, top: int, low: float, step: float, tries: int, absolute: bool, a: Arithmetic
) -> tuple[Any, Any, list[int]]:
    """make_qkx2_quants and make_qkx3_quants: scale, smallest value negated, codes."""
    sum_w, sum_x = w[0], w[0] * x[0]
    for v, u in zip(x[1:], w[1:], strict=True):
        sum_w, sum_x = sum_w + u, a.add(u, v, sum_x)
    least, most = min(x), max(x)
    least = F(0) if least > 0 else least
    if least == most:
        return F(0), -least, [0] * len(x)

    def codes_of(inverse: Any, least: Any) -> list[int]:
        return [clamp(a.nearest_product(inverse, v - least), 0, top) for v in x]

    inverse = F(top) / (most - least)
    scale, best_codes = F(1) / inverse, codes_of(inverse, least)
    best = error_of(x, w, scale, least, best_codes, absolute, a)
    for i in range(tries):
        codes = codes_of((a.add(step, i, low) + F(top)) / (most - least), least)
        if found := solved_for(x, w, sum_w, sum_x, codes, a):
            error = error_of(x, w, *found, codes, absolute, a)
            if error < best:
                best, best_codes, (scale, least) = error, codes, found
    return scale, -least, best_codes


def positive(x: Floats, w: Floats, top: int, a: Arithmetic) -> tuple[Any, list[int]]:
    """make_qp_quants."""
    largest = max(F(0), *x)
    if largest < F(1e-15):
        return F(0), [0] * len(x)

    def error_of(inverse: Any) -> Any:
        total = F(0)
        for v, u in zip(x, w, strict=True):
            off = a.add(-(F(1) / inverse), min(top, a.nearest_product(inverse, v)), v)
            total = a.add(u * off, off, total)
        return total

    inverse = F(top) / largest
    best = error_of(inverse)
    for i in (*range(-4, 0), *range(1, 5)):
        tried = a.add(0.1, i, top) / largest
        if (error := error_of(tried)) < best:
            best, inverse = error, tried
    codes = [min(top, a.nearest_product(inverse, v)) for v in x]
    lx = l2 = F(0)
    for v, u, c in zip(x, w, codes, strict=True):
        lx, l2 = a.add(u * v, c, lx), a.add(u * F(c), c, l2)
    for _ in range(5):
        before = list(codes)
        lx, l2 = moved_once(x, w, codes, lx, l2, top, a)
        if codes == before:
            break
    return (lx / l2 if l2 > 0 else F(0)), codes


def moved_once(x: Floats, w: Floats, codes: list[int], lx: Any, l2: Any, top: int, a: Arithmetic) -> tuple[Any, Any]:
    """Each code to where it is best, if that is better; the sums after that."""
    for i, (v, u) in enumerate(zip(x, w, strict=True)):
        c = F(codes[i])
        other_lx, other_l2 = a.add(-(u * v), c, lx), a.add(-(u * c), c, l2)
        if not (other_lx > 0 and other_l2 > 0):
            continue
        moved = min(top, nearest(v * other_l2 / other_lx))
        if moved != codes[i]:
            new_lx, new_l2 = a.add(u * v, moved, other_lx), a.add(u * F(moved), moved, other_l2)
            if new_lx * new_lx * l2 > lx * lx * new_l2:
                codes[i], lx, l2 = moved, new_lx, new_l2
    return lx, l2


def level_of(value: Any) -> int:
    """best_index_int8: between two neighbours the nearer, and the upper one where both are as near."""
    if value <= LEVELS[0]:
        return 0
    for i in range(1, 16):
        if value < LEVELS[i]:
            return i - 1 if F(value) - F(LEVELS[i - 1]) < F(LEVELS[i]) - F(value) else i
    return 15


def nonlinear(x: Floats, w: Floats, a: Arithmetic) -> Any:
    """The scale of a row of IQ4_NL and IQ4_XS."""
    largest = largest_of(x)
    if largest is None:
        return F(0)

    def sums(inverse: Any) -> tuple[Any, Any]:
        qx = q2 = F(0)
        for v, u in zip(x, w, strict=True):
            q = F(LEVELS[level_of(inverse * v)])
            qx, q2 = a.add(u * q, v, qx), a.add(u * q, q, q2)
        return qx, q2

    qx, q2 = sums(F(1) / (-largest / F(-127)))
    scale = qx / q2 if q2 > 0 else F(0)
    best = scale * qx
    for i in range(-7, 8):
        qx, q2 = sums(F(i - 127) / largest)
        if q2 > 0 and qx * qx > best * q2:
            scale = qx / q2
            best = scale * qx
    return scale


def sum_of_squares(x: Floats) -> Any:
    total = F(0)
    for v in x:
        total += v * v
    return total


def weights_of(x: Floats, importance: Floats, spread: Any, a: Arithmetic) -> list[Any]:
    return [q * np.sqrt(a.add(v, v, spread)) for v, q in zip(x, importance, strict=True)]


def summed(w: Floats) -> Any:
    total = F(0)
    for u in w:
        total += u
    return total
