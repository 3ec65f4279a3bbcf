"""Postings: closed lists, what one must say before it can open, and which words send it back.

A posting that lacks what the law asks of job information never opens; a real listing of the past is `historical`: it
can be looked at and ranked, is never pushed and never counted.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class PostingState(StrEnum):
    """draft → review → open ⇄ paused → closed; `historical` stands beside them and never moves."""

    DRAFT = "draft"
    REVIEW = "review"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    HISTORICAL = "historical"

    @property
    def label(self) -> str:
        return {
            "draft": "草稿",
            "review": "待审核",
            "open": "招聘中",
            "paused": "暂停",
            "closed": "已结束",
            "historical": "历史样例",
        }[self.value]


LISTED_STATES = (PostingState.OPEN, PostingState.HISTORICAL)
"""States in which a posting is shown to job-seekers."""


class PostingKind(StrEnum):
    """Kind of work (rules of the trade, section 3)."""

    FULL_TIME = "full_time"
    PART_TIME = "part_time"
    DAY_LABOUR = "day_labour"
    SEASONAL = "seasonal"
    WORK_RELIEF = "work_relief"
    WORKSHOP = "workshop"
    PUBLIC_WELFARE = "public_welfare"

    @property
    def label(self) -> str:
        return _KIND_LABELS[self]


_KIND_LABELS = {
    PostingKind.FULL_TIME: "全职",
    PostingKind.PART_TIME: "兼职",
    PostingKind.DAY_LABOUR: "日结零工",
    PostingKind.SEASONAL: "季节工",
    PostingKind.WORK_RELIEF: "以工代赈",
    PostingKind.WORKSHOP: "帮扶车间",
    PostingKind.PUBLIC_WELFARE: "公益性岗位",
}


class PostingOrigin(StrEnum):
    """Where a posting comes from; figures tell real and generated ones apart."""

    IMPORTED = "imported"
    GENERATED = "generated"
    ENTERED = "entered"


class Demand(StrEnum):
    """What the work asks of a body."""

    HEIGHTS = "heights"
    HEAVY_LIFTING = "heavy_lifting"
    NIGHTS = "nights"
    HEAT = "heat"
    LONG_STANDING = "long_standing"
    EYESIGHT = "eyesight"
    HEARING = "hearing"
    DUST = "dust"
    CHEMICALS = "chemicals"
    COLD_WATER = "cold_water"
    UNDERGROUND = "underground"

    @property
    def label(self) -> str:
        return _DEMAND_LABELS[self]


_DEMAND_LABELS = {
    Demand.HEIGHTS: "要登高",
    Demand.HEAVY_LIFTING: "要搬重物",
    Demand.NIGHTS: "有夜班",
    Demand.HEAT: "高温环境",
    Demand.LONG_STANDING: "要久站",
    Demand.EYESIGHT: "费眼神",
    Demand.HEARING: "要听得清",
    Demand.DUST: "有粉尘",
    Demand.CHEMICALS: "接触化学品",
    Demand.COLD_WATER: "沾冷水",
    Demand.UNDERGROUND: "井下作业",
}


class AgeReason(StrEnum):
    """A lawful reason for a limit of age; without one a limit is not applied."""

    STATUTORY_HAZARD = "statutory_hazard"
    LICENCE_AGE = "licence_age"

    @property
    def label(self) -> str:
        return {"statutory_hazard": "法规限制的危险作业", "licence_age": "法定从业资格年龄"}[self.value]


class ReportReason(StrEnum):
    """Why somebody reports a posting."""

    FEES = "fees"
    FALSE = "false"
    FILLED = "filled"
    AGE = "age"
    DISCRIMINATION = "discrimination"
    OTHER = "other"

    @property
    def label(self) -> str:
        return {
            "fees": "要先交钱或押证件",
            "false": "工资或内容不真实",
            "filled": "早就招满或联系不上",
            "age": "嫌年纪大不要",
            "discrimination": "限男女、户籍、民族",
            "other": "其他问题",
        }[self.value]


class ReportOutcome(StrEnum):
    """What came of a report."""

    WAITING = "waiting"
    UPHELD = "upheld"
    DISMISSED = "dismissed"

    @property
    def label(self) -> str:
        return {"waiting": "正在核实", "upheld": "属实，已处理", "dismissed": "核实后没有发现问题"}[self.value]


class Lack(StrEnum):
    """What job information must hold and this posting does not (rules of the trade, section 3)."""

    EMPLOYER = "employer"
    OCCUPATION = "occupation"
    OPENINGS = "openings"
    DUTIES = "duties"
    CONDITIONS = "conditions"
    WORKPLACE = "workplace"
    PAY = "pay"
    PAY_TERMS = "pay_terms"
    VALIDITY = "validity"

    @property
    def label(self) -> str:
        return _LACK_LABELS[self]


_LACK_LABELS = {
    Lack.EMPLOYER: "用人单位",
    Lack.OCCUPATION: "工种",
    Lack.OPENINGS: "招聘人数",
    Lack.DUTIES: "工作内容",
    Lack.CONDITIONS: "招用条件",
    Lack.WORKPLACE: "工作地点",
    Lack.PAY: "工资",
    Lack.PAY_TERMS: "谁发工资、几时发",
    Lack.VALIDITY: "有效期",
}


class Verdict(StrEnum):
    """What a finding means for the posting."""

    REFUSE = "refuse"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a posting's own words that keeps it from opening.

    `code` is stable; `words` are the words that caused it, as they stand in the posting; `text` tells a person why.
    """

    verdict: Verdict
    code: str
    words: str
    text: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """`pattern` within one clause makes a finding, unless `unless` stands in the same clause (不收押金)."""

    verdict: Verdict
    code: str
    pattern: re.Pattern[str]
    text: str
    unless: re.Pattern[str] | None = None


_FEES = "押金|保证金|报名费|服装费|工装费|体检费|中介费|介绍费|培训费|入职费|建档费|办证费|资料费|风险金"
_PAPERS = "身份证|证件|毕业证|学位证|资格证|银行卡"
_DENIED = r"不(?:收|交|缴|需|用|要|得|会|向|押|扣|存在|涉及)|无需|无须|没有|免|零|严禁|禁止|杜绝|拒绝"
# Guests and tenants pay deposits and show papers at a front desk: that is the work, not a fee.
_OF_CUSTOMERS = "客|租|业主|住户"
_LIMITED_TO = r"(?:(?<!不)限|只招|仅招|只要|仅限)"

# One sex alone (男女 and 男、女 are both), as somebody wanted and not as what goods or services are for.
_ONE_SEX = (
    r"(?:男(?![性士工生]?\s*[、/,和或及与]?\s*女)|(?<!男)(?<!男[、/,和或及与性士工生])(?<!男[性士工生][、/,和或及与])(?<!妇)女)"
    r"(?![装鞋包科裤袜童式款衣厕寝孩宾]|[性士生]?(?:理发|美发|美容|养生|会所|护肤|用品|服[饰装]|内衣|箱包|健身|客|顾|会员|宿舍))"
)
_PERSON = r"(?:性|士|工|生|的)"
_SO_MANY = r"(?:\d+|数|若干|多|几|[一二两三四五六七八九十]+)"
_AGED = r"[1-7]\d(?:\s*周?岁)?(?:\s*(?:[-~—–]+|至|到)\s*[1-7]\d)?\s*周?岁"

_RULES = (
    _Rule(
        Verdict.REFUSE,
        "fee",
        re.compile(
            rf"(?:交|缴|收|付|扣)[^，。；、]{{0,8}}(?:{_FEES})|(?:需|须|要)[^，。；、]{{0,4}}(?:{_FEES})"
            rf"|(?!体检费)(?:{_FEES})[^，。；、]{{0,3}}(?:\d|自理|自付|自费)|(?:押金|保证金)[^，。；、]{{0,8}}退"
        ),
        "不得向求职者收取费用（劳动合同法第九条、就业促进法第四十一条）",
        unless=re.compile(
            rf"{_DENIED}|无[^，。；、]{{0,3}}(?:{_FEES})|0押金|报销|{_OF_CUSTOMERS}"
            r"|(?:公司|单位|企业|厂方?|店里|我司|雇主)[^，。；、交]{0,6}(?:承担|付|出|买单)"
        ),
    ),
    _Rule(
        Verdict.REFUSE,
        "papers_held",
        re.compile(
            rf"(?:扣押|扣留|抵押|押|扣|代管|保管|上交|收)[^，。；、]{{0,4}}(?:{_PAPERS})"
            rf"|(?:{_PAPERS})(?:原件)?[^，。；、]{{0,4}}(?:抵押|扣押|押|扣留|保管|代管|上交|交公司|交厂)"
        ),
        "不得扣押居民身份证和其他证件（劳动合同法第九条）",
        unless=re.compile(rf"{_DENIED}|无[^，。；、]{{0,3}}(?:{_PAPERS})|复印件|{_OF_CUSTOMERS}"),
    ),
    _Rule(
        Verdict.REFUSE,
        "training_loan",
        re.compile(
            r"培训贷|(?:贷款|借款|分期)[^，。；、]{0,3}(?:培训费|学费)|(?:培训费|学费|培训费用)[^，。；、]{0,4}(?:贷款|分期)"
        ),
        "不得以招工为名诱导培训贷款",
        unless=re.compile(rf"{_DENIED}|无[^，。；、]{{0,3}}培训贷|非培训贷"),
    ),
    _Rule(
        Verdict.REVIEW,
        "sex_limit",
        re.compile(
            rf"{_LIMITED_TO}\s*{_ONE_SEX}|{_ONE_SEX}{_PERSON}?\s*(?:优先|勿扰)|{_ONE_SEX}性?(?:不要|不招)"
            rf"|性别[要求为:\s]{{0,4}}{_ONE_SEX}(?![均都])"
            rf"|(?:要求|招聘?|诚聘|急聘|聘请)[:\s]*(?:为|是)?\s*{_ONE_SEX}{_PERSON}?"
            rf"|(?:需要?|须|(?<!主)(?<!重)要)\s*{_ONE_SEX}{_PERSON}"
            rf"|^[\s\d.、)]*{_ONE_SEX}{_PERSON}?\s*$"
            rf"|{_ONE_SEX}工?\s*{_SO_MANY}\s*(?:名|位|人(?!间))|{_ONE_SEX}工\s*若干"
            rf"|{_ONE_SEX}{_PERSON}?[:\s]*(?:年龄)?[:\s]*(?:限|在|须|需|不超过)?\s*{_AGED}"
            rf"|岁\s*(?:及|\(含\)|含)?\s*(?:以下|以上|以内|之内|左右|之间)?\s*的?\s*{_ONE_SEX}(?:{_PERSON}|\s*$)"
            rf"|[(\[【]\s*{_ONE_SEX}{_PERSON}?\s*[)\]】]"
        ),
        "没有法定理由不得限制性别（就业促进法第二十七条）",
    ),
    _Rule(
        Verdict.REVIEW,
        "origin_limit",
        re.compile(
            rf"{_LIMITED_TO}[^，。；、]{{0,4}}(?:户籍|户口|本地人)|(?:不要|不招|谢绝)[^，。；、]{{0,4}}(?:外地|农村|户口)"
        ),
        "不得设置户籍、地域限制（就业促进法第三十一条）",
    ),
    _Rule(
        Verdict.REVIEW,
        "faith_or_people_limit",
        re.compile(rf"(?:{_LIMITED_TO}|不要|不招|谢绝)[^，。；、]{{0,3}}(?:汉族|少数民族|[回藏维彝苗]族|信教|宗教)"),
        "不得设置民族、宗教信仰限制（就业促进法第二十八条）",
    ),
    _Rule(
        Verdict.REVIEW,
        "illness_limit",
        re.compile(r"(?:不要|不招|谢绝|限无)[^，。；、]{0,4}(?:乙肝|残疾|传染病原携带)|乙肝勿扰"),
        "不得以携带传染病病原、残疾为由拒绝录用（就业促进法第二十九、三十条）",
    ),
    _Rule(
        Verdict.REVIEW,
        "bait_pay",
        re.compile(
            r"(?:日入|日赚|轻松(?:月入|月赚)?)\s*[过上破]?\s*(?:千|\d{4,}|万)|月入(?:[2-9]|\d{2,})万|躺赚"
            r"|在家[^，。；]{0,4}(?:日赚|月入)|无责底薪[^，。；]{0,3}(?:[2-9]|\d{2,})万"
        ),
        "工资说法像是诱饵，须核实（关于加强招聘信息管理的规定：不得虚假、夸大）",
    ),
)
# 男、女均可 is one clause.
_CLAUSE_END = re.compile(
    r"(?<![男女])(?<![男女][性士工生])[,，、]+|[,，、]+(?!\s*[男女])|[.;!?。；！？|\n]+|(?<![\d元])\s+(?!\d)"
)

_TO = r"\s*(?:[-~—–]+|至|到)\s*"
_YEARS_OLD = r"\s*周?岁"
_AGE_RANGE = re.compile(
    rf"(?P<low>1[6-9]|[2-5]\d)(?:{_YEARS_OLD})?{_TO}(?P<high>[2-7]\d){_YEARS_OLD}"
    rf"|年龄\D{{0,4}}(?P<low_bare>1[6-9]|[2-5]\d){_TO}(?P<high_bare>[2-7]\d)(?!\d)"
)
_AGE_CAP = re.compile(
    rf"(?P<cap>[2-7]\d){_YEARS_OLD}\s*(?:\(含\)|含)?\s*[及或]?\s*(?:以下|以内|之内|内)"
    rf"|(?:不超过|不高于|不大于|最大)\s*(?P<most>[2-7]\d){_YEARS_OLD}"
    r"|年龄\D{0,4}(?P<bare>[2-7]\d)\s*[及或]?\s*(?:以下|以内|之内)"
)
_AGE_FLOOR = re.compile(
    rf"(?P<floor>1[6-9]|[2-5]\d){_YEARS_OLD}\s*(?:\(含\)|含)?\s*[及或]?\s*以上"
    rf"|(?:不低于|不小于|年满)\s*(?P<least>1[6-9]|[2-5]\d){_YEARS_OLD}"
)


_ID_NUMBER = re.compile(
    r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)", re.ASCII
)


def screen(*texts: str) -> list[Finding]:
    """Findings in a posting's own words: fees, held papers, loans refuse it; unlawful limits and bait want a look.

    Each finding carries the words that caused it. An empty list does not mean that the posting is lawful.
    """
    words = unicodedata.normalize("NFKC", "\n".join(text for text in texts if text))
    clauses = [clause for clause in _CLAUSE_END.split(words) if clause]
    findings = []
    for rule in _RULES:
        for clause in clauses:
            found = rule.pattern.search(clause)
            if found and not (rule.unless and rule.unless.search(clause)):
                findings.append(Finding(rule.verdict, rule.code, found[0].strip(), rule.text))
                break
    if _ID_NUMBER.search(words):
        # The number itself is not repeated: findings are stored, printed and read by many.
        findings.append(Finding(Verdict.REVIEW, "personal_data", "身份证号", "岗位信息里不能有个人身份证号，请删掉"))
    return findings


def age_limits_in(text: str) -> tuple[int | None, int | None, str]:
    """Youngest and oldest age that words name, and the words: `18-50岁`, `55岁以下`; (None, None, "") without any."""
    words = unicodedata.normalize("NFKC", text)
    if found := _AGE_RANGE.search(words):
        return int(found["low"] or found["low_bare"]), int(found["high"] or found["high_bare"]), found[0].strip()
    floor, cap = _AGE_FLOOR.search(words), _AGE_CAP.search(words)
    return (
        int(floor["floor"] or floor["least"]) if floor else None,
        int(cap["cap"] or cap["most"] or cap["bare"]) if cap else None,
        " ".join(found[0].strip() for found in (floor, cap) if found),
    )


_BRACKETS = re.compile(r"[\(（\[【〔《<][^\)）\]】〕》>]*[\)）\]】〕》>]")
_BAIT = re.compile(
    r"急招|急聘|急需|诚聘|高薪|直招|招聘|包吃住?|包住宿?|五险一金|双休|月薪"
    r"|(?<![a-z+])[+＋#]|[!！~～·•★☆◆*\s/|,，。.、:：;；\-—_]"  # C++ and C# are not C
)


def plain_title(title: str) -> str:
    """A title without brackets, bait and punctuation, in lower case: what two listings of one job share."""
    words = unicodedata.normalize("NFKC", title).lower()
    return _BAIT.sub("", _BRACKETS.sub("", words)) or _BAIT.sub("", words)
