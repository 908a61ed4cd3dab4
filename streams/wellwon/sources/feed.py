"""Files as the log they would leave: mapped, without repeats, bulk edits marked, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from wellwon.sources.change import Rejected
from wellwon.sources.history import Options
from wellwon.sources.kinds import Kind, read_files
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Normaliser, Outgoing
from wellwon.sources.table import STDIN


class Feed:
    """Reads files of one kind. After (or while) it is iterated, ``left_out`` counts what says nothing, by reason."""

    def __init__(
        self, kind: Kind, files: Sequence[str], view: SourceView, options: Options, rejected: Callable[[Rejected], None]
    ) -> None:
        """``rejected`` is called with each record or row that cannot be used."""
        self._kind = kind
        self._files = files
        self._view = view
        self._options = options
        self._rejected = rejected
        self._normaliser = Normaliser(view, kind.records(view) if kind.records else _none)
        self.read = 0
        """What the files were seen to say so far, used or not."""
        self.rejections: Counter[str] = Counter()

    @property
    def left_out(self) -> Counter[str]:
        """Records that say nothing of a deal, and repeats, by reason."""
        return self._normaliser.counts

    def lines(self) -> int | None:
        """How many lines the files have, about what ``read`` will come to; None where standard input is among them."""
        return None if STDIN in self._files else sum(map(_lines, self._files))

    def __iter__(self) -> Iterator[Outgoing]:
        """The records for the topics. Raises `NotATable` and OSError for a file that cannot be used at all."""
        for outcome in read_files(self._kind, self._files, self._view, self._options):
            self.read += 1
            for out in self._normaliser.take(outcome):
                if isinstance(out, Rejected):
                    self.rejections[out.reason] += 1
                    self._rejected(out)
                else:
                    yield out


def _lines(file: str) -> int:
    with Path(file).open("rb") as content:
        return sum(block.count(b"\n") for block in iter(partial(content.read, 1 << 20), b""))


def _none(_: bytes) -> Iterator[Rejected]:
    return iter(())
