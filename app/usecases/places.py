"""Names of places as people write them, led to the areas in force today.

Two questions are answered. `locate` reads a row of a file as it stood on the day it was written: 渝北区 in a listing of
2024 ended in 2025, its towns went to two districts, and the one that took most is taken. `candidates` answers somebody
who can be asked back: 官渡 lies in two districts, and people say 渝北 and 万盛 long after those districts ended.
"""

import operator
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rapidfuzz.distance import Levenshtein

from app.domain.areas import CHONGQING, AreaLevel, Precision
from app.usecases.areas import AreaBook, AreaFact

MOST_CANDIDATES = 12
LONGEST_TYPED = 60
"""Signs of a typed place that are read; an address as identity cards print it is shorter."""

_STILL_SAID_YEARS = 10  # judgement: so long do people and forms go on using the name of an area that ended
_CITY_PREFIX = re.compile(r"(?:重庆市?(?:市辖区|城区|郊县)?)+")
_TOWNSHIP_SUFFIX = re.compile(r"(?:街道|镇|乡)")
_STREET = re.compile(r"大?[路道街巷桥嘴村]|机场|火?车站")  # 永川路 lies anywhere
_LONGEST_NAME = 16
_SHORTEST_PART = 2  # of fewer signs only the whole of a name is recognised
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
    """Finds places by name: in Chongqing down to the township, elsewhere down to the county.

    Asks no database, and keeps nothing of what it was asked: one for a process can serve all its readers at once.
    """

    def __init__(self, book: AreaBook, *, today: date) -> None:
        self._book = book
        self._today = today
        self._long_ago = today.replace(year=today.year - _STILL_SAID_YEARS, day=1)
        districts = book.districts()
        here = [*districts, *(part for district in districts for part in book.children(district.code)), *book.ended()]
        self._here = [fact for fact in here if fact.code.startswith(CHONGQING[:2])]
        self._changes = sorted({day for fact in self._here for day in (fact.valid_from, fact.valid_to) if day})
        self._cuts: dict[int, _Cut] = {}
        self._elsewhere = _Elsewhere(book)
        self._said = _Said(book)

    def candidates(self, typed: str) -> list[AreaFact]:
        """Districts and townships of Chongqing that typed words may mean, likeliest first, at most twelve.

        One result is certain enough to be taken: nothing else bears the name. A township stands beside its district
        only if the district itself is not meant: who chooses the district is asked for the township next.

        Args:
            typed: a name (`官渡`, `巫山官渡`, `石柱县`), also of what ended (`渝北龙兴`, `开县`), the beginning or a
                part of one, or an address (`重庆市巫山县官渡镇紫阳村3组12号`).
        """
        words = _plain(typed[:LONGEST_TYPED])
        if city := _CITY_PREFIX.match(words):
            words = words[city.end() :]
        if not words:
            return []
        if found := self._said.find(words):
            return found[:MOST_CANDIDATES]
        area = self.locate(words=typed[:LONGEST_TYPED]).area
        return [area] if area is not None and self._book.district_of(area.code) in self._book.districts() else []

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
        city, district, words, code = _plain(city), _plain(district), _plain(words), code.strip()
        is_here = (city + district + words).startswith("重庆")
        days = tuple(dict.fromkeys((on or self._today, self._today, self._long_ago)))
        rest = "".join(_CITY_PREFIX.sub("", part) for part in (city, district, words))
        for day in days:
            if found := self._cut(day).find(rest, anywhere=is_here):
                return self._placed(*found)
        if not is_here and (fact := self._elsewhere.find(city + district + words, has_city=bool(city))) is not None:
            return _at(fact)
        for day in days if not city else ():
            if found := self._cut(day).find(rest, anywhere=True):
                return self._placed(*found)
        for day in days if code else ():
            if area := self._book.bearer(code, on=day):
                return self._placed(area, None)
        if is_here or code.startswith(CHONGQING[:2]):
            return _at(self._book.find(CHONGQING))
        return Place(area=None, note="地点认不出")

    def _cut(self, day: date) -> "_Cut":
        """The division of a day, made when first asked for: all days between two changes share one."""
        number = bisect_right(self._changes, day)
        if number not in self._cuts:
            self._cuts[number] = _Cut([fact for fact in self._here if fact.is_in_force(day)])
        return self._cuts[number]

    def _placed(self, district: AreaFact, township: AreaFact | None) -> Place:
        """Where a district, or a township in it, lies today; of several that took over the one that took most."""
        if township is not None and (heirs := self._book.heirs(township)):
            return _at(heirs[0], note=_changed(township, heirs[0]))
        if heirs := self._book.heirs(district):
            return _at(heirs[0], note=_changed(district, heirs[0]))
        return Place(area=None, note="地点认不出")


def _changed(area: AreaFact, fact: AreaFact) -> str:
    return "" if area.name == fact.name else f"{area.name}已不是现行区划，按{fact.name}登记"


def _at(fact: AreaFact | None, *, note: str = "") -> Place:
    """A place with coordinates where a district or township is known: the centre of a city is nowhere in particular."""
    if fact is None or fact.level not in (AreaLevel.DISTRICT, AreaLevel.TOWNSHIP):
        return Place(area=fact, note=note)
    precision = fact.precision if fact.level is AreaLevel.TOWNSHIP else Precision.DISTRICT
    return Place(area=fact, lon=fact.lon, lat=fact.lat, precision=precision, note=note)


class _Cut:
    """The districts and townships of Chongqing as they stood on one day."""

    def __init__(self, areas: Sequence[AreaFact]) -> None:
        districts = [area for area in areas if area.level is AreaLevel.DISTRICT]
        self._codes = {area.code: area for area in districts}
        self._full = {name: area for area in districts for name in _full_names(area)}
        self._short = {area.short_name: area for area in districts if len(area.short_name) > 1} | self._full
        self._townships: dict[str, list[AreaFact]] = {}
        for area in areas:
            if area.level is AreaLevel.TOWNSHIP and area.parent_code in self._codes:
                self._townships.setdefault(area.parent_code, []).append(area)
        names = Counter(area.name for parts in self._townships.values() for area in parts)
        self._unique = {
            area.name: area for parts in self._townships.values() for area in parts if names[area.name] == 1
        }

    def find(self, words: str, *, anywhere: bool) -> tuple[AreaFact, AreaFact | None] | None:
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

    def _township_in(self, district: AreaFact, words: str) -> AreaFact | None:
        return _township_among(self._townships.get(district.code, []), words.removeprefix(district.name))


class _Said:
    """What people call the districts and townships of Chongqing, today's and those that ended, whenever that was."""

    def __init__(self, book: AreaBook) -> None:
        self._book = book
        self._districts: dict[str, AreaFact] = {}
        self._townships: dict[str, list[AreaFact]] = {}
        ended = sorted(book.ended(), key=lambda area: area.valid_to or date.min, reverse=True)
        former = [area for area in ended if area.level is AreaLevel.DISTRICT and book.heirs(area)]
        for district in (*book.districts(), *former):
            for name in _names(district):
                # The last that bore a name is meant: 江北 was a county until 1993 and a district until 2025.
                self._districts.setdefault(name, district)
        today = [part for district in book.districts() for part in book.children(district.code)]
        for township in (*today, *(area for area in ended if area.level is AreaLevel.TOWNSHIP)):
            for name in _names(township):
                self._townships.setdefault(name, []).extend(self._today(township))

    def find(self, words: str) -> list[AreaFact]:
        """Areas that bear the words as a name; else those whose name begins with them, holds them, or begins them."""
        ways: tuple[Callable[[str, str], bool], ...] = (operator.eq, str.startswith, operator.contains)
        for is_meant in ways if len(words) >= _SHORTEST_PART else ways[:1]:
            if found := self._named(words, is_meant):
                return found
        return self._at_address(words)

    def _named(self, words: str, is_meant: Callable[[str, str], bool]) -> list[AreaFact]:
        """Areas whose name stands so to the words, and townships whose name so stands to what follows a district's."""
        districts = [
            heir
            for name, district in self._districts.items()
            if is_meant(name, words)
            for heir in self._book.heirs(district)
        ]
        townships = [area for name, areas in self._townships.items() if is_meant(name, words) for area in areas]
        for length in range(_SHORTEST_PART, min(len(words), _LONGEST_NAME)):
            behind = words[length:]
            if is_meant is operator.contains and len(behind) < _SHORTEST_PART:
                break
            if district := self._districts.get(words[:length]):
                for part in self._parts(district):
                    if any(is_meant(name, behind) for name in _names(part)):
                        townships += self._today(part)
        return _each_once([*districts, *sorted(townships, key=lambda area: area.code)])

    def _at_address(self, words: str) -> list[AreaFact]:
        """The area whose name an address begins with: a district with a township behind it, or a township."""
        name = _prefix(words, self._districts)
        if name:
            district, behind = self._districts[name], words[len(name) :]
            if name not in _full_names(district) and _STREET.match(behind):
                return []
            parts = self._parts(district)
            if township := _township_among(parts, behind):
                return self._today(township)
            # Whoever lives there leaves out 镇 before the village, too.
            short = _prefix(behind, {part.short_name: part for part in parts})
            if short and not _STREET.match(behind[len(short) :]):
                return _each_once(area for part in parts if part.short_name == short for area in self._today(part))
            return self._book.heirs(district)
        name = _prefix(words, self._townships)
        return _each_once(self._townships[name]) if _TOWNSHIP_SUFFIX.search(name) else []

    def _parts(self, district: AreaFact) -> list[AreaFact]:
        """Townships that lie or lay in a district, one for each name; those of its heirs where none are recorded."""
        codes = [district.code]
        if not self._book.children(district.code) and not self._book.ended_below(district.code):
            codes = [heir.code for heir in self._book.heirs(district)]
        found: dict[str, AreaFact] = {}
        for code in codes:
            for part in (*self._book.children(code), *self._book.ended_below(code)):
                found.setdefault(part.name, part)
        return list(found.values())

    def _today(self, township: AreaFact) -> list[AreaFact]:
        """What a township is today; the district in which it lay where no township took over."""
        heirs = self._book.heirs(township)
        district = None if heirs else self._book.district_of(township.parent_code or "")
        return [district] if district else heirs


def _township_among(parts: Sequence[AreaFact], words: str) -> AreaFact | None:
    """A township by full name anywhere, by the beginning of it, or with one wrong sign in a long one."""
    if named := [part for part in parts if part.name in words]:
        return max(named, key=lambda part: len(part.name))
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


def _full_names(area: AreaFact) -> set[str]:
    """The name on paper, and without the peoples in it: 石柱土家族自治县 is 石柱县, 恒合土家族乡 is 恒合乡."""
    return {area.name, area.short_name + area.name[-1] if "族" in area.name else area.name}


def _names(area: AreaFact) -> set[str]:
    """The full names of an area and its short one, if that has two signs or more."""
    return _full_names(area) | ({area.short_name} if len(area.short_name) > 1 else set())


def _each_once(areas: Iterable[AreaFact]) -> list[AreaFact]:
    """Areas in their order, each once, and no township beside the district in which it lies."""
    found = {area.code: area for area in areas}
    return [area for area in found.values() if area.parent_code not in found]


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
