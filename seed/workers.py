"""Generates the demo's workers: profiles, statuses and identities of people who do not exist.

Nothing here touches the database; `demo` writes the rows. What one must never mend: the ID numbers carry a wrong check
digit on purpose, so that none of them can be anybody's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from app.domain.identities import id_check
from app.domain.pay import PAID_DAYS_A_MONTH, PAID_HOURS_A_DAY, PayUnit
from app.domain.postings import PostingKind
from app.domain.workers import Education, Evidence, Limit, Sex, Status, WorkerOrigin, age_on, is_over_age
from app.store.areas import Area
from app.store.occupations import Occupation
from seed.dice import Dice, Urn
from seed.postings import Township, unreachable_phone
from seed.trades import WORKS, Setting, Work

Row = dict[str, Any]

YOUNGEST, OLDEST = 16, 72
_CENTRAL = "中心城区"
_HOME_WEIGHTS: dict[Setting, float] = {"city": 0.5, "town": 1.6, "township": 3, "mountain": 2.2}
_AWAY_SHARE = 0.6  # of those of an age to go: works in another province
_IN_TOWN_SHARE = 0.15  # works in the central city
_LATEST_AWAY = 62
_GROWN_UP = 18  # for driving and for work that needs a licence

# Where people from Chongqing go: prefectures, weights by judgement.
_AWAY: dict[str, float] = {
    "441900": 10,  # 东莞
    "440300": 9,  # 深圳
    "440100": 7,  # 广州
    "440600": 5,  # 佛山
    "441300": 4,  # 惠州
    "442000": 3,  # 中山
    "330200": 6,  # 宁波
    "330300": 5,  # 温州
    "330700": 4,  # 金华
    "330100": 4,  # 杭州
    "331000": 3,  # 台州
    "350500": 5,  # 泉州
    "350200": 3,  # 厦门
    "350100": 3,  # 福州
    "320500": 4,  # 苏州
    "320200": 2,  # 无锡
    "510100": 5,  # 成都
    "520100": 2,  # 贵阳
    "530100": 3,  # 昆明
    "420100": 2,  # 武汉
    "422800": 1.5,  # 恩施
    "430100": 1,  # 长沙
    "610100": 1,  # 西安
    "130100": 0.5,  # 石家庄
    "371300": 0.5,  # 临沂
    "652300": 1,  # 昌吉
    "540100": 1,  # 拉萨
}

_SURNAMES = Urn(
    tuple("李王张刘陈杨周黄吴唐罗何谭冉向田秦蒋彭邓曾谢余廖袁程龚牟熊汪贺易邹任姚冯付汤文"),
    (9, 9, 8, 7, 7, 6, 6, 4, 4, 3, 3, 3, 3, 3, 3, 2.5, 2, 2, 2, 2, 2, 2, 2, 2, 2, *(1,) * 14),
)
_GIVEN_WORDS = {
    (Sex.MALE, True): "建国 国强 德明 明华 光荣 永福 兴贵 世平 大军 天云 昌林 绍华 家富 正祥 洪 勇 军 平 成 忠",
    (Sex.MALE, False): "小波 俊杰 浩 鹏 超 磊 涛 伟 健 杰 海涛 志远 宇航 鑫 文博 毅 凯 亮 明阳 子豪",
    (Sex.FEMALE, True): "秀英 玉兰 素芳 碧容 清秀 桂珍 天碧 光琼 世菊 永淑 德群 小琴 华 芳 琼 英 群 珍 淑华 昌蓉",
    (Sex.FEMALE, False): "婷 丽 敏 静 雪梅 燕 娟 红 艳 小芳 佳怡 雨涵 倩 丹 莉 欣 梦琪 春燕 晓霞 海燕",
}
_GIVEN = {whose: words.split() for whose, words in _GIVEN_WORDS.items()}
_NAMES_CHANGED_IN = 1985

_SCHOOLING = (
    (1965, ((Education.NONE, 0.12), (Education.PRIMARY, 0.55), (Education.JUNIOR, 0.28), (Education.SENIOR, 0.05))),
    (
        1975,
        ((Education.PRIMARY, 0.42), (Education.JUNIOR, 0.46), (Education.SENIOR, 0.1), (Education.VOCATIONAL, 0.02)),
    ),
    (1985, ((Education.PRIMARY, 0.16), (Education.JUNIOR, 0.6), (Education.SENIOR, 0.14), (Education.VOCATIONAL, 0.1))),
    (
        9999,
        (
            (Education.JUNIOR, 0.42),
            (Education.SENIOR, 0.18),
            (Education.VOCATIONAL, 0.24),
            (Education.COLLEGE, 0.13),
            (Education.BACHELOR, 0.03),
        ),
    ),
)

# Chance of each limit from 55 on; half of it from 45 on, a fifth before.
_LIMITS: tuple[tuple[Limit, float], ...] = (
    (Limit.NO_HEAVY_LIFTING, 0.3),
    (Limit.NO_HEIGHTS, 0.28),
    (Limit.NO_NIGHTS, 0.22),
    (Limit.POOR_EYESIGHT, 0.14),
    (Limit.NO_LONG_STANDING, 0.12),
    (Limit.NO_HEAT, 0.1),
    (Limit.POOR_HEARING, 0.06),
    (Limit.NO_COLD_WATER, 0.06),
    (Limit.NO_DUST, 0.05),
    (Limit.NO_CHEMICALS, 0.04),
)
_REACH = Urn((5, 10, 15, 20, 30, 50, 80, 150), (0.08, 0.18, 0.15, 0.17, 0.22, 0.11, 0.06, 0.03))
_MONTHLY = {
    PayUnit.MONTH: 1.0,
    PayUnit.DAY: float(PAID_DAYS_A_MONTH),
    PayUnit.HOUR: float(PAID_DAYS_A_MONTH) * PAID_HOURS_A_DAY,
}
_KIND_WISHES: tuple[tuple[tuple[PostingKind, ...], float], ...] = (
    ((), 0.72),
    ((PostingKind.FULL_TIME,), 0.1),
    ((PostingKind.FULL_TIME, PostingKind.WORKSHOP, PostingKind.PUBLIC_WELFARE), 0.06),
    ((PostingKind.PART_TIME, PostingKind.DAY_LABOUR, PostingKind.SEASONAL), 0.12),
)
_EASILY_GOT = frozenset({"健康证", "保安员证"})


@dataclass
class Population:
    """Generated workers as rows; `worker_id` in statuses and identities is a position in `workers`.

    Args:
        townships: where they are at home.
        areas: by code, for where they work now; a code that is not in it is not used.
        occupations: by code, with their certificates and lanes.
        poor_districts: former poverty counties, whose people are poverty-alleviated more often.
        dice: the only source of chance.
        now: when all this is looked at; nobody is recorded later.
        today: the date in China.
    """

    townships: Sequence[Township]
    areas: Mapping[str, Area]
    occupations: Mapping[str, Occupation]
    poor_districts: Collection[str]
    dice: Dice
    now: datetime
    today: date
    workers: list[Row] = field(default_factory=list)
    statuses: list[Row] = field(default_factory=list)
    identities: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._homes = Urn(
            self.townships,
            [
                _HOME_WEIGHTS[each.setting] * (0.5 if each.district.subregion == _CENTRAL else 1)
                for each in self.townships
            ],
        )
        away = {code: weight for code, weight in _AWAY.items() if code in self.areas}
        self._away = Urn(list(away), list(away.values()))
        self._in_town = sorted({each.district.code for each in self.townships if each.district.subregion == _CENTRAL})
        self._works: dict[tuple[Sex, str], Urn[Work]] = {}
        self._light = Urn(WORKS, [sum(work.weights) if self.occupations[work.code].lanes else 0 for work in WORKS])
        self._numbers: dict[tuple[str, date], int] = {}

    def fill(self, workers: int) -> None:
        """Generate so many people."""
        for _ in range(workers):
            self._add_worker()

    def _add_worker(self) -> None:
        dice = self.dice
        home = self._homes.draw(dice)
        sex = Sex.MALE if dice.has_luck(0.55) else Sex.FEMALE
        birth = self._birth()
        age = age_on(birth, self.today)
        current = self._current_area(age, home)
        is_away = current is not None
        works = self._works_of(sex, age)
        years = dice.between(0, max(0, min(12 if dice.has_luck(0.75) else 30, age - _GROWN_UP)))
        updated_days = dice.between(0, 200)
        created_at = self.now - timedelta(days=updated_days + dice.between(0, 300), minutes=dice.between(0, 600))
        position = len(self.workers)
        self.workers.append(
            {
                "birth_on": birth,
                "sex": sex,
                "home_area_code": home.area.code,
                "current_area_code": current,
                "skills_text": self._skills(works, years, current),
                "wants": self._wants(works, age),
                "certificates": self._certificates(works, sex, age),
                "kinds": [
                    kind.value
                    for kind in Urn([kinds for kinds, _ in _KIND_WISHES], [share for _, share in _KIND_WISHES]).draw(
                        dice
                    )
                ],
                "limits": self._limits(age),
                "pay_min_yuan_month": self._least_pay(works[0], age),
                "max_km": _REACH.draw(dice),
                "home_by": self._home_by(sex, age),
                "available_on": self._available_on(is_away=is_away),
                "education": self._education(birth),
                "experience_years": years,
                "origin": WorkerOrigin.GENERATED,
                "created_at": created_at,
                "updated_at": created_at + (self.now - created_at) * dice.throw(),
            }
        )
        self._add_statuses(position, birth=birth, sex=sex, home=home, is_away=is_away)
        self.identities.append(
            {
                "worker_id": position,
                "name": self._name(sex, birth),
                "id_number": self._impossible_id_number(home.district.code, birth, sex),
                "phone": unreachable_phone(20_000_000 + position + 1),
            }
        )

    # --- who they are -------------------------------------------------------------------------------------------------

    def _birth(self) -> date:
        """A birth date that makes them 16 to 72 today; three in four are 35 to 62."""
        dice = self.dice
        age = dice.between(YOUNGEST, 34) if dice.has_luck(0.12) else round(dice.bell(49, 8.5))
        age = min(OLDEST, max(YOUNGEST, age))
        latest = _years_before(self.today, age)
        return latest - timedelta(days=dice.between(0, 364))

    def _name(self, sex: Sex, birth: date) -> str:
        return _SURNAMES.draw(self.dice) + self.dice.pick(_GIVEN[sex, birth.year < _NAMES_CHANGED_IN])

    def _impossible_id_number(self, district_code: str, birth: date, sex: Sex) -> str:
        """18 characters that look like an ID number and whose check digit is wrong (GB 11643-1999): nobody bears it."""
        at = self._numbers[district_code, birth] = self._numbers.get((district_code, birth), 0) + 1
        sequence = 2 * at + (1 if sex is Sex.MALE else 0)  # odd for men
        body = f"{district_code}{birth:%Y%m%d}{sequence:03d}"
        digits = "0123456789X"
        right = digits.index(id_check(body))
        return body + digits[(right + self.dice.between(1, 10)) % len(digits)]

    def _education(self, birth: date) -> Education:
        shares = next(shares for before, shares in _SCHOOLING if birth.year < before)
        return Urn([level for level, _ in shares], [share for _, share in shares]).draw(self.dice)

    def _current_area(self, age: int, home: Township) -> str | None:
        """A prefecture elsewhere, a district of the central city, or None for somebody who is at home."""
        if age > _LATEST_AWAY:
            return None
        luck = self.dice.throw()
        if luck < _AWAY_SHARE:
            return self._away.draw(self.dice)
        if luck < _AWAY_SHARE + _IN_TOWN_SHARE and home.district.subregion != _CENTRAL:
            return self.dice.pick(self._in_town)
        return None

    # --- what they can and want ---------------------------------------------------------------------------------------

    def _works_of(self, sex: Sex, age: int) -> list[Work]:
        """What they have done, most recent first: one kind of work, for two in five another one."""
        band = "young" if age < _GROWN_UP + 2 else "older" if age >= 50 else "prime"
        if (sex, band) not in self._works:
            weights = [
                0
                if band == "young" and (work.experience or work.ages)
                else sum(work.weights)
                * (work.women if sex is Sex.FEMALE else 1 - work.women)
                * (2 if band == "older" and self.occupations[work.code].lanes else 1)
                for work in WORKS
            ]
            self._works[sex, band] = Urn(WORKS, weights)
        urn = self._works[sex, band]
        works = [urn.draw(self.dice)]
        if self.dice.has_luck(0.4):
            another = urn.draw(self.dice)
            if another.code != works[0].code:
                works.append(another)
        return works

    def _skills(self, works: Sequence[Work], years: int, current: str | None) -> str:
        """In their own words, as they would tell a broker."""
        dice = self.dice
        said = [dice.pick(work.said) for work in works]
        where = self.areas[current].short_name if current and said[0][0] not in "会有在" and dice.has_luck(0.5) else ""
        first = f"在{where}{said[0]}" if where else said[0]
        if years:
            first += dice.pick((f"，{years}年", f"，干了{years}年", f"，有{years}年了", ""))
        return "；".join((first, *said[1:]))

    def _wants(self, works: Sequence[Work], age: int) -> list[str]:
        """Occupation codes, best first: what they did, and from 50 on something lighter; none: whatever there is."""
        if self.dice.has_luck(0.05):
            return []
        wants = [work.code for work in works]
        if age >= 50 and self.dice.has_luck(0.6):
            wants.append(self._light.draw(self.dice).code)
        return list(dict.fromkeys(wants))

    def _certificates(self, works: Sequence[Work], sex: Sex, age: int) -> list[str]:
        if age < _GROWN_UP:
            return []
        held = {
            certificate
            for work in works
            for certificate in (
                self.occupations[work.code].certificates if work.certificates is None else work.certificates
            )
            if self.dice.has_luck(0.6 if certificate in _EASILY_GOT else 0.85)
        }
        if self.dice.has_luck(0.35 if sex is Sex.MALE else 0.1):
            held.add("C1")
        return sorted(held)

    def _limits(self, age: int) -> list[str]:
        share = 1.0 if age >= 55 else 0.5 if age >= 45 else 0.2
        return [limit.value for limit, chance in _LIMITS if self.dice.has_luck(chance * share)]

    def _least_pay(self, work: Work, age: int) -> int | None:
        if self.dice.has_luck(0.25):
            return None
        unit, low, _ = work.pay
        share = (0.75 if age >= 55 else 0.85) + 0.25 * self.dice.throw()
        return 100 * round(low * _MONTHLY[unit] * share / 100)

    def _home_by(self, sex: Sex, age: int) -> int | None:
        """Who has children or parents to look after names an hour."""
        chance = 0.18 if sex is Sex.FEMALE and age <= 45 else 0.06
        return self.dice.between(17, 20) if self.dice.has_luck(chance) else None

    def _available_on(self, *, is_away: bool) -> date | None:
        """At home: within days; away: around the next Spring Festival, or it is not known."""
        if not self.dice.has_luck(0.6 if is_away else 0.5):
            return None
        days = self.dice.between(30, 120) if is_away else self.dice.between(0, 14)
        return self.today + timedelta(days=days)

    # --- what they are registered as ----------------------------------------------------------------------------------

    def _add_statuses(self, position: int, *, birth: date, sex: Sex, home: Township, is_away: bool) -> None:
        dice, age = self.dice, age_on(birth, self.today)
        is_poor = home.district.code in self.poor_districts
        is_alleviated = dice.has_luck(0.2 if is_poor else 0.04)
        has_low_income = dice.has_luck(0.05)
        is_disabled = dice.has_luck(0.03)
        is_unemployed = (
            not is_away
            and not is_over_age(birth, sex=sex, day=self.today)
            and dice.has_luck(0.65 if is_alleviated else 0.3)
        )
        if is_alleviated:
            # Registered as poor since 2014; the last left poverty in 2020.
            self._add_status(position, Status.POVERTY_ALLEVIATED, date(dice.between(2015, 2020), 12, 31), None)
        elif dice.has_luck(0.03 if is_poor else 0.01):
            began = self._days_ago(30, 900)
            ended = began + timedelta(days=dice.between(20, 400)) if dice.has_luck(0.3) else None
            self._add_status(position, Status.MONITORED, began, ended)
        if has_low_income:
            began = self._days_ago(10, 500)  # looked at again each year: some have run out
            self._add_status(position, Status.LOW_INCOME, began, began + timedelta(days=365))
        if is_disabled:
            began = self._days_ago(100, 3000)
            self._add_status(position, Status.DISABLED, began, began + timedelta(days=3650))
        if is_unemployed:
            began = self._days_ago(1, 300)
            self._add_status(position, Status.REGISTERED_UNEMPLOYED, began, None)
            if (age >= (50 if sex is Sex.MALE else 40) or has_low_income or is_disabled) and dice.has_luck(0.6):
                self._add_status(position, Status.HARD_TO_EMPLOY, began + timedelta(days=dice.between(0, 1)), None)
            elif dice.has_luck(0.03):
                self._add_status(position, Status.ZERO_EMPLOYMENT_HOUSEHOLD, began, None)
        elif dice.has_luck(0.06):
            began = self._days_ago(400, 900)
            self._add_status(
                position, Status.REGISTERED_UNEMPLOYED, began, began + timedelta(days=dice.between(20, 360))
            )

    def _add_status(self, position: int, status: Status, valid_from: date, valid_to: date | None) -> None:
        self.statuses.append(
            {
                "worker_id": position,
                "status": status,
                "evidence": Evidence.CERTIFIED if self.dice.has_luck(0.85) else Evidence.SELF_DECLARED,
                "valid_from": valid_from,
                "valid_to": valid_to,
            }
        )

    def _days_ago(self, fewest: int, most: int) -> date:
        return self.today - timedelta(days=self.dice.between(fewest, most))


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)
