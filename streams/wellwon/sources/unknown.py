"""Words of the changes that neither the policy nor this version knows: stages of no pipeline, fields of no deal.

They are no mistakes that a record is refused for; but a whole export in another process's words would stay silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from wellwon.core.items import ANSWER, LINE_ITEM
from wellwon.core.wire import FIELDS, LINE_FIELDS
from wellwon.policy import Policy

T = TypeVar("T")
_SHOWN: Final = 8


class _Seen(msgspec.Struct):
    kind: str = ""
    values: dict[str, Any] = {}


class Unknown:
    """Looks at changes on their way and counts what is not known."""

    def __init__(self, policy: Policy) -> None:
        self._known = {stage for p in policy.pipelines for stage in (*p.open, *p.won, *p.lost)}
        self._decoder = msgspec.json.Decoder(_Seen)
        self.stages: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()

    def watch(self, records: Iterable[T]) -> Iterator[T]:
        """The records, unchanged."""
        for record in records:
            value = getattr(record, "value", None)
            if value is not None:
                self.note(value)
            yield record

    def note(self, value: bytes) -> None:
        """Look at one change; what is no change says nothing."""
        try:
            seen = self._decoder.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if seen.kind == ANSWER or not seen.values:
            return
        stage = seen.values.get("stage")
        if isinstance(stage, str) and stage and stage not in self._known:
            self.stages[stage] += 1
        fields = LINE_FIELDS if seen.kind == LINE_ITEM else FIELDS
        for name in seen.values:
            if name not in fields and not name.startswith("labels."):
                self.fields[name] += 1

    def as_dict(self) -> dict[str, dict[str, int]]:
        """For ``--json``."""
        return {"unknown_stages": dict(self.stages.most_common()), "unknown_values": dict(self.fields.most_common())}

    def lines(self) -> Iterator[str]:
        """What to say of it; nothing where everything is known."""
        if self.stages:
            yield f"stages that no pipeline knows: {_listed(self.stages)}; see pipelines in the policy"
        if self.fields:
            yield f"values that are not read: {_listed(self.fields)}; opportunity-change.v1 has no such field"


def _listed(counts: Counter[str]) -> str:
    more = f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    return ", ".join(f"{name!r} {count:,}" for name, count in counts.most_common(_SHOWN)) + more
