"""The papers of docs/security tell of nothing that is not there, leave no row without an answer, and count right."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/security"
PAPERS = sorted(path.name for path in FOLDER.glob("*.md"))
COUNTED = {"asvs.md": "number", "dengbao.md": "clause"}
ANSWERS = ("met", "office", "n/a", "not met")

CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.(?:py|md|js|html|toml|lock)|\.ci/[\w-]+|(?:[\w.-]+/)+")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBERED = re.compile(r"\b(decision|migration)s? (\d{4}(?:, \d{4})*)")
FOLDERS = {"decision": "docs/decisions", "migration": "migrations/versions"}

Row = dict[str, str]


def told(paper: str) -> str:
    return (FOLDER / paper).read_text(encoding="utf-8")


def tables(text: str) -> Iterator[list[Row]]:
    """Each table's rows, by the names of its columns."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        names, rule, *rows = [
            [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
            for line in block.splitlines()
        ]
        assert set("".join(rule)) == {"-"}, block[:200]
        for cells in rows:
            assert len(cells) == len(names), cells
        yield [dict(zip(names, cells, strict=True)) for cells in rows]


def parts(text: str) -> dict[str, str]:
    """What stands under each heading of the second order."""
    _, *found = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


def judged(text: str) -> list[Row]:
    """The rows of a paper that give an answer to somebody else's numbers."""
    return [row for table in tables(text) for row in table if {"answer", "how"} <= row.keys()]


def numbers(row: Row) -> list[str]:
    return (row.get("number") or row["clause"]).split(", ")


@cache
def names_in(path: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def place_of(name: str) -> Path | None:
    """Where a file or folder lies that a paper names from the top, or from `app/`."""
    return next((path for path in (ROOT / name, ROOT / "app" / name) if path.exists()), None)


def anchors(path: Path) -> set[str]:
    """What links may name of a paper: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_papers() -> None:
    assert {"README.md", "threats.md", "pipl.md", *COUNTED} <= set(PAPERS)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_file_and_test_that_a_paper_names_is_there(paper: str) -> None:
    text = told(paper)
    missing = []
    for name in CODE.findall(text):
        file, _, test = name.partition("::")
        if not FILE.fullmatch(file):
            continue
        path = place_of(file)
        if path is None or (test and test not in names_in(path)):
            missing.append(name)
    for kind, listed in NUMBERED.findall(text):
        missing += [f"{kind} {one}" for one in listed.split(", ") if not list((ROOT / FOLDERS[kind]).glob(f"{one}*"))]
    assert missing == []


@pytest.mark.parametrize("paper", PAPERS)
def test_every_test_is_named_with_its_file(paper: str) -> None:
    with_file = re.sub(r"`tests/[\w/]+\.py(?:::test_\w+)?`", "", told(paper))
    assert re.findall(r"\btest_\w+", with_file) == []


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_leads_somewhere(paper: str) -> None:
    astray = []
    for link in LINK.findall(told(paper)):
        target, _, anchor = link.partition("#")
        if target.startswith("https://"):
            continue
        path = (FOLDER / target).resolve()
        if not path.exists() or (anchor and anchor not in anchors(path)):
            astray.append(link)
    assert astray == []


@pytest.mark.parametrize("paper", PAPERS)
def test_no_cell_of_a_table_is_empty_and_what_holds_has_a_test_or_says_why_not(paper: str) -> None:
    for row in (row for table in tables(told(paper)) for row in table):
        assert all(row.values()), row
        shown = row.get("test") or row.get("test, or why")
        if shown is not None and row.get("answer", "met") == "met":
            assert "::test_" in shown or "no test" in shown, row


@pytest.mark.parametrize("paper", COUNTED)
def test_the_counts_at_the_top_are_those_of_the_rows(paper: str) -> None:
    text = told(paper)
    rows = judged(text)
    found = Counter(row["answer"] for row in rows for _ in numbers(row))
    assert set(found) <= set(ANSWERS)
    (top,) = [table for table in tables(text) if table[0].keys() & {"requirements", "clauses"}]
    counted = {row["answer"]: int(row.get("requirements") or row["clauses"]) for row in top}
    assert counted == {**{answer: found[answer] for answer in ANSWERS}, "in all": found.total()}
    every = [number for row in rows for number in numbers(row)]
    assert len(every) == len(set(every))
    for heading, part in parts(text).items():
        assert int(heading.rpartition("(")[2].rstrip(")")) == sum(len(numbers(row)) for row in judged(part)), heading


def test_no_requirement_of_either_level_is_left_out() -> None:
    levels = Counter(row["L"] for row in judged(told("asvs.md")) for _ in numbers(row))
    stated = re.findall(r"level (\d) \((\d+)\)", told("asvs.md"))
    assert dict(levels) == {level: int(count) for level, count in stated}
