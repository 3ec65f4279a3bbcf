"""How commands speak: Chinese to people on standard error and output, one JSON document to programs with `--json`.

Exit codes: 0 done, 1 the work failed, 2 wrong use. Standard output holds results only, so that it can be piped.
"""

import logging
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from app.kit.database import why_unwritable
from app.kit.errors import Fault, Invalid
from app.kit.logs import configure_logging
from app.wiring import House, HouseUnusable, open_house

_LOG = logging.getLogger("jiujin.cli")

DataFolder = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="数据目录，默认 ./var", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON，给程序读")]


class Failed(Exception):
    """The work cannot be done; `code` is stable, the message Chinese and says what to do. `exit_code` 2: wrong use."""

    def __init__(self, message: str, *, code: str, exit_code: int = 1, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code
        self.members = members


def tell(words: str) -> None:
    """A line for people, on standard error."""
    typer.echo(words, err=True)


def answer(document: Any, words: str, *, as_json: bool) -> None:
    """The result, on standard output: as one line of JSON or in words."""
    typer.echo(orjson.dumps(document, default=str).decode() if as_json else words)


def progress_console() -> Console:
    """Where progress is shown: standard error, so that the result can be piped."""
    return Console(stderr=True)


@contextmanager
def at_work(*, as_json: bool, **given: Any) -> Iterator[House]:
    """The house for one command; whatever fails is told, and the command exits with 1.

    Args:
        as_json: tell failures as JSON too.
        **given: settings given on the command line; None counts as not given.
    """
    database = "数据库"
    try:
        house = open_house(**given).worked_from("command")
        database = told_database(house)
        configure_logging(level="WARNING", as_json=house.settings.logs_as_json)
        try:
            yield house
        finally:
            house.close()
    except Failed as failure:
        _fail(str(failure), failure.code, failure.members, as_json=as_json, exit_code=failure.exit_code)
    except Invalid as fault:
        words = "；".join(dict.fromkeys(field.message for field in fault.fields)) or fault.detail or fault.title
        fields = [field.to_dict() for field in fault.fields]
        _fail(words, fault.code, {"fields": fields, **fault.members}, as_json=as_json)
    except Fault as fault:
        _fail(fault.detail or fault.title, fault.code, fault.members, as_json=as_json)
    except HouseUnusable as error:
        _fail(str(error), error.code, {}, as_json=as_json)
    except (SQLAlchemyError, sqlite3.Error) as error:
        if why := why_unwritable(error):
            _fail(told_unwritable(database, why), "not_writable", {}, as_json=as_json)
        # The message may quote rows or the address; it goes to the log, which redacts.
        _LOG.error("database error", exc_info=error)
        _fail("数据库出错：请检查 DATABASE_URL，或者运行 jiujin doctor", "database_error", {}, as_json=as_json)
    except KeyboardInterrupt:
        _fail("已停止，没做完的部分没有保存", "interrupted", {}, as_json=as_json)


def told_database(house: House) -> str:
    """The database as people know it: a file by its path, a server without its address."""
    if house.engine.dialect.name != "sqlite":
        return "数据库"
    return f"数据库文件 {house.engine.url.database}"


def told_unwritable(database: str, why: str) -> str:
    """A line that says what cannot be written and what to do."""
    return f"{database} 写不了（{why}）：请检查它和所在目录的权限、磁盘的空间，或者用 --data 换一个目录"


def tell_failure(words: str, code: str, *, as_json: bool, **members: Any) -> None:
    """What went wrong: a line for people, or on standard output one JSON document with its stable code."""
    if as_json:
        typer.echo(orjson.dumps({"error": {"code": code, "message": words, **members}}, default=str).decode())
    else:
        tell(words)


def _fail(words: str, code: str, members: dict[str, Any], *, as_json: bool, exit_code: int = 1) -> NoReturn:
    tell_failure(words, code, as_json=as_json, **members)
    raise typer.Exit(exit_code)


@contextmanager
def stopping_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM raises KeyboardInterrupt, as Ctrl+C does, so that both end a command the same way."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
