"""One worker of a group has all partitions, the others stand by.

What a person is told depends on all their deals, and a channel takes one message a second: that is one desk's work.
Whoever has it keeps it; when it goes, the next takes over all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

VERSION = 0
HOLDS = b"holds"


class OneActive(AbstractPartitionAssignor):
    """See the module. Each consumer uses a class of its own, for what it remembers is on the class."""

    name: ClassVar[str] = "one-active"
    holds: bool = False
    generation: int = -1

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Give everything to one member: to the latest that had it, where there is one."""
        chosen = max(members, key=lambda member: (_held_in(members[member].user_data), member))
        everything = [
            (topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in sorted(members[chosen].subscription)
        ]
        return {
            member: ConsumerProtocolMemberAssignment(VERSION, everything if member == chosen else [], b"")
            for member in members
        }

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Tell whether this member has the partitions, and since which generation."""
        data = HOLDS + b"%d" % cls.generation if cls.holds else b""
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), data)

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Note what this member has now."""
        cls.holds = bool(assignment.assignment)


def _held_in(data: bytes) -> int:
    digits = data.removeprefix(HOLDS) if data else b""
    return int(digits) if data.startswith(HOLDS) and digits.isdigit() else -1
