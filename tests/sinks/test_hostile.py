"""Whatever a deal is called, the message keeps its shape: no markup, no links, no direction overrides, no overflow."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from told import alert_record, win_record
from wellwon.deliver.cards import AlertCard, CallCard, Card, DigestCard, DigestLine, HandoverCard, Said, Sum
from wellwon.deliver.items import read_alert, read_win
from wellwon.sinks import email_text, slack_blocks, teams_card
from wellwon.sinks.layout import layout
from wellwon.sinks.words import clean

HOSTILE = (
    "<script>alert(1)</script>",
    "<!channel> <@U123> <https://evil.example|Acme>",
    "*bold* _it_ ~strike~ `code` ```block```",
    "[Acme](https://evil.example) ![x](https://evil.example/x.png)",
    "a\r\nBcc: everyone@example.com\r\n\r\nbody",
    "\u202eemca\u202c \u2066x\u2069 \u200f",
    "\x00\x1b[31mred\x07",
    "N" * 10_000,
    "&amp;&lt;" * 1_000,
    "<" * 10_000,
    "2026-02-31",
    "9999-99-99T99:99:99Z",
    "👩‍👩‍👧 Ltd",
    "",
)
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=200))


def cards(name: str) -> list[Card]:
    evidence = {"before": name, "after": name, "when": name, "threshold": name, name[:50] or "x": [name, {"a": name}]}
    record = alert_record(name=name, title=name, evidence=evidence, opportunity_id=name[:255] or "d1")
    alert = read_alert(record)
    said = Said("answered", "not_right", name, name, 0)
    win = read_win(win_record(name=name))
    return [
        AlertCard(alert, (alert,) * 30, (said,)),
        DigestCard((DigestLine(alert, name),) * 30, 500, 3),
        HandoverCard(win, (said,) * 10),
        CallCard(0, 1, (Sum(name, name, "USD", 3, 1, (name,) * 3, (name[:255] or "d1",) * 3),) * 5),
    ]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


@given(name=TEXTS)
@pytest.mark.parametrize("which", range(4))
def test_slack_keeps_its_limits_and_reads_no_markup(which: int, name: str) -> None:
    message = slack_blocks.message(layout(cards(name)[which], zone="UTC", page="https://page"), buttons=True)
    blocks = message["blocks"]
    assert 1 <= len(blocks) <= 50
    assert len(message["text"]) <= 4_000
    for block in blocks:
        if block["type"] == "section":
            text = block["text"]["text"]
            assert 1 <= len(text) <= 3_000
            text = re.sub(r"<https://page/deals/[\w%.~-]+\|([^<>]*)>", r"\1", text)
            assert block["text"]["verbatim"], "no address, channel or mention is made of a name"
            assert not re.search(r"[<>]", text)
            assert not re.search(r"&(?!amp;|lt;|gt;)", text)
        else:
            for element in block["elements"]:
                assert len(element.get("value", "")) <= 2_000
                assert len(element.get("url", "")) <= 3_000


@given(name=TEXTS)
@pytest.mark.parametrize("which", range(4))
def test_teams_keeps_its_limit_and_reads_no_markup(which: int, name: str) -> None:
    message = teams_card.message(layout(cards(name)[which], zone="UTC", page="https://page"))
    assert len(json.dumps(message)) <= 28_000
    body = message["attachments"][0]["content"]["body"]
    assert {node["type"] for node in body} == {"RichTextBlock"}


@given(name=TEXTS)
@pytest.mark.parametrize("which", range(4))
def test_mail_has_our_headers_and_our_tags_only(which: int, name: str) -> None:
    parts = layout(cards(name)[which], zone="UTC", page="https://page")
    mail = email_text.message(parts, sender="w@example.com", to="ann@example.com", id_="1")
    assert sorted(mail.keys()) == sorted(
        ["Subject", "From", "To", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    tags = Tags()
    tags.feed(email_text.html(parts))
    assert tags.found <= {"div", "h1", "h2", "p", "ul", "li", "a"}
    assert all(link.startswith("https://page/deals/") for link in tags.links)
    assert mail.as_bytes()


@given(text=st.text())
def test_a_clean_line_is_one_line_of_visible_characters(text: str) -> None:
    line = clean(text, 80)
    assert len(line) <= 80
    assert line.isprintable()
    assert clean(line, 80) == line
