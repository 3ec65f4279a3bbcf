"""Where work comes of it: starts, scarce places by priority (plan 8.9), public-welfare posts as a last resort (8.10).

Who decides has to show it: each step is an entry of the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.obligations import (
    APPROVED,
    DECLINED,
    PROPOSED,
    LastResort,
    last_resort,
    latest_step,
    work_relief_order,
)
from app.domain.postings import PostingKind
from app.domain.spells import Spell, SpellEnd
from app.kit.clock import china_date
from app.kit.errors import Conflict, FieldFault, Forbidden, Invalid, NotFound
from app.kit.keys import KeyRing
from app.store import postings, spells, workers
from app.store.ledger import list_takers
from app.usecases.ledger import EntryDraft, append_entries, append_entry, list_entries
from app.usecases.obligations import NoOpenSpell, append_deed, deed_faults, read_rules, talk_facts
from app.usecases.pushes import is_open
from app.usecases.spells import close_spell
from app.usecases.vacancies import places_left

DECIDERS = "officer/"
"""How whoever decides about a last resort signs."""


class LastResortTooEarly(Conflict):
    """The ledger does not show yet that the market was tried; `missing` says what is lacking."""

    code = "last_resort_too_early"
    title = "还不能安置公益性岗位：台账里市场化的办法还没有试够"


class LastResortProposed(Conflict):
    """A proposal for this person waits for its decision already, or was approved."""

    code = "last_resort_proposed"
    title = "这次失业登记已经提过兜底安置了"


class LastResortNotProposed(NotFound):
    """There is no proposal that waits for a decision."""

    code = "last_resort_not_proposed"
    title = "没有等着批的兜底安置申请"


class LastResortNotOfficers(Forbidden):
    """A last resort is the office's decision: an officer's, not a broker's or a clerk's."""

    code = "last_resort_not_officers"
    title = "兜底安置要由主管人员（officer）来批"


class LastResortOwnProposal(Conflict):
    """Whoever proposed a post does not decide about it."""

    code = "last_resort_own_proposal"
    title = "谁提的申请不能由谁来批"


class NotWorkRelief(Conflict):
    """Places are shared out by priority in work relief that is open."""

    code = "not_work_relief"
    title = "这个岗位不是正在招人的以工代赈岗位，不按优先次序安排"


class PostingUnknown(NotFound):
    """There is no such posting."""

    code = "posting_unknown"
    title = "没有这个岗位"


# --- last resort ------------------------------------------------------------------------------------------------------


def propose_last_resort(
    session: Session, worker_id: int, *, reasons: str, now: datetime, actor: str, keys: KeyRing
) -> Entry:
    """Propose a public-welfare post for somebody for whom the market had nothing.

    Args:
        session: a transaction that the caller commits.
        worker_id: for whom.
        reasons: why, in words; sealed under the person's key. What the ledger shows is written beside them.
        now: when.
        actor: who proposes it.
        keys: the key ring.

    Raises:
        Invalid: no reasons are given (`reasons_missing`).
        NoOpenSpell: the person is not registered today.
        LastResortProposed: it was proposed in this spell and not declined.
        LastResortTooEarly: the rule is not met; the detail tells what is missing.
    """
    _require_reasons(reasons)
    spell, entries = _spell_and_entries(session, worker_id, now=now)
    latest = latest_step(spell, entries)
    if latest is not None and latest.facts.get("step") != DECLINED:
        raise LastResortProposed
    shown = _require_attempts(session, spell, entries, now=now)
    return _step(session, spell, PROPOSED, shown, note=reasons, refers_to=None, now=now, actor=actor, keys=keys)


def decide_last_resort(
    session: Session, worker_id: int, *, approves: bool, reasons: str, now: datetime, actor: str, keys: KeyRing
) -> Entry:
    """Decide about the proposal that waits. To decline it takes reasons alone; to approve it the rule must hold today.

    Args:
        session: a transaction that the caller commits.
        worker_id: for whom it was proposed.
        approves: whether the office agrees.
        reasons: why, in words; sealed under the person's key.
        now: when.
        actor: who decides, an officer; not who proposed it.
        keys: the key ring.

    Raises:
        Invalid: no reasons are given (`reasons_missing`).
        NoOpenSpell: the person is not registered today.
        LastResortNotOfficers: no officer decides.
        LastResortNotProposed: nothing waits for a decision.
        LastResortOwnProposal: the same person proposed it.
        LastResortTooEarly: the rule does not hold any more, since something was struck.
    """
    if not actor.startswith(DECIDERS):
        raise LastResortNotOfficers
    _require_reasons(reasons)
    spell, entries = _spell_and_entries(session, worker_id, now=now)
    proposal = latest_step(spell, entries)
    if proposal is None or proposal.facts.get("step") != PROPOSED:
        raise LastResortNotProposed
    if proposal.actor == actor:
        raise LastResortOwnProposal
    if approves:
        shown = _require_attempts(session, spell, entries, now=now)
    else:
        shown = last_resort(spell, entries, book=read_rules(session), now=now)
    step = APPROVED if approves else DECLINED
    return _step(session, spell, step, shown, note=reasons, refers_to=proposal.id, now=now, actor=actor, keys=keys)


def _require_reasons(reasons: str) -> None:
    if not reasons.strip():
        raise Invalid(fields=[FieldFault("reasons", "reasons_missing", "请写明理由")])


def _spell_and_entries(session: Session, worker_id: int, *, now: datetime) -> tuple[Spell, list[Entry]]:
    # Locked: of two who propose or decide at once the second sees what the first has written.
    spell = spells.lock_open_spell(session, worker_id)
    if spell is None or spell.opened_on > china_date(now):
        raise NoOpenSpell
    return spell, list_entries(session, worker_ids=[worker_id])


def _require_attempts(session: Session, spell: Spell, entries: Sequence[Entry], *, now: datetime) -> LastResort:
    shown = last_resort(spell, entries, book=read_rules(session), now=now)
    if shown.may_be_proposed:
        return shown
    told = (
        f"送到并有回应或拒绝的岗位 {shown.pushes} 个，要 {shown.pushes_needed} 个；"
        f"前后相隔 {shown.span_days} 天，要 {shown.span_days_needed} 天"
    )
    missing = "、".join(one.label for one in shown.missing)
    raise LastResortTooEarly(f"还不能安置公益性岗位：{missing}（{told}）", missing=[one.value for one in shown.missing])


def _step(
    session: Session,
    spell: Spell,
    step: str,
    shown: LastResort,
    *,
    note: str,
    refers_to: int | None,
    now: datetime,
    actor: str,
    keys: KeyRing,
) -> Entry:
    return append_entry(
        session,
        kind=EntryKind.LAST_RESORT,
        worker_id=spell.worker_id,
        spell_id=spell.id,
        happened_at=now,
        now=now,
        actor=actor,
        refers_to=refers_to,
        facts={"step": step, "reasons": [f"pushes:{shown.pushes}", f"span_days:{shown.span_days}"]},
        note=note,
        keys=keys,
    )


# --- priority ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """People for a posting in their order: who has a place, who waits, and what was written of it."""

    placed: tuple[int, ...]
    waiting: tuple[int, ...]
    entries: tuple[Entry, ...]


def place_by_priority(
    session: Session, posting_id: int, candidates: Sequence[int], *, now: datetime, actor: str, keys: KeyRing
) -> Placement:
    """Share out the places that a work-relief posting has left, in the order of plan 8.9.

    An entry is written for each who is given a place, which is theirs from then on, and for each who waits but was put
    before somebody whom the ranking had before them, once a posting. Who holds a place already keeps it.

    Args:
        session: a transaction that the caller commits.
        posting_id: the posting.
        candidates: who could work there, best first; nobody twice.
        now: when.
        actor: who places them.
        keys: the key ring.

    Raises:
        PostingUnknown: there is no such posting.
        NotWorkRelief: it is no work relief, or not open.
        Invalid: somebody is named twice (`twice`), or is not there (`worker_unknown`).
    """
    posting = postings.lock_posting(session, posting_id)
    if posting is None:
        raise PostingUnknown
    if posting.kind is not PostingKind.WORK_RELIEF or not is_open(posting, at=now):
        raise NotWorkRelief
    if len(set(candidates)) < len(candidates):
        raise Invalid(fields=[FieldFault("candidates", "twice", "同一个人写了两次，请核对")])
    if set(candidates) - workers.list_homes(session, candidates).keys():
        raise Invalid(fields=[FieldFault("candidates", "worker_unknown", "有的编号没有这个人，请核对")])
    today = china_date(now)
    order = work_relief_order(candidates, workers.list_statuses(session, on=today, worker_ids=candidates))
    held = list_takers(session, [posting_id]).get(posting_id, set())
    others = [worker_id for worker_id in order if worker_id not in held]
    free = places_left(session, [posting])[posting_id]
    given = others[:free]
    rank = {worker_id: number for number, worker_id in enumerate(candidates)}
    told = _told_before(session, posting_id, candidates)
    preferred = [
        (number, worker_id)
        for number, worker_id in enumerate(order, 1)
        if worker_id in given
        or (worker_id not in held | told and any(rank[behind] < rank[worker_id] for behind in order[number:]))
    ]
    spell_of = {
        spell.worker_id: spell.id
        for _, worker_id in preferred
        if (spell := spells.find_spell_on(session, worker_id, on=today)) is not None
    }
    entries = append_entries(
        session,
        [
            EntryDraft(
                kind=EntryKind.PRIORITY,
                worker_id=worker_id,
                spell_id=spell_of.get(worker_id),
                happened_at=now,
                now=now,
                actor=actor,
                facts={
                    "posting": posting_id,
                    "project": posting.programme,
                    "place": number,
                    "placed": worker_id in given,
                },
            )
            for number, worker_id in preferred
        ],
        keys=keys,
    )
    return Placement(
        placed=tuple(worker_id for worker_id in order if worker_id in held or worker_id in given),
        waiting=tuple(others[free:]),
        entries=tuple(entries),
    )


def _told_before(session: Session, posting_id: int, candidates: Sequence[int]) -> set[int | None]:
    """Of whom an entry tells already that they were put before others at this posting."""
    entries = list_entries(session, worker_ids=candidates)
    struck = {entry.refers_to for entry in entries if entry.kind is EntryKind.STRIKE}
    return {
        entry.worker_id
        for entry in entries
        if entry.kind is EntryKind.PRIORITY and entry.facts.get("posting") == posting_id and entry.id not in struck
    }


# --- starts -----------------------------------------------------------------------------------------------------------


def record_start(
    session: Session,
    *,
    worker_id: int,
    posting_id: int | None,
    channel: Channel,
    evidence: Grade,
    happened_at: datetime,
    now: datetime,
    actor: str,
    keys: KeyRing,
    closes: bool = False,
    minutes: int | None = None,
    note: str | None = None,
) -> Entry:
    """Write down that somebody has begun to work; with `closes` their registration ends on that day.

    Args:
        session: a transaction that the caller commits.
        worker_id: who.
        posting_id: at which posting; None where they found work elsewhere.
        channel: how it is known.
        evidence: how sure that is.
        happened_at: when they began, not later than `now`.
        now: when it is written.
        actor: who writes it.
        keys: the key ring.
        closes: whether the spell is closed with it: as employed, or as placed where it is a public-welfare post.
        minutes: how long the talk was in which they said so; needed where only staff say so (grade C).
        note: what was said; needed in the same case.

    Raises:
        Invalid: what was given cannot be; the codes of its fields are those of evidence in `record_service`.
        PostingUnknown: there is no such posting.
        NoOpenSpell: the person was not registered on that day.
        app.usecases.spells.SpellClosed: the spell was closed already in another way.
        app.usecases.spells.WelfareNotGranted: it closes with a public-welfare post that no officer has granted.
    """
    faults = deed_faults(
        channel=channel, evidence=evidence, happened_at=happened_at, now=now, minutes=minutes, note=note
    )
    if faults:
        raise Invalid(fields=faults)
    posting = None if posting_id is None else postings.find_posting(session, posting_id)
    if posting_id is not None and posting is None:
        raise PostingUnknown
    entry = append_deed(
        session,
        EntryKind.START,
        {"posting": posting_id} | talk_facts(minutes, note),
        worker_id=worker_id,
        channel=channel,
        evidence=evidence,
        happened_at=happened_at,
        now=now,
        actor=actor,
        keys=keys,
        note=note,
    )
    if closes:
        is_welfare = posting is not None and posting.kind is PostingKind.PUBLIC_WELFARE
        end = SpellEnd.WELFARE_POST if is_welfare else SpellEnd.EMPLOYED
        assert entry.spell_id is not None  # noqa: S101  a deed has its spell
        day = china_date(happened_at)
        close_spell(session, entry.spell_id, end=end, actor=actor, on=day, now=now, keys=keys)
    return entry
