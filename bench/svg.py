"""Plots as small SVG files: lines, stacked areas and bars, side by side under a title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, GAP = 470, 250, 16
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 34, 26
LEGEND = 14
COLOURS = ("#3572b0", "#e08214", "#4d9a4d", "#c23b3b", "#8163ae", "#8c5a4a", "#d16fb0", "#6b6b6b", "#a9a52c", "#2fa3b5")

Series = tuple[str, Sequence[float]]
"""A name, and a value for each place on the horizontal axis."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot. ``marks``: names of places on the horizontal axis, by share of its length; bars have none."""

    title: str
    unit: str
    series: Sequence[Series]
    marks: Sequence[tuple[float, str]] = ()
    ends: Sequence[float] = ()
    """Where a period ends, by share of the horizontal axis."""
    kind: str = "lines"
    """lines, stacked, or bars (then every series has one value)."""

    def draw(self, x: int, y: int) -> str:
        """The plot at a place of the picture."""
        inner = self._bars() if self.kind == "bars" else self._curves()
        head = f'<text x="8" y="18" class="title">{escape(self.title)}</text>'
        frame = f'<rect width="{WIDTH}" height="{HEIGHT}" class="panel"/>'
        return f'<g transform="translate({x},{y})">{frame}{head}{inner}</g>'

    def _bars(self) -> str:
        most = max((values[0] for _, values in self.series), default=0) or 1
        room = (HEIGHT - TOP - 10) / max(1, len(self.series))
        parts = []
        wide = 8 + max(len(name) for name, _ in self.series) * 6
        for place, (name, values) in enumerate(self.series):
            top, length = TOP + place * room, (WIDTH - wide - 70) * values[0] / most
            size = min(11.0, room - 1)
            text = f'style="font-size:{size:.0f}px"'
            middle = top + room / 2 + size / 3
            parts.append(f'<text x="{wide}" y="{middle:.1f}" class="right" {text}>{escape(name)}</text>')
            parts.append(
                f'<rect x="{wide + 6}" y="{top + 1:.1f}" width="{length:.1f}" height="{max(2.0, room - 3):.1f}"'
                f' fill="{COLOURS[0]}"/>'
            )
            said = f"{_short(values[0])}{self.unit}"
            parts.append(f'<text x="{wide + 11 + length:.1f}" y="{middle:.1f}" {text}>{said}</text>')
        return "".join(parts)

    def _curves(self) -> str:
        bottom = HEIGHT - BOTTOM - LEGEND * self._lines
        stacks = self._stacked() if self.kind == "stacked" else [(None, list(values)) for _, values in self.series]
        most = _round_up(max((max(upper, default=0) for _, upper in stacks), default=0) or 1)

        def points(values: Sequence[float]) -> list[str]:
            last = max(1, len(values) - 1)
            return [
                f"{LEFT + (WIDTH - LEFT - RIGHT) * i / last:.1f},{bottom - (bottom - TOP) * value / most:.1f}"
                for i, value in enumerate(values)
            ]

        parts = []
        for step in range(5):
            at = bottom - (bottom - TOP) * step / 4
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
            said = f"{_short(most * step / 4)}{self.unit}"
            parts.append(f'<text x="{LEFT - 5}" y="{at + 4:.1f}" class="right">{said}</text>')
        for number, (lower, upper) in reversed(list(enumerate(stacks))):
            colour = COLOURS[number % len(COLOURS)]
            if lower is None:
                parts.append(f'<polyline points="{" ".join(points(upper))}" fill="none" stroke="{colour}"/>')
            else:
                around = " ".join([*points(upper), *reversed(points(lower))])
                parts.append(f'<polygon points="{around}" fill="{colour}" fill-opacity="0.75"/>')
        for share in self.ends:
            at = LEFT + (WIDTH - LEFT - RIGHT) * share
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}" class="end"/>')
        for share, name in self.marks:
            at = LEFT + (WIDTH - LEFT - RIGHT) * share
            parts.append(f'<text x="{at:.1f}" y="{bottom + 15}" class="middle">{escape(name)}</text>')
        return "".join([*parts, *self._legend(bottom + 30)])

    def _stacked(self) -> list[tuple[list[float] | None, list[float]]]:
        below = [0.0] * len(self.series[0][1])
        stacks: list[tuple[list[float] | None, list[float]]] = []
        for _, values in self.series:
            above = [low + value for low, value in zip(below, values, strict=True)]
            stacks.append((below, above))
            below = above
        return stacks

    @property
    def _lines(self) -> int:
        """How many lines of legend there are, three names a line."""
        return -(-len(self.series) // 3)

    def _legend(self, top: int) -> list[str]:
        parts = []
        for number, (name, _) in enumerate(self.series):
            x, y = 12 + number % 3 * (WIDTH - 16) // 3, top + number // 3 * LEGEND
            colour = COLOURS[number % len(COLOURS)]
            parts.append(f'<rect x="{x}" y="{y - 8}" width="8" height="8" fill="{colour}"/>')
            parts.append(f'<text x="{x + 12}" y="{y}">{escape(name)}</text>')
        return parts


STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.title{font-size:13px;font-weight:600}"
    ".right{text-anchor:end}.middle{text-anchor:middle}.panel{fill:#fff;stroke:#d8d8d8}"
    ".grid{stroke:#e6e6e6}.end{stroke:#e08214;stroke-dasharray:4 3}polyline{stroke-width:1.5}"
)


def picture(title: str, plots: Sequence[Plot]) -> str:
    """The plots, two side by side, as an SVG document."""
    rows = -(-len(plots) // 2)
    width, height = 2 * WIDTH + 3 * GAP, rows * (HEIGHT + GAP) + GAP
    placed = [
        plot.draw(GAP + number % 2 * (WIDTH + GAP), GAP + number // 2 * (HEIGHT + GAP))
        for number, plot in enumerate(plots)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f'<rect width="{width}" height="{height}" fill="#f6f6f6"/>\n' + "\n".join(placed) + "\n</svg>\n"
    )


def _round_up(value: float) -> float:
    """The next number that divides nicely by four."""
    scale = 1.0
    while value > 40 * scale:
        scale *= 10
    while value <= 4 * scale:
        scale /= 10
    return next(step * scale for step in (4, 8, 12, 16, 20, 24, 32, 40) if value <= step * scale)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
