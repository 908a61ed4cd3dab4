"""Who looks, and what they may see: owners their own deals, managers those of their reports, RevOps everything."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wellwon.deliver.items import Alert
from wellwon.policy.model import Policy, id_forms
from wellwon.policy.people import People, Person
from wellwon.runtime.settings import Settings, SettingsError

COOKIE: Final = "wellwon"
SESSION_S: Final = 12 * 3_600
TOKEN_LEAST: Final = 16
"""Characters of a token: one that can be guessed is none."""


class Unknown(Exception):
    """Nobody says who this is: they have to sign in."""


class Forbidden(Exception):
    """It is known who this is, and they may see nothing here; the text says why."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks."""

    name: str
    """For what they answer."""
    everything: bool = False
    owners: frozenset[str] = frozenset()
    """CRM ids, in all forms, of those whose deals they see."""
    teams: frozenset[str] = frozenset()
    """Teams of which they see every member."""
    zone: str = ""
    """Their IANA time zone; empty: the policy's."""

    def sees(self, owner: str | None) -> bool:
        """Whether they see deals of that owner."""
        return self.everything or (owner or "") in self.owners

    def sees_alert(self, alert: Alert) -> bool:
        """Whether they see an alert. What runs in shadow is told to no one: it is there for RevOps alone."""
        if self.everything:
            return True
        if alert.mode != "alert":
            return False
        if alert.opportunity_id or alert.owner_id:
            return self.sees(alert.owner_id)
        return team_of(alert) in self.teams


def team_of(alert: Alert) -> str:
    """The team that an alert is about, by its fingerprint ``rule:team:NAME:period``; empty where it is no team's."""
    about = alert.fingerprint.removeprefix(f"{alert.rule}:").removesuffix(f":{alert.period}")
    kind, _, name = about.partition(":")
    return name if kind == "team" else ""


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a host:port."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """How people are known, by the settings: a proxy that signed them in, a token, or that the page is local."""

    def __init__(self, settings: Settings, people: People, policy: Policy) -> None:
        """Raises SettingsError where others could reach the page and nothing says who they are."""
        self._proxies = settings.web_proxies
        self._header = settings.web_user_header
        self._token = settings.web_token
        self._people = people
        self._policy = policy
        self._all = frozenset(mail.lower() for mail in settings.web_sees_all)
        self.local = not self._token and not self._proxies
        if self._token and len(self._token) < TOKEN_LEAST:
            raise SettingsError(f"WELLWON_WEB_TOKEN is shorter than {TOKEN_LEAST} characters: `openssl rand -hex 24`")
        if self.local and not is_loopback(settings.web):
            raise SettingsError(
                f"WELLWON_WEB={settings.web} can be reached from outside, and nothing says who looks: set"
                " WELLWON_WEB_PROXIES (a proxy signs people in and names them in a header), or WELLWON_WEB_TOKEN; or"
                " listen on 127.0.0.1"
            )
        if self._proxies and not self._all and not list(people):
            raise SettingsError(
                "WELLWON_WEB_PROXIES needs WELLWON_PEOPLE (who owns what, who manages whom) or WELLWON_WEB_SEES_ALL:"
                " otherwise nobody would see anything"
            )

    @property
    def has_token(self) -> bool:
        """Whether people can sign in with a token."""
        return bool(self._token)

    def identify(self, peer: str | None, headers: Mapping[str, str], cookie: str, now_s: int) -> Viewer:
        """Who sent a request. Raises Unknown, Forbidden."""
        if self.local:
            return Viewer("local", everything=True)
        if self._token and (self._is_session(cookie, now_s) or self.is_token(_bearer(headers))):
            return Viewer("token", everything=True)
        if self._proxies and peer is not None and _within(peer, self._proxies):
            mail = headers.get(self._header, "").strip()
            if mail:
                return self._by_mail(mail)
        raise Unknown

    def _by_mail(self, mail: str) -> Viewer:
        persons = [person for person in self._people if person.email.lower() == mail.lower()]
        name, zone = (persons[0].name or mail, persons[0].zone) if persons else (mail, "")
        if mail.lower() in self._all:
            return Viewer(name, everything=True, zone=zone)
        if not persons:
            raise Forbidden(f"{mail[:200]} is not in the file of people: ask whoever runs wellwon")
        own = {person.id for person in persons}
        seen = {person.id for person in self._people if not own.isdisjoint(self._chain(person))}
        forms = frozenset(form for id_ in own | seen for form in id_forms(id_))
        return Viewer(name, owners=forms, teams=frozenset(self._teams(forms)), zone=zone)

    def _chain(self, person: Person) -> set[str]:
        """A person and everyone above."""
        found: set[str] = set()
        above: Person | None = person
        while above is not None and above.id not in found:
            found.add(above.id)
            above = self._people.get(above.manager)
        return found

    def _teams(self, owners: frozenset[str]) -> Iterable[str]:
        members: dict[str, set[str]] = {team: set(ids) for team, ids in self._policy.teams.items()}
        for person in self._people:
            if person.team:
                members.setdefault(person.team, set()).add(person.id)
        return (team for team, ids in members.items() if ids and ids <= owners)

    # --- the token ------------------------------------------------------------------------------------------------

    def is_token(self, text: str) -> bool:
        """Whether somebody knows the token."""
        return bool(self._token) and hmac.compare_digest(text.encode(errors="replace"), self._token.encode())

    def session(self, now_s: int) -> str:
        """A cookie for who gave the token; good until `SESSION_S` from now, or until the token is changed."""
        until = str(now_s + SESSION_S)
        return f"{until}.{self._sign(until)}"

    def _is_session(self, cookie: str, now_s: int) -> bool:
        until, _, signature = cookie.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 12 and int(until) > now_s):
            return False
        return hmac.compare_digest(signature.encode(errors="replace"), self._sign(until).encode())

    def _sign(self, until: str) -> str:
        return hmac.new(self._token.encode(), f"session {until}".encode(), hashlib.sha256).hexdigest()


def _bearer(headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _within(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks)
