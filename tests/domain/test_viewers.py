"""Whose rows somebody sees, and the one text that says it."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.domain.viewers import EVERYBODY, NOBODY, Reach, Viewer, ViewerWrong, only, read_viewer

TODAY = date(2026, 12, 1)
BROKER = Viewer(reach=Reach.CASELOAD, broker="B-07.x_莉", today=TODAY, granted=frozenset({9, 10}))
OFFICER = Viewer(reach=Reach.DISTRICTS, districts=frozenset({"500237", "500236"}))


@pytest.mark.parametrize(
    ("viewer", "written"),
    [
        (NOBODY, "nobody;;;;;"),
        (EVERYBODY, "everybody;;;;;"),
        (only(7), "own;7;;;;"),
        (BROKER, "caseload;;B-07.x_莉;;9,10;2026-12-01"),
        (OFFICER, "districts;;;500236,500237;;"),
    ],
)
def test_a_viewer_is_written_in_one_way_and_read_again(viewer: Viewer, written: str) -> None:
    assert viewer.written() == written
    assert read_viewer(written) == viewer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everybody",
        "everybody;;;;;;",
        "everyone;;;;;",
        "own;;;;;",
        "own;07;;;;",
        "own;+7;;;;",
        "own;7 ;;;;",
        "own;٧;;;;",
        "own;2147483648;;;;",
        "nobody;7;;;;",
        "districts;;;500237,500236;;",
        "districts;;;500237,500237;;",
        "districts;;;500237,;;",
        "caseload;;b-7;;;",
        "caseload;;b-7;;;20261201",
        "caseload;;b-7;;;2026-12-01;",
        "caseload;;b|7;;;2026-12-01",
        "nobody;;;;10,9;",
    ],
)
def test_any_other_text_says_of_nobody_what_they_see(text: str) -> None:
    with pytest.raises(ViewerWrong):
        read_viewer(text)


@pytest.mark.parametrize(
    ("viewer", "changed"),
    [
        (NOBODY, {"worker_id": 1}),
        (EVERYBODY, {"districts": frozenset({"500237"})}),
        (only(7), {"worker_id": 0}),
        (only(7), {"broker": "b-7"}),
        (only(7), {"granted": frozenset({-1})}),
        (only(7), {"granted": frozenset(range(1, 300))}),
        (BROKER, {"broker": "b;7"}),
        (BROKER, {"broker": ""}),
        (BROKER, {"broker": "b" * 41}),
        (BROKER, {"today": None}),
        (OFFICER, {"districts": frozenset()}),
        (OFFICER, {"districts": frozenset({"5002"})}),
        (OFFICER, {"districts": frozenset(str(500_000 + number) for number in range(101))}),
    ],
)
def test_what_a_reach_lacks_or_has_no_use_for_is_refused(viewer: Viewer, changed: dict[str, Any]) -> None:
    with pytest.raises(ViewerWrong):
        replace(viewer, **changed)


def test_each_reach_has_its_label() -> None:
    assert len({reach.label for reach in Reach}) == len(Reach)
