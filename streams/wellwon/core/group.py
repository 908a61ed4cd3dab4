"""The deals of an owner or of a team, as a rule about them sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

from wellwon.core.calendar import FiscalCalendar, Period
from wellwon.core.deal import standing
from wellwon.core.facts import Fact
from wellwon.core.model import ALERT, OPEN, Ruleset
from wellwon.core.rule import NEW_BUSINESS, OWNER_SUBJECT, TEAM_SUBJECT, TIME, Check, Finding, RuleSpec, rule

EVERYONE: Final = "all"
"""The one team of an organisation whose policy knows no teams."""


def team_of(fact: Fact, ruleset: Ruleset) -> str:
    """The team that a deal belongs to, empty for none: its owner's, else the one that its label names."""
    if not ruleset.teams and not ruleset.team_label:
        return EVERYONE
    return ruleset.teams.get(fact.owner) or fact.label


def subjects_of(fact: Fact, ruleset: Ruleset) -> tuple[str, ...]:
    """Whose a deal is: ``owner:005A``, ``team:East``."""
    team = team_of(fact, ruleset)
    owner = (f"{OWNER_SUBJECT}:{fact.owner}",) if fact.owner else ()
    return (*owner, f"{TEAM_SUBJECT}:{team}") if team else owner


class PeriodView:
    """One fiscal period, with the calendar at hand: what a deal counts for in it."""

    __slots__ = ("period", "ruleset")

    def __init__(self, period: Period, ruleset: Ruleset) -> None:
        self.period = period
        self.ruleset = ruleset

    @property
    def calendar(self) -> FiscalCalendar:
        """The organisation's fiscal calendar."""
        return self.ruleset.calendar

    def in_period(self, day: int | None) -> bool:
        """Whether a date lies in the period."""
        return day is not None and self.period.start_day <= day <= self.period.end_day

    def in_window(self, fact: Fact, at: int) -> bool:
        """Whether an instant lies in the window of the period, as the deal's segment has it."""
        segment = self.ruleset.segment_by_name.get(fact.segment) or self.ruleset.segments[-1]
        first = self.calendar.window_start(self.period, segment.window_days)
        return first <= self.calendar.local_day(at) <= self.period.end_day

    def has_win(self, fact: Fact) -> bool:
        """Whether the deal was won in the period, local time."""
        return self.period.start_at <= fact.won_at < self.period.end_at


class GroupView(PeriodView):
    """What a rule counts of the deals of one owner or team in one fiscal period, at an instant.

    A rule whose answer time alone can change says when, by `wakes_at`; until then its answer stands.
    """

    __slots__ = ("_by_deal", "_counted", "at", "wake_at")

    def __init__(self, by_deal: dict[bytes, Any], period: Period, at: int, ruleset: Ruleset) -> None:
        """``by_deal``: what the rule's ``counts`` gave for each deal, without None."""
        super().__init__(period, ruleset)
        self._by_deal = by_deal
        self._counted: list[Any] | None = None
        self.at = at
        self.wake_at = -1

    @property
    def counted(self) -> Sequence[Any]:
        """What the rule counts, by the deals' ids: no answer may depend on the order in which they came."""
        if self._counted is None:
            by_deal = self._by_deal
            self._counted = [by_deal[key] for key in sorted(by_deal)]
        return self._counted

    def wakes_at(self, at: int) -> None:
        """Ask to be run again at this instant (ignored if it has passed)."""
        if at > self.at and (self.wake_at < 0 or at < self.wake_at):
            self.wake_at = at


def was_open(fact: Fact, at: int) -> bool:
    """Whether a deal was open just before an instant."""
    return fact.first_at < at and (fact.status == OPEN or fact.closed_at >= at)


def dated(fact: Fact, at: int) -> int | None:
    """The close date that stood just before an instant."""
    return standing(fact.moves, at, fact.close_date)


class Priced(Protocol):
    """What has an amount."""

    @property
    def currency(self) -> str: ...
    @property
    def amount(self) -> int | None: ...


P = TypeVar("P", bound=Priced)


def in_main_currency(deals: Iterable[P]) -> tuple[str, list[P]]:
    """The currency that most of the deals are in, and those deals: amounts in two currencies do not add up.

    Deals without an amount are in none.
    """
    priced = [deal for deal in deals if deal.amount is not None and deal.amount > 0]
    counts = Counter([deal.currency for deal in priced])
    main = min(counts, key=lambda currency: (-counts[currency], currency), default="")
    return main, [deal for deal in priced if deal.currency == main]


GroupCheck = Callable[[GroupView, Any], Finding | None]
Counts = Callable[[PeriodView, Fact], Any]


def group_rule(
    name: str,
    *,
    subject: str,
    severity: str,
    params: type[Any],
    doc: str | None,
    rests_on: int,
    counts: Counts,
    mode: str = ALERT,
) -> Callable[[GroupCheck], RuleSpec]:
    """Make a `RuleSpec` of a check that asks an owner's or a team's deals; pass the module's ``__doc__`` as ``doc``.

    ``counts`` says what the rule counts of a deal in a period, None for nothing; it depends on nothing else. The check
    gets these as ``view.counted``, and is asked again when one of them has changed: no more than is needed.
    ``deal_types`` of such a rule are those of the deals that it counts, ``rests_on`` what it needs to know of them.
    """
    declare = rule(
        name,
        family="team",
        severity=severity,
        reads=TIME,
        params=params,
        doc=doc,
        mode=mode,
        deal_types=NEW_BUSINESS,
        subject=subject,
        rests_on=rests_on,
        counts=counts,
    )

    def decorate(check: GroupCheck) -> RuleSpec:
        return declare(cast(Check, check))

    return decorate
