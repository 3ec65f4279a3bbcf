"""`jiujin keys`: giving the database new keys while the service goes on.

One command, run until it says that it is done. It first finishes what an earlier run left behind; only where nothing is
left does it add a version. Processes on this machine read the ring's file anew by themselves. Where the ring comes from
the environment, or each machine has a file of its own, every process must be able to read a new version before one
writes with it: then the command goes in two steps and says what to do between them.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work, progress_console, tell
from app.cli.turns import rotating
from app.kit.database import read_session, write_session
from app.kit.errors import Busy
from app.kit.keys import Family, KeyRing, save_key_ring
from app.usecases.key_rings import BEFORE_ALL, Stage, bring_up, count_behind, let_ring_write
from app.wiring import House, bind_keys

keys = typer.Typer(no_args_is_help=True, help="密钥：更换")

_Found = TypeVar("_Found")

ACTOR = "system:keys"
ROWS_AT_ONCE = 100
KEYS_AT_ONCE = 1_000  # a key is one short value, and nobody waits for its row
_TRIES = 60
_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
_ROUNDS = 3  # who began to write before a version did may commit after we have passed


@keys.callback()
def about() -> None:
    """Keep `rotate` a command of its own name."""


@keys.command("rotate", help="更换主密钥和索引密钥，服务不用停；中断了再运行一次，接着做。")
def rotate(
    *,
    master: Annotated[bool, typer.Option("--master", help="只换主密钥")] = False,
    index: Annotated[bool, typer.Option("--index", help="只换索引密钥")] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="只加上新密钥，先不用它写：几台机器各有一份密钥文件时用")
    ] = False,
    finish: Annotated[bool, typer.Option("--finish", help="只把没做完的做完，不加新密钥")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="密钥写在 JIUJIN_KEYS 里时，新的密钥写到这个文件", show_default=False
        ),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give the database new keys while it is in use; run again until it says that it is done."""
    families: tuple[Family, ...] = ("data", "index")
    if master != index:
        families = ("data",) if master else ("index",)
    with at_work(as_json=as_json, data=data) as house:
        if finish and prepare:
            raise Failed("--finish 和 --prepare 不能一起用", code="wrong_use", exit_code=2)
        require_current_schema(house)
        bind_keys(house)
        before = _versions(house.keys)
        with rotating(house.engine, on_wait=lambda: tell("另一个 jiujin 正在更换密钥，等它完成…")):
            # Who waited for another run has what it wanted.
            _rotate(
                house, families, prepare=prepare, finish=finish or _versions(house.keys) != before, out=out,
                as_json=as_json,
            )  # fmt: skip


def _rotate(
    house: House, families: tuple[Family, ...], *, prepare: bool, finish: bool, out: Path | None, as_json: bool
) -> None:
    in_environment = house.settings.keys is not None
    ring = house.keys
    if ring.writes and not prepare:
        if in_environment:
            _hand_out(ring.let_newest_write(), out, step=2, as_json=as_json)
            return
        save_key_ring(ring.let_newest_write(), house.settings.effective_keys_file)
    done = dict.fromkeys(Stage, 0)
    if not prepare:
        done = _bring_all_up(house, as_json=as_json)
    is_resumed = any(done.values())
    if not (is_resumed or finish or ring.writes):
        new = house.keys.rotated(*families, writing=not (prepare or in_environment))
        if in_environment:
            _hand_out(new, out, step=1, as_json=as_json)
            return
        save_key_ring(new, house.settings.effective_keys_file)
        bind_keys(house)
        if prepare:
            told = "新密钥已加上，还没有用它写。请把密钥文件复制到每台机器，再运行一次：jiujin keys rotate"
            answer({"state": "prepared", "versions": _versions(house.keys)}, told, as_json=as_json)
            return
        done = _bring_all_up(house, as_json=as_json)
    with read_session(house.engine) as session:
        left = {stage: number for stage, number in count_behind(session, keys=house.keys).items() if number}
    versions = _versions(house.keys)
    told = f"现在用的是主密钥第 {versions['data']} 版、索引密钥第 {versions['index']} 版"
    changed = "，".join(f"{stage.label} {number}" for stage, number in done.items() if number)
    words = [f"{'上次没做完的已做完，没有加新密钥' if is_resumed else '已完成'}：{told}", f"改动：{changed or '无'}"]
    if left:
        words.append(
            f"还有没换的：{'，'.join(f'{stage.label} {number}' for stage, number in left.items())}；请再运行一次"
        )
    if not in_environment:
        words.append("请立刻备份新的密钥文件；旧版本要留着，备份的数据库还要用它")
    document = {
        "state": "resumed" if is_resumed else "done",
        "versions": versions,
        "changed": {stage.value: number for stage, number in done.items()},
        "left": {stage.value: number for stage, number in left.items()},
    }
    answer(document, "\n".join(words), as_json=as_json)


def _bring_all_up(house: House, *, as_json: bool) -> dict[Stage, int]:
    """Let the ring's index key write and bring every row up; how many were changed, by stage."""

    def let_write() -> bool:
        with write_session(house.engine) as session:
            return let_ring_write(session, house.keys, actor=ACTOR, now=house.clock.now())

    _patiently(let_write)
    changed = dict.fromkeys(Stage, 0)
    with Progress(*_COLUMNS, console=progress_console(), disable=as_json, transient=True) as bar:
        for _ in range(_ROUNDS):
            with read_session(house.engine) as session:
                behind = count_behind(session, keys=house.keys)
            counts = {
                stage: _bring_stage_up(house, stage, bar, total=behind[stage]) for stage in Stage if behind[stage]
            }
            for stage, number in counts.items():
                changed[stage] += number
            if not any(counts.values()):
                break
    return changed


def _bring_stage_up(house: House, stage: Stage, bar: Progress, *, total: int) -> int:
    task = bar.add_task(stage.label, total=total)
    at_once = KEYS_AT_ONCE if stage is Stage.PERSON_KEYS else ROWS_AT_ONCE
    after, changed = BEFORE_ALL, 0
    while True:
        begun = time.monotonic()

        def step(after: int = after) -> tuple[int, int] | None:
            with write_session(house.engine) as session:
                return bring_up(session, stage, after=after, limit=at_once, keys=house.keys)

        found = _patiently(step)
        if found is None:
            return changed
        after, number = found
        changed += number
        bar.advance(task, number)
        # Half of the time is theirs who are waited for by somebody.
        time.sleep(time.monotonic() - begun)


def _patiently(step: Callable[[], _Found]) -> _Found:
    """Do it again while the database or the key service is busy; somebody may hold a lock for as long as an import."""
    for _ in range(_TRIES):
        try:
            return step()
        except Busy as busy:
            time.sleep(busy.retry_after_s)
    return step()


def _hand_out(ring: KeyRing, out: Path | None, *, step: int, as_json: bool) -> None:
    if out is None:
        told = "密钥写在 JIUJIN_KEYS 里：请用 --out 写明新的密钥放到哪个文件（只有自己能读）"
        raise Failed(told, code="out_missing", exit_code=2)
    if out.exists():
        raise Failed(f"{out} 已经有了，不覆盖：里面可能是别的密钥", code="out_exists", exit_code=2)
    save_key_ring(ring, out)
    what = "能读新密钥，还不用它写" if step == 1 else "开始用新密钥写"
    told = (
        f"第 {step} 步，共 3 步：新的 JIUJIN_KEYS 在 {out}（{what}）。"
        f"请给每个进程换上并逐个重启，再运行一次：jiujin keys rotate"
    )
    answer({"state": "handed_out", "step": step, "file": str(out), "versions": _versions(ring)}, told, as_json=as_json)


def _versions(ring: KeyRing) -> dict[str, int]:
    return {family: ring.current(family) for family in ("data", "index")}
