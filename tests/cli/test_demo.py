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
from dataclasses import asdict
from typing import Any

import orjson
import pytest

from wellwon.cli.demo import DEALS, SEED, Totals, totals_of
from wellwon.history.replay import Replay
from wellwon.policy import compile_text
from wellwon.simulate import Simulation
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.score import Said

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


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def post(url: str, body: dict[str, str]) -> int:
    """As the page's own script does."""
    headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    request = urllib.request.Request(url, orjson.dumps(body), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.status)


class Kept:
    """A demo that was left running: its document, its metrics and its page while it runs, an answer, then Ctrl-C."""

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
        self.metrics = get(self.document["metrics"])
        page = self.document["page"]
        self.alerts = get(page)
        self.pushed = get(f"{page}/deals/{self.document['shown']['pressured']['opportunity_id']}")
        self.answered_page = self._answer(page)
        process.send_signal(signal.SIGINT)
        process.wait(ENDED_S)
        self.code = process.returncode
        assert process.stderr is not None
        self.err = process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()

    def _answer(self, page: str) -> str:
        """Say that an alert is seen, and return the page when it shows that."""
        mark = re.search(r'data-mark="(period-end-load:[^"]+)"', self.alerts)
        assert mark, self.alerts
        body = {"mark": mark[1], "press": "0123456789", "kind": "acknowledged"}
        assert post(f"{page}/replies", body) == 202
        deadline = time.monotonic() + LIMIT_S
        while 'class="said">seen<' not in (shown := get(page)):
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)
        return shown


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


@pytest.fixture(scope="module")
def expected() -> Totals:
    """What the core alone says of the same quarter."""
    simulation, said = Simulation(SEED, DEALS), Said()
    replay = Replay(
        policy_text(),
        compile_text,
        alert=lambda value: said.alert(orjson.loads(value)),
        win=lambda value: said.win(orjson.loads(value)),
        dead_letter=lambda letter: pytest.fail(letter.detail),
    )
    changes = replay.run(simulation, simulation.until - 1).changes
    return totals_of({label.opportunity_id: label for label in simulation.labels()}, said, changes)


def test_it_ends_by_itself_within_a_minute(ended: Ended) -> None:
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert ended.seconds < LIMIT_S


def test_it_has_no_colours_outside_a_terminal(ended: Ended) -> None:
    assert "\x1b" not in ended.out


def test_the_last_days_are_told_with_their_alerts(ended: Ended, kept: Kept, expected: Totals) -> None:
    days = re.findall(r"^(?:Mon|Tue|Wed|Thu|Fri) \d+ Sep", ended.out, re.MULTILINE)
    assert days == [f"{name} {day} Sep" for name, day in zip(
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Mon", "Tue", "Wed"), (21, 22, 23, 24, 25, 28, 29, 30), strict=True
    )]  # fmt: skip
    told = re.findall(r"^    (high|warning|info) +(\S.* - .*\S) *$", ended.out, re.MULTILINE)
    assert sum(" - $" in title for _, title in told) == expected.alerts
    assert len(told) == expected.alerts + kept.document["team_alerts"] > expected.alerts
    assert sum("before quarter end" in title for _, title in told) >= 2


def test_a_pressured_deal_is_shown_as_its_owner_reads_it(ended: Ended) -> None:
    panel = ended.out.partition("─ Pushed ─")[2].partition("╰")[0]
    for act in ("pull-in", "concession", "unanswered touches"):
        assert len(re.findall(rf"  {act} +│$", panel, re.MULTILINE)) == 1, act
    slack = panel.partition("Slack, to ")[2].partition("Salesforce")[0]
    assert re.search(r"- \$\d+k - \d acts in \d days?, ", slack)
    assert "Looked for: 3 acts of 2 kinds" in slack
    assert "Clears if the buyer gave the date" in slack
    assert "[Buyer gave date]" in slack
    assert re.search(r"http://127\.0\.0\.1:\d+/deals/006\w+ ", slack)


def test_salesforce_holds_the_facts_of_what_is_shown(ended: Ended, kept: Kept) -> None:
    pushed = ended.out.partition("─ Pushed ─")[2].partition("╰")[0].partition("Salesforce, ")[2]
    assert re.search(r"Wellwon_Flags__c +\S*push-to-close", pushed)
    assert re.search(r"Wellwon_Severity__c +warning", pushed)
    won = ended.out.partition("─ Won well ─")[2].partition("╰")[0].partition("Salesforce, ")[2]
    assert re.search(r"Wellwon_Price_Held__c +yes", won)
    assert "Flags" not in won
    wins = sum(kept.document["wins"].values())
    assert kept.document["salesforce"]["wins"] == wins
    shown = [int(count) for count in re.findall(r"Salesforce shows \d+ flags?, (\d+) wins\.$", ended.out, re.MULTILINE)]
    assert 0 < shown[0] < shown[-1] <= wins


def test_an_honest_lookalike_says_why_it_stays_silent(ended: Ended) -> None:
    panel = ended.out.partition("Not pushed, ")[2].partition("╰")[0]
    assert re.search(r"close date \d+ Sep to \d+ Oct +\(the buyer gave this date\)", panel)
    assert "No message: the buyer gave this date" in panel


def test_a_deal_won_well_is_shown_with_its_facts(ended: Ended) -> None:
    panel = ended.out.partition("─ Won well ─")[2].partition("╰")[0]
    assert re.search(r"price held +yes", panel)
    assert re.search(r"date held +yes", panel)
    assert re.search(r"buyer answered +yes", panel)
    assert "Read as earned." in panel


def test_the_sum_is_what_the_core_alone_says(ended: Ended, kept: Kept, expected: Totals) -> None:
    heard = f"{expected.alerts} alerts, {kept.document['team_alerts']} of teams"
    assert f"\n412 deals, {heard}, {expected.lookalikes_silent} look-alikes not flagged\n" in ended.out
    assert 10 <= expected.alerts <= 40
    assert expected.lookalikes_silent >= 30, "at most one shows something besides, and honestly"
    assert "Of the 10 deals that the simulator pushed, 10 were found." in ended.out
    known = sum(count for reading, count in expected.wins.items() if reading != "unknown")
    rate = f"Won-well rate {expected.won_well_rate:.0%} ({expected.wins['earned']} earned, of {known} wins"
    assert rate in ended.out
    assert re.search(r"^Live page at http://127\.0\.0\.1:\d+, metrics at http://\S+/metrics", ended.out, re.MULTILINE)


def test_people_are_told_by_slack(ended: Ended, kept: Kept) -> None:
    posted = kept.document["slack"]
    told = re.findall(
        r"^    Slack: (?:(\d+) messages? to \d+ recipients?)?(?:, )?(?:(\d+) edited)?\.", ended.out, re.MULTILINE
    )
    # Two runs, and nobody was told more or less in one of them.
    assert sum(int(new or 0) for new, _ in told) == sum(not one["edited"] for one in posted) > 0
    assert sum(int(edited or 0) for _, edited in told) == sum(one["edited"] for one in posted) > 0
    assert "#revops" in {one["to"] for one in posted}
    assert all(re.fullmatch(r"#revops|\w+@example\.com", one["to"]) and one["message"]["blocks"] for one in posted)


def test_the_document_holds_the_same_as_the_show(kept: Kept, ended: Ended, expected: Totals) -> None:
    document = kept.document
    of_this_run = {"seconds", "metrics", "page", "slack", "salesforce", "team_alerts"}
    totals = {name: value for name, value in asdict(expected).items() if name not in of_this_run}
    assert totals.items() <= document.items()
    shown = document["shown"]
    for name in ("pressured", "lookalike", "won"):
        assert shown[name]["name"] in ended.out
    assert shown["pressured"]["alerts"][0]["rule"] == "push-to-close"
    assert shown["lookalike"]["alerts"] == []
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


def test_kept_its_page_shows_what_is_open_and_takes_answers(kept: Kept) -> None:
    assert kept.document["shown"]["pressured"]["name"] in kept.pushed
    assert "push-to-close" in kept.pushed
    assert 'class="said">seen<' not in kept.alerts
    assert 'class="said">seen<' in kept.answered_page


def test_kept_it_ends_on_an_interrupt(kept: Kept) -> None:
    assert kept.code == 0, kept.err
    assert kept.err == ""
