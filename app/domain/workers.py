"""People looking for work: closed lists, and what follows from an age.

Age bars almost nothing: "older" leads a list, "over-age" changes the cover a person needs, and only minors are kept
from work that the law calls hazardous. Nobody is turned away for being old.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

WORKING_AGE = 16  # 劳动法 (1994) article 15
ADULT_AGE = 18  # 劳动法 (1994) article 58: 16-17 are minors at work (未成年工)


class Sex(StrEnum):
    """As on the identity card."""

    MALE = "male"
    FEMALE = "female"

    @property
    def label(self) -> str:
        return {"male": "男", "female": "女"}[self.value]


class Limit(StrEnum):
    """What a person has said they cannot do; never shown to an employer."""

    NO_HEIGHTS = "no_heights"
    NO_HEAVY_LIFTING = "no_heavy_lifting"
    NO_NIGHTS = "no_nights"
    NO_HEAT = "no_heat"
    NO_LONG_STANDING = "no_long_standing"
    POOR_EYESIGHT = "poor_eyesight"
    POOR_HEARING = "poor_hearing"
    NO_DUST = "no_dust"
    NO_CHEMICALS = "no_chemicals"
    NO_COLD_WATER = "no_cold_water"

    @property
    def label(self) -> str:
        return _LIMIT_LABELS[self]


_LIMIT_LABELS = {
    Limit.NO_HEIGHTS: "不能登高",
    Limit.NO_HEAVY_LIFTING: "不能搬重物",
    Limit.NO_NIGHTS: "不上夜班",
    Limit.NO_HEAT: "怕热",
    Limit.NO_LONG_STANDING: "不能久站",
    Limit.POOR_EYESIGHT: "眼神不好",
    Limit.POOR_HEARING: "耳朵不好",
    Limit.NO_DUST: "怕粉尘",
    Limit.NO_CHEMICALS: "不沾化学品",
    Limit.NO_COLD_WATER: "不能沾冷水",
}


class Status(StrEnum):
    """What a person is registered as; each has a validity and evidence."""

    REGISTERED_UNEMPLOYED = "registered_unemployed"
    POVERTY_ALLEVIATED = "poverty_alleviated"
    MONITORED = "monitored"
    LOW_INCOME = "low_income"
    DISABLED = "disabled"
    ZERO_EMPLOYMENT_HOUSEHOLD = "zero_employment_household"
    HARD_TO_EMPLOY = "hard_to_employ"

    @property
    def label(self) -> str:
        return _STATUS_LABELS[self]


_STATUS_LABELS = {
    Status.REGISTERED_UNEMPLOYED: "登记失业",
    Status.POVERTY_ALLEVIATED: "脱贫人口",
    Status.MONITORED: "防止返贫监测对象",
    Status.LOW_INCOME: "低保",
    Status.DISABLED: "残疾",
    Status.ZERO_EMPLOYMENT_HOUSEHOLD: "零就业家庭",
    Status.HARD_TO_EMPLOY: "就业困难人员",
}


class Evidence(StrEnum):
    """How a status is known."""

    SELF_DECLARED = "self_declared"
    CERTIFIED = "certified"

    @property
    def label(self) -> str:
        return {"self_declared": "本人说的", "certified": "有证明"}[self.value]


class Priority(StrEnum):
    """Order where places are scarce (plan 8.9): poverty-alleviated people, then the hard to employ, then the rest."""

    POVERTY_ALLEVIATED = "poverty_alleviated"
    HARD_TO_EMPLOY = "hard_to_employ"
    NONE = "none"


class Education(StrEnum):
    """Highest schooling, lowest first."""

    NONE = "none"
    PRIMARY = "primary"
    JUNIOR = "junior"
    SENIOR = "senior"
    VOCATIONAL = "vocational"
    COLLEGE = "college"
    BACHELOR = "bachelor"

    @property
    def label(self) -> str:
        return {
            "none": "没上过学",
            "primary": "小学",
            "junior": "初中",
            "senior": "高中",
            "vocational": "中专技校",
            "college": "大专",
            "bachelor": "本科及以上",
        }[self.value]


class WorkerOrigin(StrEnum):
    """Where a record comes from: a real roster, or the generator of the demo."""

    IMPORTED = "imported"
    GENERATED = "generated"


class RetirementClass(StrEnum):
    """The three classes of the gradual raise of the retirement age; women's class depends on the post they held."""

    MEN_60 = "men_60"
    WOMEN_55 = "women_55"
    WOMEN_50 = "women_50"


@dataclass(frozen=True, slots=True)
class _Raise:
    years: int
    first_birth_year: int
    months_a_step: int
    most_months: int


# 全国人民代表大会常务委员会关于实施渐进式延迟法定退休年龄的决定 (2024-09-13), 办法 articles 1-2 and the tables annexed
_RAISES = {
    RetirementClass.MEN_60: _Raise(60, 1965, 4, 36),
    RetirementClass.WOMEN_55: _Raise(55, 1970, 4, 36),
    RetirementClass.WOMEN_50: _Raise(50, 1975, 2, 60),
}


def age_on(birth: date, day: date) -> int:
    """Whole years of age on `day`; born on 29 February, one ages on 1 March of a common year (民法典 art. 201)."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def retirement_on(birth: date, retirement_class: RetirementClass) -> date:
    """First day of the month after which the person is over the statutory retirement age, told as the birthday month.

    Source: the standing committee's decision of 2024-09-13: from 2025 men's 60 and women's 55 rise by a month for
    every four months of later birth to 63 and 58, women's 50 by a month for every two months to 55.
    """
    step = _RAISES[retirement_class]
    later = (birth.year - step.first_birth_year) * 12 + birth.month - 1
    delay = 0 if later < 0 else min(step.most_months, later // step.months_a_step + 1)
    months = birth.year * 12 + birth.month - 1 + step.years * 12 + delay
    return _same_day(months // 12, months % 12 + 1, birth.day)


def is_over_age(birth: date, *, sex: Sex, day: date) -> bool:
    """Whether the person is past the statutory retirement age on `day` (超龄).

    For women the class of their former post is not known here; the later age (55→58) is taken, so that nobody is
    treated as retired too early.
    """
    retirement_class = RetirementClass.MEN_60 if sex is Sex.MALE else RetirementClass.WOMEN_55
    return day >= retirement_on(birth, retirement_class)


def is_minor(birth: date, day: date) -> bool:
    """Whether the person is 16 or 17 on `day`: may work, but not hazardously (劳动法 articles 58, 64)."""
    return WORKING_AGE <= age_on(birth, day) < ADULT_AGE


def may_work(birth: date, day: date) -> bool:
    """Whether the person is old enough to be employed at all on `day` (劳动法 art. 15; 禁止使用童工规定 art. 2)."""
    return age_on(birth, day) >= WORKING_AGE


def priority_of(statuses: frozenset[Status]) -> Priority:
    """The class in which a person with these statuses stands where places are scarce (plan 8.9)."""
    if Status.POVERTY_ALLEVIATED in statuses or Status.MONITORED in statuses:
        return Priority.POVERTY_ALLEVIATED
    hard = {Status.HARD_TO_EMPLOY, Status.DISABLED, Status.ZERO_EMPLOYMENT_HOUSEHOLD, Status.LOW_INCOME}
    return Priority.HARD_TO_EMPLOY if hard & statuses else Priority.NONE


def _same_day(year: int, month: int, day: int) -> date:
    while True:
        try:
            return date(year, month, day)
        except ValueError:  # the month is shorter: its last day
            day -= 1
