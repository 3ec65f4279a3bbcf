"""Words to occupations: everyday requests and employers' titles, spelt as people spell them.

The forty everyday requests were written before the resolver; `docs/everyday-requests.md` tells what it misses of them.
"""

import csv
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching import OccupationResolver, Resolved

ROOT = Path(__file__).parents[2]
DATA = ROOT / "seed" / "data"
REQUESTS = Path(__file__).with_name("everyday_requests.csv")
PAGE = ROOT / "docs" / "everyday-requests.md"

GUARD, CLEANER, COOK, WAITER = "4-07-05-01", "4-09-08-01", "4-03-02-01", "4-03-02-05"
FORKLIFT, SEAMSTRESS, WELDER, ELECTRICIAN = "6-30-05-01", "6-05-01-03", "6-18-02-04", "6-31-01-03"
COURIER, PORTER, PACKER, CASHIER, CUTTER = "4-02-07-08", "4-02-05-01", "6-31-05-00", "4-01-02-04", "6-05-01-02"
STOREKEEPER, LATHES = "4-02-06-01", "6-18-01-07"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tables() -> tuple[dict[str, str], list[tuple[str, str]]]:
    names = {row["code"]: row["name"] for row in read(DATA / "occupations_gbm2022.csv")}
    aliases = [(row["alias"], row["occ_code"]) for row in read(DATA / "occupation_aliases.csv")]
    words = [(row["text"], row["code"]) for row in read(DATA / "occupation_words.csv")]
    return names, aliases + words


def build() -> OccupationResolver:
    return OccupationResolver.from_tables(*tables())


@pytest.fixture(scope="module")
def resolver() -> OccupationResolver:
    return build()


def first(resolver: OccupationResolver, text: str) -> str | None:
    found = resolver.resolve(text, k=1)
    return found[0].code if found else None


# --- the forty requests -----------------------------------------------------------------------------------------------


def missed(resolver: OccupationResolver) -> dict[str, str]:
    """Requests whose first answer is not an acceptable one, with what was meant and what came."""
    misses = {}
    for row in read(REQUESTS):
        found = resolver.resolve(row["text"], k=1)
        if not found or found[0].code not in row["codes"].split("|"):
            misses[row["text"]] = f"meant {row['name']}, found {found[0].name if found else 'nothing'}"
    return misses


def test_at_least_36_of_40_everyday_requests_are_understood(resolver: OccupationResolver) -> None:
    requests = read(REQUESTS)
    assert len({row["text"] for row in requests}) == 40
    misses = missed(resolver)
    assert 40 - len(misses) >= 36, misses


def test_acceptable_codes_of_the_requests_are_occupations() -> None:
    names, _ = tables()
    for row in read(REQUESTS):
        codes = row["codes"].split("|")
        assert names[codes[0]] == row["name"]
        assert set(codes) <= names.keys()


def test_the_page_tells_what_was_missed(resolver: OccupationResolver) -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\S+) \| .* \| (yes|no) \|$", page, re.MULTILINE)
    assert [text for text, _ in listed] == [row["text"] for row in read(REQUESTS)]
    misses = missed(resolver)
    assert {text for text, understood in listed if understood == "no"} == misses.keys(), misses
    assert f"**{40 - len(misses)} of 40**" in page


# --- titles and slips -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("保按", GUARD),
        ("保洁圆", CLEANER),
        ("抄菜师傅", COOK),
        ("缝韧工", SEAMSTRESS),
        ("快第员", COURIER),
        ("收银圆", CASHIER),
        ("洗碗功", WAITER),
        ("叉车司几", FORKLIFT),
        ("电焊功", WELDER),
        ("叉车师付", FORKLIFT),
        ("乡寸医生", "2-05-09-00"),
        ("公正员", "2-07-05-00"),
        ("钢经工", "6-29-01-04"),
        ("绿画工", "4-09-10-01"),
        ("喷七工", "6-18-03-03"),
        ("挖几司机", "6-30-05-05"),
    ],
)
def test_a_slip_of_the_pen_is_forgiven(resolver: OccupationResolver, text: str, code: str) -> None:
    assert first(resolver, text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(保安)", GUARD),
        ("保安（夜班）", GUARD),
        ("急聘！！！保安【包吃住】月薪5000-8000", GUARD),
        ("诚聘：缝纫工（计件，多劳多得）", SEAMSTRESS),
        ("【直招】叉车司机（有证优先）/月休4天", FORKLIFT),
        ("高薪急招 快递员 五险一金", COURIER),
        ("洗碗工（2名，饭店）", WAITER),
        ("招聘保洁阿姨3名", CLEANER),
        ("电焊工（氩弧焊）", WELDER),
        ("急招！高薪普工（包吃住）", PACKER),
        ("普工（保安勿扰）", PACKER),
        ("，保安，", GUARD),
        ("保 安", GUARD),
        ("保\n安", GUARD),
        ("ＣＮＣ操作工", LATHES),
        ("cnc 操作工", LATHES),
    ],
)
def test_brackets_bait_and_width_do_not_hide_the_work(resolver: OccupationResolver, text: str, code: str) -> None:
    assert first(resolver, text) == code


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("保安/保洁", {GUARD, CLEANER}),
        ("保安/保洁/服务员", {GUARD, CLEANER, WAITER}),
        ("厨师兼采购", {COOK, "4-01-01-00"}),
        ("电工+焊工", {ELECTRICIAN, WELDER}),
        ("缝纫工和裁剪工", {SEAMSTRESS, CUTTER}),
        ("仓管/叉车", {STOREKEEPER, FORKLIFT}),
        ("司机或者搬运工", {"4-02-02-02", PORTER}),
        ("快递员/叉车司机/普工", {COURIER, FORKLIFT, PACKER}),
        ("月嫂/叉车司机/钢筋工", {"4-10-01-06", FORKLIFT, "6-29-01-04"}),
    ],
)
def test_several_jobs_in_one_title_are_all_found(resolver: OccupationResolver, text: str, codes: set[str]) -> None:
    assert {found.code for found in resolver.resolve(text, k=len(codes))} == codes


@pytest.mark.parametrize(
    "text", ["五险一金 双休", "日赚千元 轻松月入过万", "包吃包住", "急招", "高薪日结", "5000-8000元", "刷单"]
)
def test_bait_alone_is_no_occupation(resolver: OccupationResolver, text: str) -> None:
    assert all(found.confidence < 0.35 for found in resolver.resolve(text))
    assert resolver.resolve("保安", k=1)[0].confidence == 1.0


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "🙂🙂", "！！！……", "()（）", "_", "\x00"])
def test_nothing_said_is_nothing_found(resolver: OccupationResolver, text: str) -> None:
    assert resolver.resolve(text) == []


def test_emoji_around_words_are_passed_over(resolver: OccupationResolver) -> None:
    assert resolver.resolve("🙂保安👮") == resolver.resolve("保安")


def test_a_very_long_text_is_read_from_its_beginning(resolver: OccupationResolver) -> None:
    assert first(resolver, "保安，" + "要吃苦耐劳，" * 20_000) == GUARD
    assert resolver.resolve("保安" * 50_000) == resolver.resolve("保安" * 100)


# --- what a resolver is -----------------------------------------------------------------------------------------------


def test_every_name_resolves_to_its_own_code(resolver: OccupationResolver) -> None:
    names, entries = tables()
    meant: dict[str, set[str]] = {}
    for text, code in [*entries, *((name, code) for code, name in names.items())]:
        meant.setdefault(text, set()).add(code)
    for code, name in list(names.items())[::5]:
        found = resolver.resolve(name, k=10)
        assert found[0].code in meant[name]
        assert found[0].confidence == 1.0
        assert code in {each.code for each in found}


def test_answers_are_distinct_best_first_and_as_many_as_asked(resolver: OccupationResolver) -> None:
    found = resolver.resolve("服务员", k=5)
    assert len({each.code for each in found}) == 5
    assert [each.confidence for each in found] == sorted((each.confidence for each in found), reverse=True)
    assert resolver.resolve("服务员", k=2) == found[:2]
    assert len(resolver.resolve("服务员")) == 3
    assert resolver.resolve("服务员", k=0) == []


def test_no_more_than_ten_answers_are_kept(resolver: OccupationResolver) -> None:
    assert len(resolver.resolve("服务员", k=25)) == 10


@pytest.mark.parametrize("text", ["刮痧", "掏耳朵", "喂猫", "拔萝卜"])
def test_what_shares_no_character_is_no_answer(resolver: OccupationResolver, text: str) -> None:
    found = resolver.resolve(text, k=10)
    assert found
    assert all(each.confidence > 0 for each in found)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60) | st.text(alphabet="保安洁缝纫叉车司机电焊工（）/、急招5000元 的", max_size=30))
def test_any_text_gets_an_answer_in_bounds(resolver: OccupationResolver, text: str) -> None:
    names, _ = NAMES
    found = resolver.resolve(text)
    assert len(found) <= 3
    for each in found:
        assert names[each.code] == each.name
        assert 0 <= each.confidence <= 1


NAMES = tables()


def test_two_resolvers_of_one_table_answer_alike_whatever_its_order(resolver: OccupationResolver) -> None:
    names, entries = NAMES
    other = OccupationResolver.from_tables(dict(reversed(names.items())), list(reversed(entries)))
    texts = [row["text"] for row in read(REQUESTS)] + [text for text, _ in entries[::20]]
    texts += ["工", "员", "师傅", "技术人员", "操作", "保安/保洁", "普工", "月扫", "刮痧"]
    # Of these the last entry that is compared and the first that is not are alike to the last digit.
    texts += ["钼钨冶炼辅料制备工", "开渣土车", "开三轮车", "挖野菜", "园艺养护"]
    for text in texts:
        assert other.resolve(text, k=10) == resolver.resolve(text, k=10)


def test_an_answer_is_the_askers_own(resolver: OccupationResolver) -> None:
    expected = resolver.resolve("保安")
    resolver.resolve("保安").clear()
    assert resolver.resolve("保安") == expected


def test_threads_share_a_resolver(resolver: OccupationResolver) -> None:
    texts = [row["text"] for row in read(REQUESTS)]
    expected = [resolver.resolve(text) for text in texts]
    shared = build()
    answers: list[list[list[Resolved]]] = []
    threads = [
        threading.Thread(target=lambda: answers.append([shared.resolve(text) for text in texts])) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 3


def test_a_code_without_a_name_is_refused() -> None:
    names = {"g": "保安员"}
    with pytest.raises(ValueError, match="codes without a name: x"):
        OccupationResolver.from_tables(names, [("看大门", "x")])
    with pytest.raises(ValueError, match="codes without a name: y"):
        OccupationResolver.from_tables(names, [("看大门", "g")], examples=[("守门", "y")])


def test_codes_are_opaque_and_an_example_is_trusted_less_than_an_alias() -> None:
    resolver = OccupationResolver.from_tables(
        {"1/a": "保安员", "β": "保洁员"}, [("看门", "1/a"), ("扫地", "β")], examples=[("守大门的老头", "1/a")]
    )
    assert resolver.resolve("看门", k=1) == [Resolved(code="1/a", name="保安员", confidence=1.0)]
    (guard, *_) = resolver.resolve("守大门的老头")
    assert guard.code == "1/a"
    assert 0.6 < guard.confidence < 1


def test_many_texts_are_read_as_each_alone(resolver: OccupationResolver) -> None:
    texts = ["保安", "保洁/保安", "", "🙂", *(row["text"] for row in read(REQUESTS)), "保安", "ＣＮＣ操作工"] * 2
    assert resolver.resolve_many(texts, k=4) == [resolver.resolve(text, k=4) for text in texts]
    assert resolver.resolve_many([]) == []


def test_an_empty_table_answers_nothing() -> None:
    assert OccupationResolver.from_tables({}, []).resolve("保安") == []
