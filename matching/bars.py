"""Bars: what keeps a person from a posting before any score is asked for.

Law first, then papers, the person's own limits, and last whether the posting is there at all. Age alone bars nobody
but a child: an age limit without a lawful reason is not applied. Unknown never bars.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from matching.market import AGE_REASONS, DEMAND_BIT, KINDS, SEXES, Flags, Floats, Market, Positions, Rows
from matching.values import DEMAND_BARRED_BY, AgeReason, Limit, Seeker, SexRequired

WORKING_AGE = 16  # 劳动法 (1994) article 15, 禁止使用童工规定 (国务院令第364号) article 2
ADULT_AGE = 18  # 劳动法 (1994) article 58
HEAVIEST_LEVEL = 4  # GB/T 3869-1997 class IV

MINORS_DEMANDS = ("heights", "heavy_lifting", "heat", "dust", "chemicals", "cold_water", "underground")
"""Demands that bar 16 and 17 year-olds: 未成年工特殊保护规定 (劳部发〔1994〕498号) article 3.

The article names grades of dust, poison, height, cold water and heat; a posting tells only that there is some, and the
strict reading is taken for children.
"""

_LIMIT_WORDS = {
    Limit.NO_HEIGHTS: "要登高",
    Limit.NO_HEAVY_LIFTING: "要搬重物",
    Limit.NO_NIGHTS: "要上夜班",
    Limit.NO_HEAT: "要耐高温",
    Limit.NO_LONG_STANDING: "要久站",
    Limit.POOR_EYESIGHT: "费眼神",
    Limit.POOR_HEARING: "要听得清",
    Limit.NO_DUST: "有粉尘",
    Limit.NO_CHEMICALS: "要碰化学品",
    Limit.NO_COLD_WATER: "要沾冷水",
}


@dataclass(frozen=True, slots=True)
class Query:
    """n rows under question: where they stand in the market, how far away they are (km, (n,)), and the day."""

    market: Market
    at: Positions
    rows: Rows
    km: Floats
    today: date

    @property
    def left(self) -> NDArray[np.int32]:
        """Places left, (n,)."""
        return self.market.left[self.at]

    def only(self, chosen: Flags) -> "Query":
        """The chosen rows alone."""
        return replace(self, at=self.at[chosen], rows=self.rows[chosen], km=self.km[chosen])

    def demands(self, demand: str) -> Flags:
        return np.asarray((self.rows["demands"] & DEMAND_BIT[demand]) != 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """`bars(seeker, query)` tells which rows are barred, (n,); `text` says why in words, given the row's position."""

    code: str
    bars: Callable[[Seeker, Query], Flags]
    text: Callable[[Seeker, Query, int], str]


def age_on(birth: date, day: date) -> int:
    """Whole years of age on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def first_barring_rule(seeker: Seeker, query: Query) -> NDArray[np.int8]:
    """Position in RULES of the first rule that bars each row, -1 where none does; shape (n,)."""
    found = np.full(len(query.rows), -1, np.int8)
    for place, rule in enumerate(RULES):
        found[(found == -1) & rule.bars(seeker, query)] = place
    return found


def _nobody(query: Query) -> Flags:
    return np.zeros(len(query.rows), np.bool_)


def _everybody(query: Query) -> Flags:
    return np.ones(len(query.rows), np.bool_)


def _is_child(seeker: Seeker, query: Query) -> Flags:
    return _everybody(query) if age_on(seeker.birth_date, query.today) < WORKING_AGE else _nobody(query)


def _is_minor(seeker: Seeker, query: Query) -> bool:
    return age_on(seeker.birth_date, query.today) < ADULT_AGE


def _level_iv(seeker: Seeker, query: Query) -> Flags:
    if _is_minor(seeker, query) or seeker.sex == SexRequired.FEMALE:
        return np.asarray(query.rows["level"] == HEAVIEST_LEVEL)
    return _nobody(query)


def _underground(seeker: Seeker, query: Query) -> Flags:
    return query.demands("underground") if seeker.sex == SexRequired.FEMALE else _nobody(query)


def _hazard_for_minors(seeker: Seeker, query: Query) -> Flags:
    if not _is_minor(seeker, query):
        return _nobody(query)
    bits = sum(DEMAND_BIT[demand] for demand in MINORS_DEMANDS)
    return np.asarray((query.rows["demands"] & bits) != 0)


def _age_limit(reason: AgeReason) -> Callable[[Seeker, Query], Flags]:
    def bars(seeker: Seeker, query: Query) -> Flags:
        age = age_on(seeker.birth_date, query.today)
        low, high = query.rows["age_min"], query.rows["age_max"]
        outside = ((low >= 0) & (age < low)) | ((high >= 0) & (age > high))
        return np.asarray(outside & (query.rows["age_reason"] == AGE_REASONS.index(reason)))

    return bars


def _age_limit_text(why: str) -> Callable[[Seeker, Query, int], str]:
    def text(_seeker: Seeker, query: Query, at: int) -> str:
        return f"{why}：{age_words(query, at)}"

    return text


def age_words(query: Query, at: int) -> str:
    """The ages that a row asks for, in words."""
    low, high = int(query.rows["age_min"][at]), int(query.rows["age_max"][at])
    if low >= 0 and high >= 0:
        return f"{low}到{high}岁"
    return f"{high}岁以下" if high >= 0 else f"{low}岁以上"


def _other_sex(seeker: Seeker, query: Query) -> Flags:
    if seeker.sex is None:
        return _nobody(query)
    asked = query.rows["sex"]
    return np.asarray((asked >= 0) & (asked != SEXES.index(SexRequired(seeker.sex))))


def _lacks_certificate(seeker: Seeker, query: Query) -> Flags:
    lacking = np.array([not needed <= seeker.certificates for needed in query.market.certificate_sets], np.bool_)
    return np.asarray(lacking[query.rows["certificates"]])


def _certificate_text(seeker: Seeker, query: Query, at: int) -> str:
    needed = query.market.certificate_sets[query.rows["certificates"][at]]
    return f"要先有{'、'.join(sorted(needed - seeker.certificates))}"


def _limit_rule(limit: Limit) -> Rule:
    demand = DEMAND_BARRED_BY[limit]

    def bars(seeker: Seeker, query: Query) -> Flags:
        return query.demands(demand) if limit in seeker.limits else _nobody(query)

    return Rule(f"limit_{limit}", bars, lambda *_: f"这活{_LIMIT_WORDS[limit]}，您说过不行")


def _ends_too_late(seeker: Seeker, query: Query) -> Flags:
    return _nobody(query) if seeker.home_by is None else np.asarray(query.rows["ends_at"] > seeker.home_by)


def _home_by_text(seeker: Seeker, query: Query, at: int) -> str:
    # The rule has barred the row, so the person has named an hour.
    return f"这活{_clock(float(query.rows['ends_at'][at]))}才下班，您{_clock(seeker.home_by or 0.0)}前要到家"


def _clock(hour: float) -> str:
    """An hour of the day as people say it: 18点, 18点半, 18点15分."""
    hours, minutes = divmod(round(hour * 60), 60)
    return f"{hours}点" + {0: "", 30: "半"}.get(minutes, f"{minutes}分")


def _other_kind(seeker: Seeker, query: Query) -> Flags:
    if not seeker.kinds:
        return _nobody(query)
    wanted = np.array([kind in seeker.kinds for kind in KINDS], np.bool_)
    return np.asarray(~wanted[query.rows["kind"]])


RULES = (
    Rule("under_working_age", _is_child, lambda *_: f"未满{WORKING_AGE}周岁，法律不许招用"),
    Rule("hazard_level_iv", _level_iv, lambda *_: "第四级体力劳动，法律不许安排女职工和未成年工"),
    Rule("hazard_underground", _underground, lambda *_: "矿山井下作业，法律不许安排女职工"),
    Rule("hazard_minor", _hazard_for_minors, lambda *_: f"未满{ADULT_AGE}周岁，法律不许安排这类有危险的活"),
    Rule("age_statutory_hazard", _age_limit(AgeReason.STATUTORY_HAZARD), _age_limit_text("法规对这类作业限定年龄")),
    Rule("age_licence", _age_limit(AgeReason.LICENCE_AGE), _age_limit_text("法定从业资格限定年龄")),
    Rule("sex_statutory", _other_sex, lambda *_: "法律对这类作业限定性别"),
    Rule("certificate", _lacks_certificate, _certificate_text),
    *(_limit_rule(limit) for limit in Limit),
    Rule("home_by", _ends_too_late, _home_by_text),
    Rule("closed", lambda _, query: ~query.market.is_open[query.at], lambda *_: "这个岗位已经结束"),
    Rule(
        "expired",
        lambda _, query: np.asarray(query.rows["valid_until"] < query.today.toordinal()),
        lambda *_: "这个岗位过了有效期",
    ),
    Rule("full", lambda _, query: query.left <= 0, lambda *_: "这个岗位已经招满"),
    Rule(
        "too_far",
        lambda seeker, query: query.km > seeker.max_km,
        lambda seeker, query, at: f"离您{query.km[at]:.1f}公里，超过{seeker.max_km:g}公里",
    ),
    Rule("kind", _other_kind, lambda *_: "不是您要的那种工（全职、兼职、零工等）"),
)
"""All rules, in the order in which they are asked; the first that bars is the one that is told."""
