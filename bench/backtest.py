"""A backtest of millions of rows, beside three of its rules written as window functions in DuckDB.

The rows are the simulator's, as an OpportunityHistory export. The queries say what the rules' pages say, for exactly
this export: one pipeline, no line items, no answers, no trades. Whoever wants to know what the rest costs compares the
times; whoever doubts either side compares the flags, which must be the same.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson

import compiled
from backtest_run import RULES
from cluster import CACHE, ROOT
from wellwon.core.units import format_instant, parse_instant
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation

ROWS_PER_DEAL = 5
QUARTERS = 8
SEED = 4
MACHINE = "sync"
"""Who wrote what no person wrote."""
COLUMNS = (
    "Id",
    "OpportunityId",
    "CreatedDate",
    "CreatedById",
    "StageName",
    "Amount",
    "CloseDate",
    "Discount",
    "RecordTypeId",
)
FIELDS = ("stage", "amount", "close_date", "discount_percent", "pipeline")
POLICY = policy_text().replace("fields:\n", "fields:\n  Discount: discount_percent\n") + (
    f"\nwriters: {{integration: [{MACHINE}]}}\n"
)


def measure(rows: int) -> dict[str, Any]:
    """All over the same file: wellwon as it is, wellwon compiled, the queries."""
    file, fast = export(rows), compiled.build()
    runs = {"plain": _wellwon(file, ROOT / "streams"), "compiled": _wellwon(file, fast)}
    if (python := distribution_python()) is not None:
        runs["compiled, on the distribution's Python"] = _wellwon(file, fast, python)
    plain = runs["plain"]
    assert all(one["flags"] == plain["flags"] for one in runs.values()), "compiled, the rules flag other deals"
    theirs = _duckdb(file)
    flags = {}
    for rule in RULES:
        ours, others = set(plain["flags"][rule]), theirs["flags"][rule]
        flags[rule] = {
            "both": len(ours & others),
            "wellwon only": len(ours - others),
            "duckdb only": len(others - ours),
            "differ": sorted(ours ^ others)[:5],
        }
    figures = {
        name: {
            "seconds": one["seconds"],
            "rate": one["changes"] / one["seconds"],
            "cpu_us": one["cpu_seconds"] / one["rows"] * 1e6,
            "peak_mb": one["peak_mb"],
            "ratio": one["seconds"] / theirs["seconds"],
        }
        for name, one in runs.items()
    }
    return {
        "rows": plain["rows"],
        "changes": plain["changes"],
        "runs": figures,
        "duckdb_seconds": theirs["seconds"],
        "flags": flags,
    }


def export(rows: int) -> Path:
    """The export, made once for each size."""
    file = CACHE / f"history-{rows}.csv"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        with unfinished.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            writer.writerows(_rows(rows))
        unfinished.rename(file)
    return file


def _rows(rows: int) -> Iterator[list[str]]:
    """Every save that wrote a field of the export, with the values after it; as many as were asked for."""
    held: dict[str, dict[str, str]] = {}
    written = 0
    deals = max(100, rows // ROWS_PER_DEAL * 2)
    # More of everything that the rules look at, and of what only looks so, than an organisation has.
    simulation = Simulation(SEED, deals, QUARTERS, pressured=0.3, lookalikes=0.2, near_misses=0.1)
    for delivery in simulation:
        event = orjson.loads(delivery.value)
        if event["kind"] not in ("created", "changed"):
            continue
        deal = event["opportunity_id"]
        now = held.setdefault(deal, dict.fromkeys(FIELDS, ""))
        values = {name: value or "" for name, value in event["values"].items() if name in FIELDS}
        if now["pipeline"] not in ("", "New business") or values.get("pipeline", "New business") != "New business":
            now["pipeline"] = "another"
            continue
        if not any(now[name] != value for name, value in values.items()):
            continue
        now.update(values)
        writer = event["writer"]
        user = writer["id"] if writer["kind"] == "user" and event.get("bulk", 1) == 1 else MACHINE
        at = format_instant(parse_instant(event["occurred_at"]))[:19].replace("T", " ")
        yield [f"h{written:09}", deal, at, user, *(now[name] for name in FIELDS)]
        written += 1
        if written == rows:
            return


def distribution_python() -> str | None:
    """The distribution's Python of this version, where another one runs this.

    One that somebody compiled for himself is often slower: a shared library, built without a profile.
    """
    python = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin")
    return None if python is None or Path(python).samefile(os.path.realpath(sys.executable)) else python


def _wellwon(file: Path, folder: Path, python: str = sys.executable) -> dict[str, Any]:
    """A backtest with the package that is in a folder."""
    policy = CACHE / "backtest-policy.yaml"
    policy.write_text(POLICY)
    command = [python, str(Path(__file__).with_name("backtest_run.py")), str(file), str(policy)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), sysconfig.get_path("purelib")))}
    found: dict[str, Any] = orjson.loads(
        subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    )
    assert found["compiled"] == (folder != ROOT / "streams"), "another wellwon than the one that was asked for"
    return found


def _duckdb(file: Path) -> dict[str, Any]:
    began = time.perf_counter()
    engine = duckdb.connect(config={"threads": os.cpu_count() or 1, "memory_limit": "1500MB"})
    engine.execute("SET TimeZone = 'UTC'")
    for statement in QUERY.split(";"):
        engine.execute(statement.replace("$file", f"'{file}'"))
    flags = {rule: {deal for (deal,) in engine.execute(f'FROM "{rule}"').fetchall()} for rule in RULES}
    return {"seconds": time.perf_counter() - began, "flags": flags}


QUERY = """
CREATE TABLE stages AS FROM (VALUES
    ('Qualification', 0), ('Discovery', 1), ('Evaluation', 2), ('Proposal', 3), ('Negotiation', 4),
    ('Legal & Procurement', 5), ('Closed Won', -1), ('Closed Lost', -2)) AS stages(stage, place);

CREATE TABLE saves AS
SELECT OpportunityId AS deal, Id AS id, CreatedDate::TIMESTAMP AS saved, CreatedById AS writer, StageName AS stage,
    place, CloseDate::DATE AS close_date, round(Discount::DECIMAL(9, 2) * 100)::INT AS discount,
    (CreatedDate::TIMESTAMPTZ AT TIME ZONE 'America/New_York')::DATE AS day,
    lag(CloseDate::DATE) OVER past AS old_date,
    lag(round(Discount::DECIMAL(9, 2) * 100)::INT) OVER past AS old_discount,
    lag(StageName) OVER past AS old_stage, lag(place) OVER past AS old_place,
    coalesce(lead(CreatedDate::TIMESTAMP) OVER past, TIMESTAMP '9999-01-01') AS next_at,
    first_value(CreatedDate::TIMESTAMP) OVER past AS created,
    max(place) OVER (PARTITION BY OpportunityId ORDER BY CreatedDate, Id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS top
FROM read_csv($file, header = true, all_varchar = true) LEFT JOIN stages ON StageName = stage
WINDOW past AS (PARTITION BY OpportunityId ORDER BY CreatedDate, Id);

CREATE TABLE progress AS
SELECT deal, saved, id, max(CASE WHEN place > top THEN saved END)
    OVER (PARTITION BY deal ORDER BY saved, id) AS progressed
FROM saves;

CREATE TABLE pushes AS
WITH moves AS (
    SELECT *, row_number() OVER mine AS number,
        lead(close_date) OVER mine AS then_date, lead(saved) OVER mine AS then_at,
        lead(writer) OVER mine AS then_writer,
        lag(old_date) OVER mine AS before_date, lag(saved) OVER mine AS before_at,
        lag(writer) OVER mine AS before_writer
    FROM saves WHERE close_date <> old_date WINDOW mine AS (PARTITION BY deal ORDER BY saved, id))
SELECT moves.deal, moves.saved, moves.id, progressed, close_date - old_date AS days,
    date_trunc('quarter', close_date) <> date_trunc('quarter', old_date) AS crossed
FROM moves JOIN progress USING (deal, id)
WHERE close_date > old_date AND writer <> 'sync' AND place >= 0 AND old_place >= 0
    AND NOT (number = 1 AND moves.saved <= created + INTERVAL 7 DAY)
    AND NOT coalesce(then_date = old_date AND then_writer = writer
        AND then_at <= moves.saved + INTERVAL 30 MINUTE, false)
    AND NOT coalesce(close_date = before_date AND before_writer = writer
        AND moves.saved <= before_at + INTERVAL 30 MINUTE, false)
    AND NOT (stage = 'Legal & Procurement' AND date_trunc('quarter', close_date) = date_trunc('quarter', old_date));

CREATE TABLE "close-date-push" AS
SELECT DISTINCT deal FROM (
    SELECT deal, count(*) OVER since AS pushes, max(days) OVER since AS longest, sum(days) OVER since AS together,
        bool_or(crossed) OVER since AS crossed
    FROM pushes WHERE progressed IS NULL OR saved > progressed
    WINDOW since AS (PARTITION BY deal, progressed ORDER BY saved, id))
WHERE pushes >= 2 AND (longest >= 21 OR together >= 45 OR crossed) OR longest >= 60;

CREATE TABLE priced AS
SELECT *, arg_max(discount, (saved, id)) FILTER (saved <= priced_at + INTERVAL 1 DAY)
    OVER (PARTITION BY deal) AS baseline
FROM (SELECT *, min(saved) FILTER (discount IS NOT NULL) OVER (PARTITION BY deal) AS priced_at FROM saves)
WHERE discount IS NOT NULL;

CREATE TABLE raises AS
WITH moves AS (
    SELECT *, lead(discount) OVER mine AS then_discount, lead(saved) OVER mine AS then_at,
        lead(writer) OVER mine AS then_writer
    FROM priced WHERE discount <> old_discount WINDOW mine AS (PARTITION BY deal ORDER BY saved, id))
SELECT deal, min(saved) AS saved FROM moves
WHERE discount - old_discount >= 500 AND discount > baseline AND saved >= priced_at + INTERVAL 1 DAY
    AND writer <> 'sync' AND old_place >= 0
    AND NOT coalesce(then_discount = old_discount AND then_writer = writer
        AND then_at <= saved + INTERVAL 30 MINUTE, false)
    AND day > last_day(date_trunc('quarter', day) + INTERVAL 2 MONTH) - 10
    AND (place = -1 OR date_trunc('quarter', close_date) = date_trunc('quarter', day))
GROUP BY deal;

CREATE TABLE "late-discount" AS
SELECT DISTINCT deal FROM raises JOIN priced USING (deal)
WHERE priced.saved >= raises.saved AND discount - baseline >= 500 AND place <> -2;

CREATE TABLE "past-due-close-date" AS
SELECT DISTINCT deal FROM saves
WHERE place >= 0 AND close_date IS NOT NULL
    AND ((close_date + 2)::TIMESTAMP AT TIME ZONE 'America/New_York') AT TIME ZONE 'UTC'
        <= least(next_at, (SELECT max(saved) FROM saves))
"""
