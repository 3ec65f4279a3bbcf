"""Who is to be sent how many pushes, and what they are not to be sent again: read for everybody at once.

What is owed goes before what is merely useful, and neither is made twice: a push that is still on its way is waited
for, one that has reached somebody is not repeated in the same spell.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.ledger import Entry, EntryKind
from app.domain.obligations import Why, duties_of, is_granted
from app.domain.pushes import Answer, PushCause, PushState
from app.domain.sending import WEEK
from app.domain.spells import Spell
from app.kit.clock import china_date
from app.store import policies, postings
from app.store import pushes as store
from app.store import spells as spells_store
from app.store.ledger import list_takers
from app.store.postings import Posting
from app.usecases.ledger import list_entries
from app.usecases.obligations import read_rules
from app.usecases.pushes import is_open, job_of
from app.usecases.send_rules import load_send_rules

MOST_AT_ONCE = 3  # what a mandated package holds (plan 8.7), and what a person can weigh against each other
RECEIPTS_WITHIN = timedelta(days=3)  # carriers try no longer: what has not been heard of by then has not arrived
_PEOPLE_AT_ONCE = 1_000
_ON_ITS_WAY = frozenset({PushState.QUEUED, PushState.SENDING, PushState.UNCERTAIN})
_OVER = frozenset({PushState.SUPPRESSED, PushState.FAILED, PushState.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRules:
    """What an office has set about planning.

    A posting with n places left is sent to `people_per_place` times n people at most. An owed push fits if its skill
    part is above `fitting_skill_permille`. From `older_worker_age` on somebody is an older worker. Nobody is sent more
    than `weekly_cap` postings in seven days that they neither asked for nor are owed.
    """

    people_per_place: float = 3
    fitting_skill_permille: int = 300
    older_worker_age: int = 50
    weekly_cap: int = 3


@dataclass(slots=True, kw_only=True)
class Recipient:
    """What is to be known of a person when pushes are planned.

    `missing`: pushes that are owed to them and not on their way. `recent`: how many they were sent in the last seven
    days without having asked. `jobs` and `postings` are not to be sent them again. `is_granted`: the office has
    granted them a public-welfare post in this spell (plan 8.10).
    """

    spell_id: int | None = None
    missing: int = 0
    recent: int = 0
    is_granted: bool = False
    jobs: set[str] = field(default_factory=set)
    postings: set[int] = field(default_factory=set)

    def most(self, rules: PlanRules) -> int:
        """How many they are sent at most today."""
        return min(MOST_AT_ONCE, self.missing) or max(0, min(MOST_AT_ONCE, rules.weekly_cap - self.recent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """Recipients by worker, only those of whom something is known; and what is open.

    `jobs` tells of each posting that may be sent which job it is; `held` how many of its places somebody has by the
    ledger; `taken` to how many people it was sent who have not declined, and to whom it may still come.
    """

    rules: PlanRules
    known: Mapping[int, Recipient]
    jobs: Mapping[int, str]
    held: Mapping[int, int]
    taken: Mapping[int, int]

    def of(self, worker_id: int) -> Recipient:
        """What is known of a person."""
        return self.known.get(worker_id) or Recipient()


def load_plan_rules(session: Session, *, now: datetime) -> PlanRules:
    """The rules of planning that hold now.

    Raises:
        RulesMissing: the rules of what is owed are not complete.
    """
    today = china_date(now)
    found = {
        name: setting.value
        for name, setting_name in (("people_per_place", "push_people_per_place"), ("older_worker_age",) * 2)
        if (setting := policies.find_setting(session, setting_name, on=today)) is not None
    }
    return PlanRules(
        **found,
        fitting_skill_permille=read_rules(session).on(today).push_fitting_skill_permille,
        weekly_cap=load_send_rules(session, on=today).weekly_cap,
    )


def read_recipients(
    session: Session,
    *,
    now: datetime,
    worker_ids: Collection[int] | None = None,
    posting_ids: Collection[int] | None = None,
) -> Recipients:
    """Whom pushes are owed to, and what everybody was sent.

    Of these people alone where they are named, and of these postings, no more of either than a query takes.

    Raises:
        RulesMissing: the rules of what is owed are not complete.
    """
    jobs = {posting.id: job_of(posting) for posting in _open_postings(session, posting_ids, now=now)}
    spells = {spell.worker_id: spell for spell in _open_spells(session, worker_ids, now=now)}
    known = {worker: Recipient(spell_id=spell.id) for worker, spell in spells.items()}
    _read_ledger(session, list(spells.values()), known, now=now)
    open_jobs = set(jobs.values())
    for made in store.list_made_pushes(session, worker_ids=worker_ids):
        person = known.setdefault(made.worker_id, Recipient())
        is_recent = made.created_at > now - WEEK
        person.recent += is_recent and made.cause is not PushCause.ASKED
        if made.answer is Answer.UNSUITABLE:
            # In whatever spell: who has said no to a job is not asked again.
            person.jobs.add(made.job)
            person.postings.add(made.posting_id)
        is_waited_for = made.state in _ON_ITS_WAY or (
            made.state is PushState.SENT and made.state_at > now - RECEIPTS_WITHIN
        )
        if is_waited_for:
            # Whenever it was made: it will belong to the spell of the day on which it arrives.
            person.missing = max(0, person.missing - 1)
        elif made.spell_id != person.spell_id:
            continue
        # What never left the house has not been seen, and is tried again after a week.
        may_be_seen = made.state not in _OVER or made.has_left
        if made.job in open_jobs and (may_be_seen or is_recent):
            person.jobs.add(made.job)
            person.postings.add(made.posting_id)
    return Recipients(
        rules=load_plan_rules(session, now=now),
        known=known,
        jobs=jobs,
        held={posting: len(people) for posting, people in list_takers(session, jobs).items()},
        taken=store.count_people_by_posting(session, over=_OVER, posting_ids=posting_ids),
    )


def _open_postings(session: Session, posting_ids: Collection[int] | None, *, now: datetime) -> Sequence[Posting]:
    if posting_ids is None:
        return postings.list_open_postings(session, today=china_date(now))
    rows = postings.list_postings(session, sorted({*posting_ids}))
    return [posting for posting, _ in rows if is_open(posting, at=now) and posting.openings > 0]


def _open_spells(session: Session, worker_ids: Collection[int] | None, *, now: datetime) -> list[Spell]:
    if worker_ids is not None:
        return spells_store.list_open_spells(session, worker_ids)
    return [spell for spell in spells_store.list_spells_on(session, on=china_date(now)) if spell.closed_on is None]


def _read_ledger(session: Session, spells: list[Spell], known: Mapping[int, Recipient], *, now: datetime) -> None:
    """What is missing in each spell, and what somebody was told of face to face."""
    book = read_rules(session)
    # Some at a time: what a whole city's ledger takes in memory costs more to keep than to read in parts.
    for start in range(0, len(spells), _PEOPLE_AT_ONCE):
        part = spells[start : start + _PEOPLE_AT_ONCE]
        theirs: dict[int | None, list[Entry]] = {}
        for entry in list_entries(session, worker_ids=[spell.worker_id for spell in part]):
            theirs.setdefault(entry.worker_id, []).append(entry)
        for spell in part:
            entries, person = theirs.get(spell.worker_id, []), known[spell.worker_id]
            duty = duties_of(spell, entries, book=book, now=now).duties[EntryKind.PUSH]
            person.missing = duty.missing
            person.is_granted = is_granted(spell, entries)
            declined = {entry.refers_to for entry in entries if _declines(entry)}
            for entry in entries:
                if entry.kind is not EntryKind.PUSH or (entry.spell_id != spell.id and entry.id not in declined):
                    continue
                if duty.uncounted.get(entry.id) is Why.STRUCK:
                    continue
                job, posting_id = entry.facts.get("job"), entry.facts.get("posting")
                if isinstance(job, str):
                    person.jobs.add(job)
                if isinstance(posting_id, int):
                    person.postings.add(posting_id)


def _declines(entry: Entry) -> bool:
    return entry.kind is EntryKind.ANSWER and entry.facts.get("answer") == Answer.UNSUITABLE
