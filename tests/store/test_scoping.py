"""Whose rows a viewer sees: by the application on both databases, and once more by PostgreSQL alone."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, exists, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.exc import StaleDataError

from app.domain.consents import Purpose
from app.domain.grants import GrantReason
from app.domain.ledger import Channel, EntryKind
from app.domain.permissions import Role
from app.domain.postings import PostingKind, PostingOrigin, PostingState
from app.domain.pushes import Answer, PushCause, PushState
from app.domain.sessions import LetInBy
from app.domain.spells import SpellSource
from app.domain.viewers import EVERYBODY, NOBODY, Reach, Viewer, only
from app.domain.workers import Evidence, Status, WorkerOrigin
from app.kit.database import Base, open_engine, read_session, write_session
from app.kit.keys import KeyRing
from app.kit.row_contexts import RowContext, row_keys
from app.store.accounts import Account
from app.store.brokers import Broker, Case
from app.store.consents import Consent
from app.store.grants import Grant
from app.store.identities import NewIdentity, add_identities
from app.store.ledger import list_stored_of
from app.store.postings import Posting
from app.store.pushes import Attempt, FollowUp, Push, PushChange, Receipt
from app.store.row_keys import grant_to, list_weaknesses, store_row_keys
from app.store.scoping import PERSONAL_TABLES, RowsForeign, RowsUnscoped, scoped
from app.store.slips import Slip
from app.store.spells import SpellRow
from app.store.tables import METADATA
from app.store.workers import Worker, WorkerStatus
from app.usecases.ledger import append_entry, erase_person
from app.usecases.sessions import Arrival, open_login
from tests import postgres

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
TODAY = date(2026, 12, 1)
WUSHAN, FENGJIE = "500237", "500236"

# b-7 looks after 1 and 2, b-8 after 3; 4 was b-7's until November; nobody looks after 5, who was erased.
HOMES = {1: "500237102", 2: "500237", 3: "500236101", 4: "500236102", 5: "500237103"}
CASES = {1: ("b-7", None), 2: ("b-7", None), 3: ("b-8", None), 4: ("b-7", date(2026, 11, 30))}

OWN = only(1)
BROKER = Viewer(reach=Reach.CASELOAD, broker="b-7", today=TODAY)
OFFICER = Viewer(reach=Reach.DISTRICTS, districts=frozenset({WUSHAN}))
GRANTED = Viewer(reach=Reach.CASELOAD, broker="b-8", today=TODAY, granted=frozenset({5}))

# By viewer the people whose rows they see, of those in HOMES.
SEEN = {
    "nobody": (NOBODY, set()),
    "own": (OWN, {1}),
    "caseload": (BROKER, {1, 2}),
    "districts": (OFFICER, {1, 2, 5}),
    "caseload and a grant": (GRANTED, {3, 5}),
    "nobody but a grant": (Viewer(reach=Reach.NOBODY, granted=frozenset({4})), {4}),
    "another district's": (Viewer(reach=Reach.DISTRICTS, districts=frozenset({"500101"})), set()),
    "an unknown broker": (Viewer(reach=Reach.CASELOAD, broker="b-9", today=TODAY), set()),
    "everybody": (EVERYBODY, {*HOMES}),
}


@pytest.fixture
def peopled(database: Engine, key_ring: KeyRing) -> Engine:
    """Five people with a row in each table, on each database in turn."""
    fill(database, key_ring)
    return database


@pytest.fixture
def peopled_on_postgresql(postgresql_database: Engine, key_ring: KeyRing) -> None:
    """The same on PostgreSQL alone."""
    fill(postgresql_database, key_ring)


@pytest.fixture
def owner_database(postgresql_database: Engine, postgres_roles: postgres.Roles, key_ring: KeyRing) -> Iterator[Engine]:
    """The same PostgreSQL database, for who owns its tables."""
    url = postgres_roles.owner.set(database=postgresql_database.url.database)
    engine = scoped(open_engine(url), EVERYBODY, keys=key_ring)
    yield engine
    engine.dispose()


def fill(database: Engine, key_ring: KeyRing) -> None:
    """Five people with a row in each table."""
    with write_session(database) as session:
        session.add_all([Broker(code=code, area_code=WUSHAN) for code in ("b-7", "b-8")])
        posting = Posting(
            state=PostingState.OPEN,
            origin=PostingOrigin.GENERATED,
            title="保洁员",
            kind=PostingKind.FULL_TIME,
            posted_at=NOW,
            changed_at=NOW,
        )
        session.add(posting)
        session.flush()
        brokers = {broker.code: broker.id for broker in session.scalars(select(Broker))}
        for number, home in HOMES.items():
            session.add(_worker(number, home))
            session.flush()
            session.add(
                WorkerStatus(
                    worker_id=number,
                    status=Status.REGISTERED_UNEMPLOYED,
                    evidence=Evidence.CERTIFIED,
                    valid_from=TODAY,
                )
            )
            session.add(
                Consent(worker_id=number, purpose=Purpose.JOB_PUSHES, channel=Channel.SMS, given_at=NOW, how="paper")
            )
            if number in CASES:
                code, last = CASES[number]
                day = date(2026, 1, 1)
                session.add(Case(worker_id=number, broker_id=brokers[code], valid_from=day, valid_to=last))
            session.add(SpellRow(worker_id=number, opened_on=TODAY, source=SpellSource.IMPORT))
            push = _push(number, posting.id)
            session.add(push)
            session.flush()
            session.add(PushChange(push_id=push.id, happened_at=NOW, after=PushState.QUEUED, why="owed"))
            session.add(
                Attempt(push_id=push.id, number=1, channel=Channel.SMS, urgency=1, key=f"k{number}", created_at=NOW)
            )
            session.add(FollowUp(worker_id=number, push_id=push.id, answer=Answer.CALL_ME, asked_at=NOW))
            session.add(Slip(worker_id=number, push_ids=[push.id], printed_at=NOW, actor="clerk/k-1"))
            open_login(
                session,
                role=Role.SEEKER,
                let_in_by=LetInBy.CARD,
                arrival=Arrival(network="", agent=""),
                now=NOW,
                worker_id=number,
            )
            append_entry(
                session, kind=EntryKind.BRIEFING, worker_id=number, happened_at=NOW, now=NOW, actor="a", keys=key_ring
            )
        add_identities(
            session,
            [NewIdentity(worker_id=number, name="样例", id_number=f"{number}") for number in HOMES],
            keys=key_ring,
        )
        session.add(Account(id=1, code="o-1", role=Role.OFFICER, password="-", is_start=True, created_at=NOW))
        session.flush()
        session.add_all(
            Grant(
                account_id=1,
                actor="officer/o-1",
                worker_id=number,
                district_code=home[:6],
                reason=GrantReason.PRESENT,
                words="sealed",
                granted_at=NOW,
                ends_at=NOW,
            )
            for number, home in HOMES.items()
        )
        session.add(Receipt(channel=Channel.SMS, provider="p", digest="d", body="sealed", received_at=NOW))
        erase_person(session, 5, actor="office", now=NOW, keys=key_ring)


def _worker(number: int, home: str) -> Worker:
    return Worker(
        id=number,
        birth_on=date(1970, 1, 1),
        home_area_code=home,
        origin=WorkerOrigin.GENERATED,
        created_at=NOW,
        updated_at=NOW,
    )


def _push(number: int, posting_id: int) -> Push:
    return Push(
        worker_id=number,
        posting_id=posting_id,
        job="j",
        cause=PushCause.OWED,
        made_for="plan",
        match={},
        state=PushState.QUEUED,
        state_at=NOW,
        created_at=NOW,
        expires_at=NOW,
        link=f"link{number}",
    )


def expected(table: str, viewer: Viewer, people: set[int]) -> set[int]:
    """Whose rows of a table are seen by who sees these people; -1 stands for rows that name nobody."""
    if table == "receipts":
        return {-1} if viewer.sees_all else set()
    if table == "cases":
        # A broker sees that somebody was in their care while it lasts.
        return people & CASES.keys()
    if table == "ledger_keys":
        # The key of who was erased is destroyed; the office's own has the number 0.
        return people - {5} | ({0} if viewer.sees_all else set())
    return people


def whose(table: str) -> str:
    """SQL that tells whose the rows of a table are that are seen."""
    if table in ("push_changes", "outbox"):
        return f"SELECT substr(pushes.link, 5) FROM {table} JOIN pushes ON pushes.id = {table}.push_id"  # noqa: S608
    column = {"workers": "id", "receipts": "-1"}.get(table, "worker_id")
    return f"SELECT {column} FROM {table}"  # noqa: S608  our own words


def seen_through_the_mapping(session: Session, table: str) -> set[int]:
    """The same, asked with the mapped classes."""
    mapped = next(each.class_ for each in Base.registry.mappers if each.class_.__tablename__ == table)
    if table in ("push_changes", "outbox"):
        links = session.scalars(select(Push.link).join(mapped, mapped.push_id == Push.id))
        return {int(link.removeprefix("link")) for link in links}
    if table == "receipts":
        return {-1 for _ in session.scalars(select(mapped.id))}
    return set(session.scalars(select(mapped.id if table == "workers" else mapped.worker_id)))


def past_the_application(engine: Engine, viewer: Viewer, keys: KeyRing) -> Engine:
    """An engine of which the database is told a viewer, and of which the application believes that it sees all."""
    return scoped(engine, EVERYBODY, keys=keys).execution_options(jiujin_rows=RowContext(viewer.written(), keys))


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_application_shows_whom_a_viewer_sees_and_nobody_else(peopled: Engine, key_ring: KeyRing) -> None:
    for viewer, people in SEEN.values():
        with read_session(scoped(peopled, viewer, keys=key_ring)) as session:
            require_seen(session, viewer, people)


def require_seen(session: Session, viewer: Viewer, people: set[int]) -> None:
    for table in sorted(PERSONAL_TABLES):
        assert seen_through_the_mapping(session, table) == expected(table, viewer, people), table
    # However a table stands in a statement.
    assert session.scalar(select(func.count()).select_from(Worker)) == len(people)
    assert session.scalar(select(func.count()).select_from(aliased(Worker))) == len(people)
    assert {worker.id for worker in session.scalars(select(Worker))} == people
    assert {number for number in HOMES if session.get(Worker, number) is not None} == people
    has_push = exists().where(Push.worker_id == 3)
    assert bool(session.scalar(select(has_push))) is (3 in people)
    assert session.scalar(select(func.count()).select_from(select(SpellRow.id).subquery())) == len(people)
    rows = session.execute(select(Posting.id, Push.id).outerjoin(Push, Push.posting_id == Posting.id)).all()
    assert {push_id is None for _, push_id in rows} == {not people}


def test_with_the_applications_filter_away_postgresql_shows_no_foreign_row(
    postgresql_database: Engine, peopled_on_postgresql: None, key_ring: KeyRing
) -> None:
    del peopled_on_postgresql
    for viewer, people in SEEN.values():
        with read_session(past_the_application(postgresql_database, viewer, key_ring)) as session:
            for table in sorted(PERSONAL_TABLES):
                found = {int(row) for row in session.scalars(text(whose(table)))}
                assert found == expected(table, viewer, people), (viewer, table)


def test_an_engine_without_a_viewer_is_not_narrowed_here_and_sees_nobody_on_postgresql(peopled: Engine) -> None:
    with Session(peopled.execution_options(jiujin_rows=None, jiujin_viewer=None)) as session:
        seen = session.scalar(select(func.count()).select_from(Worker))
    assert seen == (len(HOMES) if peopled.dialect.name == "sqlite" else 0)


def test_one_connection_takes_no_viewer_along(peopled: Engine, key_ring: KeyRing) -> None:
    engine = peopled
    for viewer, people in SEEN.values():
        with Session(scoped(engine, viewer, keys=key_ring)) as session:
            for _ in range(2):
                assert set(session.scalars(select(Worker.id))) == people
                with session.begin_nested() as savepoint:
                    assert set(session.scalars(select(Push.worker_id))) == people
                    savepoint.rollback()
                assert set(session.scalars(select(SpellRow.worker_id))) == people
                session.commit()


PAST_THE_MAPPING: tuple[Callable[[], Any], ...] = (
    lambda: select(Worker.__table__),
    lambda: select(func.count()).select_from(Worker.__table__),
    lambda: select(Worker.__table__.alias().c.id),
    lambda: select(Posting.id).join(Push.__table__, Push.__table__.c.posting_id == Posting.id),
    lambda: select(Posting.id).where(exists().select_from(Push.__table__)),
    lambda: select(select(Push.__table__.c.id).subquery().c.id),
    lambda: select(Posting.id, select(func.count()).select_from(Push.__table__).scalar_subquery()),
    lambda: update(Posting).where(exists(select(Push.__table__.c.id))).values(title="x"),
    lambda: text("SELECT id FROM workers"),
)


def test_what_reads_people_past_the_mapping_is_refused_unless_one_sees_all(peopled: Engine, key_ring: KeyRing) -> None:
    with Session(scoped(peopled, BROKER, keys=key_ring)) as session:
        for statement in PAST_THE_MAPPING:
            with pytest.raises(RowsUnscoped):
                session.execute(statement())
            with pytest.raises(RowsUnscoped):
                session.connection().execute(statement())
        with pytest.raises(RowsUnscoped):
            list_stored_of(session, [EntryKind.BRIEFING])
        assert session.execute(text("SELECT 1 AS workerless")).scalar() == 1
    with Session(scoped(peopled, EVERYBODY, keys=key_ring)) as session:
        for statement in PAST_THE_MAPPING:
            session.execute(statement())


def test_who_sees_all_pays_nothing(peopled: Engine, key_ring: KeyRing) -> None:
    with Session(scoped(peopled, EVERYBODY, keys=key_ring)) as session:
        told: list[str] = []
        event.listen(peopled, "before_cursor_execute", lambda *given: told.append(given[2]))
        session.execute(select(Worker.id)).all()
    assert "WHERE" not in told[-1]


# --- writing ----------------------------------------------------------------------------------------------------------


def test_writes_to_foreign_rows_change_nothing(peopled: Engine, key_ring: KeyRing) -> None:
    with write_session(scoped(peopled, BROKER, keys=key_ring)) as session:
        # By the mapping and past it.
        for run in (session.execute, session.connection().execute):
            changed: Any = run(update(Push).where(Push.worker_id.in_([3, 4, 5])).values(job="stolen"))
            assert changed.rowcount == 0
            changed = run(update(Push).where(Push.worker_id == 1).values(job="mine"))
            assert changed.rowcount == 1
            changed = run(delete(FollowUp).where(FollowUp.worker_id > 2))
            assert changed.rowcount == 0
            changed = run(delete(Attempt).where(Attempt.key.in_(["k3", "k4", "k5"])))
            assert changed.rowcount == 0
            changed = run(update(Case).values(valid_to=None))
            assert changed.rowcount == 0
    with Session(peopled, expire_on_commit=False) as session:
        foreign = session.get(Worker, 3)
        assert foreign is not None
        session.expunge(foreign)
    with Session(scoped(peopled, BROKER, keys=key_ring)) as session:
        session.add(foreign)
        foreign.max_km = 1
        with pytest.raises(StaleDataError):
            session.flush()


@pytest.mark.parametrize("add", ["flush", "connection"])
def test_rows_are_added_about_those_whom_one_sees(peopled: Engine, key_ring: KeyRing, add: str) -> None:
    def put(viewer: Viewer, *people: int) -> None:
        rows = [
            {
                "worker_id": number,
                "purpose": Purpose.JOB_PUSHES,
                "channel": Channel.VOICE,
                "given_at": NOW,
                "how": "paper",
            }
            for number in people
        ]
        with Session(scoped(peopled, viewer, keys=key_ring)) as session:
            if add == "flush":
                session.add_all([Consent(**row) for row in rows])
                session.flush()
            else:
                session.connection().execute(insert(Consent), rows)

    put(OWN, 1)
    put(BROKER, 1, 2)
    put(OFFICER, 5)
    put(GRANTED, 3, 5)
    for viewer, people in ((OWN, (2,)), (BROKER, (1, 3)), (OFFICER, (3,)), (NOBODY, (1,)), (GRANTED, (4,))):
        with pytest.raises(RowsForeign):
            put(viewer, *people)


def test_a_broker_takes_nobody_into_their_care(peopled: Engine, key_ring: KeyRing) -> None:
    def put(engine: Engine) -> None:
        with Session(engine) as session:
            broker_id = session.scalar(select(Broker.id).where(Broker.code == "b-7"))
            session.connection().execute(insert(Case), [{"worker_id": 3, "broker_id": broker_id, "valid_from": TODAY}])

    with pytest.raises(RowsForeign):
        put(scoped(peopled, BROKER, keys=key_ring))
    if peopled.dialect.name == "postgresql":
        with pytest.raises(ProgrammingError, match="row-level security"):
            put(past_the_application(peopled, BROKER, key_ring))


@pytest.mark.parametrize("viewer", [NOBODY, OWN, BROKER, OFFICER])
def test_with_the_applications_filter_away_postgresql_lets_no_foreign_row_be_written(
    postgresql_database: Engine, peopled_on_postgresql: None, key_ring: KeyRing, viewer: Viewer
) -> None:
    del peopled_on_postgresql
    with Session(past_the_application(postgresql_database, viewer, key_ring)) as session:
        for statement in ("UPDATE pushes SET job = 'stolen' WHERE worker_id = 3", "DELETE FROM workers WHERE id = 3"):
            changed: Any = session.execute(text(statement))
            assert changed.rowcount == 0
        row = {"worker_id": 3, "purpose": Purpose.JOB_PUSHES, "channel": Channel.VOICE, "given_at": NOW, "how": "paper"}
        with pytest.raises(ProgrammingError, match="row-level security"):
            session.connection().execute(insert(Consent), [row])


def test_who_is_removed_takes_their_rows_along(peopled: Engine, key_ring: KeyRing) -> None:
    with write_session(scoped(peopled, OFFICER, keys=key_ring)) as session:
        assert session.execute(delete(Worker).where(Worker.id == 2)).rowcount == 1  # type: ignore[attr-defined]
    with write_session(peopled) as session:
        for table in sorted(PERSONAL_TABLES - {"ledger", "ledger_keys", "receipts"}):
            assert 2 not in seen_through_the_mapping(session, table), table
        assert 2 in seen_through_the_mapping(session, "ledger")


# --- forging ----------------------------------------------------------------------------------------------------------


def forged(engine: Engine, told: Callable[[int], str]) -> list[Any]:
    """Whose rows are seen by who sets the context themselves, given the server's process behind the connection."""
    bare = engine.execution_options(jiujin_rows=None, jiujin_viewer=None)
    with bare.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("SELECT set_config('jiujin.rows', :told, true)"), {"told": told(pid)})
        return [row for table in sorted(PERSONAL_TABLES) for row in connection.scalars(text(whose(table)))]


def test_a_forged_context_opens_nobodys_rows(
    postgresql_database: Engine, peopled_on_postgresql: None, key_ring: KeyRing
) -> None:
    del peopled_on_postgresql
    context, now = RowContext(EVERYBODY.written(), key_ring), int(time.time())

    def as_own_by(pid: int) -> str:
        return RowContext(OWN.written(), key_ring).signed(pid=pid, issued_at=now)

    # As it should be, it opens them; so the others fail for what is wrong with them.
    assert forged(postgresql_database, lambda pid: context.signed(pid=pid, issued_at=now))
    assert forged(postgresql_database, lambda pid: context.signed(pid=pid, issued_at=now - 280))
    others: list[Callable[[int], str]] = [
        lambda pid: context.signed(pid=pid + 1, issued_at=now),
        lambda pid: context.signed(pid=pid, issued_at=now - 330),
        lambda pid: context.signed(pid=pid, issued_at=now + 330),
        lambda pid: as_own_by(pid).replace(OWN.written(), EVERYBODY.written()),
        lambda pid: as_own_by(pid).replace(f"|{now}|", f"|{now + 1}|"),
        lambda pid: "2" + context.signed(pid=pid, issued_at=now)[1:],
        lambda pid: f"1|{pid}|{now}|{'0' * 64}|{EVERYBODY.written()}",
        lambda pid: f"1|{pid}|{now}||{EVERYBODY.written()}",
        lambda pid: f"1|{pid}|{now}|{_mac_without_key(pid, now)}|{EVERYBODY.written()}",
        lambda _pid: EVERYBODY.written(),
        lambda _pid: "everybody",
        lambda _pid: "",
        lambda _pid: "||||",
        lambda _pid: "9999999999999999|1|1|x|everybody",
        lambda _pid: "1|'; SELECT 1|\x00f|-|{everybody}".replace("\x00", "0"),
    ]
    for told in others:
        assert forged(postgresql_database, told) == []


def _mac_without_key(pid: int, now: int) -> str:
    message = f"1|{pid}|{now}|{EVERYBODY.written()}".encode()
    return hmac.digest(b"", message, hashlib.sha256).hex()


def test_what_is_set_for_the_session_by_injected_sql_opens_nobodys_rows(
    postgresql_database: Engine, peopled_on_postgresql: None, key_ring: KeyRing
) -> None:
    del peopled_on_postgresql
    with Session(past_the_application(postgresql_database, OWN, key_ring)) as session:
        told = session.scalar(text("SELECT current_setting('jiujin.rows')"))
        assert session.scalars(text("SELECT id FROM workers")).all() == [1]
        for wrong in (EVERYBODY.written(), str(told).replace("own;1", "own;2"), ""):
            session.execute(text("SELECT set_config('jiujin.rows', :told, false)"), {"told": wrong})
            assert session.scalars(text("SELECT id FROM workers")).all() == []


def test_each_version_of_the_key_opens_after_a_rotation(
    postgresql_database: Engine, owner_database: Engine, peopled_on_postgresql: None, key_ring: KeyRing
) -> None:
    del peopled_on_postgresql
    rotated = key_ring.rotated("token")
    with Session(scoped(postgresql_database, EVERYBODY, keys=rotated)) as session:
        assert session.scalars(select(Worker.id)).all() == []
    with write_session(owner_database) as session:
        store_row_keys(session, row_keys(rotated))
    for ring in (key_ring, rotated):
        with Session(scoped(postgresql_database, EVERYBODY, keys=ring)) as session:
            assert set(session.scalars(select(Worker.id))) == {*HOMES}


# --- the service's role -----------------------------------------------------------------------------------------------


FORBIDDEN = (
    "SELECT * FROM row_keys",
    "UPDATE row_keys SET version = 2",
    "INSERT INTO row_keys VALUES (2, '', '')",
    "ALTER TABLE workers DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE workers NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY rows_seen ON workers",
    "ALTER POLICY rows_seen ON workers USING (true)",
    "CREATE POLICY mine ON workers USING (true)",
    "CREATE OR REPLACE FUNCTION rows_reach() RETURNS text LANGUAGE sql AS $$ SELECT 'everybody' $$",
    "DROP FUNCTION rows_reach() CASCADE",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "ALTER ROLE {service} BYPASSRLS",
    "UPDATE ledger SET actor = 'x'",
    "DELETE FROM ledger",
    "TRUNCATE ledger",
    "DELETE FROM ledger_leaves",
    "DELETE FROM ledger_checkpoints",
    "UPDATE audit_entries SET actor = 'x'",
    "DELETE FROM audit_entries",
    "TRUNCATE audit_entries",
    "ALTER TABLE ledger DISABLE TRIGGER ALL",
    "UPDATE alembic_version SET version_num = '0009'",
    "SET session_replication_role = replica",
    "TRUNCATE workers CASCADE",
)


def test_the_services_role_goes_past_nothing(postgresql_database: Engine, owner_database: Engine) -> None:
    names = {"owner": owner_database.url.username, "service": postgresql_database.url.username}
    for statement in FORBIDDEN:
        with postgresql_database.connect() as connection, pytest.raises(ProgrammingError, match=r"denied|must be"):
            connection.exec_driver_sql(statement.format(**names))


def test_the_policies_hold_for_the_owner_too(
    owner_database: Engine, peopled_on_postgresql: None, key_ring: KeyRing
) -> None:
    del peopled_on_postgresql
    for viewer, people in SEEN.values():
        with Session(past_the_application(owner_database, viewer, key_ring)) as session:
            assert set(session.scalars(text("SELECT id FROM workers"))) == people


def test_each_table_that_names_a_person_is_forced(postgresql_database: Engine) -> None:
    named = {table.name for table in METADATA.tables.values() if {"worker_id", "push_id"} & {*table.columns.keys()}}
    assert named <= PERSONAL_TABLES, "a table about people without a rule in store.scoping"
    with Session(postgresql_database) as session:
        forced = session.scalars(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind = 'r'")
        )
        assert set(forced) == PERSONAL_TABLES


def test_a_role_that_could_go_past_the_policies_is_told(
    postgresql_database: Engine, owner_database: Engine, key_ring: KeyRing
) -> None:
    with Session(postgresql_database) as session:
        assert list_weaknesses(session, PERSONAL_TABLES) == []
        assert list_weaknesses(session, {*PERSONAL_TABLES, "postings"}) == ["这些表没有强制行级安全：postings"]
    with write_session(owner_database) as session:
        assert any("主人" in told for told in list_weaknesses(session, PERSONAL_TABLES))
        grant_to(session, str(postgresql_database.url.username))  # again, it changes nothing
    with Session(postgresql_database) as session:
        assert list_weaknesses(session, PERSONAL_TABLES) == []
    del key_ring
