"""A policy with the norms of the history before an instant: what came after is judged by what was known then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wellwon.core.norms import Norms
from wellwon.history.norms import WonDeals
from wellwon.history.replay import Change
from wellwon.policy import Policy


def trained(policy: Policy, changes: Iterable[Change], until: int) -> Policy:
    """The policy with every segment's norms from the changes before ``until`` (epoch milliseconds), its own forgotten.

    Norms that the policy names may come from all of the history: judging by them would be judging by the future.
    """
    bare = replace(policy, segments=tuple(replace(segment, norms=Norms()) for segment in policy.segments))
    deals = WonDeals(bare)
    deals.read(changes, until)
    if not deals.changes:
        return bare
    found = deals.norms(made=0).segments
    segments = (
        replace(segment, norms=found[segment.name].as_norms()) if segment.name in found else segment
        for segment in bare.segments
    )
    return replace(bare, segments=tuple(segments))
