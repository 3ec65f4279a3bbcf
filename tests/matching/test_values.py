"""Values: closed lists take their own words and no others, and what is made stays as it was made."""

import dataclasses
import itertools
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import pytest

from matching import (
    AgeReason,
    Demand,
    Education,
    Kind,
    Limit,
    Match,
    Opening,
    Place,
    Precision,
    Priority,
    Reason,
    Refusal,
    Seeker,
    SexRequired,
)
from matching.values import DEMAND_BARRED_BY, EDUCATION_RANK
from tests.matching.markets import HERE, plain_opening, plain_seeker

CLOSED_LISTS: dict[type[StrEnum], str] = {
    Precision: "point township district",
    Kind: "full_time part_time day_labour seasonal work_relief workshop public_welfare",
    Demand: "heights heavy_lifting nights heat long_standing eyesight hearing dust chemicals cold_water underground",
    Limit: "no_heights no_heavy_lifting no_nights no_heat no_long_standing poor_eyesight poor_hearing no_dust"
    " no_chemicals no_cold_water",
    Priority: "poverty_alleviated hard_to_employ none",
    AgeReason: "statutory_hazard licence_age",
    SexRequired: "male female",
    Education: "none primary junior senior vocational college bachelor",
}
MAKERS: dict[str, tuple[Any, dict[str, type[StrEnum]]]] = {
    "place": (
        lambda **facts: Place(**({"lon": 106.5, "lat": 29.5} | facts)),
        {"precision": Precision},
    ),
    "seeker": (
        plain_seeker,
        {"sex": SexRequired, "kinds": Kind, "limits": Limit, "priority": Priority, "education": Education},
    ),
    "opening": (
        plain_opening,
        {
            "kind": Kind,
            "demands": Demand,
            "age_reason": AgeReason,
            "sex_required": SexRequired,
            "education": Education,
        },
    ),
}
FIELDS = [(maker, name, words) for maker, fields in MAKERS.values() for name, words in fields.items()]
IN_SETS = {"kinds", "limits", "demands"}

each_field = pytest.mark.parametrize(("make", "name", "words"), FIELDS, ids=[name for _, name, _ in FIELDS])


def given(name: str, words: Iterable[str]) -> Any:
    """The words as a field of this name takes them: a set where it holds many, else the only one."""
    return frozenset(words) if name in IN_SETS else next(iter(words))


@pytest.mark.parametrize("words", CLOSED_LISTS, ids=lambda words: words.__name__)
def test_a_closed_list_holds_its_words_in_their_order(words: type[StrEnum]) -> None:
    assert [str(word) for word in words] == CLOSED_LISTS[words].split()


@each_field
def test_every_word_of_the_list_is_taken_and_equals_its_string(make: Any, name: str, words: type[StrEnum]) -> None:
    for word in words:
        made = make(**{name: given(name, [word.value])})
        assert made == make(**{name: given(name, [word])})
        assert getattr(made, name) == given(name, [word.value])
        kept = getattr(made, name)
        assert isinstance(next(iter(kept)) if name in IN_SETS else kept, words)


@each_field
@pytest.mark.parametrize("stranger", ["", "FULL_TIME", "保安", "none ", "other", 7])
def test_a_stranger_to_the_list_is_refused(make: Any, name: str, words: type[StrEnum], stranger: object) -> None:
    assert stranger not in list(words)
    with pytest.raises(ValueError, match=words.__name__):
        make(**{name: given(name, [stranger])})  # type: ignore[list-item]


def test_enums_are_strings() -> None:
    word: str = "full_time"
    assert word == Kind.FULL_TIME
    assert {word: 1}[Kind.FULL_TIME] == 1
    assert plain_opening(kind=word).kind == word
    assert f"{Priority.NONE}" == "none"


def test_every_limit_bars_a_demand_of_its_own_and_every_schooling_has_a_rank() -> None:
    assert set(DEMAND_BARRED_BY) == set(Limit)
    assert set(DEMAND_BARRED_BY.values()) == set(Demand) - {"underground"}
    for limit, demand in DEMAND_BARRED_BY.items():
        assert limit.removeprefix("no_").removeprefix("poor_") == demand
    assert set(EDUCATION_RANK) == set(Education)
    ranks = [EDUCATION_RANK[schooling] for schooling in Education]
    assert all(low <= high for low, high in itertools.pairwise(ranks))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (HERE, "lon"),
        (plain_seeker(), "birth_date"),
        (plain_opening(), "kind"),
        (Reason("near", "近"), "text"),
        (Match(opening_id=1, score=0.5, distance_km=1.0), "score"),
        (Refusal(opening_id=1, rule="full", text="招满"), "rule"),
    ],
    ids=["place", "seeker", "opening", "reason", "match", "refusal"],
)
def test_values_are_frozen(value: Any, field: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, None)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("kind_of_value", [Place, Seeker, Opening, Match, Refusal])
def test_values_are_made_by_name(kind_of_value: type) -> None:
    with pytest.raises(TypeError, match="positional"):
        kind_of_value(1, 2)


def test_what_is_given_is_copied_into_what_cannot_change() -> None:
    certificates, kinds, places, wants = {"N1"}, {"part_time"}, [HERE], ["4-07-05-01"]
    seeker = plain_seeker(certificates=certificates, kinds=kinds, places=places, wants=wants)
    opening = plain_opening(certificates=certificates, demands={"nights"})
    certificates.add("A2")
    kinds.clear()
    places.clear()
    wants.append("4-09-08-01")
    assert seeker.certificates == opening.certificates == frozenset({"N1"})
    assert seeker.kinds == {"part_time"}
    assert seeker.places == (HERE,)
    assert seeker.wants == ("4-07-05-01",)
    assert hash(seeker) == hash(dataclasses.replace(seeker))
    assert hash(opening) == hash(dataclasses.replace(opening))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"places": ()}, "at least one place"),
        ({"max_km": -0.1}, "max_km"),
        ({"max_km": float("nan")}, "max_km"),
    ],
)
def test_a_seeker_who_cannot_be_is_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain_seeker(**facts)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"physical_level": 0}, "physical_level must be 1-4: 0"),
        ({"physical_level": 5}, "physical_level must be 1-4: 5"),
        ({"reply_rate": -0.01}, "reply_rate must lie in 0-1"),
        ({"reply_rate": 1.01}, "reply_rate must lie in 0-1"),
        ({"reply_rate": float("nan")}, "reply_rate must lie in 0-1"),
        ({"pay_min_yuan_month": -3000}, "pay must not be negative"),
        ({"pay_max_yuan_month": -1}, "pay must not be negative"),
    ],
)
def test_an_opening_that_cannot_be_is_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain_opening(**facts)


@pytest.mark.parametrize(
    ("lon", "lat"), [(180.1, 0.0), (-180.1, 0.0), (0.0, 90.1), (0.0, -90.1), (float("nan"), 0.0), (29.5, 106.5)]
)
def test_a_place_off_the_globe_is_refused(lon: float, lat: float) -> None:
    with pytest.raises(ValueError, match="not a place in degrees"):
        Place(lon=lon, lat=lat)
