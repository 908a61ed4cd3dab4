"""OpportunityHistory exports in the dialects of the weekly export, Data Loader and spreadsheets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from wellwon.core import wire
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named, read_files
from wellwon.sources.mapping import SourceView
from wellwon.sources.stage_history import StageHistory
from wellwon.sources.table import NotATable
from wellwon.sources.whole import open_table, read_tables

SHARED = Path(__file__).parents[3] / "shared" / "data"
UTC = Options()

WEEKLY = """\
"Id","OpportunityId","CreatedById","CreatedDate","CreatedDateForInsert","StageName","Amount","ExpectedRevenue",\
"CloseDate","Probability","FromForecastCategory","ForecastCategory","PrevForecastUpdate","FromOpportunityStageName",\
"PrevOpportunityStageUpdate","ValidThroughDate","SystemModstamp","IsDeleted","PrevAmount","PrevCloseDate"
"008Wx0000000003AAA","006Wx0000000001AAA","005Wx0000000001AAA","2026-03-09 10:00:00","2026-03-09 10:00:00",\
"Negotiation/Review","48000.5419999999995","","2026-06-30 00:00:00","90","Pipeline","Commit","","Qualification",\
"","","2026-03-09 10:00:00","0","52000","2026-03-31 00:00:00"
"008Wx0000000002AAA","006Wx0000000001AAA","005Wx0000000001AAA","2026-01-05 09:00:00","2026-01-05 09:00:00",\
"Qualification","52000","","2026-03-31 00:00:00","10","Pipeline","Pipeline","2026-01-05 09:00:00","Prospecting",\
"","","2026-01-05 09:00:00","0","",""
"008Wx0000000009AAA","006Wx0000000001AAA","005Wx0000000001AAA","2026-01-05 09:00:00","2026-01-05 09:00:00",\
"Prospecting","52000","","2026-03-31 00:00:00","10","","Pipeline","","","","2026-01-05 09:00:00",\
"2026-01-05 09:00:00","0","",""
"""


def read(*texts: str | bytes, options: Options = UTC) -> list[Any]:
    tables = [open_table(f"h{n}.csv", t.encode() if isinstance(t, str) else t) for n, t in enumerate(texts)]
    outcomes = list(read_tables(StageHistory(), tables, SourceView(), options))
    for outcome in outcomes:
        if isinstance(outcome, dict):
            wire.decode(orjson.dumps(outcome))
    return outcomes


def told(*texts: str | bytes, options: Options = UTC) -> list[tuple[str, str, dict[str, Any]]]:
    outcomes = read(*texts, options=options)
    assert all(isinstance(o, dict) for o in outcomes), outcomes
    return [(o["kind"], o["occurred_at"], o["values"]) for o in outcomes]


def test_the_weekly_export() -> None:
    # The creation and what automation made of it fell into one second; the file is in the order of ids.
    assert told(WEEKLY) == [
        (
            "created",
            "2026-01-05T09:00:00Z",
            {"stage": "Prospecting", "amount": "52000.00", "close_date": "2026-03-31", "forecast_category": "Pipeline"},
        ),
        ("changed", "2026-01-05T09:00:00Z", {"stage": "Qualification"}),
        (
            "changed",
            "2026-03-09T10:00:00Z",
            {
                "stage": "Negotiation/Review",
                "amount": "48000.54",
                "close_date": "2026-06-30",
                "forecast_category": "Commit",
            },
        ),
    ]
    first, second, third = read(WEEKLY)
    assert first["id"] == "sfh:008Wx0000000009AAA"
    assert first["writer"] == {"id": "005Wx0000000001AAA", "kind": "user"}
    assert first["transaction"] == second["transaction"] != third["transaction"]


LOADER = """\
ID,OPPORTUNITYID,CREATEDBYID,CREATEDDATE,STAGENAME,AMOUNT,CLOSEDATE,FORECASTCATEGORY,ISDELETED
008Wx0000000001AAA,006Wx0000000001,005Wx0000000001,2026-02-07T20:47:49.000Z,Prospecting,,2026-03-01,BestCase,false
008Wx0000000002AAA,006Wx0000000001,005Wx0000000001,2026-02-08T20:47:49.000Z,Prospecting,1000.0,2026-03-01,Forecast,false
"""


def test_data_loader() -> None:
    assert told(LOADER) == [
        (
            "created",
            "2026-02-07T20:47:49Z",
            {"stage": "Prospecting", "amount": None, "close_date": "2026-03-01", "forecast_category": "Best Case"},
        ),
        ("changed", "2026-02-08T20:47:49Z", {"amount": "1000.00", "forecast_category": "Commit"}),
    ]
    assert read(LOADER)[0]["opportunity_id"] == "006Wx0000000001IAA"


SHEET = """\
Opportunity ID;Created Date;Stage;Amount;Close Date;Is Deleted
006Wx0000000001AAA;24.02.26 02:20;Prospecting;€ 1.234,50;31.03.26;FALSE
006Wx0000000001AAA;23.02.26 20:55;Qualification;2.000;30.06.2026;FALSE
;;;;;
"""


def test_a_spreadsheet_in_german() -> None:
    assert told(SHEET, options=Options(ZoneInfo("Europe/Berlin"))) == [
        (
            "created",
            "2026-02-23T19:55:00Z",
            {"stage": "Qualification", "amount": "2000.00", "close_date": "2026-06-30"},
        ),
        (
            "changed",
            "2026-02-24T01:20:00Z",
            {"stage": "Prospecting", "amount": "1234.50", "close_date": "2026-03-31"},
        ),
    ]


@pytest.mark.parametrize(
    "encoded",
    [
        SHEET.encode("utf-8-sig"),
        SHEET.encode("cp1252"),
        SHEET.encode("utf-16"),
        SHEET.encode("utf-16-le"),
        SHEET.replace(";", "\t").replace("\n", "\r\n").encode(),
        SHEET.replace(";", "|").encode(),
    ],
    ids=["bom", "cp1252", "utf-16", "utf-16 without bom", "tabs and windows lines", "bars"],
)
def test_encodings_and_delimiters(encoded: bytes) -> None:
    assert [values["amount"] for _, _, values in told(encoded)] == ["2000.00", "1234.50"]


def test_an_american_spreadsheet_of_minutes() -> None:
    sheet = (
        "Id,OpportunityId,CreatedDate,StageName,Amount,CloseDate,IsDeleted\n"
        '008Wx0000000002AAA,006Wx0000000001AAA,02/24/26 02:20 AM,Closed Won,"1,500",02/23/26,FALSE\n'
        "008Wx0000000001AAA,006Wx0000000001AAA,02/23/26 08:55 PM,Prospecting,,03/31/26,FALSE\n"
    )
    assert told(sheet) == [
        ("created", "2026-02-23T20:55:00Z", {"stage": "Prospecting", "amount": None, "close_date": "2026-03-31"}),
        ("changed", "2026-02-24T02:20:00Z", {"stage": "Closed Won", "amount": "1500.00", "close_date": "2026-02-23"}),
    ]


def test_a_history_that_was_cut_begins_with_what_is_known_of_before() -> None:
    header, later, *_ = WEEKLY.splitlines()
    assert told(f"{header}\n{later}\n") == [
        (
            "snapshot",
            "2026-03-09T10:00:00Z",
            {
                "stage": "Qualification",
                "amount": "52000.00",
                "close_date": "2026-03-31",
                "forecast_category": "Pipeline",
            },
        ),
        (
            "changed",
            "2026-03-09T10:00:00Z",
            {
                "stage": "Negotiation/Review",
                "amount": "48000.54",
                "close_date": "2026-06-30",
                "forecast_category": "Commit",
            },
        ),
    ]


def test_a_deal_in_the_recycle_bin_ends_with_its_deletion() -> None:
    deleted = (
        "OpportunityId,CreatedDate,StageName,SystemModstamp,IsDeleted\n006Wx0000000001AAA,2026-01-01,A,2026-02-01,1\n"
    )
    assert [(kind, at) for kind, at, _ in told(deleted)] == [
        ("created", "2026-01-01T00:00:00Z"),
        ("deleted", "2026-02-01T00:00:00Z"),
    ]


def test_rows_that_repeat_or_say_nothing_new() -> None:
    again = WEEKLY + WEEKLY.splitlines()[1] + "\n"
    outcomes = read(again)
    assert Counter(o.reason for o in outcomes if isinstance(o, Ignored)) == {"repeated_row": 1}
    assert [o for o in outcomes if isinstance(o, dict)] == read(WEEKLY)
    probability = LOADER + LOADER.splitlines()[2].replace("008Wx0000000002", "008Wx0000000003").replace("-08T", "-09T")
    assert Ignored("no_difference") in read(probability)


def test_rows_without_ids_are_all_kept() -> None:
    text = "OpportunityId,CreatedDate,StageName\nd1,2026-01-01,A\nd1,2026-01-01,B\n"
    assert [values for _, _, values in told(text)] == [{"stage": "A"}, {"stage": "B"}]
    assert len({o["id"] for o in read(text)}) == 2


def test_a_file_of_opportunities_adds_what_has_no_history() -> None:
    deals = "Id,Name,AccountId,OwnerId,StageName,Amount,CreatedDate\n006Wx0000000001IAA,Acme,001,005,Won,9,2026-02-07\n"
    (kind, _, values), _ = told(LOADER, deals)
    assert (kind, values["name"], values["owner_id"], values["stage"]) == ("created", "Acme", "005", "Prospecting")
    # An older creation date shows that the history was cut.
    assert told(LOADER, deals.replace("2026-02-07", "2025-11-07"))[0][0] == "snapshot"


def test_row_versions_of_a_warehouse() -> None:
    text = (
        "id,_fivetran_start,_fivetran_active,stage_name,amount,close_date,created_date,is_deleted\n"
        "006Wx0000000001AAA,2026-01-05 09:00:00,false,Prospecting,1000,2026-03-31,2026-01-05 08:59:00,false\n"
        "006Wx0000000001AAA,2026-01-07 09:00:00,true,Qualification,1000,2026-03-31,2026-01-05 08:59:00,false\n"
    )
    assert [(kind, values.get("stage")) for kind, _, values in told(text)] == [
        ("created", "Prospecting"),
        ("changed", "Qualification"),
    ]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("2026-02-30,A,1,2026-01-01", "h0.csv:3:CreatedDate: '2026-02-30' is not a date or time"),
        (",A,1,2026-01-01", "h0.csv:3:CreatedDate: '' is not"),
        ("2026-02-03,A,lots,2026-01-01", "h0.csv:3:Amount: 'lots' is not a number"),
        ("2026-02-03,A,1,31/01/26", "h0.csv:3:CloseDate: '31/01/26' has no month 31: add --dayfirst"),
        ("2026-02-03,A,1", "h0.csv:3: the row has 4 cells, the header 5"),
        ("2026-02-03,A,1,2026-01-01,x", "h0.csv:3: the row has 6 cells, the header 5"),
    ],
)
def test_a_bad_row_is_refused_with_its_place_and_the_others_go_on(cell: str, says: str) -> None:
    text = (
        "OpportunityId,CreatedDate,StageName,Amount,CloseDate\n"
        f"d1,2026-01-01,A,1,2026-01-01\nd1,{cell}\nd1,2026-03-01,B,1,2026-01-01\n"
    )
    rejected, *changes = read(text)
    assert isinstance(rejected, Rejected)
    assert str(rejected).startswith(says)
    assert rejected.original == f"d1,{cell}".encode()
    assert [o["kind"] for o in changes] == ["created", "changed"]


def test_lines_are_counted_through_texts_with_line_ends() -> None:
    text = 'OpportunityId,CreatedDate,StageName\nd1,2026-01-01,"A\nB"\nd1,never,B\n'
    (rejected,) = [o for o in read(text) if isinstance(o, Rejected)]
    assert rejected.where == "h0.csv:4:CreatedDate"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the first line must be the header"),
        (b"a,b\n1,2\n", "no columns OpportunityId and CreatedDate: leave it out; found: a, b"),
        (b"\x1f\x8b\x08\x08abc", "it is compressed .gzip.: unpack it first"),
        (b"PK\x03\x04\x14\0", "it is an Excel workbook or a zip archive: save the sheet as CSV"),
        (b"OpportunityId,CreatedDate\n", "no column that a field is mapped to"),
        (b"Id,OpportunityId,CreatedDate,Name,UnitPrice\n", "no column that a field is mapped to .*: leave it out"),
        (b"OpportunityId,CreatedDate,Field,OldValue,NewValue\n", "use salesforce-field-history"),
        (b"OpportunityId,CreatedDate,StageName,Stage Name\n", "columns with the same name: StageName, Stage Name"),
        (
            b"Id,StageName,Name\n",
            "which tell no changes: OpportunityHistory .OpportunityId, CreatedDate, StageName. is needed",
        ),
        (b"\xff\xfeO", "begins like utf-16, and is not"),
    ],
)
def test_files_that_are_no_history(data: bytes, says: str) -> None:
    with pytest.raises(NotATable, match=says):
        read(data)


def test_a_kind_by_its_name() -> None:
    with pytest.raises(ValueError, match="did you mean salesforce-history"):
        kind_named("salesforce-histori")
    with pytest.raises(ValueError, match="there are changes, salesforce-cdc"):
        kind_named("oracle")


def test_a_public_export_saved_by_a_spreadsheet() -> None:
    """Rows out of time order, minutes instead of seconds, columns dropped; only where the sample is at hand."""
    file = SHARED / "sf_export_devorg_earthfink" / "OpportunityHistory.csv"
    if file.exists():
        outcomes = list(read_files(kind_named("salesforce-history"), [str(file)], SourceView(), UTC))
        kinds = Counter(o["kind"] if isinstance(o, dict) else type(o).__name__ for o in outcomes)
        assert kinds == {"created": 36, "changed": 12}
        times = [o["occurred_at"] for o in outcomes if isinstance(o, dict)]
        assert times == sorted(times)
