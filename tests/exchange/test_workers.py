"""Workers out of rosters. Place code 99 was never given to anybody: these numbers have no bearer."""

from datetime import date
from pathlib import Path

import pytest

from app.domain.identities import id_check
from app.domain.workers import Education, Sex, Status
from app.exchange.refusals import ColumnsMissing, DigitsLost
from app.exchange.workers import WorkerSheet, read_workers
from tests.exchange.books import Cells, write_csv, write_table, write_xlsx

HEADER = ["姓名", "身份证号", "手机号"]


def number(body: str = "99000019700101001") -> str:
    return body + id_check(body)


ROSTER = {
    "序号": "1",
    "姓名": "样例 甲",
    "身份证号码": f" {number()[:6]} {number()[6:]} ",
    "联系电话": "138 0000-0000",
    "性别": "女",
    "区县": "巫山县",
    "户籍乡镇": "大昌镇",
    "家庭住址": "光明村1组",
    "现务工地": "广东东莞",
    "想找什么活": "保洁、煮饭",
    "技能": "会做川菜",
    "文化程度": "小学",
    "证书": "健康证",
    "工作年限": "10年",
    "期望工资": "3-4千",
    "是否脱贫人口": "是",
    "是否登记失业": "√",
    "登记失业日期": "2026-10-08",
    "是否低保": "否",
    "备注": "（不读）",
}


def read_rows(folder: Path, *rows: dict[str, str]) -> WorkerSheet:
    heads = list(dict.fromkeys(head for row in rows for head in row))
    return read_workers(write_csv(folder / "册.csv", [heads, *([row.get(head, "") for head in heads] for row in rows)]))


def test_a_roster_is_read_whole(tmp_path: Path) -> None:
    sheet = read_rows(tmp_path, ROSTER)
    assert sheet.unread == ("序号", "备注")
    (draft,) = sheet.drafts
    assert (draft.name, draft.id_number, draft.phone) == ("样例甲", number(), "13800000000")
    assert (draft.home_district, draft.home_township, draft.home_words) == ("巫山县", "大昌镇", "光明村1组")
    assert (draft.current_words, draft.wants, draft.skills_text) == ("广东东莞", ("保洁", "煮饭"), "会做川菜")
    assert (draft.education, draft.certificates, draft.experience_years) == (Education.PRIMARY, ("健康证",), 10)
    assert (draft.pay_min_yuan_month, draft.sex) == (3000, Sex.FEMALE)
    assert draft.statuses == (
        (Status.POVERTY_ALLEVIATED, None),
        (Status.REGISTERED_UNEMPLOYED, date(2026, 10, 8)),
    )
    assert draft.notes == ()


def test_nothing_of_a_person_is_printed(tmp_path: Path) -> None:
    (draft,) = read_rows(tmp_path, ROSTER).drafts
    printed = repr(draft)
    assert not any(secret in printed for secret in ("样例", number(), number()[6:14], "13800000000", "大昌", "东莞"))


def test_what_is_not_understood_is_noted_without_what_it_says(tmp_path: Path) -> None:
    odd = {**ROSTER, "期望工资": "随便吧", "登记失业日期": "去年", "是否脱贫人口": "待核实"}
    (draft,) = read_rows(tmp_path, odd).drafts
    assert draft.pay_min_yuan_month is None
    assert draft.statuses == ((Status.REGISTERED_UNEMPLOYED, None),)
    assert len(draft.notes) == 3
    assert not any(word in note for note in draft.notes for word in ("随便吧", "去年", "待核实"))


@pytest.mark.parametrize("home", ["在家", "无", ""])
def test_somebody_at_home_works_nowhere(tmp_path: Path, home: str) -> None:
    (draft,) = read_rows(tmp_path, {**ROSTER, "现务工地": home}).drafts
    assert draft.current_words == ""


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_id_numbers_kept_as_figures_refuse_the_whole_file_and_say_how_to_mend_it(tmp_path: Path, suffix: str) -> None:
    rows: Cells = [HEADER, ["样例甲", number(), "13800000000"], ["样例乙", float(990000197001010020), 13800000001.0]]
    with pytest.raises(DigitsLost) as caught:
        read_workers(write_table(tmp_path / f"册{suffix}", rows))
    told = str(caught.value)
    assert "「身份证号」列有 1 行（从第 3 行起）" in told
    assert "文本" in told
    assert "9900001970" not in told


def test_id_numbers_written_out_with_an_exponent_refuse_the_whole_file(tmp_path: Path) -> None:
    with pytest.raises(DigitsLost):
        read_workers(write_csv(tmp_path / "册.csv", [HEADER, ["样例甲", "9.90000E+17", ""]]))


def test_id_numbers_written_out_with_zeros_for_the_lost_digits_refuse_the_whole_file(tmp_path: Path) -> None:
    rows = [HEADER, *(["样例", f"990000197001{day:02d}0000", ""] for day in range(1, 4))]
    with pytest.raises(DigitsLost, match="3 行（从第 2 行起）"):
        read_workers(write_csv(tmp_path / "册.csv", rows))
    assert len(read_workers(write_csv(tmp_path / "册.csv", [*rows, ["样例", number(), ""]])).drafts) == 4


def test_phones_kept_as_figures_are_whole(tmp_path: Path) -> None:
    rows: Cells = [HEADER, ["样例甲", number(), 13800000000]]
    (draft,) = read_workers(write_xlsx(tmp_path / "册.xlsx", rows)).drafts
    assert draft.phone == "13800000000"


def test_a_roster_needs_names_and_numbers(tmp_path: Path) -> None:
    with pytest.raises(ColumnsMissing, match="「身份证号」"):
        read_rows(tmp_path, {"姓名": "样例", "手机号": "", "区县": ""})
