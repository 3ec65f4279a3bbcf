"""Three questions and what the phone keeps of the answers."""

import base64
import json
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest

from app.domain.workers import Limit
from app.main import create_app
from app.web.answers import COOKIE
from app.web.seeker.questions import WORK_CHIPS, read_age
from app.wiring import House
from tests.houses import HOME_TOWNSHIP, WUSHAN, add_posting, with_matchmaker
from tests.web.documents import Document
from tests.web.streets import card_titled, phone

pytestmark = pytest.mark.anyio


def kept(client: httpx.AsyncClient) -> dict[str, object]:
    """What the cookie holds."""
    cookie = client.cookies.get(COOKIE) or ""
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
    return found


async def test_three_questions_lead_to_a_list_and_no_address_holds_an_answer(reader: httpx.AsyncClient) -> None:
    first = Document((await reader.get("/")).text)
    assert first.heading == "您住在哪里？"
    assert "第 1 步，共 3 步" in first.main
    assert first.buttons()["巫山"]["value"] == WUSHAN

    answer = await reader.post("/find/home", data={"area": WUSHAN})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/find/township")
    second = Document((await reader.get("/find/township")).text)
    assert second.buttons()["大昌镇"]["value"] == HOME_TOWNSHIP

    answer = await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/find/age")
    assert "第 2 步" in Document((await reader.get("/find/age")).text).main

    answer = await reader.post("/find/age", data={"age": "五十八岁"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/find/work")
    assert "第 3 步" in Document((await reader.get("/find/work")).text).main

    answer = await reader.post("/find/work", data={"words": "保洁"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/jobs")
    page = Document((await reader.get("/jobs")).text)
    assert page.heading == "大昌镇附近的活"
    assert len(page.cards) == 20
    addresses = [each["href"] for each in page.all("a")]
    assert not [each for each in addresses if HOME_TOWNSHIP in each or "58" in each or "q=" in each]
    assert kept(reader) == {"home": HOME_TOWNSHIP, "age": 58, "words": "保洁"}

    again = Document((await reader.get("/")).text)
    assert again.heading == "接着上次的找"
    assert "巫山县 大昌镇" in again.main
    assert "58 岁" in again.main


async def test_the_cookie_is_short_lived_and_out_of_reach_of_scripts(reader: httpx.AsyncClient) -> None:
    written = (await reader.post("/find/home", data={"area": WUSHAN})).headers["Set-Cookie"]
    parts = {part.strip().lower() for part in written.split(";")[1:]}
    assert parts == {"httponly", "samesite=lax", "path=/", f"max-age={30 * 86_400}"}


async def test_over_https_the_cookie_never_leaves_in_the_clear(street: House) -> None:
    async with phone(create_app(street), scheme="https") as reader:
        written = (await reader.post("/find/home", data={"area": WUSHAN})).headers["Set-Cookie"]
    assert "secure" in {part.strip().lower() for part in written.split(";")}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("官渡", ["合川区 官渡镇", "巫山县 官渡镇"]),
        ("巫山官渡", ["巫山县 官渡镇"]),
        ("重庆市巫山县 官渡镇", ["巫山县 官渡镇"]),
        ("大昌镇", ["巫山县 大昌镇"]),
        ("巫山", ["巫山县", "开州区 巫山镇"]),
        ("巫山县", ["巫山县"]),
        ("渝北", ["两江新区", "北碚区"]),
        ("渝北龙兴", ["两江新区 龙兴镇"]),
        ("石柱县", ["石柱土家族自治县"]),
        ("江北区", ["两江新区"]),
        ("万盛", ["綦江区"]),
        ("飞天遁地", []),
        ("", []),
        ("　 ", []),
        ("县", []),
    ],
)
def test_places_are_found_by_what_people_call_them(street: House, typed: str, told: list[str]) -> None:
    matchmaker = street.ready_matchmaker()
    assert [matchmaker.areas.told(place.code) for place in matchmaker.places.candidates(typed)] == told


async def test_a_name_that_two_places_bear_is_asked_back(reader: httpx.AsyncClient) -> None:
    answer = await reader.post("/find/home", data={"place": "官渡"})
    page = Document(answer.text)
    assert answer.status_code == 200
    assert set(page.buttons()) > {"合川区 官渡镇", "巫山县 官渡镇"}
    assert kept(reader) == {}


@pytest.mark.parametrize(
    "typed",
    [
        "渝北龙兴",
        "重庆市渝北区龙兴镇紫阳村3组12号",
        "重庆市两江新区龙兴镇某某大道东段一百二十三号附十五号院内四幢二单元",
    ],
)
async def test_an_address_as_on_the_card_is_a_place_to_live(reader: httpx.AsyncClient, typed: str) -> None:
    field = Document((await reader.get("/find/home")).text).one("input", name="place")
    assert int(field["maxlength"]) >= len(typed)
    answer = await reader.post("/find/home", data={"place": typed})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/find/age")
    assert kept(reader) == {"home": "500157102"}


async def test_a_name_that_nobody_bears_is_said_so_and_kept_in_the_field(reader: httpx.AsyncClient) -> None:
    answer = await reader.post("/find/home", data={"place": '飞天"><b>遁地'})
    page = Document(answer.text)
    assert answer.status_code == 422
    assert "没找到" in page.one("p", role="alert").text
    assert page.one("input", name="place")["value"] == '飞天"><b>遁地'
    assert page.one("input", name="place")["aria-describedby"] == "problem"
    assert kept(reader) == {}


async def test_the_phones_position_becomes_a_township(reader: httpx.AsyncClient) -> None:
    answer = await reader.post("/find/home", data={"lon": "109.79", "lat": "31.27"})
    assert answer.status_code == 303
    assert str(kept(reader)["home"]).startswith(WUSHAN)


@pytest.mark.parametrize(
    "place", [("116.4", "39.9"), ("nan", "nan"), ("inf", "31"), ("here", "there"), ("", "31.08"), ("1e400", "0")]
)
async def test_a_position_elsewhere_or_none_is_said_so(reader: httpx.AsyncClient, place: tuple[str, str]) -> None:
    answer = await reader.post("/find/home", data={"lon": place[0], "lat": place[1]})
    assert answer.status_code == 422
    assert "位置" in Document(answer.text).one("p", role="alert").text


@pytest.mark.parametrize("area", ["500000", "510000", "500237999", "abc", "110101"])
async def test_only_places_to_search_around_are_taken(reader: httpx.AsyncClient, area: str) -> None:
    answer = await reader.post("/find/home", data={"area": area})
    if area == "110101":  # a district elsewhere is a home, too
        assert answer.status_code == 303
    else:
        assert answer.status_code == 422
        assert kept(reader) == {}


@pytest.mark.parametrize(
    ("typed", "years"),
    [
        ("58", 58),
        (" ５８ 岁", 58),
        ("58周岁", 58),
        ("五十八", 58),
        ("十六", 16),
        ("六十", 60),
        ("1968", None),
        ("-5", None),
        ("5.5", None),
        ("百", None),
        ("", None),
    ],
)
def test_ages_are_read_as_people_write_them(typed: str, years: int | None) -> None:
    assert read_age(typed) == years


@pytest.mark.parametrize(
    ("typed", "told"),
    [("1968", "比如 58"), ("", "比如 58"), ("0", "比如 58"), ("101", "比如 58"), ("15", "劳动法第十五条")],
)
async def test_an_age_that_cannot_be_is_said_so(reader: httpx.AsyncClient, typed: str, told: str) -> None:
    answer = await reader.post("/find/age", data={"age": typed})
    assert answer.status_code == 422
    assert told in Document(answer.text).one("p", role="alert").text
    assert kept(reader) == {}


async def test_nobody_has_to_tell_an_age(reader: httpx.AsyncClient) -> None:
    await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    assert (await reader.post("/find/age", data={"skip": "1"})).headers["Location"] == "/find/work"
    assert (await reader.post("/find/work", data={"anything": "1"})).headers["Location"] == "/jobs"
    page = Document((await reader.get("/jobs")).text)
    assert "您几岁了？" in page.main
    assert "什么活都列出来了" in page.main
    answer = await reader.post("/find/age", data={"age": "58", "back": "/jobs"})
    assert answer.headers["Location"] == "/jobs"
    assert "您几岁了？" not in Document((await reader.get("/jobs")).text).main


@pytest.mark.parametrize("words", ["", "   ", "保" * 41])
async def test_words_that_cannot_be_used_are_said_so(reader: httpx.AsyncClient, words: str) -> None:
    answer = await reader.post("/find/work", data={"words": words})
    assert answer.status_code == 422
    assert Document(answer.text).one("p", role="alert").text.strip()
    assert kept(reader) == {}


def test_every_button_for_work_is_understood_for_sure(street: House) -> None:
    best = {chip: street.ready_matchmaker().resolve(chip, k=1) for chip in WORK_CHIPS}
    assert {chip: found for chip, found in best.items() if not found or found[0].confidence < 0.9} == {}


async def test_what_somebody_cannot_do_is_kept_off_the_list_and_said(street: House, reader: httpx.AsyncClient) -> None:
    await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    await reader.post("/find/work", data={"words": "搬货"})
    assert "日结装卸零工" in (await reader.get("/jobs")).text
    page = Document((await reader.get("/find/limits")).text)
    assert len(page.all("input", type="checkbox")) == len(Limit)
    answer = await reader.post("/find/limits", data={"limit": ["no_heights", "no_such_limit"]})
    assert answer.headers["Location"] == "/jobs"
    assert kept(reader)["limits"] == ["no_heights"]
    listed = Document((await reader.get("/jobs")).text)
    assert not [card for card in listed.cards if "日结装卸零工" in card.text]
    assert "您说过“不能登高”的 1 个" in listed.main
    barred = card_titled(street, "日结装卸零工")
    assert "没推荐给您：这活要登高，您说过不行" in Document((await reader.get(f"/jobs/{barred.id}")).text).main


@pytest.mark.parametrize(
    "cookie",
    [
        "x",
        "====",
        base64.urlsafe_b64encode(b"[1]").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b'{"home": 5, "age": true, "words": [], "limits": {"a": 1}, "large": "yes"}').decode(),
        base64.urlsafe_b64encode(b'{"home": "500237102\\n", "age": 15, "limits": [1, "fly"]}').decode(),
        base64.urlsafe_b64encode(b'{"home": "999999999", "words": ""}').decode(),
    ],
)
async def test_a_cookie_that_somebody_bent_counts_as_no_answer(reader: httpx.AsyncClient, cookie: str) -> None:
    reader.cookies.clear()
    reader.cookies.set(COOKIE, cookie)
    for path in ("/", "/jobs", "/find/township", "/find/limits", "/about"):
        answer = await reader.get(path)
        assert answer.status_code in (200, 303), path
        assert 'class="large"' not in answer.text
    assert Document((await reader.get("/")).text).heading == "您住在哪里？"


async def test_larger_type_is_one_tap_away_on_every_page_and_leads_back(reader: httpx.AsyncClient) -> None:
    before = Document((await reader.get(f"/jobs?near={HOME_TOWNSHIP}&q=保洁")).text)
    assert before.one("html").get("class") == ""
    form = before.one("form", action="/type")
    fields = {each["name"]: each["value"] for each in form.inside if each.tag == "input"}
    answer = await reader.post("/type", data=fields)
    assert answer.status_code == 303
    after = Document((await reader.get(answer.headers["Location"])).text)
    assert after.heading == before.heading
    assert after.one("html").get("class") == "large"
    fields = {each["name"]: each["value"] for each in after.one("form", action="/type").inside if each.tag == "input"}
    await reader.post("/type", data=fields)
    assert Document((await reader.get("/")).text).one("html").get("class") == ""


@pytest.mark.parametrize(
    "back",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "/a\r\nX: y", "/\tx"],
)
async def test_the_way_back_never_leads_to_another_site(reader: httpx.AsyncClient, back: str) -> None:
    assert (await reader.post("/type", data={"large": "1", "back": back})).headers["Location"] == "/"
    answer = await reader.post("/find/age", data={"age": "58", "back": back})
    assert answer.headers["Location"] == "/find/home"


async def test_the_next_person_at_a_shared_phone_finds_nothing(reader: httpx.AsyncClient) -> None:
    await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    await reader.post("/find/work", data={"words": "保洁"})
    await reader.post("/type", data={"large": "1"})
    assert "换个人用" in Document((await reader.get("/jobs")).text).text
    answer = await reader.post("/clear")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    page = Document((await reader.get("/")).text)
    assert kept(reader) == {}
    assert page.heading == "您住在哪里？"
    assert "换个人用" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://test.evil.example"},
        {"Origin": "http://[test"},
        {"Origin": "http://test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://test", "Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/find/home", "/find/age", "/find/work", "/find/limits", "/type", "/clear"])
async def test_another_sites_form_is_refused_and_changes_nothing(
    reader: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    answer = await reader.post(path, data={"area": WUSHAN, "age": "58", "words": "保安"}, headers=headers)
    assert answer.status_code == 403
    assert Document(answer.text).heading == "请从本站的页面提交"
    assert kept(reader) == {"home": HOME_TOWNSHIP}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://test"},
        {"Origin": "http://127.0.0.1:8000"},  # the public address, behind a proxy that rewrites Host
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_own_forms_are_taken(street: House, headers: dict[str, str]) -> None:
    async with phone(create_app(street)) as reader:
        del reader.headers["Origin"]
        assert (await reader.post("/find/home", data={"area": WUSHAN}, headers=headers)).status_code == 303
        assert (await reader.post("/find/home", data={"area": WUSHAN})).status_code == 303


@pytest.mark.parametrize("path", ["/type", "/clear"])
async def test_what_changes_something_is_never_a_get(reader: httpx.AsyncClient, path: str) -> None:
    answer = await reader.get(path)
    assert answer.status_code == 405
    assert "Set-Cookie" not in answer.headers


async def test_a_certificate_is_asked_for_where_it_opens_something_and_can_be_taken_back(house: House) -> None:
    posting = add_posting(house, title="水电工", occupation_code="6-31-01-03")
    async with phone(create_app(with_matchmaker(house))) as reader:
        path = f"/jobs?near={HOME_TOWNSHIP}&q=水电工"
        page = Document((await reader.get(path)).text)
        asked = page.one("button", name="have")
        assert asked.text == "我有低压电工作业证（1个活）"
        assert f"/jobs/{posting}" not in page.links().values()

        taken = await reader.post("/find/certificates", data={"have": "低压电工作业证", "back": path})
        assert taken.status_code == 303
        page = Document((await reader.get(path)).text)
        assert f"/jobs/{posting}" in page.links().values()
        assert not page.all("button", name="have")
        assert page.one("button", name="drop")["value"] == "低压电工作业证"

        await reader.post("/find/certificates", data={"drop": "低压电工作业证", "back": path})
        page = Document((await reader.get(path)).text)
        assert len(page.all("button", name="have")) == 1


@pytest.mark.parametrize("name", ["", "<b>", "证" * 21, "a b"])
async def test_a_strange_certificate_is_not_kept(reader: httpx.AsyncClient, name: str) -> None:
    answer = await reader.post("/find/certificates", data={"have": name})
    assert answer.status_code == 303
    page = Document((await reader.get(f"/jobs?near={HOME_TOWNSHIP}")).text)
    assert not page.all("button", name="drop")


# --- phones that keep no cookies --------------------------------------------------------------------------------------

FORGETS = "手机没开 Cookie，答案记不住"


@pytest.mark.parametrize("path", ["/", "/find/home", "/find/age", "/find/work", "/find/limits", "/jobs"])
async def test_a_question_finds_out_whether_the_phone_keeps_answers(street: House, path: str) -> None:
    async with phone(create_app(street), scheme="https") as reader:
        first = await reader.get(path)
        assert kept(reader) == {}
        parts = {part.strip().lower() for part in first.headers["Set-Cookie"].split(";")[1:]}
        assert parts == {"secure", "httponly", "samesite=lax", "path=/", f"max-age={30 * 86_400}"}
        again = await reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "Set-Cookie" not in again.headers
        reader.cookies.clear()
        unchanged = await reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert unchanged.status_code == 304
        assert "Set-Cookie" in unchanged.headers


async def test_what_asks_nothing_sets_no_cookie(street: House) -> None:
    card = card_titled(street, "小区保洁员")
    async with phone(create_app(street)) as reader:
        for path in ("/about", "/reports", f"/jobs/{card.id}", f"/jobs/{card.id}/reports", "/nothing"):
            assert "Set-Cookie" not in (await reader.get(path)).headers, path


@pytest.mark.parametrize(
    ("answer", "heading"),
    [
        ({"area": WUSHAN}, "巫山县附近的活"),
        ({"area": HOME_TOWNSHIP}, "大昌镇附近的活"),
        ({"place": "巫山官渡"}, "官渡镇附近的活"),
    ],
)
async def test_without_cookies_the_first_answer_leads_to_a_list(
    forgetful: httpx.AsyncClient, answer: dict[str, str], heading: str
) -> None:
    assert Document((await forgetful.get("/")).text).heading == "您住在哪里？"
    led = await forgetful.post("/find/home", data=answer)
    assert led.status_code == 303
    page = Document((await forgetful.get(led.headers["Location"])).text)
    assert page.heading == heading
    assert FORGETS in page.main
    assert page.cards
    # What would go round without being kept is not asked.
    assert not [form for form in page.all("form") if form.get("action").startswith("/find/")]
    assert "有做不了的" not in page.links()

    words = {each["name"]: each.get("value") for each in page.one("form", action="/jobs").inside if each.tag == "input"}
    page = Document((await forgetful.get("/jobs", params={**words, "q": "保安"})).text)
    assert "“保安”按“保安员”找的" in page.main
    assert FORGETS in page.main
    assert FORGETS in Document((await forgetful.get(page.links()["50+可做"])).text).main


async def test_without_cookies_words_lead_to_the_choice_of_a_place(forgetful: httpx.AsyncClient) -> None:
    led = await forgetful.post("/find/work", data={"words": "保安"})
    page = Document((await forgetful.get(led.headers["Location"])).text)
    assert page.heading == "看哪里附近的活？"
    assert FORGETS in page.main
    page = Document((await forgetful.get(page.links()["巫山"])).text)
    assert "“保安”按“保安员”找的" in page.main
    assert FORGETS in page.main


@pytest.mark.parametrize(
    ("path", "answer", "back", "left"),
    [
        ("/find/age", {"age": "58"}, "", {}),
        ("/find/age", {"skip": "1"}, "", {}),
        ("/find/age", {"age": "58"}, "?near=500237102&q=保洁&km=10", {"near": "500237102", "q": "保洁", "km": "10"}),
        ("/find/limits", {"limit": "no_heights"}, "", {}),
        ("/find/certificates", {"have": "低压电工作业证"}, "?near=500237102", {"near": "500237102"}),
        ("/find/certificates", {"have": "低压电工作业证"}, "?km=7", {}),
    ],
)
async def test_without_cookies_what_is_nobodys_business_stands_in_no_address(
    forgetful: httpx.AsyncClient, path: str, answer: dict[str, str], back: str, left: dict[str, str]
) -> None:
    led = await forgetful.post(path, data={**answer, "back": "/jobs" + quote(back, safe="?&=")})
    address = urlsplit(led.headers["Location"])
    assert (address.path, dict(parse_qsl(address.query))) == ("/jobs", {**left, "kept": "0"})
    assert FORGETS in Document((await forgetful.get(led.headers["Location"])).text).main


async def test_somebody_elses_link_says_nothing_about_this_phone(reader: httpx.AsyncClient) -> None:
    page = Document((await reader.get(f"/jobs?near={HOME_TOWNSHIP}&kept=0")).text)
    assert FORGETS not in page.main
    assert "您几岁了？" in page.main
