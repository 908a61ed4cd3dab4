"""The timeline language: what it reads, what it plays, and how it explains itself when it is wrong."""

from __future__ import annotations

import pytest

from wellwon.core import timeline
from wellwon.core.timeline import TimelineError, Told
from wellwon.core.units import format_instant
from wellwon.policy import compile_text

BEGIN = '2026-09-01 10:00  created stage="Negotiation/Review" close_date=2026-09-30 discount=12 by=anna\n'


def check(text: str, *rules: str, policy: str = "") -> list[str]:
    return timeline.check(text, compile_text, rules, policy)


def test_what_is_expected_and_told_is_silent() -> None:
    assert check(BEGIN + "2026-09-28 10:00  discount=22 by=anna  ! late-discount warning", "late-discount") == []


def test_an_alert_that_was_not_expected_is_explained() -> None:
    (said,) = check(BEGIN + "2026-09-28 10:00  discount=22 by=anna  .", "late-discount")
    assert said == (
        "line 2: 2026-09-28 10:00  discount=22 by=anna  .\n"
        "    at 2026-09-28T10:00:00Z expected silence, got ! late-discount warning"
    )


def test_silence_that_was_not_expected_is_explained() -> None:
    (said,) = check(BEGIN + "2026-09-28 10:00  discount=13 by=anna  ! late-discount warning")
    assert said.endswith("expected ! late-discount warning, got silence")


def test_what_time_brings_between_lines_needs_a_line() -> None:
    said = check(BEGIN + "2026-10-20 10:00  next_step=call by=anna", "past-due-close-date")
    assert [one.partition("\n")[0] for one in said] == ["between lines", "between lines"]
    assert "at 2026-10-02T00:00:00Z expected silence, got ! past-due-close-date info" in said[0]


def test_only_the_rules_asked_for_are_compared() -> None:
    told_by_two = BEGIN + "2026-09-28 10:00  discount=22 by=anna\n2026-10-02"
    assert len(check(told_by_two)) == 2
    assert len(check(told_by_two, "late-discount")) == 1
    assert check(told_by_two, "reopened-deal") == []


def test_a_policy_of_its_own_goes_before_the_given_one() -> None:
    text = BEGIN + "2026-09-28 10:00  discount=22 by=anna  ."
    assert check("policy: {rules: {late-discount: off}}\n" + text, "late-discount", policy="window_days: 10") == []
    assert check(text, "late-discount", policy="rules: {late-discount: off}") == []


def test_local_time_knows_the_zone_and_its_changes() -> None:
    text = """
    policy: {calendar: {zone: America/New_York}}
    2026-11-01 00:30  created stage=Qualification
    2026-11-01 03:00  amount=1
    2026-11-01 23:30  amount=2
    2026-11-02 05:00Z amount=3
    2026-11-03
    """
    lines = [seen for seen in timeline.run(timeline.parse(text), compile_text) if seen.line is not None]
    assert [format_instant(seen.at) for seen in lines] == [
        "2026-11-01T04:30:00Z",
        "2026-11-01T08:00:00Z",
        "2026-11-02T04:30:00Z",
        "2026-11-02T05:00:00Z",
        "2026-11-03T05:00:00Z",
    ]


def test_words_and_expectations_are_read() -> None:
    (line,) = timeline.parse(
        '2026-09-01 name="Big Deal" by=integration:x ! a info; resolved b cleared; won mixed'
    ).lines
    assert line.words == ("name=Big Deal", "by=integration:x")
    assert line.expected == (Told("a", "info"), Told("b", "resolved cleared"), Told("won", "mixed"))
    assert [str(told) for told in line.expected] == ["! a info", "resolved b cleared", "won mixed"]


def test_comments_and_blank_lines_are_nothing() -> None:
    assert timeline.parse("\n# a thought\n   \n").lines == ()
    assert timeline.parse("2026-09-01 amount=1 . # why").lines[0].words == ("amount=1",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow amount=1", "line 1: 'tomorrow' is not a date"),
        ("2026-09-31 amount=1", "line 1: '2026-09-31' is not a date"),
        ("2026-09-01 25:00 amount=1", "line 1: "),
        ("2026-09-01 exploded", "line 1: 'exploded' is neither field=value nor a known word"),
        ("2026-09-01 amount=1 ! late-discount", "line 1: '! late-discount' is none of"),
        ('2026-09-01 name="open', "line 1: No closing quotation"),
        ("2026-09-01 close_date=soon", "line 1: bad_value: values.close_date"),
        ("2026-09-01 amount=1 bulk=many", "line 1: bulk: 'many' is not a whole number"),
        ("\n2026-09-01 by=stranger:x amount=1", "line 2: bad_value: writer.kind 'stranger'"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, why: str) -> None:
    with pytest.raises(TimelineError) as raised:
        check(text)
    assert str(raised.value).startswith(why)
