"""Watching for fiction: what was written in the ledger in a stretch of time, looked at for patterns worth a look.

The patterns are `domain.fictions`; here they are given their thresholds and what is known beside the entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.domain.areas import great_circle_km
from app.domain.fictions import Beside, Finding, Thresholds, find_fictions
from app.domain.ledger import Entry, EntryKind
from app.domain.obligations import SpellDuties, duties_of, list_windows
from app.domain.postings import PostingState
from app.domain.spells import Spell
from app.kit.clock import CHINA, china_date
from app.kit.errors import FieldFault, Invalid
from app.kit.keys import KeyRing
from app.store import brokers, identities, policies, postings, spells, workers
from app.store.audit import record_act
from app.store.postings import Posting
from app.usecases.areas import AreaBook, AreaUnknown
from app.usecases.ledger import digest_notes, list_entries, list_written
from app.usecases.obligations import DistrictUnknown, RulesMissing, read_rules

_SETTINGS = {
    "least": "fiction_least",
    "share": "fiction_share",
    "late_days": "fiction_late_days",
    "reopened_days": "fiction_reopened_days",
    "burst_days": "fiction_burst_days",
    "burst_people": "fiction_burst_people",
    "burst_multiple": "fiction_burst_multiple",
    "same_job_people": "fiction_same_job_people",
    "same_job_share": "fiction_same_job_share",
    "people_per_place": "push_people_per_place",
    "phone_people": "fiction_phone_people",
    "night_from": "fiction_night_from",
    "night_until": "fiction_night_until",
    "guidance_minutes": "fiction_guidance_minutes",
    "talks_at_once": "fiction_talks_at_once",
    "far_metres": "fiction_far",
    "copied_people": "fiction_copied_people",
    "copied_characters": "fiction_copied_characters",
    "copied_share": "fiction_copied_share",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was looked at and what was found.

    `flagged` counts the entries that stand in some finding, `compared` the notes that were opened to be compared.
    """

    since: date
    until: date
    entries: int
    flagged: int
    compared: int
    findings: tuple[Finding, ...]


def watch(
    session: Session,
    *,
    since: date,
    until: date,
    now: datetime,
    keys: KeyRing,
    district: str | None = None,
    areas: AreaBook | None = None,
) -> Watched:
    """Look at what was written from one day to another, both included, for patterns that flatter the counts.

    Nothing is changed, and no phone number and no note is shown to anybody. But what people said is compared: whoever
    calls it tells the audit of that (`record_watch`) before anything of it is shown.

    Args:
        session: a session that reads; the look at a month takes long, in which others have to write.
        since: the first day on which entries were written.
        until: the last.
        now: when it is looked.
        keys: the key ring.
        district: only people at home in the district of this code; None: everybody.
        areas: today's areas, if they are at hand; read otherwise.

    Raises:
        Invalid: the first day is after the last (`until_before_since`).
        DistrictUnknown: no district bears this code today.
        RulesMissing: a threshold is missing or cannot be used.
    """
    if until < since:
        raise Invalid(fields=[FieldFault("until", "until_before_since", "结束的日子在开始之前，请核对日期")])
    areas = areas if areas is not None else AreaBook.load(session, on=china_date(now))
    if district is not None and district not in {fact.code for fact in areas.districts()}:
        raise DistrictUnknown
    limits = read_thresholds(session, on=until)
    entries = list_written(session, since=_begins(since), until=_begins(until + timedelta(days=1)))
    homes = workers.list_homes(session, {entry.worker_id for entry in entries if entry.worker_id is not None})
    if district is not None:
        entries = [entry for entry in entries if homes.get(entry.worker_id or 0, ("", 0))[0].startswith(district)]
    entries = [entry for entry in entries if entry.worker_id is not None]
    notes = digest_notes(session, entries, keys=keys)
    beside = Beside(
        **_beside_spells(session, entries, until=until, reopened_days=limits.reopened_days, now=now),
        **_beside_pushes(session, entries, homes=homes, areas=areas),
        reaches={worker_id: max_km * 1000 for worker_id, (_, max_km) in homes.items()},
        one_phone=identities.list_shared_phones(session, _people(entries), least=limits.phone_people),
        notes=notes,
        care=brokers.list_codes(session, _people(entries), on=until),
    )
    findings = find_fictions(entries, limits=limits, beside=beside)
    return Watched(
        since=since,
        until=until,
        entries=sum(entry.written_at < _begins(until + timedelta(days=1)) for entry in entries),
        flagged=len({entry_id for finding in findings for entry_id in finding.entry_ids}),
        compared=len(notes),
        findings=tuple(findings),
    )


def record_watch(session: Session, found: Watched, *, actor: str, now: datetime) -> None:
    """Tell the audit of notes that were compared; nothing where none were.

    Args:
        session: a transaction that the caller commits, before anything that was found is shown.
        found: what was looked at.
        actor: who looked.
        now: when.
    """
    if found.compared:
        detail = f"{found.compared} notes: fictions {found.since} {found.until}"
        record_act(session, actor=actor, action="compare_notes", subject="ledger", now=now, detail=detail)


def read_thresholds(session: Session, *, on: date) -> Thresholds:
    """The thresholds that hold on a day.

    Raises:
        RulesMissing: one is missing or cannot be used; `settings` names it.
    """
    found: dict[str, Any] = {}
    for name, setting in _SETTINGS.items():
        row = policies.find_setting(session, setting, on=on)
        if row is None:
            raise RulesMissing(f"{on} 没有这个设定：{setting}", settings=[setting])
        try:
            found[name] = _value(name, row.value)
        except (TypeError, ValueError):
            raise RulesMissing(f"设定 {setting} 的值不能用", settings=[setting]) from None
    return Thresholds(**found)


def _value(name: str, value: Any) -> Any:
    if name.startswith("night_"):
        return time.fromisoformat(value)
    if name.endswith("share"):
        return float(value)
    if type(value) is not int or value < 1:
        raise ValueError("a whole number above zero")
    return value * 1000 if name == "far_metres" else value


def _beside_spells(
    session: Session, entries: Sequence[Entry], *, until: date, reopened_days: int, now: datetime
) -> dict[str, Any]:
    """The days on which something was due in the spells of these entries, and which were closed or opened in doubt."""
    book = read_rules(session)
    found = spells.list_spells(session, {entry.spell_id for entry in entries if entry.spell_id is not None})
    ended = {entry.spell_id for entry in entries if entry.kind is EntryKind.SPELL_CLOSED}
    closed = [spell for spell in found if spell.id in ended]
    before = _spells_before(session, entries, found, reopened_days=reopened_days)
    theirs: dict[int | None, list[Entry]] = {}
    for entry in list_entries(session, spell_ids={spell.id for spell in (*closed, *before.values())}):
        theirs.setdefault(entry.spell_id, []).append(entry)

    def duties(spell: Spell) -> SpellDuties:
        return duties_of(spell, theirs.get(spell.id, []), book=book, now=now)

    return {
        "due_days": {spell.id: [due_on for _, due_on in list_windows(spell, last=until, book=book)] for spell in found},
        "closed_late": {spell.id for spell in closed if duties(spell).is_closed_afterwards},
        "reopened": {spell_id for spell_id, spell in before.items() if duties(spell).is_unserved},
    }


def _spells_before(
    session: Session, entries: Sequence[Entry], found: Sequence[Spell], *, reopened_days: int
) -> dict[int, Spell]:
    """By the id of a spell that these entries open: that of the same person which ended shortly before it began."""
    opened = {entry.spell_id for entry in entries if entry.kind is EntryKind.SPELL_OPENED}
    anew = [spell for spell in found if spell.id in opened]
    ended: dict[int, list[Spell]] = {}
    for spell in spells.list_closed_spells(session, {spell.worker_id for spell in anew}):
        ended.setdefault(spell.worker_id, []).append(spell)
    return {
        spell.id: earlier
        for spell in anew
        for earlier in ended.get(spell.worker_id, ())
        if earlier.closed_on is not None
        and timedelta(0) <= spell.opened_on - earlier.closed_on <= timedelta(days=reopened_days)
    }


def _beside_pushes(
    session: Session, entries: Sequence[Entry], *, homes: Mapping[int, tuple[str, int]], areas: AreaBook
) -> dict[str, Any]:
    """Which pushes were of postings that were closed by then, and how far from home the workplaces are."""
    pushes = [(entry, entry.facts.get("posting")) for entry in entries if entry.kind is EntryKind.PUSH]
    ids = sorted({posting for _, posting in pushes if isinstance(posting, int)})
    known = {posting.id: posting for posting, _ in postings.list_postings(session, ids)}
    closed: set[int] = set()
    metres: dict[int, int] = {}
    for entry, number in pushes:
        posting = known.get(number) if isinstance(number, int) else None
        if posting is None:
            continue
        if _was_closed(posting, at=entry.happened_at):
            closed.add(entry.id)
        home = homes.get(entry.worker_id or 0)
        if home is not None and (far := _metres_between(home[0], posting, areas=areas)) is not None:
            metres[entry.id] = far
    return {"closed": closed, "metres": metres}


def _was_closed(posting: Posting, *, at: datetime) -> bool:
    """Whether a posting was surely not open at an instant: it has not changed since, or its validity had passed."""
    if posting.valid_until is not None and posting.valid_until < china_date(at):
        return True
    if posting.state is PostingState.HISTORICAL:
        return True
    return posting.state is PostingState.CLOSED and posting.changed_at <= at


def _metres_between(home_code: str, posting: Posting, *, areas: AreaBook) -> int | None:
    if posting.lon is None or posting.lat is None:
        return None
    try:
        lon, lat = areas.place(home_code).located()
    except AreaUnknown:
        return None
    return round(great_circle_km(lon, lat, posting.lon, posting.lat) * 1000)


def _people(entries: Sequence[Entry]) -> set[int]:
    return {entry.worker_id for entry in entries if entry.worker_id is not None}


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=CHINA)
