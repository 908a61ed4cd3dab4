"""Salesforce's Pub/Sub API into the raw topic, on a real broker, from a server that breaks off, forgets and repeats."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import orjson
import pytest
from kafka.errors import KafkaError

from fakes import pubsub, salesforce, web
from fakes.pubsub import CHANNEL, Bus
from live import environment, read, until
from wellwon.core.units import parse_instant
from wellwon.runtime import deadletters, topics
from wellwon.runtime import pubsub_api as api
from wellwon.runtime.ingest_metrics import SubscriberMetrics
from wellwon.runtime.pubsub import OUTSTANDING, CannotSubscribe, Subscriber
from wellwon.runtime.pubsub_position import Position, Positions
from wellwon.runtime.receiver import RawWriter, Record
from wellwon.runtime.settings import Settings
from wellwon.sinks.oauth import Access
from wellwon.sinks.transport import Later
from wellwon.sources.bitmap import OPPORTUNITY_ORDER
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Normaliser, Outgoing

AT = 1_792_000_000_000
VIEW = SourceView()
RAW = topics.RAW + "salesforce"


class Tokens:
    """Gives token-1, and the next one when that is refused."""

    def __init__(self) -> None:
        self.number = 1

    async def access(self, refused: str = "") -> Access | Later:
        self.number += refused == f"token-{self.number}"
        return Access(f"token-{self.number}", "http://here", salesforce.ORGANISATION)


@pytest.fixture
def settings(live: Settings) -> Settings:
    topics.create(live, [topics.raw_topic("salesforce")])
    return live


@pytest.fixture
def bus() -> Iterator[Bus]:
    with pubsub.running(Bus()) as found:
        yield found


def deal(number: int) -> str:
    return f"006Wx{number:010d}AAA"


def saves(bus: Bus, numbers: range) -> None:
    """A save of a deal each: its amount is its number."""
    for number in numbers:
        bus.publish("Opportunity", deal(number), {"Amount": float(number)}, at=AT + number * 1_000)


def raw(settings: Settings) -> list[dict[str, Any]]:
    return [orjson.loads(message.value()) for message in read(settings, RAW)]


def amounts(settings: Settings) -> list[float]:
    return [event["payload"]["Amount"] for event in raw(settings)]


def follow(settings: Settings, bus: Bus, done: Callable[[], bool], channel: str = CHANNEL, **limits: Any) -> Subscriber:
    """Subscribe until something is so."""

    async def run() -> Subscriber:
        async def at_once(seconds: float) -> None:
            await asyncio.sleep(min(seconds, 0.05))

        subject = Subscriber(settings, Tokens(), bus.url, channel, SubscriberMetrics(), wait=at_once, **limits)
        async with subject, asyncio.timeout(60):
            reading = asyncio.ensure_future(subject.run())
            try:
                while not await asyncio.to_thread(done):
                    if reading.done():
                        reading.result()
                    await asyncio.sleep(0.02)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return subject

    return asyncio.run(run())


def connected(settings: Settings, bus: Bus) -> None:
    """A first run: it begins with what comes from now on, and a keepalive tells where that is."""
    follow(settings, bus, lambda: position(settings) is not None)


def position(settings: Settings) -> bytes | None:
    positions = Positions(settings, "salesforce")
    try:
        found = positions.load()
        return None if found is None else found.replay_id
    finally:
        positions.close()


def test_events_come_in_order_and_never_more_than_are_asked_for(settings: Settings, bus: Bus) -> None:
    saves(bus, range(3))
    connected(settings, bus)
    assert raw(settings) == [], "what was before the first start comes by an export"
    saves(bus, range(3, 350))
    follow(settings, bus, lambda: position(settings) == bus.events[-1][0])
    assert amounts(settings) == list(map(float, range(3, 350)))
    assert 0 < bus.most_outstanding <= OUTSTANDING
    assert bus.asked == {"Opportunity-31": 1}, "a schema is asked for once"


def test_what_comes_is_what_the_mapper_reads(settings: Settings, bus: Bus) -> None:
    connected(settings, bus)
    closing = {"CloseDate": parse_instant("2026-12-31T00:00:00Z"), "NextStep": None, "StageName": "Proposal"}
    bus.publish("Opportunity", deal(1), closing, at=AT)
    wider = (*OPPORTUNITY_ORDER[:3], "Region__c", *OPPORTUNITY_ORDER[3:])
    bus.publish("Opportunity", deal(1), {"Amount": 5.0}, at=AT + 1_000, names=wider)
    task = ("ChangeEventHeader", "WhatId", "Status", "LastModifiedDate")
    done = {"WhatId": deal(1), "Status": "Completed"}
    bus.publish("Task", "00TWx0000000001AAA", done, change="CREATE", at=AT + 2_000, names=task)
    bus.publish("Opportunity", deal(2), {}, change="GAP_UPDATE", at=AT + 3_000)
    follow(settings, bus, lambda: position(settings) == bus.events[-1][0])
    reader = kind_named("salesforce-cdc").records
    assert reader is not None
    normaliser = Normaliser(VIEW, reader(VIEW))
    found = [out for event in raw(settings) for out in normaliser.feed(orjson.dumps(event), AT)]
    changes = [orjson.loads(out.value) for out in found if isinstance(out, Outgoing)]
    assert [(one["kind"], one["opportunity_id"], one["values"]) for one in changes] == [
        ("changed", deal(1), {"close_date": "2026-12-31", "next_step": None, "stage": "Proposal"}),
        ("changed", deal(1), {"amount": "5.00"}),
        ("activity", deal(1), {}),
        ("gap", deal(2), {}),
    ]
    assert bus.asked == {"Opportunity-31": 1, "Opportunity-32": 1, "Task-4": 1}


def test_a_stream_that_breaks_off_is_taken_up_where_it_was(settings: Settings, bus: Bus) -> None:
    connected(settings, bus)
    bus.trouble = [("break", 30), ("end", 30), ("token", 10), "silent", None]
    bus.repeats = 5
    saves(bus, range(100))
    follow(settings, bus, lambda: position(settings) == bus.events[-1][0], silent_s=1.0)
    found = amounts(settings)
    assert list(dict.fromkeys(found)) == list(map(float, range(100))), "none is lost, and they are in order"
    assert len(found) > 100, "the server did repeat some"
    reader = kind_named("salesforce-cdc").records
    assert reader is not None
    normaliser = Normaliser(VIEW, reader(VIEW))
    assert sum(len(normaliser.feed(orjson.dumps(event), AT)) for event in raw(settings)) >= 100
    assert normaliser.counts["duplicate"] == len(found) - 100
    assert [preset for preset, _ in bus.presets[1:]] == [api.CUSTOM] * 5


def test_a_first_stream_that_breaks_before_anything_was_heard_loses_nothing(settings: Settings, bus: Bus) -> None:
    began = time.time_ns() // 1_000_000
    bus.trouble = ["silent", None]

    def meanwhile() -> bool:
        if len(bus.presets) == 1 and not bus.events:
            saves(bus, range(1))  # the stream that is there is as good as dead
        return position(settings) is not None

    follow(settings, bus, meanwhile, silent_s=1.0)
    assert raw(settings) == [], "both streams began with what comes"
    asked = [orjson.loads(message.value()) for message in read(settings, topics.REREADS)]
    assert [one["entity"] for one in asked] == ["Opportunity", "OpportunityLineItem"]
    assert all(began - 60_000 <= parse_instant(one["since"]) <= began + 60_000 for one in asked)


def test_silence_is_no_loss_of_the_place(settings: Settings, bus: Bus) -> None:
    saves(bus, range(2))
    connected(settings, bus)
    assert position(settings) == bus.events[-1][0], "an empty answer tells the latest replay id"
    bus.oldest = 1
    follow(settings, bus, lambda: len(bus.presets) == 2)
    assert bus.presets[1] == (api.CUSTOM, bus.events[-1][0])


@pytest.mark.parametrize("how", ["forgotten", "corrupt"])
def test_a_place_that_salesforce_does_not_know_is_read_again(settings: Settings, bus: Bus, how: str) -> None:
    saves(bus, range(2))
    connected(settings, bus)
    saves(bus, range(2, 6))
    if how == "forgotten":
        bus.oldest = 4
    else:
        bus.events[1] = (b"another!!!", bus.events[1][1])
    subject = follow(settings, bus, lambda: position(settings) == bus.events[-1][0])
    assert amounts(settings) == list(map(float, range(bus.oldest, 6)))
    assert subject._metrics.lost._value.get() == 1
    asked = [orjson.loads(message.value()) for message in read(settings, topics.REREADS)]
    assert [(one["entity"], one["reason"]) for one in asked] == [
        ("Opportunity", "replay-lost"),
        ("OpportunityLineItem", "replay-lost"),
    ]
    assert all(parse_instant(one["at"]) - parse_instant(one["since"]) >= 3_600_000 for one in asked)
    follow(settings, bus, lambda: len(bus.presets) == 4)
    assert bus.presets[3][0] == api.CUSTOM, "afterwards the place is known again"


def test_an_event_that_is_not_of_its_schema_is_a_dead_letter(settings: Settings, bus: Bus) -> None:
    connected(settings, bus)
    saves(bus, range(3))
    bus.events[1][1].payload = b"\xff\xff"
    follow(settings, bus, lambda: position(settings) == bus.events[-1][0])
    assert amounts(settings) == [0.0, 2.0]
    (letter,) = deadletters.read(settings)
    assert (letter.reason, letter.value, letter.topic) == ("undecodable", b"\xff\xff", "crm:salesforce")


def test_a_place_that_kafka_does_not_keep_is_kept_with_the_next_event(
    settings: Settings, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(settings, bus)
    kept, failures = Positions.save, iter(range(3))

    def save(self: Positions, position: Position) -> None:
        if next(failures, None) is not None:
            raise KafkaError("the coordinator is away")
        kept(self, position)

    monkeypatch.setattr(Positions, "save", save)
    saves(bus, range(100))
    follow(settings, bus, lambda: position(settings) == bus.events[-1][0])
    assert amounts(settings) == list(map(float, range(100)))
    assert len(bus.presets) == 2, "the stream went on"


def test_kafka_that_takes_nothing_for_a_while_loses_nothing(
    settings: Settings, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(settings, bus)
    put, failures = RawWriter.put, iter(range(3))

    async def refused(self: RawWriter, records: Sequence[Record]) -> None:
        await put(self, records)  # it may have been written all the same
        if records and next(failures, None) is not None:
            raise BufferError("the queue is full")

    monkeypatch.setattr(RawWriter, "put", refused)
    saves(bus, range(100))
    follow(settings, bus, lambda: position(settings) == bus.events[-1][0])
    assert list(dict.fromkeys(amounts(settings))) == list(map(float, range(100)))
    assert 0 < bus.most_outstanding <= OUTSTANDING


def test_without_a_raw_topic_the_command_says_so(live: Settings) -> None:
    with pytest.raises(topics.NoTopic, match=r"there is no topic .*raw\.salesforce: make it"):
        Positions(live, "salesforce")


def test_who_may_not_subscribe_is_told(settings: Settings, bus: Bus) -> None:
    bus.allowed = False
    with pytest.raises(CannotSubscribe, match="may not subscribe to /data/ChangeEvents"):
        follow(settings, bus, lambda: False)
    with pytest.raises(CannotSubscribe, match="refuses /data/Other__chn: NOT_FOUND"):
        follow(settings, bus, lambda: False, channel="/data/Other__chn")


def test_the_commands_lose_nothing_when_they_are_killed(settings: Settings, bus: Bus) -> None:
    organisation = salesforce.Organisation()
    bus.batch = 3
    bus.tokens = {f"token-{number}" for number in range(9)}
    with ExitStack() as stack:
        login = stack.enter_context(web.running(salesforce.salesforce(organisation)))
        secrets = {"URL": login.url, "CLIENT_ID": "id", "CLIENT_SECRET": "secret"}
        variables = environment(settings) | {f"WELLWON_CRM_SALESFORCE_{name}": text for name, text in secrets.items()}
        variables |= {"WELLWON_PRIVATE_WEBHOOKS": "yes", "WELLWON_SALESFORCE_PUBSUB": bus.url}
        variables["WELLWON_HTTP"] = "127.0.0.1:0"

        def start(*command: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", "wellwon", *command], env=variables, stderr=subprocess.PIPE, text=True
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        receiving = start("receive", "salesforce")
        until(lambda: position(settings) is not None, "the first keepalive")
        saves(bus, range(40))
        until(lambda: len(raw(settings)) > 5, "some events")
        os.kill(receiving.pid, signal.SIGKILL)
        receiving.wait(10)
        saves(bus, range(40, 60))
        receiving = start("receive", "salesforce")
        following = start("ingest", "salesforce-cdc", "--follow", "salesforce")
        until(lambda: len(read(settings, topics.CHANGES)) >= 60, "all changes")
        for process in (receiving, following):
            process.terminate()
            _, said = process.communicate(timeout=30)
            assert process.returncode == 0, said
    changes = [orjson.loads(message.value()) for message in read(settings, topics.CHANGES)]
    assert sorted(one["opportunity_id"] for one in changes if one["kind"] == "changed") == list(map(deal, range(60)))
