"""A history that a command asks something of, and how it is to be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from wellwon.cli.reading import instant, load, options_of, shown_rejections
from wellwon.policy import Policy
from wellwon.sources.change import Rejected
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

T = TypeVar("T")


class Replayed(NamedTuple):
    """The options of a command with ``--replay``."""

    kind: str
    files: tuple[str, ...]
    policy_file: str | None
    until: str | None
    zone: str
    dayfirst: bool

    def policy(self) -> tuple[str, Policy]:
        """The policy's text as it is published, and the policy: what is named, $WELLWON_POLICY, the defaults."""
        return load(self.policy_file or os.environ.get("WELLWON_POLICY"))

    def read(self, policy: Policy, make: Callable[[Feed, int | None], T]) -> T:
        """What is made of the changes until an instant (None: all of them); what cannot be used is told then."""
        rejected: list[Rejected] = []
        options = options_of(self.zone, self.dayfirst)
        feed = Feed(kind_named(self.kind), self.files, SourceView.of(policy), options, rejected.append)
        made = make(feed, instant(self.until, policy))
        shown_rejections(rejected)
        return made

    @property
    def where(self) -> str:
        """Where an answer is from."""
        return f"replayed from {', '.join(self.files)}"
