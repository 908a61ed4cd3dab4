"""One member of the group has everything, and keeps it."""

from __future__ import annotations

from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from wellwon.runtime.standby import OneActive

TOPICS = ["alerts", "wins"]


class Cluster:
    """Two topics of three partitions."""

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0, 1, 2}


def member() -> type[OneActive]:
    """An assignor as one consumer has it: with a memory of its own."""
    return type("Mine", (OneActive,), {})


def assign(members: dict[str, type[OneActive]], generation: int) -> dict[str, int]:
    metadata: dict[str, ConsumerProtocolMemberMetadata] = {name: one.metadata(TOPICS) for name, one in members.items()}
    given = OneActive.assign(Cluster(), metadata)  # type: ignore[arg-type]
    for name, one in members.items():
        one.on_assignment(given[name])
        one.generation = generation
    return {name: sum(len(parts) for _, parts in one.assignment) for name, one in given.items()}


def test_one_has_everything_and_keeps_it_while_others_come_and_go() -> None:
    members = {"b": member()}
    assert assign(members, 1) == {"b": 6}
    members["a"], members["z"] = member(), member()
    assert assign(members, 2) == {"a": 0, "b": 6, "z": 0}
    del members["z"]
    assert assign(members, 3) == {"a": 0, "b": 6}


def test_another_takes_over_and_the_first_does_not_get_it_back() -> None:
    members = {"a": member(), "b": member()}
    assert assign(members, 1) == {"a": 0, "b": 6}
    gone = members.pop("b")
    assert assign(members, 2) == {"a": 6}
    members["b"] = gone  # frozen for a while: it still believes in what it had
    assert assign(members, 3) == {"a": 6, "b": 0}
