"""Hold what was said of each simulated deal against its label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from wellwon.core.lifecycle import RETRACTED
from wellwon.core.rule import DEAL, SEVERITIES
from wellwon.core.units import DAY
from wellwon.simulate.label import LOOKALIKE, NEAR_MISS, RULES, Label
from wellwon.simulate.organisation import LOST_STAGE, WON_STAGE
from wellwon.simulate.stream import Simulation

ALERT_MODE = "alert"


@dataclass(slots=True)
class RuleScore:
    """One rule against the labels, in deals."""

    hits: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Deals that it must not fire on and did."""

    @property
    def precision(self) -> float:
        """Share of the flagged deals that were planted; 1 where none was flagged."""
        return self.hits / (self.hits + len(self.wrong)) if self.hits or self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of the planted deals that were flagged; 1 where none was planted."""
        return self.hits / (self.hits + len(self.missed)) if self.hits or self.missed else 1.0


def is_message(alert: dict[str, Any]) -> bool:
    """Whether people hear of this transition: opened, in mode alert, not covered by another rule's headline."""
    return alert["transition"] == "opened" and alert["mode"] == ALERT_MODE and not alert["covered_by"]


class Said:
    """Everything that was said of the deals: alert and win records as they are on the topics."""

    def __init__(self) -> None:
        self.alerts: dict[str, list[dict[str, Any]]] = {}
        """By deal, in order."""
        self.wins: dict[str, dict[str, Any]] = {}
        """The latest win record by deal."""

    def alert(self, alert: dict[str, Any]) -> None:
        """Take in an alert record; what is said of owners and teams is no deal's."""
        if alert["subject"]["kind"] == DEAL:
            self.alerts.setdefault(alert["opportunity_id"], []).append(alert)

    def win(self, win: dict[str, Any]) -> None:
        """Take in a win record."""
        self.wins[win["opportunity_id"]] = win

    def standing(self, deal: str) -> set[str]:
        """Rules that flagged the deal and did not take it back."""
        flagged: set[str] = set()
        for alert in self.alerts.get(deal, ()):
            if alert["transition"] == "opened":
                flagged.add(alert["rule"])
            elif alert["transition"] == "resolved" and alert["reason"] == RETRACTED:
                flagged.discard(alert["rule"])
        return flagged

    def messages(self, deal: str) -> list[dict[str, Any]]:
        """The alerts of a deal that people heard of and that were not taken back."""
        standing = self.standing(deal)
        return [a for a in self.alerts.get(deal, ()) if is_message(a) and a["rule"] in standing]

    def severity(self, deal: str, rule: str) -> str:
        """The highest severity that a rule came to on a deal."""
        severities: set[str] = {a["severity"] for a in self.alerts[deal] if a["rule"] == rule}
        return max(severities, key=SEVERITIES.index)

    def all_messages(self) -> list[dict[str, Any]]:
        """The same for every deal, in the order of time."""
        return sorted((m for deal in self.alerts for m in self.messages(deal)), key=lambda m: (m["at"], m["id"]))

    @property
    def won_well_rate(self) -> float | None:
        """Earned wins of those whose reading is known; None where none is."""
        known = [w for w in self.wins.values() if not w["withdrawn"] and w["reading"] != "unknown"]
        return sum(w["reading"] == "earned" for w in known) / len(known) if known else None


@dataclass(slots=True)
class Score:
    """All rules against the labels."""

    rules: dict[str, RuleScore]
    lookalikes: int = 0
    flagged_lookalikes: dict[str, set[str]] = field(default_factory=dict)
    """By deal, the rules that it must not have been flagged by."""
    flagged_near_misses: dict[str, set[str]] = field(default_factory=dict)
    misjudged: list[tuple[str, str, str]] = field(default_factory=list)
    """Deal, severity expected, severity given."""
    wins: int = 0
    misread_wins: list[tuple[str, str, str]] = field(default_factory=list)
    """Deal, reading expected, reading given."""

    @property
    def false_flags_per_100(self) -> float:
        """False flags on 100 look-alikes."""
        return 100 * sum(map(len, self.flagged_lookalikes.values())) / self.lookalikes if self.lookalikes else 0.0


def score(labels: Iterable[Label], said: Said) -> Score:
    """Every deal's label against what was said of it."""
    result = Score({rule: RuleScore() for rule in RULES})
    for label in labels:
        deal = label.opportunity_id
        standing = said.standing(deal)
        for rule in label.expected:
            if rule in standing:
                result.rules[rule].hits += 1
            else:
                result.rules[rule].missed.append(deal)
        wrong = standing.intersection(label.must_not_fire)
        for rule in wrong:
            result.rules[rule].wrong.append(deal)
        if label.group == LOOKALIKE:
            result.lookalikes += 1
            if wrong:
                result.flagged_lookalikes[deal] = wrong
        elif label.group == NEAR_MISS and wrong:
            result.flagged_near_misses[deal] = wrong
        if label.severity is not None and label.kind in standing:
            severity = said.severity(deal, label.kind)
            if severity != label.severity:
                result.misjudged.append((deal, label.severity, severity))
        win = said.wins.get(deal)
        if label.win is not None and win is not None:
            result.wins += 1
            if win["reading"] != label.win:
                result.misread_wins.append((deal, label.win, win["reading"]))
    return result


def open_weeks(simulation: Simulation) -> float:
    """For how many weeks the deals were open, all together: what a number of messages is held against."""
    opened: dict[bytes, int] = {}
    closed: dict[bytes, int] = {}
    for delivery in simulation:
        opened.setdefault(delivery.key, delivery.at)
        if orjson.loads(delivery.value).get("values", {}).get("stage") in (WON_STAGE, LOST_STAGE):
            closed[delivery.key] = delivery.at
    return sum(closed.get(deal, simulation.until) - at for deal, at in opened.items()) / (7 * DAY)
