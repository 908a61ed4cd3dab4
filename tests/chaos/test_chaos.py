"""Whatever goes wrong: the alerts and states are those of the core run alone over the same log.

``WELLWON_CHAOS_KILLS`` and ``WELLWON_CHAOS_RATE`` (changes a second) make it longer and harder.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

import histories
import oracle
import scenario
from kafka_broker import running
from live import REAL, settings_for
from scenario import Chaos, Feeder
from wellwon.runtime import topics

SEED = 20261123
KILLS = int(os.environ.get("WELLWON_CHAOS_KILLS", "10"))
RATE = float(os.environ.get("WELLWON_CHAOS_RATE", "500"))


def test_chaos(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    with running(tmp_path / "kafka") as broker:
        policy = tmp_path / "policy.yaml"
        policy.write_text(histories.POLICIES[-1])
        settings = settings_for(broker.bootstrap, tmp_path, "chaos", clock="log", policy=policy)
        settings.data.mkdir()
        topics.create(settings)
        feeder = Feeder(settings, scenario.changes(settings.partitions, SEED), RATE)
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
