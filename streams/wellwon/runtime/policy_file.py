"""The policy's file and the norms file that it names, read together."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wellwon.policy import Policy, load_policy
from wellwon.policy.published import NormsText, norms_file_of, published


class PolicyFile(NamedTuple):
    """A policy, and its text as it is published to the partitions."""

    text: str
    policy: Policy


def read_policy(path: Path | None) -> PolicyFile:
    """The policy of a file; the defaults where none is named. Raises PolicyError, OSError, UnicodeDecodeError."""
    if path is None:
        return PolicyFile("", load_policy(""))
    return with_norms(path.read_text(encoding="utf-8"), str(path), path.parent)


def with_norms(text: str, file: str, folder: Path) -> PolicyFile:
    """The policy of a text, with the norms file that it names, looked for in ``folder``. Raises as `read_policy`.

    ``file`` is only named in messages.
    """
    name = norms_file_of(text)
    norms = None if name is None else _norms(folder / name)
    policy = load_policy(text, file, norms=norms)
    whole = published(text, norms)
    if norms is not None:
        load_policy(whole, f"{file} with {norms.file}")  # together they may be longer than a policy may be
    return PolicyFile(whole, policy)


def _norms(path: Path) -> NormsText:
    try:
        return NormsText(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        return NormsText("", str(path), (error.strerror or str(error)).lower())
    except UnicodeDecodeError:
        return NormsText("", str(path), "it is not UTF-8 text")
