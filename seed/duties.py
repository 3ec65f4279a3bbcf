"""Generates the demo's spells with what was done in them, so that every state of a duty is to be seen.

All of it is told through the ledger's own door, as a clerk's or a broker's work would be; nobody in it exists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from app.domain.ledger import Channel, EntryKind, Fact, Grade
from app.domain.spells import SpellEnd, SpellSource
from app.domain.workers import Status
from app.kit.clock import CHINA
from app.usecases.ledger import EntryDraft
from seed.dice import Dice

Row = dict[str, Any]

MOST_SPELLS = 160
_OPENED_DAYS_AGO = {
    "fresh": (1, 6),
    "under_way": (8, 20),
    "due_soon": (24, 29),
    "overdue": (35, 90),
    "done": (12, 70),
    "told_only": (20, 28),
    "refused": (33, 80),
    "started": (30, 120),
    "ended": (30, 120),
}
_SAID = ("说想找离家近的活", "说过几天再定", "问了工钱和几点下班", "说家里老人要照顾，只做白天的")
_BEGUN = ("说已经上班了", "说上工几天了，吃住都好", "说昨天到的厂里", "说活不重，做得下来")
_REASONS: list[str] = ["own_trade", "near_home", "verified"]


@dataclass
class Duties:
    """Generated spells as rows, and drafts of entries; `worker_id`s are real ones, spells are told by position.

    Args:
        postings: (id, job) of open postings that people may have been sent.
        sessions: ids of courses held.
        brokers: each person's broker by the person's id; a clerk serves the others.
        dice: the only source of chance.
        now: nothing is later.
        today: the date in China.
    """

    postings: Sequence[tuple[int, str]]
    sessions: Sequence[int]
    brokers: Mapping[int, str]
    dice: Dice
    now: datetime
    today: date
    spells: list[Row] = field(default_factory=list)
    drafts: list[tuple[int, EntryDraft]] = field(default_factory=list)

    def fill(self, people: Sequence[int]) -> None:
        """A spell for each of these people, of every sort in turn, and its entries."""
        for number, worker_id in enumerate(people[:MOST_SPELLS]):
            self._add(worker_id, sorted(_OPENED_DAYS_AGO)[number % len(_OPENED_DAYS_AGO)])

    def _add(self, worker_id: int, sort: str) -> None:
        opened_on = self.today - timedelta(days=self.dice.between(*_OPENED_DAYS_AGO[sort]))
        spell, is_ended = len(self.spells), sort in ("started", "ended")
        last_on = self.today - timedelta(days=self.dice.between(1, 9)) if is_ended else self.today
        end = {"started": SpellEnd.EMPLOYED, "ended": SpellEnd.MOVED_AWAY}.get(sort)
        self.spells.append(
            {
                "worker_id": worker_id,
                "opened_on": opened_on,
                "closed_on": last_on if is_ended else None,
                "end": end,
                "source": SpellSource.CLERK,
            }
        )
        story = _Story(self, worker_id, spell, opened_on, last_on)
        story.write(EntryKind.SPELL_OPENED, None, None, day=opened_on, actor="clerk", source=SpellSource.CLERK.value)
        if sort in ("under_way", "due_soon", "done", "started", "ended"):
            story.write(EntryKind.BRIEFING, Channel.SLIP, Grade.A, text="registered_unemployed", version=1)
        if sort in ("under_way", "done", "started"):
            story.call(EntryKind.GUIDANCE)
        if sort in ("done", "started") and self.sessions:
            story.write(EntryKind.TRAINING, Channel.SMS, Grade.B, session=self.dice.pick(self.sessions))
        pushes = {"under_way": 1, "due_soon": 2, "overdue": 1, "done": 3, "told_only": 3, "started": 3, "ended": 2}
        for _ in range(pushes.get(sort, 0)):
            story.push(is_told=sort == "told_only", is_answered=sort in ("done", "started"))
        if sort == "told_only":
            # Graded C, and counted as a call with its minutes is: the headline does not take it.
            story.call(EntryKind.GUIDANCE)
        if sort == "refused":
            story.write(EntryKind.REFUSAL, Channel.CALL, Grade.C, service=EntryKind.TRAINING.value)
            story.write(EntryKind.ATTEMPT, Channel.CALL, Grade.C, service=EntryKind.PUSH.value)
        if sort == "started":
            posting, said = self.dice.pick(self.postings)[0], _BEGUN[spell % len(_BEGUN)]
            talk: dict[str, Fact] = {"posting": posting, "minutes": 3, "said": True}
            story.write(EntryKind.START, Channel.CALL, Grade.C, day=last_on, note=said, more=talk)
        if end is not None:
            story.write(EntryKind.SPELL_CLOSED, None, None, day=last_on, actor="clerk", reason=end.value)


@dataclass
class _Story:
    """One spell as it is told, each entry later than the one before."""

    duties: Duties
    worker_id: int
    spell: int
    opened_on: date
    last_on: date
    _step: int = 0

    def push(self, *, is_told: bool, is_answered: bool) -> None:
        """A posting that reached the person; by the staff's word alone if told, and with an answer if there was one."""
        dice = self.duties.dice
        if not self.duties.postings:
            return
        posting, job = dice.pick(self.duties.postings)
        metres = dice.between(400, 15_000)
        facts: dict[str, Fact] = {
            "posting": posting,
            "job": job,
            "is_open": True,
            "places": dice.between(1, 8),
            "bar": None,
            "skill_permille": dice.between(450, 1000),
            "metres": metres,
            "reach_metres": max(20_000, metres),
            "reasons": list(_REASONS),
        }
        if is_told:
            told = {**facts, "minutes": dice.between(3, 12), "said": True}
            self.write(EntryKind.PUSH, Channel.CALL, Grade.C, note=dice.pick(_SAID), more=told)
            return
        pushed = self.write(EntryKind.PUSH, Channel.SMS, Grade.B, more=facts)
        if is_answered:
            answer = dice.pick(("interested", "unsuitable", "call_me"))
            why = dice.pick(("too_far", "pay", "hours")) if answer == "unsuitable" else None
            self.write(EntryKind.ANSWER, Channel.SMS, Grade.A, refers_to=pushed, answer=answer, why=why)

    def call(self, kind: EntryKind) -> None:
        """A call with its minutes and what was said."""
        dice = self.duties.dice
        self.write(kind, Channel.CALL, Grade.C, note=dice.pick(_SAID), minutes=dice.between(4, 25), said=True)

    def write(
        self,
        kind: EntryKind,
        channel: Channel | None,
        evidence: Grade | None,
        *,
        day: date | None = None,
        actor: str | None = None,
        note: str | None = None,
        refers_to: int | None = None,
        more: Mapping[str, Fact] | None = None,
        **facts: Fact,
    ) -> int:
        """Add an entry with these facts; its position among the drafts, which `refers_to` of a later one takes."""
        duties = self.duties
        span = max((self.last_on - self.opened_on).days - 1, 1)
        self._step += 1
        on = day or self.opened_on + timedelta(days=min(1 + self._step * span // 12, span))
        hour = time(9 + min(self._step, 8), duties.dice.between(0, 59))
        happened_at = min(datetime.combine(on, hour, CHINA), duties.now - timedelta(minutes=60 - self._step))
        broker = duties.brokers.get(self.worker_id)
        draft = EntryDraft(
            kind=kind,
            worker_id=self.worker_id,
            spell_id=None,
            channel=channel,
            evidence=evidence,
            happened_at=happened_at,
            now=happened_at + timedelta(minutes=2),
            actor=actor or (f"broker/{broker}" if broker else "clerk"),
            refers_to=refers_to,
            facts={**facts, **(more or {})},
            note=note,
        )
        duties.drafts.append((self.spell, draft))
        return len(duties.drafts) - 1


def owed_people(statuses: Sequence[Mapping[str, Any]], *, today: date) -> list[int]:
    """Positions of the people who are registered unemployed and poverty-alleviated today, rising."""
    held: dict[int, set[Status]] = {}
    for row in statuses:
        if row["valid_from"] <= today and (row["valid_to"] is None or row["valid_to"] >= today):
            held.setdefault(row["worker_id"], set()).add(row["status"])
    both = {Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED}
    return sorted(position for position, found in held.items() if both <= found)
