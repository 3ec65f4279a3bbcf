"""`jiujin ledger due`: who lacks what of what is owed to them, and what to do next. Nobody is named, only numbered."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work
from app.domain.ledger import EntryKind
from app.domain.obligations import SERVICES
from app.kit.database import read_session
from app.usecases.areas import AreaBook
from app.usecases.obligations import DueBy, DueGroup, DueList, DuePerson, NextStep, list_due

ROWS_SHOWN = 20
NOBODY = "没有经纪人"
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
        require_current_schema(house)
        rows = limit if limit is not None or as_json else ROWS_SHOWN
        with read_session(house.engine) as session:
            try:
                areas = AreaBook.load(session, on=house.clock.today())
            except LookupError:
                raise Failed("还没有参考数据，请先运行：jiujin seed reference", code="reference_missing") from None
            found = list_due(
                session, now=house.clock.now(), by=by, district=district, broker=broker, limit=rows, areas=areas
            )
        if as_json:
            answer(_document(found, areas), "", as_json=True)
        else:
            _print(found, areas, Console())


def _document(found: DueList, areas: AreaBook) -> dict[str, Any]:
    return {
        "by": found.by.value,
        "today": found.today,
        "registered": found.registered,
        "overdue": found.overdue,
        "due_soon": found.due_soon,
        "left_out": found.left_out,
        "people": [_person_out(person, areas) for person in found.people],
        "groups": [
            {
                "key": group.key,
                "name": _name(found.by, group, areas),
                "registered": group.registered,
                "overdue": group.overdue,
                "due_soon": group.due_soon,
                "missing": {kind.value: missing for kind, missing in group.missing.items()},
            }
            for group in found.groups
        ],
    }


def _person_out(person: DuePerson, areas: AreaBook) -> dict[str, Any]:
    return {
        "worker": person.worker_id,
        "spell": person.spell_id,
        "opened_on": person.opened_on,
        "home": {"code": person.home_area_code, "name": areas.told(person.home_area_code)},
        "broker": person.broker,
        "state": person.state.value,
        "due_on": person.due_on,
        "next": [
            {
                "service": step.kind.value,
                "missing": step.missing,
                "due_on": step.due_on,
                "state": step.state.value,
                "text": step.text,
                **step.what,
            }
            for step in person.steps
        ],
    }


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
            Text(person.broker or NOBODY),
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
            Text(_name(found.by, group, areas)),
            *(str(number) for number in (group.registered, group.overdue, group.due_soon)),
            *_missing(group.missing),
        )
    return table


def _missing(missing: Mapping[EntryKind, int]) -> list[str]:
    return [str(missing[kind]) for kind in SERVICES]


def _name(by: DueBy, group: DueGroup, areas: AreaBook) -> str:
    if by is DueBy.BROKER:
        return group.key or NOBODY
    return areas.told(group.key) or group.key
