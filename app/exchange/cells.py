"""What is written in a single cell: a day, a month, pay, a number of people, schooling, yes or no.

Every reader answers None for what it does not understand; the row's reader then says so and never guesses.
"""

import re
import unicodedata
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from app.domain.pay import Pay, parse_pay
from app.domain.postings import PostingKind
from app.domain.workers import Education

_EXCEL_EPOCH = date(1899, 12, 30)  # day 0 of Excel's 1900 system, its leap year that never was counted in
_SERIALS = range(36_526, 73_051)  # 2000-01-01 to 2100-01-01
_DAY = re.compile(
    r"(20\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*(?:日|号)?(?:[\sT]+\d{1,2}:\d{2}(?::\d{2})?)?"
)
_COMPACT_DAY = re.compile(r"(20\d\d)(\d\d)(\d\d)")
_MONTH = re.compile(r"(20\d\d)\s*[-/.年]\s*(\d{1,2})\s*月?")
_FEN = Decimal("0.01")
_MOST_YUAN = Decimal(99_999_999)
_MOST_OPENINGS = 100_000  # judgement: more places than that in one row is a slip of the pen


def normal(text: str) -> str:
    """A cell in half-width characters, without spaces around it, with one sign for "to" between figures."""
    return re.sub(r"(?<=\d)\s*[—–−]+\s*(?=\d)", "-", unicodedata.normalize("NFKC", text).strip())


def read_day(text: str) -> date | None:
    """A day: `2026-12-31`, `2026年12月31日`, `20261231`, or its number in Excel."""
    words = normal(text)
    if words.isdecimal() and len(words) == 5 and int(words) in _SERIALS:
        return _EXCEL_EPOCH + timedelta(days=int(words))
    found = _DAY.fullmatch(words) or _COMPACT_DAY.fullmatch(words)
    return _real_day(int(found[1]), int(found[2]), int(found[3])) if found else None


def read_month(text: str) -> date | None:
    """The first day of a month: `2024-07`, `2024年7月`; a whole day tells its month as well."""
    words = normal(text)
    if day := read_day(words):
        return day.replace(day=1)
    found = _MONTH.fullmatch(words)
    return _real_day(int(found[1]), int(found[2]), 1) if found else None


def _real_day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_openings(text: str) -> int | None:
    """Places to fill: `10`, `10人`, of `5-10人` the number that is sure; None for 若干."""
    found = re.fullmatch(
        r"(?:招|约)?\s*(\d+)(?:\.0+)?\s*(?:[-~至到]\s*\d+)?\s*(?:个|人|名|位)*(?:左右|以上)?", normal(text)
    )
    number = int(found[1]) if found else 0
    return number if 0 < number <= _MOST_OPENINGS else None


def read_pay(text: str) -> Pay | None:
    """Pay in whole fen, as far as a column of money holds it; None for figures beyond."""
    pay = parse_pay(text)
    if pay is None or any(figure is not None and figure > _MOST_YUAN for figure in (pay.low, pay.high)):
        return None
    low, high = (None if figure is None else figure.quantize(_FEN) for figure in (pay.low, pay.high))
    return replace(pay, low=low, high=high)


_SCHOOLING = (
    (Education.PRIMARY, re.compile(r"小学")),
    (Education.JUNIOR, re.compile(r"初中")),
    (Education.SENIOR, re.compile(r"高中|职高")),
    (Education.VOCATIONAL, re.compile(r"中专|中技|技校|中职")),
    (Education.COLLEGE, re.compile(r"大专|专科|高职")),
    (Education.BACHELOR, re.compile(r"本科|学士|硕士|研究生|博士")),
)
_UNSCHOOLED = re.compile(r"文盲|未上学|没上过学|无学历|未受教育")


def read_schooling(text: str) -> Education | None:
    """Somebody's own schooling; of several the highest."""
    words = normal(text)
    if _UNSCHOOLED.search(words):
        return Education.NONE
    return next((level for level, pattern in reversed(_SCHOOLING) if pattern.search(words)), None)


def read_schooling_wanted(text: str) -> Education | None:
    """The least schooling that a posting asks for; None for 不限 and for an upper bound (`初中及以下`)."""
    words = normal(text)
    if re.search(r"不限|以下", words):
        return None
    return next((level for level, pattern in _SCHOOLING if pattern.search(words)), None)


def read_years_wanted(text: str) -> int | None:
    """The least years of experience that a posting asks for: 3 for `3-5年`, 0 for `经验不限` and `1年以下`."""
    words = normal(text)
    if re.search(r"不限|无需|不需|无工作经验|无经验|应届|在校", words) and not re.match(r"\d", words):
        return 0
    found = re.search(r"(?<!\d)(\d{1,2})\s*(?:[-~至到]\s*\d{1,2})?\s*年", words)
    if found is None:
        return None
    return 0 if re.match(r"\s*(?:经验)?\s*(?:以下|以内)", words[found.end() :]) else int(found[1])


def read_yes(text: str) -> bool | None:
    """Yes or no; None for an empty cell and for anything else."""
    words = normal(text).lower()
    if words in {"是", "有", "对", "√", "✓", "✔", "☑", "y", "yes", "1", "true", "已登记", "包", "提供"}:
        return True
    if words in {"否", "无", "不是", "没有", "×", "x", "n", "no", "0", "false", "未登记", "不包", "不提供"}:
        return False
    return None


_KINDS = (
    (PostingKind.PUBLIC_WELFARE, re.compile(r"公益性?岗")),
    (PostingKind.WORK_RELIEF, re.compile(r"以工代赈")),
    (PostingKind.WORKSHOP, re.compile(r"帮扶车间|就业车间|扶贫车间")),
    (PostingKind.SEASONAL, re.compile(r"季节|农忙|采摘|暑假工|寒假工")),
    (PostingKind.DAY_LABOUR, re.compile(r"日结|零工|临时工|临工|小时工|钟点工")),
    (PostingKind.PART_TIME, re.compile(r"兼职|非全日制")),
    (PostingKind.FULL_TIME, re.compile(r"全职|全日制|长期工|正式工|合同制")),
)


def read_kind(*texts: str) -> PostingKind | None:
    """The kind of work that the first text says, else the next; None when none says any."""
    return next(
        (kind for text in texts for kind, pattern in _KINDS if pattern.search(normal(text))),
        None,
    )


_OFFERS = {
    "meals": re.compile(r"包[吃餐]|包三餐|包[一二两]餐|免费工作餐|提供食宿|包食宿|免费食宿|含餐"),
    "lodging": re.compile(r"包[吃食]?住|包住宿|提供食宿|包食宿|免费食宿|免费住宿|提供住宿|免费宿舍|提供宿舍"),
    "insurance": re.compile(r"[五六七]险|社保|社会保险|意外险|工伤保险|雇主责任险"),
}
_NOT_OFFERED = re.compile(r"(?:不|无|没有|未)[^，,;；|。\s]{0,3}$")


def read_offer(offer: str, text: str) -> bool | None:
    """Whether words offer `meals`, `lodging` or `insurance`; None when they say nothing of it."""
    words = normal(text)
    found = _OFFERS[offer].search(words)
    return None if found is None else _NOT_OFFERED.search(words[: found.start()]) is None


def split_words(text: str) -> tuple[str, ...]:
    """A list as people write it: `保洁、看大门；煮饭` as three."""
    return tuple(dict.fromkeys(word for word in re.split(r"[、，,;；/|\s]+", normal(text)) if word))
