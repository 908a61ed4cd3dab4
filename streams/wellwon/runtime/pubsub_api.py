"""Salesforce's Pub/Sub API: what a subscriber says and hears of the service eventbus.v1.PubSub.

The messages are declared here and built when the module is loaded, so that nothing has to be generated. Their numbers
are the protocol's (pubsub_api.proto, forcedotcom/pub-sub-api); fields that a subscriber has no use for are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "eventbus.v1"
SERVICE: Final = f"{PACKAGE}.PubSub"

LATEST: Final = 0
EARLIEST: Final = 1
CUSTOM: Final = 2
"""Where a subscription begins: what comes from now on, what is kept, or what comes after a replay id."""

_Field = descriptor_pb2.FieldDescriptorProto
_TEXT, _BYTES, _INT = _Field.TYPE_STRING, _Field.TYPE_BYTES, _Field.TYPE_INT32
_BOOL = _Field.TYPE_BOOL

# Message: field, number, type; the name of a message stands for it, in a list for several.
_MESSAGES: Final[dict[str, tuple[tuple[str, int, Any], ...]]] = {
    "TopicRequest": (("topic_name", 1, _TEXT),),
    "TopicInfo": (
        ("topic_name", 1, _TEXT), ("tenant_guid", 2, _TEXT), ("can_publish", 3, _BOOL), ("can_subscribe", 4, _BOOL),
        ("schema_id", 5, _TEXT), ("rpc_id", 6, _TEXT),
    ),
    "SchemaRequest": (("schema_id", 1, _TEXT),),
    "SchemaInfo": (("schema_json", 1, _TEXT), ("schema_id", 2, _TEXT), ("rpc_id", 3, _TEXT)),
    "ProducerEvent": (("id", 1, _TEXT), ("schema_id", 2, _TEXT), ("payload", 3, _BYTES)),
    "ConsumerEvent": (("event", 1, "ProducerEvent"), ("replay_id", 2, _BYTES)),
    # replay_preset is an enum, which is an int32 on the wire.
    "FetchRequest": (("topic_name", 1, _TEXT), ("replay_preset", 2, _INT), ("replay_id", 3, _BYTES),
                     ("num_requested", 4, _INT)),
    "FetchResponse": (
        ("events", 1, ["ConsumerEvent"]), ("latest_replay_id", 2, _BYTES), ("rpc_id", 3, _TEXT),
        ("pending_num_requested", 4, _INT),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the service, with the messages that go in and out."""

    name: str
    request: str
    response: str

    @property
    def path(self) -> str:
        """Its path in HTTP/2."""
        return f"/{SERVICE}/{self.name}"


SUBSCRIBE: Final = Method("Subscribe", "FetchRequest", "FetchResponse")
GET_SCHEMA: Final = Method("GetSchema", "SchemaRequest", "SchemaInfo")
GET_TOPIC: Final = Method("GetTopic", "TopicRequest", "TopicInfo")


def _declared() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="wellwon/pubsub.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            many = isinstance(kind, list)
            about = message.field.add(name=field, number=number)
            about.label = _Field.LABEL_REPEATED if many else _Field.LABEL_OPTIONAL
            if isinstance(kind, int):
                about.type = kind  # type: ignore[assignment,unused-ignore]
            else:
                about.type, about.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind[0] if many else kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


MESSAGES: Final = _declared()
"""The messages by name; each is a class whose instances have the fields above."""


def encoded(message: Any) -> bytes:
    """A message as it is on the wire."""
    data: bytes = message.SerializeToString()
    return data


def decoder(name: str) -> Any:
    """What reads a message of this name from the wire."""
    return MESSAGES[name].FromString
