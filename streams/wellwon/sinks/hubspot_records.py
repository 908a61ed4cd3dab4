"""Facts as properties of HubSpot's deals, the properties themselves, and what HubSpot's answers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from wellwon.core.rule import SEVERITIES
from wellwon.core.units import parse_instant
from wellwon.deliver.crm_facts import DealFacts
from wellwon.rules import RULES
from wellwon.sinks.crm import LIMIT_S, Whole
from wellwon.sinks.transport import CREDENTIALS_S, Delivered, Later, Outcome, Refused

GROUP: Final = "wellwon"
ANSWERS: Final = ("yes", "no", "unknown")
SETUP: Final = "`wellwon crm setup` makes the properties"
_PASSING: Final = frozenset(("RATE_LIMITS", "CONFLICT", "INTERNAL_ERROR"))


class _Error(msgspec.Struct):
    category: str = ""
    message: str = ""
    code: str = ""
    context: dict[str, Any] = {}
    errors: list[_Error] = []


class _Result(msgspec.Struct):
    id: str = ""
    objectWriteTraceId: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    errors: list[_Error] = []


class _Refusal(msgspec.Struct):
    category: str = ""
    message: str = ""
    policyName: str = ""
    errors: list[_Error] = []


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_REFUSAL: Final = msgspec.json.Decoder(_Refusal)


def update(facts: DealFacts) -> dict[str, Any]:
    """One input of a batch. Its trace id comes back with what became of it."""
    return {"id": facts.deal, "objectWriteTraceId": facts.deal, "properties": properties(facts)}


def properties(facts: DealFacts) -> dict[str, str]:
    """A deal's properties; an empty text empties one."""
    win = facts.win
    return {
        "wellwon_flags": ";".join(facts.flags),
        "wellwon_data_flags": ";".join(facts.data_flags),
        "wellwon_severity": facts.severity,
        "wellwon_flagged_since": str(parse_instant(facts.since)) if facts.since else "",
        "wellwon_price_held": "" if win is None else win.price_held,
        "wellwon_date_held": "" if win is None else win.date_held,
        "wellwon_buyer_answered": "" if win is None else win.buyer_answered,
        "wellwon_discount": "" if win is None else win.discount_percent or "",
        "wellwon_usual_discount": "" if win is None else win.baseline_percent or "",
        "wellwon_traded": "" if win is None else "yes" if win.traded else "no",
        "wellwon_days_to_period_end": "" if win is None else str(win.days_to_period_end),
    }


def definitions() -> list[dict[str, Any]]:
    """The properties, as HubSpot makes them."""
    rules = [spec.name for spec in RULES if spec.family != "data"]
    data = [spec.name for spec in RULES if spec.family == "data"]
    return [
        _choice("wellwon_flags", "Open flags", "checkbox", rules),
        _choice("wellwon_data_flags", "Open flags of the data", "checkbox", data),
        _choice("wellwon_severity", "Highest severity of the open flags", "select", SEVERITIES),
        _property("wellwon_flagged_since", "Flagged since", "datetime", "date"),
        _choice("wellwon_price_held", "Won: the price held", "select", ANSWERS),
        _choice("wellwon_date_held", "Won: the date held", "select", ANSWERS),
        _choice("wellwon_buyer_answered", "Won: the buyer answered", "select", ANSWERS),
        _property("wellwon_discount", "Won: discount, percent", "number", "number"),
        _property("wellwon_usual_discount", "Won: usual discount, percent", "number", "number"),
        _choice("wellwon_traded", "Won: concessions were traded", "select", ANSWERS[:2]),
        _property("wellwon_days_to_period_end", "Won: days to the period's end", "number", "number"),
    ]


def _property(name: str, label: str, type_: str, field: str) -> dict[str, Any]:
    return {"name": name, "label": label, "type": type_, "fieldType": field, "groupName": GROUP}


def _choice(name: str, label: str, field: str, options: Sequence[str]) -> dict[str, Any]:
    listed = [{"label": one, "value": one, "displayOrder": place} for place, one in enumerate(options)]
    return _property(name, label, "enumeration", field) | {"options": listed}


def outcomes(body: bytes, ids: Sequence[str]) -> list[Outcome] | Later:
    """What a batch's answer says of each deal: which were taken, which not, and which it forgot."""
    try:
        answer = _ANSWER.decode(body)
    except msgspec.MsgspecError:
        return Later("an answer that is none of HubSpot's", unsure=True)
    taken = {name for result in answer.results for name in (result.id, result.objectWriteTraceId)}
    refused: dict[str, Outcome] = {}
    for error in answer.errors:
        named = [*_list(error.context, "ids"), *_list(error.context, "objectWriteTraceId")]
        for name in named:
            refused[str(name)] = _outcome(error)
    forgotten = Later("the answer does not mention the deal", unsure=True)
    return [refused.get(id_) or (Delivered() if id_ in taken else forgotten) for id_ in ids]


def _list(context: dict[str, Any], name: str) -> list[Any]:
    found = context.get(name)
    return found if isinstance(found, list) else []


def _outcome(error: _Error) -> Outcome:
    why = f"{error.category}: {error.message}"
    return _not_set_up(why, error.errors) or (Later(why) if error.category in _PASSING else Refused(why))


def _not_set_up(why: str, errors: list[_Error]) -> Later | None:
    codes = {error.code for error in errors}
    missing = "PROPERTY_DOESNT_EXIST" in codes or "PROPERTY_DOESNT_EXIST" in why
    stale = "INVALID_OPTION" in codes or "INVALID_OPTION" in why
    return Later(f"{why}; {SETUP}", CREDENTIALS_S) if missing or stale else None


def limited(body: bytes) -> float:
    """The seconds to wait after a 429 that gives none: the day's calls, or those of ten seconds, are used up."""
    try:
        return LIMIT_S if _REFUSAL.decode(body).policyName == "DAILY" else 10.0
    except msgspec.MsgspecError:
        return 10.0


def refusal(status: int, body: bytes) -> Later | Whole:
    """What the refusal of a whole request means."""
    try:
        found = _REFUSAL.decode(body)
    except msgspec.MsgspecError:
        found = _Refusal()
    why = f"{found.category}: {found.message}" if found.category else f"HTTP {status}"
    if status in (401, 403, 404):
        return Later(why, CREDENTIALS_S)
    return _not_set_up(why, found.errors) or Whole(why)
