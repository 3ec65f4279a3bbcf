"""Watching for fiction over a database: what is compared stays closed, what is found names entries and writers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from app.domain.fictions import STAFF, Fiction
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.postings import PostingState
from app.domain.spells import SpellEnd
from app.domain.workers import Evidence, Status
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.store.audit import AuditEntry
from app.store.brokers import Broker, Case
from app.store.identities import NewIdentity, add_identities
from app.store.policies import LocalSetting
from app.store.postings import Posting
from app.usecases.fictions import Watched, read_thresholds, record_watch, watch
from app.usecases.ledger import EntryDraft, append_entries, erase_person, list_entries, strike_entry
from app.usecases.obligations import WRITERS, DistrictUnknown, Guidance, RulesMissing, Service, TrainingOffer
from app.usecases.spells import close_spell
from app.usecases.statuses import end_status, register_status
from app.wiring import House
from tests.domain.test_fictions import LIMITS, push_facts
from tests.houses import HOME_TOWNSHIP, add_posting, area_book
from tests.people import add_person
from tests.usecases.test_obligations import PUSH, TEXT, add_session, record, register

TODAY = date(2026, 12, 1)
FULING_TOWNSHIP = "500102101"
WORDS = "本人想在附近找工作，已经讲解了政策，谈了{}分钟"


def people(house: House, number: int, **given: Any) -> list[int]:
    return [add_person(house, **given) for _ in range(number)]


def write(house: House, kind: EntryKind, workers: Sequence[int], **given: Any) -> list[Entry]:
    """An entry for each, an hour apart on the days before, written at once."""
    values: dict[str, Any] = {
        "channel": Channel.VISIT,
        "evidence": Grade.C,
        "actor": "broker/b-7",
        "now": house.clock.now(),
        **given,
    }
    drafts = [
        EntryDraft(
            kind=kind,
            worker_id=worker,
            happened_at=house.clock.now() - timedelta(days=place % 5, hours=place % 4),
            **{name: value(place) if callable(value) else value for name, value in values.items()},
        )
        for place, worker in enumerate(workers)
    ]
    with write_session(house.engine) as session:
        return append_entries(session, drafts, keys=house.keys)


def look(house: House, **given: Any) -> Watched:
    values: dict[str, Any] = {"since": date(2026, 11, 1), "until": TODAY, "areas": area_book(house), **given}
    with read_session(house.engine) as session:
        found = watch(session, now=house.clock.now(), keys=house.keys, **values)
    with write_session(house.engine) as session:
        record_watch(session, found, actor="auditor/1", now=house.clock.now())
    return found


def test_thresholds_are_the_offices_settings(house: House) -> None:
    with read_session(house.engine) as session:
        assert read_thresholds(session, on=TODAY) == LIMITS


def test_whoever_may_sign_entries_is_watched() -> None:
    assert set(WRITERS) == STAFF


@pytest.mark.parametrize("value", [None, "many", 0, True])
def test_a_threshold_that_is_missing_or_senseless_stops_the_watch(house: House, value: Any) -> None:
    with write_session(house.engine) as session:
        where = LocalSetting.name == "fiction_phone_people"
        session.execute(delete(LocalSetting).where(where))
        if value is not None:
            row = {"unit": "persons", "choices": [], "note": "", "valid_from": date(2025, 1, 1)}
            session.add(LocalSetting(name="fiction_phone_people", value=value, **row))
    with pytest.raises(RulesMissing) as refused:
        look(house)
    assert refused.value.members["settings"] == ["fiction_phone_people"]


def test_copied_notes_are_found_without_anybody_reading_them(house: House) -> None:
    facts = {"minutes": 12, "said": True}
    same = write(house, EntryKind.GUIDANCE, people(house, 6), facts=facts, note=lambda place: WORDS.format(place + 9))
    write(house, EntryKind.GUIDANCE, people(house, 3), facts=facts, note=lambda place: "自己的话" + "甲乙丙"[place] * 9)
    found = look(house)
    (finding,) = found.findings
    assert finding.fiction is Fiction.COPIED_NOTE
    assert (finding.entry_ids, finding.writers, finding.people) == (
        tuple(entry.id for entry in same),
        ("broker/b-7",),
        6,
    )
    assert (found.entries, found.flagged) == (9, 6)
    with read_session(house.engine) as session:
        chosen = select(AuditEntry.actor, AuditEntry.action, AuditEntry.detail).where(AuditEntry.actor != "system")
        assert [tuple(act) for act in session.execute(chosen)] == [
            ("auditor/1", "compare_notes", "9 notes: fictions 2026-11-01 2026-12-01")
        ]
        assert len(list_entries(session)) == 9


def test_notes_of_somebody_erased_are_compared_no_more(house: House) -> None:
    workers = people(house, 5)
    facts = {"minutes": 12, "said": True}
    write(house, EntryKind.GUIDANCE, workers, facts=facts, note=WORDS)
    assert len(look(house).findings) == 1
    with write_session(house.engine) as session:
        erase_person(session, workers[0], actor="clerk/1", now=house.clock.now(), keys=house.keys)
    assert look(house).findings == ()


def test_one_number_for_many_people_is_found_by_its_blind_index(house: House) -> None:
    workers = people(house, 5)
    with write_session(house.engine) as session:
        add_identities(
            session,
            [
                NewIdentity(
                    worker_id=worker,
                    name="样例",
                    id_number=f"5002371970010{worker:05}",
                    phone="13900000001" if place < 4 else "13900000002",
                )
                for place, worker in enumerate(workers)
            ],
            keys=house.keys,
        )
        broker = Broker(code="b-9", area_code="500237")
        session.add(broker)
        session.flush()
        for worker in workers:
            session.add(Case(worker_id=worker, broker_id=broker.id, valid_from=date(2026, 1, 1)))
    sent: dict[str, Any] = {"channel": Channel.SMS, "evidence": Grade.B, "actor": "provider"}
    written = write(house, EntryKind.PUSH, workers, facts=lambda place: push_facts(f"job-{place}"), **sent)
    (finding,) = look(house).findings
    assert finding.fiction is Fiction.SHARED_PHONE
    assert (finding.entry_ids, finding.writers) == (tuple(entry.id for entry in written[:4]), ("broker/b-9",))
    assert "1390000" not in finding.text


def test_a_job_that_was_closed_or_lies_far_away_is_found_whatever_the_entry_says(house: House) -> None:
    closed, overdue, far = add_posting(house), add_posting(house, valid_until=date(2026, 11, 5)), add_posting(house)
    later = add_posting(house)
    with write_session(house.engine) as session:
        long_ago, now = house.clock.now() - timedelta(days=20), house.clock.now()
        for number, values in (
            (closed, {"state": PostingState.CLOSED, "changed_at": long_ago}),
            (later, {"state": PostingState.CLOSED, "changed_at": now + timedelta(hours=1)}),
            (far, {"lon": 113.3, "lat": 23.1}),
        ):
            session.execute(update(Posting).where(Posting.id == number).values(**values))

    def facts(*numbers: int) -> Any:
        return lambda place: {**push_facts(f"job-{place}"), "posting": numbers[place % len(numbers)]}

    dead = write(house, EntryKind.PUSH, people(house, 4), facts=facts(closed, overdue))
    distant = write(house, EntryKind.PUSH, people(house, 4), facts=facts(far), actor="broker/b-8")
    write(house, EntryKind.PUSH, people(house, 4), facts=facts(later), actor="broker/b-6")
    assert [(one.fiction, set(one.entry_ids), one.writers) for one in look(house).findings] == [
        (Fiction.CLOSED_JOB, {entry.id for entry in dead}, ("broker/b-7",)),
        (Fiction.FAR_JOB, {entry.id for entry in distant}, ("broker/b-8",)),
    ]


def test_a_burst_goes_by_the_day_on_which_the_spells_package_is_due(house: House) -> None:
    due_on = TODAY + timedelta(days=2)
    workers = [register(house, on=due_on - timedelta(days=30)) for _ in range(20)]
    with read_session(house.engine) as session:
        spell_of = {entry.worker_id: entry.spell_id for entry in list_entries(session)}
    given: dict[str, Any] = {"channel": Channel.SLIP, "facts": {"text": "t", "version": 1}}
    written = write(house, EntryKind.BRIEFING, workers, spell_id=lambda place: spell_of[workers[place]], **given)
    (finding,) = look(house).findings
    assert (finding.fiction, len(finding.entry_ids)) == (Fiction.DEADLINE_BURST, len(written))


def test_registrations_closed_with_an_earlier_day_than_what_was_overdue_are_found(house: House) -> None:
    opened_on, on = TODAY - timedelta(days=31), TODAY - timedelta(days=2)
    workers = [register(house, on=opened_on) for _ in range(4)]
    with write_session(house.engine) as session:
        opened = {entry.worker_id: entry for entry in list_entries(session)}
    # To one of the four nothing was owed any more: an honest closing that came late.
    jobs = [replace(PUSH, job=f"job-{number}") for number in range(3)]
    services: list[Service] = [TEXT, Guidance(), TrainingOffer(add_session(house)), *jobs]
    for service in services:
        record(house, workers[3], service, happened_at=house.clock.now() - timedelta(days=9))
    with write_session(house.engine) as session:
        for worker in workers:
            close_spell(
                session,
                opened[worker].spell_id or 0,
                end=SpellEnd.MOVED_AWAY,
                actor="clerk/1",
                on=on,
                now=house.clock.now(),
                keys=house.keys,
            )
        closings = [entry for entry in list_entries(session) if entry.kind is EntryKind.SPELL_CLOSED]
    (finding,) = look(house).findings
    assert finding.fiction is Fiction.CLOSED_LATE
    assert (finding.writers, finding.entry_ids) == (("clerk/1",), tuple(entry.id for entry in closings[:3]))


@pytest.mark.parametrize(("gap", "is_found"), [(7, False), (8, True), (30, True), (31, False)])
def test_registrations_that_were_closed_unserved_and_soon_opened_again_are_found(
    house: House, gap: int, is_found: bool
) -> None:
    last_day = TODAY - timedelta(days=gap)
    common: dict[str, Any] = {"now": house.clock.now(), "keys": house.keys}
    workers = [register(house, on=last_day - timedelta(days=20)) for _ in range(4)]
    jobs = [replace(PUSH, job=f"job-{number}") for number in range(3)]
    services: list[Service] = [TEXT, Guidance(), TrainingOffer(add_session(house)), *jobs]
    for service in services:
        record(house, workers[3], service, happened_at=house.clock.now() - timedelta(days=gap + 5))
    with write_session(house.engine) as session:
        for worker in workers:
            status = Status.REGISTERED_UNEMPLOYED
            end_status(session, worker, status, last_day=last_day, actor="clerk/1", **common)
            # The one to whom nothing was owed any more is an ordinary returner.
            since: dict[str, Any] = {"since": TODAY, "evidence": Evidence.CERTIFIED, "actor": "clerk/2"}
            assert register_status(session, worker, status, **since, **common).opened
        opened = [entry for entry in list_entries(session) if entry.kind is EntryKind.SPELL_OPENED]
    found = [one for one in look(house).findings if one.fiction is Fiction.REOPENED]
    assert [(one.writers, one.entry_ids) for one in found] == (
        [(("clerk/2",), tuple(entry.id for entry in opened[4:7]))] if is_found else []
    )


def test_a_district_and_days_narrow_the_watch_and_a_later_strike_counts(house: House) -> None:
    facts = {"minutes": 1, "said": True}
    here = write(house, EntryKind.GUIDANCE, people(house, 3, home_area_code=HOME_TOWNSHIP), facts=facts)
    write(house, EntryKind.GUIDANCE, people(house, 3, home_area_code=FULING_TOWNSHIP), facts=facts)
    assert [len(one.entry_ids) for one in look(house).findings] == [6]
    assert [one.entry_ids for one in look(house, district="500237").findings] == [tuple(entry.id for entry in here)]
    assert look(house, until=TODAY - timedelta(days=1)).entries == 0
    with write_session(house.engine) as session:
        now = house.clock.now() + timedelta(days=5)
        strike_entry(session, here[0].id, why="记错了", actor="clerk/1", now=now, keys=house.keys)
    assert look(house, district="500237").findings == ()


def test_days_the_wrong_way_round_and_an_unknown_district_are_refused(house: House) -> None:
    with pytest.raises(Invalid) as refused:
        look(house, since=TODAY + timedelta(days=1))
    assert [(field.field, field.code) for field in refused.value.fields] == [("until", "until_before_since")]
    with pytest.raises(DistrictUnknown):
        look(house, district="5002")
