"""The rollup worker: what holds for owners and teams, from the facts that the detect workers write.

It is a worker like theirs, on another log: the same slices, pipeline, changelog, checkpoints. The facts have one
partition, so one such worker works, and others stand by.
"""

from __future__ import annotations

from dataclasses import replace

from wellwon.core.rollup import Rollup
from wellwon.policy import compile_text
from wellwon.runtime import topics
from wellwon.runtime.detect import Detect
from wellwon.runtime.owned import Core
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.settings import Settings
from wellwon.runtime.worker import main


def build_rollup(settings: Settings) -> Detect:
    """Return a rollup worker, not started. Raises PolicyError, OSError, UnicodeDecodeError for a policy.

    Time comes with the facts, as marks: it writes no clock records.
    """
    policy = read_policy(settings.policy).text
    settings = replace(settings, group=topics.group_of(topics.ROLLUP, settings), partitions=1, clock="log")

    def make_core(_number: int, store: dict[bytes, bytes], generation: int) -> Core:
        return Rollup(policy, store, compile_text, epoch=settings.epoch, generation=generation)

    return Detect(settings, make_core, policy, topics.ROLLUP)


if __name__ == "__main__":
    main(build_rollup)
