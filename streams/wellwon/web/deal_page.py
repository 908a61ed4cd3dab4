"""A deal's page: what is open, the timeline, and why each rule holds or does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, urlencode

from wellwon.core.model import LOST, WON
from wellwon.core.records import short_money
from wellwon.core.units import format_date, format_percent
from wellwon.deliver.items import Win
from wellwon.history.report.markup import Content, Markup, element
from wellwon.policy.explain import FAILED, HOLDS, IS_OFF, OTHER_TYPE, SILENT, UNKNOWN, Answer
from wellwon.policy.people import People
from wellwon.sinks.words import clean, day, moment, sentence
from wellwon.web import frame
from wellwon.web.board import Board
from wellwon.web.deals import Known
from wellwon.web.filters import name_of
from wellwon.web.rows import row
from wellwon.web.timeline import plot

VERDICTS: Final = (
    (HOLDS, "Holds now", True),
    (SILENT, "Does not hold", False),
    (UNKNOWN, "Not enough is known", False),
    (OTHER_TYPE, "For other types of deals", False),
    (IS_OFF, "Switched off", False),
    (FAILED, "Failed", True),
)
_STATUS: Final = {WON: "won", LOST: "lost"}
READINGS: Final = {
    "earned": "won well",
    "mixed": "won, with something given",
    "pressured": "won under pressure",
    "unknown": "won; how is not known",
}


def page(known: Known, board: Board, around: frame.Frame, people: People, boot: str) -> str:
    """The whole page."""
    deal, deal_id, zone = known.state.now, known.explanation.deal_id, around.zone
    standings = [one for one in board.of_deal(deal_id) if around.viewer.sees_alert(one.alert)]
    win = board.wins.get(deal_id)
    rows = [row(board, one, people, zone, alone=True) for one in standings]
    drawn = plot(deal, known.state.at, known.state.alerts, known.ruleset.calendar, zone)
    content = [
        frame.title(clean(deal.name, 200) or deal_id),
        element("dl", *_facts(known, people), class_="facts"),
        _won(win) if win is not None and not win.withdrawn else "",
        element("ol", *rows, class_="alerts", id="alerts") if rows else "",
        element("h2", "Timeline"),
        element("div", drawn, class_="scroll", tabindex="0", role="region", aria_label="Timeline"),
        _legend(),
        _moves(known, zone),
        element("h2", "Why each rule holds, or does not"),
        *_answers(known, zone),
        element(
            "p", f"As of {moment(known.state.at, zone)} ({zone}), policy {known.policy.fingerprint}.", class_="soft"
        ),
        element("p", "", id="toast", class_="toast", role="status"),
    ]
    query = urlencode({"deal": deal_id})
    data = {"data_events": f"/events?{query}", "data_since": f"{boot}-{board.number}"}
    body = element("div", *content, id="board", class_="deal-page", data_refresh="", **data)
    return frame.page(around, f"/deals/{quote(deal_id, safe='')}", clean(deal.name, 80) or deal_id, body)


def _facts(known: Known, people: People) -> Iterator[Markup]:
    said, deal = known.explanation, known.state.now
    facts: dict[str, str] = {
        "Amount": short_money(deal.amount, deal.currency),
        "Discount": "" if deal.discount is None else f"{format_percent(deal.discount)} %",
        "Closes": "" if deal.close_date is None else day(format_date(deal.close_date)),
        "Stage": clean(deal.stage, 60),
        "Forecast": clean(deal.category.replace("_", " "), 40),
        "Status": _STATUS.get(deal.status, ""),
        "Owner": name_of(deal.owner, people) if deal.owner else "",
        "Segment": clean(said.segment, 40) if said.segment != "default" else "",
        "Type": clean(said.deal_type, 40),
    }
    for name, value in facts.items():
        if value:
            yield element("div", element("dt", name), element("dd", element("bdi", value)))


def _won(win: Win) -> Markup:
    said = f"{sentence(READINGS.get(win.reading, win.reading))} On {day(win.won_at[:10])}."
    return element("p", element("span", "", class_=f"key {win.reading}"), said, class_="won")


def _legend() -> Markup:
    keys = (
        ("dot counts", "counts as behaviour"),
        ("dot aside", "does not count: machine, correction, buyer's date …"),
        ("dot in", "from the buyer"),
        ("tick out", "to the buyer"),
    )
    shown = (element("span", element("span", "", class_=f"key {key}"), said) for key, said in keys)
    return element("p", *shown, class_="legend")


def _moves(known: Known, zone: str) -> Markup:
    head = element("tr", *(element("th", name, scope="col") for name in ("when", "what", "from", "to", "counts?")))
    rows = [
        element(
            "tr",
            element("td", moment(one.at, zone)),
            element("td", one.field),
            element("td", element("bdi", clean(one.before, 60))),
            element("td", element("bdi", clean(", ".join((one.after, *one.also)), 80))),
            element("td", one.why),
        )
        for one in reversed(known.explanation.moves)
    ]
    if not rows:
        return element("p", "Nothing has moved since the first change.", class_="soft")
    table = element("div", element("table", element("thead", head), element("tbody", *rows)), class_="scroll")
    return element("details", element("summary", f"{len(rows)} moves, as a table"), table, class_="fold")


def _answers(known: Known, zone: str) -> Iterator[Content]:
    for verdict, heading, open_ in VERDICTS:
        these = [answer for answer in known.explanation.answers if answer.verdict == verdict]
        if not these:
            continue
        items = element("dl", *_each(these, zone), class_="why")
        summary = element("summary", heading, element("span", str(len(these)), class_="number"))
        yield element("details", summary, items, class_="fold", open="" if open_ else None)


def _each(answers: Iterable[Answer], zone: str) -> Iterator[Markup]:
    for answer in answers:
        yield element("dt", element("a", answer.rule, href=f"/rules/{answer.rule}"), *_since(answer, zone))
        yield element("dd", *(element("p", line) for line in _lines(answer, zone)))


def _since(answer: Answer, zone: str) -> Iterator[Content]:
    if answer.verdict == HOLDS:
        since = f", since {moment(answer.since, zone)}" if answer.since else ""
        yield element("span", f"{answer.severity}{since}", class_=f"tag {answer.severity}")


def _lines(answer: Answer, zone: str) -> Iterator[str]:
    if answer.verdict == HOLDS:
        yield sentence(clean(answer.title, 200))
        yield sentence(f"looked for: {clean(answer.evidence['threshold'], 300)}")
        yield sentence(f"clears if {clean(answer.evidence['clears'], 300)}")
        for untold in answer.untold:
            yield sentence(f"not told: {clean(untold, 200)}")
        return
    for number, reason in enumerate(answer.why):
        words = ", and ".join(clean(said, 300) for said in reason.said)
        yield sentence(f"{'or ' if number else ''}{words}")
    if answer.last is not None:
        taken = ", and was taken back" if answer.last.retracted else ""
        began, ended = moment(answer.last.opened_at, zone), moment(answer.last.closed_at, zone)
        yield f"It last held from {began} to {ended}{taken}."
