"""*Processor*, for whoever runs it: is it keeping up, is anything lost, does it come back quickly."""

from __future__ import annotations

from typing import Final

from wellwon.cli.dashboards import crm
from wellwon.cli.dashboards.board import STAT, Dashboard, Panel, Row

RATE: Final = "[$__rate_interval]"
CHOSEN: Final = '{instance=~"$instance"}[$__rate_interval]'
"""Of the workers chosen at the top: what only detect and rollup have."""
DEAD: Final = '{__name__=~"wellwon_dead_letters_total|wellwon_raw_rejections_total"}'


def _within(share: float, metric: str, *by: str, of: str = CHOSEN) -> str:
    return f"histogram_quantile({share}, sum by ({', '.join(('le', *by))}) (rate({metric}_bucket{of}))) >= 0"


def _rise(metric: str) -> str:
    return f'sum(increase({metric}{{instance=~"$instance"}}[$__range]))'


DASHBOARD: Final = Dashboard(
    name="processor",
    title="Processor",
    description="The workers: lag, throughput, latency, state, dead letters, sinks, CRM, recovery.",
    variables={"instance": ("wellwon_worker_ready", "instance")},
    since="now-1h",
    rows=(
        Row(
            "Is it well",
            (
                Panel(
                    "Workers ready",
                    "Workers of each job that hold their states and process, or stand by (of deliver all but one).",
                    "short",
                    [
                        ('sum by (job) (wellwon_worker_ready{instance=~"$instance"})', "{{job}}"),
                        ("sum by (job) (wellwon_deliver_ready)", "{{job}}"),
                    ],
                    STAT,
                    4,
                    4,
                    runbook="worker-down",
                ),
                Panel(
                    "Lag",
                    "Records in the logs that have not been read.",
                    "short",
                    [('sum(wellwon_consumer_lag_records{instance=~"$instance"})', "records")],
                    STAT,
                    4,
                    4,
                    runbook="lag-growing",
                ),
                Panel(
                    "Changes a second",
                    "What sources sent and detect read.",
                    "cps",
                    [(f"sum(rate(wellwon_changes_total{CHOSEN}))", "changes")],
                    STAT,
                    4,
                    4,
                    runbook="no-changes",
                ),
                Panel(
                    "Dead letters in the range",
                    "Records that could not be used. None is normal.",
                    "short",
                    [(f"sum(increase({DEAD}[$__range]))", "dead letters")],
                    STAT,
                    4,
                    4,
                    runbook="dead-letters",
                ),
                Panel(
                    "Partitions being restored",
                    "Above 0 for a moment after a start or a rebalance.",
                    "short",
                    [('sum(wellwon_restoring_partitions{instance=~"$instance"})', "partitions")],
                    STAT,
                    4,
                    4,
                    runbook="recovery-stuck",
                ),
                Panel(
                    "Sinks that fail",
                    "Sinks that fail so often that they are only probed.",
                    "short",
                    [("sum(wellwon_sink_circuit_open)", "sinks")],
                    STAT,
                    4,
                    4,
                    runbook="sink-failing",
                ),
            ),
        ),
        Row(
            "Does it keep up",
            (
                Panel(
                    "Lag by partition",
                    "Records in the log that have not been read.",
                    "short",
                    [
                        (
                            'sum by (job, partition) (wellwon_consumer_lag_records{instance=~"$instance"})',
                            "{{job}} {{partition}}",
                        )
                    ],
                    runbook="lag-growing",
                ),
                Panel(
                    "Throughput by source",
                    "Changes a second, by source.",
                    "cps",
                    [(f"sum by (source) (rate(wellwon_changes_total{CHOSEN}))", "{{source}}")],
                    stacked=True,
                    runbook="no-changes",
                ),
                Panel(
                    "Throughput by kind",
                    "Changes a second, by kind. gap: a change whose fields were not sent; the deal is read again.",
                    "cps",
                    [(f"sum by (kind) (rate(wellwon_changes_total{CHOSEN}))", "{{kind}}")],
                    stacked=True,
                ),
                Panel(
                    "Change to alert",
                    "From the timestamp of the first change of a slice to the acknowledgement of the slice's alerts.",
                    "s",
                    [
                        (_within(0.5, "wellwon_change_to_alert_seconds"), "half are within"),
                        (_within(0.9, "wellwon_change_to_alert_seconds"), "nine in ten"),
                        (_within(0.99, "wellwon_change_to_alert_seconds"), "99 in a hundred"),
                    ],
                    runbook="lag-growing",
                ),
                Panel(
                    "Changes per slice",
                    "Records handed over at once. Large slices are normal while it catches up.",
                    "short",
                    [
                        (_within(0.5, "wellwon_slice_changes"), "half are below"),
                        (_within(0.99, "wellwon_slice_changes"), "99 in a hundred"),
                    ],
                ),
                Panel(
                    "Time spent in each rule",
                    "Seconds of a second, estimated from one slice in 16.",
                    "percentunit",
                    [(f"sum by (rule) (rate(wellwon_rule_seconds_total{CHOSEN}))", "{{rule}}")],
                    stacked=True,
                ),
            ),
        ),
        Row(
            "What fills the log",
            (
                Panel(
                    "Waiting in raw topics",
                    "Events of the CRM that ingest --follow has not read.",
                    "short",
                    [("sum by (job) (wellwon_raw_lag_records)", "{{job}}")],
                    runbook="lag-growing",
                ),
                Panel(
                    "Made of raw events, a minute",
                    "changes: into the log; rereads: to be read again, for the event did not say it; dead_letters.",
                    "short",
                    [(f"sum by (what) (rate(wellwon_raw_written_total{RATE})) * 60", "{{what}}")],
                    stacked=True,
                    runbook="no-changes",
                ),
                Panel(
                    "Left out, a minute",
                    "Raw events that say nothing of a deal, and what comes twice, by reason.",
                    "short",
                    [(f"sum by (reason) (rate(wellwon_raw_left_out_total{RATE})) * 60", "{{reason}}")],
                ),
            ),
        ),
        Row(
            "Is anything lost",
            (
                Panel(
                    "Age of what is not durable",
                    "Watermark: the age of the oldest slice whose alerts and states are not acknowledged.",
                    "s",
                    [
                        (
                            'max by (job, partition) (wellwon_watermark_age_seconds{instance=~"$instance"})',
                            "{{job}} {{partition}}",
                        ),
                        ("max by (job) (wellwon_deliver_watermark_age_seconds)", "{{job}}"),
                    ],
                    runbook="watermark-stuck",
                ),
                Panel(
                    "Dead letters a minute",
                    "By reason. rule_failed: a rule raised; the others went on.",
                    "short",
                    [(f"sum by (job, reason) (rate({DEAD}{RATE})) * 60", "{{job}}: {{reason}}")],
                    runbook="dead-letters",
                ),
                Panel(
                    "Late, sent twice, read again",
                    "A minute. Late: too late to be judged. Sent twice: dropped. Read again: after a restart.",
                    "short",
                    [
                        (f"sum(rate(wellwon_late_changes_total{CHOSEN})) * 60", "late"),
                        (f"sum(rate(wellwon_duplicate_changes_total{CHOSEN})) * 60", "sent twice"),
                        (f"sum(rate(wellwon_skipped_changes_total{CHOSEN})) * 60", "read again"),
                    ],
                ),
                Panel(
                    "The log's time against the worker's",
                    "How far the clock records of each partition lag behind. Under WELLWON_CLOCK=log it is history's.",
                    "s",
                    [
                        (
                            "abs(max by (job, partition) ("
                            'timestamp(wellwon_clock_timestamp_seconds{instance=~"$instance"})'
                            ' - wellwon_clock_timestamp_seconds{instance=~"$instance"}))',
                            "{{job}} {{partition}}",
                        )
                    ],
                    runbook="clock-skew",
                ),
                Panel(
                    "Worker's time against Prometheus's",
                    "Seconds apart. Quiet hours and clock records follow the worker's time.",
                    "s",
                    [
                        (
                            'abs(timestamp(wellwon_worker_time_seconds{instance=~"$instance"})'
                            ' - wellwon_worker_time_seconds{instance=~"$instance"})',
                            "{{instance}}",
                        )
                    ],
                    runbook="clock-skew",
                ),
                Panel(
                    "States rewritten, gaps in the log",
                    "In the range: states written by a worker that had lost its partition; offsets without a record.",
                    "short",
                    [
                        (_rise("wellwon_foreign_states_total"), "states rewritten"),
                        (_rise("wellwon_log_gap_records_total"), "gaps"),
                    ],
                ),
            ),
        ),
        Row(
            "State and recovery",
            (
                Panel(
                    "Deals held",
                    "By job. Closed deals leave after closed_days.",
                    "short",
                    [('sum by (job) (wellwon_state_deals{instance=~"$instance"})', "{{job}}")],
                    width=6,
                    runbook="state-growth",
                ),
                Panel(
                    "State",
                    "Encoded size of the states held, as of the last checkpoint.",
                    "bytes",
                    [('sum by (job) (wellwon_state_bytes{instance=~"$instance"})', "{{job}}")],
                    width=6,
                    runbook="state-growth",
                ),
                Panel(
                    "Last recovery",
                    "How long it took to restore the states of the partitions gained last.",
                    "s",
                    [
                        (
                            'max by (job, instance) (wellwon_restore_seconds{instance=~"$instance"})',
                            "{{job}} {{instance}}",
                        )
                    ],
                    width=6,
                    runbook="recovery-stuck",
                ),
                Panel(
                    "Memory",
                    "Resident memory of each worker.",
                    "bytes",
                    [
                        (
                            'process_resident_memory_bytes{job=~"wellwon-.*",instance=~"$instance"}',
                            "{{job}} {{instance}}",
                        )
                    ],
                    width=6,
                    runbook="state-growth",
                ),
            ),
        ),
        Row(
            "Sinks",
            (
                Panel(
                    "Messages a minute",
                    "What each sink took.",
                    "short",
                    [(f"sum by (sink) (rate(wellwon_messages_sent_total{RATE})) * 60", "{{sink}}")],
                    width=6,
                    stacked=True,
                ),
                Panel(
                    "Retried and given up",
                    "A minute. What is given up becomes a dead letter.",
                    "short",
                    [
                        (f"sum by (sink) (rate(wellwon_messages_retried_total{RATE})) * 60", "{{sink}}: retried"),
                        (f"sum by (sink) (rate(wellwon_messages_given_up_total{RATE})) * 60", "{{sink}}: given up"),
                    ],
                    width=6,
                    runbook="sink-failing",
                ),
                Panel(
                    "Waiting for a sink",
                    "Messages in the queue of each sink, or on their way.",
                    "short",
                    [("sum by (sink) (wellwon_sink_queue_messages)", "{{sink}}")],
                    width=6,
                    runbook="sink-failing",
                ),
                Panel(
                    "Alert to request",
                    "From when a message was due to its request to the sink.",
                    "s",
                    [
                        (_within(0.5, "wellwon_alert_to_request_seconds", "sink", of=RATE), "{{sink}}: half"),
                        (
                            _within(0.99, "wellwon_alert_to_request_seconds", "sink", of=RATE),
                            "{{sink}}: 99 in a hundred",
                        ),
                    ],
                    width=6,
                ),
            ),
        ),
        crm.ROW,
    ),
)
