"""Codes on phones: five comparisons, one live code, limits that hold, and nobody told more than they may know.

JIUJIN_GUESSES sets how many guess at once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, update

from app.domain.employers import EmployerKind
from app.domain.permissions import Action, Role
from app.domain.phone_codes import GOOD_FOR, MOST_COMPARES, CodePurpose
from app.domain.pushes import Outcome
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.errors import Fault, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.kit.tokens import token_digest
from app.store.employer_contacts import add_contact, end_contacts
from app.store.employers import Employer
from app.store.phone_codes import PhoneCode
from app.store.tries import Tries
from app.usecases.phone_codes import (
    CodeUnsendable,
    CodeWrong,
    EmployerUnverified,
    LetIn,
    PersonNotThere,
    PhoneUnregistered,
    ask_code,
    let_in_by_code,
    let_in_sharer,
)
from app.usecases.sessions import Arrival, Visitor, require_visitor
from app.usecases.tries import forget_tries
from app.wiring import House
from tests.deliveries import Teller, add_people

PHONE = "19900000007"
HERE = Arrival(network="10.0.0.1", agent="test")
GUESSES = int(os.environ.get("JIUJIN_GUESSES", "150"))


def number_of(index: int) -> str:
    return f"199{index:08d}"


def people(house: House, number: int = 1, *, phone: str = PHONE) -> list[int]:
    with write_session(house.engine) as session:
        return add_people(session, number, keys=house.keys, phone=phone)


def ask(
    house: House,
    teller: Teller,
    *,
    phone: str = PHONE,
    network: str = "10.0.0.1",
    purpose: CodePurpose = CodePurpose.SEEKER,
    device: str | None = None,
) -> str:
    return ask_code(
        house.engine,
        phone,
        purpose=purpose,
        network=network,
        device=device,
        senders=[teller],
        keys=house.keys,
        now=house.clock.now(),
    )


def come_in(house: House, ticket: str, code: str, *, arrival: Arrival = HERE) -> LetIn:
    return let_in_by_code(house.engine, ticket, code, arrival=arrival, keys=house.keys, now=house.clock.now())


def visitor(house: House, token: str | None) -> Visitor:
    with read_session(house.engine) as session:
        return require_visitor(session, token, Action.SEE_OWN_SESSIONS, now=house.clock.now())


def sent_code(teller: Teller) -> str:
    return teller.sent[-1].values["code"]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_who_has_the_phone_is_let_in_once(house: House) -> None:
    (person,), teller = people(house), Teller()
    ticket = ask(house, teller)
    assert teller.sent[-1].to == PHONE
    assert sent_code(teller) in teller.sent[-1].text
    found = come_in(house, ticket, f" {sent_code(teller)[:3]} {sent_code(teller)[3:]}")
    there = visitor(house, found.token)
    assert (there.role, there.worker_id, there.actor) == (Role.SEEKER, person, f"seeker/{person}")
    with pytest.raises(CodeWrong):
        come_in(house, ticket, sent_code(teller))


def test_a_code_opens_its_own_ticket_alone(house: House) -> None:
    people(house)
    first, second = Teller(), Teller()
    mine = ask(house, first)
    theirs = ask(house, second, phone="19900000008")
    with pytest.raises(CodeWrong):
        come_in(house, theirs, sent_code(first))
    with pytest.raises(CodeWrong):
        come_in(house, "x" * 43, sent_code(first))
    assert come_in(house, mine, sent_code(first)).token


def test_a_newer_code_ends_the_older_one_and_five_minutes_end_both(house: House, clock: FixedClock) -> None:
    people(house)
    teller = Teller()
    old, old_code = ask(house, teller), sent_code(teller)
    clock.advance(timedelta(minutes=1, seconds=5))
    new, new_code = ask(house, teller), sent_code(teller)
    with pytest.raises(CodeWrong):
        come_in(house, old, old_code)
    clock.advance(GOOD_FOR)
    with pytest.raises(CodeWrong):
        come_in(house, new, new_code)


def test_five_wrong_guesses_end_a_code(house: House) -> None:
    people(house)
    teller = Teller()
    ticket = ask(house, teller)
    for _ in range(MOST_COMPARES):
        with pytest.raises(CodeWrong):
            come_in(house, ticket, wrong(sent_code(teller)))
    with pytest.raises(CodeWrong):
        come_in(house, ticket, sent_code(teller))


def test_however_many_guess_at_once_five_are_compared(house: House) -> None:
    people(house)
    teller = Teller()
    ticket = ask(house, teller)

    def guess(number: int) -> str:
        try:
            # From a network each, or the limit of one network would be what stops them.
            come_in(house, ticket, wrong(sent_code(teller)), arrival=Arrival(network=f"10.{number}", agent=""))
        except CodeWrong as fault:
            return fault.code
        except Fault as fault:  # many writers at once: told to come back, nothing compared
            return fault.code
        return "in"

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(guess, range(GUESSES)))
    assert "in" not in told
    with read_session(house.engine) as session:
        code = session.scalars(select(PhoneCode).where(PhoneCode.ticket == token_digest(ticket))).one()
        assert code.compares == MOST_COMPARES
    with pytest.raises(CodeWrong):
        come_in(house, ticket, sent_code(teller), arrival=Arrival(network="10.9.9.9", agent=""))


def test_of_two_who_bring_the_right_code_at_once_one_is_let_in(house: House) -> None:
    people(house)
    teller = Teller()
    ticket = ask(house, teller)

    def enter(_: int) -> str | None:
        try:
            return come_in(house, ticket, sent_code(teller)).token
        except CodeWrong:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(token is not None for token in pool.map(enter, range(8))) == 1


def test_a_number_is_sent_one_code_a_minute_five_an_hour_ten_a_day(house: House, clock: FixedClock) -> None:
    teller = Teller()
    sent_at = []
    for number in range(200):
        try:
            # Each time from another network: what is limited is the number.
            ask(house, teller, network=f"10.1.{number}")
            sent_at.append(clock.now())
        except TooManyRequests as refused:
            clock.advance(timedelta(seconds=max(1, refused.retry_after_s)))
        if len(sent_at) > 12:
            break
    for first in sent_at:
        for most, within in ((1, timedelta(minutes=1)), (5, timedelta(hours=1)), (10, timedelta(days=1))):
            assert sum(first <= each < first + within for each in sent_at) <= most
    assert len(sent_at) == len(teller.sent) > 10


def test_a_network_and_a_device_are_limited_too_and_a_refusal_counts_for_nothing(house: House) -> None:
    teller, device = Teller(), "d" * 20
    for number in range(10):
        ask(house, teller, phone=number_of(number), network=f"10.2.{number}", device=device)
    with pytest.raises(TooManyRequests):
        ask(house, teller, phone=number_of(99), network="10.2.99", device=device)
    # The number and the network were not counted with it.
    ask(house, teller, phone=number_of(99), network="10.2.99")
    for number in range(100, 129):
        ask(house, teller, phone=number_of(number), network="10.2.99")
    with pytest.raises(TooManyRequests):
        ask(house, teller, phone=number_of(200), network="10.2.99")
    assert len(teller.sent) == 40


def test_what_counts_no_more_is_forgotten_and_names_nobody(house: House, clock: FixedClock) -> None:
    ask(house, Teller())
    with read_session(house.engine) as session:
        kept = session.scalars(select(Tries)).all()
        assert kept
        assert not any(PHONE in f"{each.subject}{each.counts}" or "10.0.0.1" in each.subject for each in kept)
    clock.advance(timedelta(days=3))
    forget_tries(house.engine, now=clock.now())
    with read_session(house.engine) as session:
        assert session.scalar(select(func.count()).select_from(Tries)) == 0


def test_a_known_and_an_unknown_number_are_answered_alike_until_the_code_is_right(house: House) -> None:
    people(house)
    known, unknown = Teller(), Teller()
    tickets = ask(house, known), ask(house, unknown, phone="19900000099")
    assert len(tickets[0]) == len(tickets[1])
    assert [each.template for each in (*known.sent, *unknown.sent)] == ["code", "code"]
    told = []
    for ticket, teller in zip(tickets, (known, unknown), strict=True):
        with pytest.raises(CodeWrong) as fault:
            come_in(house, ticket, wrong(sent_code(teller)))
        told.append(fault.value.problem())
    assert told[0] == told[1]
    with pytest.raises(PhoneUnregistered):
        come_in(house, tickets[1], sent_code(unknown))


def test_a_phone_that_a_family_shares_asks_who_it_is(house: House) -> None:
    family, teller = people(house, 2), Teller()
    ticket = ask(house, teller)
    found = come_in(house, ticket, sent_code(teller))
    assert found.token is None
    assert [(sharer.name, sharer.birth_year) for sharer in found.sharers] == [("样*", 1970)] * 2
    with pytest.raises(PersonNotThere):
        let_in_sharer(house.engine, ticket, "x", arrival=HERE, keys=house.keys, now=house.clock.now())
    chosen = found.sharers[1].person
    entered = let_in_sharer(house.engine, ticket, chosen, arrival=HERE, keys=house.keys, now=house.clock.now())
    assert visitor(house, entered.token).worker_id == family[1]
    with pytest.raises(CodeWrong):
        let_in_sharer(house.engine, ticket, chosen, arrival=HERE, keys=house.keys, now=house.clock.now())


def test_nobody_chooses_before_the_code_was_right(house: House) -> None:
    people(house, 2)
    ticket = ask(house, Teller())
    with pytest.raises(CodeWrong):
        let_in_sharer(house.engine, ticket, "x", arrival=HERE, keys=house.keys, now=house.clock.now())


def test_a_code_that_nobody_takes_on_is_told_so_and_the_next_provider_is_asked(house: House) -> None:
    shut = Teller(provider="a", says=lambda _: Teller().report(Outcome.BUSY))
    with pytest.raises(CodeUnsendable):
        ask(house, shut)
    taking = Teller(provider="b")
    ask_code(
        house.engine,
        "19900000031",
        purpose=CodePurpose.SEEKER,
        network="10.0.0.2",
        device=None,
        senders=[shut, taking],
        keys=house.keys,
        now=house.clock.now(),
    )
    assert len(taking.sent) == 1


def test_what_is_no_mobile_number_is_sent_nothing(house: House) -> None:
    teller = Teller()
    with pytest.raises(Invalid):
        ask(house, teller, phone="023-12333")
    assert not teller.sent


def test_an_employer_is_let_in_once_an_office_has_checked_it(house: House, clock: FixedClock) -> None:
    with write_session(house.engine) as session:
        employer = Employer(name="样例家政", kind=EmployerKind.FIRM, generated=True)
        session.add(employer)
        session.flush()
        add_contact(session, employer_id=employer.id, phone=PHONE, keys=house.keys, now=clock.now())
    teller = Teller()
    ticket = ask(house, teller, purpose=CodePurpose.EMPLOYER)
    with pytest.raises(EmployerUnverified):
        come_in(house, ticket, sent_code(teller))
    with write_session(house.engine) as session:
        session.execute(update(Employer).where(Employer.id == employer.id).values(verified_on=date(2026, 11, 2)))
    clock.advance(timedelta(minutes=2))
    ticket = ask(house, teller, purpose=CodePurpose.EMPLOYER)
    there = visitor(house, come_in(house, ticket, sent_code(teller)).token)
    assert (there.role, there.employer_id, there.worker_id) == (Role.EMPLOYER, employer.id, None)
    with write_session(house.engine) as session:
        assert end_contacts(session, employer_id=employer.id, now=clock.now()) == 1
    clock.advance(timedelta(minutes=2))
    ticket = ask(house, teller, purpose=CodePurpose.EMPLOYER)
    with pytest.raises(PhoneUnregistered):
        come_in(house, ticket, sent_code(teller))


def test_a_code_for_one_purpose_opens_no_other_door(house: House) -> None:
    people(house)
    teller = Teller()
    ticket = ask(house, teller, purpose=CodePurpose.EMPLOYER)
    with pytest.raises(PhoneUnregistered):
        come_in(house, ticket, sent_code(teller))


def test_a_seeker_does_not_do_what_staff_does(house: House) -> None:
    people(house)
    teller = Teller()
    token = come_in(house, ask(house, teller), sent_code(teller)).token
    with read_session(house.engine) as session, pytest.raises(Forbidden):
        require_visitor(session, token, Action.CHANGE_ACCOUNTS, now=house.clock.now())
    with read_session(house.engine) as session, pytest.raises(Unauthenticated):
        require_visitor(session, "x", Action.SEE_OWN_SESSIONS, now=house.clock.now())
