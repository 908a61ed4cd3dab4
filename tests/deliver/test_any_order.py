"""Whatever happens in whatever order, with crashes between: nothing is lost, nothing told twice, order is kept."""

from __future__ import annotations

from collections import Counter

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from told import OWNER, REVOPS, Play
from wellwon.core.units import DAY
from wellwon.deliver.cards import AlertCard, DigestCard, RawCard
from wellwon.deliver.state import POST

DEALS = ("d1", "d2", "d3")
RULES = ("late-discount", "commit-slip", "push-to-close")
SEVERITY = ("info", "warning", "high")


class AnyOrder(RuleBasedStateMachine):
    """Alerts open, change and resolve; sinks fall deaf; workers are restarted; time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.play = Play()
        self.revisions: Counter[tuple[str, str]] = Counter()
        self.open: dict[tuple[str, str], str] = {}
        self.covered: dict[tuple[str, str], str] = {}
        self.published: list[tuple[str, str]] = []

    def _publish(self, deal: str, name: str, transition: str, severity: str, reason: str = "change") -> None:
        self.revisions[deal, name] += 1
        revision = self.revisions[deal, name]
        self.published.append((deal, f"{name}:{deal}:2026-Q4:{revision}"))
        under = self.covered.get((deal, name))
        covered_by = under and f"{under}:{deal}:2026-Q4"
        about = {"transition": transition, "severity": severity, "reason": reason, "covered_by": covered_by}
        self.play.alert(name, deal, revision, **about)

    @rule(
        deal=st.sampled_from(DEALS),
        name=st.sampled_from(RULES),
        severity=st.sampled_from(SEVERITY),
        reason=st.sampled_from(("change", "policy", "clock")),
        under=st.sampled_from(RULES),
    )
    def holds(self, deal: str, name: str, severity: str, reason: str, under: str) -> None:
        self.covered.pop((deal, name), None)
        if RULES.index(under) > RULES.index(name) and (deal, under) in self.open:
            self.covered[deal, name] = under  # one save, and the stronger pattern leads
        transition = "changed" if (deal, name) in self.open else "opened"
        self.open[deal, name] = severity
        self._publish(deal, name, transition, severity, reason)

    @rule(deal=st.sampled_from(DEALS), name=st.sampled_from(RULES), reason=st.sampled_from(("cleared", "retracted")))
    def resolves(self, deal: str, name: str, reason: str) -> None:
        if severity := self.open.pop((deal, name), ""):
            self._publish(deal, name, "resolved", severity, reason)

    @rule(minutes=st.sampled_from((1, 4, 6, 90, 1_000)))
    def time_passes(self, minutes: int) -> None:
        self.play.minutes(minutes)

    @rule()
    def restarts(self) -> None:
        self.play.restart()

    @rule(deaf=st.sets(st.sampled_from((OWNER, REVOPS, "hook|"))))
    def falls_deaf(self, deaf: set[str]) -> None:
        self.play.deaf = deaf
        self.play.send()

    @invariant()
    def machines_hear_each_revision_once_and_in_order(self) -> None:
        if "hook|" in self.play.deaf:
            return
        heard = [one.card.id for one in self.play.at("hook|") if isinstance(one.card, RawCard)]
        for deal in DEALS:
            assert [id_ for id_ in heard if f":{deal}:" in id_] == [
                id_ for about, id_ in self.published if about == deal
            ]

    @invariant()
    def no_revision_rings_twice_at_one_address(self) -> None:
        rung = Counter(
            (one.address, one.card.alert.id)
            for one in self.play.seen
            if one.kind == POST and isinstance(one.card, AlertCard) and not one.card.escalated
        )
        assert not [what for what, times in rung.items() if times > 1]

    def teardown(self) -> None:
        """In the end everyone who should has heard of what is open, and no message stands that is not true."""
        play = self.play
        play.deaf = set()
        play.until(play.now + 5 * DAY)
        assert play.waiting == []
        assert play.desk.outstanding() == []
        for deal, name in self.open:
            mark = f"{name}:{deal}:2026-Q4"
            for address in (OWNER, REVOPS):
                told = {mark, f"more of {deal}"} | self._leads(deal, name)
                assert any(told & named(one.card) for one in play.at(address)), (mark, address)
        for address in (OWNER, REVOPS):
            standing: dict[str, AlertCard] = {}
            for number, one in enumerate(play.seen, 1):
                if one.address == address and isinstance(one.card, AlertCard):
                    standing |= dict.fromkeys(one.refs or (f"ts{number}",), one.card)
            for card in standing.values():
                for alert in (card.alert, *card.together):
                    last = self.revisions[alert.opportunity_id, alert.rule]
                    if (alert.opportunity_id, alert.rule) in self.open:
                        assert alert.revision == last or not alert.open, f"{alert.id} stands, it is {last} by now"
                    else:
                        assert not alert.open, f"{alert.id} stands, and is over"

    def _leads(self, deal: str, name: str) -> set[str]:
        """The headlines under which an alert may be counted in a digest."""
        found = set()
        while (under := self.covered.get((deal, name))) is not None and (deal, under) in self.open:
            found.add(f"{under}:{deal}:2026-Q4")
            name = under
        return found


def named(card: object) -> set[str]:
    """The alerts that a message tells of."""
    if isinstance(card, AlertCard):
        return {alert.fingerprint for alert in (card.alert, *card.together)}
    lines = card.lines if isinstance(card, DigestCard) else ()
    counted = {f"more of {line.alert.opportunity_id}" for line in lines if line.more}
    return {line.alert.fingerprint for line in lines} | counted


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None, phases=PHASES)
test_any_order = AnyOrder.TestCase
