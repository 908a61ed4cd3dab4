"""What is allowed in a policy and should be looked at: by the calendar, it says less than it seems to."""

from __future__ import annotations

from wellwon.core.units import format_date
from wellwon.policy.model import Policy
from wellwon.policy.norms import age
from wellwon.policy.problem import Place, PolicyProblem


def notes(policy: Policy, today: int) -> list[PolicyProblem]:
    """Norms that are old, exemptions that have ended. ``today`` is a day number in the calendar's zone."""
    found = []
    if policy.norms is not None and (said := age(policy.norms, today)):
        line = policy.origins.get(("norms", "history", "last"), 1)
        found.append(PolicyProblem(policy.norms_file or policy.file, Place(line, 1), said))
    for number, exemption in enumerate(policy.exemptions):
        if exemption.until < today:
            said = f"this exemption ended on {format_date(exemption.until)} ({exemption.reason}): it can be removed"
            line = policy.origins.get(("exemptions", number), 1)
            found.append(PolicyProblem(policy.file, Place(line, 1), said))
    return found
