"""`jiujin import`: postings and workers from a file, with a report row by row.

The file is read and its rows are judged before the database is locked: the transaction that writes holds nothing else,
so that a server at work beside it waits for moments. Several imports write one after the other.
"""

import csv
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.cli.databases import require_current_schema, taking_turns
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work, progress_console
from app.domain.workers import Evidence
from app.exchange.postings import read_postings
from app.exchange.workers import read_workers
from app.kit.database import read_session, write_session
from app.usecases.areas import AreaBook
from app.usecases.drafts import PostingDraft
from app.usecases.imports import (
    import_postings,
    judge_postings,
    read_grounds,
    stamp_for_commit,
    understand_titles,
)
from app.usecases.matchmaking import title_resolver
from app.usecases.outcomes import ImportReport, RowOutcome, RowReport
from app.usecases.outcomes import Progress as OnProgress
from app.usecases.workers import import_workers, judge_workers
from app.wiring import House, bind_keys, check_keys

imports = typer.Typer(no_args_is_help=True, help="从 xlsx、xls、csv 文件导入岗位、务工人员名册")

ROWS_SHOWN = 20
ACTOR = "cli"

SheetFile = Annotated[Path, typer.Argument(metavar="FILE", help="xlsx、xls 或 csv 文件")]
SheetName = Annotated[str | None, typer.Option("--sheet", metavar="名称", help="工作簿里有几张表时，导入哪一张")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="从头到尾试一遍，什么也不保存")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="把每一行的结果写进这个 csv 文件", dir_okay=False)
]

_Sheet = TypeVar("_Sheet")


@imports.command("postings", help="导入岗位：全部成功才保存；同一个文件再导入一次，什么也不会变。")
def import_postings_file(
    *,
    file: SheetFile,
    dry_run: DryRun = False,
    sheet: SheetName = None,
    report: ReportFile = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Import postings: all rows or none, and a second time nothing."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        _require_folder(report)
        read = _read(file, lambda: read_postings(file, sheet=sheet))
        result = bring_in_postings(house, read.drafts, actor=ACTOR, writing=_writing(house, dry_run=dry_run))
        _tell(result, file, read.sheet, read.unread, report_to=report, dry_run=dry_run, as_json=as_json)


@imports.command("workers", help="导入务工人员名册：姓名、身份证号、手机号加密保存；报告里没有个人信息。")
def import_workers_file(
    *,
    file: SheetFile,
    dry_run: DryRun = False,
    certified: Annotated[
        bool, typer.Option("--certified", help="名册由主管部门出具：脱贫、失业等身份按“有证明”登记")
    ] = False,
    sheet: SheetName = None,
    report: ReportFile = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Import a roster of workers; what is told about it names nobody."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        if dry_run:
            check_keys(house)
        else:
            bind_keys(house)
        _require_folder(report)
        read = _read(file, lambda: read_workers(file, sheet=sheet))
        today = house.clock.today()
        with read_session(house.engine) as session:
            areas = _areas(session, house)
        with _progress("核对名册") as told:
            judged = judge_workers(read.drafts, areas=areas, today=today, on_progress=told)
        with _progress("导入名册") as told, _sparing_the_collector(), _writing(house, dry_run=dry_run) as session:
            result = import_workers(
                session,
                judged,
                keys=house.keys,
                actor=ACTOR,
                today=today,
                now=house.clock.now(),
                evidence=Evidence.CERTIFIED if certified else Evidence.SELF_DECLARED,
                on_progress=told,
            )
        _tell(result, file, read.sheet, read.unread, report_to=report, dry_run=dry_run, as_json=as_json)


def bring_in_postings(
    house: House, drafts: Sequence[PostingDraft], *, actor: str, writing: AbstractContextManager[Session]
) -> ImportReport:
    """Judge rows and write them, telling how far it is.

    Args:
        house: whose database it is.
        drafts: the rows, in the order of the file.
        actor: who imports, for the audit.
        writing: the transaction; entered once everything has been judged.

    Raises:
        Failed: there is no reference data to judge by.
    """
    today = house.clock.today()
    with read_session(house.engine) as session:
        areas, resolve = _areas(session, house), title_resolver(session)
    with _progress("认工种") as told:
        occupations = understand_titles(drafts, resolve=resolve, on_progress=told)
    with _progress("认地点") as told, read_session(house.engine) as session:
        grounds = read_grounds(session, drafts, occupations=occupations, areas=areas, today=today, on_progress=told)
    with _progress("核对岗位") as told:
        judged = judge_postings(grounds, on_progress=told)
    with _progress("导入岗位") as told, _sparing_the_collector(), writing as session:
        now = house.clock.now()
        report = import_postings(session, judged, actor=actor, now=now, on_progress=told)
        stamp_for_commit(session, stamped_at=now, changed_at=house.clock.now())
    return report


def _read(file: Path, reader: Callable[[], _Sheet]) -> _Sheet:
    try:
        return reader()
    except FileNotFoundError:
        raise Failed(f"找不到文件：{file}", code="file_missing") from None
    except OSError as error:
        raise Failed(f"读不了文件 {file}：{error.strerror}", code="file_unreadable") from None


def _require_folder(report: Path | None) -> None:
    """Before anything is imported: a report that cannot be written would make a success look like a failure."""
    if report is not None and not report.parent.is_dir():
        raise Failed(f"报告写不了：没有目录 {report.parent}", code="report_unwritable")


def _areas(session: Session, house: House) -> AreaBook:
    try:
        return AreaBook.load(session, on=house.clock.today())
    except LookupError:
        raise Failed("还没有参考数据，请先运行：jiujin seed reference", code="reference_missing") from None


@contextmanager
def _writing(house: House, *, dry_run: bool) -> Iterator[Session]:
    """The one transaction of an import, in its turn; a dry run goes all the way and takes it back."""
    try:
        with taking_turns(house), write_session(house.engine) as session:
            yield session
            if dry_run:
                session.rollback()
    except IntegrityError:
        raise Failed("有人同时导入了同样的内容，这一次什么也没有保存，请再试一次", code="import_collided") from None


@contextmanager
def _sparing_the_collector() -> Iterator[None]:
    """Within the block the garbage collector leaves alone what there is at its beginning.

    The rows of a large file are millions of objects that all stay until the end. Looked through again and again while
    others wait for the write, they made it a third longer.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _progress(title: str) -> Iterator[OnProgress]:
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield told


# --- what is told -----------------------------------------------------------------------------------------------------


def _tell(
    result: ImportReport,
    file: Path,
    sheet: str,
    unread: Sequence[str],
    *,
    report_to: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """The report on standard output; exit code 1 when not one row could be taken."""
    if report_to is not None:
        _write_report(result, report_to)
    if as_json:
        document = {
            "file": file.name,
            "sheet": sheet,
            "dry_run": dry_run,
            "counts": result.counts,
            "historical": result.historical,
            "renewed": result.renewed,
            "notes": list(result.notes),
            "unread_columns": list(unread),
            "rows": [_as_json(row, is_stored=not dry_run) for row in result.rows],
        }
        answer(document, "", as_json=True)
    else:
        _print_report(result, unread, Console(), report_to=report_to, dry_run=dry_run)
    if result.count(RowOutcome.REFUSED) == len(result.rows):
        raise typer.Exit(1)


def _as_json(row: RowReport, *, is_stored: bool) -> dict[str, Any]:
    return {
        "row": row.row,
        "outcome": row.outcome.value,
        "label": row.outcome.label,
        "title": row.title,
        # What a dry run took back has an id that leads nowhere.
        "id": row.id if is_stored or row.outcome is RowOutcome.KNOWN else None,
        "historical": row.is_historical,
        "renewed": row.is_renewed,
        "reasons": list(row.reasons),
    }


def _print_report(
    result: ImportReport, unread: Sequence[str], console: Console, *, report_to: Path | None, dry_run: bool
) -> None:
    others = [row for row in result.rows if row.outcome not in (RowOutcome.TAKEN, RowOutcome.KNOWN)]
    # What has to be mended stands first; folded rows need nobody.
    others.sort(
        key=lambda row: ([RowOutcome.REFUSED, RowOutcome.REVIEW, RowOutcome.FOLDED].index(row.outcome), row.row)
    )
    if others:
        table = Table(title="没有直接收下的行")
        for heading in ("行", "结果", "岗位", "原因"):
            table.add_column(heading, overflow="fold")
        for row in others[:ROWS_SHOWN]:
            # As text: a title in square brackets is no markup.
            table.add_row(str(row.row), row.outcome.label, Text(row.title), Text("；".join(row.reasons)))
        console.print(table)
        if len(others) > ROWS_SHOWN:
            rest = "" if report_to else "；全部用 --report 文件名.csv 写出"
            console.print(f"……另有 {len(others) - ROWS_SHOWN} 行{rest}", markup=False)
    if unread:
        console.print(f"没有读的列：{'、'.join(unread)}", markup=False)
    counts = "，".join(f"{outcome.label} {result.count(outcome)}" for outcome in RowOutcome)
    historical = f"（其中历史样例 {result.historical}）" if result.historical else ""
    console.print(f"共 {len(result.rows)} 行：{counts}{historical}", markup=False, highlight=False)
    if result.renewed:
        console.print(f"其中 {result.renewed} 行把已有岗位的有效期延长了", markup=False, highlight=False)
    for note in result.notes:
        console.print(note, markup=False, highlight=False)
    if dry_run:
        console.print("这是试运行，什么也没有保存")


def _write_report(result: ImportReport, path: Path) -> None:
    """One line a row, as Excel opens it: with the mark for UTF-8, and no text that it would take for a formula."""
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("行", "结果", "岗位", "编号", "原因"))
            writer.writerows(
                (row.row, row.outcome.label, _inert(row.title), row.id or "", _inert("；".join(row.reasons)))
                for row in result.rows
            )
    except OSError as error:
        raise Failed(f"报告写不了：{path}：{error.strerror}", code="report_unwritable") from None


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
