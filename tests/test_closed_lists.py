"""Closed lists stand in `app.domain`, with Chinese labels, and in `matching`, which knows no app: they must agree."""

from enum import StrEnum

import pytest

import matching
from app.domain import areas, postings, workers
from matching import bars


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (areas.Precision, matching.Precision),
        (postings.PostingKind, matching.Kind),
        (postings.Demand, matching.Demand),
        (postings.AgeReason, matching.AgeReason),
        (workers.Limit, matching.Limit),
        (workers.Education, matching.Education),
        (workers.Priority, matching.Priority),
        (workers.Sex, matching.SexRequired),
    ],
)
def test_a_closed_list_is_the_same_in_the_service_and_in_the_library(
    ours: type[StrEnum], theirs: type[StrEnum]
) -> None:
    assert [member.value for member in ours] == [member.value for member in theirs]


def test_the_ages_of_the_law_are_the_same() -> None:
    assert (workers.WORKING_AGE, workers.ADULT_AGE) == (bars.WORKING_AGE, bars.ADULT_AGE)
