"""A CSV export as rows that know their line: whatever its encoding, delimiter, header spelling and decimal mark.

A file is read as a stream and may be larger than memory; it can be cut into pieces that are read apart.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TextIO

from wellwon.sources.change import Rejected
from wellwon.sources.numbers import has_decimal_comma

STDIN: Final = "-"
PIECE: Final = 4 << 20
"""Bytes of a file that are read in one piece, a second of work."""

_DELIMITERS: Final = ",;\t|"
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED: Final = (
    (b"\x1f\x8b", "is compressed (gzip): unpack it first"),
    (b"PK\x03\x04", "is an Excel workbook or a zip archive: save the sheet as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "is an Excel workbook: save the sheet as CSV"),
    (b"%PDF", "is a PDF: export the table as CSV"),
)
_ONE_CELL: Final = "is the file cut off here, or the delimiter another one than in the header?"
_OTHER_WIDTH: Final = "is the file cut off here, a quote missing, or a delimiter inside a text?"
_CELL_MAX: Final = 1 << 20  # long texts are cut at 131,072 characters by Salesforce
_SAMPLE: Final = 1_000_000
_MIXED: Final = "wellwon-windows-1252"


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8, as spreadsheets on Windows write them; the rest of the file may well be UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    _foreign[_MIXED] += error.end - error.start
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_MIXED, _windows_1252)
_foreign = Counter[str]()


def foreign_bytes() -> int:
    """Bytes that this process read as Windows-1252 since it was asked last."""
    return _foreign.pop(_MIXED, 0)


class NotATable(ValueError):
    """The file as a whole cannot be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that is read by itself."""

    size: int
    """About how much it is, in bytes of the file."""
    start: int = 0
    """Where it begins: a byte of a text, a row of a Parquet file."""
    count: int | None = None
    """Lines (or rows) of it; None: to the end of the file."""
    line: int = 1
    """Number of its first line."""


Cells = list[str]


class Table(Protocol):
    """A file's header, and its rows."""

    @property
    def file(self) -> str:
        """The file's name, as messages show it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Plain names, in the file's order."""

    @property
    def header(self) -> tuple[str, ...]:
        """The names as they are written."""

    @property
    def decimal_comma(self) -> bool:
        """Its numbers have a decimal comma."""

    def pieces(self) -> list[Piece]:
        """The pieces that together are the file, in order."""

    def rows(self, piece: Piece) -> Iterator[tuple[int, Cells] | Rejected]:
        """Line and cells of every row behind the header; one that does not fit it is rejected."""


def plain(name: str) -> str:
    """A column's name without case, spaces and underscores: ``Close Date``, ``CloseDate``, ``close_date`` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def plain_columns(header: Sequence[str], file: str) -> tuple[str, ...]:
    """The header's plain names. Raises `NotATable` where two are the same.

    Custom fields of a warehouse that differ by an underscore only (``net_suite_id_c``, ``netsuite_id_c``) are two, and
    keep it: no field that wellwon knows is called so.
    """
    columns = tuple(plain(name) for name in header)
    doubled = {name for name in columns if name and columns.count(name) > 1}
    spelled = [name.strip().lower() for name in header]
    apart = {name for name in doubled if _are_custom(columns, spelled, name)}
    if apart:
        columns = tuple(text if name in apart else name for name, text in zip(columns, spelled, strict=True))
        doubled -= apart
    if doubled:
        twice = ", ".join(name for name in header if plain(name) in doubled)
        raise NotATable(f"{file}:1: columns with the same name: {twice}. Remove or rename one")
    return columns


def _are_custom(columns: Sequence[str], spelled: Sequence[str], doubled: str) -> bool:
    """Whether the columns of a plain name are all custom fields, each spelled in its own way."""
    these = [text for name, text in zip(columns, spelled, strict=True) if name == doubled]
    return all(text.endswith("_c") for text in these) and len(set(these)) == len(these)


def has(table: Table, *columns: str) -> bool:
    """The file has all of these columns."""
    return all(column in table.columns for column in columns)


def shown(name: str) -> str:
    """A file's name for messages."""
    return "standard input" if name == STDIN else name


def content_of(name: str) -> Path | bytes:
    """What is to be read: a file stays where it is, standard input is read now."""
    return sys.stdin.buffer.read() if name == STDIN else Path(name)


def stream(content: Path | bytes) -> BinaryIO:
    """Opened for reading. Raises OSError."""
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


# --- CSV ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A text file with a delimiter."""

    file: str
    columns: tuple[str, ...]
    header: tuple[str, ...]
    decimal_comma: bool
    _content: Path | bytes
    _delimiter: str
    _encoding: str
    _newline: str

    def pieces(self) -> list[Piece]:
        """Cut where a line ends outside of quotes; UTF-16 and standard input stay whole."""
        with stream(self._content) as file:
            size = file.seek(0, io.SEEK_END)
            if size <= PIECE or not self._newline:
                return [Piece(size)]
            file.seek(0)
            return list(_cut(file))

    def rows(self, piece: Piece) -> Iterator[tuple[int, Cells] | Rejected]:
        """See `Table`. Empty lines are skipped."""
        width = len(self.columns)
        with self._lines(piece) as lines:
            csv.field_size_limit(_CELL_MAX)
            reader = csv.reader(lines if piece.count is None else islice(lines, piece.count), delimiter=self._delimiter)
            if piece.start == 0:
                next(reader)
            before = piece.line
            line = before + reader.line_num
            while True:
                try:
                    for cells in reader:
                        if len(cells) != width or not cells[0]:
                            fitted = self._fitted(line, cells)
                            if fitted is not None:
                                yield fitted
                        else:
                            yield line, cells
                        line = before + reader.line_num
                    return
                except csv.Error as error:
                    after = before + reader.line_num
                    yield Rejected(
                        "bad_row", f"not a CSV row: {error}", self._original(line, after), f"{self.file}:{line}"
                    )
                    line = after

    def _fitted(self, line: int, cells: Cells) -> tuple[int, Cells] | Rejected | None:
        if not any(cell.strip() for cell in cells):
            return None
        original = joined(cells, self._delimiter)
        while len(cells) > len(self.columns) and not cells[-1].strip():
            cells.pop()  # spreadsheets leave empty cells at the end of a row
        if len(cells) == len(self.columns):
            return line, cells
        return Rejected(
            "bad_row",
            f"the row has {len(cells)} cells, the header {len(self.columns)}: "
            + (_ONE_CELL if len(cells) == 1 else _OTHER_WIDTH),
            original,
            f"{self.file}:{line}",
        )

    def _lines(self, piece: Piece) -> TextIO:
        file = stream(self._content)
        file.seek(piece.start)
        encoding = "utf-8" if piece.start else self._encoding
        errors = "replace" if encoding.startswith("utf-16") else _MIXED
        return io.TextIOWrapper(file, encoding, errors, newline=self._newline)

    def first_foreign(self, piece: Piece) -> str:
        """Where the first bytes of a piece are that are not UTF-8: file, line and column; empty if there are none."""
        with stream(self._content) as file:
            file.seek(piece.start)
            for number, line in enumerate(islice(file, piece.count), piece.line):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    before = line[: error.start].decode(errors="replace")
                    place = _columns(before, self._delimiter) - 1
                    column = f":{self.header[place]}" if 0 <= place < len(self.header) else ""
                    return f"{self.file}:{number}{column}"
        return ""

    def _original(self, first: int, end: int) -> bytes:
        """Some lines of the file as they are; only for what cannot be read, which is rare."""
        with self._lines(Piece(0)) as lines:
            return "".join(islice(lines, first - 1, end - 1)).rstrip("\r\n").encode(errors="replace")


def _cut(file: BinaryIO) -> Iterator[Piece]:
    """Pieces that end with a row: at a line's end up to which the quotes are paired."""
    start, at, line, block = 0, 0, 1, b""
    while more := file.read(PIECE):
        block += more
        at += len(more)
        end = _row_end(block)
        if end < 0:
            continue
        count = block.count(b"\n", 0, end)
        yield Piece(end, start, count, line)
        start, line, block = start + end, line + count, block[end:]
    if block:
        yield Piece(len(block), start, None, line)


def _row_end(block: bytes) -> int:
    """Behind the last line's end at which no quote is open, -1 where there is none; the block begins with a row."""
    end = len(block)
    quotes = block.count(b'"')
    while (found := block.rfind(b"\n", 0, end)) >= 0:
        quotes -= block.count(b'"', found, end)
        if quotes % 2 == 0:
            return found + 1
        end = found
    return -1


def open_csv(content: Path | bytes, file: str) -> CsvTable:
    """The file's table. Raises `NotATable`, and OSError for a file that cannot be opened."""
    with stream(content) as binary:
        head = binary.read(_SAMPLE)
    if not head:
        raise NotATable(f"{file}: the file is empty: was the export finished?")
    for mark, what in _PACKED:
        if head.startswith(mark):
            raise NotATable(f"{file}: it {what}")
    encoding = _encoding(head)
    wide = encoding.startswith("utf-16")
    newline = "\n" if b"\n" in head and not wide else ""
    try:
        # The sample may end inside a character.
        decoder = codecs.getincrementaldecoder(encoding)("strict" if wide else _MIXED)
        text = decoder.decode(head, final=len(head) < _SAMPLE)
    except UnicodeDecodeError as error:
        raise NotATable(f"{file}: it begins like {encoding}, and is not: {error}") from None
    first = text.split("\n", 1)[0]
    if not first.strip():
        raise NotATable(f"{file}:1: the first line must be the header, and it is empty")
    delimiter = max(_DELIMITERS, key=lambda mark: _columns(first, mark))
    csv.field_size_limit(_CELL_MAX)
    try:
        header = tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except csv.Error as error:
        raise NotATable(f"{file}:1: the header is not CSV: {error}") from None
    columns = plain_columns(header, file)
    return CsvTable(file, columns, header, has_decimal_comma(text, delimiter), content, delimiter, encoding, newline)


def _encoding(head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head[:4]:
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    return "utf-8"


def _columns(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), ()))
    except csv.Error:
        return 0


def joined(cells: Iterable[str], delimiter: str = ",") -> bytes:
    """A row as it would stand in a file."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue().encode(errors="replace")
