"""*Rule tuning*: whether each rule is worth its messages."""

from __future__ import annotations

from typing import Final

from wellwon.cli.dashboards.board import BARS, TABLE, Dashboard, Panel, Row


def _of(metric: str, *conditions: str, span: str = "$__range") -> str:
    """The rise of a counter in the range, by rule."""
    where = ",".join(['rule=~"$rule"', *conditions])
    return f"sum by (rule) (increase({metric}{{{where}}}[{span}]))"


FIRED: Final = _of("wellwon_alert_transitions_total", 'transition="opened"')
SHADOW: Final = _of("wellwon_alerts_opened_in_shadow_total")
RETRACTED: Final = _of("wellwon_alert_resolutions_total", 'reason="retracted"')
# What deliver reads, and not what detect does: an answer to an alert of a team is no change of a deal.
NOT_RIGHT: Final = _of("wellwon_replies_total", 'kind="answered"', 'answer="not_right"')
ANSWERED: Final = _of("wellwon_replies_total", 'kind="answered"')
RESOLVED: Final = _of("wellwon_alert_transitions_total", 'transition="resolved"')
BUCKETS: Final = 'sum by (le, rule) (increase(wellwon_alert_open_seconds_bucket{rule=~"$rule"}[$__range]))'


def _quantile(share: float) -> str:
    return f"histogram_quantile({share}, {BUCKETS}) >= 0"  # a rule that nothing resolved of has none


DASHBOARD: Final = Dashboard(
    name="rule-tuning",
    title="Rule tuning",
    description="Rule by rule: how often it fires, how often it was wrong, how long until it clears.",
    variables={"rule": ("wellwon_alert_transitions_total", "rule")},
    since="now-30d",
    rows=(
        Row(
            "Rule by rule",
            (
                Panel(
                    "Every rule in the range",
                    "Fired, of these in shadow (nobody was told), taken back because it did not happen that way,"
                    " answered as not right, resolved, and the median time until it cleared. A rule that is"
                    " often not right needs another threshold; one that fires and is never answered needs none of us.",
                    "short",
                    [
                        (FIRED, "fired"),
                        (SHADOW, "in shadow"),
                        (RETRACTED, "retracted"),
                        (NOT_RIGHT, "not right"),
                        (RESOLVED, "resolved"),
                        (_quantile(0.5), "time to clear"),
                    ],
                    TABLE,
                    24,
                    14,
                    units={"time to clear": "s"},
                ),
            ),
        ),
        Row(
            "Fired",
            (
                Panel("Fired", "Alerts opened in the range.", "short", [(f"sort_desc({FIRED} > 0)", "{{rule}}")], BARS),
                Panel(
                    "In shadow",
                    "Of these, alerts that nobody was told of. Turn a rule on when its numbers are good here.",
                    "short",
                    [(SHADOW, "{{rule}}")],
                    BARS,
                ),
                Panel(
                    "Fired, by day",
                    "Alerts opened within a day, as time goes by.",
                    "short",
                    [(_of("wellwon_alert_transitions_total", 'transition="opened"', span="1d") + " > 0", "{{rule}}")],
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Wrong",
            (
                Panel(
                    "Retracted",
                    "Taken back: the same save, or a correction soon after, explains what the rule saw. Many of them"
                    " ask for a longer settle time or correction_minutes.",
                    "short",
                    [(RETRACTED, "{{rule}}")],
                    BARS,
                ),
                Panel(
                    "Answered as not right",
                    "What people said when they were told.",
                    "short",
                    [(NOT_RIGHT, "{{rule}}")],
                    BARS,
                ),
                Panel(
                    "Share of answers that were not right",
                    "Of everything that people answered to the rule in the range; a rule without answers is not shown.",
                    "percentunit",
                    [
                        (
                            f"{NOT_RIGHT} / ({ANSWERED} > 0)",
                            "{{rule}}",
                        )
                    ],
                    BARS,
                ),
            ),
        ),
        Row(
            "Cleared",
            (
                Panel("Resolved", "Alerts resolved in the range.", "short", [(RESOLVED, "{{rule}}")], BARS),
                Panel(
                    "Why they resolved",
                    "cleared: put right; expired: time ended it; closed: the deal was closed; retracted and not_right:"
                    " it never held.",
                    "short",
                    [
                        (
                            'sum by (reason) (increase(wellwon_alert_resolutions_total{rule=~"$rule"}[$__range]))',
                            "{{reason}}",
                        )
                    ],
                    BARS,
                ),
                Panel(
                    "Time to clear",
                    "Half of the alerts, and nine in ten, were open no longer than this, in the log's time.",
                    "s",
                    [(_quantile(0.5), "{{rule}}: half"), (_quantile(0.9), "{{rule}}: nine in ten")],
                ),
            ),
        ),
    ),
)
