"""Fairness: people who are equal but for age, sex or poverty status, five thousand pairs of each.

What bars is written here once more from the law, person by person and posting by posting. Two lists may differ by
nothing else: what is open to both has the same score for both to the last bit, and stands in the same order. Poverty
status raises what the plan's programmes offer and moves nothing else.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from matching import Kind, MatchIndex, Opening, Plan, Priority, RankedTable, Seeker, plan_all
from tests.matching.brute_force import HAZARDS_OF_MINORS
from tests.matching.markets import CHARACTERS, TODAY, born_at, make_market, seeded

PAIRS = 5_000
PAIRS_PER_MARKET = PAIRS // len(CHARACTERS)
AGES = (14, 15, 16, 17, 18, *range(19, 76))
SEXES = ("male", "female", None)
PROGRAMME_KINDS = {Kind.WORK_RELIEF, Kind.PUBLIC_WELFARE}
HARDLY_ANYTHING = 1e-6  # below it nine decimals no longer tell two scores apart


@dataclass(frozen=True)
class Lists:
    """Both of n pairs before one market, each with the whole of its list; `openings` by their ids."""

    openings: Mapping[int, Opening]
    ones: Sequence[Seeker]
    others: Sequence[Seeker]
    listed: Sequence[tuple[Mapping[int, float], Mapping[int, float]]]  # scores by id, best first


def listed(table: RankedTable, row: int) -> dict[int, float]:
    """Scores by id, best first."""
    there = table.ids[row] >= 0
    return dict(zip(table.ids[row][there].tolist(), table.scores[row][there].tolist(), strict=True))


def lists_of(name: str, changed: str) -> Lists:
    """Pairs that differ in one fact only, and all that is open to each; the twenty best are its beginning."""
    market = make_market(name, seed=51, openings=250, seekers=PAIRS_PER_MARKET)
    dice = seeded("pairs", name, changed)
    ones, others = [], []
    for seeker in market.seekers:
        # Children get nothing whatever differs: they are for the pairs of ages.
        ages = dice.sample(AGES if changed == "age" else AGES[2:], 2)
        sexes, priorities = dice.sample(SEXES, 2), dice.sample(tuple(Priority), 2)
        one: Seeker = replace(
            seeker,
            birth_date=born_at(dice, TODAY, ages[0]),
            sex=sexes[0],
            priority=priorities[0],
            max_km=dice.choice((seeker.max_km, 500.0)),
        )
        facts: dict[str, dict[str, Any]] = {
            "age": {"birth_date": born_at(dice, TODAY, ages[1])},
            "sex": {"sex": sexes[1]},
            "priority": {"priority": priorities[1]},
        }
        ones.append(one)
        others.append(replace(one, **facts[changed]))
    index = MatchIndex.build(market.openings, today=TODAY, weights=market.weights)
    index.close(market.closed)
    tables = [index.rank_many(people, k=len(market.openings)) for people in (ones, others)]
    for people, table in zip((ones, others), tables, strict=True):
        best = index.rank_many(people, k=20)
        assert (best.ids == table.ids[:, :20]).all()
        assert (best.scores == table.scores[:, :20]).all()
    return Lists(
        {opening.id: opening for opening in market.openings},
        ones,
        others,
        [(listed(tables[0], row), listed(tables[1], row)) for row in range(len(ones))],
    )


def age_of(seeker: Seeker) -> int:
    birth = seeker.birth_date
    return TODAY.year - birth.year - ((TODAY.month, TODAY.day) < (birth.month, birth.day))


def class_of(seeker: Seeker) -> int:
    """0 for whom the plan puts first."""
    return tuple(Priority).index(Priority(seeker.priority))


def bars_age(opening: Opening, age: int) -> bool:
    """Whether the law keeps people of an age from a posting: child labour, hazards for minors, limits with a reason."""
    if age < 16:
        return True
    if age < 18 and (opening.physical_level == 4 or not opening.demands.isdisjoint(HAZARDS_OF_MINORS)):
        return True
    if opening.age_reason is None:
        return False
    too_young = opening.age_min is not None and age < opening.age_min
    return too_young or (opening.age_max is not None and age > opening.age_max)


def bars_sex(opening: Opening, sex: str | None) -> bool:
    """Whether the law keeps people of a sex from a posting; what nobody has said bars nobody."""
    if sex == "female" and (opening.physical_level == 4 or "underground" in opening.demands):
        return True
    return sex is not None and opening.sex_required is not None and opening.sex_required != sex


def assert_only_these_are_missing(
    one: Mapping[int, float], other: Mapping[int, float], barred: Collection[int], barred_other: Collection[int]
) -> int:
    """What is open to one alone is barred to the other, what is open to both is the same; how many are open to one."""
    assert one.keys() - other.keys() == one.keys() & set(barred_other)
    assert other.keys() - one.keys() == other.keys() & set(barred)
    assert [each for each in one.items() if each[0] in other] == [each for each in other.items() if each[0] in one]
    return len(one.keys() ^ other.keys())


def outside_a_wish(opening: Opening, age: int) -> bool:
    """Whether an employer names ages without a lawful reason, and this is not one of them."""
    low, high = opening.age_min, opening.age_max
    return opening.age_reason is None and ((low is not None and age < low) or (high is not None and age > high))


def first_20(listed: Mapping[int, float]) -> list[int]:
    return list(listed)[:20]


def test_there_are_five_thousand_pairs() -> None:
    assert PAIRS_PER_MARKET * len(CHARACTERS) == PAIRS


@pytest.mark.parametrize("name", CHARACTERS)
def test_people_equal_but_for_age_are_told_apart_by_the_law_alone(name: str) -> None:
    lists = lists_of(name, "age")
    barred = {age: {each for each, opening in lists.openings.items() if bars_age(opening, age)} for age in AGES}
    wished = {age: {each for each, opening in lists.openings.items() if outside_a_wish(opening, age)} for age in AGES}
    open_to_one = open_to_both = against_a_wish = unlike = 0
    for one, other, (first, second) in zip(lists.ones, lists.others, lists.listed, strict=True):
        ages = age_of(one), age_of(other)
        assert ages[0] != ages[1]
        open_to_one += assert_only_these_are_missing(first, second, barred[ages[0]], barred[ages[1]])
        open_to_both += len(first.keys() & second.keys())
        against_a_wish += len(second.keys() & wished[ages[1]])
        unlike += first_20(first) != first_20(second)
    assert open_to_one > 1_000
    assert open_to_both > 4_000
    assert against_a_wish > 100
    assert unlike > 50


@pytest.mark.parametrize("name", CHARACTERS)
def test_people_equal_but_for_sex_are_told_apart_by_the_law_alone(name: str) -> None:
    lists = lists_of(name, "sex")
    barred = {sex: {each for each, opening in lists.openings.items() if bars_sex(opening, sex)} for sex in SEXES}
    open_to_one = open_to_both = unlike = 0
    for one, other, (first, second) in zip(lists.ones, lists.others, lists.listed, strict=True):
        assert one.sex != other.sex
        open_to_one += assert_only_these_are_missing(first, second, barred[one.sex], barred[other.sex])
        open_to_both += len(first.keys() & second.keys())
        unlike += first_20(first) != first_20(second)
    assert open_to_one > 200
    assert open_to_both > 4_000
    assert unlike > 50


@pytest.mark.parametrize("name", CHARACTERS)
def test_poverty_status_raises_what_the_programmes_offer_and_moves_nothing_else(name: str) -> None:
    lists = lists_of(name, "priority")
    of_programmes = {each for each, opening in lists.openings.items() if opening.kind in PROGRAMME_KINDS}
    raised = unmoved = unlike = 0
    for one, other, (first, second) in zip(lists.ones, lists.others, lists.listed, strict=True):
        assert first.keys() == second.keys()
        plain = [each for each in first.items() if each[0] not in of_programmes]
        assert plain == [each for each in second.items() if each[0] not in of_programmes]
        unmoved += len(plain)
        ahead, behind = (first, second) if class_of(one) < class_of(other) else (second, first)
        for each in ahead.keys() & of_programmes:
            assert ahead[each] > behind[each] or behind[each] <= ahead[each] < HARDLY_ANYTHING
            raised += ahead[each] > behind[each]
        unlike += first_20(first) != first_20(second)
    assert raised > 1_000
    assert unmoved > 4_000
    assert unlike > 50


@pytest.mark.parametrize("name", CHARACTERS)
def test_an_age_cap_without_a_lawful_reason_lowers_the_posting_for_everybody_alike(name: str) -> None:
    market = make_market(name, seed=52, openings=120, seekers=100)
    capped = {opening.id for opening in market.openings if opening.age_max is not None and opening.age_reason is None}
    without = [replace(opening, age_max=None) if opening.id in capped else opening for opening in market.openings]
    dice = seeded("caps", name)
    young = [replace(seeker, birth_date=born_at(dice, TODAY, 30), max_km=500.0) for seeker in market.seekers]
    old = [replace(seeker, birth_date=born_at(dice, TODAY, 70)) for seeker in young]
    with_caps, without_caps = (
        MatchIndex.build(rows, today=TODAY, weights=market.weights) for rows in (market.openings, without)
    )
    k, met = len(without), 0
    tables = [index.rank_many(people, k=k) for index in (with_caps, without_caps) for people in (young, old)]
    for row in range(len(young)):
        young_capped, old_capped, young_free, old_free = (listed(table, row) for table in tables)
        assert young_capped.keys() == young_free.keys()
        assert old_capped.keys() == old_free.keys()
        for seen, free in ((young_capped, young_free), (old_capped, old_free)):
            for each, score in seen.items():
                if each in capped:
                    assert score < free[each] or score == free[each] < HARDLY_ANYTHING
                else:
                    assert score == free[each]
        met += len(old_capped.keys() & young_capped.keys() & capped)
        for each in old_capped.keys() & young_capped.keys() & capped:
            assert (young_capped[each], young_free[each]) == (old_capped[each], old_free[each])
    assert met > 40


# --- sharing out ------------------------------------------------------------------------------------------------------


def open_to_adults(opening: Opening) -> Opening:
    """The posting without what the law would close to one adult and not to another."""
    return replace(
        opening,
        age_reason=None,
        sex_required=None,
        physical_level=None if opening.physical_level == 4 else opening.physical_level,
        demands=opening.demands - {"underground"},
    )


@dataclass(frozen=True)
class Shared:
    """A plan of scarce places for pairs of equals: rows 2i and 2i + 1 differ in one fact only."""

    plan: Plan
    scores: Sequence[Mapping[int, float]]  # all that is open to each person, by id
    seekers: Sequence[Seeker]
    ids: Sequence[int]
    caps: np.ndarray[Any, Any]

    def full(self) -> set[int]:
        """The postings that have no place left."""
        taken = Counter(self.plan.chosen[self.plan.chosen >= 0].tolist())
        return {each for each, cap in zip(self.ids, self.caps, strict=True) if taken[each] == cap}


def share_out(seed: int, ones: Mapping[str, Any], others: Mapping[str, Any]) -> Shared:
    """Thirty pairs and some forty places for their hundred and eighty wishes."""
    market = make_market("dense", seed=seed, openings=28, seekers=30)
    index = MatchIndex.build([open_to_adults(opening) for opening in market.openings], today=TODAY)
    seekers = [replace(seeker, **facts) for seeker in market.seekers for facts in (ones, others)]
    ids = [opening.id for opening in market.openings]
    caps = np.array([1 + each % 2 for each in range(len(ids))])
    plan = plan_all(index, seekers, ids, caps, priority=[seeker.priority for seeker in seekers])
    table = index.rank_many(seekers, k=len(ids))
    return Shared(plan, [listed(table, row) for row in range(len(seekers))], seekers, ids, caps)


YOUNG, OLD = {"birth_date": date(TODAY.year - 30, 1, 1)}, {"birth_date": date(TODAY.year - 68, 1, 1)}
MAN, WOMAN = {"sex": "male", **YOUNG}, {"sex": "female", **YOUNG}
each_fact = pytest.mark.parametrize(("ones", "others"), [(YOUNG, OLD), (MAN, WOMAN)], ids=["age", "sex"])


@each_fact
@pytest.mark.parametrize("seed", range(6))
def test_who_gets_what_stays_when_equals_change_places(
    seed: int, ones: Mapping[str, Any], others: Mapping[str, Any]
) -> None:
    shared, swapped = share_out(seed, ones, others), share_out(seed, others, ones)
    assert (shared.plan.chosen >= 0).sum() > 20
    assert swapped.plan.chosen.tolist() == shared.plan.chosen.tolist()
    assert swapped.plan.total == shared.plan.total


@each_fact
@pytest.mark.parametrize("seed", range(6))
def test_one_of_two_equals_goes_short_only_of_what_is_full(
    seed: int, ones: Mapping[str, Any], others: Mapping[str, Any]
) -> None:
    shared = share_out(seed, ones, others)
    got, full = [set(row[row >= 0].tolist()) for row in shared.plan.chosen], shared.full()
    short = 0
    for one in range(0, len(got), 2):
        assert shared.scores[one] == shared.scores[one + 1]
        less, more = sorted((got[one], got[one + 1]), key=len)
        if len(less) < len(more):
            assert more - less <= full
            short += 1
    assert short


@each_fact
@pytest.mark.parametrize("seed", range(6))
def test_nobody_of_a_later_class_holds_what_one_of_an_earlier_class_goes_short_of(
    seed: int, ones: Mapping[str, Any], others: Mapping[str, Any]
) -> None:
    shared = share_out(seed, ones, others)
    classes = [class_of(seeker) for seeker in shared.seekers]
    full = shared.full()
    last: dict[int, int] = {}  # the latest class that got any of a posting
    for row, chosen in enumerate(shared.plan.chosen):
        for each in chosen[chosen >= 0].tolist():
            last[each] = max(last.get(each, 0), classes[row])
    short = 0
    for row, chosen in enumerate(shared.plan.chosen):
        if (chosen < 0).any():
            for each in shared.scores[row].keys() - set(chosen.tolist()):
                assert each in full
                assert last[each] <= classes[row]
                short += 1
    assert short > 200
