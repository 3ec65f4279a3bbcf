"""A program of its own: a workbook on standard input, its visible sheets as one JSON document on standard output.

The library behind it ends the process when a damaged file makes it ask for more memory than there is, which nothing can
catch. So it works here, within limits, and `sheets` sees whether this program came back. It is started by its path and
imports nothing from `app`.
"""

import datetime as dt
import io
import json
import sys
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 120


def main() -> None:
    """Read, and answer with `{"sheets": [...]}` or `{"error": "password" | "broken" | "too_large"}`."""
    _limit_this_process()
    most_rows, most_columns, most_cells = (int(limit) for limit in sys.argv[1:4])
    answer: dict[str, Any]
    try:
        answer = {"sheets": _sheets(sys.stdin.buffer.read(), (most_rows, most_columns, most_cells))}
    except PasswordError:
        answer = {"error": "password"}
    except _TooLarge:
        answer = {"error": "too_large"}
    except (CalamineError, ValueError, OverflowError, OSError, MemoryError):
        answer = {"error": "broken"}
    json.dump(answer, sys.stdout)


class _TooLarge(Exception):
    """A sheet has more rows, columns or cells than are read."""


def _limit_this_process() -> None:
    try:
        import resource  # noqa: PLC0415  there is none on Windows; there the process can still fail on its own
    except ImportError:
        return
    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _sheets(data: bytes, most: tuple[int, int, int]) -> list[dict[str, Any]]:
    found = []
    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
        for meta in workbook.sheets_metadata:
            if meta.typ != SheetTypeEnum.WorkSheet or meta.visible != SheetVisibleEnum.Visible:
                continue
            sheet = workbook.get_sheet_by_name(meta.name)
            rows: list[list[str | float]] = []
            if sheet.end is not None:
                height, width = sheet.end[0] + 1, sheet.end[1] + 1
                if height > most[0] or width > most[1] or height * width > most[2]:
                    raise _TooLarge
                rows = [[_told(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
            found.append({"name": meta.name, "rows": rows, "merged": sheet.merged_cell_ranges or []})
    return found


def _told(value: Any) -> str | float:
    """A cell's value as text; a number stays one, to be looked at for lost digits."""
    match value:
        case bool():
            return "是" if value else "否"
        case int() | float():
            return float(value)
        case dt.datetime():
            is_whole_day = value.time() == dt.time()
            return value.date().isoformat() if is_whole_day else value.isoformat(sep=" ", timespec="minutes")
        case dt.date():
            return value.isoformat()
        case dt.time():
            return value.isoformat(timespec="minutes")
        case dt.timedelta():
            minutes = int(value.total_seconds()) // 60
            return f"{minutes // 60:02d}:{minutes % 60:02d}"
        case _:
            return str(value)


if __name__ == "__main__":
    main()
