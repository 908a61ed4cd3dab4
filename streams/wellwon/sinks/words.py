"""From records to sentences: plain text that no deal's name can break. Each sink escapes it in its own way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from wellwon.core.records import short_money
from wellwon.core.units import parse_instant, parse_money
from wellwon.deliver.items import Alert

LINE_MAX: Final = 300
_SHOWN_APART: Final = frozenset(("before", "after", "when", "writer", "days_to_period_end", "threshold", "clears"))
_WRITERS: Final = {"user": "by a person", "admin": "by an administrator", "system": "by the CRM itself"}
_LABELS: Final = {
    "off_list": "off list a year",
    "norm": "segment's norm",
    "no_progress_since": "no stage progress since",
}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT: Final = re.compile(_DATE.pattern + r"T[\d:.]{8,12}Z", re.ASCII)
_UNKNOWN: Final = "insufficient_history"


def clean(text: object, most: int = LINE_MAX) -> str:
    """One line without control characters and direction overrides, at most so many characters."""
    raw = str(text)[: 4 * most]
    kept = "".join(" " if c.isspace() else c for c in raw if unicodedata.category(c) not in _DROPPED or c.isspace())
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1] + "…"


_DROPPED: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
"""Control, format (direction overrides, zero width), surrogate, private and unassigned characters."""


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def moment(at: str | int, zone: str) -> str:
    """``29 Dec 2026 17:05`` in the reader's zone, of an RFC 3339 instant or epoch milliseconds."""
    ms = parse_instant(at) if isinstance(at, str) else at
    local = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)).astimezone(_zone(zone))
    return f"{local.day} {local:%b %Y %H:%M}"


def day(date: str) -> str:
    """``29 Dec 2026`` of ``2026-12-29``."""
    found = datetime.fromisoformat(date)
    return f"{found.day} {found:%b %Y}"


def money(amount: str | None, currency: str | None) -> str:
    """``$84k``; ``no amount`` where there is none."""
    return short_money(None if amount is None else parse_money(amount), currency or "")


def what_changed(alert: Alert, zone: str) -> str:
    """What changed, when, by which kind of writer, how long before the period's end."""
    evidence = alert.evidence
    parts = []
    before, after = evidence.get("before"), evidence.get("after")
    if before is not None and after is not None:
        parts.append(_move(before, after, zone))
    if isinstance(when := evidence.get("when"), str):
        parts.append(_moment(when, zone))
    writer = evidence.get("writer")
    if isinstance(writer, str):
        parts.append(_WRITERS.get(writer, f"by {clean(writer, 40)}"))
    left = evidence.get("days_to_period_end")
    if isinstance(left, int) and left >= 0:
        parts.append("on the period's last day" if not left else f"{left} day{'s' * (left != 1)} before period end")
    return ", ".join(parts)


def _moment(when: str, zone: str) -> str:
    try:
        return moment(when, zone)
    except (ValueError, OverflowError):
        return clean(when, 40)


def facts(alert: Alert, zone: str) -> Iterator[str]:
    """The rest of the evidence, a sentence each."""
    for key, value in alert.evidence.items():
        if key not in _SHOWN_APART and (said := _fact(clean(key, 40), value, alert, zone)):
            yield said


def _fact(key: str, value: Any, alert: Alert, zone: str) -> str:
    label = _LABELS.get(key, key.replace("_", " "))
    if value is None or value is False or value == []:
        return ""
    if value is True:
        return label
    if value == _UNKNOWN:
        return f"{label}: not known, too little history"
    if key == "off_list":
        return f"{_money(value, alert.currency)} {label}"
    if isinstance(value, list):
        return f"{label}: " + "; ".join(_item(one, zone) for one in value[:10])
    return f"{label}: {_item(value, zone)}"


def _money(value: Any, currency: str | None) -> str:
    try:
        return money(str(value), currency)
    except ValueError:
        return clean(value, 40)


def _move(before: Any, after: Any, zone: str) -> str:
    return f"{clean(_item(before, zone), 80)} to {clean(_item(after, zone), 80)}"


def _step(about: dict[str, Any], zone: str) -> str:
    """One of several things that happened: ``23 Jul 2026, 31 Aug 2026 to 17 Sep 2026, 17 days``."""
    said = []
    for key, value in about.items():
        if key == "before" and "after" in about:
            said.append(_move(value, about["after"], zone))
        elif key == "days" and isinstance(value, int):
            said.append(f"{value} day{'s' * (abs(value) != 1)}")
        elif value is not None and not (key == "after" and "before" in about):
            said.append(_item(value, zone))
    return ", ".join(said)


def _item(value: Any, zone: str) -> str:
    if isinstance(value, dict):
        return _step(value, zone)
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return _moment(value, zone)
    if isinstance(value, str) and _DATE.fullmatch(value):
        return _day(value)
    return clean(value, 120)


def _day(date: str) -> str:
    try:
        return day(date)
    except ValueError:
        return clean(date, 40)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return text and text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")
