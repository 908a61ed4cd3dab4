"""How a change changes a deal: the words of the pattern catalogue, one function each.

`fold` is called with a copy that it may change; tuples and dicts inside are replaced, never changed, because older
deals share them.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from wellwon.core import items
from wellwon.core.answer import answered
from wellwon.core.deal import LABELS_KEPT, MOVES_KEPT, OWNERS_KEPT, STAGES_KEPT, TOUCHES_KEPT, Deal, annual, remember
from wellwon.core.items import Change
from wellwon.core.model import DELETED, LOST, OPEN, WON, Ruleset
from wellwon.core.moves import (
    BULK,
    BUYER_PROCESS,
    BUYERS_DATE,
    CLOSE_WRITE,
    CORRECTION,
    COUNTS,
    DEFAULT_DATE,
    FIRST,
    LATE,
    NOT_A_PERSON,
    NOT_OPEN,
    READ_AGAIN,
    CategoryMove,
    DateMove,
    OwnerMove,
    StageMove,
    Touch,
)
from wellwon.core.price import line_changed, prepaid_changed, priced
from wellwon.core.rule import ACTED, AMOUNT, CATEGORY, DATE, EVERYTHING, NEXT_STEP, OWNER, STAGE, STATUS, TOUCH
from wellwon.core.units import DAY
from wellwon.core.unwritten import last_at

DEFAULT_DATE_DAYS: Final = 7
_PLAIN: Final = frozenset({"name", "account", "created_at", "currency", "deal_type", "pipeline", "labels", "next_step"})
_PRICED: Final = frozenset({"amount", "discount_percent", "list_amount", "term_months"})

replace = msgspec.structs.replace


def fold(deal: Deal, change: Change, ruleset: Ruleset) -> int:
    """Apply a change to ``deal`` (in place) and return the mask of the parts that changed."""
    at, kind, values = change.at, change.kind, change.values
    if not deal.first_at:
        deal.first_at = at
    if at > deal.last_at:
        deal.last_at = at

    if kind == items.ACTIVITY:
        return _touch(deal, Touch(at, values.get("direction") == "inbound"))
    if kind == items.ANSWER:
        deal.acted_at = max(at, deal.acted_at)
        return _answer(deal, change) | ACTED
    if kind == items.GAP:
        deal.gap_at = at
        return 0

    if change.late:
        why = LATE
        deal.late += 1
    elif change.bulk > ruleset.bulk_records:
        why = BULK
    elif kind == items.SNAPSHOT:
        why = READ_AGAIN
        deal.snapshots += 1
        deal.gap_at = 0
    else:
        why = COUNTS if change.writer_kind == items.USER else NOT_A_PERSON

    mask = 0
    if kind == items.CREATED:
        deal.created_at = deal.created_at or at
        deal.creation_seen, deal.created_by_person = True, why == COUNTS
        mask = STATUS
    if why == COUNTS:
        deal.acted_at = max(at, deal.acted_at)
        mask |= ACTED
    was_open = deal.status == OPEN and deal.opened_commit != change.commit

    if not _PLAIN.isdisjoint(values):
        mask |= _plain_fields(deal, change)
    if kind == items.DELETED:
        if deal.status != DELETED:
            deal.deleted_as = deal.status
        deal.status, deal.closed_at = DELETED, at
        return EVERYTHING
    if kind == items.RESTORED or "stage" in values or "is_closed" in values or "pipeline" in values:
        mask |= _stage(deal, change, why, ruleset)
    if "buyer_confirmed_date" in values:
        mask |= _buyers_date(deal, values["buyer_confirmed_date"])
    if "close_date" in values:
        mask |= _close_date(deal, change, why, was_open, ruleset)
    if "forecast_category" in values or "stage" in values:
        mask |= _category(deal, change, why, ruleset)
    if kind == items.LINE_ITEM or not _PRICED.isdisjoint(values):
        was_annual, was_list = annual(deal.amount, deal.term_months), deal.list_amount
        if kind == items.LINE_ITEM:
            mask |= line_changed(deal, change)
        mask |= priced(deal, change, why, was_open, was_annual, was_list)
    if "prepaid_months" in values:
        mask |= prepaid_changed(deal, change)
    if "owner_id" in values:
        mask |= _owner(deal, change, why)
    return mask


# --- fields without behaviour ---------------------------------------------------------------------------------


def _touch(deal: Deal, touch: Touch) -> int:
    if touch.inbound and touch.at > deal.inbound_at:
        deal.inbound_at = touch.at
    touches = (*deal.touches, touch)
    if len(touches) > 1 and touch.at < touches[-2].at:
        touches = tuple(sorted(touches, key=lambda one: one.at))  # it came late
    deal.touches = touches[-TOUCHES_KEPT:]
    return TOUCH


def _plain_fields(deal: Deal, change: Change) -> int:
    values, mask = change.values, 0
    if "name" in values:
        deal.name = values["name"] or ""
    if "account" in values:
        deal.account = values["account"] or ""
    if (values.get("created_at") or deal.created_at) != deal.created_at:
        deal.created_at = values["created_at"]
        mask |= STATUS
    if "currency" in values and (values["currency"] or "") != deal.currency:
        # Amounts in two currencies do not compare: the history starts again.
        if deal.currency:
            deal.amounts, deal.currency_commit = (), change.commit
        deal.currency = values["currency"] or ""
        mask |= AMOUNT
    if "deal_type" in values and (values["deal_type"] or "") != deal.deal_type:
        deal.deal_type = values["deal_type"] or ""
        mask = EVERYTHING
    if "pipeline" in values and (values["pipeline"] or "") != deal.pipeline:
        deal.top = -1  # places in two pipelines do not compare
        deal.pipeline = values["pipeline"] or ""
        mask = EVERYTHING
    if "labels" in values:
        labels = {**deal.labels, **values["labels"]}
        if labels != deal.labels:
            deal.labels = dict(list(labels.items())[-LABELS_KEPT:])
            mask = EVERYTHING
    if "next_step" in values:
        text = zlib.crc32((values["next_step"] or "").strip().encode())
        if text != deal.next_step or not deal.next_step_at:
            deal.next_step, deal.next_step_at = text, change.at
            mask |= NEXT_STEP
    return mask


def _owner(deal: Deal, change: Change, why: int) -> int:
    owner = change.values["owner_id"] or ""
    if owner == deal.owner:
        return 0
    move = OwnerMove(change.at, change.commit, deal.owner, owner, why if deal.owner else FIRST)
    deal.owners = remember(deal.owners, move, OWNERS_KEPT)
    if move.why == COUNTS:
        deal.moved |= OWNER
    deal.owner = owner
    return OWNER


# --- stage ----------------------------------------------------------------------------------------------------


def _stage(deal: Deal, change: Change, why: int, ruleset: Ruleset) -> int:
    values, at = change.values, change.at
    name = values.get("stage") or deal.stage
    stage = ruleset.stage(deal.pipeline, name)
    if stage is not None:
        status = stage.status
    elif values.get("is_closed"):
        status = WON if values.get("is_won") else LOST
    elif "is_closed" in values or name != deal.stage:
        status = OPEN
    elif change.kind == items.RESTORED and deal.status == DELETED:
        status = deal.deleted_as
    else:
        status = deal.status
    if name == deal.stage and status == deal.status:
        if deal.top < 0 and stage is not None:
            deal.top = stage.position  # it went to another pipeline
        return 0

    old, moved = deal.stage, name != deal.stage
    merged = deal.stages[-1] if deal.stages else None
    if moved and merged is not None and merged.commit == change.commit:
        # Several stages of one save are one move.
        old = merged.old
        deal.stages = deal.stages[:-1]
    else:
        merged = None
    before = ruleset.stage(deal.pipeline, old)
    position = stage.position if stage is not None and status == OPEN else -1
    progress = position > deal.top >= 0
    steps = position - before.position if before and before.status == OPEN and position >= 0 else 0
    if moved:
        if "stage" in change.corrected:
            why = CORRECTION
        progress = progress and why not in (CORRECTION, LATE)
        deal.stage_at = at
        if name != old:
            first, progressed = not old, progress or (merged is not None and merged.progress and steps > 0)
            move = StageMove(at, change.commit, old, name, FIRST if first else why, progressed, 0 if first else steps)
            deal.stages = remember(deal.stages, move, STAGES_KEPT)
            if move.why == COUNTS:
                deal.moved |= STAGE
    if position > deal.top and "stage" not in change.corrected:
        deal.top = position
        if progress:
            deal.progress_at = at
    # A deal of which a snapshot is the first to tell the stage was not seen to be won.
    seen = change.kind != items.SNAPSHOT or bool(deal.stage)
    deal.stage = name
    if status != deal.status:
        _status(deal, status, change, seen=seen)
        return STAGE | STATUS
    return STAGE if old else STAGE | STATUS


def _status(deal: Deal, status: int, change: Change, *, seen: bool) -> None:
    restored = deal.status == DELETED and deal.deleted_as == status
    deal.status = status
    deal.closed_at = 0 if status == OPEN else change.at
    if status == OPEN:
        deal.opened_commit = change.commit
    elif status == WON and not restored:
        deal.won_at, deal.won_commit = change.at, change.commit if seen else 0
    if status != OPEN:
        # The close may arrive after the date it wrote, in the same commit.
        for move in deal.dates:
            if move.commit == change.commit and move.why == COUNTS:
                _reinterpret_dates(deal, commit=change.commit, why=CLOSE_WRITE)
                break
        if any(move.commit == change.commit and move.why == COUNTS for move in deal.amounts):
            deal.amounts = tuple(
                replace(move, why=CLOSE_WRITE) if move.commit == change.commit and move.why == COUNTS else move
                for move in deal.amounts
            )


# --- close date -----------------------------------------------------------------------------------------------


def _close_date(deal: Deal, change: Change, why: int, was_open: bool, ruleset: Ruleset) -> int:
    old, new, at = deal.close_date, change.values["close_date"], change.at
    if old == new:
        return 0
    unchanged = not deal.date_changed
    merged = deal.dates[-1] if deal.dates else None
    if merged is not None and merged.commit == change.commit:
        # Several dates of one save are one move.
        old = merged.old
        deal.dates = deal.dates[:-1]
        unchanged = unchanged or merged.why == DEFAULT_DATE
    crossed = (
        old is not None
        and new is not None
        and ruleset.calendar.period_of_day(old).index != ruleset.calendar.period_of_day(new).index
    )
    corrected = "close_date" in change.corrected
    # The default date's first change is used up by any writer, but not by a slip that was put right.
    default = unchanged and old is not None
    if default and not corrected:
        deal.date_changed = True
    if old is None or new is None:
        why = FIRST if old is None else why
    elif why != COUNTS:
        pass
    elif corrected:
        why = CORRECTION
    elif deal.status != OPEN:
        why = CLOSE_WRITE if was_open or deal.closed_at == at else NOT_OPEN
    elif not was_open:
        why = NOT_OPEN
    elif new == deal.buyer_date:
        why = BUYERS_DATE
    elif default and deal.created_at and at - deal.created_at <= DEFAULT_DATE_DAYS * DAY:
        why = DEFAULT_DATE
    elif new > old and not crossed:
        stage = ruleset.stage(deal.pipeline, deal.stage)
        if deal.is_legal or (stage is not None and stage.buyer_process):
            why = BUYER_PROCESS
    deal.close_date = new
    if old != new:
        if len(deal.dates) >= MOVES_KEPT:
            _note_slip(deal, ruleset)
        own = change.writer == deal.owner != ""
        deal.dates = remember(deal.dates, DateMove(at, change.commit, old, new, why, crossed, own), MOVES_KEPT)
        if why == COUNTS:
            deal.moved |= DATE
    _date_decides(deal, change.commit)
    return DATE


def _note_slip(deal: Deal, ruleset: Ruleset) -> None:
    """The history is full: if all of it is behaviour, its oldest move goes, and a push over a boundary is noted."""
    oldest = deal.dates[0]
    if oldest.old is None or not oldest.crossed or oldest.days <= 0 or any(move.why != COUNTS for move in deal.dates):
        return
    left = ruleset.calendar.period_of_day(oldest.old).index
    if all(ruleset.calendar.period_of_day(date).index != left for date in deal.slipped):
        deal.slipped = (*deal.slipped, oldest.old)[-MOVES_KEPT:]


def _date_decides(deal: Deal, commit: int) -> None:
    """Where one commit moves date and price, the date after it decides."""
    date = deal.close_date
    if deal.prices and deal.prices[-1].commit == commit and deal.prices[-1].date != date:
        deal.prices = (*deal.prices[:-1], replace(deal.prices[-1], date=date))
    if deal.amounts and deal.amounts[-1].commit == commit and deal.amounts[-1].date != date:
        deal.amounts = (*deal.amounts[:-1], replace(deal.amounts[-1], date=date))
    if deal.categories and deal.categories[-1].commit == commit and deal.categories[-1].date != date:
        deal.categories = (*deal.categories[:-1], replace(deal.categories[-1], date=date))


def _reinterpret_dates(deal: Deal, *, why: int, commit: int | None = None, to: int | None = None) -> None:
    """Counted moves of a commit, or to a date, did not count after all."""
    moves = []
    for move in deal.dates:
        if move.why == COUNTS and (move.commit == commit if commit is not None else move.new == to):
            move = replace(move, why=why)
        moves.append(move)
    deal.dates = tuple(moves)


def _buyers_date(deal: Deal, date: int | None) -> int:
    deal.buyer_date = date
    if date is not None:
        _reinterpret_dates(deal, why=BUYERS_DATE, to=date)
    return DATE


# --- forecast category ----------------------------------------------------------------------------------------


def _category(deal: Deal, change: Change, why: int, ruleset: Ruleset) -> int:
    values = change.values
    if "forecast_category" in values:
        label = values["forecast_category"] or ""
        category = ruleset.categories.get(label.lower(), "")
    else:
        pipeline = ruleset.pipelines.get(deal.pipeline) or ruleset.pipelines[ruleset.default_pipeline]
        if deal.stage not in pipeline.categories:
            return 0
        category = pipeline.categories[deal.stage]
    if category == deal.category or (change.late and last_at(deal.categories) > change.at):
        return 0
    if not deal.category and not (deal.creation_seen and change.at - deal.created_at > DAY):
        why = FIRST  # later, on a deal that was seen from its creation on, an empty category was an empty one
    elif "forecast_category" in change.corrected:
        why = CORRECTION
    elif deal.status != OPEN and why == COUNTS:
        why = CLOSE_WRITE
    move = CategoryMove(change.at, change.commit, deal.category, category, why, deal.close_date)
    deal.categories = remember(deal.categories, move, MOVES_KEPT)
    if why == COUNTS:
        deal.moved |= CATEGORY
    deal.category = category
    return CATEGORY


# --- answers --------------------------------------------------------------------------------------------------


def _answer(deal: Deal, change: Change) -> int:
    if change.values.get("answer") != "buyer_date":
        return answered(deal, change)
    return _buyers_date(deal, deal.close_date) if deal.close_date is not None else 0
