"""The library against the brute force: the list is the exact top of the score, and refusals name the same rule.

A thousand people; each list is compared whole. Only two neighbours whose scores the ninth decimal cannot tell apart may
change places.
"""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest

from matching import Match, MatchIndex, Opening, Priority, Seeker
from tests.matching.brute_force import HAZARDS_OF_MINORS, Judged, is_there, judge, order
from tests.matching.markets import CHARACTERS, TODAY, Market, make_market, seeded

PEOPLE_PER_MARKET = 125
RULES = {
    "under_working_age",
    "hazard_level_iv",
    "hazard_underground",
    "hazard_minor",
    "age_statutory_hazard",
    "age_licence",
    "sex_statutory",
    "certificate",
    "home_by",
    "closed",
    "expired",
    "full",
    "too_far",
    "kind",
}
# Scores are rounded to nine decimals; two sums of the same numbers in another order may round to neighbours.
LAST_DECIMAL = 1.001e-9

each_market = pytest.mark.parametrize("name", CHARACTERS)


def build(market: Market) -> MatchIndex:
    index = MatchIndex.build(market.openings, today=market.today, weights=market.weights)
    index.close(market.closed)
    return index


def judge_all(market: Market, seeker: Seeker) -> list[Judged]:
    return [
        judge(seeker, opening, today=market.today, tables=market.tables, closed=market.closed)
        for opening in market.openings
    ]


def assert_same(found: Match, expected: Judged) -> None:
    assert abs(found.score - expected.score) <= LAST_DECIMAL
    assert abs(found.distance_km - expected.distance_km) <= 0.001
    assert found.parts.keys() == expected.parts.keys()
    assert dict(found.parts) == pytest.approx(dict(expected.parts), abs=1e-4)


def assert_same_list(found: list[Match], expected: list[Judged], k: int) -> None:
    """Equal place by place; another id only where the last decimal of the brute force's score cannot tell them."""
    by_id = {one.opening_id: one for one in expected}
    assert len(found) == min(k, len(expected))
    assert len({match.opening_id for match in found}) == len(found)
    for match, due in zip(found, expected, strict=False):
        one = by_id[match.opening_id]
        assert match.opening_id == due.opening_id or 0 < abs(one.score - due.score) <= LAST_DECIMAL
        assert_same(match, one)
    for before, after in itertools.pairwise(found):
        assert (-before.score, before.opening_id) < (-after.score, after.opening_id)


def test_there_are_a_thousand_people() -> None:
    assert len(CHARACTERS) * PEOPLE_PER_MARKET >= 1000


@each_market
def test_the_list_is_the_exact_top_20(name: str) -> None:
    market = make_market(name, seekers=PEOPLE_PER_MARKET)
    index = build(market)
    lengths = Counter[int]()
    for seeker in market.seekers:
        expected = order(judge_all(market, seeker))
        found = index.rank(seeker, k=20)
        assert_same_list(found, expected, 20)
        lengths[len(found)] += 1
    # The comparison means something only where lists were cut, and where some were short.
    assert lengths[20] >= 5
    assert any(0 < length < 20 for length in lengths)


@each_market
def test_every_refusal_has_the_rule_that_the_document_names(name: str) -> None:
    market = make_market(name, seed=2, seekers=40)
    index = build(market)
    ids = [opening.id for opening in market.openings]
    for seeker in market.seekers:
        judged = judge_all(market, seeker)
        expected = {one.opening_id: one.rule for one in judged if one.rule}
        refused = index.refusals(seeker, ids)
        assert {refusal.opening_id: refusal.rule for refusal in refused} == expected
        assert len(refused) == len(expected)
        assert all(refusal.text for refusal in refused)
        there = [
            one.rule
            for one, opening in zip(judged, market.openings, strict=True)
            if is_there(opening, one, seeker, today=market.today, closed=market.closed)
        ]
        assert index.refusal_counts(seeker) == Counter(rule for rule in there if rule)


def test_the_markets_meet_every_rule() -> None:
    met: set[str] = set()
    for name in CHARACTERS:
        market = make_market(name, seed=2, seekers=40)
        met |= {one.rule for seeker in market.seekers for one in judge_all(market, seeker) if one.rule}
    assert met >= RULES
    assert len({rule for rule in met if rule.startswith("limit_")}) == 10


@each_market
def test_explain_agrees_with_the_list_and_with_the_refusals(name: str) -> None:
    market = make_market(name, seed=3, openings=120, seekers=10)
    index = build(market)
    for seeker in market.seekers:
        whole = {match.opening_id: match for match in index.rank(seeker, k=len(market.openings))}
        for opening in market.openings:
            assert index.explain(seeker, opening.id) == whole.get(opening.id)


@each_market
def test_a_shorter_list_is_the_beginning_of_a_longer_one(name: str) -> None:
    market = make_market(name, seed=4, openings=120, seekers=10)
    index = build(market)
    for seeker in market.seekers:
        longest = index.rank(seeker, k=len(market.openings) + 5)
        for k in (1, 7, 50):
            assert index.rank(seeker, k=k) == longest[:k]


@pytest.mark.parametrize("k", [0, -1])
def test_a_list_of_nothing_cannot_be_asked_for(k: int) -> None:
    market = make_market("dense", seed=4, openings=5, seekers=1)
    with pytest.raises(ValueError, match="k must be at least 1"):
        build(market).rank(market.seekers[0], k=k)


def narrow(judged: list[Judged], skill_min: float) -> list[Judged]:
    return [one for one in order(judged) if one.parts["skill"] >= skill_min]


@each_market
def test_a_narrow_list_holds_only_what_is_close_enough(name: str) -> None:
    market = make_market(name, seed=5, seekers=15)
    index = build(market)
    for seeker in market.seekers:
        judged = judge_all(market, seeker)
        for skill_min in (0.31, 0.75, 1.0):
            found = index.rank(seeker, k=20, skill_min=skill_min)
            assert_same_list(found, narrow(judged, skill_min), 20)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_smallest_markets(count: int) -> None:
    market = make_market("dense", seed=6, openings=count, seekers=30)
    index = build(market)
    for seeker in market.seekers:
        assert_same_list(index.rank(seeker), order(judge_all(market, seeker)), 20)
        assert index.explain(seeker, -7) is None


def test_another_day_is_another_list() -> None:
    market = make_market("city", seed=7, seekers=40)
    index = MatchIndex.build(market.openings, today=market.today, weights=market.weights)
    for later in (date(2026, 12, 30), date(2028, 2, 29), TODAY):
        index.at_day(later)
        moved = replace(market, today=later, closed=frozenset())
        for seeker in market.seekers:
            assert_same_list(index.rank(seeker), order(judge_all(moved, seeker)), 20)


# --- age --------------------------------------------------------------------------------------------------------------


def refused_at(index: MatchIndex, market: Market, seeker: Seeker, age: int) -> dict[int, str]:
    aged = replace(seeker, birth_date=date(TODAY.year - age, TODAY.month, TODAY.day))
    return {one.opening_id: one.rule for one in index.refusals(aged, [opening.id for opening in market.openings])}


@pytest.mark.parametrize("name", ["city", "hard_work", "dense"])
def test_no_adult_is_refused_for_age_without_a_lawful_reason(name: str) -> None:
    market = make_market(name, seed=8, seekers=25)
    index = build(market)
    lawful = {opening.id for opening in market.openings if opening.age_reason is not None}
    for seeker in market.seekers:
        at_ages = [refused_at(index, market, seeker, age) for age in (18, 26, 36, 51, 61, 75)]
        for refused in at_ages:
            for other in at_ages:
                added = refused.keys() - other.keys()
                assert added <= lawful
                assert {refused[opening_id] for opening_id in added} <= {"age_statutory_hazard", "age_licence"}


def hazardous(opening: Opening) -> bool:
    return opening.physical_level == 4 or not opening.demands.isdisjoint(HAZARDS_OF_MINORS)


@pytest.mark.parametrize("name", ["city", "hard_work", "dense"])
def test_below_16_nothing_and_below_18_nothing_hazardous(name: str) -> None:
    market = make_market(name, seed=9, seekers=40)
    index = build(market)
    by_id = {opening.id: opening for opening in market.openings}
    birthday = date(TODAY.year - 16, TODAY.month, TODAY.day)
    seen_at_17 = seen_hazardous_at_18 = 0
    for seeker in market.seekers:
        tomorrow_16 = replace(seeker, birth_date=birthday + timedelta(days=1))
        assert index.rank(tomorrow_16, k=len(by_id)) == []
        assert {one.rule for one in index.refusals(tomorrow_16, by_id)} == {"under_working_age"}
        tomorrow_18 = replace(seeker, birth_date=date(TODAY.year - 18, TODAY.month, TODAY.day + 1))
        listed = [by_id[match.opening_id] for match in index.rank(tomorrow_18, k=len(by_id))]
        assert not any(hazardous(opening) for opening in listed)
        seen_at_17 += len(listed)
        today_18 = replace(seeker, birth_date=date(TODAY.year - 18, TODAY.month, TODAY.day))
        adult = [by_id[match.opening_id] for match in index.rank(today_18, k=len(by_id))]
        seen_hazardous_at_18 += sum(hazardous(opening) for opening in adult)
    assert seen_at_17
    assert seen_hazardous_at_18


# --- people equal but for what must not count -------------------------------------------------------------------------


def test_age_sex_and_priority_move_no_score_but_programme() -> None:
    market = make_market("dense", seed=10, openings=70, seekers=300)
    index = build(market)
    dice = seeded("fairness")
    compared = unequal = 0
    for seeker in market.seekers:
        one = replace(seeker, birth_date=date(dice.randint(1951, 2007), 3, 1), max_km=500.0)
        changed, facts = dice.choice(
            (
                ("age", {"birth_date": date(dice.randint(1951, 2007), 7, 9)}),
                ("sex", {"sex": dice.choice(("male", "female", None))}),
                ("priority", {"priority": dice.choice(tuple(Priority))}),
            )
        )
        other: Seeker = replace(one, **facts)
        first = {match.opening_id: match for match in index.rank(one, k=len(market.openings))}
        second = {match.opening_id: match for match in index.rank(other, k=len(market.openings))}
        for opening_id in first.keys() & second.keys():
            a, b = dict(first[opening_id].parts), dict(second[opening_id].parts)
            differs = a.pop("programme") != b.pop("programme")
            assert a == b
            assert (first[opening_id].score == second[opening_id].score) != differs
            assert changed == "priority" or not differs
            compared += 1
            unequal += differs
    assert compared > 3_000
    assert unequal
