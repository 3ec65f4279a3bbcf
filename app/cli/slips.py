"""`jiujin push slips`, `push signed`: paper for those whom no machine reaches, and what comes back signed."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from app.cli.databases import require_current_schema
from app.cli.records import At, By
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work
from app.domain.pushes import Answer, Unsuitable
from app.exchange.slips import write_slip_pages
from app.kit.clock import CHINA
from app.kit.database import HIGHEST_ID, read_session, write_session
from app.usecases.areas import AreaBook
from app.usecases.slips import print_slips, take_signed_slip
from app.wiring import House, check_keys

_MARK = re.compile(r"([1-9])=([a-z_]+)(?::([a-z_]+))?")


def slips(
    *,
    broker: Annotated[
        str | None, typer.Option("--broker", metavar="代码", help="一个经纪人手上的人", show_default=False)
    ] = None,
    district: Annotated[
        str | None, typer.Option("--district", metavar="代码", help="一个区县的人，六位代码", show_default=False)
    ] = None,
    worker: Annotated[
        int | None,
        typer.Option("--worker", metavar="编号", min=1, max=HIGHEST_ID, help="只打一个人的", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="写成网页文件，用浏览器打印，一人一页", dir_okay=False, show_default=False),
    ] = None,
    by: By,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the slips for the next visits; printed again, a page keeps its number."""
    if (broker, district, worker) == (None, None, None):
        raise typer.BadParameter("请写打谁的：--broker、--district 或 --worker")
    with at_work(as_json=as_json, data=data) as house:
        areas = _areas_of(house)
        with write_session(house.engine) as session:
            pages = print_slips(
                session,
                areas=areas,
                actor=by,
                now=house.clock.now(),
                keys=house.keys,
                worker_id=worker,
                broker=broker,
                district=district,
            )
            if out is not None and pages:
                # Within the transaction: a page that nobody can print must not be waited for.
                _write(out, write_slip_pages(page.text for page in pages))
        document = {
            "slips": [{"code": page.code, "worker": page.worker_id, "postings": page.postings} for page in pages],
            "file": None if out is None or not pages else str(out),
        }
        if not pages:
            words = "没有要上门送的岗位"
        elif out is not None:
            words = f"{len(pages)}张纸条写进了 {out}，用浏览器打开打印；签了字回来：jiujin push signed 回执编号"
        else:
            words = "\n\n\f".join(page.text for page in pages)
        answer(document, words, as_json=as_json)


def signed(
    *,
    code: Annotated[str, typer.Argument(metavar="CODE", help="纸条上的回执编号")],
    mark: Annotated[
        list[str] | None,
        typer.Option(
            "--mark",
            metavar="号=回应",
            help="几号岗位勾了什么：1=interested 想去，2=unsuitable:too_far 不合适、太远；可以写几次",
            show_default=False,
        ),
    ] = None,
    calls: Annotated[bool, typer.Option("--call-me", help="勾了“请打给我”")] = False,
    by: By,
    at: At = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take in a slip that came back signed: what is on it has arrived, proven by the person. Again, nothing changes."""
    marks = dict(_read_mark(each) for each in mark or ())
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        check_keys(house)
        now = house.clock.now()
        with write_session(house.engine) as session:
            taken = take_signed_slip(
                session,
                code,
                marks,
                calls=calls,
                actor=by,
                happened_at=now if at is None else at.replace(tzinfo=CHINA),
                now=now,
                keys=house.keys,
            )
        told = "，".join(
            f"{posting} {'看到了' if given is None else given.label}" for posting, given in taken.answers.items()
        )
        document = {
            "worker": taken.worker_id,
            "answers": [
                {"posting": posting, "answer": None if given is None else given.value}
                for posting, given in taken.answers.items()
            ],
        }
        answer(document, f"编号 {taken.worker_id}，送到{len(taken.answers)}个岗位：{told}", as_json=as_json)


def _read_mark(typed: str) -> tuple[int, tuple[Answer, Unsuitable | None]]:
    """A mark as it is typed; raises BadParameter where it is none."""
    found = _MARK.fullmatch(typed.strip())
    try:
        if found is not None:
            why = Unsuitable(found[3]) if found[3] else None
            return int(found[1]), (Answer(found[2]), why)
    except ValueError:
        pass  # a word that is none of ours
    answers, reasons = ("、".join(each.value for each in kind) for kind in (Answer, Unsuitable))
    raise typer.BadParameter(f"--mark 填得不对：写 1=回应，回应只能是 {answers}；不合适的原因只能是 {reasons}")


def _areas_of(house: House) -> AreaBook:
    require_current_schema(house)
    check_keys(house)
    try:
        with read_session(house.engine) as session:
            return AreaBook.load(session, on=house.clock.today())
    except LookupError:
        raise Failed("还没有参考数据，请先运行：jiujin seed reference", code="not_loaded") from None


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Failed(f"{path} 写不了（{error.strerror}）：请换一个目录", code="not_writable") from error
