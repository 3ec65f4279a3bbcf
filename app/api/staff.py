"""Who of the staff asks: known by the key that their program sends, `Authorization: Bearer …`."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.houses import CurrentHouse
from app.kit.database import read_session
from app.kit.errors import Unauthenticated
from app.usecases.staff_keys import Staff, staff_of

_LONGEST_KEY = 200
_bearer = HTTPBearer(auto_error=False, scheme_name="staff_key", description="a key from `jiujin staff key`")


def staff_behind(house: CurrentHouse, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Staff:
    """The member of staff whose key a request brings.

    Raises:
        Unauthenticated: it brings none, or none that is good.
    """
    if sent is None or len(sent.credentials) > _LONGEST_KEY:
        raise Unauthenticated
    with read_session(house.engine) as session:
        return staff_of(session, sent.credentials, now=house.clock.now())


CurrentStaff = Annotated[Staff, Depends(staff_behind)]
