"""Opening and closing spells (失业登记): by a clerk or a kiosk for one person, by the statuses on record for everybody.

Each opening and closing is an entry of the ledger, written in the same transaction.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy.orm import Session

from app.domain.ledger import Entry, EntryKind
from app.domain.obligations import duties_of, is_granted
from app.domain.spells import OWED_STATUSES, Spell, SpellEnd, SpellSource, is_owed
from app.domain.workers import Status
from app.kit.clock import CHINA, china_date
from app.kit.errors import Conflict, FieldFault, Invalid, NotFound
from app.kit.keys import KeyRing
from app.store import policies
from app.store import spells as store
from app.store import workers as workers_store
from app.usecases.ledger import EntryDraft, append_entries, append_entry, list_entries
from app.usecases.obligations import RulesMissing, read_rules

SPELL_GAP = "spell_gap"
"""The setting: how many days after a spell was closed a new one still goes on with it."""


class SpellUnknown(NotFound):
    """There is no such spell."""

    code = "spell_unknown"
    title = "没有这一次失业登记"


class SpellClosed(Conflict):
    """The spell was closed already, on another day or for another reason."""

    code = "spell_closed"
    title = "这一次失业登记已经结束了"


class SpellOverlaps(Conflict):
    """A spell of this person ended only after the day on which another is to begin."""

    code = "spell_overlaps"
    title = "这一天还在上一次失业登记里"


class NotRegisteredAnew(Conflict):
    """The last spell was closed, and no registration has begun since; `workers` says whose."""

    code = "not_registered_anew"
    title = "上一次失业登记已经结束，以后没有重新登记失业，不能再建档：请先记登记失业从哪天起"


class WelfareNotGranted(Conflict):
    """A public-welfare post is a last resort, and no officer has granted it in this spell (plan 8.10)."""

    code = "welfare_not_granted"
    title = "兜底安置还没有批准，不能按公益性岗位结束登记"


class NotOwed(Conflict):
    """Not both registered unemployed and poverty-alleviated on that day; `workers` says who."""

    code = "not_owed"
    title = "这一天不是登记失业的脱贫人口，不能建档"


@dataclass(frozen=True, slots=True)
class SpellChanges:
    """Ids of spells that a look at everybody's statuses has opened and closed."""

    opened: tuple[int, ...]
    closed: tuple[int, ...]


def find_open_spell(session: Session, worker_id: int) -> Spell | None:
    """The one spell of a person that is open, or None."""
    return store.find_open_spell(session, worker_id)


def list_open_spells(session: Session, *, on: date) -> list[Spell]:
    """Every spell that was open on a day, its last day included; in order of id."""
    return store.list_spells_on(session, on=on)


def open_spells(
    session: Session,
    worker_ids: Collection[int],
    *,
    source: SpellSource,
    actor: str,
    on: date,
    now: datetime,
    keys: KeyRing,
) -> list[int]:
    """Open a spell for each of these people, all or none; the ids of the new ones.

    Who has a spell open keeps it, and nothing is written for them: twice, or two at once, is once. Whose last one was
    closed needs a registration that began later, unless it was closed by mistake. Where that one was closed by mistake
    and none has begun since, or so shortly before as the setting `spell_gap` says, and something owed in it was not
    done, the new one runs from its first day: closing and opening again moves no deadline.

    Args:
        session: a transaction that the caller commits.
        worker_ids: who was registered.
        source: who opens it.
        actor: as in the ledger.
        on: the day of registration, today or earlier.
        now: when it is written.
        keys: the key ring.

    Raises:
        Invalid: the day is still to come (`in_future`).
        NotOwed: somebody is not both on that day.
        SpellOverlaps: an earlier spell of somebody ended after that day.
        NotRegisteredAnew: somebody's last spell was closed, and they have not been registered again since.
        app.usecases.obligations.RulesMissing: a setting is missing by which a spell follows another.
    """
    _require_past("on", on, now=now)
    statuses = workers_store.list_statuses(session, on=on, worker_ids=worker_ids, among=OWED_STATUSES)
    if strangers := sorted({one for one in worker_ids if not is_owed(statuses.get(one, frozenset()))}):
        raise NotOwed(workers=strangers)
    last = store.list_last_spells(session, worker_ids)
    ended = {worker_id: day for worker_id, spell in last.items() if (day := spell.closed_on) is not None}
    if any(day > on for day in ended.values()):
        raise SpellOverlaps
    anew = _registered_anew(session, ended, on=on)
    if stale := sorted(one for one in ended.keys() - anew if last[one].end is not SpellEnd.MISTAKE):
        raise NotRegisteredAnew(workers=stale)
    new = {worker_id: on for worker_id in worker_ids if worker_id in ended or worker_id not in last}
    first_days = new | _continued(session, [last[worker_id] for worker_id in ended], anew, on=on, now=now)
    opened = store.add_spells(session, first_days, source=source)
    append_entries(
        session,
        [
            EntryDraft(
                kind=EntryKind.SPELL_OPENED,
                worker_id=spell.worker_id,
                spell_id=spell.id,
                happened_at=_moment(spell.opened_on, now=now),
                now=now,
                actor=actor,
                facts={"source": source.value},
            )
            for spell in opened
        ],
        keys=keys,
    )
    return [spell.id for spell in opened]


def close_spell(
    session: Session, spell_id: int, *, end: SpellEnd, actor: str, on: date, now: datetime, keys: KeyRing
) -> Spell:
    """Close a spell with its reason; closed again with the same day and reason it stays as it is.

    A closing that is dated back ends nothing that was overdue when it is written (`domain.obligations`).

    Args:
        session: a transaction that the caller commits.
        spell_id: which.
        end: why.
        actor: as in the ledger.
        on: its last day, not before the first and not after today.
        now: when it is written.
        keys: the key ring.

    Raises:
        SpellUnknown: there is no such spell.
        SpellClosed: it was closed on another day or for another reason.
        WelfareNotGranted: it is to end in a public-welfare post that no officer has granted in it.
        Invalid: the day is still to come (`in_future`) or before the registration (`before_spell`).
    """
    spell = store.find_spell(session, spell_id)
    if spell is None:
        raise SpellUnknown
    if on < spell.opened_on:
        raise Invalid(fields=[FieldFault("on", "before_spell", "结束的日子在登记之前，请核对日期")])
    _require_past("on", on, now=now)
    if end is SpellEnd.WELFARE_POST and not is_granted(spell, list_entries(session, worker_ids=[spell.worker_id])):
        raise WelfareNotGranted
    if not store.end_spell(session, spell_id, closed_on=on, end=end):
        closed = store.find_spell(session, spell_id)
        if closed is None or (closed.closed_on, closed.end) != (on, end):
            raise SpellClosed
        return closed
    append_entry(
        session,
        kind=EntryKind.SPELL_CLOSED,
        worker_id=spell.worker_id,
        spell_id=spell_id,
        happened_at=_moment(on, now=now),
        now=now,
        actor=actor,
        facts={"reason": end.value},
        keys=keys,
    )
    return Spell(id=spell_id, worker_id=spell.worker_id, opened_on=spell.opened_on, closed_on=on, end=end)


def sync_spells(
    session: Session,
    *,
    actor: str,
    on: date,
    now: datetime,
    keys: KeyRing,
    worker_ids: Collection[int] | None = None,
) -> SpellChanges:
    """Bring spells in line with what people are registered as on a day; again on the same day it changes nothing.

    A spell opens on that day for everybody who is both and never had one, or was registered anew since the last was
    closed: whom a clerk has closed is not opened again by a list that still holds them. One closes
    (`status_ended`) where a status has ended: on the last day on which both held, if that is on record, else on the day
    itself.

    Args:
        session: a transaction that the caller commits.
        actor: as in the ledger.
        on: the day, today or earlier.
        now: when it is written.
        keys: the key ring.
        worker_ids: these people alone; None: everybody.
    """
    statuses_of = workers_store.list_statuses(session, on=on, worker_ids=worker_ids, among=OWED_STATUSES)
    owed = {one for one, statuses in statuses_of.items() if is_owed(statuses)}
    if worker_ids is None:
        open_now = [spell for spell in store.list_spells_on(session, on=on) if spell.closed_on is None]
    else:
        open_now = store.list_open_spells(session, worker_ids)
    ended = [spell for spell in open_now if spell.worker_id not in owed]
    last_days = workers_store.list_last_days(session, [spell.worker_id for spell in ended], OWED_STATUSES)
    for spell in ended:
        last = min(on, max(spell.opened_on, last_days.get(spell.worker_id, on)))
        close_spell(session, spell.id, end=SpellEnd.STATUS_ENDED, actor=actor, on=last, now=now, keys=keys)
    new = owed - {spell.worker_id for spell in open_now}
    known = store.list_last_spells(session, new)
    closed_on = {worker_id: day for worker_id, spell in known.items() if (day := spell.closed_on) is not None}
    free = (new - known.keys()) | _registered_anew(session, closed_on, on=on)
    opened = open_spells(session, free, source=SpellSource.IMPORT, actor=actor, on=on, now=now, keys=keys)
    return SpellChanges(opened=tuple(opened), closed=tuple(spell.id for spell in ended))


def begun_anew(
    session: Session, claims: Collection[tuple[int, Status, date]], *, on: date
) -> set[tuple[int, Status, date]]:
    """Those of these registrations (worker, status, first day) as unemployed that begin after a spell was closed.

    The person still bears the status from before then. Whoever begins to work is closed, and stays on record as
    unemployed as long as nobody ends it; out of work again, they are registered anew, and are owed anew.
    """
    unemployed = [claim for claim in claims if claim[1] is Status.REGISTERED_UNEMPLOYED]
    last = store.list_last_spells(session, {worker_id for worker_id, *_ in unemployed})
    since = workers_store.list_first_days(session, last, [Status.REGISTERED_UNEMPLOYED], on=on)
    return {
        (worker_id, status, first_day)
        for worker_id, status, first_day in unemployed
        if worker_id in since
        and (closed_on := last[worker_id].closed_on) is not None
        and since[worker_id] <= closed_on < first_day <= on
    }


def _registered_anew(session: Session, ended: Mapping[int, date], *, on: date) -> set[int]:
    """Who of these people, whose last spells ended on these days, was registered again later and is so on a day."""
    since = workers_store.list_first_days(session, ended, OWED_STATUSES, on=on)
    return {worker_id for worker_id, day in ended.items() if worker_id in since and day < since[worker_id]}


def _continued(
    session: Session, last: Collection[Spell], anew: Collection[int], *, on: date, now: datetime
) -> dict[int, date]:
    """The first days of those last spells that a new one only goes on with, by the person.

    Who was registered `anew` has another reason to be than that the closing was a mistake.
    """
    if not last:
        return {}
    begins_anew = on - timedelta(days=_spell_gap(session, on=on))
    near = [
        spell
        for spell in last
        if spell.closed_on is not None and (spell.worker_id not in anew or spell.closed_on >= begins_anew)
    ]
    book, entries = read_rules(session), dict[int | None, list[Entry]]()
    for entry in list_entries(session, spell_ids=[spell.id for spell in near]):
        entries.setdefault(entry.spell_id, []).append(entry)
    return {
        spell.worker_id: spell.opened_on
        for spell in near
        if duties_of(spell, entries.get(spell.id, []), book=book, now=now).is_unserved
    }


def _spell_gap(session: Session, *, on: date) -> int:
    row = policies.find_setting(session, SPELL_GAP, on=on)
    if row is None or type(row.value) is not int or row.value < 0:
        raise RulesMissing(f"{on} 没有能用的设定：{SPELL_GAP}", settings=[SPELL_GAP])
    return row.value


def _require_past(field: str, day: date, *, now: datetime) -> None:
    if day > china_date(now):
        raise Invalid(fields=[FieldFault(field, "in_future", "日期还没有到，请核对")])


def _moment(on: date, *, now: datetime) -> datetime:
    """When something happened of which the day is known: today now, on an earlier day at its beginning."""
    return now if on == china_date(now) else datetime.combine(on, time(), tzinfo=CHINA)
