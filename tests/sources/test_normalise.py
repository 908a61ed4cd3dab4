"""Before a stream is split by deal: repeats leave it, bulk edits are known as such."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wellwon.core import wire
from wellwon.core.units import HOUR, format_instant
from wellwon.sources.change import Ignored, Rejected, Reread, change_event
from wellwon.sources.generic import read_change
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Normaliser, Outgoing

AT = 1_792_000_000_000
SECOND = 1_000


def change(deal: str, at: int, **fields: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "id": f"{deal}@{at}",
        "deal": deal,
        "source": "test",
        "at": at,
        "kind": "changed",
        "writer": "ann",
        "values": {"stage": "A"},
    }
    return change_event(**defaults | fields)


def normaliser(limit: int = 3, **options: Any) -> Normaliser:
    return Normaliser(SourceView(bulk_records=limit), read_change, **options)


def outgoing(subject: Normaliser, *changes: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for event in changes:
        for out in subject.feed(orjson.dumps(event), AT):
            assert isinstance(out, Outgoing), out
            found.append(orjson.loads(out.value))
            assert out.key == found[-1]["opportunity_id"].encode()
            wire.decode(out.value)
    return found


def said(found: list[dict[str, Any]]) -> list[Any]:
    """Deal and bulk of changes; deal and ids of what is reclassified."""
    return [
        (e["opportunity_id"], e["changes"]) if e["kind"] == "reclassified" else (e["opportunity_id"], e["bulk"])
        for e in found
    ]


def test_repeats_leave_the_stream() -> None:
    subject = normaliser()
    assert len(outgoing(subject, change("d1", AT), change("d1", AT), change("d1", AT + 1))) == 2
    assert subject.counts == {"duplicate": 1}


def test_what_is_remembered_is_bounded() -> None:
    subject = normaliser(remembered=2)
    for n in range(3):
        outgoing(subject, change(f"d{n}", AT))
    assert len(outgoing(subject, change("d0", AT))) == 1
    late = normaliser()
    late.feed(orjson.dumps(change("d0", AT)), AT)
    late.feed(orjson.dumps(change("d1", AT)), AT + 73 * HOUR)
    assert late.feed(orjson.dumps(change("d0", AT)), AT + 73 * HOUR)


def test_one_writer_within_a_minute() -> None:
    found = outgoing(normaliser(3), *(change(f"d{n}", AT + n * SECOND) for n in range(5)))
    assert said(found) == [
        ("d0", 1),
        ("d1", 1),
        ("d2", 1),
        ("d0", [f"d0@{AT}"]),
        ("d1", [f"d1@{AT + SECOND}"]),
        ("d2", [f"d2@{AT + 2 * SECOND}"]),
        ("d3", 4),
        ("d4", 5),
    ]
    assert len({e["id"] for e in found}) == len(found)


def test_the_minute_slides() -> None:
    steps = [0, 30, 60, 90, 120, 130, 135, 300]
    found = outgoing(normaliser(3), *(change(f"d{n}", AT + s * SECOND) for n, s in enumerate(steps)))
    # 90, 120, 130 and 135 are within a minute of each other; before that never more than three deals are.
    assert [deal for deal, what in said(found) if isinstance(what, list)] == ["d3", "d4", "d5"]
    assert [deal for deal, what in said(found) if what == 4] == ["d6"]
    assert said(found)[-1] == ("d7", 1)


def test_many_saves_of_few_deals_are_no_bulk_edit() -> None:
    found = outgoing(normaliser(3), *(change(f"d{n % 3}", AT + n * SECOND) for n in range(30)))
    assert {bulk for _, bulk in said(found)} == {1}


def test_several_writers_and_machines_are_no_bulk_edit() -> None:
    people = [change(f"d{n}", AT, writer=f"w{n % 3}") for n in range(9)]
    robots = [change(f"r{n}", AT, writer="robot", writer_kind="integration") for n in range(9)]
    snapshots = [change(f"s{n}", AT, kind="snapshot") for n in range(9)]
    assert {bulk for _, bulk in said(outgoing(normaliser(3), *people, *robots, *snapshots))} == {1}


def test_a_shared_transaction_whatever_its_time() -> None:
    found = outgoing(normaliser(2), *(change(f"d{n}", AT + n * HOUR, transaction="t", writer="") for n in range(4)))
    assert said(found) == [
        ("d0", 1),
        ("d1", 1),
        ("d0", [f"d0@{AT}"]),
        ("d1", [f"d1@{AT + HOUR}"]),
        ("d2", 3),
        ("d3", 4),
    ]


def test_a_merged_event_says_it_at_once() -> None:
    found = outgoing(normaliser(3), *(change(f"d{n}", AT, transaction="t", bulk=200) for n in range(6)))
    assert said(found) == [(f"d{n}", 200) for n in range(6)]


def test_a_warm_up_gives_the_same_outcome_as_never_having_stopped() -> None:
    changes = [change(f"d{n}", AT + n * SECOND) for n in range(6)]
    whole = outgoing(normaliser(3), *changes)
    again = normaliser(3)
    for event in changes[:3]:
        assert again.feed(orjson.dumps(event), AT, emit=False) == []
    assert outgoing(again, *changes[3:]) == whole[3:]


def test_normalising_twice_changes_nothing() -> None:
    changes = [change(f"d{n}", AT + n * SECOND) for n in range(6)]
    once = outgoing(normaliser(3), *changes)
    twice = outgoing(normaliser(3), *once)
    assert [e for e in twice if e["kind"] != "reclassified"] == [e for e in once if e["kind"] != "reclassified"]
    assert {e["id"] for e in twice} == {e["id"] for e in once}


def test_rereads_refusals_and_silence() -> None:
    subject = normaliser()
    lost = Reread("Opportunity", "salesforce", AT, "overflow", "sf:t:1")
    (out,) = subject.take(lost)
    assert isinstance(out, Outgoing)
    assert (out.topic, out.key, orjson.loads(out.value)["at"]) == ("rereads", b"Opportunity", format_instant(AT))
    assert subject.take(lost) == []
    refusal = Rejected("bad_value", "x", b"")
    assert subject.take(refusal) == [refusal]
    assert subject.take(Ignored("other_entity")) == []
    assert subject.counts == {"duplicate": 1, "other_entity": 1}


def test_a_mappers_mistake_loses_nothing() -> None:
    def broken(_: bytes) -> Any:
        raise ZeroDivisionError("oh")

    (refusal,) = Normaliser(SourceView(), broken).feed(b"x", AT)
    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.original) == ("mapper_failed", b"x")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not_json"),
        (b"[]", "wrong_type"),
        (b'{"kind":"changed","occurred_at":"2026-01-01T00:00:00Z","id":"1"}', "no_opportunity_id"),
        (b'{"kind":"changed","occurred_at":"then","id":"1","opportunity_id":"d"}', "bad_value"),
        (b'{"kind":"merged","occurred_at":"2026-01-01T00:00:00Z","id":"1","opportunity_id":"d"}', "unknown_kind"),
        (b'{"schema":"opportunity-change.v9","kind":"changed"}', "unknown_version"),
    ],
)
def test_generic_lines_that_are_wrong(value: bytes, reason: str) -> None:
    (refusal,) = normaliser().feed(value, AT)
    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.original) == (reason, value)


def test_generic_lines_without_a_change() -> None:
    subject = normaliser()
    for value in (b"", b"  ", b'{"kind":"clock","at":"2026-01-01T00:00:00Z"}'):
        assert subject.feed(value, AT) == []
    assert subject.counts == {"empty": 2, "clock": 1}
