"""Personal data at rest: sealed with AES-256-GCM or SM4-GCM, found again by a blind index.

A sealed value opens only at the place it was sealed for (table, column, row): copied into another row it is refused. So
the row's key must be known before the first write. It tells which key sealed it and by which cipher, so that both open
whatever is set today.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher as Encryption
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from app.kit.keys import Cipher, KeyRing, KeyRingUnusable, KeyToWrap, WrappedKey, join_parts, tag

_NONCE_BYTES = (
    12  # NIST SP 800-38D section 8.2: 96 bits; with random ones a key serves 2^32 messages, then it is rotated
)
_TAG_BYTES = 16
_SM4_KEY_BYTES = 16  # GB/T 32907-2016
# A dot stands in no base64, so what bears no mark is AES, as all was before there were two.
_SM4_MARK = "sm4."
_PERSON = "p"
_PERSON_ID_CHARACTERS = 8


class SealBroken(Exception):
    """A sealed value does not open: moved, altered, or sealed with a key that the ring does not hold."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs."""

    table: str
    column: str
    row: str | int

    @property
    def context(self) -> bytes:
        """What a value is bound to: the associated data of its seal."""
        return join_parts(self.table, self.column, str(self.row))


def require_cipher(cipher: Cipher) -> None:
    """Look whether this machine can seal so, before anything is written.

    Raises:
        KeyRingUnusable: its OpenSSL has no SM4-GCM; says what to do.
    """
    if cipher is not Cipher.SM4_GCM:
        return
    try:
        sm4_encrypt(bytes(_SM4_KEY_BYTES), bytes(_NONCE_BYTES), b"", b"")
    except UnsupportedAlgorithm:
        raise KeyRingUnusable(
            "这台机器的 OpenSSL 不支持 SM4-GCM：请换用自带 OpenSSL 的 cryptography 安装包，"
            "或者设 JIUJIN_CIPHER=aes-256-gcm"
        ) from None


# --- under a key of the ring ------------------------------------------------------------------------------------------


def seal(ring: KeyRing, text: str, *, place: Place) -> str:
    """Encrypt a text for one place: `<key version>.<sealed>`, see `seal_under`.

    Sealing the same text twice gives two different results.
    """
    version = ring.current("data")
    return f"{version}.{seal_under(ring.data[version], text, place=place, cipher=ring.cipher)}"


def unseal(ring: KeyRing, sealed: str, *, place: Place) -> str:
    """The text that was sealed for this place.

    Raises:
        SealBroken: it was not sealed here, or not by a key of this ring.
    """
    version = sealed_version(sealed)
    if version not in ring.data:
        raise SealBroken(f"{place.table}.{place.column}: the key ring has no data key of version {version}")
    return unseal_under(ring.data[version], sealed.partition(".")[2], place=place)


def sealed_version(sealed: str) -> int:
    """The version of the data key that sealed a value: what is older than the ring's current one wants resealing.

    Raises:
        SealBroken: not a sealed value, or one under a person's own key.
    """
    version = sealed.partition(".")[0]
    if not (version.isascii() and version.isdecimal()):
        raise SealBroken("not a sealed value")
    return int(version)


# --- under a person's own key -----------------------------------------------------------------------------------------


def seal_for_person(key: bytes, texts: Mapping[Place, str], *, cipher: Cipher) -> dict[Place, str]:
    """Encrypt texts, each for its place, under a person's own key: `p<key id>.<sealed>`, see `seal_under`.

    The key id tells that key from any other and says nothing of it. When the key is destroyed, so are the texts.
    """
    head = f"{_PERSON}{_person_id(key)}."
    return {place: head + seal_under(key, text, place=place, cipher=cipher) for place, text in texts.items()}


def unseal_for_person(ring: KeyRing, key: bytes | None, sealed: str, *, place: Place) -> str:
    """The text that was sealed for this place under a person's key, or under the ring before people had keys.

    Raises:
        SealBroken: it was not sealed here, or under another key; or the person has none any more.
    """
    if not is_for_person(sealed):
        return unseal(ring, sealed, place=place)
    key_id, _, body = sealed.partition(".")
    if key is None or key_id != f"{_PERSON}{_person_id(key)}":
        raise SealBroken(f"{place.table}.{place.column}: not sealed under this person's key")
    return unseal_under(key, body, place=place)


def is_for_person(sealed: str) -> bool:
    """Whether a value says that it is sealed under a person's own key."""
    return sealed.startswith(_PERSON)


def _person_id(key: bytes) -> str:
    return tag(key, "person_key_id")[:_PERSON_ID_CHARACTERS]


# --- under any key ----------------------------------------------------------------------------------------------------


def seal_under(key: bytes, text: str, *, place: Place, cipher: Cipher = Cipher.AES_256_GCM) -> str:
    """Encrypt a text for one place under a key of 32 bytes that is no key of a ring, such as one person's.

    The result is nonce, ciphertext and tag in URL-safe base64, behind `sm4.` if SM4 made it.
    """
    nonce = os.urandom(_NONCE_BYTES)
    if cipher is Cipher.SM4_GCM:
        body, mark = sm4_encrypt(_sm4_key(key), nonce, text.encode(), place.context), _SM4_MARK
    else:
        body, mark = AESGCM(key).encrypt(nonce, text.encode(), place.context), ""
    return mark + base64.urlsafe_b64encode(nonce + body).decode()


def unseal_under(key: bytes, sealed: str, *, place: Place) -> str:
    """The text that was sealed for this place under this key.

    Raises:
        SealBroken: it was not sealed here, or not under this key.
    """
    try:
        raw = base64.b64decode(sealed.removeprefix(_SM4_MARK), altchars=b"-_", validate=True)
        nonce, body = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        if sealed.startswith(_SM4_MARK):
            return sm4_decrypt(_sm4_key(key), nonce, body, place.context).decode()
        return AESGCM(key).decrypt(nonce, body, place.context).decode()
    except (InvalidTag, UnsupportedAlgorithm, binascii.Error, ValueError):
        raise SealBroken(f"{place.table}.{place.column}: the value does not belong here or was altered") from None


def sm4_encrypt(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    """SM4 (GB/T 32907-2016) in Galois/Counter Mode as RFC 8998 section 2 has it: ciphertext, then a tag of 16 bytes."""
    encryptor = Encryption(SM4(key), GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(associated)
    return encryptor.update(plain) + encryptor.finalize() + encryptor.tag


def sm4_decrypt(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """What `sm4_encrypt` has sealed.

    Raises:
        InvalidTag: something differs from what was sealed.
        ValueError: too short to be sealed at all.
    """
    body, told = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
    decryptor = Encryption(SM4(key), GCM(nonce, told)).decryptor()
    decryptor.authenticate_additional_data(associated)
    return decryptor.update(body) + decryptor.finalize()


def _sm4_key(key: bytes) -> bytes:
    # SM4 takes 128 bits. Derived rather than cut off: half of a key in one cipher must not be half of a key in another.
    # The keys are uniform, so the second step of HKDF is enough (RFC 5869 section 3.3).
    return HKDFExpand(SHA256(), _SM4_KEY_BYTES, b"jiujin sm4-gcm").derive(key)


# --- people's own keys, wrapped by the ring ---------------------------------------------------------------------------


def wrap_keys(ring: KeyRing, keys: Mapping[Place, bytes]) -> dict[Place, str]:
    """People's own keys, each wrapped for its place by the key service, or else by the ring's data key.

    Raises:
        Busy: the key service cannot be asked.
    """
    if ring.masters is not None and keys:
        wrapped = ring.masters.wrap([KeyToWrap(place.context, key) for place, key in keys.items()])
        return dict(zip(keys, wrapped, strict=True))
    return {place: seal(ring, key.hex(), place=place) for place, key in keys.items()}


def unwrap_keys(ring: KeyRing, wrapped: Mapping[Place, str]) -> dict[Place, bytes]:
    """The keys that were wrapped for these places; not those that were altered, moved or wrapped by somebody else.

    What the ring wrapped before there was a key service opens as before.

    Raises:
        Busy: the key service cannot be asked.
    """
    found: dict[Place, bytes] = {}
    for place, each in wrapped.items():
        if each[:1].isdecimal():
            # Somebody else's key, or an altered one, opens nothing.
            with suppress(SealBroken, ValueError):
                found[place] = bytes.fromhex(unseal(ring, each, place=place))
    rest = [place for place, each in wrapped.items() if not each[:1].isdecimal()]
    if ring.masters is not None and rest:
        keys = ring.masters.unwrap([WrappedKey(place.context, wrapped[place]) for place in rest])
        found.update((place, key) for place, key in zip(rest, keys, strict=True) if key is not None)
    return found


def wrapped_today(ring: KeyRing) -> str:
    """What a key begins with that is wrapped today. Raises `Busy` as `wrap_keys`."""
    return sealed_today(ring) if ring.masters is None else ring.masters.current()


def sealed_today(ring: KeyRing) -> str:
    """What a value begins with that the ring seals today: `12.`."""
    return f"{ring.current('data')}."


# --- blind indexes ----------------------------------------------------------------------------------------------------


def blind_index(ring: KeyRing, value: str, *, purpose: str, version: int | None = None) -> str:
    """A keyed digest under which a sealed value can be found and kept unique: `<key version>.<HMAC-SHA256>`.

    Args:
        ring: the key ring.
        value: the value in its one spelling (a phone as 11 digits, an ID number with a capital X).
        purpose: the column, such as `identities.phone`; equal values of two columns get unlike digests.
        version: of the key; None is the one that writes.
    """
    return _index_of(ring, version or ring.current("index"), value, purpose)


def blind_indexes(ring: KeyRing, value: str, *, purpose: str) -> list[str]:
    """The digest under every version of the index key, newest first: look up with `IN`, a rotation may be under way."""
    return [_index_of(ring, version, value, purpose) for version in sorted(ring.index, reverse=True)]


def _index_of(ring: KeyRing, version: int, value: str, purpose: str) -> str:
    return f"{version}.{tag(ring.index[version], purpose, value)}"
