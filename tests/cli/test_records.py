"""What a clerk writes from the terminal: each deed once, told with its number; what is wrong is told, not written."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from app.cli.terminal import Failed
from app.domain.consents import Purpose
from app.domain.fictions import Finding, find_fictions
from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.postings import PostingKind
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing, save_key_ring
from app.store.audit import AuditEntry, record_act
from app.store.brokers import Broker
from app.store.consents import find_consent, list_consents
from app.store.courses import Course, CourseSession
from app.store.policies import LocalSetting
from app.usecases.consents import read_address
from app.usecases.ledger import EntryDraft, append_entries, list_entries
from app.wiring import House, bind_keys
from tests.cli.conftest import Jiujin, Said, add_posting, url_of
from tests.houses import HOME_TOWNSHIP
from tests.people import ALLEVIATED, add_person, unemployed

DAY = timedelta(days=1)
TALK = ("--minutes", "15", "--said", "想在镇上找活")
Record = Callable[..., Said]


@pytest.fixture
def today() -> date:
    """The commands ask the real clock."""
    return (datetime.now(UTC) + timedelta(hours=8)).date()


@pytest.fixture
def person(house: House, key_ring: KeyRing, today: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Somebody who is registered as both since a month; a broker; the commands find the database."""
    save_key_ring(key_ring, tmp_path / "keys.json")
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("JIUJIN_DATA", str(tmp_path / "data"))
    bind_keys(house)
    with write_session(house.engine) as session:
        session.add(Broker(code="b-7", area_code="500237"))
    return add_person(house, [ALLEVIATED, unemployed(today - 30 * DAY)])


@pytest.fixture
def record(jiujin: Jiujin, person: int) -> Record:
    """`jiujin ledger …` for that person by the broker, in JSON; a spell is open since three weeks."""

    def call(*words: str, by: str = "broker/b-7") -> Said:
        return jiujin("ledger", *words, "--by", by, "--json")

    opened_on = (datetime.now(UTC) + timedelta(hours=8)).date() - 21 * DAY
    assert call("open", "--worker", str(person), "--on", opened_on.isoformat()).code == 0
    return call


def count_entries(house: House) -> int:
    with read_session(house.engine) as session:
        return len(list_entries(session))


def test_a_whole_package_is_written_and_counted_from_the_terminal(
    house: House, person: int, record: Record, jiujin: Jiujin, today: date
) -> None:
    worker = ("--worker", str(person))
    with write_session(house.engine) as session:
        session.add(course := Course(name="样例班", occupation_code="4-09-08-01", days=3))
        session.flush()
        days = {"starts_on": today + 9 * DAY, "ends_on": today + 11 * DAY}
        session.add(held := CourseSession(course_id=course.id, area_code=HOME_TOWNSHIP, seats=9, taken=0, **days))
        session.flush()
        number = str(held.id)
    postings = [str(add_posting(house, valid_until=None)) for _ in range(3)]
    written = [
        record("record", "briefing", *worker, "--text", "registered_unemployed", "--evidence", "A"),
        record("record", "guidance", *worker, *TALK),
        record("record", "training", *worker, "--session", number, *TALK, "--channel", "call"),
        *(record("record", "push", *worker, "--posting", posting, *TALK) for posting in postings),
    ]
    assert [(said.code, said.json()["counts"], said.json()["why_not"]) for said in written] == [(0, True, None)] * 6
    told = jiujin("ledger", "person", *worker, "--json").json()
    assert (told["complete"], told["weakest_grade"], told["answered"]) == (True, "C", False)
    assert told["duties"]["push"] == {"owed": 3, "done": {"A": 0, "B": 0, "C": 3}, "state": "done", "due_on": None}
    assert "应尽服务全部做到" in jiujin("ledger", "person", *worker).out
    first = written[3].json()
    assert (first["facts"]["is_open"], first["facts"]["bar"], first["facts"]["posting"]) == (
        True,
        None,
        int(postings[0]),
    )
    answered = record(
        "record", "answer", str(first["entry"]), "--answer", "interested", "--channel", "slip", "--evidence", "A"
    )
    assert (answered.code, answered.json()["kind"]) == (0, "answer")
    struck = record("strike", str(written[4].json()["entry"]), "--why", "记错了人", by="clerk/k-1")
    assert (struck.code, struck.json()["kind"]) == (0, "strike")
    told = jiujin("ledger", "person", *worker, "--json").json()
    assert (told["complete"], told["answered"], told["duties"]["push"]["done"]) == (
        False,
        True,
        {"A": 1, "B": 0, "C": 1},
    )
    assert "不算数：已经作废" in jiujin("ledger", "person", *worker).out


def test_the_same_job_again_and_a_job_out_of_reach_are_written_and_told_not_to_count(
    house: House, person: int, record: Record
) -> None:
    worker, posting = ("--worker", str(person)), str(add_posting(house, valid_until=None))
    assert record("record", "push", *worker, "--posting", posting, *TALK).json()["counts"] is True
    assert record("record", "push", *worker, "--posting", posting, *TALK).json()["why_not"] == "same_job"
    far = str(add_posting(house, valid_until=None, lon=106.55, lat=29.56))
    assert record("record", "push", *worker, "--posting", far, *TALK).json()["why_not"] == "too_far"


def test_refusals_attempts_starts_and_the_end_of_a_spell_are_written(house: House, person: int, record: Record) -> None:
    worker = ("--worker", str(person))
    assert record("record", "refusal", *worker, "--service", "training", *TALK).json()["facts"]["service"] == "training"
    assert record("record", "attempt", *worker, "--channel", "call").json()["kind"] == "attempt"
    assert record("record", "start", *worker, "--close").json()["error"]["code"] == "invalid"
    started = record("record", "start", *worker, "--close", *TALK)
    assert (started.code, started.json()["kind"]) == (0, "start")
    with read_session(house.engine) as session:
        kinds = [entry.kind for entry in list_entries(session)]
    assert kinds == [
        EntryKind.SPELL_OPENED,
        EntryKind.REFUSAL,
        EntryKind.ATTEMPT,
        EntryKind.START,
        EntryKind.SPELL_CLOSED,
    ]
    assert record("record", "guidance", *worker, *TALK, "--at", "2026-01-01 09:00").json()["error"]["code"] == (
        "no_open_spell"
    )


def test_a_spell_is_closed_with_its_reason_and_opened_once(person: int, record: Record) -> None:
    assert record("open", "--worker", str(person)).json()["spell"] is None
    closed = record("close", "1", "--end", "not_looking")
    assert (closed.code, closed.json()["end"]) == (0, "not_looking")
    assert record("close", "1", "--end", "employed").json()["error"]["code"] == "spell_closed"


@pytest.mark.parametrize(
    ("words", "code", "fields"),
    [
        (("record", "guidance", "--worker", "{person}"), "invalid", ["minutes_missing", "said_missing"]),
        (("record", "briefing", "--worker", "{person}", "--text", "none", *TALK), "invalid", ["text_unknown"]),
        (("record", "training", "--worker", "{person}", "--session", "9", *TALK), "invalid", ["session_unknown"]),
        (("record", "push", "--worker", "{person}", "--posting", "2147483647", *TALK), "posting_unknown", None),
        (("record", "guidance", "--worker", "2147483647", *TALK), "no_open_spell", None),
        (("record", "guidance", "--worker", "{person}", *TALK, "--at", "2999-01-01 09:00"), "invalid", ["in_future"]),
        (("record", "answer", "1", "--answer", "interested"), "ledger_entry_unknown", None),
        (("strike", "2147483647", "--why", "错了"), "ledger_entry_unknown", None),
        (("close", "2147483647", "--end", "employed"), "spell_unknown", None),
        (("propose", "--worker", "{person}", "--why", "没有合适的"), "last_resort_too_early", None),
        (("decide", "--worker", "{person}", "--approve", "--why", "同意"), "last_resort_not_officers", None),
        (("place", "2147483647", "--worker", "1"), "posting_unknown", None),
    ],
)
def test_what_cannot_be_written_is_told_in_chinese_and_changes_nothing(
    house: House, person: int, record: Record, words: tuple[str, ...], code: str, fields: list[str] | None
) -> None:
    before = count_entries(house)
    said = record(*(word.format(person=person) for word in words))
    error = said.json()["error"]
    assert (said.code, error["code"]) == (1, code)
    assert fields is None or [field["code"] for field in error["fields"]] == fields
    assert any("\u4e00" <= letter <= "\u9fff" for letter in error["message"])
    assert count_entries(house) == before


@pytest.mark.parametrize(("by", "code"), [("张三", "invalid"), ("broker/nobody", "broker_unknown")])
def test_whoever_signs_is_known(house: House, person: int, record: Record, by: str, code: str) -> None:
    before = count_entries(house)
    said = record("record", "guidance", "--worker", str(person), *TALK, by=by)
    assert (said.code, said.json()["error"]["code"], count_entries(house)) == (1, code, before)


@pytest.mark.parametrize(
    "words",
    [
        ("record", "guidance", "--worker", "0"),
        ("record", "guidance", "--worker", "1", "--evidence", "B"),
        ("record", "guidance", "--worker", "1", "--at", "gestern"),
        ("record", "attempt", "--worker", "1", "--service", "start"),
    ],
)
def test_what_cannot_be_understood_is_wrong_use(record: Record, words: tuple[str, ...]) -> None:
    said = record(*words)
    assert (said.code, said.json()["error"]["code"]) == (2, "wrong_use")


def test_places_are_told_in_their_order(house: House, person: int, record: Record) -> None:
    posting = add_posting(house, kind=PostingKind.WORK_RELIEF, openings=1, valid_until=None)
    other = add_person(house, [])
    told = record("place", str(posting), "--worker", str(other), "--worker", str(person)).json()
    assert (told["placed"], told["waiting"], len(told["entries"])) == ([person], [other], 1)


def test_a_consent_is_given_and_ended(house: House, person: int, jiujin: Jiujin) -> None:
    words = ("push", "consent", "--worker", str(person), "--channel", "sms", "--by", "clerk/k-1", "--json")
    for more, allowed in (((), {Channel.SMS}), (("--end",), set())):
        assert jiujin(*words, *more).code == 0
        with read_session(house.engine) as session:
            assert list_consents(session, [person], purpose=Purpose.JOB_PUSHES).get(person, frozenset()) == allowed
    said = jiujin("push", "consent", "--worker", str(person), "--channel", "visit", "--by", "clerk/k-1", "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "channel_not_electronic")


def typed(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(words.encode())))


def test_a_consent_to_wechat_names_the_open_id_and_the_command_does_not_hold_it(
    house: House, person: int, jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("push", "consent", "--worker", str(person), "--channel", "wechat", "--by", "clerk/k-1", "--json")
    typed(monkeypatch, " oGenerated-0_1\n")
    said = jiujin(*words, "--address")
    assert (said.code, "oGenerated" in said.out + said.err) == (0, False)
    with read_session(house.engine) as session:
        consent = find_consent(session, worker_id=person, purpose=Purpose.JOB_PUSHES, channel=Channel.WECHAT)
        assert consent is not None
        assert read_address(session, consent, keys=house.keys) == "oGenerated-0_1"
    assert jiujin(*words, "--end").code == 0


@pytest.mark.parametrize(
    ("more", "line", "code"),
    [
        (("--channel", "wechat"), "oGenerated-0_1\n", "address_missing"),
        (("--channel", "wechat", "--address"), "", "address_unreadable"),
        (("--channel", "wechat", "--address"), "10000000001\n", "address_unreadable"),
        (("--channel", "wechat", "--address"), "张三的微信\n", "address_unreadable"),
        (("--channel", "wechat", "--address"), "o" * 500, "address_unreadable"),
        (("--channel", "sms", "--address"), "oGenerated-0_1\n", "wrong_use"),
        (("--channel", "wechat", "--address", "--end"), "oGenerated-0_1\n", "wrong_use"),
    ],
)
def test_a_consent_that_reaches_nobody_is_told_and_not_written(
    house: House, person: int, jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch, more: Any, line: str, code: str
) -> None:
    typed(monkeypatch, line)
    said = jiujin("push", "consent", "--worker", str(person), "--by", "clerk/k-1", "--json", *more)
    error = said.json()["error"]
    assert (said.code, error["code"]) == (2 if code == "wrong_use" else 1, code)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in error["message"])
    assert (line.strip() or "nothing") not in said.out + said.err
    with read_session(house.engine) as session:
        assert list_consents(session, [person], purpose=Purpose.JOB_PUSHES) == {}


def test_the_watch_tells_what_is_worth_a_look_and_shows_no_words(house: House, person: int, jiujin: Jiujin) -> None:
    now = datetime.now(UTC)
    given: dict[str, Any] = {"channel": Channel.VISIT, "evidence": Grade.C, "actor": "broker/b-7", "now": now}
    people = [person, *(add_person(house, []) for _ in range(5))]
    drafts = [
        EntryDraft(
            kind=EntryKind.GUIDANCE,
            worker_id=worker,
            happened_at=now - number * DAY - timedelta(minutes=30),
            facts={"minutes": 12, "said": True},
            note="本人想在附近找工作，已经讲解了政策",
            **given,
        )
        for number, worker in enumerate(people)
    ]
    with write_session(house.engine) as session:
        written = append_entries(session, drafts, keys=house.keys)
    said = jiujin("ledger", "watch", "--json")
    copied = next(one for one in said.json()["findings"] if one["code"] == "copied_note")
    assert (copied["entries"], copied["writers"]) == ([entry.id for entry in written], ["broker/b-7"])
    words = jiujin("ledger", "watch").out
    assert "谈话记录照抄" in words.replace("\n", "")
    assert "想在附近" not in words + said.out
    empty = jiujin("ledger", "watch", "--until", "2025-06-30", "--json").json()
    assert (empty["entries"], empty["findings"]) == (0, [])
    wrong = jiujin("ledger", "watch", "--since", "2026-02-01", "--until", "2026-01-01", "--json")
    assert (wrong.code, wrong.json()["error"]["fields"][0]["code"]) == (1, "until_before_since")


def test_where_the_rules_are_missing_a_service_is_written_once_and_not_judged(
    house: House, person: int, record: Record, jiujin: Jiujin
) -> None:
    with write_session(house.engine) as session:
        session.execute(delete(LocalSetting).where(LocalSetting.name == "obligation_evidence"))
    before = count_entries(house)
    words = ("record", "guidance", "--worker", str(person), *TALK)
    said = record(*words)
    assert (said.code, said.json()["counts"], said.json()["why_not"]) == (0, None, None)
    assert count_entries(house) == before + 1
    assert "算不算数现在判断不了" in jiujin("ledger", *words, "--by", "clerk/k-1").out


def test_what_cannot_be_judged_for_another_reason_is_not_written(
    house: House, person: int, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Failed("连接断了", code="connection_lost")

    monkeypatch.setattr("app.cli.records.why_uncounted", fail)
    before = count_entries(house)
    assert record("record", "guidance", "--worker", str(person), *TALK).code == 1
    assert count_entries(house) == before


def test_while_the_watch_looks_others_write_and_its_audit_stands_before_anything_is_shown(
    house: House, person: int, record: Record, jiujin: Jiujin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert record("record", "guidance", "--worker", str(person), *TALK).code == 0

    def look_while_somebody_writes(*given: Any, **more: Any) -> list[Finding]:
        with write_session(house.engine) as session:
            record_act(session, actor="clerk/k-2", action="other_work", subject="workers", now=house.clock.now())
        return find_fictions(*given, **more)

    monkeypatch.setattr("app.usecases.fictions.find_fictions", look_while_somebody_writes)
    seen = jiujin("ledger", "watch", "--json")
    assert (seen.code, seen.json()["entries"]) == (0, 2)
    with read_session(house.engine) as session:
        acts = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert acts[-2:] == ["other_work", "compare_notes"]

    def fail(*_: Any, **__: Any) -> None:
        raise Failed("写不进审计", code="audit_failed")

    monkeypatch.setattr("app.cli.fictions.record_watch", fail)
    assert jiujin("ledger", "watch", "--json").json().keys() == {"error"}


def test_a_status_that_begins_opens_a_spell_and_one_that_ends_closes_it(
    house: House, person: int, jiujin: Jiujin, today: date
) -> None:
    other = add_person(house, [ALLEVIATED])
    given = ("--worker", str(other), "--status", "registered_unemployed", "--by", "clerk/k-1", "--json")
    begun = jiujin("ledger", "status", *given, "--on", (today - 3 * DAY).isoformat())
    # From the day that was named, and for nobody else, though the other one is registered as both, too.
    assert (begun.code, len(begun.json()["opened"]), begun.json()["closed"]) == (0, 1, [])
    assert jiujin("ledger", "status", *given).json()["opened"] == []
    found = jiujin("ledger", "person", "--worker", str(other), "--json").json()
    assert (found["worker"], found["opened_on"]) == (other, (today - 3 * DAY).isoformat())
    ended = jiujin("ledger", "status", *given, "--end", "--on", (today - DAY).isoformat())
    assert (ended.code, len(ended.json()["closed"])) == (0, 1)
    assert jiujin("ledger", "status", *given, "--end").json()["error"]["code"] == "status_not_borne"
    assert jiujin("ledger", "status", *given, "--on", "2999-01-01").json()["error"]["code"] == "invalid"
    assert person != other
