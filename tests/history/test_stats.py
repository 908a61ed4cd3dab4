"""What a backtest counts: small histories counted by hand, and many against a slow count that is plainly right."""

from __future__ import annotations

import pickle
from collections import Counter
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deal_runs import CALENDAR, at, backtest, flag, info, many, moved, rule, run
from wellwon.core.calendar import Period
from wellwon.core.model import DELETED, LOST, OPEN, WON
from wellwon.core.units import DAY
from wellwon.history.course import BAD, DECIDED, Became, Course
from wellwon.history.deal_run import DealRun
from wellwon.history.interval import Share, ratio
from wellwon.history.like_deals import _MIDDLES, AGE_DAYS, LEFT_DAYS, MIN_ALIKE, LikeDeals
from wellwon.history.report.data import as_dict
from wellwon.history.retention import Fate
from wellwon.history.stats import INSUFFICIENT, LESS, MORE, quartiles
from wellwon.history.tally import Tally
from wellwon.policy import load_policy

# --- intervals ------------------------------------------------------------------------------------------------------


def test_wilson_as_published() -> None:
    # Newcombe 1998 (Stat. Med. 17), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for part, whole, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
                                   (1, 29, 0.0061, 0.1718)):  # fmt: skip
        share = Share.of(part, whole)
        assert (round(share.low, 4), round(share.high, 4)) == (low, high)


@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 400), st.integers(1, 400))
def test_a_ratio_lies_within_its_interval(part: int, whole: int, other_part: int, other_whole: int) -> None:
    one, other = Share.of(min(part, whole), whole), Share.of(min(other_part, other_whole), other_whole)
    assert 0 <= one.low <= one.value <= one.high <= 1
    found = ratio(one, other)
    if other.value == 0:
        assert found is None
        return
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high * (1 + 1e-12)
    assert found.low >= one.low / other.high - 1e-9
    assert found.high == inf or found.high <= one.high / other.low + 1e-9


def test_the_interval_of_a_ratio_covers_it() -> None:
    """95 % means that about 95 of 100 samples cover the truth."""
    rng = Random(5)
    covered = 0
    for _ in range(1_000):
        one = sum(rng.random() < 0.6 for _ in range(40))
        other = sum(rng.random() < 0.3 for _ in range(300))
        found = ratio(Share.of(one, 40), Share.of(other, 300))
        assert found is not None
        covered += found.low <= 2 <= found.high
    assert 925 <= covered <= 975


# --- what became of a deal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deal", "asked", "outcome", "when"),
    [
        (run(closed="2026-03-18", status=WON), "2026-02-01", "won", "2026-03-18"),
        (run(closed="2026-03-18", status=LOST), "2026-02-01", "lost", "2026-03-18"),
        # Won, but a quarter later than promised: it slipped, by the push that took it out ...
        (
            run(closed="2026-05-02", status=WON, close_date="2026-05-10",
                dates=(moved("2026-01-10", None, "2026-03-20"), moved("2026-03-15", "2026-03-20", "2026-05-10"))),
            "2026-02-01", "slipped", "2026-03-15",
        ),
        # ... and asked after that push it was promised for the later quarter, and won in it.
        (
            run(closed="2026-05-02", status=WON, close_date="2026-05-10",
                dates=(moved("2026-01-10", None, "2026-03-20"), moved("2026-03-15", "2026-03-20", "2026-05-10"))),
            "2026-03-15", "won", "2026-05-02",
        ),
        # Pushed out and back in again: nothing slipped.
        (
            run(closed="2026-03-30", status=WON, close_date="2026-03-30",
                dates=(moved("2026-02-10", "2026-03-20", "2026-05-10"),
                       moved("2026-03-01", "2026-05-10", "2026-03-30"))),
            "2026-02-01", "won", "2026-03-30",
        ),
        # Left as it is beyond the period's end: it slipped when the period ended.
        (run(), "2026-02-01", "slipped", "2026-04-01"),
        (run(end="2026-03-10"), "2026-02-01", "open", "2026-03-10"),
        # Dated for later: it has time until then.
        (run(close_date="2026-08-20", closed="2026-08-30", status=WON), "2026-02-01", "won", "2026-08-30"),
        # Its date has passed: it is due in the period of today.
        (run(close_date="2026-03-20", closed="2026-05-05", status=WON), "2026-04-20", "won", "2026-05-05"),
        (run(closed="2026-02-20", status=DELETED), "2026-02-01", "deleted", "2026-02-20"),
        (run(closed="2026-02-20", status=LOST), "2026-02-20", "closing", "2026-02-20"),
    ],
)  # fmt: skip
def test_what_became_of_a_deal(deal: DealRun, asked: str, outcome: str, when: str) -> None:
    assert Course(deal, CALENDAR).flagged(at(asked)) == Became(outcome, at(when))


# --- flagged deals against like deals -------------------------------------------------------------------------------


def test_lift_by_hand() -> None:
    """30 flagged deals of which 24 are lost, 40 like deals of which 10 are lost: 80 % against 25 % is 3.2 times."""
    flags = (flag("close-date-push", "2026-02-05"),)
    flagged = [run(f"f{n}", closed="2026-03-10", status=LOST if n < 24 else WON, flags=flags) for n in range(30)]
    like = [run(f"l{n}", closed="2026-03-10", status=LOST if n < 10 else WON) for n in range(40)]
    result = rule(backtest(*flagged, *like), "close-date-push")
    assert result.counts.became == Counter(lost=24, won=6)
    assert result.precision == Share.of(24, 30)
    assert result.verdict == MORE
    assert result.comparison is not None
    assert result.comparison.lift is not None
    assert result.comparison.flagged == Share.of(24, 30)
    assert (result.comparison.alike.value, result.comparison.standing) == (0.25, 40)
    assert result.comparison.lift.value == pytest.approx(3.2)
    assert result.lead_days == (33, 33, 33)


def test_like_deals_are_weighted_to_the_mix_of_the_flagged() -> None:
    """Among old deals all are lost, among young ones none: flagged ones that are mostly old are not blamed for it."""
    young, old = {"created": "2026-02-02", "segment": "a"}, {"created": "2025-07-01", "segment": "a"}
    flags = (flag("close-date-push", "2026-02-06"),)

    def some(kind: dict[str, str], count: int, status: int, **more: object) -> list[DealRun]:
        return [run(closed="2026-03-10", status=status, **kind, **more) for _ in range(count)]  # type: ignore[arg-type]

    flagged = some(old, 30, LOST, flags=flags) + some(young, 10, WON, flags=flags)
    like = some(old, 20, LOST) + some(young, 60, WON)
    result = rule(backtest(*flagged, *like), "close-date-push")
    assert result.comparison is not None
    assert result.comparison.alike.value == pytest.approx(0.75)
    assert result.comparison.lift is not None
    assert result.comparison.lift.value == pytest.approx(1)
    assert result.verdict not in (MORE, LESS)


def test_a_deal_that_stands_often_is_one_deal() -> None:
    """Flags at two ages compare with the same 40 deals twice: that makes them no surer than 40 deals are."""
    flagged = [
        run(f"f{n}", created="2026-01-02", closed="2026-03-30", status=LOST, flags=(flag("close-date-push", day),))
        for n in range(10)
        for day in ("2026-01-18", "2026-02-10")
    ]
    like = [run(f"l{n}", created="2026-01-02", closed="2026-03-30", status=LOST if n % 2 else WON) for n in range(40)]
    result = rule(backtest(*flagged, *like), "close-date-push")
    assert result.comparison is not None
    assert result.comparison.standing > 80
    assert result.comparison.alike.value == pytest.approx(0.5, abs=0.1)
    assert 30 < result.comparison.alike.n < 50


def test_too_few_are_insufficient_history() -> None:
    flags = (flag("close-date-push", "2026-02-05"),)
    like = [run(f"l{n}", closed="2026-03-10", status=LOST if n % 2 else WON) for n in range(60)]
    flagged = [run(f"f{n}", closed="2026-03-10", status=LOST, flags=flags) for n in range(20)]
    assert rule(backtest(*flagged, *like), "close-date-push").verdict == MORE
    few = rule(backtest(*flagged[:19], *like), "close-date-push")
    assert (few.verdict, few.precision, few.comparison, few.lead_days) == (INSUFFICIENT, None, None, None)
    other_segment = [run(f"l{n}", closed="2026-03-10", status=WON, segment="other") for n in range(60)]
    alone = rule(backtest(*flagged, *other_segment), "close-date-push")
    assert (alone.verdict, alone.precision) == (INSUFFICIENT, Share.of(20, 20))


def test_a_flag_taken_back_flags_nothing_and_tells_nobody() -> None:
    flags = (flag("close-date-push", "2026-02-05", ended="retracted"),)
    result = rule(backtest(run(flags=flags)), "close-date-push")
    assert (result.deals, result.counts.messages, result.counts.retracted) == (0, 0, 1)


def test_messages_are_those_that_lead() -> None:
    flags = (
        flag("commit-slip", "2026-02-05"),
        flag("close-date-push", "2026-02-05", covered=True),
        flag("close-date-push", "2026-02-20"),
        flag("late-discount", "2026-02-21", mode="shadow"),
        flag("past-due-close-date", "2026-02-22", family="data"),
    )
    found = backtest(run(closed="2026-03-21", created="2026-02-21", first_at=at("2026-01-10"), status=WON, flags=flags))
    assert (found.messages(data=False), found.messages(data=True)) == (2, 1)
    assert rule(found, "late-discount").counts.messages == rule(found, "late-discount").counts.shadow == 1
    assert found.owner_weeks == pytest.approx(10)
    assert found.per_owner_week(2) == pytest.approx(0.2)
    assert found.per_hundred_deals_week(2) == pytest.approx(20)


def test_a_rule_in_shadow_is_counted_by_itself_and_in_no_common_figure() -> None:
    """A rule that nobody hears may flag most deals: the figure over all rules is about what people are told."""
    quiet = flag("stage-skip", "2026-02-04", mode="shadow", family="stage")
    flagged = [run(f"f{n}", closed="2026-03-10", status=LOST, flags=(quiet, flag("close-date-push", "2026-02-05")))
               for n in range(20)]  # fmt: skip
    like = [run(f"l{n}", closed="2026-03-10", status=LOST if n % 2 else WON, flags=(quiet,)) for n in range(60)]
    found = backtest(*flagged, *like)
    assert (rule(found, "stage-skip").deals, found.at_risk.deals, found.flagged) == (80, 20, 20)
    assert found.at_risk.verdict == rule(found, "close-date-push").verdict == MORE


def test_flags_before_the_split_are_not_judged() -> None:
    early = (flag("close-date-push", "2026-02-05"),)
    late = (flag("close-date-push", "2026-02-20"),)
    runs = [run(f"d{n}", closed="2026-03-10", status=LOST, flags=flags) for n, flags in enumerate((early, late, ()))]
    found = backtest(*runs, since=at("2026-02-15"))
    assert rule(found, "close-date-push").deals == 1
    assert found.messages(data=False) == 1


# --- against a slow count -------------------------------------------------------------------------------------------


def slow_outcome(deal: DealRun, asked: int) -> str:
    """What became of a deal, found by walking through its life."""
    if deal.closed_at and deal.status != OPEN and asked >= deal.closed_at:
        return "closing"

    def dated(when: int) -> int | None:
        date = deal.dates[0].old if deal.dates else deal.close_date
        for move in deal.dates:
            if move.at <= when:
                date = move.new
        return date

    date = dated(asked)
    period: Period = CALENDAR.period_of(asked)
    if date is not None and date > period.end_day:
        period = CALENDAR.period_of_day(date)
    if deal.status == DELETED:
        return "deleted"
    closed_in_time = deal.status in (WON, LOST) and deal.closed_at < period.end_at
    if closed_in_time:
        return "won" if deal.status == WON else "lost"
    if deal.ended_at >= period.end_at:
        return "slipped"
    date = dated(deal.ended_at)
    return "slipped" if date is not None and date > period.end_day else "open"


def slow_comparison(runs: list[DealRun], name: str) -> tuple[int, int, float, int] | None:
    """Matched flagged deals, how many of them went badly, the weighted share of like deals, those left out."""

    def first(deal: DealRun) -> int | None:
        return min((f.opened_at for f in deal.flags if f.rule == name and f.ended != "retracted"), default=None)

    def left(deal: DealRun, when: int) -> int:
        date = Course(deal, CALENDAR).date_at(when)
        day = CALENDAR.local_day(when)
        period = CALENDAR.period_of(when)
        if date is not None and date > period.end_day:
            period = CALENDAR.period_of_day(date)
        return len([edge for edge in LEFT_DAYS["quarter"] if period.end_day - day >= edge])

    matched = bad = out = 0
    weighted = 0.0
    for deal in runs:
        flagged_at = first(deal)
        if flagged_at is None or slow_outcome(deal, flagged_at) not in DECIDED:
            continue
        age = max(n for n, days in enumerate(AGE_DAYS) if days <= max(0, flagged_at - deal.created_at) // DAY)
        others = []
        for other in runs:
            when = other.created_at + _MIDDLES[age]
            closed = other.closed_at if other.status != OPEN else other.ended_at + 1
            if other.segment != deal.segment or when >= closed or when < other.first_at:
                continue
            other_flag = first(other)
            until = other.created_at + (*AGE_DAYS, 10**6)[age + 1] * DAY
            if other_flag is not None and other_flag < until:
                continue
            if left(other, when) != left(deal, flagged_at) or slow_outcome(other, when) not in DECIDED:
                continue
            others.append(slow_outcome(other, when) in BAD)
        if len(others) < MIN_ALIKE:
            out += 1
            continue
        matched += 1
        bad += slow_outcome(deal, flagged_at) in BAD
        weighted += sum(others) / len(others)
    return (matched, bad, weighted / matched, out) if matched >= 20 else None


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10**6), st.sampled_from((100, 300)))
def test_as_a_slow_count_says(seed: int, deals: int) -> None:
    runs = list(many(seed, deals, first="2026-02-01", end="2026-11-15", share=0.4))
    like = LikeDeals()
    for deal in runs:
        course = Course(deal, CALENDAR)
        flags: dict[str, int] = {}
        for one in deal.flags:
            if one.ended != "retracted":
                flags.setdefault(one.rule, one.opened_at)
                assert course.flagged(one.opened_at).outcome == slow_outcome(deal, one.opened_at)
        like.add(course, flags)
    for name in ("close-date-push", "late-discount"):
        expected, found = slow_comparison(runs, name), like.compare(name)
        if deals < 300 and (expected is None or found is None):
            assert expected == found
            continue
        assert found is not None
        matched, bad, share, out = expected
        assert (found.flagged.n, found.left_out) == (matched, out)
        assert found.flagged.value == pytest.approx(bad / matched)
        assert found.alike.value == pytest.approx(share)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80))
def test_quartiles_are_values_that_occur(values: list[int]) -> None:
    ordered = sorted(values)
    found = quartiles(Counter(values))
    for share, value in zip((0.25, 0.5, 0.75), found, strict=True):
        assert sum(v <= value for v in ordered) >= share * len(ordered)
        assert sum(v < value for v in ordered) < share * len(ordered)


def test_wide_intervals_say_nothing() -> None:
    """Half of 20 against a third of 20 is no difference."""
    flags = (flag("close-date-push", "2026-02-05"),)
    flagged = [run(f"f{n}", closed="2026-03-10", status=LOST if n < 10 else WON, flags=flags) for n in range(20)]
    like = [run(f"l{n}", closed="2026-03-10", status=LOST if n < 7 else WON) for n in range(21)]
    assert rule(backtest(*flagged, *like), "close-date-push").verdict == "no difference"


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_counts_of_parts_add_up_to_those_of_all(seed: int, parts: int) -> None:
    runs = list(many(seed, 60, first="2026-02-01", end="2026-11-15", share=0.4))
    fates = {deal.deal_id: Fate("churned", 20_800) for deal in runs[::2]}
    whole = as_dict(backtest(*runs, fates=fates))
    policy = load_policy("")
    total = Tally(policy, fates)
    for part in range(parts):
        tally = Tally(policy, fates)
        for deal in runs[part::parts]:
            tally.add(deal)
        total.take(pickle.loads(pickle.dumps(tally.hand_over())))
    assert as_dict(total.result(info(deals=len(runs)))) == whole
