"""How deals were won, and at what discount, by the days left in the period. Deals are counted, never people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from wellwon.core.units import parse_percent
from wellwon.deliver.items import Win
from wellwon.history.report.markup import Markup, element
from wellwon.sinks.words import clean, day, money
from wellwon.web import frame
from wellwon.web.board import Board
from wellwon.web.rows import deal_path

READINGS: Final = {"earned": "won well", "mixed": "mixed", "pressured": "pressured", "unknown": "not known"}
KNOWN: Final = ("earned", "mixed", "pressured")
SPANS: Final = ((30, "30 or more"), (14, "14 to 29"), (7, "7 to 13"), (3, "3 to 6"), (0, "last 3 days"))
"""Days left in the period when a deal was won: the least of each class."""
FEW: Final = 5
"""A share of fewer wins than this is shown faint: one more would change it."""
LATEST: Final = 25
WIDTH, LEFT, COLUMN, HIGH = 760, 70, 134, 190


@dataclass(slots=True)
class Class:
    """Wins with so many days left."""

    name: str
    readings: Counter[str] = field(default_factory=Counter)
    discounts: list[int] = field(default_factory=list)
    """Hundredths of a point."""

    @property
    def known(self) -> int:
        """Wins of which it is known how they were won."""
        return sum(self.readings[reading] for reading in KNOWN)

    @property
    def won_well(self) -> float | None:
        """Share of the known ones that were won well, None where there are none."""
        return self.readings["earned"] / self.known if self.known else None

    @property
    def discount(self) -> float | None:
        """Mean discount in percent, None where none is known."""
        return sum(self.discounts) / len(self.discounts) / 100 if self.discounts else None


def classes(wins: Iterable[Win]) -> list[Class]:
    """Wins by the days that were left, the most first."""
    found = [Class(name) for _, name in SPANS]
    for win in wins:
        place = next((i for i, (least, _) in enumerate(SPANS) if win.days_to_period_end >= least), len(SPANS) - 1)
        found[place].readings[win.reading if win.reading in READINGS else "unknown"] += 1
        if win.discount_percent is not None:
            found[place].discounts.append(parse_percent(win.discount_percent))
    return found


def page(board: Board, around: frame.Frame, query: Mapping[str, str]) -> str:
    """The whole page; ``query`` may name a period and a segment."""
    theirs = [win for win in board.wins.values() if not win.withdrawn and around.viewer.sees(win.owner_id)]
    period, segment = query.get("period", ""), query.get("segment", "")
    wins = [win for win in theirs if period in ("", win.period) and segment in ("", win.segment)]
    wins.sort(key=lambda win: win.won_at, reverse=True)
    found = classes(wins)
    total = Class("", sum((one.readings for one in found), Counter()), [d for one in found for d in one.discounts])
    return frame.page(
        around,
        "/wins",
        "Wins",
        frame.title("How deals were won"),
        _filters(theirs, period, segment),
        *(_shown(found, total, wins) if wins else [_nothing(bool(theirs))]),
    )


def _nothing(others: bool) -> Markup:
    said = "No win matches." if others else "No win yet. A deal that is won shows up here a day later at the latest."
    return element("div", element("p", said, class_="large"), class_="nothing")


def _shown(found: list[Class], total: Class, wins: list[Win]) -> Iterator[Markup]:
    yield element("p", _lead(total, len(wins)), class_="lead")
    yield element(
        "figure",
        element("figcaption", "Won how, and the mean discount, by days left in the period"),
        element("div", _plot(found), class_="scroll", tabindex="0", role="region", aria_label="Plot"),
        _legend(),
        _table([*found, total]),
    )
    yield element("h2", "The latest")
    yield element("ol", *(_win(win) for win in wins[:LATEST]), class_="wins")


def _lead(total: Class, wins: int) -> str:
    said = f"{wins:,} win{'s' * (wins != 1)}"
    if total.won_well is not None:
        said += f"; of the {total.known:,} with known facts {_share(total.won_well)} were won well"
    if total.discount is not None:
        said += f"; the mean discount was {total.discount:.1f} %"
    return said + "."


def _filters(wins: list[Win], period: str, segment: str) -> Markup:
    periods = [(one, clean(one, 40)) for one in sorted({win.period for win in wins} - {""}, reverse=True)]
    segments = [(one, clean(one, 60)) for one in sorted({win.segment for win in wins} - {""})]
    return element(
        "form",
        frame.select("period", "Period", periods, period, "Every period"),
        frame.select("segment", "Segment", segments, segment, "Every segment") if len(segments) > 1 else "",
        element("noscript", element("button", "Filter")),
        element("a", "Clear", href="/wins", class_="clear", hidden=None if period or segment else ""),
        id="filters",
        class_="filters",
        method="get",
        action="/wins",
        aria_label="Filters",
    )


def _plot(found: list[Class]) -> Markup:
    parts: list[Markup] = []
    for share in (0, 25, 50, 75, 100):
        y = 20 + HIGH * (100 - share) / 100
        parts.append(element("line", x1=LEFT, x2=WIDTH - 10, y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"{share} %", x=LEFT - 8, y=y + 4, text_anchor="end"))
    for number, one in enumerate(found):
        parts += _column(one, LEFT + number * COLUMN + 20)
    discounts = [one.discount for one in found if one.discount is not None]
    if discounts:
        parts += _discounts(found, max(*discounts, 1.0))
    return element(
        "svg",
        element("title", "Wins by days left in the period"),
        *parts,
        viewBox=f"0 0 {WIDTH} {HIGH + 170}",
        role="img",
        class_="wins",
    )


def _column(one: Class, left: float) -> Iterator[Markup]:
    top: float = 20
    faint = " few" if one.known < FEW else ""
    for reading in ("pressured", "mixed", "earned"):
        height = HIGH * one.readings[reading] / one.known if one.known else 0
        if height:
            said = element("title", f"{one.name}: {one.readings[reading]} {READINGS[reading]} of {one.known}")
            box = {"x": left, "y": top, "width": COLUMN - 40, "height": height}
            yield element("rect", said, **box, class_=reading + faint)
        top += height
    middle = left + (COLUMN - 40) / 2
    if one.won_well is not None:
        share = _share(one.won_well)
        yield element("text", share, x=middle, y=14 + HIGH, class_=f"inside{faint}", text_anchor="middle")
    yield element("text", one.name, x=middle, y=HIGH + 40, text_anchor="middle", class_="note")
    yield element("text", f"n = {sum(one.readings.values()):,}", x=middle, y=HIGH + 57, text_anchor="middle")


def _discounts(found: list[Class], most: float) -> Iterator[Markup]:
    top, height = HIGH + 92, 70
    yield element("text", "discount", x=LEFT - 8, y=top + height / 2 + 4, text_anchor="end")
    yield element("line", x1=LEFT, x2=WIDTH - 10, y1=top + height, y2=top + height, class_="grid")
    for number, one in enumerate(found):
        if one.discount is None:
            continue
        left, tall = LEFT + number * COLUMN + 20, height * one.discount / (most * 1.25)
        faint = " few" if len(one.discounts) < FEW else ""
        box = {"x": left, "y": top + height - tall, "width": COLUMN - 40, "height": max(tall, 1.0)}
        yield element("rect", **box, class_=f"discount{faint}")
        middle, y = left + (COLUMN - 40) / 2, top + height - tall - 6
        yield element("text", f"{one.discount:.1f} %", x=middle, y=y, text_anchor="middle", class_="note")


def _legend() -> Markup:
    keys = (element("span", element("span", "", class_=f"key {key}"), READINGS[key]) for key in KNOWN)
    return element("p", *keys, element("span", f"faint: fewer than {FEW}"), class_="legend")


def _table(found: list[Class]) -> Markup:
    names = ("days left", "wins", "won well", "mixed", "pressured", "not known", "won-well rate", "mean discount")
    rows = []
    for one in found:
        cells = [f"{sum(one.readings.values()):,}", *(f"{one.readings[reading]:,}" for reading in READINGS)]
        cells.append("–" if one.won_well is None else _share(one.won_well))
        cells.append("–" if one.discount is None else f"{one.discount:.1f} %")
        head = element("th", one.name or "all", scope="row")
        rows.append(element("tr", head, *(element("td", cell) for cell in cells)))
    header = element("tr", *(element("th", name, scope="col") for name in names))
    table = element("table", element("thead", header), element("tbody", *rows))
    return element("details", element("summary", "The numbers"), element("div", table, class_="scroll"), class_="fold")


def _win(win: Win) -> Markup:
    reading = win.reading if win.reading in READINGS else "unknown"
    said = READINGS[reading] if reading != "unknown" else "how is not known"
    return element(
        "li",
        element("span", "", class_=f"key {reading}"),
        element("a", element("bdi", clean(win.name or win.opportunity_id, 90)), href=deal_path(win.opportunity_id)),
        element("span", _money(win), class_="amount"),
        element("span", said, class_="soft"),
        element("time", day(win.won_at[:10]), datetime=win.won_at),
    )


def _share(share: float) -> str:
    return f"{share * 100:.0f} %"


def _money(win: Win) -> str:
    try:
        return money(win.amount, win.currency) if win.amount is not None else ""
    except ValueError:
        return clean(win.amount, 20)
