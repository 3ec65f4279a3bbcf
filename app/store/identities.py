"""Names, ID numbers and phones: encrypted, behind one door.

Only this module touches the table. Values are sealed under the person's own key (`store.person_keys`). Nothing is found
by its plain text: a keyed blind index stands beside each value that must be found, and every reading of a value leaves
an audit row.

While the key of the indexes is rotated, rows stand under two versions of it. Which one writes is said by the database,
so that all who add at one time write the same, and the unique index sees a number twice; who is stored under an older
one is looked for. Who looks somebody up with a ring that lacks a version is told to come again, not that there is
nobody.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, String, and_, delete, false, func, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base, has_rows
from app.kit.encrypted import (
    Place,
    SealBroken,
    blind_index,
    blind_indexes,
    is_for_person,
    seal_for_person,
    unseal_for_person,
)
from app.kit.errors import Conflict
from app.kit.keys import KeyRing
from app.store.audit import record_act
from app.store.key_checks import index_version_to_write, look_up
from app.store.person_keys import open_person_keys, person_keys_to_write

_INDEXES_AT_ONCE = 10_000  # SQLite takes 32,766 parameters
_ID_NUMBER = "identities.id_number"
_PHONE = "identities.phone"


class IdNumberKnown(Conflict):
    """The ID number is another worker's."""

    code = "id_number_known"
    title = "这个身份证号已经登记过"


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
    """Store the identity of one worker. Raises what `add_identities` raises."""
    add_identities(session, [identity], keys=keys)


def add_identities(session: Session, identities: Sequence[NewIdentity], *, keys: KeyRing) -> None:
    """Store the identities of many workers, each value sealed for its row under the worker's own key.

    Raises:
        sqlalchemy.exc.IntegrityError: a worker has one already, or two have one ID number.
        IdNumberKnown: the number is stored with an older version of the key, where the unique index does not see it.
        KeysBehind: the version that writes has not been given to this process.
        app.store.person_keys.PersonErased: the worker was erased.
    """
    if not identities:
        return
    version = index_version_to_write(session, keys=keys)
    if len(keys.index) > 1:
        # After the version was held: whoever wrote with another one has committed.
        older = {
            index
            for identity in identities
            for index in blind_indexes(keys, identity.id_number, purpose=_ID_NUMBER)
            if not index.startswith(f"{version}.")
        }
        wanted = sorted(older)
        for start in range(0, len(wanted), _INDEXES_AT_ONCE):
            if _owners(session, wanted[start : start + _INDEXES_AT_ONCE]):
                raise IdNumberKnown
    person_keys = person_keys_to_write(session, [identity.worker_id for identity in identities], keys=keys)
    rows = [_row(identity, person_keys[identity.worker_id], version, keys) for identity in identities]
    # On the connection: the session would look at each row by itself.
    session.connection().execute(insert(Identity), rows)


def change_phone(session: Session, worker_id: int, phone: str | None, *, keys: KeyRing) -> bool:
    """Store another phone of a worker, or that there is none; whether there is an identity to store it in."""
    version = index_version_to_write(session, keys=keys)
    person_key = person_keys_to_write(session, [worker_id], keys=keys)[worker_id]
    values: dict[str, str | None] = {"phone": None, "phone_index": None}
    if phone is not None:
        place = _place("phone", worker_id)
        sealed = seal_for_person(person_key, {place: phone}, cipher=keys.cipher)
        values = {"phone": sealed[place], "phone_index": blind_index(keys, phone, purpose=_PHONE, version=version)}
    changing = update(Identity).where(Identity.worker_id == worker_id).values(values)
    return session.connection().execute(changing).rowcount > 0


def _row(identity: NewIdentity, person_key: bytes, version: int, keys: KeyRing) -> dict[str, str | int | None]:
    worker_id, number, phone = identity.worker_id, identity.id_number, identity.phone
    plain = {"name": identity.name, "id_number": number, **({} if phone is None else {"phone": phone})}
    texts = {_place(column, worker_id): text for column, text in plain.items()}
    sealed = seal_for_person(person_key, texts, cipher=keys.cipher)
    return {
        "worker_id": worker_id,
        "phone": None,
        **{place.column: text for place, text in sealed.items()},
        "id_number_index": blind_index(keys, number, purpose=_ID_NUMBER, version=version),
        "phone_index": None if phone is None else blind_index(keys, phone, purpose=_PHONE, version=version),
    }


def find_by_id_number(session: Session, number: str, *, keys: KeyRing) -> int | None:
    """The worker who bears an ID number, under whichever version of the key it was stored."""
    return find_by_id_numbers(session, [number], keys=keys).get(number)


def find_by_id_numbers(session: Session, numbers: Iterable[str], *, keys: KeyRing) -> dict[str, int]:
    """Worker ids by ID number, of those numbers that are known.

    Raises:
        KeysBehind: some may be stored with a version of the key that this process has not been given.
    """
    wanted = list(dict.fromkeys(numbers))

    def look() -> dict[str, int]:
        found: dict[str, int] = {}
        # All indexes of a number in one statement: between two it may be stored anew under another.
        at_once = _INDEXES_AT_ONCE // len(keys.index)
        for start in range(0, len(wanted), at_once):
            number_of = {
                index: number
                for number in wanted[start : start + at_once]
                for index in blind_indexes(keys, number, purpose=_ID_NUMBER)
            }
            found |= {number_of[index]: worker_id for index, worker_id in _owners(session, number_of).items()}
        return found

    return look_up(session, look, keys=keys)


def _owners(session: Session, indexes: Collection[str]) -> dict[str, int]:
    """Worker ids by the index of their ID number, of these indexes; no more than a statement takes."""
    chosen = select(Identity.id_number_index, Identity.worker_id).where(Identity.id_number_index.in_(indexes))
    return {row.id_number_index: row.worker_id for row in session.execute(chosen)}


def find_by_phone(session: Session, phone: str, *, keys: KeyRing) -> list[int]:
    """The workers who gave a phone number, by id: one may serve a whole family.

    Raises:
        KeysBehind: some may be stored with a version of the key that this process has not been given.
    """

    def look() -> list[int]:
        indexes = blind_indexes(keys, phone, purpose=_PHONE)
        chosen = select(Identity.worker_id).where(Identity.phone_index.in_(indexes)).order_by(Identity.worker_id)
        return list(session.scalars(chosen))

    return look_up(session, look, keys=keys)


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
    session: Session,
    worker_id: int,
    *,
    keys: KeyRing,
    actor: str,
    reason: str,
    now: datetime,
    origin: str | None = None,
) -> IdentityFacts | None:
    """A worker's name, ID number and phone in plain text; None when there is none. The reading is audited.

    Needs a session that can write. `actor` is who reads, `reason` what for, `origin` from where (see
    `store.audit`); all stand in the audit.

    Raises:
        app.kit.encrypted.SealBroken: a value was moved here from another row, altered, or its key is gone.
    """
    row = session.get(Identity, worker_id)
    if row is None:
        return None
    subject = f"workers/{worker_id}"
    record_act(session, actor=actor, action="read_identity", subject=subject, now=now, why=reason, origin=origin)
    return _opened(row, open_person_keys(session, [worker_id], keys=keys).get(worker_id), keys=keys)


def open_for_erasure(session: Session, worker_id: int, *, keys: KeyRing) -> IdentityFacts | None:
    """Name, number and phone of who is being erased, to find what else names them; the audit is told of the erasure."""
    row = session.get(Identity, worker_id)
    if row is None:
        return None
    return _opened(row, open_person_keys(session, [worker_id], keys=keys).get(worker_id), keys=keys)


def delete_identity(session: Session, worker_id: int) -> bool:
    """Delete a worker's identity; whether there was one."""
    return session.connection().execute(delete(Identity).where(Identity.worker_id == worker_id)).rowcount > 0


def _opened(row: Identity, person_key: bytes | None, *, keys: KeyRing) -> IdentityFacts:
    def opened(column: str, sealed: str) -> str:
        return unseal_for_person(keys, person_key, sealed, place=_place(column, row.worker_id))

    return IdentityFacts(
        worker_id=row.worker_id,
        name=opened("name", row.name),
        id_number=opened("id_number", row.id_number),
        phone=None if row.phone is None else opened("phone", row.phone),
    )


def has_identities(session: Session) -> bool:
    """Whether anybody's identity is stored; also asked of a database that has not been migrated."""
    return has_rows(session, Identity)


def are_identities_of(session: Session, *, keys: KeyRing) -> bool:
    """Whether a ring is the one that sealed and indexed what is stored: of each version of its keys one row is tried.

    Nobody is shown what a row holds, so no audit row is left. Reads the whole table. For identities of before there
    were check values, and so for none under people's own keys.
    """
    sealed: set[str] = set()
    indexed: set[str] = set()
    while (row := _row_of_other_versions(session, sealed, indexed)) is not None:
        person_key = open_person_keys(session, [row.worker_id], keys=keys).get(row.worker_id)
        try:
            number = unseal_for_person(keys, person_key, row.id_number, place=_place("id_number", row.worker_id))
        except SealBroken:
            return False
        if row.id_number_index not in blind_indexes(keys, number, purpose=_ID_NUMBER):
            return False
        sealed.add("p" if is_for_person(row.id_number) else _version_of(row.id_number))
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
    return f"{value.partition('.')[0]}."


# --- rotation ---------------------------------------------------------------------------------------------------------


def count_behind(session: Session, *, index_today: str) -> int:
    """How many identities are indexed with a version that does not write, or not sealed under the person's own key."""
    return session.scalar(select(func.count()).select_from(Identity).where(_is_behind(index_today))) or 0


def bring_up(session: Session, *, after: int, limit: int, keys: KeyRing) -> tuple[int, int] | None:
    """Index the next identities with the version that writes, and seal under people's own keys what is not.

    The last id that was looked at, and how many were changed; None when none is left behind `after`. What does not
    open is left as it is. Nobody is shown anything, so there is no audit row a person: the rotation has one.

    Raises:
        KeysBehind: the version that writes has not been given to this process.
    """
    version = index_version_to_write(session, keys=keys)
    chosen = (
        select(Identity)
        .where(Identity.worker_id > after, _is_behind(f"{version}."))
        .order_by(Identity.worker_id)
        .limit(limit)
        # Whoever changes or erases one of them waits, or is waited for.
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rows = session.scalars(chosen).all()
    if not rows:
        return None
    person_keys = person_keys_to_write(session, [row.worker_id for row in rows], keys=keys)
    changes = []
    for row in rows:
        person_key = person_keys[row.worker_id]
        try:
            facts = _opened(row, person_key, keys=keys)
        except SealBroken:
            continue
        new = NewIdentity(worker_id=facts.worker_id, name=facts.name, id_number=facts.id_number, phone=facts.phone)
        changes.append(_row(new, person_key, version, keys))
    if changes:
        session.execute(update(Identity), changes)
    return rows[-1].worker_id, len(changes)


def _is_behind(index_today: str) -> ColumnElement[bool]:
    return or_(
        ~Identity.id_number_index.startswith(index_today, autoescape=True),
        ~Identity.phone_index.startswith(index_today, autoescape=True),
        ~Identity.id_number.startswith("p"),
    )


def _place(column: str, row: int) -> Place:
    return Place("identities", column, row)
