"""People of a house who are registered as something: generated, with an identity where a test asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import count
from typing import Any

from app.domain.identities import id_check
from app.domain.workers import Evidence, Status, WorkerOrigin
from app.kit.database import write_session
from app.store.identities import NewIdentity, add_identity
from app.store.workers import add_workers
from app.wiring import House
from tests.houses import HOME_TOWNSHIP

Registered = tuple[Status, date, date | None]

LONG_AGO = date(2020, 12, 31)
ALLEVIATED: Registered = (Status.POVERTY_ALLEVIATED, LONG_AGO, None)

_numbers = count(1)


def unemployed(since: date, until: date | None = None) -> Registered:
    """Registered as unemployed from a day on."""
    return (Status.REGISTERED_UNEMPLOYED, since, until)


def add_person(
    house: House, statuses: Sequence[Registered] = (ALLEVIATED, unemployed(date(2026, 11, 1))), **given: Any
) -> int:
    """Put somebody into the database, at home in the home township unless told otherwise; their id."""
    number, now = given.pop("id", None) or next(_numbers), house.clock.now()
    values: dict[str, Any] = {
        "id": number,
        "birth_on": date(1970, 1, 1 + number % 28),
        "sex": None,
        "home_area_code": HOME_TOWNSHIP,
        "wants": ["4-09-08-01"],
        "origin": WorkerOrigin.GENERATED,
        "created_at": now,
        "updated_at": now,
        **given,
    }
    rows = [
        {
            "worker_id": number,
            "status": status,
            "evidence": Evidence.CERTIFIED,
            "valid_from": since,
            "valid_to": until,
        }
        for status, since, until in statuses
    ]
    with write_session(house.engine) as session:
        add_workers(session, [values], rows)
    return number


def number_of(worker_id: int) -> str:
    """The ID number of a person of `add_named`: a right one, of a place that never was."""
    body = f"99000019700101{worker_id % 1_000:03d}"
    return body + id_check(body)


def add_named(house: House, *, name: str = "样例", phone: str | None = None, **given: Any) -> int:
    """Put somebody with an identity into the database; their id."""
    worker_id = add_person(house, **given)
    identity = NewIdentity(worker_id=worker_id, name=name, id_number=number_of(worker_id), phone=phone)
    with write_session(house.engine) as session:
        add_identity(session, identity, keys=house.keys)
    return worker_id
