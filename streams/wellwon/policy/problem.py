"""What is wrong with a policy, said so that it can be put right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is written; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class PolicyProblem:
    """One mistake: where, and what to write instead."""

    file: str
    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.place.line}:{self.place.column}: {self.message}"


class PolicyError(ValueError):
    """A policy that cannot be used; ``errors`` holds everything that is wrong with it, in the file's order."""

    def __init__(self, errors: Sequence[PolicyProblem]) -> None:
        self.errors = sorted(errors)
        super().__init__("\n".join(map(str, self.errors)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``: did you mean 'x'?``, or the choice there is where nothing is near and the choice is short."""
    options = list(dict.fromkeys(known))
    by_folded = {_folded(option): option for option in options}
    meant = _folded(word)
    # "committed" is nearer to "omitted" by its letters, to "commit" by its sense.
    near = [known for known in by_folded if len(known) > 3 and meant.startswith(known)]
    near = near or get_close_matches(meant, by_folded, n=1, cutoff=0.6)
    if near:
        return f": did you mean '{by_folded[near[0]]}'?"
    return f": it is one of {', '.join(options)}" if 0 < len(options) <= 20 else ""


def _folded(word: str) -> str:
    return word.lower().replace("_", "-").replace(" ", "-")
