"""Tables as people make them: xlsx, xls or csv into rows of text, with the row numbers that Excel shows.

A file is known by its content; when its name says something else it is refused and told what it really is. A number of
more than 15 digits has lost its last ones before it gets here (`Row.rounded`): an ID number must never be read from it.
"""

import csv
import io
import json
import re
import struct
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from app.exchange.archives import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, inspect_archive
from app.exchange.refusals import (
    ColumnsMissing,
    FileBroken,
    FileEncrypted,
    FileKindWrong,
    FileTooLarge,
    SheetEmpty,
    SheetTooLarge,
    SheetUnclear,
)

MAX_BYTES = 20 * 1024 * 1024
MAX_CELL_CHARACTERS = 10_000
HEADER_WITHIN_ROWS = 20
READER_SECONDS = 180
EXACT_DIGITS = 15  # what a double holds without loss, and what Excel keeps of a number

_READER = Path(__file__).with_name("workbook_reader.py")
_SUFFIXES = {".xlsx": "xlsx", ".xls": "xls", ".csv": "csv"}
_KIND_NAMES = {
    "xlsx": "xlsx 工作簿",
    "xls": "旧式 xls 工作簿",
    "csv": "文本（csv）",
    "xlsb": "xlsb 二进制工作簿",
    "ods": "ods 表格",
    "docx": "Word 文档",
    "doc": "旧式 Word 文档",
    "zip": "zip 压缩包",
    "html": "网页（HTML）",
    "xml": "XML 文档",
    "pdf": "PDF 文档",
    "picture": "图片",
    "ole": "别的 Office 文档",
    "unknown": "认不出的文件",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BIFF8_BEGIN = b"\x09\x08\x10\x00"  # record BOF, 16 bytes
_FILEPASS = 0x002F
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as Excel shows it, its cells as text, and the columns whose last digits are lost."""

    number: int
    cells: tuple[str, ...]
    rounded: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a reader asks for, and how people head it."""

    key: str
    names: tuple[str, ...]
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows below a header. `headings` holds the headings as written by key, `unread` those nobody asked for."""

    sheet: str
    header_row: int
    headings: Mapping[str, str]
    unread: tuple[str, ...]
    rows: tuple[Row, ...]
    _places: Mapping[str, int] = field(repr=False)

    def text(self, row: Row, key: str) -> str:
        """What stands in a row under a column; "" where nothing does or the file has no such column."""
        place = self._places.get(key)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    def is_rounded(self, row: Row, key: str) -> bool:
        """Whether the last digits of the number in a cell are lost."""
        return self._places.get(key) in row.rounded


def read_table(path: Path, columns: Sequence[Column], *, sheet: str | None = None) -> Table:
    """Read the one table of a file that has the columns asked for.

    Args:
        path: an xlsx, xls or csv file.
        columns: what to look for; at least one is required.
        sheet: the name of the sheet; None takes the only one with a fitting header.

    Raises:
        FileRefused: the file cannot be read, for one of the reasons in `refusals`.
        OSError: there is no such file, or it may not be read.
    """
    sheets = _read_sheets(path)
    if sheet is not None:
        sheets = [(name, rows) for name, rows in sheets if name == sheet]
        if not sheets:
            raise SheetUnclear("文件里没有这个名字的表（隐藏的表不读）")
    if not any(rows for _, rows in sheets):
        raise SheetEmpty("文件里一行内容也没有")
    found = [(name, rows, header) for name, rows in sheets if (header := _find_header(rows, columns)) is not None]
    fitting = [one for one in found if not one[2].missing]
    if not fitting:
        raise ColumnsMissing(_explain_missing(columns, [header for _, _, header in found]))
    if len(fitting) > 1:
        names = "、".join(f"「{name}」" for name, _, _ in fitting)
        raise SheetUnclear(f"有 {len(fitting)} 张表都有需要的列：{names}。请指定其中一张（--sheet 表名）")
    name, rows, header = fitting[0]
    below = tuple(row for row in rows if row.number > header.row.number and row.cells != header.row.cells)
    if not below:
        raise SheetEmpty(f"第 {header.row.number} 行是表头，下面没有数据")
    return Table(
        sheet=name,
        header_row=header.row.number,
        headings={key: header.row.cells[place] for key, place in header.places.items()},
        unread=tuple(
            cell for place, cell in enumerate(header.row.cells) if cell and place not in header.places.values()
        ),
        rows=below,
        _places=header.places,
    )


# --- files ------------------------------------------------------------------------------------------------------------


def _read_sheets(path: Path) -> list[tuple[str, list[Row]]]:
    expected = _SUFFIXES.get(path.suffix.lower())
    if expected is None:
        raise FileKindWrong("只读 xlsx、xls、csv 三种文件，请用 Excel 或 WPS 另存为其中一种")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FileTooLarge(f"文件超过 {MAX_BYTES // 1024 // 1024} MB，请删去图片和多余的表，或分成几个文件")
    if not data.strip():
        raise SheetEmpty("文件是空的")
    kind = _kind_of(data)
    if kind != expected:
        raise FileKindWrong(
            f"文件名的后缀是 .{expected}，内容却是{_KIND_NAMES[kind]}。请用 Excel 或 WPS 打开后另存为 xlsx，再导入"
        )
    if kind == "csv":
        return [("", _csv_rows(_decode(data)))]
    if kind == "xlsx":
        inspect_archive(data)
    return _workbook_sheets(data)


def _kind_of(data: bytes) -> str:
    """What a file is by its content: a key of `_KIND_NAMES`.

    Raises:
        FileEncrypted: a workbook behind a password is an OLE document around the encrypted one.
    """
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        members = (  # names stand in plain in a zip file's directory; whether it is sound is judged later
            (b"xl/workbook.xml", "xlsx"),
            (b"xl/workbook.bin", "xlsb"),
            (b"opendocument.spreadsheet", "ods"),
            (b"word/document.xml", "docx"),
        )
        return next((kind for name, kind in members if name in data), "zip")
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise FileEncrypted
        if _is_locked_xls(data):
            raise FileEncrypted
        streams = (("Workbook", "xls"), ("Book", "xls"), ("WordDocument", "doc"))
        return next((kind for name, kind in streams if name.encode("utf-16-le") in data), "ole")
    if data.startswith(b"%PDF"):
        return "pdf"
    if data.startswith(_PICTURES):
        return "picture"
    start = data[:2048].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<head")):
        return "html"
    if start.startswith(b"<?xml"):
        return "html" if b"<html" in start else "xml"
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "unknown"
    return "csv"


def _is_locked_xls(data: bytes) -> bool:
    """Whether a FILEPASS record stands behind the workbook's BOF, or behind a WRITEPROTECT there ([MS-XLS] 2.1.7.20).

    The reader says of such a file only that it does not know it.
    """
    at = data.find(_BIFF8_BEGIN)
    for _ in range(3):
        if at < 0 or at + 4 > len(data):
            return False
        record, length = struct.unpack_from("<HH", data, at)
        if record == _FILEPASS:
            return True
        at += 4 + length
    return False


def _workbook_sheets(data: bytes) -> list[tuple[str, list[Row]]]:
    """The visible sheets of a workbook, read by a process of its own (see `workbook_reader`)."""
    limits = [str(limit) for limit in (MAX_ROWS, MAX_COLUMNS, MAX_CELLS)]
    try:
        done = subprocess.run(  # noqa: S603  our own program by its own path; what is not ours goes to standard input
            [sys.executable, "-P", str(_READER), *limits],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what it says when it dies may quote the file
            timeout=READER_SECONDS,
            check=True,
        )
        answer = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        raise FileBroken("文件已损坏，读不出来，请用 Excel 或 WPS 打开后另存一次") from None
    match answer.get("error"):
        case "password":
            raise FileEncrypted
        case "too_large":
            raise SheetTooLarge(f"表格太大：最多读 {MAX_ROWS} 行、{MAX_COLUMNS} 列、{MAX_CELLS // 10_000} 万个单元格")
        case "broken":
            raise FileBroken("文件已损坏，请用 Excel 或 WPS 打开后另存一次")
    sheets = []
    for sheet in answer["sheets"]:
        _fill_merged(sheet["rows"], sheet["merged"])
        sheets.append((sheet["name"], _rows(enumerate(sheet["rows"], start=1))))
    return sheets


def _fill_merged(grid: list[list[Any]], ranges: Iterable[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Write a merged cell's value into each cell that it covers: one employer over the rows of its five postings."""
    budget = sum(len(row) for row in grid)  # merged ranges do not overlap, so they cannot cover more
    for (top, left), (bottom, right) in ranges:
        bottom, right = min(bottom, len(grid) - 1), min(right, len(grid[0]) - 1)  # noqa: PLW2901  cut to what is there
        if top > bottom or left > right:
            continue
        budget -= (bottom - top + 1) * (right - left + 1)
        if budget < 0:
            raise FileBroken("合并的单元格互相重叠，请用 Excel 或 WPS 打开后另存一次")
        value = grid[top][left]
        for row in grid[top : bottom + 1]:
            row[left : right + 1] = [value] * (right - left + 1)


def _decode(data: bytes) -> str:
    has_utf16_mark = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ("utf-16",) if has_utf16_mark else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileBroken("文字编码认不出：请用 Excel 或 WPS 打开后另存为 xlsx，或另存为 UTF-8 的 csv")


def _csv_rows(text: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter_of(text), strict=True)
    rows: list[tuple[int, list[str]]] = []
    cells = 0
    try:
        for number, values in enumerate(reader, start=1):
            cells += len(values)
            if number > MAX_ROWS or len(values) > MAX_COLUMNS or cells > MAX_CELLS:
                raise SheetTooLarge(f"最多读 {MAX_ROWS} 行、{MAX_COLUMNS} 列")
            rows.append((number, values))
    except csv.Error:
        raise FileBroken(f"第 {len(rows) + 1} 行的引号不成对，或内容太长") from None
    return _rows((number, [_unquoted(value) for value in values]) for number, values in rows)


def _delimiter_of(text: str) -> str:
    """The sign that cuts the first lines into the most columns of one number."""
    lines = [line for line in text.splitlines()[:HEADER_WITHIN_ROWS] if line.strip()]

    def weigh(delimiter: str) -> int:
        (pieces, lines_alike), *_ = Counter(len(line.split(delimiter)) for line in lines).most_common(1)
        return 0 if pieces == 1 else pieces * lines_alike

    return max((",", "\t", ";", "|"), key=weigh)


def _unquoted(value: str) -> str:
    """A cell without the tricks that keep Excel from making a number of it: `="0123"`, `'0123`."""
    found = re.fullmatch(r'\s*="(.*)"\s*', value)
    return found[1] if found else re.sub(r"^\s*'(?=[\dXx]+\s*$)", "", value)


# --- cells ------------------------------------------------------------------------------------------------------------

_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060\ufeff]|_x000D_")
_ERROR_VALUES = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[Ee]\+?(\d{1,3})", re.ASCII)


def _rows(numbered: Iterable[tuple[int, Sequence[str | float]]]) -> list[Row]:
    """Rows that hold anything, cleaned and measured."""
    rows = []
    for number, values in numbered:
        cells, rounded = [], set()
        for place, value in enumerate(values):
            text = _figure(value) if isinstance(value, float) else _clean(value)
            if isinstance(value, float) or _SCIENTIFIC.fullmatch(text):
                digits = len(text.partition(".")[0]) if isinstance(value, float) else _digits_of(text)
                if digits > EXACT_DIGITS:
                    rounded.add(place)
            if len(text) > MAX_CELL_CHARACTERS:
                raise SheetTooLarge(f"第 {number} 行第 {place + 1} 列的内容超过 {MAX_CELL_CHARACTERS} 字")
            cells.append(text)
        if any(cells):
            rows.append(Row(number, tuple(cells), frozenset(rounded)))
    return rows


def _figure(value: float) -> str:
    """A number as Excel shows it: 13.0 as `13`, 0.1 + 0.2 as `0.3`."""
    return f"{value:.0f}" if value.is_integer() else f"{value:.15g}"


def _digits_of(scientific: str) -> int:
    found = _SCIENTIFIC.fullmatch(scientific)
    return int(found[1]) + 1 if found else 0


def _clean(text: str) -> str:
    words = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")).strip()
    return "" if words in _ERROR_VALUES else words


# --- header -----------------------------------------------------------------------------------------------------------

_EXACT = 100.0
_CONTAINED = 90.0
_CLOSE = 80.0  # one sign too many or too few among four, one wrong among five


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    row: Row
    places: dict[str, int]
    score: float
    missing: tuple[Column, ...]


def _find_header(rows: Sequence[Row], columns: Sequence[Column]) -> _Header | None:
    """The row among the first twenty that looks most like the columns; None when no row has two of them."""
    names = [(column.key, _plain(name)) for column in columns for name in column.names]
    best: _Header | None = None
    for row in rows:
        if row.number > HEADER_WITHIN_ROWS:
            break
        places, score = _assign([_plain(cell) for cell in row.cells], names)
        if len(places) < 2:
            continue
        missing = tuple(column for column in columns if column.is_required and column.key not in places)
        header = _Header(row=row, places=places, score=score, missing=missing)
        if best is None or (-len(missing), score) > (-len(best.missing), best.score):
            best = header
    return best


def _assign(cells: Sequence[str], names: Sequence[tuple[str, str]]) -> tuple[dict[str, int], float]:
    """Give each column the cell that names it best, best fits first; a cell serves one column only."""
    fits = [
        (score, -order, key, place)
        for place, cell in enumerate(cells)
        if 0 < len(cell) <= 20
        for order, (key, name) in enumerate(names)
        if (score := _likeness(cell, name)) >= _CLOSE
    ]
    places: dict[str, int] = {}
    total, taken = 0.0, set()
    for score, _, key, place in sorted(fits, key=lambda fit: (-fit[0], -fit[1], fit[3])):
        if key not in places and place not in taken:
            places[key] = place
            taken.add(place)
            total += score
    return places, total


def _likeness(cell: str, name: str) -> float:
    if cell == name:
        return _EXACT
    if len(name) >= 3 and name in cell and 2 * len(name) >= len(cell):
        return _CONTAINED
    return fuzz.ratio(cell, name) if min(len(cell), len(name)) >= 4 else 0.0


def _plain(heading: str) -> str:
    """A heading without what stands in brackets, signs and case: `* 薪资（元/月）` is 薪资."""
    words = re.sub(r"[(\[【〔].*?[)\]】〕]", "", unicodedata.normalize("NFKC", heading).lower())
    return re.sub(r"[\W_]+", "", words)


def _explain_missing(columns: Sequence[Column], headers: Sequence[_Header]) -> str:
    needed = "、".join(f"「{column.names[0]}」" for column in columns if column.is_required)
    told = f"前 {HEADER_WITHIN_ROWS} 行里要有一行写着列名，其中必须有{needed}"
    if not headers:
        return f"{told}；没有找到这样的一行"
    nearest = min(headers, key=lambda header: (len(header.missing), -header.score))
    read = "、".join(f"「{nearest.row.cells[place]}」" for place in nearest.places.values())
    lacking = "、".join(f"「{column.names[0]}」" for column in nearest.missing)
    return f"{told}。最像表头的是第 {nearest.row.number} 行，认出了{read}，还缺{lacking}"
