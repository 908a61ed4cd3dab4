"""*Forecast hygiene*, for RevOps: what is being pushed, how the period is going, what people answered."""

from __future__ import annotations

from typing import Final

from wellwon.cli.dashboards.board import BARS, STAT, Dashboard, Panel, Row

OPEN: Final = 'wellwon_open_findings{rule=~"$rule",severity=~"$severity",segment=~"$segment"}'
MOVED: Final = 'wellwon_alert_transitions_total{rule=~"$rule",severity=~"$severity"'
EARNED: Final = 'sum(increase(wellwon_wins_total{reading="earned"}[$__range]))'
READ: Final = 'sum(increase(wellwon_wins_total{reading=~"earned|mixed|pressured"}[$__range]))'

DASHBOARD: Final = Dashboard(
    name="forecast-hygiene",
    title="Forecast hygiene",
    description="Which deals are being pushed instead of won, by pattern and by segment. No deal, no person is named.",
    variables={
        "rule": ("wellwon_alert_transitions_total", "rule"),
        "severity": ("wellwon_open_findings", "severity"),
        "segment": ("wellwon_open_findings", "segment"),
    },
    since="now-7d",
    rows=(
        Row(
            "Now",
            (
                Panel(
                    "Findings open now",
                    "Patterns that hold now, over all deals, those in shadow among them. A deal with three patterns"
                    " counts three times here; people get one message for it.",
                    "short",
                    [(f"sum({OPEN})", "open")],
                    STAT,
                    4,
                    4,
                ),
                Panel(
                    "Of these, high",
                    "Those that a manager hears of by default.",
                    "short",
                    [(f'sum({OPEN[:-1]},severity="high"}})', "high")],
                    STAT,
                    4,
                    4,
                ),
                Panel(
                    "To the period's end",
                    "From the log's time to the end of the fiscal period of the policy's calendar.",
                    "s",
                    [
                        (
                            "max(wellwon_period_end_timestamp_seconds) - max(wellwon_clock_timestamp_seconds)",
                            "left",
                        )
                    ],
                    STAT,
                    4,
                    4,
                ),
                Panel(
                    "Opened in the range",
                    "Alerts that began to hold in the time shown.",
                    "short",
                    [(f'sum(increase({MOVED},transition="opened"}}[$__range]))', "opened")],
                    STAT,
                    4,
                    4,
                ),
                Panel(
                    "Resolved in the range",
                    "Alerts that stopped holding: put right, explained, or over.",
                    "short",
                    [(f'sum(increase({MOVED},transition="resolved"}}[$__range]))', "resolved")],
                    STAT,
                    4,
                    4,
                ),
                Panel(
                    "Won well",
                    "Share of the wins that were earned: price held, date held, the buyer answered. Wins of which too"
                    " little is known are left out.",
                    "percentunit",
                    [(f"{EARNED} / ({READ} > 0)", "won well")],
                    STAT,
                    4,
                    4,
                ),
            ),
        ),
        Row(
            "The trend to the period's end",
            (
                Panel(
                    "Open findings by rule",
                    "What is open, by pattern; the vertical line is the period's end. A rise in the last days is the"
                    " pressure that this dashboard is for.",
                    "short",
                    [(f"sum by (rule) ({OPEN}) > 0", "{{rule}}")],
                    width=16,
                    height=10,
                    stacked=True,
                ),
                Panel(
                    "Open findings by severity",
                    "The same, by how serious it is.",
                    "short",
                    [(f"sum by (severity) ({OPEN})", "{{severity}}")],
                    height=10,
                    stacked=True,
                ),
                Panel(
                    "Open findings by segment",
                    "By the policy's segment that the deal was in when it began. Findings about owners and teams have"
                    " none.",
                    "short",
                    [(f"sum by (segment) ({OPEN}) > 0", "{{segment}}")],
                    stacked=True,
                ),
                Panel(
                    "Transitions an hour",
                    "How fast alerts open, change and resolve.",
                    "short",
                    [(f"sum by (transition) (rate({MOVED}}}[$__rate_interval])) * 3600", "{{transition}}")],
                ),
                Panel(
                    "Opened in the range, by rule",
                    "Which patterns the organisation lives with. One that opens often and resolves soon may need a"
                    " wider threshold: see Rule tuning.",
                    "short",
                    [
                        (
                            f'sort_desc(sum by (rule) (increase({MOVED},transition="opened"}}[$__range])) > 0)',
                            "{{rule}}",
                        )
                    ],
                    BARS,
                ),
            ),
        ),
        Row(
            "How the period is worked",
            (
                Panel(
                    "Late concessions, by days to the period's end",
                    "Alerts of the price family that opened in the range, by how many days were left (15+: more than"
                    " fourteen). A price that is only given in the last days was the calendar's, not the buyer's.",
                    "short",
                    [("sum by (days_left) (increase(wellwon_concessions_total[$__range]))", "{{days_left}} days")],
                    BARS,
                    height=10,
                ),
                Panel(
                    "Pushes, by week of the period",
                    "Close dates that somebody moved out in the range, by the week of the period in which they did;"
                    " bulk edits and integrations are left out.",
                    "short",
                    [("sum by (week) (increase(wellwon_pushes_total[$__range]))", "week {{week}}")],
                    BARS,
                    height=10,
                ),
                Panel(
                    "Wins by how they were won",
                    "Per hour. Earned: price held, date held, the buyer answered. Pressured: a price was given while a"
                    " pattern of pressure held. Mixed: in between; unknown: too little is known.",
                    "short",
                    [("sum by (reading) (rate(wellwon_wins_total[$__rate_interval])) * 3600", "{{reading}}")],
                    height=10,
                    stacked=True,
                ),
            ),
        ),
        Row(
            "What people were told, and said",
            (
                Panel(
                    "Messages in the range",
                    "New messages (post) and edits (update) that sinks took.",
                    "short",
                    [("sum by (sink, kind) (increase(wellwon_messages_sent_total[$__range]))", "{{sink}}: {{kind}}")],
                    BARS,
                    6,
                    runbook="sink-failing",
                ),
                Panel(
                    "Held back in the range",
                    "What waited for a digest, by reason: quiet hours, an owner's cap, small amounts, what was old by"
                    " then, a policy's edit, the first connection, too much at once.",
                    "short",
                    [("sum by (reason) (increase(wellwon_messages_held_back_total[$__range]))", "{{reason}}")],
                    BARS,
                    6,
                ),
                Panel(
                    "Told to nobody in the range",
                    "By reason: the rule is in shadow, nobody is routed to or has an address, it settled or was taken"
                    " back before anybody was told, it was too old.",
                    "short",
                    [("sum by (reason) (increase(wellwon_messages_not_sent_total[$__range]))", "{{reason}}")],
                    BARS,
                    6,
                ),
                Panel(
                    "How they were answered",
                    "Replies in the range. `not_right` is the rule's mistake, or the policy's.",
                    "short",
                    [
                        (
                            'sum by (kind, answer) (increase(wellwon_replies_total{rule=~"$rule"}[$__range])) > 0',
                            "{{kind}} {{answer}}",
                        )
                    ],
                    BARS,
                    6,
                ),
            ),
        ),
    ),
)
