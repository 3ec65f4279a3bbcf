"""Templates are looked over when they are saved, and filled so that they fit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ledger import Channel
from app.domain.pay import Pay, PayUnit
from app.domain.segments import ONE_PART, count_parts, count_units
from app.domain.templates import (
    PUSH_TEMPLATES,
    PUSH_TEXT,
    SIGNATURE,
    Template,
    TemplateRefused,
    TemplateValueRefused,
    check_template,
    push_by_link,
    short_pay,
)


def a_template(text: str = f"{SIGNATURE}{{title}}退订回T", **changes: object) -> Template:
    given: dict[str, object] = {"longest": {"title": 20}, "cuttable": frozenset({"title"}), **changes}
    return Template(name="a", version=1, channel=given.pop("channel", Channel.SMS), text=text, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("template", PUSH_TEMPLATES, ids=lambda template: template.name)
def test_what_is_shipped_passes(template: Template) -> None:
    check_template(template)


@pytest.mark.parametrize(
    ("template", "codes"),
    [
        (a_template(f"{SIGNATURE}{{title}}{{place}}"), ["unknown_placeholder"]),
        (a_template(f"{SIGNATURE}您好"), ["missing_placeholder"]),
        (a_template("{title}"), ["no_signature"]),
        (a_template("{title}", channel=Channel.WECHAT, cuttable=frozenset({"place"})), ["unknown_placeholder"]),
        (a_template(f"{SIGNATURE}{{title"), ["broken_braces", "missing_placeholder"]),
        (a_template(f"{SIGNATURE}{{title!r}}"), ["broken_placeholder", "missing_placeholder"]),
        (a_template(f"{SIGNATURE}{{title.upper}}"), ["broken_placeholder", "missing_placeholder"]),
        (a_template(f"{SIGNATURE}{{title:>9999999}}"), ["broken_placeholder", "missing_placeholder"]),
        (a_template(f"{SIGNATURE}{{}}{{0}}{{title}}"), ["broken_placeholder", "broken_placeholder"]),
        (a_template(longest={"title": 0}), ["no_length"]),
    ],
)
def test_what_is_wrong_with_a_template_is_said_at_once(template: Template, codes: list[str]) -> None:
    with pytest.raises(TemplateRefused) as refused:
        check_template(template)
    assert [fault.code for fault in refused.value.fields] == codes
    assert refused.value.code == "template_refused"


@pytest.mark.parametrize(("longest", "over"), [(62, None), (63, 1), (70, 8)])
def test_with_its_longest_value_a_text_message_fits_one_part_or_is_told_by_how_much_not(
    longest: int, over: int | None
) -> None:
    # 【就近】 and 退订回T are eight characters.
    template = a_template(longest={"title": longest})
    if over is None:
        check_template(template)
        return
    with pytest.raises(TemplateRefused) as refused:
        check_template(template)
    (fault,) = refused.value.fields
    assert fault.code == "too_long"
    assert f"多出{over}个字" in fault.message


def test_a_call_is_under_a_minute() -> None:
    check_template(a_template("{title}", channel=Channel.VOICE, longest={"title": 240}))
    with pytest.raises(TemplateRefused, match="不能用") as refused:
        check_template(a_template("{title}", channel=Channel.VOICE, longest={"title": 241}))
    assert "多出1个字" in refused.value.fields[0].message


@pytest.mark.parametrize("units", [10, 18, 22])
def test_a_push_by_link_gives_the_title_what_the_link_leaves(units: int) -> None:
    template = push_by_link(units)
    filled = template.fill(
        {"title": "小区保安" * 20, "place": "巫山县大昌镇", "km": "2.3", "pay": "3000元/月起", "link": "j" * units}
    )
    assert count_units(filled) == ONE_PART
    assert "j" * units in filled
    assert "3000元/月起" in filled


def test_a_link_that_leaves_no_title_is_refused_by_how_much() -> None:
    with pytest.raises(TemplateRefused) as refused:
        push_by_link(30)
    assert "多出8个字" in refused.value.fields[0].message


@given(st.text(max_size=100), st.text(max_size=100), st.sampled_from(["0.5", "12", "999"]))
def test_a_filled_push_always_fits_one_part(title: str, place: str, km: str) -> None:
    filled = PUSH_TEXT.fill({"title": title, "place": place, "km": km, "pay": "3000元/月起"})
    assert count_parts(filled) == 1
    assert len(filled.splitlines()) == 1
    assert filled.endswith("回1感兴趣2不合适3打给我，退订回T")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"title": None}, "title", "missing"),
        ({"more": "x"}, "more", "unknown"),
        ({"km": "1000"}, "km", "too_long"),
        ({"pay": "字" * 14}, "pay", "too_long"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_unless_it_may_be_cut(
    change: dict[str, str | None], field: str, code: str
) -> None:
    values = {"title": "保安" * 30, "place": "大昌镇", "km": "2", "pay": "计件"} | change
    with pytest.raises(TemplateValueRefused) as refused:
        PUSH_TEXT.fill({name: value for name, value in values.items() if value is not None})
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [(field, code)]


def test_braces_in_a_value_stay_what_they_are() -> None:
    filled = PUSH_TEXT.fill({"title": "{km}", "place": "{0.__class__}", "km": "2", "pay": "计件"})
    assert "{km}" in filled


@given(
    st.sampled_from(list(PayUnit)),
    st.decimals(1, 99_999_999, places=2) | st.none(),
    st.decimals(1, 99_999_999, places=2) | st.none(),
)
def test_pay_is_told_in_eight_characters(unit: PayUnit, low: Decimal | None, high: Decimal | None) -> None:
    assert 0 < count_units(short_pay(Pay(unit=unit, low=low, high=high))) <= 8


@pytest.mark.parametrize(
    ("pay", "told"),
    [
        (Pay(unit=PayUnit.MONTH, low=Decimal(3_000), high=Decimal(4_000)), "3000元/月起"),
        (Pay(unit=PayUnit.DAY, low=Decimal(200), high=Decimal(200)), "200元/天"),
        (Pay(unit=PayUnit.MONTH, low=None, high=Decimal(5_000)), "5000元/月内"),
        (Pay(unit=PayUnit.YEAR, low=Decimal(125_000)), "12.5万/年起"),
        (Pay(unit=PayUnit.PIECE), "计件"),
        (Pay(unit=PayUnit.NEGOTIABLE), "工资面议"),
    ],
)
def test_pay_is_told_by_its_lower_end(pay: Pay, told: str) -> None:
    assert short_pay(pay) == told
