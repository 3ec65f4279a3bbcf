"""Erasing a person (PIPL article 47): what names them goes, what is counted stays and still verifies.

Their own key is destroyed, so copies of sealed values in backups open no more either; their key of the ledger too. What
stays is a number: spells, pushes and entries, the district of their home, the year of their birth. What the law makes
an office keep and what it does not is told in decision 0026.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.sessions import SessionEnd
from app.domain.spells import SpellEnd
from app.kit.clock import china_date
from app.kit.keys import KeyRing
from app.store import brokers, consents, grants, identities, person_keys, pushes, sessions, slips, spells, workers
from app.store.audit import record_act
from app.usecases.consents import list_addresses
from app.usecases.ledger import erase_person
from app.usecases.pushes import withdraw_push
from app.usecases.receipts import forget_in_receipts
from app.usecases.spells import close_spell
from app.usecases.workers import WorkerUnknown

_SHORTEST_MARK = 8  # shorter ones, such as a provider's running number, stand in other people's receipts too


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was done: how many pushes were withdrawn and receipts emptied, and the ledger's entry that tells of it."""

    worker_id: int
    pushes: int
    receipts: int
    entry_id: int | None


def erase_worker(session: Session, worker_id: int, *, actor: str, now: datetime, keys: KeyRing) -> Erasure | None:
    """Erase a person; None, and nothing done, who was erased before.

    Whoever is writing something of theirs is waited for. A message that is leaving at this moment cannot be called
    back; what becomes of it is not taken down any more. Audited, and told in the ledger.

    Raises:
        WorkerUnknown: there is no such person.
        Busy: somebody held what is theirs for too long, or the key service cannot be asked; nothing was changed.
    """
    worker = workers.lock_worker(session, worker_id)
    if worker is None:
        raise WorkerUnknown
    if worker.erased_at is not None:
        return None
    today = china_date(now)
    marks = _marks(session, worker_id, keys=keys)
    withdrawn = _withdraw(session, worker_id, marks, now=now)
    receipts = forget_in_receipts(session, {mark for mark in marks if len(mark) >= _SHORTEST_MARK}, keys=keys)
    spell = spells.find_open_spell(session, worker_id)
    if spell is not None:
        close_spell(session, spell.id, end=SpellEnd.ERASED, actor=actor, on=today, now=now, keys=keys)
    workers.end_statuses(session, worker_id, last_day=today - timedelta(days=1))
    brokers.end_cases(session, worker_id, last_day=today)
    consents.erase_addresses(session, worker_id, how="erased", now=now)
    identities.delete_identity(session, worker_id)
    entry = erase_person(session, worker_id, actor=actor, now=now, keys=keys)
    person_keys.delete_person_key(session, worker_id)
    sessions.end_logins(session, how=SessionEnd.LOGGED_OUT, now=now, worker_id=worker_id)
    workers.coarsen_worker(session, worker, now=now)
    record_act(session, actor=actor, action="erase_worker", subject=f"workers/{worker_id}", now=now)
    session.flush()
    return Erasure(
        worker_id=worker_id, pushes=withdrawn, receipts=receipts, entry_id=None if entry is None else entry.id
    )


def _marks(session: Session, worker_id: int, *, keys: KeyRing) -> set[str]:
    """What a provider's receipt may name the person by."""
    facts = identities.open_for_erasure(session, worker_id, keys=keys)
    told = [] if facts is None else [facts.phone, facts.id_number]
    return {mark for mark in (*told, *list_addresses(session, worker_id, keys=keys)) if mark}


def _withdraw(session: Session, worker_id: int, marks: set[str], *, now: datetime) -> int:
    """End what may still arrive, and let no link, slip, receipt or follow-up lead to the person any more."""
    withdrawn = 0
    for push in pushes.lock_pushes_of(session, worker_id):
        attempts = pushes.lock_attempts(session, push.id)
        withdrawn += withdraw_push(session, push, attempts, why="erased", now=now)
        push.link = secrets.token_hex(32)
        push.match = {}
        for attempt in attempts:
            marks |= {attempt.key, attempt.provider_id or ""}
            # A receipt that comes late finds nothing that it could speak of.
            attempt.key, attempt.provider_id = f"erased-{attempt.id}", None
    pushes.delete_follow_ups(session, worker_id)
    slips.delete_slips(session, worker_id)
    grants.delete_grants(session, worker_id)
    return withdrawn
