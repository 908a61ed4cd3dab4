"""A message as Slack's blocks, within Slack's limits."""

from __future__ import annotations

import json
from typing import Any, Final

from wellwon.sinks.layout import ALERT, ANSWERS, GOOD, NOT_RIGHT, OVER, Layout, Span

BLOCKS_MAX: Final = 50
SECTION_MAX: Final = 3_000
TEXT_MAX: Final = 4_000
ACTIONS_MAX: Final = 25
BUTTON_MAX: Final = 75
VALUE_MAX: Final = 2_000
NOT_RIGHT_ACTION: Final = "not_right"
ACKNOWLEDGE: Final = "acknowledge"
SNOOZE: Final = "snooze"
_MARK: Final = {ALERT: "", GOOD: ":tada: ", OVER: ":white_check_mark: "}
_ZERO_WIDTH: Final = "\u200b"

Block = dict[str, Any]


def escape(text: str) -> str:
    """Plain text as it may stand in Slack's markup: nothing in it links, mentions or formats."""
    escaped = _entities(text)
    for mark in "*_~`":
        escaped = escaped.replace(mark, _ZERO_WIDTH + mark + _ZERO_WIDTH)
    return escaped


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _span(span: Span) -> str:
    return f"<{_entities(span.link)}|{escape(span.text)}>" if span.link else escape(span.text)


def _section(text: str) -> Block:
    if len(text) > SECTION_MAX:
        text = text[: SECTION_MAX - 1].rpartition("\n")[0] + "\n…"
    # verbatim: what only looks like an address, a channel or a mention stays text.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def message(layout: Layout, *, buttons: bool) -> Block:
    """The message: its text for notifications, and its blocks. Without ``buttons`` nothing can be answered."""
    title = f"{_MARK.get(layout.tone, '')}*{escape(layout.title)}*"
    blocks = [_section("\n".join([title, *map(escape, layout.lines)]))]
    for section in layout.sections:
        heading = [f"*{escape(section.heading)}*"] if section.heading else []
        blocks += _paged([*heading, *(f"• {''.join(map(_span, line))}" for line in section.lines)])
    actions = _actions(layout, buttons)
    blocks = blocks[: BLOCKS_MAX - len(actions)] + actions
    return {"text": escape(layout.title)[:TEXT_MAX], "blocks": blocks}


def _paged(lines: list[str]) -> list[Block]:
    """Sections of as many lines as one may hold."""
    pages: list[list[str]] = [[]]
    size = 0
    for line in lines:
        if size + len(line) + 1 > SECTION_MAX and pages[-1]:
            pages.append([])
            size = 0
        pages[-1].append(line)
        size += len(line) + 1
    return [_section("\n".join(page)) for page in pages]


def _actions(layout: Layout, buttons: bool) -> list[Block]:
    elements: list[Block] = []
    about = json.dumps({"deal": layout.deal, "mark": layout.mark}, ensure_ascii=False)
    if buttons and layout.answers and len(about) <= VALUE_MAX:
        for answer in layout.answers:
            elements.append(_not_right() if answer == "not_right" else _button(ANSWERS[answer], answer, about))
        elements += [_button("Seen", ACKNOWLEDGE, about), _button("Ask again tomorrow", SNOOZE, about)]
    if layout.link:
        elements.append({**_button("Timeline", "timeline", ""), "url": layout.link[:3_000]})
        del elements[-1]["value"]
    return [{"type": "actions", "elements": elements[:ACTIONS_MAX]}] if elements else []


def _button(label: str, action: str, value: str) -> Block:
    text = {"type": "plain_text", "text": label[:BUTTON_MAX]}
    return {"type": "button", "text": text, "action_id": action, "value": value}


def _not_right() -> Block:
    return {
        "type": "static_select",
        "action_id": NOT_RIGHT_ACTION,
        "placeholder": {"type": "plain_text", "text": ANSWERS["not_right"]},
        "options": [
            {"text": {"type": "plain_text", "text": text}, "value": reason} for reason, text in NOT_RIGHT.items()
        ],
    }
