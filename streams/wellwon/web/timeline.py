"""A deal's timeline as a plot: what was promised, what it cost, where it stood, who was in touch, what was flagged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from wellwon.core.calendar import FiscalCalendar, Period
from wellwon.core.deal import Deal
from wellwon.core.moves import COUNTS, WHY
from wellwon.core.records import short_money
from wellwon.core.stored import AlertState
from wellwon.core.units import DAY, format_date, format_percent
from wellwon.history.report.markup import Content, Markup, element
from wellwon.policy.moves import HISTORIES
from wellwon.sinks.words import clean, day, moment

WIDTH: Final = 960
LEFT: Final = 168
RIGHT: Final = 20
TOP: Final = 34
GAP: Final = 20
BAR: Final = 20
LABEL: Final = {history.attribute: history for history in HISTORIES}

Points = list[tuple[int, Any]]
"""A value from an instant on, None where it was empty."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Time from left to right, epoch milliseconds."""

    begin: int
    end: int
    now: int
    calendar: FiscalCalendar
    zone: str

    def x(self, at: int) -> float:
        """Where an instant is; what lies outside is at the edge."""
        inside = min(max(at, self.begin), self.end)
        return LEFT + (WIDTH - LEFT - RIGHT) * (inside - self.begin) / (self.end - self.begin)

    def periods(self) -> Iterator[Period]:
        """The periods that end within it."""
        period = self.calendar.period_of(self.begin)
        while period.end_at <= self.end:
            yield period
            period = self.calendar.period_of(period.end_at)


def axis_of(deal: Deal, at: int, calendar: FiscalCalendar, zone: str) -> Axis:
    """From the first change to the close date, or to now; a date far ahead does not press the past together."""
    moves = (move.at for history in HISTORIES for move in getattr(deal, history.attribute))
    begin = min((at_ for at_ in (deal.first_at, deal.created_at, *moves) if at_ > 0), default=at - DAY)
    begin = min(begin, at - DAY)
    promised = calendar.midnight((deal.close_date or 0) + 1) if deal.close_date is not None else 0
    room = max(14 * DAY, (at - begin) // 2)
    end = max(at + (at - begin) // 24 + DAY, min(promised + 2 * DAY, at + room))
    return Axis(begin, end, at, calendar, zone)


def plot(deal: Deal, at: int, alerts: Sequence[AlertState], calendar: FiscalCalendar, zone: str) -> Markup:
    """The whole plot as SVG. What it shows is in the table of moves as well."""
    axis = axis_of(deal, at, calendar, zone)
    parts: list[Markup] = []
    top: float = TOP
    for height, lane in _lanes(deal, axis, alerts):
        parts += lane(top)
        top += height + GAP
    bottom = top - GAP + 8
    name = clean(deal.name, 80) or "the deal"
    return element(
        "svg",
        element("title", f"Timeline of {name}"),
        *_grid(axis, bottom),
        *parts,
        element("text", "now", x=axis.x(at), y=bottom + 14, class_="now", text_anchor="middle"),
        viewBox=f"0 0 {WIDTH} {bottom + 20:.0f}",
        role="img",
        class_="timeline",
    )


Lane = tuple[float, Callable[[float], list[Markup]]]
"""Its height, and what draws it from a top edge on."""


def _lanes(deal: Deal, axis: Axis, alerts: Sequence[AlertState]) -> Iterator[Lane]:
    dates, prices, amounts = (_steps(getattr(deal, name), value, axis) for name, value in _fields(deal))
    if any(value is not None for _, value in dates):
        yield 110, lambda top: _dates(deal, axis, dates, top)
    if any(value is not None for _, value in prices):
        base = deal.baseline
        yield (
            64,
            lambda top: _line(
                "Discount", "prices", deal.prices, axis, prices, top, lambda bp: f"{format_percent(bp)} %", 0, base
            ),
        )
    if any(value is not None for _, value in amounts):
        yield (
            56,
            lambda top: _line(
                "Annual amount", "amounts", deal.amounts, axis, amounts, top, lambda c: short_money(c, deal.currency), 0
            ),
        )
    if deal.stage or deal.stages:
        yield BAR + 4, lambda top: _stages(deal, axis, top)
    if deal.touches:
        yield BAR, lambda top: _touches(deal, axis, top)
    shown = sorted(alerts, key=lambda alert: (alert.since or alert.opened_at, alert.rule))
    if shown:
        yield len(shown) * BAR, lambda top: _flags(shown, axis, top)


def _fields(deal: Deal) -> tuple[tuple[str, int | None], ...]:
    return ("dates", deal.close_date), ("prices", deal.discount), ("amounts", deal.annual_amount)


def _steps(moves: Sequence[Any], now: Any, axis: Axis) -> Points:
    """A field's values over time: from its moves, and from what it is now where it never moved."""
    if not moves:
        return [(axis.begin, now)]
    first = [] if moves[0].old is None else [(axis.begin, moves[0].old)]
    return [*first, *((move.at, move.new) for move in moves)]


# --- parts of lanes -----------------------------------------------------------------------------------------------


def _grid(axis: Axis, bottom: float) -> Iterator[Markup]:
    for at in _months(axis):
        when = datetime.fromtimestamp(at / 1000, UTC)
        said = f"{when:%b}" if when.month > 1 else f"{when:%Y}"
        yield element("line", x1=axis.x(at), x2=axis.x(at), y1=TOP - 10, y2=bottom, class_="month")
        if axis.x(at) < WIDTH - RIGHT - 16 and not -14 < axis.x(axis.now) - axis.x(at) < 48:
            yield element("text", said, x=axis.x(at) + 4, y=bottom + 14, class_="tick")
    for period in axis.periods():
        x = axis.x(period.end_at)
        yield element("line", x1=x, x2=x, y1=TOP - 14, y2=bottom, class_="period")
        yield element("text", f"{period.label} ends", x=x - 4, y=TOP - 20, class_="period", text_anchor="end")
    yield element("line", x1=axis.x(axis.now), x2=axis.x(axis.now), y1=TOP - 10, y2=bottom, class_="now")


def _months(axis: Axis) -> Iterator[int]:
    """The first of each month, or of each quarter or year where there are many."""
    months = (axis.end - axis.begin) / (30 * DAY)
    every = 1 if months <= 14 else 3 if months <= 42 else 12
    when = datetime.fromtimestamp(axis.begin / 1000, UTC)
    year, month = when.year, when.month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        at = int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)
        if at >= axis.end:
            return
        if (month - 1) % every == 0:
            yield at


def _name(said: str, top: float, height: float, value: str = "") -> list[Markup]:
    middle = top + height / 2 + (0 if value else 4)
    found = [element("text", said, x=LEFT - 14, y=middle, class_="lane", text_anchor="end")]
    if value:
        found.append(element("text", value, x=LEFT - 14, y=middle + 16, class_="value", text_anchor="end"))
    return found


def _path(points: Points, axis: Axis, y: Callable[[Any], float]) -> Markup:
    said: list[str] = []
    drawn = False
    for at, value in points:
        if value is None:
            if drawn:
                said.append(f"H{axis.x(at):.1f}")
            drawn = False
            continue
        said.append(f"H{axis.x(at):.1f}V{y(value):.1f}" if drawn else f"M{axis.x(at):.1f} {y(value):.1f}")
        drawn = True
    if drawn:
        said.append(f"H{axis.x(axis.now):.1f}")
    return element("path", d="".join(said), class_="line")


def _dots(name: str, moves: Iterable[Any], axis: Axis, y: Callable[[Any], float]) -> Iterator[Markup]:
    for move in moves:
        if move.new is None or move.old is None:
            continue
        about = LABEL[name]
        said = f"{moment(move.at, axis.zone)}: {about.noun} {about.shown(move.old)} to {about.shown(move.new)}"
        title = element("title", f"{said}; {WHY[move.why]}")
        kind = "counts" if move.why == COUNTS else "aside"
        yield element("circle", title, cx=axis.x(move.at), cy=y(move.new), r=4.5, class_=f"move {kind}")


# --- lanes --------------------------------------------------------------------------------------------------------


def _dates(deal: Deal, axis: Axis, points: Points, top: float) -> list[Markup]:
    height = 110
    known = [value for _, value in points if value is not None]
    ends = [axis.calendar.period_of_day(value).end_day for value in known]
    low, high = min(known), max(*known, *ends)
    high = max(high, low + 14)

    def y(value: int) -> float:
        return float(top + height * (high - value) / (high - low))

    parts = []
    for end in sorted(set(ends)):
        label = axis.calendar.period_of_day(end).label
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(end), y2=y(end), class_="end"))
        parts.append(element("text", f"end of {label}", x=LEFT + 4, y=y(end) - 4, class_="tick"))
    last = "none" if deal.close_date is None else day(format_date(deal.close_date))
    parts += [_path(points, axis, y), *_dots("dates", deal.dates, axis, y)]
    return parts + _name("Close date", top, height, last)


def _line(
    said: str,
    name: str,
    moves: Sequence[Any],
    axis: Axis,
    points: Points,
    top: float,
    shown: Callable[[int], str],
    low: int,
    base: int | None = None,
) -> list[Markup]:
    height = 64 if base is not None else 56
    known = [value for _, value in points if value is not None] + ([base] if base is not None else [])
    low = min(low, *known) if known else low
    high = max(max(known) * 115 // 100, low + 1)

    def y(value: int) -> float:
        return float(top + height * (high - value) / (high - low))

    parts = [element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(low), y2=y(low), class_="floor")]
    if base is not None:
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(base), y2=y(base), class_="base"))
        parts.append(
            element(
                "text",
                f"first priced at {shown(base)}",
                x=WIDTH - RIGHT,
                y=y(base) - 5,
                class_="tick",
                text_anchor="end",
            )
        )
    parts += [_path(points, axis, y), *_dots(name, moves, axis, y)]
    last = points[-1][1]
    return parts + _name(said, top, height, "" if last is None else shown(last))


def _stages(deal: Deal, axis: Axis, top: float) -> list[Markup]:
    spans = [(at, stage) for at, stage in _steps(deal.stages, deal.stage, axis) if stage]
    ends = [at for at, _ in spans[1:]] + [axis.now]
    parts = []
    for number, ((at, stage), end) in enumerate(zip(spans, ends, strict=True)):
        left, width = axis.x(at), max(axis.x(end) - axis.x(at), 1.0)
        name = clean(stage, 60)
        title = element("title", f"{name}, from {moment(at, axis.zone)}")
        tone = f"stage s{min(number, 5)}"
        parts.append(element("rect", title, x=left, y=top, width=width, height=BAR + 2, rx=3, class_=tone))
        room = int(width / 7) - 1
        if room >= 4:
            said = name if len(name) <= room else name[: room - 1] + "…"
            parts.append(element("text", said, x=left + 6, y=top + 15, class_="in-stage"))
    return parts + _name("Stage", top, BAR + 2)


def _touches(deal: Deal, axis: Axis, top: float) -> list[Markup]:
    middle = top + BAR / 2
    parts: list[Markup] = [element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=middle, y2=middle, class_="floor")]
    for touch in deal.touches:
        x = axis.x(touch.at)
        title = element(
            "title", f"{moment(touch.at, axis.zone)}: {'from the buyer' if touch.inbound else 'to the buyer'}"
        )
        if touch.inbound:
            parts.append(element("circle", title, cx=x, cy=middle, r=5, class_="touch in"))
        else:
            parts.append(element("line", title, x1=x, x2=x, y1=middle - 7, y2=middle + 7, class_="touch out"))
    return parts + _name("Touches", top, BAR)


def _flags(alerts: Sequence[AlertState], axis: Axis, top: float) -> list[Markup]:
    parts = []
    for number, alert in enumerate(alerts):
        y = top + number * BAR
        begin, end = alert.since or alert.opened_at, alert.closed_at or axis.now
        ended = "taken back" if alert.retracted else "over" if alert.closed_at else "open"
        said = f"{alert.rule}: {alert.severity}, since {moment(begin, axis.zone)}, {ended}"
        kind = "retracted" if alert.retracted else "past" if alert.closed_at else ""
        box: dict[str, Content] = {"x": axis.x(begin), "y": y + 4, "width": max(axis.x(end) - axis.x(begin), 5.0)}
        class_ = f"flag {alert.severity} {kind}".strip()
        parts.append(element("rect", element("title", said), **box, height=BAR - 9, rx=3, class_=class_))
        link = element(
            "a",
            element("text", alert.rule, x=LEFT - 14, y=y + 14, class_="rule", text_anchor="end"),
            href=f"/rules/{alert.rule}",
        )
        parts.append(link)
    return parts
