"""The instruments of the page's server. Deals and people are never labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class WebMetrics:
    """The instruments of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"wellwon_web_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"wellwon_web_{name}", text, registry=self.registry)

        self.requests = counter("requests", "Requests, by page and status.", "page", "status")
        said = "Time to answer, by page; streams of events are not counted."
        self.seconds = Histogram(
            "wellwon_web_request_seconds", said, ("page",), registry=self.registry, buckets=BUCKETS
        )
        self.replies = counter("replies", "What people answered on the page, by kind.", "kind")
        self.refused = counter("refused", "Requests that were refused, by reason.", "reason")
        self.open = gauge("open_alerts", "Open alerts that the page knows.")
        self.dropped = gauge("dropped_alerts", "Open alerts that there was no room for.")
        self.looking = gauge("looking", "Pages that are open and fed with events.")

    def page(self) -> bytes:
        """What /metrics says."""
        return generate_latest(self.registry)
