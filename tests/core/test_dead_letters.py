"""What cannot be applied is a dead letter that says why, and leaves everything else as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from histories import DEAL, START, change, clock
from wellwon.core import hindsight
from wellwon.core.deal import Deal
from wellwon.core.fold import fold
from wellwon.core.items import Change
from wellwon.core.partition import Partition
from wellwon.core.state import decode_state
from wellwon.core.units import HOUR
from wellwon.policy import compile_text


def saved(**values: Any) -> dict[str, Any]:
    """A save by a person."""
    return {"kind": "changed", "writer": {"id": "anna", "kind": "user"}, "values": values}


GOOD = json.loads(change(saved(stage="Prospecting"), START, 1, 0).value)


@pytest.mark.parametrize(
    ("reason", "key", "value"),
    [
        ("null_value", DEAL.encode(), None),
        ("not_json", DEAL.encode(), b"{"),
        ("not_json", DEAL.encode(), b"\xff\xfe"),
        ("wrong_type", DEAL.encode(), b"[]"),
        ("wrong_type", DEAL.encode(), json.dumps({**GOOD, "bulk": "many"}).encode()),
        ("unknown_version", DEAL.encode(), json.dumps({**GOOD, "schema": "opportunity-change.v9"}).encode()),
        ("unknown_kind", DEAL.encode(), json.dumps({**GOOD, "kind": "exploded"}).encode()),
        ("no_opportunity_id", DEAL.encode(), json.dumps({**GOOD, "opportunity_id": ""}).encode()),
        ("no_id", DEAL.encode(), json.dumps({**GOOD, "id": ""}).encode()),
        ("no_line_item_id", DEAL.encode(), json.dumps({**GOOD, "kind": "line_item"}).encode()),
        ("bad_value", DEAL.encode(), json.dumps({**GOOD, "values": {"close_date": "9999-12-31"}}).encode()),
        ("bad_value", DEAL.encode(), json.dumps({**GOOD, "values": {"amount": {}}}).encode()),
        ("bad_value", DEAL.encode(), json.dumps({**GOOD, "occurred_at": "yesterday"}).encode()),
        ("too_large", DEAL.encode(), json.dumps({**GOOD, "note": "x" * 2_000_000}).encode()),
        ("empty_key", None, json.dumps(GOOD).encode()),
        ("empty_key", b"", json.dumps(GOOD).encode()),
        ("key_mismatch", b"006B", json.dumps(GOOD).encode()),
        ("in_the_future", DEAL.encode(), json.dumps({**GOOD, "occurred_at": "2027-09-10T09:00:00Z"}).encode()),
    ],
)
def test_dead_letters_say_why_and_the_log_goes_on(reason: str, key: bytes | None, value: bytes | None) -> None:
    store: dict[bytes, bytes] = {}
    partition = Partition(0, "", store, compile_text)

    class Dead:
        offset = 1

    dead_record = Dead()
    dead_record.key, dead_record.value = key, value  # type: ignore[attr-defined]
    good = change(saved(stage="Qualification"), START, 9, 2)
    out = partition.apply([clock(START, 0), dead_record, good])  # type: ignore[list-item]
    (dead,) = out.dead_letters
    assert (dead.reason, dead.offset, dead.key, dead.value) == (reason, 1, key, value)
    assert dead.detail
    assert out.counts.dead_letters == {reason: 1}
    assert decode_state(store[DEAL.encode()]).tail[-1].values == {"stage": "Qualification"}
    assert out.end_offset == 2


@pytest.mark.parametrize("room", [0, 100])
def test_a_change_that_cannot_be_digested_leaves_the_deal_as_it_was(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, price = saved(stage="Qualification"), saved(amount="5000")
    bad = saved(stage="Closed Lost", amount="13")

    def failing(deal: Deal, change: Change, ruleset: Any) -> int:
        mask = fold(deal, change, ruleset)
        if change.values.get("amount") == 1300:
            raise ArithmeticError("thirteen")
        return mask

    monkeypatch.setattr(hindsight, "fold", failing)
    records = [change(stage, START, 1, 0), change(bad, START + HOUR, 2, 1), change(price, START + 2 * HOUR, 3, 2)]
    stores: list[dict[bytes, bytes]] = [{}, {}]
    for store, log in zip(stores, (records, [records[0], records[2]]), strict=True):
        partition = Partition(0, "", store, compile_text)
        partition.room = room
        letters = partition.apply(log[:2]).dead_letters + partition.apply(log[2:]).dead_letters
        assert [letter.reason for letter in letters] == ["not_applied"] * (len(log) - 2)
    assert stores[0] == stores[1]
