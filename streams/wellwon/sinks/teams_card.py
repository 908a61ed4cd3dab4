"""A message as an Adaptive Card for a Teams workflow.

Texts stand in `RichTextBlock`s, which know no markup: what a deal is called cannot format, link or mention anything.
"""

from __future__ import annotations

import json
from typing import Any, Final

from wellwon.sinks.layout import ALERT, GOOD, OVER, Layout, Line

BYTES_MAX: Final = 24_000
"""Teams takes about 28 kB."""
_COLOUR: Final = {ALERT: "Warning", GOOD: "Good", OVER: "Default"}

Node = dict[str, Any]


def _text(text: str, **style: Any) -> Node:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _line(line: Line) -> Node:
    runs = [
        {"type": "TextRun", "text": span.text}
        | ({"selectAction": {"type": "Action.OpenUrl", "url": span.link}} if span.link else {})
        for span in line
    ]
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "• "}, *runs]}


def message(layout: Layout) -> Node:
    """What is posted to the workflow's address."""
    body = [_text(layout.title, weight="Bolder", size="Medium", color=_COLOUR.get(layout.tone, "Default"))]
    body += [_text(line) for line in layout.lines]
    for section in layout.sections:
        body += [_text(section.heading, weight="Bolder")] if section.heading else []
        body += map(_line, section.lines)
    actions = [{"type": "Action.OpenUrl", "title": "Timeline", "url": layout.link}] if layout.link else []
    whole = _envelope(body, actions)
    while len(json.dumps(whole)) > BYTES_MAX and len(body) > 2:
        body = [*body[: max(1, len(body) * 3 // 4)], _text("…")]
        whole = _envelope(body, actions)
    return whole


def _envelope(body: list[Node], actions: list[Node]) -> Node:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
