"""Areas for people and programs: look one up as of a day, walk down the division, and the book kept in memory.

Two ways in: the database answers for any day; `AreaBook` holds what is in force today, and what ended with its
successors, for the ranking route, which must not visit the database.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, EARTH_RADIUS_KM, AreaLevel, Nearness, Precision, great_circle_km
from app.kit.errors import Invalid, NotFound
from app.store import areas as store
from app.store import policies

NEIGHBOUR_KM_SETTING = "neighbour_district_distance"


class AreaNotFound(NotFound):
    """No area bears or ever bore the code."""

    code = "area_not_found"
    title = "没有这个行政区划代码"


class AreaUnknown(Invalid):
    """Somebody named a place that is not in force and has no successor, or has no coordinates."""

    code = "area_unknown"
    title = "不认识这个地方"


class AreaSplit(AreaUnknown):
    """Somebody named a place that ended and that several took over; the member `successors` names them to choose from.

    Args:
        former: the area that ended.
        heirs: the areas of today that took over, at least two.
    """

    code = "area_split"
    title = "这个地方已经分开了，请选一个"

    def __init__(self, former: "AreaFact", heirs: Sequence["AreaFact"]) -> None:
        names = "、".join(f"{heir.name}（{heir.code}）" for heir in heirs)
        super().__init__(
            f"{former.name}（{former.code}）从{former.ended_told}起没有了，分给了{names}，请从中选一个",
            successors=[{"code": heir.code, "name": heir.name} for heir in heirs],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaFact:
    """An area as of a day. `successors` is filled for one that had ended by then."""

    code: str
    name: str
    short_name: str
    level: AreaLevel
    kind: str
    parent_code: str | None
    region: str
    lon: float | None
    lat: float | None
    precision: Precision
    pinyin: str
    valid_from: date | None
    valid_to: date | None
    successors: tuple[str, ...] = ()
    note: str = ""

    def located(self) -> tuple[float, float]:
        """Its centre (lon, lat), WGS-84 degrees.

        Raises:
            AreaUnknown: nobody has recorded where it lies.
        """
        if self.lon is None or self.lat is None:
            raise AreaUnknown("这个地方还没有坐标，请选择附近的乡镇街道")
        return self.lon, self.lat

    def is_in_force(self, day: date) -> bool:
        """Whether it held on a day; the day on which it ended is the first on which it did not (decision 0008)."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or self.valid_to > day)

    @property
    def ended_told(self) -> str:
        """When it ended: `2025年11月6日`, `1994年` for old codes, whose year alone is known; "" when it has no end."""
        day = self.valid_to
        if day is None:
            return ""
        return f"{day.year}年" if (day.month, day.day) == (1, 1) else f"{day.year}年{day.month}月{day.day}日"


def load_area(session: Session, code: str, *, on: date) -> AreaFact:
    """The area that bears a code on a day, or the latest that bore it before, with its successors.

    Raises:
        AreaNotFound: the code is unknown, or begins only after that day.
    """
    area = store.find_area(session, code, on=on)
    if area is not None:
        return _fact(area)
    former = store.find_former_areas(session, code, before=on)
    if not former:
        raise AreaNotFound
    return _fact(former[0], tuple(store.successor_codes(session, former[0].id)))


def list_children(
    session: Session, parent_code: str | None, *, on: date, after_code: str = "", limit: int = 100
) -> list[AreaFact]:
    """Areas directly below a code (None: the provinces) in force on a day, ordered by code, behind `after_code`."""
    rows = store.list_children(session, parent_code, on=on, after_code=after_code, limit=limit)
    return [_fact(area) for area in rows]


def _fact(area: store.Area, successors: tuple[str, ...] = ()) -> AreaFact:
    return AreaFact(
        code=area.code,
        name=area.name,
        short_name=area.short_name,
        level=area.level,
        kind=area.kind,
        parent_code=area.parent_code,
        region=area.region,
        lon=area.lon,
        lat=area.lat,
        precision=area.precision,
        pinyin=area.pinyin,
        valid_from=area.valid_from,
        valid_to=area.valid_to,
        successors=successors,
        note=area.note,
    )


class AreaBook:
    """The areas in force today, in memory: names, centres and the ladder of nearness without a query.

    Holds every province, prefecture and district of China and the townships of Chongqing; besides them the areas that
    ended, all of Chongqing. A retired code leads to its successor where there is exactly one.
    """

    def __init__(self, facts: Sequence[AreaFact], *, ended: Sequence[AreaFact], neighbour_km: float) -> None:
        """`facts` are in force today; `ended` have their successors and come latest first where a code was reused."""
        self._facts = {fact.code: fact for fact in facts}
        self._ended: dict[str, list[AreaFact]] = {}
        self._ended_below: dict[str, list[AreaFact]] = {}
        for fact in ended:
            self._ended.setdefault(fact.code, []).append(fact)
            if fact.parent_code is not None:
                self._ended_below.setdefault(fact.parent_code, []).append(fact)
        self._children: dict[str, list[AreaFact]] = {}
        for fact in facts:
            if fact.parent_code is not None:
                self._children.setdefault(fact.parent_code, []).append(fact)
        self._neighbours = self._find_neighbours(neighbour_km)

    @classmethod
    def load(cls, session: Session, *, on: date) -> "AreaBook":
        """Read the book as of a day. Raises LookupError when the reference data has not been loaded."""
        upper = store.list_areas(session, on=on, levels=(AreaLevel.PROVINCE, AreaLevel.PREFECTURE, AreaLevel.DISTRICT))
        townships = store.list_areas(session, on=on, levels=(AreaLevel.TOWNSHIP,))
        if not townships:
            raise LookupError("no areas: load the reference data first")
        setting = policies.find_setting(session, NEIGHBOUR_KM_SETTING, on=on)
        if setting is None:
            raise LookupError(f"no local setting {NEIGHBOUR_KM_SETTING}: load the reference data first")
        successors: dict[int, list[str]] = {}
        for area_id, code in store.list_successors(session):
            successors.setdefault(area_id, []).append(code)
        ended = store.list_ended_areas(session, before=on)
        return cls(
            [_fact(area) for area in (*upper, *townships)],
            ended=[_fact(area, tuple(successors.get(area.id, ()))) for area in ended],
            neighbour_km=float(setting.value),
        )

    def find(self, code: str) -> AreaFact | None:
        """The area that bears `code` today, or its one successor; None when there is none."""
        fact = self._facts.get(code)
        if fact is None and (former := self.former(code)) is not None:
            heirs = self.heirs(former)
            return heirs[0] if len(heirs) == 1 else None
        return fact

    def former(self, code: str) -> AreaFact | None:
        """The area that bore a retired code last; None for a code in force and for one that nobody ever bore."""
        return None if code in self._facts else next(iter(self._ended.get(code, ())), None)

    def bearer(self, code: str, *, on: date) -> AreaFact | None:
        """The area that bore a code on a day."""
        known = (self._facts.get(code), *self._ended.get(code, ()))
        return next((fact for fact in known if fact is not None and fact.is_in_force(on)), None)

    def heirs(self, fact: AreaFact) -> list[AreaFact]:
        """What an area of this book is today: itself, or those that took over, who took most of its townships first."""
        if self._facts.get(fact.code) is fact:
            return [fact]
        found = [heir for code in fact.successors if (heir := self._facts.get(code)) is not None]
        if len(found) > 1:
            parts = self.ended_below(fact.code)
            went_to = Counter(heir.parent_code for part in parts for heir in self.heirs(part))
            found.sort(key=lambda heir: (-went_to[heir.code], heir.code))
        return found

    def place(self, code: str) -> AreaFact:
        """The area of a code, with coordinates.

        Raises:
            AreaSplit: the code is retired, and several took over.
            AreaUnknown: the code leads to no area, or to one whose place is not known.
        """
        fact = self.find(code)
        if fact is None:
            former = self.former(code)
            if former is not None and (heirs := self.heirs(former)):
                raise AreaSplit(former, heirs)
            raise AreaUnknown("请选择重庆的区县或乡镇街道")
        fact.located()
        return fact

    def ended(self) -> list[AreaFact]:
        """Areas of Chongqing that ended, ordered by code, of one code the latest first; each with its successors."""
        return [fact for bearers in self._ended.values() for fact in bearers]

    def ended_below(self, code: str) -> list[AreaFact]:
        """Areas that ended and lay directly below a code, ordered by code."""
        return self._ended_below.get(code, [])

    def children(self, code: str) -> list[AreaFact]:
        """Areas directly below a code, ordered by code."""
        return self._children.get(code, [])

    def districts(self) -> list[AreaFact]:
        """Chongqing's districts and counties, ordered by code."""
        return self.children(CHONGQING)

    def codes_of(self, district: str) -> frozenset[str]:
        """The six-digit codes under which a district is known: its own, and those of districts that became it alone."""
        earlier = {
            fact.code
            for fact in self.ended()
            if fact.level is AreaLevel.DISTRICT and [heir.code for heir in self.heirs(fact)] == [district]
        }
        return frozenset({district} | earlier - self._facts.keys())

    def district_of(self, code: str) -> AreaFact | None:
        """The district in which an area lies, or the area itself if it is one."""
        fact = self.find(code)
        while fact is not None and fact.level is AreaLevel.TOWNSHIP:
            fact = self.find(fact.parent_code) if fact.parent_code else None
        return fact if fact is not None and fact.level is AreaLevel.DISTRICT else None

    def told(self, code: str | None) -> str:
        """An area as people name it: `巫山县 官渡镇`, `巫山县`, outside Chongqing `湖北省 恩施市`; "" when unknown."""
        fact = self.find(code) if code else None
        if fact is None:
            return ""
        if fact.level is AreaLevel.TOWNSHIP:
            district = self.district_of(fact.code)
            return f"{district.name} {fact.name}" if district else fact.name
        if fact.level is AreaLevel.PROVINCE or fact.parent_code == CHONGQING:
            return fact.name
        province = self.find(fact.code[:2] + "0000")
        return f"{province.name} {fact.name}" if province else fact.name

    def nearest_township(self, lon: float, lat: float) -> AreaFact | None:
        """The township of Chongqing whose known centre lies nearest to a WGS-84 point, if within 30 km."""
        best, best_km = None, 30.0
        for fact in self._facts.values():
            if fact.level is AreaLevel.TOWNSHIP and fact.precision is not Precision.DISTRICT:
                km = great_circle_km(lon, lat, *fact.located())
                if km < best_km:
                    best, best_km = fact, km
        return best

    def nearness(self, home_code: str | None, work_code: str | None, *, work_precision: Precision) -> Nearness:
        """Where a workplace stands on the ladder. A place known only to its district is never the same township."""
        home = self.find(home_code) if home_code else None
        work = self.find(work_code) if work_code else None
        if not (work_code or "").startswith(CHONGQING[:2]):
            return Nearness.OUTSIDE
        # A retired code that several took over lies in the city, and nobody can say where.
        if work is None or home is None or not home.code.startswith("50"):
            return Nearness.IN_CITY
        if home.code == work.code and home.level is AreaLevel.TOWNSHIP and work_precision is not Precision.DISTRICT:
            return Nearness.SAME_TOWNSHIP
        home_district, work_district = self.district_of(home.code), self.district_of(work.code)
        if home_district is None or work_district is None:
            return Nearness.IN_CITY
        if home_district.code == work_district.code:
            return Nearness.SAME_DISTRICT
        if work_district.code in self._neighbours.get(home_district.code, ()):
            return Nearness.NEIGHBOUR_DISTRICT
        if home_district.region and home_district.region == work_district.region:
            return Nearness.SAME_REGION
        return Nearness.IN_CITY

    def _find_neighbours(self, within_km: float) -> dict[str, frozenset[str]]:
        """Pairs of districts with known centres within `within_km` of each other; no adjacency list is claimed."""
        owners, lon, lat = [], [], []
        for district in self.districts():
            for fact in (district, *self.children(district.code)):
                is_known = fact.level is AreaLevel.DISTRICT or fact.precision is not Precision.DISTRICT
                if is_known and fact.lon is not None and fact.lat is not None:
                    owners.append(district.code)
                    lon.append(math.radians(fact.lon))
                    lat.append(math.radians(fact.lat))
        # All pairs of a thousand points at once: unit vectors, whose product is the cosine of the angle between them.
        points = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        least_cosine = math.cos(within_km / EARTH_RADIUS_KM)
        found: dict[str, set[str]] = {code: set() for code in owners}
        for mine, other in np.argwhere(points @ points.T >= least_cosine):
            if owners[mine] != owners[other]:
                found[owners[mine]].add(owners[other])
        return {code: frozenset(others) for code, others in found.items()}
