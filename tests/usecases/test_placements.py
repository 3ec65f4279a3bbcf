"""Last resort, priority and starts: what has to be shown first, and what is written then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.obligations import Why
from app.domain.postings import PostingKind, PostingState
from app.domain.pushes import Answer, Unsuitable
from app.domain.spells import SpellEnd
from app.domain.workers import Status
from app.kit.database import read_session, write_session
from app.kit.errors import Fault, Invalid
from app.store.postings import list_postings
from app.usecases.handed_pushes import judge_posting
from app.usecases.ledger import LedgerEntryUnknown, list_entries, read_note, strike_entry
from app.usecases.obligations import (
    BrokerUnknown,
    Guidance,
    NoOpenSpell,
    TalkedPush,
    record_answer,
    record_attempt,
    record_refusal,
    require_writer,
    why_uncounted,
)
from app.usecases.placements import (
    LastResortNotOfficers,
    LastResortNotProposed,
    LastResortOwnProposal,
    LastResortProposed,
    LastResortTooEarly,
    NotWorkRelief,
    PostingUnknown,
    decide_last_resort,
    place_by_priority,
    propose_last_resort,
    record_start,
)
from app.usecases.spells import WelfareNotGranted, find_open_spell
from app.usecases.vacancies import places_left
from app.wiring import House
from tests.houses import add_posting, with_matchmaker
from tests.people import ALLEVIATED, LONG_AGO, add_person
from tests.usecases.test_obligations import DAY, PUSH, TODAY, codes, record, register

OPENED = TODAY - 28 * DAY


def tried(house: House, *, gap: int = 8, at_once: bool = False, answers: int = 3, answered_late: bool = False) -> int:
    """Somebody who was told of three jobs, `gap` days apart, and turned each down, then or all of them now."""
    person, now = register(house, on=OPENED), house.clock.now()
    for number in range(3):
        at = now - (2 - number) * gap * DAY - DAY
        told = record(house, person, replace(PUSH, job=f"job-{number}"), happened_at=at, now=now if at_once else at)
        if number < answers:
            answer(house, told.id, **({} if answered_late else {"happened_at": at, "now": now if at_once else at}))
    return person


def answer(house: House, push: int, **given: Any) -> Entry:
    values: dict[str, Any] = {
        "answer": Answer.UNSUITABLE,
        "why": Unsuitable.TOO_FAR,
        "channel": Channel.SLIP,
        "evidence": Grade.A,
        "happened_at": house.clock.now(),
        "now": house.clock.now(),
        "actor": "broker/b-1",
        "keys": house.keys,
        **given,
    }
    with write_session(house.engine) as session:
        return record_answer(session, push=push, **values)


def propose(house: House, person: int, **given: Any) -> Entry:
    values = {"reasons": "三个岗位都太远", "now": house.clock.now(), "actor": "clerk/1", "keys": house.keys, **given}
    with write_session(house.engine) as session:
        return propose_last_resort(session, person, **values)


def decide(house: House, person: int, *, approves: bool = True, **given: Any) -> Entry:
    values = {"reasons": "同意", "now": house.clock.now(), "actor": "officer/2", "keys": house.keys, **given}
    with write_session(house.engine) as session:
        return decide_last_resort(session, person, approves=approves, **values)


def count_entries(house: House) -> int:
    with read_session(house.engine) as session:
        return len(list_entries(session))


# --- last resort ------------------------------------------------------------------------------------------------------


def test_a_last_resort_is_proposed_and_approved_with_what_the_ledger_showed(house: House) -> None:
    person = tried(house)
    proposed, approved = propose(house, person), decide(house, person)
    assert proposed.facts == {"step": "proposed", "reasons": ["pushes:3", "span_days:16"]}
    assert (approved.facts["step"], approved.refers_to, approved.actor) == ("approved", proposed.id, "officer/2")
    with write_session(house.engine) as session:
        note = read_note(
            session, proposed.id, keys=house.keys, actor="auditor/1", reason="check", now=house.clock.now()
        )
    assert note == "三个岗位都太远"
    with pytest.raises(LastResortProposed):
        propose(house, person)
    with pytest.raises(LastResortNotProposed):
        decide(house, person)


@pytest.mark.parametrize(
    ("given", "missing", "words"),
    [
        ({"answers": 2}, ["pushes", "span"], "送到并有回应或拒绝的岗位 2 个，要 3 个"),
        ({"gap": 4}, ["span"], "前后相隔 8 天，要 14 天"),
        ({"at_once": True}, ["written_at_once"], "台账是集中补记的"),
        ({"answered_late": True}, ["span"], "前后相隔 0 天，要 14 天"),
    ],
)
def test_a_last_resort_before_the_market_was_tried_is_refused_and_told_what_is_missing(
    house: House, given: dict[str, Any], missing: list[str], words: str
) -> None:
    person = tried(house, **given)
    before = count_entries(house)
    with pytest.raises(LastResortTooEarly) as refused:
        propose(house, person)
    assert refused.value.members["missing"] == missing
    assert words in str(refused.value)
    assert count_entries(house) == before


def test_a_last_resort_is_not_approved_when_a_push_was_struck_meanwhile_but_can_be_declined(house: House) -> None:
    person = tried(house)
    proposed = propose(house, person)
    with write_session(house.engine) as session:
        push = next(entry for entry in list_entries(session) if entry.kind is EntryKind.PUSH)
        strike_entry(session, push.id, why="没有推过", actor="clerk/3", now=house.clock.now(), keys=house.keys)
    with pytest.raises(LastResortTooEarly):
        decide(house, person)
    declined = decide(house, person, approves=False, reasons="台账不实")
    assert (declined.facts["step"], declined.refers_to) == ("declined", proposed.id)
    with pytest.raises(LastResortTooEarly):
        propose(house, person)


def test_a_last_resort_that_was_declined_or_struck_can_be_proposed_again(house: House) -> None:
    person = tried(house)
    propose(house, person)
    decide(house, person, approves=False)
    again = propose(house, person)
    with write_session(house.engine) as session:
        strike_entry(session, again.id, why="重提", actor="clerk/3", now=house.clock.now(), keys=house.keys)
    # What was struck is gone: the step before it, the office's no, stands.
    with pytest.raises(LastResortNotProposed):
        decide(house, person)
    assert propose(house, person).facts["step"] == "proposed"


def test_nobody_decides_about_what_they_proposed_and_nothing_is_decided_without_reasons(house: House) -> None:
    person = tried(house)
    propose(house, person, actor="officer/1")
    before = count_entries(house)
    with pytest.raises(LastResortOwnProposal):
        decide(house, person, actor="officer/1")
    with pytest.raises(Invalid) as refused:
        decide(house, person, reasons=" ")
    assert codes(refused.value) == [("reasons", "reasons_missing")]
    assert count_entries(house) == before


@pytest.mark.parametrize("actor", ["broker/b-1", "clerk/2", "officers/1", "officer"])
def test_nobody_but_an_officer_decides_about_a_last_resort(house: House, actor: str) -> None:
    person = tried(house)
    propose(house, person)
    before = count_entries(house)
    for approves in (True, False):
        with pytest.raises(LastResortNotOfficers):
            decide(house, person, approves=approves, actor=actor)
    assert count_entries(house) == before
    assert decide(house, person).facts["step"] == "approved"


def test_a_last_resort_is_for_people_who_are_registered(house: House) -> None:
    with pytest.raises(NoOpenSpell):
        propose(house, add_person(house))


# --- priority ---------------------------------------------------------------------------------------------------------


def crowd(house: House) -> list[int]:
    """Ranked: two of nothing, one hard to employ, one poverty-alleviated, one more of each of these."""
    hard = (Status.HARD_TO_EMPLOY, LONG_AGO, None)
    return [add_person(house, statuses) for statuses in ([], [], [hard], [ALLEVIATED], [hard], [ALLEVIATED])]


def relief(house: House, **given: Any) -> int:
    return add_posting(house, **{"kind": PostingKind.WORK_RELIEF, "openings": 2, **given})


def put(house: House, posting: int, people: list[int]) -> Any:
    with write_session(house.engine) as session:
        return place_by_priority(session, posting, people, now=house.clock.now(), actor="clerk/1", keys=house.keys)


def test_scarce_places_in_work_relief_go_by_priority_and_who_was_put_before_others_is_told(house: House) -> None:
    people, posting = crowd(house), relief(house)
    first, second, hard, poor, hard_too, poor_too = people
    found = put(house, posting, people)
    assert (found.placed, found.waiting) == ((poor, poor_too), (hard, hard_too, first, second))
    assert [(entry.kind, entry.worker_id, entry.facts["place"]) for entry in found.entries] == [
        (EntryKind.PRIORITY, poor, 1),
        (EntryKind.PRIORITY, poor_too, 2),
        (EntryKind.PRIORITY, hard, 3),
        (EntryKind.PRIORITY, hard_too, 4),
    ]
    assert found.entries[0].facts == {"posting": posting, "project": None, "place": 1, "placed": True}
    assert [entry.facts["placed"] for entry in found.entries] == [True, True, False, False]
    again = put(house, posting, people)
    assert (again.placed, again.waiting, again.entries) == (found.placed, found.waiting, ())


def test_where_there_are_places_for_all_each_is_given_one_and_it_is_told(house: House) -> None:
    people, posting = crowd(house), relief(house)
    hard, poor = people[2:4]
    found = put(house, posting, [hard, poor])
    assert (found.placed, found.waiting) == ((poor, hard), ())
    assert [(entry.worker_id, entry.facts["placed"]) for entry in found.entries] == [(poor, True), (hard, True)]


def test_places_are_given_once_and_whoever_has_one_keeps_it(house: House) -> None:
    people, posting = crowd(house), relief(house)
    first, second, _, poor, _, poor_too = people
    given = put(house, posting, [first])
    assert left(house, posting) == 1
    # The other place goes by the order of the plan, and nobody loses what was given to them.
    found = put(house, posting, [first, second, poor, poor_too])
    assert (found.placed, found.waiting) == ((poor, first), (poor_too, second))
    assert [(entry.worker_id, entry.facts["placed"]) for entry in found.entries] == [(poor, True), (poor_too, False)]
    assert left(house, posting) == 0
    # A place that was struck is free again, and goes to whoever is next.
    strike(house, given.entries[0].id)
    again = put(house, posting, [second, poor_too])
    assert (again.placed, again.waiting) == ((poor_too,), (second,))
    assert [(entry.worker_id, entry.facts["placed"]) for entry in again.entries] == [(poor_too, True)]


def test_a_place_is_taken_by_whoever_begins_and_by_nobody_twice(house: House) -> None:
    posting, other = relief(house, openings=3), relief(house, openings=3)
    placed, new = register(house, on=OPENED), register(house, on=OPENED)
    put(house, posting, [placed])
    start(house, placed, posting_id=posting)
    start(house, new, posting_id=None)
    assert (left(house, posting), left(house, other)) == (2, 3)
    begun = start(house, new, posting_id=posting)
    start(house, new, posting_id=posting)
    assert (left(house, posting), left(house, posting, worker_id=new)) == (1, 2)
    assert both_left(house, posting, other) == {posting: 1, other: 3}
    strike(house, begun.id)
    assert left(house, posting) == 1
    start(house, register(house, on=OPENED), posting_id=posting)
    start(house, register(house, on=OPENED), posting_id=posting)
    assert left(house, posting) == 0


def test_a_posting_whose_places_are_taken_has_none_for_whoever_is_told_of_it(house: House) -> None:
    posting = relief(house, openings=1)
    taker, other = register(house, on=OPENED), register(house, on=OPENED)
    at_work = with_matchmaker(house)
    assert judged(at_work, other, posting).places == 1
    put(house, posting, [taker])
    assert (judged(at_work, taker, posting).places, judged(at_work, other, posting).places) == (1, 0)
    told = record(house, other, judged(at_work, other, posting))
    with read_session(house.engine) as session:
        assert why_uncounted(session, told, now=house.clock.now()) is Why.NO_PLACES


def test_priority_is_for_open_work_relief_and_for_people_who_are_there_once(house: House) -> None:
    people = crowd(house)
    with pytest.raises(NotWorkRelief):
        put(house, add_posting(house), people)
    with pytest.raises(NotWorkRelief):
        put(house, relief(house, state=PostingState.PAUSED), people)
    with pytest.raises(PostingUnknown):
        put(house, 2**31 - 1, people)
    for wrong, code in (([*people, people[0]], "twice"), ([*people, 2**31 - 1], "worker_unknown")):
        with pytest.raises(Invalid) as refused:
            put(house, relief(house), wrong)
        assert codes(refused.value) == [("candidates", code)]
    assert count_entries(house) == 0


def both_left(house: House, *numbers: int, worker_id: int | None = None) -> dict[int, int]:
    with read_session(house.engine) as session:
        found = [posting for posting, _ in list_postings(session, numbers)]
        return places_left(session, found, worker_id=worker_id)


def left(house: House, posting: int, *, worker_id: int | None = None) -> int:
    return both_left(house, posting, worker_id=worker_id)[posting]


def strike(house: House, entry: int) -> None:
    with write_session(house.engine) as session:
        strike_entry(session, entry, why="记错了", actor="clerk/3", now=house.clock.now(), keys=house.keys)


def judged(house: House, person: int, posting: int) -> TalkedPush:
    assert house.matchmaker is not None
    with read_session(house.engine) as session:
        return judge_posting(session, house.matchmaker, worker_id=person, posting_id=posting, at=house.clock.now())


# --- starts, refusals, attempts, answers ------------------------------------------------------------------------------


def start(house: House, person: int, **given: Any) -> Entry:
    values: dict[str, Any] = {
        "posting_id": None,
        "channel": Channel.VISIT,
        "evidence": Grade.C,
        "happened_at": house.clock.now(),
        "now": house.clock.now(),
        "actor": "broker/b-1",
        "keys": house.keys,
        "minutes": 3,
        "note": "电话里说已经上班了",
        **given,
    }
    with write_session(house.engine) as session:
        return record_start(session, worker_id=person, **values)


def test_a_start_is_told_and_closes_the_spell_only_on_request(house: House) -> None:
    person, posting = register(house, on=OPENED), add_posting(house)
    entry = start(house, person, posting_id=posting)
    assert (entry.kind, entry.facts) == (EntryKind.START, {"posting": posting, "minutes": 3, "said": True})
    assert entry.note is not None
    assert "上班" not in entry.note
    with read_session(house.engine) as session:
        assert find_open_spell(session, person) is not None
    start(house, person, happened_at=house.clock.now() - DAY, closes=True)
    with read_session(house.engine) as session:
        assert find_open_spell(session, person) is None
        closing = list_entries(session)[-1]
    assert (closing.kind, closing.facts) == (EntryKind.SPELL_CLOSED, {"reason": SpellEnd.EMPLOYED.value})


def test_nobody_is_placed_in_a_public_welfare_post_that_no_officer_has_granted(house: House) -> None:
    person = tried(house)
    posting = add_posting(house, kind=PostingKind.PUBLIC_WELFARE)
    with pytest.raises(WelfareNotGranted):
        start(house, person, posting_id=posting, closes=True)
    told = judged(with_matchmaker(house), person, posting)
    assert told.bar == "not_granted"
    propose(house, person)
    with pytest.raises(WelfareNotGranted):
        start(house, person, posting_id=posting, closes=True)
    decide(house, person)
    assert judged(with_matchmaker(house), person, posting).bar is None
    start(house, person, posting_id=posting, closes=True)
    with read_session(house.engine) as session:
        assert find_open_spell(session, person) is None
        assert list_entries(session)[-1].facts == {"reason": SpellEnd.WELFARE_POST.value}


def test_a_decision_that_was_struck_has_never_opened_a_public_welfare_post(house: House) -> None:
    person = tried(house)
    posting = add_posting(house, kind=PostingKind.PUBLIC_WELFARE)
    propose(house, person)
    approved = decide(house, person)
    at = house.clock.now()
    with write_session(house.engine) as session:
        now = at + DAY
        strike_entry(session, approved.id, why="批错了", actor="officer/2", now=now, keys=house.keys)
        matchmaker = with_matchmaker(house).matchmaker
        assert matchmaker is not None
        told = judge_posting(session, matchmaker, worker_id=person, posting_id=posting, at=at)
    assert told.bar == "not_granted"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"happened_at": datetime.fromisoformat("2026-12-02T09:00:00+08:00")}, Invalid),
        ({"posting_id": 2**31 - 1}, PostingUnknown),
        ({"happened_at": datetime.fromisoformat("2026-10-01T09:00:00+08:00")}, NoOpenSpell),
    ],
)
def test_a_start_that_cannot_be_changes_nothing(house: House, given: dict[str, Any], fault: type[Fault]) -> None:
    person = register(house, on=OPENED)
    with pytest.raises(fault):
        start(house, person, closes=True, **given)
    assert count_entries(house) == 1


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"channel": Channel.CALL, "evidence": Grade.A}, [("evidence", "not_signed")]),
        ({"channel": Channel.SMS, "evidence": Grade.A}, [("channel", "machine_channel")]),
        ({"channel": Channel.NOTICE}, [("channel", "public_channel")]),
        ({"minutes": None, "note": " "}, [("minutes", "minutes_missing"), ("note", "said_missing")]),
    ],
)
def test_a_start_needs_the_evidence_of_every_deed(
    house: House, given: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    person = register(house, on=OPENED)
    with pytest.raises(Invalid) as refused:
        start(house, person, closes=True, **given)
    assert codes(refused.value) == wrong
    assert count_entries(house) == 1


def common(house: House, **given: Any) -> dict[str, Any]:
    now = house.clock.now()
    return {"happened_at": now, "now": now, "actor": "broker/b-1", "keys": house.keys, **given}


def test_a_refusal_and_a_failed_attempt_are_entries_of_their_own(house: House) -> None:
    person = register(house, on=OPENED)
    told = record(house, person, PUSH)
    talk: dict[str, Any] = {"channel": Channel.CALL, "evidence": Grade.C, "minutes": 4, "note": "不想去外地"}
    with write_session(house.engine) as session:
        refusal = record_refusal(
            session, worker_id=person, service=EntryKind.PUSH, push=told.id, **talk, **common(house)
        )
        attempt = record_attempt(
            session, worker_id=person, service=None, channel=Channel.CALL, note="关机", **common(house)
        )
    assert (refusal.refers_to, refusal.facts) == (told.id, {"service": "push", "minutes": 4, "said": True})
    assert (attempt.kind, attempt.facts, attempt.evidence) == (EntryKind.ATTEMPT, {"service": None}, Grade.C)


def test_a_refusal_of_nothing_owed_or_of_somebody_elses_push_is_refused_with_all_that_is_wrong(house: House) -> None:
    person, other = register(house, on=OPENED), register(house, on=OPENED)
    theirs = record(house, other, PUSH)
    before = count_entries(house)
    given = common(house, happened_at=house.clock.now() + timedelta(hours=1))
    with write_session(house.engine) as session, pytest.raises(Invalid) as refused:
        record_refusal(
            session,
            worker_id=person,
            service=EntryKind.START,
            push=theirs.id,
            channel=Channel.NOTICE,
            evidence=Grade.C,
            **given,
        )
    assert codes(refused.value) == [
        ("happened_at", "in_future"),
        ("channel", "public_channel"),
        ("minutes", "minutes_missing"),
        ("note", "said_missing"),
        ("service", "not_a_service"),
        ("push", "push_unknown"),
    ]
    assert count_entries(house) == before


def test_a_push_is_not_refused_before_it_happened(house: House) -> None:
    person = register(house, on=OPENED)
    told = record(house, person, PUSH)
    talk: dict[str, Any] = {"channel": Channel.CALL, "evidence": Grade.C, "minutes": 4, "note": "不想去外地"}
    given = common(house, happened_at=house.clock.now() - DAY)
    with write_session(house.engine) as session, pytest.raises(Invalid) as refused:
        record_refusal(session, worker_id=person, service=EntryKind.PUSH, push=told.id, **talk, **given)
    assert codes(refused.value) == [("happened_at", "before_push")]


def test_an_answer_needs_a_push_before_it_and_why_it_does_not_suit(house: House) -> None:
    person = register(house, on=OPENED)
    talked, told = record(house, person, Guidance()), record(house, person, PUSH)
    with pytest.raises(LedgerEntryUnknown):
        answer(house, talked.id)
    with pytest.raises(Invalid) as refused:
        answer(house, told.id, why=None, happened_at=house.clock.now() - DAY)
    assert codes(refused.value) == [("why", "why_missing"), ("happened_at", "before_push")]
    good = answer(house, told.id, answer=Answer.INTERESTED)
    assert (good.refers_to, good.facts) == (told.id, {"push": None, "answer": "interested", "why": None})


@pytest.mark.parametrize("actor", ["", "b-1", "broker/", "worker/1", "system/1", "clerk/ 1", "clerk/" + "1" * 60])
def test_entries_are_signed_with_a_role_and_a_code(house: House, actor: str) -> None:
    with read_session(house.engine) as session, pytest.raises(Invalid) as refused:
        require_writer(session, actor)
    assert codes(refused.value) == [("by", "writer_wrong")]


def test_a_broker_who_signs_must_be_one(house: House) -> None:
    with read_session(house.engine) as session:
        require_writer(session, "clerk/k-1")
        with pytest.raises(BrokerUnknown):
            require_writer(session, "broker/b-1")
