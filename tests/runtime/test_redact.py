"""What is left of a record when a deal or a person is forgotten."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushed import pushed_deal
from told import alert_record, win_record
from wellwon.core.facts import Batch, encode_facts, encode_mark, read
from wellwon.core.partition import Partition
from wellwon.core.state import PREFIX, count_open, decode_state
from wellwon.core.wire import encode_policy
from wellwon.deliver import store
from wellwon.deliver.cards import AlertCard, DigestCard, DigestLine, RawCard
from wellwon.deliver.directory import Address
from wellwon.deliver.items import read_alert
from wellwon.deliver.state import QUIET, DealFile, Held, Known, Message, Page, Told
from wellwon.policy import compile_text
from wellwon.runtime import topics
from wellwon.runtime.redact import NOBODY, Redaction

DEAL, ANN = Redaction(deal="d1"), Redaction(person="ann", also=("ann@example.com", "Ann Lee"))


def stored(entry: store.Entry) -> bytes:
    return store.encode(entry, epoch=0, generation=1, serial=2, wake_at=3)


def state_of(deal: str) -> tuple[bytes, Any]:
    """A deal that owner ``u1`` pushed, as it is stored; and the core's output."""
    kept: dict[bytes, bytes] = {}
    core = Partition(0, "", kept, compile_text)
    records = [SimpleNamespace(key=key, value=value, offset=at) for at, (key, value) in enumerate(pushed_deal(deal))]
    output = core.apply(records)
    return kept[deal.encode()], output


# --- its own records go, others' stay ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (topics.STATE, b"d1"),
        (topics.ROLLUP_STATE, b"d1"),
        (topics.WINS, b"d1"),
        (topics.ALERTS, b"d1"),
        (topics.DELIVER_STATE, store.POSITION + b"d1"),
        (topics.DELIVER_STATE, store.held_key(Address("chat", "@bo"), Held("d1", "late-discount:d1:Q4", QUIET, 0))),
    ],
)
def test_what_is_under_the_deals_key_goes(name: str, key: bytes) -> None:
    assert DEAL.without(name, key, b"whatever") is None
    assert DEAL.without(name, key.replace(b"d1", b"d10"), b"whatever") == b"whatever"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (topics.ROLLUP_STATE, b"\0subject:owner:ann"),
        (topics.ALERTS, b"owner:ann"),
        (topics.REPLIES, b"bulk-push:owner:ann:2026-Q4"),
        (topics.DELIVER_STATE, b"bulk-push:owner:ann:2026-Q4"),
        (topics.DELIVER_STATE, store.page_key(Address("chat", "@ann"))),
        (topics.DELIVER_STATE, store.held_key(Address("chat", "@ann"), Held("d9", "m", QUIET, 0))),
    ],
)
def test_what_is_the_persons_own_goes(name: str, key: bytes) -> None:
    assert ANN.without(name, key, b"whatever") is None
    assert ANN.without(name, key.replace(b"ann", b"anna"), b"whatever") == b"whatever"


def test_the_same_salesforce_id_in_its_other_form() -> None:
    value = win_record(owner_id="0055g00000AnnXA")
    long = Redaction(person="0055g00000AnnXAAS0"[:15])
    assert b"0055g00000AnnXA" not in (long.without(topics.WINS, b"d1", value) or b"")


# --- what is published ------------------------------------------------------------------------------------------


def test_an_owner_becomes_unknown_in_what_is_published() -> None:
    value = ANN.without(topics.WINS, b"d1", win_record())
    assert orjson.loads(value or b"") == orjson.loads(win_record(owner_id=""))
    assert ANN.without(topics.WINS, b"d1", win_record(owner_id="bo")) == win_record(owner_id="bo")


def test_a_name_counts_where_it_stands_alone() -> None:
    reply = {"by": "Ann Lee", "note": "Ann Lee asked, ann agreed", "mail": "ann@example.com"}
    value = ANN.without(topics.REPLIES, b"d1", orjson.dumps(reply))
    assert orjson.loads(value or b"") == {"by": "", "note": f"Ann Lee asked, {NOBODY} agreed", "mail": ""}


@pytest.mark.parametrize("text", ["$12345", "12345.00", "1,12345", "12345-6", "x12345"])
def test_an_id_of_digits_is_no_part_of_a_number(text: str) -> None:
    record = orjson.dumps({"text": f"moved {text} once"})
    assert Redaction(deal="12345").without(topics.ALERTS, b"d9", record) == record


def test_a_deal_within_anothers_alert_is_not_named_any_more() -> None:
    record = alert_record(deal="d9", evidence={"deals": ["d1", "d10"], "clears": "look at d1, d10"})
    value = DEAL.without(topics.ALERTS, b"owner:bo", record)
    assert orjson.loads(value or b"")["evidence"] == {"deals": [NOBODY, "d10"], "clears": f"look at {NOBODY}, d10"}


def test_facts_lose_the_deal_and_keep_the_others() -> None:
    facts = [*state_of("d1")[1].facts.values(), *state_of("d2")[1].facts.values()]
    (batch,) = encode_facts(facts, 3)
    left = DEAL.without(topics.FACTS, None, batch)
    assert read(left or b"") == Batch("facts.v1", 3, tuple(fact for fact in facts if fact.deal == "d2"))
    (alone,) = encode_facts(facts[: len(facts) // 2], 3)
    assert DEAL.without(topics.FACTS, None, alone) is None
    person = read(Redaction(person="u1").without(topics.FACTS, None, batch) or b"")
    assert isinstance(person, Batch)
    assert [fact.owner for fact in person.facts] == [""] * len(facts)


def test_time_and_policies_stay() -> None:
    policy = encode_policy("owners: [ann, d1]", 1_800_000_000_000)
    for value in (encode_mark(5, 0, 4), policy):
        assert ANN.without(topics.FACTS, None, value) == DEAL.without(topics.FACTS, None, value) == value
    assert not ANN.concerns(topics.CHANGES, None, policy)


def test_dead_letters() -> None:
    def letter(key: bytes | None, original: bytes) -> bytes:
        parts = {"key": None if key is None else base64.b64encode(key).decode(), "size": len(original)}
        return orjson.dumps({**parts, "value": base64.b64encode(original).decode(), "detail": "not a date"})

    change = b'{"opportunity_id":"d1","writer":{"id":"ann"}}'
    assert DEAL.without(topics.DEAD_LETTERS, None, letter(b"d1", b"?")) is None
    assert DEAL.without(topics.DEAD_LETTERS, None, letter(None, change)) is None
    assert ANN.without(topics.DEAD_LETTERS, None, letter(b"d1", b"broken, by ann")) is None
    other = letter(b"d2", b'{"opportunity_id":"d2"}')
    assert DEAL.without(topics.DEAD_LETTERS, None, other) == ANN.without(topics.DEAD_LETTERS, None, other) == other
    left = orjson.loads(ANN.without(topics.DEAD_LETTERS, None, letter(b"d1", change)) or b"")
    original = base64.b64decode(left["value"])
    assert orjson.loads(original) == {"opportunity_id": "d1", "writer": {"id": ""}}
    assert left["size"] == len(original)


# --- what is stored ---------------------------------------------------------------------------------------------


def test_a_state_loses_the_person_and_nothing_else() -> None:
    value, _ = state_of("d1")
    left = Redaction(person="u1").without(topics.STATE, b"d1", value)
    assert left is not None
    assert b"u1" not in left
    assert left[: PREFIX.size] == value[: PREFIX.size]
    before, after = decode_state(value), decode_state(left)
    assert (after.alerts, after.seen, after.at, after.wake_at) == (
        before.alerts,
        before.seen,
        before.at,
        before.wake_at,
    )
    assert [change.source_id for change in after.tail] == [change.source_id for change in before.tail]
    assert count_open([left]) == count_open([value])
    assert Redaction(person="u2").without(topics.STATE, b"d1", value) == value


@given(st.from_regex(r"[a-zA-Z0-9]{6,18}", fullmatch=True))
def test_who_is_not_there_changes_no_state(person: str) -> None:
    value, _ = STORED
    assert Redaction(person=person).without(topics.STATE, b"d1", value) == value


STORED = state_of("d1")


def test_a_digest_on_its_way_keeps_its_other_lines() -> None:
    lines = tuple(DigestLine(read_alert(alert_record(deal=deal)), QUIET) for deal in ("d1", "d2"))
    waiting = [
        Message("1", "chat|revops", "post", "digest:1", DigestCard(lines, 5, deals=4), 0),
        Message("2", "chat|revops", "post", "digest:2", DigestCard(lines[:1], 1, deals=1), 0),
    ]
    left = DEAL.without(topics.DELIVER_STATE, store.page_key(Address("chat", "revops")), stored(Page(outbox=waiting)))
    (message,) = store.decode(Page, left or b"").outbox
    assert message == msgspec.structs.replace(waiting[0], card=DigestCard(lines[1:], 4, deals=3))


def test_what_stands_at_the_persons_address_is_forgotten() -> None:
    alert, hook, mine, bos = read_alert(alert_record()), "hook|", "chat|@ann", "chat|@bo"
    file = DealFile(
        known={"m": Known(alert)},
        told={"m": {mine: Told(1, "high"), bos: Told(1, "high")}},
        refs={f"{mine} m": ["1"], f"{bos} m": ["2"], mine: ["3"]},
        win_told={"win": [mine, bos]},
        outbox=[
            Message("1", mine, "post", "m", AlertCard(alert), 0),
            Message("2", hook, "post", "m", RawCard("i", "alert.v1", alert_record()), 0),
        ],
    )
    left = store.decode(DealFile, ANN.without(topics.DELIVER_STATE, b"d1", stored(file)) or b"")
    assert left.known["m"].alert.owner_id == ""
    assert list(left.told["m"]) == left.win_told["win"] == [bos]
    assert left.refs == {f"{bos} m": ["2"]}
    (message,) = left.outbox
    assert isinstance(message.card, RawCard)
    assert orjson.loads(message.card.record) == orjson.loads(alert_record(owner_id=""))
