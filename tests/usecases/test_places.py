"""Names of places led to the areas in force today, on real reference data."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.domain.areas import Precision
from app.kit.database import read_session
from app.usecases.areas import AreaBook
from app.usecases.places import Place, PlaceNames
from app.wiring import House

OF_2024 = date(2024, 7, 1)


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    with read_session(house.engine) as session:
        yield session


@pytest.fixture
def names(session: Session, house: House) -> PlaceNames:
    today = house.clock.today()
    return PlaceNames(session, AreaBook.load(session, on=today), today=today)


def code(place: Place) -> str | None:
    return place.area.code if place.area else None


IN_CHONGQING: list[tuple[dict[str, Any], str | None]] = [
    ({"city": "重庆", "district": "巫山县", "words": "大昌镇光明村"}, "500237102"),
    ({"city": "重庆", "district": "巫山"}, "500237"),
    ({"city": "重庆市巫山县"}, "500237"),
    ({"words": "重庆市巫山县大昌镇"}, "500237102"),
    ({"words": "巫山县大昌镇"}, "500237102"),
    ({"words": "巫山大昌镇"}, "500237102"),
    ({"district": "巫山县", "words": "光明村1组大昌镇"}, "500237102"),
    ({"district": "巫山县", "words": "大昌"}, "500237102"),
    ({"district": "巫山县", "words": "大昌乡"}, "500237102"),
    ({"district": "巫山县", "words": "大昌路3号"}, "500237"),
    ({"district": "彭水县"}, "500243"),
    ({"district": "彭水"}, "500243"),
    ({"district": "彭水苗族土家族自治县"}, "500243"),
    ({"city": "重庆", "words": "解放碑"}, "500000"),
    ({"city": "重庆", "words": "某小区（九龙坡区）"}, "500107"),
    ({"words": "永川路12号"}, None),
    ({"words": "城里"}, None),
    ({}, None),
    ({"city": "重庆"}, "500000"),
]
ELSEWHERE: list[tuple[dict[str, Any], str | None]] = [
    ({"city": "上海", "district": "浦东"}, "310115"),
    ({"city": "上海", "district": "浦东新区"}, "310115"),
    ({"city": "上海"}, "310000"),
    ({"city": "上海", "district": "闸北"}, "310000"),
    ({"city": "武汉", "district": "东湖新技术产业开发区"}, "420100"),
    ({"city": "武汉", "district": "武昌区"}, "420106"),
    ({"city": "湖北", "district": "省武汉武昌区"}, "420106"),
    ({"city": "南京", "district": "江北新区"}, "320100"),
    ({"city": "宁波", "district": "江北区"}, "330205"),
    ({"city": "昆山"}, "320583"),
    ({"city": "苏州", "district": "昆山"}, "320583"),
    ({"city": "吉林市"}, "220200"),
    ({"city": "新疆"}, "650000"),
    ({"words": "广东省东莞市长安镇"}, "441900"),
    ({"words": "广东东莞"}, "441900"),
    ({"words": "深圳"}, "440300"),
    ({"words": "湖北省恩施市"}, "422801"),
    ({"words": "朝阳路12号"}, None),
    ({"words": "平安大道"}, None),
]


@pytest.mark.parametrize("table", [IN_CHONGQING, ELSEWHERE], ids=["in_chongqing", "elsewhere"])
def test_places_are_found_as_people_write_them(
    names: PlaceNames, table: list[tuple[dict[str, Any], str | None]]
) -> None:
    assert [(told, code(names.locate(**told))) for told, _ in table] == table


def test_a_district_that_ended_leads_to_the_one_that_took_most_of_it(names: PlaceNames) -> None:
    for day in (OF_2024, None):  # 渝北区 is still said, long after it ended
        place = names.locate(city="重庆", district="渝北区", on=day)
        assert code(place) == "500157"
        assert place.note == "渝北区已不是现行区划，按两江新区登记"
        assert place.precision is Precision.DISTRICT
    assert code(names.locate(city="重庆", district="江北区", on=OF_2024)) == "500157"


def test_a_town_that_moved_is_followed_to_its_new_district(names: PlaceNames) -> None:
    place = names.locate(city="重庆", district="渝北区", words="统景镇", on=OF_2024)
    assert code(place) == "500109124"
    assert place.note == ""  # the town is what it was; only the district above it changed


def test_a_code_of_the_old_list_is_read_in_the_list_of_its_day(names: PlaceNames) -> None:
    # 500101017 was 太白街道 until 2025-11-06; since then the number may stand for another place.
    before = names.locate(city="重庆", code="500101017", on=OF_2024)
    assert before.area is not None
    assert before.area.name == "太白街道"
    assert code(names.locate(city="重庆", code="500112", on=OF_2024)) == "500157"


def test_names_go_before_a_code(names: PlaceNames) -> None:
    assert code(names.locate(city="重庆", district="万州区", code="500237")) == "500101"


def test_only_a_district_or_better_has_coordinates(names: PlaceNames) -> None:
    city, district = names.locate(city="重庆"), names.locate(district="巫山县")
    township = names.locate(district="巫山县", words="大昌镇")
    assert (city.lon, city.names_district) == (None, False)
    assert district.lon is not None
    assert (district.precision, township.precision) == (Precision.DISTRICT, Precision.TOWNSHIP)
    assert names.locate(city="武汉").lon is None


def test_a_township_without_a_point_of_its_own_is_as_exact_as_its_district(names: PlaceNames) -> None:
    place = names.locate(district="万州区", words="高笋塘街道")
    assert code(place) == "500101001"
    assert place.precision is Precision.DISTRICT


def test_one_wrong_sign_in_a_long_name_is_forgiven(names: PlaceNames) -> None:
    assert code(names.locate(district="万州区", words="高笋糖街道")) == "500101001"
    assert code(names.locate(district="巫山县", words="大唱镇")) == "500237"  # two signs could be any town


def test_what_leads_nowhere_says_so(names: PlaceNames) -> None:
    assert names.locate(words="火星").note == "地点认不出"
