"""When deliver forgets a deal: once nothing can come of it any more, for people or for a CRM."""

from __future__ import annotations

import pytest

from told import OWNER, START, Play, directory
from wellwon.core.units import DAY, format_instant
from wellwon.deliver import crm_facts
from wellwon.deliver.cards import HandoverCard
from wellwon.deliver.state import UPDATE


def deals(play: Play) -> list[bytes]:
    return [key for key in play.records if not key.startswith(b"\0")]


def test_a_deal_of_which_nothing_is_left_is_forgotten() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.resolve()
    play.now += 41 * DAY
    play.minutes(1)
    assert deals(play) == []


def test_an_alert_that_stays_open_for_months_is_looked_at_now_and_then() -> None:
    play = Play()
    play.alert()
    play.minutes(6)
    play.now += 41 * DAY
    assert play.desk.settle(play.now) is False, "one look, and no more"
    assert play.desk.collect().states.keys() == {b"d1"}
    assert play.desk.settle(play.now + DAY) is False
    assert not play.desk.collect().states
    play.resolve()
    assert play.at(OWNER)[-1].kind == UPDATE, "and it is known where its message stands"


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_deal_is_kept_until_the_crm_has_taken_its_facts(system: str) -> None:
    deal = {"salesforce": "006SM0000001Tb3YAE", "hubspot": "332507367156"}[system]
    play = Play(directory(f"crm: {{{system}: {{write: [alerts, wins]}}}}"))
    play.alert(deal=deal)
    file = play.desk.ledger.file(deal.encode())
    for write in crm_facts.pending(file, deal, system, play.directory.policy.crm, play.now):
        crm_facts.note(file, system, write)
    play.resolve(deal=deal)
    for _ in range(4):
        play.now += 41 * DAY
        play.minutes(1)
    assert deals(play) == [deal.encode()], "the CRM shows a flag that is over"
    file = play.desk.ledger.file(deal.encode())
    for write in crm_facts.pending(file, deal, system, play.directory.policy.crm, play.now):
        crm_facts.note(file, system, write)
    play.send()
    play.now += 41 * DAY
    play.minutes(1)
    assert deals(play) == []


def test_a_win_is_known_as_long_as_it_can_be_taken_back() -> None:
    play = Play()
    play.win()
    play.until(START + 2 * DAY)
    play.now = START + 95 * DAY
    play.minutes(1)
    play.win(2, withdrawn=True, at=format_instant(play.now))
    _note, corrected = play.at("post|success")
    assert isinstance(corrected.card, HandoverCard)
    assert corrected.card.win.withdrawn
    for _ in range(5):
        play.now += 41 * DAY
        play.minutes(1)
    assert deals(play) == []
