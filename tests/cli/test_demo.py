"""`wellwon demo` as a newcomer runs it: a process of its own, no broker, nothing in the environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

LIMIT_S = 60
ENDED_S = 20


def start(*arguments: str) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WELLWON_")}
    return subprocess.Popen(
        [sys.executable, "-m", "wellwon", "demo", *arguments],
        env={**clean, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


class Ended:
    """What a finished demo showed."""

    def __init__(self, process: subprocess.Popen[bytes], began: float) -> None:
        out, err = process.communicate(timeout=LIMIT_S)
        self.code, self.out, self.err = process.returncode, out.decode(), err.decode()
        self.seconds = time.monotonic() - began


class Kept:
    """A demo that was left running: its document, then its metrics while it runs, then Ctrl-C."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        text = b""
        for line in process.stdout:
            text += line
            if line == b"}\n":
                break
        watchdog.cancel()
        self.document: dict[str, Any] = orjson.loads(text)
        with urllib.request.urlopen(self.document["metrics"], timeout=10) as answer:
            self.metrics = answer.read().decode()
        process.send_signal(signal.SIGINT)
        process.wait(ENDED_S)
        self.code = process.returncode
        assert process.stderr is not None
        self.err = process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()


@pytest.fixture(scope="module")
def demos() -> Iterator[tuple[Ended, Kept]]:
    began = time.monotonic()
    show, kept = start(), start("--json", "--keep")
    try:
        yield Ended(show, began), Kept(kept)
    finally:
        for process in (show, kept):
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def ended(demos: tuple[Ended, Kept]) -> Ended:
    return demos[0]


@pytest.fixture
def kept(demos: tuple[Ended, Kept]) -> Kept:
    return demos[1]


def messages(ended: Ended) -> int:
    """How many messages the demo says that it sent."""
    said = re.search(r"^412 deals, (\d+) messages", ended.out, re.MULTILINE)
    assert said, ended.out
    return int(said[1])


def silent(ended: Ended) -> int:
    """How many look-alikes the demo says it did not flag; one or two show something besides, and honestly."""
    said = re.search(r"(29|30|31) look-alikes not flagged$", ended.out, re.MULTILINE)
    assert said, ended.out
    return int(said[1])


def test_it_ends_by_itself_within_a_minute(ended: Ended) -> None:
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert ended.seconds < LIMIT_S


def test_it_has_no_colours_outside_a_terminal(ended: Ended) -> None:
    assert "\x1b" not in ended.out


def test_the_last_days_are_told_with_their_messages(ended: Ended) -> None:
    days = re.findall(r"^(?:Mon|Tue|Wed|Thu|Fri) \d+ Sep", ended.out, re.MULTILINE)
    assert days == [f"{name} {day} Sep" for name, day in zip(
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Mon", "Tue", "Wed"), (21, 22, 23, 24, 25, 28, 29, 30), strict=True
    )]  # fmt: skip
    told = re.findall(r"^    (high|warning|info) +(\S.* - \$\S+ - .*\S) *$", ended.out, re.MULTILINE)
    assert len(told) == messages(ended)
    assert sum("before quarter end" in title for _, title in told) >= 2


def test_a_pressured_deal_is_shown_as_its_owner_reads_it(ended: Ended) -> None:
    panel = ended.out.partition("Pushed: ")[2].partition("╰")[0]
    assert re.search(r"- \$\d+k - \d acts in \d days?, ", panel)
    assert "push-to-close" in panel
    for act in ("pull-in", "concession", "unanswered touches"):
        assert len(re.findall(rf"  {act} +│$", panel, re.MULTILINE)) == 1, act
    assert "Against: 3 acts of 2 kinds" in panel
    assert "Clears when the buyer gave the date" in panel


def test_an_honest_lookalike_says_why_it_stays_silent(ended: Ended) -> None:
    panel = ended.out.partition("Not pushed, ")[2].partition("╰")[0]
    assert re.search(r"close date \d+ Sep to \d+ Oct +\(the buyer gave this date\)", panel)
    assert "No message: the buyer gave this date" in panel


def test_a_deal_won_well_is_shown_with_its_facts(ended: Ended) -> None:
    panel = ended.out.partition("Won well: ")[2].partition("╰")[0]
    assert re.search(r"price held +yes", panel)
    assert re.search(r"date held +yes", panel)
    assert re.search(r"buyer answered +yes", panel)
    assert "Read as earned." in panel


def test_the_sum_is_told(ended: Ended) -> None:
    assert 10 <= messages(ended) <= 40
    assert re.search(r"^412 deals, \d+ messages, (29|30|31) look-alikes not flagged$", ended.out, re.MULTILINE)
    assert "Of the 10 deals that the simulator pushed, 10 were found." in ended.out
    assert re.search(r"^Won-well rate \d+% \(\d+ earned, of \d+ wins", ended.out, re.MULTILINE)
    assert re.search(r"^Metrics at http://127\.0\.0\.1:\d+/metrics", ended.out, re.MULTILINE)


def test_people_are_told_by_slack(ended: Ended, kept: Kept) -> None:
    assert re.search(r"^    Slack: \d+ messages? to \d+ recipients?, \d+ edited", ended.out, re.MULTILINE)
    posted = kept.document["slack"]
    assert {one["edited"] for one in posted} == {True, False}
    assert all(re.fullmatch(r"#revops|\w+@example\.com", one["to"]) and one["message"]["blocks"] for one in posted)


def test_the_document_holds_the_same_as_the_show(kept: Kept, ended: Ended) -> None:
    document = kept.document
    assert (document["deals"], document["messages"], document["lookalikes_silent"]) == (
        412,
        messages(ended),
        silent(ended),
    )
    shown = document["shown"]
    for name in ("pressured", "lookalike", "won"):
        assert shown[name]["name"] in ended.out
    assert shown["pressured"]["messages"][0]["rule"] == "push-to-close"
    assert shown["lookalike"]["messages"] == []
    assert {"why": "the buyer gave this date"}.items() <= shown["lookalike"]["story"][-1].items()
    assert shown["won"]["win"]["reading"] == "earned"


def test_kept_it_serves_the_metrics_of_what_was_played(kept: Kept) -> None:
    changes = re.findall(r'^wellwon_changes_total\{.*source="simulator".*\} (\S+)$', kept.metrics, re.MULTILINE)
    assert sum(map(float, changes)) == kept.document["changes"]
    opened = re.findall(
        r'^wellwon_alert_transitions_total\{rule="push-to-close",.*transition="opened"\} (\S+)$',
        kept.metrics,
        re.MULTILINE,
    )
    assert sum(map(float, opened)) == 1


def test_kept_it_ends_on_an_interrupt(kept: Kept) -> None:
    assert kept.code == 0, kept.err
    assert kept.err == ""
