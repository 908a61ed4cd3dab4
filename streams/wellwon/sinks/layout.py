"""The parts of a message, before a sink gives them its form: customer first, what changed, how to clear it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Final
from urllib.parse import quote

from wellwon.core.lifecycle import RETRACTED
from wellwon.core.win import EARNED
from wellwon.deliver.cards import AlertCard, CallCard, Card, DigestCard, DigestLine, HandoverCard, Said, Sum, WinCard
from wellwon.deliver.items import ACKNOWLEDGED, ANSWERED, SNOOZED, Alert, Win
from wellwon.sinks.words import clean, day, facts, moment, money, sentence, what_changed

ALERT, GOOD, OVER, NEWS = "alert", "good", "over", "news"
TONES: Final = (ALERT, GOOD, OVER, NEWS)

ANSWERS: Final = {
    "buyer_date": "Buyer gave date",
    "traded": "Record trade",
    "approved": "Approved",
    "legal": "With legal",
    "not_right": "Not right because…",
}
_BY_FAMILY: Final = {
    "price": ("traded", "approved"),
    "timing": ("buyer_date",),
    "pressure": ("buyer_date",),
    "forecast": ("buyer_date", "legal"),
    "stage": ("legal",),
}
NOT_RIGHT: Final = {
    "data": "The data is wrong",
    "buyer": "The buyer asked for it",
    "agreed": "It was agreed beforehand",
    "other": "Another reason",
}
_HELD: Final = {
    "quiet": "outside working hours",
    "cap": "beyond the day's messages",
    "small": "below the least amount",
    "old": "late news",
    "policy": "the policy was changed",
    "first": "found on first connection",
    "flood": "many at once",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line, and where it leads on the live page; empty: nowhere."""

    text: str
    link: str = ""


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (it may be empty) and its lines."""

    heading: str
    lines: tuple[Line, ...]

    @classmethod
    def plain(cls, heading: str, *lines: str) -> Section:
        """One of lines that lead nowhere."""
        return cls(heading, tuple((Span(line),) for line in lines))


@dataclass(frozen=True, slots=True)
class Layout:
    """A message's parts, as plain text."""

    tone: str
    title: str
    lines: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    answers: tuple[str, ...] = ()
    """What may be answered, of `ANSWERS`; where there is one, it may be acknowledged and snoozed as well."""
    deal: str = ""
    mark: str = ""
    link: str = ""
    """The deal's timeline on the live page, where there is one."""


def layout(card: Card, *, zone: str, page: str = "") -> Layout:
    """Lay a card out for a reader in a zone; ``page`` is the address of the live page."""
    match card:
        case AlertCard():
            return _alert(card, zone, page)
        case WinCard():
            return _win(card.win, page)
        case HandoverCard():
            return _handover(card, zone, page)
        case DigestCard():
            return _digest(card, page)
        case CallCard():
            return _call(card, zone, page)
        case _:
            raise TypeError(f"{type(card).__name__} is for machines")


def _link(page: str, deal: str) -> str:
    return f"{page.rstrip('/')}/deals/{quote(deal, safe='')}" if page and deal else ""


# --- alerts ---------------------------------------------------------------------------------------------------


def _alert(card: AlertCard, zone: str, page: str) -> Layout:
    alert = card.alert
    lines = [line for line in (*_body(alert, zone), *map(_said, card.said)) if line]
    if card.escalated:
        lines.insert(0, "Nobody has answered this yet.")
    sections = []
    if card.together:
        sections.append(Section.plain("From the same save", *map(_title, card.together)))
    over = not alert.open
    return Layout(
        tone=OVER if over else ALERT,
        title=_title(alert),
        lines=tuple(lines),
        sections=tuple(sections),
        answers=() if over else (*_BY_FAMILY.get(alert.family, ()), "not_right"),
        deal=alert.opportunity_id,
        mark=alert.fingerprint,
        link=_link(page, alert.opportunity_id),
    )


def _title(alert: Alert) -> str:
    return clean(alert.title, 150)


def _body(alert: Alert, zone: str) -> tuple[str, ...]:
    if not alert.open:
        return (
            ("Taken back: it did not happen that way.",) if alert.reason == RETRACTED else ("Nothing to do any more.",)
        )
    about = " ".join(sentence(fact) for fact in facts(alert, zone))
    threshold, clears = alert.evidence.get("threshold"), alert.evidence.get("clears")
    return (
        sentence(what_changed(alert, zone)),
        about,
        sentence(f"looked for: {clean(threshold)}") if threshold else "",
        sentence(f"clears if {clean(clears)}") if clears else "",
    )


def _said(said: Said) -> str:
    who = f" by {clean(said.by, 80)}" if said.by else ""
    words = {ACKNOWLEDGED: "Acknowledged", SNOOZED: "Snoozed", ANSWERED: f"Answered “{_answer(said.answer)}”"}
    note = f": {clean(said.note, 200)}" if said.note else ""
    return sentence(f"{words.get(said.kind, 'Noted')}{who}{note}")


def _answer(answer: str) -> str:
    return ANSWERS.get(answer, clean(answer, 40)).removesuffix(" because…").lower()


# --- wins -----------------------------------------------------------------------------------------------------


def _name(win: Win) -> str:
    return clean(win.name or win.opportunity_id, 80)


def _win(win: Win, page: str) -> Layout:
    if win.withdrawn:
        title = f"{_name(win)} - {money(win.amount, win.currency)} - no longer won"
        return Layout(OVER, title, deal=win.opportunity_id, link=_link(page, win.opportunity_id))
    title = f"{_name(win)} - {money(win.amount, win.currency)} - " + ("won well" if win.reading == EARNED else "won")
    return Layout(GOOD, title, (" ".join(_facts(win)),), deal=win.opportunity_id, link=_link(page, win.opportunity_id))


def _facts(win: Win) -> list[str]:
    price = {
        "yes": "The price held",
        "no": "The discount rose before the win",
        "unknown": "Whether the price held is not known",
    }
    date = {
        "yes": "The date held",
        "no": "The date moved before the win",
        "unknown": "Whether the date held is not known",
    }
    buyer = {
        "yes": "The buyer was in touch in the last 14 days",
        "no": "No answer of the buyer is recorded in the last 14 days",
    }
    discount = ""
    if win.discount_percent is not None:
        discount = f": {win.discount_percent} % discount"
        if win.baseline_percent not in (None, win.discount_percent):
            discount += f", first priced at {win.baseline_percent} %"
    moved = f", it stood at {day(win.date_before)} a month before" if win.date_before and win.date_held == "no" else ""
    said = [price[win.price_held] + discount + (", against a trade" if win.traded else ""), date[win.date_held] + moved]
    if win.buyer_answered in buyer:
        said.append(buyer[win.buyer_answered])
    return [sentence(one) for one in said]


def _handover(card: HandoverCard, zone: str, page: str) -> Layout:
    win = card.win
    if win.withdrawn:
        title = f"{_name(win)} - hand-over withdrawn: the deal is no longer won"
        return Layout(OVER, title, deal=win.opportunity_id, link=_link(page, win.opportunity_id))
    ask = []
    if win.price_held != "yes":
        ask.append("What was promised with the price, and to whom?")
    if win.date_held != "yes":
        ask.append("Which date matters to them, and what depends on it?")
    if win.buyer_answered != "yes":
        ask.append("Who will use it from the first day, and have they agreed to start?")
    ask.append("What would make them say, in a year, that this was right?")
    notes = tuple(f"{clean(one.note)}{f' ({clean(one.by, 80)})' if one.by else ''}" for one in card.notes if one.note)
    sections = [Section.plain("What is known", f"Won on {moment(win.won_at, zone)}.", *_facts(win))]
    if notes:
        sections.append(Section.plain("From the owner", *notes))
    sections.append(Section.plain("To ask at the kick-off", *ask))
    title = f"{_name(win)} - {money(win.amount, win.currency)} - hand-over"
    return Layout(NEWS, title, (), tuple(sections), deal=win.opportunity_id, link=_link(page, win.opportunity_id))


# --- digests --------------------------------------------------------------------------------------------------


def _digest(card: DigestCard, page: str) -> Layout:
    if card.first:
        about = "First look at your pipeline"
    elif all(line.reason == "policy" for line in card.lines):
        about = "The policy was changed"
    else:
        about = "Held back until now"
    title = f"{about}: {_many(card)} to review"
    behaviour = [line for line in card.lines if line.alert.family != "data"]
    data = [line for line in card.lines if line.alert.family == "data"]
    # Data quality and risk are never one list.
    headed = (("Deals", behaviour), ("Data to put right", data))
    sections = [Section(heading, tuple(_line(line, page) for line in lines)) for heading, lines in headed if lines]
    after = []
    if (more := card.total - len(card.lines)) > 0:
        after.append(f"And {more} more.")
    if card.settled:
        after.append(f"{card.settled} others were over before anybody had to be told.")
    if after:
        sections.append(Section.plain("", *after))
    return Layout(NEWS, title, (), tuple(sections))


def _many(card: DigestCard) -> str:
    """How much there is: a deal may have several headlines, and an owner's or a team's is of no deal."""
    deals = f"{card.deals} deal{'s' * (card.deals != 1)}"
    if card.total == card.deals:
        return deals
    alerts = f"{card.total} alert{'s' * (card.total != 1)}"
    return f"{alerts} on {deals}" if card.deals else alerts


def _line(line: DigestLine, page: str) -> Line:
    alert = line.alert
    more = f", and {line.more} more from the same save" if line.more else ""
    why = _HELD.get(line.reason, clean(line.reason, 40))
    return Span(_title(alert), _link(page, alert.opportunity_id)), Span(f"{more} ({why})")


def _call(card: CallCard, zone: str, page: str) -> Layout:
    sections = []
    for team in dict.fromkeys(one.team for one in card.sums):
        lines = []
        for one in (one for one in card.sums if one.team == team):
            deals = f"{one.deals} deal{'s' * (one.deals != 1)}"
            total = money(f"{one.amount // 100}.{one.amount % 100:02d}", one.currency)
            lines.append((Span(f"{sentence(one.fate).rstrip('.')}: {deals}, {total}"), *_named(one, page)))
        sections.append(Section(clean(team, 80) or "No team", tuple(lines)))
    if not sections:
        sections.append(Section.plain("", "Nothing moved."))
    return Layout(NEWS, f"Forecast call: what changed since {moment(card.since, zone)}", (), tuple(sections))


def _named(one: Sum, page: str) -> Line:
    """The largest deals, in brackets; none where none has a name."""
    spans: list[Span] = []
    for name, deal in zip_longest(one.examples, one.example_ids, fillvalue=""):
        spans += [Span(", " if spans else " ("), Span(clean(name, 60), _link(page, deal))]
    return (*spans, Span(")")) if spans else ()
