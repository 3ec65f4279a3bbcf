"""Who is erased cannot be read, found, written to or registered any more; what is counted stays and verifies."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.pushes import Answer, PushCause, PushState
from app.domain.spells import SpellEnd, SpellSource
from app.domain.workers import Evidence, Status
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.store.consents import Consent
from app.store.identities import find_by_id_number, find_by_phone, read_identity
from app.store.ledger import LedgerKey
from app.store.person_keys import PersonErased, PersonKey
from app.store.pushes import Attempt, FollowUp, Push, Receipt
from app.store.spells import SpellRow
from app.store.workers import Worker, WorkerStatus
from app.usecases.consents import find_by_address, give_consent
from app.usecases.erasures import erase_worker
from app.usecases.inboxes import InboxNotFound, inbox_code, list_inbox, read_inbox_code
from app.usecases.ledger import append_entry, list_entries, read_note
from app.usecases.ledger_exports import export_lines, first_wrong_node
from app.usecases.pushes import Intent, PushNotFound, intend_pushes, link_token, load_by_link
from app.usecases.receipts import store_receipt
from app.usecases.sequencing import sequence_entries, signer_of
from app.usecases.spell_proofs import first_wrong_spell
from app.usecases.spells import open_spells
from app.usecases.workers import WorkerUnknown
from ledger_check.books import check_book
from tests.deliveries import add_people, add_posting, phone_of

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


class Lives:
    """Two people with all that may be known of somebody; the first one is erased."""

    def __init__(self, session: Session, keys: KeyRing) -> None:
        self.erased, self.other = add_people(session, 2, keys=keys, channels=(Channel.SMS, Channel.WECHAT), now=NOW)
        posting = add_posting(session)
        for worker_id in (self.erased, self.other):
            for status in (Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED):
                session.add(
                    WorkerStatus(
                        worker_id=worker_id,
                        status=status,
                        evidence=Evidence.CERTIFIED,
                        valid_from=date(2026, 11, 1),
                    )
                )
        session.flush()
        open_spells(
            session,
            [self.erased, self.other],
            source=SpellSource.CLERK,
            actor="clerk/1",
            on=date(2026, 11, 1),
            now=NOW,
            keys=keys,
        )
        intend_pushes(
            session, [self.intent(each, posting) for each in (self.erased, self.other)],
            served=frozenset({Channel.SMS}), now=NOW, keys=keys,
        )  # fmt: skip
        self.posting = posting
        self.push = session.scalars(select(Push).where(Push.worker_id == self.erased)).one()
        self.link = link_token(self.push, keys)
        session.add(FollowUp(worker_id=self.erased, push_id=self.push.id, answer=Answer.CALL_ME, asked_at=NOW))
        self.entry = append_entry(
            session, kind=EntryKind.GUIDANCE, worker_id=self.erased, channel=Channel.VISIT, evidence=Grade.C,
            happened_at=NOW, now=NOW, actor="broker:B1", note="想在家附近找活", keys=keys,
        )  # fmt: skip
        bodies = [{"phone": phone_of(each), "text": "1"} for each in (self.erased, self.other)]
        for body in (*bodies, {"both": [phone_of(self.erased), phone_of(self.other)]}):
            store_receipt(
                session, channel=Channel.SMS, provider="gateway", body=json.dumps(body).encode(), now=NOW, keys=keys
            )
        for receipt in session.scalars(select(Receipt)):
            receipt.applied_at = NOW

    def intent(self, worker_id: int, posting_id: int) -> Intent:
        return Intent(
            worker_id=worker_id,
            posting_id=posting_id,
            cause=PushCause.OWED,
            made_for="2026-12-01",
            match={"metres": 1200},
            expires_at=NOW + timedelta(days=7),
        )


@pytest.fixture
def lives(database: Engine, key_ring: KeyRing) -> Lives:
    with write_session(database) as session:
        return Lives(session, key_ring)


def erase(database: Engine, worker_id: int, keys: KeyRing, *, now: datetime = LATER) -> bool:
    with write_session(database) as session:
        return erase_worker(session, worker_id, actor="officer/1", now=now, keys=keys) is not None


def test_nothing_that_names_the_person_is_left(database: Engine, key_ring: KeyRing, lives: Lives) -> None:
    with write_session(database) as session:
        facts = read_identity(session, lives.erased, keys=key_ring, actor="t", reason="t", now=NOW)
        assert facts is not None
        receipts = {row.id: row.body for row in session.scalars(select(Receipt))}
    assert erase(database, lives.erased, key_ring)
    with write_session(database) as session:
        assert read_identity(session, lives.erased, keys=key_ring, actor="t", reason="t", now=LATER) is None
        assert find_by_phone(session, phone_of(lives.erased), keys=key_ring) == []
        assert find_by_id_number(session, facts.id_number, keys=key_ring) is None
        assert find_by_address(session, channel=Channel.WECHAT, address=f"open-{lives.erased}", keys=key_ring) == []
        for table in (PersonKey, LedgerKey):
            assert session.get(table, lives.erased) is None
            assert session.get(table, lives.other) is not None
        consents = session.scalars(select(Consent).where(Consent.worker_id == lives.erased)).all()
        assert {(row.address, row.address_index, row.ended_how) for row in consents} == {(None, None, "erased")}
        worker = session.get_one(Worker, lives.erased)
        assert (worker.birth_on, worker.home_area_code, worker.erased_at) == (date(1970, 1, 1), "500237", LATER)
        assert session.scalars(select(FollowUp)).all() == []
        emptied = {row.id for row in session.scalars(select(Receipt)) if row.body != receipts[row.id]}
        assert emptied == {each for place, each in enumerate(sorted(receipts)) if place != 1}
        assert read_note(session, lives.entry.id, keys=key_ring, actor="t", reason="t", now=LATER) is None
        acts = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "erase_worker")).all()
        assert acts == [f"workers/{lives.erased}"]


def test_what_is_counted_stays_and_still_verifies(database: Engine, key_ring: KeyRing, lives: Lives) -> None:
    with write_session(database) as session:
        sequence_entries(session, after=0, limit=100, outside=None, now=LATER, keys=key_ring)
    erase(database, lives.erased, key_ring)
    with write_session(database) as session:
        sequence_entries(session, after=0, limit=100, outside=None, now=LATER, keys=key_ring)
        kinds = [entry.kind for entry in list_entries(session, worker_ids=[lives.erased])]
        assert kinds == [EntryKind.SPELL_OPENED, EntryKind.GUIDANCE, EntryKind.SPELL_CLOSED, EntryKind.ERASURE]
        spell = session.scalars(select(SpellRow).where(SpellRow.worker_id == lives.erased)).one()
        assert spell.end is SpellEnd.ERASED
        assert session.scalar(select(func.count()).select_from(Push)) == 2
        assert session.scalar(select(func.count()).select_from(WorkerStatus)) == 4
    with read_session(database) as session:
        # As `jiujin ledger verify` does it.
        lines = [json.dumps(line) for line in export_lines(session, keys=key_ring)]
        report = check_book(
            [line.encode() for line in lines], checkpoints=[], keys=signer_of(key_ring).told_keys, from_service=True
        )
        assert report.is_good
        assert first_wrong_node(session) is None
        assert first_wrong_spell(session, keys=key_ring) is None


def test_links_and_addresses_are_dead_and_pushes_withdrawn(database: Engine, key_ring: KeyRing, lives: Lives) -> None:
    erase(database, lives.erased, key_ring)
    with read_session(database) as session:
        push = session.get_one(Push, lives.push.id)
        assert (push.state, push.match) == (PushState.EXPIRED, {})
        attempts = session.scalars(select(Attempt).where(Attempt.push_id == push.id)).all()
        assert all(attempt.done_at is not None and attempt.ready_at is None for attempt in attempts)
        with pytest.raises(PushNotFound):
            load_by_link(session, lives.link)
        holder = read_inbox_code(inbox_code(lives.erased, keys=key_ring), keys=key_ring)
        with pytest.raises(InboxNotFound):
            list_inbox(session, holder, areas=None, today=LATER.date(), now=LATER, keys=key_ring)  # type: ignore[arg-type]


def test_nothing_new_is_kept_of_who_was_erased(database: Engine, key_ring: KeyRing, lives: Lives) -> None:
    erase(database, lives.erased, key_ring)
    with pytest.raises(PersonErased), write_session(database) as session:
        give_consent(
            session, worker_id=lives.erased, channel=Channel.WECHAT, how="clerk", actor="t", now=LATER, keys=key_ring,
            address="open-anew",
        )  # fmt: skip
    with pytest.raises(PersonErased), write_session(database) as session:
        append_entry(
            session, kind=EntryKind.GUIDANCE, worker_id=lives.erased, happened_at=LATER, now=LATER, actor="broker:B1",
            keys=key_ring,
        )  # fmt: skip
    with write_session(database) as session:
        report = intend_pushes(
            session, [lives.intent(lives.erased, add_posting(session))], served=frozenset(), now=LATER, keys=key_ring
        )
        assert (report.queued, report.visits) == (0, 0)


def test_twice_is_once_and_nobody_is_nobody(database: Engine, key_ring: KeyRing, lives: Lives) -> None:
    assert erase(database, lives.erased, key_ring)
    assert not erase(database, lives.erased, key_ring, now=LATER + timedelta(hours=1))
    with read_session(database) as session:
        assert session.get_one(Worker, lives.erased).erased_at == LATER
        assert [entry.kind for entry in list_entries(session)].count(EntryKind.ERASURE) == 1
    with pytest.raises(WorkerUnknown):
        erase(database, 4711, key_ring)
