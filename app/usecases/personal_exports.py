"""Everything that is stored of one person, as one document for them alone (PIPL 45).

Their own values stand in it unmasked, and each is read through its own audited door. What only tells about machines
(digests, leases, keys) is no data of theirs.
"""

from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy.orm import Session

from app.kit.clock import CHINA
from app.kit.keys import KeyRing
from app.store import brokers, pushes, sessions, slips, spells
from app.store.identities import read_identity
from app.store.workers import find_worker, list_statuses_of
from app.usecases.accesses import list_own_accesses
from app.usecases.areas import AreaBook
from app.usecases.consents import list_own_addresses, list_own_consents
from app.usecases.ledger import list_entries, read_note
from app.usecases.profiles import own_profile_of
from app.usecases.workers import WorkerUnknown

EXPORT = "export"
_MOST_ACTS = 10_000


def export_own_data(
    session: Session, worker_id: int, *, areas: AreaBook, actor: str, now: datetime, keys: KeyRing
) -> dict[str, Any]:
    """The document, as plain values for JSON. Reading the identity and the notes is audited: the session must write.

    Raises:
        WorkerUnknown: there is no such person.
    """
    worker = find_worker(session, worker_id)
    if worker is None:
        raise WorkerUnknown
    identity = read_identity(session, worker_id, keys=keys, actor=actor, reason=EXPORT, now=now)
    accesses, _ = list_own_accesses(session, worker_id, areas=areas, limit=_MOST_ACTS)
    attempts: dict[int, list[pushes.Attempt]] = {}
    for attempt in pushes.list_attempts_of(session, worker_id):
        attempts.setdefault(attempt.push_id, []).append(attempt)
    document = {
        "made_at": now,
        "worker": worker_id,
        "identity": None
        if identity is None
        else {"name": identity.name, "id_number": identity.id_number, "phone": identity.phone},
        "birth_on": worker.birth_on,
        "sex": worker.sex,
        "origin": worker.origin,
        "created_at": worker.created_at,
        "updated_at": worker.updated_at,
        "profile": _columns(own_profile_of(worker)),
        "settings": {"personalised": worker.personalised, "automated": worker.automated},
        "statuses": [
            _columns(row, "status", "evidence", "valid_from", "valid_to")
            for row in list_statuses_of(session, worker_id)
        ],
        "consents": [_columns(consent) for consent in list_own_consents(session, worker_id)],
        "addresses": list_own_addresses(session, worker_id, keys=keys),
        "spells": [_columns(spell) for spell in spells.list_spells_of(session, worker_id)],
        "care": [
            {"broker_area": areas.told(area), "valid_from": first, "valid_to": last}
            for area, first, last in brokers.list_cases_of(session, worker_id)
        ],
        "pushes": [
            _columns(
                push,
                "id",
                "posting_id",
                "cause",
                "match",
                "state",
                "state_at",
                "created_at",
                "expires_at",
                "answer",
                "why",
                "confirmed_at",
            )
            | {
                "attempts": [
                    _columns(each, "number", "channel", "left_at", "outcome", "done_at")
                    for each in attempts.get(push.id, ())
                ]
            }
            for push in pushes.list_pushes_of(session, worker_id, all_states=True)
        ],
        "follow_ups": [
            _columns(found, "answer", "asked_at", "done_at") for found in pushes.list_follow_ups_of(session, worker_id)
        ],
        "slips": [
            _columns(slip, "id", "push_ids", "printed_at", "signed_at")
            for slip in slips.list_slips_of(session, worker_id)
        ],
        "ledger": [
            _columns(entry, "id", "kind", "channel", "evidence", "happened_at", "written_at", "refers_to", "facts")
            | {
                "note": None
                if entry.note is None
                else read_note(session, entry.id, keys=keys, actor=actor, reason=EXPORT, now=now)
            }
            for entry in list_entries(session, worker_ids=[worker_id])
        ],
        "sessions": [
            _columns(login, "id", "let_in_by", "opened_at", "seen_at", "ends_at", "ended_at", "network", "agent")
            for login in sessions.list_logins_ever(session, worker_id=worker_id)
        ],
        "accesses": [_columns(access) for access in accesses],
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def _columns(row: Any, *names: str) -> dict[str, Any]:
    """These attributes of a row by name; of a dataclass all."""
    return {name: getattr(row, name) for name in names or row.__dataclass_fields__}


def _plain(value: Any) -> Any:
    """Values as JSON has them: instants with the offset of China, closed lists as their values."""
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(CHINA).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
