"""Files as people hand them in, made on the spot: xlsx, xls and csv with the same rows."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import xlwt

Cells = Sequence[Sequence[Any]]

SHEET = "xl/worksheets/sheet1.xml"


def write_xlsx(path: Path, rows: Cells, *, merged: Sequence[str] = (), **more_sheets: Cells) -> Path:
    """A workbook; further sheets by name."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "岗位表"
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    for name, others in more_sheets.items():
        added = book.create_sheet(name)
        for row in others:
            added.append(list(row))
    book.save(path)
    book.close()
    return path


def write_xls(path: Path, rows: Cells) -> Path:
    """A workbook of the old kind."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("岗位表")
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if value is not None:
                sheet.write(y, x, value)
    book.save(str(path))
    return path


def write_csv(path: Path, rows: Cells, *, encoding: str = "utf-8-sig", delimiter: str = ",") -> Path:
    """A text file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


WRITERS = {".xlsx": write_xlsx, ".xls": write_xls, ".csv": write_csv}


def write_table(path: Path, rows: Cells) -> Path:
    """A file of the kind that its name says."""
    return WRITERS[path.suffix](path, rows)


def rewrite_members(path: Path, members: Mapping[str, bytes | None]) -> Path:
    """Replace members of a workbook's archive, or leave them out (None)."""
    with zipfile.ZipFile(path) as archive:
        held: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**held, **members}.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def sheet_xml(rows: str, *, before: str = "") -> bytes:
    """A worksheet around the XML of its rows."""
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'{before}<worksheet xmlns="{namespace}"><sheetData>{rows}</sheetData></worksheet>'.encode()
