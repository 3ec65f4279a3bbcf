"""Short texts signed with Ed25519, as transparency logs publish them (https://c2sp.org/signed-note).

The keys come out of the key ring and so lie outside the database. Each version of the ring's `token` family gives one:
the newest signs, the older ones still vouch for what they signed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.kit.keys import KeyRing, join_parts

_ED25519 = b"\x01"  # the algorithm's number in signed-note
_ID_BYTES = 4


class NoteBroken(Exception):
    """A text is no signed note, or none of the keys signed it."""


def signing_keys(ring: KeyRing, *, purpose: str) -> list[Ed25519PrivateKey]:
    """The keys for one purpose, the newest first. The last one stays the same whatever is rotated."""
    return [
        Ed25519PrivateKey.from_private_bytes(
            hmac.digest(ring.token[version], join_parts("ed25519", purpose), hashlib.sha256)
        )
        for version in sorted(ring.token, reverse=True)
    ]


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """Four bytes by which a signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.public_bytes_raw()).digest()[:_ID_BYTES]


def told_key(name: str, key: Ed25519PublicKey) -> str:
    """A public key as text, to be given to whoever checks: `<name>+<id in hex>+<base64>`."""
    return f"{name}+{key_id(name, key).hex()}+{base64.b64encode(_ED25519 + key.public_bytes_raw()).decode()}"


def sign_note(text: str, *, name: str, key: Ed25519PrivateKey) -> str:
    """A text, which ends with a line break, with its signature line. `name` holds neither a space nor a plus."""
    signature = key_id(name, key.public_key()) + key.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, *, name: str, keys: Iterable[Ed25519PublicKey]) -> str:
    """The text of a note that one of these keys signed under this name.

    Raises:
        NoteBroken: it is no note, or none of them did.
    """
    text, gap, lines = note.rpartition("\n\n")
    known = {key_id(name, key): key for key in keys}
    for line in lines.splitlines() if gap else ():
        try:
            signature = base64.b64decode(line.removeprefix(f"— {name} "), validate=True)
            known[signature[:_ID_BYTES]].verify(signature[_ID_BYTES:], f"{text}\n".encode())
        except (binascii.Error, InvalidSignature, KeyError, ValueError):
            continue
        return f"{text}\n"
    raise NoteBroken("no signed note of this name and these keys")
