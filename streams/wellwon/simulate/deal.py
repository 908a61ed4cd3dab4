"""A deal being written: every save that its seller, an administrator or an integration makes, in the order of time.

A `Draft` knows what the CRM does by itself (on Closed Won, Salesforce sets a close date that lies in the future to
today, in UTC), so that a story only says what people do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from wellwon.core.units import DAY, HOUR, MINUTE, SECOND, format_date, format_money, format_percent
from wellwon.simulate import organisation
from wellwon.simulate.organisation import (
    CATEGORY_OF,
    LOST_STAGE,
    NEGOTIATION,
    NEW_BUSINESS,
    OPEN_STAGES,
    PROPOSAL,
    WON_STAGE,
    Quarter,
    Segment,
    office_hours,
    workday,
)
from wellwon.simulate.save import Line, Save

UNPRICED: Final = "unpriced"
"""Only an amount: the discount is unknown."""
BY_FIELD: Final = "field"
BY_LIST: Final = "list"
BY_LINES: Final = "lines"
PRICED: Final = (BY_FIELD, BY_LIST, BY_LINES)

PATIENCE: Final = 36
"""Days after which a deal that is worked on has left its stage."""
AHEAD: Final = 15
"""Days that the date of a well-kept deal lies ahead, at least, while it is in an early stage."""

GAP: Final = 61 * MINUTE
"""Saves of a deal are further apart than any correction, and than the hour that push-to-close asks for."""


@dataclass
class Draft:
    """A deal, its fields as they stand, and the saves so far."""

    rng: Random
    quarter: Quarter
    segment: Segment
    number: int
    owner: str
    style: str = ""
    pipeline: str = NEW_BUSINESS
    deal_type: str = "new"
    stages: tuple[str, ...] = OPEN_STAGES
    listed: int = 0
    """List amount, hundredths."""
    term: int = 0
    """Months; 0 where the organisation does not write a term on this deal."""

    saves: list[Save] = field(default_factory=list)
    stage: int = 0
    category: str = ""
    date: int = 0
    discount: int = 0
    lines: tuple[Line, ...] = ()
    cursor: int = 0
    """Instant of the latest save."""
    attended: bool = True
    """Its seller keeps the next step up to date while it is promised or nearly done (see `attention`)."""

    def __post_init__(self) -> None:
        rng, segment = self.rng, self.segment
        self.style = self.style or rng.choices((*PRICED, UNPRICED), (4, 2, 2, 1))[0]
        self.listed = self.listed or rng.randrange(segment.list_low, segment.list_high, 500) * 100
        self.discount = self.usual_discount(edge=False)
        if self.style == BY_LINES:
            self._split_into_lines()

    def usual_discount(self, *, edge: bool) -> int:
        """A discount that is usual in this segment in the middle of a quarter, or at its ends; hundredths."""
        usual = self.segment.discount_edge if edge else self.segment.discount_middle
        return max(300, round(self.rng.gauss(usual, 2.5) * 2) * 50)

    def priced_by(self, *styles: str) -> None:
        """The story needs the price to be kept in one of these ways."""
        if self.style not in styles:
            self.style = self.rng.choice(styles)
            if self.style == BY_LINES:
                self._split_into_lines()

    def shrink(self, factor: float) -> None:
        """A smaller deal; before its creation."""
        self.listed = round(self.listed * factor / 100) * 100
        if self.style == BY_LINES:
            self._split_into_lines()

    def _split_into_lines(self) -> None:
        seats = self.rng.randrange(5, 40)
        first = max(100, self.listed * 7 // 10 // seats // 100 * 100)
        rest = max(100, (self.listed - first * seats) // 100 * 100)
        self.lines = (Line("1", seats, first), Line("2", 1, rest))
        self.listed = first * seats + rest

    # --- time ---------------------------------------------------------------------------------------------------

    def on(self, day: int) -> int:
        """An instant in office hours of a day (or of the Friday before a weekend), after everything so far."""
        at = office_hours(self.rng, workday(day))
        return max(at, self.cursor + GAP + self.rng.randrange(600) * SECOND if self.cursor else 0)

    @property
    def staged(self) -> int:
        """The local day on which it came to its stage."""
        return organisation.calendar().local_day(max(save.at for save in self.saves if "stage" in save.values))

    @property
    def today(self) -> int:
        """The local day of the latest save."""
        return organisation.calendar().local_day(self.cursor)

    # --- saves ---------------------------------------------------------------------------------------------------

    def write(
        self,
        at: int,
        values: dict[str, Any],
        *,
        kind: str = "changed",
        writer: str = "",
        writer_kind: str = "user",
        bulk: int = 1,
        transaction: int | None = None,
    ) -> Save:
        """One save of the opportunity itself."""
        save = Save(
            at,
            kind,
            values,
            writer or self.owner,
            writer_kind,
            bulk,
            len(self.saves) if transaction is None else transaction,
        )
        self.saves.append(save)
        self.cursor = max(self.cursor, at)
        return save

    @property
    def amount(self) -> int:
        """The net amount over the whole term, hundredths."""
        return self.listed * (10_000 - self.discount) // 10_000 * max(12, self.term) // 12

    def create(self, day: int, close_date: int, *, reached: int = 0, estimate: bool = True, **more: Any) -> Save:
        """The deal appears in the CRM, with a rough amount or none."""
        self.date, self.stage, self.category = close_date, reached, CATEGORY_OF[reached]
        values: dict[str, Any] = {
            "name": organisation.account_name(self.number),
            "account": organisation.account_name(self.number),
            "owner_id": self.owner,
            "currency": "USD",
            "pipeline": self.pipeline,
            "deal_type": self.deal_type,
            "stage": self.stages[reached],
            "forecast_category": self.category,
            "close_date": format_date(close_date),
        }
        roughly = format_money(self.amount * self.rng.randrange(97, 104) // 100)
        values["amount"] = roughly if estimate else None
        if self.term:
            values["term_months"] = self.term
        lead = self.rng.random() < 0.15
        return self.write(
            self.on(day),
            {**values, **more},
            kind="created",
            writer="005Leads" if lead else "",
            writer_kind="integration" if lead else "user",
        )

    def advance(self, at: int, stage: int, category: str = "", *, priced: bool = False, **more: Any) -> Save:
        """To another open stage, and to the forecast category that goes with it."""
        values: dict[str, Any] = {"stage": self.stages[stage]}
        category = category or CATEGORY_OF[stage]
        if category != self.category:
            self.category = values["forecast_category"] = category
        self.stage = stage
        if priced:
            return self.price(at, self.discount, **{**values, **more})
        return self.write(at, {**values, **more})

    def price(self, at: int, discount: int, *, lines_last: bool = False, **more: Any) -> Save:
        """The price is set, for the first time or anew, in the way that this deal is priced.

        ``lines_last``: the amount is delivered before the line items that it follows from.
        """
        self.discount = discount
        transaction = len(self.saves)
        values: dict[str, Any] = {"amount": format_money(self.amount), **more}
        if self.style == BY_FIELD:
            values["discount_percent"] = format_percent(discount)
        elif self.style == BY_LIST:
            values["list_amount"] = format_money(self.listed)
        if lines_last:
            save = self.write(at, values, transaction=transaction)
            self._price_lines(at, transaction)
            return save
        self._price_lines(at, transaction)
        return self.write(at, values, transaction=transaction)

    def _price_lines(self, at: int, transaction: int) -> None:
        for line in self.lines if self.style == BY_LINES else ():
            values = {
                "quantity": str(line.quantity),
                "unit_price": format_money(line.list_price * (10_000 - self.discount) // 10_000),
                "list_price": format_money(line.list_price),
            }
            self.write(at, values, kind="line_item", transaction=transaction).line_item_id = line.id

    def redate(self, at: int, day: int, **how: Any) -> Save:
        """The close date moves."""
        self.date = day
        return self.write(at, {"close_date": format_date(day)}, **how)

    def forecast(self, at: int, category: str) -> Save:
        """The forecast category moves alone."""
        self.category = category
        return self.write(at, {"forecast_category": category})

    def win(self, at: int, *, discount: int | None = None, **more: Any) -> Save:
        """Closed Won. A close date after today, by UTC, becomes today; a last concession may be in the same save."""
        values: dict[str, Any] = {"stage": WON_STAGE, "forecast_category": "Closed", **more}
        today = at // DAY
        if self.date > today:
            self.date, values["close_date"] = today, format_date(today)
        self.category = "Closed"
        return self.price(at, discount, **values) if discount is not None else self.write(at, values)

    def lose(self, at: int) -> Save:
        """Closed Lost."""
        self.category = "Omitted"
        return self.write(at, {"stage": LOST_STAGE, "forecast_category": "Omitted"})

    # --- passages that many stories share ---------------------------------------------------------------------------

    def mature(
        self,
        by: int,
        reach: int,
        close_date: int,
        *,
        category: str = "",
        created: int | None = None,
        first_date: int | None = None,
        days: int = 0,
        priced: bool = True,
        **more: Any,
    ) -> None:
        """From creation to a stage, reached on the day ``by`` at the latest, priced on the way.

        The price is set when the deal comes to Proposal or, if it does not, with its last step. ``first_date`` is a
        date it is created with that is put right within the first week. ``more`` goes to the creation.
        """
        rng = self.rng
        if reach >= NEGOTIATION:
            by = min(by, close_date - AHEAD)  # the late stage is reached before its date is near
        first = min(reach, PROPOSAL)
        path = range(first, reach + 1)  # one stage after the other: deals that are well kept skip none
        cycle = days or rng.randrange(self.segment.cycle_low, self.segment.cycle_high) * 4 // 5
        cycle = min(cycle, PATIENCE * len(path))
        start = created if created is not None else min(by - 4 * len(path) - 9, by - cycle)
        # A working day is at most two days before the day meant: keep the order, and a day for the price to settle.
        step = (by - start) // len(path) if path else 0
        start = by - step * len(path)
        self.create(start, close_date if first_date is None else first_date, reached=max(0, first - 1), **more)
        if first_date is not None:
            self.redate(self.on(workday(start) + (3 if step > 6 else 1)), close_date)
        priced_at_stage = PROPOSAL if PROPOSAL in path else reach
        for number, stage in enumerate(path, start=1):
            self.advance(
                self.on(start + step * number),
                stage,
                category if stage == reach else "",
                priced=priced and stage == priced_at_stage,
            )

    def touch(self, at: int, *, inbound: bool = False) -> None:
        """A mail to the buyer, or from the buyer; it is no save of the deal."""
        direction = "inbound" if inbound else "outbound"
        self.saves.append(Save(at, "activity", {}, self.owner, transaction=len(self.saves), direction=direction))

    def answer(self, at: int, answer: str) -> None:
        """Somebody answers an alert."""
        self.saves.append(Save(at, "answer", {}, self.owner, transaction=len(self.saves), answer=answer))

    def note(self, at: int, text: str) -> None:
        """The next step is written down: chatter that means nothing."""
        self.saves.append(Save(at, "changed", {"next_step": text}, self.owner, transaction=len(self.saves)))


def later(rng: Random, at: int, low: int = 1, high: int = 3) -> int:
    """Some hours after an instant."""
    return at + rng.randrange(low * HOUR // SECOND, high * HOUR // SECOND) * SECOND
