"""`jiujin db` and `jiujin seed`: bringing a database to this version, and filling it.

What a database is filled with comes from the entry points `jiujin.seeds`: the service names no data and imports none.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work, progress_console, tell
from app.cli.turns import filling
from app.kit.migrations import upgrade
from app.usecases.matchmaking import Matchmaker
from app.wiring import House, bind_keys, check_schema, grant_service, is_believed, is_bound, load_matchmaker, owning

db = typer.Typer(no_args_is_help=True, help="数据库：升级、检查")
seed = typer.Typer(no_args_is_help=True, help="装入参考数据、演示数据")

UPGRADE_FIRST = "数据库还不是这个版本的结构，请先运行：jiujin db upgrade"


@db.command("upgrade", help="把数据库升级到这个版本的结构；可以重复运行。")
def upgrade_database(*, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this version; safe to run again."""
    with at_work(as_json=as_json, data=data) as house:
        with owning(house) as owner:
            before = check_schema(owner).current
        prepare(house)
        after = check_schema(house.engine).current
        words = f"已经是最新结构：{after}" if before == after else f"已从 {before or '空库'} 升级到 {after}"
        answer({"from": before, "to": after}, words, as_json=as_json)


@db.command("check", help="检查数据库的结构与这个版本是否一致；不一致时退出码为 1。")
def check_database(*, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Tell whether the tables are those of this version; exits with 1 if not."""
    with at_work(as_json=as_json, data=data) as house:
        state = check_schema(house.engine, compare_tables=True)
        document: dict[str, Any] = {
            "current": state.current,
            "head": state.head,
            "drift": list(state.drift),
            "ok": state.is_current,
        }
        if state.is_current:
            answer(document, f"一致：{state.current}", as_json=as_json)
            return
        if state.current != state.head:
            told = f"{UPGRADE_FIRST}（现在 {state.current or '空库'}，要 {state.head}）"
            raise Failed(told, code="db_outdated", **document)
        raise Failed("表结构与代码不一致：\n" + "\n".join(state.drift), code="db_drifted", **document)


@seed.command("reference", help="装入行政区划、职业、行业、政策数据；可以重复运行。")
def seed_reference(*, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Load areas, occupations, industries and policy figures; safe to run again."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with taking_turns(house):
            counts = fill_reference(house)
        answer(counts, f"参考数据已装好：{told_counts(counts)}", as_json=as_json)


def prepare(house: House) -> None:
    """Bring the database to this version, let the service's role use it, and tell it the keys; safe to run again.

    As the owner, where that is another role than the service's.
    """
    with owning(house) as owner:
        upgrade(owner)
    grant_service(house)
    bind_keys(house)


def require_current_schema(house: House) -> None:
    """Refuse to work on a database of another version, or on one that would show this process nobody's rows.

    Raises:
        Failed: the database has to be upgraded first; says how.
        app.wiring.KeysForeign: it is written with another key ring.
        app.wiring.RowsUnseen: it does not know the newest key, and this role may not tell it.
    """
    if not check_schema(house.engine).is_current:
        raise Failed(UPGRADE_FIRST, code="db_outdated")
    # In one that no ring has written to there is nobody yet; whoever writes first binds it.
    if is_bound(house) and not is_believed(house):
        # As after a rotation: whoever saw nothing would write as if there were nobody.
        bind_keys(house)


def matchmaker_of(house: House) -> Matchmaker:
    """The matchmaker over a database of this version.

    Raises:
        Failed: the database has another schema, or no reference data.
    """
    require_current_schema(house)
    try:
        return load_matchmaker(house)
    except LookupError:
        raise Failed("还没有参考数据，请运行：jiujin seed reference", code="not_loaded") from None


@contextmanager
def taking_turns(house: House) -> Iterator[None]:
    """Nobody else fills the database within the block."""
    with filling(house.engine, on_wait=lambda: tell("另一个 jiujin 正在往这个数据库里装数据，等它完成…")):
        yield


def fill_reference(house: House) -> dict[str, int]:
    """Load the reference data, telling progress; rows by table."""
    with progress("参考数据") as report:
        counts: dict[str, int] = load_seed("reference")(house.engine, now=house.clock.now(), report=report)
    return counts


def load_seed(name: str) -> Callable[..., Any]:
    """The function behind an entry point of the group `jiujin.seeds`.

    Raises:
        Failed: this installation brings no such data.
    """
    found = next(iter(entry_points(group="jiujin.seeds", name=name)), None)
    if found is None:
        raise Failed(f"这个安装里没有 {name} 数据", code="seed_missing")
    function: Callable[..., Any] = found.load()
    return function


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, int], None]]:
    """A line on the terminal that tells which step was finished; gives the function that steps call."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=progress_console(),
        transient=True,
    ) as bar:
        task = bar.add_task(title, total=None)

        def report(step: str, rows: int) -> None:
            bar.update(task, description=f"{title}：{step} {rows} 条")

        yield report


def told_counts(counts: dict[str, int]) -> str:
    """Rows by table in words."""
    return "，".join(f"{name} {rows}" for name, rows in counts.items())
