"""The index: what serving does to it (adding, closing, filling, moving on a day), and what no change of facts may do.

Readers take no lock. The tests below read while a change is being made, from inside it and from other threads.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, overload

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matching import Demand, Education, Kind, Limit, Match, MatchIndex, Opening, Place, Priority, Seeker
from tests.matching.markets import CERTIFICATES, HERE, TODAY, make_market, place_at, plain_opening, plain_seeker, seeded

CODES = ("4-07-05-01", "4-07-05-02", "4-07-03-01", "6-05-01-03", "4-09-08-01")
WORDS = st.text(alphabet="保安洁缝纫工夜班AB1 （）🙂", max_size=12)
DAYS = st.dates(TODAY - timedelta(days=60), TODAY + timedelta(days=120))
IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 62).map(lambda bits: 2**bits) | st.integers(0, 99)
EXAMPLES = settings(max_examples=50, deadline=None)


def unknown_or(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def places() -> st.SearchStrategy[Place]:
    return st.builds(
        Place,
        lon=st.floats(106.3, 106.8),
        lat=st.floats(29.3, 29.8),
        township=unknown_or(st.sampled_from(("500103001", "500112001"))),
        precision=st.sampled_from(("point", "township", "district")),
    )


def openings(opening_id: st.SearchStrategy[int]) -> st.SearchStrategy[Opening]:
    yes_no = st.sampled_from((True, False, None))
    return st.builds(
        Opening,
        id=opening_id,
        title=WORDS,
        place=places(),
        occupation=unknown_or(st.sampled_from(CODES)),
        kind=st.sampled_from(Kind),
        pay_min_yuan_month=unknown_or(st.integers(0, 30000)),
        pay_max_yuan_month=unknown_or(st.integers(30000, 60000)),
        openings=st.integers(1, 50),
        sent=st.integers(0, 50),
        starts_on=unknown_or(DAYS),
        valid_until=unknown_or(st.dates(TODAY, TODAY + timedelta(days=90))),
        physical_level=st.sampled_from((None, 1, 2, 3, 4)),
        demands=st.frozensets(st.sampled_from(Demand), max_size=3),
        age_max=unknown_or(st.integers(20, 70)),
        certificates=st.frozensets(st.sampled_from(CERTIFICATES), max_size=2),
        education=unknown_or(st.sampled_from(Education)),
        experience_years_min=unknown_or(st.floats(0, 20)),
        reply_rate=unknown_or(st.floats(0, 1)),
        verified=st.booleans(),
        meals=yes_no,
        lodging=yes_no,
        insurance=yes_no,
        ends_at_hour=unknown_or(st.floats(8, 24)),
    )


def seekers() -> st.SearchStrategy[Seeker]:
    return st.builds(
        Seeker,
        id=st.just(1),
        birth_date=st.dates(date(1951, 1, 1), date(2012, 12, 31)),
        places=st.lists(places(), min_size=1, max_size=2).map(tuple),
        wants=st.lists(st.sampled_from(CODES), max_size=3, unique=True).map(tuple),
        sex=st.sampled_from(("male", "female", None)),
        skills_text=WORDS,
        certificates=st.frozensets(st.sampled_from(CERTIFICATES), max_size=4),
        pay_min_yuan_month=unknown_or(st.integers(0, 12000)),
        kinds=st.just(frozenset()) | st.frozensets(st.sampled_from(Kind), max_size=4),
        max_km=st.sampled_from((5.0, 20.0, 100.0, 500.0)),
        available_on=unknown_or(DAYS),
        limits=st.frozensets(st.sampled_from(Limit), max_size=2),
        home_by=unknown_or(st.floats(10, 24)),
        priority=st.sampled_from(Priority),
        education=unknown_or(st.sampled_from(Education)),
        experience_years=unknown_or(st.floats(0, 40)),
    )


def markets() -> st.SearchStrategy[list[Opening]]:
    return st.lists(openings(st.integers(-(2**62), 2**62)), max_size=7, unique_by=lambda opening: opening.id)


def index_of(*rows: Opening) -> MatchIndex:
    return MatchIndex.build(rows, today=TODAY)


def ids(index: MatchIndex, **facts: Any) -> list[int]:
    return [match.opening_id for match in index.rank(plain_seeker(**facts), k=500)]


def whole(index: MatchIndex, seeker: Seeker) -> list[Match]:
    return index.rank(seeker, k=500)


# --- serving ----------------------------------------------------------------------------------------------------------


def test_an_empty_index_answers() -> None:
    index = index_of()
    assert len(index) == 0
    assert ids(index) == []
    assert index.explain(plain_seeker(), 1) is None
    assert [refusal.rule for refusal in index.refusals(plain_seeker(), [1])] == ["unknown"]
    assert index.refusals(plain_seeker(), []) == []
    assert index.refusal_counts(plain_seeker()) == {}
    index.close([1])
    index.set_openings([1], [5])
    index.add([])
    assert len(index) == 0


def test_openings_can_be_added_to_an_empty_index() -> None:
    index = index_of()
    index.add([plain_opening(2), plain_opening(1)])
    assert ids(index) == [1, 2]
    index.add(iter([plain_opening(3, verified=True)]))
    assert ids(index) == [3, 1, 2]
    assert len(index) == 3


def test_a_known_id_takes_the_place_of_the_older_posting() -> None:
    index = index_of(plain_opening(1, title="保洁"), plain_opening(2))
    index.add([plain_opening(1, title="仓库", place=place_at(3), certificates={"N1"})])
    assert len(index) == 2
    assert ids(index) == [2]
    assert [refusal.rule for refusal in index.refusals(plain_seeker(), [1])] == ["certificate"]
    assert ids(index, certificates={"N1"}) == [2, 1]


def test_a_replaced_posting_is_as_if_it_had_been_there_from_the_start() -> None:
    market = make_market("city", seed=41, openings=80, seekers=15)
    older = [replace(opening, title="旧", pay_min_yuan_month=1.0, openings=1) for opening in market.openings[:40]]
    index = index_of(*older, *market.openings[40:])
    index.close([opening.id for opening in market.openings[10:20]])
    index.add(market.openings[:40])
    fresh = index_of(*market.openings)
    for seeker in market.seekers:
        assert whole(index, seeker) == whole(fresh, seeker)
        assert index.refusal_counts(seeker) == fresh.refusal_counts(seeker)


def test_closing_takes_off_the_list_until_it_is_added_again() -> None:
    index = index_of(*(plain_opening(each) for each in (1, 2, 3)))
    index.close([2, 99])
    assert ids(index) == [1, 3]
    assert len(index) == 2
    assert index.explain(plain_seeker(), 2) is None
    index.close([2])
    index.add([plain_opening(2)])
    assert ids(index) == [1, 2, 3]
    index.close(each for each in (1, 3))
    assert ids(index) == [2]


def test_places_left_move_the_score_and_at_none_the_posting_goes() -> None:
    index = index_of(plain_opening(1, openings=2), plain_opening(2, openings=2))
    index.set_openings([2, 99], [9, 1])
    assert ids(index) == [2, 1]
    (first, second) = whole(index, plain_seeker())
    assert first.parts["room"] == pytest.approx(9 / 9.5, abs=1e-4)
    assert second.parts["room"] == pytest.approx(2 / 2.5, abs=1e-4)
    assert "还招9人" in [reason.text for reason in first.reasons]
    index.set_openings([2], [0])
    assert ids(index) == [1]
    assert [refusal.rule for refusal in index.refusals(plain_seeker(), [2])] == ["full"]
    index.set_openings([2], [1])
    assert ids(index) == [1, 2]


def test_a_refused_change_changes_nothing() -> None:
    index = index_of(plain_opening(1), plain_opening(2, openings=5))
    before = whole(index, plain_seeker())
    with pytest.raises(ValueError, match="two openings bear one id"):
        index.add([plain_opening(3), plain_opening(3)])
    with pytest.raises(ValueError, match="zip"):
        index.set_openings([1, 2], [0])
    assert whole(index, plain_seeker()) == before
    assert len(index) == 2


def test_one_id_twice_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="two openings bear one id"):
        index_of(plain_opening(1), plain_opening(1))


def test_a_day_later_postings_expire_and_people_grow_up() -> None:
    index = index_of(plain_opening(1, valid_until=TODAY), plain_opening(2, physical_level=4))
    tomorrow = TODAY + timedelta(days=1)
    turns_18 = date(tomorrow.year - 18, tomorrow.month, tomorrow.day)
    assert ids(index, birth_date=turns_18) == [1]
    index.at_day(tomorrow)
    assert ids(index, birth_date=turns_18) == [2]


def test_ids_may_be_any_64_bit_number_and_ties_stand_by_them() -> None:
    far_apart = [2**63 - 1, -(2**63), 0, -1, 1]
    assert ids(index_of(*(plain_opening(each) for each in far_apart))) == sorted(far_apart)


@EXAMPLES
@given(
    known=st.sets(IDS, min_size=1, max_size=70),
    others=st.sets(IDS, max_size=70),
)
@example(known={2**each for each in range(63)}, others={2**each + 1 for each in range(63)})
def test_an_opening_is_found_by_its_id_however_unevenly_ids_lie(known: set[int], others: set[int]) -> None:
    index = index_of(*(plain_opening(each) for each in known))
    refused = index.refusals(plain_seeker(), known | others)
    assert {each.opening_id for each in refused if each.rule == "unknown"} == others - known
    assert {each for each in known if index.explain(plain_seeker(), each)} == known


def test_work_that_comes_later_is_close_to_its_kin() -> None:
    index = index_of(plain_opening(1, occupation=CODES[0]))
    (before,) = whole(index, plain_seeker(wants=(CODES[1],)))
    index.add([plain_opening(2, occupation=CODES[1])])
    first, second = whole(index, plain_seeker(wants=(CODES[1],)))
    assert (first.opening_id, first.parts["skill"]) == (2, 1.0)
    assert second == before


def test_what_was_built_is_not_touched_by_what_comes_later() -> None:
    rows = [plain_opening(1), plain_opening(2)]
    index = index_of(*rows)
    index.close([1])
    index.set_openings([2], [7])
    assert rows == [plain_opening(1), plain_opening(2)]
    assert ids(index_of(*rows)) == [1, 2]


# --- what changes nothing, what never hurts, what never helps ---------------------------------------------------------


@EXAMPLES
@given(rows=markets(), seeker=seekers(), order=st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(rows: list[Opening], seeker: Seeker, order: Any) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    half = len(rows) // 2
    in_two = index_of(*shuffled[:half])
    in_two.add(shuffled[half:])
    expected = whole(index_of(*rows), seeker)
    assert whole(index_of(*shuffled), seeker) == expected
    assert whole(in_two, seeker) == expected


@EXAMPLES
@given(rows=markets(), seeker=seekers())
def test_the_list_and_the_refusals_share_the_market_out(rows: list[Opening], seeker: Seeker) -> None:
    index = index_of(*rows)
    listed = {match.opening_id: match for match in whole(index, seeker)}
    refused = {refusal.opening_id for refusal in index.refusals(seeker, [opening.id for opening in rows])}
    assert listed.keys() | refused == {opening.id for opening in rows}
    assert not listed.keys() & refused
    for match in listed.values():
        assert 0 <= match.score <= 1
        assert all(0 <= part <= 1 for part in match.parts.values())
        assert 1 <= len(match.reasons) <= 4


@EXAMPLES
@given(opening=openings(st.just(1)), seeker=seekers(), steps=st.integers(1, 30))
def test_one_more_kilometre_never_helps(opening: Opening, seeker: Seeker, steps: int) -> None:
    home = replace(seeker, places=(HERE,), max_km=20.0)
    here = replace(opening, place=replace(opening.place, lon=HERE.lon, lat=HERE.lat))
    further = [replace(here.place, lat=HERE.lat + km / 111.195) for km in range(steps)]
    scores = []
    for place in further:
        match = index_of(replace(here, place=place)).explain(home, 1)
        scores.append(-1.0 if match is None else match.score)
    assert all(near >= far for near, far in itertools.pairwise(scores))


@EXAMPLES
@given(rows=markets(), seeker=seekers(), certificate=st.sampled_from(CERTIFICATES))
def test_one_more_certificate_never_hurts(rows: list[Opening], seeker: Seeker, certificate: str) -> None:
    index = index_of(*rows)
    before = {match.opening_id: match for match in whole(index, seeker)}
    after = {
        match.opening_id: match
        for match in whole(index, replace(seeker, certificates=seeker.certificates | {certificate}))
    }
    assert before.items() <= after.items()


@EXAMPLES
@given(opening=openings(st.just(1)), seeker=seekers(), programme=st.sampled_from(("work_relief", "public_welfare")))
def test_programme_work_scores_higher_for_whom_the_plan_puts_first(
    opening: Opening, seeker: Seeker, programme: str
) -> None:
    index = index_of(replace(opening, kind=programme))
    by_class = [
        index.explain(replace(seeker, priority=priority), 1)
        for priority in ("poverty_alleviated", "hard_to_employ", "none")
    ]
    if by_class[0] is None:
        assert by_class == [None] * 3
        return
    scores = [match.score for match in by_class if match is not None]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    # At a score of nearly nothing nine decimals no longer tell the classes apart.
    assert scores[0] > scores[1] > scores[2] or scores[0] < 1e-6


@EXAMPLES
@given(opening=openings(st.just(1)), seeker=seekers())
def test_a_district_is_at_least_five_kilometres_away(opening: Opening, seeker: Seeker) -> None:
    vague = replace(opening, place=replace(opening.place, precision="district"))
    match = index_of(vague).explain(replace(seeker, max_km=500.0), 1)
    if match is not None:
        assert match.distance_km >= 5
        assert not any("不到1公里" in reason.text for reason in match.reasons)
        assert "place_rough" in {caution.code for caution in match.cautions}


def test_reach_is_the_same_wherever_on_the_globe() -> None:
    """The quick test for what is far never leaves out what is near: at poles, at the date line, with a wide reach."""
    dice = seeded("globe")
    corners = [(180.0, 10.0), (-180.0, -10.0), (0.0, 90.0), (45.0, -90.0), (106.5, 29.5), (179.99, 80.0), (0.0, 88.0)]
    rows = [
        plain_opening(number, place=Place(lon=dice.uniform(-180, 180), lat=dice.uniform(-90, 90)))
        for number in range(300)
    ]
    index = index_of(*rows)
    listed = 0
    for (lon, lat), max_km in itertools.product(corners, (10.0, 500.0, 3000.0, 9000.0, 15000.0, 30000.0, float("inf"))):
        seeker = plain_seeker(places=(Place(lon=lon, lat=lat),), max_km=max_km)
        found = {match.opening_id for match in whole(index, seeker)}
        refused = {refusal.opening_id for refusal in index.refusals(seeker, range(300))}
        assert found | refused == set(range(300))
        assert not found & refused
        listed += len(found)
    assert listed > 1000


# --- reading while somebody writes ------------------------------------------------------------------------------------


class Peeking(Sequence[int]):
    """Numbers that call back each time one is read, so that a reader looks in the middle of a change."""

    def __init__(self, numbers: Sequence[int], look: Callable[[], None]) -> None:
        self._numbers, self._look = numbers, look

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        self._look()
        return self._numbers[at]

    def __iter__(self) -> Iterator[int]:
        for number in self._numbers:
            self._look()
            yield number


CHANGES: dict[str, Callable[[MatchIndex, Callable[[], None]], None]] = {
    "add": lambda index, look: index.add(
        plain_opening(each, pay_min_yuan_month=6000) for each in Peeking(range(1, 9), look)
    ),
    "close": lambda index, look: index.close(Peeking(range(1, 9, 2), look)),
    "set_openings": lambda index, look: index.set_openings(range(1, 9), Peeking([9, 0] * 4, look)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_reader_inside_a_change_sees_the_state_before_it(change: str) -> None:
    index = index_of(*(plain_opening(each) for each in range(1, 9)))
    before = whole(index, plain_seeker())
    looks: list[list[Match]] = []
    CHANGES[change](index, lambda: looks.append(whole(index, plain_seeker())))
    assert len(looks) >= 4
    assert all(look == before for look in looks)
    assert whole(index, plain_seeker()) != before


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leaves_the_market_that_a_reader_holds_as_it_was(change: str) -> None:
    index = index_of(*(plain_opening(each) for each in range(1, 9)))
    held = index._state.market
    CHANGES[change](index, lambda: None)
    assert index._state.market is not held
    assert held.main.is_open.all()
    assert (held.main.left == 1).all()
    assert len(held.delta.rows) == 0
    assert np.isnan(held.main.rows["pay_min"]).all()
    places = held.places_of(np.arange(1, 9))
    assert [held.opening_at(int(place)).id for place in places] == list(range(1, 9))


READERS, ROUNDS = 3, 60


@pytest.mark.usefixtures("quick_switches")
def test_threads_that_read_while_one_writes_see_whole_states_only() -> None:
    """The writer goes round three states of thirty postings; every list read is one of them, and `explain` agrees."""
    numbers = range(1, 31)
    poor = [plain_opening(each, title=f"保安{each}", pay_min_yuan_month=2000) for each in numbers]
    rich = [plain_opening(each, title=f"高薪{each}", pay_min_yuan_month=6000, openings=9) for each in numbers]
    seeker = plain_seeker(skills_text="高薪3")
    index = index_of(*poor)
    steps: list[Callable[[], None]] = [
        lambda: index.add(rich),
        lambda: index.close(range(1, 31, 2)),
        lambda: index.add(poor),
        lambda: index.set_openings(numbers, [4] * 30),
        lambda: index.add(poor),
    ]
    states = [whole(index, seeker)]
    for step in steps:
        step()
        states.append(whole(index, seeker))
    assert len({str(state) for state in states}) == 4
    start = threading.Barrier(READERS + 1)
    wrong: list[object] = []

    def read() -> None:
        try:
            start.wait()
            for _ in range(ROUNDS):
                seen = whole(index, seeker)
                explained = index.explain(seeker, 30)
                if seen not in states or not any(explained in state for state in states):
                    wrong.append(seen)
        except Exception as error:  # noqa: BLE001 - a thread's failure has to reach the test
            wrong.append(error)

    def write() -> None:
        try:
            start.wait()
            for step in itertools.islice(itertools.cycle(steps), ROUNDS):
                step()
        except Exception as error:  # noqa: BLE001 - as above
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(READERS)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.usefixtures("quick_switches")
def test_writers_that_meet_lose_nothing() -> None:
    index = index_of()
    start = threading.Barrier(4)
    failed: list[Exception] = []

    def write(first: int) -> None:
        try:
            start.wait()
            for each in range(first, first + 25):
                index.add([plain_opening(each)])
                if each % 5 == 0:
                    index.close([each])
        except Exception as error:  # noqa: BLE001 - a thread's failure has to reach the test
            failed.append(error)

    threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    expected = [each for number in range(4) for each in range(100 * number, 100 * number + 25) if each % 5]
    assert ids(index) == expected
