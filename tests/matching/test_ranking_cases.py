"""The judgements of `docs/ranking-cases.md`, made before the weights were set: at least 57 hold, misses are listed."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

from matching import MatchIndex, Opening, Place, Seeker

TODAY = date(2026, 11, 23)
CASES = Path(__file__).parents[2] / "docs" / "ranking-cases.md"
KNOWN_MISSES: frozenset[str] = frozenset()
_DAYS = {"birth_date", "available_on", "starts_on", "valid_until"}
_SETS = {"certificates", "kinds", "limits", "demands"}


def read_cases() -> dict[str, dict[str, Any]]:
    blocks = re.findall(
        r"^## (\d+) .*?^```json\n(.*?)^```", CASES.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return {number: json.loads(block) for number, block in blocks}


def fields(raw: dict[str, Any]) -> dict[str, Any]:
    ready: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _DAYS:
            ready[name] = date.fromisoformat(value)
        elif name in _SETS:
            ready[name] = frozenset(value)
        elif name == "places":
            ready[name] = tuple(Place(**place) for place in value)
        elif name == "place":
            ready[name] = Place(**value)
        else:
            ready[name] = value
    return ready


def holds(case: dict[str, Any]) -> bool:
    before, after = Opening(**fields(case["before"])), Opening(**fields(case["after"]))
    index = MatchIndex.build([before, after], today=TODAY)
    listed = [match.opening_id for match in index.rank(Seeker(**fields(case["person"])), k=2)]
    return listed == ([before.id] if case.get("after_refused") else [before.id, after.id])


def test_the_list_of_cases_is_whole() -> None:
    assert len(read_cases()) >= 60


def test_at_least_57_judgements_hold_and_the_misses_are_known() -> None:
    cases = read_cases()
    misses = {number for number, case in cases.items() if not holds(case)}
    assert misses == KNOWN_MISSES
    assert len(cases) - len(misses) >= 57
