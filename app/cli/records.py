"""`jiujin ledger record`, `strike`, `open`, `close`, `propose`, `decide`, `place`: what a clerk writes into the ledger.

Each command writes one thing in one transaction, or nothing. What is written is told with its number, and for services
also whether it counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from app.cli.databases import matchmaker_of, require_current_schema
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.domain.obligations import SERVICES, Why
from app.domain.pushes import Answer, Unsuitable
from app.domain.spells import SpellEnd, SpellSource
from app.domain.workers import Evidence as KnownBy
from app.domain.workers import Status
from app.kit.clock import CHINA
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.usecases.handed_pushes import judge_posting
from app.usecases.ledger import strike_entry
from app.usecases.obligations import (
    Briefing,
    Guidance,
    RulesMissing,
    Service,
    TrainingOffer,
    record_answer,
    record_attempt,
    record_refusal,
    record_service,
    require_writer,
    why_uncounted,
)
from app.usecases.placements import decide_last_resort, place_by_priority, propose_last_resort, record_start
from app.usecases.spells import close_spell, open_spells
from app.usecases.statuses import end_status, register_status
from app.wiring import House, check_keys

record = typer.Typer(no_args_is_help=True, help="往台账里记一条：宣介、指导、推送、培训、回应、拒绝、没联系上、上岗")


class Proof(StrEnum):
    """What somebody who writes by hand can bring: the person's own hand, or their own word."""

    A = "A"
    C = "C"


class OwedService(StrEnum):
    """What can be refused, or was tried."""

    BRIEFING = "briefing"
    GUIDANCE = "guidance"
    PUSH = "push"
    TRAINING = "training"


Worker = Annotated[int, typer.Option("--worker", metavar="编号", min=1, max=HIGHEST_ID, help="给谁办的：本人的编号")]
By = Annotated[str, typer.Option("--by", metavar="谁", help="谁记的：broker/代码、clerk/代码、officer/代码")]
Through = Annotated[Channel, typer.Option("--channel", help="怎么联系的")]
Evidence = Annotated[
    Proof,
    typer.Option("--evidence", help="凭据：A 本人签了字（纸上、窗口、终端），C 工作人员说的（写几分钟、谈了什么）"),
]
Minutes = Annotated[int | None, typer.Option("--minutes", min=1, help="谈了几分钟", show_default=False)]
Said = Annotated[str | None, typer.Option("--said", metavar="话", help="谈了什么；加密保存", show_default=False)]
At = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%d %H:%M"], metavar="时间", help="什么时候办的，“2026-12-01 09:30”，默认现在"),
]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], metavar="日期", help="哪一天，默认今天")]
Refused = Annotated[OwedService | None, typer.Option("--service", help="哪一样，不写就是全部", show_default=False)]
Reasons = Annotated[str, typer.Option("--why", metavar="话", help="理由；加密保存")]


# --- services ---------------------------------------------------------------------------------------------------------


@record.command("briefing", help="记一次政策宣介。")
def record_briefing(
    *,
    worker: Worker,
    text: Annotated[str, typer.Option("--text", metavar="名", help="讲的是哪一份讲稿")],
    version: Annotated[int, typer.Option("--version", min=1, help="讲稿第几版")] = 1,
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down a policy briefing."""
    given = _talk(worker, channel, evidence, minutes=minutes, said=said)
    _write_service(lambda _house: Briefing(text, version), given, at=at, by=by, data=data, as_json=as_json)


@record.command("guidance", help="记一次职业指导；几分钟、谈了什么都要写。")
def record_guidance(
    *,
    worker: Worker,
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down a talk about work."""
    given = _talk(worker, channel, evidence, minutes=minutes, said=said)
    _write_service(lambda _house: Guidance(), given, at=at, by=by, data=data, as_json=as_json)


@record.command("training", help="记一次培训推荐。")
def record_training(
    *,
    worker: Worker,
    held: Annotated[int, typer.Option("--session", min=1, max=HIGHEST_ID, metavar="编号", help="推荐的是哪一期")],
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down a recommended training."""
    given = _talk(worker, channel, evidence, minutes=minutes, said=said)
    _write_service(lambda _house: TrainingOffer(held), given, at=at, by=by, data=data, as_json=as_json)


@record.command("push", help="记一次当面、电话或纸条推的岗位；岗位当时的情况由系统核对。")
def record_push(
    *,
    worker: Worker,
    posting: Annotated[int, typer.Option("--posting", min=1, max=HIGHEST_ID, metavar="编号", help="推的是哪个岗位")],
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down a posting that somebody was told of. How it stood and fits is looked up, not typed."""

    def judge(house: House) -> Service:
        # Before anything is written: reading all postings takes seconds, in which nobody else could write.
        matchmaker = matchmaker_of(house)
        with read_session(house.engine) as session:
            told_at = house.clock.now() if at is None else at.replace(tzinfo=CHINA)
            return judge_posting(session, matchmaker, worker_id=worker, posting_id=posting, at=told_at)

    _write_service(
        judge, _talk(worker, channel, evidence, minutes=minutes, said=said), at=at, by=by, data=data, as_json=as_json
    )


def _talk(worker: int, channel: Channel, evidence: Proof, *, minutes: int | None, said: str | None) -> dict[str, Any]:
    """What services, refusals and starts have in common."""
    return {
        "worker_id": worker,
        "channel": channel,
        "evidence": Grade(evidence.value),
        "minutes": minutes,
        "note": said,
    }


def _write_service(
    make: Callable[[House], Service],
    given: dict[str, Any],
    *,
    at: datetime | None,
    by: str,
    data: Path | None,
    as_json: bool,
) -> None:
    with at_work(as_json=as_json, data=data) as house:
        _require(house)
        service = make(house)
        _write_in(
            house,
            lambda session, common: record_service(session, service, **given, **common),
            at=at,
            by=by,
            as_json=as_json,
        )


# --- what follows -----------------------------------------------------------------------------------------------------


@record.command("answer", help="记本人对一次推送的回应；本人签了字的写 --evidence A。")
def record_an_answer(
    *,
    push: Annotated[int, typer.Argument(metavar="ENTRY", min=1, max=HIGHEST_ID, help="推送是台账第几条")],
    said_yes: Annotated[Answer, typer.Option("--answer", help="本人怎么说")],
    why: Annotated[Unsuitable | None, typer.Option("--why", help="为什么不合适", show_default=False)] = None,
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down what somebody said to a push."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        return record_answer(
            session,
            push=push,
            answer=said_yes,
            why=why,
            channel=channel,
            evidence=Grade(evidence.value),
            minutes=minutes,
            note=said,
            **common,
        )

    _write(write, at=at, by=by, data=data, as_json=as_json)


@record.command("refusal", help="记本人拒绝；默认不免除应尽服务。")
def record_a_refusal(
    *,
    worker: Worker,
    service: Refused = None,
    push: Annotated[
        int | None,
        typer.Option(
            "--push", metavar="ENTRY", min=1, max=HIGHEST_ID, help="拒绝的推送是台账第几条", show_default=False
        ),
    ] = None,
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down that somebody does not want it."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        given = _talk(worker, channel, evidence, minutes=minutes, said=said)
        return record_refusal(session, service=_kind(service), push=push, **given, **common)

    _write(write, at=at, by=by, data=data, as_json=as_json)


@record.command("attempt", help="记一次没联系上。")
def record_an_attempt(
    *,
    worker: Worker,
    service: Refused = None,
    by: By,
    channel: Through = Channel.CALL,
    said: Annotated[str | None, typer.Option("--said", metavar="话", help="怎么没联系上", show_default=False)] = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down that somebody could not be reached."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        return record_attempt(session, worker_id=worker, service=_kind(service), channel=channel, note=said, **common)

    _write(write, at=at, by=by, data=data, as_json=as_json)


@record.command("start", help="记上岗；加 --close 同时结束失业登记。")
def record_a_start(
    *,
    worker: Worker,
    posting: Annotated[
        int | None,
        typer.Option("--posting", min=1, max=HIGHEST_ID, metavar="编号", help="在哪个岗位", show_default=False),
    ] = None,
    closes: Annotated[bool, typer.Option("--close", help="失业登记到这天结束，写“已经上岗”")] = False,
    by: By,
    channel: Through = Channel.VISIT,
    evidence: Evidence = Proof.C,
    minutes: Minutes = None,
    said: Said = None,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down that somebody has begun to work."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        given = _talk(worker, channel, evidence, minutes=minutes, said=said)
        return record_start(session, posting_id=posting, closes=closes, **given, **common)

    _write(write, at=at, by=by, data=data, as_json=as_json)


def strike(
    *,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=1, max=HIGHEST_ID, help="台账第几条")],
    why: Annotated[str, typer.Option("--why", metavar="话", help="为什么作废；不要写名字和电话")],
    by: By,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Strike an entry: it stays, and counts for nothing any more."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        return strike_entry(session, entry, why=why, **{name: common[name] for name in ("actor", "now", "keys")})

    _write(write, at=None, by=by, data=data, as_json=as_json)


# --- spells -----------------------------------------------------------------------------------------------------------


def open_spell(*, worker: Worker, by: By, on: On = None, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Open a spell for somebody who is registered as both; who has one keeps it."""
    with at_work(as_json=as_json, data=data) as house:
        _require(house)
        with write_session(house.engine) as session:
            require_writer(session, by)
            opened = open_spells(
                session,
                [worker],
                source=SpellSource.CLERK,
                actor=by,
                on=_day(on, house),
                now=house.clock.now(),
                keys=house.keys,
            )
        document = {"worker": worker, "spell": opened[0] if opened else None}
        words = f"已登记，登记编号 {opened[0]}" if opened else "已经在登记里，没有改动"
        answer(document, words, as_json=as_json)


def close_a_spell(
    *,
    spell: Annotated[int, typer.Argument(metavar="SPELL", min=1, max=HIGHEST_ID, help="失业登记的编号")],
    end: Annotated[SpellEnd, typer.Option("--end", help="为什么结束")],
    by: By,
    on: On = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Close a spell with its reason."""
    with at_work(as_json=as_json, data=data) as house:
        _require(house)
        with write_session(house.engine) as session:
            require_writer(session, by)
            closed = close_spell(
                session, spell, end=end, actor=by, on=_day(on, house), now=house.clock.now(), keys=house.keys
            )
        document = {"spell": closed.id, "worker": closed.worker_id, "closed_on": closed.closed_on, "end": closed.end}
        answer(document, f"编号 {closed.id} 的失业登记到 {closed.closed_on} 结束：{end.label}", as_json=as_json)


def status(
    *,
    worker: Worker,
    status: Annotated[Status, typer.Option("--status", help="登记为什么")],
    ends: Annotated[bool, typer.Option("--end", help="登记到这天为止")] = False,
    evidence: Annotated[
        KnownBy, typer.Option("--known-by", help="凭什么：certified 有证明，self_declared 本人说的")
    ] = KnownBy.CERTIFIED,
    by: By,
    on: On = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Note that a person is registered as something from a day on, or up to it; spells follow."""
    with at_work(as_json=as_json, data=data) as house:
        _require(house)
        day, now = _day(on, house), house.clock.now()
        common: dict[str, Any] = {"actor": by, "now": now, "keys": house.keys}
        with write_session(house.engine) as session:
            require_writer(session, by)
            if ends:
                changes = end_status(session, worker, status, last_day=day, **common)
            else:
                changes = register_status(session, worker, status, evidence=evidence, since=day, **common)
        words = f"{status.label}：{'到' if ends else '从'} {day} {'为止' if ends else '起'}"
        words += "；失业登记开始了" if changes.opened else "；失业登记结束了" if changes.closed else ""
        document = {
            "worker": worker,
            "status": status.value,
            "ended": ends,
            "on": day,
            "opened": changes.opened,
            "closed": changes.closed,
        }
        answer(document, words, as_json=as_json)


# --- last resort and priority -----------------------------------------------------------------------------------------


def propose(*, worker: Worker, why: Reasons, by: By, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Propose a public-welfare post as a last resort."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        common.pop("happened_at")
        return propose_last_resort(session, worker, reasons=why, **common)

    _write(write, at=None, by=by, data=data, as_json=as_json)


def decide(
    *,
    worker: Worker,
    approves: Annotated[bool, typer.Option("--approve/--decline", help="同意还是不同意")],
    why: Reasons,
    by: By,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Decide about a proposed last resort."""

    def write(session: Session, common: dict[str, Any]) -> Entry:
        common.pop("happened_at")
        return decide_last_resort(session, worker, approves=approves, reasons=why, **common)

    _write(write, at=None, by=by, data=data, as_json=as_json)


def place(
    *,
    posting: Annotated[int, typer.Argument(metavar="POSTING", min=1, max=HIGHEST_ID, help="以工代赈岗位的编号")],
    worker: Annotated[
        list[int],
        typer.Option("--worker", metavar="编号", min=1, max=HIGHEST_ID, help="想去的人，合适的写在前面，可以写几次"),
    ],
    by: By,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Put people in the order of the plan for a work-relief posting with few places."""
    with at_work(as_json=as_json, data=data) as house:
        _require(house)
        with write_session(house.engine) as session:
            require_writer(session, by)
            found = place_by_priority(session, posting, worker, now=house.clock.now(), actor=by, keys=house.keys)
        document = {
            "posting": posting,
            "placed": found.placed,
            "waiting": found.waiting,
            "entries": [entry.id for entry in found.entries],
        }
        words = f"安排：{'、'.join(map(str, found.placed))}；等候：{'、'.join(map(str, found.waiting)) or '没有'}"
        if found.entries:
            words += f"\n优先安排记在台账第 {'、'.join(str(entry.id) for entry in found.entries)} 条"
        answer(document, words, as_json=as_json)


# --- how all of them write --------------------------------------------------------------------------------------------


def _write(
    write: Callable[[Session, dict[str, Any]], Entry],
    *,
    at: datetime | None,
    by: str,
    data: Path | None,
    as_json: bool,
) -> None:
    with at_work(as_json=as_json, data=data) as house:
        _require(house)
        _write_in(house, write, at=at, by=by, as_json=as_json)


def _write_in(
    house: House, write: Callable[[Session, dict[str, Any]], Entry], *, at: datetime | None, by: str, as_json: bool
) -> None:
    now = house.clock.now()
    happened_at = now if at is None else at.replace(tzinfo=CHINA)
    # Judged before it is committed: a clerk who is told of a failure writes it down again.
    with write_session(house.engine) as session:
        require_writer(session, by)
        entry = write(session, {"happened_at": happened_at, "now": now, "actor": by, "keys": house.keys})
        verdict = _judge(session, entry, now=now)
    answer(_document(entry, verdict), _told(entry, verdict), as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether an entry counts: None where it is no service, or where a setting is missing by which to tell."""

    counts: bool | None
    why_not: Why | None = None
    words: str = ""


def _judge(session: Session, entry: Entry, *, now: datetime) -> _Verdict:
    if entry.kind not in SERVICES:
        return _Verdict(counts=None)
    try:
        why = why_uncounted(session, entry, now=now)
    except RulesMissing as missing:
        # What was done is written down all the same; it counts as soon as the rules are there.
        return _Verdict(counts=None, words=f"，算不算数现在判断不了：{missing}")
    return (
        _Verdict(counts=True, words="，算数")
        if why is None
        else _Verdict(counts=False, why_not=why, words=f"，不算数：{why.label}")
    )


def _document(entry: Entry, verdict: _Verdict) -> dict[str, Any]:
    document: dict[str, Any] = {
        "entry": entry.id,
        "kind": entry.kind.value,
        "worker": entry.worker_id,
        "spell": entry.spell_id,
        "facts": dict(entry.facts),
    }
    if entry.kind in SERVICES:
        document |= {"counts": verdict.counts, "why_not": verdict.why_not and verdict.why_not.value}
    return document


def _told(entry: Entry, verdict: _Verdict) -> str:
    return f"记在台账第 {entry.id} 条：{entry.kind.label}{verdict.words}"


def _require(house: House) -> None:
    require_current_schema(house)
    check_keys(house)


def _day(on: datetime | None, house: House) -> date:
    return house.clock.today() if on is None else on.date()


def _kind(service: OwedService | None) -> EntryKind | None:
    return None if service is None else EntryKind(service.value)
