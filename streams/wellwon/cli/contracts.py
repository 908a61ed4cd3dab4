"""The published contracts: a JSON Schema of every record that wellwon reads or writes.

What the core accepts and writes is defined in `core.wire`, `core.records` and `runtime.deadletters`; the names and
words here come from there, and tests hold real records against the schemas. Producers may only write what a schema
says; consumers must ignore keys that they do not know, for later versions may add some.
"""

from __future__ import annotations

from typing import Any, Final

from wellwon.core import items, lifecycle
from wellwon.core.envelope import SCHEMA
from wellwon.core.model import MODES
from wellwon.core.records import ALERT_SCHEMA, TITLE_MAX, WIN_SCHEMA
from wellwon.core.rule import FAMILIES, SEVERITIES
from wellwon.core.win import READINGS
from wellwon.policy.schema import DIALECT, policy_schema
from wellwon.policy.shape import LABELS

Schema = dict[str, Any]

DEAD_LETTER_SCHEMA: Final = "dead-letter.v1"
REREAD_SCHEMA: Final = "reread.v1"


def _text(doc: str, **more: Any) -> Schema:
    return {"type": "string", "description": doc, **more}


def _maybe(schema: Schema) -> Schema:
    kind = schema["type"]
    return {**schema, "type": [*([kind] if isinstance(kind, str) else kind), "null"]}


def _words(doc: str, words: tuple[str, ...], **more: Any) -> Schema:
    return {"description": doc, "enum": [*words], **more}


INSTANT: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
}
DATE: Final = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
DECIMAL: Final = {"type": ["string", "number"], "pattern": r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)$"}
MONEY_OUT: Final = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"}
PERCENT_OUT: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,2})?$"}
BASE64: Final = {"type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}


def _instant(doc: str) -> Schema:
    return {**INSTANT, "description": doc}


def _decimal(doc: str, **more: Any) -> Schema:
    return {**DECIMAL, "description": doc, **more}


def _months(doc: str) -> Schema:
    return {**DECIMAL, "description": doc, "minimum": 0, "maximum": 1200}


VALUES: Final[dict[str, Schema]] = {
    "name": _text("Name of the deal; people see it first in an alert."),
    "account": _text("The customer: id or name."),
    "owner_id": _text("CRM user who owns the deal."),
    "currency": _text("ISO 4217 code of the amounts."),
    "pipeline": _text("The sales process: record type or pipeline, by id or name; the policy knows them."),
    "deal_type": _text("The CRM's word; the policy says what it means."),
    "stage": _text("Stage; the policy's pipelines know them."),
    "forecast_category": _text("The CRM's word; the policy says what it means."),
    "next_step": _text("Next step; its age matters, its words are not kept."),
    "amount": _decimal("What the deal is worth, as a decimal string: 84000.00."),
    "list_amount": _decimal("What it would cost without a discount."),
    "discount_percent": _decimal("Discount in percent: 22.5.", maximum=100),
    "close_date": {**DATE, "description": "Expected close date."},
    "buyer_confirmed_date": {**DATE, "description": "A date that the buyer gave."},
    "created_at": _instant("When the CRM created the deal."),
    "term_months": _months("Contract term in months."),
    "prepaid_months": _months("Months paid in advance."),
    "is_closed": {"type": "boolean", "description": "Decides where the policy does not know the stage."},
    "is_won": {"type": "boolean", "description": "Decides where the policy does not know the stage."},
}
"""Fields of a deal, by the names of `wire.FIELDS`."""

LINE_VALUES: Final[dict[str, Schema]] = {
    "quantity": _decimal("Units."),
    "unit_price": _decimal("Price of a unit."),
    "list_price": _decimal("List price of a unit."),
    "removed": {"type": "boolean", "description": "The line item was taken off the deal."},
}

_WRITER: Final[Schema] = {
    "type": ["object", "null"],
    "description": "Who wrote it. Only what a user wrote counts as behaviour.",
    "properties": {
        "id": {"type": ["string", "null"], "description": "CRM user."},
        "kind": _words("What the writer is.", items.WRITER_KINDS, default=items.USER),
    },
}

_DEAL_KINDS: Final = (items.CREATED, items.CHANGED, items.DELETED, items.RESTORED, items.SNAPSHOT, items.GAP)


def _object(properties: dict[str, Schema], required: tuple[str, ...], doc: str) -> Schema:
    return {"type": "object", "description": doc, "properties": properties, "required": [*required]}


def _values(fields: dict[str, Schema], doc: str) -> Schema:
    found: Schema = {"type": "object", "description": doc, "properties": {n: _maybe(s) for n, s in fields.items()}}
    if fields is VALUES:
        found["patternProperties"] = {
            f"^{LABELS.replace('.', '[.]')}": {
                "type": ["string", "null"],
                "description": "The organisation's own field.",
            }
        }
    return found


def opportunity_change() -> Schema:
    """``opportunity-change.v1``: what may happen to a deal, and time itself."""
    event = {
        "schema": {"const": SCHEMA},
        "id": _text("The source's id of the change: a repeat has the same.", minLength=1),
        "opportunity_id": _text("Id of the deal; the record's key as well.", minLength=1),
        "source": _text("Where it comes from."),
        "occurred_at": _instant("When the source committed it."),
        "writer": _WRITER,
        "transaction": {"type": ["string", "null"], "description": "The source's transaction: one save has one."},
        "bulk": {"type": "integer", "minimum": 1, "default": 1, "description": "How many deals the save touched."},
    }
    needed = ("id", "opportunity_id", "occurred_at", "kind")

    def kind(names: tuple[str, ...], more: dict[str, Schema], required: tuple[str, ...], doc: str) -> Schema:
        return _object({"kind": {"enum": [*names]}, **event, **more}, (*needed, *required), doc)

    control = {"schema": {"const": SCHEMA}, "at": _instant("From this instant on.")}
    return {
        "title": SCHEMA,
        "description": "One thing that happened to one deal. No old values: the state knows them. null: set to empty.",
        "oneOf": [
            kind(_DEAL_KINDS, {"values": _values(VALUES, "Only the fields that were written.")}, (), _DEAL_DOC),
            kind(
                (items.LINE_ITEM,),
                {
                    "line_item_id": _text("Id of the line item.", minLength=1),
                    "values": _values(LINE_VALUES, "Only the fields that were written."),
                },
                ("line_item_id",),
                "A line item of the deal was added, changed or removed.",
            ),
            kind(
                (items.ACTIVITY,),
                {
                    "direction": _words("Who turned to whom.", ("inbound", "outbound")),
                    "channel": _text("email, call, meeting ..."),
                },
                ("direction",),
                "A call, mail or meeting with the buyer.",
            ),
            kind(
                (items.ANSWER,),
                {
                    "answer": _words("What a person said to an alert.", items.ANSWERS),
                    "by": _text("Who said it."),
                    "note": _text("In their words."),
                    "rule": _text("The rule that the alert was of."),
                },
                ("answer",),
                "An answer to an alert: it may change what the deal's moves mean.",
            ),
            _object(
                {
                    "kind": {"enum": [items.RECLASSIFIED]},
                    **event,
                    "changes": {"type": "array", "items": {"type": "string"}, "description": "Ids of the changes."},
                },
                ("opportunity_id", "occurred_at", "kind", "changes"),
                "Earlier changes of the deal turned out to be part of a bulk edit.",
            ),
            _object(
                {"kind": {"enum": [items.CLOCK]}, **control},
                ("kind", "at"),
                "Time passed; written into each partition by its owner, without a key.",
            ),
            _object(
                {"kind": {"enum": [items.POLICY]}, **control, "policy": _text("The policy file's text.")},
                ("kind", "at", "policy"),
                "From here on this policy holds in this partition; without a key.",
            ),
        ],
    }


_DEAL_DOC: Final = (
    "created, changed, deleted, restored: what was saved. snapshot: state without behaviour (backfill, re-read), never"
    " over newer values. gap: a change whose fields the source could not tell."
)

SHARED: Final[dict[str, Schema]] = {
    "opportunity_id": _text("Id of the deal; the record's key as well."),
    "owner_id": _text("CRM user who owns the deal."),
    "name": _text("Name of the deal."),
    "segment": _text("The policy's segment that the deal is in."),
}


def alert() -> Schema:
    """``alert.v1``: an alert opened, changed or resolved."""
    properties = {
        "schema": {"const": ALERT_SCHEMA},
        "id": _text("fingerprint:revision. A repeat has the same."),
        "fingerprint": _text("What the alert is about: rule, deal, period in which it opened."),
        "revision": {"type": "integer", "minimum": 1, "description": "Rises by one with each transition."},
        "transition": _words("What happened.", (lifecycle.OPENED, lifecycle.CHANGED, lifecycle.RESOLVED)),
        "reason": _text("Why: change, clock, policy, covered; of a resolution also retracted, cleared, closed ..."),
        "rule": _text("The rule, by its public name."),
        "family": _words("What kind of rule.", (*FAMILIES, "")),
        "severity": _words("How much it matters.", SEVERITIES),
        "mode": _words("shadow: to be counted, not told.", MODES[1:]),
        **SHARED,
        "period": _text("Fiscal period in which it opened: 2026-Q4."),
        "opened_at": _instant("When it opened."),
        "at": _instant("When this transition happened."),
        "title": _text("A line for people: customer, amount, what happened.", maxLength=TITLE_MAX),
        "evidence": {"type": "object", "description": "What was seen, by rule: before, after, thresholds, dates."},
        "covered_by": {"type": ["string", "null"], "description": "Fingerprint of the alert that leads in its stead."},
    }
    doc = "One transition of one alert. Read by id: the highest revision of a fingerprint is how it stands."
    return {"title": ALERT_SCHEMA, **_object(properties, tuple(properties), doc)}


def win() -> Schema:
    """``win.v1``: how a deal was won."""
    fact = ("yes", "no", "unknown")
    properties = {
        "schema": {"const": WIN_SCHEMA},
        "id": _text("win:deal:revision."),
        "revision": {"type": "integer", "minimum": 1, "description": "Rises when what is known of the win changes."},
        "withdrawn": {"type": "boolean", "description": "The deal is not won any more."},
        "at": _instant("When this was established."),
        **SHARED,
        "period": _text("Fiscal period of the win."),
        "won_at": _instant("When it was won."),
        "days_to_period_end": {"type": "integer", "description": "Days from the win to the period's last day."},
        "amount": _maybe({**MONEY_OUT, "description": "Amount at the win."}),
        "currency": {"type": ["string", "null"], "description": "ISO 4217 code of the money here."},
        "reading": _words("What the facts say together.", READINGS),
        "price_held": _words("The discount at the win is the baseline's, or it was traded.", fact),
        "date_held": _words("Won within 7 days of the date that stood 30 days before, or on the buyer's.", fact),
        "buyer_answered": _words("An inbound touch in the last 14 days; only where activities are fed.", fact),
        "discount_percent": _maybe({**PERCENT_OUT, "description": "Discount at the win."}),
        "baseline_percent": _maybe({**PERCENT_OUT, "description": "Discount a day after first pricing."}),
        "traded": {"type": "boolean", "description": "Something was given in return for a concession."},
        "date_before": _maybe({**DATE, "description": "Close date that stood 30 days before."}),
        "late_concession": _maybe({**MONEY_OUT, "description": "Given up a year under pressure; null: not known."}),
    }
    return {
        "title": WIN_SCHEMA,
        **_object(properties, tuple(properties), "How a deal was won; the last one per key holds."),
    }


def dead_letter() -> Schema:
    """``dead-letter.v1``: what could not be processed."""
    properties = {
        "at": _instant("When it was refused."),
        "topic": _text("Where it was read."),
        "partition": {"type": "integer", "minimum": 0, "description": "Where it was read."},
        "offset": {"type": "integer", "minimum": -1, "description": "Where it was read; -1: time brought it about."},
        "reason": _text("A slug, for counting."),
        "detail": _text("What is wrong, in words."),
        "rule": {"type": ["string", "null"], "description": "The rule that raised, if one did."},
        "key": _maybe({**BASE64, "description": "The record's key as it came."}),
        "size": {"type": ["integer", "null"], "description": "Bytes of the value as it came."},
        "value": _maybe({**BASE64, "description": "The value as it came; null where there was none, or too much."}),
    }
    doc = "A record that could not be applied, as it came, or a rule that failed on it."
    return {"title": DEAD_LETTER_SCHEMA, **_object(properties, tuple(properties), doc)}


def reread() -> Schema:
    """``reread.v1``: a wish for fresh data from the CRM."""
    properties = {
        "schema": {"const": REREAD_SCHEMA},
        "opportunity_id": _text("The deal to read again."),
        "entity": _text("The kind of object of which everything is to be read again: the source lost its changes."),
        "source": _text("Where to read."),
        "reason": _text("Why."),
        "at": _instant("When the loss was noticed."),
    }
    doc = "What the source could not tell is to be read again: one deal, or all of an entity."
    schema = _object(properties, ("schema", "source", "reason", "at"), doc)
    return {"title": REREAD_SCHEMA, **schema, "anyOf": [{"required": ["opportunity_id"]}, {"required": ["entity"]}]}


def schemas() -> dict[str, Schema]:
    """Every published schema, by file name."""
    records = (opportunity_change(), alert(), win(), dead_letter(), reread())
    found = {
        f"{s['title']}.schema.json": {"$schema": DIALECT, "$id": f"urn:wellwon:{s['title']}", **s} for s in records
    }
    return {**found, "policy.schema.json": policy_schema()}
