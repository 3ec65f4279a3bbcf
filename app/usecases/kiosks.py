"""Kiosks: their keys, and the people whom they let in: by card, by a code on their phone, or with a clerk's help.

A kiosk is the door of whoever has no phone, or whose phone is shut out for a while. Nothing that is read from a card is
kept. What a kiosk is answered never tells what somebody is registered as.
"""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING
from app.domain.identities import birth_date_of, is_id_number, normalise_id_number, sex_of
from app.domain.kiosks import A_KIOSKS_SESSIONS, A_KIOSKS_WRONG_CARDS, KEY_GOOD_FOR, CardFault
from app.domain.permissions import TABLE, Action, Role
from app.domain.sessions import LetInBy, SessionEnd
from app.domain.workers import Sex
from app.kit.clock import china_date
from app.kit.database import write_session
from app.kit.errors import Conflict, FieldFault, Forbidden, Invalid, NotFound, Unauthenticated
from app.kit.keys import KeyRing
from app.kit.tokens import new_token, token_digest
from app.store import kiosks as store
from app.store.audit import record_act
from app.store.identities import find_by_id_number, read_identity
from app.store.sessions import end_logins_by
from app.usecases.areas import load_area
from app.usecases.looks import find_theirs
from app.usecases.phone_codes import LetIn, let_in_by_code, let_in_sharer
from app.usecases.sessions import Arrival, kiosk_actor, open_login, require_visitor, touch
from app.usecases.tries import count_try, take_back_try

_CODE = re.compile(r"[A-Za-z0-9-]{1,40}")
_STATION_CHARACTERS = 60
_MOST_DRIFT_S = 10**10  # a clock that stands at the year 1 is as wrong as one can be


class KioskUnknown(NotFound):
    """There is no such kiosk."""

    code = "kiosk_unknown"
    title = "没有这台终端"


class KioskExists(Conflict):
    """The code is taken."""

    code = "kiosk_exists"
    title = "这台终端已经有了"


class PersonUnknown(NotFound):
    """Nobody is on record under what a card says, or a clerk may not help whoever it is; which of them is not told."""

    code = "person_unknown"
    title = "还没有登记，请先登记"


class ClerkRefused(Forbidden):
    """Whoever helps is not let in any more, or does nothing of the kind."""

    code = "clerk_refused"
    title = "经办人要重新登录才能协助"


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskVisitor:
    """The device that asks."""

    code: str
    area_code: str

    @property
    def actor(self) -> str:
        """As it signs."""
        return kiosk_actor(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskFact:
    """A kiosk as whoever looks after it sees it."""

    code: str
    station: str
    area_code: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    seen_at: datetime | None
    drift_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a reader tells of an identity card, in plain text; never printed or kept. `valid_until` None: for good."""

    name: str = field(repr=False)
    sex: Sex = field(repr=False)
    birthday: date = field(repr=False)
    number: str = field(repr=False)
    valid_until: date | None = field(repr=False)


# --- keys -------------------------------------------------------------------------------------------------------------


def add_kiosk(
    session: Session,
    *,
    code: str,
    station: str,
    area_code: str,
    actor: str,
    now: datetime,
    origin: str | None = None,
) -> str:
    """Put a kiosk on record; its key, which is told once and kept nowhere.

    Args:
        session: a transaction that the caller commits.
        code: by which it signs.
        station: what the place is called.
        area_code: the district or township where it is.
        actor: who does it.
        now: when; the key is good for a year.
        origin: from where, as in the audit.

    Raises:
        Invalid: a code of other characters, a station without a name, a place outside the city.
        AreaNotFound: no area bears the code.
        KioskExists: the code is taken.
    """
    faults = []
    if not _CODE.fullmatch(code):
        faults.append(FieldFault("code", "code_wrong", "终端的代码只能用字母、数字和短横，最多40个"))
    if not 0 < len(station.strip()) <= _STATION_CHARACTERS:
        faults.append(FieldFault("station", "station_wrong", f"请写驿站的名字，最多{_STATION_CHARACTERS}个字"))
    area = load_area(session, area_code, on=china_date(now))
    if not area.is_in_force(china_date(now)) or not area_code.startswith(CHONGQING[:2]):
        faults.append(FieldFault("area", "area_wrong", "请填重庆现在的区县或乡镇街道代码"))
    if faults:
        raise Invalid(fields=faults)
    token = new_token()
    kiosk = store.Kiosk(
        code=code,
        station=station.strip(),
        area_code=area_code,
        digest=token_digest(token),
        issued_at=now,
        expires_at=now + KEY_GOOD_FOR,
    )
    try:
        with session.begin_nested():
            store.add_kiosk(session, kiosk)
    except IntegrityError:
        raise KioskExists from None
    _record(session, "add_kiosk", code, actor=actor, now=now, detail=area_code, origin=origin)
    return token


def renew_key(session: Session, code: str, *, actor: str, now: datetime, origin: str | None = None) -> str:
    """Give a kiosk a new key; the old one opens nothing any more, and whoever it has let in is out. Opens it again.

    Raises:
        KioskUnknown: there is none.
    """
    kiosk = _locked(session, code)
    token = new_token()
    kiosk.digest, kiosk.issued_at = token_digest(token), now
    kiosk.expires_at, kiosk.revoked_at = now + KEY_GOOD_FOR, None
    end_logins_by(session, kiosk_actor(code), how=SessionEnd.KIOSK_CHANGED, now=now)
    _record(session, "renew_kiosk_key", code, actor=actor, now=now, origin=origin)
    return token


def revoke_key(session: Session, code: str, *, actor: str, now: datetime, origin: str | None = None) -> int:
    """Take a kiosk's key back: it opens nothing any more, and whoever it has let in is out; how many were in.

    Raises:
        KioskUnknown: there is none.
    """
    kiosk = _locked(session, code)
    kiosk.revoked_at = kiosk.revoked_at or now
    ended = end_logins_by(session, kiosk_actor(code), how=SessionEnd.KIOSK_CHANGED, now=now)
    _record(session, "revoke_kiosk_key", code, actor=actor, now=now, detail=str(ended), origin=origin)
    return ended


def list_kiosks(session: Session, *, after: str = "", limit: int) -> list[KioskFact]:
    """Kiosks in the order of their codes, those behind one."""
    return [
        KioskFact(
            code=kiosk.code,
            station=kiosk.station,
            area_code=kiosk.area_code,
            issued_at=kiosk.issued_at,
            expires_at=kiosk.expires_at,
            revoked_at=kiosk.revoked_at,
            seen_at=kiosk.seen_at,
            drift_s=kiosk.drift_s,
        )
        for kiosk in store.list_kiosks(session, after=after, limit=limit)
    ]


# --- the device -------------------------------------------------------------------------------------------------------


def require_kiosk(session: Session, key: str | None, action: Action, *, now: datetime) -> KioskVisitor:
    """The kiosk of a key, if the table lets kiosks do something of the kind.

    Raises:
        Unauthenticated: the key is none of ours, or not good any more.
        Forbidden: kiosks do no such thing.
    """
    kiosk = None if key is None else store.find_kiosk_by_key(session, token_digest(key), now=now)
    if kiosk is None:
        raise Unauthenticated
    if not TABLE[action].get(Role.KIOSK):
        raise Forbidden
    return KioskVisitor(code=kiosk.code, area_code=kiosk.area_code)


def note_heartbeat(session: Session, kiosk: KioskVisitor, *, device_at: datetime, now: datetime) -> int:
    """Note that a device runs; how many seconds its clock is ahead of ours."""
    row = _locked(session, kiosk.code)
    drift_s = round((device_at - now).total_seconds())
    row.seen_at, row.drift_s = now, max(-_MOST_DRIFT_S, min(_MOST_DRIFT_S, drift_s))
    return drift_s


def end_stays(session: Session, kiosk: KioskVisitor, *, now: datetime) -> int:
    """Let whoever stands before a kiosk be out; how many were in."""
    ended = end_logins_by(session, kiosk.actor, how=SessionEnd.LOGGED_OUT, now=now)
    if ended:
        _record(session, "end_sessions", kiosk.code, actor=kiosk.actor, now=now, detail=str(ended), origin=kiosk.actor)
    return ended


# --- people -----------------------------------------------------------------------------------------------------------


def let_in_by_card(
    engine: Engine, kiosk: KioskVisitor, card: Card, *, arrival: Arrival, keys: KeyRing, now: datetime
) -> str:
    """Let in whoever a card is of; the token of their session, which ends after ten minutes.

    A card that lets nobody in counts; after some of them the kiosk reads none for a while.

    Raises:
        Invalid: the card contradicts itself, or its time is over.
        PersonUnknown: nobody is on record under its number, or under another name.
        TooManyRequests: too many wrong cards, or too many people, at this kiosk.
    """
    count_try(engine, {A_KIOSKS_SESSIONS: kiosk.code, A_KIOSKS_WRONG_CARDS: kiosk.code}, keys=keys, now=now)
    number = normalise_id_number(card.number)
    fault = _fault_of(card, number, today=china_date(now))
    token = None
    with write_session(engine) as session:
        worker_id = None if fault is not None else find_by_id_number(session, number, keys=keys)
        if worker_id is not None and _is_named(session, worker_id, card.name, kiosk, keys=keys, now=now):
            token = open_login(
                session,
                role=Role.SEEKER,
                worker_id=worker_id,
                let_in_by=LetInBy.CARD,
                arrival=replace(arrival, kiosk=kiosk.code),
                now=now,
            )
            record_act(
                session,
                actor=f"seeker/{worker_id}",
                action="log_in",
                subject=f"workers/{worker_id}",
                now=now,
                why=LetInBy.CARD.value,
                origin=kiosk.actor,
            )
        else:
            # What the card said is not told, nor whose it may be.
            record_act(
                session,
                actor=kiosk.actor,
                action="card_refused",
                subject=f"kiosks/{kiosk.code}",
                now=now,
                why=(fault or CardFault.UNKNOWN).value,
                origin=kiosk.actor,
            )
    if fault is not None:
        raise Invalid(fields=[FieldFault(*_TOLD[fault])])
    if token is None:
        raise PersonUnknown
    take_back_try(engine, {A_KIOSKS_WRONG_CARDS: kiosk.code}, keys=keys, now=now)
    return token


def let_in_by_phone(
    engine: Engine,
    kiosk: KioskVisitor,
    *,
    ticket: str,
    code: str | None,
    person: str | None,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> LetIn:
    """Let in whoever has the phone, as `/auth/otp` does; of those who share it, `person` says who it is.

    Raises:
        Invalid: neither code nor person, or both.
        CodeWrong: the code does not open the ticket, or is no job-seeker's.
        PersonNotThere: it is none of those who share the phone.
        PhoneUnregistered: nobody here bears the number.
        TooManyRequests: too many people, or wrong codes, at this kiosk.
    """
    at_kiosk = replace(arrival, kiosk=kiosk.code)
    count_try(engine, {A_KIOSKS_SESSIONS: kiosk.code}, keys=keys, now=now)
    if code is not None and person is None:
        return let_in_by_code(engine, ticket, code, arrival=at_kiosk, keys=keys, now=now)
    if person is not None and code is None:
        return let_in_sharer(engine, ticket, person, arrival=at_kiosk, keys=keys, now=now)
    raise Invalid(fields=[FieldFault("code", "code_or_person", "先写验证码；几个人共用一个手机的，再写是哪一个")])


def let_in_by_clerk(
    engine: Engine,
    kiosk: KioskVisitor,
    *,
    clerk: str,
    number: str,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> str:
    """Let in somebody with neither card nor phone whom a clerk, or their broker, knows; the token of their session.

    Args:
        engine: what is refused is told to the audit, too.
        kiosk: where they stand.
        clerk: the token of a session of the clerk of the person's district, or of their broker.
        number: the person's ID number, as typed.
        arrival: how the kiosk asks.
        keys: the key ring.
        now: when.

    Raises:
        ClerkRefused: the clerk's session is not good, or they help nobody at kiosks.
        Invalid: it is no ID number.
        PersonUnknown: nobody is on record under it, or they are not the clerk's to help.
        TooManyRequests: too many people at this kiosk.
    """
    count_try(engine, {A_KIOSKS_SESSIONS: kiosk.code}, keys=keys, now=now)
    typed = normalise_id_number(number)
    if not is_id_number(typed, today=china_date(now)):
        raise Invalid(fields=[FieldFault(*_TOLD[CardFault.NUMBER])])
    token = None
    with write_session(engine) as session:
        try:
            helper = require_visitor(session, clerk, Action.ASSIST_AT_KIOSK, now=now)
        except (Unauthenticated, Forbidden):
            raise ClerkRefused from None
        touch(session, helper, now=now)
        worker_id = find_by_id_number(session, typed, keys=keys)
        found = (
            None
            if worker_id is None
            else find_theirs(session, helper, worker_id, action=Action.ASSIST_AT_KIOSK, now=now)
        )
        if found is not None:
            token = open_login(
                session,
                role=Role.SEEKER,
                worker_id=found.worker.id,
                let_in_by=LetInBy.CLERK,
                arrival=replace(arrival, kiosk=kiosk.code),
                now=now,
            )
        record_act(
            session,
            actor=helper.actor,
            action="assist_at_kiosk" if found is not None else "assist_refused",
            subject=f"kiosks/{kiosk.code}" if found is None else f"workers/{found.worker.id}",
            now=now,
            why=LetInBy.CLERK.value,
            origin=kiosk.actor,
        )
    if token is None:
        raise PersonUnknown
    return token


_TOLD = {
    CardFault.NUMBER: ("number", CardFault.NUMBER.value, "身份证号不对：出生日期或校验码有误"),
    CardFault.BIRTHDAY: ("birthday", CardFault.BIRTHDAY.value, "出生日期和身份证号对不上，请重新刷卡"),
    CardFault.SEX: ("sex", CardFault.SEX.value, "性别和身份证号对不上，请重新刷卡"),
    CardFault.EXPIRED: ("valid_until", CardFault.EXPIRED.value, "身份证过期了，请经办人协助"),
}


def _fault_of(card: Card, number: str, *, today: date) -> CardFault | None:
    if not is_id_number(number, today=today):
        return CardFault.NUMBER
    if card.birthday != birth_date_of(number):
        return CardFault.BIRTHDAY
    if card.sex.value != sex_of(number):
        return CardFault.SEX
    # Its last day is a day on which it is good.
    if card.valid_until is not None and card.valid_until < today:
        return CardFault.EXPIRED
    return None


def _is_named(
    session: Session, worker_id: int, name: str, kiosk: KioskVisitor, *, keys: KeyRing, now: datetime
) -> bool:
    identity = read_identity(
        session, worker_id, keys=keys, actor=kiosk.actor, reason=LetInBy.CARD.value, now=now, origin=kiosk.actor
    )
    return identity is not None and _plain(identity.name) == _plain(name)


def _plain(name: str) -> str:
    """A name without what cards and rosters spell differently: spaces, widths, the dot within names of minorities."""
    return re.sub(r"[\s·•・.‧]", "", unicodedata.normalize("NFKC", name))


def _locked(session: Session, code: str) -> store.Kiosk:
    kiosk = store.lock_kiosk(session, code)
    if kiosk is None:
        raise KioskUnknown
    return kiosk


def _record(
    session: Session, action: str, code: str, *, actor: str, now: datetime, origin: str | None, detail: str = ""
) -> None:
    record_act(session, actor=actor, action=action, subject=f"kiosks/{code}", now=now, detail=detail, origin=origin)
