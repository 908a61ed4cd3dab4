"""Deliver as a process, on a real broker, with sinks that misbehave."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest
from aiohttp import web

from fakes import web as fake
from kafka_broker import free_port
from live import Worker, produce, read, until
from told import PEOPLE, START, alert_record
from wellwon.core import wire
from wellwon.core.units import MINUTE, format_instant
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings
from wellwon.sinks.webhook import Webhook

DELIVER = (sys.executable, "-m", "wellwon.runtime.deliver_worker")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
POLICY = """
deliver:
  settle_minutes: 0
  quiet_hours: {begin: "00:00", end: "00:00"}
  working_days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
  sinks:
    chat: {kind: slack, hears: [owner, revops], channels: {revops: C01}}
    hook: {kind: webhook, hears: [revops]}
    other: {kind: webhook, hears: [revops]}
"""


@dataclass
class Desk:
    """A deliver worker and the sinks it talks to."""

    settings: Settings
    worker: Worker
    workspace: fake.Workspace
    slack: fake.Server
    hook: fake.Server
    other: fake.Server

    def heard(self, server: fake.Server) -> list[str]:
        """Ids of the alerts that a receiver accepted."""
        return [request.json["data"]["id"] for request in list(server.taken)]


@pytest.fixture
def desk(
    live: Settings,
    start: Callable[..., Worker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Desk]:
    """By the clock; a test may ask for other settings with ``parametrize("desk", [...], indirect=True)``."""
    policy, people = tmp_path / "policy.yaml", tmp_path / "people.csv"
    policy.write_text(POLICY)
    people.write_text(PEOPLE)
    workspace = fake.Workspace()
    with ExitStack() as stack:
        slack = stack.enter_context(fake.running(fake.slack(workspace)))
        hook, other = (stack.enter_context(fake.running(fake.receiver())) for _ in range(2))
        for name, value in (("CHAT", workspace.token), ("HOOK", hook.url), ("OTHER", other.url)):
            monkeypatch.setenv(f"WELLWON_SINK_{name}", value)
        monkeypatch.setenv("WELLWON_SINK_HOOK_SECRET", SECRET)
        monkeypatch.setenv("WELLWON_SINK_OTHER_SECRET", SECRET)
        about = {
            "policy": policy,
            "people": people,
            "deliver_group": f"{live.group}-deliver",
            "slack_api": slack.url,
            "private_webhooks": True,
        }
        settings = replace(live, **about, **getattr(request, "param", {}))
        yield Desk(settings, start(settings, *DELIVER).wait_ready(), workspace, slack, hook, other)


def alerts(deals: int, revisions: int, prefix: str = "d") -> list[tuple[bytes, bytes]]:
    now = format_instant(time.time_ns() // 1_000_000)
    return [
        (f"{prefix}{deal}".encode(), alert_record(deal=f"{prefix}{deal}", revision=revision, at=now))
        for revision in range(1, revisions + 1)
        for deal in range(deals)
    ]


def ids(records: list[tuple[bytes, bytes]]) -> list[str]:
    return [orjson.loads(value)["id"] for _, value in records]


def in_order(heard: list[str]) -> bool:
    """Whether every deal's revisions came in their order (a repeat may follow itself)."""
    last: dict[str, int] = {}
    for id_ in heard:
        mark, _, revision = id_.rpartition(":")
        if int(revision) < last.get(mark, 0):
            return False
        last[mark] = int(revision)
    return True


def under_way(worker: Worker) -> tuple[float, float]:
    """Messages that wait for a sink, and for how many seconds something has not been durable, a second ago at most."""
    metrics = worker.metrics()
    return metrics["wellwon_sink_queue_messages"], metrics["wellwon_deliver_watermark_age_seconds"]


def test_every_revision_reaches_the_webhooks_once_and_in_order(desk: Desk) -> None:
    records = alerts(40, 5)
    produce(desk.settings, records, topics.ALERTS)
    for server in (desk.hook, desk.other):
        until(lambda server=server: len(server.taken) >= len(records), "all alerts")  # type: ignore[misc]
        assert Counter(desk.heard(server)) == Counter(ids(records))
        assert in_order(desk.heard(server))
    assert desk.worker.stop() == 0
    assert desk.worker.exit_code == 0
    assert not read(desk.settings, topics.DEAD_LETTERS)


def test_a_dead_sink_holds_up_nobody_and_loses_nothing(desk: Desk) -> None:
    down = True
    desk.hook.misbehave = lambda request: web.Response(status=503, headers={"Retry-After": "1"}) if down else None
    records = alerts(200, 3)
    produce(desk.settings, records, topics.ALERTS)
    until(lambda: len(desk.other.taken) == len(records), "the other receiver to hear everything")
    assert desk.heard(desk.hook) == []
    down = False
    until(lambda: len(desk.hook.taken) >= len(records), "the sink to catch up")
    assert Counter(desk.heard(desk.hook)) == Counter(ids(records))
    assert in_order(desk.heard(desk.hook))
    assert desk.worker.metrics()["wellwon_messages_given_up_total"] == 0


def test_what_a_sink_refuses_for_good_is_a_dead_letter(desk: Desk) -> None:
    desk.hook.misbehave = lambda request: web.Response(status=410)
    produce(desk.settings, alerts(3, 1), topics.ALERTS)
    until(lambda: len(read(desk.settings, topics.DEAD_LETTERS)) == 3, "the dead letters")
    letter = orjson.loads(read(desk.settings, topics.DEAD_LETTERS)[0].value() or b"")
    assert (letter["topic"], letter["reason"]) == ("sink:hook", "sink-refused")
    assert "410" in letter["detail"]
    assert desk.worker.ready()


def test_a_record_that_is_none_is_a_dead_letter_and_the_rest_goes_on(desk: Desk) -> None:
    produce(desk.settings, [(b"d", b"{"), *alerts(1, 1)], topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 1, "the alert behind it")
    (letter,) = read(desk.settings, topics.DEAD_LETTERS)
    assert orjson.loads(letter.value() or b"")["reason"] == "unreadable"


def test_killed_at_random_each_revision_arrives_and_every_repeat_is_counted(
    desk: Desk, start: Callable[..., Worker]
) -> None:
    rng = random.Random(7)
    desk.hook.misbehave = lambda request: rng.choice((0.0, 0.01, 0.05))
    records = alerts(60, 6)
    worker, counted, sofar = desk.worker, 0.0, set[str]()

    def all_heard() -> bool:
        return all(set(desk.heard(server)) == sofar for server in (desk.hook, desk.other))

    for part in range(6):
        produce(desk.settings, records[part * 60 : part * 60 + 60], topics.ALERTS)
        target = part * 60 + rng.randrange(5, 55)
        until(lambda target=target: len(desk.hook.taken) >= target, "some of them")  # type: ignore[misc]
        worker.kill()
        worker = start(replace(desk.settings, http=f"127.0.0.1:{free_port()}"), *DELIVER).wait_ready()
        sofar |= set(ids(records[part * 60 : part * 60 + 60]))
        until(all_heard, "every revision so far")
        until(lambda worker=worker: under_way(worker) == (0, 0), "nothing to be under way")  # type: ignore[misc]
        repeated = worker.metrics()["wellwon_messages_repeated_total"]
        assert repeated <= 2 * Webhook.parallel, "no more than was in flight at the kill"
        counted += repeated
    for server in (desk.hook, desk.other):
        assert in_order(desk.heard(server))
    repeats = sum(len(desk.heard(server)) - len(records) for server in (desk.hook, desk.other))
    assert repeats <= counted, "what came twice may come twice, and is counted"
    assert not read(desk.settings, topics.DEAD_LETTERS)


def test_the_next_takes_over_when_the_first_stops(desk: Desk, start: Callable[..., Worker]) -> None:
    second = start(replace(desk.settings, instance="second", http=f"127.0.0.1:{free_port()}"), *DELIVER).wait_ready()
    produce(desk.settings, alerts(5, 1, "a"), topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 5, "the first to deliver")
    assert desk.worker.stop() == 0
    produce(desk.settings, alerts(5, 1, "b"), topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 10, "the second to deliver")
    assert Counter(desk.heard(desk.hook)).most_common(1)[0][1] == 1
    second.signal(signal.SIGTERM)


def test_replaced_one_by_one_while_alerts_flow_nobody_hears_twice(desk: Desk, start: Callable[..., Worker]) -> None:
    rng = random.Random(11)
    for server in (desk.hook, desk.other):
        server.misbehave = lambda request: rng.choice((0.0, 0.01, 0.05))
    other = replace(desk.settings, instance="deliver-1", http=f"127.0.0.1:{free_port()}")
    workers = [desk.worker, start(other, *DELIVER).wait_ready()]
    records = alerts(40, 6)
    for part in range(6):
        produce(desk.settings, records[part * 40 : part * 40 + 40], topics.ALERTS)
        target = part * 40 + 10
        until(lambda target=target: len(desk.hook.taken) >= target, "some of them")  # type: ignore[misc]
        number = part % 2  # the one that delivers and the one that stands by take turns
        assert workers[number].stop() == 0, workers[number].tail()
        again = replace(workers[number].settings, http=f"127.0.0.1:{free_port()}")
        workers[number] = start(again, *DELIVER).wait_ready()
    for server in (desk.hook, desk.other):
        until(lambda server=server: set(desk.heard(server)) >= set(ids(records)), "every revision")  # type: ignore[misc]
        assert Counter(desk.heard(server)) == Counter(ids(records))
        assert in_order(desk.heard(server))
        assert len(server.all) == len(records), "nothing was sent that was not taken"
    for worker in workers:
        assert worker.metrics()["wellwon_messages_repeated_total"] == 0
        assert worker.stop() == 0


def test_a_worker_of_an_older_epoch_is_refused(desk: Desk, start: Callable[..., Worker]) -> None:
    desk.worker.stop()
    later = start(replace(desk.settings, epoch=1), *DELIVER).wait_ready()
    produce(desk.settings, alerts(3, 1), topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 3, "the alerts")
    assert later.stop() == 0
    worker = start(desk.settings, *DELIVER)
    until(lambda: worker.exit_code is not None, "the worker to refuse")
    assert worker.exit_code == 1
    assert "set WELLWON_EPOCH=1" in worker.tail()


def test_secrets_are_named_when_missing_and_never_logged(
    desk: Desk, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WELLWON_SINK_HOOK_SECRET", "my-own-secret")
    monkeypatch.delenv("WELLWON_SINK_CHAT")
    worker = start(replace(desk.settings, instance="wrong"), *DELIVER)
    until(lambda: worker.exit_code is not None, "it to give up")
    assert worker.exit_code == 2
    assert "WELLWON_SINK_CHAT (or WELLWON_SINK_CHAT_FILE) is not set" in worker.tail()
    assert "my-own-secret" not in worker.tail()
    desk.slack.misbehave = lambda request: web.Response(status=429, headers={"Retry-After": "1"})
    produce(desk.settings, alerts(3, 1), topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 3, "the alerts")
    log = desk.worker.tail()
    assert SECRET not in log
    assert desk.workspace.token not in log


def test_a_message_in_flight_at_a_kill_is_sent_again_and_counted(desk: Desk, start: Callable[..., Worker]) -> None:
    desk.hook.misbehave = lambda request: 60.0  # it arrives, and the answer never does
    produce(desk.settings, alerts(1, 1), topics.ALERTS)
    until(lambda: len(desk.hook.all) == 1, "the request")
    until(lambda: under_way(desk.worker) == (1, 0), "the other receiver's to be noted, durably")
    desk.worker.kill()
    desk.hook.misbehave = lambda request: None
    worker = start(replace(desk.settings, http=f"127.0.0.1:{free_port()}"), *DELIVER).wait_ready()
    until(lambda: len(desk.hook.taken) == 1, "the repeat")
    assert worker.metrics()["wellwon_messages_repeated_total"] == 1
    first, again = desk.hook.all
    assert first.headers["webhook-id"] == again.headers["webhook-id"]


def test_a_worker_that_was_frozen_finds_its_place_taken(desk: Desk, start: Callable[..., Worker]) -> None:
    first = desk.worker
    produce(desk.settings, alerts(20, 1), topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 20, "the first part")
    first.signal(signal.SIGSTOP)
    second = start(replace(desk.settings, instance="second", http=f"127.0.0.1:{free_port()}"), *DELIVER)
    records = alerts(20, 2)[20:]
    produce(desk.settings, records, topics.ALERTS)
    until(lambda: set(ids(records)) <= set(desk.heard(desk.hook)), "the second to deliver")
    first.signal(signal.SIGCONT)
    produce(desk.settings, alerts(20, 3)[40:], topics.ALERTS)
    everything = ids(alerts(20, 3))
    for server in (desk.hook, desk.other):
        until(lambda server=server: set(everything) <= set(desk.heard(server)), "the rest")  # type: ignore[misc]
    until(lambda: first.exit_code is not None or first.ready(), "the first to stand by, or to end")
    assert second.ready()
    twice = sum(len(desk.heard(server)) - len(everything) for server in (desk.hook, desk.other))
    assert twice <= second.metrics()["wellwon_messages_repeated_total"], "only what was in flight at the freeze"
    assert in_order(desk.heard(desk.hook))


def test_an_edited_policy_is_taken_up_and_a_wrong_one_is_not(desk: Desk) -> None:
    policy = desk.settings.policy
    assert policy is not None
    policy.write_text(POLICY.replace("settle_minutes: 0", "settle_minuts: 0"))
    until(lambda: "are not taken up" in desk.worker.tail(), "the warning")
    policy.write_text(POLICY.replace("hears: [revops]}\n    other", "hears: [success]}\n    other"))
    until(lambda: "when deliver is started again" in desk.worker.tail(), "the other warning")
    policy.write_text(POLICY + "  routes: [{to: []}]\n")
    until(lambda: "policy and people read again" in desk.worker.tail(), "the edit")
    produce(desk.settings, alerts(3, 1), topics.ALERTS)
    until(lambda: desk.worker.metrics()["wellwon_messages_not_sent_total"] == 3, "nobody to be told")
    assert desk.hook.taken == []


SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
LATER = {"clock": "log", "interactions": f"127.0.0.1:{free_port()}", "slack_signing_secret": SIGNING}


def press(desk: Desk, stamp: int, action: dict[str, object], blocks: dict[str, object]) -> int:
    """Send what Slack sends for a press; the status of the answer."""
    payload = {"type": "block_actions", "user": {"id": "U1", "name": "Ann"}, "actions": [action], "message": blocks}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    signature = "v0=" + hmac.new(SIGNING.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"http://{desk.settings.interactions}/slack/interactions",
        body,
        {"X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": signature},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("desk", [LATER], indirect=True)
def test_from_the_first_report_to_an_answer_in_slack(desk: Desk) -> None:
    def told(deal: str, minute: int, revision: int = 1, **changes: object) -> tuple[bytes, bytes]:
        at = format_instant(START + minute * MINUTE)
        return deal.encode(), alert_record(deal=deal, revision=revision, at=at, **changes)

    produce(desk.settings, [told(f"d{number}", 0) for number in range(50)], topics.ALERTS)
    until(lambda: len(desk.hook.taken) == 50, "the machines to hear each")
    assert desk.workspace.calls["chat.postMessage"] == 0
    produce(desk.settings, [told("e1", 2)], topics.ALERTS)
    messages = desk.workspace.messages
    until(lambda: len(messages) == 3, "the one report, and the new alert to owner and channel")
    texts = sorted(message["text"] for message in messages.values())
    assert texts[-1] == "First look at your pipeline: 50 deals to review"
    ((place, message),) = [(p, m) for p, m in messages.items() if p[0] == "DU1"]

    button = next(e for e in message["blocks"][-1]["elements"] if e["action_id"] == "approved")
    action = {"action_id": "approved", "value": button["value"], "action_ts": "1.5"}
    stamp = int(time.time())
    assert press(desk, stamp, action, message) == 200
    assert press(desk, stamp, action, message) == 401, "a replay"
    assert press(desk, stamp - 400, action, message) == 401, "too old"
    (change,) = read(desk.settings, topics.CHANGES)
    assert change.key() == b"e1"
    answer = orjson.loads(change.value() or b"")
    assert (answer["kind"], answer["answer"], answer["rule"]) == ("answer", "approved", "late-discount")
    wire.decode(change.value() or b"")
    until(lambda: "Answered" in str(messages[place]["blocks"]), "the answer on the message")

    produce(desk.settings, [told("e1", 3, 2, transition="resolved", reason="cleared", evidence={})], topics.ALERTS)
    until(lambda: "Nothing to do any more" in str(messages[place]["blocks"]), "the message to say that it is over")
    assert len(messages) == 3
    assert desk.worker.stop() == 0
