"""A receipt from the ledger: found by the short code that somebody was handed, told in plain words, given as a file.

The code is a secret of whoever holds it. Nothing on the page tells whose the entry is; looking changes nothing.
"""

from typing import Annotated

import orjson
from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import Engine

from app.domain.permissions import Action, permits
from app.domain.viewers import EVERYBODY
from app.kit.database import read_session
from app.kit.errors import Fault
from app.usecases.ledger import LedgerEntryUnknown
from app.usecases.ledger_exports import (
    LedgerEntryErased,
    LedgerEntryUnproven,
    LedgerEntryWaiting,
    ReceiptCodeWrong,
    find_by_code,
    make_receipt,
    receipt_code,
)
from app.usecases.ledger_receipts import tell_receipt
from app.web.answers import one_line
from app.web.rendering import UNKEPT_HEADERS, render, see_other
from app.wiring import House

receipts = APIRouter(include_in_schema=False)

LONGEST_CODE = 40

# Why a code that is right leads to no receipt, in words for its holder.
_ABSENT: dict[type[Fault], str] = {
    LedgerEntryWaiting: "写下的一条，几秒钟就排进去，排进去了才证明得了。",
    LedgerEntryErased: "身份销毁以后，这一条谁也打不开了。以前下载的凭条文件，照样可以核对。",
    LedgerEntryUnknown: "短码是真的，台账里却找不到这一条，可能有人动过台账。凭条请留好，打 12333 反映。",
    LedgerEntryUnproven: "短码是真的，台账里却缺了证明要用的东西。凭条请留好，打 12333 反映。",
}
_FAULTS: tuple[type[Fault], ...] = (ReceiptCodeWrong, *_ABSENT)


@receipts.get("/receipts")
@permits(Action.CHECK_RECEIPT)
def ask_code(request: Request) -> Response:
    """A field for the short code."""
    return _ask(request, status=200)


@receipts.post("/receipts")
@permits(Action.CHECK_RECEIPT)
def take_code(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Lead on to the receipt of a code."""
    house: House = request.app.state.house
    try:
        entry_id = find_by_code(code, keys=house.keys)
    except ReceiptCodeWrong as wrong:
        return _ask(request, status=422, problem=wrong.title, typed=code)
    return see_other(request, f"/receipts/{receipt_code(entry_id, keys=house.keys)}")


# Before the page, whose pattern takes the end of the name for a part of the code.
@receipts.get("/receipts/{code}.json")
@permits(Action.CHECK_RECEIPT)
def download_receipt(request: Request, code: str) -> Response:
    """The receipt as a file that `python -m ledger_check` checks without this service."""
    house: House = request.app.state.house
    try:
        entry_id = find_by_code(code, keys=house.keys)
        with read_session(_everybody(house)) as session:
            document = make_receipt(session, entry_id, keys=house.keys)
    except _FAULTS as fault:
        return _tell_absent(request, fault, code)
    # The name on the reader's disk tells the entry, not its code.
    named = f'attachment; filename="jiujin-receipt-{entry_id}.json"'
    headers = {**UNKEPT_HEADERS, "Content-Disposition": named}
    return Response(orjson.dumps(document) + b"\n", media_type="application/json", headers=headers)


@receipts.get("/receipts/{code}")
@permits(Action.CHECK_RECEIPT)
def show_receipt(request: Request, code: str) -> Response:
    """What the entry behind a code is, whether it still counts, and whether its proof holds."""
    house: House = request.app.state.house
    try:
        with read_session(_everybody(house)) as session:
            receipt = tell_receipt(session, code, keys=house.keys)
    except _FAULTS as fault:
        return _tell_absent(request, fault, code)
    return render(request, "receipt.html", kept=False, receipt=receipt, today=house.clock.today())


def _everybody(house: House) -> Engine:
    """A proof leads through the whole tree, past entries of others, and asks the office's own who was erased."""
    return house.seen_by(EVERYBODY).engine


def _ask(request: Request, *, status: int, problem: str = "", typed: str = "") -> Response:
    return render(
        request,
        "find_receipt.html",
        status=status,
        kept=False,
        problem=problem,
        typed=one_line(typed)[:LONGEST_CODE],
        longest=LONGEST_CODE,
    )


def _tell_absent(request: Request, fault: Fault, code: str) -> Response:
    if "text/html" not in request.headers.get("Accept", ""):
        raise fault
    if isinstance(fault, ReceiptCodeWrong):
        return _ask(request, status=fault.status, problem=fault.title, typed=code)
    return render(
        request,
        "no_receipt.html",
        status=fault.status,
        kept=False,
        title=fault.title,
        told=_ABSENT[type(fault)],
        code=code,
        is_waiting=isinstance(fault, LedgerEntryWaiting),
    )
