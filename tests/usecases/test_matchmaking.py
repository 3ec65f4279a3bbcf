"""Matchmaking over real reference data: words, widening, bars, search pages, and following the database."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.areas import Nearness, Precision
from app.domain.pay import Pay, PayUnit
from app.domain.postings import Demand, PostingKind, PostingState
from app.domain.workers import Limit, Sex
from app.kit.database import read_session, write_session
from app.kit.errors import Invalid
from app.kit.page_tokens import BadPageToken, write_page_token
from app.store.postings import Posting
from app.usecases.areas import AreaUnknown
from app.usecases.matchmaking import Filters, Matchmaker, Note, Profile, RankedPosting, SearchQuery
from app.usecases.postings import close_expired_postings
from app.wiring import House, load_matchmaker
from tests.houses import HOME_TOWNSHIP
from tests.houses import add_posting as add_posting_anywhere

HOME_LON, HOME_LAT = 109.8021, 31.26861  # 大昌镇, as seed/data/cq_townships_2025.csv has it
KM_A_DEGREE = 111.195

CLEANER = "4-09-08-01"
GUARD = "4-07-05-01"
AUNT = Profile(home=HOME_TOWNSHIP, wants=("保洁",), age=58, sex=Sex.FEMALE, max_km=20)


def add_posting(house: House, *, north_km: float = 0, **given: Any) -> int:
    """A cleaner's posting in the home township, `north_km` from its centre, unless told otherwise."""
    place = {"lon": HOME_LON, "lat": HOME_LAT + north_km / KM_A_DEGREE}
    return add_posting_anywhere(house, **{**place, **given})


def listed(house: House, profile: Profile, *, k: int = 10) -> list[int]:
    answer = load_matchmaker(house).match(profile, k=k, today=house.clock.today())
    return [ranked.card.id for ranked in answer.matches]


def follow(house: House, matchmaker: Matchmaker) -> int:
    with read_session(house.engine) as session:
        return matchmaker.refresh(session, today=house.clock.today(), now=house.clock.now())


def change(house: House, posting_id: int, **values: object) -> None:
    with write_session(house.engine) as session:
        posting = session.get_one(Posting, posting_id)
        for name, value in values.items():
            setattr(posting, name, value)
        posting.changed_at = house.clock.now()


def test_everyday_words_lead_to_the_work_and_say_so(house: House) -> None:
    guard = add_posting(house, title="小区保安", occupation_code=GUARD)
    add_posting(house, title="挖机师傅", occupation_code="6-30-05-05")
    answer = load_matchmaker(house).match(replace(AUNT, wants=("看大门",)), today=house.clock.today())
    assert [(words.text, words.occupation) for words in answer.resolved] == [("看大门", GUARD)]
    assert answer.matches[0].card.id == guard
    assert answer.matches[0].reasons
    assert answer.matches[0].nearness is Nearness.SAME_TOWNSHIP


def test_an_occupation_code_is_taken_as_it_is(house: House) -> None:
    guard = add_posting(house, title="小区保安", occupation_code=GUARD)
    add_posting(house)
    assert listed(house, replace(AUNT, wants=(GUARD,)))[0] == guard


def test_words_without_an_occupation_still_meet_titles(house: House) -> None:
    odd = add_posting(house, title="嗡嗡机看护", occupation_code=None, occupation_confidence=None)
    answer = load_matchmaker(house).match(replace(AUNT, wants=("嗡嗡机",)), today=house.clock.today())
    assert answer.resolved[0].occupation is None
    assert odd in [ranked.card.id for ranked in answer.matches]


def test_little_near_widens_in_the_stated_order_and_says_so(house: House) -> None:
    near = add_posting(house)
    at_25_km = add_posting(house, north_km=25)
    at_45_km = add_posting(house, north_km=-45)
    far = add_posting(house, lon=106.55, lat=29.56, area_code="500103001")
    related = add_posting(house, title="生活垃圾清运工", occupation_code="4-09-08-02")
    answer = load_matchmaker(house).match(replace(AUNT, wants=(CLEANER,)), k=5, today=house.clock.today())
    assert [note.code for note in answer.widened] == ["max_km_x1.5", "max_km_x2.5", "city", "occupation_group"]
    assert {ranked.card.id for ranked in answer.matches} == {near, at_25_km, at_45_km, far, related}
    scores = [ranked.score for ranked in answer.matches]
    assert scores == sorted(scores, reverse=True)


def test_kinds_open_only_after_the_whole_city_was_asked(house: House) -> None:
    day_labour = add_posting(house, kind=PostingKind.DAY_LABOUR)
    profile = replace(AUNT, kinds=frozenset({PostingKind.FULL_TIME}))
    answer = load_matchmaker(house).match(profile, today=house.clock.today())
    assert [ranked.card.id for ranked in answer.matches] == [day_labour]
    # A step stays in force behind the next one, so those that brought nothing by themselves are told too.
    assert [note.code for note in answer.widened] == ["max_km_x1.5", "max_km_x2.5", "city", "kinds"]


def test_before_an_empty_list_any_work_near_by_is_shown_and_said(house: House) -> None:
    guard = add_posting(house, title="小区保安", occupation_code=GUARD)
    add_posting(house, title="小区保安", occupation_code=GUARD, north_km=60)
    answer = load_matchmaker(house).match(replace(AUNT, wants=("6-18-02-04",)), today=house.clock.today())
    assert [ranked.card.id for ranked in answer.matches] == [guard]
    assert [note.code for note in answer.widened] == ["any_work"]


def test_samples_of_the_past_do_not_count_as_enough(house: House) -> None:
    for _ in range(5):
        add_posting(house, state=PostingState.HISTORICAL)
    farther = add_posting(house, north_km=25)
    answer = load_matchmaker(house).match(AUNT, k=10, today=house.clock.today())
    assert farther in [ranked.card.id for ranked in answer.matches]
    assert "max_km_x1.5" in [note.code for note in answer.widened]


def test_a_search_near_a_place_ends_with_what_has_no_place(house: House) -> None:
    placed = {add_posting(house) for _ in range(2)}
    nowhere = [add_posting(house, lon=None, lat=None) for _ in range(3)]
    matchmaker = load_matchmaker(house)
    found, token = [], None
    while True:
        page = matchmaker.search(SearchQuery(near=HOME_TOWNSHIP), page_size=1, page_token=token)
        found += [(item.card.id, item.distance_km) for item in page.items]
        token = page.next_token
        if token is None:
            break
    assert {each for each, _ in found[:2]} == placed
    assert found[2:] == [(each, None) for each in nowhere]


def test_enough_near_by_is_not_widened(house: House) -> None:
    ids = {add_posting(house) for _ in range(5)}
    far = add_posting(house, lon=106.55, lat=29.56, area_code="500103001")
    answer = load_matchmaker(house).match(AUNT, k=10, today=house.clock.today())
    assert {ranked.card.id for ranked in answer.matches} == ids
    assert far not in ids
    assert answer.widened == ()


def test_what_an_occupation_asks_of_a_body_holds_for_its_postings(house: House) -> None:
    # 井下采矿工: level IV and underground by the table of traits, whatever the posting itself leaves out.
    add_posting(house, title="井下采矿工", occupation_code="6-16-01-05", physical_level=None, occupation_confidence=0.9)
    answer = load_matchmaker(house).match(replace(AUNT, wants=("6-16-01-05",)), today=house.clock.today())
    assert answer.matches == ()
    assert answer.refused == {"hazard_level_iv": 1}


def test_a_judgement_never_makes_work_the_heaviest(house: House) -> None:
    # 装卸搬运工 is level IV by judgement: too heavy for many, but no statute says so of every such post.
    loader = add_posting(house, title="装卸工", occupation_code="4-02-05-01", physical_level=None)
    answer = load_matchmaker(house).match(replace(AUNT, wants=("装卸工",)), today=house.clock.today())
    assert [ranked.card.id for ranked in answer.matches] == [loader]
    assert answer.matches[0].card.physical_level == 3
    assert "heavy" in {note.code for note in answer.matches[0].cautions}


def test_a_posting_that_describes_its_work_goes_before_its_occupation(house: House) -> None:
    # 护林员 and its like may ask for heights; this one says what it asks itself.
    described = add_posting(house, title="装卸工", occupation_code="4-02-05-01", physical_level=2)
    profile = replace(AUNT, wants=("装卸工",), limits=frozenset({Limit.NO_HEAVY_LIFTING}))
    assert listed(house, profile) == [described]


def test_a_certificate_that_alone_is_lacking_is_named(house: House) -> None:
    electrician = add_posting(house, title="水电工", occupation_code="6-31-01-03", physical_level=2)
    profile = replace(AUNT, wants=("水电工",))
    answer = load_matchmaker(house).match(profile, today=house.clock.today())
    assert answer.matches == ()
    assert [(each.name, each.postings, each.within_km) for each in answer.lacking] == [("低压电工作业证", 1, 20)]
    holder = replace(profile, certificates=frozenset({"低压电工作业证"}))
    answer = load_matchmaker(house).match(holder, today=house.clock.today())
    assert [ranked.card.id for ranked in answer.matches] == [electrician]
    assert answer.lacking == ()


def test_of_two_certificates_that_are_lacking_together_neither_is_promised_to_open_anything(house: House) -> None:
    pair = ["低压电工作业证", "高处作业证"]
    add_posting(house, title="水电工", occupation_code="6-31-01-03", physical_level=2, certificates=pair)
    profile = replace(AUNT, wants=("水电工",))
    assert load_matchmaker(house).match(profile, today=house.clock.today()).lacking == ()
    half = replace(profile, certificates=frozenset(pair[:1]))
    lacking = load_matchmaker(house).match(half, today=house.clock.today()).lacking
    assert [(each.name, each.postings) for each in lacking] == [("高处作业证", 1)]


def test_certificates_are_counted_near_by_and_only_where_they_open_nothing_there_further_off(house: House) -> None:
    far = [add_posting(house, title="水电工", occupation_code="6-31-01-03", north_km=60) for _ in range(3)]
    profile = replace(AUNT, wants=("水电工",))
    lacking = load_matchmaker(house).match(profile, today=house.clock.today()).lacking
    assert [(each.postings, each.within_km) for each in lacking] == [(len(far), 600)]
    add_posting(house, title="水电工", occupation_code="6-31-01-03")
    lacking = load_matchmaker(house).match(profile, today=house.clock.today()).lacking
    assert [(each.postings, each.within_km) for each in lacking] == [(1, 20)]


def test_distance_tells_after_widening_to_the_whole_city(house: House) -> None:
    good: dict[str, Any] = {
        "pay": Pay(unit=PayUnit.MONTH, low=Decimal(6000), high=Decimal(7000)),
        "meals": True,
        "lodging": True,
    }
    far = add_posting(house, lon=106.55, lat=29.56, area_code="500103001", openings=40, insurance=True, **good)
    near = add_posting(house, north_km=21, openings=1)
    answer = load_matchmaker(house).match(AUNT, today=house.clock.today())
    assert [note.code for note in answer.widened][-1] == "city"
    assert [ranked.card.id for ranked in answer.matches] == [near, far]


def test_a_title_that_says_the_words_stands_before_the_occupation_they_were_taken_for(house: House) -> None:
    # 工地小工 has no code of its own and is taken for 砌筑工; 混凝土工 is where its postings are often put.
    bricklayer = add_posting(house, title="砌墙师傅", occupation_code="6-29-01-01")
    said = add_posting(house, title="急招工地小工（日结）", occupation_code="6-29-01-02", north_km=2)
    profile = replace(AUNT, wants=("工地小工",), sex=Sex.MALE)
    assert listed(house, profile) == [said, bricklayer]


def test_a_filter_for_older_people_looks_at_every_posting(house: House) -> None:
    for _ in range(5):
        add_posting(house, title="快递分拣", occupation_code="4-02-05-01", physical_level=2)
    guard = add_posting(house, title="小区保安", occupation_code=GUARD, north_km=15)
    anything = replace(AUNT, wants=())
    matchmaker = load_matchmaker(house)
    older = matchmaker.match(anything, k=1, today=house.clock.today(), filters=Filters(older=True))
    assert [ranked.card.id for ranked in older.matches] == [guard]
    assert matchmaker.match(anything, k=1, today=house.clock.today()).matches[0].card.id != guard


def test_what_is_insisted_on_is_not_widened(house: House) -> None:
    add_posting(house, north_km=25)
    add_posting(house, kind=PostingKind.PART_TIME)
    profile = replace(AUNT, kinds=frozenset({PostingKind.FULL_TIME}))
    matchmaker = load_matchmaker(house)

    def found(filters: Filters) -> tuple[int, set[str]]:
        answer = matchmaker.match(profile, today=house.clock.today(), filters=filters)
        return len(answer.matches), {note.code for note in answer.widened}

    assert found(Filters()) == (2, {"max_km_x1.5", "max_km_x2.5", "city", "kinds"})
    assert found(Filters(distance=True)) == (1, {"kinds"})
    assert found(Filters(kinds=True)) == (1, {"max_km_x1.5"})
    assert found(Filters(distance=True, kinds=True)) == (0, set())


def test_nobody_is_asked_for_a_paper_of_work_they_do_not_want(house: House) -> None:
    add_posting(house, title="水电工", occupation_code="6-31-01-03", physical_level=2)
    assert load_matchmaker(house).match(AUNT, today=house.clock.today()).lacking == ()


def test_going_rates_come_from_open_postings_and_never_from_the_past(house: House) -> None:
    for _ in range(10):
        add_posting(house, pay=Pay(unit=PayUnit.MONTH, low=Decimal(3000), high=Decimal(3000)))
        add_posting(
            house, state=PostingState.HISTORICAL, pay=Pay(unit=PayUnit.MONTH, low=Decimal(9000), high=Decimal(9000))
        )
    answer = load_matchmaker(house).match(AUNT, k=20, today=house.clock.today())
    parts = {ranked.card.is_historical: ranked.parts["pay"] for ranked in answer.matches}
    assert parts[False] == pytest.approx(0.6)  # exactly the going rate
    assert parts[True] == pytest.approx(1.0)


def test_limits_bar_and_are_counted(house: House) -> None:
    add_posting(house, demands=[Demand.HEAVY_LIFTING])
    profile = replace(AUNT, limits=frozenset({Limit.NO_HEAVY_LIFTING}))
    answer = load_matchmaker(house).match(profile, today=house.clock.today())
    assert answer.matches == ()
    assert answer.refused == {"limit_no_heavy_lifting": 1}


def test_a_card_that_the_employer_obtains_does_not_bar(house: House) -> None:
    posting = add_posting(house, certificates=["健康证"])
    assert listed(house, AUNT) == [posting]


def test_a_licence_covers_the_classes_below_it(house: House) -> None:
    posting = add_posting(house, certificates=["C1"])
    assert listed(house, replace(AUNT, certificates=frozenset({"A2"}))) == [posting]
    assert listed(house, replace(AUNT, certificates=frozenset({"C2"}))) == []


def test_under_sixteen_sees_nothing(house: House) -> None:
    add_posting(house)
    answer = load_matchmaker(house).match(replace(AUNT, age=15), today=house.clock.today())
    assert answer.matches == ()
    assert answer.refused == {"under_working_age": 1}
    assert [note.code for note in answer.notes] == ["under_working_age"]


def test_an_age_cap_without_a_reason_is_a_caution_and_no_bar(house: House) -> None:
    posting = add_posting(house, age_max=50, age_words="50岁以下")
    answer = load_matchmaker(house).match(AUNT, today=house.clock.today())
    assert [ranked.card.id for ranked in answer.matches] == [posting]
    assert "雇主注明50岁以下，没有法定理由，可先打电话" in [note.text for note in answer.matches[0].cautions]


def test_historical_rows_are_ranked_with_their_mark(house: House) -> None:
    posting = add_posting(
        house, state=PostingState.HISTORICAL, observed="2023-04", valid_until=None, precision=Precision.DISTRICT
    )
    answer = load_matchmaker(house).match(AUNT, today=house.clock.today())
    assert [ranked.card.id for ranked in answer.matches] == [posting]
    first = answer.matches[0]
    assert first.cautions[0].code == "historical"
    assert first.nearness is not Nearness.SAME_TOWNSHIP
    assert first.distance_km is not None
    assert first.distance_km >= 5


def test_a_posting_without_a_place_is_in_no_list(house: House) -> None:
    add_posting(house, lon=None, lat=None)
    assert listed(house, AUNT) == []


def test_a_home_that_is_no_place_is_told(house: House) -> None:
    with pytest.raises(AreaUnknown):
        listed(house, replace(AUNT, home="999999999"))


def test_neither_age_nor_birth_is_told(house: House) -> None:
    with pytest.raises(Invalid):
        listed(house, replace(AUNT, age=None))


def test_a_point_is_a_home_too(house: House) -> None:
    posting = add_posting(house)
    assert listed(house, replace(AUNT, home=(HOME_LON, HOME_LAT))) == [posting]


def test_explain_tells_reasons_or_the_rule(house: House) -> None:
    easy, heavy = add_posting(house), add_posting(house, physical_level=4)
    matchmaker = load_matchmaker(house)
    told = matchmaker.explain(AUNT, easy, today=house.clock.today())
    assert isinstance(told, RankedPosting)
    assert told.reasons
    refused = matchmaker.explain(AUNT, heavy, today=house.clock.today())
    assert isinstance(refused, Note)
    assert refused.code == "hazard_level_iv"
    assert matchmaker.explain(AUNT, heavy + 1_000_000, today=house.clock.today()) is None


def test_search_pages_are_whole_and_without_repeats(house: House) -> None:
    ids = {add_posting(house) for _ in range(7)}
    matchmaker = load_matchmaker(house)
    found: list[int] = []
    token = None
    while True:
        page = matchmaker.search(SearchQuery(near=HOME_TOWNSHIP, radius_km=30), page_size=2, page_token=token)
        assert page.total == len(ids)
        found += [item.card.id for item in page.items]
        token = page.next_token
        if token is None:
            break
    assert len(found) == len(ids)
    assert set(found) == ids
    assert found == sorted(found)  # one distance: by id


def test_search_stands_nearest_first_and_newest_first_without_a_place(house: House) -> None:
    far = add_posting(house, north_km=9)
    near = add_posting(house, north_km=1)
    matchmaker = load_matchmaker(house)
    by_distance = matchmaker.search(SearchQuery(near=HOME_TOWNSHIP), page_size=10)
    assert [item.card.id for item in by_distance.items] == [near, far]
    newest = matchmaker.search(SearchQuery(), page_size=10)
    assert [item.card.id for item in newest.items] == sorted([far, near], reverse=True)
    past = add_posting(house, state=PostingState.HISTORICAL)
    newest = load_matchmaker(house).search(SearchQuery(), page_size=10)
    assert [item.card.id for item in newest.items] == [*sorted([far, near], reverse=True), past]
    assert all(item.distance_km is None for item in newest.items)


def test_search_finds_by_words_of_the_title_and_by_what_they_mean(house: House) -> None:
    titled = add_posting(house, title="嗡嗡机看护", occupation_code=None, occupation_confidence=None)
    meant = add_posting(house, title="小区秩序维护", occupation_code=GUARD)
    add_posting(house)
    matchmaker = load_matchmaker(house)
    assert [item.card.id for item in matchmaker.search(SearchQuery(words="嗡嗡机"), page_size=9).items] == [titled]
    assert [item.card.id for item in matchmaker.search(SearchQuery(words="看大门"), page_size=9).items] == [meant]


@pytest.mark.parametrize(
    "token",
    ["x", "AAAA", "é", "9" * 500, "bm9wZQ", write_page_token(1, 2, of="feed"), write_page_token(1, of="postings")],
)
def test_a_strange_page_token_is_refused(house: House, token: str) -> None:
    matchmaker = load_matchmaker(house)
    with pytest.raises(BadPageToken):
        matchmaker.search(SearchQuery(near=HOME_TOWNSHIP), page_size=2, page_token=token)


def test_the_matchmaker_follows_the_database(house: House) -> None:
    first = add_posting(house)
    matchmaker = load_matchmaker(house)
    version = matchmaker.version
    assert follow(house, matchmaker) == 0
    assert matchmaker.version == version
    second = add_posting(house)
    assert follow(house, matchmaker) == 1
    answer = matchmaker.match(AUNT, today=house.clock.today())
    assert {ranked.card.id for ranked in answer.matches} == {first, second}
    house.clock.advance(timedelta(seconds=5))  # type: ignore[attr-defined]
    change(house, first, state=PostingState.PAUSED)
    assert follow(house, matchmaker) == 1
    assert [ranked.card.id for ranked in matchmaker.match(AUNT, today=house.clock.today()).matches] == [second]
    assert matchmaker.card(first) is None
    assert matchmaker.version > version


def test_a_row_stamped_before_the_last_look_is_still_found(house: House) -> None:
    matchmaker = load_matchmaker(house)
    follow(house, matchmaker)
    late = add_posting(house, changed_at=house.clock.now() - timedelta(minutes=3))
    assert follow(house, matchmaker) == 1
    assert matchmaker.card(late) is not None


def test_full_postings_leave_the_list_and_come_back(house: House) -> None:
    posting = add_posting(house)
    matchmaker = load_matchmaker(house)
    house.clock.advance(timedelta(seconds=5))  # type: ignore[attr-defined]
    change(house, posting, openings=0)
    follow(house, matchmaker)
    assert matchmaker.match(AUNT, today=house.clock.today()).matches == ()
    house.clock.advance(timedelta(seconds=5))  # type: ignore[attr-defined]
    change(house, posting, openings=3)
    follow(house, matchmaker)
    assert [ranked.card.id for ranked in matchmaker.match(AUNT, today=house.clock.today()).matches] == [posting]


def test_what_runs_out_leaves_by_the_clock_alone(house: House) -> None:
    posting = add_posting(house, valid_until=house.clock.today())
    stays = add_posting(house, valid_until=house.clock.today() + timedelta(days=1))
    matchmaker = load_matchmaker(house)
    tomorrow = house.clock.today() + timedelta(days=1)
    assert matchmaker.age_out(tomorrow) == 1
    assert matchmaker.card(posting) is None
    assert [ranked.card.id for ranked in matchmaker.match(AUNT, today=tomorrow).matches] == [stays]


def test_closing_what_expired_is_told_to_followers(house: House) -> None:
    posting = add_posting(house, valid_until=house.clock.today() - timedelta(days=1))
    with write_session(house.engine) as session:
        assert close_expired_postings(session, today=house.clock.today(), now=house.clock.now()) == 1
    with write_session(house.engine) as session:
        row = session.get_one(Posting, posting)
        assert (row.state, row.closed_reason, row.changed_at) == (PostingState.CLOSED, "expired", house.clock.now())


def test_the_day_of_birth_decides_and_not_the_year(house: House) -> None:
    add_posting(house, physical_level=4, demands=[])
    today = house.clock.today()
    eighteen = date(today.year - 18, today.month, today.day)
    man = replace(AUNT, sex=Sex.MALE, age=None)
    assert listed(house, replace(man, birth_on=eighteen + timedelta(days=1))) == []
    assert len(listed(house, replace(man, birth_on=eighteen))) == 1
