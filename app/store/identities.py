"""Names, ID numbers and phones: encrypted, behind one door.

Only this module touches the table. Nothing is found by its plain text: a keyed blind index stands beside each value
that must be found, and every reading of a value leaves an audit row. After a rotation of keys old rows open and are
found as before; the unique index cannot see one number under two key versions, so whoever adds a person looks first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ForeignKey, String, and_, false, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, has_rows
from app.kit.encrypted import Place, SealBroken, blind_index, blind_indexes, seal, sealed_version, unseal
from app.kit.keys import KeyRing
from app.store.audit import record_act

_INDEXES_AT_ONCE = 10_000  # SQLite takes 32,766 parameters
_ID_NUMBER = "identities.id_number"
_PHONE = "identities.phone"


class Identity(Base):
    """Who a worker is. `name`, `id_number` and `phone` are sealed for this row; the indexes are keyed digests."""

    __tablename__ = "identities"

    worker_id: Mapped[int] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(400))
    id_number: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str | None] = mapped_column(String(120))
    id_number_index: Mapped[str] = mapped_column(String(60), unique=True)
    phone_index: Mapped[str | None] = mapped_column(String(60), index=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIdentity:
    """An identity to be stored, in plain text; never printed. `id_number` and `phone` in their one spelling."""

    worker_id: int
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFacts:
    """An identity that was read, in plain text; never printed."""

    worker_id: int
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str | None = field(repr=False)


def add_identity(session: Session, identity: NewIdentity, *, keys: KeyRing) -> None:
    """Store the identity of one worker.

    Raises:
        sqlalchemy.exc.IntegrityError: the worker has one, or the ID number is another worker's.
    """
    add_identities(session, [identity], keys=keys)


def add_identities(session: Session, identities: Sequence[NewIdentity], *, keys: KeyRing) -> None:
    """Store the identities of many workers, each value sealed for its row.

    Raises:
        sqlalchemy.exc.IntegrityError: a worker has one already, or two have one ID number.
    """
    if identities:
        # On the connection: the session would look at each row by itself.
        session.connection().execute(insert(Identity), [_sealed(identity, keys) for identity in identities])


def _sealed(identity: NewIdentity, keys: KeyRing) -> dict[str, str | int | None]:
    row, phone = identity.worker_id, identity.phone
    return {
        "worker_id": row,
        "name": seal(keys, identity.name, place=_place("name", row)),
        "id_number": seal(keys, identity.id_number, place=_place("id_number", row)),
        "phone": None if phone is None else seal(keys, phone, place=_place("phone", row)),
        "id_number_index": blind_index(keys, identity.id_number, purpose=_ID_NUMBER),
        "phone_index": None if phone is None else blind_index(keys, phone, purpose=_PHONE),
    }


def find_by_id_number(session: Session, number: str, *, keys: KeyRing) -> int | None:
    """The worker who bears an ID number, under whichever version of the key it was stored."""
    return find_by_id_numbers(session, [number], keys=keys).get(number)


def find_by_id_numbers(session: Session, numbers: Iterable[str], *, keys: KeyRing) -> dict[str, int]:
    """Worker ids by ID number, of those numbers that are known."""
    number_of = {index: number for number in numbers for index in blind_indexes(keys, number, purpose=_ID_NUMBER)}
    indexes = list(number_of)
    found: dict[str, int] = {}
    for start in range(0, len(indexes), _INDEXES_AT_ONCE):
        rows = session.execute(
            select(Identity.id_number_index, Identity.worker_id).where(
                Identity.id_number_index.in_(indexes[start : start + _INDEXES_AT_ONCE])
            )
        )
        found.update((number_of[index], worker_id) for index, worker_id in rows)
    return found


def find_by_phone(session: Session, phone: str, *, keys: KeyRing) -> list[int]:
    """The workers who gave a phone number, by id: one may serve a whole family."""
    indexes = blind_indexes(keys, phone, purpose=_PHONE)
    return list(
        session.scalars(
            select(Identity.worker_id).where(Identity.phone_index.in_(indexes)).order_by(Identity.worker_id)
        )
    )


def list_shared_phones(session: Session, worker_ids: Iterable[int], *, least: int) -> list[list[int]]:
    """Groups of at least so many of these people who gave one phone number, by id. No number is read.

    The blind indexes are compared as they are stored: a number under two versions of the key makes two groups.
    """
    groups: dict[str, list[int]] = {}
    numbers = sorted({*worker_ids})
    for start in range(0, len(numbers), _INDEXES_AT_ONCE):
        rows = session.execute(
            select(Identity.phone_index, Identity.worker_id)
            .where(Identity.worker_id.in_(numbers[start : start + _INDEXES_AT_ONCE]), Identity.phone_index.is_not(None))
            .order_by(Identity.worker_id)
        )
        for index, worker_id in rows:
            groups.setdefault(str(index), []).append(worker_id)
    return [group for group in groups.values() if len(group) >= least]


def read_identity(
    session: Session, worker_id: int, *, keys: KeyRing, actor: str, reason: str, now: datetime
) -> IdentityFacts | None:
    """A worker's name, ID number and phone in plain text; None when there is none. The reading is audited.

    Needs a session that can write. `actor` is who reads, `reason` what for; both stand in the audit.

    Raises:
        app.kit.encrypted.SealBroken: a value was moved here from another row, altered, or its key is gone.
    """
    row = session.get(Identity, worker_id)
    if row is None:
        return None
    record_act(session, actor=actor, action="read_identity", subject=f"workers/{worker_id}", now=now, detail=reason)
    return IdentityFacts(
        worker_id=worker_id,
        name=unseal(keys, row.name, place=_place("name", worker_id)),
        id_number=unseal(keys, row.id_number, place=_place("id_number", worker_id)),
        phone=None if row.phone is None else unseal(keys, row.phone, place=_place("phone", worker_id)),
    )


def has_identities(session: Session) -> bool:
    """Whether anybody's identity is stored; also asked of a database that has not been migrated."""
    return has_rows(session, Identity)


def are_identities_of(session: Session, *, keys: KeyRing) -> bool:
    """Whether a ring is the one that sealed and indexed what is stored: of each version of its keys one row is tried.

    Nobody is shown what a row holds, so no audit row is left. Reads the whole table.
    """
    sealed: set[str] = set()
    indexed: set[str] = set()
    while (row := _row_of_other_versions(session, sealed, indexed)) is not None:
        try:
            number = unseal(keys, row.id_number, place=_place("id_number", row.worker_id))
        except SealBroken:
            return False
        if row.id_number_index not in blind_indexes(keys, number, purpose=_ID_NUMBER):
            return False
        sealed.add(_version_of(row.id_number))
        indexed.add(_version_of(row.id_number_index))
    return True


def _row_of_other_versions(session: Session, sealed: set[str], indexed: set[str]) -> Identity | None:
    """Some identity of which the data key or the index key is none of these versions."""
    is_known = and_(
        or_(false(), *(Identity.id_number.startswith(version) for version in sorted(sealed))),
        or_(false(), *(Identity.id_number_index.startswith(version) for version in sorted(indexed))),
    )
    return session.scalars(select(Identity).where(~is_known).limit(1)).first()


def _version_of(value: str) -> str:
    """What a sealed value or an index of the same key version begins with: `12.`."""
    return f"{sealed_version(value)}."


def _place(column: str, row: int) -> Place:
    return Place("identities", column, row)
