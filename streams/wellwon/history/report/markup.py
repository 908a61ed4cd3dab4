"""HTML and SVG in which every text is escaped: only what was made here is markup."""

from __future__ import annotations

from html import escape
from typing import Final

VOID: Final = frozenset({"meta", "br", "link", "input", "hr"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Content = str | int | float
"""Text to be escaped, markup, or a number."""


def element(name: str, /, *children: Content, **attributes: Content | None) -> Markup:
    """An element. ``class_`` gives ``class``, ``stroke_width`` gives ``stroke-width``; None leaves an attribute out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{together(*children)}</{name}>")


def together(*children: Content) -> Markup:
    """Elements and texts, one after the other."""
    return Markup("".join(c if isinstance(c, Markup) else escape(_number(c), quote=False) for c in children))


def _number(value: Content) -> str:
    """Coordinates do not need more than a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
