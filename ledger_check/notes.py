"""Signed notes and checkpoints (https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint), read."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\N{EM DASH}"
_LONGEST_SIZE = 19  # digits of 2^63 - 1


class Unreadable(Exception):
    """What should be a key, a checkpoint or a line is none; says in Chinese why."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log's public key: the name it signs under, the id in its signature lines, the key."""

    name: str
    id: bytes
    key: Ed25519PublicKey

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key signed a message."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log said of itself: how many leaves its tree had, and their root."""

    origin: str
    size: int
    root: bytes


def read_key(text: object) -> LogKey:
    """A public key from `<name>+<id in hex>+<base64 of 0x01 and 32 bytes>`.

    Raises:
        Unreadable: it is none.
    """
    name, _, rest = text.strip().partition("+") if isinstance(text, str) else ("", "", "")
    told_id, _, told_key = rest.partition("+")
    try:
        raw = base64.b64decode(told_key, validate=True)
        key = LogKey(name, bytes.fromhex(told_id), Ed25519PublicKey.from_public_bytes(raw[1:]))
        is_key = bool(name) and raw[:1] == _ED25519 and key.id == _key_id(name, raw)
    except (binascii.Error, ValueError):
        raise Unreadable("公钥的格式不对") from None
    if not is_key:
        raise Unreadable("公钥的格式不对")
    return key


def _key_id(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


def read_checkpoint(note: object, keys: Iterable[LogKey]) -> Checkpoint:
    """The checkpoint in a note that one of the keys signed.

    Raises:
        Unreadable: it is no checkpoint, or none of them signed it.
    """
    body, gap, signatures = note.rpartition("\n\n") if isinstance(note, str) else ("", "", "")
    lines = body.split("\n")
    if not gap or len(lines) != 3 or not lines[0]:
        raise Unreadable("检查点的格式不对")
    origin, size, told_root = lines
    try:
        root = base64.b64decode(told_root, validate=True)
    except (binascii.Error, ValueError):
        root = b""
    is_number = size.isascii() and size.isdecimal() and len(size) <= _LONGEST_SIZE and str(int(size)) == size
    if not is_number or len(root) != 32:
        raise Unreadable("检查点的格式不对")
    # Half a surrogate pair, which no signed text holds, becomes a question mark.
    signed = f"{body}\n".encode(errors="replace")
    if not _is_signed(signed, signatures, [key for key in keys if key.name == origin]):
        raise Unreadable("检查点不是用这本台账的密钥签的，或者被改过")
    return Checkpoint(origin, int(size), root)


def _is_signed(text: bytes, signatures: str, keys: list[LogKey]) -> bool:
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, told = rest.partition(" ")
        try:
            raw = base64.b64decode(told, validate=True)
        except (binascii.Error, ValueError):
            continue
        if dash == _DASH and any((key.name, key.id) == (name, raw[:4]) and key.signed(text, raw[4:]) for key in keys):
            return True
    return False
