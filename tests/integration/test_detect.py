"""A detect worker as a process, on a real broker."""

from __future__ import annotations

import base64
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from kafka.admin import ConfigResource

import oracle
from live import Worker, committed, produce, read, until, wait_for_the_end
from pushed import change, deals
from wellwon.core.state import PREFIX, VERSION
from wellwon.policy import load_policy
from wellwon.runtime import deadletters, topics
from wellwon.runtime.restore import LINEAGE
from wellwon.runtime.settings import Settings

Start = Callable[..., Worker]


def assert_equal_to_the_core_alone(settings: Settings) -> oracle.Outcome:
    """Compare what the worker left in Kafka, and its successor takes up, with the core run over the same log."""
    expected = oracle.expected(settings, oracle.real_core())
    found = oracle.taken_up(settings, oracle.real_core(epoch=settings.epoch))
    assert found.conflicts == []
    assert found.alerts == expected.alerts
    assert found.wins == expected.wins
    assert found.states == expected.states
    assert found.dead_letters == expected.dead_letters
    return found


def test_changes_in_alerts_out(live: Settings, start: Start) -> None:
    worker = start(live).wait_ready()
    produce(live, deals(40))
    wait_for_the_end(live)
    metrics = worker.metrics()
    assert metrics["wellwon_changes_total"] == 160
    until(lambda: worker.metrics().get("wellwon_state_deals") == 40, "the gauges")
    assert worker.stop() == 0
    found = assert_equal_to_the_core_alone(live)
    assert len({alert["opportunity_id"] for alert in map(orjson.loads, found.alerts.values())}) == 40


def test_restart_takes_up_from_the_checkpoint(live: Settings, start: Start) -> None:
    records = deals(30)
    worker = start(live).wait_ready()
    produce(live, records[:60])
    wait_for_the_end(live)
    assert worker.stop() == 0
    assert len(list(live.data.rglob("*.checkpoint"))) == live.partitions

    worker = start(live).wait_ready()
    produce(live, records[60:])
    wait_for_the_end(live)
    assert worker.metrics()["wellwon_skipped_changes_total"] == 0
    assert worker.stop() == 0
    assert_equal_to_the_core_alone(live)


def test_a_damaged_checkpoint_falls_back_to_the_changelog(live: Settings, start: Start) -> None:
    records = deals(30)
    worker = start(live).wait_ready()
    produce(live, records[:60])
    wait_for_the_end(live)
    assert worker.stop() == 0
    for path in live.data.rglob("*.checkpoint"):
        path.write_bytes(path.read_bytes()[:-30])

    worker = start(live).wait_ready()
    assert "checkpoint not used" in worker.tail()
    produce(live, records[60:])
    wait_for_the_end(live)
    assert worker.stop() == 0
    assert_equal_to_the_core_alone(live)


def test_metrics_and_health(live: Settings, start: Start) -> None:
    worker = start(live).wait_ready()
    produce(live, deals(5))
    wait_for_the_end(live)
    with urllib.request.urlopen(f"http://{live.http}/metrics") as reply:
        page = reply.read()
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert b"wellwon_change_to_alert_seconds_bucket" in page
    assert b"deal-" not in page
    with urllib.request.urlopen(f"http://{live.http}/live") as reply:
        assert reply.status == 200
    assert worker.stop() == 0


MALFORMED: dict[str, tuple[bytes | None, bytes | None]] = {
    "not_json": (b"d", b"{"),
    "wrong_type": (b"d", b'{"kind": 7}'),
    "unknown_version": (b"d", b'{"kind":"changed","schema":"opportunity-change.v9","id":"a","opportunity_id":"d"}'),
    "too_large": (b"d", b"x" * 2 * 2**20),
    "empty_key": (None, change(1, "d", "2026-01-01T00:00:00Z", amount="1.00")[1]),
    "null_value": (b"d", None),
    "bad_value": change(1, "d", "2026-01-01T00:00:00Z", close_date="2026-13-45"),
}


def test_malformed_input_ends_in_the_dead_letters(live: Settings, start: Start) -> None:
    worker = start(live).wait_ready()
    produce(live, MALFORMED.values())
    produce(live, deals(3))
    wait_for_the_end(live)
    assert worker.metrics()["wellwon_dead_letters_total"] == len(MALFORMED)
    letters = {letter.reason: letter for letter in deadletters.read(live)}
    assert set(letters) == set(MALFORMED)
    for reason, (key, value) in MALFORMED.items():
        assert letters[reason].value == value
        assert letters[reason].key == key
    assert worker.stop() == 0
    assert_equal_to_the_core_alone(live)


def test_a_worker_whose_dead_letters_are_refused_stops_before_it_commits(live: Settings, start: Start) -> None:
    with topics.admin(live) as admin:
        name = live.topic(topics.DEAD_LETTERS)
        admin.alter_configs([ConfigResource("TOPIC", name, {"max.message.bytes": "1000"})])
    worker = start(live).wait_ready()
    produce(live, [(b"d", b"x" * 5_000)])
    until(lambda: worker.exit_code is not None, "the worker to stop")
    assert worker.exit_code == 1
    assert "Kafka did not take an alert, win, dead letter or request" in worker.tail()
    letter_at = next(message for message in read(live, topics.CHANGES) if message.key() == b"d")
    assert committed(live)[letter_at.partition() or 0] <= (letter_at.offset() or 0)


def test_other_partitions_than_declared_are_told(live: Settings, start: Start) -> None:
    worker = start(replace(live, partitions=7)).wait_ready()
    name = live.topic(topics.CHANGES)
    has = live.partitions
    told = f"WARNING {name} has {has} partitions, declared are 7: WELLWON_PARTITIONS={has}; or stop"
    assert told in worker.tail()
    assert worker.stop() == 0


def test_a_start_says_what_runs_and_nothing_else(live: Settings, start: Start, tmp_path: Path) -> None:
    policy = tmp_path / "ours.yaml"
    policy.write_text("window_days: 9\n", encoding="utf-8")
    worker = start(replace(live, policy=policy)).wait_ready()
    produce(live, [*deals(3), (b"d", b"{"), (b"d", b"{")])
    wait_for_the_end(live)
    assert worker.stop() == 0
    said = [line[len("00:00:00 ") :].split(maxsplit=1) for line in worker.tail().splitlines()]
    assert [level for level, _ in said if level != "INFO"] == ["WARNING"]
    told = " ".join(text for _, text in said)
    assert "reasons={'not_json': " in told
    assert f"policy={policy} fingerprint={load_policy('window_days: 9').fingerprint}" in told
    assert "Starting" not in told


def test_a_wrong_policy_is_told_before_anything_starts(live: Settings, start: Start, tmp_path: Path) -> None:
    policy = tmp_path / "ours.yaml"
    policy.write_text("window_days: 900\n", encoding="utf-8")
    worker = start(replace(live, policy=policy))
    until(lambda: worker.exit_code is not None, "the worker to refuse")
    assert worker.exit_code == 2
    assert worker.tail().startswith(f"Error: {policy}:1:14: ")


def test_redrive_sends_the_originals_back(live: Settings, start: Start) -> None:
    worker = start(live).wait_ready()
    produce(live, [(b"d", b"{"), (b"d", None)])
    wait_for_the_end(live)
    assert deadletters.redrive(live, deadletters.read(live)) == (1, 1)
    until(lambda: worker.metrics()["wellwon_dead_letters_total"] == 3, "the redriven letter to be refused again")
    assert [letter.closed is None for letter in deadletters.read(live)] == [False, True, True]
    raw = orjson.loads(read(live, topics.DEAD_LETTERS)[0].value() or b"")
    assert base64.b64decode(raw["value"]) == b"{"
    assert worker.stop() == 0


def refused(settings: Settings, start: Start) -> str:
    """Start a worker that must refuse; return its log."""
    worker = start(settings)
    until(lambda: worker.exit_code is not None, "the worker to refuse")
    assert worker.exit_code == 1
    return worker.tail()


def test_a_worker_without_topics_or_a_port_does_not_look_as_if_it_worked(live: Settings, start: Start) -> None:
    elsewhere = replace(live, topic_prefix="nowhere.", declare_topics=False)
    assert "topics are missing: run `wellwon topics create`" in refused(elsewhere, start)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused(replace(live, http=f"127.0.0.1:{taken.getsockname()[1]}"), start)
    assert "cannot be served: address already in use (WELLWON_HTTP)" in said


def with_history(settings: Settings, start: Start) -> None:
    """Leave states behind, as of a worker that was stopped."""
    worker = start(settings).wait_ready()
    produce(settings, deals(20))
    wait_for_the_end(settings)
    assert worker.stop() == 0


def test_a_recreated_topic_is_refused_until_the_epoch_is_raised(live: Settings, start: Start) -> None:
    with_history(live, start)
    name = live.topic(topics.CHANGES)
    with topics.admin(live) as admin:
        admin.delete_topics([name])
        until(lambda: name not in admin.list_topics(), "the topic to be gone")
    topics.create(live)
    assert "WELLWON_EPOCH=1" in refused(live, start)

    worker = start(replace(live, epoch=1)).wait_ready()
    produce(live, [change(99, "deal-0", "2026-10-02T10:00:00Z", amount="60000.00")])
    wait_for_the_end(live)
    assert worker.metrics()["wellwon_changes_total"] == 1
    assert worker.metrics()["wellwon_skipped_changes_total"] == 0
    assert worker.stop() == 0


def test_a_worker_of_an_older_epoch_is_refused(live: Settings, start: Start) -> None:
    with_history(replace(live, epoch=1), start)
    before = read(live, topics.STATE)
    assert "was written with WELLWON_EPOCH=1, and here it is 0: set WELLWON_EPOCH=1" in refused(live, start)
    for path in live.data.rglob("*.checkpoint"):
        path.unlink()
    assert "set WELLWON_EPOCH=1" in refused(live, start)
    assert len(read(live, topics.STATE)) == len(before)
    with_history(replace(live, epoch=1), start)


def test_lost_states_are_refused_until_a_new_group_starts_over(live: Settings, start: Start) -> None:
    with_history(live, start)
    before = {deal for deal in oracle.found(live).states if deal.startswith(b"deal-")}
    name = live.topic(topics.STATE)
    with topics.admin(live) as admin:
        admin.delete_topics([name])
        until(lambda: name not in admin.list_topics(), "the topic to be gone")
    assert "states were lost" in refused(live, start)
    assert read(live, topics.STATE) == []

    again = replace(live, group=f"{live.group}-2")
    worker = start(again).wait_ready()
    wait_for_the_end(again)
    assert worker.stop() == 0
    assert before <= assert_equal_to_the_core_alone(live).states.keys()


def test_a_shorter_log_is_refused_where_there_are_no_topic_ids(live: Settings, start: Start) -> None:
    with_history(live, start)
    ahead = PREFIX.pack(VERSION, 0, 1, 1_000_000, -1)
    state = next(message for message in read(live, topics.STATE) if (message.key() or b"").startswith(b"deal-"))
    body = (state.value() or b"")[PREFIX.size :]
    produce(live, [(state.key(), ahead + body)], topics.STATE)
    assert "states were made from offset 1000000" in refused(live, start)


def test_a_newer_changelog_is_refused(live: Settings, start: Start) -> None:
    with_history(live, start)
    produce(live, [(b"deal-1", PREFIX.pack(VERSION + 1, 0, 1, 0, -1) + b"whatever")], topics.STATE)
    assert f"states of version {VERSION + 1}" in refused(live, start)


@pytest.mark.parametrize("also_the_states", [False, True])
def test_more_partitions_are_refused(live: Settings, start: Start, also_the_states: bool) -> None:
    with_history(live, start)
    grown = {live.topic(topics.CHANGES): 6} | ({live.topic(topics.STATE): 6} if also_the_states else {})
    with topics.admin(live) as admin:
        admin.create_partitions(grown)
        admin.wait_for_topics(list(grown))
    assert "wellwon topics repartition 6" in refused(live, start)


def test_the_lineage_is_in_every_partition(live: Settings, start: Start) -> None:
    with_history(live, start)
    kept = [message for message in read(live, topics.STATE) if message.key() == LINEAGE]
    assert {message.partition() for message in kept} == set(range(live.partitions))
