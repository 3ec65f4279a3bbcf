"""`jiujin kiosk`: kiosks of the stations put on record, their keys given anew and taken back."""

from typing import Annotated

import typer

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.domain.kiosks import KEY_GOOD_FOR
from app.kit.database import write_session
from app.usecases.kiosks import add_kiosk, renew_key, revoke_key

kiosks = typer.Typer(no_args_is_help=True, help="驿站终端：登记，发、收回设备钥匙")

KioskCode = Annotated[str, typer.Argument(metavar="CODE", help="终端的代码：字母、数字和短横")]


@kiosks.command("add", help="登记一台终端：设备钥匙只显示这一次，一年有效。")
def add(
    *,
    code: KioskCode,
    station: Annotated[str, typer.Option("--station", metavar="NAME", help="在哪个驿站")],
    area: Annotated[str, typer.Option("--area", metavar="代码", help="驿站在哪个区县或乡镇街道")],
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Put a kiosk on record and tell its key once."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        now = house.clock.now()
        with write_session(house.engine) as session:
            key = add_kiosk(session, code=code, station=station, area_code=area, actor="office", now=now)
        until = (now + KEY_GOOD_FOR).date()
        words = f"{key}\n{code} 的设备钥匙，到 {until} 有效，只显示这一次：装到终端上"
        answer({"kiosk": code, "key": key, "good_until": until}, words, as_json=as_json)


@kiosks.command("key", help="换一把新的设备钥匙：旧的马上失效，只显示这一次。")
def renew(*, code: KioskCode, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Give a kiosk a new key and tell it once."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        now = house.clock.now()
        with write_session(house.engine) as session:
            key = renew_key(session, code, actor="office", now=now)
        until = (now + KEY_GOOD_FOR).date()
        words = f"{key}\n{code} 的新设备钥匙，到 {until} 有效，只显示这一次：装到终端上"
        answer({"kiosk": code, "key": key, "good_until": until}, words, as_json=as_json)


@kiosks.command("revoke", help="收回设备钥匙，马上失效，用它登录的人也退出。")
def revoke(*, code: KioskCode, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Take a kiosk's key back."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with write_session(house.engine) as session:
            ended = revoke_key(session, code, actor="office", now=house.clock.now())
        answer({"kiosk": code, "ended": ended}, f"收回了 {code} 的钥匙，{ended} 人退出了", as_json=as_json)
