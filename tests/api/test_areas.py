"""Areas over HTTP: as of any day, a page at a time, retired codes with their successors."""

import httpx
import pytest

from app.api.areas import AreaList, AreaOut
from tests.houses import WUSHAN

pytestmark = pytest.mark.anyio


async def test_an_area_is_told_whole(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/areas/500237102")
    area = AreaOut.model_validate_json(answer.content, extra="forbid")
    assert (area.name, area.parent_code, area.level) == ("大昌镇", WUSHAN, "township")
    assert area.place is not None
    assert (area.place.lon, area.place.lat, area.place.precision) == (109.8021, 31.26861, "township")
    assert area.valid_from == "2025-11-06"


async def test_a_retired_code_answers_with_its_successors(client: httpx.AsyncClient) -> None:
    area = (await client.get("/api/v1/areas/500112")).json()
    assert (area["name"], area["valid_to"]) == ("渝北区", "2025-11-06")
    assert set(area["successors"]) == {"500109", "500157"}


async def test_a_code_is_told_as_of_a_day(client: httpx.AsyncClient) -> None:
    before = (await client.get("/api/v1/areas/500112?on=2025-11-05")).json()
    assert before["successors"] == []
    assert (await client.get("/api/v1/areas/500157?on=2025-11-05")).json()["code"] == "area_not_found"
    assert (await client.get("/api/v1/areas/500157?on=2025-11-06")).json()["name"] == "两江新区"
    # 500110 was one district and is another.
    assert (await client.get("/api/v1/areas/500110?on=2010-01-01")).json()["name"] == "万盛区"
    assert (await client.get("/api/v1/areas/500110")).json()["name"] == "綦江区"


async def test_without_a_parent_the_provinces_are_listed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/areas")
    listed = AreaList.model_validate_json(answer.content, extra="forbid")
    assert listed.parent is None
    assert {area.level for area in listed.items} == {"province"}
    assert "500000" in {area.code for area in listed.items}


async def test_a_retired_parent_names_its_successors_and_has_no_children(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/v1/areas?parent=500112")).json()
    assert listed["items"] == []
    assert set(listed["parent"]["successors"]) == {"500109", "500157"}
    in_its_time = (await client.get("/api/v1/areas?parent=500112&on=2025-01-01")).json()
    assert in_its_time["items"]


@pytest.mark.parametrize("page_size", [1, 7, 26, 100])
async def test_pages_are_whole_and_repeat_nothing(client: httpx.AsyncClient, page_size: int) -> None:
    codes: list[str] = []
    token = ""
    while True:
        page = (await client.get(f"/api/v1/areas?parent={WUSHAN}&page_size={page_size}&page_token={token}")).json()
        assert len(page["items"]) <= page_size
        codes += [area["code"] for area in page["items"]]
        token = page["next_page_token"]
        if token is None:
            break
        assert len(page["items"]) == page_size
    assert codes == sorted(set(codes))
    assert len(codes) == 26
    assert all(code.startswith(WUSHAN) for code in codes)


async def test_who_has_it_already_is_told_so(client: httpx.AsyncClient) -> None:
    first = await client.get("/api/v1/areas/500237")
    etag = first.headers["etag"]
    for known in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
        again = await client.get("/api/v1/areas/500237", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    for unknown in ('W/"other"', "", "nonsense"):
        assert (await client.get("/api/v1/areas/500237", headers={"If-None-Match": unknown})).status_code == 200
    other = await client.get("/api/v1/areas/500238", headers={"If-None-Match": etag})
    assert other.status_code == 200
