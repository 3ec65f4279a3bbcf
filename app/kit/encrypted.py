"""Personal data at rest: sealed with AES-256-GCM, found again by a blind index.

A sealed value opens only at the place it was sealed for (table, column, row): copied into another row it is refused. So
the row's key must be known before the first write.
"""

import base64
import binascii
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.kit.keys import KeyRing, join_parts, tag

_NONCE_BYTES = (
    12  # NIST SP 800-38D section 8.2: 96 bits; with random ones a key serves 2^32 messages, then it is rotated
)


class SealBroken(Exception):
    """A sealed value does not open: moved, altered, or sealed with a key that the ring does not hold."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs."""

    table: str
    column: str
    row: str | int


def seal(ring: KeyRing, text: str, *, place: Place) -> str:
    """Encrypt a text for one place: `<key version>.<nonce, ciphertext and tag in URL-safe base64>`.

    Sealing the same text twice gives two different results.
    """
    version = ring.current("data")
    return f"{version}.{seal_under(ring.data[version], text, place=place)}"


def unseal(ring: KeyRing, sealed: str, *, place: Place) -> str:
    """The text that was sealed for this place.

    Raises:
        SealBroken: it was not sealed here, or not by a key of this ring.
    """
    version = sealed_version(sealed)
    if version not in ring.data:
        raise SealBroken(f"{place.table}.{place.column}: the key ring has no data key of version {version}")
    return unseal_under(ring.data[version], sealed.partition(".")[2], place=place)


def seal_under(key: bytes, text: str, *, place: Place) -> str:
    """Encrypt a text for one place under a key of 32 bytes that is no key of a ring, such as one person's.

    The result is nonce, ciphertext and tag in URL-safe base64.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), _bound_to(place))).decode()


def unseal_under(key: bytes, sealed: str, *, place: Place) -> str:
    """The text that was sealed for this place under this key.

    Raises:
        SealBroken: it was not sealed here, or not under this key.
    """
    try:
        raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(place)).decode()
    except (InvalidTag, binascii.Error, ValueError):
        raise SealBroken(f"{place.table}.{place.column}: the value does not belong here or was altered") from None


def sealed_version(sealed: str) -> int:
    """The version of the data key that sealed a value: what is older than the ring's current one wants resealing.

    Raises:
        SealBroken: not a sealed value.
    """
    version = sealed.partition(".")[0]
    if not version.isdecimal():
        raise SealBroken("not a sealed value")
    return int(version)


def blind_index(ring: KeyRing, value: str, *, purpose: str) -> str:
    """A keyed digest under which a sealed value can be found and kept unique: `<key version>.<HMAC-SHA256>`.

    Args:
        ring: the key ring.
        value: the value in its one spelling (a phone as 11 digits, an ID number with a capital X).
        purpose: the column, such as `identities.phone`; equal values of two columns get unlike digests.
    """
    version = ring.current("index")
    return _index_of(ring, version, value, purpose)


def blind_indexes(ring: KeyRing, value: str, *, purpose: str) -> list[str]:
    """The digest under every version of the index key, newest first: look up with `IN`, a rotation may be under way."""
    return [_index_of(ring, version, value, purpose) for version in sorted(ring.index, reverse=True)]


def _index_of(ring: KeyRing, version: int, value: str, purpose: str) -> str:
    return f"{version}.{tag(ring.index[version], purpose, value)}"


def _bound_to(place: Place) -> bytes:
    return join_parts(place.table, place.column, str(place.row))
