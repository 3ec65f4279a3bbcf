"""Who has been let in: known by the token of their session, `Authorization: Bearer …`.

What a route lets be done is what it declares (`domain.permissions`); this dependency asks the table about that and
nothing else, so that a route cannot ask for less than it declares.
"""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.houses import DoorHouse
from app.domain.permissions import declared
from app.domain.viewers import NOBODY, only
from app.kit.database import read_session, write_session
from app.kit.errors import Unauthenticated
from app.usecases.grants import granted_people
from app.usecases.sessions import Arrival, Visitor, needs_touch, require_visitor, touch
from app.wiring import House

_LONGEST_TOKEN = 200
_bearer = HTTPBearer(auto_error=False, scheme_name="session", description="a token from one of the doors under /auth")

Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def arrival_of(request: Request) -> Arrival:
    """How a request comes to a door. A token that it brings is ended there; it needs none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return Arrival(
        network=request.client.host if request.client else "",
        agent=request.headers.get("User-Agent", ""),
        old_token=token if scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST_TOKEN else None,
    )


def token_in(sent: HTTPAuthorizationCredentials | None) -> str | None:
    """The token that a request brings, if it can be one."""
    return None if sent is None or not 0 < len(sent.credentials) <= _LONGEST_TOKEN else sent.credentials


def visitor_of(request: Request, house: DoorHouse, sent: Sent) -> Visitor:
    """Who calls, if they may do what the route declares.

    Raises:
        Unauthenticated: the request brings no token, or none that is good.
        Forbidden: their role does no such thing.
        SetupDue: they have first to choose a password and a second factor.
        FactorStale: they have to show the second factor again.
    """
    action = declared(request.scope["endpoint"])
    if action is None:  # the application does not start with such a route
        raise Unauthenticated
    now = house.clock.now()
    with read_session(house.engine) as session:
        visitor = require_visitor(session, token_in(sent), action, now=now)
        is_due = needs_touch(session, visitor, now=now)
    if is_due:
        with write_session(house.engine) as session:
            touch(session, visitor, now=now)
    return visitor


CurrentArrival = Annotated[Arrival, Depends(arrival_of)]
CurrentVisitor = Annotated[Visitor, Depends(visitor_of)]


def seen_house(house: DoorHouse, visitor: CurrentVisitor) -> House:
    """The house as whoever calls sees it: their own rows, their cases', their district's, and whom a grant opens."""
    now = house.clock.now()
    with read_session(house.engine) as session:
        granted = granted_people(session, visitor, now=now)
    areas = house.ready_matchmaker().areas
    viewer = visitor.viewer(areas=areas, today=house.clock.today(), granted=granted)
    return house.seen_by(viewer).worked_from(visitor.origin)


def own_house(house: DoorHouse, visitor: CurrentVisitor) -> House:
    """The house as a job-seeker sees it: their own rows. Whoever is none sees nobody's."""
    viewer = NOBODY if visitor.worker_id is None else only(visitor.worker_id)
    return house.seen_by(viewer).worked_from(visitor.origin)


SeenHouse = Annotated[House, Depends(seen_house)]
OwnHouse = Annotated[House, Depends(own_house)]
