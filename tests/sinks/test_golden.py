"""What each sink shows, word for word. ``WELLWON_TEST_UPDATE=yes`` writes the pages anew: read the difference."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from told import START, alert_record, win_record
from wellwon.core.units import DAY
from wellwon.deliver.cards import (
    AlertCard,
    CallCard,
    Card,
    DigestCard,
    DigestLine,
    HandoverCard,
    RawCard,
    Said,
    Sum,
    WinCard,
)
from wellwon.deliver.items import read_alert, read_win
from wellwon.sinks import email_text, slack_blocks, teams_card, webhook_body
from wellwon.sinks.layout import Layout, layout

GOLDEN = Path(__file__).parent.parent / "golden"

EVIDENCE = {
    "before": "12 %",
    "after": "22 %",
    "when": "2026-12-28T16:40:00Z",
    "writer": "user",
    "days_to_period_end": 3,
    "threshold": "raised by 5 points or more in one save inside the window",
    "points": "10",
    "baseline": "12 %",
    "norm": "insufficient_history",
    "off_list": "10000.00",
    "traded": False,
    "approved": False,
    "clears": "the discount is back under 17 %; record the trade or the approval and it is information only",
}
ALERT = read_alert(alert_record(deal="006SM0000001Tb3YAE", name="Acme", evidence=EVIDENCE))
PUSH = read_alert(
    alert_record(
        "push-to-close",
        "006SM0000001Tb3YAE",
        family="pressure",
        severity="high",
        title="Northwind - $120k - 4 acts in 3 days, 2 days before quarter end",
        evidence={
            "before": None,
            "after": None,
            "when": "2026-12-29T16:40:00Z",
            "acts": [
                {"when": "27 Dec", "what": "pulled in from 18 Jan"},
                {"when": "28 Dec", "what": "discount 10 to 18 %"},
            ],
            "threshold": "3 acts of 2 kinds in 2 saves",
            "clears": "the period is over",
        },
    )
)
DATA = read_alert(
    alert_record(
        "past-due-close-date", "d9", family="data", severity="info", title="Globex - $7k - close date passed 3 days ago"
    )
)
WIN = read_win(win_record(amount="120000.00", name="Northwind"))
HARD = read_win(
    win_record(
        name="Northwind",
        reading="pressured",
        price_held="no",
        date_held="no",
        buyer_answered="no",
        discount_percent="32",
        date_before="2027-01-18",
    )
)
CARDS: dict[str, Card] = {
    "alert": AlertCard(ALERT),
    "pressure": AlertCard(PUSH, (ALERT,), (Said("answered", "buyer_date", "Ann", "They sign on 30 Dec", START),), True),
    "resolved": AlertCard(
        read_alert(
            alert_record(
                revision=2,
                transition="resolved",
                reason="retracted",
                evidence={},
                title="Acme - $88k - late-discount was taken back",
            )
        )
    ),
    "win": WinCard(WIN),
    "handover": HandoverCard(HARD, (Said("noted", "", "Ann", "They go live in March", START),)),
    "digest": DigestCard(
        (DigestLine(ALERT, "cap"), DigestLine(PUSH, "small", 1), DigestLine(DATA, "quiet")), 5, 2, deals=4
    ),
    "first": DigestCard((DigestLine(ALERT, "first"),), 1, 0, first=True, deals=1),
    "policy": DigestCard((DigestLine(ALERT, "policy"), DigestLine(PUSH, "policy")), 2, 0, deals=2),
    "call": CallCard(
        START - 7 * DAY,
        START,
        (
            Sum("EMEA", "added", "USD", 3, 12_000_000, ("Acme", "Globex", "Initech"), ("d1", "d2", "d/3")),
            Sum("EMEA", "slipped", "USD", 1, 8_400_000, ("Northwind",), ("d4",)),
            Sum("", "won, earned", "EUR", 1, 1_200_000, ("Umbrella",)),
        ),
    ),
}


def as_json(message: Any) -> str:
    return json.dumps(message, indent=1, ensure_ascii=False) + "\n"


SINKS: dict[str, tuple[str, Callable[[Layout], str]]] = {
    "slack": ("json", lambda parts: as_json(slack_blocks.message(parts, buttons=True))),
    "teams": ("json", lambda parts: as_json(teams_card.message(parts))),
    "email": ("txt", email_text.text),
    "email-html": ("html", email_text.html),
}


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("sink", SINKS)
def test_as_it_was_read_and_found_good(name: str, sink: str) -> None:
    ending, render = SINKS[sink]
    shown = render(layout(CARDS[name], zone="Europe/Berlin", page="https://wellwon.example.com"))
    path = GOLDEN / f"{name}.{sink}.{ending}"
    if os.environ.get("WELLWON_TEST_UPDATE") == "yes":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown)
    assert shown == path.read_text()


def test_what_happened_is_said_with_its_days_and_dates() -> None:
    pushes = [
        {"on": "2026-07-23", "before": "2026-08-31", "after": "2026-09-17", "days": 17},
        {"on": "2026-09-17", "before": "none", "after": "2026-09-18", "days": 1},
    ]
    evidence = {"before": "2026-08-31", "after": "2026-09-18", "pushes": pushes, "acts": [{"when": "2026-09-17"}]}
    first, second = layout(AlertCard(read_alert(alert_record(evidence=evidence))), zone="UTC").lines
    assert first == "31 Aug 2026 to 18 Sep 2026."
    assert second == (
        "Pushes: 23 Jul 2026, 31 Aug 2026 to 17 Sep 2026, 17 days; 17 Sep 2026, none to 18 Sep 2026, 1 day."
        " Acts: 17 Sep 2026."
    )


@pytest.mark.parametrize("name", ["digest", "call"])
@pytest.mark.parametrize("sink", SINKS)
def test_each_deal_in_a_digest_leads_to_its_page(name: str, sink: str) -> None:
    deals = {"digest": ("006SM0000001Tb3YAE", "d9"), "call": ("d1", "d2", "d%2F3", "d4")}[name]
    shown = SINKS[sink][1](layout(CARDS[name], zone="UTC", page="https://wellwon.example.com/"))
    for deal in deals:
        assert f"https://wellwon.example.com/deals/{deal}" in shown
    assert "/deals/" not in SINKS[sink][1](layout(CARDS[name], zone="UTC"))


@pytest.mark.parametrize("name", CARDS)
def test_no_message_judges_a_person_or_a_win(name: str) -> None:
    shown = email_text.text(layout(CARDS[name], zone="UTC")).lower()
    assert "pressured" not in shown
    assert "your fault" not in shown


def test_a_webhook_is_signed_as_the_convention_says() -> None:
    # The worked example of the convention's own specification.
    key = webhook_body.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhook_body.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_carries_the_record_as_it_was_published() -> None:
    record = alert_record()
    sent = json.loads(webhook_body.body(RawCard("x", "alert.v1", record)))
    assert sent == {"type": "alert.v1", "timestamp": json.loads(record)["at"], "data": json.loads(record)}


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!"])
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(webhook_body.BadSecret) as error:
        webhook_body.key_of(secret)
    assert len(secret) < 7 or secret not in str(error.value)
