"""The clock that replay and ingest put between the changes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.units import DAY, HOUR, MINUTE, format_instant, parse_instant
from wellwon.history.clock import LONG_MS, Tick, with_clock

UTC = FiscalCalendar()
NEW_YORK = FiscalCalendar(zone="America/New_York")
KOLKATA = FiscalCalendar(zone="Asia/Kolkata")


@dataclass(frozen=True)
class Thing:
    at: int


def at(text: str) -> int:
    return parse_instant(text)


def shown(*texts: str, calendar: FiscalCalendar = UTC, until: str | None = None) -> list[str]:
    things = [Thing(at(text)) for text in texts]
    found = with_clock(things, calendar, at(until) if until else None)
    return [("tick " if isinstance(item, Tick) else "") + format_instant(item.at)[5:16] for item in found]


def test_every_full_hour_before_what_happens_then() -> None:
    assert shown("2026-03-02T09:20:00Z", "2026-03-02T11:00:00Z", "2026-03-02T11:30:00Z") == [
        "tick 03-02T09:00",
        "03-02T09:20",
        "tick 03-02T10:00",
        "tick 03-02T11:00",
        "03-02T11:00",
        "03-02T11:30",
        "tick 03-02T11:30",
    ]


def test_a_long_silence_has_its_midnights_and_the_hour_before_its_end() -> None:
    found = shown("2026-03-07T09:20:00Z", "2026-03-10T11:30:00Z", calendar=NEW_YORK)
    assert found[2:-2] == [
        "tick 03-08T05:00",
        "tick 03-09T04:00",  # the clock went forward in between
        "tick 03-10T04:00",
        "tick 03-10T11:00",
    ]


def test_a_midnight_between_full_hours_is_told_at_the_next() -> None:
    # 00:00 in Kolkata is 18:30 UTC.
    found = shown("2026-03-02T12:00:00Z", "2026-03-04T20:00:00Z", calendar=KOLKATA)
    assert [text for text in found if text.startswith("tick")][1:3] == ["tick 03-02T19:00", "tick 03-03T19:00"]


def test_until() -> None:
    assert shown("2026-03-02T09:20:00Z", "2026-03-05T09:00:00Z", until="2026-03-02T10:10:00Z") == [
        "tick 03-02T09:00",
        "03-02T09:20",
        "tick 03-02T10:00",
        "tick 03-02T10:10",
    ]
    assert shown(until="2026-03-02T10:10:00Z") == []


def test_what_is_late_does_not_turn_time_back() -> None:
    assert shown("2026-03-02T09:20:00Z", "2026-03-02T07:00:00Z", "2026-03-02T09:30:00Z") == [
        "tick 03-02T09:00",
        "03-02T09:20",
        "03-02T07:00",
        "03-02T09:30",
        "tick 03-02T09:30",
    ]


START = at("2026-01-01T00:00:00Z")


@given(st.lists(st.integers(0, 40 * DAY // MINUTE), max_size=20), st.sampled_from([UTC, NEW_YORK, KOLKATA]))
def test_time_only_rises_and_is_never_more_than_an_hour_behind(minutes: list[int], calendar: FiscalCalendar) -> None:
    things = [Thing(START + minute * MINUTE) for minute in minutes]
    found = list(with_clock(things, calendar))
    assert [item for item in found if isinstance(item, Thing)] == things
    ticks = [item.at for item in found if isinstance(item, Tick)]
    assert ticks == sorted(set(ticks))
    now = 0
    for item in found:
        if isinstance(item, Tick):
            # However long the silence, no local midnight passes without a tick within the hour.
            if now and item.at - now > HOUR:
                assert calendar.local_day(item.at - HOUR) - calendar.local_day(now) < 2
            now = item.at
        else:
            assert item.at < now + HOUR
    if things:
        assert now == max(thing.at for thing in things) or now % HOUR == 0
    assert LONG_MS == 2 * DAY
