"""`jiujin staff`: accounts of people, and keys by which programs of staff, such as a broker's board, ask what is due.

The first account is made here; the rest an administrator of security makes.
"""

from enum import StrEnum
from typing import Annotated

import typer

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, answer, at_work
from app.domain.accounts import STAFF_ROLES
from app.domain.permissions import Role
from app.kit.database import write_session
from app.usecases.accounts import create_account
from app.usecases.staff_keys import GOOD_FOR, issue_staff_key, revoke_staff_keys
from app.wiring import check_keys

staff = typer.Typer(no_args_is_help=True, help="工作人员的账号；他们的程序用的钥匙：发、收回")

StaffRole = StrEnum("StaffRole", {role.name: role.value for role in STAFF_ROLES})  # type: ignore[misc]
"""The roles of which there are accounts."""

Whose = Annotated[str, typer.Argument(metavar="WHO", help="谁的：broker/代码、clerk/代码、officer/代码")]


@staff.command("add", help="开一个账号：起始密码只显示这一次，本人登录后要换成自己的，并设好动态码。")
def add(
    *,
    code: Annotated[str, typer.Argument(metavar="CODE", help="账号；经纪人写经纪人代码")],
    role: Annotated[StaffRole, typer.Option("--role", help="角色，一个账号只有一个")],
    district: Annotated[
        str | None,
        typer.Option("--district", metavar="代码", help="在哪个区县；只有 clerk、officer 写", show_default=False),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make an account and tell its start password once."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        check_keys(house)
        with write_session(house.engine) as session:
            start = create_account(
                session, code=code, role=Role(role.value), district=district, actor="office", now=house.clock.now()
            )
        words = f"{start}\n{code} 的起始密码，只显示这一次：登录后马上换成自己的"
        answer({"account": code, "start_password": start}, words, as_json=as_json)


@staff.command("key", help="发一把钥匙：只显示这一次，90 天有效；经纪人只看得到自己手上的人。")
def issue(
    *,
    who: Whose,
    district: Annotated[
        str | None,
        typer.Option(
            "--district", metavar="代码", help="只看这个区县；经办人必须写，主管不写就看全市", show_default=False
        ),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and tell it once."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        check_keys(house)
        now = house.clock.now()
        with write_session(house.engine) as session:
            token = issue_staff_key(session, who, district=district, now=now)
        until = (now + GOOD_FOR).date()
        words = f"{token}\n到 {until} 有效，只显示这一次；用法：Authorization: Bearer 钥匙"
        answer({"key": token, "who": who, "district": district, "good_until": until}, words, as_json=as_json)


@staff.command("revoke", help="收回一个人的全部钥匙，马上失效。")
def revoke(*, who: Whose, data: DataFolder = None, as_json: AsJson = False) -> None:
    """End all keys of somebody."""
    with at_work(as_json=as_json, data=data) as house:
        require_current_schema(house)
        with write_session(house.engine) as session:
            ended = revoke_staff_keys(session, who, now=house.clock.now())
        answer({"who": who, "revoked": ended}, f"收回了 {ended} 把", as_json=as_json)
