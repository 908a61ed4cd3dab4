"""Rows that are read column by column say what they say one by one."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from wellwon.sources.change import Rejected
from wellwon.sources.history import Columnar, Options
from wellwon.sources.mapping import SourceView
from wellwon.sources.stage_history import StageHistory
from wellwon.sources.whole import open_table

TIMES = (
    "2026-01-05 09:00:00", "2026-01-05T09:00:00.250Z", "2026-01-05T09:00:00+02:00", "2026-12-31 23:59:59.999",
    "2026-01-05 09:00", "01/05/26 9:00 AM", "2026-02-30 09:00:00", "1985-01-05 09:00:00", "never", "",
)  # fmt: skip
CELLS = {
    "Id": ("008Wx0000000003AAA", "008Wx0000000003", "h1", " h2 ", ""),
    "OpportunityId": ("006Wx0000000001AAA", "006Wx0000000001", "d1", " d1 ", "", "d" * 300),
    "CreatedDate": TIMES,
    "CreatedById": ("005Wx0000000001AAA", "ann", ""),
    "StageName": ("Prospecting", " Closed Won ", ""),
    "Amount": ("100", "$1,234.50", "(50.00)", "1e5", "many", ""),
    "CloseDate": ("2026-03-31", "2026-03-31 00:00:00", "3/31/26", "soon", ""),
    "FromOpportunityStageName": ("", "", "Prospecting"),
    "PrevAmount": ("", "", "99.5", "none"),
    "PrevForecastUpdate": ("", "", "2026-01-05 09:00:00"),
    "IsDeleted": ("false", "0", "", "true"),
}
VERSIONS = {
    "Id": CELLS["OpportunityId"],
    "_fivetran_start": TIMES,
    "StageName": CELLS["StageName"],
    "CreatedDate": TIMES,
    "IsWon": ("true", "false", "", "perhaps"),
}


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from((CELLS, VERSIONS)), st.booleans())
def test_by_column_as_row_by_row(data: st.DataObject, cells: dict[str, tuple[str, ...]], sound: bool) -> None:
    # What is sound comes first in its tuple: a batch with one bad cell is read row by row, so most must have none.
    some = {name: texts[:2] if sound else texts for name, texts in cells.items()}
    rows = data.draw(st.lists(st.tuples(*map(st.sampled_from, some.values())), min_size=1, max_size=6))
    out = io.StringIO()
    csv.writer(out).writerows([tuple(cells), *rows])
    table = open_table("history.csv", out.getvalue().encode())
    (layout,) = StageHistory().layouts([table], SourceView(), Options())
    assert isinstance(layout, Columnar)
    given_rows = [row for piece in table.pieces() for row in table.rows(piece) if not isinstance(row, Rejected)]
    one_by_one = [layout.read(line, cells) for line, cells in given_rows]
    if not given_rows:
        return
    lines, columns = [line for line, _ in given_rows], list(zip(*(cells for _, cells in given_rows), strict=True))
    try:
        found = layout.read_columns(lines, columns)
    except ValueError:
        assert not sound
        return
    assert found == one_by_one
