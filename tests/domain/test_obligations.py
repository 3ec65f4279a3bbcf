"""What is owed, done and due: ten thousand lives against a second reading of the rules, and each rule by itself."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from app.domain.ledger import Channel, Entry, EntryKind, Fact, Grade
from app.domain.obligations import (
    SERVICES,
    Counted,
    DutyState,
    PushCounts,
    RuleBook,
    Rules,
    Shortfall,
    SpellDuties,
    Why,
    add_up,
    duties_of,
    last_resort,
    work_relief_order,
)
from app.domain.spells import Spell
from app.domain.workers import Status
from tests.domain.duty_oracle import live_through

SEQUENCES = int(os.environ.get("JIUJIN_LIVES", "3000"))
"""How many lives; what is shown once is shown with 10,000."""

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
PLAN = {EntryKind.BRIEFING: 1, EntryKind.GUIDANCE: 1, EntryKind.PUSH: 3, EntryKind.TRAINING: 1}
RULES = Rules(
    counts=PLAN,
    first_window_days=30,
    yearly_deadline=(12, 31),
    due_soon_days=7,
    counted_grades=frozenset(Grade),
    push_counts_when=PushCounts.DELIVERED,
    push_fitting_skill_permille=300,
    ends_on_refusal=False,
    ends_on_failed_contact=False,
    failed_contact_attempts=2,
    last_resort_pushes=3,
    last_resort_span_days=14,
)


# --- random lives -----------------------------------------------------------------------------------------------------


def random_settings(dice: random.Random, opened: date) -> list[tuple[date, dict[str, Any]]]:
    """One to three versions, the first before or shortly after the registration."""

    def version() -> dict[str, Any]:
        return {
            "counts": dice.choice(
                [
                    {"briefing": 1, "guidance": 1, "push": 3, "training": 1},
                    {"briefing": 1, "guidance": 1, "push": 3, "training": 1},
                    {"briefing": 2, "guidance": 0, "push": 2, "training": 1},
                ]
            ),
            "first": dice.choice([30, 30, 20, 60]),
            "deadline": dice.choice(["12-31", "12-31", "11-30", "02-29"]),
            "soon": dice.choice([7, 7, 14]),
            "grades": dice.choice(["AB", "ABC", "ABC", "A"]),
            "when": dice.choice(["delivered", "delivered", "answered"]),
            "skill": dice.choice([300, 300, 500]),
            "refusal": dice.random() < 0.3,
            "contact": dice.random() < 0.3,
            "tries": dice.choice([2, 2, 1, 3]),
            "resort": dice.choice([3, 2]),
            "span": dice.choice([14, 5]),
        }

    days = [opened + DAY * dice.choice([-400, -400, -400, 3]), *(opened + DAY * dice.randint(1, 500) for _ in range(2))]
    return [(day, version()) for day in sorted(set(days[: dice.randint(1, 3)]))]


def random_life(dice: random.Random) -> tuple[dict[str, Any], list[dict[str, Any]], datetime]:
    """A registration with events of all kinds, most of them as they should be, and the instant of looking."""
    opened = date(2025, 1, 1) + DAY * dice.randrange(900)
    length = dice.choice([20, 40, 40, 120, 400, 800])
    start = datetime.combine(opened, time()) - timedelta(hours=8)
    now = start + MINUTE * dice.randint(0, length * 1440)
    closed = opened + DAY * dice.randint(0, length) if dice.random() < 0.4 else None
    spell = {"id": 7, "worker": 3, "opened": opened, "closed": closed}
    put_down_at_once = dice.random() < 0.1
    events: list[dict[str, Any]] = []
    if closed is not None and dice.random() < 0.95:
        at = datetime.combine(closed, time(9)) - timedelta(hours=8)
        written = at + MINUTE * dice.choice([0, 0, 10, 20_000, 60_000, 600_000])
        events.append(
            {
                "id": 1,
                "kind": "spell_closed",
                "worker": 3,
                "spell": 7,
                "channel": None,
                "grade": None,
                "at": at,
                "written": written,
                "names": None,
                "facts": {"reason": "moved_away"},
            }
        )
    for number in range(len(events) + 1, dice.randint(4, 26)):
        kind = dice.choices(
            ["briefing", "guidance", "training", "push", "answer", "strike", "refusal", "attempt", "start"],
            [2, 2, 2, 9, 5, 1, 1, 2, 1],
        )[0]
        pushes = [event["id"] for event in events if event["kind"] == "push"]
        names = None
        if pushes and (kind == "answer" or (kind == "refusal" and dice.random() < 0.5)):
            names = dice.choice(pushes)
        elif kind in ("answer", "strike") and events:
            names = dice.randint(1, number + 1)
        twins = [event["at"] for event in events if event["kind"] == kind and kind != "push"]
        at = start + MINUTE * dice.choice(
            [dice.randint(-3000, length * 1440 + 3000), dice.randint(0, min(length, 45) * 1440)]
        )
        if kind == "answer" and names is not None and names in pushes and dice.random() < 0.7:
            at = events[names - 1]["at"] + MINUTE * dice.choice([-5, 0, 1, 300, 20_000])
        elif twins and dice.random() < 0.3:
            at = dice.choice(twins) + MINUTE * dice.choice([0, 0, 5, 600])
        events.append(
            {
                "id": number,
                "kind": kind,
                "worker": 3 if dice.random() < 0.98 else 4,
                "spell": 7 if dice.random() < 0.98 else 8,
                "channel": dice.choices(
                    ["sms", "call", "visit", "counter", "slip", "notice", "loudspeaker", None],
                    [5, 4, 4, 2, 2, 0.5, 0.5, 0.5],
                )[0],
                "grade": dice.choices(["A", "B", "C", None], [4, 4, 4, 0.5])[0],
                "at": at,
                "written": max(at, now)
                if put_down_at_once
                else at + MINUTE * (0 if dice.random() < 0.7 else dice.choice([-1, 10, 40_000])),
                "names": names,
                "facts": random_facts(dice, kind),
            }
        )
    return spell, events, now


def random_facts(dice: random.Random, kind: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if dice.random() < 0.8:
        facts |= {"minutes": dice.choice([0, 1, 5, 20]), "said": dice.random() < 0.9}
    if kind == "briefing":
        facts |= {"text": dice.choice(["plan", "plan", "house", ""]), "version": 1}
    elif kind == "training":
        facts |= {"session": dice.choice([5, 6, None])}
    elif kind in ("refusal", "attempt"):
        facts |= {"service": dice.choice([None, "push", "guidance"])}
    elif kind == "answer":
        facts |= {"answer": dice.choice(["interested", "unsuitable", "call_me", "seen"])}
    elif kind == "push":
        facts |= {
            "push": dice.choice([1, 1, 2]),
            "posting": 1,
            "job": f"job-{dice.randint(1, 6)}",
            "is_open": dice.random() < 0.95,
            "places": dice.choice([0, 1, 2, 3, 4, 5, 6, 7]),
            "bar": None if dice.random() < 0.95 else "age",
            "skill_permille": dice.choice([250, 300, 301, 500, 501, 900, 900, 900]),
            "metres": dice.choice([500, 900, 900, 1000, 1001]),
            "reach_metres": 1000,
            "reasons": ["near"],
        }
        if dice.random() < 0.03:
            del facts[dice.choice(["job", "places", "bar", "metres"])]
    return facts


def as_entry(event: dict[str, Any]) -> Entry:
    return Entry(
        id=event["id"],
        kind=EntryKind(event["kind"]),
        worker_id=event["worker"],
        spell_id=event["spell"],
        channel=Channel(event["channel"]) if event["channel"] else None,
        evidence=Grade(event["grade"]) if event["grade"] else None,
        happened_at=event["at"].replace(tzinfo=UTC),
        written_at=event["written"].replace(tzinfo=UTC),
        actor="broker-1",
        refers_to=event["names"],
        facts=event["facts"],
    )


def as_rules(setting: dict[str, Any]) -> Rules:
    month, day = setting["deadline"].split("-")
    return Rules(
        counts={EntryKind(kind): count for kind, count in setting["counts"].items()},
        first_window_days=setting["first"],
        yearly_deadline=(int(month), int(day)),
        due_soon_days=setting["soon"],
        counted_grades=frozenset(map(Grade, setting["grades"])),
        push_counts_when=PushCounts(setting["when"]),
        push_fitting_skill_permille=setting["skill"],
        ends_on_refusal=setting["refusal"],
        ends_on_failed_contact=setting["contact"],
        failed_contact_attempts=setting["tries"],
        last_resort_pushes=setting["resort"],
        last_resort_span_days=setting["span"],
    )


def told(found: SpellDuties, resort: Any) -> dict[str, Any]:
    """As the second reading tells it."""
    return {
        "debts": [
            (
                *(kind, window.begins_on, window.due_on, window.owed, window.state),
                *((one.entry_id, one.grade, one.day) for one in window.counted),
            )
            for kind in SERVICES
            for window in found.duties[kind].windows
        ],
        "why_not": {entry_id: why for kind in SERVICES for entry_id, why in found.duties[kind].uncounted.items()},
        "headline": found.is_headline,
        "resort": (resort.pushes, resort.span_days, resort.missing),
    }


def test_thousands_of_random_lives_are_told_as_a_second_reading_of_the_rules_tells_them() -> None:
    dice = random.Random(20261201)  # noqa: S311  a test's chance, to be repeated
    met: Counter[str] = Counter()
    differences = []
    for number in range(SEQUENCES):
        life, events, now = random_life(dice)
        settings = random_settings(dice, life["opened"])
        expected = live_through(life, events, settings, now)
        spell = Spell(id=7, worker_id=3, opened_on=life["opened"], closed_on=life["closed"])
        book = RuleBook([(day, as_rules(setting)) for day, setting in settings])
        entries = [as_entry(event) for event in events]
        dice.shuffle(entries)
        instant = now.replace(tzinfo=UTC)
        found = told(
            duties_of(spell, entries, book=book, now=instant), last_resort(spell, entries, book=book, now=instant)
        )
        met.update(state for *_, state in (debt[:5] for debt in found["debts"]))
        met.update(found["why_not"].values())
        met.update(["headline"] * found["headline"], possible=not found["resort"][2])
        met.update(found["resort"][2])
        if found != expected:
            differences.append(number)
    assert differences == []
    # The lives are worth something only if they meet every state and every reason.
    assert {*DutyState, *Why, *Shortfall, "headline", "possible"} - {
        name for name, times in met.items() if times
    } == set()


# --- each rule by itself ----------------------------------------------------------------------------------------------

OPENED = date(2026, 3, 1)
SPELL = Spell(id=7, worker_id=3, opened_on=OPENED)
BOOK = RuleBook([(date(2025, 3, 27), RULES)])
SMS, CALL = Channel.SMS, Channel.CALL
YES: dict[str, Fact] = {"answer": "interested"}
SEEN: dict[str, Fact] = {"answer": "seen"}


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def book(**changes: Any) -> RuleBook:
    return RuleBook([(date(2025, 3, 27), replace(RULES, **changes))])


class Ledger:
    """Entries as they are written, ids counting up; each is as it should be unless told otherwise."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def write(self, kind: EntryKind, day: date = OPENED, *, facts: dict[str, Fact] | None = None, **given: Any) -> int:
        number = len(self.entries) + 1
        complete: dict[EntryKind, dict[str, Fact]] = {
            EntryKind.BRIEFING: {"text": "plan", "version": 1},
            EntryKind.GUIDANCE: {"minutes": 20, "said": True},
            EntryKind.TRAINING: {"session": 5},
            EntryKind.PUSH: {
                "push": number,
                "posting": number,
                "job": f"job-{number}",
                "is_open": True,
                "places": 2,
                "bar": None,
                "skill_permille": 800,
                "metres": 900,
                "reach_metres": 1000,
                "reasons": [],
            },
        }
        at: datetime = given.pop("happened_at", noon(day))
        values: dict[str, Any] = {
            "worker_id": 3,
            "spell_id": 7,
            "channel": SMS,
            "evidence": Grade.B,
            "written_at": at + MINUTE,
            **given,
        }
        entry = Entry(
            id=number,
            kind=kind,
            happened_at=at,
            actor="broker-1",
            facts={**complete.get(kind, {}), **(facts or {})},
            **values,
        )
        self.entries.append(entry)
        return number

    def package(self, day: date) -> None:
        for kind in (EntryKind.BRIEFING, EntryKind.GUIDANCE, *(EntryKind.PUSH,) * 3, EntryKind.TRAINING):
            self.write(kind, day)

    def duties(self, today: date, *, spell: Spell = SPELL, rules: RuleBook = BOOK) -> SpellDuties:
        return duties_of(spell, self.entries, book=rules, now=noon(today) + timedelta(hours=1))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_the_package_is_due_on_the_thirtieth_day_and_overdue_the_day_after(ledger: Ledger) -> None:
    states = {day: ledger.duties(day).state for day in (date(2026, 3, 23), date(2026, 3, 24), date(2026, 3, 31))}
    assert list(states.values()) == [DutyState.OPEN, DutyState.DUE_SOON, DutyState.DUE_SOON]
    assert ledger.duties(date(2026, 4, 1)).state is DutyState.OVERDUE
    assert ledger.duties(date(2026, 3, 5)).due_on == date(2026, 3, 31)


def test_one_three_one_and_one_are_owed_and_each_is_counted_by_its_grade(ledger: Ledger) -> None:
    ledger.package(OPENED)
    ledger.write(EntryKind.ANSWER, evidence=Grade.A, refers_to=3, facts={"answer": "interested"})
    found = ledger.duties(date(2026, 3, 2))
    assert [(duty.owed, duty.done(), duty.missing) for duty in found.duties.values()] == [
        (1, 1, 0),
        (1, 1, 0),
        (3, 3, 0),
        (1, 1, 0),
    ]
    pushes = found.duties[EntryKind.PUSH]
    assert (pushes.done(Grade.A), pushes.done(Grade.B), pushes.done(Grade.C)) == (1, 2, 0)
    assert (found.state, found.is_complete, found.weakest_grade) == (DutyState.DONE, True, Grade.B)


def test_a_day_is_a_day_in_china(ledger: Ledger) -> None:
    eve = datetime(2026, 2, 28, 15, 59, tzinfo=UTC)
    early = ledger.write(EntryKind.BRIEFING, happened_at=eve)
    in_time = ledger.write(EntryKind.BRIEFING, happened_at=eve + MINUTE)
    briefing = ledger.duties(OPENED).duties[EntryKind.BRIEFING]
    assert briefing.uncounted == {early: Why.BEFORE_SPELL}
    assert [(one.entry_id, one.day) for one in briefing.counted] == [(in_time, OPENED)]


def test_in_each_later_year_the_package_is_owed_again_by_its_last_day(ledger: Ledger) -> None:
    ledger.package(OPENED)
    later = ledger.duties(date(2028, 1, 1))
    assert [(window.begins_on, window.due_on) for window in later.duties[EntryKind.PUSH].windows] == [
        (OPENED, date(2026, 3, 31)),
        (date(2027, 1, 1), date(2027, 12, 31)),
        (date(2028, 1, 1), date(2028, 12, 31)),
    ]
    assert later.state is DutyState.OVERDUE
    assert ledger.duties(date(2026, 12, 31)).state is DutyState.DONE


def test_the_oldest_debt_is_paid_first_and_a_surplus_pays_nothing_later(ledger: Ledger) -> None:
    late = ledger.write(EntryKind.TRAINING, date(2027, 2, 1))
    second = ledger.write(EntryKind.TRAINING, date(2027, 2, 2))
    surplus = ledger.write(EntryKind.TRAINING, date(2027, 2, 3))
    training = ledger.duties(date(2028, 2, 1)).duties[EntryKind.TRAINING]
    assert [[one.entry_id for one in window.counted] for window in training.windows] == [[late], [second], []]
    assert training.uncounted == {surplus: Why.SURPLUS}


def closed(ledger: Ledger, on: date, *, written_on: date | None = None, struck: bool = False) -> Spell:
    """The spell, closed on a day; the closing is put down on that day unless told otherwise."""
    given: dict[str, Any] = {"channel": None, "evidence": None}
    entry = ledger.write(EntryKind.SPELL_CLOSED, on, written_at=noon(written_on or on) + MINUTE, **given)
    if struck:
        ledger.write(EntryKind.STRIKE, written_on or on, refers_to=entry, **given)
    return replace(SPELL, closed_on=on)


@pytest.mark.parametrize(
    ("on", "state"), [(date(2026, 3, 30), DutyState.LAPSED), (date(2026, 3, 31), DutyState.OVERDUE)]
)
def test_what_was_not_due_when_the_spell_was_closed_has_lapsed_and_what_was_stays_overdue(
    ledger: Ledger, on: date, state: DutyState
) -> None:
    found = ledger.duties(date(2027, 6, 1), spell=closed(ledger, on))
    assert (found.state, found.is_closed_afterwards) == (state, False)
    assert len(found.duties[EntryKind.PUSH].windows) == 1


@pytest.mark.parametrize(
    ("written_on", "state"), [(date(2026, 3, 31), DutyState.LAPSED), (date(2026, 4, 1), DutyState.OVERDUE)]
)
def test_a_closing_that_is_dated_back_ends_nothing_that_was_overdue_when_it_was_written(
    ledger: Ledger, written_on: date, state: DutyState
) -> None:
    ledger.write(EntryKind.BRIEFING, date(2026, 3, 2))
    found = ledger.duties(date(2026, 4, 15), spell=closed(ledger, date(2026, 3, 29), written_on=written_on))
    assert (found.state, found.is_closed_afterwards) == (state, state is DutyState.OVERDUE)
    assert found.duties[EntryKind.BRIEFING].state is DutyState.DONE


def test_a_closing_dated_back_over_a_year_leaves_the_years_that_were_overdue_when_it_was_written(
    ledger: Ledger,
) -> None:
    ledger.package(OPENED)
    spell = closed(ledger, date(2026, 12, 20), written_on=date(2028, 1, 10))
    windows = ledger.duties(date(2028, 6, 1), spell=spell).duties[EntryKind.PUSH].windows
    assert [(window.due_on, window.state) for window in windows] == [
        (date(2026, 3, 31), DutyState.DONE),
        (date(2027, 12, 31), DutyState.OVERDUE),
    ]


def test_a_closing_that_the_ledger_does_not_know_ends_nothing(ledger: Ledger) -> None:
    unknown, struck = replace(SPELL, closed_on=date(2026, 3, 5)), closed(ledger, date(2026, 3, 5), struck=True)
    for spell in (unknown, struck):
        assert ledger.duties(date(2026, 3, 24), spell=spell).state is DutyState.DUE_SOON
        assert ledger.duties(date(2026, 4, 1), spell=spell).state is DutyState.OVERDUE


def test_the_word_of_staff_counts_for_calls_and_visits_with_length_and_words_and_if_the_office_says_so(
    ledger: Ledger,
) -> None:
    talk: dict[str, Fact] = {"minutes": 5, "said": True}
    good = ledger.write(EntryKind.PUSH, channel=CALL, evidence=Grade.C, facts=talk)
    reasons = {
        ledger.write(EntryKind.PUSH, channel=SMS, evidence=Grade.C, facts=talk): Why.GRADE,
        ledger.write(EntryKind.PUSH, channel=CALL, evidence=Grade.C, facts={"said": True}): Why.NO_MINUTES,
        ledger.write(EntryKind.PUSH, channel=CALL, evidence=Grade.C, facts={"minutes": 5}): Why.NOT_SAID,
        ledger.write(EntryKind.PUSH, channel=SMS, evidence=None): Why.GRADE,
    }
    pushes = ledger.duties(OPENED).duties[EntryKind.PUSH]
    assert ([one.entry_id for one in pushes.counted], pushes.uncounted) == ([good], reasons)
    strict = ledger.duties(OPENED, rules=book(counted_grades=frozenset({Grade.A, Grade.B}))).duties[EntryKind.PUSH]
    assert strict.uncounted[good] is Why.GRADE


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"is_open": False}, Why.NOT_OPEN),
        ({"places": 0}, Why.NO_PLACES),
        ({"bar": "level_iv"}, Why.BARRED),
        ({"metres": 1001}, Why.TOO_FAR),
        ({"skill_permille": 300}, Why.NOT_FITTING),
        ({"job": ""}, Why.INCOMPLETE),
        ({"metres": None}, Why.INCOMPLETE),
    ],
)
def test_a_push_counts_only_if_the_posting_was_one_for_this_person(
    ledger: Ledger, changed: dict[str, Fact], why: Why
) -> None:
    number = ledger.write(EntryKind.PUSH, evidence=Grade.A, facts=changed)
    assert ledger.duties(OPENED).duties[EntryKind.PUSH].uncounted == {number: why}


def test_one_job_counts_once_in_the_whole_spell(ledger: Ledger) -> None:
    first = ledger.write(EntryKind.PUSH, facts={"job": "gate"})
    again = ledger.write(EntryKind.PUSH, date(2027, 1, 5), facts={"job": "gate"})
    pushes = ledger.duties(date(2027, 1, 6)).duties[EntryKind.PUSH]
    assert ([one.entry_id for one in pushes.counted], pushes.uncounted) == ([first], {again: Why.SAME_JOB})


@pytest.mark.parametrize(
    ("kind", "facts", "later", "is_same"),
    [
        (EntryKind.BRIEFING, {}, timedelta(0), True),
        (EntryKind.BRIEFING, {}, timedelta(hours=2), True),
        (EntryKind.BRIEFING, {"version": 2}, timedelta(hours=2), True),
        (EntryKind.BRIEFING, {"text": "other"}, timedelta(0), True),
        (EntryKind.BRIEFING, {"text": "other"}, timedelta(hours=2), False),
        (EntryKind.BRIEFING, {}, timedelta(days=1), False),
        (EntryKind.GUIDANCE, {"minutes": 40}, timedelta(hours=2), True),
        (EntryKind.GUIDANCE, {}, timedelta(days=1), False),
        (EntryKind.TRAINING, {}, timedelta(hours=2), True),
        (EntryKind.TRAINING, {"session": 6}, timedelta(hours=2), False),
    ],
)
def test_one_deed_that_was_written_down_twice_pays_once(
    ledger: Ledger, kind: EntryKind, facts: dict[str, Fact], later: timedelta, is_same: bool
) -> None:
    # Two years are open, so that both would find room.
    day = date(2027, 1, 10)
    ledger.write(kind, day)
    again = ledger.write(kind, facts=facts, happened_at=noon(day) + later)
    duty = ledger.duties(day + DAY).duties[kind]
    assert [len(window.counted) for window in duty.windows] == [1, 0 if is_same else 1]
    assert duty.uncounted == ({again: Why.SAME_DEED} if is_same else {})


@pytest.mark.parametrize("better", [Grade.A, Grade.B])
def test_what_is_proven_better_later_counts_from_its_own_day_as_well_as_it_is_proven(
    ledger: Ledger, better: Grade
) -> None:
    talk: dict[str, Fact] = {"job": "j", "push": 7, "minutes": 5, "said": True}
    told = ledger.write(EntryKind.PUSH, OPENED, channel=CALL, evidence=Grade.C, facts=talk)
    ledger.write(EntryKind.PUSH, OPENED + 3 * DAY, evidence=better, facts={"job": "j", "places": 0})
    assert ledger.duties(OPENED + 9 * DAY).duties[EntryKind.PUSH].counted == (Counted(told, Grade.C, OPENED),)
    # Another message of the same job, on another day, proves nothing of the first.
    ledger.write(EntryKind.PUSH, OPENED + 4 * DAY, evidence=better, facts={"job": "j", "push": 8})
    assert ledger.duties(OPENED + 9 * DAY).duties[EntryKind.PUSH].counted == (Counted(told, Grade.C, OPENED),)
    proof = ledger.write(EntryKind.PUSH, OPENED + 5 * DAY, evidence=better, facts={"job": "j", "push": 7})
    ledger.write(EntryKind.PUSH, OPENED + 6 * DAY, channel=CALL, evidence=Grade.C, facts=talk)
    duty = ledger.duties(OPENED + 9 * DAY).duties[EntryKind.PUSH]
    assert duty.counted == (Counted(told, better, OPENED),)
    assert duty.uncounted[proof] is Why.SAME_JOB
    ledger.write(EntryKind.ANSWER, OPENED + 7 * DAY, evidence=Grade.A, refers_to=proof, facts=SEEN)
    assert ledger.duties(OPENED + 9 * DAY).duties[EntryKind.PUSH].counted == (Counted(told, Grade.A, OPENED),)


def test_an_answer_makes_a_push_count_from_its_own_moment_on(ledger: Ledger) -> None:
    unproven = ledger.write(EntryKind.PUSH, evidence=Grade.C)
    assert ledger.duties(date(2026, 3, 9)).duties[EntryKind.PUSH].uncounted == {unproven: Why.GRADE}
    ledger.write(EntryKind.ANSWER, date(2026, 3, 10), evidence=Grade.A, refers_to=unproven, facts=YES)
    assert ledger.duties(date(2026, 3, 9)).duties[EntryKind.PUSH].done() == 0
    counted = ledger.duties(date(2026, 3, 10)).duties[EntryKind.PUSH].counted
    assert [(one.entry_id, one.grade, one.day) for one in counted] == [(unproven, Grade.A, date(2026, 3, 10))]


def test_having_seen_a_push_proves_that_it_arrived_and_answers_nothing(ledger: Ledger) -> None:
    receipt, unproven = ledger.write(EntryKind.PUSH), ledger.write(EntryKind.PUSH, evidence=Grade.C)
    for push in (receipt, unproven):
        ledger.write(EntryKind.ANSWER, date(2026, 3, 10), evidence=Grade.A, refers_to=push, facts=SEEN)
    ledger.write(EntryKind.START)
    found = ledger.duties(date(2026, 3, 11))
    counted = found.duties[EntryKind.PUSH].counted
    assert [(one.entry_id, one.grade, one.day) for one in counted] == [
        (receipt, Grade.A, OPENED),
        (unproven, Grade.A, date(2026, 3, 10)),
    ]
    assert (found.is_answered, found.is_headline) == (False, False)
    strict = book(push_counts_when=PushCounts.ANSWERED)
    waiting = ledger.duties(date(2026, 3, 11), rules=strict).duties[EntryKind.PUSH]
    assert waiting.uncounted == {receipt: Why.NOT_ANSWERED, unproven: Why.NOT_ANSWERED}
    ledger.write(EntryKind.ANSWER, date(2026, 3, 12), evidence=Grade.A, refers_to=unproven, facts=YES)
    answered = ledger.duties(date(2026, 3, 12), rules=strict)
    assert [(one.entry_id, one.day) for one in answered.duties[EntryKind.PUSH].counted] == [
        (unproven, date(2026, 3, 12))
    ]
    assert answered.is_headline


def test_what_staff_say_that_somebody_answered_proves_nothing(ledger: Ledger) -> None:
    push = ledger.write(EntryKind.PUSH)
    ledger.write(EntryKind.ANSWER, evidence=Grade.C, channel=CALL, refers_to=push, facts=YES)
    found = ledger.duties(OPENED)
    assert (found.duties[EntryKind.PUSH].done(Grade.B), found.is_answered) == (1, False)


def test_where_the_office_counts_answers_a_receipt_alone_is_not_enough(ledger: Ledger) -> None:
    answered, silent = ledger.write(EntryKind.PUSH), ledger.write(EntryKind.PUSH)
    ledger.write(EntryKind.ANSWER, date(2026, 3, 4), evidence=Grade.A, refers_to=answered, facts=YES)
    pushes = ledger.duties(date(2026, 3, 5), rules=book(push_counts_when=PushCounts.ANSWERED)).duties[EntryKind.PUSH]
    assert [(one.entry_id, one.day) for one in pushes.counted] == [(answered, date(2026, 3, 4))]
    assert pushes.uncounted == {silent: Why.NOT_ANSWERED}


def test_a_struck_entry_no_longer_counts_and_a_strike_cannot_be_struck(ledger: Ledger) -> None:
    briefing = ledger.write(EntryKind.BRIEFING)
    strike = ledger.write(EntryKind.STRIKE, refers_to=briefing, channel=None, evidence=None)
    ledger.write(EntryKind.STRIKE, refers_to=strike, channel=None, evidence=None)
    assert ledger.duties(OPENED).duties[EntryKind.BRIEFING].uncounted == {briefing: Why.STRUCK}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"channel": Channel.LOUDSPEAKER}, Why.PUBLIC_CHANNEL),
        ({"channel": Channel.NOTICE}, Why.PUBLIC_CHANNEL),
        ({"written_at": noon(OPENED) - MINUTE}, Why.WRITTEN_BEFORE_HAPPENED),
        ({"happened_at": noon(OPENED) + DAY}, Why.IN_FUTURE),
        ({"worker_id": 4}, Why.OTHER_PERSON),
        ({"spell_id": 8}, Why.OTHER_SPELL),
        ({"facts": {"text": ""}}, Why.NO_TEXT),
        ({"facts": {"version": None}}, Why.NO_TEXT),
    ],
)
def test_a_briefing_that_does_not_count_says_why(ledger: Ledger, given: dict[str, Any], why: Why) -> None:
    number = ledger.write(EntryKind.BRIEFING, **given)
    assert ledger.duties(OPENED).duties[EntryKind.BRIEFING].uncounted == {number: why}


def test_a_later_setting_holds_for_what_happens_from_its_day_on(ledger: Ledger) -> None:
    before = ledger.write(EntryKind.PUSH, date(2026, 3, 9), facts={"skill_permille": 400})
    after = ledger.write(EntryKind.PUSH, date(2026, 3, 10), facts={"skill_permille": 400})
    changing = RuleBook(
        [
            (date(2025, 3, 27), RULES),
            (date(2026, 3, 10), replace(RULES, push_fitting_skill_permille=500, first_window_days=5)),
        ]
    )
    pushes = ledger.duties(date(2026, 3, 20), rules=changing).duties[EntryKind.PUSH]
    assert ([one.entry_id for one in pushes.counted], pushes.uncounted) == ([before], {after: Why.NOT_FITTING})
    assert pushes.due_on == date(2026, 3, 31)


def test_before_the_plan_nothing_is_owed(ledger: Ledger) -> None:
    early = replace(SPELL, opened_on=date(2025, 3, 1))
    assert ledger.duties(date(2025, 12, 31), spell=early).duties[EntryKind.PUSH].owed == 0
    assert ledger.duties(date(2026, 1, 1), spell=early).duties[EntryKind.PUSH].owed == 3


def test_a_refusal_ends_a_duty_only_where_a_setting_says_so_and_excuses_nothing_overdue(ledger: Ledger) -> None:
    ledger.write(EntryKind.REFUSAL, date(2026, 3, 20), facts={"service": "training"})
    ledger.write(EntryKind.REFUSAL, date(2026, 4, 1), facts={"service": "guidance"})
    today, excusing = date(2026, 4, 2), book(ends_on_refusal=True)
    assert {duty.state for duty in ledger.duties(today).duties.values()} == {DutyState.OVERDUE}
    states = {kind: duty.state for kind, duty in ledger.duties(today, rules=excusing).duties.items()}
    assert states[EntryKind.TRAINING] is DutyState.WAIVED
    assert states[EntryKind.GUIDANCE] is states[EntryKind.PUSH] is DutyState.OVERDUE


@pytest.mark.parametrize("kind", [EntryKind.REFUSAL, EntryKind.ATTEMPT])
@pytest.mark.parametrize(
    ("written_on", "state"), [(date(2026, 3, 31), DutyState.WAIVED), (date(2026, 4, 1), DutyState.OVERDUE)]
)
def test_what_was_written_after_the_due_day_waives_nothing_that_was_due_by_then(
    ledger: Ledger, kind: EntryKind, written_on: date, state: DutyState
) -> None:
    given: dict[str, Any] = {"facts": {"service": None}, "evidence": Grade.C, "written_at": noon(written_on)}
    ledger.write(kind, date(2026, 3, 5), channel=SMS, **given)
    ledger.write(kind, date(2026, 3, 6), channel=CALL, **given)
    rules = book(ends_on_refusal=True, ends_on_failed_contact=True)
    assert ledger.duties(date(2026, 5, 1), rules=rules).state is state


@pytest.mark.parametrize(
    ("second", "state"),
    [
        ((date(2026, 3, 6), CALL), DutyState.WAIVED),
        ((date(2026, 3, 6), SMS), DutyState.OPEN),
        ((date(2026, 3, 5), CALL), DutyState.OPEN),
    ],
)
def test_not_reached_is_who_was_tried_on_two_days_and_two_channels(
    ledger: Ledger, second: tuple[date, Channel], state: DutyState
) -> None:
    ledger.write(EntryKind.ATTEMPT, date(2026, 3, 5), channel=SMS, evidence=Grade.C, facts={"service": None})
    ledger.write(EntryKind.ATTEMPT, second[0], channel=second[1], evidence=Grade.C, facts={"service": None})
    assert ledger.duties(date(2026, 3, 8), rules=book(ends_on_failed_contact=True)).state is state
    assert ledger.duties(date(2026, 3, 8)).state is DutyState.OPEN


def test_the_headline_counts_people_with_an_answered_push_and_a_start(ledger: Ledger) -> None:
    talk: dict[str, Fact] = {"minutes": 5, "said": True}
    ledger.write(EntryKind.BRIEFING, channel=CALL, evidence=Grade.C, facts=talk)
    ledger.write(EntryKind.GUIDANCE, channel=CALL, evidence=Grade.C)
    ledger.write(EntryKind.TRAINING, channel=CALL, evidence=Grade.C, facts=talk)
    for _ in range(3):
        ledger.write(EntryKind.PUSH, channel=CALL, evidence=Grade.C, facts=talk)
    ledger.write(EntryKind.START, channel=CALL, evidence=Grade.C, facts=talk)
    on_paper = ledger.duties(OPENED)
    ledger.write(EntryKind.ANSWER, evidence=Grade.A, refers_to=4, facts=YES)
    answered = ledger.duties(OPENED)
    totals = add_up([on_paper, replace(answered, spell=replace(SPELL, id=8, worker_id=4)), answered, answered])
    assert (on_paper.is_complete, on_paper.is_headline, answered.is_headline) == (True, False, True)
    assert (totals.spells, totals.headline, totals.complete[Grade.C]) == (4, 2, 4)
    assert totals.done[EntryKind.PUSH] == {Grade.A: 3, Grade.B: 0, Grade.C: 9}
    assert totals.states[DutyState.DONE] == 4


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({"channel": Channel.SLIP, "evidence": Grade.A}, True),
        ({"channel": CALL, "evidence": Grade.C, "facts": {"minutes": 5, "said": True}}, True),
        ({"channel": CALL, "evidence": Grade.C}, False),
        ({"channel": CALL, "evidence": Grade.C, "facts": {"minutes": 5, "said": False}}, False),
        ({"channel": Channel.COUNTER, "evidence": Grade.C, "facts": {"minutes": 5, "said": True}}, False),
        ({"evidence": None}, False),
    ],
)
def test_a_start_needs_evidence_as_a_service_does(ledger: Ledger, given: dict[str, Any], counts: bool) -> None:
    push = ledger.write(EntryKind.PUSH)
    ledger.write(EntryKind.ANSWER, evidence=Grade.A, refers_to=push, facts=YES)
    ledger.write(EntryKind.START, **given)
    assert ledger.duties(OPENED).is_headline is counts
    if given["evidence"] is Grade.C:
        assert not ledger.duties(OPENED, rules=book(counted_grades=frozenset({Grade.A, Grade.B}))).is_headline


def test_what_was_done_late_is_told_apart_and_totals_of_parts_add_up(ledger: Ledger) -> None:
    ledger.write(EntryKind.BRIEFING, date(2026, 3, 31))
    ledger.write(EntryKind.GUIDANCE, date(2026, 4, 1), evidence=Grade.A)
    for day in (date(2026, 3, 31), date(2026, 4, 1), date(2026, 5, 1)):
        ledger.write(EntryKind.PUSH, day)
    one = ledger.duties(date(2026, 5, 2))
    part = add_up([one])
    assert {kind: part.late[kind] for kind in SERVICES} == {
        EntryKind.BRIEFING: 0,
        EntryKind.GUIDANCE: 1,
        EntryKind.PUSH: 2,
        EntryKind.TRAINING: 0,
    }
    assert (part.states[DutyState.OVERDUE], part.closed_afterwards) == (1, 0)
    backdated = ledger.duties(date(2026, 5, 2), spell=closed(ledger, date(2026, 3, 29), written_on=date(2026, 5, 1)))
    other = add_up([replace(backdated, spell=replace(backdated.spell, worker_id=4))])
    assert other.closed_afterwards == 1
    assert part + other == add_up([one, replace(backdated, spell=replace(backdated.spell, worker_id=4))])


def test_the_last_resort_needs_three_replies_to_different_jobs_over_two_weeks(ledger: Ledger) -> None:
    def missing(today: date) -> tuple[Shortfall, ...]:
        return last_resort(SPELL, ledger.entries, book=BOOK, now=noon(today) + timedelta(hours=1)).missing

    for offset in (0, 1, 14):
        push = ledger.write(EntryKind.PUSH, OPENED + DAY * offset)
        ledger.write(EntryKind.REFUSAL, OPENED + DAY * offset, refers_to=push, evidence=Grade.A)
    assert missing(OPENED + DAY * 13) == (Shortfall.PUSHES, Shortfall.SPAN)
    assert missing(OPENED + DAY * 14) == ()


def test_for_the_last_resort_being_seen_is_no_answer_and_one_job_is_one_attempt(ledger: Ledger) -> None:
    for offset, job, answer in ((0, "a", "seen"), (0, "b", "unsuitable"), (7, "b", "unsuitable"), (14, "c", "call_me")):
        push = ledger.write(EntryKind.PUSH, OPENED + DAY * offset, facts={"job": job})
        ledger.write(
            EntryKind.ANSWER, OPENED + DAY * offset, refers_to=push, evidence=Grade.A, facts={"answer": answer}
        )
    found = last_resort(SPELL, ledger.entries, book=BOOK, now=noon(OPENED + DAY * 20))
    assert (found.pushes, found.span_days, found.missing) == (2, 14, (Shortfall.PUSHES,))
    assert not found.may_be_proposed


def test_what_was_put_down_in_one_go_proves_no_two_weeks(ledger: Ledger) -> None:
    written_at = noon(OPENED + DAY * 20)
    for offset in (0, 7, 15):
        push = ledger.write(EntryKind.PUSH, OPENED + DAY * offset, written_at=written_at)
        ledger.write(EntryKind.REFUSAL, OPENED + DAY * offset, refers_to=push, written_at=written_at)
    found = last_resort(SPELL, ledger.entries, book=BOOK, now=written_at)
    assert (found.span_days, found.missing) == (15, (Shortfall.WRITTEN_AT_ONCE,))


@pytest.mark.parametrize(
    ("replied", "written", "missing"),
    [
        (0, 0, ()),
        (15, 15, (Shortfall.SPAN,)),
        (0, 15, (Shortfall.WRITTEN_AT_ONCE,)),
    ],
)
def test_replies_of_one_day_or_put_down_in_one_go_prove_no_two_weeks(
    ledger: Ledger, replied: int, written: int, missing: tuple[Shortfall, ...]
) -> None:
    for offset in (0, 7, 15):
        push = ledger.write(EntryKind.PUSH, OPENED + DAY * offset)
        ledger.write(
            EntryKind.ANSWER,
            OPENED + DAY * max(offset, replied),
            refers_to=push,
            evidence=Grade.A,
            facts={"answer": "unsuitable"},
            written_at=noon(OPENED + DAY * max(offset, written)) + MINUTE,
        )
    found = last_resort(SPELL, ledger.entries, book=BOOK, now=noon(OPENED + DAY * 20))
    assert (found.pushes, found.missing) == (3, missing)
    assert found.span_days == (0 if Shortfall.SPAN in missing else 15)


def test_a_reply_needs_evidence_as_a_service_does(ledger: Ledger) -> None:
    for offset, given in (
        (0, {"channel": CALL, "evidence": Grade.C, "facts": {"minutes": 4, "said": True}}),
        (7, {"channel": CALL, "evidence": Grade.C, "facts": {"minutes": 4}}),
        (10, {"channel": SMS, "evidence": Grade.C, "facts": {"minutes": 4, "said": True}}),
        (15, {"evidence": Grade.A}),
    ):
        push = ledger.write(EntryKind.PUSH, OPENED + DAY * offset)
        ledger.write(EntryKind.REFUSAL, OPENED + DAY * offset, refers_to=push, **given)
    found = last_resort(SPELL, ledger.entries, book=BOOK, now=noon(OPENED + DAY * 20))
    assert (found.pushes, found.missing) == (2, (Shortfall.PUSHES,))


def test_work_relief_takes_the_poverty_alleviated_first_then_the_hard_to_employ_then_the_rest() -> None:
    statuses = {
        2: frozenset({Status.HARD_TO_EMPLOY}),
        3: frozenset({Status.POVERTY_ALLEVIATED}),
        5: frozenset({Status.POVERTY_ALLEVIATED, Status.REGISTERED_UNEMPLOYED}),
    }
    assert work_relief_order([1, 2, 3, 4, 5], statuses) == [3, 5, 2, 1, 4]


@pytest.mark.parametrize("versions", [[], [(OPENED, RULES), (OPENED, RULES)]])
def test_a_rule_book_has_one_version_a_day_and_at_least_one(versions: list[tuple[date, Rules]]) -> None:
    with pytest.raises(ValueError, match="rule book"):
        RuleBook(versions)


def test_every_state_and_reason_has_its_words() -> None:
    for closed_list in (DutyState, Why, Shortfall):
        labels = [member.label for member in closed_list]
        assert len(set(labels)) == len(labels)
