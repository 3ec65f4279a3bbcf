"""One database is written with one key ring: told by a check value for each of its keys.

A ring that lacks a key, or bears another one under its number, could neither open what is there nor find it; what it
wrote in between nobody could sort out again. So it is refused before it writes.

A rotation (`jiujin keys rotate`) brings what is stored to the versions that write today, some rows a transaction, while
everybody goes on. How far it is stands in the values themselves: each begins with its version. So it may be killed at
any moment, run twice at once, and is run again to go on.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from app.kit.encrypted import sealed_today, wrapped_today
from app.kit.keys import FAMILIES, KeyRing, key_checks
from app.kit.row_contexts import row_keys
from app.store import identities, person_keys
from app.store.audit import record_act
from app.store.identities import are_identities_of, has_identities
from app.store.key_checks import (
    add_key_checks,
    has_key_checks,
    index_version_to_write,
    index_version_writing,
    let_write,
    list_key_checks,
)
from app.store.row_keys import has_policies, may_store_row_keys, sees_everybody, store_row_keys
from app.usecases import consents, ledger, postings, receipts


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
        writing: dict[str, int] = {family: ring.current(family) for family in FAMILIES}
        add_key_checks(session, key_checks(ring), writing=writing)
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


# --- rotation ---------------------------------------------------------------------------------------------------------


class Stage(StrEnum):
    """What a rotation goes through, in this order."""

    PERSON_KEYS = "person_keys"
    LEDGER_KEYS = "ledger_keys"
    IDENTITIES = "identities"
    ADDRESSES = "addresses"
    RECEIPTS = "receipts"
    REPORTS = "reports"

    @property
    def label(self) -> str:
        return _STAGE_LABELS[self]


_STAGE_LABELS = {
    Stage.PERSON_KEYS: "个人密钥",
    Stage.LEDGER_KEYS: "台账密钥",
    Stage.IDENTITIES: "身份信息索引",
    Stage.ADDRESSES: "接收地址",
    Stage.RECEIPTS: "渠道回执",
    Stage.REPORTS: "举报内容",
}
BEFORE_ALL = -1
"""The `after` of a stage's first rows: the office's key of the ledger is number 0."""


def let_ring_write(session: Session, ring: KeyRing, *, actor: str, now: datetime) -> bool:
    """Let the index key write that the ring says writes; whether another one wrote so far. Audited.

    Whoever stores identities meanwhile is waited for. Everybody must be able to read that version by now.
    """
    if index_version_to_write(session, keys=ring) == ring.current("index"):
        return False
    let_write(session, "index", ring.current("index"))
    told = " ".join(f"{family}:{ring.current(family)}" for family in ("data", "index"))
    record_act(session, actor=actor, action="rotate_keys", subject="key_checks", now=now, detail=told)
    return True


def count_behind(session: Session, *, keys: KeyRing) -> dict[Stage, int]:
    """Of each stage how many rows are not as they would be written today."""
    sealed, wrapped = sealed_today(keys), wrapped_today(keys)
    index = f"{index_version_writing(session, keys=keys)}."
    return {
        Stage.PERSON_KEYS: person_keys.count_person_keys(session, not_beginning=wrapped),
        Stage.LEDGER_KEYS: ledger.count_keys_behind(session, today=wrapped),
        Stage.IDENTITIES: identities.count_behind(session, index_today=index),
        Stage.ADDRESSES: consents.count_addresses_behind(session, index_today=index),
        Stage.RECEIPTS: receipts.count_receipts_behind(session, today=sealed),
        Stage.REPORTS: postings.count_words_behind(session, today=sealed),
    }


def bring_up(session: Session, stage: Stage, *, after: int, limit: int, keys: KeyRing) -> tuple[int, int] | None:
    """Bring the next rows of a stage to what is written today, in the caller's transaction; it should be short.

    The last id that was looked at, which is the next `after`, and how many rows were changed; None when none is left
    behind. What does not open is left as it is.

    Raises:
        KeysBehind: another version writes than this process has been given.
        Busy: the key service cannot be asked.
    """
    match stage:
        case Stage.PERSON_KEYS:
            today = wrapped_today(keys)
            return person_keys.rewrap_person_keys(session, after=after, limit=limit, today=today, keys=keys)
        case Stage.LEDGER_KEYS:
            return ledger.rewrap_keys(session, after=after, limit=limit, today=wrapped_today(keys), keys=keys)
        case Stage.IDENTITIES:
            return identities.bring_up(session, after=after, limit=limit, keys=keys)
        case Stage.ADDRESSES:
            return consents.bring_addresses_up(session, after=after, limit=limit, keys=keys)
        case Stage.RECEIPTS:
            today = sealed_today(keys)
            return receipts.reseal_receipts(session, after=after, limit=limit, today=today, keys=keys)
        case Stage.REPORTS:
            return postings.reseal_words(session, after=after, limit=limit, today=sealed_today(keys), keys=keys)
