"""Parquet files as tables: every cell as text, so that what judges a CSV judges them as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wellwon.sources.change import Rejected
from wellwon.sources.table import Cells, NotATable, Piece, plain_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SUFFIXES: Final = (".parquet", ".pq")
_ROWS: Final = 100_000
"""Rows of a piece, about a row group."""
_FETCHED: Final = 2_000
_MEMORY: Final = "256MB"


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Parquet file; its rows are numbered from 1, for it has no lines."""

    file: str
    columns: tuple[str, ...]
    header: tuple[str, ...]
    _path: Path
    _count: int
    _size: int
    decimal_comma: bool = False

    def pieces(self) -> list[Piece]:
        """By number of row."""
        share = self._size // max(self._count, 1)
        return [
            Piece(share * min(_ROWS, self._count - start), start, _ROWS, start + 1)
            for start in range(0, self._count, _ROWS)
        ]

    def rows(self, piece: Piece) -> Iterator[tuple[int, Cells] | Rejected]:
        """See `Table`."""
        first = piece.start
        with _engine() as engine:
            found = engine.execute(
                "SELECT COLUMNS(*)::VARCHAR FROM read_parquet($file, file_row_number = true)"
                " WHERE file_row_number >= $first AND file_row_number < $end ORDER BY file_row_number",
                {"file": str(self._path), "first": first, "end": first + (piece.count or self._count)},
            )
            line = piece.line
            while rows := found.fetchmany(_FETCHED):
                for row in rows:
                    cells = [cell or "" for cell in row[:-1]]
                    if any(cells):
                        yield line, cells
                    line += 1


def open_parquet(path: Path, file: str) -> ParquetTable:
    """The file's table. Raises `NotATable`, and OSError for a file that cannot be opened."""
    import duckdb

    with path.open("rb") as binary:
        if not binary.read(1):
            raise NotATable(f"{file}: the file is empty: was the export finished?")
    with _engine() as engine:
        try:
            described = engine.execute("DESCRIBE SELECT * FROM read_parquet($file)", {"file": str(path)}).fetchall()
            counted = engine.execute("SELECT count(*) FROM read_parquet($file)", {"file": str(path)}).fetchone()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise NotATable(f"{file}: this is no Parquet file that can be read, or it is cut off: {reason}") from None
    header = tuple(str(column[0]) for column in described)
    count = int(counted[0]) if counted else 0
    return ParquetTable(file, plain_columns(header, file), header, path, count, path.stat().st_size)


def _engine() -> DuckDBPyConnection:
    # Only files of this kind need it, and it takes a while to load.
    import duckdb

    engine = duckdb.connect(config={"memory_limit": _MEMORY, "threads": 1})
    engine.execute("SET TimeZone = 'UTC'")
    return engine
