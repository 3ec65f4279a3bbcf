"""Merkle trees as RFC 6962 section 2.1 defines them, and proofs checked as RFC 9162 section 2.1 says."""

import hashlib
from collections.abc import Sequence

_HASH_BYTES = 32


def hash_leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_pair(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class GrowingTree:
    """A tree that is read leaf by leaf, in the memory of its depth. `size` counts leaves."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, data: bytes) -> None:
        """Put a leaf behind the last one."""
        self.append_hash(hash_leaf(data))

    def append_hash(self, leaf: bytes) -> None:
        """Put a leaf of which the hash is known behind the last one."""
        height, node = 0, leaf
        # Two peaks of one height are one of the next.
        while self._peaks and self._peaks[-1][0] == height:
            node = hash_pair(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))
        self.size += 1

    def root(self) -> bytes:
        """The hash over all leaves so far."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = hash_pair(peak, root)
        return root


def proves_inclusion(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf stands at a position in the tree of this size and root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= position < size or any(len(step) != _HASH_BYTES for step in proof):
        return False
    at, last, node = position, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = hash_pair(step, node)
            while not at & 1 and at != 0:
                at >>= 1
                last >>= 1
        else:
            node = hash_pair(node, step)
        at >>= 1
        last >>= 1
    return last == 0 and node == root


def proves_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `first` leaves is the beginning of the tree of `second` (RFC 9162 section 2.1.4.2)."""
    if not 0 < first <= second or any(len(step) != _HASH_BYTES for step in proof):
        return False
    if first == second:
        return not proof and first_root == second_root
    steps = [*proof]
    if first & (first - 1) == 0:
        # The first tree is a whole subtree of the second, and its root the first step.
        steps.insert(0, first_root)
    if not steps:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at >>= 1
        last >>= 1
    one = other = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            one, other = hash_pair(step, one), hash_pair(step, other)
            while not at & 1 and at != 0:
                at >>= 1
                last >>= 1
        else:
            other = hash_pair(other, step)
        at >>= 1
        last >>= 1
    return last == 0 and one == first_root and other == second_root
