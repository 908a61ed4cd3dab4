"""Quix Streams with its own durable state (RocksDB and a changelog). Counts the pushes of each deal, and no more."""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State

kafka, topic, group, data = sys.argv[1:]


def is_change(change: dict[str, Any]) -> bool:
    """Clock and policy records are not for a counter."""
    return bool((change.get("values") or {}).get("close_date"))


def count_pushes(change: dict[str, Any], state: State) -> dict[str, Any]:
    """A push: the close date moved to a later day."""
    date, before = change["values"]["close_date"], state.get("close_date")
    if before is not None and date > before:
        state.set("pushes", state.get("pushes", 0) + 1)
    state.set("close_date", date)
    return change


app = Application(
    broker_address=kafka,
    consumer_group=group,
    state_dir=data,
    auto_offset_reset="earliest",
    commit_interval=1.0,
    loglevel="WARNING",
)
changes = app.dataframe(app.topic(topic, key_deserializer="bytes", value_deserializer="json"))
changes = changes.filter(is_change).apply(count_pushes, stateful=True)

if __name__ == "__main__":
    app.run()
