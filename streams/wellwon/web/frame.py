"""What every page has around it: head, navigation, who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wellwon.history.report.markup import Content, Markup, element, together
from wellwon.sinks.words import clean
from wellwon.web.access import Viewer

PAGES: Final = (("/", "Alerts"), ("/wins", "Wins"), ("/rules", "Rules"))


@dataclass(frozen=True, slots=True)
class Frame:
    """Who looks, and what must be said on every page."""

    viewer: Viewer
    zone: str
    reading: bool = False
    """The topics are not read to their ends yet: there may be more than is shown."""
    token: bool = False
    """They are signed in with a token, and can sign out."""


def page(frame: Frame, here: str, title: str, *content: Content) -> str:
    """A whole page; ``here`` is its address, for the navigation."""
    links = (element("a", name, href=path, aria_current="page" if path == here else None) for path, name in PAGES)
    who = element("span", clean(frame.viewer.name, 60), class_="who")
    bye = element("form", element("button", "Sign out", class_="plain"), method="post", action="/logout")
    header = element(
        "header",
        element("a", "well", element("b", "won"), href="/", class_="brand", aria_label="wellwon, open alerts"),
        element("nav", *links, aria_label="Pages"),
        who,
        bye if frame.token else "",
        class_="top",
    )
    still = element("p", "Still reading what happened so far: there may be more than is shown.", class_="banner")
    notice = still if frame.reading else ""
    return bare(title, header, element("main", notice, *content, id="main", tabindex="-1"))


def bare(title: str, *content: Content) -> str:
    """A page without navigation, for who is not signed in."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{clean(title, 120)} · wellwon"),
        element("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        element("link", rel="stylesheet", href="/static/page.css"),
        element("script", src="/static/page.js", defer=""),
    )
    skip = element("a", "Skip to the content", href="#main", class_="skip")
    return "<!doctype html>\n" + element("html", head, element("body", skip, *content), lang="en")


def problem(title: str, text: str) -> str:
    """A page that says what went wrong, and what to do."""
    inner = element("main", element("h1", title), element("p", text), element("p", _back()), id="main", class_="narrow")
    return bare(title, inner)


def _back() -> Markup:
    return element("a", "Back to the open alerts", href="/")


def sign_in(next_path: str, wrong: bool) -> str:
    """Where a token is asked for."""
    form = element(
        "form",
        element("input", type="hidden", name="next", value=next_path),
        element("label", "Token", for_="token"),
        element(
            "input",
            type="password",
            id="token",
            name="token",
            autocomplete="current-password",
            required="",
            autofocus="",
        ),
        element("p", "That is not the token.", class_="wrong", role="alert") if wrong else "",
        element("button", "Sign in"),
        method="post",
        action="/login",
    )
    said = "The token is WELLWON_WEB_TOKEN, as whoever runs wellwon has set it."
    return bare(
        "Sign in",
        element("main", element("h1", "Sign in"), form, element("p", said, class_="soft"), id="main", class_="narrow"),
    )


def select(name: str, label: str, options: list[tuple[str, str]], chosen: str, everything: str) -> Markup:
    """A labelled choice of a filter; the first option leaves it open."""
    choices = [element("option", everything, value="")]
    for value, said in options:
        choices.append(element("option", said, value=value, selected="" if value == chosen else None))
    return element("label", element("span", label), element("select", *choices, name=name))


def title(text: str, *beside: Content) -> Markup:
    """A page's heading."""
    return element("div", element("h1", text), together(*beside), class_="heading")
