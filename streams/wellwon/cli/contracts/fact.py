"""The contract between detect and the rollup: facts and marks."""

from __future__ import annotations

from wellwon.cli.contracts.forms import DATE, MONEY_OUT, PERCENT_OUT, Schema, instant, maybe, record, text, words
from wellwon.core.facts import DEAL, FACT_SCHEMA, MARK, STATUSES
from wellwon.core.items import POLICY
from wellwon.core.model import DEAL_TYPES


def fact() -> Schema:
    """``fact.v1``: how a deal stands, how far a partition has come, or a policy."""
    forms = [_deal(), _mark(), _policy()]
    doc = "What the rollup counts. Of two facts of a deal the one with the greater at, then offset, holds."
    return {"title": FACT_SCHEMA, "description": doc, "oneOf": forms}


def _deal() -> Schema:
    move = {
        "at": instant("When."),
        "from": maybe({**DATE, "description": "The close date before."}),
        "to": maybe({**DATE, "description": "The close date after."}),
        "counts": {"type": "boolean", "description": "A person did it, and it is behaviour."},
        "by_owner": {"type": "boolean", "description": "The person is the one who owns the deal now."},
    }
    properties = {
        "schema": {"const": FACT_SCHEMA},
        "kind": {"const": DEAL},
        "opportunity_id": text("Id of the deal; the record's key as well."),
        "at": instant("The deal's time when it came to stand so."),
        "offset": {"type": "integer", "description": "Offset of the change behind it, in its partition of the log."},
        "name": text("Name of the deal."),
        "owner_id": text("CRM user who owns the deal."),
        "team_label": text("Value of the label that the policy's team_label names; else empty."),
        "segment": text("The policy's segment that the deal is in."),
        "pipeline": text("The CRM's word for its sales process."),
        "deal_type": words("What kind of business it is.", DEAL_TYPES),
        "currency": text("ISO 4217 code of the amount."),
        "amount": maybe({**MONEY_OUT, "description": "Amount of a year."}),
        "discount_percent": maybe({**PERCENT_OUT, "description": "Percent off list."}),
        "status": words("How it stands.", STATUSES),
        "first_at": instant("When the deal was first heard of."),
        "closed_at": maybe(instant("When it was closed; null while it is open.")),
        "won_at": maybe(instant("When it was seen to be won.")),
        "close_date": maybe({**DATE, "description": "The close date."}),
        "moves": {
            "type": "array",
            "description": "How the close date moved in the last 100 days, oldest first.",
            "items": record(move, tuple(move), "One move."),
        },
        "refolded": {
            "type": "boolean",
            "description": "Its past was read anew: a correction, a bulk edit found later.",
        },
    }
    return record(properties, tuple(properties), "How a deal stands; it replaces the deal's fact before.")


def _mark() -> Schema:
    properties = {
        "schema": {"const": FACT_SCHEMA},
        "kind": {"const": MARK},
        "at": instant("No fact from before this instant follows from this partition."),
        "partition": {"type": "integer", "minimum": 0, "description": "The partition of the log."},
        "partitions": {"type": "integer", "minimum": 1, "description": "How many there are."},
    }
    return record(properties, tuple(properties), "How far a partition of the log has come; without a key.")


def _policy() -> Schema:
    properties = {
        "kind": {"const": POLICY},
        "at": instant("When it was announced."),
        "policy": text("The policy file's text."),
    }
    return record(properties, tuple(properties), "From the next hour on this policy holds; without a key.")
