"""Patterns in the ledger that make counts look better than they are (看着不像真的), with the entries that show them.

A finding accuses nobody: it says where to look first. Pure functions over entries and a few facts beside them; nothing
is taken off any count here. Who is honest works in patterns too, so each has thresholds, set and dated by the office.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from statistics import median
from typing import TypeVar

from app.domain.ledger import Channel, Entry, EntryKind
from app.domain.obligations import SERVICES
from app.kit.clock import CHINA, china_date

_T = TypeVar("_T")

_DEEDS = frozenset({*SERVICES, EntryKind.REFUSAL, EntryKind.ATTEMPT, EntryKind.ANSWER, EntryKind.START})
STAFF = frozenset({"broker", "clerk", "officer"})
"""The roles of those who write by hand; what any of them signs is theirs, on whatever channel."""
_PHONED = frozenset({Channel.SMS, Channel.VOICE, Channel.CALL})


class Fiction(StrEnum):
    """A pattern, in the order in which findings are told."""

    DEADLINE_BURST = "deadline_burst"
    WRITTEN_LATE = "written_late"
    CLOSED_LATE = "closed_late"
    REOPENED = "reopened"
    ONE_SITTING = "one_sitting"
    SAME_JOB = "same_job"
    SHARED_PHONE = "shared_phone"
    NIGHT_WORK = "night_work"
    SHORT_GUIDANCE = "short_guidance"
    AT_ONCE = "at_once"
    CLOSED_JOB = "closed_job"
    FAR_JOB = "far_job"
    COPIED_NOTE = "copied_note"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Fiction.DEADLINE_BURST: "到期前后突击补记",
    Fiction.WRITTEN_LATE: "过期后补记成到期前",
    Fiction.CLOSED_LATE: "超期后倒签登记结束",
    Fiction.REOPENED: "没做完就结束又登记",
    Fiction.ONE_SITTING: "回应和上岗一次记完",
    Fiction.SAME_JOB: "同一个岗位推给许多人",
    Fiction.SHARED_PHONE: "许多人同一个电话",
    Fiction.NIGHT_WORK: "深夜办理",
    Fiction.SHORT_GUIDANCE: "职业指导时间太短",
    Fiction.AT_ONCE: "同一时间和几个人谈",
    Fiction.CLOSED_JOB: "推的岗位当时已经下架",
    Fiction.FAR_JOB: "推的岗位远得离谱",
    Fiction.COPIED_NOTE: "谈话记录照抄",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on a pattern is worth a look; all are local settings.

    What may happen to anybody now and then (late writing, late closings, openings soon after a closing, answers and
    starts in one sitting, night work, short guidance, talks at once, closed and far jobs) is a pattern from `least`
    entries on that are a `share` (0-1) of all that the writer did of the kind.
    """

    least: int
    share: float
    late_days: int
    reopened_days: int
    burst_days: int
    burst_people: int
    burst_multiple: int
    same_job_people: int
    same_job_share: float
    people_per_place: int
    phone_people: int
    night_from: time
    night_until: time
    guidance_minutes: int
    talks_at_once: int
    far_metres: int
    copied_people: int
    copied_characters: int
    copied_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known beside the entries.

    `due_days`: by spell, the days on which something was due. `closed_late`: spells in which something was overdue when
    a closing was written that would have ended it. `reopened`: spells that began `reopened_days` at most after the
    person's last one had ended unserved. `closed`: pushes (ids of entries) whose posting was not open when they
    happened, by the postings' own table. `metres`: of pushes, from the person's home to the workplace,
    measured anew. `reaches`: how far people would travel, by worker, in metres, as they have said. `one_phone`: groups
    of people with one number. `notes`: of entries, a digest of what was said, equal for equal words, and how many
    characters it has. `care`: whose broker looks after whom, by worker.
    """

    due_days: Mapping[int, Collection[date]] = field(default_factory=dict)
    closed_late: Collection[int] = frozenset()
    reopened: Collection[int] = frozenset()
    closed: Collection[int] = frozenset()
    metres: Mapping[int, int] = field(default_factory=dict)
    reaches: Mapping[int, int] = field(default_factory=dict)
    one_phone: Sequence[Collection[int]] = ()
    notes: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    care: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A pattern that was found. `writers` wrote the entries; where a machine or the person did, whose broker cares."""

    fiction: Fiction
    writers: tuple[str, ...]
    people: int
    text: str
    entry_ids: tuple[int, ...]


def find_fictions(entries: Iterable[Entry], *, limits: Thresholds, beside: Beside) -> list[Finding]:
    """Look at entries, strikes among them, for all patterns. What was struck counts for nothing and is not looked at.

    Args:
        entries: those of a stretch of time, and the strikes that name them; in any order.
        limits: the thresholds.
        beside: what is known beside them.
    """
    told = list(entries)
    struck = {entry.refers_to for entry in told if entry.kind is EntryKind.STRIKE}
    looked = sorted((entry for entry in told if entry.id not in struck), key=lambda entry: entry.id)
    watch = _Watch(limits, beside)
    found = [finding for look in watch.looks for finding in look(looked)]
    return sorted(found, key=lambda one: (list(Fiction).index(one.fiction), -len(one.entry_ids), one.entry_ids))


def plain_note(text: str) -> str:
    """A note as it is compared: without spaces, signs and numbers, so that another length of the talk hides no copy."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(letter)[0] in "LM"
    )


class _Watch:
    """All looks at one set of entries, in order of id."""

    def __init__(self, limits: Thresholds, beside: Beside) -> None:
        self.limits, self.beside = limits, beside
        self.looks = (
            self._bursts,
            self._written_late,
            self._closed_late,
            self._reopened,
            self._one_sittings,
            self._same_jobs,
            self._shared_phones,
            self._nights,
            self._short_guidance,
            self._at_once,
            self._closed_jobs,
            self._far_jobs,
            self._copied_notes,
        )

    def _bursts(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """Many people on one day, near what was due, by somebody who otherwise serves far fewer a day.

        Near is shortly before the deadline, or at any time after it with a deed that is said to have been done by then.
        """
        for writer, theirs in _grouped(filter(_is_by_hand, entries), lambda entry: entry.actor).items():
            days = _grouped(theirs, lambda entry: china_date(entry.written_at))
            people = {day: _people(those) for day, those in days.items()}
            for day, those in days.items():
                near = [entry for entry in those if self._is_nearly_due(entry, day) or self._is_after_due(entry)]
                usual = median([number for other, number in people.items() if other != day] or [0])
                least = max(self.limits.burst_people, self.limits.burst_multiple * usual)
                if (number := _people(near)) >= least:
                    text = f"{writer} 在 {day} 一天里记了 {number} 人，都在到期前后；平时一天 {usual:g} 人"
                    yield self._finding(Fiction.DEADLINE_BURST, near, text)

    def _is_nearly_due(self, entry: Entry, day: date) -> bool:
        due_days = self.beside.due_days.get(entry.spell_id or 0, ())
        return any(timedelta(0) <= due_on - day <= timedelta(days=self.limits.burst_days) for due_on in due_days)

    def _is_after_due(self, entry: Entry) -> bool:
        """Whether it was written after a deadline by which it is said to have been done."""
        happened, written = china_date(entry.happened_at), china_date(entry.written_at)
        return any(happened <= due_on < written for due_on in self.beside.due_days.get(entry.spell_id or 0, ()))

    def _written_late(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """Deeds that came into the book only after they were due, later than one would who writes up a day's work."""
        for writer, theirs in _grouped(filter(_is_by_hand, entries), lambda entry: entry.actor).items():
            late = [
                entry
                for entry in theirs
                if self._is_after_due(entry)
                and china_date(entry.written_at) - china_date(entry.happened_at) > timedelta(days=self.limits.late_days)
            ]
            if self._is_pattern(late, theirs):
                text = f"{writer} 有 {len(late)} 条过了期才补记、写的是到期前办的，一共 {len(theirs)} 条"
                yield self._finding(Fiction.WRITTEN_LATE, late, text)

    def _closed_late(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """Registrations that were closed with a day before what was by then overdue in them."""
        closings = [entry for entry in entries if entry.kind is EntryKind.SPELL_CLOSED and _is_staffs(entry)]
        for writer, theirs in _grouped(closings, lambda entry: entry.actor).items():
            late = [entry for entry in theirs if entry.spell_id in self.beside.closed_late]
            if self._is_pattern(late, theirs):
                text = f"{writer} 有 {len(late)} 次登记在超期以后才结束、写的是到期前结束，一共结束了 {len(theirs)} 次"
                yield self._finding(Fiction.CLOSED_LATE, late, text)

    def _reopened(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """Registrations that give time anew soon after others were closed unserved; the machine opens many of them."""
        openings = [entry for entry in entries if entry.kind is EntryKind.SPELL_OPENED]
        for who, theirs in _grouped(openings, self._who).items():
            anew = [entry for entry in theirs if entry.spell_id in self.beside.reopened]
            if self._is_pattern(anew, theirs):
                text = f"{who} 有 {len(anew)} 次登记没做完就结束、不久又登记，一共登记了 {len(theirs)} 次"
                yield self._finding(Fiction.REOPENED, anew, text)

    def _one_sittings(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """What the headline counts, put down by one hand on one day: that people answered, and that they began."""

        def sitting(entry: Entry) -> tuple[str, date, int | None]:
            return entry.actor, china_date(entry.written_at), entry.worker_id

        by_hand = [entry for entry in entries if _is_by_hand(entry)]
        starts = [entry for entry in by_hand if entry.kind is EntryKind.START]
        begun = {sitting(entry) for entry in starts}
        answers = [entry for entry in by_hand if entry.kind is EntryKind.ANSWER and sitting(entry) in begun]
        answered = {sitting(entry) for entry in answers}
        for writer, theirs in _grouped(starts, lambda entry: entry.actor).items():
            same = [entry for entry in theirs if sitting(entry) in answered]
            if self._is_pattern(same, theirs):
                shown = sorted(
                    [*same, *(entry for entry in answers if entry.actor == writer)], key=lambda entry: entry.id
                )
                text = f"{writer} 有 {len(same)} 人的回应和上岗是同一天记的，一共记了上岗 {len(theirs)} 次"
                yield self._finding(Fiction.ONE_SITTING, shown, text)

    def _same_jobs(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """One job for most of somebody's people, or for many more than it has places."""
        pushes = [entry for entry in entries if entry.kind is EntryKind.PUSH and entry.facts.get("job")]
        for job, theirs in _grouped(pushes, lambda entry: str(entry.facts["job"])).items():
            places = max(_number(entry.facts.get("places")) for entry in theirs)
            people = _people(theirs)
            if people >= max(self.limits.same_job_people, places * self.limits.people_per_place + 1):
                text = f"岗位 {job[:12]} 只有 {places} 个名额，推给了 {people} 人"
                yield self._finding(Fiction.SAME_JOB, theirs, text)
        for writer, theirs in _grouped(filter(_is_by_hand, pushes), lambda entry: entry.actor).items():
            for job, same in _grouped(theirs, lambda entry: str(entry.facts["job"])).items():
                share = len(same) / len(theirs)
                if (people := _people(same)) >= self.limits.same_job_people and share >= self.limits.same_job_share:
                    text = f"{writer} 推的岗位有 {share:.0%} 是同一个（{job[:12]}），推给了 {people} 人"
                    yield self._finding(Fiction.SAME_JOB, same, text)

    def _shared_phones(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """What reached, by telephone, people who all have one number: they may be one person, or none."""
        phoned = [entry for entry in entries if entry.channel in _PHONED]
        for group in self.beside.one_phone:
            theirs = [entry for entry in phoned if entry.worker_id in group]
            if (people := _people(theirs)) >= self.limits.phone_people:
                yield self._finding(Fiction.SHARED_PHONE, theirs, f"{people} 人登记的是同一个电话，都记了电话联系")

    def _nights(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        for writer, theirs in _grouped(filter(_is_by_hand, entries), lambda entry: entry.actor).items():
            late = [entry for entry in theirs if self._is_night(entry.happened_at)]
            if self._is_pattern(late, theirs):
                since, until = (f"{at:%H:%M}" for at in (self.limits.night_from, self.limits.night_until))
                text = f"{writer} 有 {len(late)} 条记在夜里 {since} 到 {until}，一共 {len(theirs)} 条"
                yield self._finding(Fiction.NIGHT_WORK, late, text)

    def _is_night(self, at: datetime) -> bool:
        here = at.astimezone(CHINA).time()
        return here >= self.limits.night_from or here < self.limits.night_until

    def _short_guidance(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        guidance = [entry for entry in entries if entry.kind is EntryKind.GUIDANCE]
        for writer, theirs in _grouped(guidance, lambda entry: entry.actor).items():
            least = self.limits.guidance_minutes
            short = [entry for entry in theirs if _number(entry.facts.get("minutes")) < least]
            if self._is_pattern(short, theirs):
                text = f"{writer} 有 {len(short)} 次职业指导不到 {least} 分钟，一共 {len(theirs)} 次"
                yield self._finding(Fiction.SHORT_GUIDANCE, short, text)

    def _at_once(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """Somebody who talks with a few people at the same time: a talk lasts from when it happened for its minutes."""
        talks = [entry for entry in filter(_is_by_hand, entries) if _number(entry.facts.get("minutes")) > 0]
        for writer, theirs in _grouped(talks, lambda entry: entry.actor).items():
            doubtful: set[int] = set()
            most = 0
            ordered = sorted(theirs, key=lambda entry: (entry.happened_at, entry.id))
            running: list[Entry] = []
            for talk in ordered:
                running = [one for one in running if _ends_at(one) > talk.happened_at] + [talk]
                if (people := _people(running)) >= self.limits.talks_at_once:
                    doubtful |= {one.id for one in running}
                    most = max(most, people)
            same = [entry for entry in theirs if entry.id in doubtful]
            if self._is_pattern(same, theirs):
                yield self._finding(Fiction.AT_ONCE, same, f"{writer} 同一时间在和 {most} 个人谈，一共 {len(same)} 次")

    def _closed_jobs(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        for who, theirs in self._pushes_by_who(entries).items():
            closed = [
                entry for entry in theirs if entry.id in self.beside.closed or entry.facts.get("is_open") is False
            ]
            if self._is_pattern(closed, theirs):
                text = f"{who} 有 {len(closed)} 次推的岗位当时已经下架，一共推了 {len(theirs)} 次"
                yield self._finding(Fiction.CLOSED_JOB, closed, text)

    def _far_jobs(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """Farther than the setting, and than what the person would travel: measured anew, whatever the entry says."""
        for who, theirs in self._pushes_by_who(entries).items():
            far = [
                entry
                for entry in theirs
                if self._metres(entry) > max(self.limits.far_metres, self.beside.reaches.get(entry.worker_id or 0, 0))
            ]
            if self._is_pattern(far, theirs):
                km = max(map(self._metres, far)) // 1000
                text = f"{who} 有 {len(far)} 次推的岗位离家太远，最远 {km} 公里，一共推了 {len(theirs)} 次"
                yield self._finding(Fiction.FAR_JOB, far, text)

    def _pushes_by_who(self, entries: Sequence[Entry]) -> dict[str, list[Entry]]:
        return _grouped((entry for entry in entries if entry.kind is EntryKind.PUSH), self._who)

    def _is_pattern(self, part: Sequence[Entry], whole: Sequence[Entry]) -> bool:
        return len(part) >= max(self.limits.least, self.limits.share * len(whole))

    def _metres(self, entry: Entry) -> int:
        return max(self.beside.metres.get(entry.id, 0), _number(entry.facts.get("metres")))

    def _copied_notes(self, entries: Sequence[Entry]) -> Iterable[Finding]:
        """The same words about many people: long ones whoever wrote them, short ones if one writer lives on them."""
        noted = [entry for entry in entries if entry.id in self.beside.notes]
        lengths = {entry.id: self.beside.notes[entry.id][1] for entry in noted}
        long = [entry for entry in noted if lengths[entry.id] >= self.limits.copied_characters]
        for theirs in _grouped(long, lambda entry: self.beside.notes[entry.id][0]).values():
            if (people := _people(theirs)) >= self.limits.copied_people:
                text = f"{people} 人的谈话记录一字不差（{lengths[theirs[0].id]} 个字）"
                yield self._finding(Fiction.COPIED_NOTE, theirs, text)
        for writer, theirs in _grouped(noted, lambda entry: entry.actor).items():
            short = [entry for entry in theirs if lengths[entry.id] < self.limits.copied_characters]
            for same in _grouped(short, lambda entry: self.beside.notes[entry.id][0]).values():
                share = len(same) / len(theirs)
                if (people := _people(same)) >= self.limits.copied_people and share >= self.limits.copied_share:
                    text = f"{writer} 的谈话记录有 {share:.0%} 是同一句短话，写了 {people} 人"
                    yield self._finding(Fiction.COPIED_NOTE, same, text)

    def _who(self, entry: Entry) -> str:
        """Who is to be asked: whoever of the staff wrote it, else the broker who looks after the person."""
        care = self.beside.care.get(entry.worker_id or 0)
        return entry.actor if _is_staffs(entry) or care is None else f"broker/{care}"

    def _finding(self, fiction: Fiction, entries: Sequence[Entry], text: str) -> Finding:
        writers = Counter(map(self._who, entries))
        return Finding(
            fiction=fiction,
            writers=tuple(sorted(writers, key=lambda who: (-writers[who], who))),
            people=_people(entries),
            text=text,
            entry_ids=tuple(entry.id for entry in entries),
        )


def _is_by_hand(entry: Entry) -> bool:
    """Whether a member of staff wrote down a deed, whatever channel they say it came by."""
    return entry.kind in _DEEDS and _is_staffs(entry)


def _is_staffs(entry: Entry) -> bool:
    """Whether a member of staff signed it, as `role/code`; else a machine or the person did."""
    return entry.actor.partition("/")[0] in STAFF


def _ends_at(talk: Entry) -> datetime:
    return talk.happened_at + timedelta(minutes=_number(talk.facts.get("minutes")))


def _people(entries: Iterable[Entry]) -> int:
    return len({entry.worker_id for entry in entries})


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _grouped(entries: Iterable[Entry], key: Callable[[Entry], _T]) -> dict[_T, list[Entry]]:
    groups = defaultdict[_T, list[Entry]](list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups
