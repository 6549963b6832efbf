"""What quantizing cost as a picture: each tensor's signal-to-noise ratio over the blocks, in its type's colour."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lineal.lineage.records.quantization_report import QuantizationReport
from lineal.lineage.shown.picture.look import FAINT_INK, FONTS, INK, SOFT_INK, escaped, shortened, text_width
from lineal.lineage.shown.report_words import headline

_TITLE = 'role="img" aria-label="What quantizing cost '
_COLOURS = ("#2563eb", "#e8710a", "#0d9488", "#7c3aed", "#db2777", "#a16207", "#475569", "#65a30d")
_IN_BLOCK = re.compile(r"^[A-Za-z_.]*?\.(\d+)\.(.+)$")
_WIDTH, _HEIGHT = 980.0, 520.0
_LEFT, _TOP, _BOTTOM = 76.0, 92.0, 430.0
_RIGHT, _OUTSIDE, _END = 700.0, 740.0, 956.0
"""Blocks reach to the right; tensors outside of them stand beyond, and all names end at the end."""
_LETTERS = 11.0
_STYLE = f"""
    text {{ font-family: {FONTS}; font-variant-numeric: tabular-nums; font-size: {_LETTERS}px; fill: {FAINT_INK}; }}
    .name {{ font-size: 16px; font-weight: 600; fill: {INK}; }}
    .made {{ font-size: 12.5px; fill: {SOFT_INK}; }}
    .grid {{ stroke: #e2e8f0; }}
    .role {{ fill: none; stroke: #cbd5e1; stroke-width: 1.2; }}
"""


class _Point(NamedTuple):
    """role: of a tensor within its block; block: None outside of blocks."""

    name: str
    role: str
    block: int | None
    dtype: str
    decibels: float


class _Scale(NamedTuple):
    """From numbers to places on the page."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: float) -> float:
        span = self.high - self.low
        return self.start + (self.end - self.start) * ((number - self.low) / span if span else 0.5)


def draw_rounding(report: QuantizationReport, label: str) -> str:
    """An SVG of its own: no fonts, scripts or files from elsewhere. label: what the model is called."""
    points = _points(report)
    blocks = sorted({point.block for point in points if point.block is not None})
    low, high = _reach([point.decibels for point in points])
    across = _Scale(blocks[0] if blocks else 0, blocks[-1] if blocks else 0, _LEFT + 16, _RIGHT - 16)
    up = _Scale(low, high, _BOTTOM, _TOP)
    colours = {dtype: _COLOURS[i % len(_COLOURS)] for i, dtype in enumerate(dict.fromkeys(p.dtype for p in points))}
    exact = len(report.tensors) - len(points)
    parts = [
        f'<text class="name" x="24" y="34">{escaped(shortened(label, 16, _END - 24))}</text>',
        f'<text class="made" x="24" y="56">{escaped(headline(report))}</text>',
        *_axes(up, across, blocks),
        *_roles(points, across, up),
        *_outside(points, up),
        *(_dot(point, across, up, colours) for point in points),
        *_legend(points, colours, exact),
    ]
    return _page(parts, label)


def is_rounding(text: str) -> bool:
    """Whether a text begins as `draw_rounding` begins one."""
    return text.startswith("<svg ") and _TITLE in text


def _points(report: QuantizationReport) -> list[_Point]:
    """Of tensors that are not exact."""
    found: list[_Point] = []
    for (name, dtype), one in report.tensors.items():
        ratio, placed = one.rounding.decibels, _IN_BLOCK.match(name)
        if ratio is not None:
            role = (placed[2] if placed else name).removesuffix(".weight")
            found.append(_Point(name, role, int(placed[1]) if placed else None, dtype, ratio))
    return found


def _reach(ratios: Sequence[float]) -> tuple[float, float]:
    """Whole steps around all of them."""
    step = _step(max(ratios, default=0) - min(ratios, default=0))
    low = math.floor(min(ratios, default=0) / step) * step
    return low, max(math.ceil(max(ratios, default=0) / step) * step, low + step)


def _step(span: float) -> float:
    return next((step for step in (0.5, 1, 2, 5, 10) if span / step <= 8), 20)


def _axes(up: _Scale, across: _Scale, blocks: Sequence[int]) -> Iterable[str]:
    step = _step(up.high - up.low)
    for number in range(round((up.high - up.low) / step) + 1):
        decibels = up.low + number * step
        y = up(decibels)
        yield f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{_END:g}"/>'
        yield f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{decibels:g}</text>'
    yield f'<text transform="translate(28 {(_TOP + _BOTTOM) / 2:g}) rotate(-90)" text-anchor="middle">SQNR (dB)</text>'
    every = max(1, math.ceil(len(blocks) / 16))
    for block in blocks[::every]:
        yield f'<text x="{across(block):.1f}" y="{_BOTTOM + 18:g}" text-anchor="middle">{block}</text>'
    if blocks:
        yield f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="{_BOTTOM + 38:g}" text-anchor="middle">block</text>'


def _roles(points: Sequence[_Point], across: _Scale, up: _Scale) -> Iterable[str]:
    """A line through the same tensor of all blocks, with its name behind the last; names keep apart."""
    lines: dict[str, list[_Point]] = {}
    for point in points:
        if point.block is not None:
            lines.setdefault(point.role, []).append(point)
    ends = {role: up(line[-1].decibels) for role, line in lines.items()}
    for role, y in _apart(ends).items():
        line = sorted(lines[role], key=lambda point: point.block or 0)
        way = "L".join(f"{across(point.block or 0):.1f} {up(point.decibels):.1f}" for point in line)
        yield f'<path class="role" d="M{way}L{_RIGHT:g} {y:.1f}"/>'
        shown = shortened(role, _LETTERS, _OUTSIDE + 64 - _RIGHT)
        yield f'<text x="{_RIGHT + 4:g}" y="{y + 4:.1f}">{escaped(shown)}</text>'


def _outside(points: Sequence[_Point], up: _Scale) -> Iterable[str]:
    alone = {point.role: up(point.decibels) for point in points if point.block is None}
    for role, y in _apart(alone).items():
        shown = shortened(role, _LETTERS, _END - _OUTSIDE - 90)
        yield f'<text x="{_OUTSIDE + 90:g}" y="{y + 4:.1f}">{escaped(shown)}</text>'


def _apart(wanted: Mapping[str, float], least: float = 13.0) -> dict[str, float]:
    """Places from the top to the bottom, none nearer to the one before it than letters are high."""
    found: dict[str, float] = {}
    last = -math.inf
    for name, y in sorted(wanted.items(), key=lambda one: one[1]):
        found[name] = last = max(y, last + least)
    over = max(0.0, last - _BOTTOM)
    return {name: y - over for name, y in found.items()}


def _dot(point: _Point, across: _Scale, up: _Scale, colours: Mapping[str, str]) -> str:
    x = _OUTSIDE + 78 if point.block is None else across(point.block)
    told = f"{point.name}: {point.dtype}, {point.decibels:.2f} dB"
    return (
        f'<circle cx="{x:.1f}" cy="{up(point.decibels):.1f}" r="3.6" fill="{colours[point.dtype]}">'
        f"<title>{escaped(told)}</title></circle>"
    )


def _legend(points: Sequence[_Point], colours: Mapping[str, str], exact: int) -> Iterable[str]:
    x, y = _LEFT, _HEIGHT - 24
    for dtype, colour in colours.items():
        words = f"{dtype} ({sum(point.dtype == dtype for point in points)})"
        yield f'<circle cx="{x:.1f}" cy="{y - 4:g}" r="4" fill="{colour}"/>'
        yield f'<text x="{x + 9:.1f}" y="{y:g}">{words}</text>'
        x += text_width(words, _LETTERS) + 26
    if exact:
        yield f'<text x="{_END:g}" y="{y:g}" text-anchor="end">{exact} tensors are stored exactly</text>'


def _page(parts: Sequence[str], label: str) -> str:
    body = "\n".join(parts)
    size = f'width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}"'
    inside = f'x="0.5" y="0.5" width="{_WIDTH - 1:.0f}" height="{_HEIGHT - 1:.0f}"'
    ground = f'<rect {inside} rx="16" fill="#ffffff" stroke="#e2e8f0"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" '
        f'{_TITLE}{escaped(label)}">\n<style>{_STYLE}</style>\n{ground}\n{body}\n</svg>\n'
    )
