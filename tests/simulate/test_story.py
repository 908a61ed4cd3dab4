"""A deal's story from its state: every look-alike shows the reason for its silence."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import pytest

from wellwon.core.engine import restore
from wellwon.core.partition import Partition
from wellwon.core.state import decode_state
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick, with_clock
from wellwon.policy import compile_text
from wellwon.simulate import Simulation
from wellwon.simulate.label import LOOKALIKE
from wellwon.simulate.organisation import calendar, policy_text
from wellwon.simulate.story import Told, tell


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    offset: int


@pytest.fixture(scope="module")
def stories() -> dict[str, list[list[Told]]]:
    """By kind of look-alike, the stories of its deals."""
    simulation = Simulation(11, 600, pressured=0, lookalikes=0.6)
    store: dict[bytes, bytes] = {}
    partition = Partition(0, policy_text(), store, compile_text)
    for offset, item in enumerate(with_clock(simulation, calendar(), simulation.until - 1)):
        value = encode_clock(item.at) if isinstance(item, Tick) else item.value
        partition.apply([Record(None if isinstance(item, Tick) else item.key, value, offset)])
        while partition.settle() is not None:
            pass
    found = defaultdict(list)
    for label in simulation.labels():
        if label.group == LOOKALIKE:
            state = restore(decode_state(store[label.opportunity_id.encode()]), partition.ruleset)
            found[label.kind].append(tell(state.now, calendar()))
    return found


@pytest.mark.parametrize(
    ("kind", "move", "why"),
    [
        ("buyer's date", "close date", "the buyer gave this date"),
        ("bulk edit", "close date", "part of a bulk edit"),
        ("bulk edit found later", "close date", "part of a bulk edit"),
        ("early win", "close date", "written with the close"),
        ("last evening win", "close date", "written with the close"),
        ("traded", "discount", "something was given in return"),
        ("longer term", "discount", "something was given in return"),
        ("wrong year", "close date", "corrected by the same person soon after"),
        ("wrong discount", "discount", "corrected by the same person soon after"),
        ("default date", "close date", "the first change of the date the deal was created with"),
        ("legal review", "close date", "moved within the period while the buyer's process runs"),
        ("integration", "", "not written by a person"),
    ],
)
def test_a_lookalike_shows_why_it_is_silent(
    stories: dict[str, list[list[Told]]], kind: str, move: str, why: str
) -> None:
    assert stories[kind]
    for story in stories[kind]:
        assert [told for told in story if not told.counts and told.what.startswith(move) and told.why == why], story


def test_a_conversation_is_told_with_its_answer(stories: dict[str, list[list[Told]]]) -> None:
    for story in stories["answered"]:
        assert [told.what for told in story if told.until][-1:] == ["mails and calls: 6 sent, 1 received"]


def test_a_story_is_in_the_order_of_time(stories: dict[str, list[list[Told]]]) -> None:
    for told in stories["traded"]:
        assert [t.at for t in told] == sorted(t.at for t in told)


def test_dates_are_local(stories: dict[str, list[list[Told]]]) -> None:
    for story in stories["last evening win"]:
        assert story[-1].when == "30 Sep"
