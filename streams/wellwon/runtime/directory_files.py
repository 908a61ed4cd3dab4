"""The policy's routes and the file of people, read together, and again when they are edited."""

from __future__ import annotations

from wellwon.deliver.directory import Directory
from wellwon.policy.people import People, load_people
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.settings import Settings


def read_directory(settings: Settings) -> Directory:
    """Read the files that the settings name. Raises PolicyError, OSError, UnicodeDecodeError."""
    people = People()
    if settings.people is not None:
        people = load_people(settings.people.read_text(encoding="utf-8"), str(settings.people))
    return Directory(read_policy(settings.policy).policy, people)


def modified(settings: Settings) -> tuple[int, ...]:
    """When the files were last modified."""
    files = [path for path in (settings.policy, settings.people) if path is not None]
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)
