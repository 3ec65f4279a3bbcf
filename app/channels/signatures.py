"""How our own HTTP shape is signed, both ways: HMAC-SHA256 over what was asked, when, once, and the body's digest.

The headers: `X-Jiujin-Timestamp` (Unix seconds), `X-Jiujin-Nonce`, `X-Jiujin-Signature` (`sha256=` and hex). Source:
our own; docs/channels.md tells it to whoever runs a gateway.
"""

import hashlib
import hmac
from collections.abc import Mapping

TIMESTAMP = "X-Jiujin-Timestamp"
NONCE = "X-Jiujin-Nonce"
SIGNATURE = "X-Jiujin-Signature"
CALLBACK = "CALLBACK"
"""Stands for the method of a callback, whose path a proxy may have changed; it is signed with an empty path."""


def signature_of(secret: str, *, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature header of a request."""
    signed = "\n".join((method, path, timestamp, nonce, hashlib.sha256(body).hexdigest()))
    return f"sha256={hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()}"


def signed_headers(
    secret: str, *, method: str, path: str, timestamp: int, nonce: str, body: bytes
) -> Mapping[str, str]:
    """The three headers of a request."""
    signature = signature_of(secret, method=method, path=path, timestamp=str(timestamp), nonce=nonce, body=body)
    return {TIMESTAMP: str(timestamp), NONCE: nonce, SIGNATURE: signature}
