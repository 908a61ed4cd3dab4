"""What goes wrong in production, all in one run: kills, stops, freezes, rebalances, a broker restart."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import orjson
from confluent_kafka import Producer

import histories
from kafka_broker import Broker, free_port
from live import Worker, committed, log_ends, until
from wellwon.core.units import HOUR, MINUTE, format_instant
from wellwon.core.wire import encode_clock
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

Fed = tuple[int | None, bytes | None, bytes]
"""Partition (None: by key), key, value."""
DEALS = 400


def changes(partitions: int, seed: int) -> Iterator[Fed]:
    """Endless changes of some hundred deals, a minute apart, with the time written down every hour."""
    rng = random.Random(seed)
    known: set[str] = set()
    at = ticked = histories.START
    for number in itertools.count():
        at += MINUTE
        if at - ticked >= HOUR:
            ticked = at
            for partition in range(partitions):
                yield partition, None, encode_clock(at)
        deal = f"deal-{rng.randrange(DEALS)}"
        event = histories.event(rng, at) if deal in known else histories.created(rng)
        known.add(deal)
        record = {
            "id": f"c{number}",
            "opportunity_id": deal,
            "source": "test",
            "occurred_at": format_instant(at - rng.choice((0, 0, 0, 5, 40)) * MINUTE),
            **event,
        }
        value = orjson.dumps(record)
        yield None, deal.encode(), value
        if rng.random() < 0.01:
            yield None, deal.encode(), value  # a connector that was restarted
        if rng.random() < 0.002:
            yield None, deal.encode(), b"{"


class Feeder(threading.Thread):
    """Writes records at a steady rate until told to stop; waits out a broker that is away."""

    def __init__(self, settings: Settings, records: Iterable[Fed], rate: float) -> None:
        super().__init__(daemon=True)
        self._settings, self._records, self._rate = settings, records, rate
        self._ending = threading.Event()
        self.sent = 0

    def run(self) -> None:
        producer = Producer(
            {"bootstrap.servers": self._settings.kafka, "partitioner": "murmur2_random", "enable.idempotence": True}
            | {"message.timeout.ms": 120_000, "log_level": 0}
        )
        topic = self._settings.topic(topics.CHANGES)
        began = time.monotonic()
        for partition, key, value in self._records:
            place = {} if partition is None else {"partition": partition}
            producer.produce(topic, key=key, value=value, **place)
            self.sent += 1
            if self.sent % 50 == 0:
                producer.poll(0)
                if self._ending.wait(max(0.0, began + self.sent / self._rate - time.monotonic())):
                    break
        producer.flush(60)

    def end(self) -> int:
        """Stop, and return how many records were written."""
        self._ending.set()
        self.join()
        return self.sent


@dataclass
class Chaos:
    """The run: `story` notes what was done when."""

    broker: Broker
    settings: Settings
    command: tuple[str, ...]
    random: random.Random
    story: list[str] = field(default_factory=list)

    def worker(self, name: str) -> Worker:
        """A worker with a name of its own and its own checkpoints, as on another machine."""
        return Worker(
            replace(self.settings, instance=name, data=self.settings.data / name, http=_other_port()), self.command
        )

    def note(self, text: str) -> None:
        """Add to the story."""
        self.story.append(f"{time.strftime('%H:%M:%S')} {text}")

    def kills(self, times: int) -> None:
        """SIGKILL at random moments: while starting, restoring, processing."""
        for number in range(times):
            worker = self.worker("a").start()
            pause = self.random.uniform(0.5, 5.0)
            self._let_run(worker, pause)
            self.note(f"SIGKILL {number + 1} after {pause:.1f} s")
            worker.kill()

    def _let_run(self, worker: Worker, seconds: float) -> None:
        threading.Event().wait(seconds)
        if worker.exit_code not in (None, 1):
            raise AssertionError(f"the worker ended with {worker.exit_code}:\n{worker.tail()}")

    def stop_in_order(self) -> None:
        """SIGTERM: everything taken in is finished, and the next one need not wait for a session to end."""
        worker = self.worker("a").start().wait_ready()
        self._let_run(worker, 1.0)
        assert worker.stop() == 0, worker.tail()
        self.note("SIGTERM")

    def freeze(self) -> None:
        """SIGSTOP for longer than the session: another takes over, then the frozen one goes on."""
        frozen = self.worker("a").start().wait_ready()
        self._let_run(frozen, 1.0)
        frozen.signal(signal.SIGSTOP)
        heir = self.worker("b").start().wait_ready()
        self._let_run(heir, self.settings.session_seconds)
        frozen.signal(signal.SIGCONT)
        self.note("SIGSTOP, another took over, SIGCONT")
        self._let_run(heir, self.settings.session_seconds)
        frozen.stop()
        heir.stop()

    def company(self) -> None:
        """A second worker joins, and leaves."""
        first = self.worker("a").start().wait_ready()
        second = self.worker("b").start().wait_ready()
        self._let_run(second, 2.0)
        assert second.stop() == 0, second.tail()
        self.note("a second worker joined and left")
        self._let_run(first, 2.0)
        assert first.stop() == 0, first.tail()

    def restart_broker(self) -> None:
        """The broker goes and comes back; a worker may give up meanwhile, its supervisor starts it again."""
        worker = self.worker("a").start().wait_ready()
        self.broker.stop()
        self.broker.start()
        self.note("the broker was restarted")
        self._let_run(worker, 2.0)
        worker.stop()

    def finish(self, feeder: Feeder) -> None:
        """Stop feeding, and let one worker do what is left."""
        self.note(f"{feeder.end()} records were fed")
        end = log_ends(self.settings)
        deadline = time.monotonic() + 90
        worker = self.worker("a").start().wait_ready()
        until(lambda: all(offset >= end[p] for p, offset in committed(self.settings).items()), "the end of the log")
        assert time.monotonic() < deadline
        assert worker.stop() == 0, worker.tail()


def _other_port() -> str:
    return f"127.0.0.1:{free_port()}"
