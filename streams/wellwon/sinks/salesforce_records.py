"""Facts as Salesforce's records, and what its answers say of them. `deploy/salesforce/` has the fields."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wellwon.deliver.crm_facts import DealFacts, Facts, FlagFacts
from wellwon.sinks.crm import LIMIT_S, Whole
from wellwon.sinks.transport import CREDENTIALS_S, Delivered, Later, Outcome, Refused

DEAL: Final = "Opportunity"
FLAG: Final = "Wellwon_Flag__c"
FLAG_KEY: Final = "Wellwon_Key__c"
SETUP: Final = "`wellwon crm setup` says what is missing"

_PASSING: Final = frozenset(
    ("UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG", "UNKNOWN_EXCEPTION")
)
"""Errors of a record after which the same write may succeed."""
_NOT_SET_UP: Final = frozenset(("INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_TYPE", "NOT_FOUND"))
"""Errors that are all records': somebody has to put it right, and nothing is lost."""
_NO_RIGHT: Final = frozenset(("API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INSUFFICIENT_ACCESS"))


class _Error(msgspec.Struct):
    message: str = ""
    statusCode: str = ""
    errorCode: str = ""


class _Result(msgspec.Struct):
    success: bool
    errors: list[_Error] = []


_RESULTS: Final = msgspec.json.Decoder(list[_Result])
_ERRORS: Final = msgspec.json.Decoder(list[_Error])


def record(facts: Facts) -> dict[str, Any]:
    """One record of a collection."""
    if isinstance(facts, FlagFacts):
        return _flag(facts)
    return {"attributes": {"type": DEAL}, "id": facts.deal, **deal_fields(facts)}


def deal_fields(facts: DealFacts) -> dict[str, Any]:
    """The fields on the opportunity; None empties one."""
    win = facts.win
    return {
        "Wellwon_Flags__c": ";".join(facts.flags) or None,
        "Wellwon_Data_Flags__c": ";".join(facts.data_flags) or None,
        "Wellwon_Severity__c": facts.severity or None,
        "Wellwon_Flagged_Since__c": facts.since or None,
        "Wellwon_Price_Held__c": None if win is None else win.price_held,
        "Wellwon_Date_Held__c": None if win is None else win.date_held,
        "Wellwon_Buyer_Answered__c": None if win is None else win.buyer_answered,
        "Wellwon_Discount__c": None if win is None else _number(win.discount_percent),
        "Wellwon_Usual_Discount__c": None if win is None else _number(win.baseline_percent),
        "Wellwon_Traded__c": None if win is None else "yes" if win.traded else "no",
        "Wellwon_Days_To_Period_End__c": None if win is None else win.days_to_period_end,
    }


def _flag(facts: FlagFacts) -> dict[str, Any]:
    about = {
        "attributes": {"type": FLAG},
        FLAG_KEY: facts.key,
        "Wellwon_Opportunity__c": facts.deal,
        "Wellwon_Open__c": facts.open,
    }
    if not facts.open:
        return about  # what it was about stays to be read
    return about | {
        "Wellwon_Rule__c": facts.rule,
        "Wellwon_Severity__c": facts.severity,
        "Wellwon_Period__c": facts.period,
        "Wellwon_Opened_At__c": facts.opened_at,
    }


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def outcomes(body: bytes, count: int) -> list[Outcome] | Later:
    """What a collection's answer says of each of its ``count`` records."""
    try:
        results = _RESULTS.decode(body)
    except msgspec.MsgspecError:
        return Later("an answer that is none of Salesforce's", unsure=True)
    if len(results) != count:
        return Later(f"an answer about {len(results)} of {count} records", unsure=True)
    return [_outcome(result) for result in results]


def _outcome(result: _Result) -> Outcome:
    if result.success:
        return Delivered()
    codes = [error.statusCode or error.errorCode for error in result.errors]
    why = "; ".join(f"{code}: {error.message}" for code, error in zip(codes, result.errors, strict=True)) or "no reason"
    if _PASSING.intersection(codes):
        return Later(why)
    if _NOT_SET_UP.intersection(codes):
        return Later(f"{why}; {SETUP}", CREDENTIALS_S)
    return Refused(why)


def refusal(status: int, body: bytes) -> Later | Whole:
    """What the refusal of a whole request means."""
    try:
        errors = _ERRORS.decode(body)
    except msgspec.MsgspecError:
        errors = []
    codes = {error.errorCode for error in errors}
    why = "; ".join(f"{error.errorCode}: {error.message}" for error in errors) or f"HTTP {status}"
    if "REQUEST_LIMIT_EXCEEDED" in codes:
        return Later(why, LIMIT_S)
    if codes & _NOT_SET_UP or status == 404:
        return Later(f"{why}; {SETUP}", CREDENTIALS_S)
    if codes & _NO_RIGHT or status in (401, 403):
        return Later(why, CREDENTIALS_S)
    return Whole(why)


FIELDS: Final = {
    DEAL: frozenset(deal_fields(DealFacts(""))),
    FLAG: frozenset(_flag(FlagFacts("", "", open=True))) - {"attributes"},
}
"""What is written, by type."""
