"""Pictures of the dashboards' panels, from what a real Prometheus answers to their queries.

    .venv/bin/python bench/pictures.py

plays a simulated quarter, two days a second, to real workers on a real broker, asks Prometheus what the panels ask, and
writes docs/pictures/*.svg: about three minutes. What is drawn over the log's time has its dates below.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import cluster
from svg import Plot, Series, picture
from watched import Prometheus, Watched, watched
from wellwon.cli.dashboards import ALL
from wellwon.cli.dashboards.board import BARS, Dashboard, Panel

FOLDER = cluster.ROOT / "docs" / "pictures"
SPEED = "172800x"
FROM = datetime(2026, 6, 15, tzinfo=UTC).timestamp()
"""What is drawn begins here: the quarter that deals close in begins in July."""
SHOWN = {
    "forecast-hygiene": (
        "Open findings by rule",
        "Open findings by segment",
        "Late concessions, by days to the period's end",
        "Pushes, by week of the period",
    ),
    "rule-tuning": ("Fired", "Why they resolved"),
    "processor": ("Throughput by source", "Change to alert", "Age of what is not durable", "Memory"),
}
UNITS = {"s": " s", "bytes": "B", "cps": "/s", "percentunit": "", "short": ""}
MOST = 9
"""Series that a plot shows; what is beyond is the last one, the rest."""


class Film:
    """What Prometheus saw from the beginning to the end of a play."""

    def __init__(self, prometheus: Prometheus, began: float, ended: float) -> None:
        self._prometheus = prometheus
        self._began, self._ended = began, ended
        (clock,) = self._range("max(wellwon_clock_timestamp_seconds)").values()
        skipped = sum(at < FROM for at in clock)
        self._began += skipped
        clock = clock[skipped:]
        (ends,) = self._range("max(wellwon_period_end_timestamp_seconds)").values()
        self.marks = self._months(clock)
        self.ends = [i / (len(ends) - 1) for i in range(1, len(ends)) if ends[i] != ends[i - 1] > 0]

    def plot(self, panel: Panel) -> Plot:
        """A panel as a plot."""
        if panel.kind == BARS:
            series = self._bars(panel)
            return Plot(panel.title, UNITS[panel.unit], series, kind="bars")
        found: list[Series] = []
        for expression, legend in panel.queries:
            found += self._named(self._range(self._filled(expression)), legend)
        found.sort(key=lambda one: -sum(one[1]))
        if panel.stacked and len(found) > MOST:
            rest = [sum(values) for values in zip(*(values for _, values in found[MOST:]), strict=True)]
            found = [*found[:MOST], ("the rest", rest)]
        kind = "stacked" if panel.stacked else "lines"
        return Plot(panel.title, UNITS[panel.unit], found, self.marks, self.ends, kind)

    def _bars(self, panel: Panel) -> list[Series]:
        ((expression, legend),) = panel.queries
        answer = self._prometheus.ask("query", query=self._filled(expression), time=str(self._ended))["result"]
        found = {json.dumps(one["metric"]): [float(round(float(one["value"][1])))] for one in answer}
        named = self._named(found, legend)
        by_size = "sort" in expression or "reason" in legend
        named.sort(key=lambda one: (-one[1][0], one[0]) if by_size else (0, one[0]))
        return named

    def _filled(self, expression: str) -> str:
        filled = {"$__rate_interval": "5s", "$__range": f"{int(self._ended - self._began) + 5}s"}
        filled |= dict.fromkeys(("$rule", "$severity", "$segment", "$instance"), ".*")
        for variable, value in filled.items():
            expression = expression.replace(variable, value)
        return expression

    def _range(self, expression: str) -> dict[str, list[float]]:
        """The values of every second, by labels; 0 where there is none."""
        span = {"start": str(self._began), "end": str(self._ended), "step": "1"}
        answer = self._prometheus.ask("query_range", query=expression, **span)["result"]
        seconds = range(int(self._ended - self._began) + 1)
        found = {}
        for series in answer:
            values = {round(at - self._began): float(value) for at, value in series["values"] if value != "NaN"}
            found[json.dumps(series["metric"])] = [values.get(second, 0.0) for second in seconds]
        return found

    def _named(self, found: dict[str, list[float]], legend: str) -> list[Series]:
        named = []
        for labels, values in found.items():
            name = legend.replace("{{instance}}", "")  # an address of this machine
            for label, value in json.loads(labels).items():
                name = name.replace(f"{{{{{label}}}}}", value)
            named.append((name if "{{" not in name else "owners, teams", values))
        return named

    def _months(self, clock: list[float]) -> list[tuple[float, str]]:
        """Where each month begins."""
        marks = []
        for i in range(1, len(clock)):
            before, now = (datetime.fromtimestamp(at, UTC) for at in clock[i - 1 : i + 1])
            if clock[i - 1] and before.month != now.month:
                marks.append((i / (len(clock) - 1), f"{now:%-d %b}"))
        return marks


def play(world: Watched) -> Film:
    """Play a quarter of an organisation that is under pressure, and the days after it."""
    lines = world.wellwon("simulate", "--deals", "500", "--pressured", "0.35")
    began = float(int(time.time()))
    world.wellwon("ingest", "changes", "-", "--clock", "--speed", SPEED, "--until", "2026-10-10", stdin=lines)
    world.caught_up()
    return Film(world.prometheus, began, float(int(time.time())))


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as world:
        film = play(world)
        FOLDER.mkdir(exist_ok=True)
        for dashboard in ALL:
            (FOLDER / f"{dashboard.name}.svg").write_text(drawn(dashboard, film), encoding="utf-8")


def drawn(dashboard: Dashboard, film: Film) -> str:
    """The picture of a dashboard."""
    panels = {panel.title: panel for panel in dashboard.panels}
    return picture(dashboard.title, [film.plot(panels[title]) for title in SHOWN[dashboard.name]])


if __name__ == "__main__":
    main()
