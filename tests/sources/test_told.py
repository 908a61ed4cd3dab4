"""A row becomes the same item of the core, whether it goes over the wire or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wellwon.core import wire
from wellwon.policy.model import FIELDS
from wellwon.sources.change import encode
from wellwon.sources.history import Format, Options
from wellwon.sources.kinds import KINDS
from wellwon.sources.mapping import SourceView
from wellwon.sources.story import item_of
from wellwon.sources.table import joined
from wellwon.sources.told import Told
from wellwon.sources.whole import open_table

VIEW = SourceView(
    fields={
        **FIELDS,
        "Discount__c": "discount_percent",
        "Term__c": "term_months",
        "Start__c": "created_at",
        "Region__c": "labels.region",
        "Tier__c": "labels.tier",
    }
)
CELLS = {
    "StageName": st.sampled_from(["Prospecting", "Closed Won", "", "é" * 300]),
    "Amount": st.decimals(-(10**6), 10**9, places=3).map(str) | st.sampled_from(["", "1e5", "$1,200.50", "nonsense"]),
    "CloseDate": st.dates().map(str) | st.sampled_from(["", "02/24/26"]),
    "Discount__c": st.integers(-5, 101).map(str) | st.just("22.5"),
    "Term__c": st.sampled_from(["", "12", "36.0", "-1", "1e3", "1.5"]),
    "Start__c": st.sampled_from(["", "2026-01-05T09:00:00Z", "2026-01-05 09:00:00"]),
    "ForecastCategory": st.sampled_from(["", "Commit", "BestCase", "Forecast"]),
    "Region__c": st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=300),
    "Tier__c": st.sampled_from(["", "gold"]),
    "CreatedDate": st.datetimes().map(lambda at: at.isoformat(" ", "seconds")),
    "CreatedById": st.sampled_from(["", "005SM0000001Tb3YAE", "x" * 300]),
}
rows = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=6)


def stage_history(rows: list[dict[str, str]]) -> list[list[str]]:
    return [["OpportunityId", *CELLS], *(["d1", *(row[name] for name in CELLS)] for row in rows)]


def field_history(rows: list[dict[str, str]]) -> list[list[str]]:
    found = [["OpportunityId", "CreatedDate", "CreatedById", "Field", "OldValue", "NewValue"]]
    for before, row in zip(rows, rows[1:] + rows[:1], strict=True):
        when = [row["CreatedDate"], row["CreatedById"]]
        found += [["d1", *when, name, before[name], row[name]] for name in CELLS if not name.startswith("Created")]
    return found


def told(format_: Format, cells: list[list[str]]) -> list[Told]:
    table = open_table("f.csv", b"\n".join(joined(row) for row in cells))
    layouts = format_.layouts([table], VIEW, Options())
    (piece,) = table.pieces()
    entries = []
    for row in table.rows(piece):
        assert isinstance(row, tuple)
        entry = layouts[0].read(*row)
        if hasattr(entry, "values"):
            entries.append(entry)
    return [one for one in format_.tell("d1", entries, layouts, VIEW) if isinstance(one, Told)]


@given(rows)
def test_the_short_way_and_the_wire_agree(rows: list[dict[str, str]]) -> None:
    for name, cells in (("salesforce-history", stage_history(rows)), ("salesforce-field-history", field_history(rows))):
        format_ = KINDS[name].tables
        assert format_ is not None
        for one in told(format_, cells):
            assert item_of(one, labelled=True) == wire.decode(encode(one.event())).item
