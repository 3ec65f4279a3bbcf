"""Sealed values open at their place alone; blind indexes find them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.encrypted import Place, SealBroken, blind_index, blind_indexes, seal, sealed_version, unseal
from app.kit.keys import KeyRing, new_key_ring

HERE = Place("identities", "name", 7)
RING = new_key_ring()


@given(st.text(max_size=200), st.one_of(st.integers(), st.uuids().map(str)))
def test_what_is_sealed_comes_back(text: str, row: int | str) -> None:
    place = Place("identities", "name", row)
    assert unseal(RING, seal(RING, text, place=place), place=place) == text


def test_a_sealed_value_shows_nothing_and_is_never_the_same_twice() -> None:
    one, two = seal(RING, "向秀兰", place=HERE), seal(RING, "向秀兰", place=HERE)
    assert one != two
    raw = base64.urlsafe_b64decode(one.partition(".")[2])
    assert "向秀兰".encode() not in raw
    # Nonce, text, tag (NIST SP 800-38D): nothing more is stored.
    assert len(raw) == 12 + len("向秀兰".encode()) + 16


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("identities", "name", 8),
        Place("identities", "phone", 7),
        Place("employers", "name", 7),
        Place("identitiesn", "ame", 7),
    ],
)
def test_a_sealed_value_does_not_open_elsewhere(elsewhere: Place) -> None:
    with pytest.raises(SealBroken):
        unseal(RING, seal(RING, "向秀兰", place=HERE), place=elsewhere)


def test_every_altered_bit_is_noticed() -> None:
    version, _, body = seal(RING, "向秀兰", place=HERE).partition(".")
    raw = base64.urlsafe_b64decode(body)
    for position in range(len(raw)):
        altered = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        with pytest.raises(SealBroken):
            unseal(RING, f"{version}.{base64.urlsafe_b64encode(altered).decode()}", place=HERE)


@pytest.mark.parametrize("sealed", ["", "1", "1.", "x.AAAA", "1.!!!!", "1.AAAA", "向秀兰", "1.向秀兰", "2.AAAA"])
def test_what_is_not_sealed_does_not_open_and_is_not_quoted(sealed: str) -> None:
    with pytest.raises(SealBroken) as refusal:
        unseal(RING, sealed, place=HERE)
    assert "向秀兰" not in str(refusal.value)


def test_old_values_open_after_a_rotation_and_new_ones_use_the_new_key() -> None:
    old = seal(RING, "向秀兰", place=HERE)
    rotated = RING.rotated("data")
    new = seal(rotated, "向秀兰", place=HERE)
    assert (sealed_version(old), sealed_version(new)) == (1, 2)
    assert unseal(rotated, old, place=HERE) == unseal(rotated, new, place=HERE) == "向秀兰"
    with pytest.raises(SealBroken, match="version 2"):
        unseal(RING, new, place=HERE)


def test_a_value_cannot_be_passed_off_as_sealed_by_another_version() -> None:
    rotated = KeyRing(data={1: RING.data[1], 2: new_key_ring().data[1]}, index=RING.index, token=RING.token)
    sealed = seal(RING, "向秀兰", place=HERE)
    with pytest.raises(SealBroken):
        unseal(rotated, "2" + sealed.removeprefix("1"), place=HERE)


def test_another_ring_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        unseal(new_key_ring(), seal(RING, "向秀兰", place=HERE), place=HERE)


def test_a_blind_index_is_the_same_for_the_same_value_and_purpose_alone() -> None:
    index = blind_index(RING, "12000000000", purpose="identities.phone")
    assert index == blind_index(RING, "12000000000", purpose="identities.phone")
    assert "12000000000" not in index
    others = {
        blind_index(RING, "12000000001", purpose="identities.phone"),
        blind_index(RING, "12000000000", purpose="identities.number"),
        blind_index(new_key_ring(), "12000000000", purpose="identities.phone"),
    }
    assert len(others | {index}) == 4


def test_blind_indexes_find_what_was_written_before_and_after_a_rotation() -> None:
    before = blind_index(RING, "12000000000", purpose="identities.phone")
    rotated = RING.rotated("index")
    after = blind_index(rotated, "12000000000", purpose="identities.phone")
    assert blind_indexes(rotated, "12000000000", purpose="identities.phone") == [after, before]
