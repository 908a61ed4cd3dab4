"""Words that neither the policy nor this version knows are counted, not refused."""

from __future__ import annotations

from wellwon.policy import load_policy
from wellwon.sources.change import change_event, encode
from wellwon.sources.unknown import Unknown


def test_stages_and_fields_that_nobody_knows_are_named_with_their_counts() -> None:
    unknown = Unknown(load_policy(""))
    for number, stage in enumerate(("Discovery", "Discovery", "Prospecting")):
        values = {"stage": stage, "discuont_percent": "5", "labels.region": "EMEA"}
        event = change_event(id=str(number), deal="d", source="t", at=number + 1, kind="changed", values=values)
        unknown.note(encode(event))
    unknown.note(b"no JSON")
    assert unknown.as_dict() == {"unknown_stages": {"Discovery": 2}, "unknown_values": {"discuont_percent": 3}}
    stages, fields = unknown.lines()
    assert stages == "stages that no pipeline knows: 'Discovery' 2; see pipelines in the policy"
    assert "'discuont_percent' 3" in fields
