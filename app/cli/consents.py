"""`jiujin push consent`: a person lets a channel be used, or does not let it be used any more."""

import re
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work
from app.domain.ledger import Channel
from app.kit.database import HIGHEST_ID, write_session
from app.usecases.consents import end_consent, give_consent
from app.usecases.handed_pushes import require_worker
from app.usecases.inboxes import inbox_code
from app.usecases.obligations import require_writer
from app.wiring import check_keys

_LONGEST_LINE = 200
# WeChat promises no shape, but none is longer, and a phone number or a sentence is none.
_OPEN_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{6,64}")


class How(StrEnum):
    """How somebody said so."""

    SIGNED = "signed"
    SPOKEN = "spoken"
    PAGE = "page"


def consent(
    *,
    worker: Annotated[int, typer.Option("--worker", metavar="编号", min=1, max=HIGHEST_ID, help="本人的编号")],
    channel: Annotated[Channel, typer.Option("--channel", help="哪个渠道：短信、微信、语音电话、站内消息")],
    how: Annotated[How, typer.Option("--how", help="怎么说的：签字、口头、本人在页面上点的")] = How.SIGNED,
    asks_address: Annotated[
        bool,
        typer.Option("--address", help="微信要有：另输一行本人的 open id，也可以从管道来；不写在命令里"),
    ] = False,
    ends: Annotated[bool, typer.Option("--end", help="本人不要了")] = False,
    by: Annotated[str, typer.Option("--by", metavar="谁", help="谁记的：broker/代码、clerk/代码、officer/代码")],
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Note a consent or its end; again, it changes nothing."""
    with at_work(as_json=as_json, data=data) as house:
        if asks_address and (ends or channel is not Channel.WECHAT):
            raise Failed("--address 只在记下微信的同意时用", code="wrong_use", exit_code=2)
        if channel is Channel.WECHAT and not ends and not asks_address:
            raise Failed("微信要有本人的 open id 才发得出去：请加上 --address", code="address_missing")
        address = _read_open_id() if asks_address else None
        require_current_schema(house)
        check_keys(house)
        now = house.clock.now()
        with write_session(house.engine) as session:
            require_writer(session, by)
            require_worker(session, worker)
            if ends:
                end_consent(session, worker_id=worker, channel=channel, how=how.value, actor=by, now=now)
            else:
                give_consent(
                    session,
                    worker_id=worker,
                    channel=channel,
                    how=how.value,
                    actor=by,
                    now=now,
                    keys=house.keys,
                    address=address,
                )
        document: dict[str, Any] = {"worker": worker, "channel": channel.value, "consents": not ends}
        words = f"{channel.label}：{'本人不要了' if ends else '本人同意'}"
        if channel is Channel.INBOX and not ends:
            # The address is the key to it: whoever agrees to the inbox is given it.
            inbox = f"{house.settings.effective_public_url}/inbox/{inbox_code(worker, keys=house.keys)}"
            document["inbox"] = inbox
            words += f"\n本人的收件箱（只交给本人）：{inbox}"
        answer(document, words, as_json=as_json)


def _read_open_id() -> str:
    """What is typed, or comes through a pipe, as one line.

    Raises:
        Failed: it is no open id.
    """
    if sys.stdin.isatty():
        typer.echo("本人的微信 open id：", nl=False, err=True)
    words = sys.stdin.buffer.readline(_LONGEST_LINE).decode("ascii", errors="replace").strip()
    if _OPEN_ID.fullmatch(words) is None:
        raise Failed("这不是微信的 open id：只有字母、数字、“-”和“_”，一般是28个字符", code="address_unreadable")
    return words
