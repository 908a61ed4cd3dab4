"""Whether Kafka lets us in, asked before a client tries in vain for a minute: the reason, and what to do about it.

The clients say it late and in the words of their libraries; two of the three say no more than that there was no answer.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException

from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka, tls_context, uses_tls
from wellwon.runtime.settings import Settings

CONNECT_S: Final = 3.0
ANSWER_S: Final = 5.0
OTHER_NAME: Final = (62, 64)
"""OpenSSL's codes for a certificate that is good, but of another host or address."""
EXPIRED: Final = 10


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a server cannot be used, and what to do about it."""

    said: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.said}: {self.remedy}"


def problem(settings: Settings, server: str) -> Problem | None:
    """Connect to one server as the settings say; None when it answers. Waits for 10 s at most."""
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_S) as connection:
            found = _encrypted(settings, server, connection) if uses_tls(settings) else None
    except OSError as error:
        remedy = "is the broker running, is WELLWON_KAFKA right, does a firewall stand between?"
        return Problem(f"{server} does not answer: {error.strerror or error}", remedy)
    return found or _answers(settings, server)


def _encrypted(settings: Settings, server: str, connection: socket.socket) -> Problem | None:
    try:
        context = tls_context(settings)
    except (OSError, ValueError) as error:  # also ssl.SSLError
        files = ", ".join(str(file) for file in (settings.kafka_ca, settings.kafka_cert, settings.kafka_key) if file)
        return Problem(
            f"the certificates cannot be used ({files}): {_words(error)}",
            "WELLWON_KAFKA_CA, _CERT and _KEY are PEM files, the key belongs to the certificate and has no passphrase",
        )
    host = server.rpartition(":")[0].strip("[]")
    try:
        context.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return _untrusted(settings, server, host, error)
    except (ssl.SSLError, ConnectionError, TimeoutError) as error:
        return Problem(
            f"{server} does not speak TLS ({_words(error)})",
            f"WELLWON_KAFKA_SECURITY={settings.kafka_security} needs the broker's encrypted port; is it that one?",
        )
    return None


def _untrusted(settings: Settings, server: str, host: str, error: ssl.SSLCertVerificationError) -> Problem:
    if error.verify_code in OTHER_NAME:
        said = f"the certificate of {server} is not for '{host}'"
        return Problem(said, "name the broker in WELLWON_KAFKA as its certificate does, or give it one with that name")
    if error.verify_code == EXPIRED:
        return Problem(f"the certificate of {server} has expired", "give the broker a new one; is this clock right?")
    trusted = settings.kafka_ca or "the system's authorities"
    return Problem(
        f"the certificate of {server} is not signed by one whom {trusted} names ({error.verify_message})",
        "set WELLWON_KAFKA_CA to the PEM file of the authority that signed it",
    )


def _answers(settings: Settings, server: str) -> Problem | None:
    """Log in, and ask for a topic."""
    errors: list[KafkaError] = []
    consumer = Consumer(
        librdkafka(replace(settings, kafka=server))
        | {"group.id": f"{settings.group}-handshake", "error_cb": errors.append, "logger": _Silent()}
    )
    deadline = time.monotonic() + ANSWER_S
    try:
        while time.monotonic() < deadline:
            try:
                consumer.list_topics(settings.topic(topics.CHANGES), timeout=1.0)
            except KafkaException as error:
                errors.append(error.args[0])
            else:
                return None
            consumer.poll(0)  # brings the errors
            if (found := next(filter(None, (_refusal(settings, server, error) for error in errors)), None)) is not None:
                return found
    finally:
        consumer.close()
    return Problem(
        f"{server} takes the connection and does not answer",
        f"does that port expect TLS or a login? Here WELLWON_KAFKA_SECURITY={settings.kafka_security}",
    )


def _refusal(settings: Settings, server: str, error: KafkaError) -> Problem | None:
    """What a client's error says for good; None where it may pass."""
    if error.code() == KafkaError._AUTHENTICATION:
        return Problem(
            f"{server} refuses the login of '{settings.kafka_user}' by {settings.kafka_sasl}",
            "check WELLWON_KAFKA_USER, WELLWON_KAFKA_PASSWORD (or _PASSWORD_FILE) and WELLWON_KAFKA_SASL;"
            " a SCRAM password is of one mechanism",
        )
    if uses_tls(settings) and "alert" in error.str() and "certificate" in error.str():
        has = "does not accept ours" if settings.kafka_cert else "we have none"
        return Problem(
            f"{server} asks for a certificate of the client, and {has}",
            "set WELLWON_KAFKA_CERT and WELLWON_KAFKA_KEY to one that the broker's authority signed",
        )
    return None


def _words(error: Exception) -> str:
    """The reason without OpenSSL's place in its source."""
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error).replace("_", " ").lower()


class _Silent:
    """A logger for what is said here once, and in words."""

    def log(self, *_line: Any) -> None:
        """Drop the line."""
