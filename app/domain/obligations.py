"""What is owed to a person while registered (应尽服务, plan 8.5-8.8), worked out from the ledger.

Pure functions over entries, spells and dated rules; no count is ever stored. A day is a day in China. Three things are
easily got wrong: the oldest debt is paid first, a push that only the person's word proves counts from that word on,
and what is done beyond what was owed is not saved up for a year that has not begun.
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.pushes import Answer
from app.domain.spells import Spell
from app.domain.workers import Priority, Status, priority_of
from app.kit.clock import china_date

SERVICES = (EntryKind.BRIEFING, EntryKind.GUIDANCE, EntryKind.PUSH, EntryKind.TRAINING)
"""What the plan owes, in its order: 1-1-3-1."""

STAFF_CHANNELS = frozenset({Channel.CALL, Channel.VISIT})
"""Where the word of a member of staff may count, if length and words of the talk are on record."""

_ANSWERS = tuple(answer.value for answer in Answer)

_NAMED_IN_PUSHES = frozenset({"job", "is_open", "places", "bar", "skill_permille", "metres", "reach_metres"})


# --- rules ------------------------------------------------------------------------------------------------------------


class PushCounts(StrEnum):
    """From when on a push counts."""

    DELIVERED = "delivered"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds from one day on: the plan's figures, and what the office has set.

    `counts` is how many of each service a window asks for; a service that is not in it is not owed. A push fits if its
    skill part is *above* `push_fitting_skill_permille`. `counted_grades` with C takes the word of staff only for calls
    and visits.
    """

    counts: Mapping[EntryKind, int]
    first_window_days: int
    yearly_deadline: tuple[int, int]
    due_soon_days: int
    counted_grades: frozenset[Grade]
    push_counts_when: PushCounts
    push_fitting_skill_permille: int
    ends_on_refusal: bool
    ends_on_failed_contact: bool
    failed_contact_attempts: int
    last_resort_pushes: int
    last_resort_span_days: int


class RuleBook:
    """Rules by the day from which they hold, each until the next.

    Args:
        versions: at least one, with the first day of each, no day twice. Before the first nothing is owed.
    """

    def __init__(self, versions: Sequence[tuple[date, Rules]]) -> None:
        ordered = sorted(versions, key=lambda version: version[0])
        self._days = [day for day, _ in ordered]
        self._rules = [rules for _, rules in ordered]
        if not ordered or len(set(self._days)) < len(self._days):
            raise ValueError("a rule book needs a version, and one a day")

    def on(self, day: date) -> Rules:
        """The rules of a day; before the first version those of the first, though by `owed_on` nothing is owed then."""
        return self._rules[max(0, bisect_right(self._days, day) - 1)]

    def owed_on(self, kind: EntryKind, day: date) -> int:
        """How many of a service a window asks for that begins on a day."""
        return self.on(day).counts.get(kind, 0) if day >= self._days[0] else 0


# --- what comes of it -------------------------------------------------------------------------------------------------


class Why(StrEnum):
    """Why an entry does not count. Of several reasons the first in this order is told."""

    OTHER_PERSON = "other_person"
    OTHER_SPELL = "other_spell"
    STRUCK = "struck"
    IN_FUTURE = "in_future"
    WRITTEN_BEFORE_HAPPENED = "written_before_happened"
    BEFORE_SPELL = "before_spell"
    AFTER_SPELL = "after_spell"
    PUBLIC_CHANNEL = "public_channel"
    NO_TEXT = "no_text"
    NO_MINUTES = "no_minutes"
    NOT_SAID = "not_said"
    NO_SESSION = "no_session"
    INCOMPLETE = "incomplete"
    NOT_OPEN = "not_open"
    NO_PLACES = "no_places"
    BARRED = "barred"
    TOO_FAR = "too_far"
    NOT_FITTING = "not_fitting"
    GRADE = "grade"
    NOT_ANSWERED = "not_answered"
    SAME_JOB = "same_job"
    SAME_DEED = "same_deed"
    SURPLUS = "surplus"

    @property
    def label(self) -> str:
        return _WHY_LABELS[self]


_WHY_LABELS = {
    Why.OTHER_PERSON: "记的是别人",
    Why.OTHER_SPELL: "不是这一次登记的",
    Why.STRUCK: "已经作废",
    Why.IN_FUTURE: "还没有发生",
    Why.WRITTEN_BEFORE_HAPPENED: "先记了才发生",
    Why.BEFORE_SPELL: "登记失业以前的",
    Why.AFTER_SPELL: "登记结束以后的",
    Why.PUBLIC_CHANNEL: "张贴和广播不算到人",
    Why.NO_TEXT: "没写讲的是哪一份政策",
    Why.NO_MINUTES: "没写谈了几分钟",
    Why.NOT_SAID: "没写谈了什么",
    Why.NO_SESSION: "没写推荐的是哪一期培训",
    Why.INCOMPLETE: "没写全岗位当时的情况",
    Why.NOT_OPEN: "岗位当时没有开放",
    Why.NO_PLACES: "岗位当时没有名额",
    Why.BARRED: "岗位当时不能推给本人",
    Why.TOO_FAR: "超出本人愿意去的距离",
    Why.NOT_FITTING: "岗位不适合本人",
    Why.GRADE: "没有算数的凭据",
    Why.NOT_ANSWERED: "本人还没有回应",
    Why.SAME_JOB: "同一个岗位已经算过",
    Why.SAME_DEED: "同一件事已经算过",
    Why.SURPLUS: "已经做满，多出来的",
}


class DutyState(StrEnum):
    """Where one service of one window stands."""

    DONE = "done"
    OPEN = "open"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    LAPSED = "lapsed"
    WAIVED = "waived"

    @property
    def label(self) -> str:
        return _STATE_LABELS[self]


_STATE_LABELS = {
    DutyState.DONE: "做到了",
    DutyState.OPEN: "还有时间",
    DutyState.DUE_SOON: "快到期",
    DutyState.OVERDUE: "超期了",
    DutyState.LAPSED: "到期前登记已结束",
    DutyState.WAIVED: "按本地设定免除",
}
_MOST_PRESSING = (
    *(DutyState.OVERDUE, DutyState.DUE_SOON, DutyState.OPEN),
    *(DutyState.LAPSED, DutyState.WAIVED, DutyState.DONE),
)
PENDING = frozenset({DutyState.OVERDUE, DutyState.DUE_SOON, DutyState.OPEN})
"""States in which something is still to be done."""


@dataclass(frozen=True, slots=True)
class Counted:
    """An entry that counts, with its grade as it is known now, and the day from which it counts."""

    entry_id: int
    grade: Grade
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One service in one stretch of time: how many are owed from `begins_on` to `due_on` (both included)."""

    begins_on: date
    due_on: date
    owed: int
    counted: tuple[Counted, ...]
    state: DutyState

    @property
    def missing(self) -> int:
        return self.owed - len(self.counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One service in one spell: its windows in order, and for each entry that does not count the reason."""

    kind: EntryKind
    windows: tuple[Window, ...]
    uncounted: Mapping[int, Why] = field(default_factory=dict)

    @property
    def owed(self) -> int:
        return sum(window.owed for window in self.windows)

    @property
    def counted(self) -> tuple[Counted, ...]:
        return tuple(one for window in self.windows for one in window.counted)

    def done(self, grade: Grade | None = None) -> int:
        """How many count; of one grade, or of all."""
        return sum(grade in (None, one.grade) for one in self.counted)

    @property
    def late(self) -> int:
        """How many of those that count were done after they were due."""
        return sum(one.day > window.due_on for window in self.windows for one in window.counted)

    @property
    def state(self) -> DutyState:
        """The most pressing of the windows' states; done where nothing is owed."""
        return min((window.state for window in self.windows), key=_MOST_PRESSING.index, default=DutyState.DONE)

    @property
    def missing(self) -> int:
        """How many are still to be done, in windows that have begun."""
        return sum(window.missing for window in self.windows if window.state in PENDING)

    @property
    def due_on(self) -> date | None:
        """By when the oldest debt is due; None where nothing is to be done."""
        return min((window.due_on for window in self.windows if window.state in PENDING), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpellDuties:
    """All that is owed in one spell.

    `is_answered`: the person answered a push that is sound. `is_started`: they began to work while it ran, by evidence
    that a service would need as well.
    """

    spell: Spell
    duties: Mapping[EntryKind, Duty]
    is_answered: bool
    is_started: bool

    @property
    def state(self) -> DutyState:
        return min((duty.state for duty in self.duties.values()), key=_MOST_PRESSING.index)

    @property
    def due_on(self) -> date | None:
        return min((duty.due_on for duty in self.duties.values() if duty.due_on is not None), default=None)

    @property
    def is_complete(self) -> bool:
        """Whether all that is owed so far was done, and something was owed."""
        return any(duty.owed for duty in self.duties.values()) and all(
            duty.done() == duty.owed for duty in self.duties.values()
        )

    @property
    def is_unserved(self) -> bool:
        """Whether something that was owed was not done, be it due still or lapsed with the closing."""
        return self.state in PENDING or self.state is DutyState.LAPSED

    @property
    def is_closed_afterwards(self) -> bool:
        """Whether something is overdue that the closing would have ended, had it been put down in time."""
        closed_on = self.spell.closed_on
        return closed_on is not None and any(
            window.state is DutyState.OVERDUE and closed_on < window.due_on
            for duty in self.duties.values()
            for window in duty.windows
        )

    @property
    def weakest_grade(self) -> Grade | None:
        """The weakest evidence that anything counted rests on."""
        return max((one.grade for duty in self.duties.values() for one in duty.counted), default=None)

    @property
    def is_headline(self) -> bool:
        """Whether the headline counts this person: a push was answered, by the person, and work was begun."""
        return self.is_answered and self.is_started


# --- judging entries --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sound:
    """An entry that may count, from an instant on. `order` breaks ties by id."""

    entry: Entry
    at: datetime
    grade: Grade
    is_answered: bool = False

    @property
    def order(self) -> tuple[datetime, int]:
        return self.at, self.entry.id


class _Court:
    """Judges the entries of one spell, as things stand at an instant."""

    def __init__(self, spell: Spell, entries: Iterable[Entry], *, book: RuleBook, now: datetime) -> None:
        self.spell, self.book, self.now = spell, book, now
        self.entries = sorted(entries, key=lambda entry: entry.id)
        self.today = china_date(now)
        # Closed on a day that is still to come is not closed yet.
        is_closed = spell.closed_on is not None and spell.closed_on <= self.today
        self.closed_on = spell.closed_on if is_closed else None
        self._struck = {
            entry.refers_to
            for entry in self.entries
            if entry.kind is EntryKind.STRIKE
            and entry.happened_at <= now
            and entry.refers_to is not None
            and entry.refers_to < entry.id
        }
        # The day on which the closing was put down; None where the ledger knows of none.
        self.closing_written_on = min(
            (
                china_date(entry.written_at)
                for entry in self.entries
                if entry.kind is EntryKind.SPELL_CLOSED
                and entry.id not in self._struck
                and (entry.worker_id, entry.spell_id) == (spell.worker_id, spell.id)
            ),
            default=None,
        )
        self.confirmed, self.answered = self._first_words()
        # Refusals and failed attempts to reach the person, as they happened.
        self.excuses = sorted(
            (
                entry
                for entry in self.entries
                if entry.kind in (EntryKind.REFUSAL, EntryKind.ATTEMPT) and self.why_void(entry) is None
            ),
            key=lambda entry: (entry.happened_at, entry.id),
        )

    def why_void(self, entry: Entry) -> Why | None:
        """Why an entry says nothing in this spell, whatever its kind."""
        if entry.worker_id != self.spell.worker_id:
            return Why.OTHER_PERSON
        if entry.spell_id != self.spell.id:
            return Why.OTHER_SPELL
        return self._why_untold(entry)

    def _why_untold(self, entry: Entry) -> Why | None:
        if entry.id in self._struck:
            return Why.STRUCK
        if entry.happened_at > self.now:
            return Why.IN_FUTURE
        if entry.happened_at > entry.written_at:
            return Why.WRITTEN_BEFORE_HAPPENED
        day = china_date(entry.happened_at)
        if day < self.spell.opened_on:
            return Why.BEFORE_SPELL
        if self.closed_on is not None and day > self.closed_on:
            return Why.AFTER_SPELL
        return Why.PUBLIC_CHANNEL if entry.channel is not None and entry.channel.is_public else None

    def _first_words(self) -> tuple[dict[int, datetime], dict[int, datetime]]:
        """When a push was first confirmed by the person, and when first answered, by the push's entry.

        "看到了" confirms that it arrived and answers nothing. What staff say that somebody answered proves neither.
        """
        confirmed: dict[int, datetime] = {}
        answered: dict[int, datetime] = {}
        for entry in self.entries:
            if (
                entry.kind is EntryKind.ANSWER
                and entry.refers_to is not None
                and entry.evidence is Grade.A
                and entry.worker_id == self.spell.worker_id
                and self._why_untold(entry) is None
            ):
                for firsts in (confirmed, answered) if _is_answer(entry) else (confirmed,):
                    firsts[entry.refers_to] = min(entry.happened_at, firsts.get(entry.refers_to, entry.happened_at))
        return confirmed, answered

    def ends(self, due_on: date) -> bool:
        """Whether the closing ends what is due on a day: it lies before that day, and was put down by then."""
        return (
            self.closed_on is not None
            and self.closed_on < due_on
            and self.closing_written_on is not None
            and self.closing_written_on <= due_on
        )

    def is_reply(self, entry: Entry) -> bool:
        """Whether an entry shows, with evidence that counts, that the person answered or refused what it refers to."""
        is_one = entry.kind is EntryKind.REFUSAL or (entry.kind is EntryKind.ANSWER and _is_answer(entry))
        return is_one and self._is_proven(entry)

    def is_start(self, entry: Entry) -> bool:
        """Whether an entry shows, with evidence that counts, that the person began to work."""
        return entry.kind is EntryKind.START and self._is_proven(entry)

    def _is_proven(self, entry: Entry) -> bool:
        rules = self.book.on(china_date(entry.happened_at))
        return self.why_void(entry) is None and _why_unproven(entry, rules) is None

    def judge(self, entry: Entry) -> _Sound | Why:
        """Whether a service may count, and from when on; whether a window has room for it is another matter."""
        if (why := self.why_void(entry)) is not None:
            return why
        rules = self.book.on(china_date(entry.happened_at))
        if entry.kind is EntryKind.PUSH:
            return self._judge_push(entry, rules)
        if (why := _why_empty(entry)) is not None or (why := _why_unproven(entry, rules)) is not None:
            return why
        assert entry.evidence is not None  # noqa: S101  unproven without
        return _Sound(entry, entry.happened_at, entry.evidence)

    def _judge_push(self, entry: Entry, rules: Rules) -> _Sound | Why:
        if (why := _why_unfit(entry, rules)) is not None:
            return why
        unproven = _why_unproven(entry, rules)
        confirmed_at, answered_at = self.confirmed.get(entry.id), self.answered.get(entry.id)
        if confirmed_at is None and unproven is not None:
            return unproven
        if rules.push_counts_when is PushCounts.ANSWERED:
            if answered_at is None:
                return Why.NOT_ANSWERED
            since = answered_at
        else:
            # Proven by itself it counts from when it happened; else from the person's word on.
            since = confirmed_at if unproven is not None and confirmed_at is not None else entry.happened_at
        grade = entry.evidence if confirmed_at is None else Grade.A
        assert grade is not None  # noqa: S101  unproven without
        # Providers tell late when something arrived: the answer may be the earlier of the two.
        return _Sound(entry, max(entry.happened_at, since), grade, is_answered=answered_at is not None)


def _is_answer(entry: Entry) -> bool:
    """Whether an answer is one of the three that are: that somebody has only seen a push answers nothing."""
    return entry.facts.get("answer") in _ANSWERS


def _why_empty(entry: Entry) -> Why | None:
    """What a briefing, guidance or training recommendation lacks to be one."""
    facts = entry.facts
    if entry.kind is EntryKind.BRIEFING and (not facts.get("text") or not facts.get("version")):
        return Why.NO_TEXT
    if entry.kind is EntryKind.GUIDANCE:
        return _why_no_talk(entry)
    if entry.kind is EntryKind.TRAINING and not facts.get("session"):
        return Why.NO_SESSION
    return None


def _why_unfit(entry: Entry, rules: Rules) -> Why | None:
    """Why a posting was none for this person at that moment (rules of counting pushes; plan 8.7)."""
    facts = entry.facts
    if not facts.keys() >= _NAMED_IN_PUSHES or not facts["job"]:
        return Why.INCOMPLETE
    if facts["metres"] is None or facts["reach_metres"] is None:
        return Why.INCOMPLETE
    if facts["is_open"] is not True:
        return Why.NOT_OPEN
    if _number(facts["places"]) < 1:
        return Why.NO_PLACES
    if facts["bar"] is not None:
        return Why.BARRED
    if _number(facts["metres"]) > _number(facts["reach_metres"]):
        return Why.TOO_FAR
    return Why.NOT_FITTING if _number(facts["skill_permille"]) <= rules.push_fitting_skill_permille else None


def _why_unproven(entry: Entry, rules: Rules) -> Why | None:
    """Why the evidence is not enough: its grade does not count, or a talk without length or words."""
    if entry.evidence is None or entry.evidence not in rules.counted_grades:
        return Why.GRADE
    if entry.evidence is not Grade.C:
        return None
    return _why_no_talk(entry) if entry.channel in STAFF_CHANNELS else Why.GRADE


def _why_no_talk(entry: Entry) -> Why | None:
    if _number(entry.facts.get("minutes")) < 1:
        return Why.NO_MINUTES
    return None if entry.facts.get("said") is True else Why.NOT_SAID


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


# --- what is owed and done --------------------------------------------------------------------------------------------


def duties_of(spell: Spell, entries: Iterable[Entry], *, book: RuleBook, now: datetime) -> SpellDuties:
    """What is owed in a spell, what was done, and what is due, as things stand at an instant.

    Owed is a package in the window of the first days (`first_window_days` after the day of registration) and one in
    each later calendar year that begins while the spell runs. An entry pays the oldest debt that has begun by its day,
    and one deed or job pays once, however often it was written down, with the best of its evidence; once all are paid,
    what is more is a surplus and pays nothing that begins later. A debt whose day had not come when the spell was
    closed has lapsed, but only if the closing was put down by that day: one that is dated back afterwards ends nothing
    that was overdue by then.

    Args:
        spell: one registration.
        entries: of the person or of the spell, in any order; strikes, answers and the closing among them.
        book: dated rules. How many are owed, and by when, goes by the day a window begins; whether an entry counts by
            the day it happened; what is due soon by today.
        now: later things have not happened.
    """
    court = _Court(spell, entries, book=book, now=now)
    judged = [(entry, court.judge(entry)) for entry in court.entries if entry.kind in SERVICES]
    return SpellDuties(
        spell=spell,
        duties={kind: _duty(court, kind, [pair for pair in judged if pair[0].kind is kind]) for kind in SERVICES},
        is_answered=any(isinstance(verdict, _Sound) and verdict.is_answered for _, verdict in judged),
        is_started=any(map(court.is_start, court.entries)),
    )


def _duty(court: _Court, kind: EntryKind, judged: Sequence[tuple[Entry, _Sound | Why]]) -> Duty:
    spans = _spans(court, kind)
    filled: list[list[Entry]] = [[] for _ in spans]
    paying: dict[int, Counted] = {}
    uncounted = {entry.id: verdict for entry, verdict in judged if isinstance(verdict, Why)}
    sound = [verdict for _, verdict in judged if isinstance(verdict, _Sound)]
    for one in sorted(sound, key=lambda one: one.order):
        entry, day = one.entry, china_date(one.at)
        same = next((earlier for held in filled for earlier in held if _is_same(entry, earlier)), None)
        room = next(
            (
                held
                for (begins_on, _, owed), held in zip(spans, filled, strict=True)
                if begins_on <= day and len(held) < owed
            ),
            None,
        )
        if same is not None:
            uncounted[entry.id] = Why.SAME_JOB if kind is EntryKind.PUSH else Why.SAME_DEED
            before = paying[same.id]
            if _proves(entry, same):
                # What staff had written of it was true: it counts from its own day, as well proven as it is by now.
                paying[same.id] = replace(before, grade=min(before.grade, one.grade))
        elif room is None:
            uncounted[entry.id] = Why.SURPLUS
        else:
            room.append(entry)
            paying[entry.id] = Counted(entry.id, one.grade, day)
    windows = [
        Window(
            begins_on=begins_on,
            due_on=due_on,
            owed=owed,
            counted=tuple(paying[entry.id] for entry in held),
            state=_state(court, kind, begins_on=begins_on, due_on=due_on, is_full=len(held) == owed),
        )
        for (begins_on, due_on, owed), held in zip(spans, filled, strict=True)
    ]
    return Duty(kind=kind, windows=tuple(windows), uncounted=uncounted)


def _is_same(entry: Entry, other: Entry) -> bool:
    """Whether two entries of one kind tell of one thing: of one job, or of one deed that was written down twice.

    Nobody is served twice at one instant, nor twice a day with the same text or the same session; a day has one talk.
    """
    if entry.kind is EntryKind.PUSH:
        return entry.facts.get("job") == other.facts.get("job")
    if entry.happened_at == other.happened_at:
        return True
    days = {china_date(one.happened_at) for one in (entry, other)}
    return len(days) == 1 and all(entry.facts.get(name) == other.facts.get(name) for name in ("text", "session"))


def _proves(entry: Entry, other: Entry) -> bool:
    """Whether what proves one entry proves the other: of the same message, or of the same day.

    That somebody was sent a job in March does not prove that they were told of it in February.
    """
    push = entry.facts.get("push")
    is_one_push = push is not None and push == other.facts.get("push")
    return is_one_push or china_date(entry.happened_at) == china_date(other.happened_at)


def list_windows(spell: Spell, *, last: date, book: RuleBook) -> list[tuple[date, date]]:
    """First day and due day of each window of a spell that has begun by a day, whatever is owed in it."""
    found = []
    if spell.opened_on <= last:
        days = book.on(spell.opened_on).first_window_days
        found.append((spell.opened_on, spell.opened_on + timedelta(days=days)))
    for year in range(spell.opened_on.year + 1, last.year + 1):
        begins_on = date(year, 1, 1)
        month, day = book.on(begins_on).yearly_deadline
        found.append((begins_on, date(year, month, min(day, monthrange(year, month)[1]))))
    return found


def _spans(court: _Court, kind: EntryKind) -> list[tuple[date, date, int]]:
    """First day, due day and number owed of each window that has begun by today and in which something is owed.

    A window that begins after the last day is none, unless it was overdue before anybody had put the closing down.
    """
    return [
        (begins_on, due_on, owed)
        for begins_on, due_on in list_windows(court.spell, last=court.today, book=court.book)
        if court.closed_on is None or begins_on <= court.closed_on or not court.ends(due_on)
        if (owed := court.book.owed_on(kind, begins_on))  # nothing is owed by rules that had not begun
    ]


def _state(court: _Court, kind: EntryKind, *, begins_on: date, due_on: date, is_full: bool) -> DutyState:
    if is_full:
        return DutyState.DONE
    if _is_waived(court, kind, begins_on=begins_on, due_on=due_on):
        return DutyState.WAIVED
    if court.ends(due_on):
        return DutyState.LAPSED
    if court.today > due_on:
        return DutyState.OVERDUE
    is_soon = court.today >= due_on - timedelta(days=court.book.on(court.today).due_soon_days)
    return DutyState.DUE_SOON if is_soon else DutyState.OPEN


def _is_waived(court: _Court, kind: EntryKind, *, begins_on: date, due_on: date) -> bool:
    """Whether a setting of the office ends this debt: the person refused, or could not be reached, while it ran.

    What was overdue by then stays so, also if it is only written after the due day that they had refused before; and a
    new year owes anew. Not reached is who was tried so often as the setting
    says, each time on another day, and on two channels at least.
    """
    days: set[date] = set()
    channels: set[Channel | None] = set()
    for entry in court.excuses:
        day = china_date(entry.happened_at)
        if entry.facts.get("service") not in (None, kind.value):
            continue
        # Nothing is written before it happens, so that it happened by the due day as well.
        if day < begins_on or china_date(entry.written_at) > due_on:
            continue
        rules = court.book.on(day)
        if entry.kind is EntryKind.REFUSAL:
            if rules.ends_on_refusal:
                return True
            continue
        days.add(day)
        channels.add(entry.channel)
        needed = rules.failed_contact_attempts
        if rules.ends_on_failed_contact and len(days) >= needed and len(channels) >= min(needed, 2):
            return True
    return False


# --- totals -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The counts of many spells.

    `done` is the legal count, by service and grade; `late` counts those of them that were done after they were due.
    `states` counts spells by the most pressing state of what is owed in them, and `closed_afterwards` those in which
    something is overdue that a closing, dated back, would have ended. `complete` counts spells in which all that is
    owed so far was done, by the weakest evidence that it rests on. `headline` counts people with an answered push and
    a start.
    """

    spells: int
    owed: Mapping[EntryKind, int]
    done: Mapping[EntryKind, Mapping[Grade, int]]
    late: Mapping[EntryKind, int]
    states: Mapping[DutyState, int]
    closed_afterwards: int
    complete: Mapping[Grade, int]
    headline: int

    def __add__(self, other: "Totals") -> "Totals":
        """Both together; nobody may have spells in both, else the headline counts them twice."""
        return Totals(
            spells=self.spells + other.spells,
            owed=_sums(self.owed, other.owed),
            done={kind: _sums(self.done[kind], other.done[kind]) for kind in SERVICES},
            late=_sums(self.late, other.late),
            states=_sums(self.states, other.states),
            closed_afterwards=self.closed_afterwards + other.closed_afterwards,
            complete=_sums(self.complete, other.complete),
            headline=self.headline + other.headline,
        )


_Key = TypeVar("_Key")


def _sums(one: Mapping[_Key, int], other: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: number + other[key] for key, number in one.items()}


def add_up(spells: Iterable[SpellDuties]) -> Totals:
    """Count many spells together."""
    counted = list(spells)
    return Totals(
        spells=len(counted),
        owed={kind: sum(one.duties[kind].owed for one in counted) for kind in SERVICES},
        done={
            kind: {grade: sum(one.duties[kind].done(grade) for one in counted) for grade in Grade} for kind in SERVICES
        },
        late={kind: sum(one.duties[kind].late for one in counted) for kind in SERVICES},
        states={state: sum(one.state is state for one in counted) for state in DutyState},
        closed_afterwards=sum(one.is_closed_afterwards for one in counted),
        complete={grade: sum(one.is_complete and one.weakest_grade is grade for one in counted) for grade in Grade},
        headline=len({one.spell.worker_id for one in counted if one.is_headline}),
    )


# --- last resort and priority -----------------------------------------------------------------------------------------


class Shortfall(StrEnum):
    """What a public-welfare post as a last resort still lacks."""

    PUSHES = "pushes"
    SPAN = "span"
    WRITTEN_AT_ONCE = "written_at_once"

    @property
    def label(self) -> str:
        return _SHORTFALL_LABELS[self]


_SHORTFALL_LABELS = {
    Shortfall.PUSHES: "送到并且本人回应或拒绝的岗位不够",
    Shortfall.SPAN: "头一次和最后一次推送、回应隔得不够久",
    Shortfall.WRITTEN_AT_ONCE: "台账是集中补记的",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResort:
    """Whether a public-welfare post may be proposed (plan 8.10): what the ledger shows, and what is missing.

    `span_days` lie between the first and the last push, or between the first replies to them if these are closer.
    """

    pushes: int
    pushes_needed: int
    span_days: int
    span_days_needed: int
    missing: tuple[Shortfall, ...]

    @property
    def may_be_proposed(self) -> bool:
        return not self.missing


def last_resort(spell: Spell, entries: Iterable[Entry], *, book: RuleBook, now: datetime) -> LastResort:
    """What of the market's attempts the ledger shows: pushes that count, of different jobs, each answered or refused.

    That somebody has only seen a push ("看到了") answers nothing, and a reply needs the same evidence as a service. The
    first replies must lie as far apart as the pushes, and the days on which both were written as far as those on which
    they happened: what was put down afterwards in one go proves no two weeks.
    """
    court = _Court(spell, entries, book=book, now=now)
    rules = book.on(court.today)
    replies: dict[int, Entry] = {}
    for entry in sorted(court.entries, key=lambda entry: (entry.happened_at, entry.id)):
        if entry.refers_to is not None and court.is_reply(entry):
            replies.setdefault(entry.refers_to, entry)
    sound = [
        verdict
        for entry in court.entries
        if entry.kind is EntryKind.PUSH and entry.id in replies and isinstance(verdict := court.judge(entry), _Sound)
    ]
    jobs: dict[object, Entry] = {}
    for one in sorted(sound, key=lambda one: one.order):
        jobs.setdefault(one.entry.facts["job"], one.entry)
    pushes, firsts = list(jobs.values()), [replies[entry.id] for entry in jobs.values()]
    span = min(_span_days(entry.happened_at for entry in part) for part in (pushes, firsts))
    written = min(_span_days(entry.written_at for entry in part) for part in (pushes, firsts))
    missing = []
    if len(jobs) < rules.last_resort_pushes:
        missing.append(Shortfall.PUSHES)
    if span < rules.last_resort_span_days:
        missing.append(Shortfall.SPAN)
    elif written < rules.last_resort_span_days:
        missing.append(Shortfall.WRITTEN_AT_ONCE)
    return LastResort(
        pushes=len(jobs),
        pushes_needed=rules.last_resort_pushes,
        span_days=span,
        span_days_needed=rules.last_resort_span_days,
        missing=tuple(missing),
    )


PROPOSED, APPROVED, DECLINED = "proposed", "approved", "declined"


def latest_step(spell: Spell, entries: Iterable[Entry]) -> Entry | None:
    """The last step towards a public-welfare post in a spell that was not struck; None where there was none."""
    told = list(entries)
    struck = {entry.refers_to for entry in told if entry.kind is EntryKind.STRIKE}
    steps = [
        entry
        for entry in told
        if entry.kind is EntryKind.LAST_RESORT and entry.spell_id == spell.id and entry.id not in struck
    ]
    return steps[-1] if steps else None


def is_granted(spell: Spell, entries: Iterable[Entry]) -> bool:
    """Whether the office has granted a public-welfare post in a spell, and that decision stands."""
    step = latest_step(spell, entries)
    return step is not None and step.facts.get("step") == APPROVED


def _span_days(instants: Iterable[datetime]) -> int:
    days = [china_date(instant) for instant in instants]
    return (max(days) - min(days)).days if days else 0


def work_relief_order(ranked: Sequence[int], statuses: Mapping[int, frozenset[Status]]) -> list[int]:
    """People for a work-relief post in the order of plan 8.9: poverty-alleviated, then hard to employ, then the rest.

    Args:
        ranked: ids of people, best first; within a class they stay in this order.
        statuses: what each is registered as; who is not in it is registered as nothing.
    """
    classes = list(Priority)
    return sorted(ranked, key=lambda worker_id: classes.index(priority_of(statuses.get(worker_id, frozenset()))))
