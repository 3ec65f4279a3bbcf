"""Postings out of sheets: headings of many kinds, and the listings that come with the project."""

from collections import Counter
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from app.domain.pay import Pay, PayUnit
from app.domain.postings import PostingKind
from app.domain.workers import Education
from app.exchange.postings import PostingSheet, read_postings
from app.exchange.refusals import ColumnsMissing
from app.usecases.drafts import OWN_SOURCE
from tests.exchange.books import write_csv, write_xlsx

OFFICE = {
    "序号": "1",
    "用人单位": "测试 物业(巫山)有限公司",
    "统一社会信用代码": "91500000ma5u00000x",
    "招聘岗位": "小区保安",
    "工种": "保安员",
    "招聘人数": "2人",
    "薪资待遇（元/月）": "3000-3500",
    "工作地点": "重庆市巫山县大昌镇",
    "岗位职责": "值守大门",
    "任职要求": "身体健康，55岁以下",
    "年龄要求": "18-55",
    "性别": "不限",
    "学历要求": "初中",
    "工作时间": "8:00-18:00",
    "食宿": "包吃住",
    "保险": "五险",
    "发薪单位": "测试物业",
    "发薪时间": "每月15日",
    "发布日期": "2026-11-20",
    "有效期至": "2026-12-31",
    "联系电话": "023-5768 0000",
    "联系人": "（不读）",
}


def read_csv(folder: Path, *rows: dict[str, str]) -> PostingSheet:
    heads = list(dict.fromkeys(head for row in rows for head in row))
    return read_postings(
        write_csv(folder / "表.csv", [heads, *([row.get(head, "") for head in heads] for row in rows)])
    )


def test_an_office_s_sheet_is_read_whole(tmp_path: Path) -> None:
    sheet = read_csv(tmp_path, OFFICE)
    assert sheet.unread == ("序号", "联系人")
    (draft,) = sheet.drafts
    assert draft.title == "小区保安"
    assert draft.occupation_words == "保安员"
    assert draft.employer_name == "测试物业（巫山）有限公司"
    assert draft.social_credit_code == "91500000MA5U00000X"
    assert draft.pay == Pay(unit=PayUnit.MONTH, low=Decimal(3000), high=Decimal(3500))
    assert draft.openings == 2
    assert draft.workplace == "重庆市巫山县大昌镇"
    assert (draft.duties, draft.conditions, draft.age_words, draft.sex_words) == (
        "值守大门",
        "身体健康，55岁以下",
        "18-55",
        "",
    )
    assert draft.education is Education.JUNIOR
    assert (draft.hours, draft.ends_at_hour) == ("8:00-18:00", 18)
    assert (draft.meals, draft.lodging, draft.insurance) == (True, True, True)
    assert (draft.paid_by, draft.paid_when) == ("测试物业", "每月15日")
    assert (draft.posted_on, draft.valid_until) == (date(2026, 11, 20), date(2026, 12, 31))
    assert draft.phone == "02357680000"
    assert (draft.source, draft.source_key) == (OWN_SOURCE, draft.fingerprint)
    assert not draft.is_of_the_past
    assert draft.notes == ()


@pytest.mark.parametrize("heading", ["岗位名称", "职位", "工种", "招聘岗位", "title"])
def test_the_title_stands_under_many_headings(tmp_path: Path, heading: str) -> None:
    (draft,) = read_csv(tmp_path, {heading: "保安", "工作地点": "万州区"}).drafts
    assert (draft.title, draft.work_words) == ("保安", "保安")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"薪资": "4-8千"}, "4000-8000元/月"),
        ({"工资待遇": "1.5-2万·13薪"}, "15000-20000元/月·13薪"),
        ({"工资": "200元/天"}, "200元/天"),
        ({"工资（元/天）": "200"}, "200元/天"),
        ({"日工资": "180"}, "180元/天"),
        ({"工资（元/天）": "4000元/月"}, "4000元/月"),
        ({"工资（元/小时）": "20"}, "20元/小时"),
        ({"薪资": "计件"}, "计件"),
        ({"薪资": "面议"}, "面议"),
        ({"薪资": "20", "薪资单位": "小时"}, "20元/小时"),
        ({"salary_min": "5000.0", "salary_max": "8000.0", "salary_unit": "month"}, "5000-8000元/月"),
        ({"salary_min": "150.0", "salary_max": "150.0", "salary_unit": "day"}, "150元/天"),
        ({"最低工资": "3000", "最高工资": "0"}, "3000元/月以上"),
        ({"最低工资": "", "最高工资": "4000"}, "最高4000元/月"),
        ({"salary_min": "0.0", "salary_max": "0.0"}, "面议"),
    ],
)
def test_pay_is_read_from_one_column_or_three(tmp_path: Path, cells: dict[str, str], told: str) -> None:
    (draft,) = read_csv(tmp_path, {"岗位名称": "保安", **cells}).drafts
    assert draft.pay is not None
    assert draft.pay.told() == told


def test_no_pay_is_none(tmp_path: Path) -> None:
    (draft,) = read_csv(tmp_path, {"岗位名称": "保安", "薪资": "", "工作地点": "万州"}).drafts
    assert draft.pay is None


def test_what_is_not_understood_is_noted_and_not_guessed(tmp_path: Path) -> None:
    row = {"岗位名称": "保安", "薪资": "看着给", "人数": "好多", "有效期": "明年", "采集时间": "上个月", "学历": "聪明"}
    (draft,) = read_csv(tmp_path, row).drafts
    assert (draft.pay, draft.openings, draft.valid_until, draft.observed, draft.education) == (
        None,
        None,
        None,
        "",
        None,
    )
    assert [note.partition("“")[0] for note in draft.notes] == ["采集时间", "工资", "招聘人数", "学历", "有效期"]


@pytest.mark.parametrize(
    ("cell", "demanded", "told"),
    [
        ("", (), ""),
        ("-", (), ""),
        ("无", (), "证书：无"),
        ("不限", (), "证书：不限"),
        ("没有", (), "证书：没有"),
        ("无要求", (), "证书：无要求"),
        ("电工证优先", (), "证书：电工证优先"),
        ("电工证 焊工证优先", (), "证书：电工证 焊工证优先"),
        ("电工证或焊工证", (), "证书：电工证或焊工证"),
        ("C1/C2", (), "证书：C1/C2"),
        ("会计证", (), "证书：会计证"),
        ("电工证", ("低压电工作业证",), ""),
        ("健康证、登高证", ("健康证", "高处作业证"), ""),
        ("健康证，焊工证优先，会打字", ("健康证",), "证书：焊工证优先，会打字"),
        ("持c1及以上驾照", ("C1",), ""),
        ("C1 驾驶证", ("C1",), ""),
        ("叉车证 N1", ("N1",), ""),
        ("货运资格证；b2驾照", ("道路货物运输从业资格证", "B2"), ""),
    ],
)
def test_only_papers_that_the_law_demands_bar_anybody_and_no_word_is_lost(
    tmp_path: Path, cell: str, demanded: tuple[str, ...], told: str
) -> None:
    (draft,) = read_csv(tmp_path, {"岗位名称": "保安", "任职要求": "身体健康", "证书": cell}).drafts
    assert draft.certificates == demanded
    assert draft.conditions == "\n".join(filter(None, ["身体健康", told]))


def test_what_says_nothing_is_no_fault(tmp_path: Path) -> None:
    (draft,) = read_csv(tmp_path, {"岗位名称": "保安", "人数": "若干", "有效期": "长期有效", "学历": "不限"}).drafts
    assert draft.notes == ()


def test_a_row_s_key_is_the_platform_s_number_or_what_it_says(tmp_path: Path) -> None:
    rows = [
        {"岗位名称": "保安", "平台": "某平台", "岗位编号": "P1", "工作地点": "万州"},
        {"岗位名称": "保安", "平台": "", "岗位编号": "1", "工作地点": "万州"},
        {"岗位名称": "保安", "平台": "某平台", "岗位编号": "", "工作地点": "万州"},
    ]
    with_id, without_platform, without_id = read_csv(tmp_path, *rows).drafts
    assert (with_id.source, with_id.source_key) == ("某平台", "P1")
    # A number counts within its platform only: two offices' files both begin with 1.
    assert (without_platform.source, without_platform.source_key) == (OWN_SOURCE, without_platform.fingerprint)
    assert (without_id.source, without_id.source_key) == ("某平台", without_id.fingerprint)


def test_a_fingerprint_is_of_what_is_said_not_of_how_the_sheet_is_made(tmp_path: Path) -> None:
    (first,) = read_csv(tmp_path, {"岗位名称": "保安", "工作地点": "万州", "序号": "1"}).drafts
    (second,) = read_postings(write_xlsx(tmp_path / "表.xlsx", [["工作地点", "岗位名称"], ["万州", "保安"]])).drafts
    (other,) = read_csv(tmp_path, {"岗位名称": "保安", "工作地点": "涪陵"}).drafts
    assert first.fingerprint == second.fingerprint != other.fingerprint


def test_a_sheet_of_people_is_no_sheet_of_postings(tmp_path: Path) -> None:
    with pytest.raises(ColumnsMissing):
        read_csv(tmp_path, {"姓名": "（样例）", "身份证号": "", "手机号": ""})


@pytest.fixture(scope="module")
def samples() -> PostingSheet:
    return read_postings(Path(str(files("seed") / "data" / "sample_postings.csv")))


def test_the_sample_is_read_as_it_is(samples: PostingSheet) -> None:
    drafts = samples.drafts
    assert len(drafts) == 4279
    assert samples.unread == ()
    assert [draft.row for draft in drafts] == list(range(2, 4281))
    assert all(draft.is_of_the_past and not draft.notes for draft in drafts)
    assert len({(draft.source, draft.source_key) for draft in drafts}) == 4279
    units = Counter(draft.pay.unit if draft.pay else None for draft in drafts)
    assert units == {PayUnit.MONTH: 4220, PayUnit.DAY: 20, PayUnit.HOUR: 1, None: 38}


def test_facts_printed_into_one_cell_of_the_sample_are_kept(samples: PostingSheet) -> None:
    draft = next(draft for draft in samples.drafts if draft.source_key == "P44038")
    assert (draft.observed, draft.city) == ("2021-10", "深圳")
    assert (draft.experience_years_min, draft.education, draft.openings) == (3, Education.BACHELOR, 1)


def test_kinds_of_the_sample_are_read_from_its_titles(samples: PostingSheet) -> None:
    kinds = {draft.source_key: draft.kind for draft in samples.drafts}
    assert kinds["P35841"] is PostingKind.DAY_LABOUR  # 办公室客服+日结
    assert kinds["P36040"] is PostingKind.PART_TIME  # 英语托福教师（兼职）
    assert kinds["P00001"] is None
