"""Bringing in postings: what opens, what waits, what is folded, what is refused; and twice is once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.domain.areas import Precision
from app.domain.employers import EmployerKind
from app.domain.pay import Pay, PayUnit
from app.domain.postings import Lack, PostingKind, PostingOrigin, PostingState
from app.exchange.postings import read_postings
from app.kit.clock import FixedClock
from app.kit.database import read_session, write_session
from app.store.audit import AuditEntry
from app.store.employers import Employer
from app.store.policies import LocalSetting
from app.store.postings import Posting, PostingSource
from app.usecases.drafts import CONTACTS_TAKEN_OUT, PostingDraft
from app.usecases.imports import (
    NO_MINIMUM_WAGE,
    JudgedPostings,
    import_postings,
    judge_postings,
    read_grounds,
    understand_titles,
)
from app.usecases.matchmaking import Profile, ResolvedWords, title_resolver
from app.usecases.outcomes import ImportReport, Progress, RowOutcome, RowReport
from app.usecases.postings import count_postings
from app.wiring import House, load_matchmaker
from tests.houses import area_book

GUARD = ResolvedWords(text="保安", occupation="4-07-05-01", name="保安员", confidence=0.9)
CLEANER = ResolvedWords(text="保洁", occupation="4-09-08-01", name="保洁员", confidence=0.9)
OCCUPATIONS = {
    "小区保安": GUARD,
    "小区保安员": GUARD,
    "1号厂房夜间门岗值守保安人员": GUARD,
    "2号厂房夜间门岗值守保安人员": GUARD,
    "保洁": CLEANER,
}
FIRM_CODE = "91500237MA00000006"  # a right check character; the authority gave no such number out
PAY = Pay(unit=PayUnit.MONTH, low=Decimal(3000), high=Decimal(3500))


def whole(**given: Any) -> PostingDraft:
    """A row that holds all that job information must hold."""
    row = given.get("row", 2)
    values: dict[str, Any] = {
        "row": row,
        "title": "小区保安",
        "source_key": f"key-{row}",
        "fingerprint": f"print-{row}",
        "district": "巫山县",
        "workplace": "大昌镇农贸市场",
        "pay": PAY,
        "paid_by": "样例物业",
        "paid_when": "每月15日",
        "openings": 2,
        "employer_name": "样例物业",
        "duties": "值守大门",
        "conditions": "身体健康",
        "valid_until": date(2026, 12, 31),
        **given,
    }
    return PostingDraft(**values)


def past(**given: Any) -> PostingDraft:
    """A listing of the past, with what such listings lack."""
    return whole(
        **{
            "observed": "2024-07",
            "observed_on": date(2024, 7, 1),
            "city": "重庆",
            "workplace": "",
            "employer_name": "",
            "duties": "",
            "conditions": "",
            "paid_by": "",
            "paid_when": "",
            "valid_until": None,
            **given,
        }
    )


def judge(
    house: House,
    *drafts: PostingDraft,
    occupations: Mapping[str, ResolvedWords] = OCCUPATIONS,
    on_progress: Progress | None = None,
) -> JudgedPostings:
    with read_session(house.engine) as session:
        grounds = read_grounds(
            session,
            drafts,
            occupations=occupations,
            areas=area_book(house),
            today=house.clock.today(),
            on_progress=on_progress,
        )
    return judge_postings(grounds, on_progress=on_progress)


def write(house: House, judged: JudgedPostings, *, on_progress: Progress | None = None) -> ImportReport:
    with write_session(house.engine) as session:
        return import_postings(session, judged, actor="tester", now=house.clock.now(), on_progress=on_progress)


def bring_in(house: House, *drafts: PostingDraft) -> ImportReport:
    return write(house, judge(house, *drafts))


def add_employer(house: House, **given: Any) -> None:
    values = {"name": "样例物业", "kind": EmployerKind.FIRM, "verified_on": date(2026, 11, 1), **given}
    with write_session(house.engine) as session:
        session.add(Employer(**values))


def stored(house: House) -> Sequence[Posting]:
    with read_session(house.engine) as session:
        return session.scalars(select(Posting).order_by(Posting.id)).all()


def sources(house: House) -> list[tuple[int, str, str]]:
    with read_session(house.engine) as session:
        rows = session.scalars(select(PostingSource).order_by(PostingSource.id))
        return [(row.posting_id, row.source, row.source_key) for row in rows]


def outcomes(report: ImportReport) -> list[RowOutcome]:
    return [row.outcome for row in report.rows]


def only(report: ImportReport) -> RowReport:
    (row,) = report.rows
    return row


# --- new postings -----------------------------------------------------------------------------------------------------


def test_a_whole_row_of_a_verified_employer_opens(house: House) -> None:
    add_employer(house)
    row = only(bring_in(house, whole(age_words="18-50")))
    assert (row.outcome, row.is_historical) == (RowOutcome.TAKEN, False)
    (posting,) = stored(house)
    assert row.id == posting.id
    assert (posting.state, posting.origin, posting.kind) == (
        PostingState.OPEN,
        PostingOrigin.IMPORTED,
        PostingKind.FULL_TIME,
    )
    assert (posting.area_code, posting.precision) == ("500237102", Precision.TOWNSHIP)
    assert posting.lon is not None
    assert (posting.occupation_code, posting.occupation_confidence) == ("4-07-05-01", 0.9)
    assert (posting.pay_unit, posting.pay_low, posting.pay_high) == (PAY.unit, PAY.low, PAY.high)
    assert (posting.pay_min_yuan_month, posting.pay_max_yuan_month) == (3000, 3500)
    assert (posting.valid_until, posting.openings, posting.lacks, posting.findings) == (date(2026, 12, 31), 2, [], [])
    assert posting.employer_id is not None
    # The cap is kept with its words and has no reason: it is not applied, and the person sees a caution.
    assert (posting.age_min, posting.age_max, posting.age_reason, posting.age_words) == (18, 50, None, "年龄18-50")
    assert any("不按它筛人" in reason for reason in row.reasons)


def test_an_employer_nobody_has_verified_sends_the_row_to_review(house: House) -> None:
    row = only(bring_in(house, whole(social_credit_code=FIRM_CODE)))
    assert row.outcome is RowOutcome.REVIEW
    assert "用人单位还没有核验" in row.reasons
    (posting,) = stored(house)
    assert posting.state is PostingState.REVIEW
    with read_session(house.engine) as session:
        employer = session.get_one(Employer, posting.employer_id)
        assert (employer.name, employer.social_credit_code, employer.verified_on) == ("样例物业", FIRM_CODE, None)


LACKING: list[tuple[dict[str, Any], Lack]] = [
    ({"employer_name": ""}, Lack.EMPLOYER),
    ({"title": "无名活"}, Lack.OCCUPATION),
    ({"openings": None}, Lack.OPENINGS),
    ({"duties": ""}, Lack.DUTIES),
    ({"conditions": ""}, Lack.CONDITIONS),
    ({"district": "", "workplace": "", "city": "重庆"}, Lack.WORKPLACE),
    ({"district": "", "workplace": "老地方"}, Lack.WORKPLACE),
    ({"pay": None}, Lack.PAY),
    ({"pay": Pay(unit=PayUnit.NEGOTIABLE)}, Lack.PAY),
    ({"paid_by": ""}, Lack.PAY_TERMS),
    ({"paid_when": ""}, Lack.PAY_TERMS),
    ({"valid_until": None}, Lack.VALIDITY),
]


def apart(row: int, given: dict[str, Any]) -> PostingDraft:
    """A whole row that folds into no other of the same file, for its pay is its own."""
    return whole(row=row, **{"pay": replace(PAY, high=Decimal(3500 + row)), **given})


def test_whatever_is_missing_sends_a_row_to_review_and_is_named(house: House) -> None:
    add_employer(house)
    report = bring_in(house, *(apart(row, given) for row, (given, _) in enumerate(LACKING, start=2)))
    assert outcomes(report) == [RowOutcome.REVIEW] * len(LACKING)
    assert [posting.state for posting in stored(house)] == [PostingState.REVIEW] * len(LACKING)
    assert [posting.lacks for posting in stored(house)] == [[lack.value] for _, lack in LACKING]
    for row, (_, lack) in zip(report.rows, LACKING, strict=True):
        assert f"缺：{lack.label}" in row.reasons


SUSPICIOUS: list[tuple[dict[str, Any], str]] = [
    ({"conditions": "限男性"}, "sex_limit"),
    ({"sex_words": "女"}, "sex_limit"),
    ({"duties": "轻松月入过万"}, "bait_pay"),
    ({"pay": Pay(unit=PayUnit.MONTH, low=Decimal(5), high=Decimal(8))}, "implausible_pay"),
]


def test_words_that_want_a_look_send_a_row_to_review_and_are_kept(house: House) -> None:
    add_employer(house)
    report = bring_in(house, *(apart(row, given) for row, (given, _) in enumerate(SUSPICIOUS, start=2)))
    assert outcomes(report) == [RowOutcome.REVIEW] * len(SUSPICIOUS)
    for row, posting, (_, code) in zip(report.rows, stored(house), SUSPICIOUS, strict=True):
        assert posting.state is PostingState.REVIEW
        assert [finding["code"] for finding in posting.findings] == [code]
        assert posting.findings[0]["words"] in row.reasons[0]


def test_pay_that_makes_no_sense_is_not_ranked(house: House) -> None:
    bring_in(house, whole(pay=Pay(unit=PayUnit.HOUR, low=Decimal(99_999_999), high=Decimal(99_999_999))))
    (posting,) = stored(house)
    assert posting.pay_low == Decimal(99_999_999)
    assert posting.pay_min_yuan_month is None


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "没有岗位名称"),
    ({"title": "好" * 121}, "岗位名称超过 120 字"),
    ({"conditions": "入职交押金200元"}, "“交押金”：不得向求职者收取费用"),
    ({"duties": "押身份证"}, "“押身份证”：不得扣押"),
    ({"conditions": "可办培训贷"}, "“培训贷”：不得以招工为名"),
    ({"social_credit_code": FIRM_CODE[:-1] + "8"}, "统一社会信用代码不对"),
    ({"valid_until": date(2026, 11, 30)}, "有效期 2026-11-30 已过"),
    ({"observed": "2027-01", "observed_on": date(2027, 1, 1)}, "采集时间 2027-01 还没到"),
]


def test_what_may_not_be_is_refused_and_leaves_nothing_behind(house: House) -> None:
    report = bring_in(house, *(apart(row, given) for row, (given, _) in enumerate(REFUSED, start=2)))
    assert outcomes(report) == [RowOutcome.REFUSED] * len(REFUSED)
    for row, (_, reason) in zip(report.rows, REFUSED, strict=True):
        assert row.reasons[0].startswith(reason)
    assert (stored(house), sources(house), report.has_changed_anything) == ([], [], False)
    with read_session(house.engine) as session:
        assert session.scalar(select(func.count()).select_from(Employer)) == 0
        assert session.scalars(select(AuditEntry).where(AuditEntry.actor == "tester")).all() == []


def test_a_validity_longer_than_its_kind_allows_is_cut_and_told(house: House) -> None:
    add_employer(house)
    row = only(bring_in(house, whole(kind=PostingKind.DAY_LABOUR)))
    assert row.outcome is RowOutcome.TAKEN
    assert "有效期按日结零工最长的期限算到 2026-12-08" in row.reasons
    assert stored(house)[0].valid_until == date(2026, 12, 8)


def test_an_employer_is_found_by_code_then_by_name_and_never_takes_another_s_code(house: House) -> None:
    add_employer(house, name="样例物业", social_credit_code=FIRM_CODE)
    add_employer(house, name="别家物业")
    report = bring_in(
        house,
        whole(row=2, employer_name="", social_credit_code=FIRM_CODE),
        whole(row=3, title="保洁", employer_name="改名物业", social_credit_code=FIRM_CODE),
        whole(row=4, employer_name="样例物业", social_credit_code="91500237MA00000019"),
        whole(row=5, title="保洁", employer_name="别家物业"),
    )
    assert outcomes(report) == [RowOutcome.REVIEW, RowOutcome.REVIEW, RowOutcome.REVIEW, RowOutcome.TAKEN]
    with read_session(house.engine) as session:
        rows = session.execute(select(Posting.id, Employer.name).join(Employer, Employer.id == Posting.employer_id))
        names = {posting_id: name for posting_id, name in rows}  # noqa: C416  dict() does not see rows as pairs
        codes = session.scalars(select(Employer.social_credit_code).order_by(Employer.id)).all()
    assert [names[row.id or 0] for row in report.rows] == ["样例物业", "样例物业", "样例物业", "别家物业"]
    assert codes == [FIRM_CODE, None, "91500237MA00000019"]
    assert any("登记的是另一个名称" in reason for reason in report.rows[1].reasons)


def test_one_employer_is_made_for_rows_with_and_without_its_code(house: House) -> None:
    bring_in(house, whole(row=2), whole(row=3, title="保洁", social_credit_code=FIRM_CODE))
    with read_session(house.engine) as session:
        assert session.scalars(select(Employer.social_credit_code)).all() == [FIRM_CODE]


# --- listings of the past ---------------------------------------------------------------------------------------------


def test_a_listing_of_the_past_is_historical_with_what_it_lacks(house: House) -> None:
    report = bring_in(house, past(district="渝北区"))
    row = only(report)
    assert (row.outcome, row.is_historical, report.historical) == (RowOutcome.TAKEN, True, 1)
    (posting,) = stored(house)
    assert (posting.state, posting.origin, posting.observed) == (
        PostingState.HISTORICAL,
        PostingOrigin.IMPORTED,
        "2024-07",
    )
    assert posting.lacks == ["employer", "duties", "conditions", "pay_terms", "validity"]
    assert (posting.area_code, posting.precision, posting.valid_until) == ("500157", Precision.DISTRICT, None)
    assert (posting.employer_id, posting.workplace) == (None, "重庆渝北区")
    assert f"{posting.posted_at:%Y-%m-%d %H:%M}" == "2024-06-30 16:00"  # midnight of 1 July in China


def test_a_listing_with_odd_words_waits_instead_of_being_shown(house: House) -> None:
    row = only(bring_in(house, past(title="小区保安", conditions="只招男")))
    assert row.outcome is RowOutcome.REVIEW
    assert stored(house)[0].state is PostingState.REVIEW


def test_without_a_district_a_listing_has_no_coordinates_and_is_not_ranked(house: House) -> None:
    bring_in(house, past(district=""), past(row=3, district="巫山县", title="小区保安员"))
    nowhere, wushan = stored(house)
    assert (nowhere.area_code, nowhere.lon, nowhere.lacks[0]) == ("500000", None, "employer")
    assert "workplace" in nowhere.lacks
    answer = load_matchmaker(house).match(
        Profile(home="500237102", wants=("保安",), age=50), k=10, today=house.clock.today()
    )
    assert [ranked.card.id for ranked in answer.matches] == [wushan.id]
    assert answer.matches[0].card.is_historical


def test_listings_from_elsewhere_are_kept_with_their_place(house: House) -> None:
    bring_in(house, past(city="上海", district="浦东"))
    (posting,) = stored(house)
    assert (posting.state, posting.area_code) == (PostingState.HISTORICAL, "310115")


def test_a_listing_of_the_past_names_nobody_to_ask_for(house: House) -> None:
    contact = "联系人：张三 13800000000"
    draft = past(
        title="小区保安 王经理13800000000",
        occupation_words="小区保安",
        duties=contact,
        conditions="微信：abc123",
        workplace="大昌镇农贸市场，023-00000000",
        tags=contact,
        paid_when="每月15日，找李师傅",
        hours="8:00-17:00",
        phone="13800000000",
    )
    row = only(bring_in(house, draft))
    assert (row.outcome, row.is_historical) == (RowOutcome.TAKEN, True)
    assert CONTACTS_TAKEN_OUT in row.reasons
    (posting,) = stored(house)
    assert (posting.title, posting.duties) == ("小区保安 （联系方式已隐去）", "联系人：（联系方式已隐去）")
    assert (posting.conditions, posting.paid_when) == ("微信：（联系方式已隐去）", "每月15日，找（联系方式已隐去）")
    assert (posting.workplace, posting.hours) == ("大昌镇农贸市场，（联系方式已隐去）", "8:00-17:00")
    assert (posting.phone, posting.area_code, posting.occupation_code) == ("", "500237102", "4-07-05-01")
    told = str([*snapshot(house), row])
    assert not any(secret in told for secret in ("张三", "王经理", "李师傅", "0000", "abc123"))
    assert only(bring_in(house, draft)).outcome is RowOutcome.KNOWN


def test_a_listing_of_the_past_without_contacts_is_told_nothing_about_them(house: House) -> None:
    assert CONTACTS_TAKEN_OUT not in only(bring_in(house, past())).reasons


def test_an_id_number_beside_a_contact_still_wants_a_look(house: House) -> None:
    row = only(bring_in(house, past(duties="QQ：990101196801011230，电话13800000000")))  # no place bears 99
    assert row.outcome is RowOutcome.REVIEW
    assert "personal_data" in str(stored(house)[0].findings)
    assert "13800000000" not in stored(house)[0].duties


def test_the_contacts_of_an_employer_s_offer_belong_to_it(house: House) -> None:
    add_employer(house)
    row = only(bring_in(house, whole(duties="联系人：王经理 13800000000", phone="13800000000")))
    assert (row.outcome, CONTACTS_TAKEN_OUT in row.reasons) == (RowOutcome.TAKEN, False)
    assert (stored(house)[0].duties, stored(house)[0].phone) == ("联系人：王经理 13800000000", "13800000000")


# --- folding and running twice ----------------------------------------------------------------------------------------


def test_the_same_job_from_several_sources_is_one_posting_with_its_sources(house: House) -> None:
    add_employer(house)
    report = bring_in(
        house,
        whole(row=2),
        whole(row=3, title="【急招】小区保安（包吃）", occupation_words="小区保安", source="某平台"),
        whole(row=4, title="保洁"),
        whole(row=5, pay=Pay(unit=PayUnit.MONTH, low=Decimal(3000), high=Decimal(3600))),
        whole(row=6, workplace="官渡镇"),
    )
    assert outcomes(report) == [
        RowOutcome.TAKEN,
        RowOutcome.FOLDED,
        RowOutcome.TAKEN,
        RowOutcome.TAKEN,
        RowOutcome.TAKEN,
    ]
    assert report.rows[1].id == report.rows[0].id
    assert "第 2 行" in report.rows[1].reasons[0]
    first = report.rows[0].id
    assert [source for source in sources(house) if source[0] == first] == [
        (first, "import", "key-2"),
        (first, "某平台", "key-3"),
    ]


def test_titles_fold_when_alike_and_not_when_a_number_differs(house: House) -> None:
    add_employer(house)
    long = "农贸市场和汽车站之间的商住小区夜班门岗值守人员"
    report = bring_in(
        house,
        whole(row=2, title=long, occupation_words="小区保安"),
        whole(row=3, title=long.replace("人员", "员"), occupation_words="小区保安"),
        whole(row=4, title="1号厂房夜间门岗值守保安人员"),
        whole(row=5, title="2号厂房夜间门岗值守保安人员"),
    )
    assert outcomes(report) == [RowOutcome.TAKEN, RowOutcome.FOLDED, RowOutcome.TAKEN, RowOutcome.TAKEN]


def test_a_later_file_folds_into_what_is_there_unless_that_is_over(house: House) -> None:
    add_employer(house)
    first = only(bring_in(house, whole(row=2)))
    later = only(bring_in(house, whole(row=9, source="某平台")))
    assert (later.outcome, later.id) == (RowOutcome.FOLDED, first.id)
    with write_session(house.engine) as session:
        session.get_one(Posting, first.id).state = PostingState.CLOSED
    again = only(bring_in(house, whole(row=10, source="另一平台")))
    assert again.outcome is RowOutcome.TAKEN
    assert again.id != first.id


def test_listings_of_different_months_are_different_postings(house: House) -> None:
    report = bring_in(house, past(row=2), past(row=3, observed="2024-08", observed_on=date(2024, 8, 1)), past(row=4))
    assert outcomes(report) == [RowOutcome.TAKEN, RowOutcome.TAKEN, RowOutcome.FOLDED]


def test_a_second_run_changes_nothing(house: House) -> None:
    add_employer(house)
    drafts = [
        whole(row=2),
        whole(row=3, source="某平台"),
        past(row=4),
        whole(row=5, openings=None, title="保洁"),
        whole(row=6, title=""),
    ]
    first = bring_in(house, *drafts)
    before = snapshot(house)
    clock = house.clock
    assert isinstance(clock, FixedClock)
    clock.advance(timedelta(days=1))
    second = bring_in(house, *drafts)
    assert snapshot(house) == before
    assert outcomes(first)[:4] == [RowOutcome.TAKEN, RowOutcome.FOLDED, RowOutcome.TAKEN, RowOutcome.REVIEW]
    assert outcomes(second) == [RowOutcome.KNOWN] * 4 + [RowOutcome.REFUSED]
    assert [row.id for row in second.rows[:4]] == [row.id for row in first.rows[:4]]
    assert not second.has_changed_anything


def later(house: House, **step: int) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    clock.advance(timedelta(**step))


def test_a_row_that_comes_again_with_a_later_validity_renews_its_posting(house: House) -> None:
    """An office's weekly list: the platform's number stays, the date moves on; and the same job from elsewhere."""
    add_employer(house)
    first = only(bring_in(house, whole(row=2, valid_until=date(2026, 12, 8))))
    for draft, outcome, told in (
        (whole(row=2, valid_until=date(2026, 12, 15)), RowOutcome.KNOWN, "有效期延到 2026-12-15"),
        (whole(row=9, valid_until=date(2026, 12, 22)), RowOutcome.FOLDED, "有效期延到 2026-12-22"),
        (whole(row=2, valid_until=date(2028, 1, 1)), RowOutcome.KNOWN, "有效期延到 2027-01-30"),  # 60 days at most
    ):
        later(house, minutes=1)
        row = only(bring_in(house, draft))
        assert (row.outcome, row.id, row.is_renewed, row.reasons[-1]) == (outcome, first.id, True, told)
        (posting,) = stored(house)
        assert (str(posting.valid_until), posting.changed_at) == (told[-10:], house.clock.now())
        before = snapshot(house)
        later(house, minutes=1)
        again = bring_in(house, draft)
        assert (only(again).is_renewed, again.has_changed_anything) == (False, False)
        assert snapshot(house) == before


def test_rows_of_one_file_extend_one_posting_to_the_latest_day(house: House) -> None:
    add_employer(house)
    drafts = [whole(row=2 + n, valid_until=date(2026, 12, day)) for n, day in enumerate((10, 20, 15))]
    report = bring_in(house, *drafts)
    assert [row.is_renewed for row in report.rows] == [False, True, False]
    assert stored(house)[0].valid_until == date(2026, 12, 20)
    before = snapshot(house)
    later(house, minutes=1)
    assert not bring_in(house, *drafts).has_changed_anything
    assert snapshot(house) == before


def test_what_may_not_be_renewed_stays_as_it_is(house: House) -> None:
    add_employer(house)
    first = only(bring_in(house, whole(valid_until=date(2026, 12, 8))))
    before = snapshot(house)
    for given in ({"valid_until": date(2026, 12, 7)}, {"valid_until": None}, {"conditions": "入职交押金200元"}):
        assert not bring_in(house, whole(**given)).has_changed_anything
    assert snapshot(house) == before
    for state, is_renewed in ((PostingState.CLOSED, False), (PostingState.PAUSED, True)):
        with write_session(house.engine) as session:
            session.get_one(Posting, first.id).state = state
        assert only(bring_in(house, whole(valid_until=date(2026, 12, 20)))).is_renewed is is_renewed
        assert stored(house)[0].state is state


# --- between judging and writing --------------------------------------------------------------------------------------


def test_what_another_import_has_brought_meanwhile_is_known(house: House) -> None:
    add_employer(house)
    drafts = [whole(row=2), whole(row=3, source="某平台"), past(row=4), whole(row=5, title="")]
    first, second = (judge(house, *drafts) for _ in range(2))
    told = write(house, first)
    assert outcomes(told) == [RowOutcome.TAKEN, RowOutcome.FOLDED, RowOutcome.TAKEN, RowOutcome.REFUSED]
    before = snapshot(house)
    again = write(house, second)
    assert outcomes(again) == [RowOutcome.KNOWN] * 3 + [RowOutcome.REFUSED]
    assert [row.id for row in again.rows] == [row.id for row in told.rows]
    assert not again.has_changed_anything
    assert snapshot(house) == before


@pytest.mark.parametrize(
    ("before", "since", "state"),
    [
        (None, date(2026, 11, 1), PostingState.OPEN),
        (date(2026, 11, 1), None, PostingState.REVIEW),
    ],
)
def test_an_employer_counts_as_verified_or_not_when_the_row_is_written(
    house: House, before: date | None, since: date | None, state: PostingState
) -> None:
    add_employer(house, verified_on=before)
    judged = judge(house, whole())
    with write_session(house.engine) as session:
        session.scalars(select(Employer)).one().verified_on = since
    row = only(write(house, judged))
    assert stored(house)[0].state is state
    assert ("用人单位还没有核验" in row.reasons) is (since is None)


def test_an_employer_that_has_come_meanwhile_is_not_made_twice(house: House) -> None:
    judged = judge(house, whole(social_credit_code=FIRM_CODE))
    add_employer(house, name="改名物业", social_credit_code=FIRM_CODE)
    row = only(write(house, judged))
    assert row.outcome is RowOutcome.REVIEW
    assert any("登记的是另一个名称" in reason for reason in row.reasons)
    with read_session(house.engine) as session:
        assert session.scalars(select(Employer.name)).all() == ["改名物业"]


def test_rows_are_folded_into_a_posting_that_has_come_meanwhile(house: House) -> None:
    add_employer(house)
    judged = judge(house, whole(row=2), whole(row=3, source="某平台"), whole(row=4, title="保洁"))
    there = only(bring_in(house, whole(row=9, source="另一平台")))
    report = write(house, judged)
    assert outcomes(report) == [RowOutcome.FOLDED, RowOutcome.FOLDED, RowOutcome.TAKEN]
    assert [row.id for row in report.rows[:2]] == [there.id] * 2
    assert len(stored(house)) == 2


def test_a_name_that_has_got_a_code_meanwhile_leads_to_the_jobs_under_that_code(house: House) -> None:
    judged = judge(house, whole(row=2), whole(row=3, title="保洁"))
    add_employer(house, social_credit_code=FIRM_CODE)
    there = only(bring_in(house, whole(row=9, source="某平台", social_credit_code=FIRM_CODE)))
    report = write(house, judged)
    assert outcomes(report) == [RowOutcome.FOLDED, RowOutcome.TAKEN]
    assert report.rows[0].id == there.id


def test_a_posting_closed_meanwhile_takes_in_no_row(house: House) -> None:
    add_employer(house)
    first = only(bring_in(house, whole(row=2)))
    judged = judge(house, whole(row=9, source="某平台"))
    with write_session(house.engine) as session:
        session.get_one(Posting, first.id).state = PostingState.CLOSED
    row = only(write(house, judged))
    assert row.outcome is RowOutcome.TAKEN
    assert row.id != first.id


# --- minimum wage -----------------------------------------------------------------------------------------------------


def test_without_a_minimum_wage_the_report_says_that_nothing_was_checked(house: House) -> None:
    add_employer(house)
    report = bring_in(house, whole(pay=replace(PAY, low=Decimal(500), high=Decimal(900))), whole(row=3))
    assert report.notes == (NO_MINIMUM_WAGE,)
    assert outcomes(report) == [RowOutcome.TAKEN, RowOutcome.TAKEN]


def test_full_time_pay_below_the_minimum_wage_wants_a_look(house: House) -> None:
    add_employer(house)
    with write_session(house.engine) as session:
        session.add(LocalSetting(name="minimum_wage_month", value=2000, valid_from=date(2026, 1, 1)))
    below, at_it = (replace(PAY, low=Decimal(1500), high=Decimal(top)) for top in (1999, 2000))
    report = bring_in(
        house,
        whole(row=2, pay=below),
        whole(row=3, pay=at_it),
        whole(row=4, pay=below, title="保洁", kind=PostingKind.PART_TIME),
        past(row=5, pay=below),
    )
    assert report.notes == ()
    assert outcomes(report) == [RowOutcome.REVIEW, *[RowOutcome.TAKEN] * 3]
    assert [finding["code"] for finding in stored(house)[0].findings] == ["below_minimum_wage"]
    assert "每月 2000 元" in report.rows[0].reasons[0]


def snapshot(house: House) -> list[list[tuple[Any, ...]]]:
    """Every row that an import may touch."""
    with read_session(house.engine) as session:
        tables = (Posting.__table__, PostingSource.__table__, Employer.__table__, AuditEntry.__table__)
        return [[tuple(row) for row in session.execute(select(table).order_by(table.c.id))] for table in tables]


def test_a_row_that_stands_twice_in_a_file_is_told_by_what_it_says(house: House) -> None:
    add_employer(house)
    report = bring_in(
        house,
        whole(row=2, source_key="P1", fingerprint="a"),
        whole(row=3, source_key="P1", fingerprint="a"),
        whole(row=4, source_key="P1", fingerprint="b", title="保洁"),
        whole(row=5, source_key="P2", fingerprint="c", title=""),
        whole(row=6, source_key="P2", fingerprint="c", title=""),
    )
    assert outcomes(report) == [RowOutcome.TAKEN, RowOutcome.FOLDED, *[RowOutcome.REFUSED] * 3]
    assert report.rows[2].reasons == ("岗位编号与第 2 行相同，内容却不同",)
    assert len(sources(house)) == 1


def test_the_audit_counts_and_names_who_imported(house: House) -> None:
    bring_in(house, past())
    with read_session(house.engine) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "import_postings")).one()
    assert (entry.actor, entry.detail) == ("tester", "taken 1, review 0, folded 0, known 0, refused 0")


def test_progress_of_each_step_reaches_the_end(house: House) -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    judged = judge(house, past(row=2), past(row=3), on_progress=tell)
    assert told == [(1, 2), (2, 2)] * 2
    write(house, judged, on_progress=tell)
    assert told[4:] == [(1, 1)]


# --- words ------------------------------------------------------------------------------------------------------------


def test_titles_are_understood_once_and_only_when_sure() -> None:
    asked: list[str] = []

    def resolve(titles: Sequence[str]) -> list[ResolvedWords | None]:
        asked.extend(titles)
        sure = {"小区保安": 0.35, "保洁": 0.349}
        return [
            ResolvedWords(text=title, occupation="4-07-05-01", name="保安员", confidence=sure[title])
            if title in sure
            else None
            for title in titles
        ]

    drafts = [whole(row=2), whole(row=3), whole(row=4, title="保洁"), whole(row=5, title="x", occupation_words="怪活")]
    found = understand_titles(drafts, resolve=resolve)
    assert asked == ["小区保安", "保洁", "怪活"]
    assert list(found) == ["小区保安"]


# --- the sample that comes with the project ---------------------------------------------------------------------------


def test_the_sample_goes_in_as_it_is_once_and_stays_what_it_is(house: House) -> None:
    drafts = read_postings(Path(str(files("seed") / "data" / "sample_postings.csv"))).drafts
    with read_session(house.engine) as session:
        occupations = understand_titles(drafts, resolve=title_resolver(session))

    def run() -> ImportReport:
        return write(house, judge(house, *drafts, occupations=occupations))

    first = run()
    assert len(first.rows) == 4279
    assert first.count(RowOutcome.REFUSED) == first.count(RowOutcome.KNOWN) == 0
    assert first.historical == first.count(RowOutcome.TAKEN) > 3500
    # Five listings of 2026 give single figures a month: their unit is lost.
    assert [row.title for row in first.rows if row.outcome is RowOutcome.REVIEW] == [
        "急招配送员无押金日入300",
        "生鲜超市配送员一万起",
        "海淀区高薪急招配送员急急急",
        "诚聘配送员，善待每一份奔波",
        "3公里社区配送，安稳好干",
    ]
    before = snapshot(house)
    assert len(before[1]) == 4279
    with read_session(house.engine) as session:
        counted = {(count.state, count.origin): count.number for count in count_postings(session)}
        placed = session.scalars(
            select(Posting).where(Posting.area_code.startswith("50"), Posting.lon.is_not(None))
        ).all()
    assert counted == {
        (PostingState.HISTORICAL, PostingOrigin.IMPORTED): first.historical,
        (PostingState.REVIEW, PostingOrigin.IMPORTED): 5,
    }
    assert len(placed) > 1500
    assert {posting.precision for posting in placed} == {Precision.DISTRICT}
    assert run().count(RowOutcome.KNOWN) == 4279
    assert snapshot(house) == before
