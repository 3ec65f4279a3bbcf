"""Generates the demo's employers and postings: 20,000 that could hang on the board of a gig market, none of them real.

Nothing here touches the database; `demo` writes the rows. What one would get wrong: the first part of the postings is
dealt out evenly, so many for each lane of each district, and only the rest follows what is offered where.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from app.domain.areas import Precision
from app.domain.employers import EmployerKind, is_social_credit_code
from app.domain.hours import hour_of_end
from app.domain.occupations import Lane
from app.domain.pay import Pay, PayUnit
from app.domain.postings import (
    Demand,
    Lack,
    PostingKind,
    PostingOrigin,
    PostingState,
    age_limits_in,
    screen,
)
from app.kit.clock import CHINA
from app.store.areas import Area
from app.store.occupations import Occupation
from seed.dice import Dice, Urn
from seed.trades import CROPS, INDUSTRIES, SETTINGS, TRADES, WORDS, WORKS, Crop, Setting, Shift, Work

Row = dict[str, Any]

LANE_FLOOR = 20
"""Open postings in each lane of each district."""
_FLOOR_SHARE = 0.8  # the most of all postings that the floor may take, so that a small demo still holds other work

_CENTRAL = "中心城区"
_PAY_LEVELS = {_CENTRAL: 1.08, "主城新区": 1.0}  # elsewhere 0.94; judgement
_MOUNTAINS_PAY = 0.94
_TOWNSHIP_WEIGHTS: dict[Setting, float] = {"city": 7, "town": 6, "township": 2.2, "mountain": 1.1}
_JITTER_KM: dict[Setting, float] = {"city": 0.7, "town": 1.2, "township": 1.5, "mountain": 1.5}
_KM_A_DEGREE = 111.195  # of latitude, on the mean sphere

# The least that is offered, and the step to which pay is rounded. The least is judgement: no minimum wage is claimed.
_PAY_STEPS = {PayUnit.MONTH: (2400, 100), PayUnit.DAY: (115, 5), PayUnit.HOUR: (23, 1)}
_HOURS_A_MONTH = 174  # 21.75 days of 8 hours, 人社部发〔2025〕2号
_PART_TIME_TAGS = ("半天", "兼职")
_PART_TIME_SHIFTS = (
    Shift("上午8:00-12:00", "半天"),
    Shift("下午13:30-17:30", "半天"),
    Shift("18:00-21:30", "晚班"),
)
_PROGRAMMES = {PostingKind.WORK_RELIEF: "8.9", PostingKind.WORKSHOP: "2.3", PostingKind.PUBLIC_WELFARE: "2.6"}
_PIECE_SHARE = {PostingKind.WORKSHOP: 0.3}
_CAPPABLE = frozenset({PostingKind.FULL_TIME, PostingKind.PART_TIME, PostingKind.DAY_LABOUR, PostingKind.SEASONAL})
_CAPS = ("年龄18-50周岁", "年龄20-45岁", "55岁以下", "不超过50岁", "年龄18-55岁", "45岁以内")
_CAP_SHARE = 0.033
_UNLAWFUL = ("限男性", "限女性", "女士优先", "只招本地户口", "男性优先")
_STATES = (
    (PostingState.OPEN, 0.925),
    (PostingState.PAUSED, 0.02),
    (PostingState.CLOSED, 0.03),
    (PostingState.REVIEW, 0.01),
    (PostingState.DRAFT, 0.015),
)
_LAPSES: tuple[tuple[Lack, Row], ...] = (
    (Lack.DUTIES, {"duties": ""}),
    (Lack.CONDITIONS, {"conditions": ""}),
    (Lack.PAY_TERMS, {"paid_by": "", "paid_when": ""}),
    (Lack.VALIDITY, {"valid_until": None}),
)


@dataclass(frozen=True, slots=True)
class Township:
    """A township with what the generator asks of it."""

    area: Area
    district: Area
    setting: Setting

    @property
    def place(self) -> str:
        """`巫山县官渡镇`; the long names of autonomous counties are shortened, as people do."""
        district = self.district
        county = district.short_name + "县" if district.name.endswith("自治县") else district.name
        return county + self.area.name

    @property
    def pay_level(self) -> float:
        return _PAY_LEVELS.get(self.district.subregion, _MOUNTAINS_PAY)


def townships_of(districts: Sequence[Area], townships: Sequence[Area]) -> list[Township]:
    """The townships with their districts and settings, in the order given."""
    by_code = {district.code: district for district in districts}
    return [
        Township(area, district, _setting(area, district))
        for area in townships
        if area.parent_code is not None and (district := by_code.get(area.parent_code)) is not None
    ]


def _setting(area: Area, district: Area) -> Setting:
    if area.kind == "街道":
        return "city" if district.subregion == _CENTRAL else "town"
    if area.kind == "镇":
        return "town" if district.subregion == _CENTRAL else "township"
    return "mountain"


def unreachable_phone(number: int) -> str:
    """A phone number that cannot ring: after 00 comes the country, and no country's code begins with 0 (ITU-T E.164).

    Eleven digits, unlike for each number below 10^8; not a mobile number by `is_mobile_phone`.
    """
    return f"000{number:08d}"


@dataclass
class Market:
    """Generated employers and postings as rows; a posting's `employer_id` is a position in `employers`.

    Args:
        townships: where the work is.
        occupations: by code, with their traits.
        dice: the only source of chance.
        now: when all this is looked at; nothing is posted later.
        today: the date in China.
        shelf_life_days: longest validity of each kind of posting.
    """

    townships: Sequence[Township]
    occupations: Mapping[str, Occupation]
    dice: Dice
    now: datetime
    today: date
    shelf_life_days: Mapping[PostingKind, int]
    employers: list[Row] = field(default_factory=list)
    postings: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._works: dict[tuple[str, Setting, Lane | None], Urn[Work]] = {}
        self._pools: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._names: set[str] = set()
        self._states = Urn([state for state, _ in _STATES], [share for _, share in _STATES])

    def fill(self, postings: int) -> None:
        """Generate so many postings, and the employers that they need.

        The floor of `LANE_FLOOR` open postings in each lane of each district is kept from 4,625 postings on (in 37
        districts); fewer postings get the same in proportion.
        """
        districts = {township.district.code: township.district for township in self.townships}
        floor = min(LANE_FLOOR, int(postings * _FLOOR_SHARE) // (len(districts) * len(Lane)))
        urns = {
            code: _township_urn([each for each in self.townships if each.district.code == code]) for code in districts
        }
        made = [
            self._posting(urns[code].draw(self.dice), lane=lane, state=PostingState.OPEN)
            for code in districts
            for lane in Lane
            for _ in range(floor)
        ]
        everywhere = _township_urn(self.townships)
        made += [
            self._posting(everywhere.draw(self.dice), lane=None, state=self._states.draw(self.dice))
            for _ in range(postings - len(made))
        ]
        self.postings += self.dice.shuffled(made)

    # --- one posting --------------------------------------------------------------------------------------------------

    def _posting(self, township: Township, *, lane: Lane | None, state: PostingState) -> Row:
        dice = self.dice
        work = self._urn(township, lane).draw(dice)
        occupation = self.occupations[work.code]
        kind = Urn([kind for kind, _ in work.kinds], [weight for _, weight in work.kinds]).draw(dice)
        crop = self._crop(work, township)
        trade = dice.pick(work.trades)
        employer_id = self._employer(township, trade)
        employer = self.employers[employer_id]
        shift = self._shift(work, kind)
        duties, conditions = (dice.pick(words).format(crop=crop) + "。" for words in (work.duties, work.conditions))
        pay, piece = self._pay(work, kind, township)
        if piece:
            conditions = f"{conditions}计件，做多少算多少，质量要合格。"
        row: Row = {
            "state": state,
            "origin": PostingOrigin.GENERATED,
            "title": self._title(work, crop, shift, township),
            "employer_id": employer_id,
            "occupation_code": work.code,
            "occupation_confidence": 1.0,
            "kind": kind,
            "area_code": township.area.code,
            "workplace": township.area.name + dice.pick(TRADES[trade].sites).format(word=dice.pick(WORDS)),
            **self._point(township),
            "duties": duties,
            "conditions": conditions,
            **self._pay_columns(pay, kind),
            **self._pay_terms(kind, trade),
            "openings": dice.between(*work.openings),
            "sent": 0,
            "hours": shift.hours,
            "ends_at_hour": hour_of_end(shift.hours),
            "starts_on": self.today + timedelta(days=dice.between(1, 15)) if dice.has_luck(0.45) else None,
            "physical_level": work.physical_level or occupation.physical_level,
            "demands": _demands(work, occupation, shift),
            "certificates": list(occupation.certificates if work.certificates is None else work.certificates),
            **self._ages(work),
            "sex_required": None,
            "education": work.education if work.education and dice.has_luck(0.5) else None,
            "experience_years_min": work.experience if work.experience and dice.has_luck(0.6) else None,
            "programme": _PROGRAMMES.get(kind),
            "meals": self._perk(work.meals),
            "lodging": self._perk(work.lodging),
            "insurance": self._perk(work.insurance),
            "phone": employer["phone"],
            "observed": "",
            "lacks": [],
            "findings": [],
            "closed_reason": "",
            "fold_key": "",
            **self._dates(kind),
        }
        if dice.has_luck(0.3):
            row["sent"] = dice.between(0, 2 * row["openings"])
        if work.ages is None and kind in _CAPPABLE and dice.has_luck(_CAP_SHARE):
            self._cap(row)
        self._bring_to_state(row)
        return row

    def _urn(self, township: Township, lane: Lane | None) -> Urn[Work]:
        key = (township.district.code, township.setting, lane)
        if key not in self._works:
            column = SETTINGS.index(township.setting)
            offered = [
                work
                for work in WORKS
                if (lane is None or lane.value in self.occupations[work.code].lanes)
                and set(work.needs) <= set(INDUSTRIES.get(township.district.code, ()))
                and (not work.crops or self._crops(work, township))
                and (not work.months or self.today.month in work.months)
            ]
            self._works[key] = Urn(offered, [work.weights[column] for work in offered])
            if not self._works[key]:
                raise LookupError(f"no work of lane {lane} for {township.setting} in {township.district.code}")
        return self._works[key]

    def _crops(self, work: Work, township: Township) -> list[Crop]:
        """Crops of the district that the work is done with; where some are gathered now, only these."""
        crops = [crop for crop in CROPS.get(township.district.code, ()) if crop.kind in work.crops]
        ripe = [crop for crop in crops if self.today.month in crop.months]
        return ripe if work.harvest else ripe or crops

    def _crop(self, work: Work, township: Township) -> str:
        return self.dice.pick(self._crops(work, township)).name if work.crops else ""

    def _shift(self, work: Work, kind: PostingKind) -> Shift:
        is_part_time = kind is PostingKind.PART_TIME
        shifts = [shift for shift in work.shifts if (shift.tag in _PART_TIME_TAGS) == is_part_time]
        return self.dice.pick(shifts or (_PART_TIME_SHIFTS if is_part_time else work.shifts))

    def _title(self, work: Work, crop: str, shift: Shift, township: Township) -> str:
        title = self.dice.pick(work.titles).format(crop=crop)
        if "（" in title:
            return title
        if shift.tag and shift.tag not in title and self.dice.has_luck(0.25):
            return f"{title}（{shift.tag}）"
        return f"{title}（{township.area.short_name}）" if self.dice.has_luck(0.08) else title

    def _point(self, township: Township) -> Row:
        """A spot near the township's centre; where only the district is known, its seat and no pretence of a spot."""
        area = township.area
        if area.precision is Precision.DISTRICT or area.lon is None or area.lat is None:
            return {"lon": area.lon, "lat": area.lat, "precision": Precision.DISTRICT}
        km = _JITTER_KM[township.setting] * math.sqrt(self.dice.throw())
        angle = 2 * math.pi * self.dice.throw()
        lat = area.lat + km * math.sin(angle) / _KM_A_DEGREE
        lon = area.lon + km * math.cos(angle) / (_KM_A_DEGREE * math.cos(math.radians(area.lat)))
        return {"lon": round(lon, 5), "lat": round(lat, 5), "precision": Precision.POINT}

    def _pay(self, work: Work, kind: PostingKind, township: Township) -> tuple[Pay, bool]:
        """Pay in its unit, and whether it goes by the piece; a part-timer is paid by the hour."""
        unit, low, high = work.pay
        if self.dice.has_luck(_PIECE_SHARE.get(kind, 0)):
            return Pay(unit=PayUnit.PIECE), True
        least, most = low * township.pay_level, high * township.pay_level
        if kind is PostingKind.PART_TIME and unit is PayUnit.MONTH:
            unit, least, most = PayUnit.HOUR, least / _HOURS_A_MONTH * 1.2, most / _HOURS_A_MONTH * 1.2
        floor, step = _PAY_STEPS[unit]
        from_yuan = least + (most - least) * 0.6 * self.dice.throw()
        to_yuan = from_yuan + (most - least) * (0.1 + 0.3 * self.dice.throw())
        low_yuan = max(floor, step * round(from_yuan / step))
        high_yuan = max(low_yuan, step * round(to_yuan / step))
        if unit is not PayUnit.MONTH and self.dice.has_luck(0.5):
            high_yuan = low_yuan
        return Pay(unit=unit, low=Decimal(low_yuan), high=Decimal(high_yuan)), False

    @staticmethod
    def _pay_columns(pay: Pay, kind: PostingKind) -> Row:
        low, high = pay.yuan_month(is_part_time=kind is PostingKind.PART_TIME)
        return {
            "pay_unit": pay.unit,
            "pay_low": pay.low,
            "pay_high": pay.high,
            "pay_months": pay.months,
            "pay_min_yuan_month": low,
            "pay_max_yuan_month": high,
        }

    def _pay_terms(self, kind: PostingKind, trade: str) -> Row:
        if kind is PostingKind.WORK_RELIEF:
            return {"paid_by": "项目部，农民工工资专用账户代发", "paid_when": "每月25日，完工一次结清"}
        if kind is PostingKind.PUBLIC_WELFARE:
            return {"paid_by": "镇街用岗位补贴资金发到本人银行卡", "paid_when": "每月底前"}
        if kind is PostingKind.DAY_LABOUR:
            return {"paid_by": "用工方", "paid_when": self.dice.pick(("做完当天结清", "当天微信转账结清", "三天一结"))}
        if kind is PostingKind.SEASONAL:
            return {"paid_by": "用工方", "paid_when": self.dice.pick(("每周六结一次", "半月一结", "做完结清"))}
        if trade == "household":
            return {"paid_by": "雇主本人", "paid_when": self.dice.pick(("做满一个月当天付", "每周日付"))}
        return {
            "paid_by": "用人单位，发到本人银行卡",
            "paid_when": f"每月{self.dice.pick((10, 15, 20, 25))}日发上月工资",
        }

    @staticmethod
    def _ages(work: Work) -> Row:
        low, high, reason, words = work.ages or (None, None, None, "")
        return {"age_min": low, "age_max": high, "age_reason": reason, "age_words": words}

    def _perk(self, chance: float) -> bool | None:
        """Given, not given, or not said."""
        return None if self.dice.has_luck(0.07) else self.dice.has_luck(chance)

    def _cap(self, row: Row) -> None:
        """Add an age cap without a lawful reason, as real listings hold them: read out of the words like an import."""
        row["conditions"] += f"{self.dice.pick(_CAPS)}。"
        row["age_min"], row["age_max"], row["age_words"] = age_limits_in(row["conditions"])

    # --- time and state -----------------------------------------------------------------------------------------------

    def _dates(self, kind: PostingKind) -> Row:
        """Posted within the last days, valid for a while yet, never beyond its kind's shelf life."""
        shelf = self.shelf_life_days[kind]
        ago = self.dice.between(0, min(20, shelf // 3))
        # The larger of two throws: a demo is looked at for some weeks.
        left = 1 + int((shelf - ago - 1) * max(self.dice.throw(), self.dice.throw()))
        posted_at = self._instant(self.today - timedelta(days=ago))
        return {
            "valid_until": self.today + timedelta(days=left),
            "posted_at": posted_at,
            "changed_at": posted_at,
        }

    def _instant(self, day: date) -> datetime:
        """An instant of a day in China's office hours, not after now."""
        clock_time = time(self.dice.between(8, 18), self.dice.between(0, 59), tzinfo=CHINA)
        return min(datetime.combine(day, clock_time), self.now)

    def _bring_to_state(self, row: Row) -> None:
        dice = self.dice
        if row["state"] is PostingState.PAUSED:
            row["changed_at"] = (row["posted_at"] + (self.now - row["posted_at"]) * dice.throw()).replace(microsecond=0)
        elif row["state"] is PostingState.CLOSED:
            days = dice.between(1, 25)
            row["valid_until"] = self.today - timedelta(days=days)
            row["starts_on"] = None
            life = timedelta(days=dice.between(1, self.shelf_life_days[row["kind"]]))
            row["posted_at"] = self._instant(row["valid_until"] - life)
            row["changed_at"] = self._instant(row["valid_until"] + timedelta(days=1))
            row["closed_reason"] = "expired"
            if dice.has_luck(0.6):
                row["openings"], row["closed_reason"] = 0, "filled"
        elif row["state"] is PostingState.REVIEW:
            row["conditions"] += f"{dice.pick(_UNLAWFUL)}。"
            row["findings"] = [
                {"code": finding.code, "words": finding.words, "text": finding.text}
                for finding in screen(row["title"], row["duties"], row["conditions"])
            ]
        elif row["state"] is PostingState.DRAFT:
            lack, blank = dice.pick(_LAPSES)
            row.update(blank)
            row["lacks"] = [lack.value]

    # --- employers ----------------------------------------------------------------------------------------------------

    def _employer(self, township: Township, trade: str) -> int:
        """An employer of the trade: one that is there, or a new one; its position.

        Firms find people for workplaces all over their district; offices, projects and households in their township.
        """
        is_firm = TRADES[trade].kind is EmployerKind.FIRM
        pool = self._pools[township.district.code if is_firm else township.area.code, trade]
        # The more there are, the rarer a new one: some end up with many postings, most with two or three.
        if not pool or trade == "household" or self.dice.has_luck(0.6 / len(pool)):
            pool.append(len(self.employers))
            self.employers.append(self._new_employer(township, trade))
            return pool[-1]
        return self.dice.pick(pool)

    def _new_employer(self, township: Township, trade: str) -> Row:
        about, dice, number = TRADES[trade], self.dice, len(self.employers) + 1
        is_office = about.kind in (EmployerKind.PUBLIC_BODY, EmployerKind.PROJECT)
        return {
            "name": self._employer_name(township, trade),
            "kind": about.kind,
            "social_credit_code": impossible_credit_code(about.credit, number) if about.credit else None,
            "industry_code": about.industry,
            "area_code": township.area.code,
            "phone": unreachable_phone(10_000_000 + number),
            "reply_rate": round(0.25 + 0.74 * dice.throw(), 2) if dice.has_luck(0.7) else None,
            "verified_on": self.today - timedelta(days=dice.between(1, 300))
            if is_office or dice.has_luck(0.88)
            else None,
            "generated": True,
        }

    def _employer_name(self, township: Township, trade: str) -> str:
        """A name that nobody bears: it holds 示例 (example), and no two are alike."""
        about = TRADES[trade]
        for attempt in range(1, 1000):
            word, suffix = self.dice.pick(WORDS), self.dice.pick(about.names)
            if about.kind is EmployerKind.HOUSEHOLD:
                name = f"{township.place}示例{suffix}{attempt}号"
            elif about.kind is EmployerKind.PROJECT or suffix == "村民委员会":
                name = f"{township.place}示例{word}村{suffix}"
            elif suffix == "社区居民委员会":
                name = f"{township.place}示例{word}{suffix}"
            else:
                name = f"{township.place}{word}示例{suffix}"
            if name not in self._names:
                self._names.add(name)
                return name
        raise LookupError(f"no name left for a {trade} in {township.place}")


def impossible_credit_code(prefix: str, number: int) -> str:
    """A unified social credit code with a right check character that was never given to anybody.

    Characters 3-8 name the registering authority's division (GB 32100-2015); no division has the code 000000.
    """
    body = f"{prefix}000000DEM{number:06d}"
    return next(body + char for char in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_social_credit_code(body + char))


def _township_urn(townships: Sequence[Township]) -> Urn[Township]:
    return Urn(townships, [_TOWNSHIP_WEIGHTS[township.setting] for township in townships])


def _demands(work: Work, occupation: Occupation, shift: Shift) -> list[str]:
    """What the occupation asks and the posting besides; nights only if the shift has some: a posting goes before."""
    asked = {Demand(demand) for demand in occupation.demands} | set(work.demands)
    asked.discard(Demand.NIGHTS)
    if shift.nights:
        asked.add(Demand.NIGHTS)
    return [demand.value for demand in Demand if demand in asked]
