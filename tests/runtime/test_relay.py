"""What a partition tells the rollup: facts first, then how far it has come; a policy once, where it took effect."""

from __future__ import annotations

import orjson

from wellwon.core.facts import Fact
from wellwon.core.output import Output
from wellwon.core.state import CONTROL_KEY, encode_control
from wellwon.core.stored import Control
from wellwon.core.units import HOUR
from wellwon.runtime.relay import Relay

NOON = 500_000 * HOUR


def kinds(relay: Relay, output: Output, clock: int, store: dict[bytes, bytes]) -> list[str]:
    return [orjson.loads(value)["kind"] for _, value in relay.told(output, clock, store)]


def test_a_mark_goes_out_with_each_full_hour_after_the_facts() -> None:
    fact = Fact("d", 5, 7, "", "", "", "all", "", "new", "", None, None, 0, 5, 0, 0, None, (), False)
    relay, output = Relay(2, 4), Output(facts={(b"d", 0): fact})
    assert kinds(relay, output, 0, {}) == ["deals"]
    assert kinds(relay, output, NOON + 5, {}) == ["deals", "mark"]
    assert kinds(relay, output, NOON + HOUR - 1, {}) == ["deals"]
    ((_, mark),) = relay.told(Output(), NOON + HOUR, {})
    assert orjson.loads(mark) == {
        "schema": "facts.v1", "kind": "mark", "at": NOON + HOUR, "partition": 2, "partitions": 4,
    }  # fmt: skip


def test_a_policy_is_told_once_where_it_took_effect() -> None:
    def after(policy: str, at: int) -> tuple[Output, dict[bytes, bytes]]:
        value = encode_control(Control([NOON], policy, at, False), epoch=0, generation=0, offset=7)
        return Output(states={CONTROL_KEY: value}), {CONTROL_KEY: value}

    relay = Relay(0, 1)
    assert kinds(relay, *_around(after("", 0))) == ["mark"], "the policy that it began with took effect nowhere"
    assert kinds(relay, *_around(after("window_days: 9", NOON))) == ["policy"]
    assert kinds(relay, *_around(after("window_days: 9", NOON))) == []


def _around(made: tuple[Output, dict[bytes, bytes]]) -> tuple[Output, int, dict[bytes, bytes]]:
    return made[0], NOON, made[1]
