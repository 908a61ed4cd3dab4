"""The instruments of what is written back into CRMs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

OUTCOMES: Final = ("taken", "later", "refused", "too-old")


class CrmMetrics:
    """Those of every CRM, in the registry of the worker; the label is the CRM."""

    def __init__(self, registry: CollectorRegistry, systems: Iterable[str]) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"wellwon_crm_{name}", text, ("crm",), registry=registry)

        self.calls = Counter("wellwon_crm_api_calls", "Our API calls.", ("crm",), registry=registry)
        self.facts = Counter(
            "wellwon_crm_facts", "Facts written, by what became of them.", ("crm", "outcome"), registry=registry
        )
        self.waiting = gauge("waiting_deals", "Deals whose facts the CRM does not show yet.")
        self.circuit = gauge("circuit_open", "1 while a CRM fails so often that it is only probed.")
        self.budget = gauge("budget_calls", "API calls that may be made at once, of our share of the day's.")
        self.used = gauge("api_used_calls", "API calls of the whole organisation's day, as the CRM said last.")
        self.limit = gauge("api_limit_calls", "The organisation's limit of them, as the CRM said last; 0: not yet.")
        for system in systems:
            self.calls.labels(system)
            for outcome in OUTCOMES:
                self.facts.labels(system, outcome)
