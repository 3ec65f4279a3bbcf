"""`jiujin ledger due`: what is told about who lacks what, and that nobody is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.spells import SpellEnd, SpellSource
from app.kit.clock import CHINA
from app.kit.database import write_session
from app.store.brokers import Broker, Case
from app.usecases.ledger import append_entry
from app.usecases.spells import close_spell, find_open_spell, open_spells
from app.wiring import House
from tests.cli.conftest import Jiujin, url_of
from tests.people import ALLEVIATED, add_person, unemployed

DAY = timedelta(days=1)


@pytest.fixture
def people(house: House, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Three people: overdue and in the care of a broker, soon due, with time left. The command asks the real clock."""
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    now = datetime.now(UTC)
    today = (now + timedelta(hours=8)).date()
    found = []
    for days in (40, 26, 3):
        opened_on = today - days * DAY
        person = add_person(house, [ALLEVIATED, unemployed(opened_on)])
        with write_session(house.engine) as session:
            open_spells(
                session,
                [person],
                source=SpellSource.CLERK,
                actor="clerk-1",
                on=opened_on,
                now=now,
                keys=house.keys,
            )
        found.append(person)
    with write_session(house.engine) as session:
        broker = Broker(code="b-7", area_code="500237")
        session.add(broker)
        session.flush()
        session.add(Case(worker_id=found[0], broker_id=broker.id, valid_from=date(2026, 1, 1)))
    return found


def test_people_are_told_with_what_to_do_next(people: list[int], jiujin: Jiujin) -> None:
    late, soon, _ = people
    said = jiujin("ledger", "due", "--json")
    told = said.json()
    assert said.code == 0
    assert (told["by"], told["registered"], told["overdue"], told["due_soon"], told["left_out"]) == (
        *("person", 3, 1, 1),
        0,
    )
    assert [(person["worker"], person["state"], person["broker"]) for person in told["people"]] == [
        (late, "overdue", "b-7"),
        (soon, "due_soon", None),
    ]
    first = told["people"][0]
    assert first["home"] == {"code": "500237102", "name": "巫山县 大昌镇"}
    assert [(step["service"], step["missing"]) for step in first["next"]] == [
        ("briefing", 1),
        ("guidance", 1),
        ("push", 3),
        ("training", 1),
    ]
    assert first["next"][0]["text"] == "older_workers"
    words = jiujin("ledger", "due").out
    assert "登记失业的脱贫人口 3 人，超期 1 人，快到期 1 人" in words
    assert "大昌镇" in words


@pytest.mark.parametrize(
    ("by", "key", "name"),
    [
        ("broker", "b-7", "b-7"),
        ("village", "500237102", "巫山县 大昌镇"),
        ("district", "500237", "巫山县"),
    ],
)
def test_groups_are_told_by_name(people: list[int], jiujin: Jiujin, by: str, key: str, name: str) -> None:
    told = jiujin("ledger", "due", "--by", by, "--json").json()
    assert len(people) == told["registered"]
    assert (told["groups"][0]["key"], told["groups"][0]["name"], told["people"]) == (key, name, [])
    assert told["groups"][0]["overdue"] == 1
    # Narrow columns fold a name at its space.
    assert name.rsplit(maxsplit=1)[-1] in jiujin("ledger", "due", "--by", by).out


def test_a_district_or_a_broker_narrows_the_list_and_a_limit_says_what_it_leaves_out(
    people: list[int], jiujin: Jiujin
) -> None:
    assert [one["worker"] for one in jiujin("ledger", "due", "--broker", "b-7", "--json").json()["people"]] == people[
        :1
    ]
    assert jiujin("ledger", "due", "--district", "500102", "--json").json()["registered"] == 0
    assert jiujin("ledger", "due", "--limit", "1", "--json").json()["left_out"] == 1
    assert "另有 1 行" in jiujin("ledger", "due", "--limit", "1").out


def served(house: House, person: int, opened_on: date) -> None:
    """All that is owed, briefing and guidance too late, one push answered by the person, and work begun."""
    at = datetime.combine(opened_on, time(9), tzinfo=CHINA)
    facts: dict[EntryKind, dict[str, Any]] = {
        EntryKind.BRIEFING: {"text": "t", "version": 1},
        EntryKind.GUIDANCE: {"minutes": 9, "said": True},
        EntryKind.TRAINING: {"session": 1},
        EntryKind.PUSH: {
            "push": None,
            "posting": None,
            "is_open": True,
            "places": 2,
            "bar": None,
            "skill_permille": 800,
            "metres": 900,
            "reach_metres": 9000,
            "reasons": [],
        },
        EntryKind.START: {"posting": None},
    }
    with write_session(house.engine) as session:
        spell = find_open_spell(session, person)
        assert spell is not None

        def write(kind: EntryKind, days: int, **more: Any) -> Entry:
            return append_entry(
                session,
                kind=kind,
                worker_id=person,
                spell_id=spell.id,
                channel=Channel.SLIP,
                evidence=more.pop("evidence", Grade.A),
                happened_at=at + days * DAY,
                now=at + days * DAY,
                actor="clerk/1",
                refers_to=more.pop("refers_to", None),
                facts={**facts.get(kind, {}), **more},
                keys=house.keys,
            )

        write(EntryKind.BRIEFING, 31)
        write(EntryKind.GUIDANCE, 32)
        write(EntryKind.TRAINING, 3)
        pushes = [write(EntryKind.PUSH, 3, job=f"job-{number}", evidence=Grade.B) for number in range(3)]
        write(EntryKind.ANSWER, 4, refers_to=pushes[0].id, answer="interested")
        write(EntryKind.START, 33)


def test_totals_tell_what_counts_by_grade_what_was_late_and_whom_it_brought_into_work(
    house: House, people: list[int], jiujin: Jiujin
) -> None:
    late, soon, _ = people
    today = (datetime.now(UTC) + timedelta(hours=8)).date()
    served(house, late, today - 40 * DAY)
    with write_session(house.engine) as session:
        spell = find_open_spell(session, soon)
        assert spell is not None
        close_spell(
            session,
            spell.id,
            end=SpellEnd.MOVED_AWAY,
            actor="clerk/1",
            on=today - DAY,
            now=datetime.now(UTC),
            keys=house.keys,
        )
    told = jiujin("ledger", "totals", "--by", "broker", "--json").json()
    total = told["total"]
    assert (total["spells"], total["headline"], total["closed_afterwards"]) == (3, 1, 0)
    assert total["services"]["push"] == {"owed": 9, "done": {"A": 1, "B": 2, "C": 0}, "late": 0}
    assert total["services"]["briefing"] == {"owed": 3, "done": {"A": 1, "B": 0, "C": 0}, "late": 1}
    assert {state: number for state, number in total["states"].items() if number} == {"done": 1, "lapsed": 1, "open": 1}
    assert total["complete"] == {"A": 0, "B": 1, "C": 0}
    assert [(group["key"], group["name"], group["spells"], group["headline"]) for group in told["groups"]] == [
        ("", "没有经纪人", 2, 0),
        ("b-7", "b-7", 1, 1),
    ]
    (district,) = jiujin("ledger", "totals", "--by", "district", "--json").json()["groups"]
    assert (district["key"], district["name"]) == ("500237", "巫山县")
    assert {name: district[name] for name in total} == total
    assert jiujin("ledger", "totals", "--json").json()["groups"] == []
    words = jiujin("ledger", "totals", "--by", "district").out
    assert "登记 3 次，其中做到了 1" in words
    assert "回应了推送又上了岗的 1 人" in words
    assert "3/9" in words


@pytest.mark.parametrize(
    ("option", "value", "code"), [("--broker", "nobody", "broker_unknown"), ("--district", "9", "district_unknown")]
)
@pytest.mark.usefixtures("people")
def test_a_broker_or_district_that_is_not_there_is_a_failure(
    jiujin: Jiujin, option: str, value: str, code: str
) -> None:
    said = jiujin("ledger", "due", option, value, "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, code)


@pytest.mark.usefixtures("people")
def test_a_way_of_listing_that_does_not_exist_is_wrong_use(jiujin: Jiujin) -> None:
    said = jiujin("ledger", "due", "--by", "moon")
    assert said.code == 2
    assert "--by" in said.err


@pytest.mark.usefixtures("sqlite_database")
def test_without_reference_data_it_says_what_to_run(
    jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JIUJIN_DATA", str(tmp_path))
    said = jiujin("ledger", "due", "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "not_loaded")
    assert "jiujin seed reference" in said.json()["error"]["message"]


def spoil(house: House, column: str, worker_id: int) -> None:
    """Put what no entry has into one column of somebody's entries, past the triggers."""
    with house.engine.begin() as connection:
        if house.engine.dialect.name == "sqlite":
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f'DROP TRIGGER "{name}"'))
        else:
            connection.execute(text("ALTER TABLE ledger DISABLE TRIGGER ALL"))
        connection.execute(text(f"UPDATE ledger SET {column} = 'nonsense' WHERE worker_id = {worker_id}"))  # noqa: S608


def told_as_spoilt(jiujin: Jiujin, worker_id: int) -> bool:
    commands = (["due"], ["totals"], ["person", "--worker", str(worker_id)])
    errors = [jiujin("ledger", *command, "--json").json()["error"] for command in commands]
    is_told = all("jiujin ledger verify" in error["message"] for error in errors)
    return is_told and {error["code"] for error in errors} == {"ledger_spoilt"}


def test_a_ledger_that_somebody_has_spoilt_is_told_and_where_to_look(
    house: House, people: list[int], jiujin: Jiujin
) -> None:
    spoil(house, "kind", people[0])
    assert told_as_spoilt(jiujin, people[0])
    assert jiujin("ledger", "verify", "--json").code == 1


# PostgreSQL's own types let nothing like it into these columns.
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["written_at", "facts"])
def test_what_sqlite_lets_into_a_column_is_told_as_well(
    house: House, people: list[int], jiujin: Jiujin, column: str
) -> None:
    spoil(house, column, people[0])
    assert told_as_spoilt(jiujin, people[0])
