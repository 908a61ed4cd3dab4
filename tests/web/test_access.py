"""Who may see what, and how they are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from told import alert_record
from wellwon.cli import cli
from wellwon.deliver.items import Alert, read_alert
from wellwon.policy import load_policy
from wellwon.policy.people import load_people
from wellwon.runtime.settings import Settings, SettingsError
from wellwon.web.access import SESSION_S, Access, Forbidden, Unknown, Viewer, is_loopback

PEOPLE = """id,email,name,team,manager,zone
ann,ann@example.com,Ann,EMEA,bo,Europe/Berlin
cy,cy@example.com,Cy,EMEA,bo,
bo,bo@example.com,Bo,EMEA,dee,
dee,dee@example.com,Dee,,,
eve,eve@example.com,Eve,APAC,dee,
005000000000001,fay@example.com,Fay,,,
"""
TOKEN = "0123456789abcdef0123"
OPEN = Settings(web="0.0.0.0:8080")
PROXY = replace(OPEN, web_proxies=("10.0.0.0/8",), web_sees_all=("Ops@example.com",))


def access(settings: Settings) -> Access:
    return Access(settings, load_people(PEOPLE), load_policy("teams: {West: [ann, eve]}"))


def viewer(mail: str) -> Viewer:
    return access(PROXY).identify("10.1.2.3", {"X-Forwarded-Email": mail}, "", 0)


def alert(owner: str, mode: str = "alert") -> Alert:
    return read_alert(alert_record(owner_id=owner, mode=mode))


def team(name: str) -> Alert:
    mark = f"period-end-load:team:{name}:2026-Q4"
    return read_alert(alert_record("period-end-load", "", fingerprint=mark, owner_id=""))


@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:80", "192.168.1.5:80", "example.com:80"])
def test_it_refuses_to_be_reached_by_people_it_does_not_know(address: str) -> None:
    with pytest.raises(SettingsError, match="WELLWON_WEB_PROXIES"):
        access(Settings(web=address))


@pytest.mark.parametrize("address", ["127.0.0.1:80", "localhost:80", "[::1]:80"])
def test_on_this_machine_alone_it_asks_nobody(address: str) -> None:
    assert is_loopback(address)
    assert access(Settings(web=address)).identify("127.0.0.1", {}, "", 0).everything


def test_a_proxy_without_people_shows_nothing_and_says_so() -> None:
    with pytest.raises(SettingsError, match="WELLWON_PEOPLE"):
        Access(replace(PROXY, web_sees_all=()), load_people("id\n"), load_policy(""))


@pytest.mark.parametrize("text", ["\udcff", "é", ""])
def test_a_token_or_session_of_any_bytes_is_refused(text: str) -> None:
    known = access(replace(OPEN, web_token=TOKEN))
    assert not known.is_token(text)
    with pytest.raises(Unknown):
        known.identify("10.1.2.3", {"Authorization": f"Bearer {text}"}, f"99999999999.{text}", 0)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(SettingsError, match="shorter than 16"):
        access(replace(OPEN, web_token="short"))


def test_owners_see_their_own_and_managers_those_of_their_reports() -> None:
    seen = {
        mail: {who for who in ("ann", "cy", "bo", "dee", "eve") if viewer(f"{mail}@example.com").sees(who)}
        for mail in ("ann", "bo", "dee", "eve", "ops")
    }
    assert seen == {
        "ann": {"ann"},
        "bo": {"ann", "cy", "bo"},
        "dee": {"ann", "cy", "bo", "dee", "eve"},
        "eve": {"eve"},
        "ops": {"ann", "cy", "bo", "dee", "eve"},
    }
    assert not viewer("ann@example.com").sees("")
    assert not viewer("ann@example.com").sees(None)


def test_ids_of_both_lengths_are_one_owner() -> None:
    assert viewer("FAY@example.com").sees("005000000000001")
    assert viewer("fay@example.com").sees("005000000000001AAA")


def test_a_team_is_shown_to_who_sees_all_of_it() -> None:
    seen = {
        mail: {
            name for name in ("EMEA", "APAC", "West", "Unknown") if viewer(f"{mail}@example.com").sees_alert(team(name))
        }
        for mail in ("ann", "bo", "dee", "eve", "ops")
    }
    assert seen == {
        "ann": set(),
        "bo": {"EMEA"},
        "dee": {"EMEA", "APAC", "West"},
        "eve": {"APAC"},
        "ops": {"EMEA", "APAC", "West", "Unknown"},
    }


def test_shadow_is_for_who_sees_everything() -> None:
    assert not viewer("ann@example.com").sees_alert(alert("ann", "shadow"))
    assert viewer("ops@example.com").sees_alert(alert("ann", "shadow"))


def test_the_header_counts_from_the_proxy_alone() -> None:
    with pytest.raises(Unknown):
        access(PROXY).identify("192.168.0.1", {"X-Forwarded-Email": "ops@example.com"}, "", 0)
    with pytest.raises(Unknown):
        access(PROXY).identify("10.1.2.3", {}, "", 0)
    with pytest.raises(Forbidden, match="not in the file of people"):
        viewer("stranger@example.com")


def test_managers_in_a_circle_do_not_hang() -> None:
    people = load_people("id,email,manager\na,a@example.com,b\nb,b@example.com,a\n")
    found = Access(PROXY, people, load_policy("")).identify("10.0.0.1", {"X-Forwarded-Email": "a@example.com"}, "", 0)
    assert found.sees("b")


def test_a_token_opens_as_a_header_and_as_a_session_that_ends() -> None:
    door = access(replace(OPEN, web_token=TOKEN))
    assert door.identify("1.2.3.4", {"Authorization": f"Bearer {TOKEN}"}, "", 0).everything
    session = door.session(1_000)
    assert door.identify(None, {}, session, 1_000).everything
    until, _, signature = session.partition(".")
    for wrong in ("", session + "0", f"{int(until) + 1}.{signature}", "9999999999.", "x.y", "٣.a"):
        with pytest.raises(Unknown):
            door.identify(None, {}, wrong, 1_000)
    with pytest.raises(Unknown):
        door.identify(None, {}, session, 1_000 + SESSION_S)
    with pytest.raises(Unknown):
        access(replace(OPEN, web_token=TOKEN + "new")).identify(None, {}, session, 1_000)
    with pytest.raises(Unknown):
        door.identify(None, {"Authorization": "Bearer wrong", "X-Forwarded-Email": "ops@example.com"}, "", 0)


def test_whether_it_may_be_reached_is_said_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WELLWON_WEB": "0.0.0.0:8080", "WELLWON_KAFKA": "localhost:9"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli, ["web"])
    assert isinstance(result.exception, SettingsError), "and not that Kafka is away"
    assert "nothing says who looks" in str(result.exception)
