"""The points as a picture: one chart below the other, as SVG written by hand. x is logarithmic, y begins at 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from supervisor.bench.figures import Point

WIDTH: Final = 640
HEIGHT: Final = 300
LEFT: Final = 80
RIGHT: Final = 40
"""Half of the longest number under the last point."""

TOP: Final = 50
BOTTOM: Final = 40
COLOURS: Final = ("#1f6feb", "#d1480b", "#1a7f37", "#8250df")
"""Of the series, in their order; after the last the first again."""


def picture(points: Sequence[Point]) -> str:
    """Return the SVG; charts and series stand in the order of their first points."""
    charts = list(dict.fromkeys(point.chart for point in points))
    drawn = [
        _chart(name, [point for point in points if point.chart == name], place * HEIGHT)
        for place, name in enumerate(charts)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * len(charts)}"'
    # Its own background: a page may be dark.
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([f'{head} font-family="sans-serif" font-size="12">', ground, *drawn, "</svg>\n"])


def round_above(value: float) -> float:
    """Return the next number above that is easy to read: 1, 2, 2.5, 5 or 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if value <= step * power)


def _chart(name: str, points: Sequence[Point], offset: int) -> str:
    top = round_above(max(point.y for point in points))
    exponents = [math.log10(point.x) for point in points]
    first, last = min(exponents), max(exponents)

    def across(x: float) -> float:
        part = (math.log10(x) - first) / (last - first) if last > first else 0.5
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<g transform="translate(0,{offset})">',
        f'<text x="{LEFT}" y="20" font-weight="bold">{escape(name)}</text>',
        f'<path d="M{LEFT},{TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>',
    ]
    for part in (0.0, 0.5, 1.0):
        y = down(top * part)
        parts.append(f'<path d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(top * part)}</text>')
    for x in sorted({point.x for point in points}):
        place = f'x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}"'
        parts.append(f'<text {place} text-anchor="middle">{x:,.0f}</text>')
    for number, series in enumerate(dict.fromkeys(point.series for point in points)):
        colour = COLOURS[number % len(COLOURS)]
        own = sorted((point.x, point.y) for point in points if point.series == series)
        line = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in own)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>' for x, y in own]
        parts.append(f'<text x="{LEFT + number * 180}" y="38" fill="{colour}">{escape(series)}</text>')
    return "\n".join([*parts, "</g>"])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"  # noqa: PLR2004  more digits would be noise
