"""Page tokens and cursors: where a list goes on, opaque to clients.

A token carries the key of the last row (keyset paging), so rows that come or go meanwhile shift nothing. It is no
secret and no permission; whatever comes back is checked like any other input.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from app.kit.errors import FieldFault, Invalid


class BadPageToken(Invalid):
    """A page token that the list did not give out; `field` is the parameter that held it."""

    code = "bad_page_token"
    title = "翻页标记不对，请从第一页重新查"

    def __init__(self, field: str = "page_token") -> None:
        super().__init__(fields=[FieldFault(field, self.code, "请原样传回上一页给的标记")])


def write_page_token(*key: str | int, of: str) -> str:
    """A token for the row with this key in the list named `of`."""
    return base64.urlsafe_b64encode(orjson.dumps([of, *key])).decode().rstrip("=")


def read_page_token(token: str, *, of: str, shape: Sequence[type], field: str = "page_token") -> list[Any]:
    """The key in a token. What its parts may be beyond their types, the list itself must check.

    Args:
        token: what the client sent.
        of: the list that must have given it out.
        shape: the types of the key's parts.
        field: the parameter's name, for the error.

    Raises:
        BadPageToken: the list did not give it out.
    """
    try:
        written = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        name, key = written[0], list(written[1:])
        if name == of and [type(part) for part in key] == list(shape):
            return key
    except (binascii.Error, ValueError, TypeError, LookupError):
        pass  # not base64, not JSON, or JSON of another shape
    raise BadPageToken(field)
