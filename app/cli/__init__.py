"""The command `jiujin`. A noun or a deed a file; wrong use is told in Chinese, with `--json` as JSON, and exits with 2.

Typer checks what is typed; what it says about it is English and is told anew here.
"""

import re
import sys

import typer
import typer.rich_utils
from pydantic import ValidationError

from app.api.problems import invalid
from app.cli.announcements import announce
from app.cli.consents import consent
from app.cli.databases import db, seed
from app.cli.demo import seed_demo
from app.cli.doctor import doctor
from app.cli.fictions import watch_ledger
from app.cli.follow_ups import reached, waiting
from app.cli.imports import imports
from app.cli.keys import keys
from app.cli.kiosks import kiosks
from app.cli.ledger import exports, ledger
from app.cli.matches import match
from app.cli.obligations import due, person, totals
from app.cli.pushes import pushes
from app.cli.records import close_a_spell, decide, open_spell, place, propose, record, status, strike
from app.cli.serving import serve, up, work
from app.cli.slips import signed, slips
from app.cli.staff import staff
from app.cli.terminal import tell_failure

app = typer.Typer(
    name="jiujin",
    help="就近：重庆农民工就近就业服务。第一次使用请运行 jiujin up",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up", help="一步启动：升级数据库、装好数据、开始服务；可以重复运行。")(up)
app.command("serve", help="只提供网页和接口。")(serve)
app.command("work", help="只运行后台任务：关闭过期岗位等。")(work)
app.command("match", help="排出离家近、做得了的岗位，说明理由。")(match)
app.command("doctor", help="检查设置、密钥、数据库和数据是否正常。")(doctor)
app.add_typer(db, name="db")
seed.command("demo", help="装入生成的演示数据和历史岗位样例；只供试用，可以重复运行。")(seed_demo)
app.add_typer(seed, name="seed")
app.add_typer(imports, name="import")
pushes.command("consent", help="记下本人同意用哪个渠道收消息，或者不要了。")(consent)
pushes.command("slips", help="打印送岗纸条：给没有手机、要上门的人，一人一页，最多三个岗位。")(slips)
pushes.command("signed", help="签了字的纸条回来了：记下送到了哪几个岗位，本人怎么说。")(signed)
pushes.command("waiting", help="谁感兴趣、谁要我们打电话，等得最久的在前；只查，不改动。")(waiting)
pushes.command("reached", help="联系过了，从名单上划掉。")(reached)
pushes.command("announce", help="写出村广播和张贴的稿子；不算到任何人名下。")(announce)
app.add_typer(pushes, name="push")
app.add_typer(staff, name="staff")
app.add_typer(keys, name="keys")
app.add_typer(kiosks, name="kiosk")
ledger.command("due", help="谁的应尽服务超期了、快到期，下一步做什么；只查，不改动。")(due)
ledger.command("person", help="一个人的应尽服务：做到几次、凭什么算、哪些不算；只查，不改动。")(person)
ledger.command("totals", help="应尽服务合计：要做、做到、凭什么算、做晚了几次；只查，不改动。")(totals)
ledger.command("watch", help="看看哪些记录像是凑数的，列出是台账第几条；只查，不改动。")(watch_ledger)
ledger.command("strike", help="把一条作废：它还在台账里，但不再算数。")(strike)
ledger.command("open", help="登记失业：从这天起应尽服务开始算。")(open_spell)
ledger.command("close", help="结束一次失业登记，写明原因。")(close_a_spell)
ledger.command("status", help="登记一个人的身份（登记失业、脱贫人口……）从哪天起、到哪天止。")(status)
ledger.command("propose", help="提出用公益性岗位兜底；市场化的办法没有试够时会说明缺什么。")(propose)
ledger.command("decide", help="批兜底安置：同意或不同意，写明理由。")(decide)
ledger.command("place", help="以工代赈名额不够时，按优先次序排人并记进台账。")(place)
ledger.add_typer(record, name="record")
app.add_typer(ledger, name="ledger")
app.add_typer(exports, name="export")

typer.rich_utils.OPTIONS_PANEL_TITLE = "选项"
typer.rich_utils.ARGUMENTS_PANEL_TITLE = "内容"
typer.rich_utils.COMMANDS_PANEL_TITLE = "命令"
typer.rich_utils.REQUIRED_LONG_STRING = "[必填]"
typer.rich_utils.DEFAULT_STRING = "[默认：{}]"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 the work failed, 2 wrong use."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Looked for by hand: what cannot be understood has no options yet.
    as_json = "--json" in arguments
    try:
        code = app(arguments, standalone_mode=False)
    except typer.Abort:
        tell_failure("已停止", "interrupted", as_json=as_json)
        return 1
    except typer.TyperException as error:
        # Empty when nothing was typed at all: then Typer has shown the help already.
        if words := _told(error):
            tell_failure(words if as_json else f"{words}\n用 --help 看怎么写", "wrong_use", as_json=as_json)
        return error.exit_code
    # Typer gives 130 for Ctrl+C outside of a command's own handling.
    return code if isinstance(code, int) else 0


_TOLD = (
    (re.compile(r"No such option: (\S+)"), "没有 {0} 这个选项"),
    (re.compile(r"No such command '([^']*)'"), "没有 {0} 这个命令"),
    (re.compile(r"Missing command"), "请写明要做什么"),
    (re.compile(r"Got unexpected extra argument\S* \((.*)\)"), "多写了：{0}"),
    (re.compile(r"Option '?([^' ]+)'? requires an argument"), "{0} 后面要写内容"),
    (re.compile(r"Invalid value for (\S+): .* is not one of (.+?)\.?$"), "{0} 填得不对：只能是 {1}"),
    (re.compile(r"Missing (?:parameter|option|argument) '?([^'.]+)'?"), "缺少 {0}"),
)


def _told(error: typer.TyperException) -> str:
    """What Typer found wrong, in Chinese; what is not known here stays as Typer says it."""
    words = error.format_message()
    for pattern, told in _TOLD:
        if found := pattern.search(words):
            return told.format(*found.groups())
    if isinstance(error, typer.BadParameter) and isinstance(error.__cause__, ValidationError):
        name = error.param.get_error_hint() if error.param is not None else ""
        messages = dict.fromkeys(
            field.message for field in invalid(error.__cause__.errors(include_url=False, include_input=False)).fields
        )
        return f"{name} 填得不对：{'；'.join(messages)}"
    return words
