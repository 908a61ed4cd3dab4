"""A row of *Processor*: facts on their way back into CRMs, and the calls that they take."""

from __future__ import annotations

from typing import Final

from wellwon.cli.dashboards.board import Panel, Row

RATE: Final = "[$__rate_interval]"

ROW: Final = Row(
    "Facts back into the CRM",
    (
        Panel(
            "Facts a minute",
            "By what became of them. later: tried again; refused and too-old: a dead letter.",
            "short",
            [(f"sum by (crm, outcome) (rate(wellwon_crm_facts_total{RATE})) * 60", "{{crm}}: {{outcome}}")],
            width=6,
            stacked=True,
            runbook="dead-letters",
        ),
        Panel(
            "Waiting for a CRM",
            "Deals whose facts the CRM does not show yet. Fails: 1 while it is only probed.",
            "short",
            [
                ("sum by (crm) (wellwon_crm_waiting_deals)", "{{crm}}: deals"),
                ("max by (crm) (wellwon_crm_circuit_open)", "{{crm}}: fails"),
            ],
            width=6,
            runbook="api-budget",
        ),
        Panel(
            "Our API calls",
            "Made, a minute; and how many may be made at once, of our share of the day's.",
            "short",
            [
                (f"sum by (crm) (rate(wellwon_crm_api_calls_total{RATE})) * 60", "{{crm}}: made"),
                ("max by (crm) (wellwon_crm_budget_calls)", "{{crm}}: left"),
            ],
            width=6,
            runbook="api-budget",
        ),
        Panel(
            "The organisation's API calls of the day",
            "Used by everybody, as a share of the CRM's limit, both as the CRM said last.",
            "percentunit",
            [("max by (crm) (wellwon_crm_api_used_calls / (wellwon_crm_api_limit_calls > 0))", "{{crm}}")],
            width=6,
            runbook="api-budget",
        ),
    ),
)
