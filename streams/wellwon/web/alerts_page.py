"""The page of open alerts, and the parts of it that change while somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wellwon.deliver.items import Alert
from wellwon.history.report.markup import Markup, element
from wellwon.policy.people import People
from wellwon.web import frame
from wellwon.web.access import Viewer
from wellwon.web.board import Board, Standing
from wellwon.web.filters import SHADOW, SNOOZED, STANDING, Filter, choices, seen_by
from wellwon.web.rows import SEVERITY, row

SHOWN: Final = 100
"""Alerts on the page at first; more are a click away."""
SHOWN_MAX: Final = 2_000
KEYS: Final = (
    ("j k", "next, previous alert"),
    ("Enter", "open, close it"),
    ("t", "the deal's timeline"),
    ("a", "seen"),
    ("s", "later"),
    ("n", "not right because…"),
    ("f", "filters"),
    ("?", "this list"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked for, counted and cut to what is shown."""

    standings: list[Standing]
    total: int
    by_severity: dict[str, int]


def listing(board: Board, viewer: Viewer, wanted: Filter, shown: int, now: int) -> Listing:
    """The headlines that somebody asked for and may see, the newest first."""
    found = [one for one in board.headlines(seen_by(viewer, wanted)) if fits(board, one, wanted, now)]
    counts = dict.fromkeys(SEVERITY, 0)
    for one in found:
        counts[one.alert.severity] = counts.get(one.alert.severity, 0) + 1
    return Listing(found[:shown], len(found), counts)


def fits(board: Board, standing: Standing, wanted: Filter, now: int) -> bool:
    """Whether a headline is snoozed just when snoozed ones are asked for."""
    return wanted.show == SHADOW or (board.snoozed_until(standing) > now) == (wanted.show == SNOOZED)


def counts(found: Listing, wanted: Filter) -> Markup:
    """How many there are, above the list."""
    words = {STANDING: "open", SNOOZED: "snoozed", SHADOW: "in shadow"}
    if not found.total:
        return element("p", "", id="counts", class_="counts", aria_live="polite")
    parts = [element("span", element("b", f"{found.total:,}"), f" {words[wanted.show]}")]
    for severity, name in SEVERITY.items():
        if found.by_severity.get(severity):
            said = f"{found.by_severity[severity]:,} {name.lower()}"
            parts.append(element("span", said, class_=f"count {severity}"))
    return element("p", *parts, id="counts", class_="counts", aria_live="polite")


def page(board: Board, around: frame.Frame, people: People, wanted: Filter, shown: int, now: int, boot: str) -> str:
    """The whole page. ``boot``: which run of the server this is, for who comes back to another."""
    found = listing(board, around.viewer, wanted, shown, now)
    rows = (row(board, one, people, around.zone) for one in found.standings)
    content = [
        frame.title("Alerts", counts(found, wanted)),
        _filters(board, around.viewer, people, wanted),
        element(
            "section",
            element("ol", *rows, id="alerts", class_="alerts", aria_label="Open alerts, the newest first"),
            _nothing(wanted, hidden=bool(found.total)),
            _more(found, wanted),
            id="board",
            data_events=f"/events?{wanted.query()}",
            data_since=f"{boot}-{board.number}",
        ),
        element("p", f"{board.dropped:,} older alerts are not shown: there is no room for more.", class_="soft")
        if board.dropped
        else "",
        element("p", "", id="toast", class_="toast", role="status"),
        _keys(),
    ]
    return frame.page(around, "/", "Alerts", *content)


def _nothing(wanted: Filter, *, hidden: bool) -> Markup:
    if wanted.filtered:
        said = [element("p", "Nothing matches."), element("p", element("a", "Show every open alert", href="/"))]
    else:
        said = [
            element("p", "Nothing is open.", class_="large"),
            element("p", "When a deal is pushed instead of won, it shows up here by itself.", class_="soft"),
        ]
    return element("div", *said, id="nothing", class_="nothing", hidden="" if hidden else None)


def _more(found: Listing, wanted: Filter) -> Markup:
    left = found.total - len(found.standings)
    if not left or len(found.standings) >= SHOWN_MAX:
        said = f"The {SHOWN_MAX:,} newest are shown: filter for the others." if left else ""
        return element("p", said, class_="more-of-them soft")
    next_ = min(SHOWN_MAX, len(found.standings) + 4 * SHOWN)
    query = f"{wanted.query()}&shown={next_}".lstrip("&")
    return element("p", element("a", f"{left:,} more", href=f"/?{query}", class_="button"), class_="more-of-them")


def _filters(board: Board, viewer: Viewer, people: People, wanted: Filter) -> Markup:
    there: list[Alert] = [one.alert for one in board.open.values() if viewer.sees_alert(one.alert)]
    options = choices(there, people, wanted)
    shows = [(SNOOZED, "Snoozed")] + ([(SHADOW, "In shadow")] if viewer.everything else [])
    severities = [(value, said) for value, said in SEVERITY.items()]
    owner = frame.select("owner", "Owner", options.owners, wanted.owner, "Everyone's")
    return element(
        "form",
        frame.select("rule", "Rule", options.rules, wanted.rule, "Every rule"),
        owner if len(options.owners) > 1 else "",
        frame.select("segment", "Segment", options.segments, wanted.segment, "Every segment")
        if len(options.segments) > 1
        else "",
        frame.select("period", "Period", options.periods, wanted.period, "Every period"),
        frame.select("severity", "Severity", severities, wanted.severity, "Any"),
        frame.select("show", "Show", shows, wanted.show, "Open"),
        element("noscript", element("button", "Filter")),
        element("a", "Clear", href="/", class_="clear", hidden=None if wanted.filtered else ""),
        id="filters",
        class_="filters",
        method="get",
        action="/",
        aria_label="Filters",
    )


def _keys() -> Markup:
    rows = []
    for keys, said in KEYS:
        rows += [element("dt", *(element("kbd", key) for key in keys.split())), element("dd", said)]
    return element(
        "dialog",
        element("h2", "Keys"),
        element("dl", *rows),
        element("form", element("button", "Close"), method="dialog"),
        id="keys",
        aria_label="Keys",
    )
