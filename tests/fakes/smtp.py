"""A mail server that speaks SMTP, notes what it took, and refuses on request."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class Mailbox:
    """What the server took, and how it answers."""

    mails: list[EmailMessage] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    """By command (``RCPT``, ``DATA``, ``.``): an answer in place of the right one."""
    hangs_up_after: str = ""
    """The command after which it breaks the connection off."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?starttls=no"


@contextmanager
def running(mailbox: Mailbox) -> Iterator[Mailbox]:
    """Serve for the length of a ``with`` block."""

    class Session(socketserver.StreamRequestHandler):
        def _say(self, command: str, right: str) -> None:
            self.wfile.write((mailbox.replies.get(command, right) + "\r\n").encode())

        def handle(self) -> None:
            self._say("", "220 fake")
            while line := self.rfile.readline():
                command = line.split()[0].upper().decode() if line.split() else ""
                if command == "DATA":
                    self._say("DATA", "354 go on")
                    if not mailbox.replies.get("DATA", "354").startswith("354"):
                        continue
                    data = b""
                    while (line := self.rfile.readline()) != b".\r\n":
                        data += line.removeprefix(b".") if line.startswith(b"..") else line
                    if mailbox.replies.get(".", "250").startswith("250"):
                        mailbox.mails.append(message_from_bytes(data, policy=default))  # type: ignore[arg-type]
                    if mailbox.hangs_up_after == ".":
                        return
                    self._say(".", "250 taken")
                elif command == "QUIT":
                    self._say("QUIT", "221 bye")
                    return
                else:
                    self._say(command, "250 fine")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield mailbox
        server.shutdown()
        thread.join(5)
