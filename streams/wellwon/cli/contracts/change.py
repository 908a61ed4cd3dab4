"""The contract of ``opportunity-change.v1``, the one that others write."""

from __future__ import annotations

from typing import Final

from wellwon.cli.contracts.forms import DATE, Schema, decimal, instant, maybe, months, record, text, words
from wellwon.core import items
from wellwon.core.envelope import SCHEMA
from wellwon.policy.shape import LABELS

VALUES: Final[dict[str, Schema]] = {
    "name": text("Name of the deal; people see it first in an alert."),
    "account": text("The customer: id or name."),
    "owner_id": text("CRM user who owns the deal."),
    "currency": text("ISO 4217 code of the amounts."),
    "pipeline": text("The sales process: record type or pipeline, by id or name; the policy knows them."),
    "deal_type": text("The CRM's word; the policy says what it means."),
    "stage": text("Stage; the policy's pipelines know them."),
    "forecast_category": text("The CRM's word; the policy says what it means."),
    "next_step": text("Next step; its age matters, its words are not kept."),
    "amount": decimal("What the deal is worth, as a decimal string: 84000.00."),
    "list_amount": decimal("What it would cost without a discount."),
    "discount_percent": decimal("Discount in percent: 22.5.", maximum=100),
    "close_date": {**DATE, "description": "Expected close date."},
    "buyer_confirmed_date": {**DATE, "description": "A date that the buyer gave."},
    "created_at": instant("When the CRM created the deal."),
    "term_months": months("Contract term in months."),
    "prepaid_months": months("Months paid in advance."),
    "is_closed": {"type": "boolean", "description": "Decides where the policy does not know the stage."},
    "is_won": {"type": "boolean", "description": "Decides where the policy does not know the stage."},
}
"""Fields of a deal, by the names of `wire.FIELDS`."""

LINE_VALUES: Final[dict[str, Schema]] = {
    "quantity": decimal("Units."),
    "unit_price": decimal("Price of a unit."),
    "list_price": decimal("List price of a unit."),
    "removed": {"type": "boolean", "description": "The line item was taken off the deal."},
}

_WRITER: Final[Schema] = {
    "type": ["object", "null"],
    "description": "Who wrote it. Only what a user wrote counts as behaviour.",
    "properties": {
        "id": {"type": ["string", "null"], "description": "CRM user."},
        "kind": words("What the writer is.", items.WRITER_KINDS, default=items.USER),
    },
}

_DEAL_KINDS: Final = (items.CREATED, items.CHANGED, items.DELETED, items.RESTORED, items.SNAPSHOT, items.GAP)


def _values(fields: dict[str, Schema], doc: str) -> Schema:
    found: Schema = {"type": "object", "description": doc, "properties": {n: maybe(s) for n, s in fields.items()}}
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
        "id": text("The source's id of the change: a repeat has the same.", minLength=1),
        "opportunity_id": text("Id of the deal; the record's key as well.", minLength=1),
        "source": text("Where it comes from."),
        "occurred_at": instant("When the source committed it."),
        "writer": _WRITER,
        "transaction": {"type": ["string", "null"], "description": "The source's transaction: one save has one."},
        "bulk": {"type": "integer", "minimum": 1, "default": 1, "description": "How many deals the save touched."},
    }
    needed = ("id", "opportunity_id", "occurred_at", "kind")

    def kind(names: tuple[str, ...], more: dict[str, Schema], required: tuple[str, ...], doc: str) -> Schema:
        return record({"kind": {"enum": [*names]}, **event, **more}, (*needed, *required), doc)

    control = {"schema": {"const": SCHEMA}, "at": instant("From this instant on.")}
    return {
        "title": SCHEMA,
        "description": "One thing that happened to one deal. No old values: the state knows them. null: set to empty.",
        "oneOf": [
            kind(_DEAL_KINDS, {"values": _values(VALUES, "Only the fields that were written.")}, (), _DEAL_DOC),
            kind(
                (items.LINE_ITEM,),
                {
                    "line_item_id": text("Id of the line item.", minLength=1),
                    "values": _values(LINE_VALUES, "Only the fields that were written."),
                },
                ("line_item_id",),
                "A line item of the deal was added, changed or removed.",
            ),
            kind(
                (items.ACTIVITY,),
                {
                    "direction": words("Who turned to whom.", ("inbound", "outbound")),
                    "channel": text("email, call, meeting ..."),
                },
                ("direction",),
                "A call, mail or meeting with the buyer.",
            ),
            kind(
                (items.ANSWER,),
                {
                    "answer": words("What a person said to an alert.", items.ANSWERS),
                    "by": text("Who said it."),
                    "note": text("In their words."),
                    "rule": text("The rule that the alert was of."),
                },
                ("answer",),
                "An answer to an alert: it may change what the deal's moves mean.",
            ),
            record(
                {
                    "kind": {"enum": [items.RECLASSIFIED]},
                    **event,
                    "changes": {"type": "array", "items": {"type": "string"}, "description": "Ids of the changes."},
                },
                ("opportunity_id", "occurred_at", "kind", "changes"),
                "Earlier changes of the deal turned out to be part of a bulk edit.",
            ),
            record(
                {"kind": {"enum": [items.CLOCK]}, **control},
                ("kind", "at"),
                "Time passed; written into each partition by its owner, without a key.",
            ),
            record(
                {"kind": {"enum": [items.POLICY]}, **control, "policy": text("The policy file's text.")},
                ("kind", "at", "policy"),
                "From here on this policy holds in this partition; without a key.",
            ),
        ],
    }


_DEAL_DOC: Final = (
    "created, changed, deleted, restored: what was saved. snapshot: state without behaviour (backfill, re-read), never"
    " over newer values. gap: a change whose fields the source could not tell."
)
