"""What would help: one certificate more, or one step farther."""

from dataclasses import replace

import pytest

from matching import MatchIndex
from tests.matching.markets import CHARACTERS, TODAY, make_market, place_at, plain_opening, plain_seeker


def test_a_certificate_that_brings_a_better_posting_is_told_with_its_rank() -> None:
    near = plain_opening(1, title="叉车工", certificates=frozenset({"叉车证"}), pay_min_yuan_month=7000)
    index = MatchIndex.build([near, plain_opening(2, pay_min_yuan_month=9000), plain_opening(3)], today=TODAY)
    (found,) = index.counterfactuals(plain_seeker())
    assert (found.code, found.certificate, found.rank, found.opening_id) == ("certificate", "叉车证", 2, 1)
    assert found.text == "有叉车证，“叉车工”可排第2"


def test_a_step_of_distance_is_told_where_it_changes_the_list() -> None:
    index = MatchIndex.build([plain_opening(1, place=place_at(12)), plain_opening(2)], today=TODAY)
    (found,) = index.counterfactuals(plain_seeker(max_km=10))
    assert (found.code, found.max_km, found.rank, found.opening_id) == ("distance", 15.0, 2, 1)
    assert found.text == "远到15公里，“保安”可排第2"
    assert index.counterfactuals(plain_seeker(max_km=7)) == []
    # Behind the k best it is no help.
    assert index.counterfactuals(plain_seeker(max_km=10), k=1) == []


def test_two_lacking_certificates_are_no_single_step() -> None:
    both = plain_opening(1, certificates=frozenset({"叉车证", "电工证"}))
    index = MatchIndex.build([both, plain_opening(2)], today=TODAY)
    assert index.counterfactuals(plain_seeker()) == []
    assert [each.certificate for each in index.counterfactuals(plain_seeker(certificates={"电工证"}))] == ["叉车证"]


@pytest.mark.parametrize("name", CHARACTERS)
def test_what_is_told_is_what_the_changed_person_gets(name: str) -> None:
    market = make_market(name, seed=31, seekers=40)
    index = MatchIndex.build(market.openings, today=TODAY, weights=market.weights)
    told = 0
    for seeker in market.seekers:
        now = {match.opening_id for match in index.rank(seeker, k=8)}
        for found in index.counterfactuals(seeker, k=8):
            more = {found.certificate} if found.certificate else frozenset[str]()
            changed = replace(seeker, certificates=seeker.certificates | more, max_km=found.max_km or seeker.max_km)
            assert index.rank(changed, k=8)[found.rank - 1].opening_id == found.opening_id
            assert found.opening_id not in now
            told += 1
    assert told >= 5
