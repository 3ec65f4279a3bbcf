"""Houses for tests of the floors that need one: a database with the reference data, a few postings, a clock, keys.

The reference data is loaded once for each kind of database and then copied. A folder of tests takes these fixtures by
importing them in its conftest.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine

from app.domain.areas import Precision
from app.domain.employers import EmployerKind
from app.domain.pay import Pay, PayUnit
from app.domain.postings import PostingKind, PostingOrigin, PostingState
from app.kit.clock import FixedClock
from app.kit.database import open_engine, read_session, write_session
from app.kit.keys import KeyRing
from app.settings import Settings
from app.store.employers import Employer
from app.store.postings import Posting
from app.usecases.areas import AreaBook
from app.wiring import House, load_matchmaker
from seed.reference import load_reference
from tests import postgres
from tests.conftest import open_copy

LOADED_AT = datetime(2026, 11, 30, tzinfo=UTC)

# 大昌镇 in 巫山县, the home of the interface's example, and its centre as seed/data/cq_townships_2025.csv has it.
WUSHAN = "500237"
HOME_TOWNSHIP = "500237102"
HOME_LON, HOME_LAT = 109.8021, 31.26861

_numbers = count(1)


@pytest.fixture(scope="session")
def sqlite_reference(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the reference data, to be copied."""
    path = tmp_path_factory.mktemp("reference") / "jiujin.db"
    shutil.copyfile(sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    load_reference(engine, now=LOADED_AT, report=lambda _name, _rows: None)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_reference(
    postgres_server: URL, postgres_roles: postgres.Roles, postgresql_template: str
) -> Iterator[str]:
    """The name of a PostgreSQL database with the reference data, to be copied."""
    name = f"jiujin_reference_{uuid4().hex[:12]}"
    owner = postgres_roles.owner
    postgres.create_database(postgres_server, name, template=postgresql_template, owner=owner.username)
    engine = open_engine(postgres_roles.service.set(database=name))
    load_reference(engine, now=LOADED_AT, report=lambda _name, _rows: None)
    engine.dispose()
    yield name
    postgres.drop_database(postgres_server, name)


@pytest.fixture
def furnished(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind in turn, with the reference data and nothing else."""
    if backend == "sqlite":
        path = tmp_path / "furnished.db"
        shutil.copyfile(request.getfixturevalue("sqlite_reference"), path)
        engine = open_engine(f"sqlite:///{path}")
        yield engine
        engine.dispose()
        return
    server: URL = request.getfixturevalue("postgres_server")
    name = f"jiujin_furnished_{uuid4().hex[:12]}"
    template: str = request.getfixturevalue("postgresql_reference")
    engine = open_copy(request, name, template=template)
    yield engine
    engine.dispose()
    postgres.drop_database(server, name)


@pytest.fixture
def house(furnished: Engine, clock: FixedClock, key_ring: KeyRing, tmp_path: Path) -> House:
    """A house over a furnished database; its matchmaker is not loaded yet."""
    return House(settings=Settings(data=tmp_path), engine=furnished, keys=key_ring, clock=clock)


def with_matchmaker(house: House) -> House:
    """The house with a matchmaker that knows what the database holds now."""
    return replace(house, matchmaker=load_matchmaker(house))


def area_book(house: House) -> AreaBook:
    """The areas in force today, read once for all houses: they hold the same, and reading takes longer than a test."""
    today = house.clock.today()
    if today not in _BOOKS:
        with read_session(house.engine) as session:
            _BOOKS[today] = AreaBook.load(session, on=today)
    return _BOOKS[today]


_BOOKS: dict[date, AreaBook] = {}


def add_posting(house: House, **given: Any) -> int:
    """Put an open posting into the database, a cleaner's in the home township unless told otherwise; its id."""
    number = next(_numbers)
    now = house.clock.now() - timedelta(minutes=1)
    employer = Employer(
        name=f"样例物业{number}号", kind=EmployerKind.FIRM, verified_on=date(2026, 11, 2), generated=True, phone=""
    )
    values: dict[str, Any] = {
        "state": PostingState.OPEN,
        "origin": PostingOrigin.GENERATED,
        "title": f"小区保洁员{number}",
        "occupation_code": "4-09-08-01",
        "occupation_confidence": 0.95,
        "kind": PostingKind.FULL_TIME,
        "area_code": HOME_TOWNSHIP,
        "workplace": "农贸市场旁",
        # A hundred metres further north each time, up to five kilometres from the township's centre.
        "lon": HOME_LON,
        "lat": HOME_LAT + number % 50 / 1_000,
        "precision": Precision.POINT,
        "duties": "打扫楼道",
        "conditions": "身体健康",
        "pay": Pay(unit=PayUnit.MONTH, low=Decimal(2800), high=Decimal(3200)),
        "paid_by": "用人单位",
        "paid_when": "每月15日",
        "openings": 2,
        "hours": "8:00-17:00",
        "valid_until": house.clock.today() + timedelta(days=20),
        "physical_level": 2,
        "phone": "023-57680000",
        "posted_at": now,
        "changed_at": now,
        **given,
    }
    pay: Pay | None = values.pop("pay")
    if pay is not None:
        low, high = pay.yuan_month(is_part_time=values["kind"] is PostingKind.PART_TIME)
        values |= {
            "pay_unit": pay.unit,
            "pay_low": pay.low,
            "pay_high": pay.high,
            "pay_min_yuan_month": low,
            "pay_max_yuan_month": high,
        }
    with write_session(house.engine) as session:
        session.add(employer)
        session.flush()
        posting = Posting(employer_id=employer.id, **values)
        session.add(posting)
        session.flush()
        return posting.id
