"""`jiujin match`: the same answer as the API's, in the terminal."""

from pathlib import Path

import pytest

from app.wiring import House
from tests.cli.conftest import Jiujin, url_of
from tests.houses import HOME_TOWNSHIP, add_posting


@pytest.fixture
def at_house(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Options for the command, over a furnished database of each kind in turn."""
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    # The command asks the machine's clock, so what it is to find must still be valid then.
    return ["match", "--near", HOME_TOWNSHIP, "--age", "58", "--data", str(tmp_path / "var")]


def test_a_list_tells_how_the_words_were_taken_and_why_each_stands_there(
    house: House, jiujin: Jiujin, at_house: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    add_posting(house, title="公厕保洁", valid_until=None)
    said = jiujin(*at_house, "--wants", "扫厕所", "--wants", "保洁")
    assert said.code == 0
    assert "“保洁”：按“保洁员”找" in said.out
    assert "公厕保洁" in said.out
    assert "正是您要找的活" in said.out
    assert "公里" in said.out


def test_programs_get_what_the_api_answers(house: House, jiujin: Jiujin, at_house: list[str]) -> None:
    posting = add_posting(house, valid_until=None)
    said = jiujin(*at_house, "--wants", "保洁", "--json")
    document = said.json()
    assert set(document) == {"resolved", "matches", "widened", "refused", "lacking", "notes"}
    assert [match["posting"]["id"] for match in document["matches"]] == [posting]
    assert document["matches"][0]["reasons"]


@pytest.mark.parametrize("near", ["巫山大昌", "重庆市巫山县大昌镇光明村"])
def test_a_place_may_be_given_by_its_name(house: House, jiujin: Jiujin, at_house: list[str], near: str) -> None:
    posting = add_posting(house, valid_until=None)
    found = jiujin(*at_house, "--near", near, "--wants", "保洁", "--json").json()["matches"]
    assert [(match["posting"]["id"], match["nearness"]) for match in found] == [(posting, "same_township")]


def test_programs_are_told_who_took_over(jiujin: Jiujin, at_house: list[str]) -> None:
    said = jiujin(*at_house, "--near", "500112", "--wants", "保洁", "--json")
    error = said.json()["error"]
    assert (said.code, error["code"]) == (2, "area_split")
    assert [each["code"] for each in error["successors"]] == ["500157", "500109"]


def test_a_title_is_no_markup(
    house: House, jiujin: Jiujin, at_house: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    add_posting(house, title="[bold]保洁[/天]", valid_until=None)
    said = jiujin(*at_house, "--wants", "保洁")
    assert said.code == 0
    assert "[bold]保洁[/天]" in said.out


def test_a_child_is_told_why_the_list_is_empty(house: House, jiujin: Jiujin, at_house: list[str]) -> None:
    add_posting(house, valid_until=None)
    said = jiujin(*at_house, "--wants", "保洁", "--age", "15")
    assert said.code == 0
    assert "未满16周岁" in said.out
    assert "没有找到" not in said.out


def test_nothing_found_says_whom_to_call(jiujin: Jiujin, at_house: list[str]) -> None:
    said = jiujin(*at_house, "--wants", "保洁")
    assert said.code == 0
    assert "12333" in said.out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--near", "999999", "--wants", "保洁"], "--near"),
        (["--near", "500112", "--wants", "保洁"], "两江新区（500157）、北碚区（500109）"),
        (["--near", "官渡", "--wants", "保洁"], "合川区 官渡镇（500117103）、巫山县 官渡镇（500237109）"),
        (["--near", "火星", "--wants", "保洁"], "没找到这个地方"),
        (["--wants", "保洁", "--age", "abc"], "--age"),
        (["--wants", "保洁", "--kind", "boss"], "--kind"),
        ([], "--wants"),
    ],
)
def test_wrong_use_is_told_and_exits_with_2(jiujin: Jiujin, at_house: list[str], wrong: list[str], told: str) -> None:
    said = jiujin(*at_house, *wrong)
    assert said.code == 2
    assert told in said.err
    assert said.out == ""


def test_a_database_that_is_not_ready_is_told(jiujin: Jiujin, tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "new")]
    said = jiujin("match", "--near", HOME_TOWNSHIP, "--wants", "保洁", "--age", "58", *data)
    assert (said.code, "jiujin db upgrade" in said.err) == (1, True)
    assert jiujin("db", "upgrade", *data).code == 0
    said = jiujin("match", "--near", HOME_TOWNSHIP, "--wants", "保洁", "--age", "58", *data)
    assert (said.code, "jiujin seed reference" in said.err) == (1, True)
