"""The page about the service: what it is, where its data come from, how it ranks, how many postings of which origin.

Real and generated postings are never added up.
"""

from collections import Counter

from fastapi import APIRouter, Request, Response

from app.domain.permissions import Action, permits
from app.domain.postings import PostingOrigin, PostingState
from app.kit.database import read_session
from app.usecases.postings import count_postings
from app.web.answers import KEPT_DAYS
from app.web.rendering import render
from app.wiring import House

about = APIRouter(include_in_schema=False)


@about.get("/about")
@permits(Action.READ_ABOUT)
def show_about(request: Request) -> Response:
    """What the service is and how it works."""
    house: House = request.app.state.house
    matchmaker = house.ready_matchmaker()
    with read_session(house.engine) as session:
        counts = count_postings(session)
    figures: Counter[str] = Counter()
    for count in counts:
        if count.state is PostingState.HISTORICAL:
            figures["historical"] += count.number
        elif count.state is PostingState.OPEN:
            figures["generated" if count.origin is PostingOrigin.GENERATED else "real"] += count.number
    return render(
        request,
        "about.html",
        figures=figures,
        weights=matchmaker.weights_told(),
        kept_days=KEPT_DAYS,
    )
