"""`wellwon backtest` of the tables that a warehouse keeps: the columns are Fivetran's, the deals are ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.test_commands import wellwon

VERSIONS = """\
_fivetran_active,_fivetran_start,id,name,owner_id,stage_name,amount,close_date,created_date,is_closed,is_won
false,2026-07-06 09:00:00,006A,Acme,005A,Needs Analysis,9000,2026-08-31,2026-07-06 09:00:00,false,false
false,2026-08-24 09:00:00,006A,Acme,005A,Needs Analysis,9000,2026-09-15,2026-07-06 09:00:00,false,false
false,2026-09-10 09:00:00,006A,Acme,005A,Needs Analysis,9000,2026-10-20,2026-07-06 09:00:00,false,false
true,2026-10-20 09:00:00,006A,Acme,005A,Closed Lost,9000,2026-10-20,2026-07-06 09:00:00,true,false
"""

PROPERTIES = """\
deal_id,timestamp,_fivetran_synced,source,name,source_id,value
11,2026-07-06 09:00:00.000,2026-12-01 00:00:00,CRM_UI,dealstage,userId:7,first
11,2026-07-06 09:00:00.000,2026-12-01 00:00:00,CRM_UI,amount,userId:7,9000
11,2026-07-06 09:00:00.000,2026-12-01 00:00:00,CRM_UI,closedate,userId:7,2026-08-31
11,2026-08-24 09:00:00.000,2026-12-01 00:00:00,CRM_UI,closedate,userId:7,2026-09-15
11,2026-09-10 09:00:00.000,2026-12-01 00:00:00,CRM_UI,closedate,userId:7,2026-10-20
11,2026-10-20 09:00:00.000,2026-12-01 00:00:00,CRM_UI,dealstage,userId:7,lost1
"""
DEAL = "deal_id,is_deleted,owner_id,property_dealname,property_createdate\n11,false,7,Acme,2026-07-06 09:00:00\n"
STAGES = "stage_id,label,closed_won,is_closed\nfirst,First,false,false\nlost1,No,false,true\n"


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    named = {"opportunity": VERSIONS, "deal_property_history": PROPERTIES, "deal": DEAL, "deal_pipeline_stage": STAGES}
    for name, text in {**named, "merged_deal": "deal_id,merged_deal_id\n11,12\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def flagged(*arguments: str) -> dict[str, Any]:
    result = wellwon("backtest", *arguments, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["deals"] == {"lost": 1}
    return {rule: about["became"]["lost"] for rule, about in said["rules"].items() if about["flagged"]}


def test_salesforces_versions_of_a_deal(tables: Path) -> None:
    assert flagged("opportunity.csv")["close-date-push"] == 1


def test_hubspots_history_with_deals_and_stages_beside_it(tables: Path) -> None:
    files = ("deal_property_history.csv", "deal.csv", "deal_pipeline_stage.csv")
    policy = wellwon("policy", "init", *files)
    assert policy.exit_code == 0, policy.output
    (tables / "policy.yaml").write_text(policy.stdout)
    assert flagged(*files, "--policy", "policy.yaml")["close-date-push"] == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("deal.csv",), "deal.csv:1: these are deals as they stand, which tell no changes"),
        (
            ("deal_property_history.csv", "merged_deal.csv"),
            "merged_deal.csv:1: no table that is read here: leave it out",
        ),
    ],
)
def test_the_other_tables_are_named(tables: Path, files: tuple[str, ...], said: str) -> None:
    result = wellwon("backtest", *files)
    assert result.exit_code != 0
    assert said in str(result.exception)
