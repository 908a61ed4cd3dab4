"""The text of a first policy: what an export shows and what it suggests, every guess marked as one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Final

from wellwon.core.units import format_money
from wellwon.policy.guess import Guess, Sales, category_of, field_of, is_monthly, pipelines, start_month, terciles
from wellwon.policy.model import CATEGORIES
from wellwon.policy.sample import Sample

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ._/&()%+-]*[A-Za-z0-9).]|[A-Za-z]")
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "none"))
_BUSY: Final = 25
"""A writer of more than this share of the changes, percent, may be a machine."""
_CHANGES_NEEDED: Final = 200


@dataclass(frozen=True, slots=True)
class Export:
    """What is known of the files beside the changes that they hold."""

    names: tuple[str, ...]
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Mean probability of each stage, percent."""
    columns: Sequence[str] = ()
    """Columns that no field of a deal is read from."""
    start_month: Guess | None = None
    """Where the export says it itself."""


def starting_policy(sample: Sample, export: Export) -> str:
    """A policy for the organisation that the sample is of. It passes `wellwon policy check`."""
    parts = [
        _head(sample, export),
        _calendar(sample, export),
        _pipelines(pipelines(sample, export.probabilities)),
        _categories(sample),
        _fields(export.columns),
        _writers(sample),
        _segments(sample),
        _rules(),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(sample: Sample, export: Export) -> Iterator[str]:
    yield f"# A first policy, made by `wellwon policy init` from {comment(', '.join(export.names))}:"
    yield f"# changes {sample.changes:,}, deals {sample.deals:,}."
    yield "# What the export does not say for certain is marked GUESS, with its evidence: put it right, then take the"
    yield "# mark away."
    yield "#"
    yield "#   wellwon policy check FILE      every mistake at once"
    yield "#   wellwon policy coverage FILE   which rules these records can support"
    yield "#   wellwon explain late-discount  what a rule looks for, and its thresholds"
    yield ""
    yield "version: 1"


def _calendar(sample: Sample, export: Export) -> Iterator[str]:
    yield "calendar:"
    months = is_monthly(sample.close_dates)
    if months is not None:
        yield from _noted(f"GUESS: {months.why}.")
        yield "  kind: month"
    else:
        yield "  kind: quarter             # or month: what your forecast is made for"
    starts = export.start_month or start_month(sample.close_dates)
    if starts is None:
        yield "  # GUESS: nothing in the close dates says when the fiscal year begins; this is the calendar year."
        yield "  start_month: 1"
    else:
        yield from _noted(f"{'' if starts.sure else 'GUESS: '}{starts.why}.")
        yield f"  start_month: {starts.value}"
    yield "  # GUESS: no export says it. Whose midnight ends your quarter? America/New_York, Europe/Berlin ..."
    yield "  zone: UTC"


def _noted(text: str) -> Iterator[str]:
    yield from wrap(text, 110, initial_indent="  # ", subsequent_indent="  # ")


# --- pipelines ------------------------------------------------------------------------------------------------


def _pipelines(found: list[Sales]) -> Iterator[str]:
    yield "# Sales processes, open stages in order. The first is also for deals that match none."
    if not found:
        yield "# GUESS: no stage is in the export; these are the stages of a new Salesforce organisation."
        yield "# pipelines:"
        return
    yield "pipelines:"
    taken: set[str] = set()
    for sales in found:
        yield from _pipeline(sales, taken)


def _pipeline(sales: Sales, taken: set[str]) -> Iterator[str]:
    names = [name for name in sales.names if name not in taken]
    taken.update(names)
    name = names[0] if names else _free("Sales", taken)
    yield f"  - name: {scalar(name)}"
    if len(names) > 1:
        yield f"    match: [{', '.join(map(scalar, names[1:]))}]"
    yield f"    # GUESS, the order: {sales.order}; deals {sales.deals:,}."
    yield "    open:"
    known = {*sales.open, *sales.won, *sales.lost}
    if not sales.open:
        yield f"      - {scalar(_free('Open', known))}          # GUESS: no open stage is in the export"
    yield from (f"      - {scalar(stage)}" for stage in sales.open)
    for kind, stages, usual in (("won", sales.won, "Closed Won"), ("lost", sales.lost, "Closed Lost")):
        yield f"    {kind}:"
        if not stages:
            yield f"      - {scalar(_free(usual, known))}    # GUESS: no {kind} deal is in the export"
        for stage in stages:
            why = sales.closes[stage]
            yield f"      - {scalar(stage)}    # {'GUESS, ' if why.startswith('by ') else ''}{why}"
    if sales.late_stage is not None:
        yield f"    # GUESS: {sales.late_stage.why}."
        yield f"    late_stage: {scalar(sales.late_stage.value)}"
    else:
        yield "    # late_stage:             the first stage that you forecast as Commit; else the last third are late"
    if sales.buyer_process:
        yield "    # GUESS by their names: does the buyer work there? Then a push within the period does not count."
        yield f"    # buyer_process: [{', '.join(map(scalar, sales.buyer_process))}]"
    if sales.deal_type is not None:
        yield f"    deal_type: {sales.deal_type.value}    # GUESS, {sales.deal_type.why}"


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += " 2"
    taken.add(name)
    return name


# --- words, fields, people ------------------------------------------------------------------------------------


def _categories(sample: Sample) -> Iterator[str]:
    known = [label for label in sample.categories if label.lower() in CATEGORIES]
    unknown: dict[str, str] = {}
    for label in sample.categories:
        if label.lower() not in CATEGORIES and label.lower() not in map(str.lower, unknown):
            unknown[label] = category_of(label)
    if not sample.categories:
        yield "# No forecast category is in the export: say under pipelines what each stage means, as"
        yield "#     categories: {Negotiation: commit}"
        return
    if known:
        yield f"# Forecast categories that are known without a word: {comment(', '.join(known))}"
    if unknown:
        yield "# GUESS, by their words: what your forecast categories mean."
        yield "categories:"
        yield from (f"  {scalar(label)}: {meaning}" for label, meaning in unknown.items())


def _fields(columns: Sequence[str]) -> Iterator[str]:
    suggested = [(column, ours) for column in columns if (ours := field_of(column))]
    yield "# Your CRM's field names and the field of a deal that each is; the standard ones are known."
    if not suggested:
        yield "# fields:"
        yield "#   Discount__c: discount_percent      without a discount or a list amount no price rule can speak"
        return
    yield "# GUESS by their names; uncomment what is right:"
    yield "# fields:"
    taken: set[str] = set()
    for column, ours in suggested:
        again = "    (or this one)" if ours in taken else ""
        taken.add(ours)
        yield f"#   {scalar(column)}: {ours}{again}"


def _writers(sample: Sample) -> Iterator[str]:
    yield "# Only what people write counts as behaviour: name your integrations and administrators by their user ids."
    yield "# writers:"
    busy = [
        (writer, count)
        for writer, count in sample.writers.most_common(5)
        if count * 100 > sample.changes * _BUSY and sample.changes >= _CHANGES_NEEDED and len(sample.writers) > 3
    ]
    for writer, count in busy:
        share = f"{100 * count // sample.changes} % of all changes, among {len(sample.writers):,} writers"
        yield f"#   integration: [{scalar(writer)}]    GUESS: it wrote {share}"
    if not busy:
        yield "#   integration: []"


def _segments(sample: Sample) -> Iterator[str]:
    amounts = sample.amounts
    cuts = terciles(amounts)
    yield "# Segments share thresholds and norms (`wellwon norms`); the first that matches is taken."
    if cuts is None:
        yield f"# segments:                   deals with an amount: {len(amounts):,}, too few to guess from"
        return
    low, high = (format_money(cut) for cut in cuts)
    yield f"# GUESS: these amounts part the deals that have one ({len(amounts):,}) into thirds."
    currencies = sample.currencies
    if len(currencies) > 1:
        named = ", ".join(f"{comment(name)} {count:,}" for name, count in currencies.most_common(5))
        yield f"# They are in several currencies ({named}) and compared as they are: see reporting_currency."
    yield "segments:"
    yield "  - name: small"
    yield f"    when: {{amount_max: {low}}}"
    yield "  - name: mid"
    yield f"    when: {{amount_min: {low}, amount_max: {high}}}"
    yield "  - name: large"
    yield f"    when: {{amount_min: {high}}}"


def _rules() -> Iterator[str]:
    yield "# Rules: off, shadow (counted, told to no one) or alert. A first week in shadow shows what would be told:"
    yield "# rules:"
    yield "#   late-discount: shadow"
    yield "#   close-date-push: {mode: shadow, pushes: 3}"


# --- YAML -----------------------------------------------------------------------------------------------------


def scalar(text: str) -> str:
    """A text as YAML writes it, anywhere in a line."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def comment(text: str) -> str:
    """A text for a comment: one line, nothing that is not printed."""
    return "".join(character if character.isprintable() else " " for character in text)
