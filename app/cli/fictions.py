"""`jiujin ledger watch`: patterns that make counts look better than they are, with the entries that show them."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.kit.database import read_session, write_session
from app.usecases.fictions import Watched, record_watch, watch
from app.wiring import check_keys

ACTOR = "cli"
DAYS = 30
ENTRIES_SHOWN = 8


def watch_ledger(
    *,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], metavar="日期", help="从哪天记的看起，默认 30 天前"),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], metavar="日期", help="看到哪天记的，默认今天"),
    ] = None,
    district: Annotated[
        str | None, typer.Option("--district", metavar="代码", help="只看一个区县，六位代码", show_default=False)
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Tell which patterns are worth a look. Changes nothing but the audit: what was said is compared, not shown."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        check_keys(house)
        last = until.date() if until is not None else house.clock.today()
        now = house.clock.now()
        with read_session(house.engine) as session:
            found = watch(
                session,
                since=since.date() if since is not None else last - timedelta(days=DAYS),
                until=last,
                now=now,
                keys=house.keys,
                district=district,
            )
        with write_session(house.engine) as session:
            record_watch(session, found, actor=ACTOR, now=now)
        if as_json:
            answer(_document(found), "", as_json=True)
        else:
            _print(found, Console())


def _document(found: Watched) -> dict[str, Any]:
    return {
        "since": found.since,
        "until": found.until,
        "entries": found.entries,
        "flagged": found.flagged,
        "findings": [
            {
                "code": one.fiction.value,
                "name": one.fiction.label,
                "writers": one.writers,
                "people": one.people,
                "text": one.text,
                "entries": one.entry_ids,
            }
            for one in found.findings
        ],
    }


def _print(found: Watched, console: Console) -> None:
    if found.findings:
        table = Table(title="值得核对的记录")
        for heading in ("苗头", "谁记的", "情况", "台账第几条"):
            table.add_column(heading, overflow="fold")
        for one in found.findings:
            table.add_row(one.fiction.label, Text("、".join(one.writers)), Text(one.text), _told(one.entry_ids))
        console.print(table)
    console.print(
        f"{_span(found.since, found.until)}：看了 {found.entries} 条，{found.flagged} 条值得核对；这只是线索，不是结论",
        markup=False,
        highlight=False,
    )


def _told(entry_ids: tuple[int, ...]) -> str:
    shown = "、".join(map(str, entry_ids[:ENTRIES_SHOWN]))
    return shown if len(entry_ids) <= ENTRIES_SHOWN else f"{shown}……一共 {len(entry_ids)} 条"


def _span(since: date, until: date) -> str:
    return f"{since} 到 {until}"
