"""Dead letters: what was refused comes back byte for byte."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.output import DeadLetter as Refused
from wellwon.runtime import topics
from wellwon.runtime.deadletters import MAX_ORIGINAL_BYTES, DeadLetter, encode

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
