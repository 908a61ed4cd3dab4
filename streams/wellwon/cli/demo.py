"""``wellwon demo``: the whole product over the last days of a simulated quarter, inside this process."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import click
import orjson

from wellwon.cli.demo_page import demo_page
from wellwon.cli.demo_screen import Screen
from wellwon.cli.failure import Failed
from wellwon.cli.output import json_lines
from wellwon.core.rule import DEAL
from wellwon.core.units import format_instant
from wellwon.history.clock import Tick, with_clock
from wellwon.runtime import topics
from wellwon.runtime.demo import DemoFailed, Stage, on_stage
from wellwon.runtime.demo_slack import Posted
from wellwon.simulate import Label, Simulation
from wellwon.simulate.label import LOOKALIKE, PRESSURED
from wellwon.simulate.organisation import OWNERS_A_TEAM, TEAMS, calendar, next_workday, owner_id, policy_text
from wellwon.simulate.score import Said, is_message
from wellwon.simulate.story import Told, tell
from wellwon.sources.normalise import Outgoing

DEALS = 412
SEED = 6
SECONDS_A_DAY = 0.8
"""How long a day of the quarter's end lasts."""


@dataclass(slots=True)
class Shown:
    """A deal of the demo with its story."""

    opportunity_id: str
    name: str
    kind: str
    reason: str
    story: list[Told]
    stage_moves: list[int]
    """Instants, epoch milliseconds."""
    alerts: list[dict[str, Any]]
    win: dict[str, Any] | None
    slack: Posted | None
    """The first message about its first alert."""
    salesforce: dict[str, Any]
    """What its record held: when it was flagged last, else at the end."""


@dataclass(slots=True)
class Totals:
    """What came of it."""

    deals: int = 0
    changes: int = 0
    alerts: int = 0
    """Of deals."""
    team_alerts: int = 0
    pressured: int = 0
    pressured_found: int = 0
    lookalikes: int = 0
    lookalikes_silent: int = 0
    wins: dict[str, int] = field(default_factory=dict)
    won_well_rate: float | None = None
    seconds: float = 0.0
    page: str = ""
    metrics: str = ""
    slack: list[Posted] = field(default_factory=list)
    """What Slack was sent, in order."""
    salesforce: dict[str, int] = field(default_factory=dict)
    """What Salesforce holds at the end, counted."""


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C: look at the page, and answer.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the show.")
@click.option("--seed", default=SEED, show_default=True, help="Another seed, another quarter.")
def command(keep: bool, as_json: bool, seed: int) -> None:
    """The last days of a simulated quarter, played fast through the whole product: its workers and its live page.

    Kafka, Slack and Salesforce are stood in for inside this process, so it needs no broker, no Docker and no account.
    Ends by itself, within a minute.
    """
    try:
        asyncio.run(_demo(Screen(quiet=as_json), keep, as_json, seed))
    except DemoFailed as error:
        raise Failed(f"{error}; WELLWON_LOG_LEVEL=debug shows more") from error
    except KeyboardInterrupt:
        if not keep:
            raise


async def _demo(screen: Screen, keep: bool, as_json: bool, seed: int) -> None:
    began = time.monotonic()
    simulation = Simulation(seed, DEALS)
    labels = {label.opportunity_id: label for label in simulation.labels()}
    screen.opening(DEALS)
    async with on_stage(policy_text(), _people(), demo_page) as stage:
        screen.started(time.monotonic() - began, stage.settings.page)
        played = await _play(stage, simulation, screen)
        totals = totals_of(labels, played.said, played.changes)
        totals.team_alerts = len(played.of_teams)
        totals.page, totals.metrics = stage.settings.page, stage.metrics_url
        totals.slack, totals.salesforce = stage.slack.posted, stage.salesforce.counts()
        picked = _pick(stage, labels, played)
        totals.seconds = round(time.monotonic() - began, 1)
        if as_json:
            json_lines({**asdict(totals), "shown": {name: _plain(shown) for name, shown in picked.items()}})
        else:
            screen.deals(picked)
            screen.closing(totals, keep)
        if keep:
            stage.go_on()
            await asyncio.Event().wait()


@dataclass(slots=True)
class Played:
    """What was said while it was played."""

    said: Said = field(default_factory=Said)
    of_teams: list[dict[str, Any]] = field(default_factory=list)
    """Alerts about owners and teams that people heard of."""
    changes: int = 0
    flagged: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What Salesforce held of each deal on the last day that it was flagged."""


async def _play(stage: Stage, simulation: Simulation, screen: Screen) -> Played:
    """Play everything, the last days day by day; say what stands at the end of each, so no slip of the hand."""
    played = Played()
    said, salesforce = played.said, stage.salesforce
    quarter = simulation.quarters[-1]
    deliveries = (Outgoing("opportunity-changes", d.key, d.value, d.at) for d in simulation)
    log = with_clock(deliveries, calendar(), simulation.until - 1)
    told: set[str] = set()
    shown = 0

    def scene(record: Outgoing | Tick) -> int:
        """What came before the window is one scene, then each working day, then what comes after the quarter."""
        day = calendar().local_day(record.at)
        return min(max(next_workday(day), quarter.window - 1), quarter.end + 1)

    for day, records in groupby(log, key=scene):
        began, today = time.monotonic(), list(records)
        await stage.play(today)
        for value in await stage.heard(topics.ALERTS):
            alert = orjson.loads(value)
            said.alert(alert)
            if alert["subject"]["kind"] != DEAL and is_message(alert):
                played.of_teams.append(alert)
        for value in await stage.heard(topics.WINS):
            said.win(orjson.loads(value))
        count = sum(not isinstance(record, Tick) for record in today)
        played.changes += count
        heard = sorted([*said.all_messages(), *played.of_teams], key=lambda alert: (alert["at"], alert["id"]))
        new = [alert for alert in heard if alert["id"] not in told]
        told.update(alert["id"] for alert in new)
        posted = stage.slack.posted[shown:]
        shown += len(posted)
        played.flagged |= {deal: dict(salesforce.opportunities[deal]) for deal in salesforce.flagged()}
        if day < quarter.window:
            screen.before(day, count, new)
        else:
            screen.day(day, count, new)
        screen.told(posted, salesforce.counts())
        if screen.live and day >= quarter.window:
            await asyncio.sleep(max(0.0, SECONDS_A_DAY - (time.monotonic() - began)))
    return played


def _people() -> str:
    """The file of people: every seller of the simulated organisation."""
    sellers = (owner_id(number) for number in range(len(TEAMS) * OWNERS_A_TEAM))
    return "id,email\n" + "".join(f"{seller}000,{seller[3:].lower()}@example.com\n" for seller in sellers)


def totals_of(labels: dict[str, Label], said: Said, changes: int) -> Totals:
    """What was said, held against the labels."""
    wins: dict[str, int] = {}
    for win in said.wins.values():
        if not win["withdrawn"]:
            wins[win["reading"]] = wins.get(win["reading"], 0) + 1
    pressured = [label for label in labels.values() if label.group == PRESSURED]
    alike = [label for label in labels.values() if label.group == LOOKALIKE]
    return Totals(
        deals=len(labels),
        changes=changes,
        alerts=len(said.all_messages()),
        pressured=len(pressured),
        pressured_found=sum(set(label.expected) <= said.standing(label.opportunity_id) for label in pressured),
        lookalikes=len(alike),
        lookalikes_silent=sum(not said.messages(label.opportunity_id) for label in alike),
        wins=wins,
        won_well_rate=said.won_well_rate,
    )


def _pick(stage: Stage, labels: dict[str, Label], played: Played) -> dict[str, Shown]:
    """A deal that was pressed, one that only looks so and stays silent, and one that was won well."""

    def first(kinds: tuple[str, ...], flagged: bool) -> Label:
        for kind in kinds:
            for label in labels.values():
                if label.kind == kind and bool(played.said.messages(label.opportunity_id)) == flagged:
                    return label
        raise LookupError(f"no deal to show among {', '.join(kinds)}")

    return {
        "pressured": _shown(stage, first(("push-to-close", "late-discount", "commit-slip"), True), played),
        "lookalike": _shown(stage, first(("buyer's date", "one honest save", "early win"), False), played),
        "won": _shown(stage, first(("won well", "won"), False), played),
    }


def _shown(stage: Stage, label: Label, played: Played) -> Shown:
    deal, alerts = stage.deal(label.opportunity_id), played.said.messages(label.opportunity_id)
    if deal is None:
        raise LookupError(f"the worker does not know {label.opportunity_id}")
    return Shown(
        opportunity_id=label.opportunity_id,
        name=deal.name,
        kind=label.kind,
        reason=label.reason,
        story=tell(deal, calendar()),
        stage_moves=[move.at for move in deal.stages],
        alerts=alerts,
        win=played.said.wins.get(label.opportunity_id),
        slack=_first_about(alerts[0]["title"], stage.slack.posted) if alerts else None,
        salesforce=played.flagged.get(label.opportunity_id)
        or stage.salesforce.opportunities.get(label.opportunity_id, {}),
    )


def _first_about(title: str, posted: list[Posted]) -> Posted | None:
    return next((one for one in posted if title in one.message["text"] and not one.edited), None)


def _plain(shown: Shown) -> dict[str, Any]:
    return {
        **asdict(shown),
        "story": [{**told._asdict(), "at": format_instant(told.at)} for told in shown.story],
        "stage_moves": [format_instant(at) for at in shown.stage_moves],
    }
