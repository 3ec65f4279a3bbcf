"""Places as the pages offer them: which are exact enough to search around, and the districts by region."""

from itertools import groupby

from app.domain.areas import AreaLevel
from app.usecases.areas import AreaBook, AreaFact


def is_home(area: AreaFact | None) -> bool:
    """Whether an area is exact enough to search around: a district or a township."""
    return area is not None and area.level in (AreaLevel.DISTRICT, AreaLevel.TOWNSHIP)


def regions_of(areas: AreaBook) -> list[tuple[str, list[AreaFact]]]:
    """Chongqing's districts by the plan's regions, in the order in which the regions first appear."""
    order = {region: place for place, region in enumerate(dict.fromkeys(each.region for each in areas.districts()))}
    districts = sorted(areas.districts(), key=lambda each: (order[each.region], each.code))
    return [(region, list(members)) for region, members in groupby(districts, key=lambda each: each.region)]
