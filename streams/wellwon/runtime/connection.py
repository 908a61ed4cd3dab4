"""The same connection, in the words of the three Kafka clients used: Faust (aiokafka), librdkafka, kafka-python."""

from __future__ import annotations

import ssl
from typing import Any

import faust

from wellwon.runtime.settings import Settings


def uses_tls(settings: Settings) -> bool:
    """Tell whether the connection is encrypted."""
    return settings.kafka_security.endswith("tls")


def uses_sasl(settings: Settings) -> bool:
    """Tell whether the connection is authenticated with a user and a password."""
    return settings.kafka_security.startswith("sasl")


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return a context that trusts the configured authorities and presents the configured certificate."""
    context = ssl.create_default_context(cafile=str(settings.kafka_ca) if settings.kafka_ca else None)
    if settings.kafka_cert and settings.kafka_key:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(str(settings.kafka_cert), str(settings.kafka_key), password="")
    return context


def _protocol(settings: Settings) -> str:
    return ("SASL_" if uses_sasl(settings) else "") + ("SSL" if uses_tls(settings) else "PLAINTEXT")


def librdkafka(settings: Settings) -> dict[str, Any]:
    """Return the connection for confluent-kafka."""
    config: dict[str, Any] = {"bootstrap.servers": settings.kafka, "client.id": f"wellwon-{settings.instance}"}
    config["reconnect.backoff.max.ms"] = 1_000
    if settings.kafka_security == "plaintext":
        return config
    config["security.protocol"] = _protocol(settings)
    if uses_sasl(settings):
        config |= {
            "sasl.mechanism": settings.kafka_sasl,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password,
        }
    if settings.kafka_ca:
        config["ssl.ca.location"] = str(settings.kafka_ca)
    if settings.kafka_cert:
        config |= {"ssl.certificate.location": str(settings.kafka_cert), "ssl.key.location": str(settings.kafka_key)}
    return config


def kafka_python(settings: Settings) -> dict[str, Any]:
    """Return the connection for kafka-python."""
    config: dict[str, Any] = {"bootstrap_servers": settings.kafka.split(",")}
    if settings.kafka_version:
        config["api_version"] = tuple(int(part) for part in settings.kafka_version.split("."))
    if settings.kafka_security != "plaintext":
        config["security_protocol"] = _protocol(settings)
    if uses_tls(settings):
        config["ssl_context"] = tls_context(settings)
    if uses_sasl(settings):
        config |= {
            "sasl_mechanism": settings.kafka_sasl,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password,
        }
    return config


def faust_credentials(settings: Settings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Return the connection's credentials for Faust; None where there are none."""
    context = tls_context(settings) if uses_tls(settings) else None
    if uses_sasl(settings):
        return faust.SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password,
            ssl_context=context,
            mechanism=settings.kafka_sasl,
        )
    return faust.SSLCredentials(context) if context else None


def faust_broker(settings: Settings) -> str:
    """Return the broker URL for Faust."""
    return ";".join(f"kafka://{server}" for server in settings.kafka.split(","))
