"""Wrong use is told in Chinese on standard error, to programs as JSON, and exits with 2; every command has help."""

import re
import subprocess
import sys

import pytest

from app.cli import app, main
from tests.cli.conftest import Jiujin

WRONG = [
    (["up", "--colour"], "没有 --colour 这个选项"),
    (["fly"], "没有 fly 这个命令"),
    (["db", "fly"], "没有 fly 这个命令"),
    (["up", "--port", "99999"], "'--port' 填得不对：不能大于 65535"),
    (["up", "--port", "0"], "'--port' 填得不对：不能小于 1"),
    (["up", "--port", "many"], "'--port' 填得不对：要填整数"),
    (["up", "--port"], "--port 后面要写内容"),
    (["db", "upgrade", "now"], "多写了：now"),
    (["match", "--near", "500237102", "--age", "58"], "缺少 --wants"),
    (["match", "--near", "500237102", "--wants", "保洁", "--age", "58", "--sex", "x"], "只能是"),
    (["seed", "demo", "--workers", "-1"], "不能小于 0"),
    (["import", "postings"], "缺少 FILE"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_what_is_wrong_is_said(jiujin: Jiujin, arguments: list[str], words: str) -> None:
    said = jiujin(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert words in said.err
    assert "--help" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [*WRONG, ([], "没有 --json 这个选项"), (["db"], "没有 --json 这个选项"), (["work", "--colour"], "没有 --colour")],
)
def test_programs_are_told_what_is_wrong_as_json(jiujin: Jiujin, arguments: list[str], words: str) -> None:
    # Behind the command: an option that still wants its value would take it for that.
    at = 2 if arguments[:1] in (["db"], ["seed"], ["import"]) else 1
    said = jiujin(*arguments[:at], "--json", *arguments[at:])
    assert (said.code, said.err) == (2, "")
    error = said.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["code"] == "wrong_use"
    assert words in error["message"]


def test_json_counts_wherever_it_stands(jiujin: Jiujin) -> None:
    for arguments in (
        ["--json", "fly"],
        ["fly", "--json"],
        ["up", "--port", "x", "--json"],
        ["up", "--port", "--json"],
    ):
        said = jiujin(*arguments)
        assert (said.code, said.err, said.json()["error"]["code"]) == (2, "", "wrong_use"), arguments


@pytest.mark.parametrize("arguments", [[], ["db"], ["seed"], ["import"]])
def test_a_command_left_out_shows_what_there_is(jiujin: Jiujin, arguments: list[str]) -> None:
    said = jiujin(*arguments)
    assert said.code == 2
    assert "命令" in said.out
    assert said.err == ""


def commands() -> list[list[str]]:
    groups = [[group.name or ""] for group in app.registered_groups]
    named = [[command.name or ""] for command in app.registered_commands]
    below = [
        [group.name or "", command.name or ""]
        for group in app.registered_groups
        for command in (group.typer_instance.registered_commands if group.typer_instance else [])
    ]
    return [[], *groups, *named, *below]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_in_chinese(jiujin: Jiujin, command: list[str]) -> None:
    said = jiujin(*command, "--help")
    assert (said.code, said.err) == (0, "")
    assert re.search("[\u4e00-\u9fff]", said.out)


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in commands()
        if len(command) == 2 or command in (["up"], ["serve"], ["work"], ["match"], ["doctor"])
    ],
    ids=" ".join,
)
def test_every_command_takes_data_and_json(jiujin: Jiujin, command: list[str]) -> None:
    words = jiujin(*command, "--help").out
    assert "--data" in words
    assert "--json" in words


def test_the_module_is_the_command() -> None:
    answer = subprocess.run([sys.executable, "-m", "app", "fly"], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "没有 fly 这个命令" in answer.stderr


def test_the_script_of_the_package_is_the_command() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="jiujin")
    assert script.load() is main
