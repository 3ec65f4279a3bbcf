"""Giving entries their places in the tree, signing its state, proving from it.

Nothing is signed that does not grow out of what was signed before: the sequencer looks at its last checkpoint in the
database and at one that lies outside, and stops where they do not fit. A log that signed two histories would prove
nothing any more.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.orm import Session

from app.domain.checkpoints import Checkpoint, checkpoint_text, read_checkpoint
from app.domain.entries import commitment_of, digest_of, leaf_data
from app.domain.ledger import EntryKind
from app.domain.merkle_trees import (
    consistency_ranges,
    fold,
    grow,
    inclusion_ranges,
    leaf_hash,
    range_hash,
    whole_subtrees,
)
from app.kit.keys import KeyRing
from app.kit.signed_notes import NoteBroken, key_id, open_note, sign_note, signing_keys, told_key
from app.store.ledger import (
    StoredEntry,
    add_checkpoint,
    add_leaves,
    add_nodes,
    find_hashes,
    last_sequenced,
    list_stored_of,
    list_waiting,
    newest_checkpoint,
    take_turn,
    tree_size,
)
from app.usecases.ledger import OFFICE, keeper_of, open_keys

_LEAF = b"jiujin ledger leaf\n"  # no checkpoint begins so: a signature under one never passes for one under the other


class LedgerDiffers(Exception):
    """The tree in the database is not the one that was signed, so nothing more is signed."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose log it is and with which keys it is signed, the newest first."""

    origin: str
    keys: tuple[Ed25519PrivateKey, ...]

    @property
    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        return tuple(key.public_key() for key in self.keys)

    @property
    def told_keys(self) -> list[str]:
        """The public keys as text, the newest first."""
        return [told_key(self.origin, key) for key in self.public_keys]

    def sign(self, checkpoint: Checkpoint) -> str:
        return sign_note(checkpoint_text(checkpoint), name=self.origin, key=self.keys[0])

    def read(self, note: str) -> Checkpoint:
        """The checkpoint in a note of our own.

        Raises:
            LedgerDiffers: we have not signed it.
        """
        try:
            checkpoint = read_checkpoint(open_note(note, name=self.origin, keys=self.public_keys))
        except (NoteBroken, ValueError):
            raise LedgerDiffers("a checkpoint is not signed by this ledger's keys") from None
        if checkpoint.origin != self.origin:
            raise LedgerDiffers("a checkpoint is another ledger's")
        return checkpoint


def signer_of(keys: KeyRing) -> Signer:
    """The signer of the ledger that is written with a key ring.

    The log is named after its oldest key, which no rotation changes: two ledgers are never taken for one.
    """
    private = signing_keys(keys, purpose="ledger")
    return Signer(f"jiujin/ledger/{key_id('', private[-1].public_key()).hex()}", tuple(private))


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch of waiting entries.

    Attributes:
        sequenced: how many were given a place.
        unfit: ids of entries that do not fit their commitment, or are none at all; they get no place.
        last_id: the last id that was looked at.
        is_last: whether no more are waiting behind it.
    """

    sequenced: int
    unfit: tuple[int, ...]
    last_id: int
    is_last: bool


def sequence_entries(
    session: Session,
    *,
    after: int,
    limit: int,
    outside: str | None,
    now: datetime,
    keys: KeyRing,
    up_to: int | None = None,
) -> Batch:
    """Give committed entries their places in the tree, in order of id, and sign the tree.

    Args:
        session: a transaction with nothing else in it; two of these take turns.
        after: look at entries behind this id.
        limit: how many at most.
        outside: the checkpoint of the largest tree that is kept outside the database, if there is one.
        now: when it is signed.
        keys: the key ring.
        up_to: look at no entry behind this id; None: at all.

    Raises:
        LedgerDiffers: the tree does not grow out of its last checkpoint or out of the one outside. Nothing was changed.
    """
    take_turn(session)
    signer = signer_of(keys)
    size = _whole_size(session)
    edge = _signed_edge(session, size, signer)
    if outside is not None:
        require_growth(session, signer.read(outside), size)
    waiting = list_waiting(session, after=after, up_to=up_to, limit=limit)
    unfit = find_unfit(session, waiting, keys=keys)
    fit = [(one.entry, one.commitment) for one in waiting if one.entry is not None and one.id not in unfit]
    hashes = [leaf_hash(leaf_data(entry, commitment)) for entry, commitment in fit]
    if fit:
        sign = signer.keys[0].sign
        add_leaves(
            session,
            [
                (position, entry.id, hash_, sign(signed_leaf(position, hash_)))
                for position, ((entry, _), hash_) in enumerate(zip(fit, hashes, strict=True), start=size)
            ],
        )
        whole, edge = grow(size, edge, hashes)
        add_nodes(session, whole)
        checkpoint = Checkpoint(signer.origin, size + len(fit), fold(edge))
        note = signer.sign(checkpoint)
        add_checkpoint(session, size=checkpoint.size, root=checkpoint.root, signed_at=now, note=note)
    return Batch(
        sequenced=len(fit),
        unfit=tuple(sorted(unfit)),
        last_id=waiting[-1].id if waiting else after,
        is_last=len(waiting) < limit,
    )


def signed_leaf(position: int, hash_: bytes) -> bytes:
    """What the sequencer signs for each leaf, so that a leaf is known at its place without the rest of the tree."""
    return _LEAF + position.to_bytes(8, "big") + hash_


def find_unfit(session: Session, stored: Sequence[StoredEntry], *, keys: KeyRing) -> frozenset[int]:
    """The ids of entries that do not fit their commitments and that no erasure names: not written by this service."""
    entries = [(one.entry, one.commitment) for one in stored if one.entry is not None]
    person_keys = open_keys(session, {keeper_of(entry.kind, entry.worker_id) for entry, _ in entries}, keys=keys)
    doubtful = [
        (entry, commitment)
        for entry, commitment in entries
        if (key := person_keys.get(keeper_of(entry.kind, entry.worker_id))) is None
        or commitment_of(entry, person_key=key) != commitment
    ]
    people = {entry.worker_id for entry, _ in doubtful if entry.worker_id is not None}
    named = erased_entries(session, keys=keys, worker_ids=people) if doubtful else {}
    unfit = {entry.id for entry, commitment in doubtful if named.get(entry.id) != digest_of(entry, commitment)}
    return frozenset(unfit.union(one.id for one in stored if one.entry is None))


def erased_entries(session: Session, *, keys: KeyRing, worker_ids: Collection[int] | None = None) -> dict[int, str]:
    """By id the digests of entries that valid erasures name, of these people or of everybody."""
    erasures = list_stored_of(session, [EntryKind.ERASURE], worker_ids)
    office = open_keys(session, [OFFICE], keys=keys).get(OFFICE)
    if office is None:
        return {}
    named = {}
    for stored in erasures:
        erasure = stored.entry
        if erasure is not None and commitment_of(erasure, person_key=office) == stored.commitment:
            for name in _texts(erasure.facts.get("entries")):
                entry_id, _, digest = name.partition(":")
                named[int(entry_id)] = digest
    return named


def _texts(value: object) -> Iterable[str]:
    return value if isinstance(value, list) else ()


def _whole_size(session: Session) -> int:
    size = tree_size(session)
    if size is None:
        raise LedgerDiffers("the last leaf has no position")
    return size


def _signed_edge(session: Session, size: int, signer: Signer) -> list[bytes]:
    """The edge of the tree in the database, if the last checkpoint vouches for it."""
    newest = newest_checkpoint(session)
    if (newest is None) != (size == 0):
        raise LedgerDiffers(f"the tree has {size} leaves, but no checkpoint says so")
    if newest is None:
        return []
    checkpoint = signer.read(newest)
    subtrees = whole_subtrees(0, size)
    hashes = find_hashes(session, subtrees)
    edge = [hashes[subtree] for subtree in subtrees if subtree in hashes]
    if len(edge) < len(subtrees) or checkpoint != Checkpoint(signer.origin, size, fold(edge)):
        raise LedgerDiffers(f"the tree of {size} leaves is not the one of the last checkpoint, {checkpoint.size}")
    return edge


def require_outside(session: Session, outside: str, *, keys: KeyRing) -> None:
    """See that the tree in the database grew out of a checkpoint that is kept outside. Raises LedgerDiffers if not."""
    require_growth(session, signer_of(keys).read(outside), _whole_size(session))


def require_growth(session: Session, checkpoint: Checkpoint, size: int) -> None:
    """See that the tree in the database, of `size` leaves, grew out of this checkpoint.

    Raises:
        LedgerDiffers: it is shorter or has another beginning: an old copy was put back, or somebody changed it.
    """
    if size < checkpoint.size:
        raise LedgerDiffers(f"the tree has {size} leaves, a checkpoint outside the database {checkpoint.size}")
    if root_at(session, checkpoint.size) != checkpoint.root:
        raise LedgerDiffers(f"the first {checkpoint.size} leaves are not those of a checkpoint outside the database")


def root_at(session: Session, size: int) -> bytes | None:
    """The root of the first `size` leaves; None where a hash is missing."""
    return _range_hashes(session, [(0, size)])[0]


def _range_hashes(session: Session, ranges: Sequence[tuple[int, int]]) -> list[bytes | None]:
    hashes = find_hashes(session, {subtree for start, end in ranges for subtree in whole_subtrees(start, end)})
    found: list[bytes | None] = []
    for start, end in ranges:
        try:
            found.append(range_hash(start, end, hashes))
        except KeyError:
            found.append(None)
    return found


def are_waiting(session: Session, *, after: int, up_to: int | None = None) -> bool:
    """Whether entries behind this id, and up to that one, have no place in the tree."""
    return bool(list_waiting(session, after=after, up_to=up_to, limit=1))


def newest_sequenced(session: Session) -> int:
    """The greatest id of an entry that has a place; 0 where none has."""
    return last_sequenced(session)


def newest_note(session: Session) -> str | None:
    """The newest checkpoint as it is published; None while nothing is signed."""
    return newest_checkpoint(session)


def prove_inclusion(session: Session, position: int, size: int) -> list[bytes]:
    """The hashes that prove a leaf's place in the tree of the first `size` leaves, lowest first.

    Raises:
        ValueError: the tree has no such leaf.
        LedgerDiffers: a hash is missing in the database.
    """
    return _proof(session, inclusion_ranges(position, size))


def prove_consistency(session: Session, first: int, second: int) -> list[bytes]:
    """The hashes that prove the tree of `first` leaves to be the beginning of the one of `second`, lowest first.

    Raises:
        ValueError: the first tree is empty or the larger one.
        LedgerDiffers: a hash is missing in the database.
    """
    return _proof(session, consistency_ranges(first, second))


def _proof(session: Session, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    proof = [hash_ for hash_ in _range_hashes(session, ranges) if hash_ is not None]
    if len(proof) < len(ranges):
        raise LedgerDiffers("a hash of the tree is missing")
    return proof
