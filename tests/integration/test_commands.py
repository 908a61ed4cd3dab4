"""The commands that talk to Kafka, on a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kafka.admin import NewPartitions

import kafka_broker
import live
from wellwon.cli.examples import life
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings


@dataclass
class Ran:
    """How a command ended."""

    code: int
    output: str
    error: str


@dataclass
class Site:
    """An installation with topics of its own."""

    settings: Settings

    def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        command = [sys.executable, "-m", "wellwon", *arguments]
        env = live.environment(self.settings)
        done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def wrong(self) -> list[dict[str, str]]:
        """What the doctor finds wrong."""
        return [verdict for verdict in json.loads(self("doctor", "--json").output) if verdict["state"] == "wrong"]


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_broker.running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap


@pytest.fixture
def site(bootstrap: str, tmp_path: Path) -> Callable[[str], Site]:
    return lambda name: Site(live.settings_for(bootstrap, tmp_path, name, partitions=2))


def test_topics_are_made_compared_and_looked_after(site: Callable[[str], Site]) -> None:
    wellwon = site("cli-topics")
    missing = wellwon("topics", "verify")
    assert missing.code == 1
    assert "cli-topics.alerts does not exist" in missing.output
    assert {verdict["remedy"] for verdict in wellwon.wrong()} == {"wellwon topics create"}

    made = wellwon("topics", "create")
    assert (made.code, made.output.count("created")) == (0, len(topics.TOPICS))
    assert wellwon("topics", "create").output == "nothing to create: every topic exists\n"
    assert wellwon("topics", "create", "--raw", "crm").output == "created cli-topics.raw.crm\n"
    wrong = wellwon("topics", "create", "--raw", "no name")
    assert wrong.code == 2
    assert wellwon("topics", "verify").code == 0
    well = wellwon("doctor")
    assert well.code == 0, well.output
    assert "0 deals; a worker would start" in well.output
    assert "no worker is running" in well.output
    assert "no rollup is running" in well.output

    with topics.admin(wellwon.settings) as admin:
        admin.create_partitions({"cli-topics.opportunity-changes": NewPartitions(3)})
    live.until(lambda: wellwon("topics", "verify").code == 1, "the new partition to be seen")
    said = {verdict["said"]: verdict["remedy"] for verdict in wellwon.wrong()}
    assert "WELLWON_PARTITIONS=3" in said["cli-topics.opportunity-changes has 3 partitions, declared are 2"]
    assert any("wellwon topics repartition 3" in remedy for remedy in said.values())


def test_ingest_worker_doctor(site: Callable[[str], Site]) -> None:
    wellwon = site("cli-ingest")
    lines = "".join(json.dumps(event) + "\n" for event in life())
    sent = wellwon("ingest", "changes", "-", "--clock", stdin=lines)
    assert sent.code == 0, sent.error
    assert f"{len(life())} changes of 1 deal sent" in sent.error
    assert f"{sum(live.log_ends(wellwon.settings).values())} records are to be processed" in wellwon("doctor").output

    wellwon = Site(replace(wellwon.settings, clock="log"))
    worker = live.Worker(wellwon.settings).start()
    try:
        worker.wait_ready()
        live.until(lambda: live.committed(wellwon.settings) == live.log_ends(wellwon.settings), "the log to be read")
        running = wellwon("doctor")
        assert running.code == 0, running.output
        assert "1 running" in running.output
        assert "1 deals; a worker would start" in running.output
        live_and_replayed(wellwon, lines)
    finally:
        worker.stop()
    told = {json.loads(message.value())["rule"] for message in live.read(wellwon.settings, topics.ALERTS)}
    assert "late-discount" in told

    wrong = Site(replace(wellwon.settings, partitions=5)).wrong()
    assert {"WELLWON_PARTITIONS=2" in verdict["remedy"] for verdict in wrong} == {True}


def test_partitions_are_added_and_a_deal_is_forgotten(site: Callable[[str], Site]) -> None:
    wellwon = site("cli-at-rest")
    deal = life()[0]["opportunity_id"]
    sent = wellwon("ingest", "changes", "-", "--clock", stdin="".join(json.dumps(event) + "\n" for event in life()))
    assert sent.code == 0, sent.error
    worker = live.Worker(replace(wellwon.settings, clock="log")).start()
    try:
        worker.wait_ready()
        live.wait_for_the_end(wellwon.settings)
        for command in (("topics", "repartition", "5"), ("forget", "--deal", deal)):
            early = wellwon(*command)
            assert (early.code, "1 of `wellwon worker`" in early.error) == (1, True)
    finally:
        worker.stop()

    more = wellwon("topics", "repartition", "5")
    assert (more.code, more.error) == (0, "")
    assert "2 to 5 partitions: " in more.output
    assert "set WELLWON_PARTITIONS=5" in more.output
    assert json.loads(wellwon("topics", "repartition", "5", "--json").output) == {"partitions": 5, "unread": 0}
    assert wellwon("topics", "repartition", "1").code == 1
    wellwon = Site(replace(wellwon.settings, partitions=5))
    assert wellwon("topics", "verify").code == 0
    assert "1 deals; a worker would start" in wellwon("doctor").output

    gone = wellwon("forget", "--deal", deal)
    assert (gone.code, gone.error) == (0, "")
    assert "cli-at-rest.detect-state: 1 record deleted" in gone.output
    assert "what came in stays, for about 7 days" in gone.output
    assert "0 deals; a worker would start" in wellwon("doctor").output
    assert json.loads(wellwon("forget", "--deal", deal, "--logs", "--json").output)["cut_off"] == {
        topics.CHANGES: len(life()),
        topics.REREADS: 1,
    }
    assert wellwon("forget", "--owner", "nobody").output.startswith("nothing is kept about it")
    for wrong in ((), ("--deal", "a", "--owner", "b"), ("--deal", "a", "--also", "b")):
        assert wellwon("forget", *wrong).code == 2


def live_and_replayed(wellwon: Site, lines: str) -> None:
    """A deal is explained from the running system as from its history."""
    deal = life()[0]["opportunity_id"]
    asked = wellwon("policy", "explain", deal, "--json")
    assert asked.code == 0, asked.error
    replayed = json.loads(wellwon("policy", "explain", deal, "--json", "--replay", "changes", "-", stdin=lines).output)
    running = json.loads(asked.output)
    assert "of the running system" in running.pop("from")
    replayed.pop("from")
    assert running == replayed
    missing = wellwon("policy", "explain", "no-such-deal")
    assert missing.code == 1
    assert "no deal 'no-such-deal' in partition" in missing.error


def test_dead_letters_are_listed_shown_and_sent_again(site: Callable[[str], Site]) -> None:
    wellwon = site("cli-dead")
    lines = json.dumps(life()[0]) + "\nnot JSON\n" + json.dumps({**life()[1], "kind": "exploded"}) + "\n"
    sent = wellwon("ingest", "changes", "-", stdin=lines)
    assert sent.code == 1, sent.error
    assert "cannot be used" in sent.error
    listed = json.loads(wellwon("dead-letters", "list", "--json").output)
    assert len(listed) == 2
    assert wellwon("dead-letters", "list").output.count("\n") == 3
    number, reason = str(listed[0]["number"]), listed[0]["reason"]
    shown = wellwon("dead-letters", "show", number)
    assert (shown.code, "not JSON" in shown.output) == (0, True)
    assert wellwon("dead-letters", "show", number, "--original").output == "not JSON"
    assert wellwon("dead-letters", "show", "99").code == 2
    assert len(json.loads(wellwon("dead-letters", "list", "--json", "--reason", reason).output)) == 1
    assert wellwon("dead-letters", "redrive", "--reason", "no-such-reason").output == "nothing to send\n"
    said = wellwon("dead-letters", "redrive", stdin="n\n")
    assert said.code == 0, said.error
    assert said.output == "2 came from a file (standard input): mend it and ingest it again\nnothing to send\n"

    assert wellwon("dead-letters", "dismiss", "--reason", reason, stdin="n\n").code == 1
    assert wellwon("dead-letters", "dismiss", "--reason", reason, "--yes").output == "dismissed 1 dead letter\n"
    (left,) = json.loads(wellwon("dead-letters", "list", "--json").output)
    assert left == listed[1]
    kept = json.loads(wellwon("dead-letters", "list", "--all", "--json").output)
    assert [letter["number"] for letter in kept] == [letter["number"] for letter in listed]
    assert (kept[0]["closed"].split()[0], kept[1]["closed"]) == ("dismissed", None)
    assert "1 more were sent again or dismissed" in wellwon("dead-letters", "list").error
    assert f"dead letter {number} was dismissed" in wellwon("dead-letters", "redrive", "--number", number).error
    assert "there is no dead letter 99" in wellwon("dead-letters", "dismiss", "--number", "99", "--yes").error


def test_what_was_sent_again_is_open_no_more(site: Callable[[str], Site]) -> None:
    wellwon = site("cli-redrive")
    assert "there is no topic cli-redrive.dead-letters" in wellwon("dead-letters", "list").error
    assert wellwon("topics", "create").code == 0
    assert wellwon("dead-letters", "list").output == "no open dead letters\n"
    live.produce(wellwon.settings, [(b"d1", b"{")])
    worker = live.Worker(wellwon.settings).start()
    try:
        live.wait_for_the_end(wellwon.settings)
        assert wellwon("dead-letters", "redrive", "--yes").output == "sent 1 record\n"
        live.wait_for_the_end(wellwon.settings)
        (again,) = json.loads(wellwon("dead-letters", "list", "--json").output)
        assert again["number"] > 0, "it was refused again, and that is a letter of its own"
        kept = json.loads(wellwon("dead-letters", "list", "--all", "--json").output)
        assert [str(letter["closed"]).split()[0] for letter in kept] == ["redriven", "None"]
    finally:
        worker.stop()
