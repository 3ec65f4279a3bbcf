"""Accounts of staff: made, set up by their owner, opened with password and second factor, changed and shut.

A wrong code, a wrong password, a wrong second factor and a shut account are one answer in one time: whoever tries
learns nothing. Administrators of system, security and audit are three accounts, because an account has one role.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.accounts import OF_A_DISTRICT, STAFF_ROLES, locked_for, password_faults
from app.domain.permissions import Role
from app.domain.sessions import LetInBy, SessionEnd
from app.domain.tries import Limit
from app.kit.clock import china_date
from app.kit.database import read_session, write_session
from app.kit.encrypted import Place, seal, unseal
from app.kit.errors import Conflict, FieldFault, Invalid, NotFound, Unauthenticated
from app.kit.keys import KeyRing
from app.kit.passwords import hash_password, is_password
from app.kit.second_factors import accepted_step, factor_uri, new_factor_secret
from app.kit.tokens import new_code
from app.store import accounts as store
from app.store import brokers as brokers_store
from app.store import sessions as sessions_store
from app.store.audit import record_act
from app.usecases.areas import AreaBook
from app.usecases.obligations import BrokerUnknown, DistrictUnknown
from app.usecases.sessions import Arrival, Visitor, open_login
from app.usecases.tries import count_try

_QUARTER = timedelta(minutes=15)
A_NETWORKS_LOGINS = Limit(name="login_network", most=60, within=_QUARTER)
AN_ACCOUNTS_LOGINS = Limit(name="login_account", most=20, within=_QUARTER)
_START_CHARACTERS = 16
_LONGEST_CODE = 40


class LoginRefused(Unauthenticated):
    """Code, password or second factor are not good, or the account is shut; which of them is not told."""

    code = "login_refused"
    title = "账号、密码或动态码不对，或者账号暂时锁住了"


class FactorWrong(Invalid):
    """The second factor is wrong, or has been shown before."""

    code = "factor_wrong"
    title = "动态码不对，请等下一个再试"


class AccountUnknown(NotFound):
    """There is no such account."""

    code = "account_unknown"
    title = "没有这个账号"


class AccountExists(Conflict):
    """The code is taken."""

    code = "account_exists"
    title = "这个账号已经有了"


class OwnAccount(Conflict):
    """Nobody changes their own role or shuts their own door: somebody else has to."""

    code = "own_account"
    title = "不能改自己的账号，请另一位安全管理员来改"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFact:
    """An account as administrators see it."""

    code: str
    role: Role
    district: str | None
    is_set_up: bool
    is_locked: bool
    is_disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorSetup:
    """What an authenticator is given: the secret as text, and as what a QR code says."""

    secret: str
    uri: str


def create_account(session: Session, *, code: str, role: Role, district: str | None, actor: str, now: datetime) -> str:
    """Make an account; the start password, which is told once and good for choosing one's own.

    Args:
        session: a transaction that the caller commits.
        code: under which they log in and sign; a broker's is the broker's own.
        role: one of the staff's.
        district: where a clerk or an officer works; nobody else has one.
        actor: who makes it.
        now: when.

    Raises:
        Invalid: a role that is no staff's, a code of other characters, a district missing or too many.
        BrokerUnknown: no broker bears the code.
        DistrictUnknown: no district bears this code today.
        AccountExists: the code is taken.
    """
    _require_post(session, code=code, role=role, district=district, now=now)
    start = new_code(_START_CHARACTERS)
    account = store.Account(
        code=code,
        role=role,
        district_code=district,
        password=hash_password(start),
        is_start=True,
        created_at=now,
    )
    try:
        with session.begin_nested():
            store.add_account(session, account)
    except IntegrityError:
        raise AccountExists from None
    record_act(session, actor=actor, action="create_account", subject=_subject(code), now=now, detail=_post(account))
    return start


def log_in(
    engine: Engine,
    *,
    code: str,
    password: str,
    factor: str,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> str:
    """Let somebody of the staff in; the token of their new session.

    It takes three steps, none of which holds a lock while the password is being worked on: what is kept is read, the
    password compared, and what came of it written down, also where they are refused. Who has no second factor yet is
    let in to set one up and to nothing else.

    Raises:
        LoginRefused: something is not good; each such try counts towards shutting the account for a while.
        TooManyRequests: too many tries from this network, or for this account.
    """
    count_try(engine, {A_NETWORKS_LOGINS: arrival.network, AN_ACCOUNTS_LOGINS: code}, keys=keys, now=now)
    with read_session(engine) as session:
        known = store.find_account(session, code)
    is_right = is_password(password, None if known is None else known.password)
    with write_session(engine) as session:
        token = _admit(
            session,
            known,
            factor=factor if is_right else None,
            arrival=arrival,
            keys=keys,
            now=now,
        )
    if token is None:
        raise LoginRefused
    return token


def _admit(
    session: Session,
    known: store.Account | None,
    *,
    factor: str | None,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> str | None:
    """A token, or None where they are refused; `factor` None says that the password was wrong."""
    account = None if known is None else store.lock_account(session, known.id)
    if known is None or account is None:
        # Written down like any other wrong try, so that it takes as long; what was typed may be a password.
        record_act(session, actor="accounts/-", action="login_failed", subject="accounts/-", now=now)
        return None
    # The password that was compared is the one that is kept still.
    if account.password != known.password or not _is_open(account, now=now):
        record_act(session, actor=_subject(account.code), action="login_shut", subject=_subject(account.code), now=now)
        return None
    has_shown = factor is not None and (account.factor is None or _show_factor(account, factor, keys=keys, now=now))
    if not has_shown:
        account.failures += 1
        shut = locked_for(account.failures)
        if shut is not None:
            account.locked_until = now + shut
        subject = _subject(account.code)
        record_act(session, actor=subject, action="login_failed", subject=subject, now=now)
        return None
    account.failures, account.locked_until = 0, None
    record_act(session, actor=_subject(account.code), action="log_in", subject=_subject(account.code), now=now)
    return open_login(
        session,
        role=account.role,
        let_in_by=LetInBy.PASSWORD,
        arrival=arrival,
        now=now,
        account_id=account.id,
    )


def show_factor(engine: Engine, visitor: Visitor, factor: str, *, keys: KeyRing, now: datetime) -> None:
    """Show the second factor again, for what cannot be taken back in the next ten minutes.

    Raises:
        FactorWrong: it is not good; counts towards shutting the account.
        TooManyRequests: too many tries.
    """
    count_try(engine, {AN_ACCOUNTS_LOGINS: visitor.actor}, keys=keys, now=now)
    with write_session(engine) as session:
        account = _own(session, visitor)
        is_good = _take_factor(account, factor, keys=keys, now=now)
        if is_good:
            sessions_store.note_factor(session, visitor.session_id, now=now)
    if not is_good:
        raise FactorWrong


def begin_setup(session: Session, visitor: Visitor, *, keys: KeyRing, now: datetime) -> FactorSetup:
    """A new secret for their authenticator; it counts from when `finish_setup` has seen a code of it.

    Raises:
        OwnAccount: they are set up already: only another administrator can begin anew.
    """
    account = _own(session, visitor)
    if not visitor.in_setup:
        raise OwnAccount
    secret = new_factor_secret()
    account.factor, account.factor_step = seal(keys, secret, place=_place(account.id)), None
    account.is_start = True
    record_act(
        session,
        actor=visitor.actor,
        action="begin_setup",
        subject=_subject(account.code),
        now=now,
        origin=visitor.origin,
    )
    return FactorSetup(secret=secret, uri=factor_uri(secret, account=account.code))


def finish_setup(
    engine: Engine,
    visitor: Visitor,
    *,
    password: str,
    factor: str,
    keys: KeyRing,
    now: datetime,
    present: str = "",
) -> None:
    """Choose one's own password, with a code of the authenticator. Other sessions of theirs end.

    Whoever only has somebody's open session cannot take their account: it takes the password that is to go, too, unless
    that was given by somebody else.

    Raises:
        Invalid: the password will not do.
        FactorWrong: the code, or the present password, is not good; counts towards shutting the account.
        TooManyRequests: too many tries.
    """
    count_try(engine, {AN_ACCOUNTS_LOGINS: visitor.actor}, keys=keys, now=now)
    with read_session(engine) as session:
        known = None if visitor.account_id is None else session.get(store.Account, visitor.account_id)
    if known is None:
        raise AccountUnknown
    if faults := password_faults(password, code=known.code):
        raise Invalid(fields=faults)
    if is_password(password, known.password):
        raise Invalid(fields=[FieldFault("password", "password_unchanged", "新密码不能和原来的一样")])
    is_theirs = known.is_start or is_password(present, known.password)
    hashed = hash_password(password)
    with write_session(engine) as session:
        account = _own(session, visitor)
        is_good = account.password == known.password and _take_factor(
            account, factor if is_theirs else "", keys=keys, now=now
        )
        if is_good:
            account.password, account.is_start = hashed, False
            sessions_store.note_factor(session, visitor.session_id, now=now)
            sessions_store.end_logins(
                session, how=SessionEnd.ACCOUNT_CHANGED, now=now, but=visitor.session_id, account_id=account.id
            )
            record_act(
                session,
                actor=visitor.actor,
                action="finish_setup",
                subject=_subject(account.code),
                now=now,
                origin=visitor.origin,
            )
    if not is_good:
        raise FactorWrong


def reset_account(session: Session, code: str, *, visitor: Visitor, now: datetime) -> str:
    """Give an account a start password again and take its second factor away; all its sessions end. Opens it, too.

    Raises:
        AccountUnknown: there is none.
        OwnAccount: it is their own.
    """
    account = _others(session, code, visitor)
    start = new_code(_START_CHARACTERS)
    account.password, account.is_start = hash_password(start), True
    account.factor, account.factor_step = None, None
    account.failures, account.locked_until, account.disabled_at = 0, None, None
    _end_all(session, account, now=now)
    record_act(
        session, actor=visitor.actor, action="reset_account", subject=_subject(code), now=now, origin=visitor.origin
    )
    return start


def disable_account(session: Session, code: str, *, visitor: Visitor, now: datetime) -> None:
    """Shut an account for good; all its sessions end at once.

    Raises:
        AccountUnknown: there is none.
        OwnAccount: it is their own.
    """
    account = _others(session, code, visitor)
    account.disabled_at = account.disabled_at or now
    _end_all(session, account, now=now)
    record_act(
        session, actor=visitor.actor, action="disable_account", subject=_subject(code), now=now, origin=visitor.origin
    )


def change_post(
    session: Session, code: str, *, role: Role, district: str | None, visitor: Visitor, now: datetime
) -> None:
    """Give an account another role or district; all its sessions end, so that nobody acts with what they had.

    Raises:
        Invalid: as `create_account`.
        BrokerUnknown: as `create_account`.
        DistrictUnknown: as `create_account`.
        AccountUnknown: there is none.
        OwnAccount: it is their own.
    """
    account = _others(session, code, visitor)
    _require_post(session, code=code, role=role, district=district, now=now)
    before = _post(account)
    account.role, account.district_code = role, district
    _end_all(session, account, now=now)
    detail = f"{before} → {_post(account)}"
    record_act(
        session,
        actor=visitor.actor,
        action="change_post",
        subject=_subject(code),
        now=now,
        detail=detail,
        origin=visitor.origin,
    )


def list_accounts(session: Session, *, after: str = "", limit: int, now: datetime) -> list[AccountFact]:
    """Accounts in the order of their codes, those behind one."""
    return [
        AccountFact(
            code=account.code,
            role=account.role,
            district=account.district_code,
            is_set_up=not account.is_start and account.factor is not None,
            is_locked=not _is_open(account, now=now),
            is_disabled=account.disabled_at is not None,
            created_at=account.created_at,
        )
        for account in store.list_accounts(session, after=after, limit=limit)
    ]


def _require_post(session: Session, *, code: str, role: Role, district: str | None, now: datetime) -> None:
    faults = []
    if role not in STAFF_ROLES:
        faults.append(FieldFault("role", "role_wrong", "这个角色没有工作人员账号"))
    if not (code.isascii() and code.replace("-", "").isalnum() and 0 < len(code) <= _LONGEST_CODE):
        faults.append(FieldFault("code", "code_wrong", f"账号只能用字母、数字和短横，最多{_LONGEST_CODE}个"))
    if role in OF_A_DISTRICT and district is None:
        faults.append(FieldFault("district", "district_missing", "请写在哪个区县工作"))
    if role not in OF_A_DISTRICT and district is not None:
        faults.append(FieldFault("district", "district_needless", "这个角色不分区县，不用写"))
    if faults:
        raise Invalid(fields=faults)
    if role is Role.BROKER and brokers_store.find_broker(session, code) is None:
        raise BrokerUnknown
    if district is not None and district not in {
        fact.code for fact in AreaBook.load(session, on=china_date(now)).districts()
    }:
        raise DistrictUnknown


def _show_factor(account: store.Account, factor: str, *, keys: KeyRing, now: datetime) -> bool:
    if account.factor is None:
        return False
    secret = unseal(keys, account.factor, place=_place(account.id))
    step = accepted_step(secret, factor, now=now, after=account.factor_step)
    if step is None:
        return False
    account.factor_step = step
    return True


def _take_factor(account: store.Account, factor: str, *, keys: KeyRing, now: datetime) -> bool:
    """Whether a second factor is good; a wrong one counts towards shutting the account."""
    if _is_open(account, now=now) and _show_factor(account, factor, keys=keys, now=now):
        account.failures = 0
        return True
    account.failures += 1
    shut = locked_for(account.failures)
    account.locked_until = account.locked_until if shut is None else now + shut
    return False


def _is_open(account: store.Account, *, now: datetime) -> bool:
    return account.disabled_at is None and (account.locked_until is None or account.locked_until <= now)


def _own(session: Session, visitor: Visitor) -> store.Account:
    account = None if visitor.account_id is None else store.lock_account(session, visitor.account_id)
    if account is None:
        raise AccountUnknown
    return account


def _others(session: Session, code: str, visitor: Visitor) -> store.Account:
    found = store.find_account(session, code)
    account = None if found is None else store.lock_account(session, found.id)
    if account is None:
        raise AccountUnknown
    if account.id == visitor.account_id:
        raise OwnAccount
    return account


def _end_all(session: Session, account: store.Account, *, now: datetime) -> None:
    sessions_store.end_logins(session, how=SessionEnd.ACCOUNT_CHANGED, now=now, account_id=account.id)


def _post(account: store.Account) -> str:
    return f"{account.role.value} {account.district_code or ''}".strip()


def _subject(code: str) -> str:
    return f"accounts/{code}"


def _place(account_id: int) -> Place:
    return Place("accounts", "factor", account_id)
