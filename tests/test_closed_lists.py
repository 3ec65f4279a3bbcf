"""Closed lists stand in `app.domain`, with Chinese labels, and in `matching`, which knows no app: they must agree.

A value that one side alone knows would end as an error in the middle of a ranking.
"""

from datetime import date
from enum import StrEnum

import pytest

from app.domain import areas, postings, workers
from matching import bars, values

SAME_VALUES = [
    (postings.PostingKind, values.Kind),
    (postings.Demand, values.Demand),
    (workers.Limit, values.Limit),
    (postings.AgeReason, values.AgeReason),
    (workers.Sex, values.SexRequired),
]
SAME_ORDER = [
    (workers.Education, values.Education),  # lowest first
    (workers.Priority, values.Priority),  # who is served first
    (areas.Precision, values.Precision),  # finest first
]


@pytest.mark.parametrize(("ours", "library"), [*SAME_VALUES, *SAME_ORDER])
def test_both_sides_know_the_same_values(ours: type[StrEnum], library: type[StrEnum]) -> None:
    assert {member.value for member in ours} == {member.value for member in library}


@pytest.mark.parametrize(("ours", "library"), SAME_ORDER)
def test_where_order_tells_something_it_is_the_same(ours: type[StrEnum], library: type[StrEnum]) -> None:
    assert [member.value for member in ours] == [member.value for member in library]


def test_each_limit_spares_somebody_a_demand_that_exists() -> None:
    assert set(values.DEMAND_BARRED_BY) == {limit.value for limit in workers.Limit}
    assert set(values.DEMAND_BARRED_BY.values()) <= {demand.value for demand in postings.Demand}


def test_every_schooling_has_its_rank_and_ranks_rise_with_the_list() -> None:
    ranks = [values.EDUCATION_RANK[education.value] for education in workers.Education]
    assert ranks == sorted(ranks)


def test_the_ages_of_the_law_agree() -> None:
    assert (workers.WORKING_AGE, workers.ADULT_AGE) == (bars.WORKING_AGE, bars.ADULT_AGE) == (16, 18)


@pytest.mark.parametrize(
    "day", [date(2026, 2, 28), date(2026, 3, 1), date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1)]
)
@pytest.mark.parametrize("birth", [date(2008, 2, 29), date(2010, 2, 28), date(2010, 3, 1)])
def test_both_sides_count_years_of_age_alike(birth: date, day: date) -> None:
    assert workers.age_on(birth, day) == bars.age_on(birth, day)
