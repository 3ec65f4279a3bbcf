"""The tree over a log that only grows (RFC 6962 section 2.1), from hashes of whole subtrees.

A subtree is `(level, position)`: the leaves from `position * 2^level` on, `2^level` of them, of which none is missing.
The hash of a whole subtree never changes, so whoever keeps them makes every root and proof from some of them. Here
proofs are made; `ledger_check` checks them and shares nothing with this module.
"""

import hashlib
from collections.abc import Mapping, Sequence

Subtree = tuple[int, int]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf, which no inner node can have."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def whole_subtrees(start: int, end: int) -> list[Subtree]:
    """The whole subtrees that the leaves from `start` up to `end` fall into, largest first.

    `start` is where a subtree begins that reaches to `end` or beyond, as in every range of this module.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over whole subtrees that lie side by side, largest first; of none the hash of the empty tree."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def range_hash(start: int, end: int, hashes: Mapping[Subtree, bytes]) -> bytes:
    """The hash over the leaves from `start` up to `end`.

    Raises:
        KeyError: the hash of a subtree is missing.
    """
    return fold([hashes[subtree] for subtree in whole_subtrees(start, end)])


def inclusion_ranges(position: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove that a leaf stands in a tree, lowest first (section 2.1.1).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= position < size:
        raise ValueError(f"no leaf {position} in a tree of {size}")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        split = _split(start, end)
        if position < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose hashes prove that a tree is the beginning of another, lowest first (section 2.1.2).

    Raises:
        ValueError: the first tree is empty or larger than the second.
    """
    if not 0 < first <= second:
        raise ValueError(f"a tree of {first} is not the beginning of one of {second}")
    ranges = []
    start, end = 0, second
    while end != first:
        split = _split(start, end)
        if first <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    if start > 0:
        # Unless it is the whole first tree, whose root the reader has.
        ranges.append((start, end))
    return ranges[::-1]


def _split(start: int, end: int) -> int:
    """Where a range of two leaves or more falls apart: behind the largest power of two that is smaller than it."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def grow(size: int, edge: Sequence[bytes], leaves: Sequence[bytes]) -> tuple[list[tuple[int, int, bytes]], list[bytes]]:
    """Put leaves behind the last one of a tree.

    Args:
        size: how many leaves the tree has.
        edge: the hashes of `whole_subtrees(0, size)`.
        leaves: the hashes of the new leaves.

    Returns:
        Level, position and hash of each subtree of two leaves or more that has become whole, and the new edge.
    """
    whole = []
    edge = [*edge]
    for position, leaf in enumerate(leaves, start=size):
        level, at, root = 0, position, leaf
        # A right half completes the subtree of which the left half is the last at the edge.
        while at & 1:
            root = node_hash(edge.pop(), root)
            level, at = level + 1, at >> 1
            whole.append((level, at, root))
        edge.append(root)
    return whole, edge
