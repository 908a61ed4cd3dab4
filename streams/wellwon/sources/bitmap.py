"""Change Data Capture's lists of field names, which Pub/Sub writes as bitmaps over the event's Avro schema.

A list element ``0x400800`` is a hexadecimal number whose bit *i* (from the low end) stands for the schema's field *i*,
field 0 being ChangeEventHeader. An element ``4-0x01`` is such a number over the fields of the record in field 4.
CometD and most connectors write plain names. Lists may mix the forms.

The schema's order is taken from what stands beside the record (an Avro schema, or a list of field names). Without one:

1. the record's own keys, where it looks like a whole decoded event: ChangeEventHeader first;
2. else, for Opportunity, the order that Salesforce documents.

Both guesses are believed only if what they give fits the record, field by field (`_fits`): an order guessed wrong
would silently take one field's change for another's. Admins who add fields move the bits, so every event is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from wellwon.sources.change import Unreadable

HEADER: Final = "ChangeEventHeader"

OPPORTUNITY_ORDER: Final[tuple[str, ...]] = (
    HEADER, "AccountId", "IsPrivate", "Name", "Description", "StageName", "Amount", "Probability", "ExpectedRevenue",
    "TotalOpportunityQuantity", "CloseDate", "Type", "NextStep", "LeadSource", "IsClosed", "IsWon", "ForecastCategory",
    "ForecastCategoryName", "CampaignId", "HasOpportunityLineItem", "Pricebook2Id", "OwnerId", "CreatedDate",
    "CreatedById", "LastModifiedDate", "LastModifiedById", "LastStageChangeDate", "ContactId", "ContractId",
    "LastAmountChangedHistoryId", "LastCloseDateChangedHistoryId",
)  # fmt: skip
"""The documented field order of OpportunityChangeEvent; an organisation's own fields follow."""

_POSITION: Final = {name: i for i, name in enumerate(OPPORTUNITY_ORDER)}
_TOP: Final = re.compile(r"0[xX]([0-9a-fA-F]{1,512})")
_CHILD: Final = re.compile(r"([0-9]{1,4})-0[xX][0-9a-fA-F]{1,512}")
_MODIFIED: Final = "LastModifiedDate"


def changed_names(
    entity: str,
    changed: Sequence[str],
    nulled: Sequence[str],
    body: dict[str, Any],
    order: Sequence[str] | None,
) -> tuple[set[str], set[str]]:
    """Names of the changed and of the nulled fields. A field of a child record counts as its parent's.

    ``order``: the field names of the event's schema, if known. Raises `Unreadable` where bitmaps cannot be read.
    """
    if not _has_bitmap(changed) and not _has_bitmap(nulled):
        return _plain(changed), _plain(nulled)
    if order is not None:
        return _decode(changed, order), _decode(nulled, order)
    keys = tuple(body)
    guesses = [keys] if _looks_whole(entity, keys) else []
    if entity == "Opportunity":
        guesses.append(OPPORTUNITY_ORDER)
    for guess in guesses:
        try:
            names, empty = _decode(changed, guess), _decode(nulled, guess)
        except Unreadable:
            continue
        if _fits(names, empty, body, whole=guess is keys):
            return names, empty
    raise Unreadable(
        "unknown_field_order",
        f"changedFields of this {entity} event is a bitmap ({', '.join(changed)[:80]}) and the order of the event's"
        " fields is not known: let the bridge write names, or put the event's Avro schema beside it as"
        ' "schema", or its field names as "fields"',
    )


def _has_bitmap(names: Iterable[str]) -> bool:
    return any(_TOP.fullmatch(name) or _CHILD.fullmatch(name) for name in names)


def _plain(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _decode(elements: Iterable[str], order: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for element in elements:
        if child := _CHILD.fullmatch(element):
            positions = [int(child[1])]
        elif bitmap := _TOP.fullmatch(element):
            bits = int(bitmap[1], 16)
            positions = [i for i in range(bits.bit_length()) if bits >> i & 1]
        else:
            found.add(element.partition(".")[0])
            continue
        for position in positions:
            if position >= len(order):
                raise Unreadable(
                    "unknown_field_order",
                    f"the bitmap {element} names field {position} of a schema with {len(order)} fields:"
                    " the schema beside the event is not the event's own",
                )
            found.add(order[position])
    return found


def _looks_whole(entity: str, keys: tuple[str, ...]) -> bool:
    """The record's keys stand in their schema's order, as far as can be told."""
    if not keys or keys[0] != HEADER:
        return False
    if entity != "Opportunity":
        return True
    standard = [key for key in keys if key in _POSITION]
    return standard == sorted(standard, key=_POSITION.__getitem__)


def _fits(changed: set[str], nulled: set[str], body: dict[str, Any], *, whole: bool) -> bool:
    """The guess explains the record: what is said to have changed is there, what was emptied is empty.

    Salesforce always counts LastModifiedDate among the changed fields. In a whole event every field that did not change
    is null (but for enrichment fields); in a shortened one only fields that changed have values.
    """
    if _MODIFIED not in changed or HEADER in changed:
        return False
    filled = {name for name, value in body.items() if value is not None and name != HEADER}
    if nulled & filled or not nulled <= changed:
        return False
    if not changed - nulled <= filled:
        return False
    return whole or filled <= changed


def order_beside(*wrappers: Any) -> tuple[str, ...] | None:
    """The field order that stands beside an event, in the first of its wrappers that has one.

    ``fields``: a list of names; ``schema``: an Avro record schema, as an object or as text. Both begin with
    ChangeEventHeader, or they are something else (a Kafka Connect schema, a schema's id).
    """
    for wrapper in wrappers:
        if not isinstance(wrapper, dict):
            continue
        for candidate in (wrapper.get("fields"), wrapper.get("schema")):
            if names := _names(candidate):
                return names
    return None


def _names(candidate: Any) -> tuple[str, ...] | None:
    if isinstance(candidate, str):
        return _names_of_text(candidate) if candidate.lstrip().startswith("{") else None
    if isinstance(candidate, dict) and candidate.get("type") == "record":
        fields = candidate.get("fields")
        candidate = [f.get("name") for f in fields if isinstance(f, dict)] if isinstance(fields, list) else None
    if not isinstance(candidate, list) or not candidate or candidate[0] != HEADER:
        return None
    return tuple(candidate) if all(isinstance(name, str) for name in candidate) else None


@lru_cache(maxsize=64)
def _names_of_text(schema: str) -> tuple[str, ...] | None:
    """A bridge sends the same few schemas with every event."""
    try:
        return _names(orjson.loads(schema))
    except orjson.JSONDecodeError:
        return None
