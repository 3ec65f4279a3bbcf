"""Words resolved to occupations over HTTP."""

import httpx
import pytest

from app.api.occupations import OccupationList

pytestmark = pytest.mark.anyio


async def test_everyday_words_lead_to_an_occupation(still: httpx.AsyncClient) -> None:
    answer = await still.get("/api/v1/occupations", params={"q": "看大门"})
    found = OccupationList.model_validate_json(answer.content, extra="forbid")
    assert (found.items[0].occupation, found.items[0].name, found.items[0].text) == ("4-07-05-01", "保安员", "看大门")
    confidences = [item.confidence for item in found.items]
    assert confidences == sorted(confidences, reverse=True)
    assert len({item.occupation for item in found.items}) == len(found.items)


async def test_words_that_mean_nothing_lead_nowhere(still: httpx.AsyncClient) -> None:
    answer = await still.get("/api/v1/occupations", params={"q": "☃☃☃"})
    assert (answer.status_code, answer.json()) == (200, {"items": []})
