"""What /metrics may hold has a bound."""

from __future__ import annotations

from wellwon.core.output import Counts
from wellwon.runtime.metrics import MAX_SOURCES, OTHER, Metrics


def test_sources_beyond_the_bound_are_one() -> None:
    metrics = Metrics()
    for number in range(MAX_SOURCES + 5):
        metrics.count(1, Counts(changes={(f"source-{number}", "changed"): 1}))
    metrics.count(1, Counts(changes={("source-0", "changed"): 1}))
    page = metrics.page().decode()
    lines = [line for line in page.splitlines() if line.startswith("wellwon_changes_total{")]
    assert len(lines) == MAX_SOURCES + 1
    assert f'wellwon_changes_total{{kind="changed",source="{OTHER}"}} 5.0' in lines
    assert 'wellwon_changes_total{kind="changed",source="source-0"} 2.0' in lines
