"""What a CRM is to show of a deal: neutral facts, as they are now.

Facts are a state and no messages: what is to be shown follows from the deal's file, a digest of what was written is
kept in it, and what differs is written. A repeat changes nothing, and what happened in between needs no write. They
name the pattern and its dates, and are no judgement: neither the reading of a win nor an alert's text is among them.
What concerns the data alone is told apart from the rest, and nothing is counted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from wellwon.core.model import ALERT
from wellwon.core.rule import SEVERITIES
from wellwon.core.units import HOUR, parse_instant
from wellwon.deliver.state import DealFile
from wellwon.policy.delivery import ALERTS, WINS, Crm, CrmWrites

SALESFORCE: Final = "salesforce"
HUBSPOT: Final = "hubspot"
SYSTEMS: Final = (SALESFORCE, HUBSPOT)

DEAL: Final = ""
"""Under this the digest of a deal's own facts is kept; its flags are under their fingerprints."""
DATA: Final = "data"
UNSURE: Final = "?"
"""In place of a digest: a write went out, and its answer is not known."""

_DEALS: Final = {
    SALESFORCE: re.compile(r"006[0-9A-Za-z]{12}([0-9A-Za-z]{3})?").fullmatch,
    HUBSPOT: re.compile(r"[0-9]{1,20}").fullmatch,
}


class WinFacts(msgspec.Struct, frozen=True):
    """How a deal was won. Texts are empty, and numbers None, where it is not known."""

    won_at: str
    price_held: str
    date_held: str
    buyer_answered: str
    discount_percent: str | None
    baseline_percent: str | None
    traded: bool
    days_to_period_end: int


class DealFacts(msgspec.Struct, frozen=True):
    """What is shown on the deal itself."""

    deal: str
    flags: tuple[str, ...] = ()
    """Rules whose alerts are open, sorted."""
    data_flags: tuple[str, ...] = ()
    """The same, of what concerns the CRM's data alone."""
    severity: str = ""
    """The highest among `flags`."""
    since: str = ""
    """When the oldest of `flags` was opened."""
    win: WinFacts | None = None


class FlagFacts(msgspec.Struct, frozen=True):
    """One flag, for systems that keep a record of each. One that is over has ``open`` False and nothing else."""

    key: str
    """The alert's fingerprint."""
    deal: str
    open: bool
    rule: str = ""
    severity: str = ""
    period: str = ""
    opened_at: str = ""


Facts = DealFacts | FlagFacts


class Write(msgspec.Struct, frozen=True):
    """Facts that a system does not show yet. ``digest``: of the facts; empty: nothing is left of them."""

    name: str
    facts: Facts
    digest: str


def is_of(system: str, deal: str) -> bool:
    """Whether a deal's id is one of this system's."""
    return _DEALS[system](deal) is not None


def writes_of(crm: Crm, system: str) -> CrmWrites:
    """What the policy lets write into a system."""
    return crm.salesforce if system == SALESFORCE else crm.hubspot


def win_due(file: DealFile, crm: Crm) -> int:
    """From when on the win's facts are shown, epoch milliseconds; 0 where there is none."""
    win = file.win
    return 0 if win is None or win.withdrawn else parse_instant(win.won_at) + crm.wins_after_hours * HOUR


def pending(file: DealFile, deal: str, system: str, crm: Crm, now: int) -> list[Write]:
    """What is to be written of a deal, its own facts first; none where the system shows what it should."""
    if not is_of(system, deal):
        return []
    written = file.crm.get(system, {})
    return [one for one in _wanted(file, deal, system, crm, now) if one.digest != written.get(one.name, "")]


def attempt(file: DealFile, system: str, writes: Iterable[Write]) -> None:
    """Note that these go out: from now on nobody knows what the system shows, until `note`."""
    written = file.crm.setdefault(system, {})
    for write in writes:
        written[write.name] = UNSURE


def note(file: DealFile, system: str, write: Write) -> None:
    """Note that the system shows these facts, or will never take them."""
    written = file.crm.setdefault(system, {})
    if write.digest:
        written[write.name] = write.digest
    else:
        written.pop(write.name, None)
    if not written:
        del file.crm[system]


def _wanted(file: DealFile, deal: str, system: str, crm: Crm, now: int) -> Iterator[Write]:
    facts = deal_facts(file, deal, writes_of(crm, system), crm, now)
    yield Write(DEAL, facts, "" if facts == DealFacts(deal) else _digest(facts))
    if system != SALESFORCE:
        return
    open_flags = {flag.key: flag for flag in flags(file, deal)} if ALERTS in writes_of(crm, system).write else {}
    for key, flag in open_flags.items():
        yield Write(key, flag, _digest(flag))
    for key in file.crm.get(system, {}):
        if key != DEAL and key not in open_flags:
            yield Write(key, FlagFacts(key, deal, open=False), "")


def deal_facts(file: DealFile, deal: str, writes: CrmWrites, crm: Crm, now: int) -> DealFacts:
    """The facts of a deal that may be shown now."""
    alerts = [known.alert for known in file.known.values() if known.alert.mode == ALERT]
    shown = alerts if ALERTS in writes.write else []
    about_data = [alert for alert in shown if alert.family == DATA]
    others = [alert for alert in shown if alert.family != DATA]
    due = win_due(file, crm)
    return DealFacts(
        deal,
        flags=tuple(sorted({alert.rule for alert in others})),
        data_flags=tuple(sorted({alert.rule for alert in about_data})),
        severity=max((alert.severity for alert in others), key=_rank, default=""),
        since=min((alert.opened_at or alert.at for alert in others), key=parse_instant, default=""),
        win=_win(file) if WINS in writes.write and 0 < due <= now else None,
    )


def flags(file: DealFile, deal: str) -> list[FlagFacts]:
    """The open flags of a deal."""
    alerts = (known.alert for known in file.known.values() if known.alert.mode == ALERT)
    return [
        FlagFacts(a.fingerprint, deal, True, a.rule, a.severity, a.period, a.opened_at or a.at)
        for a in alerts
    ]  # fmt: skip


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _win(file: DealFile) -> WinFacts:
    win = file.win
    assert win is not None
    return WinFacts(
        won_at=win.won_at,
        price_held=win.price_held,
        date_held=win.date_held,
        buyer_answered=win.buyer_answered,
        discount_percent=win.discount_percent,
        baseline_percent=win.baseline_percent,
        traded=win.traded,
        days_to_period_end=win.days_to_period_end,
    )


def _digest(facts: Facts) -> str:
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=6).hexdigest()
