"""Owners and teams with a pattern of their own, or with something that comes close to one; each in a team by itself.

The deals are ordinary ones: what is planted is what they do together. The truth is known per owner and team.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from wellwon.core.rule import OWNER_SUBJECT, TEAM_SUBJECT
from wellwon.core.units import MINUTE
from wellwon.simulate.deal import BY_FIELD, UNPRICED, Draft
from wellwon.simulate.organisation import (
    NEGOTIATION,
    PROPOSAL,
    SEGMENTS,
    Quarter,
    office_hours,
    policy_text,
    quarter,
    some_workday,
)
from wellwon.simulate.stream import DIVISION, Delivery, deliveries_of

GROUP_RULES: Final = ("bulk-push", "period-end-load", "discount-concentration", "borrowed-from-next-period")
FIRST_LIFE: Final = 50_000
"""Their deals are numbered from here on, so that they may be played together with those of a `Simulation`."""
TEAM_LABEL: Final = "labels.team"


@dataclass(frozen=True, slots=True)
class GroupLabel:
    """The truth of one story: of whom something must be told, and what; of everyone in it, nothing else must be."""

    team: str
    owner: str
    story: str
    subject: str
    """``owner:ID`` or ``team:NAME``; empty where nothing must be told."""
    expected: str
    """The rule; empty where nothing must be told."""
    reason: str


@dataclass
class Group:
    """A team of one owner being written: its deals so far."""

    rng: Random
    quarter: Quarter
    number: int
    drafts: list[Draft] = field(default_factory=list)

    @property
    def team(self) -> str:
        """Its name."""
        return f"Team {self.number}"

    @property
    def owner(self) -> str:
        """The owner's id, with the place for the division."""
        return f"005Team{self.number}{DIVISION}"

    def deal(self, close_date: int, *, stage: int = PROPOSAL, style: str = UNPRICED, by: int = 0) -> Draft:
        """Another deal of 100,000 at list, matured to a stage long before the quarter's last days."""
        life = FIRST_LIFE + 100 * self.number + len(self.drafts)
        draft = Draft(self.rng, self.quarter, SEGMENTS[1], life, self.owner, style=style, listed=10_000_000)
        draft.discount = 1_000
        draft.mature(by or self.quarter.start + self.rng.randrange(30, 40), stage, close_date, days=30)
        draft.saves[0].values[TEAM_LABEL] = self.team
        self.drafts.append(draft)
        return draft

    def wins(self, days: list[int], *, discount: int = 1_000) -> None:
        """A deal won on each of these days, at this discount."""
        for day in days:
            draft = self.deal(day, stage=NEGOTIATION, style=BY_FIELD)
            draft.price(max(draft.cursor, office_hours(self.rng, day - 2)), discount)
            draft.win(max(draft.cursor + MINUTE, office_hours(self.rng, day)))

    def some_days(self, low: int, high: int, count: int) -> list[int]:
        """So many days between two days, both included, any of them more than once."""
        return [self.rng.randrange(low, high + 1) for _ in range(count)]


Told = tuple[str, str, str]
"""Kind of the subject, rule, reason; the first two empty where nothing must be told."""


def bulk_push(group: Group) -> Told:
    """Five or more of an owner's deals pushed in one afternoon of the last days."""
    _push(group, deals=group.rng.randrange(6, 10), of=10)
    return OWNER_SUBJECT, "bulk-push", "more than half of the owner's deals pushed in one afternoon of the last days"


def period_end_load(group: Group) -> Told:
    """Half of the value and more closes in the last week."""
    late = group.rng.randrange(9, 16)
    group.wins(group.some_days(group.quarter.start + 45, group.quarter.window - 1, 20 - late))
    group.wins(group.some_days(group.quarter.last_week, group.quarter.end, late))
    return TEAM_SUBJECT, "period-end-load", f"{5 * late} % of the value closed in the last week"


def discount_concentration(group: Group) -> Told:
    """The wins of the last days are cheaper by 7 points or more."""
    more = group.rng.randrange(700, 1_500, 50)
    group.wins(group.some_days(group.quarter.start + 45, group.quarter.window - 1, 24))
    group.wins(group.some_days(group.quarter.window, group.quarter.last_week - 1, 12), discount=1_000 + more)
    return TEAM_SUBJECT, "discount-concentration", f"{more / 100} points more discount in the last days"


def borrowed_from_next_period(group: Group) -> Told:
    """A quarter of the next period's pipeline is pulled in and won."""
    _borrow(group, pulled=2, left=group.rng.randrange(6, 10))
    return (
        TEAM_SUBJECT,
        "borrowed-from-next-period",
        "two deals pulled in from the next quarter, fewer than ten left",
    )


def few_pushes(group: Group) -> Told:
    """Four deals are pushed together, or five of twenty."""
    few = group.rng.random() < 0.5
    _push(group, deals=4 if few else 5, of=8 if few else 20)
    return "", "", "four deals pushed together" if few else "five of twenty deals pushed together"


def pushes_of_others(group: Group) -> Told:
    """A manager, an integration or a bulk edit moves the dates."""
    how = group.rng.choice(("manager", "integration", "bulk edit"))
    writer = "" if how == "bulk edit" else "005Somebody"
    kind = "integration" if how == "integration" else "user"
    _push(group, deals=8, of=10, writer=writer, writer_kind=kind, bulk=240 if how == "bulk edit" else 1)
    return "", "", f"the dates were moved by a {how}"


def pushes_apart(group: Group) -> Told:
    """Every deal is pushed in the last days, two a day."""
    quarter = group.quarter
    for number in range(8):
        draft = group.deal(quarter.end)
        at = office_hours(group.rng, quarter.window + 1 + 2 * (number // 2))
        draft.redate(at, quarter.end + group.rng.randrange(15, 40))
    return "", "", "two deals a day pushed in the last days"


def even_load(group: Group) -> Told:
    """A third of the value closes in the last week."""
    group.wins(group.some_days(group.quarter.start + 45, group.quarter.window - 1, 14))
    group.wins(group.some_days(group.quarter.last_week, group.quarter.end, 7))
    return "", "", "a third of the value closed in the last week"


def few_late_wins(group: Group) -> Told:
    """Nine wins, all in the last week and all of them cheap."""
    group.wins(group.some_days(group.quarter.last_week, group.quarter.end, 9), discount=3_000)
    return "", "", "nine wins say nothing"


def slightly_cheaper(group: Group) -> Told:
    """The wins of the last days are cheaper by 4 points."""
    group.wins(group.some_days(group.quarter.start + 45, group.quarter.window - 1, 24))
    group.wins(group.some_days(group.quarter.window, group.quarter.last_week - 1, 12), discount=1_400)
    return "", "", "4 points more discount in the last days"


def one_of_many(group: Group) -> Told:
    """One of sixteen deals of the next quarter is pulled in."""
    _borrow(group, pulled=1, left=15)
    return "", "", "one deal of the next quarter was pulled in, fifteen were left"


def pulled_in_early(group: Group) -> Told:
    """Half of the next quarter's deals come forward before the last days."""
    _borrow(group, pulled=4, left=4, early=True)
    return "", "", "pulled in before the last days"


def _push(group: Group, *, deals: int, of: int, writer: str = "", writer_kind: str = "user", bulk: int = 1) -> None:
    rng, quarter = group.rng, group.quarter
    drafts = [group.deal(quarter.end) for _ in range(of)]
    at = office_hours(rng, some_workday(rng, quarter.window + 1, quarter.end - 1))
    for draft in drafts[:deals]:
        at += rng.randrange(1, 20) * MINUTE
        date = quarter.end + rng.randrange(15, 40)
        draft.redate(at, date, writer=writer, writer_kind=writer_kind, bulk=bulk)


def _borrow(group: Group, *, pulled: int, left: int, early: bool = False) -> None:
    rng, quarter = group.rng, group.quarter
    for _ in range(left):
        group.deal(quarter.end + rng.randrange(20, 60), stage=NEGOTIATION)
    for _ in range(pulled):
        draft = group.deal(quarter.end + rng.randrange(10, 30), stage=NEGOTIATION)
        day = quarter.window - 6 if early else some_workday(rng, quarter.window + 1, quarter.end - 2)
        draft.redate(office_hours(rng, day), quarter.end)
        draft.win(max(draft.cursor + MINUTE, office_hours(rng, quarter.last_workday)))


PATTERN_STORIES: Final[dict[str, Callable[[Group], Told]]] = {
    "bulk-push": bulk_push,
    "period-end-load": period_end_load,
    "discount-concentration": discount_concentration,
    "borrowed-from-next-period": borrowed_from_next_period,
}
NEAR_MISS_STORIES: Final[dict[str, Callable[[Group], Told]]] = {
    "few pushes": few_pushes,
    "pushes of others": pushes_of_others,
    "pushes apart": pushes_apart,
    "even load": even_load,
    "few late wins": few_late_wins,
    "slightly cheaper": slightly_cheaper,
    "one of many": one_of_many,
    "pulled in early": pulled_in_early,
}


class GroupSimulation:
    """Teams with their stories, every story in turn; the same arguments always give the same bytes.

    Args:
        seed: any number.
        teams: how many, each with one owner and one story.
        quarters: over how many quarters, of which the first begins on 2026-07-01, the stories are spread.
    """

    def __init__(self, seed: int, teams: int, quarters: int = 1) -> None:
        stories = {**PATTERN_STORIES, **NEAR_MISS_STORIES}
        names = tuple(stories)
        self.policy = f"{policy_text()}\nteam_label: {TEAM_LABEL}\n"
        self.labels: list[GroupLabel] = []
        self._drafts: list[Draft] = []
        for number in range(teams):
            story = names[number % len(names)]
            group = Group(Random(f"{seed}/group/{number}"), quarter(number // len(names) % quarters), number)
            kind, rule, reason = stories[story](group)
            owner = group.owner.replace(DIVISION, "000")
            who = {OWNER_SUBJECT: owner, TEAM_SUBJECT: group.team}.get(kind, "")
            self.labels.append(GroupLabel(group.team, owner, story, f"{kind}:{who}" if kind else "", rule, reason))
            self._drafts += group.drafts

    def __iter__(self) -> Iterator[Delivery]:
        return deliveries_of(self._drafts)
