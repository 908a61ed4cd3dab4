"""One save, one headline: what becomes of messages when headlines change, one covers another, or ends before it."""

from __future__ import annotations

from told import MANAGER, OWNER, REVOPS, START, Play
from wellwon.core.units import HOUR, MINUTE
from wellwon.deliver.cards import AlertCard, DigestCard
from wellwon.deliver.state import POST, UPDATE

LEADER = "push-to-close:d1:2026-Q4"


def card(play: Play, number: int, address: str = OWNER) -> AlertCard:
    found = play.at(address)[number].card
    assert isinstance(found, AlertCard)
    return found


def rules(shown: AlertCard) -> list[str]:
    return [alert.rule for alert in (shown.alert, *shown.together)]


def test_two_messages_that_stand_become_one_headline_and_both_stay_true() -> None:
    play = Play()
    play.alert()
    play.alert("push-to-close")
    play.minutes(6)
    refs = {f"ts{number}" for number, one in enumerate(play.seen, 1) if one.address == OWNER}
    play.alert(revision=2, reason="covered", covered_by=LEADER)
    play.resolve(revision=3, covered_by=LEADER)
    play.resolve("push-to-close")
    edits = [one for one in play.at(OWNER) if one.kind == UPDATE]
    assert [set(one.refs) for one in edits] == [refs, refs, refs]
    assert rules(edits[0].card) == ["push-to-close", "late-discount"]  # type: ignore[arg-type]
    assert rules(edits[1].card) == ["push-to-close"]  # type: ignore[arg-type]
    assert not card(play, -1).alert.open


def test_what_was_held_over_night_is_told_in_the_morning_though_something_covers_it_by_then() -> None:
    play = Play(now=START + 9 * HOUR)
    play.alert()
    play.minutes(30)
    play.alert("push-to-close")
    play.alert(revision=2, reason="covered", covered_by=LEADER)
    assert play.at(OWNER) == []
    play.until(START + 24 * HOUR)
    (told,) = play.at(OWNER)
    assert isinstance(told.card, AlertCard)
    assert rules(told.card) == ["push-to-close", "late-discount"]


def test_evidence_is_told_where_its_headline_was_a_slip() -> None:
    play = Play()
    play.alert("push-to-close")
    play.alert(covered_by=LEADER)
    play.minutes(2)
    play.resolve("push-to-close", reason="retracted")
    play.minutes(6)
    assert [(one.kind, rules(card(play, 0))) for one in play.at(OWNER)] == [(POST, ["late-discount"])]
    play.resolve()
    assert not card(play, -1).alert.open


def test_a_message_does_not_say_over_while_what_came_with_it_still_holds() -> None:
    play = Play()
    play.alert("push-to-close")
    play.alert(covered_by=LEADER)
    play.minutes(6)
    play.resolve("push-to-close")
    assert rules(card(play, -1)) == ["late-discount"]
    assert card(play, -1).alert.open
    play.alert(revision=2, severity="info")  # it leads by itself now, and takes the message along
    play.minutes(6)
    play.resolve(revision=3)
    assert not card(play, -1).alert.open
    assert [one.kind for one in play.at(OWNER)] == [POST, UPDATE, UPDATE, UPDATE]


def test_evidence_is_told_where_its_headline_was_a_line_of_a_digest_only() -> None:
    play = Play()
    play.alert("push-to-close", reason="policy")
    play.minutes(90)
    play.alert(covered_by=LEADER)
    play.resolve("push-to-close")
    play.minutes(6)
    assert [type(one.card).__name__ for one in play.at(OWNER)] == ["DigestCard", "AlertCard"]
    assert rules(card(play, -1)) == ["late-discount"]


def test_the_next_owner_hears_of_it_and_nobody_twice() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.alert(revision=2, owner_id="bo")
    play.minutes(6)
    assert [one.kind for one in play.at(MANAGER)] == [POST], "bo's own deal by now"
    assert [one.kind for one in play.at(OWNER)] == [POST, UPDATE]
    assert [one.kind for one in play.at(REVOPS)] == [POST, UPDATE]


def test_what_is_over_does_not_ring_once_more_when_its_sink_is_well_again() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.deaf = {OWNER}
    play.alert(revision=2, severity="high")
    play.resolve(revision=3)
    play.deaf = set()
    play.send()
    assert [(one.kind, card(play, number).alert.open) for number, one in enumerate(play.at(OWNER))] == [
        (POST, True),
        (UPDATE, False),
    ]


def test_a_digest_names_a_headline_once() -> None:
    play = Play()
    play.alert(reason="policy")
    play.alert("push-to-close", reason="policy")
    play.alert(revision=2, reason="covered", covered_by=LEADER)
    play.minutes(90)
    (told,) = play.at(OWNER)
    assert isinstance(told.card, DigestCard)
    assert [(line.alert.rule, line.more) for line in told.card.lines] == [("push-to-close", 1)]
    assert told.at < START + 90 * MINUTE
