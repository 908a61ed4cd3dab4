"""The fiscal calendar against a naive one made of datetime and zoneinfo."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.calendar import FiscalCalendar, Kind, Pattern, Period, Weekday
from wellwon.core.units import DAY, FIRST_DAY, LAST_DAY, date_of, day_of
from wellwon.core.zone import Zone

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # midnight skipped until 2019
    "Asia/Beirut",  # midnight skipped every spring
    "America/Havana",  # midnight repeated every autumn
    "America/St_Johns",  # set back at 00:01 until 2011
    "Pacific/Apia",  # a whole day skipped
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Africa/Casablanca",
]
WEEK_PATTERNS: list[Pattern] = ["4-4-5", "4-5-4", "5-4-4"]

days = st.integers(FIRST_DAY, LAST_DAY)
instants = st.integers(Zone("UTC").midnight(FIRST_DAY + 1), Zone("UTC").midnight(LAST_DAY))
kinds = st.sampled_from(get_args(Kind))
zones = st.sampled_from(ZONES)


def day(text: str) -> int:
    return day_of(date.fromisoformat(text))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def described(period: Period) -> tuple[str, str, str]:
    return period.label, date_of(period.start_day).isoformat(), date_of(period.end_day).isoformat()


def all_periods(calendar: FiscalCalendar) -> list[Period]:
    periods = [calendar.period_of_day(FIRST_DAY)]
    while periods[-1].end_day < LAST_DAY:
        periods.append(calendar.period_of_day(periods[-1].end_day + 1))
    return periods


calendars = st.one_of(
    st.builds(
        FiscalCalendar,
        kind=kinds,
        start_month=st.integers(1, 12),
        pattern=st.sampled_from(get_args(Pattern)),
        week_start=st.sampled_from(get_args(Weekday)),
        zone=zones,
    ),
    st.builds(
        lambda zone, first, lengths: FiscalCalendar.from_table(
            [(f"P{i}", first + sum(lengths[:i])) for i in range(len(lengths))], zone=zone
        ),
        zones,
        st.integers(day("2020-01-01"), day("2030-01-01")),
        st.lists(st.integers(85, 95), min_size=4, max_size=4),
    ),
)


@given(calendars, days)
def test_periods_tile_the_line(calendar: FiscalCalendar, at: int) -> None:
    period = calendar.period_of_day(at)
    assert period.start_day <= at <= period.end_day
    assert calendar.period_of_day(max(period.start_day, FIRST_DAY)) == period
    assert calendar.period_of_day(min(period.end_day, LAST_DAY)) == period
    if period.end_day < LAST_DAY:
        following = calendar.period_of_day(period.end_day + 1)
        assert (following.index, following.start_day) == (period.index + 1, period.end_day + 1)
        assert following.start_at == period.end_at
        assert following.label != period.label


@given(calendars, instants)
def test_an_instant_is_in_the_period_of_its_local_day(calendar: FiscalCalendar, at: int) -> None:
    local = calendar.local_day(at)
    period = calendar.period_of(at)
    assert period == calendar.period_of_day(local)
    assert period.start_at <= at < period.end_at
    assert calendar.midnight(local) <= at < calendar.midnight(local + 1)


@given(calendars, days, st.integers(0, 400))
def test_a_window_ends_with_its_period(calendar: FiscalCalendar, at: int, length: int) -> None:
    period = calendar.period_of_day(at)
    start = calendar.window_start(period, length)
    assert start == max(period.start_day, period.end_day - length + 1)


@given(zones, instants)
def test_local_days_are_those_of_zoneinfo(name: str, at: int) -> None:
    shown = day_of(datetime.fromtimestamp(at // 1000, ZoneInfo(name)).date())
    expected = {shown, shown - 1} if name == "America/St_Johns" else {shown}  # the minute before the clock was set back
    assert Zone(name).local_day(at) in expected


@given(zones, days)
def test_a_day_begins_with_its_first_instant(name: str, at: int) -> None:
    zone = Zone(name)
    midnight = zone.midnight(at)
    assert zone.local_day(midnight - 1) < at
    if (name, date_of(at).isoformat()) == ("Pacific/Apia", "2011-12-30"):
        assert midnight == zone.midnight(at + 1)
    else:
        assert zone.local_day(midnight) == at


@pytest.mark.parametrize("name", ZONES)
def test_every_midnight_is_that_of_the_naive_clock(name: str) -> None:
    zone, clock = Zone(name), ZoneInfo(name)
    for at in range(day("1990-01-01"), day("2040-01-01")):
        # fold=1: the later of two midnights, and the instant that a skipped one stands for under the earlier offset
        naive = datetime.combine(date_of(at), datetime.min.time(), clock).replace(fold=1)
        earlier = naive.replace(fold=0)
        if earlier.utcoffset() == naive.utcoffset():
            assert zone.midnight(at) == round(naive.timestamp()) * 1000
        else:
            assert zone.local_day(zone.midnight(at)) >= at > zone.local_day(zone.midnight(at) - 1)


@pytest.mark.parametrize("name", ["America/Santiago", "Asia/Tehran", "Brazil/DeNoronha", "Africa/El_Aaiun"])
def test_no_change_of_offset_is_missed(name: str) -> None:
    zone, clock = Zone(name), ZoneInfo(name)
    moment = datetime(1990, 1, 1, tzinfo=UTC)
    while moment.year < 2040:
        shown = day_of(moment.astimezone(clock).date())
        assert zone.local_day(round(moment.timestamp()) * 1000) == shown, moment
        moment += timedelta(hours=1)


def test_a_midnight_that_does_not_exist() -> None:
    zone = Zone("America/Sao_Paulo")  # 2018-11-04: 00:00 becomes 01:00
    assert zone.midnight(day("2018-11-04")) == ms("2018-11-04T03:00:00+00:00")
    assert zone.local_day(ms("2018-11-04T02:59:59+00:00")) == day("2018-11-03")


def test_a_midnight_that_comes_twice() -> None:
    zone = Zone("America/St_Johns")  # 2010-11-07: 00:01 becomes 23:01 on the 6th
    assert zone.local_day(ms("2010-11-07T00:00:30-02:30")) == day("2010-11-06")
    assert zone.local_day(ms("2010-11-06T23:59:59-03:30")) == day("2010-11-06")
    assert zone.midnight(day("2010-11-07")) == ms("2010-11-07T00:00:00-03:30")


def test_a_day_that_was_skipped_has_no_length() -> None:
    zone = Zone("Pacific/Apia")
    assert zone.midnight(day("2011-12-30")) == zone.midnight(day("2011-12-31"))
    assert zone.midnight(day("2011-12-31")) - zone.midnight(day("2011-12-29")) == DAY


@pytest.mark.parametrize(
    ("kind", "start_month", "at", "expected"),
    [
        ("quarter", 1, "2026-11-23", ("2026-Q4", "2026-10-01", "2026-12-31")),
        ("quarter", 2, "2026-11-23", ("2027-Q4", "2026-11-01", "2027-01-31")),
        ("quarter", 2, "2027-02-01", ("2028-Q1", "2027-02-01", "2027-04-30")),
        ("quarter", 12, "2024-02-29", ("2024-Q1", "2023-12-01", "2024-02-29")),
        ("month", 1, "2026-11-23", ("2026-11", "2026-11-01", "2026-11-30")),
        ("month", 7, "2026-11-23", ("2026-11", "2026-11-01", "2026-11-30")),
        ("month", 7, "2024-02-01", ("2024-02", "2024-02-01", "2024-02-29")),
    ],
)
def test_calendar_months(kind: Kind, start_month: int, at: str, expected: tuple[str, str, str]) -> None:
    assert described(FiscalCalendar(kind, start_month).period_of_day(day(at))) == expected


# A retailer's published calendar (4-5-4, Sunday nearest 1 February: 2023 has 53 weeks, and ends on 3 February 2024).
@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2023-01-29", ("2024-M1", "2023-01-29", "2023-02-25")),
        ("2023-04-01", ("2024-M2", "2023-02-26", "2023-04-01")),
        ("2024-02-03", ("2024-M12", "2023-12-31", "2024-02-03")),
        ("2024-02-04", ("2025-M1", "2024-02-04", "2024-03-02")),
    ],
)
def test_a_retail_year(at: str, expected: tuple[str, str, str]) -> None:
    calendar = FiscalCalendar("month", 2, "4-5-4", "sunday")
    assert described(calendar.period_of_day(day(at))) == expected


def test_a_week_year_of_52_weeks_begins_in_the_year_before() -> None:
    calendar = FiscalCalendar("quarter", 1, "4-4-5", "monday")
    assert described(calendar.period_of_day(day("2025-12-29"))) == ("2026-Q1", "2025-12-29", "2026-03-29")


@pytest.mark.parametrize("pattern", WEEK_PATTERNS)
@pytest.mark.parametrize("week_start", get_args(Weekday))
@pytest.mark.parametrize("start_month", [1, 2, 7, 10])
def test_week_years(pattern: Pattern, week_start: Weekday, start_month: int) -> None:
    months = all_periods(FiscalCalendar("month", start_month, pattern, week_start))
    quarters = all_periods(FiscalCalendar("quarter", start_month, pattern, week_start))
    firsts = [i for i, month in enumerate(months) if month.label.endswith("-M1")]
    expected = [int(weeks) for weeks in pattern.split("-")] * 4
    for start, following in pairwise(firsts):
        year = months[start:following]
        weeks = [(month.end_day - month.start_day + 1) / 7 for month in year]
        assert weeks in (expected, [*expected[:-1], expected[-1] + 1])
        first = date_of(year[0].start_day)
        assert first.weekday() == get_args(Weekday).index(week_start)
        nominal = date(int(year[0].label[:4]) - (start_month != 1), start_month, 1)
        assert abs((first - nominal).days) <= 3
    assert {quarter.start_day for quarter in quarters[1:]} <= {month.start_day for month in months}
    lengths = {months[b].start_day - months[a].start_day for a, b in pairwise(firsts)}
    assert lengths == {52 * 7, 53 * 7}


def test_a_table_is_kept_and_continued_on_both_sides() -> None:
    rows = [
        ("FY26 one", day("2025-09-29")),
        ("FY26 two", day("2025-12-29")),
        ("FY26 three", day("2026-03-30")),
        ("FY26 four", day("2026-06-29")),
        ("FY27 one", day("2026-09-28")),
    ]
    calendar = FiscalCalendar.from_table(rows, zone="Europe/Berlin")
    found = [described(calendar.period_of_day(start)) for _, start in rows]
    assert found[0] == ("FY26 one", "2025-09-29", "2025-12-28")
    assert found[4] == ("FY27 one", "2026-09-28", "2026-12-28")
    assert described(calendar.period_of_day(day("2026-12-29"))) == ("from 2026-12-29", "2026-12-29", "2027-03-29")
    assert described(calendar.period_of_day(day("2025-09-28"))) == ("from 2025-06-29", "2025-06-29", "2025-09-28")
    assert calendar.period_of_day(rows[0][1]).index == 0
    assert calendar.period_of_day(FIRST_DAY).index < 0


def test_a_leap_day_in_a_table() -> None:
    firsts = ["2024-02-29", "2024-05-31", "2024-08-31", "2024-11-30"]
    calendar = FiscalCalendar.from_table([(text, day(text)) for text in firsts])
    assert described(calendar.period_of_day(day("2025-03-01")))[1] == "2025-03-01"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a", "2026-01-01"), ("b", "2026-04-01"), ("c", "2026-07-01")],
            "the table has 3 periods: a year",
        ),
        (
            [("a", "2026-01-01"), ("b", "2026-07-01"), ("c", "2026-10-01"), ("d", "2027-01-01")],
            "the quarter from 2026-01-01 to the next at 2026-07-01 has 181 days: is a row missing",
        ),
        (
            [("a", "2026-01-01"), ("b", "2026-04-01"), ("c", "2026-03-01"), ("d", "2026-10-01")],
            "from 2026-04-01 to the next at 2026-03-01 has -31 days: is a row missing, or out of order",
        ),
        (
            [("a", "2026-01-01"), ("b", "2026-04-01"), ("a", "2026-07-01"), ("d", "2026-10-01")],
            "label 'a' of 2026-01-01: each period needs a label of its own",
        ),
        (
            [("a", "1980-01-01"), ("b", "2026-04-01"), ("c", "2026-07-01"), ("d", "2026-10-01")],
            "1980-01-01 is outside the calendar: dates from 1990-01-01 to 2100-12-31",
        ),
    ],
)
def test_a_table_that_cannot_be_right(rows: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FiscalCalendar.from_table([(label, day(first)) for label, first in rows])


def test_what_is_no_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'year': one of quarter, month"):
        FiscalCalendar("year")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="start_month is 13: a month from 1 to 12"):
        FiscalCalendar(start_month=13)
    with pytest.raises(ValueError, match="pattern is '4-4-4': one of standard, 4-4-5"):
        FiscalCalendar(pattern="4-4-4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="week_start is 'mon'"):
        FiscalCalendar(pattern="4-4-5", week_start="mon")  # type: ignore[arg-type]
    for name in ("Mars/Olympus", "Europe", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="unknown time zone"):
            FiscalCalendar(zone=name)


@pytest.mark.parametrize("zone", ZONES)
def test_the_ends_of_the_calendar(zone: str) -> None:
    calendar = FiscalCalendar("quarter", 11, "5-4-4", "saturday", zone)
    utc = Zone("UTC")
    for at in (utc.midnight(FIRST_DAY), utc.midnight(LAST_DAY + 1) - 1):
        assert calendar.period_of(at) == calendar.period_of_day(calendar.local_day(at))
    for at in (day("1988-06-01"), day("2102-12-01"), -(10**9), 10**9):
        with pytest.raises(ValueError, match="is outside the calendar: dates from 1990-01-01 to 2100-12-31"):
            calendar.period_of_day(at)
    for at in (calendar.midnight(day("1988-06-01")), calendar.midnight(day("2102-12-01")), 10**18):
        with pytest.raises(ValueError, match="is outside the calendar"):
            calendar.period_of(at)
    for at in (-(10**15), 10**15):
        with pytest.raises(ValueError, match="outside the years 1988 to 2102"):
            calendar.local_day(at)
    for at in (-(10**6), 10**6):
        with pytest.raises(ValueError, match="outside the years 1988 to 2102"):
            calendar.midnight(at)


def test_a_period_is_a_value() -> None:
    period = FiscalCalendar(zone="America/New_York").period_of_day(day("2026-11-23"))
    assert period == Period(
        index=2026 * 4 + 3,
        label="2026-Q4",
        start_day=day_of(date(2026, 10, 1)),
        end_day=day_of(date(2026, 12, 31)),
        start_at=ms("2026-10-01T00:00:00-04:00"),
        end_at=ms("2027-01-01T00:00:00-05:00"),
    )
    assert hash(period) == hash(FiscalCalendar(zone="America/New_York").period_of(period.start_at))
    with pytest.raises(AttributeError):
        period.label = "other"  # type: ignore[misc]


def test_a_calendar_says_what_it_is() -> None:
    calendar = FiscalCalendar("month", zone="Asia/Kathmandu")
    assert (calendar.kind, calendar.zone, repr(Zone("UTC"))) == ("month", "Asia/Kathmandu", "Zone('UTC')")
