"""Dead letters: what was refused comes back byte for byte."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.output import DeadLetter as Refused
from wellwon.runtime import topics
from wellwon.runtime.deadletters import (
    MAX_ORIGINAL_BYTES,
    REDRIVEN,
    DeadLetter,
    decode_closed,
    encode,
    encode_closed,
    redrive,
)
from wellwon.runtime.embedded import EmbeddedBroker

from .test_ingest import log

AT = 1_790_000_000_000


@given(
    key=st.none() | st.binary(max_size=60),
    value=st.none() | st.binary(max_size=600),
    detail=st.text(max_size=300),
    rule=st.none() | st.just("late-discount"),
)
def test_it_comes_back(key: bytes | None, value: bytes | None, detail: str, rule: str | None) -> None:
    refused = Refused(key, value, 7, "not_json", detail, rule)
    letter = DeadLetter.decode(3, encode(refused, "wellwon.opportunity-changes", 2, AT))
    assert (letter.position, letter.topic, letter.partition, letter.offset) == (3, refused_topic(), 2, 7)
    assert (letter.key, letter.value, letter.reason, letter.detail, letter.rule) == (
        key,
        value,
        "not_json",
        detail,
        rule,
    )
    assert letter.size == (None if value is None else len(value))


def refused_topic() -> str:
    return "wellwon.opportunity-changes"


def test_the_largest_change_fits() -> None:
    refused = Refused(b"k" * 4096, b"\xff" * topics.CHANGE_BYTES, 7, "too_large", "x" * 5000)
    assert len(encode(refused, "t", 0, AT)) < topics.DEAD_LETTER_BYTES


def test_one_that_cannot_be_copied_says_where_it_is() -> None:
    refused = Refused(None, bytes(MAX_ORIGINAL_BYTES + 1), 7, "too_large", "")
    fields = orjson.loads(encode(refused, "t", 1, AT))
    assert (fields["value"], fields["size"]) == (None, MAX_ORIGINAL_BYTES + 1)
    assert (fields["topic"], fields["partition"], fields["offset"]) == ("t", 1, 7)


def test_a_letter_closes_nothing_and_a_closing_names_its_letters() -> None:
    assert decode_closed(encode(Refused(b"d", b"{", 7, "not_json", ""), "t", 1, AT)) == {}
    closed = decode_closed(encode_closed(REDRIVEN, [3, 5], AT))
    assert {number: one.how for number, one in closed.items()} == {3: REDRIVEN, 5: REDRIVEN}


def test_what_was_written_for_a_partition_goes_back_to_it() -> None:
    with EmbeddedBroker() as broker:
        settings = broker.settings()
        broker.declare(settings)
        refused = Refused(None, b"a clock that was refused", 7, "bad_value", "")
        letters = [
            DeadLetter.decode(number, encode(refused, settings.topic(topics.CHANGES), 2, AT)) for number in range(9)
        ]
        assert redrive(settings, letters) == (9, 0)
        assert {number: len(records) for number, records in log(settings).items()} == {0: 0, 1: 0, 2: 9, 3: 0}
