"""A folded base and a tail of raw changes: what is learned late still changes the past, for a while.

Items in order fold incrementally. A late change, a correction or a reclassified bulk edit changes what earlier
changes mean, so the tail is folded again on top of the base. Beyond the tail the past is settled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from wellwon.core.deal import Deal
from wellwon.core.fold import fold
from wellwon.core.items import (
    ACTIVITY,
    ANSWER,
    CREATED,
    DELETED,
    GAP,
    LINE_ITEM,
    RECLASSIFIED_BULK,
    RESTORED,
    SNAPSHOT,
    USER,
    Change,
    Reclassified,
)
from wellwon.core.model import DELETED as STATUS_DELETED
from wellwon.core.model import Ruleset
from wellwon.core.rule import EVERYTHING
from wellwon.core.state import State
from wellwon.core.stored import decode_deal, encode_deal
from wellwon.core.units import HOUR, SECOND
from wellwon.core.unwritten import unwritten

IDS_KEPT: Final = 64
IDS_KEPT_MS: Final = 72 * HOUR
"""Connectors repeat what they sent within their retention, 72 h for Salesforce (CDC guide)."""

TAIL_FOLDED: Final = 3
"""Settled changes are folded so many at a time: writing a change to the changelog is cheaper than writing the deal."""
TAIL_KEPT: Final = 128
"""Changes in a tail: a deal that a machine rewrites every second is settled sooner, not kept for ever."""

_ID_SIZE: Final = 8
_SEEN_SIZE: Final = 12

# What a correction can take back, and where the deal keeps it.
_CORRECTABLE: Final = {
    "close_date": "close_date",
    "amount": "amount",
    "stage": "stage",
    "forecast_category": "category",
    "discount_percent": "discount_field",
    "list_amount": "list_field",
    "term_months": "term_months",
    "prepaid_months": "prepaid_months",
}
_CLOSES: Final = {"stage", "is_closed", "is_won"}
_CORRECTABLE_LINE: Final = ("quantity", "unit_price", "list_price")

REFOLDED: Final = 1 << 30
"""Added to a mask: what earlier changes meant may have changed."""
TOO_LATE: Final = 1 << 31
"""Added to a mask: the change came too late to be judged."""


def refold(base: bytes, tail: tuple[Change, ...], ruleset: Ruleset) -> Deal:
    """The base with the tail on top."""
    deal = decode_deal(base)
    for change in tail:
        fold(deal, change, ruleset)
    return deal


def absorb(state: State, change: Change, ruleset: Ruleset) -> int:
    """Take in a change that was not seen before; return the mask of the parts that it changed."""
    now, tail = state.now, state.tail
    latest = now.last_at
    if change.at < latest:
        if change.at < latest - ruleset.lateness_ms:
            return _absorb_too_late(state, change, ruleset)
        return _absorb_late(state, change, ruleset)
    if tail:
        if len(tail) >= TAIL_FOLDED:
            _settle(state, change.at - ruleset.tail_ms, ruleset)
            tail = state.tail
        if change.writer_kind == USER and tail and tail[-1].at >= change.at - ruleset.correction_ms:
            corrected = _corrects(state.base, tail, change, ruleset)
            if corrected is not None:
                _retell(state, state.base, corrected, ruleset)
                return EVERYTHING | REFOLDED
    mask = fold(now, change, ruleset)
    state.tail = (*tail, change)
    return mask


def _retell(state: State, base: bytes, tail: tuple[Change, ...], ruleset: Ruleset) -> None:
    """The past is another than it was thought to be."""
    state.now = refold(base, tail, ruleset)
    state.base, state.tail = base, tail


def _settle(state: State, horizon: int, ruleset: Ruleset) -> None:
    """Fold what lies before the horizon into the base once it is worth it, and what is more than a tail may hold."""
    tail = state.tail
    if tail[TAIL_FOLDED - 1].at >= horizon and len(tail) < TAIL_KEPT:
        return
    if tail[-1].at < horizon:
        state.base, state.tail = encode_deal(state.now), ()
        return
    settled = 0
    while tail[settled].at < horizon or len(tail) - settled >= TAIL_KEPT:
        settled += 1
    state.base, state.tail = encode_deal(refold(state.base, tail[:settled], ruleset)), tail[settled:]


def _absorb_late(state: State, change: Change, ruleset: Ruleset) -> int:
    place = _place(state.tail, change.at)
    tail = (*state.tail[:place], change, *state.tail[place:])
    _retell(state, state.base, _pair_corrections(decode_deal(state.base), tail, ruleset), ruleset)
    return EVERYTHING | REFOLDED


def _absorb_too_late(state: State, change: Change, ruleset: Ruleset) -> int:
    """What nobody wrote since is taken over, as no behaviour; a touch or an answer goes where it belongs."""
    base, tail = decode_deal(state.base), state.tail
    place = _place(tail, change.at)
    later = tail[place:]
    if change.kind not in (ACTIVITY, ANSWER):
        change = _not_written_since(base, later, change)
        if not (change.values or _acts_by_itself(base, later, change)):
            base.late += 1
            state.now.late += 1
            state.base = encode_deal(base)
            return TOO_LATE
    if change.at >= base.last_at:
        tail = (*tail[:place], change, *later)
    else:
        fold(base, change, ruleset)
    _retell(state, encode_deal(base), tail, ruleset)
    return EVERYTHING | TOO_LATE


def _place(tail: tuple[Change, ...], at: int) -> int:
    """Where in a tail a change of this instant belongs: after those of the same instant."""
    place = len(tail)
    while place and tail[place - 1].at > at:
        place -= 1
    return place


def _not_written_since(base: Deal, later: tuple[Change, ...], change: Change) -> Change:
    change = unwritten(base, change)
    since = {name for one in later if one.line_item_id == change.line_item_id for name in one.values}
    if not since.isdisjoint(_CLOSES):
        since |= _CLOSES
    return replace(change, values={name: value for name, value in change.values.items() if name not in since})


def _acts_by_itself(base: Deal, later: tuple[Change, ...], change: Change) -> bool:
    """Whether a late change says something without fields, and nothing since says otherwise."""
    if change.kind == CREATED:
        return not base.creation_seen
    if change.kind == DELETED:  # a deal that was changed since is there
        return change.at >= base.last_at and all(one.kind in (ACTIVITY, ANSWER) for one in later)
    return change.kind == RESTORED and base.status == STATUS_DELETED and base.closed_at <= change.at


def reclassify(state: State, item: Reclassified, ruleset: Ruleset) -> int:
    """Mark changes as part of a bulk edit; return the mask, 0 if none of them can change any more."""
    ids, since = set(item.source_ids), state.now.last_at - ruleset.tail_ms
    told = [change.source_id in ids and change.at >= since for change in state.tail]
    if not any(one and change.bulk <= ruleset.bulk_records for one, change in zip(told, state.tail, strict=True)):
        return 0
    tail = tuple(
        replace(change, bulk=RECLASSIFIED_BULK) if one else change for one, change in zip(told, state.tail, strict=True)
    )
    _retell(state, state.base, tail, ruleset)
    return EVERYTHING | REFOLDED


# --- corrections ----------------------------------------------------------------------------------------------


def _written(change: Change, ruleset: Ruleset) -> dict[str, Any]:
    """The fields of a change that a correction may take back, with the value it wrote."""
    values = change.values
    if change.kind == LINE_ITEM:
        return {f"{change.line_item_id}.{name}": values[name] for name in _CORRECTABLE_LINE if name in values}
    if change.late or change.kind in (ANSWER, ACTIVITY, GAP):
        return {}
    written = {name: values[name] for name in _CORRECTABLE if name in values}
    if "stage" in written and not written["stage"]:
        del written["stage"]  # an empty stage is no stage: the fold leaves it as it was
    if "forecast_category" in written:
        written["forecast_category"] = ruleset.categories.get((written["forecast_category"] or "").lower(), "")
    return written


def _in_base(base: Deal, name: str) -> Any:
    attribute = _CORRECTABLE.get(name)
    if attribute is not None:
        return getattr(base, attribute)
    line_id, _, part = name.rpartition(".")
    line = base.lines.get(line_id)
    return None if line is None else getattr(line, part)


def _corrects(base: bytes, tail: tuple[Change, ...], change: Change, ruleset: Ruleset) -> tuple[Change, ...] | None:
    """The tail with the change, both halves marked, if it takes back what its writer wrote just before."""
    limit, writer, names = change.at - ruleset.correction_ms, change.writer, change.values.keys()
    for earlier in reversed(tail):
        if earlier.at < limit:
            return None
        if earlier.writer == writer and not names.isdisjoint(earlier.values):
            break
    else:
        return None
    paired = _pair_corrections(decode_deal(base), (*tail, change), ruleset)
    return paired if paired[-1].undoes else None


def _pair_corrections(base: Deal, tail: tuple[Change, ...], ruleset: Ruleset) -> tuple[Change, ...]:
    """Find every pair of changes of which the second sets a field back to its exact old value.

    Same writer, the field's next change, within the correction time; from the earliest on, each change in one pair.
    """
    marks: list[tuple[set[str], set[str]]] = [(set(), set()) for _ in tail]
    last: dict[str, int] = {}  # field -> the change that wrote it last, and may still be taken back
    before: dict[str, Any] = {}  # field -> the value that stood before that change
    value: dict[str, Any] = {}
    for i, change in enumerate(tail):
        for name, new in _written(change, ruleset).items():
            old = value[name] if name in value else _in_base(base, name)
            value[name] = new
            if new == old:
                continue  # written again, not changed
            j = last.get(name)
            if j is None:
                if name in change.undoes:  # its first half has left the tail: settled
                    marks[i][0].add(name)
                    marks[i][1].add(name)
                    continue
            elif (
                j >= 0
                and new == before[name]
                and change.writer_kind == USER
                and change.writer
                and change.writer == tail[j].writer
                and SNAPSHOT not in (change.kind, tail[j].kind)
                and change.at - tail[j].at <= ruleset.correction_ms
            ):
                marks[j][0].add(name)
                marks[i][0].add(name)
                marks[i][1].add(name)
                last[name] = -1
                continue
            last[name], before[name] = i, old
    return tuple(
        change
        if set(change.corrected) == corrected and set(change.undoes) == undoes
        else replace(change, corrected=tuple(sorted(corrected)), undoes=tuple(sorted(undoes)))
        for change, (corrected, undoes) in zip(tail, marks, strict=True)
    )


# --- repeats --------------------------------------------------------------------------------------------------


def seen_before(seen: bytes, source_id: bytes) -> bool:
    """Whether a change with this id was applied already."""
    found = seen.find(source_id)
    while found > 0 and found % _SEEN_SIZE:
        found = seen.find(source_id, found + 1)
    return found >= 0


def remember_id(seen: bytes, source_id: bytes, at: int) -> bytes:
    """The ids with one more: the last 64 within 72 h."""
    second = at // SECOND
    if len(seen) >= IDS_KEPT * _SEEN_SIZE:
        seen = seen[_SEEN_SIZE:]
    # Big-endian seconds compare as bytes.
    oldest = (second - IDS_KEPT_MS // SECOND).to_bytes(4, "big")
    while seen and seen[_ID_SIZE:_SEEN_SIZE] < oldest:
        seen = seen[_SEEN_SIZE:]
    return seen + source_id + second.to_bytes(4, "big")
