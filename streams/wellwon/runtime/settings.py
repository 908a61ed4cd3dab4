"""What operators set: environment variables, read once into one frozen `Settings`.

The policy (what RevOps sets) is a file; only its path is here.
"""

# ruff: noqa: RUF009 - a setting is a field, and its default never changes

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

PREFIX = "WELLWON_"
OTHERS = (PREFIX + "TEST_", PREFIX + "SINK_", PREFIX + "CRM_", PREFIX + "_")
"""What variables begin with that are no settings: of the tests, and the secrets of the policy's sinks and CRMs."""
FILE = "_FILE"
"""What follows the name of a secret's variable where a file holds it."""


class SettingsError(ValueError):
    """One or more settings are missing or wrong; the message lists all of them."""


def _setting(
    default: Any, doc: str, parse: Callable[[str], Any] = str, *, required: bool = False, secret: bool = False
) -> Any:
    about = {"doc": doc, "parse": parse, "required": required, "secret": secret}
    return field(default=default, metadata=about, repr=not secret)


def _from_file(variable: str, source: Mapping[str, str], wrong: list[str]) -> str:
    """A secret out of the file that a variable names; empty where there is none."""
    if not (name := source.get(variable, "").strip()):
        return ""
    try:
        if text := Path(name).expanduser().read_text(encoding="utf-8").strip():
            return text
        wrong.append(f"{variable}={name!r}: the file is empty")
    except (OSError, UnicodeDecodeError) as error:
        wrong.append(f"{variable}={name!r}: cannot be read ({getattr(error, 'strerror', None) or 'not text'})")
    return ""


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("host:port, or several with commas between")
    return ",".join(server.strip() for server in text.split(","))


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("host:port, for instance 0.0.0.0:9464 (port 0: any free one)")
    return text


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("an address that begins with https://")
    return text


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(part.strip())) for part in text.split(","))
    except ValueError:
        raise ValueError("addresses or networks with commas between, for instance 10.0.0.0/8,::1") from None


def _mails(text: str) -> tuple[str, ...]:
    mails = tuple(part.strip() for part in text.split(","))
    if not all("@" in mail for mail in mails):
        raise ValueError("e-mail addresses with commas between")
    return mails


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise ValueError("the name of a header, for instance X-Forwarded-Email")
    return text


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _file(text: str) -> Path:
    path = _path(text)
    if not path.is_file():
        raise ValueError("a file that exists")
    return path


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text

    return parse


def _version(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)+", text):
        raise ValueError("a version, for instance 2.0")
    return text


def _flag(text: str) -> bool:
    return _choice("yes", "no")(text) == "yes"


def _between(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], int | float]:
    def parse(text: str) -> int | float:
        wanted = f"a {'whole number' if kind is int else 'number'} from {low:g} to {high:g}"
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(wanted) from None
        if not low <= value <= high:
            raise ValueError(wanted)
        return value

    return parse


def _shown(default: Any) -> str:
    """A default as one would set it."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "" if default in (None, ()) else str(default)


_seconds = _between(float, 0.05, 86_400)


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings. The variable of a field is ``WELLWON_`` and its name in capitals."""

    kafka: str = _setting("", "Kafka's bootstrap servers, host:port", _servers, required=True)
    policy: Path | None = _setting(None, "the policy file (YAML); without it the defaults hold", _file)
    people: Path | None = _setting(None, "the file of people (CSV: id, email, name, team, manager, zone)", _file)
    topic_prefix: str = _setting("wellwon.", "what the names of all topics begin with")
    group: str = _setting("wellwon-detect", "consumer group of the detect workers")
    deliver_group: str = _setting("wellwon-deliver", "consumer group of the deliver workers")
    page: str = _setting("", "address of the live page, for the links in messages", _url)
    web: str = _setting("127.0.0.1:8080", "where the live page is served", _address)
    web_proxies: tuple[str, ...] = _setting(
        (), "proxies that sign people in: addresses or networks whose header is believed", _networks
    )
    web_user_header: str = _setting("X-Forwarded-Email", "header in which these proxies name who looks", _header)
    web_sees_all: tuple[str, ...] = _setting((), "e-mail addresses of those who see every deal (RevOps)", _mails)
    web_token: str = _setting("", "a token to sign in to the live page with; who has it sees every deal", secret=True)
    slack_api: str = _setting("https://slack.com/api", "address of Slack's Web API", _url)
    slack_signing_secret: str = _setting("", "what Slack signs its requests to us with", secret=True)
    hubspot_api: str = _setting("https://api.hubapi.com", "address of HubSpot's API", _url)
    salesforce_pubsub: str = _setting(
        "https://api.pubsub.salesforce.com:7443", "address of Salesforce's Pub/Sub API", _url
    )
    interactions: str = _setting("", "where answers from messages are received, host:port; empty: nowhere", _address)
    hubspot_secret: str = _setting("", "client secret of the HubSpot app, which signs its webhooks", secret=True)
    hubspot_url: str = _setting("", "target URL of HubSpot's webhooks, exactly as it is registered there", _url)
    private_webhooks: bool = _setting(False, "let sinks post into private networks (yes, no)", _flag)
    partitions: int = _setting(4, "partitions of the change topic and of its state", _between(int, 1, 1000))
    replication: int = _setting(1, "replicas of each topic when it is created", _between(int, 1, 9))
    epoch: int = _setting(0, "raise it by one when the change topic was made anew", _between(int, 0, 2**31))
    data: Path = _setting(Path(".wellwon"), "folder of the local checkpoints", _path)
    checkpoint_seconds: float = _setting(300.0, "time between local checkpoints", _seconds)
    http: str = _setting("127.0.0.1:9464", "where /metrics, /live and /ready are served", _address)
    clock: Literal["wall", "log"] = _setting(
        "wall", "who writes clock records: the worker (wall), or whoever fills the log (log)", _choice("wall", "log")
    )
    clock_seconds: float = _setting(10.0, "time between two clock records", _seconds)
    session_seconds: float = _setting(10.0, "silence after which Kafka gives a worker's partitions away", _seconds)
    commit_seconds: float = _setting(1.0, "time between commits of the durable watermark", _seconds)
    declare_topics: bool = _setting(True, "create what topics are missing (yes, no)", _flag)
    log: Literal["text", "json"] = _setting("text", "form of the log lines (text, json)", _choice("text", "json"))
    log_level: str = _setting("info", "least severe line logged", _choice("debug", "info", "warning", "error"))
    instance: str = _setting(socket.gethostname(), "name of this worker in its logs and its folder of checkpoints")
    kafka_version: str = _setting(
        "", "protocol version for administration where it cannot be negotiated, for instance 2.0", _version
    )
    kafka_security: Literal["plaintext", "tls", "sasl-plaintext", "sasl-tls"] = _setting(
        "plaintext",
        "how to connect (plaintext, tls, sasl-plaintext, sasl-tls)",
        _choice("plaintext", "tls", "sasl-plaintext", "sasl-tls"),
    )
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = _setting(
        "PLAIN", "SASL mechanism", _choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    )
    kafka_user: str = _setting("", "SASL user")
    kafka_password: str = _setting("", "SASL password", secret=True)
    kafka_ca: Path | None = _setting(None, "certificate authorities to trust (PEM)", _file)
    kafka_cert: Path | None = _setting(None, "this client's certificate (PEM)", _file)
    kafka_key: Path | None = _setting(None, "the key of this client's certificate (PEM)", _file)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, *, broker: bool = True) -> Settings:
        """Read and check everything. Raises SettingsError with one line for each thing that is wrong.

        ``broker``: whether Kafka is needed at all.
        """
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for item in fields(cls):
            name = PREFIX + item.name.upper()
            text = source.get(name, "").strip()
            if not text and item.metadata["secret"]:
                text = _from_file(name + FILE, source, wrong)
            if text:
                try:
                    values[item.name] = item.metadata["parse"](text)
                except ValueError as error:
                    shown = "***" if item.metadata["secret"] else repr(text)
                    wrong.append(f"{name}={shown}: expected {error} ({item.metadata['doc']})")
            elif item.metadata["required"] and broker:
                wrong.append(f"{name} is not set: {item.metadata['doc']}")
        security = values.get("kafka_security", "plaintext")
        if security.startswith("sasl"):
            for name in ("kafka_user", "kafka_password"):
                if not values.get(name):
                    either = f" (or {FILE})" if name == "kafka_password" else ""
                    needs = f"and {PREFIX}KAFKA_SECURITY={security} needs it"
                    wrong.append(f"{PREFIX}{name.upper()}{either} is not set, {needs}")
        if ("kafka_cert" in values) != ("kafka_key" in values):
            wrong.append(f"{PREFIX}KAFKA_CERT and {PREFIX}KAFKA_KEY go together: set both or none")
        if wrong:
            raise SettingsError("\n".join(wrong))
        return cls(**values)

    @classmethod
    def unknown(cls, environment: Mapping[str, str] | None = None) -> list[str]:
        """Say which variables look like settings and are none, each with what was probably meant."""
        source = os.environ if environment is None else environment
        known = {PREFIX + item.name.upper() for item in fields(cls)}
        known |= {PREFIX + item.name.upper() + FILE for item in fields(cls) if item.metadata["secret"]}
        found = []
        for name in sorted(source):
            if name.startswith(PREFIX) and name not in known and not name.startswith(OTHERS):
                near = get_close_matches(name, known, 1)
                found.append(f"{name} is no setting" + (f": did you mean {near[0]}?" if near else ""))
        return found

    @classmethod
    def describe(cls) -> list[tuple[str, str, str]]:
        """Return (variable, default, what it is) of each setting, in order."""
        described = []
        for item in fields(cls):
            name, doc = PREFIX + item.name.upper(), item.metadata["doc"]
            if item.metadata["secret"]:
                doc += f"; or in the file that {name}{FILE} names"
            described.append((name, _shown(item.default), doc))
        return described

    def secrets(self) -> list[str]:
        """Return what must be shown nowhere."""
        return [value for item in fields(self) if item.metadata["secret"] and (value := getattr(self, item.name))]

    def topic(self, name: str) -> str:
        """Return the full name of a topic, for instance of ``alerts``."""
        return self.topic_prefix + name
