"""What ``wellwon ingest --clock`` and running workers make of a source is what ``wellwon replay`` makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from wellwon.history.clock import with_clock
from wellwon.history.replay import Replay
from wellwon.policy import compile_text, load_policy
from wellwon.runtime import topics
from wellwon.runtime.demo import on_stage
from wellwon.simulate.files import write_changes
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

PEOPLE = "id,email\n"
"""Nobody is told: this is of what holds."""


def test_workers_on_a_broker_and_the_core_alone_agree(tmp_path: Path) -> None:
    policy = policy_text()
    file = tmp_path / "changes.jsonl"
    with file.open("wb") as out:
        write_changes(Simulation(5, 300, 1), out)

    def feed() -> Feed:
        return Feed(kind_named("changes"), [str(file)], SourceView.of(load_policy(policy)), Options(), lambda _: None)

    async def live() -> tuple[list[bytes], list[bytes]]:
        async with on_stage(policy, PEOPLE) as stage:
            await stage.play(with_clock(feed(), load_policy(policy).calendar.build()))
            return await stage.heard(topics.ALERTS), await stage.heard(topics.WINS)

    alerts: list[bytes] = []
    wins: list[bytes] = []
    Replay(policy, compile_text, alert=alerts.append, win=wins.append, dead_letter=lambda _: None).run(feed())
    live_alerts, live_wins = asyncio.run(live())
    assert {alert["subject"]["kind"] for alert in by_id(alerts).values()} == {"deal", "team"}
    assert by_id(live_alerts) == by_id(alerts)
    assert by_id(live_wins) == by_id(wins)


def by_id(values: list[bytes]) -> dict[str, Any]:
    return {record["id"]: record for record in map(orjson.loads, values)}
