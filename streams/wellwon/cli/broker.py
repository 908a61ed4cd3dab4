"""Whether a broker answers at all, asked before a client tries for a minute."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from wellwon.cli.failure import Failed

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings

CONNECT_S: Final = 3.0


def must_answer(settings: Settings) -> None:
    """Raise `Failed`, in one line, where none of the bootstrap servers can be connected to."""
    said = []
    for server in settings.kafka.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
        except OSError as error:
            said.append(f"{server} does not answer: {error.strerror or error}")
        else:
            return
    raise Failed("Kafka: " + "; ".join(said) + ". Is the broker running, is WELLWON_KAFKA right?")
