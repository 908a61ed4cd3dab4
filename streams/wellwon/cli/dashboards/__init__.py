"""The Grafana dashboards, as code: ``wellwon docs`` writes deploy/grafana/dashboards from it, ``--check`` compares."""

from __future__ import annotations

import json

from wellwon.cli.dashboards import hygiene, processor, tuning

ALL = (hygiene.DASHBOARD, tuning.DASHBOARD, processor.DASHBOARD)


def dashboard_files() -> dict[str, str]:
    """Path and content of each dashboard, as Grafana reads it."""
    return {
        f"deploy/grafana/dashboards/{board.name}.json": json.dumps(board.model(), indent=1, ensure_ascii=False) + "\n"
        for board in ALL
    }
