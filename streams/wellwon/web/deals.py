"""A deal as the running system has it, with every rule's answer: looked up when somebody asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from wellwon.core.engine import restore
from wellwon.core.model import Ruleset
from wellwon.core.state import State
from wellwon.policy import Policy, compile_policy, load_policy
from wellwon.policy.explain import Explanation, explain
from wellwon.runtime.lookup import look_up
from wellwon.runtime.settings import Settings

AT_ONCE: Final = 2
"""Look-ups that run at the same time: each reads a partition's states."""


@dataclass(frozen=True, slots=True)
class Known:
    """A deal, and what every rule says of it under the policy in force."""

    state: State
    explanation: Explanation
    policy: Policy
    ruleset: Ruleset


class Deals:
    """Looks deals up, in threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(AT_ONCE)
        self._compiled: tuple[str, Policy, Ruleset] | None = None

    async def find(self, deal: str) -> Known | None:
        """A deal, None where nothing is known of it. Raises `restore.Refused`, `NewerState`, KafkaException."""
        async with self._room:
            return await asyncio.to_thread(self._find, deal)

    def _find(self, deal: str) -> Known | None:
        found = look_up(self._settings, deal)
        if found.state is None:
            return None
        policy, ruleset = self._policy(found.policy or "")
        found.state.at = max(found.state.at, found.clock)
        state = restore(found.state, ruleset)
        return Known(state, explain(deal, state, ruleset, policy), policy, ruleset)

    def _policy(self, text: str) -> tuple[Policy, Ruleset]:
        compiled = self._compiled
        if compiled is None or compiled[0] != text:
            policy = load_policy(text, "the policy in force")
            compiled = self._compiled = text, policy, compile_policy(policy)
        return compiled[1], compiled[2]
