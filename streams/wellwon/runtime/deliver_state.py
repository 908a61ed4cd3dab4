"""What deliver knew before: read from its changelog, the whole of it, when it takes over.

It takes seconds where there are many deals, and none of it may be done on the event loop, which would count as asleep.
"""

from __future__ import annotations

from wellwon.deliver.desk import Desk
from wellwon.deliver.directory import Directory
from wellwon.runtime import restore, topics
from wellwon.runtime.lanes import Place
from wellwon.runtime.settings import Settings


def read(settings: Settings, directory: Directory, generation: int) -> tuple[restore.Restored, Desk, list[Place]]:
    """The state, a desk over it, and the messages that are on their way. Raises what `restore.restore` does."""
    folder = settings.data / settings.deliver_group
    found = restore.restore(settings, _log(settings), [0], folder, state=topics.DELIVER_STATE)[0]
    desk = Desk(found.store, directory, epoch=settings.epoch, generation=generation)
    return found, desk, desk.outstanding()


def _log(settings: Settings) -> restore.Log:
    if not settings.declare_topics and settings.kafka_version:
        return restore.Log("", "", 1)  # the embedded broker keeps no topic ids, and starts empty
    (topic,) = (topic for topic in topics.TOPICS if topic.name == topics.DELIVER_STATE)
    state = topics.describe(settings, [topic])[topic.name]
    if state is None:
        raise restore.Refused("topics are missing: run `wellwon topics create`, or set WELLWON_DECLARE_TOPICS=yes")
    return restore.Log("", state.id, state.partitions)
