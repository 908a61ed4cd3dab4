"""Deals whose close date moves out of one quarter after the other: sure to raise alerts."""

from __future__ import annotations

import orjson


def change(number: int, deal: str, at: str, **values: object) -> tuple[bytes, bytes]:
    """A change of a deal by a person."""
    record = {
        "id": f"test:{number}",
        "opportunity_id": deal,
        "source": "test",
        "occurred_at": at,
        "kind": "created" if number == 0 else "changed",
        "writer": {"id": "u1", "kind": "user"},
        "values": values,
    }
    return deal.encode(), orjson.dumps(record)


def pushed_deal(deal: str, start: int = 0) -> list[tuple[bytes, bytes]]:
    """A deal whose close date moves out of one quarter after the other, in its last days."""
    base = {"stage": "Negotiation/Review", "amount": "50000.00", "currency": "USD", "name": deal, "owner_id": "u1"}
    steps = [
        ("2026-01-10T09:00:00Z", {**base, "close_date": "2026-03-31", "forecast_category": "Commit"}),
        ("2026-03-30T16:00:00Z", {"close_date": "2026-06-30"}),
        ("2026-06-29T16:00:00Z", {"close_date": "2026-09-30"}),
        ("2026-09-29T16:00:00Z", {"close_date": "2026-12-31"}),
    ]
    return [change(start + number, deal, at, **values) for number, (at, values) in enumerate(steps)]


def deals(count: int) -> list[tuple[bytes, bytes]]:
    """Pushed deals, their changes in the order of time."""
    histories = [pushed_deal(f"deal-{number}") for number in range(count)]
    return [
        (key, value.replace(b'"test:', b'"%s:' % key)) for step in zip(*histories, strict=True) for key, value in step
    ]
