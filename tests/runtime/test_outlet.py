"""Where our own records landed shows who else writes."""

from __future__ import annotations

from wellwon.runtime.outlet import Changelog


def test_own_records_leave_no_gap() -> None:
    changelog = Changelog(0, 10, 1)
    for offset in range(10, 15):
        changelog.landed(offset)
    assert (changelog.next, changelog.foreign) == (15, [])


def test_a_gap_belongs_to_somebody_else() -> None:
    changelog = Changelog(0, 10, 1)
    changelog.landed(10)
    changelog.landed(13)
    assert (changelog.next, changelog.foreign) == (14, [(11, 13)])


def test_an_end_beyond_ours_belongs_to_somebody_else() -> None:
    changelog = Changelog(0, 10, 1)
    changelog.ended(10)
    assert changelog.foreign == []
    changelog.ended(12)
    assert (changelog.next, changelog.foreign) == (12, [(10, 12)])


def test_the_last_of_many_stands_for_all() -> None:
    changelog = Changelog(0, 10, 1)
    assert changelog.landed(14, 5)
    assert (changelog.next, changelog.foreign) == (15, [])


def test_records_missing_before_the_last_show() -> None:
    assert not Changelog(0, 10, 1).landed(13, 5)


def test_others_among_ours_are_looked_for_in_the_whole_range() -> None:
    changelog = Changelog(0, 10, 1)
    assert changelog.landed(15, 5)
    assert (changelog.next, changelog.foreign) == (16, [(10, 15)])
