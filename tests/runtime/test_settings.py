"""Settings: read from the environment, every mistake in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellwon.runtime.settings import Settings, SettingsError


def test_only_the_broker_is_needed() -> None:
    settings = Settings.from_environment({"WELLWON_KAFKA": "a:9092, b:9092"})
    assert settings.kafka == "a:9092,b:9092"
    assert settings.partitions == 4
    assert settings.policy is None


def test_everything_that_is_wrong_is_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_environment(
            {
                "WELLWON_POLICY": str(tmp_path / "none.yaml"),
                "WELLWON_PARTITIONS": "zero",
                "WELLWON_CLOCK": "sundial",
                "WELLWON_HTTP": "here",
                "WELLWON_KAFKA_SECURITY": "sasl-tls",
                "WELLWON_KAFKA_USER": "u",
                "WELLWON_KAFKA_CERT": __file__,
                "WELLWON_DECLARE_TOPICS": "maybe",
            }
        )
    lines = str(wrong.value).splitlines()
    for start in (
        "WELLWON_KAFKA is not set",
        "WELLWON_POLICY=",
        "WELLWON_PARTITIONS='zero': expected a whole number from 1 to 1000",
        "WELLWON_CLOCK='sundial': expected one of wall, log",
        "WELLWON_HTTP='here': expected host:port",
        "WELLWON_KAFKA_PASSWORD (or _FILE) is not set",
        "WELLWON_KAFKA_CERT and WELLWON_KAFKA_KEY go together",
        "WELLWON_DECLARE_TOPICS='maybe': expected one of yes, no",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert len(lines) == 8


def test_what_is_no_setting_is_named_with_what_was_meant() -> None:
    said = Settings.unknown({"WELLWON_KAFKA": "a:1", "WELLWON_PARTITION": "4", "PATH": "x", "WELLWON_TEST_KAFKA": "b"})
    assert said == ["WELLWON_PARTITION is no setting: did you mean WELLWON_PARTITIONS?"]


def test_every_setting_is_described() -> None:
    described = Settings.describe()
    assert len(described) == len(Settings.__dataclass_fields__)
    assert all(name.startswith("WELLWON_") and text for name, _, text in described)


def test_a_secret_may_be_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    given = {"WELLWON_KAFKA": "a:1", "WELLWON_KAFKA_SECURITY": "sasl-tls", "WELLWON_KAFKA_USER": "u"}
    settings = Settings.from_environment(given | {"WELLWON_KAFKA_PASSWORD_FILE": str(file)})
    assert settings.kafka_password == "s3cret"
    assert "s3cret" not in repr(settings)
    assert Settings.unknown(given | {"WELLWON_KAFKA_PASSWORD_FILE": str(file)}) == []

    for name, said in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError, match=f"WELLWON_KAFKA_PASSWORD_FILE=.*cannot be read .{said}"):
            Settings.from_environment(given | {"WELLWON_KAFKA_PASSWORD_FILE": str(name)})
    file.write_text("\n")
    with pytest.raises(SettingsError, match="the file is empty"):
        Settings.from_environment(given | {"WELLWON_KAFKA_PASSWORD_FILE": str(file)})
