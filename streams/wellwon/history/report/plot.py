"""Plots as inline SVG. Colours and fonts come from the page's style; each plot has its numbers in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log10
from typing import Final, NamedTuple

from wellwon.history.interval import Ratio, Share
from wellwon.history.report.markup import Content, Markup, element, together

WIDTH: Final = 760
LABEL: Final = 190
"""Room for the names at the left, where rows have names."""
_LIFTS: Final = (0.25, 0.5, 1, 2, 4, 8)


class Row(NamedTuple):
    """A row of a plot's table: its name, and its cells."""

    name: str
    cells: tuple[Content, ...]


def figure(name: str, title: str, said: str, drawing: Markup, header: Sequence[str], rows: Sequence[Row]) -> Markup:
    """A plot with its title, what it says in words, and its numbers in a table. ``name`` is unique in the page."""
    head = element("tr", *(element("th", text, scope="col") for text in header))
    body = (
        element("tr", element("th", row.name, scope="row"), *(element("td", cell) for cell in row.cells))
        for row in rows
    )
    table = element("table", element("thead", head), element("tbody", *body))
    return element(
        "figure",
        element("figcaption", element("h3", title), element("p", said, id=f"{name}-said")),
        drawing,
        element("details", element("summary", "The numbers"), element("div", table, class_="scroll")),
        id=name,
    )


def drawing(name: str, height: int, alternative: str, *children: Content) -> Markup:
    """The drawing itself, for readers who cannot see it a sentence."""
    return element(
        "svg",
        element("title", alternative, id=f"{name}-title"),
        *children,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_labelledby=f"{name}-title",
    )


def lifts(name: str, rows: Sequence[tuple[str, Ratio]]) -> Markup:
    """Ratios with their intervals on a logarithmic axis; grey are those whose interval has 1 in it."""
    low, high = log10(_LIFTS[0]), log10(_LIFTS[-1])

    def x(value: float) -> float:
        place = (log10(max(value, 1e-9)) - low) / (high - low) if value < inf else 2
        return LABEL + (WIDTH - LABEL - 20) * min(1, max(0, place))

    bottom = 30 * len(rows) + 14
    parts: list[Markup] = []
    for tick in _LIFTS:
        kind = "even" if tick == 1 else "grid"
        parts.append(element("line", x1=x(tick), x2=x(tick), y1=4, y2=bottom, class_=kind))
        parts.append(_text(x(tick), bottom + 18, f"{tick:g}x", "middle"))
    for number, (label, found) in enumerate(rows):
        y = 24 + 30 * number
        kind = "clear" if found.low > 1 else "alike" if found.high < 1 else "unclear"
        parts += [
            _text(LABEL - 12, y + 4, label, "end"),
            element("line", x1=x(found.low), x2=x(found.high), y1=y, y2=y, class_=f"interval {kind}"),
            element("circle", cx=x(found.value), cy=y, r=5.5, class_=kind),
        ]
    said = "; ".join(f"{label} {found.value:.1f}" for label, found in rows)
    return drawing(name, bottom + 28, f"Lift by rule: {said}", *parts)


def two_shares(name: str, one: tuple[str, Share], other: tuple[str, Share]) -> Markup:
    """Two shares with their intervals, one over the other, from 0 to 100 %."""
    left, right = 90, WIDTH / 2 - 26

    def x(share: float) -> float:
        return left + (right - left) * share

    parts = [element("line", x1=x(tick / 4), x2=x(tick / 4), y1=4, y2=62, class_="grid") for tick in range(5)]
    parts += [_text(x(tick / 2), 78, f"{50 * tick} %", "middle") for tick in range(3)]
    for y, kind, (label, share) in ((20, "clear", one), (46, "alike", other)):
        parts += [
            _text(left - 10, y + 4, label, "end"),
            element("line", x1=x(share.low), x2=x(share.high), y1=y, y2=y, class_=f"interval {kind}"),
            element("circle", cx=x(share.value), cy=y, r=5.5, class_=kind),
        ]
    said = f"{one[0]} {one[1].value:.0%}, {other[0]} {other[1].value:.0%} lost or slipped"
    return element(
        "svg",
        element("title", said, id=f"{name}-title"),
        *parts,
        viewBox=f"0 0 {WIDTH // 2} 86",
        role="img",
        aria_labelledby=f"{name}-title",
    )


def stacked(
    name: str, alternative: str, columns: Sequence[tuple[str, Sequence[tuple[str, float]]]], notes: Sequence[str]
) -> Markup:
    """Columns of stacked values, each a class of the style and a value; a note stands over each column."""
    top, bottom = 26, 226
    highest = max((sum(value for _, value in parts) for _, parts in columns), default=0) or 1
    step = (WIDTH - 16) / max(1, len(columns))
    wide = min(70.0, step * 0.72)
    drawn: list[Markup] = [element("line", x1=8, x2=WIDTH - 8, y1=bottom, y2=bottom, class_="axis")]
    every = -(-len(columns) // 12)
    for number, (label, parts) in enumerate(columns):
        x = 8 + step * (number + 0.5)
        y = float(bottom)
        for kind, value in parts:
            height = (bottom - top) * value / highest
            y -= height
            if height > 0:
                drawn.append(element("rect", x=x - wide / 2, y=y, width=wide, height=height, class_=kind))
        if number % every == 0:
            drawn.append(_text(x, bottom + 18, label, "middle"))
            drawn.append(_text(x, y - 7, notes[number], "middle", "note"))
    return drawing(name, bottom + 28, alternative, *drawn)


def curve(name: str, alternative: str, days: int, points: Sequence[tuple[float, float]]) -> Markup:
    """A share that grows over the days of a period (both 0 to 1), against growing evenly."""
    left, right, top, bottom = 52.0, WIDTH - 16.0, 12.0, 232.0

    def at(point: tuple[float, float]) -> str:
        return f"{left + (right - left) * point[0]:.1f},{bottom - (bottom - top) * point[1]:.1f}"

    parts: list[Markup] = []
    for quarter in range(5):
        y = bottom - (bottom - top) * quarter / 4
        parts += [
            element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"),
            _text(left - 8, y + 4, f"{25 * quarter} %", "end"),
        ]
    for third in range(4):
        said = "first day" if third == 0 else "last day" if third == 3 else f"day {round(days * third / 3)}"
        anchor = "start" if third == 0 else "end" if third == 3 else "middle"
        parts.append(_text(left + (right - left) * third / 3, bottom + 18, said, anchor))
    area = " ".join([f"{left},{bottom}", *map(at, points), f"{right},{bottom}"])
    parts += [
        element("line", x1=left, x2=right, y1=bottom, y2=top, class_="even"),
        element("polygon", points=area, class_="area"),
        element("polyline", points=" ".join(map(at, points)), class_="line"),
    ]
    return drawing(name, 260, alternative, *parts)


def legend(*entries: tuple[str, str]) -> Markup:
    """What the colours mean."""
    return element(
        "p",
        *(element("span", element("i", class_=f"key {kind}"), text) for kind, text in entries),
        class_="legend",
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str | None = None) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=kind)


def lines(*children: Content) -> Markup:
    """Several pieces of a page."""
    return together(*children)
