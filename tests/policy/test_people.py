"""The file of people: who is told, where, and what is wrong with it."""

from __future__ import annotations

import pytest

from wellwon.policy.people import load_people
from wellwon.policy.problem import PolicyError

HEADER = "id,email,name,team,manager,zone\n"


def test_people_are_found_by_every_form_of_their_id() -> None:
    people = load_people(
        HEADER + "005SM0000002SelYAE,ann@example.com,Ann Lee,EMEA,9,Europe/Berlin\n\n" + "9,bo@example.com,Bo,EMEA,,\n"
    )
    ann = people.get("005SM0000002Sel")
    assert ann is not None
    assert ann.email == "ann@example.com"
    manager = people.manager_of("005SM0000002SelYAE")
    assert manager is not None
    assert manager.name == "Bo"
    assert people.manager_of("9") is None
    assert people.team_of("nobody") == ""
    assert len(list(people)) == 2


def test_columns_may_stand_in_any_order_and_be_left_out() -> None:
    person = load_people("email,id\nann@example.com,1\n").get("1")
    assert person is not None
    assert (person.email, person.zone) == ("ann@example.com", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,mail\n", "people.csv:1:1: 'mail' is no column of people: did you mean 'email'?"),
        ("email\n", "the column 'id' is missing"),
        ("", "the column 'id' is missing"),
        (HEADER + "1,annexample.com,,,,\n", "people.csv:2:1: 'annexample.com' is no e-mail address"),
        (HEADER + "1,,,,,Europe/Berln\n", "unknown time zone 'Europe/Berln'"),
        (HEADER + "1,,,,7,\n", "the manager '7' is not listed"),
        (HEADER + "1,,,,,\n1,,,,,\n", "people.csv:3:1: '1' is listed twice, first in line 2"),
        (HEADER + "1,,\n", "not as many columns"),
        (HEADER + ",a@b.c,,,,\n", "the id is missing"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, said: str) -> None:
    with pytest.raises(PolicyError) as error:
        load_people(text)
    assert said in str(error.value)
