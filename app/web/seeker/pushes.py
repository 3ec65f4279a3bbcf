"""A push's short link: the job that somebody was sent, and what they say to it.

Looking changes nothing: gateways open links before people do. Only a button proves that a person was there. Nothing on
the page tells whose link it is.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy.orm import Session

from app.domain.areas import Nearness
from app.domain.ledger import Channel
from app.domain.permissions import Action, permits
from app.domain.pushes import Answer, Unsuitable
from app.domain.viewers import EVERYBODY, only
from app.kit.database import read_session, write_session
from app.usecases.postings import PostingCard, PostingNotFound, load_posting
from app.usecases.pushes import PushFact, answer_push, confirm_push, find_holder, load_by_link
from app.web import wording
from app.web.rendering import render, see_other
from app.wiring import House

pushes = APIRouter(include_in_schema=False)


@pushes.get("/r/{token}")
@permits(Action.SEE_PUSH)
def show_push(request: Request, token: str) -> Response:
    """The job behind a link, with the buttons to answer; changes nothing."""
    return _page(request, token)


@pushes.post("/r/{token}")
@permits(Action.ANSWER_PUSH)
def take_answer(
    request: Request,
    token: str,
    answer: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
) -> Response:
    """Take what the person says: interested, not suitable and why, call me, or just seen.

    It is written as said in the inbox, whichever channel the link came by: links are passed on, and the page is one.
    """
    house: House = request.app.state.house
    given = next((each for each in Answer if each.value == answer), None)
    reason = next((each for each in Unsuitable if each.value == why), None)
    if given is None and answer != "seen":
        return _page(request, token, problem="请点一个按钮：感兴趣、不合适、打给我")
    if given is Answer.UNSUITABLE and reason is None:
        return _page(request, token, problem="请选一样：为什么不合适", asks_why=True)
    # What is written down of an answer tells how many places were left, which is counted over everybody's entries.
    with write_session(house.seen_by(EVERYBODY).engine) as session:
        push_id, now = load_by_link(session, token).id, house.clock.now()
        if given is None:
            confirm_push(session, push_id, channel=Channel.INBOX, now=now, keys=house.keys)
        else:
            answer_push(
                session,
                push_id,
                given,
                why=reason if given is Answer.UNSUITABLE else None,
                channel=Channel.INBOX,
                now=now,
                keys=house.keys,
            )
    return see_other(request, f"/r/{token}")


def _page(request: Request, token: str, *, problem: str = "", asks_why: bool = False) -> Response:
    house: House = request.app.state.house
    with read_session(house.seen_by(EVERYBODY).engine) as session:
        holder = find_holder(session, token)
    with read_session(house.seen_by(only(holder)).engine) as session:
        push = load_by_link(session, token)
        card = _card(session, house, push)
    return render(
        request,
        "push.html",
        status=422 if problem else 200,
        push=push,
        card=card,
        where=wording.distance(push.metres / 1000, Nearness.IN_CITY) if push.metres else "",
        token=token,
        problem=problem,
        asks_why=asks_why,
        choices=Answer,
        reasons=tuple(Unsuitable),
        today=house.clock.today(),
    )


def _card(session: Session, house: House, push: PushFact) -> PostingCard | None:
    """The job as job-seekers may see it now; None when it is over."""
    try:
        areas = house.ready_matchmaker().areas
        return load_posting(session, push.posting_id, areas=areas, today=house.clock.today())
    except PostingNotFound:
        return None
