"""Secrets come from variables or files, all that is missing is told at once, and none is ever shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from told import POLICY
from wellwon.policy import load_policy
from wellwon.runtime import sinks
from wellwon.runtime.secrets import secret
from wellwon.runtime.settings import Settings, SettingsError

DELIVERY = load_policy(POLICY).deliver
GOOD = {
    "WELLWON_SINK_CHAT": "xoxb-1",
    "WELLWON_SINK_POST": "smtp://mail.example.com",
    "WELLWON_SINK_HOOK": "https://hooks.example.com/t0psecret",
    "WELLWON_SINK_HOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def test_each_sink_is_connected_with_its_secret() -> None:
    assert set(sinks.connect(Settings(kafka="x:1"), DELIVERY, GOOD)) == {"chat", "post", "hook"}


def test_everything_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        sinks.connect(Settings(kafka="x:1"), DELIVERY, {})
    for name in GOOD:
        assert f"{name} (or {name}_FILE) is not set" in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WELLWON_SINK_HOOK", "https://10.0.0.1/t0psecret"),
        ("WELLWON_SINK_HOOK", "http://hooks.example.com/t0psecret"),
        ("WELLWON_SINK_HOOK_SECRET", "t0psecret"),
        ("WELLWON_SINK_POST", "mail.example.com:t0psecret"),
    ],
)
def test_what_is_wrong_is_told_without_showing_it(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        sinks.connect(Settings(kafka="x:1"), DELIVERY, GOOD | {variable: value})
    assert "t0psecret" not in str(error.value)
    assert variable.removesuffix("_SECRET") in str(error.value)


def test_private_receivers_may_be_allowed() -> None:
    settings = replace(Settings(kafka="x:1"), private_webhooks=True)
    assert sinks.connect(settings, DELIVERY, GOOD | {"WELLWON_SINK_HOOK": "http://10.0.0.1/"})


def test_a_file_is_read_again_and_the_last_secret_holds_while_it_is_away(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    read = secret("X", {"X_FILE": str(path)})
    assert read is not None
    assert read() == "old"
    path.write_text("new")
    assert read() == "new"
    path.unlink()
    assert read() == "new"
    assert secret("X", {}) is None
