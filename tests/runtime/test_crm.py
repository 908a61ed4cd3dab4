"""Facts from alerts and wins into a CRM that fails, over a desk, as the deliver worker does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from told import START, alert_record, directory, win_record
from wellwon.core.output import DeadLetter
from wellwon.core.units import DAY, HOUR
from wellwon.deliver.crm_facts import DealFacts, Facts, FlagFacts
from wellwon.deliver.desk import Desk
from wellwon.deliver.items import read_alert, read_win
from wellwon.runtime import crm as runtime_crm
from wellwon.runtime import lanes
from wellwon.runtime.crm import CrmWriter
from wellwon.runtime.crm_metrics import CrmMetrics
from wellwon.sinks.crm import Usage
from wellwon.sinks.transport import Delivered, Later, Outcome, Refused

DEAL = "006SM0000001Tb3YAE"
POLICY = "crm: {salesforce: {write: [alerts, wins]}, hubspot: {write: [alerts, wins]}}"


class Crm:
    """A CRM that shows what it took, and says what it is told to."""

    batch = 200

    def __init__(self) -> None:
        self.usage = Usage()
        self.shows: dict[str, Facts] = {}
        self.requests: list[list[Facts]] = []
        self.says: Callable[[Facts], Outcome] = lambda facts: Delivered()
        self.hangs = False

    async def write(self, facts: Sequence[Facts]) -> list[Outcome]:
        self.usage.calls += 1
        self.requests.append(list(facts))
        said = [self.says(one) for one in facts]
        for one, outcome in zip(facts, said, strict=True):
            if outcome == Delivered():
                self.shows[one.key if isinstance(one, FlagFacts) else one.deal] = one
        if self.hangs:
            await asyncio.Event().wait()
        return said

    async def close(self) -> None:
        """Nothing is held."""


class Worker:
    """What the deliver worker does with a writer, without Kafka: what is written is durable at once."""

    def __init__(self, crm: Crm, system: str = "salesforce", records: dict[bytes, bytes] | None = None) -> None:
        self.crm, self.now = crm, START
        self.desk = Desk(records if records is not None else {}, directory(POLICY))
        self.letters: list[DeadLetter] = []
        self.registry = CollectorRegistry()
        self.writer = CrmWriter(system, crm, CrmMetrics(self.registry, [system]), self.settled)
        self.writer.begin(self.desk, self.now)

    def settled(self, writer: CrmWriter, outcomes: Any) -> None:
        self.letters += writer.settle(self.desk, outcomes, self.now)
        self.flush()

    def flush(self) -> None:
        before = self.desk.collect().states
        send = self.writer.pick(self.desk, self.now)
        self.writer.look(self.desk, {**before, **self.desk.collect().states}, self.now)
        if send is not None:
            send()

    async def take(self, *records: bytes) -> None:
        for record in records:
            item = read_win(record) if b'"win.v1"' in record else read_alert(record)
            self.desk.take(item, self.now, record=record)
        await self.work()

    async def work(self) -> None:
        """Until nothing happens any more."""
        for _ in range(20):
            self.flush()
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_crm, "GATHER_S", 0.0)


def alert(revision: int = 1, **changes: Any) -> bytes:
    return alert_record(deal=DEAL, revision=revision, **changes)


def ended(revision: int = 2) -> bytes:
    return alert(revision, transition="resolved", reason="cleared")


MARK = f"late-discount:{DEAL}:2026-Q4"


def shown(crm: Crm) -> DealFacts:
    facts = crm.shows[DEAL]
    assert isinstance(facts, DealFacts)
    return facts


def test_a_flag_is_shown_once_and_cleared_when_the_alert_resolves() -> None:
    async def run() -> None:
        crm = Crm()
        worker = Worker(crm)
        await worker.take(alert())
        assert shown(crm).flags == ("late-discount",)
        assert shown(crm).severity == "warning"
        assert crm.usage.calls == 2, "the deal, and the flag of its own"
        await worker.take(alert(), alert(2, title="the same facts in other words"))
        assert crm.usage.calls == 2, "nothing that the CRM shows has changed"
        await worker.take(ended(3))
        assert shown(crm) == DealFacts(DEAL)
        assert crm.shows[MARK] == FlagFacts(MARK, DEAL, open=False)
        assert crm.usage.calls == 4
        await worker.take(alert(4, transition="opened"))
        assert shown(crm).flags == ("late-discount",)

    asyncio.run(run())


def test_data_flags_are_apart_and_shadow_is_never_shown() -> None:
    async def run() -> None:
        crm = Crm()
        worker = Worker(crm)
        await worker.take(
            alert_record("missing-amount", DEAL, family="data", severity="high"),
            alert_record("stage-skip", DEAL, mode="shadow"),
            alert(),
        )
        facts = shown(crm)
        assert (facts.flags, facts.data_flags, facts.severity) == (("late-discount",), ("missing-amount",), "warning")

    asyncio.run(run())


def test_other_systems_deals_are_left_alone() -> None:
    async def run() -> None:
        crm, hubspot = Crm(), Crm()
        await Worker(crm).take(alert_record(deal="332507367156"))
        await Worker(hubspot, "hubspot").take(alert(), alert_record(deal="332507367156"))
        assert not crm.requests
        assert hubspot.shows.keys() == {"332507367156"}, "and it has no records of single flags"

    asyncio.run(run())


def test_a_win_is_shown_a_day_later_and_taken_back_when_withdrawn() -> None:
    async def run() -> None:
        crm = Crm()
        worker = Worker(crm)
        await worker.take(win_record(opportunity_id=DEAL, reading="pressured", price_held="no"))
        worker.now = START + DAY - 1
        await worker.work()
        assert not crm.requests
        worker.now = START + DAY
        await worker.work()
        win = shown(crm).win
        assert win is not None
        assert (win.price_held, win.date_held, win.buyer_answered) == ("no", "yes", "unknown")
        assert "pressured" not in repr(crm.shows)
        await worker.take(win_record(2, opportunity_id=DEAL, withdrawn=True))
        assert shown(crm).win is None

    asyncio.run(run())


def test_an_outage_is_waited_out_and_only_the_last_state_is_written() -> None:
    async def run() -> None:
        crm = Crm()
        crm.says = lambda facts: Later("no connection")
        worker = Worker(crm)
        await worker.take(alert())
        tried = len(crm.requests)
        await worker.take(alert(2, severity="high"), alert_record("stage-skip", DEAL))
        assert len(crm.requests) == tried, "not before the pause is over"
        crm.says = lambda facts: Delivered()
        successor = Worker(crm, records=worker.desk.ledger.records)
        await successor.work()
        assert shown(crm).flags == ("late-discount", "stage-skip")
        assert shown(crm).severity == "high"
        assert not worker.letters

    asyncio.run(run())


def test_a_crash_before_the_answer_leaves_no_flag_behind() -> None:
    async def run() -> None:
        crm = Crm()
        crm.hangs = True
        worker = Worker(crm)
        await worker.take(alert())
        assert shown(crm).flags, "it arrived, and nobody knows"
        worker.writer.let_go()
        crm.hangs = False
        successor = Worker(crm, records=worker.desk.ledger.records)
        await successor.take(ended())
        assert shown(crm) == DealFacts(DEAL)

    asyncio.run(run())


def test_what_is_refused_is_a_dead_letter_and_the_others_go_on() -> None:
    async def run() -> None:
        crm = Crm()
        other = DEAL.replace("Tb3", "Tb4")
        crm.says = lambda facts: Refused("ENTITY_IS_DELETED") if facts.deal == DEAL else Delivered()
        worker = Worker(crm)
        await worker.take(alert(), alert_record(deal=other))
        assert other in crm.shows
        assert {letter.key for letter in worker.letters} == {DEAL.encode()}
        assert worker.letters[0].reason == "crm-refused"
        told = len(worker.letters)
        await worker.work()
        assert len(worker.letters) == told, "not again until something changes"
        name = "wellwon_crm_facts_total"
        assert worker.registry.get_sample_value(name, {"crm": "salesforce", "outcome": "refused"}) == told

    asyncio.run(run())


def test_the_budget_holds_a_flood_back() -> None:
    async def run() -> None:
        crm = Crm()
        crm.usage.limit = 240  # a share of 24 calls a day: one an hour
        worker = Worker(crm)
        await worker.take(alert())
        assert crm.usage.calls == 2, "the first learnt what the limit is"
        await worker.take(*(alert_record(deal=f"006SM{number:010d}") for number in range(1_000)))
        assert crm.usage.calls == 2
        worker.writer.observe()
        waiting = worker.registry.get_sample_value("wellwon_crm_waiting_deals", {"crm": "salesforce"})
        assert waiting == 1_000
        assert worker.registry.get_sample_value("wellwon_crm_budget_calls", {"crm": "salesforce"}) == 0

    asyncio.run(run())


def test_hours_after_a_win_are_the_policys() -> None:
    async def run() -> None:
        crm = Crm()
        worker = Worker(crm)
        worker.desk.directory = directory(POLICY[:-1] + ", wins_after_hours: 1}")
        await worker.take(win_record(opportunity_id=DEAL))
        worker.now = START + HOUR
        await worker.work()
        assert shown(crm).win is not None

    asyncio.run(run())


def test_no_deal_is_left_out_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes.Lane.__init__, "__defaults__", (2,))

    async def run() -> None:
        crm = Crm()
        worker = Worker(crm)
        crm.says = lambda facts: Later("down")
        await worker.take(*(alert_record(deal=f"006SM000000{number:04d}YAE") for number in range(5)))
        assert worker.writer.waiting == 5

    asyncio.run(run())
