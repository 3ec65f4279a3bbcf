"""Bars: what keeps a person from a posting before any score is asked for, in words.

Law first, then papers, the person's own limits, and last whether the posting is there at all. Age alone bars nobody
but a child: an age limit without a lawful reason is not applied. Unknown never bars. The rules themselves are compiled
with the search (`matching.search.first_bar`), in the order of `RULES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from matching.search import RULE_CODES
from matching.values import Limit, Opening, Seeker

WORKING_AGE = 16  # 劳动法 (1994) article 15, 禁止使用童工规定 (国务院令第364号) article 2
ADULT_AGE = 18  # 劳动法 (1994) article 58

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


Text = Callable[[Seeker, Opening, float], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`text` says in words why the rule bars an opening, so many km away, from a person."""

    code: str
    text: Text


def age_on(birth: date, day: date) -> int:
    """Whole years of age on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def age_words(opening: Opening) -> str:
    """The ages that a posting asks for, in words."""
    low, high = opening.age_min, opening.age_max
    if low is not None and high is not None:
        return f"{low}到{high}岁"
    return f"{low}岁以上" if high is None else f"{high}岁以下"


def _certificate_text(seeker: Seeker, opening: Opening, _km: float) -> str:
    return f"要先有{'、'.join(sorted(opening.certificates - seeker.certificates))}"


def _limit_text(limit: Limit) -> Text:
    return lambda *_: f"这活{_LIMIT_WORDS[limit]}，您说过不行"


def _home_by_text(seeker: Seeker, opening: Opening, _km: float) -> str:
    # The rule has barred the posting, so the hours of both are known.
    return f"这活{_clock(opening.ends_at_hour or 0.0)}才下班，您{_clock(seeker.home_by or 0.0)}前要到家"


def _clock(hour: float) -> str:
    """An hour of the day as people say it: 18点, 18点半, 18点15分."""
    hours, minutes = divmod(round(hour * 60), 60)
    return f"{hours}点" + {0: "", 30: "半"}.get(minutes, f"{minutes}分")


_TEXTS: dict[str, Text] = {
    "under_working_age": lambda *_: f"未满{WORKING_AGE}周岁，法律不许招用",
    "hazard_level_iv": lambda *_: "第四级体力劳动，法律不许安排女职工和未成年工",
    "hazard_underground": lambda *_: "矿山井下作业，法律不许安排女职工",
    "hazard_minor": lambda *_: f"未满{ADULT_AGE}周岁，法律不许安排这类有危险的活",
    "age_statutory_hazard": lambda _, opening, __: f"法规对这类作业限定年龄：{age_words(opening)}",
    "age_licence": lambda _, opening, __: f"法定从业资格限定年龄：{age_words(opening)}",
    "sex_statutory": lambda *_: "法律对这类作业限定性别",
    "certificate": _certificate_text,
    **{f"limit_{limit}": _limit_text(limit) for limit in Limit},
    "home_by": _home_by_text,
    "closed": lambda *_: "这个岗位已经结束",
    "expired": lambda *_: "这个岗位过了有效期",
    "full": lambda *_: "这个岗位已经招满",
    "too_far": lambda seeker, _, km: f"离您{km:.1f}公里，超过{seeker.max_km:g}公里",
    "kind": lambda *_: "不是您要的那种工（全职、兼职、零工等）",
}

RULES = tuple(Rule(code, _TEXTS[code]) for code in RULE_CODES)
"""All rules, in the order in which they are asked; the first that bars is the one that is told."""
