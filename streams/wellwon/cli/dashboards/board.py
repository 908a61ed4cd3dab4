"""What a dashboard is made of, in Grafana's words: rows of panels that flow from left to right.

Only what our panels differ in is an argument; everything else is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

COLUMNS: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

STAT: Final = "stat"
LINES: Final = "timeseries"
BARS: Final = "bargauge"
TABLE: Final = "table"

Query = tuple[str, str]
"""PromQL, and how its series are called."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``unit`` is Grafana's name of one; ``runbook`` the page in deploy/runbooks that helps with it."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    kind: str = LINES
    width: int = 8
    height: int = 8
    stacked: bool = False
    runbook: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    """Of a table's columns that have another unit, by heading."""

    def model(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The panel as Grafana reads it."""
        defaults: dict[str, Any] = {"unit": self.unit, "color": {"mode": "palette-classic"}}
        if self.kind != STAT:
            defaults["min"] = 0
        if self.kind != LINES and self.unit == "short":
            defaults["decimals"] = 0  # Prometheus's increase of a counter is seldom a whole number, what was counted is
        if self.kind == LINES:
            stacking = {"mode": "normal" if self.stacked else "none", "group": "A"}
            fill = 25 if self.stacked else 0
            defaults["custom"] = {"lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "stacking": stacking}
        found: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults, "overrides": self._overrides()},
            "options": _OPTIONS[self.kind],
            "targets": [self._target(place, query) for place, query in enumerate(self.queries)],
        }
        if self.kind == TABLE:
            found["transformations"] = self._columns()
        if self.runbook:
            found["links"] = [
                {"title": f"Runbook: {self.runbook}", "url": f"${{runbooks}}/{self.runbook}.md", "targetBlank": True}
            ]
        return found

    def _target(self, place: int, query: Query) -> dict[str, Any]:
        expression, legend = query
        target = {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        if self.kind == TABLE:
            return target | {"instant": True, "range": False, "format": "table"}
        if self.kind in (STAT, BARS) and ">" in expression:
            # A series that the filter drops has no value now, and over a range the last that it had would be shown.
            return target | {"instant": True, "range": False}
        return target | {"range": True}

    def _overrides(self) -> list[dict[str, Any]]:
        return [
            {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "unit", "value": unit}]}
            for heading, unit in self.units.items()
        ]

    def _columns(self) -> list[dict[str, Any]]:
        """One row a rule, one column a query."""
        names = {f"Value #{chr(ord('A') + place)}": legend for place, (_, legend) in enumerate(self.queries)}
        return [
            {"id": "joinByField", "options": {"byField": "rule", "mode": "outer"}},
            {"id": "filterFieldsByName", "options": {"include": {"names": ["rule", *names]}}},
            {"id": "organize", "options": {"renameByName": names}},
        ]


_REDUCED: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    STAT: {
        "reduceOptions": _REDUCED,
        "colorMode": "none",
        "graphMode": "area",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
    },
    LINES: {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    BARS: {
        "reduceOptions": _REDUCED,
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": False,
        "valueMode": "text",
        "namePlacement": "left",
    },
    TABLE: {"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": "fired", "desc": True}]},
}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard. ``variables``: label by name of what is chosen at its top, each a label of ``metric``."""

    name: str
    title: str
    description: str
    variables: dict[str, tuple[str, str]]
    """By name: the metric and the label whose values may be chosen."""
    rows: Sequence[Row]
    since: str = "now-6h"

    @property
    def panels(self) -> list[Panel]:
        """All panels."""
        return [panel for row in self.rows for panel in row.panels]

    def model(self) -> dict[str, Any]:
        """The dashboard as Grafana reads it."""
        return {
            "uid": f"wellwon-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["wellwon"],
            "schemaVersion": 41,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": self.since, "to": "now"},
            "timezone": "browser",
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "links": [
                {"title": "wellwon", "type": "dashboards", "tags": ["wellwon"], "asDropdown": False, "keepTime": True}
            ],
            "annotations": {"list": [_PERIOD_ENDS]},
            "templating": {"list": [*_FIXED, *(_variable(name, *of) for name, of in self.variables.items())]},
            "panels": self._placed(),
        }

    def _placed(self) -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
            heading = {"id": len(placed) + 1, "type": "row", "title": row.title, "collapsed": False}
            placed.append(heading | {"gridPos": place, "panels": []})
            x, y, lowest = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, lowest = 0, y + lowest, 0
                placed.append(panel.model(len(placed) + 1, x, y))
                x, lowest = x + panel.width, max(lowest, panel.height)
            y += lowest
        return placed


_PERIOD_ENDS: Final = {
    "name": "Period ends",
    "datasource": SOURCE,
    "enable": True,
    "iconColor": "orange",
    "expr": "max(wellwon_period_end_timestamp_seconds) * 1000",
    "useValueForTime": True,
    "titleFormat": "The fiscal period ends",
    "step": "300s",
}
# Where deploy/runbooks is to be read differs from place to place (in compose Grafana serves it itself): it is asked for
# at the top, as the source is.
_FIXED: Final = (
    {
        "name": "datasource",
        "label": "Source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
    },
    {
        "name": "runbooks",
        "label": "Runbooks at",
        "type": "textbox",
        "query": "/public/runbooks",
        "current": {"text": "/public/runbooks", "value": "/public/runbooks"},
        "hide": 0,
    },
)


def _variable(name: str, metric: str, label: str) -> dict[str, Any]:
    values = f"label_values({metric}, {label})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": SOURCE,
        "definition": values,
        "query": {"query": values, "refId": name},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
        "sort": 1,
    }
