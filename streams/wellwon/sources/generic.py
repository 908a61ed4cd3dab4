"""`opportunity-change.v1` as it is: one JSON object a line, from a bridge of one's own or from the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from wellwon.core.wire import DecodeError, decode
from wellwon.sources.change import Ignored, Outcome, Rejected

_TIME = ("clock", "policy")


def read_change(value: bytes) -> Iterator[Outcome]:
    """The change that a line holds, after the same check that detect makes."""
    if not value.strip():
        yield Ignored("empty")
        return
    try:
        decoded = decode(value)
        event = orjson.loads(value)
    except DecodeError as error:
        yield Rejected(error.reason, error.detail, value)
    except orjson.JSONDecodeError as error:
        yield Rejected("not_json", f"the record is not JSON: {error}", value)
    else:
        # Time is written by whoever fills the log (--clock), in every partition; the policy by its owner.
        yield Ignored(decoded.kind) if decoded.kind in _TIME else event
