"""Passwords as they are kept: Argon2id (RFC 9106), in the text form that carries its own figures."""

import os
import unicodedata

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

# OWASP's password storage sheet: 19 MiB and two passes at the least; three passes take about 80 ms here.
_MEMORY_KIB, _PASSES, _LANES, _BYTES = 19 * 1024, 3, 1, 32


def hash_password(password: str) -> str:
    """What is kept of a password: `$argon2id$v=19$…`, with a salt of its own."""
    kdf = Argon2id(salt=os.urandom(16), length=_BYTES, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB)
    return kdf.derive_phc_encoded(_bytes(password))


def is_password(password: str, kept: str | None) -> bool:
    """Whether a password is the one of which this is kept. Nothing kept takes as long, and is no password."""
    try:
        Argon2id.verify_phc_encoded(_bytes(password), kept or _NOBODYS)
    except InvalidKey:
        return False
    return kept is not None


def _bytes(password: str) -> bytes:
    # One keyboard's full-width letters are another's plain ones.
    return unicodedata.normalize("NFKC", password).encode()


_NOBODYS = hash_password(os.urandom(16).hex())
