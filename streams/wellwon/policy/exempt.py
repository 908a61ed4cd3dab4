"""Which exemption of the policy, if any, keeps people from being told of a deal."""

from __future__ import annotations

from wellwon.policy.model import Exemption, Policy, id_forms


def exemption_of(
    policy: Policy, rule: str, *, deal: str, owner: str, pipeline: str, segment: str, day: int
) -> Exemption | None:
    """The first exemption that covers an alert on a local day (a day number); what an exemption leaves empty it takes.

    ``pipeline`` is what the deal says; pipelines that the policy does not know are its first.
    """
    known = next((one.name for one in policy.pipelines if pipeline in one.keys), policy.pipelines[0].name)
    for exemption in policy.exemptions:
        asked = (
            (exemption.deals, set(id_forms(deal))),
            (exemption.owners, set(id_forms(owner))),
            (exemption.pipelines, {known}),
            (exemption.segments, {segment}),
            (exemption.rules, {rule}),
        )
        if day <= exemption.until and all(not wanted or not given.isdisjoint(wanted) for wanted, given in asked):
            return exemption
    return None
