"""Ids in addresses: `{posting_id:id}` in a route's path.

The framework's own `int` takes digits without end, and Python refuses to read more than 4,300 of them; an address with
more digits than any id has is no address of ours.
"""

from starlette.convertors import Convertor, register_url_convertor

from app.kit.database import HIGHEST_ID


class IdConvertor(Convertor[int]):
    """As many digits as the highest id has; whether such a posting can be, the use cases say."""

    regex = rf"[0-9]{{1,{len(str(HIGHEST_ID))}}}"

    def convert(self, value: str) -> int:
        """The id in an address."""
        return int(value)

    def to_string(self, value: int) -> str:
        """The id as it stands in an address."""
        return str(value)


def register() -> None:
    """Make the convertor known, before a route's path names it."""
    register_url_convertor("id", IdConvertor())
