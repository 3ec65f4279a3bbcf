"""Postings out of a sheet: which heading means what, and what its cells say.

A row is only read here; whether it is taken is judged by `app.usecases.drafts`. 序号 is no number of a posting: every
sheet counts from one, and two sheets would pass for one.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.domain.hours import hour_of_end
from app.domain.identities import normalise_phone
from app.domain.occupations import KNOWN_CERTIFICATES
from app.domain.pay import Pay
from app.exchange.cells import (
    normal,
    read_day,
    read_kind,
    read_month,
    read_offer,
    read_openings,
    read_pay,
    read_schooling_wanted,
    read_years_wanted,
    read_yes,
)
from app.exchange.sheets import Column, Row, Table, read_table
from app.usecases.drafts import OWN_SOURCE, PostingDraft

_PHONE_CHARACTERS = 20
_KEY_CHARACTERS = 64
_SOURCE_CHARACTERS = 40

COLUMNS = (
    Column(
        key="title",
        names=(
            *("岗位名称", "职位名称", "岗位", "职位", "招聘岗位", "招聘职位", "用工岗位", "需求岗位", "岗位需求"),
            *("工种岗位", "岗位工种", "职务", "title", "job", "工种", "工种名称", "职业", "职业名称"),
        ),
        is_required=True,
    ),
    Column(key="occupation", names=("工种", "职业", "工种名称", "职业名称", "职业工种", "工作类型", "occupation")),
    Column(key="id", names=("id", "岗位编号", "职位编号", "岗位id", "职位id", "岗位代码", "招聘编号", "信息编号")),
    Column(key="platform", names=("platform", "平台", "来源", "来源平台", "信息来源", "数据来源", "招聘平台")),
    Column(key="snapshot", names=("snapshot", "采集时间", "采集月份", "采集日期", "抓取时间", "快照")),
    Column(
        key="employer",
        names=(
            *("用人单位", "单位名称", "企业名称", "公司名称", "用工单位", "招聘单位", "单位", "企业", "公司", "雇主"),
            *("用人单位名称", "用工企业", "employer", "company"),
        ),
    ),
    Column(
        key="credit_code",
        names=("统一社会信用代码", "社会信用代码", "信用代码", "统一信用代码", "机构代码", "social_credit_code"),
    ),
    Column(key="city", names=("city", "城市", "工作城市", "所在城市", "省市")),
    Column(key="district", names=("district", "区县", "工作区县", "所在区县", "所属区县", "区")),
    Column(key="district_code", names=("cq_district_code", "区划代码", "行政区划代码", "区县代码", "工作地点代码")),
    Column(
        key="workplace",
        names=(
            *("工作地点", "工作地址", "上班地点", "上班地址", "工作区域", "用工地点", "地点", "地址", "单位地址"),
            *("工作地", "就业地点", "工作所在地", "详细地址", "企业地址", "workplace", "address"),
        ),
    ),
    Column(
        key="pay",
        names=(
            *("薪资", "工资", "工资待遇", "薪资待遇", "薪酬", "薪酬待遇", "月薪", "月工资", "待遇", "薪水", "工资标准"),
            *(
                "薪资标准",
                "薪资范围",
                "工资范围",
                "薪酬范围",
                "劳动报酬",
                "日工资",
                "综合工资",
                "薪资水平",
                "pay",
                "salary",
            ),
        ),
    ),
    Column(key="pay_min", names=("salary_min", "最低薪资", "最低工资", "薪资下限", "工资下限", "最低月薪", "最低")),
    Column(key="pay_max", names=("salary_max", "最高薪资", "最高工资", "薪资上限", "工资上限", "最高月薪", "最高")),
    Column(
        key="pay_unit", names=("salary_unit", "薪资单位", "工资单位", "计薪单位", "计薪方式", "薪资类型", "计酬方式")
    ),
    Column(key="paid_by", names=("发薪单位", "工资发放单位", "发工资单位", "工资支付单位", "谁发工资")),
    Column(
        key="paid_when",
        names=(
            "发薪日",
            "发薪时间",
            "工资发放",
            "工资发放时间",
            "发放时间",
            "结算方式",
            "工资结算",
            "结薪方式",
            "几时发工资",
        ),
    ),
    Column(key="education", names=("education", "学历", "学历要求", "文化程度", "最低学历", "文化要求")),
    Column(key="experience", names=("experience_raw", "经验", "工作经验", "经验要求", "工作年限", "experience")),
    Column(
        key="openings",
        names=(
            *("headcount", "招聘人数", "人数", "需求人数", "招工人数", "用工人数", "岗位数", "招用人数", "需求数量"),
            *("拟招人数", "招聘数量", "缺工人数", "名额"),
        ),
    ),
    Column(key="tags", names=("tags", "标签", "福利", "福利待遇", "岗位福利", "员工福利", "其他待遇")),
    Column(key="meals_lodging", names=("食宿", "食宿情况", "吃住", "包吃住", "是否包吃住", "食宿条件")),
    Column(key="insurance", names=("保险", "社保", "是否缴纳社保", "参保情况", "五险", "社会保险")),
    Column(
        key="kind", names=("工作性质", "用工类型", "用工形式", "岗位类型", "用工性质", "岗位性质", "工作类别", "kind")
    ),
    Column(
        key="duties",
        names=("岗位职责", "工作内容", "职责", "工作职责", "岗位描述", "职位描述", "工作描述", "岗位说明", "duties"),
    ),
    Column(
        key="conditions",
        names=(
            *("任职要求", "岗位要求", "招聘条件", "招用条件", "要求", "任职条件", "其他要求", "招聘要求", "用工要求"),
            *("应聘条件", "技能要求", "岗位条件", "职位要求", "conditions"),
        ),
    ),
    Column(key="age", names=("年龄", "年龄要求", "年龄限制", "年龄范围")),
    Column(key="sex", names=("性别", "性别要求", "性别限制")),
    Column(key="hours", names=("工作时间", "上班时间", "班次", "工作班次", "作息时间", "工时")),
    Column(key="certificates", names=("证书", "资格证书", "持证要求", "证书要求", "职业资格", "所需证书")),
    Column(key="posted_on", names=("发布日期", "发布时间", "登记日期", "登记时间", "更新日期", "更新时间")),
    Column(key="starts_on", names=("到岗时间", "上岗时间", "开工时间", "到岗日期", "用工时间", "开工日期")),
    Column(
        key="valid_until",
        names=(
            "有效期",
            "有效期至",
            "截止日期",
            "截止时间",
            "招聘截止",
            "有效日期",
            "有效期限",
            "招聘有效期",
            "报名截止",
        ),
    ),
    Column(key="phone", names=("联系电话", "电话", "联系方式", "招聘电话", "咨询电话", "手机", "联系手机", "phone")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingSheet:
    """What a file holds: its rows as drafts, the sheet they stand in, and the headings that were not read."""

    sheet: str
    header_row: int
    unread: tuple[str, ...]
    drafts: tuple[PostingDraft, ...]


def read_postings(path: Path, *, sheet: str | None = None) -> PostingSheet:
    """Read a sheet of postings.

    Args:
        path: an xlsx, xls or csv file.
        sheet: the name of the sheet; None takes the only one whose header names postings.

    Raises:
        app.exchange.refusals.FileRefused: the file cannot be used; says why.
        OSError: there is no such file, or it may not be read.
    """
    table = read_table(path, COLUMNS, sheet=sheet)
    return PostingSheet(
        sheet=table.sheet,
        header_row=table.header_row,
        unread=table.unread,
        drafts=tuple(_read_row(table, row) for row in table.rows),
    )


def _read_row(table: Table, row: Row) -> PostingDraft:
    cell = {column.key: table.text(row, column.key) for column in COLUMNS}
    notes: list[str] = []

    def told(value: _Value | None, key: str, name: str) -> _Value | None:
        """The value; when a cell says something that gave none, that is noted."""
        if value is None and cell[key] and not _SAYS_NOTHING.fullmatch(cell[key]):
            notes.append(f"{name}“{cell[key][:20]}”看不懂，按没写算")
        return value

    observed_on = told(read_month(cell["snapshot"]), "snapshot", "采集时间")
    pay = _read_pay(cell, heading=table.headings.get("pay", ""))
    if pay is None and (words := cell["pay"] or cell["pay_min"] or cell["pay_max"]):
        notes.append(f"工资“{words[:20]}”看不懂，按没写算")
    experience = cell["experience"]
    offers = "，".join((cell["tags"], cell["meals_lodging"], cell["title"]))
    bare_yes = read_yes(cell["meals_lodging"])
    phone = normalise_phone(cell["phone"])
    if len(phone) > _PHONE_CHARACTERS:
        phone = ""
        notes.append("联系电话太长，没有录入")
    fingerprint = _fingerprint(cell)
    source = cell["platform"][:_SOURCE_CHARACTERS] or OWN_SOURCE
    has_id = bool(cell["platform"] and cell["id"]) and len(cell["id"]) <= _KEY_CHARACTERS
    insured = read_yes(cell["insurance"])
    certificates, other_papers = _read_certificates(cell["certificates"])
    return PostingDraft(
        row=row.number,
        title=_one_line(cell["title"] or cell["occupation"]),
        source=source,
        source_key=cell["id"] if has_id else fingerprint,
        fingerprint=fingerprint,
        observed=observed_on.strftime("%Y-%m") if observed_on else "",
        observed_on=observed_on,
        city=cell["city"],
        district=cell["district"],
        area_code=normal(cell["district_code"]),
        workplace=_one_line(cell["workplace"]),
        occupation_words=_one_line(cell["occupation"]),
        kind=read_kind(cell["kind"], cell["title"], cell["tags"]),
        pay=pay,
        paid_by=_one_line(cell["paid_by"]),
        paid_when=_one_line(cell["paid_when"]),
        openings=told(read_openings(cell["openings"]) or _openings_within(experience), "openings", "招聘人数"),
        # Some listings print all their facts into one cell.
        education=told(read_schooling_wanted(cell["education"]), "education", "学历")
        or read_schooling_wanted(experience),
        experience_years_min=read_years_wanted(experience),
        employer_name=_employer_name(cell["employer"]),
        social_credit_code=re.sub(r"\s", "", normal(cell["credit_code"])).upper(),
        duties=cell["duties"],
        conditions="\n".join(words for words in (cell["conditions"], other_papers) if words),
        tags=cell["tags"],
        age_words=normal(cell["age"]),
        sex_words=cell["sex"] if cell["sex"] in _ONE_SEX else "",
        hours=_one_line(cell["hours"]),
        ends_at_hour=hour_of_end(cell["hours"]),
        posted_on=told(read_day(cell["posted_on"]), "posted_on", "发布日期"),
        starts_on=read_day(cell["starts_on"]),
        valid_until=told(read_day(cell["valid_until"]), "valid_until", "有效期"),
        certificates=certificates,
        meals=read_offer("meals", offers) if bare_yes is None else bare_yes,
        lodging=read_offer("lodging", offers) if bare_yes is None else bare_yes,
        insurance=read_offer("insurance", offers + cell["insurance"]) if insured is None else insured,
        phone=phone,
        notes=tuple(notes),
    )


_Value = TypeVar("_Value")
_SAYS_NOTHING = re.compile(r"\s*(?:不限|学历不限|若干|若干人|无|无要求|-+|/|长期|长期有效|.*及?以下)\s*")
_ONE_SEX = frozenset({"男", "女", "男性", "女性", "男士", "女士"})
_PAY_UNITS = (
    ("元/月", re.compile(r"month|月")),
    ("元/天", re.compile(r"day|天|日")),
    ("元/小时", re.compile(r"hour|时")),
    ("元/年", re.compile(r"year|年")),
    ("元/件", re.compile(r"piece|件")),
)


_CERTIFICATE_CLAUSE = re.compile(r"[,;。\n]+")
_CERTIFICATE_NOT_DEMANDED = re.compile(r"优先|无|不|没|免|加分|最好|均可|都可|(?<!及)或(?!以上)|\w\s*/\s*\w")
_ASKED_FOR = re.compile(r"^(?:必须|需要?|须|要|应)?(?:持有|具有|具备|取得|持|有)?")


def _read_certificates(words: str) -> tuple[tuple[str, ...], str]:
    """Papers that the law demands, by the names we store, and in words whatever else the cell says: `证书：电工证优先`.

    Only the former keep a person from a job. 优先 and 或 speak of their whole clause.
    """
    demanded: list[str] = []
    other: list[str] = []
    for clause in _CERTIFICATE_CLAUSE.split(unicodedata.normalize("NFKC", words)):
        if _CERTIFICATE_NOT_DEMANDED.search(clause):
            other.append(clause.strip())
            continue
        for part in re.split(r"[、|]", clause):
            whole = _certificate(part)
            for word in [part] if whole else part.split():
                if name := _certificate(word):
                    demanded.append(name)
                elif re.search(r"\w", word):
                    other.append(word)
    told = f"证书：{'，'.join(other)}" if other else ""
    return tuple(dict.fromkeys(demanded)), told


def _certificate(words: str) -> str | None:
    """`持C1及以上驾照` and `c1` are both C1; None for what is no paper that the law demands."""
    word = re.sub(r"\s|[及或]?以上", "", words).upper()
    for spelling in (word, _ASKED_FOR.sub("", word)):
        if spelling in KNOWN_CERTIFICATES:
            return KNOWN_CERTIFICATES[spelling]
    return None


def _read_pay(cell: Mapping[str, str], *, heading: str) -> Pay | None:
    """Pay out of one cell, or out of two figures and a unit; the unit may stand in the heading: `工资（元/天）`."""
    unit = _unit_in(cell["pay_unit"]) or _unit_in(heading)
    low, high = (_without_zero(cell[key]) for key in ("pay_min", "pay_max"))
    if cell["pay"]:
        pay = read_pay(cell["pay"])
        if unit and (pay is None or not _unit_in(cell["pay"])):
            return read_pay(cell["pay"] + unit) or pay
        return pay
    if low and high:
        return read_pay(f"{low}-{high}{unit}")
    if low or high:
        return read_pay(f"{low}{unit}以上" if low else f"最高{high}{unit}")
    return read_pay(cell["pay_min"] or cell["pay_max"])


def _unit_in(words: str) -> str:
    return next((unit for unit, pattern in _PAY_UNITS if pattern.search(words.lower())), "")


def _without_zero(figure: str) -> str:
    return "" if re.fullmatch(r"0+(?:\.0+)?", figure) else figure


def _openings_within(words: str) -> int | None:
    found = re.search(r"招(\d+)人", words)
    return read_openings(found[1]) if found else None


def _employer_name(name: str) -> str:
    """A name in one spelling: without spaces, with the full-width brackets of a business licence."""
    return re.sub(r"\s+", "", name).replace("(", "（").replace(")", "）")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _fingerprint(cell: Mapping[str, str]) -> str:
    """The same for two rows that say the same, whatever else the sheet holds and in which order."""
    said = {key: normal(text) for key, text in sorted(cell.items()) if text}
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()
