"""Sealed values open at their place alone; blind indexes find them."""

import base64
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from app.kit.encrypted import (
    Place,
    SealBroken,
    blind_index,
    blind_indexes,
    require_cipher,
    seal,
    seal_for_person,
    seal_under,
    sealed_version,
    sm4_decrypt,
    sm4_encrypt,
    unseal,
    unseal_for_person,
    unseal_under,
    unwrap_keys,
    wrap_keys,
)
from app.kit.keys import Cipher, KeyRing, new_key_ring

HERE = Place("identities", "name", 7)
RING = new_key_ring()
SM4_RING = replace(RING, cipher=Cipher.SM4_GCM)


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


def test_sm4_gcm_is_that_of_the_published_vector() -> None:
    # RFC 8998 appendix A.1, which has it from the Chinese standard's own example.
    key, nonce = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("00001234567800000000ABCD")
    plain = bytes.fromhex(
        "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD"
        "EEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA"
    )
    associated = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    told = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )
    assert sm4_encrypt(key, nonce, plain, associated) == told
    assert sm4_decrypt(key, nonce, told, associated) == plain
    with pytest.raises(InvalidTag):
        sm4_decrypt(key, nonce, told, associated[:-1])


@pytest.mark.parametrize("cipher", list(Cipher))
def test_what_either_cipher_sealed_opens_whatever_is_set_today(cipher: Cipher) -> None:
    require_cipher(cipher)
    sealed = seal(replace(RING, cipher=cipher), "向秀兰", place=HERE)
    assert unseal(RING, sealed, place=HERE) == unseal(SM4_RING, sealed, place=HERE) == "向秀兰"
    assert sealed_version(sealed) == 1
    assert (".sm4." in sealed) == (cipher is Cipher.SM4_GCM)
    with pytest.raises(SealBroken):
        unseal(RING, sealed, place=Place("identities", "name", 8))


def test_a_value_of_one_cipher_does_not_pass_for_one_of_the_other() -> None:
    key = bytes(range(32))
    one, other = (seal_under(key, "向秀兰", place=HERE, cipher=cipher) for cipher in Cipher)
    for passed_off in (f"sm4.{one}", other.removeprefix("sm4.")):
        with pytest.raises(SealBroken):
            unseal_under(key, passed_off, place=HERE)


@pytest.mark.parametrize("cipher", list(Cipher))
def test_every_altered_bit_under_a_person_s_key_is_noticed(cipher: Cipher) -> None:
    key = bytes(range(32))
    sealed = seal_for_person(key, {HERE: "向秀兰"}, cipher=cipher)[HERE]
    assert unseal_for_person(RING, key, sealed, place=HERE) == "向秀兰"
    head, _, body = sealed.rpartition(".")
    raw = base64.urlsafe_b64decode(body)
    for position in range(len(raw)):
        altered = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        with pytest.raises(SealBroken):
            unseal_for_person(RING, key, f"{head}.{base64.urlsafe_b64encode(altered).decode()}", place=HERE)


def test_under_a_person_s_key_nothing_opens_elsewhere_for_others_or_without_it() -> None:
    key, other = bytes(range(32)), bytes(range(1, 33))
    sealed = seal_for_person(key, {HERE: "向秀兰"}, cipher=Cipher.AES_256_GCM)[HERE]
    assert "向秀兰" not in sealed
    for place in (Place("identities", "name", 8), Place("identities", "phone", 7), Place("consents", "name", 7)):
        with pytest.raises(SealBroken):
            unseal_for_person(RING, key, sealed, place=place)
    for wrong in (other, None):
        with pytest.raises(SealBroken):
            unseal_for_person(RING, wrong, sealed, place=HERE)
    with pytest.raises(SealBroken):
        unseal(RING, sealed, place=HERE)


def test_what_was_sealed_under_the_ring_before_people_had_keys_opens_as_before() -> None:
    assert unseal_for_person(RING, None, seal(RING, "向秀兰", place=HERE), place=HERE) == "向秀兰"


def test_a_wrapped_key_is_unwrapped_at_its_place_alone() -> None:
    here, there = Place("person_keys", "wrapped", 7), Place("person_keys", "wrapped", 8)
    wrapped = wrap_keys(RING, {here: bytes(32)})[here]
    assert unwrap_keys(RING.rotated("data"), {here: wrapped}) == {here: bytes(32)}
    assert unwrap_keys(RING, {there: wrapped, here: "kms-1.abc.def"}) == {}
    assert unwrap_keys(new_key_ring(), {here: wrapped}) == {}
