"""Tables out of files: the same rows from every kind, headers found, and clear words for what cannot be read."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest

from app.exchange import archives, sheets
from app.exchange.refusals import (
    ColumnsMissing,
    FileBroken,
    FileEncrypted,
    FileKindWrong,
    FileRefused,
    FileTooLarge,
    SheetEmpty,
    SheetTooLarge,
    SheetUnclear,
)
from app.exchange.sheets import Column, Table, read_table
from tests.exchange.books import SHEET, Cells, rewrite_members, sheet_xml, write_csv, write_table, write_xls, write_xlsx

COLUMNS = (
    Column(key="title", names=("岗位名称", "职位名称", "岗位"), is_required=True),
    Column(key="pay", names=("薪资", "工资待遇")),
    Column(key="place", names=("工作地点", "工作地址")),
    Column(key="openings", names=("招聘人数", "人数")),
)
HEADER = ["岗位名称", "薪资", "工作地点", "人数"]
ROWS: Cells = [HEADER, ["保安", "3000-4000", "巫山县官渡镇", 2], ["保洁", "面议", "万州区", 13]]


def texts(table: Table, *keys: str) -> list[tuple[str, ...]]:
    return [tuple(table.text(row, key) for key in keys or ("title", "pay", "place", "openings")) for row in table.rows]


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv"])
def test_every_kind_gives_the_same_rows_under_the_numbers_that_excel_shows(tmp_path: Path, suffix: str) -> None:
    table = read_table(write_table(tmp_path / f"表{suffix}", ROWS), COLUMNS)
    assert texts(table) == [("保安", "3000-4000", "巫山县官渡镇", "2"), ("保洁", "面议", "万州区", "13")]
    assert [row.number for row in table.rows] == [2, 3]
    assert table.header_row == 1
    assert table.unread == ()


@pytest.mark.parametrize("suffix", [".XLSX", ".Xls", ".CSV"])
def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path, suffix: str) -> None:
    path = write_table(tmp_path / f"表{suffix.lower()}", ROWS).rename(tmp_path / f"别名{suffix}")
    assert len(read_table(path, COLUMNS).rows) == 2


def test_a_title_above_the_header_and_blank_rows_are_passed_over(tmp_path: Path) -> None:
    rows = [
        ["巫山县2026年招聘岗位信息表"],
        [],
        ["填报单位：", "就业局"],
        HEADER,
        ["保安", "3000"],
        [],
        ["保洁", "面议"],
    ]
    table = read_table(write_xlsx(tmp_path / "表.xlsx", rows, merged=["A1:D1"]), COLUMNS)
    assert table.header_row == 4
    assert [(row.number, table.text(row, "title")) for row in table.rows] == [(5, "保安"), (7, "保洁")]


def test_merged_cells_hold_for_each_row_and_a_header_may_take_two(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["岗位名称", "薪资", "工作地点", "人数"],
        ["岗位名称", "薪资", "县", "人"],
        ["保安", "3000", "万州区", 1],
    ]
    rows.append(["保洁", "2800", None, 1])
    path = write_xlsx(tmp_path / "表.xlsx", rows, merged=["A1:A2", "B1:B2", "C3:C4"])
    table = read_table(path, COLUMNS)
    assert texts(table, "title", "place")[-2:] == [("保安", "万州区"), ("保洁", "万州区")]


def test_headings_are_known_with_signs_brackets_and_a_slip_of_the_pen(tmp_path: Path) -> None:
    header = ["序号", "* 岗位名称（必填）", "工资待遇(元/月)", "工作 地点", "拟招聘人数", "备注说明"]
    table = read_table(write_csv(tmp_path / "表.csv", [header, ["1", "保安", "3000", "万州", "2", "急"]]), COLUMNS)
    assert texts(table) == [("保安", "3000", "万州", "2")]
    assert table.headings["pay"] == "工资待遇(元/月)"
    assert table.unread == ("序号", "备注说明")


def test_the_better_fit_gets_the_column(tmp_path: Path) -> None:
    header = ["岗位名称备注", "岗位名称", "工作地址", "工作地点"]
    table = read_table(write_csv(tmp_path / "表.csv", [header, ["x", "保安", "y", "万州"]]), COLUMNS)
    assert texts(table, "title", "place") == [("保安", "万州")]


def test_a_header_repeated_on_the_next_page_is_no_row(tmp_path: Path) -> None:
    table = read_table(write_csv(tmp_path / "表.csv", [HEADER, ["保安", "1", "2", "3"], HEADER, ["保洁"]]), COLUMNS)
    assert texts(table, "title") == [("保安",), ("保洁",)]


def test_numbers_dates_and_truth_become_what_a_reader_would_type(tmp_path: Path) -> None:
    values = [
        13.0,
        0.1 + 0.2,
        date(2026, 12, 31),
        datetime(2026, 12, 31, 8, 30),  # noqa: DTZ001  a cell has no time zone
        time(8, 0),
        True,
        "=1/0",
        " 全\xa0\u200b角１ ",
    ]
    columns = [
        Column(key=f"c{place}", names=(f"第{place}列的名字",), is_required=place == 0) for place in range(len(values))
    ]
    rows: Cells = [[column.names[0] for column in columns], values]
    table = read_table(write_xlsx(tmp_path / "表.xlsx", rows), columns)
    assert texts(table, *(column.key for column in columns)) == [
        ("13", "0.3", "2026-12-31", "2026-12-31 08:30", "08:00", "是", "", "全 角１")
    ]


def test_error_values_are_blank_and_control_characters_go(tmp_path: Path) -> None:
    table = read_table(write_csv(tmp_path / "表.csv", [HEADER, ["保\x07安", "#N/A", "万州\r\n龙都", "#REF!"]]), COLUMNS)
    assert texts(table) == [("保安", "", "万州\n龙都", "")]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_long_numbers_kept_as_figures_are_marked(tmp_path: Path, suffix: str) -> None:
    rows: Cells = [HEADER, ["a", 990000197001010010, 13800000000, 123456789012345], ["b", "990000197001010010", "", ""]]
    table = read_table(write_table(tmp_path / f"表{suffix}", rows), COLUMNS)
    first, second = table.rows
    assert [table.is_rounded(first, key) for key in ("pay", "place", "openings")] == [True, False, False]
    assert not table.is_rounded(second, "pay")
    assert not table.is_rounded(second, "nothing")


@pytest.mark.parametrize(
    ("cell", "is_rounded"), [("9.90000E+17", True), ("9.9E+10", False), ("990000197001010010", False)]
)
def test_long_numbers_written_out_by_a_spreadsheet_are_marked_in_csv(
    tmp_path: Path, cell: str, is_rounded: bool
) -> None:
    table = read_table(write_csv(tmp_path / "表.csv", [HEADER, ["a", cell, "", ""]]), COLUMNS)
    assert table.is_rounded(table.rows[0], "pay") is is_rounded


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [
        ("utf-8", ","),
        ("utf-8-sig", ","),
        ("gb18030", ","),
        ("gbk", "\t"),
        ("utf-16", "\t"),
        ("utf-8", ";"),
        ("utf-8", "|"),
    ],
)
def test_csv_is_read_in_the_encodings_and_with_the_signs_that_spreadsheets_use(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = write_csv(tmp_path / "表.csv", ROWS, encoding=encoding, delimiter=delimiter)
    assert texts(read_table(path, COLUMNS), "title", "openings") == [("保安", "2"), ("保洁", "13")]


def test_a_sign_that_only_gb18030_holds_is_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "表.csv", [HEADER, ["𠮷庆保安", "", "", ""]], encoding="gb18030")
    assert texts(read_table(path, COLUMNS), "title") == [("𠮷庆保安",)]


def test_csv_tricks_against_numbers_are_undone_and_quoted_lines_are_one_row(tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_text('岗位名称,薪资,工作地点,人数\n"保安\n夜班","=""0123""",\'0456,2\n保洁,,,\n', encoding="utf-8")
    table = read_table(path, COLUMNS)
    assert texts(table)[0] == ("保安\n夜班", '="0123"'[2:-1], "0456", "2")
    assert [row.number for row in table.rows] == [2, 3]


# --- which sheet ------------------------------------------------------------------------------------------------------


def test_the_only_sheet_with_a_fitting_header_is_taken(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", [["说明"], ["请逐项填写"]], 九月=ROWS)
    assert read_table(path, COLUMNS).sheet == "九月"


def test_two_fitting_sheets_have_to_be_told_apart(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS, 九月=ROWS)
    with pytest.raises(SheetUnclear, match="「岗位表」、「九月」"):
        read_table(path, COLUMNS)
    assert read_table(path, COLUMNS, sheet="九月").sheet == "九月"
    with pytest.raises(SheetUnclear):
        read_table(path, COLUMNS, sheet="十月")


def test_a_hidden_sheet_is_not_read(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS, 九月=ROWS)
    book = openpyxl.load_workbook(path)
    book["九月"].sheet_state = "hidden"
    book.save(path)
    assert read_table(path, COLUMNS).sheet == "岗位表"


# --- what is refused --------------------------------------------------------------------------------------------------


def refusal(path: Path) -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        read_table(path, COLUMNS)
    return caught.value


def as_xls_renamed(folder: Path) -> Path:
    return write_xls(folder / "表.xls", ROWS).rename(folder / "表.xlsx")


def as_xlsx_renamed(folder: Path) -> Path:
    return write_xlsx(folder / "表.xlsx", ROWS).rename(folder / "表.xls")


def as_csv_renamed(folder: Path) -> Path:
    return write_csv(folder / "表.csv", ROWS).rename(folder / "表.xlsx")


def as_web_page(folder: Path) -> Path:
    path = folder / "表.xls"
    path.write_text("<html><table><tr><td>岗位名称</td></tr></table></html>", encoding="utf-8")
    return path


def as_pdf(folder: Path) -> Path:
    path = folder / "表.xlsx"
    path.write_bytes(b"%PDF-1.7\n...")
    return path


def as_word(folder: Path) -> Path:
    path = folder / "表.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<document/>")
    return path


def as_archive(folder: Path) -> Path:
    path = folder / "表.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("表.txt", "岗位名称")
    return path


def as_noise(folder: Path) -> Path:
    path = folder / "表.csv"
    path.write_bytes(bytes(range(256)) * 4)
    return path


@pytest.mark.parametrize(
    ("make", "really"),
    [
        (as_xls_renamed, "旧式 xls 工作簿"),
        (as_xlsx_renamed, "xlsx 工作簿"),
        (as_csv_renamed, "文本（csv）"),
        (as_web_page, "网页（HTML）"),
        (as_pdf, "PDF 文档"),
        (as_word, "Word 文档"),
        (as_archive, "zip 压缩包"),
        (as_noise, "认不出的文件"),
    ],
)
def test_a_name_that_lies_is_told_what_the_file_really_is(
    tmp_path: Path, make: Callable[[Path], Path], really: str
) -> None:
    error = refusal(make(tmp_path))
    assert isinstance(error, FileKindWrong)
    assert really in str(error)


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    assert isinstance(refusal(write_csv(tmp_path / "表.csv", ROWS).rename(tmp_path / "表.et")), FileKindWrong)


@pytest.mark.parametrize("content", [b"", b" \r\n\t"])
def test_an_empty_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "表.csv"
    path.write_bytes(content)
    assert isinstance(refusal(path), SheetEmpty)


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_an_empty_sheet_is_told(tmp_path: Path, suffix: str) -> None:
    assert isinstance(refusal(write_table(tmp_path / f"表{suffix}", [])), SheetEmpty)


def test_a_header_without_rows_is_told(tmp_path: Path) -> None:
    error = refusal(write_xlsx(tmp_path / "表.xlsx", [HEADER]))
    assert isinstance(error, SheetEmpty)
    assert "第 1 行是表头" in str(error)


def test_wrong_columns_are_told_with_what_was_found_and_what_is_missing(tmp_path: Path) -> None:
    error = refusal(write_csv(tmp_path / "表.csv", [["商品", "薪资", "工作地点"], ["a", "b", "c"]]))
    assert isinstance(error, ColumnsMissing)
    assert "第 1 行，认出了「薪资」、「工作地点」，还缺「岗位名称」" in str(error)


def test_a_header_too_far_down_is_not_found(tmp_path: Path) -> None:
    rows = [["说明"]] * sheets.HEADER_WITHIN_ROWS + [*ROWS]
    assert "没有找到这样的一行" in str(refusal(write_csv(tmp_path / "表.csv", rows)))


def test_unpaired_quotes_lose_no_row_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_text('岗位名称,薪资\n保安,3000\n"保洁,2800\n厨师,4000\n', encoding="utf-8")
    assert isinstance(refusal(path), FileBroken)
    assert "第 3 行的引号不成对" in str(refusal(path))


def test_bytes_in_no_encoding_are_told(tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_bytes("岗位名称,薪资\n保安,".encode("gb18030") + b"\xff\xff\n")
    assert isinstance(refusal(path), FileBroken)


@pytest.mark.parametrize("cut", [400, 3000])
@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_a_cut_file_is_told(tmp_path: Path, suffix: str, cut: int) -> None:
    path = write_table(tmp_path / f"表{suffix}", ROWS)
    # The end of an archive tells that it is one, so a short piece of it is not known for a workbook any more.
    path.write_bytes(path.read_bytes()[:cut])
    assert isinstance(refusal(path), (FileBroken, FileKindWrong))


def test_damaged_bytes_within_an_archive_are_told(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.getinfo(SHEET).header_offset + 60
    data[start : start + 40] = b"\xaa" * 40
    path.write_bytes(bytes(data))
    assert isinstance(refusal(path), FileBroken)


def test_a_workbook_behind_a_password_is_told(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "表.xls", ROWS)
    data = path.read_bytes()
    # An encrypted xlsx is an OLE document with a stream of this name; an encrypted xls holds a FILEPASS record (MS-XLS
    # 2.4.117) behind its BOF.
    (tmp_path / "密.xlsx").write_bytes(
        data.replace("Workbook".encode("utf-16-le"), "EncryptedPackage".encode("utf-16-le"))
    )
    assert isinstance(refusal(tmp_path / "密.xlsx"), FileEncrypted)
    begin = data.index(struct.pack("<HH", 0x0809, 16))
    second = begin + 20
    path.write_bytes(data[:second] + struct.pack("<H", 0x002F) + data[second + 2 :])
    assert isinstance(refusal(path), FileEncrypted)


def test_an_archive_with_a_password_is_told(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        at = archive.getinfo(SHEET).header_offset
    name = SHEET.encode()
    data[at + 6] |= 1  # general purpose flag, bit 0, in the local header and in the directory
    data[data.rindex(name) - 46 + 8] |= 1
    path.write_bytes(bytes(data))
    assert isinstance(refusal(path), FileEncrypted)


def test_a_large_file_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    error = refusal(path)
    assert isinstance(error, FileTooLarge)
    assert "20 MB" in str(error)


def test_a_bomb_of_fifty_megabytes_is_put_out(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    rewrite_members(path, {SHEET: sheet_xml("<row/>" + " " * 50 * 1024 * 1024)})
    assert path.stat().st_size < 1024 * 1024
    error = refusal(path)
    assert isinstance(error, FileTooLarge)
    assert "压缩炸弹" in str(error)


def test_a_bomb_that_hides_its_size_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    content = b"0123456789" * 60_000
    rewrite_members(path, {"xl/media/a.bin": content})
    size = struct.pack("<I", len(content)), struct.pack("<I", 10)
    checksum = struct.pack("<I", zlib.crc32(content)), struct.pack("<I", zlib.crc32(content[:10]))
    data = path.read_bytes()
    assert data.count(size[0]) == data.count(checksum[0]) == 2  # in the local header and in the directory
    path.write_bytes(data.replace(*size))
    assert "写的大小与实际不符" in str(refusal(path))
    # With the checksum of those ten bytes, whoever reads no further finds nothing wrong.
    path.write_bytes(data.replace(*size).replace(*checksum))
    assert isinstance(refusal(path), FileBroken)
    monkeypatch.setattr(archives, "MAX_INFLATED_BYTES", 500_000)
    assert isinstance(refusal(path), FileTooLarge)


def test_many_small_members_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    rewrite_members(path, {f"xl/media/{number}.bin": bytes(1000) for number in range(50)})
    assert read_table(path, COLUMNS).rows
    monkeypatch.setattr(archives, "MAX_INFLATED_BYTES", 50_000)
    assert isinstance(refusal(path), FileTooLarge)
    monkeypatch.setattr(archives, "MAX_INFLATED_BYTES", 10_000_000)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 40)
    assert isinstance(refusal(path), FileTooLarge)


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', SheetTooLarge),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="XFD1"><v>1</v></c></row>', SheetTooLarge),
        ('<row r="200001"><c r="A200001"><v>1</v></c></row>', SheetTooLarge),
        ('<row r="200000"><c r="GR200000"><v>1</v></c></row>', SheetTooLarge),
        ('<row r="1"><c r="a1"><v>1</v></c><c t=">" r="xfd1"><v>1</v></c></row>', SheetTooLarge),
        ('<row r="1"><c><v>1</v></c></row><row r="1048576"><c><v>1</v></c></row>', FileBroken),
        ('<row r="1"><c r="1A"><v>1</v></c></row>', FileBroken),
        ('<row r="1"><c r="A1"><v>1</v></row>', FileBroken),
    ],
)
def test_cells_that_reach_too_far_are_told_before_the_reader_takes_memory_for_them(
    tmp_path: Path, rows: str, kind: type[FileRefused]
) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    assert isinstance(refusal(rewrite_members(path, {SHEET: sheet_xml(rows)})), kind)


def test_a_file_that_ends_its_reader_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xls(tmp_path / "表.xls", ROWS)
    data = path.read_bytes()
    cell = data.index(struct.pack("<HHHH", 0x00FD, 10, 1, 0)) + 4  # LABELSST: row, column ([MS-XLS] 2.4.149)
    path.write_bytes(data[:cell] + struct.pack("<HH", 0xFFFF, 0xFFFF) + data[cell + 4 :])
    assert "读不出来" in str(refusal(path))
    monkeypatch.setattr(sheets, "READER_SECONDS", 0)
    assert "读不出来" in str(refusal(write_xlsx(tmp_path / "表.xlsx", ROWS)))


def test_formatted_blanks_far_away_do_not_matter(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    with zipfile.ZipFile(path) as archive:
        held = archive.read(SHEET).decode()
    far = held.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>')
    assert far != held
    assert len(read_table(rewrite_members(path, {SHEET: far.encode()}), COLUMNS).rows) == 2


def test_declarations_of_entities_are_not_read(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    xml = sheet_xml(
        '<row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row>', before='<!DOCTYPE a [<!ENTITY b "c">]>'
    )
    assert "DOCTYPE" in str(refusal(rewrite_members(path, {SHEET: xml})))


def test_one_long_text_pointed_to_by_many_cells_is_counted_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_xlsx(tmp_path / "表.xlsx", ROWS)
    halves = f"<r><t>{'保安' * 250}</t></r><r><t>{'保洁' * 250}</t></r>"
    strings = f"<sst><si><t>岗位名称</t></si><si><t>薪资</t></si><si>{halves}</si></sst>"
    rows = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    rows += "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>2</v></c></row>' for n in range(2, 52))
    rewrite_members(path, {SHEET: sheet_xml(rows), "xl/sharedStrings.xml": strings.encode()})
    monkeypatch.setattr(archives, "MAX_CHARACTERS", 51_000)
    table = read_table(path, COLUMNS)
    assert {len(table.text(row, "title")) for row in table.rows} == {1_000}
    monkeypatch.setattr(archives, "MAX_CHARACTERS", 50_000)
    assert isinstance(refusal(path), SheetTooLarge)


def test_too_many_rows_columns_and_signs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "表.csv"
    path.write_text("岗位名称,薪资\n" + "a,b\n" * archives.MAX_ROWS, encoding="utf-8")
    assert isinstance(refusal(path), SheetTooLarge)
    assert isinstance(refusal(write_csv(path, [HEADER, ["x"] * (archives.MAX_COLUMNS + 1)])), SheetTooLarge)
    error = refusal(write_csv(path, [HEADER, ["保安", "", "好" * (sheets.MAX_CELL_CHARACTERS + 1)]]))
    assert isinstance(error, SheetTooLarge)
    assert "第 2 行第 3 列" in str(error)
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    assert isinstance(refusal(write_xls(tmp_path / "表.xls", ROWS)), SheetTooLarge)


def test_a_refusal_tells_programs_which_it_is(tmp_path: Path) -> None:
    assert refusal(as_pdf(tmp_path)).problem() == {
        "type": "urn:jiujin:problem:file_kind_wrong",
        "title": "文件类型不对",
        "status": 422,
        "code": "file_kind_wrong",
        "detail": "文件名的后缀是 .xlsx，内容却是PDF 文档。请用 Excel 或 WPS 打开后另存为 xlsx，再导入",
    }


def test_a_missing_file_is_the_caller_s_matter(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "没有.csv", COLUMNS)
