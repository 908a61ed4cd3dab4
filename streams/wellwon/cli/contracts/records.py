"""The contracts of what wellwon writes: alerts, wins, dead letters, wishes to read again."""

from __future__ import annotations

from typing import Final

from wellwon.cli.contracts.forms import (
    BASE64,
    DATE,
    MONEY_OUT,
    PERCENT_OUT,
    Schema,
    instant,
    maybe,
    record,
    text,
    words,
)
from wellwon.core import items, lifecycle
from wellwon.core.model import MODES
from wellwon.core.records import ALERT_SCHEMA, TITLE_MAX, WIN_SCHEMA
from wellwon.core.rule import FAMILIES, SEVERITIES, SUBJECTS
from wellwon.core.win import READINGS
from wellwon.deliver.items import REPLIES, REPLY_SCHEMA

DEAD_LETTER_SCHEMA: Final = "dead-letter.v1"
REREAD_SCHEMA: Final = "reread.v1"

SHARED: Final[dict[str, Schema]] = {
    "opportunity_id": text("Id of the deal; the record's key as well."),
    "owner_id": text("CRM user who owns the deal."),
    "name": text("Name of the deal."),
    "segment": text("The policy's segment that the deal is in."),
}


def alert() -> Schema:
    """``alert.v1``: an alert opened, changed or resolved."""
    properties = {
        "schema": {"const": ALERT_SCHEMA},
        "id": text("fingerprint:revision. A repeat has the same."),
        "fingerprint": text("What the alert is about: rule, deal (or owner:ID, team:NAME), period."),
        "revision": {"type": "integer", "minimum": 1, "description": "Rises by one with each transition."},
        "transition": words("What happened.", (lifecycle.OPENED, lifecycle.CHANGED, lifecycle.RESOLVED)),
        "reason": text("Why: change, clock, policy, covered; of a resolution also retracted, cleared, closed ..."),
        "rule": text("The rule, by its public name."),
        "family": words("What kind of rule.", (*FAMILIES, "")),
        "severity": words("How much it matters.", SEVERITIES),
        "mode": words("shadow: to be counted, not told.", MODES[1:]),
        "subject": {
            "type": "object",
            "description": "What it is about: a deal, or the deals of an owner or of a team.",
            "properties": {"kind": words("Deal, owner or team.", SUBJECTS), "id": text("Its id, or the team's name.")},
            "required": ["kind", "id"],
        },
        **SHARED,
        "amount": maybe({**MONEY_OUT, "description": "Amount of the deal now."}),
        "annual_amount": maybe(
            {**MONEY_OUT, "description": "Amount of a year, where a term is mapped; else the amount."}
        ),
        "currency": {"type": ["string", "null"], "description": "ISO 4217 code of the amount."},
        "close_date": maybe({**DATE, "description": "Close date of the deal now."}),
        "opportunity_id": text("Id of the deal; empty where it is about an owner's or a team's deals."),
        "period": text("Fiscal period in which it opened, or that it is about: 2026-Q4."),
        "opened_at": instant("When it opened."),
        "at": instant("When this transition happened."),
        "title": text("A line for people: customer, amount, what happened.", maxLength=TITLE_MAX),
        "evidence": {"type": "object", "description": "What was seen, by rule: before, after, thresholds, dates."},
        "covered_by": {"type": ["string", "null"], "description": "Fingerprint of the alert that leads in its stead."},
    }
    doc = "One transition of one alert. Read by id: the highest revision of a fingerprint is how it stands."
    required = tuple(name for name in properties if name != "subject")  # it came later
    return {"title": ALERT_SCHEMA, **record(properties, required, doc)}


def win() -> Schema:
    """``win.v1``: how a deal was won."""
    fact = ("yes", "no", "unknown")
    properties = {
        "schema": {"const": WIN_SCHEMA},
        "id": text("win:deal:revision."),
        "revision": {"type": "integer", "minimum": 1, "description": "Rises when what is known of the win changes."},
        "withdrawn": {"type": "boolean", "description": "The deal is not won any more."},
        "at": instant("When this was established."),
        **SHARED,
        "period": text("Fiscal period of the win."),
        "won_at": instant("When it was won."),
        "days_to_period_end": {"type": "integer", "description": "Days from the win to the period's last day."},
        "amount": maybe({**MONEY_OUT, "description": "Amount at the win."}),
        "currency": {"type": ["string", "null"], "description": "ISO 4217 code of the money here."},
        "reading": words("What the facts say together.", READINGS),
        "price_held": words("The discount at the win is the baseline's, or it was traded.", fact),
        "date_held": words("Won within 7 days of the date that stood 30 days before, or on the buyer's.", fact),
        "buyer_answered": words("An inbound touch in the last 14 days; only where activities are fed.", fact),
        "discount_percent": maybe({**PERCENT_OUT, "description": "Discount at the win."}),
        "baseline_percent": maybe({**PERCENT_OUT, "description": "Discount a day after first pricing."}),
        "traded": {"type": "boolean", "description": "Something was given in return for a concession."},
        "date_before": maybe({**DATE, "description": "Close date that stood 30 days before."}),
        "late_concession": maybe({**MONEY_OUT, "description": "Given up a year under pressure; null: not known."}),
    }
    doc = "How a deal was won. Of a deal the highest revision holds: a repeat of an older may follow it."
    return {"title": WIN_SCHEMA, **record(properties, tuple(properties), doc)}


def dead_letter() -> Schema:
    """``dead-letter.v1``: what could not be processed, and what closes it."""
    doc = "What could not be processed. A letter is open until a later record closes it."
    return {"title": DEAD_LETTER_SCHEMA, "description": doc, "oneOf": [_letter(), _closing()]}


def _closing() -> Schema:
    from wellwon.runtime.deadletters import DISMISSED, REDRIVEN

    properties = {
        "at": instant("When they were closed."),
        "closed": words("The originals were sent again, or nothing more needs to be done.", (REDRIVEN, DISMISSED)),
        "letters": {
            "type": "array",
            "description": "Offsets of the letters in this topic.",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 1,
        },
    }
    return record(properties, tuple(properties), "Letters that are open no more; without a key.")


def _letter() -> Schema:
    properties = {
        "at": instant("When it was refused."),
        "topic": text("Where it was read: a topic, or file:NAME where `wellwon ingest` read it."),
        "partition": {"type": "integer", "minimum": 0, "description": "Where it was read."},
        "offset": {
            "type": "integer",
            "minimum": -1,
            "description": "Where it was read, of a file the line; -1: nowhere.",
        },
        "reason": text("A slug, for counting."),
        "detail": text("What is wrong, in words."),
        "rule": {"type": ["string", "null"], "description": "The rule that raised, if one did."},
        "key": maybe({**BASE64, "description": "The record's key as it came."}),
        "size": {"type": ["integer", "null"], "description": "Bytes of the value as it came."},
        "value": maybe({**BASE64, "description": "The value as it came; null where there was none, or too much."}),
    }
    doc = "A record that could not be applied, as it came, or a rule that failed on it."
    return record(properties, tuple(properties), doc)


def reread() -> Schema:
    """``reread.v1``: a wish for fresh data from the CRM."""
    properties = {
        "schema": {"const": REREAD_SCHEMA},
        "opportunity_id": text("The deal to read again."),
        "entity": text("The kind of object of which everything is to be read again: the source lost its changes."),
        "source": text("Where to read."),
        "reason": text("Why."),
        "at": instant("When the loss was noticed."),
        "since": instant("Nothing that was saved before is lost. Without it, that is not known."),
    }
    doc = "What the source could not tell is to be read again: one deal, or all of an entity."
    schema = record(properties, ("schema", "source", "reason", "at"), doc)
    return {"title": REREAD_SCHEMA, **schema, "anyOf": [{"required": ["opportunity_id"]}, {"required": ["entity"]}]}


def reply() -> Schema:
    """``reply.v1``: what somebody said to a message."""
    properties = {
        "schema": {"const": REPLY_SCHEMA},
        "id": text("Id of the reply. A repeat has the same."),
        "opportunity_id": text("Id of the deal, empty for a message about several; the record's key as well."),
        "kind": words("acknowledged: seen; snoozed: tell again later; noted: for the hand-over; answered.", REPLIES),
        "at": instant("When it was said."),
        "by": text("Who said it."),
        "fingerprint": text("The alert replied to; empty: the win."),
        "answer": words("Of an answer: what it says.", ("", *items.ANSWERS)),
        "note": text("In their own words, or the reason chosen."),
        "until": text("Of a snooze: the instant from which to tell again."),
    }
    doc = "What somebody said to a message. An answer is written to opportunity-changes as well, where it takes effect."
    return {"title": REPLY_SCHEMA, **record(properties, ("id", "opportunity_id", "kind", "at"), doc)}
