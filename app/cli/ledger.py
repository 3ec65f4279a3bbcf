"""`jiujin ledger` and `jiujin export ledger`: checked, its state for keeping, a receipt, the whole of it.

What is checked is what leaves the house: the database's own export goes through `ledger_check`, which knows no table.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import segno
import typer

from app.cli.databases import require_current_schema
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work
from app.exchange.checkpoints import CheckpointKept, list_kept, write_checkpoint
from app.kit.database import read_session
from app.usecases.audit_seals import first_wrong_act
from app.usecases.ledger import LedgerEntryUnknown
from app.usecases.ledger_exports import (
    LedgerEntryErased,
    LedgerEntryUnproven,
    LedgerEntryWaiting,
    ReceiptCodeWrong,
    export_lines,
    find_by_code,
    first_wrong_node,
    make_receipt,
    prove_growth,
)
from app.usecases.sequencing import LedgerDiffers, newest_note, signer_of
from app.usecases.spell_proofs import first_wrong_spell
from app.wiring import House, check_keys
from ledger_check.__main__ import told
from ledger_check.books import Report, check_book
from ledger_check.notes import Unreadable

ledger = typer.Typer(no_args_is_help=True, help="服务台账：核对、检查点、凭条")
exports = typer.Typer(no_args_is_help=True, help="导出")

OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="写进哪个文件", dir_okay=False)]
Kept = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", metavar="FILE", help="另外保存的检查点，可以写几次", dir_okay=False),
]


@ledger.command("verify", help="核对台账，说出第一条不对的；不写文件就核对数据库里的。不对时退出码为 1。")
def verify(
    *,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="导出的台账", show_default=False)] = None,
    checkpoint: Kept = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check an export or the database; with the database also what an export does not hold."""
    with at_work(as_json=as_json, data=data) as house:
        kept = [_read_text(path) for path in checkpoint or ()]
        keys = signer_of(house.keys).told_keys
        if file is not None:
            report, node, spell, act = _check_file(file, kept, keys), None, None, None
        else:
            _require_ledger(house)
            with read_session(house.engine) as session:
                lines = map(orjson.dumps, export_lines(session, keys=house.keys))
                ours = [_read_text(path, exit_code=1) for path in list_kept(house.settings.checkpoints)]
                outside = [*kept, *ours]
                report = check_book(lines, checkpoints=outside, keys=keys, from_service=True)
                node = first_wrong_node(session)
                spell = first_wrong_spell(session, keys=house.keys)
                act = first_wrong_act(session, keys=house.keys)
        document = {
            **report.to_dict(),
            "wrong_node": None if node is None else [*node],
            "wrong_spell": None if spell is None else spell.to_dict(),
            "wrong_act": None if act is None else act.to_dict(),
        }
        document["ok"] = report.is_good and node is None and spell is None and act is None
        beside = [] if node is None else [f"存着的中间哈希，第 {node[0]} 层第 {node[1]} 个"]
        beside += [] if spell is None else [spell.words]
        beside += [] if act is None else [act.words]
        words = told(report, beside=beside)
        if not document["ok"]:
            raise Failed(words, code="ledger_bad", **document)
        answer(document, words, as_json=as_json)


@ledger.command("root", help="把最新的检查点写进文件，另外保存；以后用它核对，后面删掉一截也看得出来。")
def root(
    *,
    out: OutFile,
    since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="以前保存的检查点：证明现在的台账是从它长出来的", dir_okay=False),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the newest checkpoint to a file; with `--since` prove that the ledger grew out of an older one."""
    with at_work(as_json=as_json, data=data) as house:
        _require_ledger(house)
        with read_session(house.engine) as session:
            note = newest_note(session)
            if note is None:
                raise Failed("台账还是空的，没有检查点", code="ledger_empty")
            try:
                growth = None if since is None else prove_growth(session, _read_text(since), keys=house.keys)
            except LedgerDiffers:
                raise Failed(
                    f"现在的台账不是从 {since} 长出来的：请运行 jiujin ledger verify", code="ledger_bad"
                ) from None
        try:
            write_checkpoint(out, note)
        except CheckpointKept:
            raise Failed(f"{out} 里是别的内容或更大的检查点，没有动它：请换一个文件名", code="file_kept") from None
        except OSError as error:
            raise _unwritable(out, error) from error
        signer = signer_of(house.keys)
        origin, size = note.split("\n")[:2]
        document = {"origin": origin, "size": int(size), "checkpoint": note, "keys": signer.told_keys, "growth": growth}
        words = f"检查点（{size} 条）写进了 {out}，请存到数据库以外的地方\n公钥：{signer.told_keys[0]}"
        if growth is not None:
            words += f"\n现在的台账是从 {since} 长出来的，证明用 --json 输出"
        answer(document, words, as_json=as_json)


@ledger.command("receipt", help="开一张凭条：证明某一条在台账里。写条目的编号或凭条的短码。")
def receipt(
    *,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="台账第几条，或者凭条上的短码")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="把凭条（JSON）写进文件", dir_okay=False, show_default=False)
    ] = None,
    qr: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="把网页地址（没设就是短码）的二维码写成 svg 或 png 图",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make the receipt of one entry: a short code, its QR code, and the proof."""
    if qr is not None and qr.suffix not in {".svg", ".png"}:
        raise typer.BadParameter("--qr 填得不对：文件名要以 .svg 或 .png 结尾")
    with at_work(as_json=as_json, data=data) as house:
        _require_ledger(house)
        try:
            entry_id = int(entry) if entry.isascii() and entry.isdecimal() else find_by_code(entry, keys=house.keys)
            with read_session(house.engine) as session:
                document = make_receipt(session, entry_id, keys=house.keys)
        except (
            LedgerEntryUnknown,
            LedgerEntryWaiting,
            LedgerEntryErased,
            LedgerEntryUnproven,
            ReceiptCodeWrong,
        ) as fault:
            raise Failed(fault.title, code=fault.code) from None
        page = _page_of(document["code"], house)
        code = segno.make(page or document["code"], micro=False, error="m")
        if out is not None:
            _write(out, iter([orjson.dumps(document)]))
        if qr is not None:
            try:
                code.save(str(qr), scale=8)
            except OSError as error:
                raise _unwritable(qr, error) from error
        words = f"台账第 {entry_id} 条的凭条，短码 {document['code']}"
        if page is not None:
            words += f"\n网页 {page}"
        if out is not None:
            words += f"\n写进了 {out}，核对：python -m ledger_check {out}"
        answer(document, words, as_json=as_json)
        if not as_json and qr is None:
            code.terminal(compact=True)


@exports.command("ledger", help="导出整本台账，JSON 一行一条；谁都可以用 python -m ledger_check 核对。")
def export_ledger(*, out: OutFile, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Write the whole ledger to a file, whole or not at all."""
    with at_work(as_json=as_json, data=data) as house:
        _require_ledger(house)
        with read_session(house.engine) as session:
            count = _write(out, map(orjson.dumps, export_lines(session, keys=house.keys)))
        document = {"file": str(out), "lines": count, "keys": signer_of(house.keys).told_keys}
        answer(document, f"台账写进了 {out}（{count} 行），核对：python -m ledger_check {out}", as_json=as_json)


def _page_of(code: str, house: House) -> str | None:
    """Where the holder of a code looks at the receipt; None where no public address is set: ours is nobody else's."""
    settings = house.settings
    return None if settings.public_url is None else f"{settings.effective_public_url}/receipts/{code}"


def _require_ledger(house: House) -> None:
    require_current_schema(house)
    check_keys(house)


def _check_file(file: Path, checkpoints: list[str], keys: list[str]) -> Report:
    try:
        with file.open(encoding="utf-8") as lines:
            return check_book(lines, checkpoints=checkpoints, keys=keys)
    except OSError as error:
        raise _unreadable(file, error) from error
    except (Unreadable, UnicodeDecodeError):
        raise Failed(f"{file} 不是台账的导出文件", code="not_a_ledger", exit_code=2) from None


def _read_text(path: Path, *, exit_code: int = 2) -> str:
    """A checkpoint as it stands in a file. That one of our own cannot be read is nobody's wrong use (exit code 1)."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, error, exit_code=exit_code) from error
    except UnicodeDecodeError:
        raise Failed(f"{path} 不是检查点", code="not_a_checkpoint", exit_code=exit_code) from None


def _unreadable(path: Path, error: OSError, *, exit_code: int = 2) -> Failed:
    return Failed(f"{path} 读不了（{error.strerror}）", code="not_readable", exit_code=exit_code)


def _unwritable(path: Path, error: OSError) -> Failed:
    return Failed(f"{path} 写不了（{error.strerror}）：请换一个目录", code="not_writable")


def _write(path: Path, lines: Iterator[bytes]) -> int:
    """Write lines to a file that only its owner may read, whole or not at all; their number."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    count = 0
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for count, line in enumerate(lines, start=1):  # noqa: B007  counted for the answer
                file.write(line + b"\n")
        scratch.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        scratch.unlink(missing_ok=True)
    return count
