"""A policy, resolved: every value filled in, written or default. An empty file is a valid policy: `Policy()`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final

import msgspec

from wellwon.core.calendar import FiscalCalendar, Kind, Pattern, Weekday
from wellwon.core.items import USER
from wellwon.core.model import BEST_CASE, CLOSED, COMMIT, NOT_FED, OFF, OMITTED, PIPELINE
from wellwon.core.norms import Norms
from wellwon.core.rule import FED, RuleSpec, param_fields
from wellwon.policy.delivery import Crm, Delivery
from wellwon.policy.norms import NormsFile
from wellwon.policy.own import CLIENT

DEFAULT_SEGMENT: Final = "default"

CATEGORIES: Final[dict[str, str]] = {
    # Salesforce's labels and the API's internal values (the label Commit is Forecast inside), then HubSpot's.
    "pipeline": PIPELINE,
    "best case": BEST_CASE,
    "bestcase": BEST_CASE,
    "mostlikely": BEST_CASE,
    "most likely": BEST_CASE,
    "commit": COMMIT,
    "forecast": COMMIT,
    "omitted": OMITTED,
    "closed": CLOSED,
    "best_case": BEST_CASE,
    "omit": OMITTED,
    "not forecasted": OMITTED,
}

DEAL_TYPE_WORDS: Final[dict[str, str]] = {
    "new": "new",
    "new business": "new",
    "new customer": "new",
    "newbusiness": "new",
    "expansion": "expansion",
    "upsell": "expansion",
    "existing business": "expansion",
    "existingbusiness": "expansion",
    "existing customer - upgrade": "expansion",
    "existing customer - replacement": "expansion",
    "existing customer - downgrade": "renewal",
    "renewal": "renewal",
    "co-term": "coterm",
    "coterm": "coterm",
    "channel": "channel",
}

FIELDS: Final[dict[str, str]] = {
    # Salesforce's Opportunity, then HubSpot's deal: their names do not collide. The CRM's own type of a deal is not
    # read unless mapped, for few organisations fill it; the pipeline says it.
    "CloseDate": "close_date",
    "Amount": "amount",
    "CurrencyIsoCode": "currency",
    "StageName": "stage",
    "ForecastCategoryName": "forecast_category",
    "RecordTypeId": "pipeline",
    "OwnerId": "owner_id",
    "Name": "name",
    "AccountId": "account",
    "NextStep": "next_step",
    "closedate": "close_date",
    "amount": "amount",
    "deal_currency_code": "currency",
    "dealstage": "stage",
    "hs_manual_forecast_category": "forecast_category",
    "pipeline": "pipeline",
    "hubspot_owner_id": "owner_id",
    "dealname": "name",
    "hs_next_step": "next_step",
}


def id_forms(text: str) -> tuple[str, ...]:
    """An id as it may appear: Salesforce writes the same id with 15 characters, or 18 of which 3 are a checksum."""
    if re.fullmatch(r"[0-9a-zA-Z]{18}", text) and text == text[:15] + _checksum(text[:15]):
        return text, text[:15]
    if re.fullmatch(r"[0-9a-zA-Z]{15}", text):
        return text, text + _checksum(text)
    return (text,)


def _checksum(id15: str) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    fives = (id15[i : i + 5] for i in (0, 5, 10))
    return "".join(letters[sum(c.isupper() << i for i, c in enumerate(five))] for five in fives)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The fiscal calendar as the policy says it."""

    kind: Kind = "quarter"
    start_month: int = 1
    pattern: Pattern = "standard"
    week_start: Weekday = "monday"
    zone: str = "UTC"
    table: tuple[tuple[str, int], ...] = ()
    """Label and first day (a day number) of each period."""

    def build(self) -> FiscalCalendar:
        """The calendar; ValueError says what is wrong with it."""
        if self.table:
            return FiscalCalendar.from_table(self.table, self.kind, self.zone)
        return FiscalCalendar(self.kind, self.start_month, self.pattern, self.week_start, self.zone)


def as_calendar(found: dict[str, Any]) -> Calendar:
    """A calendar of the values that a policy gives."""
    return Calendar(**{**found, "table": tuple(found.get("table", {}).items())})


@dataclass(frozen=True, slots=True)
class PipelinePolicy:
    """A sales process; ``match`` are the record types or HubSpot pipelines that it is for, besides its name."""

    name: str
    open: tuple[str, ...]
    won: tuple[str, ...]
    lost: tuple[str, ...]
    match: tuple[str, ...] = ()
    late_stage: str | None = None
    buyer_process: tuple[str, ...] = ()
    deal_type: str = "new"
    categories: dict[str, str] = field(default_factory=dict)
    """Stage to forecast category, where the CRM has none of its own."""

    @property
    def keys(self) -> frozenset[str]:
        """Everything that a deal's ``pipeline`` may say when it means this one."""
        return frozenset((self.name, *(form for text in self.match for form in id_forms(text))))


SALESFORCE_PIPELINE: Final = PipelinePolicy(
    name="Sales",
    open=(
        "Prospecting",
        "Qualification",
        "Needs Analysis",
        "Value Proposition",
        "Id. Decision Makers",
        "Perception Analysis",
        "Proposal/Price Quote",
        "Negotiation/Review",
    ),
    won=("Closed Won",),
    lost=("Closed Lost",),
)
"""The stages of a new Salesforce organisation."""


@dataclass(frozen=True)
class Writers:
    """Who writes to the CRM, by user id; ``clients``: under which wellwon itself writes, beside `CLIENT`."""

    default: str = USER
    kinds: dict[str, str] = field(default_factory=dict)
    clients: frozenset[str] = frozenset()

    @cached_property
    def _by_form(self) -> dict[str, str]:
        return {form: kind for writer, kind in self.kinds.items() for form in id_forms(writer)}

    def kind(self, writer: str, client: str = "") -> str:
        """The writer kind of a CRM user and the API client that was used, if known."""
        return "self" if client == CLIENT or client in self.clients else self._by_form.get(writer, self.default)


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """How a rule runs: ``params`` are its thresholds by name."""

    mode: str
    deal_types: frozenset[str]
    params: dict[str, int]


def rule_defaults(spec: RuleSpec, activities: str, mapped: Collection[str]) -> RulePolicy:
    """A rule as its module declares it; off while the policy does not say that what it needs is there.

    ``mapped`` are the fields of a deal that the policy's own text maps.
    """
    thresholds = {name: about["default"] for name, about in param_fields(spec.params).items()}
    there = spec.is_fed_by(activities) if spec.needs in FED or not spec.needs else spec.needs in mapped
    return RulePolicy(spec.mode if there else OFF, spec.deal_types, thresholds)


@dataclass(frozen=True, slots=True)
class When:
    """What a deal must be to belong to a segment; what is empty is not asked."""

    amount_min: int | None = None
    amount_max: int | None = None
    currency: str | None = None
    pipelines: tuple[str, ...] = ()
    deal_types: frozenset[str] = frozenset()
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SegmentPolicy:
    """A segment with every rule as it runs there; ``when`` is None for the last one, which takes every deal."""

    name: str
    when: When | None
    window_days: int
    norms: Norms
    rules: dict[str, RulePolicy]
    least_amount: int = 0
    """Nobody is told of deals below this, hundredths of the reporting currency a year."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """Deals that nobody is told about until a day; what is empty is not asked, but one of the first four is given."""

    until: int
    """Last day (a day number), in the calendar's zone."""
    reason: str
    deals: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    """Empty: every rule."""


@dataclass(frozen=True)
class Policy:
    """What RevOps decides, resolved. ``origins`` tells the line of each value that is written, by path."""

    calendar: Calendar
    window_days: int
    commit_lock_days: int
    correction_minutes: int
    lateness_minutes: int
    bulk_records: int
    closed_days: int
    pipelines: tuple[PipelinePolicy, ...]
    """The first is for deals that match none."""
    categories: dict[str, str]
    """The CRM's forecast category, lower case, to the core's."""
    deal_types: dict[str, str]
    """The CRM's word for a deal type, lower case, to the core's."""
    fields: dict[str, str]
    """The CRM's field names to the fields of a deal (``labels.x`` for the organisation's own)."""
    writers: Writers
    rules: dict[str, RulePolicy]
    segments: tuple[SegmentPolicy, ...]
    exemptions: tuple[Exemption, ...]
    least_amount: int
    """Nobody is told of deals below this, hundredths of the reporting currency a year; segments may differ."""
    reporting_currency: str
    """Empty: amounts are compared as they are, whatever their currency."""
    plan_rates: dict[str, int]
    """Worth of a unit of each currency in the reporting currency, millionths."""
    deliver: Delivery
    crm: Crm
    specs: tuple[RuleSpec, ...]
    """The rules that the policy is for, in registry order."""
    activities: str = NOT_FED
    """Which calls, mails and meetings are fed (`core.model.ACTIVITIES`)."""
    version: int = 1
    teams: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Team to the ids of its owners; without any, the organisation is one team."""
    team_label: str = ""
    """The label of a deal that names its team, where its owner is in none."""
    origins: dict[tuple[str | int, ...], int] = field(default_factory=dict, compare=False)
    file: str = field(default="policy.yaml", compare=False)
    norms: NormsFile | None = field(default=None, compare=False)
    """The norms from history as they were written; what holds is in the segments."""
    norms_file: str = field(default="", compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of what the policy means: comments, order of keys and defaults written out do not change it."""
        canonical = msgspec.json.encode(self._meaning(), order="deterministic")
        return hashlib.blake2b(canonical, digest_size=6).hexdigest()

    def _meaning(self) -> dict[str, Any]:
        compared = {f.name: getattr(self, f.name) for f in fields(self) if f.compare and f.name != "specs"}
        return compared | {"writers": (self.writers.default, self.writers.kinds, self.writers.clients)}
