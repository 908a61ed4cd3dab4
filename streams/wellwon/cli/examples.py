"""An example of every record: the life of one deal, written down, and what the core says of it."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from wellwon.core import timeline
from wellwon.core.envelope import SCHEMA
from wellwon.core.facts import encode_facts, encode_mark
from wellwon.core.output import Output
from wellwon.core.partition import Partition
from wellwon.core.units import DAY, HOUR, format_instant, parse_instant
from wellwon.core.wire import encode_clock
from wellwon.policy import compile_text
from wellwon.rules import bulk_push

DEAL: Final = "006SM0000001Tb3YAE"
SELLER: Final = {"id": "005SM0000002SelYAE", "kind": "user"}
SYNC: Final = {"id": "005SM0000001IntYAE", "kind": "integration"}

_Event = tuple[str, dict[str, Any]]

LIFE: Final[tuple[_Event, ...]] = (
    (
        "2026-08-17T09:30:00Z",
        {
            "kind": "created",
            "values": {
                "name": "Acme - 400 Widgets",
                "account": "001SM0000005AcmYAE",
                "owner_id": "005SM0000002SelYAE",
                "stage": "Qualification",
                "forecast_category": "Pipeline",
                "close_date": "2026-12-18",
                "currency": "USD",
            },
        },
    ),
    (
        "2026-09-10T14:00:00Z",
        {
            "kind": "line_item",
            "line_item_id": "00kSM0000003LinYAE",
            "writer": SYNC,
            "values": {"quantity": "400", "unit_price": "220.00", "list_price": "250.00"},
        },
    ),
    (
        "2026-09-10T14:00:00Z",
        {
            "kind": "changed",
            "values": {"amount": "88000.00", "stage": "Proposal/Price Quote", "next_step": "Reference"},
        },
    ),
    ("2026-10-05T08:10:00Z", {"kind": "activity", "direction": "inbound", "channel": "email"}),
    (
        "2026-11-02T10:00:00Z",
        {
            "kind": "changed",
            "values": {"stage": "Negotiation/Review", "forecast_category": "Commit", "labels.region": "EMEA"},
        },
    ),
    ("2026-11-20T10:00:00Z", {"kind": "gap"}),
    (
        "2026-11-20T10:05:00Z",
        {"kind": "snapshot", "writer": SYNC, "values": {"stage": "Negotiation/Review", "close_date": "2026-12-18"}},
    ),
    (
        "2026-12-23T16:40:00Z",
        {"kind": "changed", "values": {"close_date": "2026-12-30"}},
    ),
    (
        "2026-12-28T16:40:00Z",
        {
            "kind": "line_item",
            "line_item_id": "00kSM0000003LinYAE",
            "values": {"unit_price": "195.00"},
        },
    ),
    (
        "2026-12-29T17:05:00Z",
        {
            "kind": "line_item",
            "line_item_id": "00kSM0000003LinYAE",
            "values": {"unit_price": "170.00"},
        },
    ),
    (
        "2026-12-29T17:20:00Z",
        {
            "kind": "answer",
            "answer": "not_right",
            "by": "005SM0000002SelYAE",
            "note": "Agreed in May.",
            "rule": "late-discount",
        },
    ),
    (
        "2026-12-30T15:00:00Z",
        {
            "kind": "changed",
            "values": {"stage": "Closed Won", "forecast_category": "Closed", "close_date": "2026-12-30"},
        },
    ),
    ("2027-01-11T09:00:00Z", {"kind": "reclassified", "changes": ["sf:0000046e-03:1"]}),
    ("2027-02-01T09:00:00Z", {"kind": "deleted", "writer": {"id": "005SM0000001AdmYAE", "kind": "admin"}}),
    ("2027-02-01T09:20:00Z", {"kind": "restored", "writer": {"id": "005SM0000001AdmYAE", "kind": "admin"}}),
)
"""A deal that is discounted twice in the last days of its quarter, and won."""


class _Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    offset: int


def life() -> list[dict[str, Any]]:
    """The deal's changes as ``opportunity-change.v1``."""
    events = []
    for number, (at, what) in enumerate(LIFE, 1):
        transaction = f"0000046e-{number:02d}"
        event = {
            "schema": SCHEMA,
            "id": f"sf:{transaction}:1",
            "opportunity_id": DEAL,
            "source": "salesforce",
            "occurred_at": at,
            "kind": what["kind"],
            "writer": SELLER,
            "transaction": transaction,
            **what,
        }
        if what["kind"] == "reclassified":
            del event["id"], event["writer"], event["transaction"]
        events.append(event)
    return events


def run(events: list[dict[str, Any]]) -> Output:
    """What the core, with the default policy, says of the events; an hour's clock records between them."""
    partition = Partition(0, "", {}, compile_text)
    log: list[tuple[bytes | None, bytes]] = []
    clock = parse_instant(events[0]["occurred_at"])
    for event in events:
        at = parse_instant(event["occurred_at"])
        while clock + HOUR <= at:
            clock += HOUR if at - clock < 2 * DAY else DAY
            log.append((None, encode_clock(clock)))
        log.append((DEAL.encode(), json.dumps(event).encode()))
    said = Output()
    for offset, (key, value) in enumerate(log):
        outputs = [partition.apply([_Record(key, value, offset)])]
        while (settled := partition.settle()) is not None:
            outputs.append(settled)
        for output in outputs:
            said.alerts += output.alerts
            said.wins += output.wins
            said.rereads += output.rereads
            said.facts |= output.facts
            said.dead_letters += output.dead_letters
    return said


def examples() -> dict[str, dict[str, Any]]:
    """The examples by file name, ``<schema>.<what>.json``: of each kind the first."""
    found: dict[str, dict[str, Any]] = {}
    events = life()
    for event in events:
        found.setdefault(f"{SCHEMA}.{event['kind']}", event)
    at = format_instant(parse_instant(LIFE[-1][0]))
    found[f"{SCHEMA}.clock"] = {"kind": "clock", "at": at}
    found[f"{SCHEMA}.policy"] = {"kind": "policy", "at": at, "policy": "rules:\n  late-discount: shadow\n"}
    said = run(events)
    alerts = [json.loads(value) for _, value in said.alerts]
    for alert in sorted(alerts, key=lambda alert: bool(alert["rule"] != "late-discount")):
        found.setdefault(f"alert.v1.{alert['transition']}", alert)
    for _, value in said.wins:
        found.setdefault("win.v1", json.loads(value))
    for _, value in said.rereads:
        found.setdefault("reread.v1.deal", json.loads(value))
    found["alert.v1.owner"] = _of_an_owner()
    found["facts.v1.deals"] = json.loads(next(encode_facts([*said.facts.values()][-1:], 2)))
    found["facts.v1.mark"] = json.loads(encode_mark(parse_instant(at), 2, 4))
    found["facts.v1.policy"] = found[f"{SCHEMA}.policy"]
    found["reread.v1.entity"] = _lost()
    found["reply.v1"] = _answered(found["alert.v1.opened"])
    found["dead-letter.v1"] = _refused()
    found["dead-letter.v1.closed"] = _closed()
    return {f"{name}.json": example for name, example in found.items()}


def _of_an_owner() -> dict[str, Any]:
    """An alert about several deals: the first of the example on a rule's page."""
    example = bulk_push.RULE.doc.partition("```timeline\n")[2].partition("```")[0]
    told = [alert for seen in timeline.run(timeline.parse(example), compile_text) for alert in seen.alerts]
    return next(alert for alert in told if alert["rule"] == bulk_push.RULE.name)


def _answered(alert: dict[str, Any]) -> dict[str, Any]:
    """What the press of a button says."""
    import msgspec

    from wellwon.deliver.items import ANSWERED, Reply

    about = alert["opportunity_id"], ANSWERED, "2026-12-28T17:02:00Z", "Ann Lee", alert["fingerprint"]
    reply: dict[str, Any] = msgspec.to_builtins(Reply("5f0c1a", *about, "approved"))
    return reply


def _lost() -> dict[str, Any]:
    from wellwon.sources.change import Reread

    at = parse_instant("2026-11-20T10:00:00Z")
    lost = Reread("Opportunity", "salesforce", at, "overflow", "sf:0000046e-16:1", since=at - 3_600_000)
    return lost.event()


def _closed() -> dict[str, Any]:
    """What stands in the topic after a redrive."""
    from wellwon.runtime.deadletters import REDRIVEN, encode_closed

    closed: dict[str, Any] = json.loads(encode_closed(REDRIVEN, [0], parse_instant("2026-09-10T15:20:00Z")))
    return closed


def _refused() -> dict[str, Any]:
    """A dead letter as the worker writes it."""
    from wellwon.runtime.deadletters import encode

    event = {**life()[2], "values": {"amount": "eighty-eight thousand"}}
    value = json.dumps(event).encode()
    refused = Partition(0, "", {}, compile_text).apply([_Record(DEAL.encode(), value, 1041)]).dead_letters[0]
    refusal: dict[str, Any] = json.loads(
        encode(refused, "wellwon.opportunity-changes", 2, parse_instant("2026-09-10T14:00:02Z"))
    )
    return refusal
