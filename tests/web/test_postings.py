"""The list near a place, one posting whole, and reports, as HTML."""

import gzip
import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.domain.pay import Pay, PayUnit
from app.domain.postings import PostingKind, PostingState
from app.kit.database import read_session
from app.main import create_app
from app.store.postings import Posting
from app.wiring import House
from tests.houses import HOME_TOWNSHIP, WUSHAN, add_posting, with_matchmaker
from tests.web.documents import Document
from tests.web.streets import HOSTILE, card_titled, phone

pytestmark = pytest.mark.anyio

LIST = f"/jobs?near={HOME_TOWNSHIP}&q=保洁"


async def read(client: httpx.AsyncClient, path: str, *, status: int = 200) -> Document:
    """The page at a path."""
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return Document(answer.text)


# --- the list ---------------------------------------------------------------------------------------------------------


async def test_a_list_needs_no_cookie_and_tells_what_a_person_must_know(
    reader: httpx.AsyncClient, street: House
) -> None:
    page = await read(reader, LIST)
    assert page.heading == "大昌镇附近的活"
    assert "“保洁”按“保洁员”找的" in page.main
    assert len(page.cards) == 20
    assert all(re.search(r"离家(不到 1| \d\.\d) 公里", card.text) for card in page.cards)
    first = page.cards[0]
    assert re.search(r"2800-3200元/月", first.text)
    for told in ("演示数据", "50+可做", "今天发布", "单位已核实", "为什么推荐", "正是您要找的活", "巫山县 大昌镇"):
        assert told in first.text, told
    card = street.ready_matchmaker().card(int(first["id"].removeprefix("job-")))
    assert card is not None
    assert card.title in first.text
    assert next(each for each in first.inside if each.tag == "a")["href"] == f"/jobs/{card.id}"


async def test_who_tells_no_age_is_invited_and_not_kept_out(reader: httpx.AsyncClient) -> None:
    page = await read(reader, LIST)
    assert "您几岁了？" in page.main
    fields = {each["name"]: each.get("value") for each in page.all("input") if each.get("name") in ("back", "age")}
    form = next(each for each in page.all("form", action="/find/age"))
    back = next(each["value"] for each in form.inside if each.get("name") == "back")
    answer = await reader.post("/find/age", data={**fields, "back": back, "age": "58"})
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {"near": [HOME_TOWNSHIP], "q": ["保洁"]}
    again = await read(reader, answer.headers["Location"])
    assert "您几岁了？" not in again.main
    assert "58" not in answer.headers["Location"]


async def test_an_age_cap_without_a_reason_is_a_caution_for_whom_it_would_keep_out(reader: httpx.AsyncClient) -> None:
    await reader.post("/find/age", data={"age": "58"})
    page = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=保安")
    guard = next(card for card in page.cards if "小区保安（真）" in card.text)
    assert "雇主注明50岁以下，没有法定理由" in guard.text


async def test_more_keeps_the_place(reader: httpx.AsyncClient) -> None:
    page = await read(reader, LIST)
    more = page.links()["看更多"]
    shown = [card["id"] for card in page.cards]
    path, _, anchor = more.partition("#")
    longer = await read(reader, path)
    assert [card["id"] for card in longer.cards][:20] == shown
    assert len(longer.cards) == 25
    assert longer.cards[20]["id"] == anchor
    assert "看更多" not in longer.links()
    assert "附近合适的都在这里了" in longer.main


async def test_filters_are_links_that_can_be_taken_back(reader: httpx.AsyncClient) -> None:
    page = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=")
    only = await read(reader, page.links()["日结零工"])
    assert ["日结装卸零工" in card.text for card in only.cards] == [True]
    assert "用工方式" not in only.main
    assert "kind" not in only.links()["✓日结零工"]
    older = await read(reader, page.links()["50+可做"])
    assert older.cards
    assert all("50+可做" in card.text for card in older.cards)
    assert "older" not in older.links()["✓50+可做"]
    both = await read(reader, older.links()["5公里内"])
    assert {"✓50+可做", "✓5公里内"} < set(both.links())


async def test_filters_that_leave_nothing_are_let_go_and_the_page_says_so(reader: httpx.AsyncClient) -> None:
    page = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=保洁&kind=workshop")
    assert "您点的条件附近没有" in page.main
    assert len(page.cards) == 20


async def test_words_can_be_corrected_on_the_spot(reader: httpx.AsyncClient) -> None:
    page = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=扫楼道的活路&km=30")
    form = next(each for each in page.all("form", method="get", action="/jobs"))
    fields = {each["name"]: each["value"] for each in form.inside if each.tag == "input"}
    assert fields == {"near": HOME_TOWNSHIP, "km": "30", "q": "扫楼道的活路"}
    assert "不对？" in page.main


async def test_several_words_are_several_wants_and_nonsense_is_owned_up_to(reader: httpx.AsyncClient) -> None:
    page = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=保洁、看大门，嗡嗡嗡")
    assert "“保洁”按“保洁员”找的" in page.main
    assert "“看大门”按“保安员”找的" in page.main
    assert "“嗡嗡嗡”没听懂" in page.main


async def test_a_search_that_was_widened_says_so(reader: httpx.AsyncClient) -> None:
    page = await read(reader, "/jobs?near=500241&q=保洁")
    assert [each for each in page.all("p") if each.get("class") == "note" and "放宽到全市" in each.text]
    assert "离家约" in page.cards[0].text


async def test_nothing_found_helps_on(house: House) -> None:
    async with phone(create_app(with_matchmaker(house))) as reader:
        page = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=保洁&kind=part_time")
        assert "附近暂时没有合适的活" in page.main
        links = page.links()
        assert "kind" not in links["去掉筛选再找"]
        assert "km=600" in links["全重庆都找找"]
        assert links["打 12333，请人帮您找"] == "tel:12333"
        assert "驿站" in page.main


async def test_a_list_without_a_place_asks_for_one_and_keeps_the_words(reader: httpx.AsyncClient) -> None:
    page = await read(reader, "/jobs?q=保洁")
    assert page.heading == "看哪里附近的活？"
    target = parse_qs(urlsplit(page.links()["巫山"]).query)
    assert target == {"near": [WUSHAN], "q": ["保洁"]}


async def test_somebody_elses_link_is_not_mixed_with_this_phones_words(reader: httpx.AsyncClient) -> None:
    await reader.post("/find/home", data={"area": WUSHAN})
    await reader.post("/find/work", data={"words": "保安"})
    assert "什么活都列出来了" in (await read(reader, f"/jobs?near={HOME_TOWNSHIP}")).main
    assert "“保安”" in (await read(reader, "/jobs")).main


async def test_a_code_that_several_took_over_offers_them_and_keeps_the_rest(reader: httpx.AsyncClient) -> None:
    page = await read(reader, "/jobs?near=500112&q=保洁&km=30")
    assert page.heading == "看哪里附近的活？"
    assert "渝北区从2025年11月6日起没有了" in page.main
    links = page.links()
    offered = [name for name in links if name in ("两江新区", "北碚区")]
    assert offered == ["两江新区", "北碚区"]
    target = urlsplit(links["北碚区"])
    assert (target.path, parse_qs(target.query)) == ("/jobs", {"near": ["500109"], "q": ["保洁"], "km": ["30"]})
    assert (await read(reader, links["北碚区"])).heading == "北碚区附近的活"


async def test_a_retired_code_leads_to_its_successor(reader: httpx.AsyncClient) -> None:
    assert (await read(reader, "/jobs?near=500105&q=保洁")).heading == "两江新区附近的活"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("near=500237999", "没有这个区县或乡镇街道"),
        ("near=500000", "没有这个区县或乡镇街道"),
        ("near=abc", "六位的区县代码"),
        ("near=%EF%BC%95%EF%BC%90%EF%BC%90%EF%BC%92%EF%BC%93%EF%BC%97", "六位的区县代码"),
        (f"near={WUSHAN}&kind=slavery", "没有这种用工方式"),
        (f"near={WUSHAN}&km=7", "没有这个距离"),
        (f"near={WUSHAN}&show=1000000", "最多看100个"),
        (f"near={WUSHAN}&show=21", "最多看100个"),
        (f"near={WUSHAN}&q={'保' * 41}", "40个字以内"),
    ],
)
async def test_an_address_that_cannot_be_used_is_explained(reader: httpx.AsyncClient, query: str, told: str) -> None:
    page = await read(reader, f"/jobs?{query}", status=422)
    assert told in page.main
    assert page.links()["去找活"] == "/"


async def test_twenty_jobs_weigh_at_most_15_kb(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(LIST, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(Document(answer.text).cards) == 20
    sent = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else 0
    assert 0 < (sent or len(gzip.compress(answer.content, 5))) <= 15_000


async def test_an_unchanged_list_is_not_sent_twice(reader: httpx.AsyncClient) -> None:
    first = await reader.get(LIST)
    again = await reader.get(LIST, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "Cookie" in first.headers["Vary"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    await reader.post("/type", data={"large": "1"})
    assert (await reader.get(LIST, headers={"If-None-Match": first.headers["ETag"]})).status_code == 200


# --- one posting ------------------------------------------------------------------------------------------------------


async def test_a_posting_is_told_whole(reader: httpx.AsyncClient, street: House) -> None:
    card = card_titled(street, "小区保安（真）")
    await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    await reader.post("/find/age", data={"age": "58"})
    await reader.post("/find/work", data={"words": "看大门"})
    page = await read(reader, f"/jobs/{card.id}")
    assert page.heading == "小区保安（真）"
    for told in (
        "2800-3200元/月", "每月15日", "用人单位", "包吃，包住", "打扫楼道", "8:00-17:00", "农贸市场旁", "中等活",
        "没写有特别要求", "有保险", "18-50岁", "没有法定理由", "已于11月2日核实", "2 人", "3天前", "12月21日为止",
        "离家", "对您来说", "是您要找的这一类活",
    ):  # fmt: skip
        assert told in page.main, told
    calls = [each for each in page.all("a") if each["href"].startswith("tel:023")]
    assert [each["href"] for each in calls] == ["tel:023-57689999"] * 2
    assert "打电话问" in calls[0].text
    assert "历史样例" not in page.main
    assert "演示数据" not in page.one("article").text
    assert page.links()["这个活有问题？举报"] == f"/jobs/{card.id}/reports"
    assert page.one("input", id="url")["value"] == f"http://127.0.0.1:8000/jobs/{card.id}"
    assert "差不多的活" in page.main


async def test_a_posting_says_what_it_lacks(reader: httpx.AsyncClient, street: House) -> None:
    card = card_titled(street, "保安<")
    page = await read(reader, f"/jobs/{card.id}")
    assert "没有保险" in page.main
    assert "60岁以下（法定从业资格年龄）" in page.main
    assert "没有法定理由" not in page.main
    assert f"打 12333 问说岗位编号 {card.id}" in page.main
    assert "对您来说" not in page.main
    plain = await read(reader, f"/jobs/{card_titled(street, '小区保洁员').id}")
    assert "没写有没有保险" in plain.main
    assert "没写限制" in plain.main


async def test_pay_by_the_day_is_told_by_the_month_where_the_work_fills_it(house: House) -> None:
    by_day = Pay(unit=PayUnit.DAY, low=Decimal(150), high=Decimal(180))
    steady = add_posting(house, pay=by_day)
    odd = add_posting(house, pay=by_day, kind=PostingKind.DAY_LABOUR)
    async with phone(create_app(with_matchmaker(house))) as reader:
        page = await read(reader, f"/jobs/{steady}")
        assert "150-180元/天" in page.main
        assert "约 3262-3915 元" in page.main
        assert "合一个月" not in (await read(reader, f"/jobs/{odd}")).main


async def test_heavy_day_labour_says_so(reader: httpx.AsyncClient, street: House) -> None:
    page = await read(reader, f"/jobs/{card_titled(street, '日结装卸零工').id}")
    for told in ("重活", "要搬重物、要登高", "日结"):
        assert told in page.main


async def test_a_sample_of_the_past_cannot_be_applied_to(reader: httpx.AsyncClient, street: House) -> None:
    card = card_titled(street, "以前的保安")
    page = await read(reader, f"/jobs/{card.id}")
    for told in ("历史样例", "2019年6月", "不招人了", "没有写：用人单位、工作内容、有效期"):
        assert told in page.main, told
    assert [each["href"] for each in page.all("a") if each["href"].startswith("tel:")] == ["tel:12333"]  # the footer's
    assert "023-5768" not in page.html
    assert page.structured_data == []
    listed = await read(reader, f"/jobs?near={HOME_TOWNSHIP}&q=保安")
    assert "历史样例" in next(each.text for each in listed.cards if "以前的保安" in each.text)


async def test_real_open_postings_carry_structured_data_and_no_script_gets_through(
    reader: httpx.AsyncClient, street: House
) -> None:
    card = card_titled(street, "保安<")
    answer = await reader.get(f"/jobs/{card.id}")
    page = Document(answer.text)
    (data,) = page.structured_data
    assert data["@type"] == "JobPosting"
    assert data["title"] == card.title
    assert data["description"].startswith(f"看门{HOSTILE}")
    assert data["datePosted"] == "2026-12-01"
    assert data["validThrough"] == "2026-12-21T23:59:59+08:00"
    assert data["employmentType"] == "FULL_TIME"
    assert data["hiringOrganization"] == {"@type": "Organization", "name": card.employer_name}
    assert data["jobLocation"]["address"]["addressLocality"] == "巫山县 大昌镇"
    assert data["jobLocation"]["address"]["streetAddress"] == HOSTILE
    assert data["baseSalary"]["value"] == {
        "@type": "QuantitativeValue", "unitText": "MONTH", "minValue": 2800.0, "maxValue": 3200.0,
    }  # fmt: skip
    assert [each for each in page.all("script") if not each.get("src")] == page.all(
        "script", type="application/ld+json"
    )
    assert "<b>" not in answer.text.replace("<b>就近</b>", "").replace("<b>找活不要钱。</b>", "")


async def test_a_generated_posting_is_marked_and_never_offered_to_search_engines(
    reader: httpx.AsyncClient, street: House
) -> None:
    page = await read(reader, f"/jobs/{card_titled(street, '小区保洁员').id}")
    assert "演示数据" in page.main
    assert page.structured_data == []


async def test_the_way_back_leads_to_the_same_place_in_the_same_list(reader: httpx.AsyncClient, street: House) -> None:
    card = card_titled(street, "小区保洁员")
    came_from = f"http://test/jobs?near={HOME_TOWNSHIP}&q=%E4%BF%9D%E6%B4%81&older=1&show=40"
    answer = await reader.get(f"/jobs/{card.id}", headers={"Referer": came_from})
    back = urlsplit(Document(answer.text).links()["‹ 回到找活"])
    assert (back.path, back.fragment) == ("/jobs", f"job-{card.id}")
    assert parse_qs(back.query) == {"near": [HOME_TOWNSHIP], "q": ["保洁"], "older": ["1"], "show": ["40"]}
    for elsewhere in ("http://evil.example/jobs?near=500237", "http://test/jobs?km=9", "", "http://[broken"):
        answer = await reader.get(f"/jobs/{card.id}", headers={"Referer": elsewhere})
        assert Document(answer.text).links()["‹ 回到找活"] == f"/jobs#job-{card.id}"


# More digits than Python reads as a number.
ENDLESS = "9" * 5_000


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/999999",
        f"/jobs/{2**31}",
        f"/jobs/{10**30}",
        f"/jobs/{ENDLESS}",
        f"/jobs/{ENDLESS}/reports",
        "/jobs/abc",
        "/jobs/1/x",
        "/x",
    ],
    ids=lambda path: path[:24],
)
async def test_what_is_not_there_is_said_in_words(reader: httpx.AsyncClient, path: str) -> None:
    page = await read(reader, path, status=404)
    assert page.links()["去找活"] == "/"
    assert page.one("html")["lang"] == "zh-CN"


@pytest.mark.parametrize(
    ("hours", "ends", "told"),
    [
        ("8:00-17:30", 18, "最晚 18 点"),
        ("夜班20:00-次日8:00", 24, "过了半夜"),
        ("8:00-20:00 两班倒", None, None),
    ],
)
async def test_the_end_of_work_is_told_in_words_that_fit_the_hours(
    house: House, hours: str, ends: int | None, told: str | None
) -> None:
    posting = add_posting(house, hours=hours, ends_at_hour=ends)
    async with phone(create_app(with_matchmaker(house))) as reader:
        page = await read(reader, f"/jobs/{posting}")
    assert hours in page.main
    assert ("几点下班" in page.main) is (told is not None)
    assert told is None or told in page.main


async def test_a_posting_that_ended_is_gone_at_once(house: House) -> None:
    yesterday = house.clock.today() - timedelta(days=1)
    ended = [
        add_posting(house, state=PostingState.CLOSED),
        add_posting(house, state=PostingState.REVIEW),
        add_posting(house, valid_until=yesterday),
    ]
    async with phone(create_app(with_matchmaker(house))) as reader:
        for posting in ended:
            page = await read(reader, f"/jobs/{posting}", status=404)
            assert page.heading == "没有这个岗位，或者已经结束"


# --- reports ----------------------------------------------------------------------------------------------------------


async def test_two_reporters_hide_a_posting_and_each_learns_the_outcome(house: House) -> None:
    posting = add_posting(house)
    app = create_app(with_matchmaker(house))
    async with phone(app, address="10.0.0.1") as one, phone(app, address="10.0.0.2") as other:
        form = await read(one, f"/jobs/{posting}/reports")
        assert len(form.all("input", type="radio")) == 6
        first = await one.post(f"/jobs/{posting}/reports", data={"reason": "fees", "words": "要\x00我先交\n押金"})
        assert first.status_code == 303
        told = await read(one, first.headers["Location"])
        code = first.headers["Location"].removeprefix("/reports/")
        assert told.heading == "正在核实"
        assert code in told.main
        assert "要先交钱或押证件" in told.main

        repeated = await one.post(f"/jobs/{posting}/reports", data={"reason": "fees", "words": "要\x00我先交\n押金"})
        assert repeated.headers["Location"] == first.headers["Location"]
        more = await one.post(f"/jobs/{posting}/reports", data={"reason": "false"})
        assert more.headers["Location"] != first.headers["Location"]
        assert (await one.get(f"/jobs/{posting}")).status_code == 200

        second = await other.post(f"/jobs/{posting}/reports", data={"reason": "age"})
        assert second.status_code == 303
        assert second.headers["Location"] != first.headers["Location"]
        await read(other, f"/jobs/{posting}", status=404)
        await read(other, f"/jobs/{posting}/reports", status=404)
        assert (await read(one, f"/reports/{code.lower()}")).heading == "正在核实"
    with read_session(house.engine) as session:
        kept = session.get(Posting, posting)
        assert kept is not None
        assert kept.state is PostingState.REVIEW


@pytest.mark.parametrize(
    ("sent", "told"),
    [({}, "请选一样"), ({"reason": "boredom"}, "请选一样"), ({"reason": "fees", "words": "长" * 301}, "300")],
)
async def test_a_report_that_cannot_be_taken_keeps_what_was_written(
    reader: httpx.AsyncClient, street: House, sent: dict[str, str], told: str
) -> None:
    card = card_titled(street, "小区保洁员")
    answer = await reader.post(f"/jobs/{card.id}/reports", data={"words": "<b>写了", **sent})
    page = Document(answer.text)
    assert answer.status_code == 422
    assert told in page.one("p", role="alert").text
    assert page.one("textarea").text == sent.get("words", "<b>写了")
    assert bool([each for each in page.all("input", type="radio") if "checked" in each.attributes]) is (
        sent.get("reason") == "fees"
    )


async def test_a_report_on_an_id_that_no_posting_can_have_finds_nothing(house: House) -> None:
    async with phone(create_app(with_matchmaker(house))) as reader:
        for posting in ("9" * 10, "9" * 30, ENDLESS):
            answer = await reader.post(f"/jobs/{posting}/reports", data={"reason": "fees"})
            assert answer.status_code == 404, posting[:30]
            assert Document(answer.text).links()["去找活"] == "/"


async def test_another_sites_report_is_refused(reader: httpx.AsyncClient, street: House) -> None:
    card = card_titled(street, "小区保洁员")
    answer = await reader.post(
        f"/jobs/{card.id}/reports", data={"reason": "fees"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403


async def test_an_outcome_is_found_by_the_code_as_people_type_it(reader: httpx.AsyncClient) -> None:
    assert (await read(reader, "/reports")).heading == "查举报结果"
    answer = await reader.get("/reports", params={"code": " ab23-cd45 ef"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/reports/AB23CD45EF")
    assert (await read(reader, "/reports/AB23CD45EF", status=404)).heading == "没有这个举报编号"
    assert (await reader.get("/reports", params={"code": "//evil.example"})).status_code == 200
