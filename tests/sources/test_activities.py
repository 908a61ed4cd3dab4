"""Tasks, meetings and quotes: which of them touch a deal, and from which side."""

from __future__ import annotations

from typing import Any

import pytest

from wellwon.sources.activities import Activities
from wellwon.sources.change import Ignored, Reread
from wellwon.sources.salesforce import SalesforceCdc

from .test_salesforce import DEAL, OTHER, VIEW, event, one, read

TASK = "00TWx000000TaskEAA"
MEETING = "00UWx000000MeetEAA"
QUOTE = "0Q0Wx000000QuotEAA"
ACCOUNT = "001Wx000000AcctEAA"


def about(entity: str, body: dict[str, Any], change: str = "UPDATE", **fields: Any) -> dict[str, Any]:
    record = {"Task": TASK, "Event": MEETING, "Quote": QUOTE}[entity]
    return event(body, change, **{"entityName": entity, "recordIds": [record], **fields})


@pytest.mark.parametrize(
    ("entity", "body", "change", "direction", "channel"),
    [
        ("Task", {"WhatId": DEAL, "Status": "Completed", "TaskSubtype": "Email"}, "CREATE", "outbound", "email"),
        ("Task", {"WhatId": DEAL, "Status": "Completed"}, "CREATE", "outbound", "task"),
        (
            "Task",
            {"WhatId": DEAL, "Status": "Completed", "TaskSubtype": "Call", "CallType": "Inbound"},
            "CREATE",
            "inbound",
            "call",
        ),
        ("Task", {"WhatId": DEAL, "IsClosed": True}, "CREATE", "outbound", "task"),
        ("Event", {"WhatId": DEAL, "Subject": "Demo"}, "CREATE", "outbound", "meeting"),
        ("Quote", {"OpportunityId": DEAL, "Status": "Presented"}, "CREATE", "outbound", "quote"),
        ("Quote", {"OpportunityId": DEAL, "Status": "Accepted"}, "UPDATE", "inbound", "quote"),
        ("Quote", {"OpportunityId": DEAL, "Status": "Denied"}, "UPDATE", "inbound", "quote"),
    ],
)
def test_touches(entity: str, body: dict[str, Any], change: str, direction: str, channel: str) -> None:
    touch = one(about(entity, body, change))
    assert (touch["kind"], touch["opportunity_id"]) == ("activity", DEAL)
    assert (touch["direction"], touch["channel"], touch["values"]) == (direction, channel, {})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (about("Task", {"WhatId": DEAL, "Status": "Open"}, "CREATE"), "no_touch"),
        (about("Task", {"WhatId": ACCOUNT, "Status": "Completed"}, "CREATE"), "other_activity"),
        (about("Task", {"Status": "Completed"}, "CREATE"), "other_activity"),
        (about("Task", {"Status": "Completed"}), "unknown_activity"),
        (about("Task", {"WhatId": DEAL, "Status": "Completed"}, "DELETE"), "no_touch"),
        # An enrichment field is in the body of a change that is not about it.
        (about("Task", {"WhatId": DEAL, "Status": "Completed"}, changedFields=["Priority"]), "no_touch"),
        (about("Event", {"WhatId": DEAL, "IsChild": True}, "CREATE"), "no_touch"),
        (about("Event", {"WhatId": DEAL, "Subject": "Demo, moved"}), "no_touch"),
        (about("Quote", {"OpportunityId": DEAL, "Status": "Draft"}, "CREATE"), "no_touch"),
        (about("Quote", {"OpportunityId": DEAL, "Status": "In Review"}), "no_touch"),
        (about("Quote", {"OpportunityId": DEAL, "Status": {"x": 1}}), "no_touch"),
    ],
)
def test_what_is_no_touch(value: dict[str, Any], why: str) -> None:
    assert read(value) == [Ignored(why)]


def test_a_task_is_completed_after_it_was_made() -> None:
    mapper = SalesforceCdc(VIEW)
    made = about("Task", {"WhatId": DEAL, "Status": "Open", "CallType": "Inbound"}, "CREATE")
    assert read(made, mapper) == [Ignored("no_touch")]
    done = one(about("Task", {"Status": "Completed"}, transactionKey="later"), mapper)
    assert (done["opportunity_id"], done["direction"]) == (DEAL, "inbound")


def test_a_task_that_goes_to_another_deal_touches_that_one() -> None:
    mapper = SalesforceCdc(VIEW)
    read(about("Task", {"WhatId": DEAL, "Status": "Open"}, "CREATE"), mapper)
    read(about("Task", {"WhatId": OTHER}), mapper)
    assert one(about("Task", {"Status": "Completed"}), mapper)["opportunity_id"] == OTHER
    read(about("Task", {"WhatId": None}), mapper)
    assert read(about("Task", {"Status": "Completed"}), mapper) == [Ignored("other_activity")]


def test_the_oldest_are_forgotten() -> None:
    activities = Activities(limit=1)
    for record in ("a", "b"):
        activities.read("Task", record, "created", {"WhatId": DEAL}, None)
    done = ({"Status": "Completed"}, {"Status"})
    assert activities.read("Task", "a", "changed", *done) == Ignored("unknown_activity")


def test_our_own_tasks_and_lost_ones() -> None:
    body = {"WhatId": DEAL, "Status": "Completed"}
    ours = about("Task", body, "CREATE", changeOrigin="com/salesforce/api/rest/66.0;client=wellwon")
    assert read(ours) == [Ignored("own_echo")]
    (lost,) = read(about("Task", {}, "GAP_OVERFLOW", recordIds=["000000000000000AAA"]))
    assert isinstance(lost, Reread)
