"""What the organisation means by its words: pipelines, categories, segments, norms, rules.

A policy compiles into a `Ruleset`; the core reads nothing else.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.norms import NO_NORMS, Norms

if TYPE_CHECKING:
    from wellwon.core.rule import Check

OPEN: Final = 0
WON: Final = 1
LOST: Final = 2
DELETED: Final = 3

PIPELINE: Final = "pipeline"
BEST_CASE: Final = "best_case"
COMMIT: Final = "commit"
OMITTED: Final = "omitted"
CLOSED: Final = "closed"
CATEGORIES: Final = (PIPELINE, BEST_CASE, COMMIT, OMITTED, CLOSED)
"""Forecast categories as the core knows them; the policy maps the CRM's labels to these."""

DEAL_TYPES: Final = ("new", "expansion", "renewal", "coterm", "channel")

OFF: Final = "off"
SHADOW: Final = "shadow"
ALERT: Final = "alert"
MODES: Final = (OFF, SHADOW, ALERT)

NOT_FED: Final = "none"
OUTBOUND: Final = "outbound"
BOTH_WAYS: Final = "both"
ACTIVITIES: Final = (NOT_FED, OUTBOUND, BOTH_WAYS)
"""Which calls, mails and meetings reach wellwon; the later ones include those before."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a pipeline: its place among the open stages, or how it is closed (position -1)."""

    name: str
    status: int
    position: int
    late: bool = False
    buyer_process: bool = False


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A sales process: open stages in order, won and lost stages, the late stage, the buyer's stages, the deal type."""

    name: str
    open_stages: tuple[str, ...]
    won_stages: tuple[str, ...]
    lost_stages: tuple[str, ...]
    late_stage: str | None = None
    """First stage that counts as late; None: the first that maps to Commit, else the last third of the open stages."""
    buyer_process: frozenset[str] = frozenset()
    deal_type: str = "new"
    categories: dict[str, str] = field(default_factory=dict)
    """Stage to forecast category, for a CRM that has no category of its own."""
    stages: dict[str, Stage] = field(init=False, repr=False, compare=False)
    """Every stage by name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", self._stages())

    def _stages(self) -> dict[str, Stage]:
        count = len(self.open_stages)
        committed = [i for i, name in enumerate(self.open_stages) if self.categories.get(name) == COMMIT]
        if self.late_stage:
            late_from = self.open_stages.index(self.late_stage)
        else:
            late_from = committed[0] if committed else count - max(1, count // 3)
        found = {
            name: Stage(name, OPEN, i, late=i >= late_from, buyer_process=name in self.buyer_process)
            for i, name in enumerate(self.open_stages)
        }
        found.update({name: Stage(name, WON, -1) for name in self.won_stages})
        found.update({name: Stage(name, LOST, -1) for name in self.lost_stages})
        return found


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule as it runs for one segment and deal type: its parameters and its mode."""

    spec: Any
    """Its `RuleSpec`, not named as such because that one is built on this module, and both may be compiled."""
    params: Any
    mode: str


@dataclass(frozen=True, slots=True)
class GroupRule(ActiveRule):
    """A rule about an owner's or a team's deals, and the deal types that it counts."""

    deal_types: frozenset[str]


Question = tuple[str, "Check", Any]
"""A rule's name, its check and its parameters."""


class Questions(NamedTuple):
    """What to ask of a deal."""

    asked: tuple[Question, ...]
    silent: frozenset[str]
    """Rules that need not be asked: they cannot hold."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The deals that share thresholds. ``matches`` compares current fields; the first segment that matches is taken."""

    name: str
    rules: dict[str, tuple[ActiveRule, ...]]
    """Rules that are not off, in registry order, by deal type."""
    window_days: int
    norms: Norms = NO_NORMS
    amount_min: int | None = None
    amount_max: int | None = None
    currency: str | None = None
    pipelines: frozenset[str] = frozenset()
    deal_types: frozenset[str] = frozenset()
    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    """Mapped text fields (``region``, ``tier`` ...) and the values that belong to the segment."""
    _questions: dict[tuple[str, int, int], Questions] = field(default_factory=dict, compare=False, repr=False)

    def questions(self, deal_type: str, mask: int, premise: int) -> Questions:
        """What to ask of this type of deal when these parts of it changed: the rules that read any of them.

        Those whose premise is not given are silent.
        """
        found = self._questions.get((deal_type, mask, premise))
        if found is None:
            rules = self.rules.get(deal_type, ())
            concerned = [active for active in rules if active.spec.reads & mask]
            asked = [active for active in concerned if not active.spec.premise & ~premise]
            found = Questions(
                tuple((active.spec.name, active.spec.check, active.params) for active in asked),
                frozenset(active.spec.name for active in concerned if active.spec.premise & ~premise),
            )
            self._questions[deal_type, mask, premise] = found
        return found


@dataclass(frozen=True, slots=True)
class ExemptDeals:
    """Deals whose alerts run in shadow until an instant. What is empty is not asked."""

    ends_at: int
    deals: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    pipelines: frozenset[str] = frozenset()
    """Everything that a deal's ``pipeline`` may say."""
    segments: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def holds_for(self, rule: str) -> bool:
        """Whether it is for this rule."""
        return not self.rules or rule in self.rules


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Everything of the policy that the core needs, compiled."""

    calendar: FiscalCalendar
    pipelines: dict[str, Pipeline]
    default_pipeline: str
    categories: dict[str, str]
    """The CRM's forecast category labels, lower case, to `CATEGORIES`."""
    segments: tuple[Segment, ...]
    """In order; the last one matches every deal."""
    fingerprint: str
    deal_types: dict[str, str] = field(default_factory=lambda: {known: known for known in DEAL_TYPES})
    """The CRM's words for deal types, lower case, to `DEAL_TYPES`."""
    commit_lock_days: int = 30
    correction_ms: int = 30 * 60_000
    lateness_ms: int = 10 * 60_000
    bulk_window_ms: int = 60_000
    bulk_records: int = 20
    activities: str = NOT_FED
    """Which calls, mails and meetings are fed; only where it is `BOTH_WAYS`, no answer is one."""
    closed_days: int = 100
    """Days after which a closed deal leaves the state; never below 91, so that won-reversed can see its 90 days."""
    exemptions: tuple[ExemptDeals, ...] = ()
    teams: dict[str, str] = field(default_factory=dict)
    """Owner to team."""
    team_label: str = ""
    """The label of a deal that names its team, where its owner is in none."""
    group_rules: tuple[GroupRule, ...] = ()
    """Rules asked of an owner's or a team's deals; those that are not off, in registry order."""
    tail_ms: int = field(init=False)
    """How long a deal keeps its raw changes.

    A change may be ``lateness_ms`` late, and what it meets may have a partner up to a correction or a bulk window
    before it: with both inside the tail, late and early arrival come to the same.
    """
    mark: int = field(init=False)
    """What a state remembers of the policy it was evaluated under."""
    segment_by_name: dict[str, Segment] = field(init=False, repr=False, compare=False)
    """Segments by name."""

    def __post_init__(self) -> None:
        derived = {
            "tail_ms": self.lateness_ms + max(self.correction_ms, self.bulk_window_ms),
            "mark": zlib.crc32(self.fingerprint.encode()) or 1,
            "segment_by_name": {segment.name: segment for segment in self.segments},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def stage(self, pipeline: str, stage: str) -> Stage | None:
        """The stage's meaning, or None if the policy does not know it."""
        found = self.pipelines.get(pipeline) or self.pipelines[self.default_pipeline]
        return found.stages.get(stage)
