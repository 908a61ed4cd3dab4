"""The organisation's changes in the order of their delivery, as `opportunity-change.v1` records, with their labels.

A deal's life is written once, with care, and then told in every *division*: a large organisation is a small one many
times over, with its own sellers, customers and deal ids, a millisecond apart. So memory is bounded by the number of
lives however many deals are asked for, and a record costs one `bytes.join`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import cycle, groupby, islice, repeat
from operator import attrgetter
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from wellwon.core.envelope import SCHEMA
from wellwon.core.units import SECOND, format_instant
from wellwon.simulate.attention import attend
from wellwon.simulate.deal import Draft
from wellwon.simulate.healthy import healthy
from wellwon.simulate.label import HEALTHY, LOOKALIKE, NEAR_MISS, PRESSURED, Label, Planted
from wellwon.simulate.lookalikes import LOOKALIKES
from wellwon.simulate.near_misses import NEAR_MISSES
from wellwon.simulate.organisation import SEGMENTS, calendar, owner_id, quarter
from wellwon.simulate.pressure import PRESSURES
from wellwon.simulate.save import Save
from wellwon.simulate.shown import with_shown

SOURCE: Final = "simulator"
LIVES: Final = 2_000
"""Different lives, where nobody asks for more; more deals than these are told by further divisions."""
DEALS_MAX: Final = 2_000_000
DIVISIONS: Final = 1_000
PRESSURED_SHARE: Final = 0.025
LOOKALIKE_SHARE: Final = 0.075
NEAR_MISS_SHARE: Final = 0.03

STORIES: Final = {PRESSURED: PRESSURES, LOOKALIKE: LOOKALIKES, NEAR_MISS: NEAR_MISSES}

DIVISION: Final = "~~~"
"""Stands for the division's number, three digits, wherever an id or an instant holds it."""
_NOTES: Final = (
    "Call the champion", "Send the security questionnaire", "Agree on the pilot's goals", "Meet the finance team",
    "Send the revised plan", "Prepare the review with the board", "Wait for the reference call",
)  # fmt: skip


class Delivery(NamedTuple):
    """One record as a source delivers it."""

    value: bytes
    key: bytes
    at: int
    """When it is delivered, epoch milliseconds; never before the instant at which it occurred."""


class _Told(NamedTuple):
    """A record of a life: the pieces between which the division's number stands."""

    at: int
    order: int
    life: int
    value: tuple[bytes, ...]
    key: tuple[bytes, ...]


class Simulation:
    """A sales organisation over one or more quarters; the same arguments always give the same bytes.

    Args:
        seed: any number.
        deals: how many, 1 to 2,000,000.
        quarters: over how many quarters, of which the first begins on 2026-07-01, they close.
        changes_per_deal: mean records of a deal. Below the natural mean (about 4.4) is a ValueError; above it, sellers
            write down their next steps so often. None: as it comes.
        until: nothing is delivered from this instant (epoch milliseconds) on; default the fourth day after the last
            quarter.
        pressured: share of deals into which a pattern is planted.
        lookalikes: share of deals that only look like one.
        near_misses: share of deals that come close to a pattern's threshold.
        lives: how many of the deals are different at most, from 2,000 on; 10,000 take 3 s and 100 MB. The others repeat
            them: good for load, and misleading in statistics.
    """

    def __init__(
        self,
        seed: int,
        deals: int,
        quarters: int = 1,
        *,
        changes_per_deal: float | None = None,
        until: int | None = None,
        pressured: float = PRESSURED_SHARE,
        lookalikes: float = LOOKALIKE_SHARE,
        near_misses: float = NEAR_MISS_SHARE,
        lives: int = LIVES,
    ) -> None:
        if not 1 <= deals <= DEALS_MAX:
            raise ValueError(f"{deals} deals: between 1 and {DEALS_MAX:,} can be simulated")
        if lives * DIVISIONS < DEALS_MAX:
            raise ValueError(f"{lives} lives: at least {DEALS_MAX // DIVISIONS:,}")
        if not 1 <= quarters <= 40:
            raise ValueError(f"{quarters} quarters: between 1 and 40 can be simulated")
        shares = {PRESSURED: pressured, LOOKALIKE: lookalikes, NEAR_MISS: near_misses}
        if min(shares.values()) < 0 or sum(shares.values()) > 1:
            raise ValueError(f"the shares of {', '.join(shares)} deals must be 0 or more, together at most 1")
        self.deals = deals
        self.quarters = tuple(quarter(number) for number in range(quarters))
        self.until = calendar().midnight(self.quarters[-1].end + 4) if until is None else until
        self._seed = seed
        self._lives = min(deals, lives)
        self._stories: list[tuple[str, str, Planted]] = []
        drafts = [self._draft(life, group, kind) for life, (group, kind) in enumerate(self._cast(shares))]
        if changes_per_deal is not None:
            self._chat(drafts, changes_per_deal)
        self._told = sorted(
            told for life, draft in enumerate(drafts) for told in _tell(life, draft) if told.at < self.until
        )

    def _cast(self, shares: dict[str, float]) -> list[tuple[str, str]]:
        """Which life is which story: every story in turn, at shuffled places."""
        cast: list[tuple[str, str]] = []
        for group, share in shares.items():
            cast += zip(repeat(group), islice(cycle(STORIES[group]), round(self._lives * share)), strict=False)
        cast = cast[: self._lives] + [(HEALTHY, "")] * (self._lives - len(cast))
        Random(f"{self._seed}/cast").shuffle(cast)
        return cast

    def _draft(self, life: int, group: str, kind: str) -> Draft:
        rng = Random(f"{self._seed}/{life}")
        segment = rng.choices(SEGMENTS, [segment.share for segment in SEGMENTS])[0]
        draft = Draft(rng, self.quarters[life % len(self.quarters)], segment, life, owner_id(life) + DIVISION)
        if group == HEALTHY:
            kind, planted = healthy(draft)
        else:
            planted = STORIES[group][kind](draft)
        attend(draft, self.until)
        self._stories.append((group, kind, with_shown(planted, draft, self.until)))
        return draft

    def _chat(self, drafts: list[Draft], changes_per_deal: float) -> None:
        """Notes of next steps until the mean is reached, to the record."""
        natural = sum(len(save.deliveries) for draft in drafts for save in draft.saves if save.at < self.until)
        wanted = round(changes_per_deal * len(drafts)) - natural
        if wanted < 0:
            raise ValueError(
                f"{changes_per_deal} changes per deal: a simulated deal has {natural / len(drafts):.2f} by itself"
            )
        rng = Random(f"{self._seed}/notes")
        for number in range(wanted):
            draft = drafts[number % len(drafts)]
            first, last = draft.saves[0].at, min(draft.cursor, self.until - SECOND)
            at = first + rng.randrange(max(1, (last - first) // SECOND)) * SECOND
            draft.note(at, f"{rng.choice(_NOTES)} ({number})")

    def __iter__(self) -> Iterator[Delivery]:
        return self.deliveries()

    def deliveries(self) -> Iterator[Delivery]:
        """Every record in the order of delivery."""
        divisions, rest = divmod(self.deals, self._lives)
        tags = [b"%03d" % number for number in range(divisions + (rest > 0))]
        if len(tags) == 1:
            tag = tags[0]
            for told in self._told:
                yield Delivery(tag.join(told.value), tag.join(told.key), told.at)
            return
        for at, group in groupby(self._told, attrgetter("at")):
            together = list(group)
            for number, tag in enumerate(tags):
                for told in together:
                    if number < divisions or told.life < rest:
                        yield Delivery(tag.join(told.value), tag.join(told.key), at + number)

    def labels(self) -> Iterator[Label]:
        """The truth of every deal."""
        for number in range(self.deals):
            division, life = divmod(number, self._lives)
            yield Label.of(opportunity_id(life).replace(DIVISION, f"{division:03d}"), *self._stories[life])


def simulate(
    seed: int,
    deals: int,
    quarters: int = 1,
    *,
    changes_per_deal: float | None = None,
    until: int | None = None,
    calm: bool = False,
) -> Iterator[Delivery]:
    """The deliveries of a `Simulation`; ``calm``: one without pressured deals."""
    return Simulation(
        seed, deals, quarters, changes_per_deal=changes_per_deal, until=until, pressured=0 if calm else PRESSURED_SHARE
    ).deliveries()


def label_line(label: Label) -> bytes:
    """A label as a line of ``labels.jsonl``."""
    return json.dumps({name: getattr(label, name) for name in label.__slots__}, ensure_ascii=False).encode() + b"\n"


def deliveries_of(drafts: Iterable[Draft]) -> Iterator[Delivery]:
    """The records of deals by themselves, in the order of delivery; each deal's number is its life."""
    told = sorted(told for draft in drafts for told in _tell(draft.number, draft))
    for one in told:
        yield Delivery(b"000".join(one.value), b"000".join(one.key), one.at)


def opportunity_id(life: int) -> str:
    """A deal's id, with the place for its division."""
    return f"006S{life:08d}{DIVISION}AAA"


def _tell(life: int, draft: Draft) -> Iterator[_Told]:
    deal = opportunity_id(life)
    key = tuple(deal.encode().split(DIVISION.encode()))
    for number, save in enumerate(draft.saves):
        value = tuple(orjson.dumps(_event(deal, number, save)).split(DIVISION.encode()))
        for delivery in save.deliveries:
            yield _Told(save.at + delivery, number, life, value, key)


def _event(deal: str, number: int, save: Save) -> dict[str, Any]:
    writer = save.writer if not save.writer or save.writer.endswith(DIVISION) else save.writer + DIVISION
    event: dict[str, Any] = {
        "schema": SCHEMA,
        "id": f"sim:{deal}:{number}",
        "opportunity_id": deal,
        "source": SOURCE,
        "occurred_at": format_instant(save.at)[:19] + f".{DIVISION}Z",
        "kind": save.kind,
        "writer": {"id": writer, "kind": save.writer_kind},
        "transaction": f"sim:{deal}:t{save.transaction}",
        "bulk": save.bulk,
    }
    if save.kind == "reclassified":
        event["changes"] = [f"sim:{deal}:{change}" for change in save.changes]
        return event
    if save.kind == "activity":
        event |= {"direction": save.direction, "channel": "email"}
        return event
    if save.kind == "answer":
        event |= {"answer": save.answer, "by": event["writer"]["id"]}
        return event
    if save.line_item_id:
        event["line_item_id"] = f"00k{deal}{save.line_item_id}"
    event["values"] = save.values
    return event
