"""What every page shares: the frame, the rules for pages, static files, errors; and the page about the service."""

import re
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from app.domain.postings import PostingOrigin, PostingState
from app.kit.errors import Busy, Conflict, Fault, FieldFault, Gone, Invalid
from app.main import create_app
from app.usecases.matchmaking import Matchmaker
from app.web import assets
from app.web.rendering import render_problem
from app.wiring import House
from tests.houses import HOME_TOWNSHIP, add_posting, with_matchmaker
from tests.web.documents import Document
from tests.web.streets import card_titled, phone

pytestmark = pytest.mark.anyio

STATIC = Path(assets.__file__).parent / "static"
# Newer than Chrome 78, which old WeChat brings.
TOO_NEW_CSS = (
    r"clamp\(", r"\bmin\(", r"\bmax\(", r":is\(", r":where\(", r":has\(", r":focus-visible", r"aspect-ratio",
    r"\binset:", r"@container", r"@layer", r"\bdvh\b",
)  # fmt: skip
TOO_NEW_JS = (
    r"\?\.",
    r"\?\?",
    r"\|\|=",
    r"&&=",
    r"\.at\(",
    r"replaceAll",
    r"#\w+\s*[=(]",
    r"^\s*import ",
    r"structuredClone",
)


async def pages(reader: httpx.AsyncClient, street: House) -> dict[str, str]:
    """Every page of the seeker, once empty-handed and once with answers."""
    found = {}
    paths = [
        "/",
        "/find/home",
        "/find/age",
        "/find/work",
        "/find/limits",
        "/jobs",
        "/about",
        "/reports",
        "/receipts",
        "/x",
    ]
    paths += [f"/jobs?near={HOME_TOWNSHIP}&q=保安", "/jobs?near=1"]
    for title in ("小区保安（真）", "以前的保安", "保安<", "日结装卸零工"):
        number = card_titled(street, title).id
        paths += [f"/jobs/{number}", f"/jobs/{number}/reports"]
    for path in paths:
        found[path] = (await reader.get(path)).text
    found["POST which"] = (await reader.post("/find/home", data={"place": "官渡"})).text
    found["POST bad"] = (await reader.post("/find/age", data={"age": "x"})).text
    await reader.post("/find/home", data={"area": HOME_TOWNSHIP})
    await reader.post("/find/age", data={"age": "58"})
    await reader.post("/find/work", data={"words": "看大门"})
    await reader.post("/find/limits", data={"limit": ["no_nights"]})
    for path in ("/find/township", *paths):
        found[f"{path} answered"] = (await reader.get(path)).text
    return found


async def test_every_page_keeps_the_rules(reader: httpx.AsyncClient, street: House) -> None:
    for path, html in (await pages(reader, street)).items():
        page = Document(html)
        assert page.one("html")["lang"] == "zh-CN", path
        assert page.one("title").text.endswith(" · 就近"), path
        assert len(page.all("h1")) == 1, path
        assert page.one("meta", name="viewport")["content"] == "width=device-width, initial-scale=1", path
        assert page.one("footer").text.count("12333") >= 1, path
        assert [each for each in page.one("footer").inside if each.get("href") == "tel:12333"], path
        assert page.one("a", **{"class": "skip"})["href"] == "#main", path
        ids = [each["id"] for each in page.elements if "id" in each.attributes]
        assert len(ids) == len(set(ids)), (path, ids)


async def test_no_page_holds_anything_that_the_policy_would_stop(reader: httpx.AsyncClient, street: House) -> None:
    for path, html in (await pages(reader, street)).items():
        page = Document(html)
        for each in page.elements:
            assert not [name for name in each.attributes if name == "style" or name.startswith("on")], path
            assert each.tag not in ("style", "iframe", "object", "embed"), path
            source = each.get("src") or (each.get("href") if each.tag == "link" else "")
            assert source.startswith("/static/") or source == "" or each.get("rel") == "canonical", (path, source)
        for script in page.all("script"):
            assert script.get("src") or script.get("type") == "application/ld+json", path


async def test_every_form_that_changes_something_is_a_post_to_this_site(
    reader: httpx.AsyncClient, street: House
) -> None:
    for path, html in (await pages(reader, street)).items():
        for form in Document(html).all("form"):
            assert form["action"].startswith("/"), path
            if form["method"] == "get":
                assert form["action"] in ("/jobs", "/reports"), path
            else:
                assert form["method"] == "post", path


async def test_every_field_has_a_label(reader: httpx.AsyncClient, street: House) -> None:
    for path, html in (await pages(reader, street)).items():
        page = Document(html)
        labelled = {each.get("for") for each in page.all("label")}
        wrapped = {id(inner) for each in page.all("label") for inner in each.inside}
        described = {each["id"] for each in page.elements if "id" in each.attributes}
        for each in [*page.all("input"), *page.all("textarea")]:
            assert each.get("type") == "hidden" or each.get("id") in labelled or id(each) in wrapped, path
            if "aria-describedby" in each.attributes:
                assert each["aria-describedby"] in described, path


async def test_a_page_runs_only_what_it_names_by_a_nonce_of_its_own(reader: httpx.AsyncClient) -> None:
    nonces = set()
    for path in ("/", "/", "/no-such-page"):
        answer = await reader.get(path, headers={"Accept": "text/html"})
        policy = answer.headers["Content-Security-Policy"]
        (nonce,) = set(re.findall(r"'nonce-([\w-]{22})'", policy))
        nonces.add(nonce)
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        page = Document(answer.text)
        named = [*page.all("script"), *page.all("link", rel="stylesheet")]
        assert [each.get("nonce") for each in named if each.get("type") != "application/ld+json"] == [nonce] * 2
        assert answer.headers["Referrer-Policy"] == "same-origin"  # no-referrer would blank the Origin of our own forms
    assert len(nonces) == 3


async def test_a_page_that_has_not_changed_keeps_the_policy_of_its_copy(reader: httpx.AsyncClient) -> None:
    first = await reader.get("/about")
    again = await reader.get("/about", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    # The copy bears the first nonce, which a new policy would not name.
    assert "Content-Security-Policy" not in again.headers


async def test_static_files_are_named_by_their_content_and_kept_for_ever(reader: httpx.AsyncClient) -> None:
    page = Document((await reader.get("/")).text)
    addresses = [each["href"] for each in page.all("link")] + [each["src"] for each in page.all("script")]
    assert len(addresses) == 3
    for address in addresses:
        answer = await reader.get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert re.fullmatch(r"/static/\w+\.[0-9a-f]{12}\.(css|js|svg)", address)
    for nowhere in ("/static/pages.css", "/static/../routes.py", "/static/%2e%2e/routes.py", "/static/"):
        assert (await reader.get(nowhere)).status_code == 404


def test_the_script_is_small_and_both_files_know_only_what_an_old_browser_knows() -> None:
    script, sheet = (STATIC / "pages.js").read_text("utf-8"), (STATIC / "pages.css").read_text("utf-8")
    assert len(script.encode()) <= 3_072
    assert not [each for each in TOO_NEW_CSS if re.search(each, sheet.split("*/", 1)[1])]
    assert not [each for each in TOO_NEW_JS if re.search(each, script, re.MULTILINE)]
    for block in re.findall(r"\{([^{}]*)\}", sheet):
        assert not (re.search(r"display:\s*(inline-)?flex", block) and re.search(r"(?<!-)\bgap:", block)), block
    assert "font-size: 112.5%" in sheet
    assert not re.search(r"font-size:\s*\d+px|font-size:\s*\.\d", sheet)
    assert "http" not in script + sheet


class _Teapot(Fault):
    status = 418
    title = "水烧开了"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Gone("已经招满"), "已经招满"),
        (Invalid(fields=(FieldFault("age", "missing", "请填<年龄>"),)), "请填<年龄>"),
        (Conflict(), "什么都没有改动"),
        (Busy(retry_after_s=7), "系统繁忙"),
        (Fault(), "不是您的"),
        (_Teapot(), "水烧开了"),
    ],
)
def test_every_fault_has_a_page(fault: Fault, told: str) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"test")]}
    answer = render_problem(Request(scope), fault)
    page = Document(bytes(answer.body).decode())
    assert answer.status_code == fault.status
    assert told in page.main
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Retry-After") == ("7" if isinstance(fault, Busy) else None)
    assert page.links()["去找活"] == "/"


async def test_an_error_that_nobody_foresaw_is_a_page_too(street: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(Matchmaker, "card", fail)
    monkeypatch.setattr(Matchmaker, "match", fail)
    async with phone(create_app(street)) as reader:
        answer = await reader.get("/jobs?near=500237102&q=保洁", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "nobody foresaw" not in answer.text
    assert "12333" in answer.text


async def test_before_the_data_are_loaded_pages_say_to_come_back(house: House) -> None:
    async with phone(create_app(house)) as reader:
        for path in ("/", "/jobs", "/jobs/1", "/about"):
            answer = await reader.get(path)
            assert answer.status_code == 503
            assert Document(answer.text).heading == "系统正在准备数据，请稍后再试"


async def test_programs_get_a_problem_document(reader: httpx.AsyncClient) -> None:
    answer = await reader.get("/jobs/999999", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "posting_not_found"


async def test_the_page_about_the_service_counts_real_rows_apart(house: House) -> None:
    for _ in range(3):
        add_posting(house)
    add_posting(house, origin=PostingOrigin.ENTERED)
    add_posting(house, origin=PostingOrigin.ENTERED, state=PostingState.REVIEW)
    for _ in range(2):
        add_posting(house, origin=PostingOrigin.IMPORTED, state=PostingState.HISTORICAL, valid_until=None)
    ready = with_matchmaker(house)
    async with phone(create_app(ready)) as reader:
        page = Document((await reader.get("/about")).text)
    rows = {row.text.strip().split("\n")[0]: row for row in page.all("tr")}
    counts = [re.sub(r"\D", "", cell.text) for cell in page.all("td")][:3]
    assert counts == ["1", "2", "3"], rows
    for weight in ready.ready_matchmaker().weights_told():
        assert weight.label in page.main
        assert weight.text in page.main
    assert "GeoNames" in page.main
    assert "Creative Commons Attribution 4.0" in page.main
    assert "https://creativecommons.org/licenses/by/4.0/" in page.links().values()
