"""Times, dates and numbers as exports and spreadsheets write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from wellwon.core.units import format_instant, parse_date
from wellwon.sources.dates import DateReader
from wellwon.sources.numbers import number


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-02-24 02:20:31", "2026-02-24T02:20:31Z"),
        ("2026-02-24T02:20:31.417Z", "2026-02-24T02:20:31.417Z"),
        ("2026-02-24T02:20:31.000+0000", "2026-02-24T02:20:31Z"),
        ("2026-02-24T02:20:31+05:30", "2026-02-23T20:50:31Z"),
        ("2026-02-24 02:20:31 UTC", "2026-02-24T02:20:31Z"),
        ("02/24/26 02:20 AM", "2026-02-24T02:20:00Z"),
        ("02/24/26 12:20 AM", "2026-02-24T00:20:00Z"),
        ("2/24/2026, 12:20:05 pm", "2026-02-24T12:20:05Z"),
        ("24.02.2026 14:20", "2026-02-24T14:20:00Z"),
        ("2026-02-24", "2026-02-24T00:00:00Z"),
    ],
)
def test_instants(text: str, at: str) -> None:
    assert format_instant(DateReader().instant(text)) == at


def test_a_zone_for_times_without_one() -> None:
    berlin = DateReader(ZoneInfo("Europe/Berlin"))
    assert format_instant(berlin.instant("02/24/26 02:20 AM")) == "2026-02-24T01:20:00Z"
    assert format_instant(berlin.instant("07/24/26 02:20 AM")) == "2026-07-24T00:20:00Z"
    assert format_instant(berlin.instant("2026-02-24T02:20:00Z")) == "2026-02-24T02:20:00Z"


def test_dates() -> None:
    reader = DateReader()
    for text in ("2026-03-02", "2026-03-02 00:00:00", "2026-03-02T00:00:00.000Z", "03/02/26", "3/2/2026", "2.3.2026"):
        assert reader.date(text) == parse_date("2026-03-02"), text
    assert DateReader(dayfirst=True).date("03/02/26") == parse_date("2026-02-03")
    # A close date is a day of the calendar: no zone moves it.
    assert DateReader(ZoneInfo("Pacific/Auckland")).date("2026-03-02T23:00:00.000Z") == parse_date("2026-03-02")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("24/02/26", "add --dayfirst"),
        ("soon", "not a date or time: write it as 2026-02-24 02:20:00"),
        ("45321", "not a date or time: write it as 2026-02-24 02:20:00"),
        ("2026-02-30", "not a date or time"),
        ("02/24/26 13:20 PM", "not a time"),
        ("2926-02-24", "outside"),
        ("2026-02-24 02:20:31+99:00", "offset"),
        ("٢٠٢٦-٠٢-٢٤", "not a date"),
    ],
)
def test_mistakes_say_what_to_do(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DateReader().date(text)


def test_a_day_that_is_first_by_mistake() -> None:
    with pytest.raises(ValueError, match="leave --dayfirst out"):
        DateReader(dayfirst=True).date("02/24/26")


@pytest.mark.parametrize(
    ("text", "comma", "plain"),
    [
        ("7262.5419999999995", False, "7262.5419999999995"),
        ("1,234.50", False, "1234.50"),
        ("$1,234,567", False, "1234567"),
        ("USD 15,000.00", False, "15000.00"),
        ("(50.00)", False, "-50.00"),
        ("1.25E+05", False, "125000.000000"),
        ("22.5%", False, "22.5"),
        ("1'234.50", False, "1234.50"),
        ("1.234,50", True, "1234.50"),
        ("1.234", True, "1234"),
        ("22,5", True, "22.5"),
        ("1 234,50 €", True, "1234.50"),
        ("850.5", True, "850.5"),
    ],
)
def test_numbers(text: str, comma: bool, plain: str) -> None:
    assert number(text, decimal_comma=comma) == plain


@pytest.mark.parametrize(
    "text", ["", "-", "abc", "1,23,4", "1.2.3", "12,34", "0x10", "1e999", "١٢", "--5", "nan", "inf"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a number.*write it"):
        number(text, decimal_comma=False)


def test_a_number_that_no_deal_has() -> None:
    with pytest.raises(ValueError, match="'1e99' is too large"):
        number("1e99", decimal_comma=False)
