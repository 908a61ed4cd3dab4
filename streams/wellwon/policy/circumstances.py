"""What is known of a deal that may keep a rule silent, each with the situation in which it were not so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import msgspec

from wellwon.core.deal import Deal
from wellwon.core.model import BEST_CASE, COMMIT, DELETED, LOST, OPEN, WON, Ruleset, Segment
from wellwon.core.moves import COUNTS, FIRST, SCOPE_SAME, WHY
from wellwon.core.norms import Norms
from wellwon.core.rule import (
    ACTED,
    AMOUNT,
    CATEGORY,
    DATE,
    NEXT_STEP,
    PRICE,
    STAGE,
    STATUS,
    TOUCH,
    Finding,
    RuleSpec,
    View,
)
from wellwon.core.units import format_date, format_money, format_percent
from wellwon.policy.moves import HISTORIES, History

CLOSED: Final = {WON: "won", LOST: "lost", DELETED: "deleted"}

moved = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a rule's answer depends on."""

    deal: Deal
    at: int
    ruleset: Ruleset
    segment: Segment
    params: Any

    @property
    def view(self) -> View:
        """As a rule sees it."""
        return View(self.deal, self.at, self.ruleset, self.segment)

    def ask(self, spec: RuleSpec) -> Finding | None:
        """The rule's answer."""
        return spec.check(self.view, self.params)

    def day(self, at: int) -> str:
        """The local day of an instant."""
        return format_date(self.ruleset.calendar.local_day(at))


@dataclass(frozen=True, slots=True)
class Circumstance:
    """Something that is so, in words, and the situation in which it were not."""

    kind: str
    said: str
    otherwise: Callable[[Situation], Situation]


def circumstances_of(spec: RuleSpec, now: Situation) -> Iterator[Circumstance]:
    """What is known of the deal that may keep a rule silent, the most telling first; only what the rule reads."""
    reads = spec.reads
    for history in HISTORIES:
        if reads & history.part:
            yield from _not_counted(history, now)
    if reads & STATUS and now.deal.status != OPEN:
        yield _closed(now)
    yield from waits_for(spec, now)
    if reads & (PRICE | AMOUNT):
        yield from _prices(now)
    if reads & TOUCH and any(touch.inbound for touch in now.deal.touches):
        yield _answered(now)
    if reads & STAGE:
        yield from _progress(now)
        yield from _stage(now)
    if reads & DATE:
        yield from _dated(now)
    if reads & CATEGORY:
        yield from _category(now)
    if reads & NEXT_STEP:
        yield _next_step(now)
    if reads & ACTED and now.deal.acted_at:
        said = f"a person last acted on {now.day(now.deal.acted_at)}"
        yield Circumstance("acted", said, _deal(acted_at=now.deal.first_at, touches=()))
    if not now.deal.created_by_person:
        said = "it was not seen to be created by a person"
        created = now.deal.created_at or now.deal.first_at
        yield Circumstance("creation", said, _deal(created_by_person=True, creation_seen=True, created_at=created))
    yield from _segment(now)


def _deal(**changes: Any) -> Callable[[Situation], Situation]:
    return lambda situation: replace(situation, deal=replace(situation.deal, **changes))


def _history(name: str, change: Callable[[Any], Any]) -> Callable[[Situation], Situation]:
    """The same deal with each move of a history changed, or left out where the change says None."""

    def otherwise(situation: Situation) -> Situation:
        moves = tuple(new for move in getattr(situation.deal, name) if (new := change(move)) is not None)
        kept: dict[str, Any] = {name: moves}
        return replace(situation, deal=replace(situation.deal, **kept))

    return otherwise


def _not_counted(history: History, now: Situation) -> Iterator[Circumstance]:
    moves = getattr(now.deal, history.attribute)
    for why in dict.fromkeys(move.why for move in moves):
        if why in (COUNTS, FIRST):
            continue
        these = [move for move in moves if move.why == why]
        listed = ", ".join(
            f"{history.shown(move.old)} to {history.shown(move.new)} on {now.day(move.at)}" for move in these[-3:]
        )
        said = f"{history.noun} {listed}: {WHY[why]}"
        yield Circumstance("not-counted", said, _history(history.attribute, partial(_counted, why)))


def _counted(why: int, move: Any) -> Any:
    return moved(move, why=COUNTS) if move.why == why else move


def _closed(now: Situation) -> Circumstance:
    return Circumstance(
        "closed",
        f"the deal is {CLOSED[now.deal.status]} since {now.day(now.deal.closed_at)}",
        _deal(status=OPEN, closed_at=0),
    )


def _without(word: str, move: Any) -> Any:
    return moved(move, **{word: False})


def _prices(now: Situation) -> Iterator[Circumstance]:
    deal = now.deal
    for name, noun in (("prices", "discount"), ("amounts", "amount")):
        for word in ("traded", "approved"):
            these = [move for move in getattr(deal, name) if getattr(move, word)]
            if these:
                said = f"the change of the {noun} on {now.day(these[-1].at)} is {word}"
                yield Circumstance(word, said, _history(name, partial(_without, word)))
    raised = [move.new for move in deal.prices if move.new is not None]
    if raised and deal.discount is not None and max(raised) > deal.discount:
        said = f"the discount is {format_percent(deal.discount)} % now"
        yield Circumstance("taken-back", said, _deal(discount=max(raised)))
    early = [move for move in deal.prices if move.baseline is None and move.points > 0]
    if early:
        offered = tuple(moved(move, baseline=move.old) if move.baseline is None else move for move in deal.prices)
        yield Circumstance(
            "first-offer",
            f"the discount of {now.day(early[-1].at)} came within a day of the first price: a first offer",
            _deal(prices=offered, baseline=early[0].old),
        )
    if deal.baseline is not None and deal.prices:
        lowest = min(deal.baseline, *(move.old for move in deal.prices if move.old is not None), deal.baseline)
        if lowest < deal.baseline:
            yield Circumstance(
                "baseline",
                f"the baseline is {format_percent(deal.baseline)} %",
                lambda situation: _history(
                    "prices", lambda move: moved(move, baseline=lowest) if move.baseline is not None else move
                )(_deal(baseline=lowest)(situation)),
            )
    cut = [move.new for move in deal.amounts if move.new is not None and move.cut_bp]
    amount = deal.annual_amount
    if cut and amount is not None and min(cut) < amount:
        said = f"the amount is {format_money(amount)} a year now"
        yield Circumstance("taken-back", said, _deal(amount=min(cut), term_months=None))
    elif not deal.amount_told:
        yield Circumstance("no-amount", "the amount was never written", _deal(amount_told=True))
    elif not amount:
        yield Circumstance("no-amount", "the amount is empty", _deal(amount=10**7))
    else:
        yield Circumstance("amount", f"the amount is {format_money(amount)} a year", _deal(amount=None))
    for name, noun in (("prices", "discount"), ("amounts", "amount")):
        yield from _dated_otherwise(name, noun, now)
    if any(move.scope != SCOPE_SAME and move.cut_bp for move in deal.amounts):
        yield Circumstance(
            "scope",
            "the list amount changed with the amount, or is not known: what was cut may be scope, not price",
            _history("amounts", lambda move: moved(move, scope=SCOPE_SAME)),
        )


def _dated_otherwise(name: str, noun: str, now: Situation) -> Iterator[Circumstance]:
    """A price is judged by the close date that stood after its save."""
    calendar = now.ruleset.calendar

    def in_its_period(move: Any) -> Any:
        return moved(move, date=calendar.period_of_day(calendar.local_day(move.at)).end_day)

    elsewhere = [
        move
        for move in getattr(now.deal, name)
        if move.date is not None
        and calendar.period_of_day(move.date).index != calendar.period_of_day(calendar.local_day(move.at)).index
    ]
    if elsewhere:
        last = elsewhere[-1]
        said = f"when the {noun} changed on {now.day(last.at)}, the deal was dated {format_date(last.date)}"
        yield Circumstance("dated", said, _history(name, in_its_period))


def _answered(now: Situation) -> Circumstance:
    last = max(touch.at for touch in now.deal.touches if touch.inbound)
    return Circumstance(
        "answered",
        f"the customer answered on {now.day(last)}",
        _history("touches", lambda touch: None if touch.inbound else touch),
    )


def _progress(now: Situation) -> Iterator[Circumstance]:
    progressed = [move for move in now.deal.stages if move.progress]
    if progressed:
        last = progressed[-1]
        yield Circumstance(
            "progress",
            f"the stage moved on to {last.new} on {now.day(last.at)}",
            lambda situation: _history("stages", lambda move: moved(move, progress=False))(
                _deal(progress_at=0)(situation)
            ),
        )


def _stage(now: Situation) -> Iterator[Circumstance]:
    """As if it had always been in the first stage, in a late one, or in none of the buyer's."""
    deal, known = now.deal, now.view.stage()
    pipeline = now.ruleset.pipelines.get(deal.pipeline) or now.ruleset.pipelines[now.ruleset.default_pipeline]
    stages = [stage for stage in pipeline.stages.values() if stage.status == OPEN]
    if known is None:
        said = f"no pipeline of the policy knows the stage '{deal.stage}'" if deal.stage else "the stage is not known"
    else:
        late = "a late stage" if known.late else "not a late stage"
        said = f"the stage is {deal.stage}, {'where the buyer works' if known.buyer_process else late}"
    kinds = {(stage.late, stage.buyer_process): stage for stage in reversed(stages)}
    for kind, stage in kinds.items():
        if known is None or kind != (known.late, known.buyer_process):
            yield Circumstance("stage", said, _deal(stage=stage.name, status=OPEN, stages=()))


def _dated(now: Situation) -> Iterator[Circumstance]:
    deal, period = now.deal, now.view.period
    held = {move.new for move in deal.dates} | {move.old for move in deal.dates}
    held |= {period.end_day, period.end_day + 1}
    if deal.close_date is not None:
        held.add(now.ruleset.calendar.period_of_day(deal.close_date).end_day)
    others = {day for day in held if day is not None} - {deal.close_date}
    said = "the close date is empty" if deal.close_date is None else f"the close date is {format_date(deal.close_date)}"
    for day in sorted(others):
        yield Circumstance("close-date", said, _deal(close_date=day))
    if deal.dates:
        yield Circumstance("close-date", said, _deal(close_date=period.end_day, dates=()))


def _next_step(now: Situation) -> Circumstance:
    deal = now.deal
    if not deal.next_step_at:
        return Circumstance("next-step", "no next step was ever written", _deal(next_step_at=deal.first_at or 1))
    said = f"the next step was written on {now.day(deal.next_step_at)}"
    return Circumstance("next-step", said, _deal(next_step=0))


def _category(now: Situation) -> Iterator[Circumstance]:
    deal = now.deal
    word = deal.category.replace("_", " ") or "unknown"
    never = "" if any(move.new == COMMIT for move in deal.categories) else ", and it was never in Commit"
    for wanted in (COMMIT, BEST_CASE):
        if deal.category != wanted:
            said = f"the forecast category is {word}{never}"
            yield Circumstance("category", said, _deal(category=wanted, categories=()))


def _segment(now: Situation) -> Iterator[Circumstance]:
    norms = now.segment.norms
    if norms.wins:
        yield Circumstance(
            "norm",
            f"the norms of the segment {now.segment.name} ({norms.wins} wins) say that this is usual",
            lambda situation: replace(situation, segment=replace(situation.segment, norms=Norms())),
        )
    yield Circumstance(
        "told-by-another",
        "another rule tells it of the same save",
        lambda situation: replace(situation, segment=replace(situation.segment, rules={})),
    )


def waits_for(spec: RuleSpec, now: Situation) -> Iterator[Circumstance]:
    """What time alone will bring: rules that wait say when to ask them again."""
    view = now.view
    try:
        spec.check(view, now.params)
    except Exception:  # a situation that cannot be waits for nothing
        return
    if view.wake_at > now.at:
        until = now.day(view.wake_at)
        yield Circumstance("time", f"it is not yet {until}", lambda situation: replace(situation, at=view.wake_at))
