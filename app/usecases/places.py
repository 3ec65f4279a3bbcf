"""Names of places as people write them, led to the areas in force today.

A name is read as it stood on the day it was written: 渝北区 in a listing of 2024 ended in 2025, its towns went to two
districts. So former names are looked up in the division of their day and followed to whoever took over.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rapidfuzz.distance import Levenshtein
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, AreaLevel, Precision
from app.store import areas as store
from app.usecases.areas import AreaBook, AreaFact

_STILL_SAID_YEARS = 10  # judgement: so long do people and forms go on using the name of an area that ended
_CITY_PREFIX = re.compile(r"(?:重庆市?(?:市辖区|城区|郊县)?)+")
_TOWNSHIP_SUFFIX = re.compile(r"(?:街道|镇|乡)")
_STREET = re.compile(r"大?[路道街巷桥嘴村]|机场|火?车站")  # 永川路 lies anywhere
_LONGEST_NAME = 16
_FIRST_PROVINCE, _LAST_PROVINCE = 11, 82


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where words lead. `area` is None where they lead nowhere; `note` tells what a reader should know (Chinese)."""

    area: AreaFact | None
    lon: float | None = None
    lat: float | None = None
    precision: Precision = Precision.DISTRICT
    note: str = ""

    @property
    def names_district(self) -> bool:
        """Whether the place is known to its district or better."""
        return self.area is not None and self.area.level in (AreaLevel.DISTRICT, AreaLevel.TOWNSHIP)


class PlaceNames:
    """Finds places by name: in Chongqing down to the township, elsewhere down to the county."""

    def __init__(self, session: Session, book: AreaBook, *, today: date) -> None:
        self._session = session
        self._book = book
        self._today = today
        self._long_ago = today.replace(year=today.year - _STILL_SAID_YEARS, day=1)
        self._cuts: dict[date, _Cut] = {}
        self._found: dict[tuple[str, str, str, str, date], Place] = {}
        self._elsewhere = _Elsewhere(book)

    def locate(
        self, *, city: str = "", district: str = "", words: str = "", code: str = "", on: date | None = None
    ) -> Place:
        """The place that a row names, today's area.

        Args:
            city: `重庆`, `上海`, `湖北省恩施市`; may be empty.
            district: `巫山县`, `渝北`; may be empty.
            words: an address or township, `官渡镇紫阳村`; may be empty.
            code: a code of the division, asked only where the names lead no further than the city.
            on: the day on which it was written; None is today.
        """
        key = (_plain(city), _plain(district), _plain(words), code.strip(), on or self._today)
        if key not in self._found:
            self._found[key] = self._locate(*key)
        return self._found[key]

    def _locate(self, city: str, district: str, words: str, code: str, on: date) -> Place:
        is_here = (city + district + words).startswith("重庆")
        days = tuple(dict.fromkeys((on, self._today, self._long_ago)))
        rest = "".join(_CITY_PREFIX.sub("", part) for part in (city, district, words))
        for day in days:
            if found := self._cut(day).find(rest, anywhere=is_here):
                return self._placed(found, day)
        if not is_here and (fact := self._elsewhere.find(city + district + words, has_city=bool(city))) is not None:
            return _at(fact)
        for day in days if not city else ():
            if found := self._cut(day).find(rest, anywhere=True):
                return self._placed(found, day)
        for day in days if code else ():
            if area := store.find_area(self._session, code, on=day):
                return self._placed((area, None), day)
        if is_here or code.startswith(CHONGQING[:2]):
            return _at(self._book.find(CHONGQING))
        return Place(area=None, note="地点认不出")

    def _cut(self, day: date) -> "_Cut":
        if day not in self._cuts:
            levels = (AreaLevel.DISTRICT, AreaLevel.TOWNSHIP)
            self._cuts[day] = _Cut(store.list_areas(self._session, on=day, levels=levels, under=CHONGQING[:2]))
        return self._cuts[day]

    def _placed(self, found: tuple[store.Area, store.Area | None], day: date) -> Place:
        """Where a district, or a township in it, of the division of `day` lies today."""
        district, township = found
        if township is not None and (fact := self._heir(township, day)) is not None:
            return _at(fact, note=_changed(township, fact))
        fact = self._heir(district, day)
        return _at(fact, note=_changed(district, fact)) if fact else Place(area=None, note="地点认不出")

    def _heir(self, area: store.Area, day: date) -> AreaFact | None:
        """The area itself, or whoever took over; of several the one that took the most townships."""
        if area.valid_to is None or area.valid_to > self._today:
            return self._book.find(area.code)
        heirs = store.successor_codes(self._session, area.id)
        if len(heirs) > 1:
            parts = [part for part in self._cut(day).townships(area.code) if part.valid_to is not None]
            went_to = Counter(
                heir.parent_code
                for part in parts
                for code in store.successor_codes(self._session, part.id)
                if (heir := self._book.find(code)) is not None
            )
            heirs.sort(key=lambda code: (-went_to[code], code))
        return next((fact for code in heirs if (fact := self._book.find(code)) is not None), None)


def _changed(area: store.Area, fact: AreaFact) -> str:
    return "" if area.name == fact.name else f"{area.name}已不是现行区划，按{fact.name}登记"


def _at(fact: AreaFact | None, *, note: str = "") -> Place:
    """A place with coordinates where a district or township is known: the centre of a city is nowhere in particular."""
    if fact is None or fact.level not in (AreaLevel.DISTRICT, AreaLevel.TOWNSHIP):
        return Place(area=fact, note=note)
    precision = fact.precision if fact.level is AreaLevel.TOWNSHIP else Precision.DISTRICT
    return Place(area=fact, lon=fact.lon, lat=fact.lat, precision=precision, note=note)


class _Cut:
    """The districts and townships of Chongqing as they stood on one day."""

    def __init__(self, areas: Sequence[store.Area]) -> None:
        districts = [area for area in areas if area.level is AreaLevel.DISTRICT]
        self._codes = {area.code: area for area in districts}
        self._full = {area.name: area for area in districts}
        self._short = {area.short_name: area for area in districts if len(area.short_name) > 1} | self._full
        self._townships: dict[str, list[store.Area]] = {}
        for area in areas:
            if area.level is AreaLevel.TOWNSHIP and area.parent_code in self._codes:
                self._townships.setdefault(area.parent_code, []).append(area)
        names = Counter(area.name for parts in self._townships.values() for area in parts)
        self._unique = {
            area.name: area for parts in self._townships.values() for area in parts if names[area.name] == 1
        }

    def townships(self, district_code: str) -> list[store.Area]:
        return self._townships.get(district_code, [])

    def find(self, words: str, *, anywhere: bool) -> tuple[store.Area, store.Area | None] | None:
        """The district that words begin with, and the township behind it.

        With `anywhere` also a district's full name further on, or a township whose name no other one bears.
        """
        name = _prefix(words, self._short)
        if name and (name in self._full or not _STREET.match(words[len(name) :])):
            district = self._short[name]
            return district, self._township_in(district, words[len(name) :])
        if not anywhere:
            return None
        inside = [(words.find(name), -len(name), name) for name in self._full if name in words]
        if inside:
            start, _, name = min(inside)
            return self._full[name], self._township_in(self._full[name], words[start + len(name) :])
        named = [name for name in self._unique if name in words]
        if not named:
            return None
        township = self._unique[max(named, key=len)]
        return self._codes[township.parent_code or ""], township

    def _township_in(self, district: store.Area, words: str) -> store.Area | None:
        """A township by full name anywhere, by the beginning of it, or with one wrong sign in a long one."""
        parts = self.townships(district.code)
        if named := [part for part in parts if part.name in words]:
            return max(named, key=lambda part: len(part.name))
        words = words.removeprefix(district.name)
        shortened = [
            part
            for part in parts
            if len(part.short_name) > 1
            and words.startswith(part.short_name)
            and re.match(r"街道|镇|乡|民族|[(、]|$", words[len(part.short_name) :])
        ]
        if shortened:
            return max(shortened, key=lambda part: len(part.short_name))
        found = _TOWNSHIP_SUFFIX.search(words)
        if found is None or found.start() < 3:
            return None
        close = [part for part in parts if Levenshtein.distance(part.short_name, words[: found.start()]) == 1]
        return close[0] if len(close) == 1 else None


class _Elsewhere:
    """Provinces, prefectures and counties outside Chongqing by name."""

    def __init__(self, book: AreaBook) -> None:
        self._book = book
        codes = (f"{number}0000" for number in range(_FIRST_PROVINCE, _LAST_PROVINCE + 1))
        provinces = [fact for code in codes if code != CHONGQING and (fact := book.find(code)) is not None]
        prefectures = [fact for province in provinces for fact in book.children(province.code)]
        counties = [fact for prefecture in prefectures for fact in book.children(prefecture.code)]
        larger = (*prefectures, *provinces)
        self._by_full_name = _by_name(counties, larger, short=False)
        self._by_short_name = _by_name((), larger, short=True)
        self._counties_by_short_name = _by_name(counties, (), short=True)

    def find(self, words: str, *, has_city: bool) -> AreaFact | None:
        """The smallest area that words name from the left: `上海浦东`, `湖北省恩施市`, `昆山`.

        Without a city in a column of its own, a short name counts only if a smaller area or nothing follows it: 朝阳路
        is a street.
        """
        if name := _prefix(words, self._by_full_name):
            return self._walk(self._by_full_name[name], words[len(name) :])
        if name := _prefix(words, self._by_short_name):
            fact, rest = self._by_short_name[name], words[len(name) :]
            smaller = self._walk(fact, rest)
            return smaller if has_city or not rest or smaller is not fact else None
        return self._counties_by_short_name.get(words)

    def _walk(self, fact: AreaFact, words: str) -> AreaFact:
        """As far down from an area as words lead."""
        while words:
            below = self._book.children(fact.code)
            names = _by_name(
                [smaller for area in below for smaller in self._book.children(area.code)], below, short=False
            )
            names = {**_by_name((), below, short=True), **names}
            if len(below) == 1:  # 上海市 holds one prefecture, 上海市
                names = {**_by_name((), self._book.children(below[0].code), short=True), **names}
            name = _prefix(words, names)
            if not name:
                break
            fact, words = names[name], words[len(name) :]
        return fact


def _by_name(smaller: Iterable[AreaFact], larger: Iterable[AreaFact], *, short: bool) -> dict[str, AreaFact]:
    """Areas by name; of the smaller ones only those whose name no other one bears, and a larger one goes first."""
    smaller = list(smaller)
    names = Counter(_name(fact, short=short) for fact in smaller)
    found = {name: fact for fact in smaller if names[name := _name(fact, short=short)] == 1}
    found |= {_name(fact, short=short): fact for fact in larger}
    return {name: fact for name, fact in found.items() if len(name) > 1}


def _name(fact: AreaFact, *, short: bool) -> str:
    return fact.short_name.removesuffix("新区") if short else fact.name


def _prefix(words: str, names: Mapping[str, object]) -> str:
    """The longest of the names with which words begin; "" without any."""
    longest = min(len(words), _LONGEST_NAME)
    return next((words[:length] for length in range(longest, 1, -1) if words[:length] in names), "")


def _plain(words: str) -> str:
    """Words without spaces and the signs that stand between names of places."""
    return re.sub(r"[\s\-·•,，/|>]+", "", unicodedata.normalize("NFKC", words))
