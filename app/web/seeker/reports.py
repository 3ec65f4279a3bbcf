"""What came of a report: found by the code that the reporter was given."""

from fastapi import APIRouter, Request, Response

from app.domain.permissions import Action, permits
from app.kit.database import read_session
from app.kit.tokens import clean_code
from app.usecases.postings import load_report
from app.web.rendering import render, see_other
from app.wiring import House

reports = APIRouter(include_in_schema=False)

LONGEST_CODE = 16


@reports.get("/reports")
@permits(Action.SEE_REPORT)
def ask_code(request: Request) -> Response:
    """A field for the code; with `?code=` on to its page."""
    code = clean_code(request.query_params.get("code", ""))[:LONGEST_CODE]
    if code.isalnum() and code.isascii():
        return see_other(request, f"/reports/{code}")
    return render(request, "find_report.html")


@reports.get("/reports/{code}")
@permits(Action.SEE_REPORT)
def show_report(request: Request, code: str) -> Response:
    """What came of one report."""
    house: House = request.app.state.house
    with read_session(house.engine) as session:
        receipt = load_report(session, code[:LONGEST_CODE])
    return render(request, "reported.html", receipt=receipt, today=house.clock.today())
