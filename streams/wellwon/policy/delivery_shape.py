"""What ``deliver`` and ``crm`` may hold in a policy."""

from __future__ import annotations

from typing import Final, get_args

from wellwon.core.calendar import Weekday
from wellwon.core.rule import FAMILIES, SEVERITIES
from wellwon.policy.delivery import FACTS, SINK_KINDS
from wellwon.policy.forms import Choice, Many, Mapping, Number, Section, Text, TimeOfDay

_AUDIENCE: Final = Text("Audience.")
_SEVERITY: Final = Choice("Severity.", SEVERITIES)
_WEEKDAY: Final = Choice("Day.", get_args(Weekday))

_ROUTE: Final = Section(
    "Who hears of an alert: the first route that matches is taken.",
    {
        "when": Section(
            "What the alert must be, all of it; without conditions: any.",
            {
                "rules": Many("Of one of these rules.", Text("Rule.")),
                "families": Many("Of one of these families.", Choice("Family.", FAMILIES)),
                "severities": Many("Of one of these severities.", _SEVERITY),
                "segments": Many("In one of these segments.", Text("Segment.")),
            },
        ),
        "to": Many("Who hears of it; an empty list: nobody, it is counted.", _AUDIENCE),
    },
    required=("to",),
)

_SINK: Final = Section(
    "A way out. Its secret is the environment variable WELLWON_SINK_<NAME>, never a part of the policy.",
    {
        "kind": Choice("What it is.", SINK_KINDS),
        "hears": Many("Audiences that it reaches; owner and manager are told in private.", _AUDIENCE, at_least=1),
        "channels": Mapping(
            "Where its other audiences hear: a Slack channel, or an e-mail address.", "an audience", Text("Channel.")
        ),
        "sender": Text("Address that e-mail comes from."),
    },
    required=("kind", "hears"),
)

DELIVER: Final = Section(
    "How alerts and wins reach people. An audience is owner, manager, revops, or a name of your own: a sink hears it.",
    {
        "settle_minutes": Number("A message waits so long, so that a slip is never announced.", 0, 1_440, "minutes"),
        "owner_cap_per_day": Number("Messages to one owner and day; the rest are in a digest.", 0, 1_000, "messages"),
        "quiet_hours": Section(
            "No message to a person in these hours, in the owner's zone; equal times: never quiet.",
            {"begin": TimeOfDay("From this time on."), "end": TimeOfDay("Until this time.")},
        ),
        "working_days": Many("Days on which people are told.", _WEEKDAY, at_least=1),
        "daily_digest_at": TimeOfDay("When what was held back that day is told."),
        "weekly_digest": Section(
            "The digest for the forecast call.",
            {
                "weekday": _WEEKDAY,
                "at": TimeOfDay("Time, in the calendar's zone."),
                "to": Many("Who gets it; an empty list: nobody.", _AUDIENCE),
            },
        ),
        "escalation": Section(
            "Alerts that nobody answers.",
            {
                "severities": Many("Severities that escalate; an empty list: none.", _SEVERITY),
                "after_hours": Number("How long nobody answered.", 1, 720, "hours"),
                "to": Many("Who hears of them then.", _AUDIENCE),
            },
        ),
        "routes": Many("Routes, in order; what none of them takes goes to owner and revops.", _ROUTE),
        "handover_to": Many("Who gets the hand-over note after a win.", _AUDIENCE),
        "earned_wins_to": Many("Who hears of a win that was earned.", _AUDIENCE),
        "sinks": Mapping("Ways out, by a name of your own.", "a sink's name", _SINK),
    },
)

_WRITES: Final = Section(
    "What is written back; nothing unless it is named.",
    {
        "write": Many("alerts: open flags; wins: how it was won, neutral facts only.", Choice("Fact.", FACTS)),
        "api_share_percent": Number("Most of the CRM's daily API calls that it may take.", 1, 100, "percent"),
    },
)

CRM: Final = Section(
    "What is written back into the CRM. Off until it is turned on here.",
    {
        "salesforce": _WRITES,
        "hubspot": _WRITES,
        "wins_after_hours": Number("How long after a win its facts are written.", 0, 720, "hours"),
    },
)
