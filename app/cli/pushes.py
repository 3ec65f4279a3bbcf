"""`jiujin push`: what is to be sent to whom, and sending it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from app.background.dispatch import send_ready
from app.background.plans import folder_of_today, make_planned, plan_day, served_by
from app.cli.databases import matchmaker_of, require_current_schema
from app.cli.records import By
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work, progress_console, stopping_on_sigterm
from app.domain.pushes import PushCause, PushState
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.usecases.matchmaking import Matchmaker
from app.usecases.obligations import require_writer
from app.usecases.plans import MadeReport, PlanMissing, PlannedPush, PlanReport, day_of_plan, plan_for, push_now
from app.usecases.pushes import count_pushes
from app.wiring import House, bind_keys

pushes = typer.Typer(no_args_is_help=True, help="岗位推送：给每位登记的人安排送哪几个岗位，送出去")

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
PLAN_FIRST = "请先运行：jiujin push plan"


@pushes.command("plan", help="排出今天给每位登记的人送哪三个岗位，写进 plan.csv；停了再运行一次，接着做。")
def plan(
    *,
    worker: Annotated[
        int | None, typer.Option("--worker", min=1, metavar="编号", help="只看一个人，不写文件", show_default=False)
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="地址", help="有计算集群时写 tcp://主机:端口（Dask），不写就在本机算")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="本机用几个线程，默认有几核用几个", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="放在哪里，默认 数据目录/plans/日期", show_default=False)
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Plan the day's pushes for everybody who is registered, or show what one person would be sent."""
    with at_work(as_json=as_json, data=data) as house:
        if worker is not None and (scheduler, threads, out) != (None, None, None):
            told = "--worker 只看一个人，不能和 --scheduler、--threads、--out 一起用"
            raise Failed(told, code="wrong_use", exit_code=2)
        matchmaker = matchmaker_of(house)
        if worker is not None:
            _show(house, matchmaker, worker, as_json=as_json)
            return
        folder = out or folder_of_today(house)
        with Progress(*_COLUMNS, console=progress_console(), disable=as_json) as bar:
            line = bar.add_task("排序", total=None)
            try:
                report = plan_day(
                    house,
                    matchmaker,
                    folder=folder,
                    scheduler=scheduler,
                    threads=threads,
                    on_progress=lambda done, of: bar.update(line, completed=done, total=of),
                )
            except OSError as error:
                raise Failed(f"{folder} 写不了（{error.strerror}）：请换一个目录", code="not_writable") from error
        answer(report.to_json(), _told(report), as_json=as_json)


@pushes.command("send", help="把今天的名单变成推送，送到没有可送的为止；停了再运行一次，接着送，不会重复。")
def send(
    *,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="DIR", help="名单在哪里，默认 数据目录/plans/日期", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="这一次最多新做几条，默认全部", show_default=False)
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make pushes of the day's plan and send whatever is ready."""
    with at_work(as_json=as_json, data=data) as house, stopping_on_sigterm():
        require_current_schema(house)
        bind_keys(house)
        folder = plan or folder_of_today(house)
        _require_plan_of_today(house, folder)
        try:
            with Progress(*_COLUMNS, console=progress_console(), disable=as_json) as bar:
                making = bar.add_task("排进队列", total=None)
                made = make_planned(
                    house,
                    folder,
                    limit=limit,
                    on_progress=lambda done, of: bar.update(making, completed=done, total=of),
                )
                sending = bar.add_task("发送", total=None)
                messages = send_ready(house, lambda done: bar.update(sending, completed=done))
                bar.update(sending, completed=messages, total=messages)
        except KeyboardInterrupt:
            raise Failed("已停止；做好的都在，再运行一次接着做", code="interrupted") from None
        day = house.clock.today()
        with read_session(house.engine) as session:
            states = count_pushes(session, made_for=day.isoformat())
        document = {
            "day": day,
            "pushes": sum(states.values()),
            **asdict(made),
            "messages": messages,
            "states": {state.value: number for state, number in states.items()},
        }
        answer(document, _told_sent(made, messages, states), as_json=as_json)


@pushes.command("now", help="现在就给一个人送还欠着的岗位；本人来要的，加 --asked 送三个。")
def push_one(
    *,
    worker: Annotated[int, typer.Option("--worker", min=1, max=HIGHEST_ID, metavar="编号", help="本人的编号")],
    asks: Annotated[bool, typer.Option("--asked", help="本人要的：不管欠不欠，送三个，夜里也送")] = False,
    by: By,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make pushes for one person as things stand, and send whatever is ready."""
    with at_work(as_json=as_json, data=data) as house, stopping_on_sigterm():
        matchmaker = matchmaker_of(house)
        bind_keys(house)
        with write_session(house.engine) as session:
            require_writer(session, by)
            planned = push_now(
                session,
                matchmaker,
                worker,
                served=served_by(house),
                now=house.clock.now(),
                keys=house.keys,
                cause=PushCause.ASKED if asks else PushCause.OWED,
            )
        messages = send_ready(house)
        document = {"worker": worker, "pushes": [_out(each, matchmaker) for each in planned], "messages": messages}
        words = f"做了{len(planned)}条，发出或查问{messages}次" if planned else "没有还欠着的，或者附近没有合适的了"
        answer(document, words, as_json=as_json)


def _require_plan_of_today(house: House, folder: Path) -> None:
    try:
        day = day_of_plan(folder, keys=house.keys)
    except PlanMissing as missing:
        raise Failed(f"{folder} 里没有今天的推送名单，或者被人改过，{PLAN_FIRST}", code=missing.code) from None
    if day != house.clock.today():
        raise Failed(f"{folder} 里是 {day} 的名单，今天要重新排，{PLAN_FIRST}", code="plan_outdated")


def _told(report: PlanReport) -> str:
    served = f"{report.served}人至少有一个，{report.served_fully}人满三个，一共{report.pushes}条"
    lines = [
        f"{report.people}人，{report.postings}个岗位：{served}",
        f"用到{report.reached:.0%}的岗位；离最好的分法最多差{report.gap:.2%}",
        f"名单在 {report.folder / 'plan.csv'}",
    ]
    if report.owed:
        lines.insert(1, f"应送岗位还没送够的有{report.owed}人，这次能送够{report.owed_served}人")
    if report.by_hand:
        lines.insert(1, f"有{report.by_hand}人没排：本人不要系统自动挑，请看 ledger due，当面问了再挑")
    if report.nowhere:
        lines.insert(1, f"有{report.nowhere}人没排：家在哪里查不到，请先改好地址")
    return "\n".join(lines)


def _told_sent(made: MadeReport, messages: int, states: dict[PushState, int]) -> str:
    new = f"新做{made.made}条：{made.queued}条等着发，{made.visits}条要上门，{made.suppressed}条本人没同意，不发"
    before = f"早就做了{made.known}条" + (f"，{made.over}条岗位已经没有了或者满了" if made.over else "")
    before += f"，{made.needless}条不用再送：本人看过、不要了，或者已经够了" if made.needless else ""
    stand = "，".join(f"{state.label}{number}" for state, number in states.items() if number)
    lines = [new, before, f"发出或查问{messages}次", f"今天一共{sum(states.values())}条：{stand or '没有'}"]
    if states[PushState.QUEUED]:
        lines.append(
            "等着送的，有的要人上门，有的要等过了夜里、一周满三条的要等下一周：到时候再运行一次，或者开着 jiujin work"
        )
    return "\n".join(lines)


def _show(house: House, matchmaker: Matchmaker, worker: int, *, as_json: bool) -> None:
    """What one person would be sent now; nothing is made."""
    with read_session(house.engine) as session:
        planned = plan_for(session, matchmaker, worker, now=house.clock.now())
    if as_json:
        answer({"worker": worker, "pushes": [_out(each, matchmaker) for each in planned]}, "", as_json=True)
        return
    if not planned:
        answer({}, "没有可以送的岗位：附近合适的都送过了，或者没有名额了", as_json=False)
        return
    table = Table(title=planned[0].cause.label)
    for heading in ("", "岗位", "工资", "在哪里", "对口"):
        table.add_column(heading, overflow="fold")
    for each in planned:
        card = matchmaker.card(each.posting_id)
        where = f"{card.area_name if card else ''}\n{each.metres / 1000:.1f}公里"
        told = (f"{card.title}\n编号 {each.posting_id}", card.pay_text) if card else (f"编号 {each.posting_id}", "")
        table.add_row(str(each.rank), *(Text(cell) for cell in (*told, where, f"{each.skill_permille / 10:.0f}%")))
    Console().print(table)


def _out(planned: PlannedPush, matchmaker: Matchmaker) -> dict[str, Any]:
    card = matchmaker.card(planned.posting_id)
    return {**asdict(planned), "title": card.title if card else None}
