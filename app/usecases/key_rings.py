"""One database is written with one key ring: told by a check value for each of its keys.

A ring that lacks a key, or bears another one under its number, could neither open what is there nor find it; what it
wrote in between nobody could sort out again. So it is refused before it writes.
"""

from sqlalchemy.orm import Session

from app.kit.keys import KeyRing, key_checks
from app.kit.row_contexts import row_keys
from app.store.identities import are_identities_of, has_identities
from app.store.key_checks import add_key_checks, has_key_checks, list_key_checks
from app.store.row_keys import has_policies, may_store_row_keys, sees_everybody, store_row_keys


class KeyRingForeign(Exception):
    """The ring is not the one that the database is written with; the message says in Chinese what differs."""


def is_ring_needed(session: Session) -> bool:
    """Whether the database is written with some ring already; also asked of one that has not been migrated."""
    return has_key_checks(session) or has_identities(session)


def check_key_ring(session: Session, ring: KeyRing) -> bool:
    """Whether the database is bound to every key of this ring; False while some have not been put to use.

    Raises:
        KeyRingForeign: the database is written with another ring, or with keys that this one lacks.
    """
    known, own = list_key_checks(session), key_checks(ring)
    differing = [
        f"{family} 密钥缺第 {version} 版"
        if (family, version) not in own
        else f"{family} 密钥第 {version} 版不是原来那一把"
        for (family, version), value in sorted(known.items())
        if own.get((family, version)) != value
    ]
    # Identities of before there were check values.
    if not known and not are_identities_of(session, keys=ring):
        differing.append("打不开库里已有的姓名和证件号")
    if differing:
        raise KeyRingForeign("；".join(differing))
    return own.keys() <= known.keys()


def bind_key_ring(session: Session, ring: KeyRing) -> None:
    """Bind the database to this ring, and to what was added to it since; to be done before anything is written with it.

    Of two processes that bring different rings at once the second is refused.

    Raises:
        KeyRingForeign: as `check_key_ring`.
    """
    if not check_key_ring(session, ring):
        add_key_checks(session, key_checks(ring))
        check_key_ring(session, ring)


def is_ring_told(session: Session) -> bool:
    """Whether PostgreSQL believes the context of this session, which says that it sees everybody's rows.

    It is signed with the newest key, of which the older ones were the newest before.
    """
    return sees_everybody(session)


def tell_ring(session: Session, ring: KeyRing) -> bool:
    """Let PostgreSQL know what it checks the ring's signatures with; False if this role may not.

    In the transaction that binds the ring: where that is refused, this is taken back too.
    """
    if not has_policies(session) or sees_everybody(session):
        return True
    if not may_store_row_keys(session):
        return False
    store_row_keys(session, row_keys(ring))
    return True
