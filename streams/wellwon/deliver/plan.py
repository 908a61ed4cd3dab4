"""What people are to be told of one deal, and when: the policy's delivery, applied to one thing that happened.

`plan` changes the file that it is given (the caller's own copy, just decoded), and returns what is to be told. Whether
an address may be told at this moment is decided afterwards, by its book.

- A headline is told once it has stood for the settle time; what resolves before that was a slip, and is never told.
- What was told is kept true: changes, answers and the end edit the message in place, and disturb nobody.
- It rings again when it becomes more severe, when it is opened anew, when a snooze ends, and on escalation.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wellwon.core.lifecycle import OPENED
from wellwon.core.model import ALERT
from wellwon.core.rule import SEVERITIES
from wellwon.core.units import DAY, HOUR, MINUTE, parse_instant
from wellwon.deliver import crm_facts, wins
from wellwon.deliver.cards import AlertCard, RawCard, Said
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.items import ANSWERED, NOTED, SNOOZED, Alert, Reply, Win
from wellwon.deliver.state import FIRST, OLD, POLICY, POST, SMALL, STANDING, UPDATE, DealFile, Known, Told
from wellwon.deliver.telling import Item, Plan, Telling, Tick
from wellwon.policy.model import Policy

OLD_MS: Final = HOUR
"""An alert that is read this long after it happened (beyond the settle time) is no news: it goes into a digest."""
FORGET_MS: Final = 40 * DAY
"""Longer than the alerts' topic is kept: what is read again from its beginning is still known."""
NOTES_KEPT: Final = 10


def plan(
    file: DealFile, item: Item, now: int, directory: Directory, *, first: bool = False, record: bytes = b""
) -> Plan:
    """Apply what happened to a deal's file; see the module. ``now`` in epoch milliseconds.

    ``first``: the first connection is not over, so that alerts are told in its one report.
    ``record`` is the item as it was published, for machines.
    """
    made = Plan()
    match item:
        case Alert():
            _alert(file, item, now, directory, first, record, made)
        case Win():
            wins.heard(file, item, now, directory, record, made)
        case Reply():
            _reply(file, item, now, directory, made)
        case Tick():
            pass
    _due(file, now, directory, made)
    wins.due(file, now, directory, made)
    if not isinstance(item, Tick):
        file.last_at = now
    return made


def wake_at(file: DealFile) -> int:
    """When time alone changes something for this deal, epoch milliseconds."""
    times = [*file.due.values(), *file.escalate.values()]
    times += [at for at in (file.win_due, file.handover_due) if at]
    return min(times, default=file.last_at + FORGET_MS)


def forgettable(file: DealFile, deal: str, now: int, policy: Policy) -> bool:
    """Whether nothing is left of this deal that anybody, or a CRM, could still be told."""
    if file.known or file.outbox or file.win_due or file.handover_due:
        return False
    if file.win is not None and now < file.win.at_ms + policy.closed_days * DAY + FORGET_MS:
        return False  # it may still be taken back, and then what was told and written of it has to be put right
    on = [system for system in crm_facts.SYSTEMS if crm_facts.writes_of(policy.crm, system).write]
    return not any(crm_facts.pending(file, deal, system, policy.crm, now) for system in on)


# --- alerts ---------------------------------------------------------------------------------------------------


def _alert(
    file: DealFile, alert: Alert, now: int, directory: Directory, first: bool, record: bytes, made: Plan
) -> None:
    mark = alert.fingerprint
    if alert.revision <= file.revisions.get(mark, 0):
        made.repeat = True
        return
    file.revisions[mark] = alert.revision
    if alert.mode != ALERT:
        made.silent.append("shadow")
        for kept in (file.known, file.due, file.told, file.escalate):
            kept.pop(mark, None)  # the rule was put into shadow: nothing more is told of this alert
        return
    audiences = directory.audiences(alert)
    for address in directory.webhooks(audiences):
        card = RawCard(alert.id, "alert.v1", record)
        made.tellings.append(Telling(address, alert.id, POST, card, free=True))
    if not audiences:
        made.silent.append("no-route")
    elif alert.open:
        _opened(file, alert, now, directory, first, made)
    else:
        _resolved(file, alert, now, directory, made)


def _opened(file: DealFile, alert: Alert, now: int, directory: Directory, first: bool, made: Plan) -> None:
    mark, before = alert.fingerprint, file.known.get(alert.fingerprint)
    left = mark if before is None else heading(file, mark)
    said = before.said if before is not None and alert.transition != OPENED else ()
    file.known[mark] = Known(alert, said)
    headline = heading(file, mark)
    if left not in (mark, headline):  # it was another headline's evidence
        if leader(file, left) is None:
            _hand_on(file, left, headline)
        else:
            _edit(file, left, made)
    if headline != mark:
        # It came from a save that has a stronger headline: what was told of it becomes that headline's message.
        _hand_on(file, mark, headline)
        _edit(file, headline, made)
        return
    if told := file.told.get(mark):
        if _rank(alert.severity) > max(_rank(one.severity) for one in told.values()):
            _tell(file, mark, now, directory, made)
            return
        _edit(file, mark, made)
        if before is not None and before.alert.owner_id == alert.owner_id:
            return  # everyone has heard of it
    settle = directory.delivery.settle_minutes * MINUTE
    hold = FIRST if first else POLICY if alert.reason == POLICY else ""
    if not hold and now - alert.at_ms > settle + OLD_MS:
        hold = OLD
    if hold:
        file.due.pop(mark, None)
        _tell(file, mark, now, directory, made, hold=hold, rings=False)
    else:
        file.due.setdefault(mark, max(now, alert.at_ms + settle))


def _hand_on(file: DealFile, mark: str, headline: str) -> None:
    """Let what was told of one headline, or is about to be, be another's; both stay true where both stand."""
    due, escalate = file.due.pop(mark, 0), file.escalate.pop(mark, 0)
    standing = {address: one for address, one in file.told.pop(mark, {}).items() if not one.digest}
    others = {address for address, one in file.told.get(headline, {}).items() if not one.digest}
    for address, one in standing.items():
        if address not in others:
            file.told.setdefault(headline, {})[address] = one
        refs = file.refs.pop(f"{address} {mark}", [])
        if refs:
            there = f"{address} {headline}"
            file.refs[there] = [*file.refs.get(there, ()), *refs][-STANDING:]
    for message in file.outbox[:]:
        if message.mark == headline:
            message.again = message.again or message.address in standing
        elif message.mark == mark and message.address in others and not message.attempted:
            file.outbox.remove(message)  # what stands there will be edited instead
        elif message.mark == mark:
            message.mark = headline
            message.again = message.again or message.address in others
    if due:
        file.due.setdefault(headline, due)
    if escalate:
        file.escalate.setdefault(headline, escalate)


def _resolved(file: DealFile, alert: Alert, now: int, directory: Directory, made: Plan) -> None:
    mark = alert.fingerprint
    if mark not in file.known:
        return
    headline = heading(file, mark)
    said = file.known.pop(mark).said
    for known in file.known.values() if headline != mark else ():
        if known.alert.covered_by == mark:
            known.alert = replace(known.alert, covered_by=headline)
    if leader(file, headline) is not None:  # others of the same save still hold
        _edit(file, headline, made)
        told = file.told.get(headline, {})
        for address in [address for address, one in told.items() if one.digest]:
            del told[address]  # a line of a digest does not go on with them: they are told by themselves
            file.due.setdefault(headline, now + directory.delivery.settle_minutes * MINUTE)
        return
    file.due.pop(headline, None)
    file.escalate.pop(headline, None)
    if headline in file.told:
        _edit(file, headline, made, ended=AlertCard(alert, (), said))
        del file.told[headline]
    else:
        made.silent.append("settled")


def _due(file: DealFile, now: int, directory: Directory, made: Plan) -> None:
    """Tell what has settled, and what nobody answered."""
    for mark in [mark for mark, at in file.due.items() if at <= now]:
        del file.due[mark]
        if (known := leader(file, mark)) is not None:
            _tell(file, mark, now, directory, made, rings=any(said.kind == SNOOZED for said in known.said))
    for mark in [mark for mark, at in file.escalate.items() if at <= now]:
        del file.escalate[mark]
        if (known := leader(file, mark)) is not None and not known.said:
            _tell(file, mark, now, directory, made, escalated=True)


def _tell(
    file: DealFile,
    mark: str,
    now: int,
    directory: Directory,
    made: Plan,
    *,
    hold: str = "",
    escalated: bool = False,
    rings: bool = True,
) -> None:
    """Tell everyone whom a headline concerns, once each. Who was told already is told once more where it ``rings``."""
    known, delivery = leader(file, mark), directory.delivery
    assert known is not None
    alert = known.alert
    audiences = delivery.escalation.to if escalated else directory.audiences(alert)
    addresses = directory.addresses(audiences, alert.owner_id)
    if hold == FIRST and any(not address.person for address in addresses):
        addresses = [address for address in addresses if not address.person]  # one report, not one for each owner
    if not addresses:
        made.silent.append("no-address")
        return
    if not hold and not escalated and not directory.material(alert):
        hold = SMALL
    card = card_of(file, mark, escalated=escalated)
    told = file.told.setdefault(mark, {})
    for address in addresses:
        before = told.get(str(address))
        again = before is not None and not before.digest
        if again and not rings:
            continue
        told[str(address)] = Told(now, alert.severity, escalated, digest=bool(hold) and not again)
        if again:
            made.tellings.append(Telling(address, mark, UPDATE, card))
        made.tellings.append(Telling(address, mark, POST, card, hold, again))
    if not hold and not escalated and not known.said and alert.severity in delivery.escalation.severities:
        file.escalate.setdefault(mark, now + delivery.escalation.after_hours * HOUR)


def _edit(file: DealFile, mark: str, made: Plan, *, ended: AlertCard | None = None) -> None:
    """Keep what was told of a headline true."""
    for address, told in file.told.get(mark, {}).items():
        if not told.digest:
            card = ended or card_of(file, mark, escalated=told.escalated)
            made.tellings.append(Telling(Address.parse(address), mark, UPDATE, card, ended=ended is not None))


def card_of(file: DealFile, mark: str, *, escalated: bool = False) -> AlertCard:
    """What a headline's message says now."""
    known = leader(file, mark)
    assert known is not None
    together = tuple(alert for alert in _together(file, mark) if alert is not known.alert)
    return AlertCard(known.alert, together, known.said, escalated)


def heading(file: DealFile, mark: str) -> str:
    """The headline under which an alert is told: what covers it may be covered itself by now."""
    passed = set()
    while mark not in passed and (known := file.known.get(mark)) is not None:
        passed.add(mark)
        mark = known.alert.headline
    return mark


def leader(file: DealFile, mark: str) -> Known | None:
    """Who leads a headline's message: the strongest of its evidence where its own alert is over, or not known yet."""
    if (known := file.known.get(mark)) is not None:
        return known
    together = _together(file, mark)
    return file.known[together[0].fingerprint] if together else None


def _together(file: DealFile, mark: str) -> tuple[Alert, ...]:
    """The open alerts that are told under a headline, its own left out."""
    covered = [one.alert for own, one in file.known.items() if own != mark and heading(file, own) == mark]
    return tuple(sorted(covered, key=lambda alert: (-_rank(alert.severity), alert.rule)))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


# --- replies --------------------------------------------------------------------------------------------------


def _reply(file: DealFile, reply: Reply, now: int, directory: Directory, made: Plan) -> None:
    mark = f"reply:{reply.id}"
    if mark in file.revisions:
        made.repeat = True
        return
    file.revisions[mark] = 1
    said = Said(reply.kind, reply.answer, reply.by, reply.note[:1_000], parse_instant(reply.at))
    if reply.kind == NOTED or (reply.kind == ANSWERED and reply.note):
        file.notes = (*file.notes, said)[-NOTES_KEPT:]
    known = file.known.get(reply.fingerprint)
    if known is None:
        return
    headline = heading(file, reply.fingerprint)
    known.said = (*known.said, said)[-NOTES_KEPT:]
    file.escalate.pop(headline, None)
    if reply.kind == SNOOZED:
        file.due[headline] = max(now, parse_instant(reply.until))
    _edit(file, headline, made)
