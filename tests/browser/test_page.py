"""The live page as people have it: in a browser, on a real broker, with the real detect worker behind it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import orjson

from chromium import Tab
from kafka_broker import free_port
from live import Worker, produce, read
from pushed import pushed_deal
from told import alert_record, win_record
from wellwon.core.units import format_instant
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

WEB = (sys.executable, "-m", "wellwon.web.run")
HOSTILE = '<img src=x onerror="document.title=1">\u202e\x07"\'&' + "A" * 10_000


def alert(deal: str, **changes: object) -> tuple[bytes, bytes]:
    now = format_instant(time.time_ns() // 1_000_000)
    changes = {"at": now, "opened_at": now} | changes
    return deal.encode(), alert_record(deal=deal, **changes)  # type: ignore[arg-type]


def rows(tab: Tab) -> list[str]:
    found: list[str] = tab.get("[...document.querySelectorAll('.alert .deal')].map(e => e.textContent)")
    return found


def test_alerts_come_and_go_by_themselves(live: Settings, serve: Callable[..., str], tab: Tab) -> None:
    tab.open(serve(live))
    assert "Nothing is open." in tab.text()
    produce(live, [alert("d1")], topics.ALERTS)
    tab.until("document.querySelectorAll('.alert').length === 1")
    assert "1 open" in tab.text()
    assert "Nothing is open." not in tab.text()
    produce(live, [alert("d2", severity="high")], topics.ALERTS)
    tab.until("document.querySelectorAll('.alert').length === 2")
    assert rows(tab) == ["Acme d2", "Acme d1"], "the newest first"
    produce(live, [alert("d1", revision=2, transition="resolved", evidence={})], topics.ALERTS)
    tab.until("document.querySelectorAll('.alert').length === 1")
    assert rows(tab) == ["Acme d2"]


def test_filters_hold_for_what_comes_later(live: Settings, serve: Callable[..., str], tab: Tab) -> None:
    produce(live, [alert("d1"), alert("d2", rule="commit-slip", family="forecast")], topics.ALERTS)
    address = serve(live)
    tab.open(address)
    tab.until("document.querySelectorAll('.alert').length === 2")
    tab.get(
        "(() => { const s = document.querySelector('[name=rule]'); s.value = 'commit-slip';"
        " s.dispatchEvent(new Event('change', {bubbles: true})) })()"
    )
    tab.until("location.search === '?rule=commit-slip' && document.querySelectorAll('.alert').length === 1")
    assert rows(tab) == ["Acme d2"]
    produce(live, [alert("d3"), alert("d4", rule="commit-slip", family="forecast")], topics.ALERTS)
    tab.until("document.querySelectorAll('.alert').length === 2")
    assert rows(tab) == ["Acme d4", "Acme d2"]
    tab.get("history.back()")
    tab.until("document.querySelectorAll('.alert').length === 4")


def test_the_keyboard_is_enough(live: Settings, serve: Callable[..., str], tab: Tab) -> None:
    produce(live, [alert("d1"), alert("d2")], topics.ALERTS)
    tab.open(serve(live))
    tab.until("document.querySelectorAll('.alert').length === 2")
    tab.press("j")
    tab.press("j")
    tab.press("Enter")
    tab.until("document.querySelectorAll('.alert')[1].querySelector('details').open")
    assert "Clears if the discount is back under 17 %." in tab.text()
    tab.press("a")
    tab.until("document.querySelectorAll('.alert')[1].querySelector('.said')?.textContent === 'seen'")
    assert tab.get("document.activeElement.closest('.alert') === document.querySelectorAll('.alert')[1]")
    assert tab.get("document.querySelectorAll('.alert')[1].querySelector('details').open"), "it stays as it was"
    tab.press("k")
    tab.press("s")
    tab.until("document.activeElement.textContent === 'In a day'")
    tab.press("Enter")
    tab.until("document.querySelectorAll('.alert').length === 1")
    kinds = [orjson.loads(one.value())["kind"] for one in read(live, topics.REPLIES)]
    assert sorted(kinds) == ["acknowledged", "snoozed"]
    tab.press("?")
    tab.until("document.querySelector('#keys').open")
    tab.press("Escape")
    tab.until("!document.querySelector('#keys').open")


def test_an_answer_clears_the_alert_and_the_timeline_says_why(
    live: Settings, serve: Callable[..., str], tab: Tab
) -> None:
    settings = replace(live, clock="log")
    address = serve(settings, detect=True)
    produce(settings, pushed_deal("deal-1"))
    tab.open(address)
    tab.until("document.querySelector('.alert')")
    mark = tab.get("document.querySelector('.alert').dataset.mark")
    tab.open(address + "/deals/deal-1")
    assert tab.get("document.querySelectorAll('svg.timeline .move.counts').length") >= 3
    assert tab.get("document.querySelectorAll('svg.timeline .flag').length") > 0
    assert "Holds now" in tab.text()
    assert "Does not hold" in tab.text()
    while tab.get("document.activeElement.closest('.alert')?.dataset.mark") != mark:
        tab.press("j")
    tab.press("n")
    tab.until("document.activeElement.textContent === 'The data is wrong'")
    tab.press("Enter")
    tab.until(f"![...document.querySelectorAll('.alert')].some(row => row.dataset.mark === {mark!r})")
    said = [orjson.loads(one.value()) for one in read(settings, topics.REPLIES)]
    assert [(one["kind"], one["answer"], one["note"]) for one in said] == [
        ("answered", "not_right", "The data is wrong")
    ]


def test_a_hostile_name_is_text_and_no_more(live: Settings, serve: Callable[..., str], tab: Tab) -> None:
    produce(live, [alert("d1", name=HOSTILE, title=HOSTILE, owner_id=HOSTILE)], topics.ALERTS)
    produce(live, [(b"d1", win_record(name=HOSTILE))], topics.WINS)
    address = serve(live)
    for path in ("/", "/wins"):
        tab.open(address + path)
        tab.until("document.body.innerText.includes('onerror')")
        assert tab.get("document.querySelectorAll('img').length") == 0
        assert tab.get("document.title.includes('wellwon')")
        assert tab.get("document.documentElement.scrollWidth <= innerWidth")


def test_ten_thousand_alerts_on_a_phone(live: Settings, serve: Callable[..., str], tab: Tab) -> None:
    produce(live, [alert(f"d{number}") for number in range(10_000)], topics.ALERTS)
    address = serve(live)
    tab.size(390, 844, phone=True)
    tab.open(address)
    assert "10,000 open" in tab.text()
    assert len(rows(tab)) == 100
    assert tab.get("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    tab.click(".more-of-them a")
    tab.until("document.querySelectorAll('.alert').length === 500")
    produce(live, [alert("new")], topics.ALERTS)
    tab.until("document.querySelector('.alert .deal').textContent === 'Acme new'")
    tab.until("document.body.innerText.includes('10,001 open')")


def test_a_page_whose_server_was_restarted_catches_up(live: Settings, serve: Callable[..., str], tab: Tab) -> None:
    mine = replace(live, instance="first", http=f"127.0.0.1:{free_port()}")
    first = Worker(mine, WEB).start().wait_ready()
    tab.open(f"http://{live.web}")
    tab.until("document.querySelector('#board')")
    assert first.stop() == 0
    produce(live, [alert("d1")], topics.ALERTS)
    serve(live)
    tab.until("document.querySelectorAll('.alert').length === 1")
    tab.complaints.clear()  # of the time without a server
