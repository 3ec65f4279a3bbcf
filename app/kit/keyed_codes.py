"""Short codes for a row that stands in the database: its number and eight characters that only the key ring can make.

Nothing has to be stored for one, and a code from before a rotation is still known.
"""

import hashlib

from app.kit.database import HIGHEST_ID
from app.kit.keys import KeyRing, keyed_digests
from app.kit.tokens import CODE_ALPHABET, clean_code, same_token

_CHARACTERS = 8


def keyed_code(ring: KeyRing, number: int, *, purpose: str) -> str:
    """The code of a row, `9-SMVE-28RP`: 39 bits behind its number, so limit the tries where strangers may try."""
    return _code_of(number, keyed_digests(ring, str(number), purpose=purpose)[0])


def read_keyed_code(ring: KeyRing, typed: str, *, purpose: str) -> int | None:
    """The row that a code stands for, as somebody typed it; None where it is no code of ours."""
    told = clean_code(typed)
    number = told[:-_CHARACTERS]
    if not (told.isascii() and number.isdecimal() and len(number) <= len(str(HIGHEST_ID))):
        return None
    digests = keyed_digests(ring, number, purpose=purpose)
    if int(number) > HIGHEST_ID or not any(
        same_token(clean_code(_code_of(int(number), each)), told) for each in digests
    ):
        return None
    return int(number)


def _code_of(number: int, digest: str) -> str:
    rest = int.from_bytes(hashlib.sha256(digest.encode()).digest(), "big")
    letters = ""
    for _ in range(_CHARACTERS):
        rest, at = divmod(rest, len(CODE_ALPHABET))
        letters += CODE_ALPHABET[at]
    return f"{number}-{letters[:4]}-{letters[4:]}"
