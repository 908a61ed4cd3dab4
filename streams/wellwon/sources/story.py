"""The saves of one deal as what they changed, and how its history begins.

Salesforce keeps a first row for the creation of every deal, so the first save of a deal is its creation (``created``),
unless the export itself shows that something came before (a value it had, or an older creation date): then what is
known of the time before is given as ``snapshot``, and the save is a change like any other.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

from wellwon.core.items import CHANGED, CREATED, DELETED, SNAPSHOT, Change
from wellwon.core.wire import source_hash
from wellwon.sources.change import Ignored
from wellwon.sources.mapping import EMPTY_TELLS, SourceView
from wellwon.sources.told import Save, Told

_LABEL: Final = "labels."


class Story:
    """Turns the saves of one deal, given in order of time, into changes."""

    def __init__(self, source: str, deal: str, view: SourceView, described: dict[str, Any]) -> None:
        """``described``: fields that have no history, such as the name, from another file."""
        self._source = source
        self._deal = deal
        self._kind_of = view.writers.kind
        self._described = described
        self._now: dict[str, Any] | None = None

    def tell(self, save: Save) -> list[Told | Ignored]:
        """What this save changed."""
        found: list[Told | Ignored] = []
        now = self._now
        begins = now is None
        if now is None:
            now = self._now = dict(self._described)
            if save.begins:
                now.update(save.values)
                return [self._told(save, CREATED, filled(now))]
            now.update(save.values)
            now.update(save.before or {})
            found.append(self._told(save, SNAPSHOT, filled(now), ":before"))
        values = {name: value for name, value in save.values.items() if now.get(name) != value}
        if values:
            now.update(values)
            found.append(self._told(save, CHANGED, values))
        elif not begins:
            found.append(Ignored("no_difference"))
        return found

    def created(self, save: Save, values: dict[str, Any]) -> Told:
        """The deal's creation, where the export says it apart from what was written then."""
        now = self._now = {**self._described, **values}
        return self._told(save, CREATED, filled(now), ":created")

    def deleted(self, at: int, id: str) -> Told:
        """The deal's deletion; who deleted it is in no history."""
        return self._told(Save(at, "", id, {}), DELETED, {}, ":deleted")

    def _told(self, save: Save, kind: str, values: dict[str, Any], suffix: str = "") -> Told:
        identity = save.id + suffix
        # A snapshot is nobody's behaviour.
        if kind in (SNAPSHOT, DELETED):
            return Told(identity, self._deal, self._source, save.at, kind, "", "system", identity, values)
        user = save.user
        # Rows of one user and second are one save and what automation made of it.
        transaction = f"{self._deal}:{save.at}:{user}"
        return Told(
            identity,
            self._deal,
            self._source,
            save.at,
            kind,
            user,
            save.kind or self._kind_of(user),
            transaction,
            values,
        )


def filled(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not empty."""
    return {name: value for name, value in values.items() if value is not None or name in EMPTY_TELLS}


def item_of(told: Told, *, labelled: bool, hashed: bool = True) -> Change:
    """What was told as the item of the core. ``labelled``: some field of a deal is mapped to a label.

    Not ``hashed``: repeats among the items of one deal have the same id in one process, and nobody else may ask for it.
    """
    identity = told.id
    return Change(
        told.at,
        told.kind,
        source_hash(identity) if hashed else hash(identity).to_bytes(8, "big", signed=True),
        zlib.crc32((told.transaction or identity).encode()) or 1,
        told.writer,
        told.writer_kind,
        1,
        _gathered(told.values) if labelled else told.values,
    )


def _gathered(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the labels in a dict of their own, as the core has them."""
    labels = {name[len(_LABEL) :]: text or "" for name, text in values.items() if name.startswith(_LABEL)}
    if not labels:
        return values
    return {**{name: value for name, value in values.items() if not name.startswith(_LABEL)}, "labels": labels}
