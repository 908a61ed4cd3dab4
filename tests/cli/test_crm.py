"""`wellwon crm`: what a CRM lacks, and what would be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes import hubspot_api, salesforce
from fakes.web import running
from told import alert_record, win_record
from wellwon.cli.crm import command
from wellwon.sinks.salesforce_records import FIELDS

DEAL = "006SM0000001Tb3YAE"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WELLWON_KAFKA", raising=False)  # a CRM is set up without a broker
    monkeypatch.setenv("WELLWON_PRIVATE_WEBHOOKS", "yes")


def test_hubspot_setup_says_first_what_it_would_make(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    account = hubspot_api.Account()
    server = stack.enter_context(running(hubspot_api.hubspot(account)))
    monkeypatch.setenv("WELLWON_HUBSPOT_API", server.url)
    monkeypatch.setenv("WELLWON_CRM_HUBSPOT_TOKEN", "pat-good")
    dry = CliRunner().invoke(command, ["setup", "hubspot", "--dry-run"])
    assert dry.exit_code == 0
    assert "would ask: POST /crm/v3/properties/deals wellwon_flags (" in dry.output
    assert not account.properties
    made = CliRunner().invoke(command, ["setup", "hubspot"])
    assert (made.exit_code, len(account.properties)) == (0, 11)
    assert CliRunner().invoke(command, ["setup", "hubspot"]).output == "hubspot: every property is there\n"


def test_what_hubspot_needs_is_said_simplest_first() -> None:
    said = CliRunner().invoke(command, ["setup", "hubspot", "--dry-run"])
    assert str(said.exception).startswith("WELLWON_CRM_HUBSPOT_TOKEN (or WELLWON_CRM_HUBSPOT_TOKEN_FILE) is not set")


def test_a_refused_token_is_said(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = stack.enter_context(running(hubspot_api.hubspot(hubspot_api.Account())))
    monkeypatch.setenv("WELLWON_HUBSPOT_API", server.url)
    monkeypatch.setenv("WELLWON_CRM_HUBSPOT_TOKEN", "pat-wrong")
    said = CliRunner().invoke(command, ["setup", "hubspot"])
    assert said.exit_code == 1
    assert "the token is refused" in said.output
    assert "pat-wrong" not in said.output


@pytest.mark.parametrize("there", [True, False])
def test_salesforce_setup_tells_what_is_missing(stack: ExitStack, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    fields = {one for of_type in FIELDS.values() for one in of_type} if there else {"Name"}
    server = stack.enter_context(running(salesforce.salesforce(salesforce.Organisation(fields=fields))))
    for name, value in (("URL", server.url), ("CLIENT_ID", "id"), ("CLIENT_SECRET", "secret")):
        monkeypatch.setenv(f"WELLWON_CRM_SALESFORCE_{name}", value)
    said = CliRunner().invoke(command, ["setup", "salesforce"])
    assert said.exit_code == (0 if there else 1)
    assert ("every field is there" in said.output) == there
    assert ("Opportunity.Wellwon_Flags__c is missing" in said.output) != there


@pytest.mark.parametrize(("system", "deal"), [("salesforce", DEAL), ("hubspot", "3325")])
def test_preview_shows_facts_and_no_judgement(tmp_path: Path, system: str, deal: str) -> None:
    file = tmp_path / "alerts.jsonl"
    win = win_record(opportunity_id=deal, reading="pressured")
    file.write_bytes(b"\n".join((alert_record(deal=deal), win, alert_record(deal="elsewhere"))))
    said = CliRunner().invoke(command, ["preview", str(file), "--system", system])
    assert said.exit_code == 0
    assert "pressur" not in said.output
    assert "1 deal left out" in said.output
    decoder = json.JSONDecoder()
    first, _ = decoder.raw_decode(said.output)
    assert first["id"] == deal
