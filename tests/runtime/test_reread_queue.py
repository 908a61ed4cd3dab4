"""What is to be read again: each deal once, the due ones in order, and patience with a CRM that does not answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.units import format_instant
from wellwon.runtime.reread_queue import WAIT_MAX_S, Queue
from wellwon.sources.reread import Request

AT = 1_792_000_000_000


def gap(deal: str, at: int = AT, reason: str = "gap") -> Request:
    return Request("salesforce", reason, format_instant(at), opportunity_id=deal)


def everything(since: str = "", entity: str = "Opportunity") -> Request:
    return Request("salesforce", "overflow", format_instant(AT), entity=entity, since=since)


def queue(*requests: Request) -> Queue:
    found = Queue(jitter=lambda: 1.0)
    for offset, request in enumerate(requests):
        found.add(request, b"", offset, AT)
    return found


def test_a_deal_is_read_once_however_often_it_is_asked_for() -> None:
    waiting = queue(gap("a"), gap("b"), gap("a"), gap("a", AT + 5))
    first, second = waiting.take(10, 0.0)
    assert (first.request.opportunity_id, first.offsets) == ("a", {0, 2, 3})
    assert (second.request.opportunity_id, second.offsets) == ("b", {1})
    assert [job.request.opportunity_id for job in waiting.take(1, 0.0)] == ["a"]


def test_a_reading_answers_every_loss_before_it_and_none_after() -> None:
    waiting = queue(gap("a"))
    (job,) = waiting.take(1, 0.0)
    waiting.done(job, read_at=AT + 1_000)
    assert not waiting.add(gap("a", AT + 999), b"", 1, AT)
    assert waiting.add(gap("a", AT + 1_000), b"", 2, AT)
    assert waiting.add(gap("b", AT), b"", 3, AT)


def test_a_history_is_no_snapshot() -> None:
    waiting = queue(gap("9", reason="merged"), gap("9"))
    assert [job.request.reason for job in waiting.take(10, 0.0)] == ["merged", "gap"]


def test_of_an_entity_the_longest_loss_counts() -> None:
    waiting = queue(everything("2026-10-14T10:00:00Z"), everything("2026-10-14T09:00:00Z"))
    job = waiting.entity(0.0)
    assert job is not None
    job.cursor = "next"
    waiting.add(everything("2026-10-14T09:30:00Z"), b"", 2, AT)
    assert (job.request.since, job.cursor) == ("2026-10-14T09:00:00Z", "next")
    waiting.add(everything(), b"", 3, AT)
    assert (job.request.since, job.cursor, job.offsets) == ("", "", {0, 1, 2, 3})
    assert waiting.take(10, 0.0) == []


def test_what_is_put_off_lets_the_others_by() -> None:
    waiting = queue(gap("a"), gap("b"))
    waiting.later(waiting.take(1, 0.0)[0], 0.0, 10.0)
    assert [job.request.opportunity_id for job in waiting.take(10, 9.9)] == ["b"]
    assert len(waiting.take(10, 10.0)) == 2


def test_a_crm_that_does_not_answer_is_asked_ever_more_seldom() -> None:
    waiting = queue(gap("a"))
    waits = []
    for _ in range(12):
        waiting.whole_failed(0.0, 0.0)
        waits.append(waiting.free_at)
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == WAIT_MAX_S
    assert waiting.take(1, WAIT_MAX_S - 1) == []
    waiting.whole_failed(0.0, 900.0)
    assert waiting.free_at == 900, "it says itself how long"
    waiting.whole_answered()
    waiting.whole_failed(0.0, 0.0)
    assert waiting.free_at == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from(["ask", "read", "put off"]))))
def test_no_request_is_forgotten(steps: list[tuple[str, int, str]]) -> None:
    """Every request waits until a reading that came after its loss, or is answered by one before."""
    waiting = Queue(jitter=lambda: 0.0)
    open_: dict[int, tuple[str, int]] = {}
    for offset, (deal, at, what) in enumerate(steps):
        if what == "ask" and waiting.add(gap(deal, AT + at), b"", offset, AT):
            open_[offset] = deal, at
        for job in [job for job in waiting.jobs.values() if job.request.opportunity_id == deal]:
            if what == "read":
                waiting.done(job, read_at=AT + 20)
                open_ = {number: one for number, one in open_.items() if one[0] != deal}
            elif what == "put off":
                waiting.later(job, 0.0, 1.0)
        assert {number for job in waiting.jobs.values() for number in job.offsets} == open_.keys()
