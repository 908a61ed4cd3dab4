"""Quix Streams with its own durable state (RocksDB and a changelog). Counts the pushes of each deal, and no more.

``bare`` touches the state only for changes that carry a close date. ``every`` keeps the number of the deal's changes as
well, so that each change is a write, as it is where more is to be known of a deal than its close date.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State

kafka, topic, group, data, mode = sys.argv[1:]


def is_counted(change: dict[str, Any]) -> bool:
    """Whether the counter looks at a change; clock and policy records have no deal."""
    return bool(change.get("opportunity_id") if mode == "every" else (change.get("values") or {}).get("close_date"))


def count_pushes(change: dict[str, Any], state: State) -> dict[str, Any]:
    """A push: the close date moved to a later day."""
    if date := (change.get("values") or {}).get("close_date"):
        before = state.get("close_date")
        if before is not None and date > before:
            state.set("pushes", state.get("pushes", 0) + 1)
        state.set("close_date", date)
    if mode == "every":
        state.set("changes", state.get("changes", 0) + 1)
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
changes = changes.filter(is_counted).apply(count_pushes, stateful=True)

if __name__ == "__main__":
    app.run()
