"""Who of the staff asks: known by their session, or by the key that their program sends, `Authorization: Bearer …`."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.houses import DoorHouse
from app.domain.permissions import Action, Role
from app.kit.database import read_session
from app.kit.errors import Unauthenticated
from app.usecases.sessions import require_visitor, visitor_behind
from app.usecases.staff_keys import Staff, staff_of

_LONGEST_KEY = 200
_bearer = HTTPBearer(
    auto_error=False, scheme_name="staff_key", description="a key from `jiujin staff key`, or the token of a session"
)


def staff_behind(house: DoorHouse, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Staff:
    """The member of staff whose session or key a request brings.

    Raises:
        Unauthenticated: it brings none, or none that is good.
        Forbidden: it is the session of somebody who is not asked about what is owed.
        SetupDue: they have first to choose a password and a second factor.
    """
    if sent is None or len(sent.credentials) > _LONGEST_KEY:
        raise Unauthenticated
    now = house.clock.now()
    with read_session(house.engine) as session:
        if visitor_behind(session, sent.credentials, now=now) is None:
            return staff_of(session, sent.credentials, now=now)
        visitor = require_visitor(session, sent.credentials, Action.SEE_DUE, now=now)
    district = None if visitor.role is Role.MUNICIPAL else visitor.district
    return Staff(actor=visitor.actor, broker=visitor.broker, district=district)


CurrentStaff = Annotated[Staff, Depends(staff_behind)]
