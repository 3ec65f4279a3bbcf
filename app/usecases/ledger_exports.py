"""What leaves the ledger: the whole of it, a checkpoint, one entry with its proof. Formats in `docs/ledger.md`.

An export holds the openings of all commitments, but of the entries of people who were erased. It names nobody; the
notes in it stay sealed.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.domain.entries import entry_key
from app.domain.merkle_trees import grow
from app.kit.errors import Conflict, Gone, NotFound
from app.kit.keyed_codes import keyed_code, read_keyed_code
from app.kit.keys import KeyRing
from app.store.ledger import (
    StoredEntry,
    find_leaf,
    find_stored,
    first_node_beyond,
    list_checkpoints,
    list_nodes,
    list_places,
    list_waiting,
    newest_checkpoint,
    read_hash,
)
from app.usecases.ledger import LedgerEntryUnknown, keeper_of, open_keys
from app.usecases.sequencing import (
    LedgerDiffers,
    erased_entries,
    prove_consistency,
    prove_inclusion,
    require_growth,
    signer_of,
)

FORMAT = 1
_AT_ONCE = 5_000
_NO_KEY = "00" * 32


class LedgerEntryWaiting(Conflict):
    """The entry has no place in the tree yet; it gets one within seconds."""

    code = "ledger_entry_waiting"
    title = "这一条刚写下，还没有排进台账的树里，请过几秒再试"


class LedgerEntryErased(Gone):
    """The entry's person was erased; nothing opens it any more."""

    code = "ledger_entry_erased"
    title = "这一条的本人已经销毁身份，开不出凭条"


class LedgerEntryUnproven(Conflict):
    """The database does not hold what a proof of the entry needs, and no erasure says why: somebody changed it."""

    code = "ledger_entry_unproven"
    title = "这一条现在证明不了，台账可能被人动过"


class ReceiptCodeWrong(NotFound):
    """A receipt's short code belongs to no entry."""

    code = "receipt_code_wrong"
    title = "凭条的短码不对，请再看一遍"


def export_lines(session: Session, *, keys: KeyRing) -> Iterator[dict[str, Any]]:
    """The ledger as documents, a line each: name and keys, checkpoints, entries by place, entries without one."""
    signer = signer_of(keys)
    yield {"type": "ledger", "format": FORMAT, "origin": signer.origin, "keys": signer.told_keys}
    for checkpoint in list_checkpoints(session):
        yield {"type": "checkpoint", "note": checkpoint}
    erased = erased_entries(session, keys=keys)
    places = list_places(session, after=None, limit=_AT_ONCE)
    while places:
        openings = _openings(session, [place.stored for place in places if place.stored is not None], erased, keys)
        for place in places:
            stored = place.stored
            yield {
                "type": "entry",
                "position": place.position if isinstance(place.position, int) else ascii(place.position),
                "hash": place.hash,
                "signature": place.signature,
                "entry": None if stored is None else stored.columns,
                "commitment": None if stored is None else stored.commitment,
                "key": None if stored is None else openings.get(stored.id),
            }
        places = list_places(session, after=places[-1].position, limit=_AT_ONCE)
    waiting = list_waiting(session, after=None, limit=_AT_ONCE)
    while waiting:
        openings = _openings(session, waiting, erased, keys)
        for stored in waiting:
            yield {
                "type": "entry",
                "position": None,
                "hash": None,
                "signature": None,
                "entry": stored.columns,
                "commitment": stored.commitment,
                "key": openings.get(stored.id),
            }
        waiting = list_waiting(session, after=waiting[-1].id, limit=_AT_ONCE)


def _openings(
    session: Session, entries: Sequence[StoredEntry], erased: dict[int, str], keys: KeyRing
) -> dict[int, str]:
    """By id the keys that open entries, of those that no erasure names.

    A row that is no entry gets a key that opens nothing: with none it would be told as one that somebody's key is
    missing for.
    """
    keepers = {
        one.id: keeper_of(one.entry.kind, one.entry.worker_id)
        for one in entries
        if one.id not in erased and one.entry is not None
    }
    person_keys = open_keys(session, set(keepers.values()), keys=keys)
    openings = {one.id: _NO_KEY for one in entries if one.id not in erased and one.entry is None}
    return openings | {
        entry_id: entry_key(person_keys[keeper], entry_id).hex()
        for entry_id, keeper in keepers.items()
        if keeper in person_keys
    }


def first_wrong_node(session: Session) -> tuple[int, int] | None:
    """Level and position of the first stored subtree that its leaves do not give; None if all do.

    An export does not hold the subtrees, so whoever checks one does not see them. Reads all leaves.
    """
    size, edge = 0, list[bytes]()
    places = list_places(session, after=None, limit=_AT_ONCE)
    while places:
        leaves = [read_hash(place.hash) or b"" for place in places]
        whole, edge = grow(size, edge, leaves)
        size += len(leaves)
        expected: dict[int, dict[int, bytes]] = {}
        for level, at, hash_ in whole:
            expected.setdefault(level, {})[at] = hash_
        for level, nodes in expected.items():
            stored = list_nodes(session, level, min(nodes), max(nodes))
            for at, hash_ in nodes.items():
                if stored.get(at) != hash_:
                    return level, at
        places = list_places(session, after=places[-1].position, limit=_AT_ONCE)
    return first_node_beyond(session, size)


def make_receipt(session: Session, entry_id: int, *, keys: KeyRing) -> dict[str, Any]:
    """One entry with its opening, its place and the proof that the newest checkpoint holds it.

    Raises:
        LedgerEntryUnknown: there is no such entry.
        LedgerEntryWaiting: it has no place yet.
        LedgerEntryErased: its person was erased.
        LedgerEntryUnproven: its key, a hash of the tree or the checkpoint is gone from the database.
    """
    found = find_stored(session, entry_id)
    if found is None:
        raise LedgerEntryUnknown
    worker_id = None if found.entry is None else found.entry.worker_id
    erased = erased_entries(session, keys=keys, worker_ids=[] if worker_id is None else [worker_id])
    if entry_id in erased:
        raise LedgerEntryErased
    key = _openings(session, [found], erased, keys).get(entry_id)
    if key is None:
        raise LedgerEntryUnproven
    leaf, newest = find_leaf(session, entry_id), newest_checkpoint(session)
    if leaf is None:
        raise LedgerEntryWaiting
    if newest is None:
        raise LedgerEntryUnproven
    signer = signer_of(keys)
    try:
        proof = prove_inclusion(session, leaf.position, signer.read(newest).size)
    except (LedgerDiffers, ValueError):
        raise LedgerEntryUnproven from None
    return {
        "type": "receipt",
        "format": FORMAT,
        "code": receipt_code(entry_id, keys=keys),
        "origin": signer.origin,
        "keys": signer.told_keys,
        "entry": found.columns,
        "commitment": found.commitment,
        "key": key,
        "position": leaf.position,
        "signature": leaf.signature,
        "proof": _told_proof(proof),
        "checkpoint": newest,
    }


def prove_growth(session: Session, before: str, *, keys: KeyRing) -> dict[str, Any]:
    """The proof that the newest checkpoint grew out of an older one, and both.

    Raises:
        LedgerDiffers: it did not, or the older one is not this ledger's.
    """
    signer, newest = signer_of(keys), newest_checkpoint(session)
    first = signer.read(before)
    size = 0 if newest is None else signer.read(newest).size
    require_growth(session, first, size)
    return {
        "type": "growth",
        "format": FORMAT,
        "origin": signer.origin,
        "keys": signer.told_keys,
        "first": before,
        "second": before if newest is None else newest,
        "proof": _told_proof(prove_consistency(session, first.size, size)),
    }


def _told_proof(proof: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(hash_).decode() for hash_ in proof]


# --- short codes ------------------------------------------------------------------------------------------------------

_PURPOSE = "ledger_receipt"


def receipt_code(entry_id: int, *, keys: KeyRing) -> str:
    """The short code of an entry's receipt: its id and eight characters that nobody without the ring can make up."""
    return keyed_code(keys, entry_id, purpose=_PURPOSE)


def find_by_code(typed: str, *, keys: KeyRing) -> int:
    """The entry that a short code stands for, as somebody typed it, also a code from before a rotation.

    Raises:
        ReceiptCodeWrong: the code belongs to no entry.
    """
    entry_id = read_keyed_code(keys, typed, purpose=_PURPOSE)
    if entry_id is None:
        raise ReceiptCodeWrong
    return entry_id
