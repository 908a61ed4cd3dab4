"""Records without a deal or a person that is to be forgotten, whatever topic they are of.

What stands under its own key goes. Elsewhere its id becomes `NOBODY`, or empty where a person's id stands alone: an
owner that is not known. A person's e-mail address and name (``also``) are looked for only where they stand alone.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

import msgspec
import orjson

from wellwon.core.facts import Batch, read
from wellwon.core.items import POLICY
from wellwon.core.state import PREFIX, decode_state, encode_state, read_prefix
from wellwon.core.stored import decode_tail, encode_change
from wellwon.deliver import store
from wellwon.deliver.cards import DigestCard
from wellwon.deliver.state import DealFile, Message, Page
from wellwon.policy.model import id_forms
from wellwon.runtime import topics

NOBODY: Final = "forgotten"

_encode: Final = msgspec.msgpack.encode
_decode: Final = msgspec.msgpack.decode


class Redaction:
    """What is to be forgotten: a deal, or a person by their user id in the CRM, and what else names them."""

    def __init__(self, *, deal: str = "", person: str = "", also: tuple[str, ...] = ()) -> None:
        assert bool(deal) != bool(person), "one of them"
        self.deal = deal
        self._ids = frozenset((deal,) if deal else id_forms(person))
        self._alone = self._ids | {name for name in also if name}
        self._instead = NOBODY if deal else ""
        ids = "|".join(re.escape(id_) for id_ in sorted(self._ids, key=len, reverse=True))
        self._within = re.compile(rf"(?<![\w$€£.,-])(?:{ids})(?![\w-]|[.,]\d)")
        self._traces = {form for text in self._alone for form in (text.encode(), orjson.dumps(text)[1:-1])}

    def leaves_trace(self, text: bytes) -> bool:
        """Whether it may stand in some bytes."""
        return any(trace in text for trace in self._traces)

    def concerns(self, name: str, key: bytes | None, value: bytes | None) -> bool:
        """Whether a record of a topic (without prefix) has anything to do with it."""
        return value is not None and self.without(name, key, value) != value

    def without(self, name: str, key: bytes | None, value: bytes) -> bytes | None:
        """The value of a record without it; None where nothing is left. Raises NewerState."""
        if name == topics.DEAD_LETTERS:
            return self._dead_letter(value)
        if self._is_own(key or b""):
            return None
        if not self.leaves_trace(value):
            return value
        if name == topics.STATE:
            return self._state(value)
        if name == topics.ROLLUP_STATE:
            return self._stored(value)
        if name == topics.DELIVER_STATE:
            return self._told(key or b"", value)
        return self._facts(value) if name == topics.FACTS else self._published(value)

    def _is_own(self, key: bytes) -> bool:
        """A deal's key is its id, or has it as a part; a person's, ``owner:ID``, their address, their fingerprint."""
        if self.deal:
            return self.deal.encode() in key.split(b"\0")
        return self._within.search(key.decode(errors="replace")) is not None

    # --- what is published ----------------------------------------------------------------------------------------

    def _published(self, value: bytes) -> bytes | None:
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None  # nobody can say where it stands in it
        if isinstance(record, dict) and record.get("kind") == POLICY:
            return value  # RevOps' own text
        return self._written(value, record)

    def _written(self, value: bytes, record: Any) -> bytes:
        """A record without it; ``value`` itself where that says the same."""
        cleaned = self._clean(record)
        return value if cleaned == orjson.loads(value) else orjson.dumps(cleaned)

    def _facts(self, value: bytes) -> bytes | None:
        try:
            batch = read(value)
        except ValueError:
            return None
        if not isinstance(batch, Batch):
            return value  # time, or a policy
        if not self.deal:
            return self._published(value)
        facts = tuple(fact for fact in batch.facts if fact.deal != self.deal)
        if len(facts) == len(batch.facts):
            return value
        return msgspec.json.encode(msgspec.structs.replace(batch, facts=facts)) if facts else None

    def _dead_letter(self, value: bytes) -> bytes | None:
        letter = orjson.loads(value)
        if "letters" in letter:
            return value  # it closes others, by their numbers
        key, original = (None if letter[part] is None else base64.b64decode(letter[part]) for part in ("key", "value"))
        if key is not None and self._is_own(key):
            return None
        if original is not None and self.leaves_trace(original):
            if self.deal or (without := self._published(original)) is None:
                return None
            letter["value"], letter["size"] = base64.b64encode(without).decode(), len(without)
        return self._written(value, letter)

    # --- what is stored -------------------------------------------------------------------------------------------

    def _state(self, value: bytes) -> bytes:
        state, prefix = decode_state(value), read_prefix(value)
        state.base = _encode(self._clean(_decode(state.base)))
        changes = [self._clean(_decode(encode_change(change))) for change in state.tail]
        state.tail = decode_tail(msgspec.Raw(_encode(changes)))
        return encode_state(state, epoch=prefix.epoch, generation=prefix.generation, offset=prefix.offset)

    def _stored(self, value: bytes) -> bytes:
        read_prefix(value)
        return value[: PREFIX.size] + _encode(self._clean(_decode(value[PREFIX.size :])))

    def _told(self, key: bytes, value: bytes) -> bytes:
        if key.startswith(store.PAGE):
            page = store.decode(Page, value)
            page.outbox = [kept for message in page.outbox if (kept := self._without_lines(message)) is not None]
            value = value[: PREFIX.size] + _encode(page)
        elif not key.startswith(b"\0"):
            file = store.decode(DealFile, value)
            self._tell_no_more(file)
            value = value[: PREFIX.size] + _encode(file)
        return self._stored(value)

    def _without_lines(self, message: Message) -> Message | None:
        """A digest on its way, without the deal's line; None where it has no other."""
        card = message.card
        if not isinstance(card, DigestCard) or not self.deal:
            return message
        lines = tuple(line for line in card.lines if line.alert.opportunity_id != self.deal)
        if not lines:
            return None
        gone = len(card.lines) - len(lines)
        left = msgspec.structs.replace(card, lines=lines, total=card.total - gone, deals=card.deals - bool(gone))
        return msgspec.structs.replace(message, card=left)

    def _tell_no_more(self, file: DealFile) -> None:
        """Take out of a deal's file what stands, or was to be sent, at the person's addresses."""

        def theirs(address: str) -> bool:
            return address.partition("|")[2].removeprefix("@") in self._ids

        file.outbox = [message for message in file.outbox if not theirs(message.address)]
        file.refs = {place: refs for place, refs in file.refs.items() if not theirs(place.partition(" ")[0])}
        for standing in file.told.values():
            for address in [address for address in standing if theirs(address)]:
                del standing[address]
        file.win_told = {
            what: [address for address in told if not theirs(address)] for what, told in file.win_told.items()
        }

    # --- anything -------------------------------------------------------------------------------------------------

    def _clean(self, part: Any) -> Any:
        if isinstance(part, str):
            return self._instead if part in self._alone else self._within.sub(NOBODY, part)
        if isinstance(part, list):
            return [self._clean(one) for one in part]
        if isinstance(part, dict):
            return {self._clean(name): self._clean(one) for name, one in part.items()}
        if isinstance(part, bytes) and part.startswith(b"{") and self.leaves_trace(part):
            return self._published(part) or b"{}"  # a published record, kept as it was
        return part
