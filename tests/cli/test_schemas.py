"""The published contracts: fresh, and true of what is really read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from wellwon.cli import cli
from wellwon.cli.contracts.change import LINE_VALUES, VALUES
from wellwon.cli.examples import life, run
from wellwon.cli.schemas import differences, write
from wellwon.core import items, wire
from wellwon.policy import load_policy
from wellwon.policy.written import read_yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "schemas"
EXAMPLES = sorted((FOLDER / "examples").glob("*.json"))


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def schema_of(example: Path) -> str:
    return ".".join(example.name.split(".")[:2])


def test_the_folder_is_fresh() -> None:
    assert differences(FOLDER) == [], "run `wellwon schemas`"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.schema.json")), ids=lambda path: path.name)
def test_a_schema_is_a_schema(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid(example: Path) -> None:
    validator(schema_of(example)).validate(json.loads(example.read_text()))


def test_there_is_an_example_of_everything() -> None:
    names = {path.name for path in EXAMPLES}
    kinds = (*items.CHANGE_KINDS, items.RECLASSIFIED, items.CLOCK, items.POLICY)
    assert {f"opportunity-change.v1.{kind}.json" for kind in kinds} <= names
    assert {f"alert.v1.{transition}.json" for transition in ("opened", "changed", "resolved")} <= names
    assert {schema_of(path) for path in EXAMPLES} | {"policy"} == {
        path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json")
    }


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path.name.startswith("opportunity-change")])
def test_examples_of_changes_decode(example: Path) -> None:
    """Those of older releases stay in the folder and must decode for ever."""
    wire.decode(example.read_bytes())


def test_the_contract_has_the_fields_that_are_read() -> None:
    assert VALUES.keys() == wire.FIELDS.keys()
    assert LINE_VALUES.keys() == wire.LINE_FIELDS.keys()


@pytest.mark.parametrize("name", ["alert.v1", "win.v1"])
def test_the_contract_has_the_keys_that_are_written(name: str) -> None:
    said = run(life())
    records = [json.loads(value) for _, value in (said.alerts if name == "alert.v1" else said.wins)]
    assert records
    for record in records:
        validator(name).validate(record)
        assert record.keys() == json.loads((FOLDER / f"{name}.schema.json").read_text())["properties"].keys()


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("kind", {"kind": "exploded"}),
    ("date", {"values": {"close_date": "31.12.2026"}}),
    ("amount", {"values": {"amount": "a lot"}}),
    ("percent", {"values": {"discount_percent": 140}}),
    ("instant", {"occurred_at": "2026-11-20 10:00"}),
    ("writer", {"writer": {"id": "005", "kind": "robot"}}),
    ("id", {"id": ""}),
    ("flag", {"values": {"is_won": "yes"}}),
]


@pytest.mark.parametrize("change", [change for _, change in WRONG], ids=[name for name, _ in WRONG])
def test_schema_and_decoder_refuse_the_same(change: dict[str, Any]) -> None:
    event = {**life()[0], **change}
    assert not validator("opportunity-change.v1").is_valid(event)
    with pytest.raises(wire.DecodeError):
        wire.decode(json.dumps(event).encode())


def test_the_shipped_policy_is_valid_for_editors_too() -> None:
    text = (ROOT / "deploy" / "policy.yaml").read_text()
    load_policy(text, "deploy/policy.yaml")
    written, _ = read_yaml(text, "deploy/policy.yaml")
    validator("policy").validate(written.plain)
    first = text.splitlines()[0]
    assert (ROOT / "deploy" / first.partition("$schema=")[2]).resolve() == FOLDER / "policy.schema.json"


def test_the_shipped_policy_shows_every_key() -> None:
    """Written, or at least in a comment."""
    text = (ROOT / "deploy" / "policy.yaml").read_text()

    def keys(schema: dict[str, Any]) -> set[str]:
        properties = schema.get("properties", {})
        below = {key for inner in properties.values() for key in keys(inner)}
        return properties.keys() | below | (keys(schema["items"]) if "items" in schema else set())

    schema = json.loads((FOLDER / "policy.schema.json").read_text())
    del schema["properties"]["rules"], schema["properties"]["segments"]["items"]["properties"]["rules"]
    del schema["properties"]["norms"]["properties"]  # as `wellwon norms` writes them, in a file of their own
    missing = {key for key in keys(schema) if f"{key}:" not in text} - {"user"}
    assert not missing


def test_the_command_writes_what_it_checks(tmp_path: Path) -> None:
    runner = CliRunner()
    folder = tmp_path / "schemas"
    stale = runner.invoke(cli, ["schemas", "--check", "--to", str(folder)])
    assert stale.exit_code == 1
    assert "policy.schema.json is missing" in stale.output
    assert runner.invoke(cli, ["schemas", "--to", str(folder)]).exit_code == 0
    assert runner.invoke(cli, ["schemas", "--check", "--to", str(folder)]).exit_code == 0
    assert write(folder) == []
    (folder / "alert.v1.schema.json").write_text("{}\n")
    (folder / "alert.v0.schema.json").write_text("{}\n")
    stale = runner.invoke(cli, ["schemas", "--check", "--to", str(folder)])
    assert "alert.v1.schema.json is stale" in stale.output
    assert "alert.v0.schema.json is not generated any more" in stale.output
