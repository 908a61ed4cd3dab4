"""Topics as they are declared."""

from __future__ import annotations

from wellwon.runtime import topics


def test_only_states_are_compacted() -> None:
    """A frozen worker may repeat an older record last; of states alone its successor writes the newer one again."""
    compacted = {topic.name for topic in topics.TOPICS if topic.cleanup == "compact"}
    assert compacted == {topics.STATE, topics.ROLLUP_STATE, topics.DELIVER_STATE}


def test_wins_are_kept() -> None:
    wins = next(topic for topic in topics.TOPICS if topic.name == topics.WINS)
    assert wins.settings()["retention.ms"] == "-1"
