"""Kafka behind TLS and SASL, on a real broker: every command gets in, and says why where it does not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation, ResourceType

import kafka_broker
import live
import secured
from pushed import deals
from wellwon.cli.examples import life
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

USER, PASSWORD = "wellwon-prod", "sc-s3cret,=\u00fc"
RIGHTS = {
    ResourceType.TOPIC: (
        AclOperation.READ,
        AclOperation.WRITE,
        AclOperation.DESCRIBE,
        AclOperation.DESCRIBE_CONFIGS,
    ),
    ResourceType.GROUP: (AclOperation.READ, AclOperation.DESCRIBE),
}
"""What docs/operations.md says that the user of the workers needs."""


@dataclass
class Guarded:
    """The broker, and how its open port and its doors are reached."""

    bootstrap: str
    doors: secured.Doors
    folder: Path

    def settings(self, name: str, folder: Path, **changes: object) -> Settings:
        """Settings that come in with the password, encrypted."""
        base = replace(
            live.settings_for(self.doors.sasl_tls, folder, name, partitions=2),
            kafka_security="sasl-tls",
            kafka_sasl="SCRAM-SHA-512",
            kafka_user=USER,
            kafka_password=PASSWORD,
            kafka_ca=self.doors.authority.ca,
            declare_topics=False,
        )
        return replace(base, **changes)  # type: ignore[arg-type]

    def inside(self, settings: Settings) -> Settings:
        """The same installation from the open port, for what the test itself reads and writes."""
        return replace(settings, kafka=self.bootstrap, kafka_security="plaintext")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("secured")
    doors = secured.doors(folder / "keys")
    with kafka_broker.running(folder / "kafka", more=doors.config) as broker:
        secured.set_password(broker.bootstrap, doors, USER, PASSWORD, secured.SHA_512)
        for user in (USER, "plain", "CN=machine"):
            for kind, operations in RIGHTS.items():
                secured.allow(broker.bootstrap, user, kind, "secured", *operations)
            # The groups of `ingest --follow` do not begin with the installation's.
            secured.allow(broker.bootstrap, user, ResourceType.GROUP, "wellwon-normalise-", AclOperation.READ)
        yield Guarded(broker.bootstrap, doors, folder)


def run(settings: Settings, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; it must not show the password."""
    env = live.environment(settings) | variables
    for name in [name for name, value in variables.items() if not value]:
        del env[name]
    command = [sys.executable, "-m", "wellwon", *arguments]
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=90)
    assert "Traceback" not in done.stderr, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done


POLICY = """
deliver:
  settle_minutes: 0
  sinks:
    hook: {kind: webhook, hears: [revops]}
"""


def test_every_command_gets_in_with_the_rights_of_a_worker(guarded: Guarded, tmp_path: Path) -> None:
    policy, password = tmp_path / "policy.yaml", tmp_path / "password"
    policy.write_text(POLICY)
    password.write_text(PASSWORD + "\n")
    settings = guarded.settings("secured-all", tmp_path, log_level="debug", policy=policy, deliver_group="secured-told")
    inside = guarded.inside(settings)
    topics.create(inside)
    topics.create(inside, [topics.raw_topic("feed")])
    from_file = {"WELLWON_KAFKA_PASSWORD": "", "WELLWON_KAFKA_PASSWORD_FILE": str(password)}

    assert run(settings, "topics", "verify", **from_file).stdout == "every topic is as declared\n"
    lines = "".join(json.dumps(event) + "\n" for event in life())
    sent = run(replace(settings, log_level="info"), "ingest", "changes", "-", stdin=lines)
    assert (sent.returncode, f"{len(life())} changes" in sent.stderr) == (0, True), sent.stderr
    live.produce(inside, [(key, value) for key, value in deals(3)], "raw.feed")

    commands = (("worker",), ("rollup",), ("deliver",), ("web",), ("ingest", "changes", "--follow", "feed"))
    hook = {
        "WELLWON_SINK_HOOK": "https://hooks.example.com/x",
        "WELLWON_SINK_HOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    workers = []
    for command in commands:
        own = replace(
            settings,
            instance=command[0],
            data=tmp_path / command[0] / "data",
            http=f"127.0.0.1:{kafka_broker.free_port()}",
            web=f"127.0.0.1:{kafka_broker.free_port()}",
        )
        own.data.mkdir(parents=True)
        workers.append(
            live.Worker(own, (sys.executable, "-m", "wellwon", *command), variables={**hook, **from_file}).start()
        )
    try:
        for worker in workers:
            worker.wait_ready()
        live.until(lambda: live.read(inside, topics.ALERTS) != [], "alerts")
        live.until(lambda: workers[-1].metrics().get("wellwon_raw_records_total", 0) > 0, "the raw topic to be read")
        live.wait_for_the_end(inside)
        looked = run(settings, "doctor", "--json")
        assert [verdict for verdict in _verdicts(looked.stdout) if verdict["state"] == "wrong"] == []
        assert looked.returncode == 0
    finally:
        codes = [worker.stop() for worker in workers]
    assert codes == [0] * len(workers)
    for worker in workers:
        assert PASSWORD not in worker.log.read_text(), worker.settings.instance


@pytest.mark.parametrize("door", ["sasl", "tls", "plain"])
def test_the_other_doors(guarded: Guarded, tmp_path: Path, start: Callable[..., live.Worker], door: str) -> None:
    settings = guarded.settings(f"secured-{door}", tmp_path)
    if door == "sasl":
        settings = replace(settings, kafka=guarded.doors.sasl, kafka_security="sasl-plaintext", kafka_ca=None)
    elif door == "plain":
        both = tmp_path / "both.pem"  # as while the brokers' authority changes
        next_one = secured.Authority(tmp_path / "next", "next").ca
        both.write_text(next_one.read_text() + guarded.doors.authority.ca.read_text())
        settings = replace(settings, kafka_sasl="PLAIN", kafka_user="plain", kafka_password=secured.PLAIN_PASSWORD)
        settings = replace(settings, kafka_ca=both)
    else:
        certificate, key = guarded.doors.authority.sign("machine")
        settings = replace(
            settings, kafka=guarded.doors.tls, kafka_security="tls", kafka_cert=certificate, kafka_key=key
        )
    inside = guarded.inside(settings)
    secured.allow(guarded.bootstrap, "plain", ResourceType.TOPIC, f"secured-{door}", AclOperation.CREATE)
    topics.create(settings if door == "plain" else inside)
    worker = start(settings).wait_ready()
    live.produce(inside, deals(2))
    live.wait_for_the_end(inside)
    assert worker.stop() == 0


Change = Callable[[Guarded], dict[str, object]]
WRONG: dict[str, tuple[Change, str]] = {
    "a wrong password": (
        lambda _: {"kafka_password": "guess"},
        f"refuses the login of '{USER}' by SCRAM-SHA-512: check WELLWON_KAFKA_USER, WELLWON_KAFKA_PASSWORD",
    ),
    "another mechanism": (
        lambda _: {"kafka_sasl": "SCRAM-SHA-256"},
        "a SCRAM password is of one mechanism",
    ),
    "an authority of others": (
        lambda at: {"kafka_ca": secured.Authority(at.folder / "others", "others").ca},
        "set WELLWON_KAFKA_CA to the PEM file of the authority that signed it",
    ),
    "another name than the certificate's": (
        lambda at: {"kafka": at.doors.sasl_tls.replace("127.0.0.1", "localhost")},
        "is not for 'localhost': name the broker in WELLWON_KAFKA as its certificate does",
    ),
    "a file that is no certificate": (
        lambda _: {"kafka_ca": Path(__file__)},
        "the certificates cannot be used",
    ),
    "no TLS where there should be": (
        lambda at: {"kafka": at.bootstrap},
        "does not speak TLS",
    ),
    "TLS where there should be none": (
        lambda _: {"kafka_security": "plaintext"},
        "does that port expect TLS or a login? Here WELLWON_KAFKA_SECURITY=plaintext",
    ),
    "no certificate of ours": (
        lambda at: {"kafka": at.doors.tls, "kafka_security": "tls"},
        "asks for a certificate of the client, and we have none: set WELLWON_KAFKA_CERT",
    ),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_what_keeps_us_out_is_said_with_what_to_do(guarded: Guarded, tmp_path: Path, what: str) -> None:
    change, said = WRONG[what]
    settings = guarded.settings("secured-out", tmp_path, **change(guarded))
    done = run(settings, "worker")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr
    (verdict,) = [one for one in _verdicts(run(settings, "doctor", "--json").stdout) if one["state"] == "wrong"]
    assert said in f"{verdict['said']}: {verdict['remedy']}"


def _verdicts(output: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(output)
    return found


def test_a_password_is_changed_while_a_worker_works(
    guarded: Guarded, tmp_path: Path, start: Callable[..., live.Worker]
) -> None:
    """The second credential of the user first, then the worker, then the first is withdrawn."""
    secured.set_password(guarded.bootstrap, guarded.doors, "rotating", "first", secured.SHA_512)
    for kind, operations in RIGHTS.items():
        secured.allow(guarded.bootstrap, "rotating", kind, "secured", *operations)
    settings = guarded.settings("secured-rotated", tmp_path, kafka_user="rotating", kafka_password="first")
    inside = guarded.inside(settings)
    topics.create(inside)
    worker = start(settings).wait_ready()
    live.produce(inside, deals(2))
    live.wait_for_the_end(inside)

    secured.set_password(guarded.bootstrap, guarded.doors, "rotating", "second", secured.SHA_256)
    worker.signal(signal.SIGTERM)
    changed = replace(settings, kafka_password="second", kafka_sasl="SCRAM-SHA-256")
    # The first one is still there, so the heir is another machine.
    heir = start(replace(changed, http=f"127.0.0.1:{kafka_broker.free_port()}", data=tmp_path / "heir")).wait_ready()
    secured.set_password(guarded.bootstrap, guarded.doors, "rotating", "third", secured.SHA_512)
    live.produce(inside, deals(4))
    live.wait_for_the_end(inside)
    assert heir.stop() == 0
    assert run(settings, "worker").returncode == 1
