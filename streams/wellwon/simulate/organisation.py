"""The simulated organisation: who sells what to whom, in which stages, by which calendar.

The shape that a quarter aims at is published, each figure by the source named in design/evidence.md (facts 5 and 13):

- about 70 % of the value won falls in the quarter's last week, with a small spike in its first (Larkin's teaching case
  *Arck Systems (B)*, HBS 9-911-057, figure 1: a case, not field data);
- discounts are U-shaped: about 40 % early and late in the quarter, at most 30 % in the middle (the same case);
- on the last day three times the wins and 11.4 times the losses of a day, so that the win rate falls from 63 % to
  31 %, at deals 34.5 % smaller (Krogue, HBR, 25 August 2017: 9.8 million transactions at month ends). Both sources at
  once are only possible where "a day" is another day of the last week; that is how it is taken here. Many of the losses
  of a last day are dead deals being cleared away, and are labelled as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from wellwon.core.calendar import FiscalCalendar, Period
from wellwon.core.units import SECOND, date_of

ZONE: Final = "America/New_York"
FIRST_DAY: Final = 20_635
"""2026-07-01, where the first simulated quarter begins."""
WINDOW_DAYS: Final = 10
LOCK_DAYS: Final = 30

NEW_BUSINESS: Final = "New business"
RENEWALS: Final = "Renewals"
OPEN_STAGES: Final = ("Qualification", "Discovery", "Evaluation", "Proposal", "Negotiation", "Legal & Procurement")
QUALIFICATION, DISCOVERY, EVALUATION, PROPOSAL, NEGOTIATION, LEGAL = range(6)
RENEWAL_STAGES: Final = ("Review", "Quote", "Verbal")
WON_STAGE: Final = "Closed Won"
LOST_STAGE: Final = "Closed Lost"
CATEGORY_OF: Final = ("Pipeline", "Pipeline", "Pipeline", "Best Case", "Commit", "Commit")
"""The forecast category that a stage usually has."""

LAST_WEEK_WINS: Final = {"before": 2.3, "last week": 4.0, "last day": 3.0}
"""Wins by slot, in days' worth; with smaller deals on the last day this puts 70 % of the value in the last week."""
LAST_DAY_SIZE: Final = 0.655
WIN_RATE: Final = {"before": 0.63, "last week": 0.63, "last day": 0.31}


@dataclass(frozen=True, slots=True)
class Segment:
    """Customers of one size: what a deal is worth, how long it takes, what discount is usual."""

    name: str
    share: float
    list_low: int
    list_high: int
    """List price of a deal, whole dollars."""
    cycle_low: int
    cycle_high: int
    """Days from creation to the close."""
    discount_middle: int
    discount_edge: int
    """Usual discount, percent, in the middle of a quarter and at its ends."""


SEGMENTS: Final = (
    Segment("SMB", 0.40, 9_000, 40_000, 24, 45, 18, 31),
    Segment("Mid-market", 0.40, 40_000, 160_000, 40, 85, 25, 38),
    Segment("Enterprise", 0.20, 160_000, 700_000, 75, 150, 29, 43),
)

_FIRST_NAMES: Final = """
    Alder Amber Anchor Arden Aspen Aster Beacon Birch Bluebird Borealis Bramble Bright Cascade Cedar Cinder
    Clover Cobalt Copper Coral Crescent Delta Dune Elm Ember Fern Fjord Garnet Granite Harbor Hazel Heron
    Indigo Iris Juniper Kestrel Larch Linden Lumen Maple Marlow Meadow Merlin Mistral Opal Orchard Pebble Pine
    Quarry Raven Willow
""".split()  # noqa: SIM905 (a list of 50 quoted words is no easier to read)
_SECOND_NAMES: Final = """
    Aerospace Analytics Apparel Bank Biotech Brewing Capital Ceramics Clinics Components Dairy Devices
    Dynamics Electric Energy Farms Foods Freight Glass Grid Health Hotels Housing Insurance Labs Learning
    Logistics Marine Materials Media Mobility Motors Optics Paper Pharma Rail Robotics Seeds Textiles Tools
""".split()  # noqa: SIM905

TEAMS: Final = ("East", "West", "Central", "Majors")
OWNERS_A_TEAM: Final = 6


def account_name(number: int) -> str:
    """A customer's name; the first 2,000 numbers have different ones."""
    turn, first = divmod(number, len(_FIRST_NAMES))
    return f"{_FIRST_NAMES[first]} {_SECOND_NAMES[(turn + 7 * first) % len(_SECOND_NAMES)]}"


def owner_id(number: int) -> str:
    """A seller's id, without the division."""
    team, seat = divmod(number % (len(TEAMS) * OWNERS_A_TEAM), OWNERS_A_TEAM)
    return f"005{TEAMS[team]}{seat + 1}"


@cache
def calendar() -> FiscalCalendar:
    """The organisation's fiscal calendar: calendar quarters in New York."""
    return FiscalCalendar(zone=ZONE)


@dataclass(frozen=True)
class Quarter:
    """A quarter with the days on which people work in it."""

    period: Period

    @property
    def start(self) -> int:
        """First day."""
        return self.period.start_day

    @property
    def end(self) -> int:
        """Last day."""
        return self.period.end_day

    @property
    def window(self) -> int:
        """First day of the window."""
        return self.end - WINDOW_DAYS + 1

    @property
    def lock(self) -> int:
        """First day from which a commitment binds."""
        return self.end - LOCK_DAYS + 1

    @property
    def last_week(self) -> int:
        """First day of the last seven."""
        return self.end - 6

    @property
    def last_workday(self) -> int:
        """The last day on which people work."""
        return workday(self.end)


def quarter(number: int) -> Quarter:
    """The quarter so many after the first."""
    first = calendar().period_of_day(FIRST_DAY)
    day = first.start_day + 1
    for _ in range(number):
        day = calendar().period_of_day(day).end_day + 2
    return Quarter(calendar().period_of_day(day))


def workday(day: int) -> int:
    """The day itself, or the Friday before a weekend."""
    return day - max(0, date_of(day).weekday() - 4)


def is_workday(day: int) -> bool:
    """Whether people work on this day."""
    return workday(day) == day


def next_workday(day: int) -> int:
    """The day itself, or the Monday after a weekend."""
    return day + (0 if is_workday(day) else 7 - date_of(day).weekday())


def some_workday(rng: Random, low: int, high: int) -> int:
    """A working day between two days, both included; the last one before ``high`` where there is none."""
    days = [day for day in range(low, high + 1) if is_workday(day)]
    return rng.choice(days) if days else workday(high)


def some_workdays(rng: Random, low: int, high: int, count: int) -> list[int]:
    """So many different working days between two days, in order; the range must have them."""
    return sorted(rng.sample([day for day in range(low, high + 1) if is_workday(day)], count))


def office_hours(rng: Random, day: int) -> int:
    """An instant, in whole seconds, between 9:00 and 17:00 local time of a day."""
    return calendar().midnight(day) + rng.randrange(9 * 3600, 17 * 3600) * SECOND


@cache
def policy_text() -> str:
    """The organisation's policy, as RevOps would have written it."""
    return Path(__file__).with_name("policy.yaml").read_text(encoding="utf-8")
