"""What is learned late still changes the past, for a while: order, repeats, corrections, bulk edits, lateness."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import History, histories, history
from wellwon.core import wire
from wellwon.core.deal import Deal
from wellwon.core.engine import DUPLICATE, step
from wellwon.core.engine import LATE as TOO_LATE
from wellwon.core.hindsight import IDS_KEPT, remember_id, seen_before
from wellwon.core.items import RECLASSIFIED_BULK, Change, Clock, DealItem, Reclassified
from wellwon.core.model import Ruleset
from wellwon.core.moves import BULK, CORRECTION, COUNTS, LATE
from wellwon.core.state import State
from wellwon.core.units import DAY, HOUR, MINUTE, SECOND, parse_date, parse_instant
from wellwon.policy import compile_text

RULES = compile_text("")
T0 = parse_instant("2026-09-10T09:00:00Z")

encode = msgspec.msgpack.Encoder().encode


def deal_items(history: History) -> list[DealItem]:
    """The history without its clocks."""
    items = [wire.decode(record.value).item for record in history.records]
    return [item for item in items if isinstance(item, (Change, Reclassified))]


def fold_all(items: list[DealItem], ruleset: Ruleset) -> State:
    """The state after these items."""
    state: State | None = None
    for item in items:
        state = step(state, item, ruleset).state
    assert state is not None
    return state


# --- any order within the lateness ----------------------------------------------------------------------------


def distinct(changes: list[Change]) -> list[Change]:
    """The changes in order of time, each with a time and an id of its own."""
    changes = sorted(changes, key=lambda change: change.at)
    at, found = 0, []
    for number, change in enumerate(changes):
        at = max(at + 1, change.at)
        found.append(replace(change, at=at, source_id=number.to_bytes(8, "big")))
    return found


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from((5 * SECOND, 2 * MINUTE, 20 * MINUTE)))
def test_any_order_of_arrival_within_the_lateness_gives_the_same_deal(seed: int, pace: int) -> None:
    rng = Random(seed)
    generated = history(seed, 40, 7 * HOUR)
    ruleset = compile_text(generated.policy)
    changes = [item for item in deal_items(generated) if isinstance(item, Change)]
    # Closer together than they were generated, so that many are late, corrected, or both.
    at = T0
    for i, change in enumerate(changes):
        at += rng.randrange(pace)
        changes[i] = replace(change, at=at)
    changes = distinct(changes)
    arrives = sorted(changes, key=lambda change: change.at + rng.randrange(ruleset.lateness_ms))
    in_order, out_of_order = fold_all(list(changes), ruleset), fold_all(list(arrives), ruleset)
    assert out_of_order.now.late == 0
    assert msgspec.to_builtins(out_of_order.now) == msgspec.to_builtins(in_order.now)


@settings(max_examples=60)
@given(histories(most=30), st.integers(0, 2**32).map(Random))
def test_repeats_change_nothing(history: History, rng: Random) -> None:
    ruleset = compile_text(history.policy)
    once: list[DealItem] = []
    twice: list[DealItem] = []
    for item in deal_items(history):
        once.append(item)
        twice.append(item)
        if isinstance(item, Change) and rng.random() < 0.5:
            twice.append(item)
            latest = max(one.at for one in once)
            twice += [one for one in twice if isinstance(one, Change) and latest - one.at < 72 * HOUR][
                -rng.randint(1, 20) :
            ]
    assert encode(fold_all(twice, ruleset).now) == encode(fold_all(once, ruleset).now)


# --- single saves ---------------------------------------------------------------------------------------------


def saved(minute: float, writer: str = "anna", **values: str) -> Change:
    """A save at so many minutes, 40 days after the deal's beginning."""
    read = {name: parse_date(value) if name == "close_date" else value for name, value in values.items()}
    at = T0 + round(minute * MINUTE)
    mark = wire.source_hash(f"{minute} {writer}" if writer != "anna" else str(minute))
    return Change(at, "changed", mark, at % 2**31, writer, "user", 1, read)


def begun() -> State:
    """A deal whose default date was changed long ago."""
    long_ago = [
        replace(saved(1, stage="Prospecting", close_date="2026-09-20"), at=T0 - 40 * DAY),
        replace(saved(2, close_date="2026-09-25"), at=T0 - 30 * DAY),
    ]
    return fold_all(list(long_ago), RULES)


def after(*items: DealItem) -> Deal:
    """The deal after these items."""
    state = begun()
    for item in items:
        state = step(state, item, RULES).state
    return state.now


def whys(deal: Deal) -> list[int]:
    """Why each later move of the date counts or not."""
    return [move.why for move in deal.dates if move.at >= T0]


def test_a_field_set_back_by_its_writer_within_the_time_is_a_correction() -> None:
    deal = after(saved(0, close_date="2026-10-25"), saved(30, close_date="2026-09-25"))
    assert whys(deal) == [CORRECTION, CORRECTION]
    assert deal.close_date == parse_date("2026-09-25")


def test_what_is_no_correction_and_what_is() -> None:
    out = saved(0, close_date="2026-10-25")
    assert whys(after(out, saved(31, close_date="2026-09-25"))) == [COUNTS, COUNTS]
    assert whys(after(out, saved(5, "ben", close_date="2026-09-25"))) == [COUNTS, COUNTS]
    assert whys(after(out, saved(5, close_date="2026-09-26"))) == [COUNTS, COUNTS]
    assert whys(after(out, saved(2, close_date="2026-10-25"), saved(5, close_date="2026-09-25"))) == [CORRECTION] * 2
    between = saved(3, close_date="2026-11-25")
    assert whys(after(out, between, saved(5, close_date="2026-09-25"))) == [COUNTS, COUNTS, COUNTS]


def test_each_change_is_half_of_one_correction_only() -> None:
    there_and_back = [saved(i, close_date="2026-10-25" if i % 2 == 0 else "2026-09-25") for i in range(3)]
    assert whys(after(*there_and_back)) == [CORRECTION, CORRECTION, COUNTS]


def test_a_correction_stays_one_when_its_first_half_has_left_the_tail() -> None:
    out, back = saved(0, close_date="2026-10-25"), saved(30, close_date="2026-09-25")
    deal = after(out, back, saved(45, next_step="call"), saved(200, next_step="mail"))
    assert whys(deal) == [CORRECTION, CORRECTION]


def test_a_value_written_again_in_between_is_no_half_of_it_whatever_has_left_the_tail() -> None:
    out, again = saved(0, close_date="2026-10-25"), saved(15, "sync", close_date="2026-10-25")
    back, late = saved(25, close_date="2026-09-25"), saved(45, next_step="mail")
    deal = after(out, again, back, saved(50, next_step="call"), late)
    assert whys(deal) == [CORRECTION, CORRECTION]


def test_a_late_change_between_the_halves_undoes_the_correction() -> None:
    out, back = saved(0, close_date="2026-10-25"), saved(6, close_date="2026-09-25")
    deal = after(out, back, saved(3, "ben", close_date="2026-11-25"))
    assert whys(deal) == [COUNTS, COUNTS, COUNTS]


def test_a_bulk_edit_found_later_changes_what_its_changes_meant() -> None:
    push = saved(0, close_date="2026-10-25")
    deal = after(push, Reclassified(T0 + MINUTE, (push.source_id,)))
    assert whys(deal) == [BULK]
    assert whys(after(push, Reclassified(T0 + MINUTE, (b"somebody",)))) == [COUNTS]


def test_a_bulk_edit_found_too_late_changes_nothing() -> None:
    push = saved(0, close_date="2026-10-25")
    deal = after(push, saved(300, next_step="call"), Reclassified(T0 + 300 * MINUTE, (push.source_id,)))
    assert whys(deal) == [COUNTS]
    assert RULES.bulk_records < RECLASSIFIED_BULK


def test_beyond_the_lateness_a_change_is_state_and_no_behaviour() -> None:
    state = step(begun(), saved(30, next_step="call"), RULES).state
    done = step(state, saved(19, close_date="2026-12-25"), RULES)
    assert done.outcome == TOO_LATE
    assert not any(done.findings.values())
    deal = done.state.now
    assert (deal.late, deal.close_date) == (1, parse_date("2026-12-25"))
    assert whys(deal) == [LATE]


def test_beyond_the_lateness_what_was_written_since_stands() -> None:
    state = step(begun(), saved(30, close_date="2026-10-25"), RULES).state
    done = step(state, saved(19, close_date="2026-12-25"), RULES)
    assert (done.outcome, done.findings) == (TOO_LATE, {})
    deal = done.state.now
    assert (deal.late, deal.close_date, whys(deal)) == (1, parse_date("2026-10-25"), [COUNTS])


def test_a_late_change_fills_what_is_empty_and_the_rules_are_asked() -> None:
    state = fold_all([saved(30 * 24 * 60, stage="Prospecting")], RULES)
    done = step(state, saved(0, close_date="2026-09-12"), RULES)
    assert done.outcome == TOO_LATE
    assert done.state.now.close_date == parse_date("2026-09-12")
    assert done.findings["past-due-close-date"] is not None


def test_a_late_move_pushes_nothing_out_of_a_full_history() -> None:
    dates = ["2026-10-25", "2026-10-26"] * 20
    state = begun()
    for i, date in enumerate(dates):
        state = step(state, saved(i * 40, close_date=date), RULES).state
    full = state.now.dates
    assert all(move.why == COUNTS for move in full)
    state = step(state, saved(1, close_date="2026-12-24"), RULES).state
    assert state.now.dates == full


# --- repeats --------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=200, unique=True))
def test_the_last_ids_are_known(ids: list[bytes]) -> None:
    seen = b""
    for i, one in enumerate(ids):
        assert not seen_before(seen, one)
        seen = remember_id(seen, one, T0 + i * SECOND)
    assert all(seen_before(seen, one) for one in ids[-IDS_KEPT:])
    assert not any(seen_before(seen, one) for one in ids[:-IDS_KEPT])


def test_ids_are_forgotten_after_72_hours() -> None:
    seen = remember_id(b"", b"first  1", T0)
    seen = remember_id(seen, b"second 2", T0 + 72 * HOUR)
    assert seen_before(seen, b"first  1")
    seen = remember_id(seen, b"third  3", T0 + 73 * HOUR)
    assert not seen_before(seen, b"first  1")


def test_a_repeat_is_told_apart_from_a_new_save_of_the_same_values() -> None:
    state = begun()
    push = saved(0, close_date="2026-10-25")
    state = step(state, push, RULES).state
    assert step(state, push, RULES).outcome == DUPLICATE
    assert step(state, saved(9, close_date="2026-10-25"), RULES).outcome != DUPLICATE


def test_time_never_runs_back_for_a_deal() -> None:
    state = step(begun(), Clock(T0 + DAY), RULES).state
    assert step(state, Clock(T0), RULES).state.at == T0 + DAY
    assert step(state, saved(1, next_step="call"), RULES, clock=T0).state.at == T0 + DAY
