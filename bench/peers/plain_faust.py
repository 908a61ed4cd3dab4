"""Faust as its documentation shows it: an agent, a table, one event at a time. Counts the pushes of each deal."""

from __future__ import annotations

import sys

import faust

kafka, topic, group, data = sys.argv[1:]
app = faust.App(
    group,
    broker=f"kafka://{kafka}",
    store="memory://",
    datadir=data,
    topic_partitions=4,
    broker_commit_interval=1.0,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
changes = app.topic(topic, key_type=bytes, value_serializer="json")
close_dates = app.Table("close-dates", default=str)
pushes = app.Table("pushes", default=int)


@app.agent(changes)
async def count_pushes(stream: faust.StreamT) -> None:
    """A push: the close date moved to a later day."""
    async for key, change in stream.items():
        date = (change.get("values") or {}).get("close_date")
        if date:
            deal = key.decode()
            if close_dates[deal] and date > close_dates[deal]:
                pushes[deal] += 1
            close_dates[deal] = date


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel=warn"]
    app.main()
