"""Bytes of any kind decode or are refused with a reason; nothing else ever leaves `decode`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wellwon.core import items
from wellwon.core.engine import step
from wellwon.core.items import Change, Clock, PolicyRecord, Reclassified
from wellwon.core.units import DAY, FIRST_DAY, LAST_DAY, parse_date, parse_instant
from wellwon.core.wire import (
    FIELDS,
    LINE_FIELDS,
    MAX_BYTES,
    DecodeError,
    decode,
    encode_clock,
    encode_policy,
    source_hash,
)
from wellwon.policy import compile_text

GOOD: dict[str, Any] = {
    "id": "sf:1",
    "opportunity_id": "006A",
    "source": "salesforce",
    "occurred_at": "2026-11-20T10:00:00Z",
    "kind": "changed",
    "writer": {"id": "005A", "kind": "user"},
    "transaction": "t",
    "bulk": 1,
    "values": {"close_date": "2026-12-31", "discount_percent": "22.5", "stage": "Negotiation/Review"},
}

RULESET = compile_text("")


def wire(**changed: Any) -> bytes:
    """A good change with some keys otherwise; a key that is ``...`` is left out."""
    return json.dumps({key: value for key, value in {**GOOD, **changed}.items() if value is not ...}).encode()


def decodes_or_says_why(value: bytes) -> None:
    """What decodes can be applied; what does not has a slug and a text."""
    try:
        decoded = decode(value)
    except DecodeError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert re.fullmatch(r"[a-z_]+", refused.reason)
        assert str(refused) == refused.detail != ""
        return
    assert decoded.kind in (*items.CHANGE_KINDS, items.RECLASSIFIED, items.CLOCK, items.POLICY)
    decoded.opportunity_id.encode()
    decoded.source.encode()
    if not isinstance(decoded.item, PolicyRecord):
        step(None, decoded.item, RULESET)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
        ("2026-12-31", "2026-11-20T10:00:00Z", "1e99", "-1", "", "١", "NaN", "user", "changed", "\ud800")
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from((*GOOD, *FIELDS)), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@given(st.binary())
@example(b"")
@example(b"null")
@example(b'"\\ud800"')
@example(b"[" * 100_000)
@example(b'{"kind":' * 50_000)
@example(b"\xef\xbb\xbf{}")
def test_any_bytes(value: bytes) -> None:
    decodes_or_says_why(value)


@given(anything)
def test_any_json(value: Any) -> None:
    decodes_or_says_why(json.dumps(value).encode())


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from((*GOOD, "at", "policy", "answer", "direction", "changes")), anything))
def test_a_good_change_with_anything_in_it(changed: dict[str, Any]) -> None:
    decodes_or_says_why(json.dumps({**GOOD, **changed}).encode())


@settings(max_examples=300)
@given(
    st.sampled_from(("changed", "created", "snapshot", "line_item")),
    st.dictionaries(st.sampled_from((*FIELDS, *LINE_FIELDS, "labels.x", "other")), anything),
)
def test_any_values(kind: str, values: dict[str, Any]) -> None:
    decodes_or_says_why(wire(kind=kind, values=values, line_item_id="L1"))


@given(st.binary(min_size=1), st.integers(0, 200))
def test_a_good_change_with_bytes_spoilt(spoilt: bytes, place: int) -> None:
    good = wire()
    decodes_or_says_why(good[:place] + spoilt + good[place + len(spoilt) :])


# --- what is read ---------------------------------------------------------------------------------------------


def change(**changed: Any) -> Change:
    """The decoded change."""
    item = decode(wire(**changed)).item
    assert isinstance(item, Change)
    return item


def test_a_change_is_read_to_the_units_of_the_core() -> None:
    read = change()
    assert read.at == parse_instant("2026-11-20T10:00:00Z")
    assert read.values == {
        "close_date": parse_date("2026-12-31"),
        "discount_percent": 2250,
        "stage": "Negotiation/Review",
    }
    assert (read.writer, read.writer_kind, read.bulk) == ("005A", "user", 1)
    assert read.source_id == source_hash("sf:1")


def test_changes_of_one_transaction_are_one_save() -> None:
    assert change(id="sf:2").commit == change().commit
    assert change(transaction=None).commit != change(transaction=None, id="sf:2").commit
    assert change(transaction=None).commit != 0


def test_without_a_writer_the_system_wrote() -> None:
    assert change(writer=None).writer_kind == "system"
    assert change(writer={"id": None}).writer_kind == "user"


def test_null_is_set_to_empty_and_a_missing_field_is_not() -> None:
    assert change(values={"amount": None}).values == {"amount": None}
    assert change(values={}).values == {}


def test_a_field_of_a_later_version_does_not_lose_the_others() -> None:
    assert change(values={"amount": "1", "moon_phase": "full"}).values == {"amount": 100}


def test_labels_are_texts() -> None:
    assert change(values={"labels.region": "EMEA", "labels.tier": None}).values == {
        "labels": {"region": "EMEA", "tier": ""}
    }


def test_long_texts_are_cut() -> None:
    assert change(values={"name": "x" * 10_000}).values == {"name": "x" * 255}


@pytest.mark.parametrize("day", [FIRST_DAY, LAST_DAY])
def test_the_first_and_the_last_date_have_a_period_and_rules(day: int) -> None:
    from wellwon.core.units import format_date, format_instant

    decodes_or_says_why(wire(values={"close_date": format_date(day), "stage": "Prospecting"}))
    decodes_or_says_why(wire(occurred_at=format_instant(day * DAY)))


def test_other_kinds() -> None:
    line = change(kind="line_item", line_item_id="L1", values={"quantity": "2", "unit_price": 9.5})
    assert (line.line_item_id, line.values) == ("L1", {"quantity": 2000, "unit_price": 950})
    assert change(kind="activity", direction="inbound").values["direction"] == "inbound"
    assert change(kind="answer", answer="traded", by="anna").values["answer"] == "traded"
    item = decode(wire(kind="reclassified", changes=["a"])).item
    assert item == Reclassified(parse_instant("2026-11-20T10:00:00Z"), (source_hash("a"),))


def test_clocks_and_policies_round_trip() -> None:
    at = parse_instant("2026-11-20T10:00:00.250Z")
    assert decode(encode_clock(at)).item == Clock(at)
    assert decode(encode_policy("window_days: 10\n# ü", at)).item == PolicyRecord(at, "window_days: 10\n# ü")


def test_a_message_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="at most") as raised:
        decode(b"x" * (MAX_BYTES + 1))
    assert raised.value.reason == "too_large"
