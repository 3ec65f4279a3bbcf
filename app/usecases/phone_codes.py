"""Letting people in by a code on their phone: asked for, compared, and then whoever bears the number is there.

A number that nobody here has is sent a code like any other: only who has the phone learns whether it is known. If
tries cannot be counted or the code cannot be sent, nobody is let in this way; a station lets people in without a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.identities import is_mobile_phone, mask_name, normalise_phone
from app.domain.ledger import Channel
from app.domain.permissions import Role
from app.domain.phone_codes import (
    A_DEVICE,
    A_NETWORK,
    A_NETWORKS_GUESSES,
    A_NUMBER,
    CODE_TEMPLATE,
    DIGITS,
    GOOD_FOR,
    IN_ALL,
    CodePurpose,
)
from app.domain.pushes import Message, Outcome, Sender
from app.domain.sessions import LetInBy
from app.domain.tries import Limit
from app.kit.database import write_session
from app.kit.encrypted import Place, seal, unseal
from app.kit.errors import Busy, Conflict, FieldFault, Forbidden, Invalid, Unauthenticated
from app.kit.keys import KeyRing, is_keyed_digest, keyed_digest, keyed_digests
from app.kit.tokens import clean_code, new_pin, new_token, token_digest
from app.store import phone_codes as store
from app.store.audit import record_act
from app.store.employer_contacts import find_employer_of
from app.store.identities import find_by_phone, read_identity
from app.store.workers import find_worker
from app.usecases.sessions import Arrival, open_login
from app.usecases.tries import EVERYBODY, count_try

_HAS_LEFT = (Outcome.ACCEPTED, Outcome.DELIVERED, Outcome.UNCERTAIN)


class CodeUnsendable(Busy):
    """No provider takes text messages now."""

    code = "code_unsendable"
    title = "短信现在发不出去，请稍后再试，或到就近的驿站请经办人协助"


class CodeWrong(Unauthenticated):
    """The code is wrong, over, used, or was tried too often; which of them is not told."""

    code = "code_wrong"
    title = "验证码不对或者过期了，请重新获取"


class PhoneUnregistered(Conflict):
    """Nobody is on record under the number; told only to who has the phone."""

    code = "phone_unregistered"
    title = "这个手机号还没有登记，请到就近的零工驿站登记，带上身份证"


class EmployerUnverified(Forbidden):
    """The employer has not been checked by an office."""

    code = "employer_unverified"
    title = "单位还没有核验，核验后才能登录"


class PersonNotThere(Invalid):
    """The one who was chosen is none of those who share the number."""

    code = "person_not_there"
    title = "请选自己"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """One of those who gave the same number, as much as they need to find themselves."""

    person: str
    name: str
    birth_year: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """What came of a right code: a token, or those among whom the person has still to say who they are."""

    token: str | None = field(repr=False)
    sharers: tuple[Sharer, ...] = ()


def ask_code(
    engine: Engine,
    phone: str,
    *,
    purpose: CodePurpose,
    network: str,
    device: str | None,
    senders: Sequence[Sender],
    keys: KeyRing,
    now: datetime,
) -> str:
    """Send a code to a phone; the ticket, without which the code opens nothing.

    Args:
        engine: tries, and the code, are committed before anything leaves.
        phone: as typed.
        purpose: what the code shall open.
        network: the address from which it is asked for.
        device: what tells the device from others, where it says so; only one limit more.
        senders: who sends text messages, the first one first.
        keys: makes the digests.
        now: when.

    Raises:
        Invalid: it is no mobile number.
        TooManyRequests: a limit of the number, the network, the device or of all is reached.
        CodeUnsendable: nobody takes the message.
        app.kit.errors.Busy: somebody else asks for this number at this moment.
    """
    number = normalise_phone(phone)
    if not is_mobile_phone(number):
        raise Invalid(fields=[FieldFault("phone", "phone_wrong", "手机号不对：应为 11 位手机号")])
    tried: dict[Limit, str] = dict.fromkeys(A_NUMBER, number) | dict.fromkeys(A_NETWORK, network)
    tried |= dict.fromkeys(IN_ALL, EVERYBODY) | ({} if device is None else dict.fromkeys(A_DEVICE, device))
    count_try(engine, tried, keys=keys, now=now)
    ticket, code = new_token(), new_pin(DIGITS)
    digest = token_digest(ticket)
    made = store.PhoneCode(
        phone=keyed_digests(keys, number, purpose="phone_codes.phone")[-1],
        purpose=purpose,
        ticket=digest,
        code=keyed_digest(keys, code, purpose=_bound(digest, purpose)),
        sealed_phone=seal(keys, number, place=_place(digest)),
        made_at=now,
        expires_at=now + GOOD_FOR,
    )
    try:
        with write_session(engine) as session:
            store.replace_code(session, made)
    except IntegrityError:
        raise Busy(retry_after_s=2) from None
    # No transaction is open while the provider takes its time.
    message = Message(
        key=f"code-{digest[:24]}",
        to=number,
        template=CODE_TEMPLATE.name,
        values={"code": code},
        text=CODE_TEMPLATE.fill({"code": code}),
    )
    for sender in senders:
        if sender.channel is Channel.SMS and sender.send(message).outcome in _HAS_LEFT:
            return ticket
    raise CodeUnsendable(retry_after_s=60)


def let_in_by_code(
    engine: Engine,
    ticket: str,
    typed: str,
    *,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> LetIn:
    """Compare a code, and let in whoever bears the number. Where several do, they are asked who they are.

    The comparison is counted and committed whatever comes of it.

    Raises:
        CodeWrong: the code does not open this ticket.
        TooManyRequests: too many guesses from this network.
        PhoneUnregistered: the code is right, and nobody here bears the number.
        EmployerUnverified: the code is right, and the employer has not been checked.
    """
    count_try(engine, dict.fromkeys(A_NETWORKS_GUESSES, arrival.guesses_as), keys=keys, now=now)
    digest = token_digest(ticket)
    with write_session(engine) as session:
        spent = store.spend_compare(session, digest, now=now)
        is_right = spent is not None and is_keyed_digest(
            keys, spent.code, clean_code(typed), purpose=_bound(digest, spent.purpose)
        )
        if spent is not None and is_right:
            spent.proven_at = now
    if not is_right:
        raise CodeWrong
    with write_session(engine) as session:
        return _let_in(session, digest, person=None, arrival=arrival, keys=keys, now=now)


def let_in_sharer(
    engine: Engine,
    ticket: str,
    person: str,
    *,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> LetIn:
    """Let in one of those who share a number, after its code was right.

    Raises:
        CodeWrong: no right code came with this ticket, or it was used.
        PersonNotThere: it is none of them.
    """
    with write_session(engine) as session:
        return _let_in(session, token_digest(ticket), person=person, arrival=arrival, keys=keys, now=now)


def forget_codes(session: Session, *, now: datetime) -> None:
    """Drop codes that have been over for a day."""
    store.forget_codes(session, before=now - timedelta(days=1))


def _let_in(
    session: Session,
    digest: str,
    *,
    person: str | None,
    arrival: Arrival,
    keys: KeyRing,
    now: datetime,
) -> LetIn:
    proven = store.find_proven(session, digest, now=now)
    if proven is None:
        raise CodeWrong
    phone = unseal(keys, proven.sealed_phone, place=_place(digest))
    if proven.purpose is CodePurpose.EMPLOYER:
        if arrival.kiosk is not None:
            raise CodeWrong
        employer = find_employer_of(session, phone, keys=keys)
        if employer is None:
            raise PhoneUnregistered
        if employer.verified_on is None:
            raise EmployerUnverified
        proven.is_live = False
        actor = f"employer/{employer.id}"
        record_act(session, actor=actor, action="log_in", subject=f"employers/{employer.id}", now=now)
        token = open_login(
            session,
            role=Role.EMPLOYER,
            employer_id=employer.id,
            let_in_by=LetInBy.SMS_CODE,
            arrival=arrival,
            now=now,
        )
        return LetIn(token=token)
    known = find_by_phone(session, phone, keys=keys)
    if not known:
        raise PhoneUnregistered
    if person is None and len(known) > 1:
        return LetIn(token=None, sharers=tuple(_sharers(session, known, digest, keys=keys, now=now)))
    chosen = [each for each in known if person in (None, _person(digest, each, keys=keys))]
    if not chosen:
        raise PersonNotThere
    proven.is_live = False
    subject = f"workers/{chosen[0]}"
    origin = arrival.let_in_by
    record_act(session, actor=f"seeker/{chosen[0]}", action="log_in", subject=subject, now=now, origin=origin)
    token = open_login(
        session, role=Role.SEEKER, worker_id=chosen[0], let_in_by=LetInBy.SMS_CODE, arrival=arrival, now=now
    )
    return LetIn(token=token)


def _sharers(session: Session, known: Sequence[int], digest: str, *, keys: KeyRing, now: datetime) -> list[Sharer]:
    found = []
    for worker_id in known:
        identity = read_identity(session, worker_id, keys=keys, actor="phone/-", reason="choose_oneself", now=now)
        worker = find_worker(session, worker_id)
        if identity is not None and worker is not None:
            person = _person(digest, worker_id, keys=keys)
            found.append(Sharer(person=person, name=mask_name(identity.name), birth_year=worker.birth_on.year))
    return found


def _person(digest: str, worker_id: int, *, keys: KeyRing) -> str:
    # Not the number itself: it would stay the same for whoever asks next.
    return keyed_digest(keys, str(worker_id), purpose=f"sharer|{digest}")[:24]


def _bound(digest: str, purpose: CodePurpose) -> str:
    return f"phone_code|{purpose.value}|{digest}"


def _place(digest: str) -> Place:
    return Place("phone_codes", "sealed_phone", digest)
