"""`jiujin push waiting`, `push reached`: who asked to be called or is interested, and that somebody called."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.databases import require_current_schema
from app.cli.records import By
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.kit.clock import CHINA
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.usecases.follow_ups import finish_follow_up, list_follow_ups

ROWS = 200


def waiting(
    *,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="代码", help="只看一个经纪人手上的人", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="最多列几行")] = ROWS,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List who waits to be got in touch with. Changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with read_session(house.engine) as session:
            found = list_follow_ups(session, broker=broker, now=house.clock.now(), limit=limit)
        if as_json:
            answer({"waiting": [asdict(each) for each in found]}, "", as_json=True)
            return
        if not found:
            answer({}, "没有人在等回话", as_json=False)
            return
        table = Table(title="等着回话的人")
        for heading in ("编号", "本人", "岗位", "怎么说", "什么时候"):
            table.add_column(heading, overflow="fold")
        for each in found:
            asked = f"{each.asked_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
            table.add_row(str(each.id), str(each.worker_id), str(each.posting_id), each.answer.label, asked)
        Console().print(table)


def reached(
    *,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, max=HIGHEST_ID, help="名单上的编号")],
    by: By,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Note that somebody was got in touch with; again, it changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with write_session(house.engine) as session:
            finish_follow_up(session, number, actor=by, now=house.clock.now())
        answer({"reached": number}, "记下了：已经联系", as_json=as_json)
