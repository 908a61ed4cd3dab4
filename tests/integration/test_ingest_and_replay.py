"""The same export through ``wellwon ingest`` and a running worker, and through ``wellwon replay``: the same records."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

import kafka_broker
import live
from wellwon.runtime.settings import Settings

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

# As a sample organisation exports it: all columns; two-digit years, minutes and no seconds; a load of old deals in one
# minute, wins among them; deals without an amount that skip stages a minute after they were made; a row before the one
# that it follows.
SAMPLE = """\
Id,OpportunityId,CreatedById,CreatedDate,StageName,Amount,ExpectedRevenue,CloseDate,Probability,ForecastCategory,\
SystemModstamp,IsDeleted,OpportunityHistoryKey
008w01AAJ,006wAAAA5,005wAAX,02/16/26 07:41 PM,Qualification,18000,1800,01/20/21,10,Pipeline,02/16/26 07:41 PM,FALSE,k1
008w02AAJ,006wBAAA5,005wAAX,02/16/26 07:41 PM,Needs Analysis,96000,48000,01/20/21,50,Pipeline,02/16/26 07:41 PM,FALSE,k2
008w03AAJ,006wCAAA5,005wAAX,02/16/26 07:41 PM,Closed Won,210000,210000,01/20/21,100,Closed,03/02/26 08:12 PM,FALSE,k3
008w04AAF,006wCAAA5,005wAAX,03/02/26 08:12 PM,Closed Lost,210000,0,02/03/24,0,Omitted,03/02/26 08:12 PM,FALSE,k4
008w05AAJ,006wDAAA5,005wAAX,02/16/26 07:41 PM,Closed Won,64000,64000,01/20/21,100,Closed,02/16/26 07:41 PM,FALSE,k5
008w06AAN,006wEAAAL,005wAAX,02/17/26 12:58 AM,Prospecting,,,03/31/26,10,Pipeline,02/17/26 01:03 AM,FALSE,k6
008w07AA3,006wEAAAL,005wAAX,02/17/26 01:03 AM,Proposal/Price Quote,,,03/31/26,75,Pipeline,02/17/26 01:03 AM,FALSE,k7
008w08AAZ,006wFAAAL,005wAAX,02/17/26 12:59 AM,Prospecting,,,03/31/26,10,Pipeline,02/17/26 01:03 AM,FALSE,k8
008w09AA3,006wFAAAL,005wAAX,03/02/26 08:14 PM,Closed Lost,,,02/16/26,0,Omitted,03/02/26 08:14 PM,FALSE,k9
008w10AA3,006wFAAAL,005wAAX,02/17/26 01:03 AM,Closed Won,,,02/16/26,100,Closed,03/02/26 08:14 PM,FALSE,k10
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


def test_an_export_of_a_sample_organisation(bootstrap: str, tmp_path: Path) -> None:
    settings = live.settings_for(bootstrap, tmp_path, "sample", partitions=3, clock="log")
    export = tmp_path / "OpportunityHistory.csv"
    export.write_text(SAMPLE)
    alerts, wins, _ = compare(settings, export, tmp_path, rejects=False)
    opened = {(alert["opportunity_id"][:5], alert["rule"]) for alert in map(orjson.loads, alerts)}
    assert {("006wA", "past-due-close-date"), ("006wB", "past-due-close-date"), ("006wE", "missing-amount")} <= opened
    assert {deal for deal, rule in opened if rule == "won-reversed"} == {"006wC", "006wF"}
    won = [(win["opportunity_id"][:5], win["withdrawn"]) for win in map(orjson.loads, wins)]
    assert sorted(won) == [("006wC", False), ("006wC", True), ("006wD", False), ("006wF", False), ("006wF", True)]
