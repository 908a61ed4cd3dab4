"""HubSpot's history of properties, as a warehouse holds it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from wellwon.core import wire
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import Options
from wellwon.sources.hubspot_history import HubSpotHistory
from wellwon.sources.mapping import SourceView
from wellwon.sources.table import NotATable
from wellwon.sources.whole import open_table, read_tables

PROPERTIES = """\
deal_id,timestamp,name,value,source,source_id,_fivetran_synced
1,2026-03-01 10:00:00,dealstage,qualifiedtobuy,CRM_UI,userId:7,x
1,2026-01-05 09:00:00.120,dealname,Acme,CRM_UI,userId:7,x
1,2026-01-05 09:00:00.120,dealstage,appointmentscheduled,CRM_UI,userId:7,x
1,2026-01-05 09:00:00.120,closedate,1774915200000,CRM_UI,userId:7,x
1,2026-01-05 09:00:00.120,hs_analytics_source,OFFLINE,CRM_UI,userId:7,x
1,2026-02-05 09:00:00,amount,1200.5,INTEGRATION,4242,x
1,2026-04-01 10:00:00,dealstage,9001,CRM_UI_BULK_ACTION,userId:7,x
"""
STAGES = "stage_id,label,is_closed,closed_won\nqualifiedtobuy,Qualified,false,false\n9001,Sold,true,true\n"
DEALS = """\
deal_id,is_deleted,owner_id,deal_pipeline_id,property_dealname,property_amount,property_createdate
1,false,77,default,Acme now,9,2026-01-05 09:00:00
"""


def read(*texts: str, options: Options = Options()) -> list[Any]:  # noqa: B008
    tables = [open_table(f"p{n}.csv", text.encode()) for n, text in enumerate(texts)]
    outcomes = list(read_tables(HubSpotHistory(), tables, SourceView(), options))
    for outcome in outcomes:
        if isinstance(outcome, dict):
            wire.decode(orjson.dumps(outcome))
    return outcomes


def changes(outcomes: list[Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [(o["kind"], o["occurred_at"], o["writer"]["kind"], o["values"]) for o in outcomes if isinstance(o, dict)]


def test_values_of_an_instant_are_one_save_and_the_first_one_creates_the_deal() -> None:
    outcomes = read(PROPERTIES)
    assert [o.reason for o in outcomes if isinstance(o, Ignored)] == ["field_not_mapped"]
    assert changes(outcomes) == [
        (
            "created",
            "2026-01-05T09:00:00.120Z",
            "user",
            {"name": "Acme", "stage": "appointmentscheduled", "close_date": "2026-03-31"},
        ),
        ("changed", "2026-02-05T09:00:00Z", "integration", {"amount": "1200.50"}),
        ("changed", "2026-03-01T10:00:00Z", "user", {"stage": "qualifiedtobuy"}),
        ("changed", "2026-04-01T10:00:00Z", "admin", {"stage": "9001"}),
    ]
    assert next(o for o in outcomes if isinstance(o, dict))["writer"]["id"] == "7"


def test_other_tables_say_what_has_no_history() -> None:
    told = changes(read(PROPERTIES, STAGES, DEALS))
    assert told[0][3]["owner_id"] == "77"
    assert told[0][3]["name"] == "Acme"  # as it was then
    assert told[2][3] == {"stage": "qualifiedtobuy", "is_closed": False, "is_won": False}
    assert told[3][3] == {"stage": "9001", "is_closed": True, "is_won": True}
    older = DEALS.replace("2026-01-05", "2025-11-05")
    assert changes(read(PROPERTIES, older))[0][0] == "snapshot"


def test_a_deal_in_the_bin_ends_with_its_deletion() -> None:
    assert changes(read(PROPERTIES, DEALS.replace("1,false", "1,true")))[-1][:2] == ("deleted", "2026-04-01T10:00:00Z")


def test_the_day_of_an_instant_is_that_of_the_organisation() -> None:
    text = "deal_id,timestamp,name,value\n1,2026-01-05 09:00:00,closedate,1774990800000\n"
    days = [changes(read(text, options=Options(ZoneInfo(zone))))[0][3]["close_date"] for zone in ("UTC", "Asia/Tokyo")]
    assert days == ["2026-03-31", "2026-04-01"]


def test_the_table_of_stages_alone() -> None:
    text = "_fivetran_start,deal_id,date_entered,source,value\n2021-01-07 6:49:18,5,2021-01-07 6:49:18,CRM_UI,s1\n"
    assert changes(read(text)) == [("created", "2021-01-07T06:49:18Z", "user", {"stage": "s1"})]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1,soon,amount,5", "p0.csv:2:timestamp: 'soon' is not a date or time"),
        ("1,2026-01-05 09:00:00,amount,much", "p0.csv:2:value: 'much' is not a number"),
        (",2026-01-05 09:00:00,amount,5", "p0.csv:2:deal_id: the row names no opportunity"),
    ],
)
def test_bad_rows(row: str, says: str) -> None:
    (rejected,) = read(f"deal_id,timestamp,name,value\n{row}\n")
    assert isinstance(rejected, Rejected)
    assert str(rejected).startswith(says)


def test_tables_that_are_none() -> None:
    with pytest.raises(NotATable, match="deal_property_history is needed"):
        read(DEALS)
    with pytest.raises(NotATable, match=r"p1\.csv:1: no table that is read here: leave it out"):
        read(PROPERTIES, "deal_id,merged_deal_id\n1,2\n")
