"""Reasons and cautions in plain Chinese, from the parts that moved a posting's rank most.

A reason is told when its part lies above what is usual; they stand by how much they moved the score. A caution is told
whenever something may disappoint, whatever it did to the rank.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from matching.bars import age_on
from matching.market import expected_pay
from matching.scores import PROGRAMME_FIRST
from matching.skills import character_pairs, pieces_of
from matching.values import EDUCATION_RANK, Demand, Kind, Opening, Place, Precision, Priority, Reason, Seeker
from matching.weights import Weights

MOST_REASONS = 4

USUAL: Mapping[str, float] = {
    "skill": 0.3,
    "experience": 0.7,
    "education": 0.75,
    "room": 0.6,
    "reply": 0.5,
    "trust": 0.3,
    "programme": 0.5,
    "pay": 0.45,
    "near": 0.3,
    "start": 0.6,
    "keep": 0.4,
    "insurance": 0.4,
    "kind": 0.8,
    "ease": 0.6,
    "hours": 0.6,
    "open_to_all": 1.0,
}
"""Where a part says nothing for or against a posting; a reason begins above it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One posting before one person: what the words are made from. `usual_pay` in yuan a month; `parts` in 0-1."""

    seeker: Seeker
    opening: Opening
    nearest: Place
    km: float
    left: int
    parts: Mapping[str, float]
    usual_pay: float
    weights: Weights
    today: date

    @property
    def age(self) -> int:
        """Whole years of age."""
        return age_on(self.seeker.birth_date, self.today)

    @property
    def pay(self) -> float | None:
        """The low end of the pay window, or the high one where only that is known."""
        low = self.opening.pay_min_yuan_month
        return self.opening.pay_max_yuan_month if low is None else low


def reasons_for(case: Case) -> tuple[Reason, ...]:
    """At least one and at most four reasons, those that moved the score most first."""
    found: list[tuple[float, int, Reason]] = []
    for part, tell in _REASONS.items():
        above = case.parts[part] - USUAL[part]
        if above > 0 and (reason := tell(case)) is not None:
            found.append((-_pull(case, part, above), len(found), reason))
    found.sort()
    return tuple(reason for _, _, reason in found[:MOST_REASONS]) or (Reason("distance", _distance(case)),)


def cautions_for(case: Case) -> tuple[Reason, ...]:
    """Whatever may disappoint, in the order in which it would."""
    return tuple(caution for tell in _CAUTIONS if (caution := tell(case)) is not None)


def _pull(case: Case, part: str, above: float) -> float:
    """How much of the score a part carries above what is usual."""
    if part == "skill":
        floor = case.weights.skill_floor
        return (1 - floor) * above / (floor + (1 - floor) * case.parts["skill"])
    shares = case.weights.chance if hasattr(case.weights.chance, part) else case.weights.worth
    return float(getattr(shares, part)) * above


def _distance(case: Case) -> str:
    if Precision.DISTRICT in (case.opening.place.precision, case.nearest.precision):
        return f"大约离{_whose(case)}{case.km:.0f}公里"
    if case.km < 1:
        # From one township's centre to itself is no distance: only the township is known.
        by_centre = Precision.TOWNSHIP in (case.opening.place.precision, case.nearest.precision)
        same = case.opening.place.township is not None and case.opening.place.township == case.nearest.township
        return "就在本乡镇" if by_centre and same else f"离{_whose(case)}不到1公里"
    return f"离{_whose(case)}{case.km:.1f}公里"


def _whose(case: Case) -> str:
    return "家" if case.nearest == case.seeker.places[0] else "您现在住处"


def _near(case: Case) -> Reason:
    return Reason("near_home" if _whose(case) == "家" else "near_current", _distance(case))


def _skill(case: Case) -> Reason | None:
    wants, occupation = case.seeker.wants, case.opening.occupation
    if frozenset(pieces_of(case.opening.title)) & frozenset(pieces_of(case.seeker.skills_text)):
        return Reason("words_match", "正是您说的活")
    # The part may stand above the usual for the occupation's sake alone; only words that meet are told as meeting.
    words_meet = character_pairs(case.opening.title) & character_pairs(case.seeker.skills_text)
    if occupation in wants:
        # One code holds many jobs: who said 养猪 is not told that 养牛 is the very thing.
        very = "正是您要找的活" if words_meet or not case.seeker.skills_text else "是您要找的这一类活"
        place = wants.index(occupation)
        return Reason("wanted_work", very if place == 0 else f"是您要找的第{place + 1}种活")
    if wants and occupation and case.parts["skill"] >= 0.5:
        return Reason("close_work", "和您要找的活相近")
    return Reason("words_match", "和您说的活对得上") if words_meet else None


def _pay(case: Case) -> Reason | None:
    if case.pay is None:
        return None
    asked = case.seeker.pay_min_yuan_month
    if asked:
        if case.pay < asked:
            return None
        whole = _WHOLE_MONTH.get(Kind(case.opening.kind))
        return Reason("pay_meets", f"{whole}够您要的{asked:.0f}元" if whole else f"工资够您要的{asked:.0f}元")
    return Reason("pay_good", "工资比这一行一般的高") if case.pay > case.usual_pay else None


# Where nobody promises a full month of work, the figure by the month holds for a full one only: so the words say that.
_WHOLE_MONTH: Mapping[Kind, str] = {
    Kind.DAY_LABOUR: "天天有活，做满一个月",
    Kind.SEASONAL: "做满一个月",
    Kind.PART_TIME: "钟点做满，一个月",
}


def _start(case: Case) -> Reason | None:
    starts = case.opening.starts_on
    if starts is None or _starts_before_free(case):
        return None
    if starts <= case.today:
        return Reason("start_now", "现在就能上岗")
    return Reason("start_fits", f"{starts.month}月{starts.day}日上岗，赶得上")


def _starts_before_free(case: Case) -> bool:
    """Whether the work begins before the person, who is not free yet, can."""
    starts, can = case.opening.starts_on, case.seeker.available_on
    return starts is not None and can is not None and can > case.today and starts < can


def _keep(case: Case) -> Reason | None:
    words = {(True, True): "包吃包住", (True, False): "管饭", (False, True): "管住"}
    told = words.get((bool(case.opening.meals), bool(case.opening.lodging)))
    return None if told is None else Reason("keep", told)


def _programme(case: Case) -> Reason | None:
    if Kind(case.opening.kind) not in PROGRAMME_FIRST:
        return None
    whom = {Priority.POVERTY_ALLEVIATED: "脱贫人口", Priority.HARD_TO_EMPLOY: "就业困难人员"}
    told = whom.get(Priority(case.seeker.priority))
    return None if told is None else Reason("programme_first", f"优先安排{told}")


_REASONS: Mapping[str, Callable[[Case], Reason | None]] = {
    "near": _near,
    "skill": _skill,
    "pay": _pay,
    "programme": _programme,
    "keep": _keep,
    "room": lambda case: Reason("room", f"还招{case.left}人") if case.left > 1 else None,
    "reply": lambda _: Reason("replies", "这家单位常回话"),
    "insurance": lambda _: Reason("insured", "有保险"),
    "ease": lambda case: Reason("light_work", "活不重") if case.opening.physical_level in (1, 2) else None,
    "start": _start,
    "trust": lambda _: Reason("verified", "单位核实过"),
    "hours": lambda case: None if case.seeker.home_by is None else Reason("home_in_time", "下班赶得上回家"),
    # Above the usual is not yet enough: 8 of 10 years come near.
    "experience": lambda case: (
        Reason("experience_fits", "工龄够")
        if case.opening.experience_years_min and case.parts["experience"] == 1
        else None
    ),
    "education": lambda case: (
        Reason("education_fits", "学历够") if EDUCATION_RANK[case.opening.education or "none"] else None
    ),
}


def _age_limit(case: Case) -> Reason | None:
    low, high = case.opening.age_min, case.opening.age_max
    if case.opening.age_reason is not None:
        return None
    if high is not None and case.age > high:
        return Reason("age_cap_unlawful", f"雇主注明{high}岁以下，没有法定理由，可先打电话")
    if low is not None and case.age < low:
        return Reason("age_floor", f"雇主注明{low}岁以上，可先打电话")
    return None


def _pay_doubt(case: Case) -> Reason | None:
    if not case.pay:
        return Reason("pay_unknown", "工资没写清，先问明白")
    asked = case.seeker.pay_min_yuan_month
    expected = expected_pay(case.opening.pay_min_yuan_month, case.opening.pay_max_yuan_month)
    if expected > case.weights.bait_multiple * max(case.usual_pay, asked or 0):
        return Reason("pay_doubtful", "工资高得不寻常，小心上当，莫先交钱")
    if asked and case.pay < asked:
        short = f"比您要的少{asked - case.pay:.0f}元"
        whole = _WHOLE_MONTH.get(Kind(case.opening.kind))
        return Reason("pay_below", f"就算{whole}也{short}" if whole else f"工资{short}")
    return None


def _far(case: Case) -> Reason | None:
    if case.parts["near"] >= 0.2:
        return None
    return Reason("far", f"{_distance(case)}，{'天天来回难' if case.parts['commute'] < 1 else '路远'}")


def _rough_place(case: Case) -> Reason | None:
    rough = case.opening.place.precision == Precision.DISTRICT
    if not rough:
        return None
    known = "距离是大概的" if case.opening.place.township else "只知道在哪个区县"
    return Reason("place_rough", f"{known}，先问清地点")


def _start_doubt(case: Case) -> Reason | None:
    starts, can = case.opening.starts_on, case.seeker.available_on
    if starts is None:
        return None
    if can is not None and _starts_before_free(case):
        return Reason("starts_before", f"{starts.month}月{starts.day}日就要人，您{can.month}月{can.day}日才得空")
    if starts > max(can or case.today, case.today) + timedelta(days=30):
        return Reason("starts_late", f"要到{starts.year}年{starts.month}月{starts.day}日才开工")
    return None


def _experience_short(case: Case) -> Reason | None:
    asked, have = case.opening.experience_years_min, case.seeker.experience_years
    if asked and have is not None and have < asked:
        return Reason("experience_short", f"要{asked:g}年工龄")
    return None


def _education_short(case: Case) -> Reason | None:
    asked, have = case.opening.education, case.seeker.education
    if asked is not None and have is not None and EDUCATION_RANK[have] < EDUCATION_RANK[asked]:
        return Reason("education_short", f"学历写的是{_EDUCATION_WORDS[asked]}")
    return None


_EDUCATION_WORDS = {
    "none": "不限",
    "primary": "小学",
    "junior": "初中",
    "senior": "高中",
    "vocational": "中专技校",
    "college": "大专",
    "bachelor": "本科",
}

_CAUTIONS: tuple[Callable[[Case], Reason | None], ...] = (
    _age_limit,
    _pay_doubt,
    _far,
    _rough_place,
    _experience_short,
    _education_short,
    _start_doubt,
    lambda case: Reason("nights", "有夜班") if Demand.NIGHTS in case.opening.demands else None,
    lambda case: Reason("heavy", "活比较重") if (case.opening.physical_level or 0) >= 3 else None,
    lambda case: (
        Reason("home_tight", "下班赶回家时间紧")
        if case.seeker.home_by is not None and case.opening.ends_at_hour is not None and case.parts["hours"] < 0.25
        else None
    ),
    lambda case: Reason("crowded", "推荐去的人多，名额少") if case.opening.sent >= 2 * max(case.left, 1) else None,
    lambda case: Reason("not_insured", "没有保险") if case.opening.insurance is False else None,
    lambda case: None if case.opening.verified else Reason("not_verified", "单位还没核实"),
)
