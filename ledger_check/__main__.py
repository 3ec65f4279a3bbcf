"""`python -m ledger_check FILE [--checkpoint FILE ...] [--key PUBLICKEY ...] [--json]`.

FILE is an export, a receipt, or the proof that one checkpoint grew out of another.
Exit codes: 0 good, 1 bad, 2 wrong use.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ledger_check.books import Report, check_book
from ledger_check.entries import read_json
from ledger_check.notes import Unreadable
from ledger_check.receipts import check_growth, check_receipt

_SINGLE = {"receipt": check_receipt, "growth": check_growth}
_USAGE = "用法：python -m ledger_check FILE [--checkpoint FILE ...] [--key KEY ...] [--json]"
_HELP = f"""{_USAGE}

不靠系统，单独核对一本台账、一张凭条或一个增长证明。

  FILE               导出的台账（JSON 一行一条）、凭条或增长证明
  --checkpoint FILE  另外保存的检查点，可以写几次
  --key KEY          台账的公钥，从另外的地方拿来；可以写几次
  --json             输出 JSON，给程序读
  -h, --help         这段说明

退出码：0 无误，1 不对，2 命令写得不对。
"""


class _Parser(argparse.ArgumentParser):
    """Reads arguments; its own words are English, so none of them is shown."""

    def format_help(self) -> str:
        return _HELP

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\n{_USAGE}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one file; 0 good, 1 bad. Wrong use ends the process with 2."""
    parser = _Parser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[])
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    try:
        given, strange = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        parser.error(f"{error.argument_name} 填得不对")
    if strange:
        parser.error(f"多写了 {strange[0]}")
    if given.file is None:
        parser.error("请写要核对的文件")
    try:
        checkpoints = [path.read_text(encoding="utf-8") for path in given.checkpoint]
        document, words = _check(given.file, checkpoints, given.key)
    except (OSError, UnicodeDecodeError) as error:
        name = error.filename if isinstance(error, OSError) else None
        parser.error(f"{name or '给的文件'} 读不了，或者不是文字")
    except Unreadable as error:
        document, words = {"ok": False, "message": str(error)}, str(error)
    sys.stdout.write(f"{json.dumps(document, ensure_ascii=False) if given.json else words}\n")
    return 0 if document["ok"] else 1


def _check(file: Path, checkpoints: Sequence[str], keys: Sequence[str]) -> tuple[dict[str, Any], str]:
    with file.open(encoding="utf-8") as lines:
        first = read_json(lines.readline())
        if (check := _SINGLE.get(str(first.get("type")))) is not None:
            wrong = check(first, checkpoints=checkpoints, keys=keys)
            words = "核对无误" if wrong is None else f"不对：{wrong}"
            return {"ok": wrong is None, "message": words, "keys_given": bool(keys)}, words + _doubt(keys=bool(keys))
        lines.seek(0)
        report = check_book(lines, checkpoints=checkpoints, keys=keys)
    return report.to_dict(), told(report)


def told(report: Report, *, beside: Sequence[str] = ()) -> str:
    """A report in words. `beside` tells what is wrong in a database beside what an export holds."""
    lines = [
        f"{report.places} 个位置，和 {report.fitting} 个检查点一致（其中 {report.outside} 个是另外保存的）",
    ]
    if report.erased:
        lines.append(f"{report.erased} 条的本人已经销毁身份，由销毁记录作证")
    if report.waiting:
        some = "、".join(map(str, report.waiting[:10]))
        lines.append(
            f"{len(report.waiting)} 条还没有排进树里，还证明不了：第 {some} 条{'等' if report.waiting[10:] else ''}"
        )
    if report.first is not None:
        lines.append(f"不对的有 {report.bad} 处，第一处：{report.first.words}")
    elif not beside:
        lines.append("核对无误")
    lines += [f"不对：{each}" for each in beside]
    if not report.outside:
        lines.append("没有和另外保存的检查点比过：后面删掉一截、换回旧的一份，看不出来")
    return "\n".join(lines) + _doubt(keys=report.keys_given)


def _doubt(*, keys: bool) -> str:
    return "" if keys else "\n公钥取自文件本身：要证明不是别人另造的一本，请用 --key 给出从别处拿到的公钥"


if __name__ == "__main__":
    sys.exit(main())
