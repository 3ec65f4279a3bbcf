"""The book of areas: codes in force, retired ones and who took over, on real reference data."""

from datetime import date

import pytest

from app.domain.areas import Nearness, Precision
from app.kit.database import read_session
from app.store import areas as store
from app.usecases.areas import AreaBook, AreaSplit, AreaUnknown
from app.wiring import House
from tests.houses import HOME_TOWNSHIP


@pytest.fixture
def book(house: House) -> AreaBook:
    with read_session(house.engine) as session:
        return AreaBook.load(session, on=house.clock.today())


def test_a_split_area_tells_when_it_ended_and_who_took_over(book: AreaBook) -> None:
    with pytest.raises(AreaSplit) as caught:
        book.place("500112")
    problem = caught.value.problem()
    assert (problem["status"], problem["code"]) == (422, "area_split")
    told = "渝北区（500112）从2025年11月6日起没有了，分给了两江新区（500157）、北碚区（500109），请从中选一个"
    assert problem["detail"] == told
    # 两江新区 took most of its townships.
    assert problem["successors"] == [{"code": "500157", "name": "两江新区"}, {"code": "500109", "name": "北碚区"}]


def test_of_an_old_code_only_the_year_is_told(book: AreaBook) -> None:
    with pytest.raises(AreaSplit, match=r"江北县（510224）从1994年起没有了"):
        book.place("510224")


def test_every_retired_code_leads_to_all_who_took_over(book: AreaBook, house: House) -> None:
    with read_session(house.engine) as session:
        ended = store.list_ended_areas(session, before=house.clock.today())
        successors = {area.id: store.successor_codes(session, area.id) for area in ended}
    retired: dict[str, set[str]] = {}
    for area in ended:
        if book.former(area.code) is not None:
            retired.setdefault(area.code, set(successors[area.id]))
    assert len(retired) > 200
    for code, heirs in retired.items():
        former = book.former(code)
        assert former is not None
        assert {heir.code for heir in book.heirs(former)} == heirs
        found = book.find(code)
        assert (found.code if found else None) == (next(iter(heirs)) if len(heirs) == 1 else None)
        if len(heirs) != 1:
            with pytest.raises(AreaSplit if heirs else AreaUnknown) as caught:
                book.place(code)
            assert isinstance(caught.value, AreaSplit) == bool(heirs)


def test_a_code_in_force_has_no_former_bearer(book: AreaBook) -> None:
    assert book.former("500110") is None  # 万盛区 bore it before 綦江区
    assert book.former("999999") is None
    assert [book.heirs(district) for district in book.districts()] == [[district] for district in book.districts()]


def test_a_code_is_read_on_its_day(book: AreaBook) -> None:
    told = {
        on: fact.name if (fact := book.bearer("500110", on=on)) else None
        for on in (date(1990, 1, 1), date(2010, 12, 31), date(2011, 1, 1), date(2026, 12, 1))
    }
    assert list(told.values()) == [None, "万盛区", "綦江区", "綦江区"]


def test_a_workplace_with_a_split_code_lies_in_the_city(book: AreaBook) -> None:
    def nearness(work: str) -> Nearness:
        return book.nearness(HOME_TOWNSHIP, work, work_precision=Precision.DISTRICT)

    assert nearness("500112") is Nearness.IN_CITY
    assert nearness("500157") is Nearness.IN_CITY
    assert nearness("500237") is Nearness.SAME_DISTRICT
    assert book.nearness("500109", "500112", work_precision=Precision.DISTRICT) is Nearness.IN_CITY
