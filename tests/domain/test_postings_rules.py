"""Which words refuse a posting or send it to review, and which must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.postings import Verdict, age_limits_in, plain_title, screen


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("上岗前交200元服装费", "fee", "交200元服装费"),
        ("需押金300元", "fee", "需押金"),
        ("押金200，月底发工资", "fee", "押金200"),
        ("交纳500元保证金", "fee", "交纳500元保证金"),
        ("交 500 元 押金", "fee", "交 500 元 押金"),
        ("押金一个月后退还", "fee", "押金一个月后退"),
        ("需支付培训费", "fee", "需支付培训费"),
        ("不交钱 需交工装费200元", "fee", "需交工装费"),
        ("收取报名费50元", "fee", "收取报名费"),
        ("押身份证", "papers_held", "押身份证"),
        ("身份证原件交公司保管", "papers_held", "身份证原件交公司保管"),
        ("毕业证由公司代管", "papers_held", "毕业证由公司代管"),
        ("可办培训贷", "training_loan", "培训贷"),
        ("培训费可分期", "training_loan", "培训费可分期"),
        ("贷款交学费", "training_loan", "贷款交学费"),
    ],
)
def test_fees_held_papers_and_loans_refuse_a_posting_with_their_words(text: str, code: str, words: str) -> None:
    findings = screen("保安", text)
    assert [(finding.verdict, finding.code, finding.words) for finding in findings] == [(Verdict.REFUSE, code, words)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("限男", "sex_limit"),
        ("只招女工", "sex_limit"),
        ("男性优先", "sex_limit"),
        ("性别：男", "sex_limit"),
        ("要求女性", "sex_limit"),
        ("女性，45岁以下", "sex_limit"),
        ("女，50岁以下", "sex_limit"),
        ("45岁以下男性", "sex_limit"),
        ("18-45岁的女性", "sex_limit"),
        ("男45岁以下", "sex_limit"),
        ("男18-45岁", "sex_limit"),
        ("招女工", "sex_limit"),
        ("急招女服务员", "sex_limit"),
        ("女工数名", "sex_limit"),
        ("女工5名", "sex_limit"),
        ("男工若干", "sex_limit"),
        ("需要女性", "sex_limit"),
        ("保安（男）", "sex_limit"),
        ("限本地户口", "origin_limit"),
        ("谢绝外地人员", "origin_limit"),
        ("只招汉族", "faith_or_people_limit"),
        ("乙肝勿扰", "illness_limit"),
        ("日入过千", "bait_pay"),
        ("轻松月入过万", "bait_pay"),
    ],
)
def test_limits_and_bait_send_a_posting_to_review(text: str, code: str) -> None:
    assert [(finding.verdict, finding.code) for finding in screen(text)] == [(Verdict.REVIEW, code)]


@pytest.mark.parametrize(
    "text",
    [
        "无需押金",
        "不收取任何押金",
        "无押金",
        "免费体检",
        "体检费公司付",
        "公司支付培训费",
        "报名费由公司承担",
        "入职不需要交任何费用，押金全免",
        "办理入住、收取客人押金",
        "不押证件",
        "收身份证复印件",
        "登记客人身份证件",
        "凭身份证报名",
        "证件齐全",
        "押运员",
        "收费员",
        "无培训贷",
        "贷款专员带薪培训",
        "男女不限",
        "不限男女",
        "性别不限",
        "男女，45岁以下",
        "男、女均可",
        "男，女不限",
        "男性、女性均可",
        "男女各5名",
        "招男女普工",
        "45岁以下男女不限",
        "要求男女不限",
        "性别：男/女",
        "男装导购",
        "男装店员",
        "招男装店员",
        "女装销售",
        "要求女装销售经验",
        "女鞋",
        "女生宿舍管理员",
        "妇女儿童用品",
        "男士理发",
        "招男士理发师",
        "主要女性客户",
        "不限户籍",
        "月入六千",
        "急招配送员无押金日入300",
    ],
)
def test_honest_words_are_left_alone(text: str) -> None:
    assert screen(text) == []


def test_a_denial_holds_for_its_own_clause_only() -> None:
    assert [finding.code for finding in screen("不收中介费，押金300元")] == ["fee"]


def test_each_rule_is_told_once() -> None:
    assert [finding.code for finding in screen("押金200，服装费100", "需交保证金")] == ["fee"]


@given(st.text(max_size=60))
def test_any_words_can_be_screened(text: str) -> None:
    for finding in screen(text):
        assert finding.words
        assert finding.text


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("18-50岁", (18, 50, "18-50岁")),
        ("年龄18岁至45周岁，能吃苦", (18, 45, "18岁至45周岁")),
        ("18—50岁", (18, 50, "18—50岁")),
        ("55岁以下", (None, 55, "55岁以下")),
        ("50周岁（含）以下", (None, 50, "50周岁(含)以下")),
        ("50岁及以下", (None, 50, "50岁及以下")),
        ("不超过60岁", (None, 60, "不超过60岁")),
        ("年龄50以下", (None, 50, "年龄50以下")),
        ("年龄要求：18-45", (18, 45, "年龄要求:18-45")),
        ("18周岁以上，55周岁以下", (18, 55, "18周岁以上 55周岁以下")),
        ("年满18周岁", (18, None, "年满18周岁")),
        ("3-5岁幼儿教师", (None, None, "")),
        ("招20人以上", (None, None, "")),
        ("60后也可以", (None, None, "")),
    ],
)
def test_age_limits_are_read_with_their_words(text: str, limits: tuple[int | None, int | None, str]) -> None:
    assert age_limits_in(text) == limits


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("急招保安（包吃住）", "保安"),
        ("【高薪】送餐员!!!", "送餐员"),
        ("普工 + 日结", "普工日结"),
        ("（保洁）", "(保洁)"),
        ("C++工程师", "c++工程师"),
        ("C#工程师", "c#工程师"),
    ],
)
def test_a_plain_title_is_what_two_listings_share(title: str, plain: str) -> None:
    assert plain_title(title) == plain


def test_an_id_number_in_a_posting_wants_a_look_and_is_not_repeated() -> None:
    number = "990101196801011230"  # no place bears 99, so nobody bears the number
    findings = screen("保洁员", f"联系人身份证{number}")
    assert [(finding.verdict, finding.code) for finding in findings] == [(Verdict.REVIEW, "personal_data")]
    assert number not in str(findings)
    assert screen("保洁员", "统一社会信用代码91500000MA5U0000XX，电话023-57680000") == []
