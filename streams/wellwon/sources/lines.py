"""OpportunityLineItem events: which deal a line belongs to, and its price.

An update or a deletion says neither the deal nor what did not change. Where the channel enriches its events with
OpportunityId, Quantity, UnitPrice and Discount all is there; else what was seen of the line before is used, as far as
it is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Final

from wellwon.core.items import CREATED, DELETED, GAP, RESTORED, SNAPSHOT
from wellwon.core.units import format_money, parse_money, parse_percent, parse_quantity
from wellwon.sources.change import Unreadable
from wellwon.sources.mapping import salesforce_id, written

REMEMBERED: Final = 200_000
READ: Final = frozenset(("OpportunityId", "Quantity", "UnitPrice", "ListPrice", "Discount", "TotalPrice"))
_WHOLE: Final = (CREATED, RESTORED, SNAPSHOT)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a line: its deal, thousandths of units, hundredths, hundredths of a point."""

    deal: str
    quantity: int | None = None
    unit_price: int | None = None
    discount: int | None = None


@dataclass(slots=True)
class LineItems:
    """Remembers the lines seen last; the oldest are forgotten."""

    limit: int = REMEMBERED
    _seen: OrderedDict[str, Seen] = field(default_factory=OrderedDict)

    def read(
        self, line: str, kind: str, body: dict[str, Any], names: set[str] | None
    ) -> tuple[str, dict[str, Any] | None]:
        """The line's deal and the values to set; None where only a re-read of the deal can tell them.

        ``names``: the changed fields of an update. Raises `Unreadable`.
        """
        body = {name: None if value == "" else value for name, value in body.items() if name in READ}
        before = self._seen.get(line)
        deal = salesforce_id(body.get("OpportunityId")) or (before.deal if before else None)
        if deal is None:
            raise Unreadable(
                "unknown_line_item",
                f"which opportunity line item {line} belongs to is not known: add OpportunityId"
                " as an enrichment field of OpportunityLineItemChangeEvent",
            )
        if kind == DELETED:
            self._seen.pop(line, None)
            return deal, {"removed": True}
        if kind == GAP:
            return deal, None
        try:
            now = self._now(before or Seen(deal), deal, body, names, whole=kind in _WHOLE)
            values = self._values(now, body, names)
        except ValueError as error:
            raise Unreadable("bad_value", f"line item {line}: {error}") from None
        self._remember(line, now)
        return deal, values

    @staticmethod
    def _now(before: Seen, deal: str, body: dict[str, Any], names: set[str] | None, *, whole: bool) -> Seen:
        now = replace(before, deal=deal)
        if body.get("Quantity") is not None:
            now = replace(now, quantity=parse_quantity(written("quantity", body["Quantity"])))
        if body.get("UnitPrice") is not None:
            now = replace(now, unit_price=parse_money(written("unit_price", body["UnitPrice"])))
        if body.get("Discount") is not None:
            now = replace(now, discount=parse_percent(written("discount_percent", body["Discount"])))
        elif whole or (names is not None and "Discount" in names):
            now = replace(now, discount=0)
        return now

    @staticmethod
    def _values(now: Seen, body: dict[str, Any], names: set[str] | None) -> dict[str, Any]:
        """Quantity, the price of a unit after the line's own discount, the list price: those that the event sets."""

        def sets(name: str) -> bool:
            return body.get(name) is not None if names is None else name in names

        values: dict[str, Any] = {}
        if sets("Quantity"):
            values["quantity"] = written("quantity", body.get("Quantity"))
        if sets("ListPrice"):
            values["list_price"] = written("list_price", body.get("ListPrice"))
        if sets("UnitPrice") or sets("Discount"):
            emptied = names is not None and "UnitPrice" in names and body.get("UnitPrice") is None
            values["unit_price"] = None if emptied else format_money(_unit_price(now, body))
        return values

    def _remember(self, line: str, now: Seen) -> None:
        self._seen[line] = now
        self._seen.move_to_end(line)
        while len(self._seen) > self.limit:
            self._seen.popitem(last=False)


def _unit_price(now: Seen, body: dict[str, Any]) -> int:
    """Hundredths. TotalPrice is quantity x price less the discount, so it tells the price where the parts do not."""
    if now.unit_price is not None and now.discount is not None:
        return (now.unit_price * (10_000 - now.discount) + 5_000) // 10_000
    if body.get("TotalPrice") is not None and now.quantity:
        return parse_money(written("amount", body["TotalPrice"])) * 1_000 // now.quantity
    if now.unit_price is not None:
        return now.unit_price
    raise Unreadable(
        "unknown_line_item",
        "the line item's discount changed and its price is not known: add Quantity and UnitPrice"
        " as enrichment fields of OpportunityLineItemChangeEvent",
    )
