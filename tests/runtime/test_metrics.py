"""What /metrics may hold has a bound."""

from __future__ import annotations

from wellwon.core.output import Counts
from wellwon.core.rule import SEVERITIES
from wellwon.deliver.items import ANSWERED, Reply
from wellwon.rules import PATTERNS
from wellwon.runtime.deliver import _rule
from wellwon.runtime.deliver_metrics import DeliverMetrics
from wellwon.runtime.metrics import MAX_SEGMENTS, MAX_SOURCES, OTHER, Metrics


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


def test_segments_beyond_the_bound_are_one_and_stay_it() -> None:
    metrics = Metrics()
    for number in range(MAX_SEGMENTS + 5):
        metrics.count_open({("late-discount", "high", f"segment-{number}"): 1})
    metrics.count_open({("late-discount", "high", f"segment-{MAX_SEGMENTS}"): -1})
    lines = [line for line in metrics.page().decode().splitlines() if line.startswith("wellwon_open_findings{")]
    mine = [line for line in lines if 'rule="late-discount",segment' in line and 'severity="high"' in line]
    assert sum("segment-" in line for line in mine) == MAX_SEGMENTS
    assert f'wellwon_open_findings{{rule="late-discount",segment="{OTHER}",severity="high"}} 4.0' in lines


def test_a_worker_that_is_told_anything_shows_few_thousand_series() -> None:
    """Prometheus pays for each: what others name must not multiply."""
    metrics = Metrics()
    kinds = [(spec.name, severity) for spec in PATTERNS for severity in SEVERITIES]
    for number in range(500):
        metrics.count_open({(*kind, f"segment-{number}"): 1 for kind in kinds})
        metrics.count(1, Counts(changes={(f"source-{number}", "changed"): 1}))
    series = [line for line in metrics.page().decode().splitlines() if not line.startswith("#")]
    assert len(series) < 5_000


def test_what_people_say_of_a_pattern_is_counted_under_its_name_also_of_a_teams() -> None:
    def said_of(rule: str) -> str:
        return _rule(Reply("1", "deal", ANSWERED, "2026-09-01T00:00:00Z", fingerprint=f"{rule}:x:2026-Q3"))

    assert [said_of(spec.name) for spec in PATTERNS] == [spec.name for spec in PATTERNS]
    assert said_of("made-up") == ""
    page = DeliverMetrics([]).page().decode()
    begun = "".join(line for line in page.splitlines() if line.startswith("wellwon_replies_total"))
    assert all(f'rule="{spec.name}"' in begun for spec in PATTERNS), "from 0, so that the first is seen to rise"


def test_deliver_shows_few_hundred_series() -> None:
    metrics = DeliverMetrics(["chat", "mail", "hook"])
    for number in range(500):
        metrics.replied(f"kind-{number}", f"answer-{number}", "")
    assert sum(not line.startswith("#") for line in metrics.page().decode().splitlines()) < 800
