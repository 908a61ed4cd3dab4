"""``wellwon schemas``: the published contracts, written or checked."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wellwon.cli.failure import FAILED
from wellwon.cli.output import counted


def files() -> dict[str, str]:
    """Everything generated in ``schemas/``: path below it, and content."""
    import orjson

    from wellwon.cli.contracts import schemas
    from wellwon.cli.examples import examples

    found = {**schemas(), **{f"examples/{name}": example for name, example in examples().items()}}
    return {name: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n" for name, value in found.items()}


def differences(folder: Path) -> list[str]:
    """What is not as it would be generated, one line each."""
    wanted = files()
    paths = (*folder.glob("*.json"), *folder.glob("examples/*.json"))
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in paths}
    missing = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    stale = [f"{name} is stale" for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]]
    extra = [f"{name} is not generated any more: remove it" for name in sorted(found.keys() - wanted.keys())]
    return missing + stale + extra


def write(folder: Path) -> list[str]:
    """Write everything; the names of the files that changed."""
    wanted = files()
    changed = []
    for name, content in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            changed.append(name)
    return changed


@click.command()
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("schemas"),
    show_default=True,
    help="Folder to write to.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if something is stale.")
def command(folder: Path, check: bool) -> None:
    """Write the JSON Schema of every record and of the policy, and an example of each record."""
    if check:
        stale = differences(folder)
        for line in stale:
            click.echo(f"{folder}/{line}")
        if stale:
            click.echo("`wellwon schemas` writes them anew", err=True)
            sys.exit(FAILED)
        click.echo(f"{folder}: fresh")
        return
    changed = write(folder)
    click.echo(f"{folder}: {counted(len(changed), 'file')} written" if changed else f"{folder}: nothing to change")
