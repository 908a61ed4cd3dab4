"""Whether a broker lets us in at all, asked before a client tries for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wellwon.cli.failure import Failed

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings


def must_answer(settings: Settings) -> None:
    """Raise `Failed`, in one line, where none of the bootstrap servers lets us in."""
    from wellwon.runtime import handshake

    said = []
    for server in settings.kafka.split(","):
        found = handshake.problem(settings, server)
        if found is None:
            return
        said.append(str(found))
    raise Failed("Kafka: " + "; ".join(said))
