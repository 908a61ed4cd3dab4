"""Everything that deliver knows, over a store of records: what comes in, what falls due, what was sent.

Pure: the time is an argument, and what is to be written and sent is collected by whoever does it. `runtime` sends; the
tests play any history without sending.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from wellwon.core.model import ALERT
from wellwon.core.state import read_prefix
from wellwon.core.units import HOUR, MINUTE
from wellwon.core.wakes import Wakes
from wellwon.deliver import digest, hours, outbox, store
from wellwon.deliver.book import Book
from wellwon.deliver.cards import AlertCard, CallCard, DigestCard
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.items import Alert, Reply, Win
from wellwon.deliver.plan import OLD_MS, card_of, forgettable, plan, wake_at
from wellwon.deliver.state import CAP, OLD, POST, QUIET, UPDATE, DealFile, Held, Message, Office, Page, Position
from wellwon.deliver.telling import Item, Plan, Telling, Tick

NEVER: Final = -1
STANDING: Final = 5
"""Messages about one headline at one address that are kept true: the last ones, where it rang more often."""


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
        self.records = records
        self.directory = directory
        self.epoch, self.generation = epoch, generation
        prefixes = {key: read_prefix(value) for key, value in records.items()}
        self._serial = max((prefix.offset for prefix in prefixes.values()), default=0)
        self._wakes = Wakes((prefix.wake_at, key) for key, prefix in prefixes.items() if prefix.wake_at >= 0)
        self._touched: dict[bytes, DealFile] = {}
        self._changed: dict[bytes, bytes | None] = {}
        self._collected = Collected()
        self._books = self._read_books()
        self._turned: set[Address] = set()
        """Addresses whose page changed."""
        office = records.get(store.OFFICE)
        self.office = Office(introduced=bool(records)) if office is None else store.decode(Office, office)
        self._office_changed = office is None

    def _read_books(self) -> dict[Address, Book]:
        pages: dict[Address, Page] = {}
        held: dict[Address, list[Held]] = {}
        for key, value in self.records.items():
            if key.startswith(store.PAGE):
                pages[store.address_in(key)] = store.decode(Page, value)
            elif key.startswith(store.HELD):
                held.setdefault(store.address_in(key), []).append(store.decode(Held, value))
        return {a: Book(a, pages.get(a), held.get(a, ())) for a in pages.keys() | held.keys()}

    # --- what comes in --------------------------------------------------------------------------------------------

    def take(self, item: Alert | Win | Reply, now: int, *, record: bytes = b"", since: int = 0) -> None:
        """Apply what was read. ``since``: when it was written (ms), for the time that a message takes."""
        key = (item.opportunity_id or getattr(item, "fingerprint", "")).encode()
        first = self._first(item, now) if isinstance(item, Alert) else False
        self._apply(key, item, now, first=first, record=record, since=since or now)

    def settle(self, now: int, limit: int = 200) -> bool:
        """Apply what falls due by ``now``, at most ``limit`` deals of it; tell whether there may be more."""
        office = self.office
        if not office.introduced and 0 < office.first_until <= now:
            office.introduced = self._office_changed = True
        for book in list(self._books.values()):
            if 0 <= book.wake_at <= now:
                self._release(book, now)
        for _ in range(limit):
            key = self._wakes.next_due(now, self._wake_of)
            if key is None:
                return False
            self._apply(key, Tick(), now, first=False, record=b"", since=now)
        return True

    def _wake_of(self, key: bytes) -> int:
        if (file := self._touched.get(key)) is not None:
            return wake_at(file)
        value = self.records.get(key)
        return NEVER if value is None else read_prefix(value).wake_at

    def _apply(self, key: bytes, item: Item, now: int, *, first: bool, record: bytes, since: int) -> None:
        file = self._file(key)
        made = plan(file, item, now, self.directory, first=first, record=record)
        self._count(made)
        for telling in made.tellings:
            self._tell(key, file, telling, now, since)
        if isinstance(item, Tick) and forgettable(file, now):
            self._changed[key] = None
            del self._touched[key]
        else:
            self._wakes.note(key, wake_at(file))

    def _count(self, made: Plan) -> None:
        counts = self._collected.counts
        for reason in made.silent:
            counts["silent", reason] += 1
        if made.repeat:
            counts["skipped", ""] += 1

    def _first(self, alert: Alert, now: int) -> bool:
        """Whether an alert belongs to the report of the first connection; an open one keeps that from being over."""
        office = self.office
        if office.introduced or (office.first_until and now >= office.first_until):
            return False
        if alert.open and alert.mode == ALERT:
            office.first_since = office.first_since or now
            quiet = max(MINUTE, self.directory.delivery.settle_minutes * MINUTE)
            office.first_until = min(now + quiet, office.first_since + HOUR)
            self._office_changed = True
        return True

    def _peek(self, key: bytes) -> DealFile:
        """A deal's file, to be read only."""
        if (file := self._touched.get(key)) is not None:
            return file
        value = self.records.get(key)
        return DealFile() if value is None else store.decode(DealFile, value)

    def _file(self, key: bytes) -> DealFile:
        """A deal's file, of which something is about to change."""
        file = self._touched[key] = self._peek(key)
        return file

    # --- the forecast call ----------------------------------------------------------------------------------------

    def call_due(self, now: int) -> bool:
        """Whether the forecast-call digest is to be made now; the first time it only notes when."""
        weekly, office = self.directory.delivery.weekly_digest, self.office
        if not weekly.to:
            return False
        if not office.call_due:
            zone = self.directory.policy.calendar.zone
            office.call_due = hours.next_time(now, zone, weekly.at, (weekly.weekday,))
            self._office_changed = True
        return now >= office.call_due

    def called(self, now: int) -> None:
        """Note that it was made."""
        self.office.called_at, self.office.call_due = now, 0
        self._office_changed = True

    def position(self, deal: str) -> Position | None:
        """How a deal stood at the last call, None where it was not seen by then."""
        value = self.records.get(store.POSITION + deal.encode())
        return None if value is None else store.decode(Position, value)

    def keep_position(self, deal: str, position: Position | None) -> None:
        """Remember how a deal stands at this call; None: it is over."""
        key = store.POSITION + deal.encode()
        self._changed[key] = None if position is None else self._encode(position, NEVER)

    def win_of(self, deal: str) -> Win | None:
        """The win of a deal, where there is one."""
        return self._peek(deal.encode()).win

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
            reason = self._book(telling.address).admit(now, self.directory)
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
        held = self._book(address).hold(key.decode(), mark, reason, now, self.directory)
        if held is not None:
            self._changed[store.held_key(address, held)] = self._encode(held, NEVER)
            self._collected.counts["held", reason] += 1

    def _book(self, address: Address) -> Book:
        """The book of an address, of which something is about to change."""
        self._turned.add(address)
        if (book := self._books.get(address)) is None:
            book = self._books[address] = Book(address)
        return book

    def _release(self, book: Book, now: int) -> None:
        """Tell what was held back: one digest, or the message itself where it is only one that came too late."""
        self._turned.add(book.address)
        released = book.release(now)
        lines, standing = [], []
        for held in released:
            self._changed[store.held_key(book.address, held)] = None
            if (line := digest.line(self._peek(held.deal.encode()), held)) is not None:
                lines.append(line)
                standing.append(held)
        settled = len(released) - len(lines)
        self._collected.counts["silent", "settled"] += settled
        if len(lines) == 1 and standing[0].reason in (QUIET, CAP):
            self._tell_one(book, standing[0], now)
        elif lines:
            self.post(book.address, digest.digest(lines, settled), now)

    def post(self, address: Address, card: DigestCard | CallCard, now: int) -> None:
        """Tell an address something that is about many deals."""
        page = self._book(address).page
        page.serial += 1
        id_ = f"{address}/{page.serial}"
        page.outbox.append(Message(id_, str(address), POST, f"digest:{page.serial}", card, now))
        self._collected.fresh.append((store.page_key(address), id_, str(address)))

    def _tell_one(self, book: Book, held: Held, now: int) -> None:
        key = held.deal.encode()
        file = self._file(key)
        again = False
        if (told := file.told.get(held.mark, {}).get(str(book.address))) is not None:
            again, told.digest = not told.digest, False
        self._post(key, file, Telling(book.address, held.mark, POST, card_of(file, held.mark), again=again), now)

    # --- what is sent ---------------------------------------------------------------------------------------------

    def outstanding(self) -> list[tuple[bytes, str, str]]:
        """Key, message id and address of everything that is on its way, in order: what a successor goes on with."""
        found = []
        for key in self.records:
            if key.startswith(store.PAGE):
                waiting = self._books[store.address_in(key)].page.outbox
            elif key.startswith(b"\0"):
                continue
            else:
                waiting = self._peek(key).outbox
            found += [(key, message.id, message.address) for message in waiting]
        return found

    def attempt(self, key: bytes, id_: str, now: int) -> Attempt | None:
        """Note that a message goes out now (once this is written); None where it need not any more."""
        out = self._outbox(key)
        message = outbox.find(out, id_)
        if message is None:
            return None
        file = self._touched.get(key)
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
        out = self._outbox(key)
        message = outbox.find(out, id_)
        if message is None:
            return
        out.remove(message)
        if ref and message.kind == POST and (file := self._touched.get(key)) is not None:
            mark = f"{message.address} {message.mark}"
            file.refs[mark] = [*(file.refs.get(mark, []) if message.again else []), ref][-STANDING:]
            file.refs.setdefault(message.address, [ref])

    def put_off(self, key: bytes, id_: str) -> None:
        """Note that the sink did certainly not take a message, and that it will be sent again."""
        if (message := outbox.find(self._outbox(key), id_)) is not None:
            message.attempted = False

    def give_up(self, key: bytes, id_: str) -> Message | None:
        """Drop a message that the sink will not take, and return it."""
        out = self._outbox(key)
        message = outbox.find(out, id_)
        if message is None:
            return None
        out.remove(message)
        file = self._touched.get(key)
        if message.kind == POST and file is not None and (told := file.told.get(message.mark)) is not None:
            told.pop(message.address, None)
        return message

    def _outbox(self, key: bytes) -> list[Message]:
        if key.startswith(store.PAGE):
            return self._book(store.address_in(key)).page.outbox
        return self._file(key).outbox

    # --- what is written ------------------------------------------------------------------------------------------

    def collect(self) -> Collected:
        """What changed since the last time."""
        found, self._collected = self._collected, Collected()
        for key, file in self._touched.items():
            self._changed.setdefault(key, self._encode(file, wake_at(file)))
        for address in self._turned:
            book = self._books[address]
            self._changed[store.page_key(address)] = self._encode(book.page, NEVER)
        if self._office_changed:
            self._changed[store.OFFICE] = self._encode(self.office, NEVER)
        found.states = self._changed
        for key, value in self._changed.items():
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value
        self._touched, self._changed, self._office_changed = {}, {}, False
        self._turned.clear()
        return found

    def _encode(self, entry: store.Entry, wake: int) -> bytes:
        self._serial += 1
        return store.encode(entry, epoch=self.epoch, generation=self.generation, serial=self._serial, wake_at=wake)
