"""`jiujin import`: the report that people and programs get, and files that change nothing.

Place code 99 was never given to anybody: the ID numbers here have right check digits and no bearer.
"""

import csv
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.cli.demo import _import_samples as fill_demo_samples
from app.cli.imports import _writing as one_writing
from app.cli.imports import bring_in_postings
from app.domain.identities import id_check
from app.domain.postings import PostingState
from app.domain.workers import Evidence
from app.exchange.postings import read_postings
from app.kit.clock import FixedClock
from app.kit.database import open_engine, read_session, write_session
from app.store import postings as postings_store
from app.store.audit import AuditEntry, record_act
from app.store.employers import Employer
from app.store.identities import Identity
from app.store.postings import Posting, PostingSource
from app.store.workers import Worker, WorkerStatus
from app.usecases.imports import import_postings
from app.usecases.outcomes import ImportReport, RowOutcome
from app.wiring import House
from tests.cli.conftest import Jiujin, Said, url_of
from tests.exchange.books import SHEET, Cells, rewrite_members, sheet_xml, write_csv, write_xls, write_xlsx

POSTINGS: Cells = [
    ["巫山县2026年第四季度用工信息"],
    ["序号", "岗位名称", "薪资待遇", "工作地点", "采集时间", "备注"],
    [1, "保洁员", "2800-3200", "重庆市巫山县大昌镇", "2026-06", ""],
    [2, "[高薪]保安", "200元/天", "重庆市渝北区", "2024-07", ""],
    [3, "【急招】保洁员", "2800-3200元/月", "重庆市巫山县大昌镇", "2026-06", ""],
    [4, "厨师", "面议", "重庆市万州区", "", ""],
    [5, "@普工", "入职交押金", "重庆市万州区", "2024-07", ""],
    [6, "搬运工（押金200元）", "5-8", "重庆市万州区", "2024-07", ""],
]


def number(sequence: int) -> str:
    body = f"99000019700101{sequence:03d}"
    return body + id_check(body)


WORKERS: Cells = [
    ["姓名", "身份证号", "手机号", "户籍地", "意向工种", "是否脱贫人口"],
    ["样例甲", number(1), "13800000001", "重庆市巫山县大昌镇", "保洁", "是"],
    ["样例乙", number(2)[:17] + "?", "13800000002", "重庆市巫山县大昌镇", "保安", "否"],
]


@pytest.fixture
def import_file(furnished: Engine, jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jiujin:
    """`jiujin import` on the furnished database of each kind."""
    monkeypatch.setenv("DATABASE_URL", url_of(furnished))

    def call(*arguments: str) -> Said:
        return jiujin("import", *arguments, "--data", str(tmp_path / "data"))

    return call


def snapshot(engine: Engine) -> list[list[tuple[Any, ...]]]:
    tables = [
        table.__table__ for table in (Posting, PostingSource, Employer, Worker, WorkerStatus, Identity, AuditEntry)
    ]
    with read_session(engine) as session:
        return [[tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))] for table in tables]


def test_postings_are_reported_row_by_row(import_file: Jiujin, furnished: Engine, tmp_path: Path) -> None:
    said = import_file("postings", str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS)), "--json")
    assert said.code == 0
    told = said.json()
    assert (told["file"], told["sheet"], told["dry_run"], told["unread_columns"]) == (
        "用工.xlsx",
        "岗位表",
        False,
        ["序号", "备注"],
    )
    assert told["counts"] == {"taken": 3, "review": 1, "folded": 1, "known": 0, "refused": 1}
    assert told["historical"] == 3
    assert [(row["row"], row["label"], row["historical"]) for row in told["rows"]] == [
        (3, "收下", True),
        (4, "收下", True),
        (5, "折叠", False),
        (6, "送审", False),
        (7, "收下", True),
        (8, "拒绝", False),
    ]
    reasons = {row["row"]: "；".join(row["reasons"]) for row in told["rows"]}
    assert "渝北区已不是现行区划，按两江新区登记" in reasons[4]
    assert "与第 3 行是同一个岗位" in reasons[5]
    assert "缺：用人单位" in reasons[6]
    assert "工资“入职交押金”看不懂" in reasons[7]
    assert reasons[8].startswith("“押金200”：不得向求职者收取费用")
    assert told["rows"][2]["id"] == told["rows"][0]["id"]
    with read_session(furnished) as session:
        states = session.execute(
            select(Posting.state, func.count()).group_by(Posting.state).order_by(Posting.state)
        ).all()
    assert [tuple(row) for row in states] == [(PostingState.HISTORICAL, 3), (PostingState.REVIEW, 1)]


def test_what_was_not_checked_is_told_once(import_file: Jiujin, tmp_path: Path) -> None:
    path = str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS))
    assert import_file("postings", path, "--json").json()["notes"] == ["最低工资标准还没有配置，没有核对"]
    assert import_file("postings", path).out.count("最低工资标准还没有配置，没有核对") == 1


def test_rows_are_stamped_at_the_end_of_an_import(
    import_file: Jiujin, furnished: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_at: list[datetime] = []

    def write(*given: Any, **named: Any) -> ImportReport:
        report = import_postings(*given, **named)
        written_at.append(datetime.now(UTC))
        return report

    # By module: app.cli knows the group of commands under the same name.
    monkeypatch.setattr(import_module("app.cli.imports"), "import_postings", write)
    import_file("postings", str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS)))
    with read_session(furnished) as session:
        stamps = set(session.scalars(select(Posting.changed_at)))
    assert len(stamps) == 1
    assert stamps.pop() >= written_at[0]


def test_samples_are_stamped_at_the_end_of_their_import(
    house: House, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = read_postings(write_xlsx(tmp_path / "用工.xlsx", POSTINGS))
    monkeypatch.setattr("app.cli.demo.read_postings", lambda _path: sheet)

    def write(*given: Any, **named: Any) -> ImportReport:
        report = import_postings(*given, **named)
        clock.advance(timedelta(minutes=10))
        return report

    monkeypatch.setattr(import_module("app.cli.imports"), "import_postings", write)
    fill_demo_samples(house)
    with read_session(house.engine) as session:
        assert set(session.scalars(select(Posting.changed_at))) == {clock.now()}


def test_two_imports_of_one_file_at_the_same_time_bring_each_row_once(house: House, tmp_path: Path) -> None:
    """Both have judged before either writes; then one has brought all rows, and to the other all are known."""
    drafts = read_postings(write_xlsx(tmp_path / "用工.xlsx", POSTINGS)).drafts
    both_judged = threading.Barrier(2, timeout=60)

    @contextmanager
    def writing() -> Iterator[Session]:
        both_judged.wait()
        with one_writing(house, dry_run=False) as session:
            yield session

    def bring_in(actor: str) -> ImportReport:
        return bring_in_postings(house, drafts, actor=actor, writing=writing())

    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(bring_in, ("tester-1", "tester-2")))
    first, second = sorted(reports, key=lambda report: report.count(RowOutcome.KNOWN))
    assert first.counts == {"taken": 3, "review": 1, "folded": 1, "known": 0, "refused": 1}
    assert second.counts == {"taken": 0, "review": 0, "folded": 0, "known": 5, "refused": 1}
    with read_session(house.engine) as session:
        assert session.scalar(select(func.count()).select_from(Posting)) == 4
        assert session.scalar(select(func.count()).select_from(PostingSource)) == 5


@pytest.mark.parametrize(
    ("noun", "rows", "step"),
    [
        ("postings", POSTINGS, "understand_titles"),
        ("postings", POSTINGS, "read_grounds"),
        ("postings", POSTINGS, "judge_postings"),
        ("workers", WORKERS, "judge_workers"),
    ],
)
def test_others_write_while_rows_are_judged(
    import_file: Jiujin,
    furnished: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    noun: str,
    rows: Cells,
    step: str,
) -> None:
    impatient = open_engine(url_of(furnished), lock_timeout_ms=1)
    module = import_module("app.cli.imports")
    take_step = getattr(module, step)

    def write_and_take_step(*given: Any, **named: Any) -> Any:
        with write_session(impatient) as session:
            record_act(session, actor="other", action="write", subject="something", now=datetime.now(UTC))
        return take_step(*given, **named)

    monkeypatch.setattr(module, step, write_and_take_step)
    said = import_file(noun, str(write_xlsx(tmp_path / "表.xlsx", rows)))
    impatient.dispose()
    assert said.code == 0
    with read_session(furnished) as session:
        assert "other" in session.scalars(select(AuditEntry.actor)).all()


def test_people_see_what_was_not_taken_and_the_totals(import_file: Jiujin, tmp_path: Path) -> None:
    said = import_file("postings", str(write_xls(tmp_path / "用工.xls", POSTINGS)))
    assert said.code == 0
    assert "共 6 行：收下 3，送审 1，折叠 1，已有 0，拒绝 1（其中历史样例 3）" in said.out
    assert "没有读的列：序号、备注" in said.out
    assert said.out.index("拒绝") < said.out.index("送审") < said.out.index("折叠")
    assert "导入岗位" not in said.out


def test_a_dry_run_goes_all_the_way_and_saves_nothing(import_file: Jiujin, furnished: Engine, tmp_path: Path) -> None:
    path = str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS))
    before = snapshot(furnished)
    dry = import_file("postings", path, "--dry-run", "--json").json()
    assert snapshot(furnished) == before
    assert {row["id"] for row in dry["rows"]} == {None}
    wet = import_file("postings", path, "--json").json()
    assert wet["counts"] == dry["counts"]
    assert snapshot(furnished) != before
    assert "什么也没有保存" in import_file("postings", path, "--dry-run").out


def test_the_same_file_again_changes_nothing(import_file: Jiujin, furnished: Engine, tmp_path: Path) -> None:
    path = str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS))
    import_file("postings", path)
    before = snapshot(furnished)
    again = import_file("postings", path, "--json")
    assert again.code == 0
    assert again.json()["counts"] == {"taken": 0, "review": 0, "folded": 0, "known": 5, "refused": 1}
    assert snapshot(furnished) == before


def test_a_report_is_written_for_spreadsheets(import_file: Jiujin, tmp_path: Path) -> None:
    report = tmp_path / "结果.csv"
    import_file("postings", str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS)), "--report", str(report))
    assert report.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(report.read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["行"], row["结果"]) for row in rows] == [
        ("3", "收下"),
        ("4", "收下"),
        ("5", "折叠"),
        ("6", "送审"),
        ("7", "收下"),
        ("8", "拒绝"),
    ]
    assert rows[4]["岗位"] == "'@普工"  # a spreadsheet would run it
    assert rows[3]["原因"].startswith("缺：用人单位")


def test_a_report_that_cannot_be_written_stops_the_import_before_it_begins(
    import_file: Jiujin, furnished: Engine, tmp_path: Path
) -> None:
    before = snapshot(furnished)
    said = import_file(
        "postings", str(write_csv(tmp_path / "用工.csv", POSTINGS)), "--report", str(tmp_path / "无" / "r.csv")
    )
    assert (said.code, snapshot(furnished)) == (1, before)
    assert "报告写不了" in said.err


def test_a_file_of_which_nothing_can_be_taken_has_failed(import_file: Jiujin, tmp_path: Path) -> None:
    said = import_file(
        "postings", str(write_csv(tmp_path / "用工.csv", [["岗位名称", "薪资"], ["保安交押金", "3000"]]))
    )
    assert said.code == 1
    assert "拒绝 1" in said.out


def lying_name(folder: Path) -> Path:
    return write_xls(folder / "用工.xls", POSTINGS).rename(folder / "用工.xlsx")


def wrong_columns(folder: Path) -> Path:
    return write_csv(folder / "用工.csv", [["商品", "单价"], ["白菜", "2"]])


def bomb(folder: Path) -> Path:
    path = write_xlsx(folder / "用工.xlsx", POSTINGS)
    return rewrite_members(path, {SHEET: sheet_xml(" " * 50 * 1024 * 1024)})


def far_cells(folder: Path) -> Path:
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return rewrite_members(write_xlsx(folder / "用工.xlsx", POSTINGS), {SHEET: sheet_xml(cells)})


def nothing(folder: Path) -> Path:
    return folder / "没有.xlsx"


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lying_name, "file_kind_wrong", "内容却是旧式 xls 工作簿"),
        (wrong_columns, "columns_missing", "必须有「岗位名称」"),
        (bomb, "file_too_large", "压缩炸弹"),
        (far_cells, "sheet_too_large", "200000 行"),
        (nothing, "file_missing", "找不到文件"),
    ],
)
def test_a_broken_file_gets_a_clear_message_and_changes_nothing(
    import_file: Jiujin, furnished: Engine, tmp_path: Path, make: Callable[[Path], Path], code: str, words: str
) -> None:
    before = snapshot(furnished)
    path = str(make(tmp_path))
    said = import_file("postings", path)
    assert (said.code, said.out) == (1, "")
    assert words in said.err
    assert "Traceback" not in said.err
    told = import_file("postings", path, "--json")
    assert (told.code, told.json()["error"]["code"]) == (1, code)
    assert snapshot(furnished) == before


def test_an_import_that_fails_in_the_middle_leaves_nothing(
    import_file: Jiujin, furnished: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two imports of one file at the same time: the second one looks before the first has written."""
    path = str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS))
    import_file("postings", path)
    before = snapshot(furnished)
    monkeypatch.setattr(postings_store, "known_source_keys", lambda *_: {})
    said = import_file("postings", path, "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "import_collided")
    assert snapshot(furnished) == before


def test_without_reference_data_nothing_is_imported(
    database: Engine, jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url_of(database))
    said = jiujin("import", "postings", str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS)), "--data", str(tmp_path))
    assert said.code == 1
    assert "jiujin seed reference" in said.err


def test_a_roster_is_reported_without_naming_anybody(import_file: Jiujin, furnished: Engine, tmp_path: Path) -> None:
    path = str(write_xlsx(tmp_path / "名册.xlsx", WORKERS))
    said, told = import_file("workers", path), import_file("workers", path, "--json")
    assert said.code == told.code == 0
    assert "共 2 行：收下 1，送审 0，折叠 0，已有 0，拒绝 1" in said.out
    assert told.json()["counts"] == {"taken": 0, "review": 0, "folded": 0, "known": 1, "refused": 1}
    assert told.json()["rows"][1]["reasons"] == ["身份证号不对：出生日期或校验码有误，请核对"]
    for words in (said.out, said.err, told.out, told.err):
        for secret in ("样例", "99000019700101", "1380000000"):
            assert secret not in words
    with read_session(furnished) as session:
        assert session.scalars(select(WorkerStatus.evidence)).all() == [Evidence.SELF_DECLARED]


def test_a_roster_of_an_office_is_certified(import_file: Jiujin, furnished: Engine, tmp_path: Path) -> None:
    import_file("workers", str(write_xlsx(tmp_path / "名册.xlsx", WORKERS)), "--certified")
    with read_session(furnished) as session:
        assert session.scalars(select(WorkerStatus.evidence)).all() == [Evidence.CERTIFIED]


def test_a_roster_whose_numbers_lost_their_digits_changes_nothing(
    import_file: Jiujin, furnished: Engine, tmp_path: Path
) -> None:
    before = snapshot(furnished)
    rows = [*WORKERS, ["样例丙", 990000197001010020, "", "重庆市巫山县大昌镇", "", ""]]
    said = import_file("workers", str(write_xlsx(tmp_path / "名册.xlsx", rows)))
    assert (said.code, said.out) == (1, "")
    assert "「身份证号」列有 1 行（从第 4 行起）存成了数字" in said.err
    assert "“文本”" in said.err
    assert snapshot(furnished) == before


def test_progress_and_report_keep_apart(import_file: Jiujin, tmp_path: Path) -> None:
    said = import_file("postings", str(write_xlsx(tmp_path / "用工.xlsx", POSTINGS)), "--json")
    assert said.out.count("\n") == 1


def test_wrong_use_is_told(jiujin: Jiujin) -> None:
    assert jiujin("import", "postings").code == 2
    assert jiujin("import", "postings", "a.xlsx", "--dry").code == 2


def test_thousands_of_rows_that_differ_in_a_number_only_are_thousands_of_postings(
    import_file: Jiujin, furnished: Engine, tmp_path: Path
) -> None:
    header = ["平台", "岗位编号", "岗位名称", "工种", "薪资", "工作地点", "采集时间"]
    # The trade stands in a column of its own, so that no time goes into reading titles.
    rows = [["某平台", f"P{n}", f"普工{n}", "普工", "4-6千", "重庆市万州区", "2024-07"] for n in range(3_000)]
    path = str(write_csv(tmp_path / "用工.csv", [header, *rows]))
    assert import_file("postings", path, "--json").json()["counts"]["taken"] == 3_000
    assert import_file("postings", path, "--json").json()["counts"]["known"] == 3_000
    with read_session(furnished) as session:
        assert session.scalar(select(func.count()).select_from(PostingSource)) == 3_000
