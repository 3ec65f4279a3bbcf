"""Who somebody is, as staff see it: masked, unless they give a reason, which the audit keeps."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.identities import UnmaskReason, mask_id_number, mask_name, mask_phone
from app.kit.errors import FieldFault, Invalid, NotFound
from app.kit.keys import KeyRing
from app.store import identities as store
from app.store.identities import IdentityFacts

LONGEST_WORDS = 80


class IdentityUnknown(NotFound):
    """Nobody's identity is stored under this number: there is no such person, or they were erased."""

    code = "identity_unknown"
    title = "没有这个人的身份信息"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedIdentity:
    """What everybody sees: `张*`, `5*****************`, `138****1234`; no phone is None."""

    worker_id: int
    name: str
    id_number: str
    phone: str | None


def masked_identity(session: Session, worker_id: int, *, actor: str, now: datetime, keys: KeyRing) -> MaskedIdentity:
    """A person's identity with all but a few characters hidden.

    Needs a session that can write: the values are opened to be masked, and each opening is audited.

    Raises:
        IdentityUnknown: nobody's identity is stored under this number.
    """
    facts = store.read_identity(session, worker_id, keys=keys, actor=actor, reason="masked", now=now)
    if facts is None:
        raise IdentityUnknown
    return MaskedIdentity(
        worker_id=worker_id,
        name=mask_name(facts.name),
        id_number=mask_id_number(facts.id_number),
        phone=None if facts.phone is None else mask_phone(facts.phone),
    )


def unmask_identity(
    session: Session,
    worker_id: int,
    *,
    reason: UnmaskReason,
    words: str = "",
    actor: str,
    now: datetime,
    keys: KeyRing,
) -> IdentityFacts:
    """A person's identity in plain text; who reads it, why and when stands in the audit.

    Whether `actor` may is asked before. Needs a session that can write, and is for one person at a time.

    Args:
        session: a transaction; what is read must not be shown unless it is committed.
        worker_id: whose.
        reason: why.
        words: what for, in the actor's own words; it must name nobody. Needed where the reason says little.
        actor: who reads it, as in the audit.
        now: when.
        keys: the key ring.

    Raises:
        Invalid: no words where they are needed (`words_missing`), too many (`words_too_long`).
        IdentityUnknown: nobody's identity is stored under this number.
        app.kit.encrypted.SealBroken: a value was moved here from another row, altered, or its key is gone.
    """
    words = " ".join(words.split())
    if reason.needs_words and not words:
        raise Invalid(fields=[FieldFault("words", "words_missing", "请写明为什么要看")])
    if len(words) > LONGEST_WORDS:
        raise Invalid(fields=[FieldFault("words", "words_too_long", f"最多写{LONGEST_WORDS}个字")])
    told = f"unmask:{reason.value}" + (f" {words}" if words else "")
    facts = store.read_identity(session, worker_id, keys=keys, actor=actor, reason=told, now=now)
    if facts is None:
        raise IdentityUnknown
    # Now and not with the commit: who cannot be written down sees nothing.
    session.flush()
    return facts
