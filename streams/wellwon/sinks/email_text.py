"""A message as an e-mail: HTML, and the same as text."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Final

from wellwon.sinks.layout import ALERT, GOOD, OVER, Layout, Span

SUBJECT_MAX: Final = 150
_COLOUR: Final = {ALERT: "#b45309", GOOD: "#15803d", OVER: "#6b7280"}


def text(layout: Layout) -> str:
    """The plain text."""
    parts = [layout.title, *layout.lines]
    for section in layout.sections:
        parts.append("")
        parts += [section.heading] if section.heading else []
        for line in section.lines:
            parts.append("- " + "".join(span.text for span in line))
            parts += [f"  {span.link}" for span in line if span.link]
    if layout.link:
        parts += ["", f"Timeline: {layout.link}"]
    return "\n".join(parts) + "\n"


def _span(span: Span) -> str:
    return f'<a href="{escape(span.link)}">{escape(span.text)}</a>' if span.link else escape(span.text)


def html(layout: Layout) -> str:
    """The HTML, without anything that is loaded from elsewhere."""
    colour = _COLOUR.get(layout.tone, "#374151")
    parts = [
        '<div style="font-family:sans-serif;font-size:14px;color:#111827;max-width:640px">',
        f'<h1 style="font-size:17px;border-left:4px solid {colour};padding-left:8px">{escape(layout.title)}</h1>',
        *(f"<p>{escape(line)}</p>" for line in layout.lines),
    ]
    for section in layout.sections:
        if section.heading:
            parts.append(f'<h2 style="font-size:15px">{escape(section.heading)}</h2>')
        parts += ["<ul>", *(f"<li>{''.join(map(_span, line))}</li>" for line in section.lines), "</ul>"]
    if layout.link:
        parts.append(f'<p><a href="{escape(layout.link)}">Timeline</a></p>')
    return "\n".join([*parts, "</div>", ""])


def message(layout: Layout, *, sender: str, to: str, id_: str) -> EmailMessage:
    """The e-mail. ``id_`` is the same whenever it is sent again, so that mail systems may recognise a repeat."""
    found = EmailMessage(policy=SMTP)
    found["Subject"] = layout.title[:SUBJECT_MAX]
    found["From"] = sender
    found["To"] = to
    found["Message-ID"] = f"<{id_}@{sender.rpartition('@')[2].rstrip('>')}>"
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(text(layout))
    found.add_alternative(html(layout), subtype="html")
    return found
