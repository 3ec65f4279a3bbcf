"""Where somebody lives, found by the name that they type: a town, a district, both together, or one that is gone.

People say 渝北 long after the district ended, and 万盛 though it never was one again: such names lead to the districts
that the place belongs to today.
"""

import unicodedata
from collections.abc import Iterator
from itertools import groupby

from app.domain.areas import AreaLevel
from app.usecases.areas import AreaBook, AreaFact

MOST_CANDIDATES = 12
LONGEST_NAME = 20

# Ended districts and functional areas without a code of their own, and the districts that hold them today
# (seed/data/cq_districts_2023.csv, cq_functional_areas.csv).
_SPOKEN_NAMES = {
    "江北": ("500157",),
    "渝北": ("500157", "500109"),
    "万盛": ("500110",),
    "双桥": ("500111",),
}
_ENDINGS = ("街道", "区", "县", "镇", "乡")


def find_places(areas: AreaBook, typed: str) -> list[AreaFact]:
    """Districts and townships of Chongqing that a typed name may mean, likeliest first, at most twelve.

    One result is certain enough to be taken: nothing else bears the name.
    """
    name = _plain(typed)
    if not name:
        return []
    levels: list[list[AreaFact]] = [[], [], []]
    for area, names in _named(areas):
        if name in names:
            levels[0].append(area)
        elif len(name) >= 2 and any(known.startswith(name) for known in names):
            levels[1].append(area)
        elif len(name) >= 2 and any(name in known for known in names):
            levels[2].append(area)
    for level in levels:
        level.sort(key=lambda area: (area.level is AreaLevel.TOWNSHIP, area.code))
    spoken = [areas.find(code) for code in _SPOKEN_NAMES.get(name.removesuffix("区"), ())]
    best = [area for area in spoken if area is not None] or next((level for level in levels if level), [])
    return best[:MOST_CANDIDATES]


def is_home(area: AreaFact | None) -> bool:
    """Whether an area is exact enough to search around: a district or a township."""
    return area is not None and area.level in (AreaLevel.DISTRICT, AreaLevel.TOWNSHIP)


def regions_of(areas: AreaBook) -> list[tuple[str, list[AreaFact]]]:
    """Chongqing's districts by the plan's regions, in the order in which the regions first appear."""
    order = {region: place for place, region in enumerate(dict.fromkeys(each.region for each in areas.districts()))}
    districts = sorted(areas.districts(), key=lambda each: (order[each.region], each.code))
    return [(region, list(members)) for region, members in groupby(districts, key=lambda each: each.region)]


def _named(areas: AreaBook) -> Iterator[tuple[AreaFact, set[str]]]:
    for district in areas.districts():
        heads = {district.name, district.short_name, _short(district.name)}
        yield district, heads
        for township in areas.children(district.code):
            tails = {township.name, township.short_name, _short(township.name)}
            yield township, tails | {head + tail for head in heads for tail in tails}


def _short(name: str) -> str:
    ending = next((ending for ending in _ENDINGS if name.endswith(ending) and len(name) > len(ending) + 1), "")
    return name.removesuffix(ending)


def _plain(typed: str) -> str:
    words = "".join(unicodedata.normalize("NFKC", typed[:LONGEST_NAME]).split())
    return words.removeprefix("重庆市").removeprefix("重庆")
