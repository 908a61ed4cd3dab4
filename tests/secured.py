"""A broker that asks who comes in: encrypted doors with certificates and passwords, and rights for each user."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from kafka_broker import free_port
from live import until

SHA_256, SHA_512 = ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512
PLAIN_PASSWORD = "pl41n-s3cret"


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    """Signs certificates. ``ca`` is what its clients trust."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.ca, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl(*_NEW_KEY, self._key, "-out", self.ca, "-subj", f"/CN={name}")

    def sign(self, name: str, *more: str) -> tuple[Path, Path]:
        """Return the files of a new certificate and its key."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        signing = ("-CA", self.ca, "-CAkey", self._key, "-subj", f"/CN={name}", *more)
        _openssl(*_NEW_KEY, key, "-out", certificate, *signing)
        return certificate, key


_NEW_KEY = ("req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-keyout")


@dataclass
class Doors:
    """Where the broker listens, beside its open port: the host's certificate is for 127.0.0.1 alone."""

    sasl_tls: str
    """Password, encrypted."""
    sasl: str
    """Password, in the open."""
    tls: str
    """A certificate of the client's."""
    authority: Authority
    config: dict[str, str]
    """What the broker has to be given."""


def doors(folder: Path) -> Doors:
    """Make the certificates, and the configuration of a broker that knows the user ``plain``."""
    authority = Authority(folder, "authority")
    certificate, key = authority.sign("broker", "-addext", "subjectAltName=IP:127.0.0.1")
    ports = {"SASLTLS": free_port(), "SASL": free_port(), "MUTUAL": free_port()}
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
    config = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "SASLTLS:SASL_SSL,SASL:SASL_PLAINTEXT,MUTUAL:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": _one_line(key),
        "ssl.keystore.certificate.chain": _one_line(certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": _one_line(authority.ca),
        "listener.name.mutual.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    for name in ("sasltls", "sasl"):
        config[f"listener.name.{name}.sasl.enabled.mechanisms"] = "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN"
        for number in (256, 512):
            config[f"listener.name.{name}.scram-sha-{number}.sasl.jaas.config"] = (
                f"{_MODULE}.scram.ScramLoginModule required;"
            )
        config[f"listener.name.{name}.plain.sasl.jaas.config"] = (
            f'{_MODULE}.plain.PlainLoginModule required user_plain="{PLAIN_PASSWORD}";'
        )
    at = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    return Doors(at["SASLTLS"], at["SASL"], at["MUTUAL"], authority, config)


_MODULE = "org.apache.kafka.common.security"


def _one_line(pem: Path) -> str:
    return " ".join(pem.read_text().split("\n")).strip()


def set_password(bootstrap: str, doors: Doors, user: str, password: str, mechanism: ScramMechanism) -> None:
    """Give a user a password, beside those of other mechanisms, and wait until it opens the door."""
    credential = ScramCredentialInfo(mechanism, 4096)
    change = UserScramCredentialUpsertion(user, credential, password.encode())
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.alter_user_scram_credentials([change]).values():
        done.result(30)
    until(lambda: _opens(doors, user, password, mechanism), f"the password of {user} to be known")


def _opens(doors: Doors, user: str, password: str, mechanism: ScramMechanism) -> bool:
    """The broker answers before it has learned the password from the log of its cluster."""
    guest = AdminClient(
        {
            "bootstrap.servers": doors.sasl,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism.name.replace("_", "-"),
            "sasl.username": user,
            "sasl.password": password,
            "log_level": 0,
        }
    )
    try:
        guest.list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def allow(bootstrap: str, user: str, kind: ResourceType, prefix: str, *operations: AclOperation) -> None:
    """Give a user rights to everything whose name begins with ``prefix``, and wait until they count."""
    rules = [
        AclBinding(kind, prefix, ResourcePatternType.PREFIXED, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for operation in operations
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.create_acls(rules).values():
        done.result(30)
    given = AclBindingFilter(
        kind, prefix, ResourcePatternType.PREFIXED, f"User:{user}", "*", AclOperation.ANY, AclPermissionType.ALLOW
    )
    until(lambda: set(rules) <= set(admin.describe_acls(given).result(30)), f"the rights of {user} to be known")
