"""Every rule against the labels of simulated organisations: what was planted and found, what was said without reason.

The figures are those of the simulator's own truth, the same on every machine. Its seeds are used nowhere else: no story
and no rule was ever adjusted to them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from wellwon.history.replay import Replay
from wellwon.policy import compile_text, load_policy
from wellwon.simulate import Simulation
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.score import Said, Score, open_weeks, score

SEEDS = (7_001, 7_002, 7_003)
CALM_SEED = 7_004
QUARTERS = 4


def measure(deals: int) -> dict[str, Any]:
    """Organisations full of stories, then a calm one; each of so many deals."""
    scores = [
        told(Simulation(seed, deals, QUARTERS, pressured=0.5, lookalikes=0.25, near_misses=0.2))[1] for seed in SEEDS
    ]
    false_flags = Counter(rule for one in scores for rules in one.flagged_lookalikes.values() for rule in rules)
    near_misses = Counter(rule for one in scores for rules in one.flagged_near_misses.values() for rule in rules)
    modes = {name: rule.mode for name, rule in load_policy(policy_text()).rules.items()}
    rows = []
    for name in scores[0].rules:
        parts = [one.rules[name] for one in scores]
        hits = sum(part.hits for part in parts)
        missed, wrong = sum(len(part.missed) for part in parts), sum(len(part.wrong) for part in parts)
        rows.append(
            {
                "rule": name,
                "mode": modes[name],
                "planted": hits + missed,
                "precision": hits / (hits + wrong) if hits + wrong else 1.0,
                "recall": hits / (hits + missed) if hits + missed else 1.0,
                "lookalikes": false_flags[name],
                "near_misses": near_misses[name],
            }
        )
    calm, _ = told(Simulation(CALM_SEED, deals, QUARTERS, pressured=0))
    return {
        "deals": deals * len(SEEDS),
        "quarters": QUARTERS,
        "rows": rows,
        "lookalikes": sum(one.lookalikes for one in scores),
        "false_flags": false_flags.total(),
        "calm_deals": deals,
        "calm_messages": len(calm.all_messages()),
        "calm_weeks": open_weeks(Simulation(CALM_SEED, deals, QUARTERS, pressured=0)),
    }


def told(simulation: Simulation) -> tuple[Said, Score]:
    """What the core says of an organisation, and how that compares with its labels."""
    said = Said()
    replay = Replay(
        policy_text(),
        compile_text,
        alert=lambda value: said.alert(orjson.loads(value)),
        win=lambda value: said.win(orjson.loads(value)),
        dead_letter=lambda dead: None,
    )
    replay.run(simulation, simulation.until - 1)
    return said, score(simulation.labels(), said)
