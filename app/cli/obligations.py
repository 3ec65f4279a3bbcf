"""`jiujin ledger due`, `person`, `totals`: who lacks what of what is owed, what to do next, and all of it counted.

People are but numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.api.duties import due_out, group_name
from app.cli.databases import matchmaker_of, require_current_schema
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.domain.ledger import Entry, EntryKind, Grade
from app.domain.obligations import SERVICES, DutyState, SpellDuties, Totals
from app.kit.database import HIGHEST_ID, read_session
from app.usecases.areas import AreaBook
from app.usecases.obligations import (
    DueBy,
    DueList,
    NextStep,
    Report,
    TotalsBy,
    list_due,
    look_at,
    report_totals,
)
from app.usecases.plans import suggest_for

ROWS_SHOWN = 20
_PARTS = {TotalsBy.BROKER: "经纪人", TotalsBy.DISTRICT: "区县"}
_HEADINGS = {DueBy.BROKER: "经纪人", DueBy.VILLAGE: "乡镇街道", DueBy.DISTRICT: "区县"}


def due(
    *,
    by: Annotated[
        DueBy, typer.Option("--by", help="按人（person）、经纪人（broker）、乡镇街道（village）或区县（district）列")
    ] = DueBy.PERSON,
    district: Annotated[
        str | None, typer.Option("--district", metavar="代码", help="只看一个区县，六位代码", show_default=False)
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="代码", help="只看一个经纪人手上的人", show_default=False)
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="最多列几行，默认 20，--json 时全部", show_default=False)
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is overdue and soon due. Changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        rows = limit if limit is not None or as_json else ROWS_SHOWN
        matchmaker, now = matchmaker_of(house), house.clock.now()
        areas = matchmaker.areas
        with read_session(house.engine) as session:
            found = list_due(
                session,
                now=now,
                by=by,
                district=district,
                broker=broker,
                limit=rows,
                areas=areas,
                suggest=lambda worker_ids: suggest_for(session, matchmaker, worker_ids, now=now),
            )
        if as_json:
            answer(due_out(found, areas), "", as_json=True)
        else:
            _print(found, areas, Console())


def person(
    *,
    worker: Annotated[int, typer.Option("--worker", metavar="编号", min=1, max=HIGHEST_ID, help="本人的编号")],
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is owed to one person, what counts and what does not, and why. Changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with read_session(house.engine) as session:
            found, entries = look_at(session, worker, now=house.clock.now())
        if as_json:
            answer(_standing(found, entries), "", as_json=True)
        else:
            _print_standing(found, entries, Console())


def totals(
    *,
    by: Annotated[
        TotalsBy | None,
        typer.Option("--by", help="再按区县（district）或经纪人（broker）分开列", show_default=False),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Count what was owed and done in all registrations, open and ended. Changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with read_session(house.engine) as session:
            areas = AreaBook.load(session, on=house.clock.today())
            found = report_totals(session, now=house.clock.now(), by=by, areas=areas)
        if as_json:
            answer(_report(found, by, areas), "", as_json=True)
        else:
            _print_report(found, by, areas, Console())


def _report(found: Report, by: TotalsBy | None, areas: AreaBook) -> dict[str, Any]:
    return {
        "today": found.today,
        "by": by,
        "total": _totals(found.total),
        "groups": [
            {"key": key, "name": _name(by, key, areas), **_totals(counts)} for key, counts in found.groups.items()
        ],
    }


def _totals(counts: Totals) -> dict[str, Any]:
    return {
        "spells": counts.spells,
        "services": {
            kind.value: {
                "owed": counts.owed[kind],
                "done": {grade.value: number for grade, number in counts.done[kind].items()},
                "late": counts.late[kind],
            }
            for kind in SERVICES
        },
        "states": {state.value: number for state, number in counts.states.items()},
        "closed_afterwards": counts.closed_afterwards,
        "complete": {grade.value: number for grade, number in counts.complete.items()},
        "headline": counts.headline,
    }


def _print_report(found: Report, by: TotalsBy | None, areas: AreaBook, console: Console) -> None:
    total = found.total
    table = Table(title="应尽服务合计")
    for heading in ("", "要做", "做到", *(f"{grade.value} {grade.label}" for grade in Grade), "其中做晚了"):
        table.add_column(heading, overflow="fold")
    for kind in SERVICES:
        graded = total.done[kind]
        numbers = (total.owed[kind], sum(graded.values()), *graded.values(), total.late[kind])
        table.add_row(kind.label, *map(str, numbers))
    console.print(table)
    if by is not None:
        console.print(_parts_table(found, by, areas))
    states = "，".join(f"{state.label} {number}" for state, number in total.states.items() if number)
    graded_complete = "，".join(f"最弱的凭据是 {grade.value} 的 {number}" for grade, number in total.complete.items())
    lines = [
        f"{found.today}：登记 {total.spells} 次" + (f"，其中{states}" if states else ""),
        f"全部做到 {sum(total.complete.values())} 次：{graded_complete}",
        f"超期以后倒签结束、照旧算超期的 {total.closed_afterwards} 次",
        f"回应了推送又上了岗的 {total.headline} 人",
    ]
    console.print("\n".join(lines), markup=False, highlight=False)


def _parts_table(found: Report, by: TotalsBy, areas: AreaBook) -> Table:
    table = Table(title="分开列：做到／要做")
    kinds = (kind.label for kind in SERVICES)
    for heading in (
        _PARTS[by],
        "登记",
        *kinds,
        "/".join(Grade),
        "做晚了",
        "超期",
        "全部做到",
        "回应又上岗",
    ):
        table.add_column(heading, overflow="fold")
    for key, counts in found.groups.items():
        done = {kind: sum(counts.done[kind].values()) for kind in SERVICES}
        table.add_row(
            Text(_name(by, key, areas)),
            str(counts.spells),
            *(f"{done[kind]}/{counts.owed[kind]}" for kind in SERVICES),
            "/".join(str(sum(counts.done[kind][grade] for kind in SERVICES)) for grade in Grade),
            str(sum(counts.late.values())),
            str(counts.states[DutyState.OVERDUE]),
            str(sum(counts.complete.values())),
            str(counts.headline),
        )
    return table


def _name(by: TotalsBy | None, key: str, areas: AreaBook) -> str:
    if by is TotalsBy.BROKER:
        return key or "没有经纪人"
    return areas.told(key) or key


def _standing(found: SpellDuties, entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "worker": found.spell.worker_id,
        "spell": found.spell.id,
        "opened_on": found.spell.opened_on,
        "complete": found.is_complete,
        "weakest_grade": found.weakest_grade,
        "answered": found.is_answered,
        "started": found.is_started,
        "duties": {
            kind.value: {
                "owed": duty.owed,
                "done": {grade.value: duty.done(grade) for grade in Grade},
                "state": duty.state.value,
                "due_on": duty.due_on,
            }
            for kind, duty in found.duties.items()
        },
        "entries": [
            {
                "entry": entry.id,
                "kind": entry.kind.value,
                "why_not": found.duties[entry.kind].uncounted.get(entry.id),
            }
            for entry in entries
        ],
    }


def _print_standing(found: SpellDuties, entries: Sequence[Entry], console: Console) -> None:
    table = Table(title=f"失业登记（编号 {found.spell.id}），{found.spell.opened_on} 起")
    for heading in ("", "要做", "做到", *(f"{grade.value} {grade.label}" for grade in Grade), "情况", "到期"):
        table.add_column(heading, overflow="fold")
    for kind, duty in found.duties.items():
        graded = (str(duty.done(grade)) for grade in Grade)
        due_on = duty.due_on.isoformat() if duty.due_on is not None else ""
        table.add_row(kind.label, str(duty.owed), str(duty.done()), *graded, duty.state.label, due_on)
    console.print(table)
    lines = [
        f"台账第 {entry.id} 条{entry.kind.label}不算数：{why.label}"
        for entry in entries
        if (why := found.duties[entry.kind].uncounted.get(entry.id)) is not None
    ]
    lines.append("应尽服务全部做到" if found.is_complete else "应尽服务还没有全部做到")
    console.print("\n".join(lines), markup=False, highlight=False)


def _print(found: DueList, areas: AreaBook, console: Console) -> None:
    if found.people:
        console.print(_people_table(found, areas))
    if found.groups:
        console.print(_groups_table(found, areas))
    if found.left_out:
        console.print(f"……另有 {found.left_out} 行，全部用 --json 看", markup=False, highlight=False)
    console.print(
        f"{found.today}：登记失业的脱贫人口 {found.registered} 人，超期 {found.overdue} 人，快到期 {found.due_soon} 人",
        markup=False,
        highlight=False,
    )


def _people_table(found: DueList, areas: AreaBook) -> Table:
    table = Table(title="还差什么")
    for heading in ("编号", "住在", "经纪人", "情况", "到期", "下一步"):
        table.add_column(heading, overflow="fold")
    for person in found.people:
        table.add_row(
            str(person.worker_id),
            areas.told(person.home_area_code),
            Text(person.broker or "没有"),
            person.state.label,
            person.due_on.isoformat(),
            Text("\n".join(_told(step) for step in person.steps)),
        )
    return table


def _told(step: NextStep) -> str:
    return f"{step.kind.label}差 {step.missing} 次：{step.text}"


def _groups_table(found: DueList, areas: AreaBook) -> Table:
    table = Table(title="还差什么")
    for heading in (_HEADINGS[found.by], "登记", "超期", "快到期", *(f"差{kind.label}" for kind in SERVICES)):
        table.add_column(heading, overflow="fold")
    for group in found.groups:
        table.add_row(
            Text(group_name(found.by, group, areas)),
            *(str(number) for number in (group.registered, group.overdue, group.due_soon)),
            *_missing(group.missing),
        )
    return table


def _missing(missing: Mapping[EntryKind, int]) -> list[str]:
    return [str(missing[kind]) for kind in SERVICES]
