"""What a policy may hold, declared once: the check, the JSON Schema and ``wellwon policy show`` derive from this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from wellwon.core.calendar import Kind, Pattern, Weekday
from wellwon.core.items import WRITER_KINDS
from wellwon.core.model import ACTIVITIES, CATEGORIES, DEAL_TYPES, MODES
from wellwon.core.rule import RuleSpec, param_fields
from wellwon.policy.delivery_shape import CRM, DELIVER
from wellwon.policy.forms import Choice, Day, Many, Mapping, Money, Number, Percent, Rate, Section, Text
from wellwon.policy.norms import NORMS

FIELDS: Final = (
    "close_date",
    "amount",
    "currency",
    "discount_percent",
    "list_amount",
    "forecast_category",
    "stage",
    "pipeline",
    "owner_id",
    "name",
    "account",
    "next_step",
    "term_months",
    "prepaid_months",
    "buyer_confirmed_date",
    "deal_type",
)
"""The fields of a deal that wellwon reads; `LABELS` are the organisation's own, for segments."""
LABELS: Final = "labels."

_CALENDAR: Final = Section(
    "The fiscal calendar.",
    {
        "kind": Choice("What the forecast is made for.", get_args(Kind)),
        "start_month": Number("Month in which the fiscal year begins.", 1, 12, "month"),
        "pattern": Choice("Calendar months, or months made of weeks.", get_args(Pattern)),
        "week_start": Choice("First day of the week, for months made of weeks.", get_args(Weekday)),
        "table": Mapping("First day of each period, by its name; replaces the rule.", "a period's name", Day("Date.")),
        "zone": Text("IANA time zone of the organisation's days, such as Europe/Berlin."),
    },
)

_DEAL_TYPE: Final = Choice("Deal type.", DEAL_TYPES)

_PIPELINE: Final = Section(
    "A sales process.",
    {
        "name": Text("Name of the pipeline."),
        "match": Many("Record types or HubSpot pipelines (ids or names) that it is for.", Text("Id or name.")),
        "open": Many("Open stages, in order.", Text("Stage."), at_least=1),
        "won": Many("Stages that mean won.", Text("Stage."), at_least=1),
        "lost": Many("Stages that mean lost.", Text("Stage."), at_least=1),
        "late_stage": Text("First stage that counts as late: the one you forecast as Commit."),
        "buyer_process": Many("Stages that wait for the buyer: legal, security, procurement.", Text("Stage.")),
        "deal_type": Choice("What its deals are, where the deal itself does not say.", DEAL_TYPES),
        "categories": Mapping(
            "Forecast category of its stages, where the CRM has none of its own.",
            "a stage",
            Choice("Category.", CATEGORIES),
        ),
    },
    required=("name", "open", "won", "lost"),
)

_WRITERS: Final = Section(
    "Who writes to the CRM. Only people's own edits count as behaviour.",
    {
        "default": Choice("What everyone is who is not listed.", WRITER_KINDS[:-1]),
        **{
            kind: Many(f"Ids of the CRM users that count as {kind}.", Text("User id."))
            for kind in WRITER_KINDS
            if kind != "self"
        },
        "self": Many("Client ids under which wellwon itself writes: its echo is ignored.", Text("Client id.")),
    },
)

_WHEN: Final = Section(
    "What a deal must be, all of it, to belong to the segment.",
    {
        "amount_min": Money("At least this amount (of a year, where a term is mapped)."),
        "amount_max": Money("Less than this amount (of a year, where a term is mapped)."),
        "currency": Text("In this currency (ISO 4217)."),
        "pipelines": Many("In one of these pipelines.", Text("Pipeline.")),
        "deal_types": Many("Of one of these deal types.", _DEAL_TYPE),
        "labels": Mapping("Values of the organisation's own fields.", "a label", Many("Values.", Text("Value."), 1)),
    },
)

_DAYS_BY_STAGE: Final = Number("Days.", 0, 3_650, "days")

_NORMS: Final = Section(
    "The segment's figures from its own history; they count from 20 wins on.",
    {
        "wins": Number("Wins that the figures are made of.", 0, 100_000_000, "wins"),
        "discount_p75": Percent("75th percentile of the discount on wins outside the window."),
        "stage_days_median": Mapping("Median days in a stage.", "a stage", _DAYS_BY_STAGE),
        "days_to_won_p10": Mapping("10th percentile of the days to won after a stage.", "a stage", _DAYS_BY_STAGE),
    },
)

_WINDOW_DAYS: Final = Number(
    "The last days of a period, in which pressure shows; by default 4 of a month.", 1, 60, "days"
)

_LEAST_AMOUNT: Final = Money("Nobody is told of deals below this amount of a year, in the reporting currency.")

_EXEMPTION: Final = Section(
    "Deals that nobody is told about until a date: their alerts run in shadow.",
    {
        "deals": Many("These deals.", Text("Deal id.")),
        "owners": Many("Deals of these owners.", Text("User id.")),
        "pipelines": Many("Deals of these pipelines.", Text("Pipeline.")),
        "segments": Many("Deals of these segments.", Text("Segment.")),
        "rules": Many("Only alerts of these rules; by default of every rule.", Text("Rule.")),
        "until": Day("Last day of the exemption."),
        "reason": Text("Why, for whoever reads it next."),
    },
    required=("until", "reason"),
)


def rule_shape(spec: RuleSpec) -> Section:
    """A rule's mode, deal types and thresholds."""
    return Section(
        spec.summary,
        {
            "mode": Choice("off: not run; shadow: counted, told to no one; alert: told.", MODES),
            "deal_types": Many("Deal types that it runs for.", _DEAL_TYPE),
            **{
                name: Number(about["doc"], about["ge"], about["le"], about["unit"])
                for name, about in param_fields(spec.params).items()
            },
        },
        noun=f"a threshold of {spec.name}",
        shorthand="mode",
    )


def policy_shape(rules: Sequence[RuleSpec]) -> Section:
    """A whole policy, with these rules."""
    by_rule = Section("Mode and thresholds, by rule.", {spec.name: rule_shape(spec) for spec in rules}, noun="a rule")
    segment = Section(
        "Deals that share thresholds. The first segment that matches is taken.",
        {
            "name": Text("Name of the segment."),
            "when": _WHEN,
            "window_days": _WINDOW_DAYS,
            "norms": _NORMS,
            "least_amount": _LEAST_AMOUNT,
            "rules": by_rule,
        },
        required=("name",),
    )
    return Section(
        "A wellwon policy.",
        {
            "version": Number("Version of this file's format.", 1, 1, "the only version there is"),
            "calendar": _CALENDAR,
            "window_days": _WINDOW_DAYS,
            "commit_lock_days": Number(
                "Days before a period's end from which Commit is a promise; by default 10 of a month.", 1, 90, "days"
            ),
            "correction_minutes": Number("A slip put right within this time does not count.", 0, 1_440, "minutes"),
            "lateness_minutes": Number("How late a change may arrive and still be judged.", 0, 1_440, "minutes"),
            "bulk_records": Number("More deals than this in one go are a bulk edit.", 2, 10_000, "deals"),
            "closed_days": Number("Days that a closed deal is remembered.", 91, 3_650, "days"),
            "pipelines": Many("Sales processes; the first is for deals that match none.", _PIPELINE, at_least=1),
            "categories": Mapping(
                "The CRM's forecast categories and what each means.",
                "a forecast category",
                Choice("Meaning.", CATEGORIES),
            ),
            "deal_types": Mapping("The CRM's words for deal types.", "the CRM's word", _DEAL_TYPE),
            "fields": Mapping(
                "The CRM's field names and the field of a deal that each is; null: not read.",
                "a CRM field",
                Choice("Field of a deal.", FIELDS, prefix=LABELS, nullable=True),
            ),
            "activities": Choice("Which calls, mails and meetings are fed to wellwon, as changes.", ACTIVITIES),
            "writers": _WRITERS,
            "reporting_currency": Text("Currency in which amounts of several currencies are compared (ISO 4217)."),
            "plan_rates": Mapping(
                "What a unit of each other currency is worth in the reporting currency, by this year's plan.",
                "a currency",
                Rate("Plan rate."),
            ),
            "least_amount": _LEAST_AMOUNT,
            "norms_file": Text("File of the segments' norms beside the policy, as `wellwon norms` writes it."),
            "norms": NORMS,
            "teams": Mapping(
                "Teams and the CRM users who own their deals; without any, the organisation is one team.",
                "a team",
                Many("Ids of the owners.", Text("User id."), at_least=1),
            ),
            "team_label": Choice(
                "The organisation's own field that names a deal's team, where its owner is in none.", (), prefix=LABELS
            ),
            "segments": Many("Segments, in order; deals that match none are in the last, default.", segment),
            "rules": by_rule,
            "exemptions": Many("Who and what is exempt, until when and why.", _EXEMPTION),
            "deliver": DELIVER,
            "crm": CRM,
        },
        noun="a key of a policy",
    )
