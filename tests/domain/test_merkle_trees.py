"""The tree agrees with RFC 6962 word for word and with the published vectors; its proofs prove nothing else."""

import hashlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.merkle_trees import (
    EMPTY_ROOT,
    Subtree,
    consistency_ranges,
    fold,
    grow,
    inclusion_ranges,
    leaf_hash,
    range_hash,
    whole_subtrees,
)
from ledger_check.trees import GrowingTree, proves_consistency, proves_inclusion

# The leaves and roots that Certificate Transparency's implementations are tested with
# (github.com/transparency-dev/merkle, testonly/constants.go): the roots of the first 0, 1, … 8 leaves.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# The inclusion and consistency proofs published beside them: leaf or first size, size, hashes.
CT_INCLUSION = [
    (0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
]  # fmt: skip
CT_CONSISTENCY = [
    (1, 1, []),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
]  # fmt: skip


# --- RFC 6962 section 2.1, word for word ------------------------------------------------------------------------------


def mth(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


# --- ours -------------------------------------------------------------------------------------------------------------


def stored(leaves: Sequence[bytes], *, batches: Sequence[int] = ()) -> dict[Subtree, bytes]:
    """Every whole subtree, grown batch by batch."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    found: dict[Subtree, bytes] = {(0, position): hash_ for position, hash_ in enumerate(hashes)}
    size, edge = 0, list[bytes]()
    for batch in [*batches, len(leaves)]:
        whole, edge = grow(size, edge, hashes[size : size + batch])
        found |= {(level, at): hash_ for level, at, hash_ in whole}
        size = min(size + batch, len(hashes))
        assert edge == [found[subtree] for subtree in whole_subtrees(0, size)]
    return found


def proof(ranges: Sequence[tuple[int, int]], hashes: dict[Subtree, bytes]) -> list[bytes]:
    return [range_hash(start, end, hashes) for start, end in ranges]


def test_the_root_of_an_empty_tree_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == fold([]).hex() == GrowingTree().root().hex() == CT_ROOTS[0]


def test_the_published_roots_come_out() -> None:
    hashes, tree = stored(CT_LEAVES), GrowingTree()
    for size, root in enumerate(CT_ROOTS):
        assert range_hash(0, size, hashes).hex() == mth(CT_LEAVES[:size]).hex() == tree.root().hex() == root
        if size < len(CT_LEAVES):
            tree.append(CT_LEAVES[size])


@pytest.mark.parametrize(("position", "size", "published"), CT_INCLUSION)
def test_the_published_inclusion_proofs_come_out(position: int, size: int, published: list[str]) -> None:
    ours = proof(inclusion_ranges(position, size), stored(CT_LEAVES))
    assert [hash_.hex() for hash_ in ours] == published
    root = bytes.fromhex(CT_ROOTS[size])
    assert proves_inclusion(leaf_hash(CT_LEAVES[position]), position, size, ours, root)


@pytest.mark.parametrize(("first", "second", "published"), CT_CONSISTENCY)
def test_the_published_consistency_proofs_come_out(first: int, second: int, published: list[str]) -> None:
    ours = proof(consistency_ranges(first, second), stored(CT_LEAVES))
    assert [hash_.hex() for hash_ in ours] == published
    assert proves_consistency(first, second, bytes.fromhex(CT_ROOTS[first]), bytes.fromhex(CT_ROOTS[second]), ours)


@given(st.lists(st.binary(max_size=8), max_size=70), st.lists(st.integers(0, 20), max_size=5))
def test_roots_are_those_of_the_rfc_however_the_tree_was_grown(leaves: list[bytes], batches: list[int]) -> None:
    hashes, tree = stored(leaves, batches=batches), GrowingTree()
    for leaf in leaves:
        tree.append(leaf)
    assert range_hash(0, len(leaves), hashes) == mth(leaves) == tree.root()
    # Nothing is stored but the whole subtrees, each once.
    assert len(hashes) == sum(len(leaves) >> level for level in range(8))


@given(st.data(), st.integers(1, 70))
def test_proofs_are_those_of_the_rfc_and_are_accepted(data: st.DataObject, size: int) -> None:
    leaves = [bytes([number]) for number in range(size)]
    hashes = stored(leaves)
    position, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    included = proof(inclusion_ranges(position, size), hashes)
    assert included == path(position, leaves)
    assert proves_inclusion(leaf_hash(leaves[position]), position, size, included, mth(leaves))
    consistent = proof(consistency_ranges(first, size), hashes)
    assert consistent == subproof(first, leaves, whole=True)
    assert proves_consistency(first, size, mth(leaves[:first]), mth(leaves), consistent)


@pytest.mark.parametrize(("position", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(position: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_ranges(position, size)
    assert not proves_inclusion(leaf_hash(b""), position, size, [], leaf_hash(b""))


def test_hashes_of_another_length_prove_nothing_though_their_bytes_fit() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    root = hashlib.sha256(b"\x01" + left + right).digest()
    assert proves_inclusion(left, 0, 2, [right], root)
    assert not proves_inclusion(left + right[:1], 0, 2, [right[1:]], root)
    assert not proves_consistency(1, 2, left + right[:1], root, [right[1:]])


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_a_tree_that_is_no_beginning_has_no_proof(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="not the beginning"):
        consistency_ranges(first, second)
    assert not proves_consistency(first, second, EMPTY_ROOT, EMPTY_ROOT, [])


# --- proofs that somebody has changed ---------------------------------------------------------------------------------

MUTATIONS = 1_000


def changed(proof: list[bytes], rng: random.Random) -> list[bytes]:
    """The proof with a bit flipped, or with a hash dropped, added, repeated, or two swapped."""
    changed, at = [*proof], rng.randrange(len(proof)) if proof else 0
    match rng.choice(["flip", "drop", "swap", "repeat"]) if proof else "add":
        case "flip":
            bit = rng.randrange(256)
            changed[at] = (int.from_bytes(proof[at], "big") ^ (1 << bit)).to_bytes(32, "big")
        case "drop":
            del changed[at]
        case "swap":
            other = rng.randrange(len(proof))
            changed[at], changed[other] = changed[other], changed[at]
        case "repeat":
            changed.insert(at, proof[at])
        case "add":
            changed.append(rng.randbytes(32))
    return changed


def other_number(number: int, rng: random.Random) -> int:
    return rng.choice([number - 1, number + 1, number ^ (1 << rng.randrange(8)), -number, rng.randrange(300)])


def test_no_changed_inclusion_proof_is_accepted() -> None:
    rng = random.Random(20261201)  # noqa: S311  a table of mutations, the same every time
    leaves = [b"leaf %d" % number for number in range(200)]
    hashes, accepted, tried = stored(leaves), [], 0
    while tried < MUTATIONS:
        size = rng.randrange(1, len(leaves) + 1)
        position = rng.randrange(size)
        right = (leaf_hash(leaves[position]), position, size, proof(inclusion_ranges(position, size), hashes))
        wrong: list[object] = [*right]
        match rng.choice(["proof", "proof", "position", "size", "leaf"]):
            case "proof":
                wrong[3] = changed(right[3], rng)
            case "position":
                wrong[1] = other_number(position, rng)
            case "size":
                wrong[2] = other_number(size, rng)
            case "leaf":
                wrong[0] = leaf_hash(leaves[(position + rng.randrange(1, 200)) % 200])
        if wrong == [*right] or proves_the_same_place(right, wrong):
            continue
        tried += 1
        root = range_hash(0, size, hashes)
        assert proves_inclusion(*right, root)
        if proves_inclusion(*wrong, root):  # type: ignore[arg-type, call-arg]
            accepted.append((right, wrong))
    assert accepted == []


def proves_the_same_place(right: Sequence[object], wrong: Sequence[object]) -> bool:
    """Whether another size leaves the proof as it is: the root was made for one size, and the reader has it from there.

    A proof tells left from right and how many steps there are; a size that changes neither is the checkpoint's to
    tell, which names it beside the root and is signed.
    """
    if (right[0], right[1], right[3]) != (wrong[0], wrong[1], wrong[3]):
        return False
    position, size, other = right[1], right[2], wrong[2]
    assert isinstance(position, int)
    assert isinstance(size, int)
    assert isinstance(other, int)
    return position < other and sides(position, size) == sides(position, other)


def sides(position: int, size: int) -> list[bool]:
    return [end <= position for _, end in inclusion_ranges(position, size)]


def test_no_changed_consistency_proof_is_accepted() -> None:
    rng = random.Random(20261202)  # noqa: S311  as above
    leaves = [b"leaf %d" % number for number in range(200)]
    hashes, accepted, tried = stored(leaves), [], 0
    roots = [range_hash(0, size, hashes) for size in range(len(leaves) + 1)]
    while tried < MUTATIONS:
        second = rng.randrange(2, len(leaves) + 1)
        first = rng.randrange(1, second)
        right = (first, second, roots[first], roots[second], proof(consistency_ranges(first, second), hashes))
        wrong: list[object] = [*right]
        match rng.choice(["proof", "proof", "first root", "second root", "roots"]):
            case "proof":
                wrong[4] = changed(right[4], rng)
            case "first root":
                wrong[2] = roots[rng.randrange(1, len(roots))]
            case "second root":
                wrong[3] = roots[rng.randrange(1, len(roots))]
            case "roots":
                wrong[2], wrong[3] = right[3], right[2]
        if wrong == [*right]:
            continue
        tried += 1
        assert proves_consistency(*right)
        if proves_consistency(*wrong):  # type: ignore[arg-type]
            accepted.append((right, wrong))
    assert accepted == []
