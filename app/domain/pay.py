"""Pay as people write it, read into figures with a unit.

`4-8千` means 4,000 to 8,000: a unit of thousands behind the second figure belongs to the first one too, unless the
first has its own (`6千-1万`). Pay by the piece or by agreement has no figure, and none is made up for it.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

PAID_DAYS_A_MONTH = Decimal("21.75")  # 人社部发〔2025〕2号: days paid in a month
PAID_HOURS_A_DAY = 8
PART_TIME_HOURS_A_WEEK = 24  # 劳动合同法 art. 68: part-time work is at most that
MONTHS_A_YEAR = 12
WEEKS_A_MONTH = Decimal(52) / MONTHS_A_YEAR
HIGHEST_YUAN_MONTH = 200_000  # judgement: beyond it a figure is a slip of the pen, not pay for work listed here
LOWEST_YUAN_MONTH = 100  # judgement: below it a figure has lost its unit


class PayUnit(StrEnum):
    """What one payment is for."""

    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    YEAR = "year"
    PIECE = "piece"
    NEGOTIABLE = "negotiable"

    @property
    def label(self) -> str:
        return {
            "month": "元/月",
            "day": "元/天",
            "hour": "元/小时",
            "year": "元/年",
            "piece": "计件",
            "negotiable": "面议",
        }[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """Pay in yuan for one `unit`; `low` and `high` are None where the words hold no figure.

    `months` is how many monthly payments a year brings (13 for 13薪).
    """

    unit: PayUnit
    low: Decimal | None = None
    high: Decimal | None = None
    months: int = MONTHS_A_YEAR

    def yuan_month(self, *, is_part_time: bool = False) -> tuple[int | None, int | None]:
        """Low and high as whole yuan a month; (None, None) without a figure.

        A day counts 21.75 times and an hour 8 times that (人社部发〔2025〕2号); part-time work has 24 hours a week at
        the most (劳动合同法 art. 68), so an hour of it counts 104 times. Extra monthly payments are not added, so
        that a promise of a 13th month never outranks pay that is certain.
        """
        hours = PART_TIME_HOURS_A_WEEK * WEEKS_A_MONTH if is_part_time else PAID_DAYS_A_MONTH * PAID_HOURS_A_DAY
        factor = {
            PayUnit.MONTH: Decimal(1),
            PayUnit.DAY: PAID_DAYS_A_MONTH,
            PayUnit.HOUR: hours,
            PayUnit.YEAR: Decimal(1) / MONTHS_A_YEAR,
        }.get(self.unit)
        if factor is None:
            return None, None
        low, high = (
            None if figure is None else int((figure * factor).to_integral_value()) for figure in (self.low, self.high)
        )
        return low, high

    def is_plausible(self) -> bool:
        """Whether every figure, told by the month, lies between 100 and 200,000 yuan."""
        return all(figure is None or LOWEST_YUAN_MONTH <= figure <= HIGHEST_YUAN_MONTH for figure in self.yuan_month())

    def told(self) -> str:
        """The pay as a person reads it: `3000-4000元/月`, `200元/天`, `面议`."""
        if self.low is None and self.high is None:
            return self.unit.label
        figures = "-".join(dict.fromkeys(_plain(figure) for figure in (self.low, self.high) if figure is not None))
        if self.low is None:
            figures = f"最高{figures}"
        bound = "以上" if self.high is None else ""
        return figures + self.unit.label + bound + (f"·{self.months}薪" if self.months != MONTHS_A_YEAR else "")


def _plain(figure: Decimal) -> str:
    return f"{figure.normalize():f}"


_SCALE = {
    "万": Decimal(10_000),
    "w": Decimal(10_000),
    "千": Decimal(1_000),
    "k": Decimal(1_000),
    "百": Decimal(100),
}
_NUMERALS = {numeral: digit for digit, numeral in enumerate("一二三四五六七八九", start=1)} | {"两": 2, "俩": 2}
# Only numerals with a scale are figures: 五险一金 and 一天 are not.
# The last 一 of 两百一天 belongs to the day.
_SPOKEN = re.compile(
    r"(?:[一二两俩三四五六七八九][万千百](?:[零二两俩三四五六七八九十百千]|一(?!天|日|个|月|年|小时))*)+"
)
_FIGURE = r"(\d+(?:\.\d+)?)\s*(万|千|百|[kw](?![a-z]))?"
_TO = r"\s*(?:-|~|至|到)\s*"
# A figure that counts something else: hours a day, people, years of age, a day of the month, a clock.
_ELSE = r"(?!\s*(?:小时制|小时工作|小时班|h制|个?人|名|岁|号|点|:|%|险|年(?!薪)|\d|\.\d))"
_RANGE = re.compile(r"(?<![\d.:])" + _FIGURE + r"(?:元|块)?" + _TO + _FIGURE + _ELSE)
_SINGLE = re.compile(r"(?<![\d.:])" + _FIGURE + _ELSE)
_MONEY = re.compile(r"\s*(?:元|块|/|每|一(?:个?月|天))")
# 4千5, 1万2千: what follows is of the next lower unit, whether that is said or not
_HALF_SAID = re.compile(r"(?<![\d.])(\d)(?:(万)(\d)千?|(千)(\d)百?|(百)(\d)十?)(?![\d万千百.])")
_AT_LEAST = re.compile(r"以上|起|\+")
_AT_LEAST_BEFORE = re.compile(r"(?:最低|至少|不低于|不少于|保底|底薪)\D{0,3}$")
_AT_MOST = re.compile(r"以下|以内")
_AT_MOST_BEFORE = re.compile(r"(?:最高|最多|至多|不超过|不高于)\D{0,3}$")
_MONTHS = re.compile(r"[·*x.,/]?\s*(1[2-9]|2[0-4])\s*(?:个月)?薪")
_PIECE = re.compile(r"计件|按件|件/元|元/件|多劳多得")
_NEGOTIABLE = re.compile(r"面议|面谈|协商|另议|详谈|电议")
# What stands behind the figure tells the unit; only then what the words say elsewhere (8小时工作制, 年薪, 日结).
_PER = r"(?:/|每|一|按|元|块)\s*个?"
_UNITS = (
    (PayUnit.HOUR, re.compile(_PER + r"(?:小时|钟头|时\b|h\b)")),
    (PayUnit.DAY, re.compile(_PER + r"工?(?:天|日|d\b)")),
    (PayUnit.MONTH, re.compile(_PER + r"(?:月|m\b)")),
    (PayUnit.YEAR, re.compile(_PER + r"(?:年|y\b)")),
)
_UNIT_WORDS = (
    (PayUnit.HOUR, re.compile(r"时薪|计时|(?<!\d)小时")),
    (PayUnit.DAY, re.compile(r"日结|日薪|天结|日工资")),
    (PayUnit.YEAR, re.compile(r"年薪|年收入")),
    (PayUnit.MONTH, re.compile(r"月")),
)


def parse_pay(text: str) -> Pay | None:
    """Read pay out of words; None when they hold neither a figure nor a word for pay without one.

    Understands thousands and ten thousands (千, k, 万, w), ranges, 以上 and 以下, units of time, 13薪, spoken numerals
    (三千五, 两百一天), 计件 and 面议. A bare figure is by the month; below 100 with no unit it cannot be told (20 an
    hour? 20 a day?) and is None.
    """
    words = unicodedata.normalize("NFKC", text).lower()
    words = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", words)
    words = re.sub(r"[—–−‐‑―-]+", "-", words).strip()  # every dash that a keyboard offers
    words = _SPOKEN.sub(lambda found: _spoken(found[0]), words)
    words = _HALF_SAID.sub(_said_whole, words)
    if not words:
        return None
    months = MONTHS_A_YEAR
    if found := _MONTHS.search(words):
        months = int(found[1])
        words = words[: found.start()] + words[found.end() :]
    figures = _figures(words)
    if figures is None:
        if _PIECE.search(words):
            return Pay(unit=PayUnit.PIECE)
        return Pay(unit=PayUnit.NEGOTIABLE) if _NEGOTIABLE.search(words) else None
    low, high, end = figures
    if low is not None and high is not None and low > high:
        low, high = high, low
    if re.search(r"(?:元|块)\s*/\s*件|件\s*/\s*元", words):
        return Pay(unit=PayUnit.PIECE)
    largest = max(figure for figure in (low, high) if figure is not None)
    if largest == 0:
        return Pay(unit=PayUnit.NEGOTIABLE)
    unit = _unit(words, end)
    if unit is None:
        if largest < LOWEST_YUAN_MONTH:
            return None
        unit = PayUnit.MONTH
    return Pay(unit=unit, low=low, high=high, months=months)


def _figures(words: str) -> tuple[Decimal | None, Decimal | None, int] | None:
    """Low and high of the first range, else of the first figure that is money, and where it ends."""
    if found := _RANGE.search(words):
        scale_low, scale_high = found[2] or found[4], found[4]
        low, high = _scaled(found[1], scale_low), _scaled(found[3], scale_high)
        if found[2] and not found[4] and high < low:  # 1万-2, 6千-8: the scale is said once, in front
            high = _scaled(found[3], found[2])
        return low, high, found.end()
    singles = list(_SINGLE.finditer(words))
    if not singles:
        return None
    best = next((single for single in singles if single[2] or _MONEY.match(words, single.end())), singles[0])
    figure = _scaled(best[1], best[2])
    before = words[: best.start()]
    if _AT_MOST.search(words, best.end()) or _AT_MOST_BEFORE.search(before):
        return None, figure, best.end()
    if _AT_LEAST.search(words, best.end()) or _AT_LEAST_BEFORE.search(before):
        return figure, None, best.end()
    return figure, figure, best.end()


def _unit(words: str, end: int) -> PayUnit | None:
    # The figure's own 元 stands behind `end`, so a unit close behind it is the figure's; the nearest one counts.
    near = [(found.start(), unit) for unit, pattern in _UNITS if (found := pattern.search(words, max(0, end - 1)))]
    if near:
        return min(near)[1]
    return next((unit for unit, pattern in (*_UNITS, *_UNIT_WORDS) if pattern.search(words)), None)


def _spoken(numeral: str) -> str:
    """`三千五` as 3500, `两百` as 200, `一万二` as 12000: a last digit without its unit is of the next lower one."""
    total, digit, unit = 0, 0, 10
    for sign in numeral:
        if sign == "零":
            unit = 10
        elif sign in _NUMERALS:
            digit = _NUMERALS[sign]
        else:
            unit = {"万": 10_000, "千": 1_000, "百": 100, "十": 10}[sign]
            total += (digit or 1) * unit
            digit = 0
    return str(total + digit * unit // 10)


def _said_whole(found: re.Match[str]) -> str:
    scale, digit = (part for part in found.groups()[1:] if part)
    return f"{found[1]}.{digit}{scale}"


def _scaled(figure: str, scale: str | None) -> Decimal:
    return Decimal(figure) * _SCALE[scale] if scale else Decimal(figure)
