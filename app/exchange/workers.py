"""Workers out of a roster: which heading means what, and what its cells say.

An ID number that a spreadsheet kept as a figure has lost its last three digits. One such cell refuses the whole file:
the other rows would look imported while the roster has to be made again anyway.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app.domain.identities import normalise_id_number, normalise_phone
from app.domain.workers import Sex, Status
from app.exchange.cells import normal, read_day, read_pay, read_schooling, read_yes, split_words
from app.exchange.refusals import DigitsLost
from app.exchange.sheets import Column, Row, Table, read_table
from app.usecases.workers import WorkerDraft

_LOST_TAIL = "000"
_TELLING_ROWS = 3

_STATUS_COLUMNS = (
    (
        Status.POVERTY_ALLEVIATED,
        "poverty_alleviated",
        ("是否脱贫人口", "脱贫人口", "是否脱贫户", "脱贫户", "是否建档立卡"),
    ),
    (Status.REGISTERED_UNEMPLOYED, "registered_unemployed", ("是否登记失业", "登记失业", "失业登记", "是否失业登记")),
    (Status.MONITORED, "monitored", ("是否监测对象", "监测对象", "是否防止返贫监测对象", "防返贫监测对象")),
    (Status.LOW_INCOME, "low_income", ("是否低保", "低保", "低保户", "是否低保户")),
    (Status.DISABLED, "disabled", ("是否残疾", "残疾", "是否残疾人", "残疾人")),
    (Status.ZERO_EMPLOYMENT_HOUSEHOLD, "zero_employment", ("是否零就业家庭", "零就业家庭")),
    (Status.HARD_TO_EMPLOY, "hard_to_employ", ("是否就业困难人员", "就业困难人员", "就业困难", "是否就业困难")),
)

COLUMNS = (
    Column(key="name", names=("姓名", "名字", "人员姓名", "劳动者姓名", "求职者姓名"), is_required=True),
    Column(
        key="id_number",
        names=("身份证号", "身份证号码", "身份证", "公民身份号码", "证件号码", "证件号", "身份证件号码"),
        is_required=True,
    ),
    Column(key="phone", names=("手机号", "手机号码", "手机", "联系电话", "电话", "联系方式", "本人电话", "电话号码")),
    Column(key="sex", names=("性别",)),
    Column(key="home_district", names=("区县", "户籍区县", "户籍所在区县", "所属区县", "县", "区")),
    Column(
        key="home_township",
        names=("户籍乡镇", "乡镇", "乡镇街道", "户籍所在乡镇", "所属乡镇", "镇街", "户籍乡镇街道"),
    ),
    Column(
        key="home",
        names=(
            *("户籍地", "户籍地址", "家庭住址", "家庭地址", "住址", "户籍所在地", "户口所在地", "户籍"),
            *("地址", "居住地址", "常住地址"),
        ),
    ),
    Column(
        key="current",
        names=(
            "现务工地",
            "务工地",
            "务工地点",
            "现务工地点",
            "现工作地",
            "外出地点",
            "现居住地",
            "就业地点",
            "工作地点",
        ),
    ),
    Column(
        key="wants",
        names=(
            *("想找什么活", "意向工种", "求职意向", "意向岗位", "期望工种", "期望岗位", "就业意向", "求职工种"),
            *("想做什么", "想找的工作", "意向职业"),
        ),
    ),
    Column(
        key="skills", names=("技能", "特长", "技能特长", "会做什么", "掌握技能", "工作经历", "从业经历", "职业技能")
    ),
    Column(key="certificates", names=("证书", "资格证书", "技能证书", "职业资格证书", "持有证书")),
    Column(key="education", names=("学历", "文化程度", "受教育程度")),
    Column(key="experience", names=("工作年限", "工龄", "从业年限", "务工年限")),
    Column(key="pay", names=("期望工资", "期望薪资", "期望月薪", "工资要求", "期望待遇", "薪资要求", "最低工资要求")),
    Column(key="unemployed_since", names=("登记失业日期", "失业登记日期", "登记失业时间", "失业登记时间", "失业时间")),
    *(Column(key=key, names=names) for _, key, names in _STATUS_COLUMNS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSheet:
    """What a roster holds: its rows as drafts, the sheet they stand in, and the headings that were not read."""

    sheet: str
    header_row: int
    unread: tuple[str, ...]
    drafts: tuple[WorkerDraft, ...]


def read_workers(path: Path, *, sheet: str | None = None) -> WorkerSheet:
    """Read a roster.

    Args:
        path: an xlsx, xls or csv file.
        sheet: the name of the sheet; None takes the only one whose header names people.

    Raises:
        app.exchange.refusals.DigitsLost: ID numbers were kept as figures, which hold 15 digits only.
        app.exchange.refusals.FileRefused: the file cannot be used for another reason; says why.
        OSError: there is no such file, or it may not be read.
    """
    table = read_table(path, COLUMNS, sheet=sheet)
    drafts = tuple(_read_row(table, row) for row in table.rows)
    _refuse_lost_digits(table, drafts)
    return WorkerSheet(sheet=table.sheet, header_row=table.header_row, unread=table.unread, drafts=drafts)


def _refuse_lost_digits(table: Table, drafts: Sequence[WorkerDraft]) -> None:
    lost = [row.number for row in table.rows if table.is_rounded(row, "id_number")]
    if not lost:
        # Written out again as text the lost digits are zeros. No row can tell; all of them together do.
        long = [draft for draft in drafts if len(draft.id_number) == 18]
        if len(long) < _TELLING_ROWS or not all(draft.id_number.endswith(_LOST_TAIL) for draft in long):
            return
        lost = [draft.row for draft in long]
    raise DigitsLost(
        f"「{table.headings['id_number']}」列有 {len(lost)} 行（从第 {lost[0]} 行起）存成了数字。数字只留得住 15 位，"
        "号码的后三位已经丢失，补不回来。请先把这一列的格式设为“文本”，再从原来的名册填入号码，然后重新导入"
    )


def _read_row(table: Table, row: Row) -> WorkerDraft:
    cell = {column.key: table.text(row, column.key) for column in COLUMNS}
    notes: list[str] = []
    pay = read_pay(cell["pay"]) if cell["pay"] else None
    if cell["pay"] and (pay is None or pay.yuan_month() == (None, None)):
        notes.append("期望工资看不懂，按没写算")
    since = read_day(cell["unemployed_since"])
    if cell["unemployed_since"] and since is None:
        notes.append("登记失业日期看不懂，从今天算起")
    low, high = pay.yuan_month() if pay is not None and pay.is_plausible() else (None, None)
    return WorkerDraft(
        row=row.number,
        name=re.sub(r"\s+", "", cell["name"]),
        id_number=normalise_id_number(cell["id_number"]),
        phone=normalise_phone(cell["phone"]),
        home_district=cell["home_district"],
        home_township=cell["home_township"],
        home_words=cell["home"],
        current_words="" if normal(cell["current"]) in _NOT_AWAY else cell["current"],
        skills_text=cell["skills"],
        wants=split_words(cell["wants"]),
        certificates=split_words(cell["certificates"]),
        pay_min_yuan_month=low if low is not None else high,
        education=read_schooling(cell["education"]),
        experience_years=_read_years(cell["experience"]),
        sex={"男": Sex.MALE, "女": Sex.FEMALE}.get(normal(cell["sex"])),
        statuses=_read_statuses(cell, since, notes),
        notes=tuple(notes),
    )


_NOT_AWAY = frozenset({"无", "在家", "未外出", "待业", "失业", "-", "/"})


def _read_statuses(
    cell: dict[str, str], unemployed_since: date | None, notes: list[str]
) -> tuple[tuple[Status, date | None], ...]:
    found = []
    for status, key, names in _STATUS_COLUMNS:
        is_so = read_yes(cell[key]) or normal(cell[key]) == status.label
        if is_so:
            found.append((status, unemployed_since if status is Status.REGISTERED_UNEMPLOYED else None))
        elif cell[key] and read_yes(cell[key]) is None:
            notes.append(f"「{names[0]}」要填是或否，按否算")
    return tuple(found)


def _read_years(text: str) -> int | None:
    found = re.fullmatch(r"(\d{1,2})\s*年?", normal(text))
    return int(found[1]) if found else None
