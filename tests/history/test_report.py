"""The report: one page that asks the network for nothing, escapes what it was given, and can be read without plots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

import chromium
from deal_runs import at, info, many, run
from wellwon.core.model import WON
from wellwon.history.money import said, said_all
from wellwon.history.report.data import as_dict
from wellwon.history.report.limits import limits
from wellwon.history.report.markup import Markup, element
from wellwon.history.report.page import page
from wellwon.history.report.words import headlines
from wellwon.history.stats import Backtest
from wellwon.history.tally import Tally
from wellwon.policy import load_policy

NASTY = '<script>alert("1")</script> & "co" \'s'


def backtest(deals: int = 1500, seed: int = 3, **about: Any) -> Backtest:
    tally = Tally(load_policy(""))
    runs = list(many(seed, deals))
    for one in runs:
        tally.add(one)
    values: dict[str, Any] = {
        "deals": len(runs),
        "first_at": min((one.first_at for one in runs), default=0),
        "currencies": {"USD": 3, "EUR": 1},
    }
    return tally.result(info(**{**values, **about}))


class Reader(HTMLParser):
    """Notes every element, with its attributes and the ids that are used."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def found() -> Backtest:
    return backtest()


def test_it_needs_nothing_else(found: Backtest) -> None:
    text = page(found)
    elements = read(text).elements
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in elements}
    wanted = {name for _, attributes in elements for name in attributes}
    assert not {"src", "href", "srcset", "xlink:href", "data", "style"} & wanted
    assert not any(name.startswith("on") for name in wanted)
    assert "url(" not in text
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert 'content="default-src &#x27;none&#x27;' in text


def test_what_comes_from_outside_is_text(found: Backtest) -> None:
    text = page(backtest(60, files=(NASTY,), rejected=2, rejected_file=NASTY, notes=(NASTY,), currencies={NASTY: 1}))
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert") >= 3
    assert element("p", NASTY, title=NASTY) == (
        '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &quot;co&quot; &#x27;s">'
        '&lt;script&gt;alert("1")&lt;/script&gt; &amp; "co" \'s</p>'
    )
    assert element("p", Markup("<b>x</b>"), 3) == "<p><b>x</b>3</p>"


def test_currencies_and_segments_of_the_crm_are_text() -> None:
    tally = Tally(load_policy(""))
    for number in range(30):
        tally.add(run(f"d{number}", closed="2026-03-10", status=WON, currency="<i>", owner=NASTY, forecast=("commit",)))
    text = page(tally.result(info(currencies={"<i>": 30})))
    assert "<i>" not in text
    assert "&lt;i&gt;" in text


def test_every_plot_has_words_and_numbers(found: Backtest) -> None:
    text = page(found)
    elements = read(text).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    plots = [attributes for tag, attributes in elements if tag == "svg"]
    assert len(plots) >= 9
    assert all(plot["role"] == "img" and plot["aria-labelledby"] in ids for plot in plots)
    figures = re.findall(r"<figure.*?</figure>", text, re.S)
    assert sum("<svg" in one for one in figures) == len(plots)
    assert all("<table" in one or "<dl" in one for one in figures)
    assert all(re.search(r"<figcaption><h3>.+?</h3><p", one) for one in figures)
    headings = [int(tag[1]) for tag, _ in elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))


def test_it_begins_with_a_sentence(found: Backtest) -> None:
    title = headlines(found)[0]
    assert re.fullmatch(
        r"Deals flagged by close-date-push were lost or slipped 1\.\d times as often as like deals", title
    )
    assert f"<h1>{title}</h1>" in page(found)
    assert headlines(backtest(30))[0] == "6 of 30 deals would have been flagged, too few by any one rule to judge it"
    assert headlines(backtest(1))[0] == "None of 1 deals would have been flagged"
    assert headlines(backtest(0))[0] == "There is no deal in this history"


def test_data_quality_is_counted_apart(found: Backtest) -> None:
    text = page(found)
    before, after = text.split("<h2>Data quality, counted apart</h2>")
    assert 'id="rule-past-due-close-date"' not in before
    assert 'id="rule-past-due-close-date"' in after.split("<h2>")[0]
    lifts = re.search(r'<figure id="lifts">.*?</figure>', text, re.S)
    assert lifts is not None
    assert "past-due-close-date" not in lifts[0]


def test_no_person_is_named(found: Backtest) -> None:
    said = page(found) + orjson.dumps(as_dict(found)).decode()
    assert not [number for number in range(12) if re.search(rf"\bo{number}\b", said)]


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"fields": {"amount": 3, "stage": 3}}, "No discount and no list amount are in it"),
        ({"fields": {"stage": 3}}, "No amounts are in it"),
        ({"fields": {"stage": 3}}, "No forecast categories are in it"),
        ({}, "No activities are in it"),
        ({"first_at": at("2026-03-04")}, "The history begins on 2026-03-04"),
        ({"first_at": at("2025-07-01"), "last_at": at("2026-12-31")}, "It is 18 months long"),
        ({"first_at": at("2026-10-04")}, "It touches 1 quarter:"),
        ({"last_at": at("2026-11-30")}, "Its last change is of 2026-11-30, 31 days before"),
        ({}, "The policy has no plan rates: amounts in EUR, USD are summed apart"),
        ({"notes": ("The file ended in the middle of a row.",)}, "The file ended in the middle of a row."),
        ({}, "What became of the customers is not known"),
    ],
)
def test_what_the_data_cannot_show_is_said(about: dict[str, Any], sentence: str) -> None:
    found = backtest(60, **about)
    assert any(said.startswith(sentence) for said in limits(found))
    assert sentence in page(found)
    assert any(said.startswith(sentence) for said in as_dict(found)["limits"])


def test_what_the_data_shows_is_not_excused() -> None:
    said = " ".join(limits(backtest(60, currencies={"USD": 60})))
    assert "No discount" not in said
    assert "plan rates" not in said
    assert "months long" not in said.replace("24 months long", "")


def test_it_says_by_which_policy(found: Backtest) -> None:
    assert "Policy: the defaults (" in page(found)
    own = Tally(load_policy("window_days: 12\n", "ours.yaml")).result(info())
    assert "Policy: ours.yaml (" in page(own)
    assert as_dict(own)["policy"] != as_dict(found)["policy"]


def test_a_partial_report_says_so(found: Backtest) -> None:
    assert "This report is partial" not in page(found)
    assert "This report is partial" in page(backtest(60, partial=True))
    assert headlines(backtest(0, partial=True))[0] == "Stopped before any deal was counted"
    assert as_dict(backtest(60, partial=True))["partial"] is True


def test_rejected_rows_are_counted_and_found() -> None:
    text = page(backtest(60, rejected=17, rejected_file="rejects.jsonl"))
    assert "Rows that could not be used: 17. They are in rejects.jsonl, each with its reason." in text


def test_the_data_is_json(found: Backtest) -> None:
    said = orjson.loads(orjson.dumps(as_dict(found)))
    push = said["rules"]["close-date-push"]
    assert push["verdict"] == "more"
    assert push["flagged"] == sum(push["became"].values())
    assert push["lift"]["low"] > 1
    assert said["history"]["first_at"].endswith("Z")
    periods = said["wins"]["periods"]
    assert sum(period["wins"] for period in periods.values()) == said["deals"]["won"]


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "USD 0"), (99_900, "USD 999"), (8_400_000, "USD 84 k"), (123_456_789, "USD 1.2 M"), (-500_000, "USD -5 k"),
     (99_999_999, "USD 1.0 M"), (2_500_000_000_00, "USD 2.5 bn")],
)  # fmt: skip
def test_amounts_as_people_read_them(amount: int, words: str) -> None:
    assert said(amount, "USD") == words


def test_sums_are_listed_largest_first() -> None:
    assert said_all({"EUR": 100_000, "USD": 300_000, "": 0}) == "USD 3 k, EUR 1 k"
    assert said_all({}) == "-"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.running(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.mark.parametrize("deals", [0, 1, 1500])
def test_a_browser_without_network_shows_it_without_complaint(
    deals: int, tmp_path: Path, browser: chromium.Browser
) -> None:
    file, shot = tmp_path / "report.html", tmp_path / "shot.png"
    long_name = "exports/" + "opportunity_history_of_every_region_" * 6 + ".csv"
    written = page(backtest(deals, files=(long_name,)))
    file.write_text(written, encoding="utf-8")
    tab = browser.tab()
    tab.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    for width, phone, dark in ((1280, False, False), (1280, False, True), (390, True, False)):
        tab.size(width, 900, phone=phone)
        tab.dark(dark)
        tab.open(file.as_uri())
        tab.picture(shot, whole=True)
        assert shot.stat().st_size > 20_000
        # Nothing is wider than the screen, be it a phone's.
        assert tab.get("document.documentElement.scrollWidth") == tab.get("window.innerWidth") == width
    assert tab.complaints == []
    # What the browser made of it is what was written: nothing was repaired or dropped.
    assert tab.get("document.querySelectorAll('figure').length") == written.count("<figure")
    assert tab.get("document.title").startswith("Backtest: ")
