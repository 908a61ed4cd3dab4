"""An open alert as the page shows it: closed a line of what happened, open the reason, what clears it, and answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from wellwon.core.units import format_instant
from wellwon.deliver.cards import AlertCard, Said
from wellwon.deliver.items import ACKNOWLEDGED, SNOOZED, Alert, Reply
from wellwon.history.report.markup import Content, Markup, element
from wellwon.policy.people import People
from wellwon.sinks.layout import ANSWERS, NOT_RIGHT, layout
from wellwon.sinks.words import clean, day, moment, money
from wellwon.web.board import Board, Standing
from wellwon.web.filters import name_of

SEVERITY: Final = {"high": "High", "warning": "Warning", "info": "Info"}
SNOOZES: Final = ((24, "a day"), (72, "3 days"), (168, "a week"))


def deal_path(deal: str) -> str:
    """Address of a deal's timeline."""
    return f"/deals/{quote(deal, safe='')}"


def what(alert: Alert) -> str:
    """What happened, without the customer and the amount that its title begins with."""
    said = clean(alert.title, 200)
    try:
        mark = f" - {money(alert.amount, alert.currency)} - "
    except ValueError:
        return said
    before, found, after = said.rpartition(mark)
    return after if found and before else said


def row(board: Board, standing: Standing, people: People, zone: str, *, alone: bool = False) -> Markup:
    """A headline with what came from the same save; ``zone`` is the reader's. ``alone``: on its deal's own page."""
    alert, said = standing.alert, board.said(standing)
    others = board.together(alert.fingerprint)
    return element(
        "li",
        element(
            "details",
            element("summary", *_summary(standing, others, said, zone, alone=alone)),
            element("div", *_body(alert, others, said, people, zone, alone=alone), class_="more"),
            open="" if alone else None,
        ),
        class_=f"alert {alert.severity if alert.severity in SEVERITY else 'info'}",
        data_mark=alert.fingerprint,
        data_at=str(standing.at),
    )


def _summary(
    standing: Standing, others: list[Alert], said: Iterable[Reply], zone: str, *, alone: bool
) -> Iterable[Content]:
    alert = standing.alert
    yield element("span", SEVERITY.get(alert.severity, "Info"), class_="severity")
    if alone:
        yield element("span", what(alert), class_="deal wide")
    elif alert.opportunity_id:
        yield element("bdi", clean(alert.name or alert.opportunity_id, 90), class_="deal")
        yield element("span", _amount(alert), class_="amount")
        yield element("span", what(alert), class_="what")
    else:
        yield element("bdi", clean(alert.title, 150), class_="deal wide")
    if others:
        yield element("span", f"+{len(others)}", class_="others", title=f"{len(others)} more from the same save")
    states = [one for one in said if one.kind != "noted"]
    if states:
        last = {ACKNOWLEDGED: "seen", SNOOZED: "later"}.get(states[-1].kind, "answered")
        yield element("span", last, class_="said")
    at = moment(standing.at, zone)
    day_, month, _, time = at.split(" ")
    yield element("time", f"{day_} {month}, {time}", datetime=format_instant(standing.at), title=f"{at} ({zone})")


def _amount(alert: Alert) -> str:
    try:
        return money(alert.amount, alert.currency) if alert.amount is not None else "no amount"
    except ValueError:
        return clean(alert.amount, 20)


def _body(
    alert: Alert, others: list[Alert], replies: Iterable[Reply], people: People, zone: str, *, alone: bool
) -> Iterable[Content]:
    said = tuple(Said(one.kind, one.answer, one.by, one.note, 0) for one in replies)
    parts = layout(AlertCard(alert, tuple(others), said), zone=zone)
    for line in parts.lines:
        yield element("p", line)
    for section in parts.sections:
        yield element("p", section.heading, class_="soft")
        yield element("ul", *(element("li", what_with_rule(one)) for one in others))
    yield element("p", *_about(alert, people), class_="about")
    yield element(
        "div", *_answers(alert, parts.answers, alone=alone), class_="answers", role="group", aria_label="Answer"
    )


def what_with_rule(alert: Alert) -> str:
    """What happened, and the rule that says so."""
    return f"{what(alert)} ({alert.rule})"


def _about(alert: Alert, people: People) -> Iterable[Content]:
    yield element("a", alert.rule, href=f"/rules/{quote(alert.rule, safe='')}")
    if alert.owner_id:
        yield element("bdi", name_of(alert.owner_id, people))
    if alert.segment and alert.segment != "default":
        yield element("span", clean(alert.segment, 40))
    if alert.close_date:
        yield element("span", f"closes {day(alert.close_date)}")
    if alert.period:
        yield element("span", clean(alert.period, 40))
    if alert.mode != "alert":
        yield element("span", "in shadow: told to no one")


def _answers(alert: Alert, answers: tuple[str, ...], *, alone: bool) -> Iterable[Content]:
    if alert.opportunity_id and not alone:
        yield element("a", "Timeline", href=deal_path(alert.opportunity_id), class_="button strong", data_key="t")
    for answer in answers:
        if answer != "not_right":
            yield _button(ANSWERS[answer], kind="answered", answer=answer)
    yield _menu("Not right because…", (("answered", "not_right", note, said) for note, said in NOT_RIGHT.items()), "n")
    yield _button("Seen", kind=ACKNOWLEDGED, key="a")
    yield _menu("Later", ((SNOOZED, "", str(hours), f"In {said}") for hours, said in SNOOZES), "s")


def _button(said: str, *, kind: str, answer: str = "", value: str = "", key: str | None = None) -> Markup:
    return element(
        "button",
        said,
        type="button",
        data_kind=kind,
        data_answer=answer or None,
        data_value=value or None,
        data_key=key,
    )


def _menu(said: str, options: Iterable[tuple[str, str, str, str]], key: str) -> Markup:
    buttons = (_button(text, kind=kind, answer=answer, value=value) for kind, answer, value, text in options)
    return element(
        "details", element("summary", said, class_="button", data_key=key), element("div", *buttons), class_="menu"
    )
