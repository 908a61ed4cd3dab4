"""A real Apache Kafka broker for tests, chaos and benchmarks.

Where it comes from, in this order:

1. ``WELLWON_TEST_KAFKA=host:port``: a broker that is already running (it cannot be stopped or paused from here);
2. a Docker engine that answers: ``apache/kafka`` in a container;
3. Java 17 and Maven: the broker's own jars, fetched once into ``.cache/kafka`` and started as a process.

If there is none of these, `NoBroker` says what to install. Tests never skip.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

VERSION = "4.1.1"
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "kafka"
CLUSTER_ID = "d2VsbHdvbi10ZXN0LWthZg"

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wellwon</groupId><artifactId>test-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


class NoBroker(RuntimeError):
    """No way to get a broker on this machine; the message says what to install."""


class Broker(Protocol):
    """What a test may do to a broker. The log survives `stop`, `kill` and `start`."""

    bootstrap: str

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None: ...


def free_port() -> int:
    """Return a TCP port that nothing listens on at this moment, below those that connections are given at random."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until_up(bootstrap: str, timeout: float = 60.0) -> None:
    """Block until the broker answers a metadata request; TimeoutError after `timeout` seconds."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "logger": _Silent()})
    deadline = time.monotonic() + timeout
    while True:
        try:
            if admin.list_topics(timeout=1.0).brokers:
                return
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no Kafka broker answered on {bootstrap} within {timeout:.0f} s") from error


class _Silent:
    """A logger that keeps librdkafka's connection attempts during start-up out of the test output."""

    def log(self, *args: object) -> None:
        """Drop the line."""


class External:
    """A broker that somebody else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def start(self) -> None:
        """Check that it answers."""
        wait_until_up(self.bootstrap)

    def _refuse(self) -> None:
        raise NoBroker("WELLWON_TEST_KAFKA names a broker that these tests may not stop; unset it for this test")

    stop = kill = pause = resume = _refuse

    def close(self) -> None:
        """Leave it running."""


class Docker:
    """The official image in a container."""

    def __init__(self, data: Path, *, cpu: int | None = None, more: Mapping[str, str] | None = None) -> None:
        self.more = more or {}
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.name = f"wellwon-test-{uuid.uuid4().hex[:8]}"
        self.cpu = cpu
        self.created = False

    def _docker(self, *arguments: str) -> None:
        subprocess.run(["docker", *arguments], check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Create the container the first time, start the same one afterwards."""
        if self.created:
            self._docker("start", self.name)
        else:
            settings = properties(self.port, free_port(), "/tmp/kafka-logs", self.more)
            flags = [] if self.cpu is None else ["--cpuset-cpus", str(self.cpu)]
            for key, value in settings.items():
                name = key.upper().replace("_", "__").replace("-", "___").replace(".", "_")
                flags += ["-e", f"KAFKA_{name}={value}"]
            self._docker("run", "-d", "--name", self.name, "--network", "host", *flags, f"apache/kafka:{VERSION}")
            self.created = True
        wait_until_up(self.bootstrap)

    def stop(self) -> None:
        """Stop it in good order."""
        self._docker("stop", self.name)

    def kill(self) -> None:
        """Stop it as a power cut would."""
        self._docker("kill", self.name)

    def pause(self) -> None:
        """Freeze it."""
        self._docker("pause", self.name)

    def resume(self) -> None:
        """Let it go on."""
        self._docker("unpause", self.name)

    def close(self) -> None:
        """Remove the container and its data."""
        self._docker("rm", "-f", self.name)


class Java:
    """The broker's own jars, run by the machine's Java."""

    def __init__(self, data: Path, *, cpu: int | None = None, more: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.cpu = cpu
        self.config = data / "server.properties"
        self.process: subprocess.Popen[bytes] | None = None
        data.mkdir(parents=True, exist_ok=True)
        lines = properties(self.port, free_port(), str(data / "log"), more or {})
        self.config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        self.classpath = f"{jars()}{os.sep}*"
        self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.config)).wait(timeout=60)

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        pin = [] if self.cpu is None else ["taskset", "-c", str(self.cpu)]
        command = [*pin, "java", "-Xms512m", "-Xmx1g", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=4"]
        command += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", self.classpath, *arguments]
        with (self.data / "broker.out").open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def start(self) -> None:
        """Start the broker on its data directory and wait until it answers."""
        self.process = self._java("kafka.Kafka", str(self.config))
        try:
            wait_until_up(self.bootstrap)
        except TimeoutError as error:
            tail = (self.data / "broker.out").read_text(errors="replace")[-2000:]
            raise NoBroker(f"the Kafka broker did not come up:\n{tail}") from error

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)
            self.process = None

    def stop(self) -> None:
        """Stop it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it; the data directory belongs to the caller."""
        self.kill()


def properties(port: int, controller: int, log_dir: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the configuration of a single KRaft node that serves clients on `port`; `more` is added to lists in it."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": log_dir,
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.backoff.ms": "500",
    }
    return lines | {key: f"{lines[key]},{value}" if key in lines else value for key, value in more.items()}


def jars() -> Path:
    """Return the folder of the broker's jars, fetched through Maven the first time."""
    folder = CACHE / VERSION
    done = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            pom = folder / "pom.xml"
            pom.write_text(POM)
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}", "-DincludeScope=runtime"]
            result = subprocess.run(["mvn", "-q", "-B", "-f", str(pom), *goal], capture_output=True, text=True)
            if result.returncode:
                raise NoBroker(f"Maven could not fetch Apache Kafka {VERSION}:\n{result.stdout[-2000:]}")
            done.touch()
    return folder / "jars"


def docker_answers() -> bool:
    """Tell whether a Docker engine is there (a client without an engine does not count)."""
    if shutil.which("docker") is None:
        return False
    with suppress(subprocess.SubprocessError):
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10).returncode == 0
    return False


def broker(data: Path, *, cpu: int | None = None, more: Mapping[str, str] | None = None) -> Broker:
    """Return a broker, not started, that keeps its data under `data`; `cpu` pins it to one core.

    ``more`` is configuration of its own, which a broker that somebody else runs cannot be given.
    """
    if not more and (bootstrap := os.environ.get("WELLWON_TEST_KAFKA")):
        return External(bootstrap)
    if docker_answers():
        return Docker(data, cpu=cpu, more=more)
    if shutil.which("java") and shutil.which("mvn"):
        return Java(data, cpu=cpu, more=more)
    raise NoBroker(
        "these tests need a Kafka broker. Install a Docker engine, or Java 17 with Maven"
        " (apt-get install openjdk-17-jre-headless maven), or set WELLWON_TEST_KAFKA=host:port"
    )


@contextmanager
def running(data: Path, *, cpu: int | None = None, more: Mapping[str, str] | None = None) -> Iterator[Broker]:
    """Run a broker for the length of a ``with`` block."""
    node = broker(data, cpu=cpu, more=more)
    node.start()
    try:
        yield node
    finally:
        node.close()
