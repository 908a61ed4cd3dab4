"""Salesforce's Pub/Sub API: a gRPC server with an event bus that forgets, breaks off, refuses and repeats at will."""

from __future__ import annotations

import io
import json
import queue
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import fastavro
import grpc

from fakes.salesforce import ORGANISATION
from wellwon.runtime import pubsub_api as api
from wellwon.sources.bitmap import OPPORTUNITY_ORDER

KEEPALIVE_S = 0.1
CHANNEL = "/data/ChangeEvents"
REPLAY = "sfdc.platform.eventbus.grpc.subscription.fetch.replayid."
AUTH = "sfdc.platform.eventbus.grpc.service.auth.error"

_HEADER = {
    "name": "ChangeEventHeader",
    "type": "record",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": {"type": "array", "items": "string"}},
        {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": [
            "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE",
            "GAP_OVERFLOW", "SNAPSHOT"]}},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": {"type": "array", "items": "string"}},
        {"name": "diffFields", "type": {"type": "array", "items": "string"}},
        {"name": "changedFields", "type": {"type": "array", "items": "string"}},
    ],
}  # fmt: skip
_NUMBERS = frozenset(("Amount", "Probability", "ExpectedRevenue", "TotalOpportunityQuantity"))
_DATES = frozenset(("CloseDate", "CreatedDate", "LastModifiedDate", "LastStageChangeDate"))


def schema(entity: str, names: tuple[str, ...] = OPPORTUNITY_ORDER) -> dict[str, Any]:
    """The Avro schema of an entity's change events; ``names`` begin with the header."""

    def kind(name: str) -> list[str]:
        if name in _NUMBERS:
            return ["null", "double"]
        if name in _DATES:
            return ["null", "long"]
        return ["null", "boolean"] if name.startswith(("Is", "Has")) else ["null", "string"]

    fields = [{"name": name, "type": _HEADER if number == 0 else kind(name)} for number, name in enumerate(names)]
    return {"name": f"{entity}ChangeEvent", "namespace": "com.sforce.eventbus", "type": "record", "fields": fields}


@dataclass
class Bus:
    """``events`` in the order of their commits; a replay id is opaque to everybody else."""

    events: list[tuple[bytes, Any]] = field(default_factory=list)
    schemas: dict[str, str] = field(default_factory=dict)
    oldest: int = 0
    """Events before this place are forgotten."""
    batch: int = 20
    tokens: set[str] = field(default_factory=lambda: {"token-1"})
    allowed: bool = True
    trouble: list[Any] = field(default_factory=list)
    """For each stream: ("break", n), ("end", n) or ("token", n) after n events, "silent", or None."""
    repeats: int = 0
    """So many events before the place that was asked for are sent again."""
    asked: Counter[str] = field(default_factory=Counter)
    presets: list[tuple[int, bytes]] = field(default_factory=list)
    most_outstanding: int = 0
    port: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(
        self, entity: str, record: str, values: dict[str, Any], *, change: str = "UPDATE", at: int,
        names: tuple[str, ...] = OPPORTUNITY_ORDER,
    ) -> None:  # fmt: skip
        """Somebody saved: an update has all fields, empty where they did not change, and a bitmap tells which did."""
        number = len(self.events) + 1
        written = schema(entity, names)
        id_ = f"{entity}-{len(names)}"
        self.schemas[id_] = json.dumps(written)
        changed = [*values, "LastModifiedDate"] if change == "UPDATE" else []
        nulled = [name for name in changed if values.get(name, 0) is None]
        header = {
            "entityName": entity, "recordIds": [record], "changeType": change, "changeOrigin": "",
            "transactionKey": f"t-{number}", "sequenceNumber": 1, "commitTimestamp": at, "commitNumber": 2**60 + number,
            "commitUser": "005Wx0000000001AAA", "diffFields": [], "nulledFields": _bitmap(nulled, names),
            "changedFields": _bitmap(changed, names),
        }  # fmt: skip
        payload = io.BytesIO()
        body = {"ChangeEventHeader": header, "LastModifiedDate": at, **values}
        fastavro.schemaless_writer(payload, fastavro.parse_schema(written, named_schemas={}), body)
        event = api.MESSAGES["ProducerEvent"](id=f"e-{number}", schema_id=id_, payload=payload.getvalue())
        self.events.append((number.to_bytes(10, "big"), event))

    # --- the service ------------------------------------------------------------------------------------------

    def get_topic(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._knows(context)
        if request.topic_name != CHANNEL:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no topic {request.topic_name}")
        return api.MESSAGES["TopicInfo"](topic_name=request.topic_name, can_subscribe=self.allowed)

    def get_schema(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._knows(context)
        self.asked[request.schema_id] += 1
        return api.MESSAGES["SchemaInfo"](schema_json=self.schemas[request.schema_id], schema_id=request.schema_id)

    def subscribe(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        self._knows(context)
        first = next(requests)
        place = self._begin(first, context)
        trouble = self.trouble.pop(0) if self.trouble else None
        wanted: queue.Queue[int] = queue.Queue()
        threading.Thread(target=_listen, args=(requests, wanted), daemon=True).start()
        pending, sent = first.num_requested, 0
        while context.is_active() and not self.stopping.is_set():
            while True:
                try:
                    pending += wanted.get(
                        timeout=0 if trouble != "silent" and self.events[place:] and pending else 0.02
                    )
                except queue.Empty:
                    break
            self.most_outstanding = max(self.most_outstanding, pending)
            if trouble == "silent":
                continue
            if trouble and sent >= trouble[1]:
                self._act(trouble[0], context)
                return
            most = min(pending, self.batch, trouble[1] - sent if trouble else self.batch)
            batch = self.events[place : place + most]
            response = api.MESSAGES["FetchResponse"](rpc_id="r", pending_num_requested=pending - len(batch))
            for replay_id, event in batch:
                response.events.add(replay_id=replay_id).event.CopyFrom(event)
            place, sent, pending = place + len(batch), sent + len(batch), pending - len(batch)
            response.latest_replay_id = self.events[place - 1][0] if place else b"\0" * 10
            if not batch:
                self.stopping.wait(KEEPALIVE_S)
            yield response

    def _begin(self, first: Any, context: grpc.ServicerContext) -> int:
        self.presets.append((first.replay_preset, first.replay_id))
        if first.topic_name != CHANNEL or not 0 < first.num_requested <= 100:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a topic, and up to 100 events")
        if first.replay_preset == api.LATEST:
            return len(self.events)
        if first.replay_preset == api.EARLIEST:
            return self.oldest
        known = [replay_id for replay_id, _ in self.events]
        if first.replay_id == b"\0" * 10:
            return 0
        if first.replay_id not in known[self.oldest :]:
            code = (("error-code", REPLAY + ("validation.failed" if first.replay_id in known else "corrupted")),)
            context.set_trailing_metadata(code)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The Replay ID validation failed.")
        return max(self.oldest, known.index(first.replay_id) + 1 - self.repeats)

    def _act(self, what: str, context: grpc.ServicerContext) -> None:
        if what == "break":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        if what == "token":
            self.tokens = {f"token-{1 + max(int(token.rpartition('-')[2]) for token in self.tokens)}"}
            self._unauthenticated(context)

    def _knows(self, context: grpc.ServicerContext) -> None:
        said = dict(context.invocation_metadata())
        if said.get("tenantid") != ORGANISATION or not said.get("instanceurl", "").startswith("http"):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "tenantid and instanceurl are needed")
        if said.get("accesstoken") not in self.tokens:
            self._unauthenticated(context)

    @staticmethod
    def _unauthenticated(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("error-code", AUTH),))
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "authentication is not valid")


def _listen(requests: Iterator[Any], wanted: queue.Queue[int]) -> None:
    try:
        for request in requests:
            wanted.put(request.num_requested)
    except Exception:
        return  # the client is gone


def _bitmap(changed: list[str], names: tuple[str, ...]) -> list[str]:
    bits = sum(1 << names.index(name) for name in changed)
    return [f"0x{bits:X}"] if bits else []


@contextmanager
def running(bus: Bus) -> Iterator[Bus]:
    """Serve for the length of a ``with`` block."""
    server = grpc.server(ThreadPoolExecutor(max_workers=16))
    handlers = {}
    for method, make, answer in (
        (api.SUBSCRIBE, grpc.stream_stream_rpc_method_handler, bus.subscribe),
        (api.GET_SCHEMA, grpc.unary_unary_rpc_method_handler, bus.get_schema),
        (api.GET_TOPIC, grpc.unary_unary_rpc_method_handler, bus.get_topic),
    ):
        handlers[method.name] = make(
            answer, request_deserializer=api.decoder(method.request), response_serializer=api.encoded
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(api.SERVICE, handlers),))
    bus.port = server.add_insecure_port(f"127.0.0.1:{bus.port}")
    server.start()
    try:
        yield bus
    finally:
        bus.stopping.set()
        server.stop(0.2).wait(10)
