"""Who has been let in, on pages: known by the token in a cookie that scripts cannot read.

As in the API, what a route lets be done is what it declares; whoever is not logged in is led to the door and back. The
cookie is SameSite=Lax and forms of other sites are refused besides (`origins`). Under https it bears the prefix
`__Host-`, so that no neighbouring host can set it (RFC 6265bis, 4.1.3).
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from app.domain.permissions import Role, declared
from app.domain.phone_codes import GOOD_FOR
from app.domain.sessions import STAYS
from app.domain.viewers import EVERYBODY, only
from app.kit.database import read_session, write_session
from app.kit.errors import Forbidden, Unauthenticated
from app.usecases.sessions import Arrival, Visitor, needs_touch, require_visitor, touch
from app.wiring import House

SESSION_COOKIE = "jiujin_session"
TICKET_COOKIE = "jiujin_ticket"
_LONGEST_TOKEN = 200


class LoginDue(Unauthenticated):
    """Nobody is logged in here; `back` is the page from which they come."""

    code = "login_due"

    def __init__(self, back: str) -> None:
        super().__init__()
        self.back = back


def token_in(request: Request, name: str = SESSION_COOKIE) -> str | None:
    """The token in one of the two cookies, if it can be one."""
    token = request.cookies.get(_name(request, name), "")
    return token if 0 < len(token) <= _LONGEST_TOKEN else None


def arrival_of(request: Request) -> Arrival:
    """How a request comes to a door."""
    return Arrival(
        network=request.client.host if request.client else "",
        agent=request.headers.get("User-Agent", ""),
        old_token=token_in(request),
    )


def keep_session(request: Request, response: Response, token: str) -> None:
    """Keep the token of a new session on the phone, and nothing more of how it was got."""
    _keep(request, response, SESSION_COOKIE, token, max_age=int(STAYS[Role.SEEKER].total.total_seconds()))
    _drop(request, response, TICKET_COOKIE)


def keep_ticket(request: Request, response: Response, ticket: str) -> None:
    """Keep the ticket of a code for as long as the code is good: it stands in no address."""
    _keep(request, response, TICKET_COOKIE, ticket, max_age=int(GOOD_FOR.total_seconds()))


def drop_session(request: Request, response: Response) -> None:
    """Forget who was here, also the pages that the browser keeps a copy of."""
    _drop(request, response, SESSION_COOKIE)
    _drop(request, response, TICKET_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache"'


def door_of(request: Request) -> House:
    """The house as a door must see it: who somebody is is looked up before it is known whose rows they may see."""
    house: House = request.app.state.house
    return house.seen_by(EVERYBODY)


def visitor_of(request: Request) -> Visitor:
    """Who looks at the page or sends its form, if they may do what the route declares.

    Raises:
        LoginDue: nobody is logged in here.
        Forbidden: their role does no such thing.
    """
    house = door_of(request)
    action = declared(request.scope["endpoint"])
    if action is None:  # the application does not start with such a route
        raise Forbidden
    now = house.clock.now()
    try:
        with read_session(house.engine) as session:
            visitor = require_visitor(session, token_in(request), action, now=now)
            is_due = needs_touch(session, visitor, now=now)
    except Unauthenticated:
        raise LoginDue(_way_back(request)) from None
    if is_due:
        with write_session(house.engine) as session:
            touch(session, visitor, now=now)
    return visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeker:
    """A job-seeker who is logged in: whose pages they are. In their `house` transactions see their own rows."""

    visitor: Visitor
    worker_id: int
    house: House

    @property
    def actor(self) -> str:
        """As they stand in the audit."""
        return self.visitor.actor


def seeker_of(request: Request, visitor: Annotated[Visitor, Depends(visitor_of)]) -> Seeker:
    """The visitor, who has to be a job-seeker.

    Raises:
        Forbidden: they are somebody else.
    """
    if visitor.worker_id is None:
        raise Forbidden
    house: House = request.app.state.house
    own = house.seen_by(only(visitor.worker_id)).worked_from(visitor.origin)
    return Seeker(visitor=visitor, worker_id=visitor.worker_id, house=own)


CurrentSeeker = Annotated[Seeker, Depends(seeker_of)]


def _way_back(request: Request) -> str:
    """The page itself; a form that was sent without being logged in is not sent again by itself."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "") if request.method in ("GET", "HEAD") else "/me"


def _name(request: Request, name: str) -> str:
    return f"__Host-{name}" if request.url.scheme == "https" else name


def _keep(request: Request, response: Response, name: str, value: str, *, max_age: int) -> None:
    response.set_cookie(
        _name(request, name),
        value,
        max_age=max_age,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _drop(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(
        _name(request, name), path="/", secure=request.url.scheme == "https", httponly=True, samesite="lax"
    )
