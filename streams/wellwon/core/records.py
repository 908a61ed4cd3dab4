"""The records that leave the core: alerts and wins, as they are published."""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec

from wellwon.core.deal import Deal
from wellwon.core.lifecycle import NOT_RIGHT, RETRACTED, Transition, fingerprint
from wellwon.core.model import Ruleset
from wellwon.core.rule import DEAL, OWNER_SUBJECT
from wellwon.core.units import format_date, format_instant, format_money, format_percent
from wellwon.core.win import Win

ALERT_SCHEMA: Final = "alert.v1"
WIN_SCHEMA: Final = "win.v1"
TITLE_MAX: Final = 120

_SYMBOLS: Final = {"": "", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

encode_json = msgspec.json.encode


def short_money(cents: int | None, currency: str) -> str:
    """``$84k``, ``€1.2m``, ``84k CHF``: for people, never for machines."""
    if cents is None:
        return "no amount"
    units = abs(cents) / 100
    if units >= 999_500:
        number = f"{units / 1_000_000:.1f}".removesuffix(".0") + "m"
    elif units >= 1_000:
        number = f"{units / 1_000:.0f}k"
    else:
        number = f"{units:.0f}"
    sign = "-" if cents < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{number} {currency}" if symbol is None else f"{sign}{symbol}{number}"


def alert_title(deal_id: str, deal: Deal, what: str) -> str:
    """The customer first, then the amount, then what happened; at most 120 characters, the name gives way."""
    tail = f" - {short_money(deal.amount, deal.currency)} - {what}"
    name = deal.name or deal_id
    room = max(8, TITLE_MAX - len(tail))
    name = name if len(name) <= room else name[: room - 1] + "…"
    return (name + tail)[:TITLE_MAX]


def group_alert_record(subject: str, transition: Transition, at: int) -> bytes:
    """One transition of an alert about an owner's or a team's deals, ``alert.v1``; ``subject`` as ``owner:005A``."""
    kind, _, who = subject.partition(":")
    about = {
        "subject": {"kind": kind, "id": who},
        "opportunity_id": "",
        "owner_id": who if kind == OWNER_SUBJECT else "",
        "name": "",
        "segment": "",
        "amount": None,
        "annual_amount": None,
        "currency": None,
        "close_date": None,
    }
    title = f"{who[: TITLE_MAX // 4]} - {_what(transition)}"[:TITLE_MAX]
    return _alert(subject, about, transition, "team", title, at)


def alert_record(deal_id: str, deal: Deal, transition: Transition, family: str, segment: str, at: int) -> bytes:
    """One transition of an alert about a deal, ``alert.v1``."""
    about = {
        "subject": {"kind": DEAL, "id": deal_id},
        "opportunity_id": deal_id,
        "owner_id": deal.owner,
        "name": deal.name,
        "segment": segment,
        "amount": None if deal.amount is None else format_money(deal.amount),
        "annual_amount": None if deal.annual_amount is None else format_money(deal.annual_amount),
        "currency": deal.currency or None,
        "close_date": None if deal.close_date is None else format_date(deal.close_date),
    }
    return _alert(deal_id, about, transition, family, alert_title(deal_id, deal, _what(transition)), at)


def _what(transition: Transition) -> str:
    if transition.finding is not None:
        return transition.finding.title
    return f"{transition.alert.rule} {_ENDINGS.get(transition.reason, 'no longer holds')}"


def _alert(subject: str, about: dict[str, Any], transition: Transition, family: str, title: str, at: int) -> bytes:
    alert, finding = transition.alert, transition.finding
    mark = fingerprint(alert.rule, subject, alert.period)
    return encode_json(
        {
            "schema": ALERT_SCHEMA,
            "id": f"{mark}:{alert.revision}",
            "fingerprint": mark,
            "revision": alert.revision,
            "transition": transition.kind,
            "reason": transition.reason,
            "rule": alert.rule,
            "family": family,
            "severity": alert.severity,
            "mode": alert.mode,
            **about,
            "period": alert.period,
            "opened_at": format_instant(alert.opened_at),
            "at": format_instant(at),
            "title": title,
            "evidence": {} if finding is None else finding.evidence,
            "covered_by": alert.covered_by or None,
        }
    )


CLEARED: Final = "cleared"
CLOSED: Final = "closed"
DELETED: Final = "deleted"
EXPIRED: Final = "expired"

_ENDINGS: Final = {
    RETRACTED: "was taken back: what it saw did not happen that way",
    NOT_RIGHT: "is put aside: somebody answered that it is not right",
    CLEARED: "is cleared",
    CLOSED: "ended with the close of the deal",
    EXPIRED: "ended with time",
    "policy": "no longer holds under the new policy",
    DELETED: "ended: the deal was deleted",
}


def _fact(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def win_body(deal_id: str, deal: Deal, win: Win, ruleset: Ruleset, segment: str) -> dict[str, Any]:
    """A win record, ``win.v1``, without its revision."""
    period = ruleset.calendar.period_of_day(win.date)
    return {
        "schema": WIN_SCHEMA,
        "opportunity_id": deal_id,
        "owner_id": deal.owner,
        "name": deal.name,
        "segment": segment,
        "period": period.label,
        "won_at": format_instant(deal.won_at),
        "days_to_period_end": period.end_day - win.date,
        "amount": None if deal.amount is None else format_money(deal.amount),
        "currency": deal.currency or None,
        "reading": win.reading,
        "price_held": _fact(win.price_held),
        "date_held": _fact(win.date_held),
        "buyer_answered": _fact(win.buyer_answered),
        "discount_percent": None if win.discount is None else format_percent(win.discount),
        "baseline_percent": None if win.baseline is None else format_percent(win.baseline),
        "traded": win.traded,
        "date_before": None if win.date_before is None else format_date(win.date_before),
        "late_concession": None if win.late_concession is None else format_money(win.late_concession),
    }


def win_record(body: dict[str, Any], revision: int, at: int, withdrawn: bool) -> bytes:
    """The published form: the body with its id ``(deal, revision)``, and whether the win was taken back."""
    return encode_json(
        {
            "id": f"win:{body['opportunity_id']}:{revision}",
            "revision": revision,
            "withdrawn": withdrawn,
            "at": format_instant(at),
            **body,
        }
    )


def digest(body: dict[str, Any]) -> int:
    """Whether two win records say the same."""
    return zlib.crc32(encode_json(body))


def reread_record(deal_id: str, source: str, at: int) -> bytes:
    """A request to read a deal again, ``reread.v1``: a change was announced without its fields."""
    return encode_json(
        {
            "schema": "reread.v1",
            "opportunity_id": deal_id,
            "source": source,
            "reason": "gap",
            "at": format_instant(at),
        }
    )
