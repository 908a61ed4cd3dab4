"""Every instrument. Nothing else creates one; deal and person ids are never labels.

Counts arrive once per slice, already summed by the core.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from wellwon.core.counting import DAYS_LEFT_MAX, WEEKS_MAX
from wellwon.core.items import ANSWERS
from wellwon.core.lifecycle import CHANGED, NOT_RIGHT, OPENED, RESOLVED, RETRACTED
from wellwon.core.outcome import POLICY
from wellwon.core.output import Counts
from wellwon.core.records import CLEARED, CLOSED, DELETED, EXPIRED
from wellwon.core.rule import SEVERITIES
from wellwon.core.win import READINGS
from wellwon.rules import PATTERNS

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SLICE_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


OPEN_BUCKETS = (3600, 4 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400, 90 * 86_400)

MAX_SOURCES = 20
MAX_SEGMENTS = 20
OTHER = "other"
ENDINGS = (CLEARED, CLOSED, DELETED, EXPIRED, NOT_RIGHT, POLICY, RETRACTED)
"""Why an alert resolves."""


class Metrics:
    """The instruments of one worker, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()
        self._sources: set[str] = set()
        self._segments: set[str] = set()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"wellwon_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"wellwon_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"wellwon_{name}", text, labels, registry=self.registry, buckets=buckets)

        self.changes = counter(
            "changes", "Changes read, by source (those beyond the first 20 are one: other) and kind.", "source", "kind"
        )
        self.answers = counter(
            "answers", "What people answered to alerts, by rule (other: one that does not run) and answer.", "rule",
            "answer",
        )  # fmt: skip
        self.skipped = counter("skipped_changes", "Changes read again after a restart, and applied already.")
        self.duplicates = counter(
            "duplicate_changes", "Changes that a source sent more than once: applied once, dropped after that."
        )
        self.late = counter(
            "late_changes",
            "Changes that came too late to be put in order: kept in the deal's history, seen by no rule.",
        )
        self.transitions = counter(
            "alert_transitions", "Alerts opened, changed and resolved.", "rule", "severity", "transition"
        )
        self.open = gauge(
            "open_findings",
            "Alerts open now, by the deal's segment when they opened (beyond the first 20: other; empty: a team's).",
            "rule",
            "severity",
            "segment",
        )
        self.shadow = counter("alerts_opened_in_shadow", "Alerts opened that nobody was told of.", "rule")
        self.resolutions = counter("alert_resolutions", "Alerts resolved, by why.", "rule", "reason")
        self.open_for = histogram(
            "alert_open_seconds",
            "How long an alert was open when it resolved, in the log's time.",
            OPEN_BUCKETS,
            "rule",
        )
        self.concessions = counter(
            "concessions",
            "Alerts of the price family opened, by the days left to the end of the period.",
            "days_left",
        )
        self.pushes = counter("pushes", "Close dates that somebody moved out, by the week of the period.", "week")
        self.wins = counter("wins", "Won deals by how they were won.", "reading")
        self.dead_letters = counter(
            "dead_letters",
            "Records that could not be applied, and deals that could not be settled or stored, by reason.",
            "reason",
        )
        self.rule_seconds = counter("rule_seconds", "Time spent in each rule, estimated from one slice in 16.", "rule")
        self.latency = histogram(
            "change_to_alert_seconds",
            "From the timestamp of the first change of a slice to the acknowledgement of the slice's alerts.",
            LATENCY_BUCKETS,
        )
        self.slice_size = histogram("slice_changes", "Records per slice handed over.", SLICE_BUCKETS)
        self.lag = gauge("consumer_lag_records", "Records in the log that have not been read.", "partition")
        self.deals = gauge("state_deals", "Deals held.", "partition")
        self.bytes = gauge("state_bytes", "Encoded size of the states held, as of the last checkpoint.", "partition")
        self.watermark_age = gauge(
            "watermark_age_seconds", "Age of the oldest slice that is not durable; 0 when all are.", "partition"
        )
        self.clock = gauge("clock_timestamp_seconds", "How far the time of the log has come.", "partition")
        self.period_end = gauge(
            "period_end_timestamp_seconds", "When the fiscal period ends in which the log's time is.", "partition"
        )
        self.worker_time = gauge("worker_time_seconds", "The worker's own time, to be held against Prometheus's.")
        self.worker_time.set_function(time.time)
        self.restoring = gauge("restoring_partitions", "Partitions whose states are being restored.")
        self.restore_seconds = gauge("restore_seconds", "Time the last restoring of states took.")
        self.gaps = counter("log_gap_records", "Offsets of the log that held no record for us (transaction markers).")
        self.rewritten = counter("foreign_states", "States rewritten after a worker that had lost them wrote them.")
        self.ready = gauge("worker_ready", "1 when the worker holds its states and processes.")
        # A counter that is born at 1 has not risen, as Prometheus sees it: what is known beforehand begins at 0.
        for spec in PATTERNS:
            self.rule_seconds.labels(spec.name)
            self.shadow.labels(spec.name)
            for answer in ANSWERS:
                self.answers.labels(spec.name, answer)
            self.open_for.labels(spec.name)
            for reason in ENDINGS:
                self.resolutions.labels(spec.name, reason)
            for severity in SEVERITIES:
                self.open.labels(spec.name, severity, "")
                for transition in (OPENED, CHANGED, RESOLVED):
                    self.transitions.labels(spec.name, severity, transition)
        for reading in READINGS:
            self.wins.labels(reading)
        for days in range(DAYS_LEFT_MAX + 1):
            self.concessions.labels(_days(days))
        for week in range(1, WEEKS_MAX + 1):
            self.pushes.labels(f"{week:02}")

    def count(self, records: int, counts: Counts) -> None:
        """Add what one slice brought; `records` is 0 for deals settled by the clock."""
        if records:
            self.slice_size.observe(records)
        for (rule, answer), number in counts.answers.items():
            self.answers.labels(rule, answer).inc(number)
        for (source, kind), number in counts.changes.items():
            self.changes.labels(_bounded(source, self._sources, MAX_SOURCES), kind).inc(number)
        for (rule, severity, transition), number in counts.transitions.items():
            self.transitions.labels(rule, severity, transition).inc(number)
        self.count_open(counts.open_findings)
        for rule, number in counts.shadow.items():
            self.shadow.labels(rule).inc(number)
        for (rule, reason), number in counts.resolutions.items():
            self.resolutions.labels(rule, reason).inc(number)
        for rule, seconds in counts.open_for:
            self.open_for.labels(rule).observe(seconds)
        for days, number in counts.concessions.items():
            self.concessions.labels(_days(days)).inc(number)
        for week, number in counts.pushes.items():
            self.pushes.labels(f"{week:02}").inc(number)
        for reading, number in counts.wins.items():
            self.wins.labels(reading).inc(number)
        for reason, number in counts.dead_letters.items():
            self.dead_letters.labels(reason).inc(number)
        for rule, spent in counts.rule_seconds.items():
            self.rule_seconds.labels(rule).inc(spent)
        self.skipped.inc(counts.skipped)
        self.duplicates.inc(counts.duplicates)
        self.late.inc(counts.late)

    def count_open(self, more: Mapping[tuple[str, str, str], int]) -> None:
        """Add alerts that are open now, by rule, severity and segment; those that are not, or not here: below 0."""
        for (rule, severity, segment), number in more.items():
            self.open.labels(rule, severity, _bounded(segment, self._segments, MAX_SEGMENTS)).inc(number)

    def forget(self, partition: int) -> None:
        """Drop the series of a partition that somebody else has now."""
        family: Any
        for family in (self.lag, self.deals, self.bytes, self.watermark_age, self.clock, self.period_end):
            family.remove(str(partition))

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)


def _bounded(name: str, known: set[str], most: int) -> str:
    """Return the label of what others name (sources, segments): there may be so many of them, the rest is one."""
    if name and name not in known:
        if len(known) >= most:
            return OTHER
        known.add(name)
    return name


def _days(left: int) -> str:
    return f"{left:02}" if left < DAYS_LEFT_MAX else f"{DAYS_LEFT_MAX}+"
