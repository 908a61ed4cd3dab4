"""`wellwon policy init`: from an export to a policy that passes the check."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_commands import wellwon

HISTORY = """\
Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,ForecastCategory,Probability,Discount__c
h1,d1,2026-01-05 09:00:00,ann,Offered,100000,2026-02-10,Pipeline,60,
h2,d2,2026-01-05 09:00:00,bob,First Call,100000,2026-02-20,Firm,10,5
h3,d1,2026-03-02 09:00:00,ann,Done Deal,100000,2026-03-02,Closed,100,25
"""


@pytest.fixture
def export(tmp_path: Path) -> str:
    file = tmp_path / "history.csv"
    file.write_text(HISTORY)
    return str(file)


def test_a_history_gives_a_policy_that_passes_the_check(export: str, tmp_path: Path) -> None:
    out = tmp_path / "policy.yaml"
    result = wellwon("policy", "init", export, "--out", str(out))
    assert result.exit_code == 0, result.output
    text = out.read_text()
    assert "    open:\n      - First Call\n      - Offered\n    won:\n      - Done Deal" in text
    assert "Firm: pipeline" in text
    assert "#   Discount__c: discount_percent" in text
    assert "history.csv" in text
    assert str(tmp_path) not in text, "where it lay is nobody's business"
    checked = wellwon("policy", "check", str(out))
    assert checked.exit_code == 0, checked.output
    again = wellwon("policy", "init", export, "--out", str(out))
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_the_exports_own_fiscal_quarters_are_believed(tmp_path: Path) -> None:
    file = tmp_path / "opportunity.csv"
    rows = [f"v{m},2026-01-05 09:00:00,Meet,5,2026-{m:02}-10,{(m - 2) % 12 // 3 + 1}" for m in range(1, 13)]
    file.write_text("Id,_fivetran_start,StageName,Amount,CloseDate,FiscalQuarter\n" + "\n".join(rows) + "\n")
    result = wellwon("policy", "init", str(file), "--kind", "salesforce-history")
    assert result.exit_code == 0, result.output
    assert "# FiscalQuarter says so in all 12 rows that have it.\n  start_month: 2" in result.output


def test_changes_are_recognised(tmp_path: Path) -> None:
    changes, policy = tmp_path / "changes.jsonl", tmp_path / "policy.yaml"
    wellwon("simulate", "--deals", "80", "--out", str(changes))
    result = wellwon("policy", "init", str(changes))
    assert result.exit_code == 0, result.output
    policy.write_text(result.output)
    assert wellwon("policy", "check", str(policy)).exit_code == 0
    covered = wellwon("policy", "coverage", str(policy), "--replay", "changes", str(changes))
    assert "stages that no pipeline knows" not in covered.output


PHASES = "deal_id,timestamp,name,value\n1,2026-01-05 09:00:00,phase,open\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "header"),
        ("a,b\n1,2\n", "not the header of a history"),
        ("OpportunityId,CreatedDate,StageName\n", "no change in these files"),
        (PHASES, "fields that nothing reads: 'phase'"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "export.csv"
    file.write_text(content)
    result = wellwon("policy", "init", str(file))
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)
    assert wellwon("policy", "init", "-").exit_code == 2
