"""Patterns that make counts look better: each is found where it is put, and an ordinary month of 40 brokers is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any

import pytest

from app.domain.fictions import Beside, Fiction, Finding, Thresholds, find_fictions, plain_note
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.kit.clock import CHINA, china_date

LIMITS = Thresholds(
    least=3,
    share=0.1,
    late_days=1,
    reopened_days=30,
    burst_days=3,
    burst_people=20,
    burst_multiple=3,
    same_job_people=10,
    same_job_share=0.5,
    people_per_place=3,
    phone_people=4,
    night_from=time(22),
    night_until=time(6),
    guidance_minutes=2,
    talks_at_once=3,
    far_metres=100_000,
    copied_people=5,
    copied_characters=12,
    copied_share=0.3,
)
MONTH = date(2026, 11, 1)
BROKERS = 40
DAY = timedelta(days=1)
_OPENINGS = [
    "想在镇上找活",
    "家里有老人要照看",
    "孩子上学走不开",
    "以前在广东做过",
    "腰不太好",
    "愿意去县城",
    "暂时不急",
]
_MIDDLES = [
    "问了工资和上下班时间",
    "说了两个岗位的路怎么走",
    "讲了培训的日子",
    "看了身份证和社保卡",
    "约好下周再打电话",
]
_WHERE = [
    f"{name}{part}"
    for name in ("大屋", "石桥", "柑子坪", "双河", "水井湾", "老街")
    for part in ("上头", "下头", "对门", "边上")
]
_WORK = ["种菜", "养猪", "带孙子", "做过保洁", "开过三轮", "缝过衣服", "烧过菜", "守过门", "摘茶", "打过砖"]
_ENDS = ["她想和家里商量", "他明天去看看", "要等收完柑子", "嫌工资低了一点", "觉得可以", "让我帮忙问包不包饭"]


@dataclass
class Book:
    """A ledger as it grows, and what is known beside it."""

    entries: list[Entry] = field(default_factory=list)
    notes: dict[int, tuple[str, int]] = field(default_factory=dict)
    metres: dict[int, int] = field(default_factory=dict)
    due_days: dict[int, list[date]] = field(default_factory=dict)
    care: dict[int, str] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    closed_late: set[int] = field(default_factory=set)
    reopened: set[int] = field(default_factory=set)
    reaches: dict[int, int] = field(default_factory=dict)
    one_phone: list[list[int]] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def add(self, kind: EntryKind, worker: int, at: datetime, *, note: str | None = None, **given: Any) -> Entry:
        values: dict[str, Any] = {
            "channel": Channel.VISIT,
            "evidence": Grade.C,
            "actor": "broker/b-1",
            "written_at": at,
            **given,
        }
        entry = Entry(id=next(self.ids), kind=kind, worker_id=worker, spell_id=worker, happened_at=at, **values)
        self.entries.append(entry)
        if note is not None:
            self.notes[entry.id] = (plain_note(note), len(plain_note(note)))
        return entry

    def findings(self, **limits: Any) -> list[Finding]:
        beside = Beside(
            due_days=self.due_days,
            closed=self.closed,
            closed_late=self.closed_late,
            reopened=self.reopened,
            metres=self.metres,
            reaches=self.reaches,
            one_phone=self.one_phone,
            notes=self.notes,
            care=self.care,
        )
        return find_fictions(self.entries, limits=replace(LIMITS, **limits), beside=beside)


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime.combine(MONTH, time(hour, minute), tzinfo=CHINA) + DAY * (day - 1)


def push_facts(job: str, *, places: int = 5, metres: int = 4_000) -> dict[str, Any]:
    return {
        "push": None,
        "posting": 1,
        "job": job,
        "is_open": True,
        "places": places,
        "bar": None,
        "skill_permille": 700,
        "metres": metres,
        "reach_metres": 30_000,
        "reasons": [],
        "minutes": 6,
        "said": True,
    }


def ordinary_month(seed: int) -> Book:
    """40 brokers with some thirty people each and all the untidiness of honest work.

    A third of the people were registered on one day, so that their package is due on one day, and visits grow denser
    before it; a factory's opening goes to many; families share a telephone; some talks are in the evening, a few late
    at night; some notes are short and alike, a posting closes while the broker is on the way. Some answers come back on
    paper and are typed days later, some people begin to work, and now and then a closing or a week's writing is late.
    """
    dice, book = random.Random(seed), Book()  # noqa: S311  chance, no secret
    workers = count(1)
    for number in range(BROKERS):
        actor = f"broker/b-{number}"
        people = [next(workers) for _ in range(dice.randint(20, 40))]
        jobs = [f"{number}-{job}" for job in range(12)]
        factory = f"factory-{number // 5}"
        for worker in people:
            book.care[worker] = f"b-{number}"
            book.due_days[worker] = [MONTH + DAY * (24 if dice.random() < 1 / 3 else dice.randint(0, 60))]
        book.one_phone += [people[first : first + 3] for first in range(0, len(people) - 3, 9)]
        left = people * 2
        dice.shuffle(left)
        for day in range(1, 31):
            if at(day).isoweekday() == 7:
                continue
            visited = dice.randint(1, 4) + (dice.randint(2, 6) if 19 <= day <= 25 else 0)
            minute = dice.randint(510, 560)
            for _ in range(min(visited, len(left))):
                worker, evening = left.pop(), dice.random() < 0.06
                start = dice.randint(1170, 1275) if evening else minute
                if dice.random() < 0.004:
                    start = 1330
                over = _visit(dice, book, worker, day, start, actor, jobs, factory)
                minute = minute if start >= 1170 else over + dice.randint(10, 50)
    return book


def _visit(
    dice: random.Random, book: Book, worker: int, day: int, minute: int, actor: str, jobs: list[str], factory: str
) -> int:
    """One person is visited: a talk, often a briefing, postings, a course. When it is over, in minutes of the day."""
    begun = at(day, minute // 60, minute % 60)
    written = begun + timedelta(hours=72 if dice.random() < 0.02 else dice.choice([0, 1, 8, 24]))
    length = 1 if dice.random() < 0.01 else max(3, int(dice.gauss(14, 6)))
    given: dict[str, Any] = {
        "actor": actor,
        "written_at": written,
        "channel": dice.choice([Channel.VISIT, Channel.VISIT, Channel.CALL, Channel.COUNTER]),
    }
    words = "，".join(dice.choice(some) for some in (_OPENINGS, _WHERE, _WORK, _MIDDLES, _ENDS))
    note = dice.choice(["同意", "再联系"]) if dice.random() < 0.08 else f"{words}，{dice.randint(1900, 3900)}元"
    book.add(EntryKind.GUIDANCE, worker, begun, note=note, facts={"minutes": length, "said": True}, **given)
    if dice.random() < 0.6:
        book.add(EntryKind.BRIEFING, worker, begun, facts={"text": "t", "version": 1, "minutes": 5}, **given)
    if dice.random() < 0.4:
        book.add(EntryKind.TRAINING, worker, begun, facts={"session": 3, "minutes": 3}, **given)
    for job in dice.sample([*jobs, factory], dice.randint(0, 3)):
        facts = push_facts(job, places=60 if job == factory else dice.randint(1, 9), metres=dice.randint(500, 25_000))
        push = book.add(EntryKind.PUSH, worker, begun, facts=facts, **given)
        if dice.random() < 0.01:
            book.closed.add(push.id)
        if dice.random() < 0.005:
            book.metres[push.id] = 400_000
    for job in dice.sample(jobs, dice.randint(0, 1)):
        sent = {"channel": Channel.SMS, "actor": "provider", "evidence": Grade.B}
        push = book.add(EntryKind.PUSH, worker, begun + timedelta(hours=3), facts=push_facts(job), **sent)
        if dice.random() < 0.5:
            late = at(day, 23, 10)
            book.add(EntryKind.ANSWER, worker, late, channel=Channel.SMS, actor="worker", refers_to=push.id)
        elif dice.random() < 0.4:
            typed = written + timedelta(hours=dice.choice([2, 30, 80]))
            on_paper: dict[str, Any] = {
                "channel": Channel.SLIP,
                "evidence": Grade.A,
                "actor": actor,
                "written_at": typed,
            }
            book.add(EntryKind.ANSWER, worker, begun + timedelta(hours=4), refers_to=push.id, **on_paper)
    if dice.random() < 0.05:
        began = begun + timedelta(days=dice.randint(0, 6))
        told = began + timedelta(days=dice.randint(0, 9))
        book.add(EntryKind.START, worker, began, facts={"posting": 1}, **{**given, "written_at": told})
        book.add(EntryKind.SPELL_CLOSED, worker, began, actor=actor, written_at=told, channel=None, evidence=None)
        if dice.random() < 0.05:
            book.closed_late.add(worker)
    return minute + length


def test_honest_work_is_hardly_ever_flagged() -> None:
    findings, entries, flagged = 0, 0, 0
    for seed in range(5):
        book = ordinary_month(seed)
        found = book.findings()
        findings += len(found)
        entries += len(book.entries)
        flagged += len({entry_id for one in found for entry_id in one.entry_ids})
    # 200 brokers' months in some 50,000 entries: somebody honest is looked at twice at most.
    assert entries > 40_000
    assert findings <= 2
    assert flagged / entries < 0.0005


# --- each pattern, put into an ordinary month -------------------------------------------------------------------------


def burst(book: Book) -> set[int]:
    written = []
    for worker in range(9001, 9026):
        book.due_days[worker] = [MONTH + DAY * 27]
        happened = at(5 + worker % 20, 10)
        written.append(book.add(EntryKind.BRIEFING, worker, happened, written_at=at(26, 16), actor="broker/x"))
    for day in range(2, 20, 3):
        book.add(EntryKind.BRIEFING, 9001, at(day), actor="broker/x")
    return {entry.id for entry in written}


def written_late(book: Book) -> set[int]:
    found = set()
    for worker in PEOPLE:
        book.due_days[worker] = [MONTH + DAY * 19]
        given: dict[str, Any] = {"actor": "broker/x", "channel": Channel.SMS, "evidence": Grade.A}
        found.add(book.add(EntryKind.BRIEFING, worker, at(19, 10), written_at=at(21 + worker % 5), **given).id)
    return found


def closed_late(book: Book) -> set[int]:
    given: dict[str, Any] = {"actor": "broker/x", "channel": None, "evidence": None}
    found = {book.add(EntryKind.SPELL_CLOSED, worker, at(10), written_at=at(16), **given).id for worker in PEOPLE[:4]}
    book.care.update(dict.fromkeys(PEOPLE, "y"))
    book.closed_late.update(PEOPLE[:4])
    return found


def reopened(book: Book) -> set[int]:
    given: dict[str, Any] = {"actor": "plan", "channel": None, "evidence": None}
    book.care.update(dict.fromkeys(PEOPLE, "x"))
    book.reopened.update(PEOPLE[:4])
    return {book.add(EntryKind.SPELL_OPENED, worker, at(16), **given).id for worker in PEOPLE[:4]}


def one_sitting(book: Book) -> set[int]:
    found = set()
    for worker in PEOPLE[:4]:
        push = book.add(EntryKind.PUSH, worker, at(4), actor="provider", facts=push_facts(f"own-{worker}"))
        given: dict[str, Any] = {"actor": "broker/x", "evidence": Grade.A, "channel": Channel.SLIP}
        given["written_at"] = at(20, 9, worker % 60)
        found.add(book.add(EntryKind.ANSWER, worker, at(5), refers_to=push.id, **given).id)
        found.add(book.add(EntryKind.START, worker, at(worker % 8 + 6), **given).id)
    return found


def answers_at_night(book: Book) -> set[int]:
    given: dict[str, Any] = {"actor": "officer/x", "evidence": Grade.A, "channel": Channel.SMS}
    return {book.add(EntryKind.ANSWER, worker, at(worker % 28 + 1, 23), **given).id for worker in PEOPLE[:5]}


def talks_at_once_by_wechat(book: Book) -> set[int]:
    given: dict[str, Any] = {"actor": "clerk/x", "evidence": Grade.A, "channel": Channel.WECHAT}
    return {
        book.add(EntryKind.BRIEFING, worker, at(6, 9, place), facts={"minutes": 30}, **given).id
        for place, worker in enumerate(PEOPLE[:8])
    }


def one_job_for_all(book: Book) -> set[int]:
    facts = push_facts("mine", places=30)
    return {
        book.add(EntryKind.PUSH, worker, at(worker % 28 + 1), facts=facts, actor="broker/x").id for worker in PEOPLE
    }


def more_people_than_places(book: Book) -> set[int]:
    facts = push_facts("scarce", places=2)
    sent: dict[str, Any] = {"channel": Channel.SMS, "actor": "provider", "evidence": Grade.B, "facts": facts}
    book.care.update(dict.fromkeys(PEOPLE, "x"))
    return {book.add(EntryKind.PUSH, worker, at(3), **sent).id for worker in PEOPLE}


def one_phone(book: Book) -> set[int]:
    book.one_phone.append(list(PEOPLE[:6]))
    book.care.update(dict.fromkeys(PEOPLE, "x"))
    found = set()
    for worker in PEOPLE[:6]:
        given: dict[str, Any] = {"channel": Channel.SMS, "facts": push_facts(f"own-{worker}")}
        push = book.add(EntryKind.PUSH, worker, at(4), actor="provider", evidence=Grade.B, **given)
        answer = book.add(EntryKind.ANSWER, worker, at(4, 12), channel=Channel.SMS, actor="worker", refers_to=push.id)
        found |= {push.id, answer.id}
    return found


def night_work(book: Book) -> set[int]:
    return {
        book.add(EntryKind.TRAINING, worker, at(worker % 28 + 1, hour), actor="broker/x", facts={"session": 1}).id
        for worker, hour in zip(PEOPLE[:5], (22, 23, 0, 3, 5), strict=True)
    }


def short_guidance(book: Book) -> set[int]:
    facts = {"minutes": 1, "said": True}
    return {
        book.add(EntryKind.GUIDANCE, worker, at(6, 9, 5 * place), facts=facts, actor="broker/x").id
        for place, worker in enumerate(PEOPLE[:8])
    }


def talks_at_once(book: Book) -> set[int]:
    facts = {"minutes": 30, "said": True}
    return {
        book.add(EntryKind.GUIDANCE, worker, at(6, 9, place), facts=facts, actor="broker/x").id
        for place, worker in enumerate(PEOPLE[:8])
    }


def closed_jobs(book: Book) -> set[int]:
    found = {
        book.add(EntryKind.PUSH, worker, at(7 + worker % 20), facts=push_facts(f"{worker}"), actor="broker/x").id
        for worker in PEOPLE[:4]
    }
    book.closed |= found
    return found


def far_jobs(book: Book) -> set[int]:
    found = closed_jobs(book)
    book.closed -= found
    book.metres.update(dict.fromkeys(found, 900_000))
    return found


def copied_notes(book: Book) -> set[int]:
    return {
        book.add(
            EntryKind.GUIDANCE,
            worker,
            at(worker % 28 + 1),
            facts={"minutes": 10 + worker % 20, "said": True},
            note=f"本人想在附近找工作， 已讲解政策，谈了{10 + worker % 20}分钟。",
            actor=f"broker/x{worker % 2}",
        ).id
        for worker in PEOPLE[:6]
    }


def short_copied_notes(book: Book) -> set[int]:
    return {
        book.add(
            EntryKind.GUIDANCE,
            worker,
            at(worker % 28 + 1),
            facts={"minutes": 12, "said": True},
            note="已了解",
            actor="broker/x",
        ).id
        for worker in PEOPLE[:6]
    }


PEOPLE = tuple(range(9001, 9015))
INJECTED: list[tuple[Fiction, Callable[[Book], set[int]], str]] = [
    (Fiction.DEADLINE_BURST, burst, "broker/x"),
    (Fiction.WRITTEN_LATE, written_late, "broker/x"),
    (Fiction.CLOSED_LATE, closed_late, "broker/x"),
    (Fiction.REOPENED, reopened, "broker/x"),
    (Fiction.ONE_SITTING, one_sitting, "broker/x"),
    (Fiction.SAME_JOB, one_job_for_all, "broker/x"),
    (Fiction.SAME_JOB, more_people_than_places, "broker/x"),
    (Fiction.SHARED_PHONE, one_phone, "broker/x"),
    (Fiction.NIGHT_WORK, night_work, "broker/x"),
    (Fiction.NIGHT_WORK, answers_at_night, "officer/x"),
    (Fiction.SHORT_GUIDANCE, short_guidance, "broker/x"),
    (Fiction.AT_ONCE, talks_at_once, "broker/x"),
    (Fiction.AT_ONCE, talks_at_once_by_wechat, "clerk/x"),
    (Fiction.CLOSED_JOB, closed_jobs, "broker/x"),
    (Fiction.FAR_JOB, far_jobs, "broker/x"),
    (Fiction.COPIED_NOTE, copied_notes, "broker/x0"),
    (Fiction.COPIED_NOTE, short_copied_notes, "broker/x"),
]


@pytest.mark.parametrize(("fiction", "put", "writer"), INJECTED, ids=[put.__name__ for _, put, _ in INJECTED])
def test_a_pattern_put_into_an_ordinary_month_is_found_with_its_entries_and_writers(
    fiction: Fiction, put: Callable[[Book], set[int]], writer: str
) -> None:
    book = ordinary_month(0)
    before = {one.entry_ids for one in book.findings()}
    shown = put(book)
    found = [one for one in book.findings() if one.entry_ids not in before]
    assert [(one.fiction, set(one.entry_ids)) for one in found] == [(fiction, shown)]
    assert writer in found[0].writers
    assert found[0].people == len({entry.worker_id for entry in book.entries if entry.id in shown})
    assert found[0].text.isprintable()


@pytest.mark.parametrize(("fiction", "put", "writer"), INJECTED, ids=[put.__name__ for _, put, _ in INJECTED])
def test_what_was_struck_shows_no_pattern(fiction: Fiction, put: Callable[[Book], set[int]], writer: str) -> None:
    book = Book()
    for entry_id in put(book):
        book.add(EntryKind.STRIKE, 0, at(29), refers_to=entry_id, channel=None, evidence=None, actor="clerk/1")
    assert book.findings() == [], (fiction, writer)


def test_a_day_well_before_or_after_the_deadline_and_a_usual_busy_day_are_no_burst() -> None:
    early, late, usual = Book(), Book(), Book()
    for worker in range(25):
        early.due_days[worker] = usual.due_days[worker] = [MONTH + DAY * 27]
        late.due_days[worker] = [MONTH + DAY * 20]
        early.add(EntryKind.BRIEFING, worker, at(12))
        late.add(EntryKind.BRIEFING, worker, at(26))
        for day in (4, 11, 18, 26):
            usual.add(EntryKind.BRIEFING, worker, at(day))
    assert (early.findings(), late.findings(), usual.findings()) == ([], [], [])


def test_many_who_were_put_down_after_the_deadline_as_served_before_it_are_a_burst_as_well() -> None:
    book = Book()
    for worker in range(200):
        book.due_days[worker] = [MONTH + DAY * 29]
        given: dict[str, Any] = {"channel": Channel.SMS, "evidence": Grade.A, "facts": {"text": "t", "version": 1}}
        book.add(EntryKind.BRIEFING, worker, at(29), written_at=at(35, 10), **given)
    assert {one.fiction: len(one.entry_ids) for one in book.findings()} == {
        Fiction.DEADLINE_BURST: 200,
        Fiction.WRITTEN_LATE: 200,
    }


def test_the_day_after_and_what_was_done_after_the_deadline_are_not_written_late() -> None:
    book = Book()
    for worker in PEOPLE[:6]:
        book.due_days[worker] = [MONTH + DAY * 9]
        book.add(EntryKind.BRIEFING, worker, at(10), written_at=at(11))
        book.add(EntryKind.TRAINING, worker, at(11), written_at=at(20))
    assert book.findings() == []


def test_what_a_machine_or_the_person_wrote_is_nobodys_handwork() -> None:
    book = Book()
    for worker in PEOPLE:
        book.due_days[worker] = [MONTH + DAY * 9]
        for actor in ("provider", "worker", "sender"):
            given: dict[str, Any] = {"actor": actor, "channel": Channel.SLIP, "evidence": Grade.B}
            book.add(EntryKind.ANSWER, worker, at(9, 23), written_at=at(20), **given)
    assert book.findings() == []


def test_the_same_night_in_another_zone_is_the_same_night() -> None:
    book = Book()
    for worker in range(3):
        happened = at(5, 23).astimezone(tz=None)
        book.add(EntryKind.TRAINING, worker, happened, facts={"session": 1})
    assert [one.fiction for one in book.findings()] == [Fiction.NIGHT_WORK]
    assert china_date(book.entries[0].happened_at) == MONTH + DAY * 4


def test_notes_are_compared_without_numbers_spaces_and_signs() -> None:
    assert plain_note("谈了 15 分钟，想做 保洁。") == plain_note("谈了２０分钟,想做保洁") == "谈了分钟想做保洁"


def test_work_far_away_is_no_fiction_for_who_would_travel_there() -> None:
    book = Book()
    far_jobs(book)
    assert [one.fiction for one in book.findings()] == [Fiction.FAR_JOB]
    book.reaches = dict.fromkeys(PEOPLE, 1_000_000)
    assert book.findings() == []
