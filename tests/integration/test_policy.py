"""An edit of the policy takes effect in the running system, on a real broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson

import oracle
from live import Worker, environment, produce, read, until, wait_for_the_end
from pushed import deals
from wellwon.policy import load_policy
from wellwon.runtime import policy_record, topics
from wellwon.runtime.doctor import Verdict, examine
from wellwon.runtime.settings import Settings

Start = Callable[..., Worker]

RULES = "rules:\n  close-date-push: {{pushes: {pushes}, single_days: 730, high_pushes: 12}}\n"
LAX = RULES.format(pushes=10)
STRICT = RULES.format(pushes=2)


def apply(settings: Settings, policy: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`wellwon policy apply -`, as people run it."""
    command = [sys.executable, "-m", "wellwon", "policy", "apply", "-", *options]
    env = environment(settings)
    done = subprocess.run(command, env=env, input=policy, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def told(settings: Settings) -> Counter[tuple[str, str]]:
    """What came of the rule so far: (transition, reason)."""
    alerts = [orjson.loads(message.value() or b"") for message in read(settings, topics.ALERTS)]
    return Counter((a["transition"], a["reason"]) for a in alerts if a["rule"] == "close-date-push")


def working(live: Settings, start: Start, tmp_path: Path, policy: str) -> tuple[Settings, Worker]:
    """A worker with a policy file, and 20 deals that were pushed three times."""
    file = tmp_path / "ours.yaml"
    file.write_text(policy, encoding="utf-8")
    live = replace(live, policy=file)
    worker = start(live).wait_ready()
    produce(live, deals(20))
    wait_for_the_end(live)
    return live, worker


def test_an_edit_opens_alerts_and_taken_back_it_closes_them(live: Settings, start: Start, tmp_path: Path) -> None:
    live, worker = working(live, start, tmp_path, LAX)
    assert not told(live)

    edited = apply(live, STRICT)
    assert edited.returncode == 0, edited.stderr + worker.tail()
    assert "rules.close-date-push.pushes: 10 to 2" in edited.stdout
    assert f"taken up by {live.partitions} of {live.partitions} partitions" in edited.stdout
    assert "close-date-push: 20 opened" in edited.stdout
    assert told(live) == {("opened", "policy"): 20}

    back = apply(live, LAX, "--json")
    assert back.returncode == 0, back.stderr + worker.tail()
    said = json.loads(back.stdout)
    assert said["alerts"]["close-date-push"] == {"resolved": 20}
    assert said["waiting"] == []
    assert told(live) == {("opened", "policy"): 20, ("resolved", "policy"): 20}

    assert worker.stop() == 0
    expected, found = oracle.expected(live, oracle.real_core(LAX)), oracle.taken_up(live, oracle.real_core(LAX))
    assert found.alerts == expected.alerts
    assert found.states == expected.states


def test_what_is_in_force_already_is_not_published_again(live: Settings, start: Start, tmp_path: Path) -> None:
    live, _ = working(live, start, tmp_path, STRICT)
    wait_for_the_end(live)
    again = apply(live, STRICT)
    assert (again.returncode, again.stdout) == (0, "standard input is in force in every partition already\n")

    commented = apply(live, f"# ours\n{STRICT}", "--dry-run")
    assert (commented.returncode, commented.stdout) == (0, "only words changed (comments, order): no value\n")
    assert set(policy_record.in_force(live).values()) == {STRICT}

    routed = apply(live, f"{STRICT}deliver: {{settle_minutes: 0}}\n", "--dry-run")
    assert "deliver.settle_minutes: 5 to 0" in routed.stdout
    assert "when it starts with this file" in routed.stdout


def test_the_doctor_says_when_another_policy_is_in_force(live: Settings, start: Start, tmp_path: Path) -> None:
    live, worker = working(live, start, tmp_path, LAX)
    assert [verdict.state for verdict in examined(live)] == ["good", "good"]
    assert apply(live, STRICT).returncode == 0, worker.tail()
    assert "policy taken up" in worker.tail()
    assert [(verdict.state, verdict.said) for verdict in examined(live)] == [
        ("good", f"{live.policy}, fingerprint {load_policy(LAX).fingerprint}"),
        ("note", "another policy than the file's is in force"),
    ]


def examined(settings: Settings) -> list[Verdict]:
    """What the doctor says of the policy."""
    return [verdict for verdict in examine(environment(settings)) if verdict.subject == "policy"]


def test_an_edit_outlives_a_worker_that_joins_and_leaves(live: Settings, start: Start, tmp_path: Path) -> None:
    """What a worker gains later keeps the policy in force, although its own file is older."""
    live, first = working(live, start, tmp_path, LAX)
    other = replace(live, instance="b", http="127.0.0.1:0", policy=tmp_path / "strict.yaml")
    (tmp_path / "strict.yaml").write_text(STRICT, encoding="utf-8")
    second = start(other)
    until(lambda: set(policy_record.in_force(live).values()) == {STRICT}, "the newcomer's policy, everywhere")
    assert second.stop() == 0
    first.wait_ready()
    wait_for_the_end(live)
    assert set(policy_record.in_force(live).values()) == {STRICT}
    assert first.stop() == 0


def test_without_a_worker_it_is_published_and_said_so(live: Settings) -> None:
    alone = apply(live, STRICT, "--timeout", "1")
    assert alone.returncode == 1
    assert "there is no policy in force" in alone.stdout
    assert "takes effect when a worker reads it" in alone.stdout


def test_a_wrong_policy_never_reaches_the_partitions(live: Settings) -> None:
    wrong = apply(live, "rules: {close-date-psh: off}\n")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("standard input:1:9: 'close-date-psh' is not a rule: did you mean")
    assert not read(live, topics.CHANGES)


def test_norms_travel_with_the_policy(live: Settings, start: Start, tmp_path: Path) -> None:
    (tmp_path / "usual.yaml").write_text(
        "made: 2026-01-01\nhistory: {first: 2025-01-01, last: 2025-12-31}\n"
        "segments: {default: {wins: 40, discount_p75: {percent: 12, n: 40}}}\n",
        encoding="utf-8",
    )
    live, _ = working(live, start, tmp_path, "norms_file: usual.yaml\n")
    [text] = set(policy_record.in_force(live).values())
    assert text is not None
    assert "percent: 12" in text
    os.remove(tmp_path / "usual.yaml")
    assert apply(live, text).stdout == "standard input is in force in every partition already\n"
