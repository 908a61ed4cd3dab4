"""Who is told what and when, as people would see it."""

from __future__ import annotations

from told import MANAGER, OWNER, POLICY, REVOPS, START, Play, directory
from wellwon.core.units import DAY, HOUR, MINUTE, format_instant
from wellwon.deliver.cards import AlertCard, DigestCard, HandoverCard, RawCard, WinCard
from wellwon.deliver.state import POST, UPDATE

LEADER = "push-to-close:d1:2026-Q4"


def test_owner_and_revops_are_told_once_when_it_has_settled() -> None:
    play = Play()
    play.alert()
    play.minutes(4)
    assert play.people() == []
    play.minutes(60)
    assert [(one.address, one.kind, one.at - START) for one in play.people()] == [
        (OWNER, POST, 5 * MINUTE),
        (REVOPS, POST, 5 * MINUTE),
    ]


def test_a_slip_of_the_hand_is_never_announced() -> None:
    play = Play()
    play.alert()
    play.minutes(3)
    play.resolve(reason="retracted")
    play.minutes(60)
    assert play.people() == []
    assert play.counts["silent", "settled"] == 1


def test_a_later_retraction_edits_the_message() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    posted = {one.address: f"ts{number}" for number, one in enumerate(play.seen, 1)}
    play.resolve(reason="retracted")
    edits = [one for one in play.people() if one.kind == UPDATE]
    assert {one.address: one.refs for one in edits} == {a: (posted[a],) for a in (OWNER, REVOPS)}
    assert all(isinstance(one.card, AlertCard) and one.card.alert.reason == "retracted" for one in edits)


def test_machines_hear_every_transition_at_once() -> None:
    play = Play()
    play.alert()
    play.alert(revision=2, severity="high")
    play.resolve(revision=3)
    cards = [one.card for one in play.at("hook|")]
    assert [card.id.rpartition(":")[2] for card in cards if isinstance(card, RawCard)] == ["1", "2", "3"]


def test_shadow_is_told_to_nobody() -> None:
    play = Play()
    play.alert(mode="shadow")
    play.minutes(60)
    assert play.seen == []
    assert play.counts["silent", "shadow"] == 1


def test_a_repeat_is_recognised() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.alert()
    play.restart()
    play.alert()
    play.minutes(60)
    assert len(play.people()) == 2
    assert play.counts["skipped", ""] == 2


def test_more_severe_rings_again_less_severe_only_edits() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.alert(revision=2, severity="high")
    play.alert(revision=3, severity="warning")
    assert [one.kind for one in play.at(OWNER)] == [POST, UPDATE, POST, UPDATE]


def test_one_save_one_headline() -> None:
    play = Play()
    play.alert()
    play.alert(revision=2, reason="covered", covered_by=LEADER)
    play.alert("push-to-close")
    play.minutes(6)
    (seen,) = play.at(OWNER)
    assert isinstance(seen.card, AlertCard)
    assert seen.card.alert.rule == "push-to-close"
    assert [alert.rule for alert in seen.card.together] == ["late-discount"]


def test_a_stronger_headline_takes_over_the_message_that_stands() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.alert("push-to-close")
    play.alert(revision=2, reason="covered", covered_by=LEADER)
    play.minutes(60)
    assert [one.kind for one in play.at(OWNER)] == [POST, UPDATE]
    card = play.at(OWNER)[-1].card
    assert isinstance(card, AlertCard)
    assert card.alert.rule == "push-to-close"


def test_messages_of_a_deal_share_a_thread() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.alert("commit-slip")
    play.minutes(6)
    first, second = play.at(REVOPS)
    assert first.thread == ""
    assert second.thread.startswith("ts")


def test_quiet_hours_hold_back_until_the_owners_morning() -> None:
    play = Play()
    play.until("2026-12-29T19:00:00Z")
    play.alert()
    play.alert("commit-slip", "d2")
    play.until("2026-12-30T08:00:00Z")
    assert [one.address for one in play.people()].count(REVOPS) == 2  # a channel wakes nobody
    (digest,) = play.at(OWNER)
    assert format_instant(digest.at) == "2026-12-30T07:00:00Z"  # eight o'clock in Berlin
    assert isinstance(digest.card, DigestCard)
    assert digest.card.total == 2


def test_one_message_held_over_night_comes_as_itself() -> None:
    play = Play()
    play.until("2026-12-29T19:00:00Z")
    play.alert()
    play.until("2026-12-30T08:00:00Z")
    (seen,) = play.at(OWNER)
    assert isinstance(seen.card, AlertCard)
    play.resolve()
    assert play.at(OWNER)[-1].kind == UPDATE


def test_nobody_is_told_on_a_day_off() -> None:
    play = Play()
    play.until("2027-01-01T17:30:00Z")  # a Friday evening
    play.alert()
    play.until("2027-01-05T00:00:00Z")
    assert [format_instant(one.at) for one in play.at(OWNER)] == ["2027-01-04T07:00:00Z"]


def test_what_is_over_by_the_morning_is_not_told() -> None:
    play = Play()
    play.until("2026-12-29T19:00:00Z")
    play.alert()
    play.minutes(30)
    play.resolve()
    play.until("2026-12-30T12:00:00Z")
    assert play.at(OWNER) == []


def test_the_cap_of_a_day_then_one_digest() -> None:
    play = Play()
    for number in range(8):
        play.alert(deal=f"d{number}")
    play.until("2026-12-29T20:00:00Z")
    *single, digest = play.at(OWNER)
    assert len(single) == 5
    assert isinstance(digest.card, DigestCard)
    assert (digest.card.total, format_instant(digest.at)) == (3, "2026-12-29T15:00:00Z")
    assert play.counts["held", "cap"] == 3


def test_a_flood_in_a_channel_becomes_one_message() -> None:
    play = Play()
    for number in range(100):
        play.alert(deal=f"d{number}", owner_id="nobody")
    play.minutes(60)
    *single, digest = play.at(REVOPS)
    assert len(single) == 30
    assert isinstance(digest.card, DigestCard)
    assert (digest.card.total, digest.card.deals) == (70, 70)


def test_the_first_connection_is_one_report() -> None:
    play = Play(introduced=False)
    for number in range(2_000):
        play.alert(deal=f"d{number}", severity="high" if number == 1_999 else "warning")
    play.minutes(120)
    (seen,) = play.people()
    assert seen.address == REVOPS
    assert isinstance(seen.card, DigestCard)
    assert seen.card.first
    assert seen.card.total == 2_000
    assert seen.card.lines[0].alert.opportunity_id == "d1999"
    play.alert(deal="later")
    play.minutes(6)
    assert [one.address for one in play.people()[1:]] == [OWNER, REVOPS]


def test_a_policys_edit_is_one_digest_for_everyone() -> None:
    play = Play()
    for number in range(20):
        play.alert(deal=f"d{number}", reason="policy")
    play.alert("commit-slip", "d0", reason="policy")
    play.minutes(60)
    assert sorted(one.address for one in play.people()) == [OWNER, REVOPS]
    for one in play.people():
        assert isinstance(one.card, DigestCard)
        assert (one.card.total, one.card.deals) == (21, 20)


def test_after_an_outage_old_alerts_are_one_digest() -> None:
    play = Play()
    for number in range(20):
        play.alert(deal=f"d{number}", at=format_instant(START - 3 * HOUR))
    play.alert(deal="fresh")
    play.minutes(60)
    assert sorted(type(one.card).__name__ for one in play.at(REVOPS)) == ["AlertCard", "DigestCard"]


def test_what_waited_too_long_for_its_sink_is_one_digest() -> None:
    play = Play()
    play.deaf = {REVOPS}
    for number in range(10):
        play.alert(deal=f"d{number}")
    play.minutes(180)
    play.deaf = set()
    play.minutes(60)
    (seen,) = play.at(REVOPS)
    assert isinstance(seen.card, DigestCard)
    assert seen.card.total == 10


def test_a_small_deal_waits_for_the_days_digest() -> None:
    play = Play(directory("reporting_currency: USD\nleast_amount: 100000\n" + POLICY))
    play.alert()
    play.until("2026-12-29T20:00:00Z")
    assert {one.address: type(one.card) for one in play.people()} == {OWNER: DigestCard, REVOPS: DigestCard}


def test_nobody_answers_and_the_manager_hears_once() -> None:
    play = Play()
    play.alert(severity="high")
    play.until(START + 3 * DAY)
    (seen,) = play.at(MANAGER)
    assert isinstance(seen.card, AlertCard)
    assert seen.card.escalated
    assert seen.at == START + DAY + 5 * MINUTE


def test_an_answer_stops_the_escalation_and_shows_on_the_message() -> None:
    play = Play()
    play.alert(severity="high")
    play.minutes(10)
    play.reply("answered", answer="approved", note="by the board")
    play.until(START + 3 * DAY)
    assert play.at(MANAGER) == []
    last = play.at(OWNER)[-1]
    assert last.kind == UPDATE
    assert isinstance(last.card, AlertCard)
    assert [(said.answer, said.by) for said in last.card.said] == [("approved", "Ann")]


def test_a_snooze_ends_with_the_message_again_if_it_still_holds() -> None:
    play = Play()
    play.alert()
    play.minutes(10)
    play.reply("snoozed", until=format_instant(START + 4 * HOUR))
    play.until(START + 5 * HOUR)
    assert [(one.kind, one.at - START) for one in play.at(OWNER)] == [
        (POST, 5 * MINUTE),
        (UPDATE, 10 * MINUTE),
        (UPDATE, 4 * HOUR),
        (POST, 4 * HOUR),
    ]


def test_earned_wins_are_told_and_others_only_handed_over() -> None:
    play = Play()
    play.win()
    play.until(START + 2 * DAY)
    assert [type(one.card) for one in play.at(OWNER)] == [WinCard]
    assert [type(one.card) for one in play.at("post|success")] == [HandoverCard]
    mixed = Play()
    mixed.win(reading="pressured", price_held="no")
    mixed.until(START + 2 * DAY)
    assert [one.address for one in mixed.people()] == ["post|success"]


def test_a_win_taken_back_after_the_hand_over_is_corrected() -> None:
    play = Play()
    play.win()
    play.until(START + 2 * DAY)
    play.win(2, withdrawn=True)
    _told, corrected = play.at("post|success")
    assert isinstance(corrected.card, HandoverCard)
    assert corrected.card.win.withdrawn
    assert play.at(OWNER)[-1].kind == UPDATE


def test_the_owners_note_goes_to_customer_success() -> None:
    play = Play()
    play.win()
    play.reply("noted", fingerprint="", note="They go live in March")
    play.until(START + 2 * DAY)
    (seen,) = play.at("post|success")
    assert isinstance(seen.card, HandoverCard)
    assert [said.note for said in seen.card.notes] == ["They go live in March"]


def machine_only() -> Play:
    return Play(directory("deliver:\n  sinks:\n    hook: {kind: webhook, hears: [revops]}\n"), deaf={"hook|"})


def test_a_message_that_went_out_before_a_crash_is_a_repeat_afterwards() -> None:
    play = machine_only()
    play.alert()
    ((key, id_, _),) = play.waiting
    attempt = play.desk.attempt(key, id_, play.now)
    assert attempt is not None
    assert not attempt.repeat
    play.desk.collect()
    play.restart()
    again = play.desk.attempt(key, id_, play.now)
    assert again is not None
    assert again.repeat


def test_a_clear_no_is_no_attempt_and_what_was_sent_is_gone() -> None:
    play = machine_only()
    play.alert()
    ((key, id_, _),) = play.waiting
    play.desk.attempt(key, id_, play.now)
    play.desk.put_off(key, id_)
    play.desk.collect()
    play.restart()
    again = play.desk.attempt(key, id_, play.now)
    assert again is not None
    assert not again.repeat
    play.desk.sent(key, id_, "")
    play.desk.collect()
    play.restart()
    assert play.waiting == []
    assert play.desk.attempt(key, id_, play.now) is None
