"""The plain way to know what holds: ask every rule after everything that happens. It knows no wakes and no masks."""

from __future__ import annotations

from histories import DEAL
from wellwon.core import wire
from wellwon.core.engine import ask_all, step
from wellwon.core.items import Clock, PolicyRecord
from wellwon.core.lifecycle import refuted
from wellwon.core.model import Ruleset
from wellwon.core.partition import Partition
from wellwon.core.state import State, decode_state

Open = set[tuple[str, str, str]]
"""Rule, severity and key of what holds."""


class Everything:
    """One deal, judged anew by all rules after every item and at every clock."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.state: State | None = None
        self.clock = 0
        self.open: Open = set()

    def apply(self, value: bytes) -> None:
        """Take a record in, then ask every rule."""
        item = wire.decode(value).item
        assert not isinstance(item, PolicyRecord)
        if isinstance(item, Clock):
            self.clock = max(self.clock, item.at)
        else:
            self.state = step(self.state, item, self.ruleset, self.clock).state
        if self.state is not None:
            self.state = step(self.state, Clock(self.clock), self.ruleset).state
            done = ask_all(self.state, self.ruleset)
            assert not done.failures
            self.state = done.state
            answered = refuted(self.state.now, done.findings)
            self.open = {
                (rule, f.severity, f.key) for rule, f in done.findings.items() if f is not None and rule not in answered
            }


def settle(partition: Partition, deals: int = 50) -> None:
    """Until nothing is due."""
    while partition.settle(deals) is not None:
        pass


def open_alerts(store: dict[bytes, bytes]) -> Open:
    """What the partition's store says is open."""
    value = store.get(DEAL.encode())
    if value is None:
        return set()
    return {(alert.rule, alert.severity, alert.key) for alert in decode_state(value).alerts if not alert.closed_at}
