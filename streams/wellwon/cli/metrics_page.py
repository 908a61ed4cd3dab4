"""``docs/operate-metrics.md``: every metric of every worker, from the instruments themselves."""

from __future__ import annotations

from typing import Any

from wellwon.cli.docs import NOTE, table

HEADER = ("metric", "type", "labels", "what it means")


def metrics_page() -> str:
    """The page."""
    from wellwon.runtime.deliver_metrics import DeliverMetrics
    from wellwon.runtime.ingest_metrics import NormaliseMetrics, ReceiverMetrics, SubscriberMetrics
    from wellwon.runtime.metrics import Metrics
    from wellwon.runtime.reread_metrics import RereadMetrics
    from wellwon.web.metrics import WebMetrics

    parts = [
        NOTE.format(source="streams/wellwon: runtime/metrics.py, *_metrics.py, web/metrics.py"),
        "# The metrics",
        "Each worker serves them under `/metrics` at `WELLWON_HTTP`. No deal, no owner and no account is ever a label:"
        " what others name (sources, segments) is bounded, the rest is `other`. Beside these every worker has Python's"
        " own `process_*` and `python_gc_*`. The dashboards are in `deploy/grafana`, recording rules and alerts in"
        " `deploy/prometheus`, what to do about an alert in [deploy/runbooks](../deploy/runbooks/).",
        "## wellwon worker, wellwon rollup",
        table(HEADER, _rows(Metrics())),
        "## wellwon deliver",
        table(HEADER, _rows(DeliverMetrics(()))),
        "## wellwon ingest --follow",
        table(HEADER, _rows(NormaliseMetrics())),
        "## wellwon reread",
        table(HEADER, _rows(RereadMetrics(()))),
        "## wellwon receive hubspot",
        table(HEADER, _rows(ReceiverMetrics())),
        "## wellwon receive salesforce",
        table(HEADER, _rows(SubscriberMetrics())),
        "## wellwon web",
        table(HEADER, _rows(WebMetrics())),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(metrics: Any) -> list[tuple[str, str, str, str]]:
    rows = []
    for instrument in vars(metrics).values():
        if not hasattr(instrument, "_labelnames"):
            continue
        (family, *_) = instrument.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in instrument._labelnames)
        rows.append((f"`{name}`", family.type, labels, family.documentation))
    return sorted(rows)
