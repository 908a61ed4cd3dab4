"""What one partition tells the rollup: its deals' facts, how far it has come, and the policy that it has taken up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wellwon.core.facts import encode_facts, encode_mark
from wellwon.core.output import Output
from wellwon.core.state import CONTROL_KEY, decode_control
from wellwon.core.units import HOUR
from wellwon.core.wire import encode_policy


class Relay:
    """A mark goes out with each full hour, after the facts from before it; the rollup judges no more often."""

    __slots__ = ("_hour", "_number", "_partitions", "_policy_at")

    def __init__(self, number: int, partitions: int) -> None:
        self._number = number
        self._partitions = partitions
        self._hour = -1
        self._policy_at = 0

    def told(self, output: Output, clock: int, store: Mapping[bytes, bytes]) -> Iterator[tuple[bytes | None, bytes]]:
        """The records that a slice's output gives, in order: key and value."""
        if CONTROL_KEY in output.states:
            control = decode_control(store[CONTROL_KEY])
            if control.policy_at > self._policy_at:
                self._policy_at = control.policy_at
                yield None, encode_policy(control.policy, control.policy_at)
        for value in encode_facts(tuple(output.facts.values()), self._number):
            yield None, value
        if clock // HOUR > self._hour and clock:
            self._hour = clock // HOUR
            yield None, encode_mark(clock, self._number, self._partitions)
