"""Deliver's records in memory: read when touched, and written back together."""

from __future__ import annotations

from collections.abc import Iterator

from wellwon.core.state import read_prefix
from wellwon.deliver import store
from wellwon.deliver.book import Book
from wellwon.deliver.directory import Address
from wellwon.deliver.plan import wake_at
from wellwon.deliver.state import DealFile, Held, Message, Office, Page

NEVER = -1


class Ledger:
    """See the module. What is asked for by `file`, `book` or `turn_office` is about to change, and is written."""

    def __init__(self, records: dict[bytes, bytes], *, epoch: int, generation: int) -> None:
        """``records`` are the stored ones by key; they are kept up to date as `write` is called."""
        self.records = records
        self.epoch, self.generation = epoch, generation
        self._serial = max((read_prefix(value).offset for value in records.values()), default=0)
        self._touched: dict[bytes, DealFile] = {}
        self._changed: dict[bytes, bytes | None] = {}
        self._turned: set[Address] = set()
        self.books = self._read_books()
        office = records.get(store.OFFICE)
        self.office = Office(introduced=bool(records)) if office is None else store.decode(Office, office)
        self._office_turned = office is None

    def _read_books(self) -> dict[Address, Book]:
        pages: dict[Address, Page] = {}
        held: dict[Address, list[Held]] = {}
        for key, value in self.records.items():
            if key.startswith(store.PAGE):
                pages[store.address_in(key)] = store.decode(Page, value)
            elif key.startswith(store.HELD):
                held.setdefault(store.address_in(key), []).append(store.decode(Held, value))
        return {a: Book(a, pages.get(a), held.get(a, ())) for a in pages.keys() | held.keys()}

    def peek(self, key: bytes) -> DealFile:
        """A deal's file, to be read only."""
        if (file := self._touched.get(key)) is not None:
            return file
        value = None if key in self._changed else self.records.get(key)
        return DealFile() if value is None else store.decode(DealFile, value)

    def file(self, key: bytes) -> DealFile:
        """A deal's file, of which something is about to change."""
        file = self._touched[key] = self.peek(key)
        self._changed.pop(key, None)
        return file

    def forget(self, key: bytes) -> None:
        """A deal's file is not needed any more."""
        self._touched.pop(key, None)
        self._changed[key] = None

    def book(self, address: Address) -> Book:
        """The book of an address, of which something is about to change."""
        self._turned.add(address)
        if (book := self.books.get(address)) is None:
            book = self.books[address] = Book(address)
        return book

    def turn_office(self) -> Office:
        """The office, of which something is about to change."""
        self._office_turned = True
        return self.office

    def keep(self, key: bytes, entry: store.Entry | None) -> None:
        """Write an entry that nothing else holds; None: it is over."""
        self._changed[key] = None if entry is None else self._encode(entry, NEVER)

    def outbox(self, key: bytes) -> list[Message]:
        """The messages on their way of a deal, or of an address's page; about to change."""
        if key.startswith(store.PAGE):
            return self.book(store.address_in(key)).page.outbox
        return self.file(key).outbox

    def outboxes(self) -> Iterator[tuple[bytes, list[Message]]]:
        """All of them, by key."""
        for key in self.records:
            if key.startswith(store.PAGE):
                yield key, self.books[store.address_in(key)].page.outbox
            elif not key.startswith(b"\0"):
                yield key, self.peek(key).outbox

    def wakes(self) -> Iterator[tuple[int, bytes]]:
        """When each stored deal wakes, of those that do."""
        for key, value in self.records.items():
            if (at := read_prefix(value).wake_at) >= 0:
                yield at, key

    def wake_of(self, key: bytes) -> int:
        """When a deal wakes; -1 for never."""
        if (file := self._touched.get(key)) is not None:
            return wake_at(file)
        value = None if key in self._changed else self.records.get(key)
        return NEVER if value is None else read_prefix(value).wake_at

    def write(self) -> dict[bytes, bytes | None]:
        """What changed since the last time, by key; None: a tombstone."""
        changed = self._changed
        for key, file in self._touched.items():
            changed[key] = self._encode(file, wake_at(file))
        for address in self._turned:
            changed[store.page_key(address)] = self._encode(self.books[address].page, NEVER)
        if self._office_turned:
            changed[store.OFFICE] = self._encode(self.office, NEVER)
        for key, value in changed.items():
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value
        self._touched, self._changed, self._office_turned = {}, {}, False
        self._turned.clear()
        return changed

    def _encode(self, entry: store.Entry, wake: int) -> bytes:
        self._serial += 1
        return store.encode(entry, epoch=self.epoch, generation=self.generation, serial=self._serial, wake_at=wake)
