"""Whatever goes wrong: the alerts and states are those of the core run alone over the same log.

``WELLWON_CHAOS_KILLS`` and ``WELLWON_CHAOS_RATE`` (changes a second) make it longer and harder.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

import histories
import oracle
from kafka_broker import running
from live import REAL, settings_for
from scenario import Chaos, Fed, Feeder
from wellwon.core.units import HOUR, MINUTE, format_instant
from wellwon.core.wire import encode_clock
from wellwon.runtime import topics

SEED = 20261123
KILLS = int(os.environ.get("WELLWON_CHAOS_KILLS", "10"))
RATE = float(os.environ.get("WELLWON_CHAOS_RATE", "500"))
DEALS = 400


def changes(partitions: int) -> Iterator[Fed]:
    """Endless changes of some hundred deals, a minute apart, with the time written down every hour."""
    rng = random.Random(SEED)
    known: set[str] = set()
    at = ticked = histories.START
    for number in itertools.count():
        at += MINUTE
        if at - ticked >= HOUR:
            ticked = at
            for partition in range(partitions):
                yield partition, None, encode_clock(at)
        deal = f"deal-{rng.randrange(DEALS)}"
        event = histories.event(rng, at) if deal in known else histories.created(rng)
        known.add(deal)
        record = {
            "id": f"c{number}",
            "opportunity_id": deal,
            "source": "test",
            "occurred_at": format_instant(at - rng.choice((0, 0, 0, 5, 40)) * MINUTE),
            **event,
        }
        value = orjson.dumps(record)
        yield None, deal.encode(), value
        if rng.random() < 0.01:
            yield None, deal.encode(), value  # a connector that was restarted
        if rng.random() < 0.002:
            yield None, deal.encode(), b"{"


def test_chaos(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    with running(tmp_path / "kafka") as broker:
        policy = tmp_path / "policy.yaml"
        policy.write_text(histories.POLICIES[-1])
        settings = settings_for(broker.bootstrap, tmp_path, "chaos", clock="log", policy=policy)
        settings.data.mkdir()
        topics.create(settings)
        feeder = Feeder(settings, changes(settings.partitions), RATE)
        feeder.start()
        chaos = Chaos(broker, settings, REAL, random.Random(SEED))
        chaos.kills(KILLS)
        chaos.stop_in_order()
        chaos.freeze()
        chaos.company()
        chaos.restart_broker()
        chaos.finish(feeder)

        expected = oracle.expected(settings, oracle.real_core(policy.read_text()))
        found = oracle.found(settings)
    told = "\n".join(chaos.story)
    assert len(expected.alerts) > 100, told
    assert not found.conflicts, told
    assert found.alerts.keys() == expected.alerts.keys(), told
    assert found.alerts == expected.alerts, told
    assert found.wins == expected.wins, told
    assert found.states == expected.states, told
    assert found.dead_letters == expected.dead_letters, told
