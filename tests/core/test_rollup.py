"""The rollup tells the same whatever the order, the repeats and the crashes; what is open is what holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.facts import Batch, Fact, Mark, encode_facts, encode_mark, read
from wellwon.core.group import GroupView, PeriodView, subjects_of
from wellwon.core.output import Output
from wellwon.core.partition import Partition
from wellwon.core.rollup import Rollup
from wellwon.core.tallies import Tallies
from wellwon.core.units import DAY, HOUR, MINUTE, format_date, format_instant, parse_date
from wellwon.core.wire import encode_clock, encode_policy
from wellwon.policy import compile_text

POLICY = """
team_label: labels.region
rules:
  bulk-push: {deals: 2, share: 5, hours: 72}
  period-end-load: {wins: 2}
  discount-concentration: {wins: 2, points: 1}
  borrowed-from-next-period: {share: 1}
"""
CALENDAR = FiscalCalendar()
BEGIN = parse_date("2026-08-01") * DAY
BUSY = parse_date("2026-09-16") * DAY
END = parse_date("2026-11-05") * DAY
OWNERS = ("anna", "ben")
PARTITIONS = 2


class Record(NamedTuple):
    key: bytes | None
    value: bytes
    offset: int


def change(deal: str, number: int, at: int, kind: str, by: str, **values: Any) -> Record:
    wire = {
        "id": f"{deal}:{number}", "opportunity_id": deal, "kind": kind, "occurred_at": format_instant(at),
        "writer": {"id": by, "kind": "user"}, "values": values,
    }  # fmt: skip
    return Record(deal.encode(), json.dumps(wire).encode(), at)


def life(rng: Random, deal: str) -> list[Record]:
    """A deal of a quarter with a restless end."""
    owner, day = rng.choice(OWNERS), parse_date("2026-09-22") + rng.randrange(30)
    given = {"owner_id": owner, "stage": "Prospecting", "amount": str(rng.randrange(1, 9) * 100), "currency": "USD"}
    given |= {"close_date": format_date(day), "labels.region": rng.choice(("East", "East", ""))}
    saves = [change(deal, 0, BEGIN, "created", owner, **given)]
    saves.append(change(deal, 1, BEGIN + 20 * DAY, "changed", owner, discount_percent=str(rng.randrange(5, 30))))
    at = BUSY + rng.randrange(10 * 24) * HOUR
    for number in range(2, 2 + rng.randrange(6)):
        at += rng.choice((MINUTE, 10 * MINUTE, 5 * HOUR, 2 * DAY))
        values: dict[str, Any] = rng.choice(
            (
                {"close_date": format_date(day + rng.randrange(-20, 40))},
                {"close_date": "2026-10-20"},
                {"close_date": format_date(day)},
                {"stage": "Closed Won"},
                {"stage": rng.choice(("Closed Lost", "Prospecting"))},
                {"owner_id": rng.choice(OWNERS)},
                {"discount_percent": str(rng.randrange(5, 60))},
                {"labels.region": "West"},
            )
        )
        saves.append(change(deal, number, at, "changed", rng.choice((owner, owner, *OWNERS)), **values))
    return saves


Chunk = list[bytes]
"""The facts of a day and the marks at its end."""


def days_of_facts(rng: Random, deals: int) -> list[Chunk]:
    """What two partitions of the log tell a rollup, day by day."""
    logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for number in range(deals):
        logs[number % PARTITIONS] += life(rng, f"deal{number}")
    chunks: list[Chunk] = [[] for _ in range(BEGIN, END, DAY)]
    for number, log in enumerate(logs):
        partition = Partition(number, POLICY, {}, compile_text)
        log.sort(key=lambda record: record.offset)
        offset = 0
        for day, chunk in enumerate(chunks):
            end = BEGIN + (day + 1) * DAY
            for record in [one for one in log if end - DAY <= one.offset < end]:
                offset += 1
                out = partition.apply([record._replace(offset=offset)])
                assert not out.dead_letters
                chunk += encode_facts(tuple(out.facts.values()), number)
            offset += 1
            partition.apply([Record(None, encode_clock(end), offset)])
            chunk.append(encode_mark(end, number, PARTITIONS))
    return chunks


def in_another_order(rng: Random, chunk: Chunk) -> Chunk:
    """Facts in any order, some of them more than once, then the marks."""
    facts = [value for value in chunk if b'"mark"' not in value]
    repeated = facts + rng.choices(facts, k=len(facts)) if facts else []
    rng.shuffle(repeated)
    return repeated + [value for value in chunk if b'"mark"' in value]


@dataclass
class Played:
    """A rollup with what it wrote: alerts, and its changelog."""

    store: dict[bytes, bytes] = field(default_factory=dict)
    alerts: list[bytes] = field(default_factory=list)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rollup = Rollup(POLICY, self.store, compile_text)

    def play(self, values: Iterable[bytes], offset: int = 0) -> Played:
        out = self.rollup.apply([Record(None, value, offset + i) for i, value in enumerate(values)])
        assert not out.dead_letters
        self.alerts += [value for _, value in out.alerts]
        self.changelog += out.states.items()
        return self


def by_id(alerts: list[bytes]) -> dict[str, Any]:
    """Alerts by id; the same id never says two things."""
    found: dict[str, Any] = {}
    for value in alerts:
        alert = msgspec.json.decode(value)
        assert found.setdefault(alert["id"], alert) == alert
    return found


def still_open(alerts: dict[str, Any]) -> set[tuple[str, str]]:
    """Fingerprint and severity of what is open at the end."""
    last = {alert["fingerprint"]: alert for alert in sorted(alerts.values(), key=lambda one: one["revision"])}
    return {(mark, alert["severity"]) for mark, alert in last.items() if alert["transition"] != "resolved"}


def from_scratch(facts: list[Fact], at: int) -> set[tuple[str, str]]:
    """What holds at an instant, asking every rule about everyone, with nothing remembered."""
    ruleset, found = compile_text(POLICY), set()
    newest: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda one: one.revision):
        newest[fact.deal] = fact
    subjects = sorted({subject for fact in newest.values() for subject in subjects_of(fact, ruleset)})
    now = CALENDAR.period_of(at)
    for subject in subjects:
        deals = [newest[deal] for deal in sorted(newest) if subject in subjects_of(newest[deal], ruleset)]
        for period in (now, CALENDAR.period_of_day(now.start_day - 1)):
            for active in ruleset.group_rules:
                if active.spec.subject != subject.partition(":")[0]:
                    continue
                assert active.spec.counts is not None
                counted = {fact.deal.encode(): active.spec.counts(PeriodView(period, ruleset), fact) for fact in deals}
                by_deal = {deal: part for deal, part in counted.items() if part is not None}
                finding: Any = active.spec.check(GroupView(by_deal, period, at, ruleset), active.params)  # type: ignore[arg-type]
                if finding is not None:
                    found.add((f"{active.spec.name}:{subject}:{period.label}", finding.severity))
    return found


seeds = st.integers(0, 2**32)


@settings(max_examples=40)
@given(seeds, st.integers(2, 24))
def test_any_order_and_repeats_tell_the_same(seed: int, deals: int) -> None:
    """All at once in order, or day by day in any order and some of it twice."""
    chunks = days_of_facts(Random(seed), deals)
    plain = Played().play(value for chunk in chunks for value in chunk)
    shuffled, rng = Played(), Random(seed + 1)
    for chunk in chunks:
        shuffled.play(in_another_order(rng, chunk))
    assert shuffled.alerts == plain.alerts


@settings(max_examples=40)
@given(seeds, st.integers(2, 24), st.integers(30, 96))
def test_what_is_open_is_what_holds(seed: int, deals: int, days: int) -> None:
    chunks = days_of_facts(Random(seed), deals)[:days]
    played = Played()
    for chunk in chunks:
        played.play(chunk)
    told = [item for chunk in chunks for item in map(read, chunk) if isinstance(item, Batch)]
    facts = [fact for batch in told for fact in batch.facts]
    assert still_open(by_id(played.alerts)) == from_scratch(facts, BEGIN + days * DAY)


class Forgetful(Rollup):
    """Counts all deals and asks all rules about whomever anything new concerns: nothing can be out of date."""

    def _judge(self, out: Output, hour: int) -> None:
        self._tallies = Tallies(self._ruleset)
        super()._judge(out, hour)


EXEMPT = """
exemptions:
  - {deals: [deal0, deal3], until: 2026-09-25, reason: being cleaned up}
  - {owners: [ben], rules: [bulk-push], until: 2026-10-05, reason: new here}
"""


@settings(max_examples=20)
@given(seeds, st.integers(2, 24), st.booleans(), st.booleans())
def test_asked_only_where_something_changed_it_tells_what_it_would_else(
    seed: int, deals: int, exempt: bool, otherwise: bool
) -> None:
    """Exemptions that end, a policy that changes in between, quarters that begin: alerts in the same order."""
    chunks = days_of_facts(Random(seed), deals)
    policy = POLICY + EXEMPT if exempt else POLICY
    if otherwise:
        chunks[50].insert(0, encode_policy(policy.replace("wins: 2", "wins: 3"), BEGIN + 50 * DAY))
    quick, slow = Played(), Played()
    quick.rollup, slow.rollup = Rollup(policy, {}, compile_text), Forgetful(policy, {}, compile_text)
    for chunk in chunks:
        quick.play(chunk)
        slow.play(chunk)
    assert quick.alerts == slow.alerts
    assert quick.rollup.open_findings == slow.rollup.open_findings


@settings(max_examples=80)
@given(seeds, st.integers(4, 24), st.data())
def test_a_crash_at_any_point_changes_nothing(seed: int, deals: int, data: st.DataObject) -> None:
    """What was written of a slice may be any part of it; the slice is read again, with repeats from before."""
    chunks = days_of_facts(Random(seed), deals)
    slices = [[value for chunk in chunks[i : i + 14] for value in chunk] for i in range(0, len(chunks), 14)]
    whole = Played()
    telling = [number for number, slice_ in enumerate(slices) if len(whole.alerts) < len(whole.play(slice_).alerts)]
    at = data.draw(st.sampled_from(telling or [1]))
    first = Played()
    for slice_ in slices[:at]:
        first.play(slice_)
    before = len(first.changelog)
    first.play(slices[at])
    after = len(first.changelog)
    # The control record is the last of a slice: everything but that is what a crash can do worst.
    written = data.draw(st.one_of(st.just(after - 1), st.integers(before, after)))
    survived: dict[bytes, bytes] = {}
    for key, value in first.changelog[:written]:
        if value is None:
            survived.pop(key, None)
        else:
            survived[key] = value
    second = Played(survived)
    for slice_ in slices[at - 1 if data.draw(st.booleans()) else at :]:
        second.play(slice_)
    assert by_id(first.alerts + second.alerts) == by_id(whole.alerts)


def test_everything_is_told_in_these_histories() -> None:
    """The properties above are about something."""
    rules: set[str] = set()
    for seed in range(12):
        played = Played()
        for chunk in days_of_facts(Random(seed), 24):
            played.play(chunk)
        rules |= {f"{alert['rule']} {alert['transition']}" for alert in by_id(played.alerts).values()}
    assert rules >= {
        f"{name} {transition}"
        for name in ("bulk-push", "period-end-load", "discount-concentration", "borrowed-from-next-period")
        for transition in ("opened", "resolved")
    }


def about_one(value: bytes) -> bool:
    item = read(value)
    return isinstance(item, Mark) and item.partition == 1


def test_nothing_is_judged_before_every_partition_has_passed() -> None:
    chunks = days_of_facts(Random(3), 24)
    played = Played()
    for chunk in chunks:
        played.play(value for value in chunk if not about_one(value))
    assert played.alerts == []
    assert played.play([encode_mark(END, 1, PARTITIONS)]).alerts


def test_what_is_no_fact_is_refused_and_the_others_count() -> None:
    rollup = Rollup(POLICY, {}, compile_text)
    wrong = [b"{", b"[]", b'{"kind":"deals"}', b'{"kind":"else"}', b'{"kind":"mark","at":"soon"}']
    out = rollup.apply([Record(b"d", value, i) for i, value in enumerate(wrong)])
    assert [letter.reason for letter in out.dead_letters] == ["not_a_fact"] * len(wrong)
    assert [letter.value for letter in out.dead_letters] == wrong


def test_closed_deals_are_let_go_after_two_periods() -> None:
    played = Played()
    for chunk in days_of_facts(Random(5), 12):
        played.play(chunk)
    held = len(played.store)
    for month in ("2026-12-15", "2027-01-15", "2027-02-15", "2027-04-15", "2027-04-16", "2027-07-15", "2027-07-16"):
        at = parse_date(month) * DAY
        deal = change("late", 0, at, "created", "anna", stage="Prospecting", close_date="2027-12-01", owner_id="anna")
        out = Partition(0, POLICY, {}, compile_text).apply([deal])
        played.play(
            [
                *encode_facts(tuple(out.facts.values()), 0),
                *(encode_mark(at + DAY, n, PARTITIONS) for n in range(PARTITIONS)),
            ]
        )
    kept = [key for key in played.store if key.startswith(b"deal")]
    status = {key: rollup_status(played, key) for key in kept}
    assert set(status.values()) == {"open"}
    assert len(played.store) < held


def rollup_status(played: Played, key: bytes) -> str:
    facts = played.rollup._holdings.facts[key]
    return ("open", "won", "lost", "deleted")[facts[-1].status]


def test_the_policy_that_the_deals_took_up_holds_from_the_next_hour_on() -> None:
    chunks = days_of_facts(Random(2), 24)
    played = Played()
    for chunk in chunks[:60]:
        played.play(chunk)
    assert len(still_open(by_id(played.alerts))) > 1
    off = "".join(f"  {name}: off\n" for name in ("bulk-push", "period-end-load", "discount-concentration"))
    policy = f"team_label: labels.region\nrules:\n{off}  borrowed-from-next-period: off\n"
    known = len(played.alerts)
    played.play([encode_policy(policy, BEGIN + 60 * DAY), encode_policy(POLICY, BEGIN + 59 * DAY)])
    assert played.rollup.policy == policy, "a partition that is behind says an older one"
    for chunk in chunks[60:62]:
        played.play(chunk)
    ended = [msgspec.json.decode(value) for value in played.alerts[known:]]
    assert {(alert["transition"], alert["reason"]) for alert in ended} == {("resolved", "policy")}
    assert not still_open(by_id(played.alerts))
