"""The policy as it is published to the partitions: one text that carries everything a ruleset is made of."""

from __future__ import annotations

from typing import NamedTuple

import yaml


class NormsText(NamedTuple):
    """The text of a norms file, and the name that messages give it; ``unread`` says why there is no text."""

    text: str
    file: str
    unread: str = ""


def norms_file_of(text: str) -> str | None:
    """The norms file that a policy's text names, None where it names none or cannot be read."""
    try:
        root = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == _FILE and isinstance(value, yaml.ScalarNode) and value.value.strip():
            return str(value.value)
    return None


def published(text: str, norms: NormsText | None) -> str:
    """The policy with its norms in the place of the file's name; as it is written where it names none.

    Both texts must be without problems (`load_policy`). The same texts always give the same text.
    """
    if norms is None:
        return text
    root = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    inside = yaml.compose(norms.text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "it has been loaded, and names a file"
    root.value = [(key, value) for key, value in root.value if key.value != _FILE]
    root.value.append((yaml.ScalarNode("tag:yaml.org,2002:str", "norms"), inside))
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, width=10_000, allow_unicode=True))


_FILE = "norms_file"
