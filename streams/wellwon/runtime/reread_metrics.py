"""The instruments of what is read again from CRMs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from wellwon.runtime.ingest_metrics import new_registry

OUTCOMES: Final = ("read", "answered", "later", "refused", "given_up")


class RereadMetrics:
    """Of `wellwon reread`; the label is the CRM."""

    def __init__(self, systems: Iterable[str]) -> None:
        self.registry: CollectorRegistry = new_registry()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"wellwon_reread_{name}", text, labels, registry=self.registry)

        self.requests = Counter(
            "wellwon_reread_requests",
            "Requests to read again, by what became of them; answered: by a reading that came after their loss.",
            ("crm", "outcome"),
            registry=self.registry,
        )
        self.changes = Counter("wellwon_reread_changes", "Changes written.", ("crm",), registry=self.registry)
        self.calls = Counter("wellwon_reread_api_calls", "Our API calls.", ("crm",), registry=self.registry)
        self.dead_letters = Counter(
            "wellwon_dead_letters", "Requests and records that cannot be used, by reason.", ("reason",),
            registry=self.registry,
        )  # fmt: skip
        self.waiting = gauge("waiting_requests", "Deals and entities that are still to be read again.")
        self.oldest = gauge("oldest_seconds", "Age of the oldest of them; 0: there is none.")
        self.budget = gauge("budget_calls", "API calls that may be made at once, of our share of the day's.", "crm")
        for system in systems:
            self.calls.labels(system)
            self.changes.labels(system)
            for outcome in OUTCOMES:
                self.requests.labels(system, outcome)

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)
