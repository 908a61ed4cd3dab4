"""A CSV export as rows that know their line: whatever its encoding, delimiter, header spelling and decimal mark."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wellwon.sources.change import Rejected

_DELIMITERS: Final = ",;\t|"
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CELL_MAX: Final = 1 << 20  # long texts are cut at 131,072 characters by Salesforce


class NotATable(ValueError):
    """The file as a whole cannot be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: cells by plain column name (`plain`), and where it stands."""

    file: str
    line: int
    cells: Mapping[str, str]
    original: bytes

    def get(self, column: str) -> str:
        """A cell's text without spaces around it; empty where the file has no such column."""
        return self.cells.get(column, "")

    def rejected(self, reason: str, detail: str, column: str = "") -> Rejected:
        """This row as one that cannot be used."""
        return Rejected(reason, detail, self.original, f"{self.file}:{self.line}{':' + column if column else ''}")


@dataclass(frozen=True, slots=True)
class Table:
    """A file's header and text."""

    file: str
    columns: tuple[str, ...]
    """Plain names, in the file's order."""
    header: tuple[str, ...]
    """The names as they are written."""
    decimal_comma: bool
    _text: str
    _delimiter: str

    def has(self, *columns: str) -> bool:
        """The file has all of these columns."""
        return all(column in self.columns for column in columns)

    def rows(self) -> Iterator[Row | Rejected]:
        """Every row after the header; one that does not fit the header is rejected. Empty lines are skipped."""
        reader = csv.reader(io.StringIO(self._text, newline=""), delimiter=self._delimiter)
        next(reader)
        line = reader.line_num + 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                original = "\n".join(self._text.splitlines()[line - 1 : reader.line_num]).encode()
                yield Rejected("bad_row", f"not a CSV row: {error}", original, f"{self.file}:{line}")
                line = reader.line_num + 1
                continue
            if any(cell.strip() for cell in cells):
                yield self._row(line, cells)
            line = reader.line_num + 1

    def _row(self, line: int, cells: list[str]) -> Row | Rejected:
        original = _joined(cells, self._delimiter)
        while len(cells) > len(self.columns) and not cells[-1].strip():
            cells.pop()  # spreadsheets leave empty cells at the end of a row
        if len(cells) != len(self.columns):
            return Rejected(
                "bad_row",
                f"the row has {len(cells)} cells, the header {len(self.columns)}:"
                " is a quote missing, or a delimiter inside a text?",
                original,
                f"{self.file}:{line}",
            )
        return Row(self.file, line, dict(zip(self.columns, map(str.strip, cells), strict=True)), original)


def plain(name: str) -> str:
    """A column's name without case, spaces and underscores: ``Close Date``, ``CloseDate``, ``close_date`` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def read_table(data: bytes, file: str) -> Table:
    """The file's table. Raises `NotATable`."""
    text = _text(data, file)
    first = text.split("\n", 1)[0]
    if not first.strip():
        raise NotATable(f"{file}:1: the first line must be the header, and it is empty")
    delimiter = max(_DELIMITERS, key=lambda mark: _columns(first, mark))
    csv.field_size_limit(_CELL_MAX)
    try:
        header = tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except csv.Error as error:
        raise NotATable(f"{file}:1: the header is not CSV: {error}") from None
    columns = tuple(plain(name) for name in header)
    doubled = {name for name in columns if name and columns.count(name) > 1}
    if doubled:
        twice = ", ".join(name for name in header if plain(name) in doubled)
        raise NotATable(f"{file}:1: columns with the same name: {twice}. Remove or rename one")
    return Table(file, columns, header, _decimal_comma(text, delimiter), text, delimiter)


def _text(data: bytes, file: str) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise NotATable(f"{file}: it begins like {encoding}, and is not: {error}") from None
    if b"\0" in data[:4]:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Spreadsheets on Windows still save "CSV" in the system's old encoding.
        return data.decode("cp1252", "replace")


def _columns(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), ()))
    except csv.Error:
        return 0


def _joined(cells: Sequence[str], delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue().encode()


# --- numbers -----------------------------------------------------------------------------------------------------

_COMMA_DECIMAL: Final = re.compile(r'(?<![\d,.])"?-?\d{1,3}(?:\.?\d{3})*,\d{1,2}"?(?![\d,.])')
_POINT_DECIMAL: Final = re.compile(r'(?<![\d,.:/-])"?-?\d[\d,]*\.\d{1,2}"?(?![\d,.])')


def _decimal_comma(text: str, delimiter: str) -> bool:
    """Decimals are written with a comma. A file with commas between cells only has them if a cell says so plainly."""
    if delimiter == ",":
        return False
    sample = text[:1_000_000]
    return bool(_COMMA_DECIMAL.search(sample)) or (delimiter == ";" and not _POINT_DECIMAL.search(sample))


_NUMBER: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"[-+]?\d(\.\d+)?[eE]\+?\d{1,2}", re.ASCII)
_UNIT: Final = re.compile(r"^[A-Z]{3}\b|\b[A-Z]{3}$|[$€£¥%\s\u00a0\u202f\u2019']")


def number(text: str, *, decimal_comma: bool) -> str:
    """A number with a decimal point and nothing else, from what a spreadsheet shows (``$1,234.50``, ``(50.00)``).

    Raises ValueError.
    """
    if _NUMBER.fullmatch(text) and not (decimal_comma and re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})+", text)):
        return text
    bare = _UNIT.sub("", text.strip())
    if bare.startswith("(") and bare.endswith(")"):
        bare = "-" + bare[1:-1]
    if _SCIENTIFIC.fullmatch(bare.replace(",", ".") if decimal_comma else bare):
        return f"{float(bare.replace(',', '.')):.6f}"
    group, mark = (".", ",") if decimal_comma else (",", ".")
    whole, _, fraction = bare.partition(mark)
    if group in whole and not re.fullmatch(rf"[-+]?\d{{1,3}}(\{group}\d{{3}})+", whole):
        raise ValueError(f"{text!r} is not a number: its thousands are not in threes")
    found = whole.replace(group, "") + ("." + fraction if fraction else "")
    if not _NUMBER.fullmatch(found):
        raise ValueError(f"{text!r} is not a number")
    return found
