"""``wellwon backtest`` as people type it: what it prints and writes, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wellwon.cli import cli
from wellwon.simulate.files import write_changes
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation

ROOT = Path(__file__).parents[2]
HISTORY = """\
Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,ForecastCategory
h1,d1,2026-01-05 09:00:00,ann,Prospecting,100000,2026-02-10,Pipeline
h2,d1,2026-01-20 09:00:00,ann,Negotiation/Review,100000,2026-02-10,Commit
h3,d1,2026-03-02 09:00:00,ann,Closed Won,100000,2026-03-02,Closed
h4,d2,2026-01-05 09:00:00,bob,Prospecting,100000,2026-02-20,Pipeline
"""
BAD_ROW = "h5,d2,never,bob,Prospecting,100000,2026-02-20,Pipeline\n"


def of(folder: Path, *arguments: str | Path) -> Result:
    """A backtest of the simulated organisation."""
    return backtest(folder / "changes.jsonl", "--policy", folder / "policy.yaml", *arguments)


def backtest(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["backtest", *map(str, arguments)])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WELLWON_POLICY", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    with (folder / "changes.jsonl").open("wb") as out:
        write_changes(Simulation(11, 1_600, 4, pressured=0.5), out)
    (folder / "policy.yaml").write_text(policy_text())
    return folder


@pytest.fixture(scope="module")
def said(simulated: Path) -> dict[str, Any]:
    result = of(simulated, "--json",
        "--report", simulated / "report.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_simulated_organisation(said: dict[str, Any], simulated: Path) -> None:
    assert said["deals"]["won"] + said["deals"]["lost"] > 1_000
    push = said["rules"]["close-date-push"]
    assert push["verdict"] == "more"
    assert push["became"]["won"] == 0
    assert 0.5 < said["wins"]["periods"]["2026-Q4"]["wins"] / 200 < 2
    value = {name: float(period["value"]["USD"]) for name, period in said["wins"]["periods"].items()}
    last_week = {name: float(period["value_in_last_week"]["USD"]) for name, period in said["wins"]["periods"].items()}
    # Of healthy deals 70 % fall in the last week (simulate/organisation.py); half of these deals are not healthy.
    assert 0.4 < sum(last_week.values()) / sum(value.values()) < 0.8
    assert said["headlines"][0] in (simulated / "report.html").read_text()


def test_tables_for_people(simulated: Path) -> None:
    result = of(simulated)
    assert result.exit_code == 0
    assert "times as often as like deals" in result.stdout.splitlines()[1]
    assert "\x1b" not in result.stdout
    for words in ("What became of flagged deals", "Data quality, counted apart", "How the wins were won",
                  "What this data cannot show", "close-date-push", "2026-Q4"):  # fmt: skip
        assert words in result.stdout


def test_flags_before_a_split_are_training(said: dict[str, Any], simulated: Path) -> None:
    result = of(simulated, "--split", "2027-01-01", "--json")
    assert result.exit_code == 0, result.output
    test_part = json.loads(result.stdout)
    assert test_part["judged_since"].startswith("2027-01-01")
    assert 0 < test_part["rules"]["close-date-push"]["flagged"] < said["rules"]["close-date-push"]["flagged"]
    assert test_part["deals"] == said["deals"]


def test_nothing_after_as_of_is_known(said: dict[str, Any], simulated: Path) -> None:
    result = of(simulated, "--as-of", "2027-01-01", "--json")
    early = json.loads(result.stdout)
    assert early["history"]["as_of"].startswith("2027-01-01")
    assert set(early["wins"]["periods"]) == {"2026-Q3", "2026-Q4"}
    assert early["wins"]["periods"]["2026-Q3"] == said["wins"]["periods"]["2026-Q3"]


def test_outcomes_are_joined(simulated: Path, here: Path) -> None:
    won = [json.loads(line) for line in (simulated / "changes.jsonl").read_text().splitlines()]
    ids = sorted({c["opportunity_id"] for c in won if c.get("values", {}).get("stage") == "Closed Won"})
    rows = [f"{deal},{'churned' if number % 4 == 0 else 'renewed'},2028-01-10" for number, deal in enumerate(ids)]
    (here / "outcomes.csv").write_text("deal,outcome,date\n" + "\n".join(rows))
    result = of(simulated, "--outcomes", "outcomes.csv", "--json")
    retention = json.loads(result.stdout)["retention"]
    assert retention["wins"] > 300
    assert sum(fates.get("churned", 0) for fates in retention["by_reading"].values()) == pytest.approx(
        retention["wins"] / 4, abs=20
    )
    wrong = backtest(simulated / "changes.jsonl", "--outcomes", simulated / "policy.yaml")
    assert wrong.exit_code == 2
    assert "policy.yaml:3:" in wrong.output


def test_rejected_rows_go_to_a_side_file(here: Path) -> None:
    (here / "history.csv").write_text(HISTORY + BAD_ROW)
    result = backtest("history.csv", "--report", "out.html")
    assert result.exit_code == 1
    assert "left out: 1 row that cannot be used: see rejected.jsonl; mend them in the export" in result.stderr
    assert "never" in (here / "rejected.jsonl").read_text()
    assert "Rows that could not be used: 1. They are in rejected.jsonl" in (here / "out.html").read_text()
    (here / "clean.csv").write_text(HISTORY)
    (here / "rejected.jsonl").unlink()
    assert backtest("clean.csv").exit_code == 0
    assert not (here / "rejected.jsonl").exists()


def test_where_nothing_can_be_used_the_message_says_why(here: Path) -> None:
    (here / "history.csv").write_text("deal_id,timestamp,name,value\n1,2026-01-05 09:00:00,phase,open\n")
    result = backtest("history.csv")
    assert result.exit_code == 2
    assert "fields that nothing reads: 'phase': say under fields in the policy which of them is stage" in result.stderr
    header, *rows = HISTORY.splitlines()
    (here / "mixed.csv").write_text("\n".join((header, *(row.replace(",", ";") for row in rows))))
    result = backtest("mixed.csv")
    assert result.exit_code == 2
    assert "mixed.csv:2: the row has 1 cells, the header" in result.stderr
    assert "the delimiter another one than in the header?" in result.stderr
    assert "fields that nothing reads" not in result.stderr


def test_what_the_data_cannot_show_names_deals_that_say_little(here: Path) -> None:
    (here / "history.csv").write_text(
        "OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,IsDeleted\n"
        "d1,2026-01-05 09:00:00,ann,Closed Won,100000,2026-01-05,FALSE\n"
        "d2,2026-01-06 09:00:00,ann,Prospecting,5000,2026-03-10,TRUE\n"
    )
    limits = " ".join(json.loads(backtest("history.csv", "--json").stdout)["limits"])
    assert "Deals without a history from before their close: 1; how it came is not known." in limits
    assert "1 of 2 deals were deleted; what they would have come to is not known." in limits


def test_rows_with_the_id_of_another_are_counted(here: Path) -> None:
    (here / "history.csv").write_text(HISTORY + HISTORY.partition("\n")[2])
    said = json.loads(backtest("history.csv", "--json").stdout)
    assert said["history"]["changes"] == 4
    assert "4 rows have the id of another row of the deal" in " ".join(said["limits"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "none.csv: no such file or directory"),
        (["history.csv", "--as-of", "soon"], "--as-of: 'soon' is not"),
        (["history.csv", "--split", "soon"], "--split: 'soon' is not"),
        (
            ["history.csv", "--split", "2027-01-01"],
            "--split: the history ends at 2026-03-02T09:00:00Z: nothing is left",
        ),
        (["history.csv", "--as-of", "2020-01-01"], "--as-of: the history begins at 2026-01-05T09:00:00Z: nothing was"),
        (["history.csv", "--kind", "salesforce-histry"], "salesforce-history"),
        (["nothing.csv"], "nothing.csv"),
        (["history.csv", "--kind", "salesforce-cdc"], "salesforce-cdc are events as they come, not a history"),
        (["-"], "standard input cannot be used here, its kind is not known: say --kind"),
        (["-", "--kind", "changes", "--split", "2026-02-01"], "--split reads the history twice"),
        (["history.csv", "--report", "no/folder/out.html"], "no/folder/out.html: no such file or directory"),
        (["history.csv", "--outcomes", "none.csv"], "none.csv"),
    ],
)
def test_what_is_wrong_with_the_command(arguments: list[str], message: str, here: Path) -> None:
    (here / "history.csv").write_text(HISTORY)
    (here / "nothing.csv").write_text("a,b\n1,2\n")
    done = subprocess.run(
        [sys.executable, "-m", "wellwon", "backtest", *arguments], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "streams")}, check=False, cwd=here,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_a_partial_report(tmp_path: Path) -> None:
    """Stopped while it runs: what is counted is told, and told to be partial."""
    with (tmp_path / "changes.jsonl").open("wb") as out:
        write_changes(Simulation(5, 20_000, 4), out)
    process = subprocess.Popen(
        [sys.executable, "-m", "wellwon", "backtest", "changes.jsonl", "--report", "out.html", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "streams")},
    )  # fmt: skip
    began = time.monotonic()
    while not _reads(process.pid, "changes.jsonl"):
        assert process.poll() is None
        assert time.monotonic() - began < 60
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "partial" in stderr
    assert "Traceback" not in stderr
    assert json.loads(stdout)["partial"] is True
    assert "This report is partial" in (tmp_path / "out.html").read_text()


def test_a_terminal_shows_how_long_it_will_take(simulated: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wellwon", "backtest", str(simulated / "changes.jsonl"), "--json"],
        stdout=subprocess.DEVNULL, stderr=theirs, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "streams"), "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so when the other side is closed
        while some := os.read(ours, 65_536):
            shown += some
    os.close(ours)
    assert process.wait(timeout=60) == 0
    plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).decode()
    assert re.search(r"reading .*100% \d:\d\d:\d\d", plain)
    assert re.search(r"running .*100% \d:\d\d:\d\d", plain)


def _reads(pid: int, name: str) -> bool:
    """Whether a process, or one that it started, has a file open."""
    with contextlib.suppress(OSError):  # one of them has just ended
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pids = [str(pid), *children]
        return any(os.path.realpath(f"/proc/{one}/fd/{fd}").endswith(name) for one in pids for fd in _fds(one))
    return False


def _fds(pid: str) -> list[str]:
    return os.listdir(f"/proc/{pid}/fd")


def test_an_export_without_rows_is_said_to_be_one(here: Path) -> None:
    (here / "header.csv").write_text(HISTORY.splitlines()[0] + "\n")
    result = backtest("header.csv")
    assert (result.exit_code, "header.csv: no row behind the header" in result.output) == (2, True), result.output
