"""Who is there: sessions are opened at a door, looked up with each request, listed and ended.

The token is told once; what is kept is its digest. A session that has not been asked for lately enough, or has been
ended anywhere, opens nothing.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy.orm import Session

from app.domain.permissions import TABLE, Action, Role
from app.domain.sessions import (
    AT_A_KIOSK,
    IN_SETUP,
    NEEDS_FRESH_FACTOR,
    OWN_HAND,
    STAYS,
    LetInBy,
    SessionEnd,
    Stay,
    is_fresh,
)
from app.domain.viewers import Viewer, only
from app.kit.errors import Forbidden, NotFound, Unauthenticated
from app.kit.tokens import new_token, token_digest
from app.store import accounts as accounts_store
from app.store import kiosks as kiosks_store
from app.store import sessions as store
from app.store.audit import record_act
from app.usecases.areas import AreaBook
from app.usecases.viewers import staff_viewer

MOST_AT_ONCE = 10
"""Sessions that one person or member of staff may have; the oldest gives way."""

_AGENT_CHARACTERS = 60
_TOUCHES_A_STAY = 20
_KIOSK = "kiosk/"


class FactorStale(Forbidden):
    """What was asked for cannot be taken back: a second factor must have been shown in the last ten minutes."""

    code = "factor_stale"
    title = "这一步要再输一次动态码"


class SetupDue(Forbidden):
    """The account still has the password that somebody else gave it."""

    code = "setup_due"
    title = "请先设好自己的密码和动态码"


class SessionNotFound(NotFound):
    """There is no such session, or it is not theirs."""

    code = "session_not_found"
    title = "没有这个登录"


class OwnHandOnly(Forbidden):
    """A clerk has opened the session, and this is for the person's own hand."""

    code = "own_hand_only"
    title = "这一步要本人自己登录来做，或者请经办人按规定办理"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How somebody comes to a door: the address, what their browser says it is, and the token they came with.

    `kiosk` is the code of the kiosk before which they stand, if they do.
    """

    network: str
    agent: str
    old_token: str | None = field(default=None, repr=False)
    kiosk: str | None = None

    @property
    def let_in_by(self) -> str | None:
        """Who lets them in, where that is not themselves."""
        return None if self.kiosk is None else kiosk_actor(self.kiosk)

    @property
    def guesses_as(self) -> str:
        """As whom their guesses count: a station has one address for several screens."""
        return self.let_in_by or self.network


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who has been let in.

    Attributes:
        session_id: their session.
        role: as what they act.
        actor: as they sign entries and stand in the audit, a role and a code or number.
        account_id, worker_id, employer_id: one of the three.
        broker: their code, if they are one.
        district: where a clerk or an officer works.
        let_in_by: what they showed.
        in_setup: they have still to choose a password and a second factor.
        factor_at: when a second factor was last shown.
        at_kiosk: the kiosk before which they stand, as it signs.
    """

    session_id: int
    role: Role
    actor: str
    account_id: int | None = None
    worker_id: int | None = None
    employer_id: int | None = None
    broker: str | None = None
    district: str | None = None
    let_in_by: LetInBy
    in_setup: bool = False
    factor_at: datetime | None = None
    at_kiosk: str | None = None

    @property
    def origin(self) -> str:
        """From where they act, as the audit tells it."""
        return self.at_kiosk or f"sessions/{self.session_id}"

    def viewer(self, *, areas: AreaBook, today: date, granted: frozenset[int] = frozenset()) -> Viewer:
        """Whose rows they see: of job-seekers their own, of employers nobody's; and those of people who are granted."""
        if self.worker_id is not None:
            return only(self.worker_id)
        seen = staff_viewer(self.role, broker=self.broker, district=self.district, areas=areas, today=today)
        return replace(seen, granted=granted)

    @property
    def whose(self) -> dict[str, int]:
        """Whose sessions are theirs, as the store asks for it."""
        named = {"account_id": self.account_id, "worker_id": self.worker_id, "employer_id": self.employer_id}
        return {name: number for name, number in named.items() if number is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFact:
    """A session as its owner is told of it; `network` cut short."""

    id: int
    is_this: bool
    let_in_by: LetInBy
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    network: str
    agent: str


def open_login(
    session: Session,
    *,
    role: Role,
    let_in_by: LetInBy,
    arrival: Arrival,
    now: datetime,
    account_id: int | None = None,
    worker_id: int | None = None,
    employer_id: int | None = None,
    stay: Stay | None = None,
) -> str:
    """Let somebody in: a new session with a new token, which is told once. Who came with an old one loses that.

    Args:
        session: a transaction that the caller commits.
        role: as what they act.
        let_in_by: what they showed.
        arrival: how they come; what of it is kept is cut short. At a kiosk whoever stood there before is out.
        now: when.
        account_id: who they are, one of the three.
        worker_id: as above.
        employer_id: as above.
        stay: how long; that of a kiosk or of their role where none is given.
    """
    whose = {"account_id": account_id, "worker_id": worker_id, "employer_id": employer_id}
    stay = stay or (STAYS[role] if arrival.kiosk is None else AT_A_KIOSK)
    if arrival.let_in_by is not None:
        store.end_logins_by(session, arrival.let_in_by, how=SessionEnd.REPLACED, now=now)
    old = None if arrival.old_token is None else store.find_login(session, token_digest(arrival.old_token))
    if old is not None:
        told = {"account_id": old.account_id, "worker_id": old.worker_id, "employer_id": old.employer_id}
        store.end_logins(session, how=SessionEnd.REPLACED, now=now, login_id=old.id, **told)
    for surplus in store.list_logins(session, now=now, limit=1_000, **whose)[MOST_AT_ONCE - 1 :]:
        store.end_logins(session, how=SessionEnd.REPLACED, now=now, login_id=surplus.id, **whose)
    token = new_token()
    store.add_login(
        session,
        store.LoginSession(
            digest=token_digest(token),
            role=role,
            let_in_by=let_in_by,
            actor=arrival.let_in_by,
            opened_at=now,
            seen_at=now,
            idle_s=int(stay.idle.total_seconds()),
            ends_at=now + stay.total,
            factor_at=now if let_in_by is LetInBy.PASSWORD else None,
            network=shortened_network(arrival.network),
            agent=arrival.agent[:_AGENT_CHARACTERS],
            **whose,
        ),
    )
    return token


def visitor_behind(session: Session, token: str, *, now: datetime) -> Visitor | None:
    """Who came with a token; None where it is none of ours or does not hold any more."""
    login = store.find_login(session, token_digest(token))
    if login is None or login.ended_at is not None or login.ends_at <= now:
        return None
    if now - login.seen_at > timedelta(seconds=login.idle_s):
        return None
    if login.actor is not None and not _is_good_at(session, login, now=now):
        return None
    if login.account_id is None:
        number = login.worker_id if login.worker_id is not None else login.employer_id
        return Visitor(
            session_id=login.id,
            role=login.role,
            actor=f"{login.role.value}/{number}",
            worker_id=login.worker_id,
            employer_id=login.employer_id,
            let_in_by=login.let_in_by,
            at_kiosk=login.actor,
        )
    account = session.get(accounts_store.Account, login.account_id)
    # A role that changed meanwhile ends sessions; this holds even if ending them was interrupted.
    if account is None or account.disabled_at is not None or account.role is not login.role:
        return None
    return Visitor(
        session_id=login.id,
        role=account.role,
        actor=staff_actor(account.role, account.code),
        account_id=account.id,
        broker=account.code if account.role is Role.BROKER else None,
        district=account.district_code,
        let_in_by=login.let_in_by,
        in_setup=account.is_start or account.factor is None,
        factor_at=login.factor_at,
    )


def _is_good_at(session: Session, login: store.LoginSession, *, now: datetime) -> bool:
    """Whether the key of the kiosk that let somebody in is still the same, and good.

    A key that is taken back ends its sessions as well; this holds even for one that was being opened meanwhile.
    """
    kiosk = kiosks_store.find_kiosk(session, (login.actor or "").removeprefix(_KIOSK))
    return (
        kiosk is not None and kiosk.revoked_at is None and kiosk.issued_at <= login.opened_at and now < kiosk.expires_at
    )


def require_visitor(session: Session, token: str | None, action: Action, *, now: datetime) -> Visitor:
    """Who came with a token, if the table lets their role do something of the kind to anybody at all.

    To whom they may do it is for the deed to look at: rows that are not theirs to see are not there.

    Raises:
        Unauthenticated: nobody is let in with this token.
        Forbidden: their role does no such thing.
        SetupDue: they have first to choose a password and a second factor.
        FactorStale: they have to show the second factor again.
        OwnHandOnly: a clerk opened the session, and this is for the person alone.
    """
    visitor = None if token is None else visitor_behind(session, token, now=now)
    if visitor is None:
        raise Unauthenticated
    if not TABLE[action].get(visitor.role):
        raise Forbidden
    if visitor.in_setup and action not in IN_SETUP:
        raise SetupDue
    if action in OWN_HAND and visitor.let_in_by is LetInBy.CLERK:
        raise OwnHandOnly
    if action in NEEDS_FRESH_FACTOR and not is_fresh(visitor.factor_at, now=now):
        raise FactorStale
    return visitor


def needs_touch(session: Session, visitor: Visitor, *, now: datetime) -> bool:
    """Whether it is time to note that they are still there: not with every request, each would be a write."""
    login = session.get(store.LoginSession, visitor.session_id)
    return login is not None and now - login.seen_at > timedelta(seconds=login.idle_s / _TOUCHES_A_STAY)


def touch(session: Session, visitor: Visitor, *, now: datetime) -> None:
    """Note that they are still there."""
    store.touch_login(session, visitor.session_id, now=now)


def list_own_logins(session: Session, visitor: Visitor, *, now: datetime) -> list[LoginFact]:
    """Where somebody is logged in, newest first."""
    return [
        LoginFact(
            id=login.id,
            is_this=login.id == visitor.session_id,
            let_in_by=login.let_in_by,
            opened_at=login.opened_at,
            seen_at=login.seen_at,
            ends_at=login.ends_at,
            network=login.network,
            agent=login.agent,
        )
        for login in store.list_logins(session, now=now, limit=MOST_AT_ONCE, **visitor.whose)
        if now - login.seen_at <= timedelta(seconds=login.idle_s)
    ]


def end_own_login(session: Session, visitor: Visitor, *, login_id: int, now: datetime) -> None:
    """End one session of theirs: log out, or kick out whoever is in.

    Raises:
        SessionNotFound: there is none of theirs.
    """
    how = SessionEnd.LOGGED_OUT if login_id == visitor.session_id else SessionEnd.KICKED_OUT
    if not store.end_logins(session, how=how, now=now, login_id=login_id, **visitor.whose):
        raise SessionNotFound
    record_act(
        session,
        actor=visitor.actor,
        action="end_session",
        subject=f"sessions/{login_id}",
        now=now,
        origin=visitor.origin,
    )


def end_other_logins(session: Session, visitor: Visitor, *, now: datetime) -> int:
    """End all sessions of theirs but this one; how many."""
    ended = store.end_logins(session, how=SessionEnd.KICKED_OUT, now=now, but=visitor.session_id, **visitor.whose)
    record_act(
        session,
        actor=visitor.actor,
        action="end_sessions",
        subject="sessions",
        now=now,
        detail=str(ended),
        origin=visitor.origin,
    )
    return ended


def staff_actor(role: Role, code: str) -> str:
    """As what somebody of the staff signs: an officer of the city is an officer."""
    return f"{(Role.OFFICER if role is Role.MUNICIPAL else role).value}/{code}"


def kiosk_actor(code: str) -> str:
    """As what a kiosk signs."""
    return f"{_KIOSK}{code}"


def shortened_network(address: str) -> str:
    """Of an address as much as tells its owner whether it is theirs, and nobody else where they live: `113.250.*.*`."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, IPv6Address):
        first, second, *_ = parsed.exploded.split(":")
        return f"{first}:{second}:*"
    return ".".join([*str(parsed).split(".")[:2], "*", "*"])
