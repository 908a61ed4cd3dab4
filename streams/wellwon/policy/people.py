"""Who the CRM's users are: how each can be told, in which zone, in which team, and whose manager is who.

A CSV file, exported from the CRM or written by hand; the header names the columns, in any order:

    id,email,name,team,manager,zone
    005SM0000002SelYAE,ann@example.com,Ann Lee,EMEA,005SM0000003ManYAE,Europe/Berlin

Only ``id`` is needed. ``manager`` is the id of another line. Who is not listed is told nothing in private.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from wellwon.core.zone import Zone
from wellwon.policy.model import id_forms
from wellwon.policy.problem import Place, PolicyError, PolicyProblem, did_you_mean

COLUMNS: Final = ("id", "email", "name", "team", "manager", "zone")


@dataclass(frozen=True, slots=True)
class Person:
    """One user of the CRM. What is not known is empty."""

    id: str
    email: str = ""
    name: str = ""
    team: str = ""
    manager: str = ""
    """Id of another person."""
    zone: str = ""
    """IANA time zone; empty: the policy's."""


@dataclass(frozen=True)
class People:
    """Everyone who is known, by CRM user id in any of its forms."""

    by_id: dict[str, Person] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Iterable[Person]) -> People:
        """People by all forms of their ids."""
        return cls({form: person for person in people for form in id_forms(person.id)})

    def get(self, user: str) -> Person | None:
        """The person of a CRM user id, None where unknown."""
        return self.by_id.get(user)

    def manager_of(self, user: str) -> Person | None:
        """The manager of a CRM user, None where unknown."""
        person = self.by_id.get(user)
        return None if person is None else self.by_id.get(person.manager)

    def team_of(self, user: str) -> str:
        """The team of a CRM user, empty where unknown."""
        person = self.by_id.get(user)
        return "" if person is None else person.team

    def __iter__(self) -> Iterator[Person]:
        """Each person once."""
        return iter({person.id: person for person in self.by_id.values()}.values())


def load_people(text: str, file: str = "people.csv") -> People:
    """The people that a CSV text lists. Raises `PolicyError` with every mistake, each with its line."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    problems: list[PolicyProblem] = []

    def say(line: int, message: str) -> None:
        problems.append(PolicyProblem(file, Place(line, 1), message))

    header = [name.strip().lower() for name in next(rows, [])]
    for name in header:
        if name not in COLUMNS:
            say(1, f"'{name}' is no column of people{did_you_mean(name, COLUMNS)}; there are {', '.join(COLUMNS)}")
    if "id" not in header:
        say(1, "the column 'id' is missing: the CRM's user ids")
    if problems:
        raise PolicyError(problems)

    found: dict[str, tuple[int, Person]] = {}
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        person = Person(**{name: cell.strip() for name, cell in zip(header, row, strict=False)})
        _check(person, len(row) == len(header), found, lambda message: say(rows.line_num, message))
        found[person.id] = (rows.line_num, person)
    people = People.of(person for _, person in found.values())
    for line, person in found.values():
        if person.manager and people.get(person.manager) is None:
            say(line, f"the manager '{person.manager}' is not listed")
    if problems:
        raise PolicyError(problems)
    return people


def _check(person: Person, whole: bool, found: dict[str, tuple[int, Person]], say: Callable[[str], None]) -> None:
    if not whole:
        say("this line has not as many columns as the header")
    if not person.id:
        say("the id is missing")
    elif person.id in found:
        say(f"'{person.id}' is listed twice, first in line {found[person.id][0]}")
    if person.email and ("@" not in person.email or not person.email.isprintable() or " " in person.email):
        say(f"'{person.email}' is no e-mail address")
    if person.zone:
        try:
            Zone(person.zone)
        except ValueError as error:
            say(str(error))
