"""What is wrong with a file is said with its place and what to do, is counted, and is kept; the rest is used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wellwon.core.items import Change
from wellwon.sources import table
from wellwon.sources.by_deal import ByDeal, Exports
from wellwon.sources.history import Options
from wellwon.sources.kinds import guess_kind, kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.table import NotATable

HEADER = "Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate\n"
ROWS = """\
h2,d1,2026-01-20 09:00:00,ann,Negotiation/Review,100000,2026-02-10
h1,d1,2026-01-05 09:00:00,ann,Prospecting,100000,2026-02-10
h3,d2,2026-01-06 09:00:00,bob,Prospecting,5000,2026-03-10
"""


def here(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
    return map(function, jobs)


class Told:
    """What files come to."""

    def __init__(self, folder: Path, *files: Path, kind: str = "salesforce-history") -> None:
        self.folder = folder
        self.rejects = folder / "rejects.jsonl"
        rooms = folder / f"rooms-{len(list(folder.iterdir()))}"
        rooms.mkdir()
        source = Exports(kind_named(kind), [str(file) for file in files], SourceView(), Options(), self.rejects)
        self.progress: list[tuple[str, int, int]] = []
        self.by_deal: ByDeal = source.gather(rooms, here, lambda *done: self.progress.append(done), lambda: False)
        self.deals = {
            deal: [item for _, item in changes]
            for part in range(self.by_deal.parts)
            for deal, changes in self.by_deal.part(part).deals(Counter())
        }

    def rejected(self) -> list[tuple[str, str]]:
        """Where and why, without the folder."""
        if not self.rejects.exists():
            return []
        found = [json.loads(line) for line in self.rejects.read_text().splitlines()]
        return [(one["where"].removeprefix(f"{self.folder}/"), one["detail"]) for one in found]


def written(folder: Path, text: str | bytes, name: str = "h.csv") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def stages(changes: list[Any]) -> list[str]:
    return [item.values["stage"] for item in changes if isinstance(item, Change) and "stage" in item.values]


def test_rows_out_of_order_are_told_in_order(tmp_path: Path) -> None:
    told = Told(tmp_path, written(tmp_path, HEADER + ROWS))
    assert stages(told.deals["d1"]) == ["Prospecting", "Negotiation/Review"]
    assert (told.by_deal.rows, set(told.deals), told.rejected()) == (3, {"d1", "d2"}, [])


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    told = Told(tmp_path, written(tmp_path, (HEADER + ROWS)[:-30]))
    ((where, detail),) = told.rejected()
    assert where == "h.csv:4"
    assert "the file cut off here" in detail
    assert set(told.deals) == {"d1"}


def test_a_quote_that_is_missing(tmp_path: Path) -> None:
    told = Told(tmp_path, written(tmp_path, HEADER + ROWS.replace("Prospecting,100000", '"Prospecting,100000')))
    ((where, detail),) = told.rejected()
    assert where == "h.csv:3"
    assert "a quote missing" in detail


def test_custom_fields_that_differ_by_an_underscore_are_two(tmp_path: Path) -> None:
    header = HEADER.rstrip() + ",net_suite_id_c,netsuite_id_c\n"
    told = Told(tmp_path, written(tmp_path, header + "".join(f"{row},1,2\n" for row in ROWS.splitlines())))
    assert set(told.deals) == {"d1", "d2"}
    with pytest.raises(NotATable, match="columns with the same name: net_suite_id_c, net_suite_id_c"):
        Told(tmp_path, written(tmp_path, header.replace("netsuite", "net_suite")))


def test_every_file_that_is_none_is_named(tmp_path: Path) -> None:
    files = [
        written(tmp_path, HEADER + ROWS),
        written(tmp_path, "id,who\n", "a.csv"),
        written(tmp_path, "x,y\n", "b.csv"),
    ]
    with pytest.raises(NotATable, match=r"a\.csv:1: no columns .*leave it out(.|\n)*b\.csv:1: no columns"):
        Told(tmp_path, *files)


def test_bytes_of_another_encoding_are_read_and_told(tmp_path: Path) -> None:
    mixed = HEADER.encode() + ROWS.replace("Prospecting,5000", "Proposé,5000").encode("cp1252")
    told = Told(tmp_path, written(tmp_path, mixed))
    assert stages(told.deals["d2"]) == ["Proposé"]
    assert told.by_deal.remarks == (
        f"bytes that are not UTF-8, and are read as Windows-1252: 1, the first at {tmp_path}/h.csv:4:StageName; where "
        "a text looks wrong, export the file as UTF-8",
    )
    clean = Told(tmp_path, written(tmp_path, HEADER + ROWS.replace("Prospecting,5000", "Proposé,5000")))
    assert (stages(clean.deals["d2"]), clean.by_deal.remarks) == (["Proposé"], ())


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters_are_found(tmp_path: Path, mark: str) -> None:
    assert set(Told(tmp_path, written(tmp_path, (HEADER + ROWS).replace(",", mark))).deals) == {"d1", "d2"}


def test_a_delimiter_that_is_none_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, (HEADER + ROWS).replace(",", "^"))
    with pytest.raises(NotATable, match=r"h\.csv:1: .* found one column only .* is the delimiter none of comma"):
        Told(tmp_path, file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = (HEADER + ROWS).replace("Prospecting", "Präsentation")
    told = Told(tmp_path, written(tmp_path, text.encode(encoding)))
    assert stages(told.deals["d2"]) == ["Präsentation"]


def test_two_encodings_in_one_file(tmp_path: Path) -> None:
    # Two exports that somebody put one behind the other.
    first, second, third = ROWS.replace("Prospecting", "Präsentation").splitlines(keepends=True)
    told = Told(
        tmp_path, written(tmp_path, HEADER.encode() + first.encode() + second.encode() + third.encode("cp1252"))
    )
    assert stages(told.deals["d1"])[0] == stages(told.deals["d2"])[0] == "Präsentation"


def test_files_in_two_encodings(tmp_path: Path) -> None:
    one = written(tmp_path, (HEADER + ROWS).encode("utf-16"), "one.csv")
    more = ROWS.replace("d2", "d3").replace("h", "k").replace("Prospecting", "Präsentation")
    other = written(tmp_path, (HEADER + more).encode("cp1252"), "other.csv")
    assert stages(Told(tmp_path, one, other).deals["d3"]) == ["Präsentation"]


def test_ids_that_repeat(tmp_path: Path) -> None:
    again = ROWS.splitlines()[1].replace("Prospecting", "Qualification")
    told = Told(tmp_path, written(tmp_path, HEADER + ROWS + again + "\n"))
    assert stages(told.deals["d1"]) == ["Qualification", "Negotiation/Review"]  # the last of them counts


def test_an_empty_file(tmp_path: Path) -> None:
    for kind in ("salesforce-history", "changes"):
        with pytest.raises(NotATable, match=r"h\.csv: the file is empty"):
            Told(tmp_path, written(tmp_path, ""), kind=kind)
    assert Told(tmp_path, written(tmp_path, HEADER)).deals == {}


def test_cells_that_cannot_be_read(tmp_path: Path) -> None:
    bad = "h4,d1,2026-02-30,ann,Prospecting,1,2026-02-10\nh5,d1,2026-02-20,ann,Prospecting,much,2026-02-10\n"
    told = Told(tmp_path, written(tmp_path, HEADER + ROWS + bad))
    assert [where for where, _ in told.rejected()] == ["h.csv:5:CreatedDate", "h.csv:6:Amount"]
    assert (told.by_deal.rows, told.by_deal.rejections["bad_value"]) == (5, 2)
    assert len(told.by_deal.rejected) == 2


def test_lines_of_changes(tmp_path: Path) -> None:
    good = '{"id":"1","opportunity_id":"d1","occurred_at":"2026-01-05T09:00:00Z","kind":"created","values":{}}'
    told = Told(tmp_path, written(tmp_path, f'{good}\n\n{{"id"\n{good[:60]}\n', "c.jsonl"), kind="changes")
    assert [where for where, _ in told.rejected()] == ["c.jsonl:3", "c.jsonl:4"]
    assert told.by_deal.left_out["empty"] == 1
    assert set(told.deals) == {"d1"}


def test_parquet_says_the_same(tmp_path: Path) -> None:
    file, parquet = written(tmp_path, HEADER + ROWS + "h9,d9,2026-02-30,ann,New,1,2026-02-10\n"), tmp_path / "h.parquet"
    columns = "{'Amount': 'DOUBLE'}"
    duckdb.sql(f"COPY (FROM read_csv('{file}', types={columns})) TO '{parquet}'")
    plain, columnar = Told(tmp_path, file), Told(tmp_path, parquet)
    assert columnar.deals == plain.deals
    assert columnar.rejected()[0][0] == "h.parquet:4:CreatedDate"
    with pytest.raises(NotATable, match="no Parquet file that can be read, or it is cut off"):
        Told(tmp_path, written(tmp_path, parquet.read_bytes()[:-20], "cut.parquet"))


def test_pieces_are_read_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(
        f'h{n},d{n % 7},2026-01-{n % 27 + 1:02} 09:00:00,ann,"a ""stage""\nin {n} lines",{n},2026-02-10\n'
        for n in range(200)
    )
    file = written(tmp_path, HEADER + rows + "h,d1,never,ann,x,1,2026-02-10\n")
    whole = Told(tmp_path, file)
    monkeypatch.setattr(table, "PIECE", 999)
    pieces = Told(tmp_path, file)
    assert len(pieces.progress) > 10
    assert pieces.progress[-1] == ("reading", file.stat().st_size, file.stat().st_size)
    assert pieces.deals == whole.deals
    assert pieces.rejected() == whole.rejected() == [("h.csv:402:CreatedDate", pieces.rejected()[0][1])]


def test_a_bulk_edit_is_found_over_all_deals(tmp_path: Path) -> None:
    rows = "".join(
        f"a{n},d{n},2026-01-05 09:{n:02}:00,ann,Prospecting,1,2026-03-31\n"
        f"b{n},d{n},2026-02-05 09:00:{n:02},ops,Prospecting,1,2026-06-30\n"
        for n in range(30)
    )
    told = Told(tmp_path, written(tmp_path, HEADER + rows))
    kinds = {deal: [type(item).__name__ for item in changes] for deal, changes in told.deals.items()}
    assert kinds["d3"] == ["Change", "Change", "Reclassified"]  # it was told before there were enough
    assert kinds["d25"] == ["Change", "Change"]
    assert told.deals["d25"][1].bulk == 26


def test_the_kind_is_guessed_where_it_is_plain(tmp_path: Path) -> None:
    history = written(tmp_path, HEADER)
    deals = written(tmp_path, "Id,StageName,Name\n", "deals.csv")
    assert guess_kind([str(deals), str(history)]).name == "salesforce-history"
    fields = written(tmp_path, "OpportunityId,CreatedDate,Field,OldValue,NewValue\n", "f.csv")
    assert guess_kind([str(fields)]).name == "salesforce-field-history"
    assert guess_kind([str(written(tmp_path, '{"id":"1"}\n', "c.jsonl"))]).name == "changes"
    with pytest.raises(NotATable, match="they look like salesforce-field-history and salesforce-history: say which"):
        guess_kind([str(history), str(fields)])
    with pytest.raises(NotATable, match=r"deals\.csv:1: these are deals as they stand.* found: Id, StageName, Name"):
        guess_kind([str(deals)])
    lines = written(tmp_path, "deal_id,timestamp,field,value\n", "lines.csv")
    with pytest.raises(NotATable, match=r"lines\.csv:1: not the header of a history .*deal_id, timestamp, name, value"):
        guess_kind([str(lines)])
