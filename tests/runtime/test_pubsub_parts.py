"""The Pub/Sub API's messages by their bytes, schemas asked for once, and the place as it is kept."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fakes.pubsub import Bus
from wellwon.cli import cli, receive
from wellwon.runtime import pubsub_api as api
from wellwon.runtime.pubsub_events import Events, Undecodable
from wellwon.runtime.pubsub_position import Position

AT = 1_792_000_000_000


def text(number: int, value: bytes) -> bytes:
    """A field with a length, as protobuf writes it: number and wire type 2, the length, the bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def test_a_request_by_its_bytes() -> None:
    request = api.MESSAGES["FetchRequest"](
        topic_name="/data/ChangeEvents", replay_preset=api.CUSTOM, replay_id=b"\x07", num_requested=100
    )
    assert api.encoded(request) == text(1, b"/data/ChangeEvents") + b"\x10\x02" + text(3, b"\x07") + b"\x20\x64"
    assert api.encoded(api.MESSAGES["SchemaRequest"](schema_id="s")) == text(1, b"s")
    assert api.encoded(api.MESSAGES["TopicRequest"](topic_name="t")) == text(1, b"t")


def test_an_answer_by_its_bytes() -> None:
    producer = text(1, b"e-1") + text(2, b"schema") + text(3, b"avro") + text(4, text(1, b"a header to come"))
    event = text(1, text(1, producer) + text(2, b"\x09"))
    response = api.decoder("FetchResponse")(event + event + text(2, b"\x0a") + text(3, b"rpc") + b"\x20\x05")
    assert [one.replay_id for one in response.events] == [b"\x09"] * 2
    first = response.events[0].event
    assert (first.id, first.schema_id, first.payload) == ("e-1", "schema", b"avro")
    assert (response.latest_replay_id, response.pending_num_requested) == (b"\x0a", 5)
    topic = api.decoder("TopicInfo")(text(1, b"t") + text(2, b"00D") + b"\x18\x00\x20\x01" + text(5, b"s"))
    assert (topic.can_subscribe, topic.can_publish, topic.schema_id) == (True, False, "s")
    schema = api.decoder("SchemaInfo")(text(1, b"{}") + text(2, b"s"))
    assert (schema.schema_json, schema.schema_id) == ("{}", "s")
    assert api.SUBSCRIBE.path == "/eventbus.v1.PubSub/Subscribe"


def test_a_schema_is_asked_for_once_and_one_that_is_none_spoils_its_events_only() -> None:
    bus = Bus()
    for number in range(3):
        bus.publish("Opportunity", "006Wx0000000001AAA", {"Amount": 1.5}, at=AT + number)
    bus.schemas["bad"] = json.dumps({"type": "record"})
    asked: Counter[str] = Counter()

    async def fetch(id_: str) -> str:
        asked[id_] += 1
        return bus.schemas[id_]

    async def run() -> list[bytes]:
        events = Events(fetch)
        found = [await events.decoded(event, replay_id) for replay_id, event in bus.events]
        _, broken = bus.events[0]
        broken.schema_id = "bad"
        with pytest.raises(Undecodable, match="its schema bad is none"):
            await events.decoded(broken, b"")
        broken.schema_id = "Opportunity-31"
        broken.payload += b"\0"
        with pytest.raises(Undecodable, match="1 bytes are left"):
            await events.decoded(broken, b"")
        return found

    first, *_ = map(orjson.loads, asyncio.run(run()))
    assert asked == {"Opportunity-31": 1, "bad": 1}
    assert (first["payload"]["Amount"], first["payload"]["ChangeEventHeader"]["commitTimestamp"]) == (1.5, AT)
    assert first["fields"][:3] == ["ChangeEventHeader", "AccountId", "IsPrivate"]
    assert first["replayId"] == "00000000000000000001"


@given(st.binary(min_size=1, max_size=64), st.integers(0, 2**53))
def test_a_place_is_kept_as_it_was(replay_id: bytes, at: int) -> None:
    position = Position("/data/ChangeEvents", replay_id, at)
    assert Position.decode(position.encode()) == position


@given(st.text(max_size=40))
def test_what_is_no_place_is_none(text: str) -> None:
    found = Position.decode(text)
    assert found is None or Position.decode(found.encode()) == found


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLWON_KAFKA", "127.0.0.1:1")
    monkeypatch.setattr(receive, "find_spec", lambda name: None)
    result = CliRunner().invoke(cli, ["receive", "salesforce"])
    assert result.exit_code == 2
    assert "pip install 'wellwon[pubsub]'" in result.output


def test_a_channel_is_one_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLWON_KAFKA", "127.0.0.1:1")
    result = CliRunner().invoke(cli, ["receive", "salesforce", "--channel", "Opportunity"])
    assert result.exit_code == 2
    assert "/data/ChangeEvents, or a channel of your own" in result.output
