"""`wellwon policy coverage`: an export, its fields, and which rules they support."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.test_commands import wellwon

HISTORY = """\
Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,ForecastCategory,Discount__c
h1,d1,2026-01-05 09:00:00,ann,Prospecting,100000,2026-02-10,Pipeline,
h2,d1,2026-01-20 09:00:00,ann,Negotiation/Review,100000,2026-02-10,Commit,10
h3,d1,2026-03-02 09:00:00,ann,Closed Won,100000,2026-03-02,Closed,25
h4,d2,2026-01-05 09:00:00,bob,Prospecting,100000,2026-02-20,Pipeline,5
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    export, policy = tmp_path / "history.csv", tmp_path / "policy.yaml"
    export.write_text(HISTORY)
    policy.write_text("")
    return str(policy), str(export)


def test_a_column_that_is_not_mapped_is_named_and_mapped_it_counts(files: tuple[str, str]) -> None:
    policy, export = files
    arguments = ("policy", "coverage", policy, "--replay", "salesforce-history", export)
    bare = wellwon(*arguments)
    assert bare.exit_code == 0, bare.output
    assert "what the export has and no field of the policy reads: Discount__c" in bare.output
    late = next(line for line in bare.output.splitlines() if line.startswith("late-discount"))
    assert late.split()[1:3] == ["alert", "no"]
    Path(policy).write_text("fields: {Discount__c: discount_percent}\n")
    said = json.loads(wellwon(*arguments, "--json").output)
    assert said["unread_fields"] == []
    (discount,) = [field for field in said["fields"] if field["facet"] == "discount"]
    assert discount == {"facet": "discount", "deals": 2, "changes": 1, "mapped": ["Discount__c"], "share": 1.0}
    supported = {rule["rule"]: rule["supported"] for rule in said["rules"]}
    assert supported["late-discount"] == "yes"


def test_a_history_of_fields_names_them_in_its_rows(tmp_path: Path) -> None:
    export, policy = tmp_path / "fields.csv", tmp_path / "policy.yaml"
    rows = ["d1,2026-01-05 09:00:00,ann,StageName,,Prospecting", "d1,2026-01-06 09:00:00,ann,Discount__c,,10"]
    export.write_text("OpportunityId,CreatedDate,CreatedById,Field,OldValue,NewValue\n" + "\n".join(rows) + "\n")
    policy.write_text("")
    result = wellwon("policy", "coverage", str(policy), "--replay", "salesforce-field-history", str(export))
    assert result.output.endswith("no field of the policy reads: Discount__c\n")
    assert "#   Discount__c: discount_percent" in wellwon("policy", "init", str(export)).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("POLICY",), "POLICY --replay KIND FILE..."),
        (("POLICY", "--replay", "hubspot-history", "PHASES"), "fields that nothing reads: 'phase'"),
        (("POLICY", "--replay", "salesforce-history"), "--replay KIND FILE..."),
        (("POLICY", "--replay", "changes", "EXPORT"), "this looks like salesforce-history"),
    ],
)
def test_mistakes_are_told(files: tuple[str, str], arguments: tuple[str, ...], said: str) -> None:
    phases = Path(files[1]).with_name("phases.csv")
    phases.write_text("deal_id,timestamp,name,value\n1,2026-01-05 09:00:00,phase,open\n")
    names = {"POLICY": files[0], "EXPORT": files[1], "PHASES": str(phases)}
    result = wellwon("policy", "coverage", *(names.get(one, one) for one in arguments))
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)
