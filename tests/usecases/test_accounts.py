"""Accounts of staff: set up by their owner, shut after wrong tries, changed by somebody else; and their sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.permissions import Action, Role
from app.domain.sessions import STAYS
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.kit.errors import Fault, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.kit.second_factors import factor_code
from app.kit.tokens import token_digest
from app.store.accounts import Account, find_account
from app.store.audit import AuditEntry
from app.store.brokers import Broker
from app.store.sessions import LoginSession
from app.usecases.accounts import (
    A_NETWORKS_LOGINS,
    AccountExists,
    AccountUnknown,
    FactorWrong,
    LoginRefused,
    OwnAccount,
    begin_setup,
    change_post,
    create_account,
    disable_account,
    finish_setup,
    list_accounts,
    log_in,
    reset_account,
    show_factor,
)
from app.usecases.obligations import BrokerUnknown, DistrictUnknown
from app.usecases.sessions import (
    MOST_AT_ONCE,
    Arrival,
    FactorStale,
    SessionNotFound,
    SetupDue,
    Visitor,
    end_other_logins,
    end_own_login,
    list_own_logins,
    needs_touch,
    require_visitor,
    shortened_network,
    touch,
)
from app.usecases.tries import count_try
from app.wiring import House

PASSWORD = "乡下的桂花树开了第三次花"
HERE = Arrival(network="10.0.0.1", agent="test")
STEP = timedelta(seconds=31)


def make(house: House, code: str, role: Role, district: str | None = None) -> str:
    with write_session(house.engine) as session:
        return create_account(session, code=code, role=role, district=district, actor="office", now=house.clock.now())


def enter(house: House, code: str, password: str, factor: str = "", *, arrival: Arrival = HERE) -> str:
    return log_in(
        house.engine,
        code=code,
        password=password,
        factor=factor,
        arrival=arrival,
        keys=house.keys,
        now=house.clock.now(),
    )


def there(house: House, token: str | None, action: Action = Action.SEE_OWN_SESSIONS) -> Visitor:
    with read_session(house.engine) as session:
        return require_visitor(session, token, action, now=house.clock.now())


def set_up(house: House, clock: FixedClock, code: str, role: Role, district: str | None = None) -> tuple[str, str]:
    """An account with the password of these tests; a token of it, and the secret of its second factor."""
    token = enter(house, code, make(house, code, role, district))
    visitor = there(house, token, Action.SET_UP_ACCOUNT)
    with write_session(house.engine) as session:
        secret = begin_setup(session, visitor, keys=house.keys, now=clock.now()).secret
    finish_setup(
        house.engine,
        visitor,
        password=PASSWORD,
        factor=factor_code(secret, at=clock.now()),
        keys=house.keys,
        now=clock.now(),
    )
    clock.advance(STEP)
    return token, secret


def test_an_account_is_good_for_nothing_until_its_owner_has_set_it_up(house: House, clock: FixedClock) -> None:
    start = make(house, "wang-01", Role.OFFICER, "500237")
    token = enter(house, "wang-01", start)
    with pytest.raises(SetupDue):
        there(house, token, Action.SHOW_FACTOR)
    visitor = there(house, token, Action.SET_UP_ACCOUNT)
    assert visitor.in_setup
    with write_session(house.engine) as session:
        secret = begin_setup(session, visitor, keys=house.keys, now=clock.now()).secret
    for password, factor, fault in (
        (PASSWORD, "000000", FactorWrong),
        ("wang-01-2026-x", factor_code(secret, at=clock.now()), Invalid),
        (start, factor_code(secret, at=clock.now()), Invalid),
    ):
        with pytest.raises(fault):
            finish_setup(house.engine, visitor, password=password, factor=factor, keys=house.keys, now=clock.now())
    finish_setup(
        house.engine,
        visitor,
        password=PASSWORD,
        factor=factor_code(secret, at=clock.now()),
        keys=house.keys,
        now=clock.now(),
    )
    assert there(house, token, Action.SHOW_FACTOR).actor == "officer/wang-01"
    with pytest.raises(LoginRefused):
        enter(house, "wang-01", start)
    with pytest.raises(OwnAccount), write_session(house.engine) as session:
        begin_setup(session, there(house, token), keys=house.keys, now=clock.now())


def test_password_and_second_factor_open_together_and_a_code_is_taken_once(house: House, clock: FixedClock) -> None:
    _, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    code = factor_code(secret, at=clock.now())
    there(house, enter(house, "wang-01", PASSWORD, code))
    for password, factor in ((PASSWORD, code), (PASSWORD, ""), (PASSWORD, "000000"), ("x", code)):
        with pytest.raises(LoginRefused):
            enter(house, "wang-01", password, factor)


def test_an_unknown_account_is_refused_in_the_same_words_and_leaves_no_word_behind(house: House) -> None:
    make(house, "wang-01", Role.MUNICIPAL)
    told = []
    for code in ("wang-01", "my-secret-password"):
        with pytest.raises(LoginRefused) as fault:
            enter(house, code, "not the password")
        told.append(fault.value.problem())
    assert told[0] == told[1]
    with read_session(house.engine) as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "login_failed")).all()
    assert sorted(row.subject for row in rows) == ["accounts/-", "accounts/wang-01"]
    assert not any("my-secret" in f"{row.actor}{row.detail}" for row in rows)


def test_five_wrong_tries_shut_an_account_for_a_while_even_for_the_right_ones(house: House, clock: FixedClock) -> None:
    _, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    for _ in range(5):
        with pytest.raises(LoginRefused):
            enter(house, "wang-01", "wrong")
    with pytest.raises(LoginRefused):
        enter(house, "wang-01", PASSWORD, factor_code(secret, at=clock.now()))
    clock.advance(timedelta(minutes=15))
    assert enter(house, "wang-01", PASSWORD, factor_code(secret, at=clock.now()))
    with read_session(house.engine) as session:
        assert find_account(session, "wang-01").failures == 0  # type: ignore[union-attr]


def test_tries_are_limited_whatever_account_is_named(house: House) -> None:
    for _ in range(A_NETWORKS_LOGINS.most - 1):
        count_try(house.engine, {A_NETWORKS_LOGINS: HERE.network}, keys=house.keys, now=house.clock.now())
    with pytest.raises(LoginRefused):
        enter(house, "nobody-1", "x")
    with pytest.raises(TooManyRequests):
        enter(house, "nobody-2", "x")
    with pytest.raises(LoginRefused):
        enter(house, "nobody-2", "x", arrival=Arrival(network="10.0.0.2", agent=""))


def test_a_factor_is_shown_again_for_what_cannot_be_taken_back(house: House, clock: FixedClock) -> None:
    token, secret = set_up(house, clock, "an-01", Role.SECURITY_ADMIN)
    there(house, token, Action.CHANGE_ACCOUNTS)
    clock.advance(timedelta(minutes=11))
    with pytest.raises(FactorStale):
        there(house, token, Action.CHANGE_ACCOUNTS)
    visitor = there(house, token)
    with pytest.raises(FactorWrong):
        show_factor(house.engine, visitor, "000000", keys=house.keys, now=clock.now())
    code = factor_code(secret, at=clock.now())
    show_factor(house.engine, visitor, code, keys=house.keys, now=clock.now())
    there(house, token, Action.CHANGE_ACCOUNTS)
    with pytest.raises(FactorWrong):
        show_factor(house.engine, visitor, code, keys=house.keys, now=clock.now())


def test_who_has_somebody_s_open_session_cannot_take_their_account(house: House, clock: FixedClock) -> None:
    token, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    visitor, new = there(house, token), "另一句没有别人会先来试的话"

    def change(present: str) -> None:
        code = factor_code(secret, at=clock.now())
        finish_setup(
            house.engine, visitor, password=new, present=present, factor=code, keys=house.keys, now=clock.now()
        )

    for _ in range(5):
        with pytest.raises(FactorWrong):
            change("guessed")
    with pytest.raises(FactorWrong):  # shut after five
        change(PASSWORD)
    clock.advance(timedelta(minutes=15))
    change(PASSWORD)
    clock.advance(STEP)
    there(house, enter(house, "wang-01", new, factor_code(secret, at=clock.now())))


def test_another_administrator_changes_resets_and_shuts_accounts_and_sessions_end_at_once(
    house: House, clock: FixedClock
) -> None:
    admin, _ = set_up(house, clock, "an-01", Role.SECURITY_ADMIN)
    token, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    visitor = there(house, admin, Action.CHANGE_ACCOUNTS)
    with write_session(house.engine) as session:
        change_post(session, "wang-01", role=Role.AUDITOR, district=None, visitor=visitor, now=clock.now())
    with pytest.raises(Unauthenticated):
        there(house, token)
    again = enter(house, "wang-01", PASSWORD, factor_code(secret, at=clock.now()))
    assert there(house, again).role is Role.AUDITOR
    with write_session(house.engine) as session:
        start = reset_account(session, "wang-01", visitor=visitor, now=clock.now())
    with pytest.raises(Unauthenticated):
        there(house, again)
    assert there(house, enter(house, "wang-01", start)).in_setup
    with write_session(house.engine) as session:
        disable_account(session, "wang-01", visitor=visitor, now=clock.now())
    with pytest.raises(LoginRefused):
        enter(house, "wang-01", start)
    with read_session(house.engine) as session:
        facts = {fact.code: fact for fact in list_accounts(session, limit=10, now=clock.now())}
    assert facts["wang-01"].is_disabled
    assert (facts["an-01"].is_set_up, facts["an-01"].is_locked) == (True, False)


def test_nobody_changes_their_own_account(house: House, clock: FixedClock) -> None:
    admin, _ = set_up(house, clock, "an-01", Role.SECURITY_ADMIN)
    visitor, now = there(house, admin, Action.CHANGE_ACCOUNTS), clock.now()
    deeds: list[Any] = [
        lambda session: change_post(session, "an-01", role=Role.AUDITOR, district=None, visitor=visitor, now=now),
        lambda session: reset_account(session, "an-01", visitor=visitor, now=now),
        lambda session: disable_account(session, "an-01", visitor=visitor, now=now),
    ]
    for deed in deeds:
        with pytest.raises(OwnAccount), write_session(house.engine) as session:
            deed(session)
    with pytest.raises(AccountUnknown), write_session(house.engine) as session:
        disable_account(session, "nobody", visitor=visitor, now=now)


@pytest.mark.parametrize(
    ("code", "role", "district", "fault"),
    [
        ("a", Role.SEEKER, None, Invalid),
        ("../a", Role.AUDITOR, None, Invalid),
        ("a" * 41, Role.AUDITOR, None, Invalid),
        ("a", Role.CLERK, None, Invalid),
        ("a", Role.AUDITOR, "500237", Invalid),
        ("a", Role.OFFICER, "500999", DistrictUnknown),
        ("b-99", Role.BROKER, None, BrokerUnknown),
        ("taken", Role.AUDITOR, None, AccountExists),
    ],
)
def test_an_account_that_cannot_be_is_not_made(
    house: House, code: str, role: Role, district: str | None, fault: type[Fault]
) -> None:
    make(house, "taken", Role.AUDITOR)
    with pytest.raises(fault):
        make(house, code, role, district)
    with read_session(house.engine) as session:
        assert [account.code for account in session.scalars(select(Account))] == ["taken"]


def test_a_broker_s_account_is_the_broker(house: House, clock: FixedClock) -> None:
    with write_session(house.engine) as session:
        session.add(Broker(code="b-7", area_code="500237"))
    token, _ = set_up(house, clock, "b-7", Role.BROKER)
    visitor = there(house, token)
    assert (visitor.broker, visitor.actor, visitor.district) == ("b-7", "broker/b-7", None)


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_ends_when_nobody_asks_for_it_and_at_last_in_any_case(house: House, clock: FixedClock) -> None:
    token, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    stay = STAYS[Role.OFFICER]
    begun = clock.now()
    while clock.now() - begun < stay.total - stay.idle:
        clock.advance(stay.idle - timedelta(minutes=1))
        visitor = there(house, token)
        with read_session(house.engine) as session:
            assert needs_touch(session, visitor, now=clock.now())
        with write_session(house.engine) as session:
            touch(session, visitor, now=clock.now())
    clock.advance(stay.idle - timedelta(minutes=1))
    with pytest.raises(Unauthenticated):
        there(house, token)
    idle = enter(house, "wang-01", PASSWORD, factor_code(secret, at=clock.now()))
    clock.advance(stay.idle + timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        there(house, idle)


def test_a_login_ends_the_session_it_came_with_and_the_token_is_kept_nowhere(house: House, clock: FixedClock) -> None:
    old, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    code = factor_code(secret, at=clock.now())
    new = enter(house, "wang-01", PASSWORD, code, arrival=Arrival(network="10.0.0.1", agent="x", old_token=old))
    assert new != old
    with pytest.raises(Unauthenticated):
        there(house, old)
    with read_session(house.engine) as session:
        digests = {login.digest for login in session.scalars(select(LoginSession))}
    assert digests == {token_digest(old), token_digest(new)}


def test_their_owner_sees_and_ends_sessions_and_nobody_else_does(house: House, clock: FixedClock) -> None:
    first, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    stranger, _ = set_up(house, clock, "li-02", Role.OFFICER, "500237")
    second = enter(
        house,
        "wang-01",
        PASSWORD,
        factor_code(secret, at=clock.now()),
        arrival=Arrival(network="113.250.7.9", agent="Firefox" * 20),
    )
    mine, now = there(house, first), clock.now()
    with read_session(house.engine) as session:
        listed = list_own_logins(session, mine, now=now)
    assert [(login.network, login.is_this) for login in listed] == [("113.250.*.*", False), ("10.0.*.*", True)]
    assert len(listed[0].agent) == 60
    with pytest.raises(SessionNotFound), write_session(house.engine) as session:
        end_own_login(session, there(house, stranger), login_id=listed[0].id, now=now)
    there(house, second)
    with write_session(house.engine) as session:
        end_own_login(session, mine, login_id=listed[0].id, now=now)
    with pytest.raises(Unauthenticated):
        there(house, second)
    with pytest.raises(SessionNotFound), write_session(house.engine) as session:
        end_own_login(session, mine, login_id=listed[0].id, now=now)
    with write_session(house.engine) as session:
        assert end_other_logins(session, mine, now=now) == 0
    there(house, first)
    there(house, stranger)


def test_the_oldest_session_gives_way_when_there_are_too_many(house: House, clock: FixedClock) -> None:
    token, secret = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    for _ in range(MOST_AT_ONCE):
        there(house, token)
        enter(house, "wang-01", PASSWORD, factor_code(secret, at=clock.now()))
        clock.advance(STEP)
    with pytest.raises(Unauthenticated):
        there(house, token)


def test_a_role_that_changed_past_the_program_opens_nothing(house: House, clock: FixedClock) -> None:
    token, _ = set_up(house, clock, "wang-01", Role.OFFICER, "500237")
    with write_session(house.engine) as session:
        session.scalars(select(Account)).one().role = Role.SECURITY_ADMIN
    with pytest.raises(Unauthenticated):
        there(house, token)


def test_a_role_does_only_what_the_table_says(house: House, clock: FixedClock) -> None:
    token, _ = set_up(house, clock, "au-01", Role.AUDITOR)
    there(house, token, Action.SEE_ACCOUNTS)
    with pytest.raises(Forbidden):
        there(house, token, Action.CHANGE_ACCOUNTS)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("113.250.7.9", "113.250.*.*"),
        ("::ffff:113.250.7.9", "113.250.*.*"),
        ("2001:da8:1::1", "2001:0da8:*"),
        ("no address", ""),
    ],
)
def test_of_an_address_only_its_beginning_is_kept(address: str, told: str) -> None:
    assert shortened_network(address) == told
