"""`jiujin push`: what is to be sent to whom."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.databases import matchmaker_of
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work, progress_console
from app.kit.database import read_session
from app.usecases.plans import PlanReport, plan_pushes, read_people

pushes = typer.Typer(no_args_is_help=True, help="岗位推送：给每位登记的人安排送哪几个岗位")


@pushes.command("plan", help="排出今天给每位登记的人送哪三个岗位，写进 plan.csv；停了再运行一次，接着做。")
def plan(
    *,
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
    """Plan the day's pushes for everybody who is registered."""
    with at_work(as_json=as_json, data=data) as house:
        matchmaker = matchmaker_of(house)
        today = house.clock.today()
        folder = out or house.settings.data / "plans" / today.isoformat()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with read_session(house.engine) as session:
            people = read_people(session, matchmaker, today=today)
        with Progress(*columns, console=progress_console(), disable=as_json) as bar:
            line = bar.add_task("排序", total=None)
            try:
                report = plan_pushes(
                    people,
                    matchmaker,
                    folder=folder,
                    today=today,
                    scheduler=scheduler,
                    threads=threads,
                    on_progress=lambda done, of: bar.update(line, completed=done, total=of),
                )
            except OSError as error:
                raise Failed(f"{folder} 写不了（{error.strerror}）：请换一个目录", code="not_writable") from error
        answer(report.to_json(), _told(report), as_json=as_json)


def _told(report: PlanReport) -> str:
    served = f"{report.served}人至少有一个，{report.served_fully}人满三个，一共{report.pushes}条"
    lines = [
        f"{report.people}人，{report.postings}个岗位：{served}",
        f"用到{report.reached:.0%}的岗位；离最好的分法最多差{report.gap:.2%}",
        f"名单在 {report.folder / 'plan.csv'}",
    ]
    if report.nowhere:
        lines.insert(1, f"有{report.nowhere}人没排：家在哪里查不到，请先改好地址")
    return "\n".join(lines)
