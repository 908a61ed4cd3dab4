"""Each sink against a server that speaks its wire format and misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from aiohttp import web

from fakes import smtp
from fakes import web as fake
from told import alert_record
from wellwon.deliver.cards import AlertCard, RawCard
from wellwon.deliver.items import read_alert
from wellwon.sinks import webhook_body
from wellwon.sinks.email import Email
from wellwon.sinks.guard import check_url, is_public
from wellwon.sinks.http import Client
from wellwon.sinks.slack import Slack, SlackWebhook
from wellwon.sinks.teams import Teams
from wellwon.sinks.transport import Delivered, Later, Outcome, Parcel, Refused, Transport, retry_after
from wellwon.sinks.webhook import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CARD = AlertCard(read_alert(alert_record()))
PRIVATE = Parcel("m1", "ann@example.com", True, CARD, "UTC")
CHANNEL = replace(PRIVATE, to="C01", private=False)
RAW = Parcel("m2", "", False, RawCard("late-discount:d1:2026-Q4:1", "alert.v1", alert_record()), "UTC")


def send(transport: Transport, *parcels: Parcel) -> list[Outcome]:
    async def run() -> list[Outcome]:
        try:
            return [await transport.send(parcel) for parcel in parcels]
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def slack_of(stack: ExitStack, workspace: fake.Workspace, **about: object) -> tuple[Slack, fake.Server]:
    server = stack.enter_context(fake.running(fake.slack(workspace)))
    client = Client(private=True, timeout=0.3)
    return Slack(lambda: "xoxb-good", client, api=server.url, page="https://page"), server


def test_slack_finds_the_owner_by_e_mail_once_and_edits_in_place(stack: ExitStack) -> None:
    workspace = fake.Workspace()
    slack, _ = slack_of(stack, workspace)

    async def run() -> None:
        first = await slack.send(PRIVATE)
        assert isinstance(first, Delivered)
        assert first.ref.startswith("DU1:")
        assert isinstance(await slack.send(PRIVATE), Delivered)
        ended = AlertCard(read_alert(alert_record(revision=2, transition="resolved", title="Acme - over")))
        assert await slack.send(replace(PRIVATE, card=ended, refs=(first.ref,))) == Delivered()
        root = await slack.send(CHANNEL)
        assert isinstance(root, Delivered)
        thread = await slack.send(replace(CHANNEL, thread=root.ref))
        assert isinstance(thread, Delivered)
        await slack.close()

    asyncio.run(run())
    assert workspace.calls == {"users.lookupByEmail": 1, "chat.postMessage": 4, "chat.update": 1}
    edited, _, root, threaded = workspace.messages.items()
    assert edited[1]["text"] == "Acme - over"
    assert (threaded[1]["thread_ts"], threaded[1]["reply_broadcast"]) == (root[0][1], True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("ratelimited", Later),
        ("internal_error", Later),
        ("token_expired", Later),
        ("invalid_auth", Later),
        ("channel_not_found", Refused),
        ("is_archived", Refused),
        ("invalid_blocks", Refused),
        ("a_new_error", Refused),
    ],
)
def test_slack_says_no_with_status_200(stack: ExitStack, error: str, expected: type) -> None:
    slack, server = slack_of(stack, fake.Workspace())
    server.misbehave = lambda request: web.json_response({"ok": False, "error": error})
    (outcome,) = send(slack, CHANNEL)
    assert isinstance(outcome, expected)
    assert error in outcome.why


def test_where_the_thread_is_gone_the_message_stands_by_itself(stack: ExitStack) -> None:
    workspace = fake.Workspace()
    slack, _ = slack_of(stack, workspace)
    (outcome,) = send(slack, replace(CHANNEL, thread="C01:1600000000.000001"))
    assert isinstance(outcome, Delivered)
    (message,) = workspace.messages.values()
    assert "thread_ts" not in message


def test_slack_asks_for_patience(stack: ExitStack) -> None:
    slack, server = slack_of(stack, fake.Workspace())
    server.misbehave = lambda request: web.Response(status=429, headers={"Retry-After": "7"})
    assert send(slack, CHANNEL) == [Later("chat.postMessage: too many requests", 7.0)]


def test_an_unknown_person_is_refused_and_an_unanswered_question_is_no_post(stack: ExitStack) -> None:
    slack, server = slack_of(stack, fake.Workspace(users={}))
    assert send(slack, PRIVATE) == [Refused("users.lookupByEmail: users_not_found")]
    slack, server = slack_of(stack, fake.Workspace())
    server.misbehave = lambda request: 2.0
    (outcome,) = send(slack, PRIVATE)
    assert isinstance(outcome, Later)
    assert not outcome.unsure


def test_no_answer_in_time_may_have_arrived_and_no_connection_has_not(stack: ExitStack) -> None:
    slack, server = slack_of(stack, fake.Workspace())
    server.misbehave = lambda request: 2.0
    (outcome,) = send(slack, CHANNEL)
    assert outcome == Later("no answer in time", unsure=True)
    nobody = Slack(lambda: "x", Client(private=True), api="http://127.0.0.1:9")
    (outcome,) = send(nobody, CHANNEL)
    assert isinstance(outcome, Later)
    assert not outcome.unsure


def test_a_rotated_token_is_taken_up(stack: ExitStack) -> None:
    workspace = fake.Workspace(token="xoxb-new")
    server = stack.enter_context(fake.running(fake.slack(workspace)))
    token = ["xoxb-old"]
    slack = Slack(lambda: token[0], Client(private=True), api=server.url)

    async def run() -> list[Outcome]:
        before = await slack.send(CHANNEL)
        token[0] = "xoxb-new"
        after = await slack.send(CHANNEL)
        await slack.close()
        return [before, after]

    before, after = asyncio.run(run())
    assert isinstance(before, Later)
    assert before.seconds == 60
    assert isinstance(after, Delivered)


def test_slacks_incoming_webhook(stack: ExitStack) -> None:
    server = stack.enter_context(fake.running(fake.incoming_webhook()))
    hook = SlackWebhook(lambda: server.url, Client(private=True))
    assert send(hook, CHANNEL) == [Delivered()]
    assert all(block["type"] != "actions" for block in server.taken[0].json["blocks"])
    server.misbehave = lambda request: web.Response(status=404, text="no_service")
    assert send(SlackWebhook(lambda: server.url, Client(private=True)), CHANNEL) == [Refused("HTTP 404: no_service")]


@pytest.mark.parametrize(
    ("status", "expected"), [(202, Delivered), (429, Later), (500, Later), (404, Later), (400, Refused)]
)
def test_teams(stack: ExitStack, status: int, expected: type) -> None:
    server = stack.enter_context(fake.running(fake.receiver()))
    server.misbehave = lambda request: web.Response(status=status) if status != 202 else None
    (outcome,) = send(Teams(lambda: server.url, Client(private=True)), CHANNEL)
    assert isinstance(outcome, expected)
    card = server.all[0].json["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"


def test_a_webhook_is_signed_with_both_secrets_and_keeps_its_id(stack: ExitStack) -> None:
    server = stack.enter_context(fake.running(fake.receiver()))
    other = "whsec_" + "B" * 32
    hook = Webhook(lambda: server.url, lambda: f"{SECRET} {other}", Client(private=True))
    assert send(hook, RAW, RAW) == [Delivered(), Delivered()]
    first, second = server.taken
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "late-discount:d1:2026-Q4:1"
    signed = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.".encode() + first.body
    expected = [
        webhook_body.base64.b64encode(hmac.new(webhook_body.key_of(key), signed, hashlib.sha256).digest()).decode()
        for key in (SECRET, other)
    ]
    assert first.headers["webhook-signature"].split() == [f"v1,{signature}" for signature in expected]
    assert json.loads(first.body)["type"] == "alert.v1"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(204, Delivered), (302, Later), (404, Later), (429, Later), (503, Later), (400, Refused), (410, Refused)],
)
def test_what_a_receiver_answers(stack: ExitStack, status: int, expected: type) -> None:
    server = stack.enter_context(fake.running(fake.receiver()))
    server.misbehave = lambda request: web.Response(status=status, headers={"Location": "http://169.254.169.254/"})
    (outcome,) = send(Webhook(lambda: server.url, lambda: SECRET, Client(private=True)), RAW)
    assert isinstance(outcome, expected)
    assert len(server.all) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://192.168.0.1:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00::1]/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0.0.0.0/",
        "http://example.com/",
        "ftp://example.com/",
        "nonsense",
    ],
)
def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address") as error:
        check_url(url, private=False)
    assert url not in str(error.value)


def test_public_addresses_are_not() -> None:
    check_url("https://hooks.example.com/secret", private=False)
    check_url("https://93.184.216.34/", private=False)
    assert not is_public("64:ff9b::a00:1")
    assert not is_public("2002:0a00:0001::1")


def test_a_name_that_leads_to_a_private_address_is_refused_too(stack: ExitStack) -> None:
    server = stack.enter_context(fake.running(fake.receiver()))
    hook = Webhook(lambda: f"https://localhost:{server.port}", lambda: SECRET, Client(private=False))
    (outcome,) = send(hook, RAW)
    assert isinstance(outcome, Later)
    assert "Forbidden" in outcome.why
    assert server.all == []


def test_an_address_that_became_private_since_the_start_is_refused_too(stack: ExitStack) -> None:
    server = stack.enter_context(fake.running(fake.receiver()))
    for url in (server.url, server.url.replace("http://", "https://")):
        (outcome,) = send(Webhook(lambda url=url: url, lambda: SECRET, Client(private=False)), RAW)
        assert isinstance(outcome, Later)
        assert "WELLWON_PRIVATE_WEBHOOKS" in outcome.why
    assert server.all == []


def test_mail_arrives_as_text_and_html_with_the_same_id_each_time() -> None:
    with smtp.running(smtp.Mailbox()) as mailbox:
        mailer = Email(lambda: mailbox.url, sender="wellwon@example.com")
        assert send(mailer, PRIVATE, PRIVATE) == [Delivered(), Delivered()]
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["To"] == "ann@example.com"
    assert [part.get_content_type() for part in first.walk()][1:] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({"RCPT": "550 no such user"}, Refused),
        ({"RCPT": "450 mailbox busy"}, Later),
        ({"DATA": "451 try later"}, Later),
        ({".": "554 spam"}, Refused),
        ({"MAIL": "421 going down"}, Later),
        ({"MAIL": "530 authentication required"}, Later),
        ({"MAIL": "550 sender not allowed"}, Later),
        ({"": "554 no service for you"}, Later),
        ({"EHLO": "502 what", "HELO": "550 who"}, Later),
    ],
)
def test_what_a_mail_server_answers(replies: dict[str, str], expected: type) -> None:
    with smtp.running(smtp.Mailbox(replies=replies)) as mailbox:
        (outcome,) = send(Email(lambda: mailbox.url, sender="w@example.com"), PRIVATE)
    assert isinstance(outcome, expected)
    assert mailbox.mails == []


def test_a_mail_server_that_hangs_up_may_have_taken_it() -> None:
    with smtp.running(smtp.Mailbox(hangs_up_after=".")) as mailbox:
        (outcome,) = send(Email(lambda: mailbox.url, sender="w@example.com"), PRIVATE)
    assert isinstance(outcome, Later)
    assert outcome.unsure


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 0), ("", 0), ("3", 3), ("-1", 0), ("nan", 0), ("soon", 0), ("999999", 3600), ("inf", 3600)],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds
