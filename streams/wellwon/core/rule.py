"""What a rule is: a name, parameters with bounds, and a question to a deal - does the pattern hold now?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any, Final

from wellwon.core.calendar import FiscalCalendar, Period
from wellwon.core.deal import Deal
from wellwon.core.model import ACTIVITIES, ALERT, BOTH_WAYS, COMMIT, OPEN, OUTBOUND, Ruleset, Segment, Stage
from wellwon.core.norms import Norms

# --- the parts of a deal that a rule may read -----------------------------------------------------------------

DATE: Final = 1
PRICE: Final = 2
AMOUNT: Final = 4
STAGE: Final = 8
CATEGORY: Final = 16
OWNER: Final = 32
TOUCH: Final = 64
NEXT_STEP: Final = 128
STATUS: Final = 256
"""Open, won, lost or deleted; and whether any stage is known."""
TIME: Final = 512
"""Time alone can change the answer: a rule that calls `View.wakes_at` reads it."""
ACTED: Final = 1024
"""A person saved or said something, whatever it was."""
EVERYTHING: Final = 2047

# --- what must be so for a rule to hold, besides the parts that a person must have moved ----------------------

IS_OPEN: Final = 1 << 16
"""Open, as far as is known."""
COMMITTED: Final = 1 << 17
"""Open in a known stage, and in Commit."""
PROMISED: Final = 1 << 18
"""Open in a known stage, and in Commit or a late stage."""
IN_WINDOW: Final = 1 << 19
"""Today lies in its period's window."""

DATA: Final = PRICE | AMOUNT | CATEGORY | TOUCH | NEXT_STEP
"""Parts that a source may not have: fields that are not mapped, activities that are not fed."""

INFO: Final = "info"
WARNING: Final = "warning"
HIGH: Final = "high"
SEVERITIES: Final = (INFO, WARNING, HIGH)

DEAL: Final = "deal"
OWNER_SUBJECT: Final = "owner"
TEAM_SUBJECT: Final = "team"
SUBJECTS: Final = (DEAL, OWNER_SUBJECT, TEAM_SUBJECT)
"""What a rule may be asked of, and an alert be about."""

FAMILIES: Final = ("price", "timing", "forecast", "stage", "pressure", "data", "team")

NEW_BUSINESS: Final = frozenset({"new", "expansion", "channel"})
ANY_BUSINESS: Final = NEW_BUSINESS | {"renewal", "coterm"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A pattern holds for a deal.

    ``key`` is what counts as the evidence: when it or the severity changes, people are told again. ``commit`` is the
    save that made the pattern hold, 0 where time did. ``title`` says what happened, without the customer's name.
    ``evidence`` is plain data for people and machines: wire forms only (strings, numbers, booleans, lists, None).
    """

    severity: str
    key: str
    commit: int
    title: str
    evidence: dict[str, Any]


class View:
    """A deal at an instant, as a rule sees it, with the calendar at hand.

    A rule whose answer time alone can change says when, by `wakes_at`; until then its answer stands.
    """

    __slots__ = ("_stage", "_staged", "at", "calendar", "deal", "period", "ruleset", "segment", "today", "wake_at")

    def __init__(self, deal: Deal, at: int, ruleset: Ruleset, segment: Segment) -> None:
        self.deal = deal
        self.at = at
        self.ruleset = ruleset
        self.segment = segment
        self.wake_at = -1
        self._stage: Stage | None = None
        self._staged = False
        self.calendar: FiscalCalendar = ruleset.calendar
        """The organisation's fiscal calendar."""
        self.today, self.period = self.calendar.today(at)
        """The local day, and its fiscal period."""

    def wakes_at(self, at: int) -> None:
        """Ask to be run again at this instant (ignored if it has passed)."""
        if at > self.at and (self.wake_at < 0 or at < self.wake_at):
            self.wake_at = at

    @property
    def norms(self) -> Norms:
        """The segment's norms."""
        return self.segment.norms

    def premise(self) -> int:
        """What is so: see `RuleSpec.premise`."""
        deal, so = self.deal, self.deal.moved
        if deal.status == OPEN:
            so |= IS_OPEN
            if not deal.stage:
                pass  # nobody knows that it is open
            elif deal.category == COMMIT:
                so |= COMMITTED | PROMISED
            elif (stage := self.stage()) is not None and stage.late:
                so |= PROMISED
        if self.today > self.period.end_day - self.segment.window_days:
            so |= IN_WINDOW
        return so

    def window_start(self, period: Period) -> int:
        """First day of the period's window, for this deal's segment."""
        return self.calendar.window_start(period, self.segment.window_days)

    def window_of(self, at: int) -> Period | None:
        """The period whose window this instant falls into, or None."""
        day = self.calendar.local_day(at)
        period = self.calendar.period_of_day(day)
        return period if day >= self.window_start(period) else None

    def stage(self, name: str | None = None) -> Stage | None:
        """What the policy says of a stage, by default of the current one."""
        if name is not None:
            return self.ruleset.stage(self.deal.pipeline, name)
        if not self._staged:
            self._stage, self._staged = self.ruleset.stage(self.deal.pipeline, self.deal.stage), True
        return self._stage

    @property
    def in_buyer_process(self) -> bool:
        """It waits for the buyer: by its stage, or because somebody answered that their legal process moves it."""
        stage = self.stage()
        return self.deal.is_legal or (stage is not None and stage.buyer_process)

    def midnight(self, day: int) -> int:
        """The instant at which a local day begins."""
        return self.calendar.midnight(day)


# --- parameters -----------------------------------------------------------------------------------------------


def param(default: int, *, ge: int, le: int, unit: str, doc: str) -> Any:
    """A threshold: an integer with its range, unit and one line of documentation, all shown to RevOps.

    Percentage points are whole points in the policy; compare with ``* 100`` to the core's hundredths.
    """
    return field(default=default, metadata={"ge": ge, "le": le, "unit": unit, "doc": doc})


Check = Callable[[View, Any], Finding | None]


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule: everything else about it (page, schema, defaults, metric label) derives from this."""

    name: str
    family: str
    severity: str
    """The usual severity, for lists."""
    mode: str
    reads: int
    deal_types: frozenset[str]
    params: type[Any]
    check: Check
    doc: str
    """The module's docstring: the rule's page."""
    summary: str
    needs: str = ""
    """Without this its mode is off: activities that are fed (`model.ACTIVITIES`), or a field that is mapped."""
    rests_on: int = 0
    """Parts of a deal without which it can never hold; what else it reads only adds to it."""
    subject: str = DEAL
    """What it is asked of: a deal, or the deals of an owner or of a team (see `group`)."""
    counts: Callable[[Any, Any], Any] | None = None
    """For a rule about an owner's or a team's deals: what it counts of a deal in a period (see `group`)."""
    premise: int = 0
    """Without all of this it does not hold and waits for nothing, so it is not even asked: parts in which a person's
    move counted (`DATE`, `PRICE` ...), and `IS_OPEN`, `COMMITTED`, `PROMISED`, `IN_WINDOW`."""

    def __reduce__(self) -> tuple[Callable[[str, str], RuleSpec], tuple[str, str]]:
        """Between processes a rule goes by its place: its check has the name that the rule took."""
        return _rule_at, (self.check.__module__, self.check.__name__)

    @property
    def where(self) -> str:
        """The condition of its mode in words, empty where there is none."""
        if self.needs in FED:
            return f"where activities are fed{FED[self.needs]}"
        return f"where {self.needs} is mapped" if self.needs else ""

    @property
    def default_mode(self) -> str:
        """The mode that it has without a policy's word, in words: ``alert where activities are fed``."""
        return f"{self.mode} {self.where}".rstrip()

    def is_fed_by(self, activities: str) -> bool:
        """Whether what is fed is enough for it."""
        return self.needs not in FED or ACTIVITIES.index(activities) >= ACTIVITIES.index(self.needs)


def _rule_at(module: str, name: str) -> RuleSpec:
    found: RuleSpec = getattr(import_module(module), name)
    return found


FED: Final = {OUTBOUND: "", BOTH_WAYS: " both ways"}
"""What a rule may need of activities, in words."""


def rule(
    name: str,
    *,
    family: str,
    severity: str,
    reads: int,
    params: type[Any],
    doc: str | None,
    mode: str = ALERT,
    deal_types: frozenset[str] = NEW_BUSINESS,
    needs: str = "",
    rests_on: int | None = None,
    subject: str = DEAL,
    premise: int = 0,
    counts: Callable[[Any, Any], Any] | None = None,
) -> Callable[[Check], RuleSpec]:
    """Make a `RuleSpec` of a check function; pass the module's ``__doc__`` as ``doc``.

    ``rests_on`` is named by a rule that can do without some of the `DATA` that it reads.
    """

    def decorate(check: Check) -> RuleSpec:
        page = (doc or "").strip()
        return RuleSpec(
            name=name,
            family=family,
            severity=severity,
            mode=mode,
            reads=reads,
            deal_types=deal_types,
            params=params,
            check=check,
            doc=page,
            summary=page.partition("\n")[0],
            needs=needs,
            rests_on=reads & DATA if rests_on is None else rests_on,
            subject=subject,
            premise=premise,
            counts=counts,
        )

    return decorate


def param_fields(params: type[Any]) -> dict[str, dict[str, Any]]:
    """Name to default, range, unit and doc of each parameter of a rule."""
    return {f.name: {"default": f.default, **f.metadata} for f in fields(params)}
