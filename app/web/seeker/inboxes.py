"""Somebody's inbox: the jobs that they were sent, each with its own page. Looking changes nothing."""

from fastapi import APIRouter, Request, Response

from app.domain.areas import Nearness
from app.domain.permissions import Action, permits
from app.domain.viewers import only
from app.kit.database import read_session
from app.usecases.inboxes import list_inbox, read_inbox_code
from app.web import wording
from app.web.rendering import render
from app.wiring import House

inboxes = APIRouter(include_in_schema=False)


@inboxes.get("/inbox/{code}")
@permits(Action.SEE_INBOX)
def show_inbox(request: Request, code: str) -> Response:
    """The list, newest first."""
    house: House = request.app.state.house
    areas, today = house.ready_matchmaker().areas, house.clock.today()
    holder = read_inbox_code(code, keys=house.keys)
    with read_session(house.seen_by(only(holder)).engine) as session:
        items = list_inbox(session, holder, areas=areas, today=today, now=house.clock.now(), keys=house.keys)
    rows = [(item, wording.distance(item.metres / 1000, Nearness.IN_CITY) if item.metres else "") for item in items]
    return render(request, "inbox.html", rows=rows)
