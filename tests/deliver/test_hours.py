"""When people may be told, in their own zone, across clock changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.units import DAY, format_instant, parse_instant
from wellwon.deliver.hours import next_time, opens_at
from wellwon.policy.delivery import Delivery, QuietHours

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
INSTANTS = st.integers(parse_instant("2026-01-01T00:00:00Z"), parse_instant("2027-12-31T00:00:00Z"))
QUIET = st.builds(QuietHours, st.integers(0, 1439), st.integers(0, 1439))


@pytest.mark.parametrize(
    ("at", "zone", "opens"),
    [
        ("2026-12-29T10:00:00Z", "Europe/Berlin", "2026-12-29T10:00:00Z"),
        ("2026-12-29T18:00:00Z", "Europe/Berlin", "2026-12-30T07:00:00Z"),
        ("2026-12-29T05:00:00Z", "Europe/Berlin", "2026-12-29T07:00:00Z"),
        ("2026-12-26T10:00:00Z", "Europe/Berlin", "2026-12-28T07:00:00Z"),
        ("2026-12-29T10:00:00Z", "America/New_York", "2026-12-29T13:00:00Z"),
        ("2026-10-23T20:00:00Z", "Europe/Berlin", "2026-10-26T07:00:00Z"),  # the clock is set back in between
    ],
)
def test_the_morning_of_the_next_working_day(at: str, zone: str, opens: str) -> None:
    assert format_instant(opens_at(parse_instant(at), zone, Delivery())) == opens


@given(at=INSTANTS, zone=st.sampled_from(ZONES), quiet=QUIET)
def test_it_opens_within_days_and_outside_quiet_hours(at: int, zone: str, quiet: QuietHours) -> None:
    delivery = replace(Delivery(), quiet_hours=quiet)
    opens = opens_at(at, zone, delivery)
    local = datetime.fromtimestamp(opens / 1000, UTC).astimezone(ZoneInfo(zone))
    assert at <= opens <= at + 5 * DAY
    assert local.weekday() < 5
    assert not quiet.holds(local.hour * 60 + local.minute) or _clock_changes(opens, zone)
    assert opens_at(opens, zone, delivery) == opens or _clock_changes(opens, zone)


def _clock_changes(at: int, zone: str) -> bool:
    around = [datetime.fromtimestamp((at + d) / 1000, UTC).astimezone(ZoneInfo(zone)).utcoffset() for d in (-DAY, DAY)]
    return around[0] != around[1]


@given(at=INSTANTS, zone=st.sampled_from(ZONES), minute=st.integers(0, 1439))
def test_the_next_time_of_a_weekday_is_within_a_week(at: int, zone: str, minute: int) -> None:
    moment = next_time(at, zone, minute, ("monday",))
    assert at < moment <= at + 8 * DAY
    assert datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo(zone)).weekday() == 0
