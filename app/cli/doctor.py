"""`jiujin doctor`: what keeps this installation from working, each with what to do about it.

It changes nothing and says no secret, so that its output can be sent to whoever helps.
"""

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version

import typer
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.cli.databases import UPGRADE_FIRST
from app.cli.terminal import AsJson, DataFolder, answer, at_work, told_database, told_unwritable
from app.kit.database import read_session, why_unwritable, write_session
from app.kit.errors import Busy
from app.usecases.postings import count_postings
from app.wiring import (
    House,
    KeysForeign,
    RowsUnguarded,
    RowsUnseen,
    check_keys,
    check_schema,
    check_second_line,
    is_believed,
    is_bound,
    is_reference_loaded,
)

_LEAST_FREE_BYTES = 1_000_000_000
_LEAST_POSTGRESQL = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is in order, and in Chinese what was seen or what to do."""

    name: str
    ok: bool
    told: str


def doctor(*, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Look at settings, folder, keys, database, schema and data; exit code 1 when something is not in order."""
    with at_work(as_json=as_json, data=data) as house:
        findings = [
            Finding("版本", ok=True, told=f"jiujin {version('jiujin')}，Python {platform.python_version()}"),
            # Settings have been read, or there would be no house.
            Finding("设置", ok=True, told="正式环境" if house.settings.is_production else "试用环境"),
            _look_at_folder(house),
            *_look_at_database(house),
        ]
        healthy = all(finding.ok for finding in findings)
        words = "\n".join(f"{'✓' if finding.ok else '✗'} {finding.name}：{finding.told}" for finding in findings)
        answer({"ok": healthy, "findings": [asdict(finding) for finding in findings]}, words, as_json=as_json)
        if not healthy:
            raise typer.Exit(1)


def _look_at_folder(house: House) -> Finding:
    folder = house.settings.data.resolve()
    free = shutil.disk_usage(folder).free
    told = f"{folder}，剩余空间 {free / 1e9:.1f} GB"
    if free < _LEAST_FREE_BYTES:
        return Finding("数据目录", ok=False, told=f"{told}，太少了")
    return Finding("数据目录", ok=True, told=told)


def _look_at_database(house: House) -> Iterator[Finding]:
    """Each look needs the one before it; the first that fails is the last."""
    looks: tuple[Callable[[House], Finding], ...] = (
        _look_at_server,
        _look_at_schema,
        _look_at_keys,
        _look_at_second_line,
        _look_at_reference,
        _look_at_rows,
    )
    for look in looks:
        try:
            finding = look(house)
        except (SQLAlchemyError, Busy) as error:
            # Its message may hold the address and the password.
            told = f"连不上或者出错（{type(error).__name__}）：请检查 DATABASE_URL"
            if why := why_unwritable(error):
                told = told_unwritable(told_database(house), why)
            finding = Finding("数据库", ok=False, told=told)
        yield finding
        if not finding.ok:
            return


def _look_at_server(house: House) -> Finding:
    if house.engine.dialect.name == "sqlite":
        with write_session(house.engine) as session:
            version_told = session.scalar(text("SELECT sqlite_version()"))
            # Only writing shows whether it can be written; what was written is taken back.
            session.execute(text("CREATE TABLE doctor_writes (id INTEGER)"))
            session.rollback()
        return Finding("数据库", ok=True, told=f"SQLite {version_told}，只供试用")
    with read_session(house.engine) as session:
        number = int(session.scalar(text("SHOW server_version_num")) or 0)
    told = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    if number // 10_000 < _LEAST_POSTGRESQL:
        return Finding("数据库", ok=False, told=f"{told} 太旧，要 {_LEAST_POSTGRESQL} 以上")
    return Finding("数据库", ok=True, told=told)


def _look_at_schema(house: House) -> Finding:
    state = check_schema(house.engine, compare_tables=True)
    if state.current != state.head:
        return Finding("表结构", ok=False, told=UPGRADE_FIRST)
    if state.drift:
        return Finding("表结构", ok=False, told=f"与代码有 {len(state.drift)} 处不同，见 jiujin db check")
    return Finding("表结构", ok=True, told=f"{state.current}")


def _look_at_keys(house: House) -> Finding:
    try:
        check_keys(house)
    except KeysForeign as foreign:
        return Finding("密钥", ok=False, told=str(foreign))
    return Finding("密钥", ok=True, told="能用，与数据库对得上；请另外备份，丢了就读不出姓名和电话")


def _look_at_second_line(house: House) -> Finding:
    if house.engine.dialect.name == "sqlite":
        return Finding("行级安全", ok=True, told="SQLite 没有，只由程序自己把关")
    if not is_bound(house):
        return Finding("行级安全", ok=True, told="库里还没有人，第一次启动时设好")
    if not is_believed(house):
        return Finding("行级安全", ok=False, told=str(RowsUnseen()))
    weaknesses = check_second_line(house)
    if weaknesses and house.settings.is_production:
        return Finding("行级安全", ok=False, told=str(RowsUnguarded(weaknesses)))
    return Finding("行级安全", ok=True, told="；".join(weaknesses) or "数据库也把关")


def _look_at_reference(house: House) -> Finding:
    if is_reference_loaded(house):
        return Finding("参考数据", ok=True, told="已装入")
    return Finding("参考数据", ok=False, told="还没有，请运行：jiujin seed reference")


def _look_at_rows(house: House) -> Finding:
    with read_session(house.engine) as session:
        counts = count_postings(session)
    told = "，".join(f"{count.state.label}（{count.origin.value}）{count.number}" for count in counts)
    return Finding("岗位", ok=True, told=told or "还没有；jiujin up 会装入演示数据，jiujin import postings 导入自己的")
