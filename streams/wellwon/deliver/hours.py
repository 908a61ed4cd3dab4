"""When a person may be told: working days and quiet hours, in their own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, get_args
from zoneinfo import ZoneInfo

from wellwon.core.calendar import Weekday
from wellwon.policy.delivery import Delivery

_WEEKDAYS: Final = get_args(Weekday)


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local(at: int, zone: str) -> datetime:
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at)).astimezone(_zone(zone))


def _instant(day: datetime, minute: int) -> int:
    """Epoch milliseconds of a minute of the local day; where the clock skips it, of the moment after."""
    wall = day.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0, fold=0)
    return round(wall.timestamp()) * 1000


def local_day(at: int, zone: str) -> int:
    """Day number that the zone's calendar shows."""
    return _local(at, zone).date().toordinal() - 719_163


def opens_at(at: int, zone: str, delivery: Delivery) -> int:
    """The first instant from ``at`` on (ms) at which a person in this zone may be told."""
    for _ in range(16):  # at most a week of days off, each with a quiet end of its own
        local = _local(at, zone)
        minute = local.hour * 60 + local.minute
        if _WEEKDAYS[local.weekday()] not in delivery.working_days:
            at = _instant(local + timedelta(days=1), 0)
        elif delivery.quiet_hours.holds(minute):
            end = delivery.quiet_hours.end
            at = _instant(local if end > minute else local + timedelta(days=1), end)
        else:
            return at
    return at


def next_time(at: int, zone: str, minute: int, weekdays: tuple[str, ...]) -> int:
    """The first instant after ``at`` (ms) that shows this minute of a local day of these weekdays."""
    local = _local(at, zone)
    for days in range(9):
        day = local + timedelta(days=days)
        moment = _instant(day, minute)
        if moment > at and _WEEKDAYS[day.weekday()] in weekdays:
            return moment
    raise ValueError(f"no weekday: {weekdays}")
