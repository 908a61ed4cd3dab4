"""Messages that nothing can be pressed in lead to the page: from the link, through signing in, to an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import orjson

from chromium import Tab
from live import produce, read, until
from pushed import pushed_deal
from wellwon.deliver.cards import AlertCard
from wellwon.deliver.items import Alert, read_alert
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings
from wellwon.sinks import email_text, teams_card
from wellwon.sinks.layout import layout

TOKEN = "0123456789abcdef0123"


class Links(HTMLParser):
    """Where an e-mail leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def told(settings: Settings) -> list[Alert]:
    """The alerts that people are told of."""
    alerts = (read_alert(record.value() or b"") for record in read(settings, topics.ALERTS))
    return [alert for alert in alerts if alert.mode == "alert" and alert.open and alert.opportunity_id]


def test_the_link_in_a_message_leads_through_signing_in_to_an_answer(
    live: Settings, serve: Callable[..., str], tab: Tab
) -> None:
    settings = replace(live, clock="log", web_token=TOKEN, page=f"http://{live.web}")
    address = serve(settings, detect=True)
    produce(settings, pushed_deal("deal/1 ?"))
    until(lambda: bool(told(settings)), "an alert")
    shown = layout(AlertCard(told(settings)[0]), zone="Europe/Berlin", page=settings.page)
    card = teams_card.message(shown)["attachments"][0]["content"]
    (teams,) = (action["url"] for action in card["actions"])
    (mail,) = Links(email_text.html(shown)).found
    assert teams == mail == f"{address}/deals/deal%2F1%20%3F"
    assert mail in email_text.text(shown)

    tab.call("Page.navigate", url=teams)
    tab.until("location.pathname === '/login' && document.querySelector('[name=token]')")
    tab.get(f"document.querySelector('[name=token]').value = '{TOKEN}'")
    tab.get("document.querySelector('[name=token]').form.requestSubmit()")
    tab.until(f"location.href === {teams!r} && document.readyState === 'complete'")
    assert "Holds now" in tab.text()

    tab.open(mail)
    tab.until("document.querySelector('.alert')")
    mark = tab.get("document.querySelector('.alert').dataset.mark")
    tab.press("j")
    tab.press("n")
    tab.until("document.activeElement.textContent === 'The data is wrong'")
    tab.press("Enter")
    tab.until(f"![...document.querySelectorAll('.alert')].some(row => row.dataset.mark === {mark!r})")
    (reply,) = (orjson.loads(record.value() or b"") for record in read(settings, topics.REPLIES))
    assert (reply["fingerprint"], reply["answer"], reply["by"]) == (mark, "not_right", "token")
