"""Which words refuse a posting or send it to review, and which must not."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.postings import (
    CONTACTS_CONCEALED,
    Verdict,
    age_limits_in,
    conceal_contacts,
    plain_title,
    screen,
)
from seed.demo import sample_postings_path


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


# --- contacts: all numbers here end in zeros and are nobody's --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("联系人：张三 13800000000", "联系人：※"),
        ("联系人张三，电话138-0000-0000", "联系人※，电话※"),
        ("联系人：王经理13800000000（微信同号）", "联系人：※（微信同号）"),
        ("联系人及电话：李四 13800000000", "联系人及电话：※"),
        ("联系人是王小明，电话见下", "联系人是※，电话见下"),
        ("联系人：小芳", "联系人：※"),
        ("联系人：张三面议", "联系人：※"),
        ("负责人：刘洋 电话 13800000000", "负责人：※ 电话 ※"),
        ("负责人:张主任 023-00000000", "负责人:※"),
        ("王经理 138 0000 0000", "※"),
        ("张小明先生，13800000000", "※"),
        ("五险一金王经理13800000000", "五险一金※"),
        ("13800000000李女士", "※"),
        ("13800000000（何师傅）包吃住", "※包吃住"),
        ("有意者联系：陈老师，13800000000、13900000000", "有意者联系：※"),
        ("请找李师傅面试", "请找※面试"),
        ("咨询张晓红女士", "咨询※"),
        ("包吃住13800000000", "包吃住※"),
        ("＋86 １３８００００００００", "※"),
        ("1380000 0000或138-00000000或1380-000-0000或138.0000.0000", "※或※或※或※"),
        ("电话：023-00000000转801", "电话：※"),
        ("（023）0000 0000，010 00000000", "※"),
        ("0838-0000000", "※"),
        ("电话00000000", "电话※"),
        ("微信号 abc123，工资面议", "微信号 ※，工资面议"),
        ("微信：abc_def；加V abcd00", "微信：※；加V ※"),
        ("vx:abcdef QQ10000000 QQ群：100000000", "vx:※ QQ※ QQ群：※"),
        ("简历发到a.b-c@example.com，或来面试", "简历发到※，或来面试"),
    ],
)
def test_contacts_are_taken_out_of_a_text_and_the_rest_stays(text: str, shown: str) -> None:
    assert conceal_contacts(text) == shown.replace("※", CONTACTS_CONCEALED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4000-6000元/月，底薪1800-2200 300全勤，日薪150-200 8小时",
        "1500-2000 13小时；150 2000-3000；年薪15-20万，月薪13000元",
        "电话销售3000-5000元，电话：10000000元保额",
        "8:00-17:00，0800-1200 1400-1800，08:00～17:00",
        "2024-07-15至2026-12-31，20240715，2024年7月",
        "23栋1203，农贸市场2号门，龙头寺138号",
        "18-50岁，男女不限，招20人",
        "联系高级经理，寻找销售经理，负责联系客户，找施工师傅",
        "联系人事部面试，联系人员密集，请联系公司，咨询客服",
        "项目负责人：高中以上，2名；客户经理、王牌教练",
        "微信Python3开发，微信H5，微信公众号运营，QQ音乐，vx2100元",
        "统一社会信用代码91500000MA5U0000XX，算法工程师(11520170600007)",
        "身份证990101196801011230，QQ：990101196801011230",  # no place bears 99
    ],
)
def test_what_is_no_contact_stays_as_it_is(text: str) -> None:
    assert conceal_contacts(text) == text


def test_nothing_in_the_sample_is_taken_for_a_contact() -> None:
    with sample_postings_path().open(encoding="utf-8", newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    assert len(cells) > 5_000
    assert [cell for cell in cells if conceal_contacts(cell) != cell] == []


PIECES = st.sampled_from(
    (
        *(
            "联系人",
            "：",
            "张三",
            "王经理",
            "13800000000",
            "023-00000000",
            "微信",
            "abc123",
            "找",
            "（",
            "）",
            "，",
            " ",
        ),
        *("保洁", "4000-6000元", "8:00", CONTACTS_CONCEALED, "QQ", "先生", "电话", "a@b.c", "１３８", "\n"),
    )
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_what_was_taken_out_once_stays_out_and_a_number_never_stands(text: str) -> None:
    shown = conceal_contacts(text)
    assert conceal_contacts(shown) == shown
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)|a@b\.c", shown)
