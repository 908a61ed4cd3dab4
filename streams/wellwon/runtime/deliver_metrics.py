"""The instruments of a deliver worker. Deal and person ids are never labels."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from wellwon.core.items import ANSWERS
from wellwon.deliver.items import ANSWERED, REPLIES
from wellwon.deliver.state import HOLDS, POST, UPDATE
from wellwon.rules import PATTERNS
from wellwon.runtime.metrics import LATENCY_BUCKETS

SILENT = ("shadow", "no-route", "no-address", "settled", "withdrawn", "old")
"""Why nobody is told of something at all."""


class DeliverMetrics:
    """The instruments of one worker, in a registry of their own."""

    def __init__(self, sinks: Iterable[str]) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"wellwon_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"wellwon_{name}", text, labels, registry=self.registry)

        self.sent = counter(
            "messages_sent", "Messages that a sink took: new ones (post) and edits (update).", "sink", "kind"
        )
        self.retried = counter("messages_retried", "Attempts after which a message is sent again.", "sink")
        self.given_up = counter("messages_given_up", "Messages that became dead letters, by reason.", "sink", "reason")
        self.repeated = counter(
            "messages_repeated", "Messages sent again because an earlier attempt may have arrived all the same.", "sink"
        )
        self.held = counter("messages_held_back", "Messages that went into a digest instead, by reason.", "reason")
        self.silent = counter("messages_not_sent", "What nobody is told of, by reason.", "reason")
        self.skipped = counter("deliver_repeats_skipped", "Records read again after a restart, and known already.")
        self.replies = counter("replies", "What people said to messages, by kind and answer.", "kind", "answer", "rule")
        self.waiting = gauge("sink_queue_messages", "Messages that wait for a sink, or are on their way.", "sink")
        self.circuit = gauge("sink_circuit_open", "1 while a sink fails so often that it is only probed.", "sink")
        self.unreadable = counter(
            "deliver_unreadable_records", "Records that could not be read: dead letters.", "topic"
        )
        self.latency = Histogram(
            "wellwon_alert_to_request_seconds",
            "From when a message was due (without a settle time: from its alert's record) to its request to the sink.",
            ("sink",),
            registry=self.registry,
            buckets=LATENCY_BUCKETS,
        )
        self.watermark_age = gauge("deliver_watermark_age_seconds", "Age of the oldest result that is not durable.")
        self.ready = gauge("deliver_ready", "1 when the worker has the partitions and delivers.")
        # A counter that is born at 1 has not risen, as Prometheus sees it: what is known beforehand begins at 0.
        for sink in sinks:
            for kind in (POST, UPDATE):
                self.sent.labels(sink, kind)
            for family in (self.retried, self.repeated, self.waiting, self.circuit, self.latency):
                labelled: Any = family
                labelled.labels(sink)
            for reason in ("refused", "too-old", "queue-full"):
                self.given_up.labels(sink, reason)
        for spec in PATTERNS:
            for kind in REPLIES:
                for answer in ANSWERS if kind == ANSWERED else ("",):
                    self.replies.labels(kind, answer, spec.name)
        for reason in HOLDS:
            self.held.labels(reason)
        for reason in SILENT:
            self.silent.labels(reason)

    def count(self, counts: Counts[tuple[str, str]]) -> None:
        """Add what the desk counted."""
        for (what, label), number in counts.items():
            if what == "held":
                self.held.labels(label).inc(number)
            elif what == "silent":
                self.silent.labels(label).inc(number)
            elif what == "withdrawn":
                self.silent.labels("withdrawn").inc(number)
            elif what == "skipped":
                self.skipped.inc(number)

    def replied(self, kind: str, answer: str, rule: str) -> None:
        """Count a reply; unknown words are one label."""
        self.replies.labels(
            kind if kind in REPLIES else "other", answer if answer in (*ANSWERS, "") else "other", rule
        ).inc()

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)
