"""The second factor of staff: codes that a phone counts from a secret and the time (TOTP, RFC 6238).

Six digits, half a minute, HMAC-SHA1: what every authenticator on a phone counts, also without a network.
"""

import base64
import os
from datetime import datetime
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from app.kit.tokens import same_token

STEP_S = 30
_DIGITS = 6
_ISSUER = "就近"


def new_factor_secret() -> str:
    """A new secret of 160 bits in base32, as people type it into an authenticator."""
    return base64.b32encode(os.urandom(20)).decode()


def factor_uri(secret: str, *, account: str) -> str:
    """What an authenticator reads from a QR code (the Key URI format)."""
    return f"otpauth://totp/{quote(f'{_ISSUER}:{account}')}?{urlencode({'secret': secret, 'issuer': _ISSUER})}"


def factor_code(secret: str, *, at: datetime) -> str:
    """The code that belongs to an instant."""
    return _totp(secret).generate(int(at.timestamp())).decode()


def accepted_step(secret: str, typed: str, *, now: datetime, after: int | None) -> int | None:
    """The step of time that a typed code belongs to; None where it is wrong, or no later than step `after`.

    A phone's clock may be half a minute off either way. A code that was taken is not taken again (RFC 6238, 5.2).
    """
    here, code = int(now.timestamp()) // STEP_S, typed.strip()
    if len(code) != _DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    # All three are counted whatever comes first, so that time tells nothing.
    matching = [
        step for step in (here - 1, here, here + 1) if same_token(_totp(secret).generate(step * STEP_S).decode(), code)
    ]
    return next((step for step in matching if after is None or step > after), None)


def _totp(secret: str) -> TOTP:
    # RFC 6238 counts with SHA-1; its weakness against collisions is none here (RFC 6194, 3.3).
    return TOTP(base64.b32decode(secret), _DIGITS, SHA1(), STEP_S)  # noqa: S303
