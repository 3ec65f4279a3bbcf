"""Looks through an .xlsx file before it is read: how large it really becomes, and how far its cells reach.

The reader allocates a sheet's whole rectangle, from the first cell to the last: two cells, A1 and XFD1048576, end its
process for want of memory. It would not take anybody with it, but could not say either what was wrong.
"""

import io
import re
import zipfile
import zlib
from copy import copy
from xml.parsers import expat

from app.exchange.refusals import FileBroken, FileEncrypted, FileTooLarge, SheetTooLarge

MAX_MEMBERS = 2_000
MAX_INFLATED_BYTES = 200 * 1024 * 1024
MAX_RATIO = 100  # a sheet of equal rows packs about 30:1; Apache POI refuses beyond 100:1 as well
RATIO_COUNTS_FROM_BYTES = 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 200
MAX_CELLS = 5_000_000
MAX_CHARACTERS = 200_000_000

_CHUNK = 64 * 1024
_BEYOND_ANY_FILE = 1 << 40
_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})", re.ASCII)
_LOOSE_MARKUP = (".vml", ".htm", ".html", ".svg")  # drawings and comments: often not well-formed, never a sheet


def inspect_archive(data: bytes) -> None:
    """Inflate every member of a zip file and measure it, as far as it is needed to be sure.

    Raises:
        FileTooLarge: it unpacks to more than 200 MB, or more than 100 times its size.
        SheetTooLarge: a cell lies beyond row 200,000 or column 200, or there is more text than fits in memory.
        FileEncrypted: a member has a password.
        FileBroken: it is no sound zip file, or a member is not what its entry says.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise FileTooLarge(f"压缩包里有 {len(members)} 个文件，太多了")
            if sum(member.file_size for member in members) > MAX_INFLATED_BYTES:
                raise FileTooLarge(_too_large())
            scan = _Scan()
            total = 0
            # Cells point into the shared strings, so these come first.
            for member in sorted(members, key=lambda member: "sharedstrings" not in member.filename.lower()):
                total += _inflate(archive, member, scan, budget=MAX_INFLATED_BYTES - total)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        raise FileBroken("文件已损坏，解不开") from None


def _inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, scan: "_Scan", *, budget: int) -> int:
    if member.flag_bits & 0x1:
        raise FileEncrypted
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileBroken("文件用了少见的压缩方法，请用 Excel 或 WPS 打开后另存一次")
    # zipfile stops at the size that the entry declares; with a larger one it inflates what is really there.
    whole = copy(member)
    whole.file_size = _BEYOND_ANY_FILE
    size = 0
    scan.begin(member.filename)
    with archive.open(whole) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > budget:
                raise FileTooLarge(_too_large())
            if size > RATIO_COUNTS_FROM_BYTES and size > MAX_RATIO * member.compress_size:
                raise FileTooLarge(f"文件解压后超过原来的 {MAX_RATIO} 倍，像是压缩炸弹，不读")
            scan.feed(chunk)
    scan.end()
    if size != member.file_size:
        raise FileBroken("文件已损坏：压缩包里写的大小与实际不符")
    return size


def _too_large() -> str:
    return f"文件解压后超过 {MAX_INFLATED_BYTES // 1024 // 1024} MB，请删去多余的内容或分成几个文件"


class _Scan:
    """Walks through the XML of one member after another and keeps count of cells and text."""

    def __init__(self) -> None:
        self._parser: expat.XMLParserType | None = None
        self._name = ""
        self._is_first_chunk = True
        self._string_lengths: list[int] = []
        self._in_string = False
        self._in_row = False
        self._reference: str | None = None
        self._is_shared = False
        self._in_value = False
        self._value = ""
        self._cells = 0
        self._characters = 0
        self._last_row = 0
        self._last_column = 0

    def begin(self, name: str) -> None:
        self._name, self._is_first_chunk, self._parser = name.lower(), True, None
        self._last_row = self._last_column = 0

    def feed(self, chunk: bytes) -> None:
        if self._is_first_chunk:
            self._is_first_chunk = False
            if chunk.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" and not self._name.endswith(_LOOSE_MARKUP):
                self._parser = self._new_parser()
        if self._parser is not None:
            self._parse(chunk, is_final=False)

    def end(self) -> None:
        if self._parser is not None:
            self._parse(b"", is_final=True)

    def _new_parser(self) -> "expat.XMLParserType":
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        return parser

    def _parse(self, chunk: bytes, *, is_final: bool) -> None:
        assert self._parser is not None  # noqa: S101  for the type checker: both callers ask first
        try:
            self._parser.Parse(chunk, is_final)
        except expat.ExpatError:
            raise FileBroken("文件已损坏，请用 Excel 或 WPS 打开后另存一次") from None

    def _doctype(self, *_: object) -> None:
        raise FileBroken("文件里有不该有的声明（DOCTYPE），不读")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._in_row = True
            case "c":
                self._reference, self._is_shared = attributes.get("r"), attributes.get("t") == "s"
            case "v" | "is" | "f":
                self._count_cell()
                self._in_value, self._value = True, ""
            case "si":
                self._in_string = True
                self._string_lengths.append(0)

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "v" | "is" | "f":
                self._in_value = False
                self._count_text()
            case "row":
                self._in_row = False
            case "si":
                self._in_string = False

    def _text(self, text: str) -> None:
        if self._in_string:
            self._string_lengths[-1] += len(text)
        elif self._in_value:
            self._value += text

    def _count_cell(self) -> None:
        if not self._in_row:
            return  # charts and properties have elements of the same name
        found = _REFERENCE.fullmatch(self._reference or "")
        if found is None:
            raise FileBroken("表格里有单元格没写明位置，请用 Excel 或 WPS 打开后另存一次")
        self._last_row = max(self._last_row, int(found[2]))
        self._last_column = max(self._last_column, _column_number(found[1]))
        self._cells += 1
        if self._last_row > MAX_ROWS:
            raise SheetTooLarge(f"表格超过 {MAX_ROWS} 行：有内容的单元格一直到第 {self._last_row} 行")
        if self._last_column > MAX_COLUMNS:
            raise SheetTooLarge(f"表格超过 {MAX_COLUMNS} 列：有内容的单元格一直到第 {self._last_column} 列")
        if max(self._cells, self._last_row * self._last_column) > MAX_CELLS:
            raise SheetTooLarge(f"表格超过 {MAX_CELLS // 10_000} 万个单元格，请分成几个文件")

    def _count_text(self) -> None:
        length = len(self._value)
        if self._is_shared and self._value.isdecimal() and int(self._value) < len(self._string_lengths):
            length = self._string_lengths[int(self._value)]
        self._characters += length
        if self._characters > MAX_CHARACTERS:
            raise SheetTooLarge("表格里的文字太多，请分成几个文件")


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
