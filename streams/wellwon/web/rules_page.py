"""The rules' own pages, from their docstrings: what each looks for, why, when it is fine, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wellwon.core.rule import RuleSpec, param_fields
from wellwon.history.report.markup import Content, Markup, element
from wellwon.policy.model import Policy
from wellwon.rules import PATTERNS
from wellwon.web import frame

FAMILIES: Final = {
    "price": "Price",
    "pressure": "Pressure",
    "timing": "Timing",
    "forecast": "Forecast",
    "stage": "Stages",
    "data": "Data quality",
    "team": "Teams",
}
BY_NAME: Final = {spec.name: spec for spec in PATTERNS}


def index(around: frame.Frame, policy: Policy) -> str:
    """All rules, by family."""
    parts: list[Markup] = []
    for family, name in FAMILIES.items():
        specs = [spec for spec in PATTERNS if spec.family == family]
        if specs:
            items = [item for spec in specs for item in _entry(spec, policy)]
            parts += [element("h2", name), element("dl", *items, class_="rules")]
    lead = element("p", "What each pattern looks for. A pattern that is off or in shadow tells no one.", class_="lead")
    return frame.page(around, "/rules", "Rules", frame.title("Rules"), lead, *parts)


def _entry(spec: RuleSpec, policy: Policy) -> Iterator[Markup]:
    mode = policy.rules[spec.name].mode
    tag = element("span", "in shadow" if mode == "shadow" else mode, class_="tag") if mode != "alert" else ""
    yield element("dt", element("a", spec.name, href=f"/rules/{spec.name}"), tag)
    yield element("dd", spec.summary)


def page(around: frame.Frame, spec: RuleSpec, policy: Policy) -> str:
    """One rule's page, with its thresholds under the policy of this server."""
    rule = policy.rules[spec.name]
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            element("td", f"{rule.params[name]} {about['unit']}"),
            element("td", about["doc"]),
        )
        for name, about in param_fields(spec.params).items()
    ]
    head = element("tr", *(element("th", name, scope="col") for name in ("threshold", "value", "what it is")))
    table = element("div", element("table", element("thead", head), element("tbody", *rows)), class_="scroll")
    mode = {"alert": "alert", "shadow": "shadow: counted, told to no one", "off": "off"}[rule.mode]
    types = ", ".join(sorted(rule.deal_types))
    about = f"{FAMILIES.get(spec.family, spec.family)}; mode {mode}; for deals of type {types}."
    return frame.page(
        around,
        f"/rules/{spec.name}",
        spec.name,
        element("p", element("a", "Rules", href="/rules"), class_="soft"),
        frame.title(spec.name),
        element("article", *formatted(spec.doc), class_="doc"),
        element("h2", "Settings"),
        element("p", about),
        table if rows else element("p", "It has no thresholds."),
    )


def formatted(doc: str) -> Iterator[Markup]:
    """A docstring as HTML: headings, paragraphs, lists, examples in fences, `code`."""
    for number, part in enumerate(re.split(r"^```(?:\w*)\n(.*?)^```$", doc, flags=re.DOTALL | re.MULTILINE)):
        if number % 2:
            yield element("pre", element("code", part.rstrip()), tabindex="0")
            continue
        for block in re.split(r"\n\s*\n|(?<=\n)(?=## )|(?<=^)(?=## )", part):
            yield from _block(block.strip("\n"))


def _block(block: str) -> Iterator[Markup]:
    heading, _, rest = block.partition("\n")
    if heading.startswith("## "):
        yield element("h2", heading.removeprefix("## "))
        block = rest
    if not block.strip():
        return
    if block.startswith("- "):
        items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
        yield element("ul", *(element("li", *_inline(item)) for item in items))
    else:
        yield element("p", *_inline(block))


def _inline(text: str) -> Iterator[Content]:
    for number, part in enumerate(re.split(r"`([^`]+)`", " ".join(text.split()))):
        if part:
            yield element("code", part) if number % 2 else part
