"""The same export through ``wellwon ingest`` and a running worker, and through ``wellwon replay``: the same records."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kafka_broker
import live
from wellwon.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
PUBLIC = ROOT.parent / "shared" / "data" / "sf_export_devorg_earthfink" / "OpportunityHistory.csv"
UNTIL = ("--until", "2026-07-15")

# A deal that is pushed out of its quarter again and again, one that is past due, one that is won, one bad row.
HISTORY = """\
Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,ForecastCategory
h01,d1,01/05/26 09:00 AM,ann,Prospecting,"100,000",02/28/26,Pipeline
h02,d1,01/20/26 09:00 AM,ann,Negotiation/Review,"100,000",02/28/26,Commit
h03,d1,02/25/26 09:00 AM,ann,Negotiation/Review,"100,000",03/27/26,Commit
h04,d1,03/26/26 09:00 AM,ann,Negotiation/Review,"100,000",04/30/26,Commit
h05,d1,04/28/26 09:00 AM,ann,Negotiation/Review,"80,000",06/26/26,Commit
h06,d2,01/05/26 10:00 AM,bob,Prospecting,"20,000",02/20/26,Pipeline
h07,d3,01/05/26 11:00 AM,bob,Prospecting,"30,000",03/20/26,Pipeline
h08,d3,03/19/26 11:00 AM,bob,Closed Won,"30,000",03/19/26,Closed
h09,d3,sometime,bob,Closed Won,"30,000",03/19/26,Closed
"""


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_broker.running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap


def wellwon(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wellwon", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=live.environment(settings))


def values(settings: Settings, topic: str) -> list[bytes]:
    return sorted(message.value() or b"" for message in live.read(settings, topic))


def compare(settings: Settings, export: Path, folder: Path, *, rejects: bool) -> tuple[list[bytes], list[bytes], str]:
    """Run both ways; return the alerts and wins, which are the same, and what ingest said.

    Both exit with 1 where the export has rows that cannot be used.
    """
    files = {"alerts": folder / "alerts.jsonl", "wins": folder / "wins.jsonl"}
    outputs = [option for name, file in files.items() for option in (f"--{name}", str(file))]
    replay = wellwon(settings, "replay", "salesforce-history", str(export), *UNTIL, *outputs)
    assert replay.returncode == rejects, replay.stderr
    expected = {name: sorted(file.read_bytes().splitlines()) for name, file in files.items()}

    ingest = wellwon(settings, "ingest", "salesforce-history", str(export), "--clock", *UNTIL)
    assert ingest.returncode == rejects, ingest.stderr
    worker = live.Worker(settings).start()
    try:
        worker.wait_ready()
        live.until(lambda: live.committed(settings) == live.log_ends(settings), "the log to be read")
        live.until(lambda: len(values(settings, "alerts")) >= len(expected["alerts"]), "what fell due at the end")
    finally:
        assert worker.stop() == 0
    assert {name: values(settings, name) for name in files} == expected
    return expected["alerts"], expected["wins"], ingest.stderr


def test_an_export_through_kafka_and_without(bootstrap: str, tmp_path: Path) -> None:
    settings = live.settings_for(bootstrap, tmp_path, "export", partitions=3, clock="log")
    export = tmp_path / "history.csv"
    export.write_text(HISTORY)
    alerts, wins, said = compare(settings, export, tmp_path, rejects=True)
    assert any(b'"rule":"close-date-push"' in alert for alert in alerts)
    assert any(b'"rule":"past-due-close-date"' in alert for alert in alerts)
    assert len(wins) == 1
    assert "cannot be used: bad_value 1" in said
    (letter,) = values(settings, "dead-letters")
    assert b"history.csv:10:CreatedDate: 'sometime' is not a date" in letter


def test_a_public_export(bootstrap: str, tmp_path: Path) -> None:
    """Only where the sample is at hand."""
    if PUBLIC.exists():
        settings = live.settings_for(bootstrap, tmp_path, "public", partitions=3, clock="log")
        alerts, wins, _ = compare(settings, PUBLIC, tmp_path, rejects=False)
        assert alerts
        assert wins
