"""Accounts of staff as administrators of security keep them: made, given another post, reset, shut.

What cannot be taken back asks for a second factor shown in the last ten minutes. Nobody changes their own account.
"""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import private_answer, told_at
from app.api.auth import LET_IN
from app.api.bodies import StrictBody, body_of, documents
from app.api.houses import DoorHouse
from app.api.idempotency import Key, answer_once
from app.api.parameters import AreaCode, PageSize, PageToken, Readable
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares
from app.api.visitors import CurrentVisitor
from app.domain.permissions import Action, Role, permits
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.kit.page_tokens import BadPageToken, read_page_token, write_page_token
from app.usecases.accounts import (
    AccountExists,
    AccountFact,
    AccountUnknown,
    OwnAccount,
    change_post,
    create_account,
    disable_account,
    list_accounts,
    reset_account,
)
from app.usecases.idempotency_keys import IdempotencyKeyReused
from app.usecases.obligations import BrokerUnknown, DistrictUnknown
from app.usecases.sessions import FactorStale

router = APIRouter(prefix="/api/v1/staff/accounts", tags=["staff"])

_WRITE = (*LET_IN, FactorStale, Invalid, BadJson, BodyTooLarge, MediaTypeUnsupported, IdempotencyKeyReused)

_CODE = r"[A-Za-z0-9-]{1,40}"
Code = Annotated[str, Path(pattern=f"^{_CODE}$")]


class PostHeld(StrictBody):
    """A role, and where a clerk or an officer works."""

    role: Role = Field(strict=False)
    district: AreaCode | None = None


class AccountMade(PostHeld):
    """A new account; `code` is what they log in with and sign by."""

    account: Annotated[str, Field(min_length=1, max_length=40), Readable]


class AccountOut(BaseModel):
    """An account, without what opens it."""

    account: str
    role: Role
    district: str | None
    is_set_up: bool
    is_locked: bool
    is_disabled: bool
    created_at: datetime


class AccountsOut(BaseModel):
    """Accounts in the order of their codes."""

    accounts: list[AccountOut]
    next_page_token: str | None


class StartOut(BaseModel):
    """A start password, told once: its owner chooses another one with it."""

    account: str
    start_password: str


class ChangedOut(BaseModel):
    """The account that was changed; all its sessions have ended."""

    account: str


@router.get(
    "",
    response_model=AccountsOut,
    responses=declares(*LET_IN, Invalid, BadPageToken),
    summary="Accounts of staff",
)
@permits(Action.SEE_ACCOUNTS)
def show_accounts(
    house: DoorHouse, visitor: CurrentVisitor, page_token: PageToken = None, page_size: PageSize = 20
) -> Response:
    """Who has one, as what, and whether it is open."""
    del visitor  # asked for, or anybody could
    after = "" if page_token is None else _code_in(page_token)
    with read_session(house.engine) as session:
        found = list_accounts(session, after=after, limit=page_size + 1, now=house.clock.now())
    page = found[:page_size]
    more = write_page_token(page[-1].code, of="accounts") if len(found) > page_size else None
    return private_answer({"accounts": [_account_out(fact) for fact in page], "next_page_token": more})


@router.post(
    "",
    status_code=201,
    response_model=StartOut,
    responses=declares(*_WRITE, AccountExists, BrokerUnknown, DistrictUnknown),
    openapi_extra=documents(AccountMade),
    summary="Make an account",
)
@permits(Action.CHANGE_ACCOUNTS)
def make_account(
    house: DoorHouse,
    visitor: CurrentVisitor,
    body: Annotated[AccountMade, Depends(body_of(AccountMade))],
) -> Response:
    """The start password is told once. Sent twice it is refused the second time: the code is taken then."""
    with write_session(house.engine) as session:
        start = create_account(
            session,
            code=body.account,
            role=body.role,
            district=body.district,
            actor=visitor.actor,
            now=house.clock.now(),
        )
    return private_answer({"account": body.account, "start_password": start}, status=201)


@router.put(
    "/{code}/post",
    response_model=ChangedOut,
    responses=declares(*_WRITE, AccountUnknown, OwnAccount, BrokerUnknown, DistrictUnknown),
    openapi_extra=documents(PostHeld),
    summary="Give an account another role or district",
)
@permits(Action.CHANGE_ACCOUNTS)
def give_post(
    *,
    house: DoorHouse,
    visitor: CurrentVisitor,
    code: Code,
    body: Annotated[PostHeld, Depends(body_of(PostHeld))],
    idempotency_key: Key = None,
) -> Response:
    """All its sessions end, so that nobody acts with what they had."""

    def deed() -> tuple[int, dict[str, Any]]:
        change_post(session, code, role=body.role, district=body.district, visitor=visitor, now=house.clock.now())
        return 200, {"account": code}

    with write_session(house.engine) as session:
        return answer_once(
            session,
            deed,
            route="/api/v1/staff/accounts/{code}/post",
            key=idempotency_key,
            client=visitor.actor,
            request={"code": code, **body.model_dump(mode="json")},
            clock=house.clock,
        )


@router.post(
    "/{code}/reset",
    response_model=StartOut,
    responses=declares(*LET_IN, FactorStale, Invalid, AccountUnknown, OwnAccount),
    summary="Give an account a start password again",
)
@permits(Action.CHANGE_ACCOUNTS)
def reset(house: DoorHouse, visitor: CurrentVisitor, code: Code) -> Response:
    """Its second factor goes, its sessions end, and it is open again. The start password is told once."""
    with write_session(house.engine) as session:
        start = reset_account(session, code, visitor=visitor, now=house.clock.now())
    return private_answer({"account": code, "start_password": start})


@router.post(
    "/{code}/disable",
    response_model=ChangedOut,
    responses=declares(*LET_IN, FactorStale, Invalid, AccountUnknown, OwnAccount),
    summary="Shut an account",
)
@permits(Action.CHANGE_ACCOUNTS)
def disable(house: DoorHouse, visitor: CurrentVisitor, code: Code) -> Response:
    """Its sessions end at once. Shut again, nothing changes."""
    with write_session(house.engine) as session:
        disable_account(session, code, visitor=visitor, now=house.clock.now())
    return private_answer({"account": code})


def _code_in(page_token: str) -> str:
    (code,) = read_page_token(page_token, of="accounts", shape=(str,))
    if not re.fullmatch(_CODE, code):
        raise BadPageToken
    return str(code)


def _account_out(fact: AccountFact) -> dict[str, Any]:
    return {
        "account": fact.code,
        "role": fact.role,
        "district": fact.district,
        "is_set_up": fact.is_set_up,
        "is_locked": fact.is_locked,
        "is_disabled": fact.is_disabled,
        "created_at": told_at(fact.created_at),
    }
