"""What a CRM says when it is asked again, in the core: state without behaviour, and a past that no merge ends."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from fakes import hubspot
from wellwon.core.partition import Partition
from wellwon.core.units import DAY, HOUR, format_instant, parse_instant
from wellwon.core.wire import encode_clock
from wellwon.policy import compile_text
from wellwon.policy.model import FIELDS
from wellwon.sources.change import Rejected, Reread, Unreadable, encode
from wellwon.sources.hubspot import HubSpotWebhooks
from wellwon.sources.mapping import SourceView
from wellwon.sources.reread import SalesforceRecords, hubspot_history, read_request

VIEW = SourceView(dict(FIELDS))
DEAL = "006SM0000001Tb3YAE"
NOW = parse_instant("2026-10-14T10:00:00Z")


def alerts(events: Iterable[Any], until: int) -> list[dict[str, Any]]:
    """What the core says of these, one after another, its clock being at `until` all the time."""
    partition = Partition(0, "", {}, compile_text)
    records = [(None, encode_clock(until))]
    records += [(one["opportunity_id"].encode(), encode(one)) for one in events if isinstance(one, dict)]
    records += [(None, encode_clock(until + HOUR))]
    told: list[dict[str, Any]] = []
    for offset, (key, value) in enumerate(records):
        found = [partition.apply([SimpleNamespace(key=key, value=value, offset=offset, timestamp=until)])]
        while (settled := partition.settle()) is not None:
            found.append(settled)
        for out in found:
            assert not out.dead_letters, out.dead_letters[0].detail
            told += [orjson.loads(value) for _, value in out.alerts]
    return told


def dates(deal: int, *moves: tuple[str, str]) -> list[dict[str, Any]]:
    """Close dates that a person set, as webhooks."""
    return [hubspot.changed("closedate", date, at=parse_instant(f"{day}T12:00:00Z"), deal=deal) for day, date in moves]


PUSHES = (("2026-02-01", "2026-06-30"), ("2026-06-20", "2026-09-30"), ("2026-09-20", "2026-12-31"))


def history(pushes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The same, as HubSpot's API tells it, the latest first."""
    versions = [
        {"value": date, "timestamp": f"{day}T12:00:00Z", "sourceType": "CRM_UI", "sourceId": "userId:864745280"}
        for day, date in pushes
    ]
    stage = {"value": "Discovery", "timestamp": "2026-01-05T09:00:00Z", "sourceType": "CRM_UI", "sourceId": "userId:1"}
    return {
        "createdAt": "2026-01-05T09:00:00Z",
        "propertiesWithHistory": {"closedate": versions[::-1], "dealstage": [stage]},
    }


def test_a_merge_does_not_launder_pushes() -> None:
    """The primary was pushed over two quarters' ends; the deal that HubSpot made of it is flagged for the same."""
    mapper = HubSpotWebhooks(VIEW)
    born = hubspot.event("deal.creation", at=parse_instant("2026-01-05T09:00:00Z"), deal=1)
    before = [*mapper.read(orjson.dumps([born, *dates(1, *PUSHES)]))]
    merge = hubspot.event("deal.merge", at=NOW, deal=1, primaryObjectId=1, mergedObjectIds=[2], newObjectId=9)
    *ended, asked = mapper.read(orjson.dumps([merge]))
    assert isinstance(asked, Reread)
    after = hubspot_history(mapper, asked.deal, history(PUSHES))
    told = [one for one in alerts([*before, *ended, *after], NOW) if one["rule"] == "close-date-push"]
    primary, new = (
        [(one["transition"], one["severity"]) for one in told if one["opportunity_id"] == deal] for deal in ("1", "9")
    )
    assert [what for what, _ in primary] == ["opened", "changed", "resolved"]
    assert new == primary[:-1]


def test_a_snapshot_is_no_push_and_the_push_after_it_is_one() -> None:
    records = SalesforceRecords(VIEW)

    def saved(at: int, kind: str = "changed", **values: Any) -> dict[str, Any]:
        return {
            "schema": "opportunity-change.v1", "id": f"{at}", "opportunity_id": DEAL, "source": "salesforce",
            "occurred_at": format_instant(at), "kind": kind, "writer": {"id": "005A", "kind": "user"}, "values": values,
        }  # fmt: skip

    def read(at: int, date: str) -> list[Any]:
        row = {"Id": DEAL, "StageName": "Discovery", "CloseDate": date, "SystemModstamp": format_instant(at)}
        return records.outcomes("Opportunity", row, at, "x")

    born = saved(NOW - 60 * DAY, "created", stage="Discovery", close_date="2026-11-30")
    lost = [born, saved(NOW - DAY, "gap"), *read(NOW - HOUR, "2027-06-30")]
    assert [one for one in alerts(lost, NOW) if one["rule"] == "close-date-push"] == []
    pushed = [*lost, saved(NOW, close_date="2027-12-31")]
    assert [one["transition"] for one in alerts(pushed, NOW) if one["rule"] == "close-date-push"] == ["opened"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "no reread.v1"),
        (b"[]", "no reread.v1"),
        (b'{"source":"salesforce","reason":"gap","at":"yesterday","opportunity_id":"1"}', "no reread.v1"),
        (b'{"source":"s","reason":"gap","at":"2026-10-14T10:00:00Z","entity":"O","since":"x"}', "no reread.v1"),
        (b'{"source":"salesforce","reason":"gap","at":"2026-10-14T10:00:00Z"}', "neither a deal nor an entity"),
    ],
)
def test_what_is_no_request(value: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_request(value)


@pytest.mark.parametrize(
    "record", [{}, {"createdAt": "never"}, {"createdAt": "2026-01-05T09:00:00Z", "propertiesWithHistory": {"a": [{}]}}]
)
def test_a_history_that_cannot_be_read_is_kept(record: dict[str, Any]) -> None:
    (outcome,) = hubspot_history(HubSpotWebhooks(VIEW), "9", record)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.original) == ("bad_history", orjson.dumps(record))


def test_a_value_that_cannot_be_read_is_kept_and_says_which() -> None:
    row = {"Id": DEAL, "Amount": "much", "SystemModstamp": format_instant(NOW)}
    (outcome,) = SalesforceRecords(VIEW).outcomes("Opportunity", row, NOW, "x")
    assert isinstance(outcome, Rejected)
    assert "Amount" in outcome.detail
