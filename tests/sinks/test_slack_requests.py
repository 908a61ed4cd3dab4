"""What people press: only Slack may say so, once, within minutes; and it says what was pressed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from told import START, alert_record
from wellwon.core.units import DAY, parse_instant
from wellwon.deliver.cards import AlertCard
from wellwon.deliver.items import read_alert
from wellwon.sinks.layout import layout
from wellwon.sinks.slack_blocks import message
from wellwon.sinks.slack_requests import WINDOW_S, Forged, Meaningless, Verifier, read

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_531_420_618
MARK = "late-discount:d1:2026-Q4"


def sign(body: bytes, at: int = NOW, secret: str = SECRET) -> tuple[str, str]:
    signed = b"v0:%d:" % at + body
    return str(at), "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def pressed(action: str, **more: Any) -> bytes:
    """The request that Slack sends for a press on our own message."""
    blocks = message(layout(AlertCard(read_alert(alert_record())), zone="UTC", page="https://page"), buttons=True)
    elements = blocks["blocks"][-1]["elements"]
    element = next(one for one in elements if one["action_id"] == action)
    about = {key: element[key] for key in ("action_id", "value") if key in element} | {"action_ts": "1.5"} | more
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ann", "name": "Ann"},
        "actions": [about],
        "message": blocks,
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def test_the_documented_example_is_accepted() -> None:
    # The worked example of Slack's own documentation.
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    Verifier(SECRET).check("1531420618", signature, body, NOW)


@pytest.mark.parametrize(
    ("stamp", "signature"),
    [
        (str(NOW), "v0=" + "0" * 64),
        (str(NOW), ""),
        (str(NOW), "v1=é"),
        (str(NOW), "v0=\udcff"),
        ("", sign(b"x")[1]),
        ("soon", sign(b"x")[1]),
        sign(b"x", NOW - WINDOW_S - 1),
        sign(b"x", NOW + WINDOW_S + 1),
        sign(b"x", secret="another"),
        sign(b"y"),
    ],
)
def test_forged_requests_are_refused(stamp: str, signature: str) -> None:
    with pytest.raises(Forged):
        Verifier(SECRET).check(stamp, signature, b"x", NOW)


def test_a_replayed_request_is_refused() -> None:
    verifier = Verifier(SECRET)
    verifier.check(*sign(b"x"), b"x", NOW)
    with pytest.raises(Forged, match="seen before"):
        verifier.check(*sign(b"x"), b"x", NOW + 10)
    verifier.check(*sign(b"y"), b"y", NOW + 10)


@pytest.mark.parametrize(
    ("action", "kind", "answer"),
    [("traded", "answered", "traded"), ("approved", "answered", "approved"), ("acknowledge", "acknowledged", "")],
)
def test_buttons_say_what_they_are_about(action: str, kind: str, answer: str) -> None:
    reply = read(pressed(action), START)
    assert reply is not None
    assert (reply.kind, reply.answer, reply.by) == (kind, answer, "Ann")
    assert (reply.opportunity_id, reply.fingerprint) == ("d1", MARK)
    again = read(pressed(action), START + 5)
    assert again is not None
    assert again.id == reply.id, "a press has one id however often it is told"


def test_the_menu_gives_the_reason_and_a_snooze_the_time() -> None:
    reply = read(pressed("not_right", selected_option={"value": "buyer"}), START)
    assert reply is not None
    assert (reply.answer, reply.note, reply.fingerprint) == ("not_right", "The buyer asked for it", MARK)
    snooze = read(pressed("snooze"), START)
    assert snooze is not None
    assert parse_instant(snooze.until) == START + DAY
    assert read(pressed("timeline"), START) is None


@given(
    st.one_of(
        st.binary(),
        st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)),
    )
)
def test_whatever_is_signed_and_not_ours_is_refused(payload: Any) -> None:
    body = payload if isinstance(payload, bytes) else urlencode({"payload": json.dumps(payload)}).encode()
    with pytest.raises(Meaningless):
        read(body, START)
