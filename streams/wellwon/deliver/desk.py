"""Everything that deliver knows, over a store of records: what comes in, what falls due, what was sent.

Pure: the time is an argument, and what is to be written and sent is collected by whoever does it. `runtime` sends; the
tests play any history without sending.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wellwon.core.model import ALERT
from wellwon.core.units import HOUR, MINUTE
from wellwon.core.wakes import Wakes
from wellwon.deliver import digest, hours, outbox, store
from wellwon.deliver.book import Book
from wellwon.deliver.cards import AlertCard, CallCard, DigestCard
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.items import Alert, Reply, Win
from wellwon.deliver.ledger import Ledger
from wellwon.deliver.plan import FORGET_MS, OLD_MS, card_of, forgettable, heading, plan, wake_at
from wellwon.deliver.state import CAP, OLD, POST, QUIET, STANDING, UPDATE, DealFile, Held, Message, Position, Told
from wellwon.deliver.telling import Item, Plan, Telling, Tick


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that is to be sent now."""

    key: bytes
    message: Message
    refs: tuple[str, ...]
    """Of an update: the sink's references to what is to be edited."""
    thread: str
    """The sink's reference to the first message about the deal at that address, empty if there is none."""
    repeat: bool
    """It may have been sent before a crash."""


@dataclass(slots=True)
class Collected:
    """What is to be written, and what can be sent once it is written."""

    states: dict[bytes, bytes | None] = field(default_factory=dict)
    fresh: list[tuple[bytes, str, str]] = field(default_factory=list)
    """Key, message id and address of messages that are new in an outbox."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By what happened and a label: ``held`` by reason, ``silent`` by reason, ``withdrawn``, ``repeat`` ..."""


class Desk:
    """See the module."""

    def __init__(
        self, records: dict[bytes, bytes], directory: Directory, *, epoch: int = 0, generation: int = 0
    ) -> None:
        """``records`` are the stored ones by key; they are kept up to date as `collect` is called."""
        self.directory = directory
        self.ledger = Ledger(records, epoch=epoch, generation=generation)
        self._wakes = Wakes(self.ledger.wakes())
        self._collected = Collected()

    # --- what comes in --------------------------------------------------------------------------------------------

    def take(self, item: Alert | Win | Reply, now: int, *, record: bytes = b"", since: int = 0) -> None:
        """Apply what was read. ``since``: when it was written (ms), for the time that a message takes."""
        key = (item.opportunity_id or getattr(item, "fingerprint", "")).encode()
        first = self._first(item, now) if isinstance(item, Alert) else False
        self._apply(key, item, now, first=first, record=record, since=since or now)

    def settle(self, now: int, limit: int = 200) -> bool:
        """Apply what falls due by ``now``, at most ``limit`` deals of it; tell whether there may be more."""
        office = self.ledger.office
        if not office.introduced and 0 < office.first_until <= now:
            self.ledger.turn_office().introduced = True
        for book in list(self.ledger.books.values()):
            if 0 <= book.wake_at <= now:
                self._release(book, now)
        for _ in range(limit):
            key = self._wakes.next_due(now, self.ledger.wake_of)
            if key is None:
                return False
            self._apply(key, Tick(), now, first=False, record=b"", since=now)
        return True

    def _apply(self, key: bytes, item: Item, now: int, *, first: bool, record: bytes, since: int) -> None:
        file = self.ledger.file(key)
        made = plan(file, item, now, self.directory, first=first, record=record)
        self._count(made)
        for telling in made.tellings:
            self._tell(key, file, telling, now, since)
        if isinstance(item, Tick) and now >= file.last_at + FORGET_MS:
            if forgettable(file, key.decode(), now, self.directory.policy):
                self.ledger.forget(key)
                return
            file.last_at = now  # it is looked at again after as long a time
        self._wakes.note(key, wake_at(file))

    def _count(self, made: Plan) -> None:
        counts = self._collected.counts
        for reason in made.silent:
            counts["silent", reason] += 1
        if made.repeat:
            counts["skipped", ""] += 1

    def _first(self, alert: Alert, now: int) -> bool:
        """Whether an alert belongs to the report of the first connection; an open one keeps that from being over."""
        office = self.ledger.office
        if office.introduced or (office.first_until and now >= office.first_until):
            return False
        if alert.open and alert.mode == ALERT:
            office.first_since = office.first_since or now
            quiet = max(MINUTE, self.directory.delivery.settle_minutes * MINUTE)
            office.first_until = min(now + quiet, office.first_since + HOUR)
            self.ledger.turn_office()
        return True

    # --- the forecast call ----------------------------------------------------------------------------------------

    def call_due(self, now: int) -> bool:
        """Whether the forecast-call digest is to be made now; the first time it only notes when."""
        weekly, office = self.directory.delivery.weekly_digest, self.ledger.office
        if not weekly.to:
            return False
        if not office.call_due:
            zone = self.directory.policy.calendar.zone
            office.call_due = hours.next_time(now, zone, weekly.at, (weekly.weekday,))
            self.ledger.turn_office()
        return now >= office.call_due

    def called(self, now: int) -> None:
        """Note that it was made."""
        office = self.ledger.turn_office()
        office.called_at, office.call_due = now, 0

    def put_off_call(self, now: int) -> None:
        """Note that it could not be made."""
        self.ledger.turn_office().call_due = now + HOUR

    def position(self, deal: str) -> Position | None:
        """How a deal stood at the last call, None where it was not seen by then."""
        value = self.ledger.records.get(store.POSITION + deal.encode())
        return None if value is None else store.decode(Position, value)

    def keep_position(self, deal: str, position: Position | None) -> None:
        """Remember how a deal stands at this call; None: it is over."""
        self.ledger.keep(store.POSITION + deal.encode(), position)

    def win_of(self, deal: str) -> Win | None:
        """The win of a deal, where there is one."""
        return self.ledger.peek(deal.encode()).win

    # --- what is told ---------------------------------------------------------------------------------------------

    def _tell(self, key: bytes, file: DealFile, telling: Telling, now: int, since: int) -> None:
        if telling.kind == UPDATE:
            message = self._message(key, file, telling, since)
            editable = self.directory.editable(telling.address)
            became = outbox.edit(file.outbox, message, ended=telling.ended, editable=editable)
            self._collected.counts[became, ""] += 1
            if became == "added":
                self._collected.fresh.append((key, message.id, message.address))
            return
        if telling.again and outbox.waits(file.outbox, str(telling.address), telling.mark):
            return
        reason = telling.hold
        if not telling.free and not reason:
            reason = self.ledger.book(telling.address).admit(now, self.directory)
        if reason and isinstance(telling.card, AlertCard):
            self._hold(key, file, telling.address, telling.mark, reason, now, again=telling.again)
        else:
            self._post(key, file, telling, since)

    def _post(self, key: bytes, file: DealFile, telling: Telling, since: int) -> None:
        message = self._message(key, file, telling, since)
        file.outbox.append(message)
        self._collected.fresh.append((key, message.id, message.address))

    def _message(self, key: bytes, file: DealFile, telling: Telling, since: int) -> Message:
        file.serial += 1
        id_ = f"{key.decode()}/{file.serial}"
        about = str(telling.address), telling.kind, telling.mark, telling.card
        return Message(id_, *about, since, telling.again)

    def _hold(
        self, key: bytes, file: DealFile, address: Address, mark: str, reason: str, now: int, *, again: bool
    ) -> None:
        if not again and (told := file.told.get(mark, {}).get(str(address))) is not None:
            told.digest = True
        held = self.ledger.book(address).hold(key.decode(), mark, reason, now, self.directory)
        if held is not None:
            self.ledger.keep(store.held_key(address, held), held)
            self._collected.counts["held", reason] += 1

    def _release(self, book: Book, now: int) -> None:
        """Tell what was held back: one digest, or the message itself where it is only one that came too late."""
        released = self.ledger.book(book.address).release(now)
        lines, standing, settled = [], [], 0
        for held in released:
            self.ledger.keep(store.held_key(book.address, held), None)
            file = self.ledger.peek(held.deal.encode())
            if (line := digest.line(file, held, str(book.address))) is None:
                settled += 1
            elif line not in lines:
                lines.append(line)
                standing.append(held)
        self._collected.counts["silent", "settled"] += settled
        if len(lines) == 1 and standing[0].reason in (QUIET, CAP):
            self._tell_one(book, standing[0], now)
        elif lines:
            self.post(book.address, digest.digest(lines, settled), now)

    def post(self, address: Address, card: DigestCard | CallCard, now: int) -> None:
        """Tell an address something that is about many deals."""
        page = self.ledger.book(address).page
        page.serial += 1
        id_ = f"{address}/{page.serial}"
        page.outbox.append(Message(id_, str(address), POST, f"digest:{page.serial}", card, now))
        self._collected.fresh.append((store.page_key(address), id_, str(address)))

    def _tell_one(self, book: Book, held: Held, now: int) -> None:
        key = held.deal.encode()
        file = self.ledger.file(key)
        mark = heading(file, held.mark)
        card = card_of(file, mark)
        told = file.told.setdefault(mark, {}).setdefault(str(book.address), Told(now, card.alert.severity, digest=True))
        again, told.digest = not told.digest, False
        self._post(key, file, Telling(book.address, mark, POST, card, again=again), now)

    # --- what is sent ---------------------------------------------------------------------------------------------

    def outstanding(self) -> list[tuple[bytes, str, str]]:
        """Key, message id and address of everything that is on its way, in order: what a successor goes on with."""
        waiting = self.ledger.outboxes()
        return [(key, message.id, message.address) for key, outbox_ in waiting for message in outbox_]

    def attempt(self, key: bytes, id_: str, now: int) -> Attempt | None:
        """Note that a message goes out now (once this is written); None where it need not any more."""
        out = self.ledger.outbox(key)
        message = outbox.find(out, id_)
        if message is None:
            return None
        file = None if key.startswith(store.PAGE) else self.ledger.file(key)
        refs: list[str] = []
        thread = ""
        if file is not None:
            refs = file.refs.get(f"{message.address} {message.mark}", [])
            thread = file.refs.get(message.address, [""])[0]
            if message.kind == UPDATE and not refs:
                out.remove(message)  # what it would edit was never posted
                return None
            if self._too_old(message, now):
                out.remove(message)
                self._hold(key, file, Address.parse(message.address), message.mark, OLD, now, again=message.again)
                return None
        repeat, message.attempted = message.attempted, True
        return Attempt(key, message, tuple(refs) if message.kind == UPDATE else (), thread, repeat)

    def _too_old(self, message: Message, now: int) -> bool:
        """Whether an alert waited so long for its sink that it is no news."""
        waited = now - message.due_at > OLD_MS
        return waited and not message.attempted and message.kind == POST and isinstance(message.card, AlertCard)

    def sent(self, key: bytes, id_: str, ref: str) -> None:
        """Note that the sink took a message; ``ref`` is its reference, empty where there is none."""
        out = self.ledger.outbox(key)
        message = outbox.find(out, id_)
        if message is None:
            return
        out.remove(message)
        if ref and message.kind == POST and not key.startswith(store.PAGE):
            file = self.ledger.file(key)
            mark = f"{message.address} {message.mark}"
            file.refs[mark] = [*(file.refs.get(mark, []) if message.again else []), ref][-STANDING:]
            file.refs.setdefault(message.address, [ref])

    def put_off(self, key: bytes, id_: str) -> None:
        """Note that the sink did certainly not take a message, and that it will be sent again."""
        if (message := outbox.find(self.ledger.outbox(key), id_)) is not None:
            message.attempted = False

    def give_up(self, key: bytes, id_: str) -> Message | None:
        """Drop a message that the sink will not take, and return it."""
        out = self.ledger.outbox(key)
        message = outbox.find(out, id_)
        if message is None:
            return None
        out.remove(message)
        if message.kind == POST and not key.startswith(store.PAGE):
            self.ledger.file(key).told.get(message.mark, {}).pop(message.address, None)
        return message

    # --- what is written ------------------------------------------------------------------------------------------

    def collect(self) -> Collected:
        """What changed since the last time."""
        found, self._collected = self._collected, Collected()
        found.states = self.ledger.write()
        return found
