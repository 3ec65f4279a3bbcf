"""People of a house who are registered as something: generated, without an identity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import count
from typing import Any

from app.domain.workers import Evidence, Status, WorkerOrigin
from app.kit.database import write_session
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
    number, now = next(_numbers), house.clock.now()
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
