"""The measurements of wellwon. `make bench` runs all of them; a name runs one.

    .venv/bin/python bench/run.py NAME ... [--changes N] [--rounds R] [--seconds S] [--rate N] [--deals N] [--rows N]

Results go to .cache/bench/results.json; those of a full run are rendered into bench/README.md. So are those of `truth`
alone, which needs no broker: they do not depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from cluster import CACHE, ROOT, cluster, fill
from machine import machine
from report import render, render_truth

LOCK = Path(__file__).resolve().parent / "requirements.lock"
ENVIRONMENT = ROOT / ".cache" / "bench-venv"


def environment() -> Path:
    """Return the Python of the environment that has the peer, made when the lock is newer."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "complete"
    if not stamp.exists() or stamp.stat().st_mtime < LOCK.stat().st_mtime:
        say("installing the peers")
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([str(python), *install, "--requirement", str(LOCK)], check=True)
        stamp.touch()
    return python


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def throughput(changes: int, rounds: int, only: list[str] | None) -> dict[str, Any]:
    """All contenders (or `only` these) over one log, in turn, `rounds` times."""
    import compiled
    from contenders import COMPILED, FAUST, PLAIN, QUIX, QUIX_BARE, RAW, measure
    from contenders import compiled as compiled_worker

    contenders = [contender for contender in (RAW, FAUST, QUIX, QUIX_BARE, PLAIN) if not only or contender.name in only]
    if not only or COMPILED in only:
        contenders.append(compiled_worker(compiled.build()))
    with cluster("throughput") as settings:
        log = fill(settings, changes)
        say(f"log: {log.changes:,} changes of {log.value_bytes} bytes, {log.deals:,} deals, {log.clocks} clock records")
        runs = []
        for number in range(rounds):
            for contender in contenders:
                run = measure(contender, log, number)
                runs.append(run)
                say(f"  {contender.name:<18}{run.rate:>9,.0f}/s {run.cpu_seconds / run.changes * 1e6:6.1f} CPU s/M")
    return {
        "changes": log.changes,
        "deals": log.deals,
        "clocks": log.clocks,
        "value_bytes": log.value_bytes,
        "rounds": rounds,
        "titles": {contender.name: contender.title for contender in contenders},
        "runs": [run.as_dict() for run in runs],
    }


def parts(changes: int, rounds: int) -> dict[str, Any]:
    """Cost of a change by part."""
    from parts import measure

    with cluster("parts") as settings:
        return measure(settings, changes, rounds)


def latency(seconds: int, rate: int) -> dict[str, Any]:
    """From change to alert."""
    from latency import measure

    with cluster("latency") as settings:
        return measure(settings, seconds, rate)


def delivery(seconds: int, rate: int) -> dict[str, Any]:
    """From alert to request."""
    from delivery import measure

    with cluster("delivery") as settings:
        return measure(settings, seconds, rate)


def dead_sink(seconds: int) -> dict[str, Any]:
    """A sink that is down under load for so long."""
    from dead_sink import measure

    with cluster("dead-sink") as settings:
        return measure(settings, seconds)


def hubspot(seconds: int) -> dict[str, Any]:
    """From a webhook to Kafka."""
    from hubspot import measure

    with cluster("hubspot") as settings:
        return measure(settings, seconds)


def page() -> dict[str, Any]:
    """The live page in a browser."""
    from page import measure

    with cluster("page") as settings:
        return measure(settings)


def restart(deals: int) -> dict[str, Any]:
    """From start to ready."""
    from restart import measure

    with cluster("restart") as settings:
        return measure(settings, deals)


def state(deals: int) -> dict[str, Any]:
    """Bytes of state per deal."""
    from state_size import measure

    return measure(deals)


def truth(deals: int) -> dict[str, Any]:
    """Precision and recall by rule; deals of each organisation."""
    from truth import measure

    return measure(deals)


def backtest(rows: int) -> dict[str, Any]:
    """A history of many rows, and three rules in SQL beside it."""
    from backtest import measure

    return measure(rows)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = (
        "throughput", "parts", "latency", "delivery", "dead-sink", "hubspot", "page", "restart", "state", "truth",
        "backtest",
    )  # fmt: skip
    parser.add_argument("parts", nargs="*", metavar="|".join(names), help="default: all, and render bench/README.md")
    parser.add_argument("--changes", type=int, default=500_000, help="in the log (default 500,000)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (default 3)")
    parser.add_argument("--seconds", type=int, default=60, help="of latency, delivery and dead-sink (default 60)")
    parser.add_argument("--rate", type=int, default=1_000, help="changes a second, twice the alerts (default 1,000)")
    parser.add_argument("--deals", type=int, default=1_000_000, help="held at the restart (default 1,000,000)")
    parser.add_argument("--rows", type=int, default=5_000_000, help="of the backtest (default 5,000,000)")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="contenders: raw faust quix quix-bare wellwon wellwon-compiled"
    )
    asked = parser.parse_args()
    if wrong := set(asked.parts) - set(names):
        parser.error(f"unknown: {', '.join(sorted(wrong))}")

    if asked.parts != ["truth"]:
        environment()
    jobs = {
        "throughput": lambda: throughput(asked.changes, asked.rounds, asked.only),
        "parts": lambda: parts(min(asked.changes, 100_000), asked.rounds),
        "latency": lambda: latency(asked.seconds, asked.rate),
        "delivery": lambda: delivery(asked.seconds, asked.rate // 2),
        "dead-sink": lambda: dead_sink(asked.seconds),
        "hubspot": lambda: hubspot(min(asked.seconds, 10)),
        "page": page,
        "restart": lambda: restart(asked.deals),
        "state": lambda: state(min(asked.deals, 20_000)),
        "backtest": lambda: backtest(asked.rows),
        "truth": lambda: truth(2_000),
    }
    target = CACHE / "results.json"
    results = json.loads(target.read_text()) if target.exists() else {}
    for name in asked.parts or names:
        say(name)
        results[name] = jobs[name]()
        results["machine"] = machine()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(results, indent=1) + "\n")
    if "truth" in (asked.parts or names):
        print(render_truth(results["truth"]))
    if asked.parts != ["truth"]:
        print(render(results, write=not asked.parts))


if __name__ == "__main__":
    main()
