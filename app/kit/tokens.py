"""Random tokens for machines and short codes for people.

A token is shown once and stored as its digest. A short code has too little entropy for a plain digest: store it with
`keys.keyed_digest`, and limit the tries.
"""

import hashlib
import hmac
import secrets
import unicodedata

# No 0/O, 1/I/L: codes are read out over the phone and copied from paper. 31 symbols, just under 5 bits each.
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_SEPARATORS = str.maketrans({"-": None, " ": None})


def new_token(size_bytes: int = 32) -> str:
    """A URL-safe random token.

    Raises:
        ValueError: fewer than 16 bytes (128 bits), which can be guessed.
    """
    if size_bytes < 16:
        raise ValueError("a token needs at least 16 random bytes")
    return secrets.token_urlsafe(size_bytes)


def token_digest(token: str) -> str:
    """What is stored in a token's place: its SHA-256 in hex, 64 characters.

    A plain digest is enough because a token has 128 bits or more: there is no list to try.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def same_token(left: str, right: str) -> bool:
    """Whether two tokens or digests are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())


def new_code(length: int = 8) -> str:
    """A random code for people, upper case, without characters that look alike.

    Raises:
        ValueError: shorter than 4.
    """
    if length < 4:
        raise ValueError("a code needs at least 4 characters")
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def new_pin(length: int = 6) -> str:
    """A random code of digits, for text messages and telephone keypads.

    Raises:
        ValueError: shorter than 4.
    """
    if length < 4:
        raise ValueError("a pin needs at least 4 digits")
    return "".join(secrets.choice("0123456789") for _ in range(length))


def clean_code(typed: str) -> str:
    """A code as somebody typed it, in the shape of `new_code` or `new_pin`.

    Upper case, without spaces and dashes; the full-width letters and digits of Chinese keyboards become plain ones.
    """
    return unicodedata.normalize("NFKC", typed).upper().translate(_SEPARATORS)
