"""Names of places led to the areas in force today, on real reference data."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from app.domain.areas import Precision
from app.kit.database import read_session
from app.usecases.areas import AreaBook
from app.usecases.places import Place, PlaceNames
from app.wiring import House

OF_2024 = date(2024, 7, 1)


@pytest.fixture
def book(house: House) -> AreaBook:
    with read_session(house.engine) as session:
        return AreaBook.load(session, on=house.clock.today())


@pytest.fixture
def names(book: AreaBook, house: House) -> PlaceNames:
    return PlaceNames(book, today=house.clock.today())


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


def test_a_county_goes_by_its_short_form_in_a_row_too(names: PlaceNames) -> None:
    assert code(names.locate(district="石柱县", words="下路")) == "500240003"
    assert code(names.locate(words="某小区（石柱县）")) == "500240"


# --- for somebody who can be asked back -------------------------------------------------------------------------------


CANDIDATES = {
    # names of today: whole, short, with the district before them, their beginning, a part of them
    "石柱": ["石柱土家族自治县"],
    "石柱县": ["石柱土家族自治县"],
    "彭水县": ["彭水苗族土家族自治县"],
    "酉阳县": ["酉阳土家族苗族自治县"],
    "秀山县": ["秀山土家族苗族自治县"],
    "石柱县下路": ["石柱土家族自治县 下路街道"],
    "恒合乡": ["万州区 恒合土家族乡"],
    "两江": ["两江新区"],
    "沙坪坝": ["沙坪坝区"],  # and not its 沙坪坝街道 beside it: the township is asked next
    "巫山官": ["巫山县 官阳镇", "巫山县 官渡镇"],
    "女山": ["武隆区 仙女山街道"],
    # names that ended, by the division in which they stood
    "江北": ["两江新区", "涪陵区 江北街道"],
    "江北县": ["北碚区", "两江新区"],
    "双桥": ["大足区"],
    "万盛经开区": ["綦江区"],
    "万盛南桐": ["綦江区 南桐镇"],
    "渝北龙兴": ["两江新区 龙兴镇"],
    "渝北统景": ["北碚区 统景镇"],
    "北碚水土": ["两江新区 水土街道"],
    "开县": ["开州区"],
    "开县临江": ["开州区 临江镇"],
    "江津市白沙镇": ["江津区 白沙镇"],
    "万县市": ["万州区"],
    "洗新乡": ["石柱土家族自治县"],  # no township took over
    # addresses
    "巫山县官渡镇紫阳村3组": ["巫山县 官渡镇"],
    "重庆市巫山县官渡镇紫阳村3组12号": ["巫山县 官渡镇"],
    "重庆市 巫山县 官渡镇 紫阳村 ３组": ["巫山县 官渡镇"],
    "官渡镇紫阳村3组": ["合川区 官渡镇", "巫山县 官渡镇"],
    "渝北区龙兴镇紫阳村": ["两江新区 龙兴镇"],
    "渝北龙兴紫阳村": ["两江新区 龙兴镇"],
    "重庆市光明村大昌镇": ["巫山县 大昌镇"],
    "某小区（九龙坡区）": ["九龙坡区"],
    # what is no place of Chongqing
    "永川路12号": [],
    "江北嘴": [],
    "四川省万县市": [],
    "湖北省恩施市龙凤镇": [],
    "南京江北新区": [],
    "重庆": [],
    "重庆市": [],
}


def test_somebody_is_offered_every_place_that_their_words_may_mean(names: PlaceNames, book: AreaBook) -> None:
    found = {typed: [book.told(area.code) for area in names.candidates(typed)] for typed in CANDIDATES}
    assert found == CANDIDATES


def test_at_most_twelve_are_offered_and_districts_stand_first(names: PlaceNames) -> None:
    found = names.candidates("土家族")
    assert len(found) == 12
    levels = [area.level for area in found]
    assert levels == sorted(levels)
    assert len({area.code for area in found}) == 12


def test_every_name_of_today_leads_to_the_area_that_bears_it(names: PlaceNames, book: AreaBook) -> None:
    for district in book.districts():
        assert names.candidates(district.name) == [district]
        for township in book.children(district.code):
            assert township in names.candidates(township.name) or district in names.candidates(township.name)
            assert names.candidates(district.name + township.name + "1组") == [township]


def test_whatever_is_typed_is_answered(names: PlaceNames) -> None:
    for typed in ("", " ", "　", "县", "巫", "(", "[官", ".*", "\\", "官渡" * 40, "\x00", "a" * 10_000, "500237", "🌋"):
        assert len(names.candidates(typed)) <= 12


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that take turns every ten microseconds instead of every five milliseconds."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_many_may_ask_at_once(book: AreaBook, house: House) -> None:
    asked = [typed for typed in CANDIDATES for _ in range(4)]
    names = PlaceNames(book, today=house.clock.today())
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda typed: code(names.locate(words=typed, on=OF_2024)), asked))
        told = list(pool.map(lambda typed: [area.code for area in names.candidates(typed)], asked))
    alone = PlaceNames(book, today=house.clock.today())
    assert placed == [code(alone.locate(words=typed, on=OF_2024)) for typed in asked]
    assert told == [[area.code for area in alone.candidates(typed)] for typed in asked]
