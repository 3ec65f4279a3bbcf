"""What PostgreSQL is told at the beginning of each transaction: whose rows are seen in it, signed.

Whoever can put SQL into a statement can set any setting of the session, so the words alone would prove nothing. They
are signed (HMAC-SHA256) for one connection and a few minutes, with a key that the service's role in the database cannot
read; the function `rows_viewer` of migration 0011 checks that. What does not fit opens nobody's rows.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from app.kit.keys import KeyRing, join_parts

SETTING = "jiujin.rows"
"""The setting's name in PostgreSQL."""

_PURPOSE = "row_context"
_BLOCK_BYTES = 64  # of SHA-256, as RFC 2104 counts


@dataclass(frozen=True, slots=True)
class RowContext:
    """Whose rows are seen, in the words of `domain.viewers`; `keys` sign them."""

    written: str
    keys: KeyRing = field(repr=False)

    def signed(self, *, pid: int, issued_at: int) -> str:
        """The words as one transaction is told them: key version, connection, time, signature in hex, words.

        Args:
            pid: of the server's process behind the connection.
            issued_at: seconds since 1970, by the clock on the wall; the database compares it with its own.
        """
        version = self.keys.current("token")
        head, key = f"{version}|{pid}|{issued_at}", _key(self.keys, version)
        mac = hmac.digest(key, f"{head}|{self.written}".encode(), hashlib.sha256)
        return f"{head}|{mac.hex()}|{self.written}"


@dataclass(frozen=True, slots=True)
class Pads:
    """A key as HMAC uses it (RFC 2104): padded to 64 bytes, once with 0x36 and once with 0x5c. Secret."""

    inner: bytes = field(repr=False)
    outer: bytes = field(repr=False)


def row_keys(ring: KeyRing) -> dict[int, Pads]:
    """By version what the database needs to check what any version of the ring has signed.

    PostgreSQL hashes by itself (`sha256`), but has HMAC only by an extension.
    """
    return {version: _pads(_key(ring, version)) for version in sorted(ring.token)}


def _key(ring: KeyRing, version: int) -> bytes:
    """A key of its own for this, derived from one that lies outside the database."""
    return hmac.digest(ring.token[version], join_parts(_PURPOSE), hashlib.sha256)


def _pads(key: bytes) -> Pads:
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    return Pads(inner=bytes(byte ^ 0x36 for byte in padded), outer=bytes(byte ^ 0x5C for byte in padded))
