"""The published contracts: a JSON Schema of every record that wellwon reads or writes.

What the core accepts and writes is defined in `core.wire`, `core.records` and `runtime.deadletters`; the names and
words here come from there, and tests hold real records against the schemas. Producers may only write what a schema
says; consumers must ignore keys that they do not know, for later versions may add some.
"""

from __future__ import annotations

from wellwon.cli.contracts.change import opportunity_change
from wellwon.cli.contracts.facts import facts
from wellwon.cli.contracts.forms import Schema
from wellwon.cli.contracts.records import alert, dead_letter, reply, reread, win
from wellwon.policy.schema import DIALECT, policy_schema


def schemas() -> dict[str, Schema]:
    """Every published schema, by file name."""
    records = (opportunity_change(), alert(), win(), facts(), dead_letter(), reread(), reply())
    found = {
        f"{s['title']}.schema.json": {"$schema": DIALECT, "$id": f"urn:wellwon:{s['title']}", **s} for s in records
    }
    return {**found, "policy.schema.json": policy_schema()}
