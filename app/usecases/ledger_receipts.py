"""A receipt as its holder reads it: what the entry is, whether it still counts, and whether its proof holds now.

Whoever holds the short code may see it, so it tells nobody's name, number or words: not whose the entry is, not who
wrote it, not what was said. The document itself (`ledger_exports.make_receipt`) holds more, for nothing less opens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.domain.ledger import Channel, EntryKind, Grade
from app.kit.keys import KeyRing
from app.store.ledger import find_entry, find_newest_signing, find_strike
from app.usecases.ledger import LedgerEntryUnknown
from app.usecases.ledger_exports import LedgerEntryUnproven, find_by_code, make_receipt
from app.usecases.sequencing import signer_of
from ledger_check.notes import Unreadable
from ledger_check.receipts import check_receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFact:
    """One entry of the ledger with what is proven of it.

    Attributes:
        entry_id: the entry's number.
        code: its short code, as the newest keys write it.
        kind: what it tells.
        channel: how it reached the person.
        evidence: how sure that is.
        happened_at: when it happened; like all times aware and in UTC.
        written_at: when it was written.
        strikes: the number of the entry that this one strikes, for a strike.
        struck_by: the number of the entry that struck it; None while it counts.
        struck_at: when that one was written.
        place: where it stands in the tree, from 1.
        size: how many places the tree had at the checkpoint.
        signed_at: when the checkpoint was signed.
        holds: whether the proof, made and checked just now, leads from the entry to the checkpoint.
    """

    entry_id: int
    code: str
    kind: EntryKind
    channel: Channel | None
    evidence: Grade | None
    happened_at: datetime
    written_at: datetime
    strikes: int | None
    struck_by: int | None
    struck_at: datetime | None
    place: int
    size: int
    signed_at: datetime
    holds: bool


def tell_receipt(session: Session, typed: str, *, keys: KeyRing) -> ReceiptFact:
    """What the short code on a receipt stands for, as somebody typed it. Changes nothing.

    Args:
        session: a reader's, for which the ledger stands still.
        typed: the short code.
        keys: the key ring.

    Raises:
        ReceiptCodeWrong: the code belongs to no entry.
        LedgerEntryUnknown: the code is right, but the entry is gone.
        LedgerEntryWaiting: the entry has no place yet.
        LedgerEntryErased: its person was erased.
        LedgerEntryUnproven: the database does not hold what a proof needs.
    """
    document = make_receipt(session, find_by_code(typed, keys=keys), keys=keys)
    entry_id = document["entry"]["id"]
    signer = signer_of(keys)
    try:
        # Only now: a row that is no entry cannot be read as one.
        entry, signed_at = find_entry(session, entry_id), find_newest_signing(session)
        strike = find_strike(session, entry_id)
    except (LookupError, ValueError, TypeError):
        raise LedgerEntryUnproven from None
    if entry is None:
        raise LedgerEntryUnknown
    if signed_at is None:
        raise LedgerEntryUnproven
    return ReceiptFact(
        entry_id=entry_id,
        code=document["code"],
        kind=entry.kind,
        channel=entry.channel,
        evidence=entry.evidence,
        happened_at=entry.happened_at,
        written_at=entry.written_at,
        strikes=entry.refers_to if entry.kind is EntryKind.STRIKE else None,
        struck_by=None if strike is None else strike.id,
        struck_at=None if strike is None else strike.written_at,
        place=document["position"] + 1,
        size=signer.read(document["checkpoint"]).size,
        signed_at=signed_at,
        holds=_holds(document, signer.told_keys),
    )


def _holds(document: dict[str, Any], told_keys: Sequence[str]) -> bool:
    # By the program that anybody else checks the file with, which shares nothing with what made it.
    try:
        return check_receipt(document, keys=told_keys) is None
    except Unreadable:
        return False
