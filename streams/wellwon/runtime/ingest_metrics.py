"""The instruments of what fills the log: `wellwon ingest --follow`, and `wellwon receive` of both kinds."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from wellwon.runtime.metrics import LATENCY_BUCKETS

OUTCOMES = ("taken", "forged", "not_events", "too_large", "kafka_failed")


def new_registry() -> CollectorRegistry:
    """A registry with what every process tells of itself."""
    disable_created_metrics()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class NormaliseMetrics:
    """Of a process that follows a raw topic; one source each, so the source is no label."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.read = Counter("wellwon_raw_records", "Records of the raw topic read.", registry=self.registry)
        self.written = Counter(
            "wellwon_raw_written",
            "What was written, by what it is: changes, rereads, dead_letters.",
            ("what",),
            registry=self.registry,
        )
        self.left_out = Counter(
            "wellwon_raw_left_out", "What says nothing of a deal, and repeats, by reason.", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self.rejections = Counter(
            "wellwon_raw_rejections", "What cannot be used and became a dead letter, by reason.", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self.lag = Gauge(
            "wellwon_raw_lag_records", "Records of the raw topic that have not been read.", registry=self.registry
        )
        self._known: dict[tuple[str, str], int] = {}
        for what in ("changes", "rereads", "dead_letters"):
            self.written.labels(what)

    def take(
        self, read: int, written: Mapping[str, int], left_out: Mapping[str, int], rejections: Mapping[str, int]
    ) -> None:
        """Take over the totals so far."""
        families = (("what", self.written, written), ("left", self.left_out, left_out),
                    ("refused", self.rejections, rejections))  # fmt: skip
        self.read.inc(self._more("read", "", read))
        for name, family, totals in families:
            for label, total in totals.items():
                family.labels(label).inc(self._more(name, label, total))

    def _more(self, family: str, label: str, total: int) -> int:
        before = self._known.get((family, label), 0)
        self._known[family, label] = total
        return total - before

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)


class ReceiverMetrics:
    """Of a process that takes webhooks."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.requests = Counter(
            "wellwon_webhook_requests", "Requests received, by outcome.", ("outcome",), registry=self.registry
        )
        self.events = Counter(
            "wellwon_webhook_events", "Events of them that Kafka has acknowledged.", registry=self.registry
        )
        self.seconds = Histogram(
            "wellwon_webhook_seconds",
            "From a request's first line to its answer, which waits for Kafka.",
            registry=self.registry,
            buckets=LATENCY_BUCKETS,
        )
        for outcome in OUTCOMES:
            self.requests.labels(outcome)

    def received(self, outcome: str, events: int, seconds: float) -> None:
        """Count a request."""
        self.requests.labels(outcome).inc()
        self.events.inc(events)
        self.seconds.observe(seconds)

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)


class SubscriberMetrics:
    """Of a process that subscribes to Salesforce's change events."""

    def __init__(self) -> None:
        self.registry = new_registry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"wellwon_pubsub_{name}", text, labels, registry=self.registry)

        self.events = counter("events", "Events that Kafka has acknowledged, or that are dead letters.", "outcome")
        self.schemas = counter("schemas", "Schemas asked for.")
        self.reconnects = counter("reconnects", "Streams that broke off and were taken up again.")
        self.lost = counter(
            "lost_positions", "Times that Salesforce did not know any more how far its events were read."
        )
        self.heard = Gauge(
            "wellwon_pubsub_heard_timestamp_seconds",
            "When Salesforce said something last; every 270 s it says at least that there is nothing.",
            registry=self.registry,
        )
        for outcome in ("written", "undecodable"):
            self.events.labels(outcome)

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)
