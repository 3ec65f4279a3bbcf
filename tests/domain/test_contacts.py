"""Contacts in listings of the past are found, and nothing else is taken for one.

All numbers here end in zeros and are nobody's.
"""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contacts import CONTACTS_CONCEALED, conceal_contacts
from seed.demo import sample_postings_path


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
