"""What two policies say differently: nothing that is the same, everything that is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.rule import SEVERITIES
from wellwon.policy import load_policy
from wellwon.policy.diff import Heard, Told, ValueChange, compare, value_changes


def told(rule: str, deal: str, first: int, last: int | None, severity: str = "warning") -> Told:
    ended = "9999" if last is None else f"2026-09-{last:02}T00:00:00Z"
    return Told(rule, deal, f"2026-09-{first:02}T00:00:00Z", "title", severity, {}, ended)


def test_values_with_their_origins() -> None:
    old = load_policy("window_days: 12\nrules: {late-discount: {points: 7}}\n")
    new = load_policy(
        "rules:\n  late-discount: {points: 8}\n  reopened-deal: off\nsegments: [{name: big, when: {amount_min: 9}}]\n"
    )
    changes = {change.key: change for change in value_changes(old, new)}
    assert changes["window_days"] == ValueChange("window_days", 12, 10, "line 1", "default")
    assert changes["rules.late-discount.points"] == ValueChange("rules.late-discount.points", 7, 8, "line 2", "line 2")
    assert changes["rules.reopened-deal.mode"].new == "off"
    assert changes["segments.big.when.amount_min"].old is None
    assert not {key for key in changes if key.startswith(("calendar", "rules.commit-slip"))}


def test_the_same_meaning_is_no_difference() -> None:
    assert value_changes(load_policy(""), load_policy("# nothing\nwindow_days: 10\n")) == []


def test_alerts_that_stood_at_the_same_time_are_the_same() -> None:
    old = Heard([told("a", "1", 3, 9), told("a", "2", 3, 9), told("a", "3", 3, 5), told("b", "1", 1, None, "high")])
    new = Heard([told("a", "1", 5, None), told("a", "3", 8, 9), told("c", "4", 1, 2), told("b", "1", 2, 3, "info")])
    found = compare(old, new, ("a", "b"))
    assert [(alert.subject, alert.opened_at[8:10]) for alert in found["a"].gained] == [("3", "08")]
    assert [alert.subject for alert in found["a"].lost] == ["2", "3"]
    assert (found["a"].before, found["a"].after) == (3, 2)
    assert [alert.severity for alert in found["b"].less_serious] == ["info"]
    assert not found["b"].more_serious
    assert [alert.subject for alert in found["c"].gained] == ["4"], "a rule that only one policy knows"


LASTS = st.one_of(st.none(), st.integers(15, 28))
ALERTS = st.lists(
    st.builds(
        told, st.sampled_from("ab"), st.sampled_from("12"), st.integers(1, 15), LASTS, st.sampled_from(SEVERITIES)
    ),
    max_size=6,
)


@given(ALERTS, ALERTS)
def test_turned_around_what_is_gained_is_lost(one: list[Told], other: list[Told]) -> None:
    there, back = compare(Heard(one), Heard(other), "ab"), compare(Heard(other), Heard(one), "ab")
    for rule in "ab":
        assert there[rule].gained == back[rule].lost
        assert there[rule].lost == back[rule].gained
        assert (there[rule].before, there[rule].after) == (back[rule].after, back[rule].before)


@given(ALERTS)
def test_the_same_alerts_are_no_difference(alerts: list[Told]) -> None:
    for diff in compare(Heard(alerts), Heard(alerts), "ab").values():
        assert not diff.gained
        assert not diff.lost


def test_messages_per_owner_and_week() -> None:
    heard = Heard(owners=4, weeks=10.0)
    heard.messages.update([("ann", 1), ("ann", 1), ("ben", 1), ("ann", 2)])
    heard.messages["", 1] += 9
    assert heard.per_owner_and_week == 0.1, "what a team hears is no owner's"
    assert heard.most_in_a_week == 2
    assert Heard().per_owner_and_week == 0.0
