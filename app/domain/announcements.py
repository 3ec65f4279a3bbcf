"""A posting for everybody in the village: the notice on the wall and what the loudspeaker reads, in under a minute.

What is said here counts for nobody and names nobody: no contact of a listing, no person. Numbers are written for the
ear. 240 characters a minute is a judgement: news are read at 250 to 300, and older people at the roadside must be able
to follow.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.domain.contacts import CONTACTS_CONCEALED, conceal_contacts
from app.domain.pay import Pay, PayUnit
from app.domain.segments import cut

SPOKEN_A_MINUTE = 240
_DIGITS = "零一二三四五六七八九"
_TITLE, _PLACE, _WORDS = 20, 24, 40  # characters that are read of each
_LONGEST_NUMBER = 99_999_999
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
# What is dialled is said digit by digit: a landline, or a number behind a word for calling.
_PHONE = re.compile(r"(?<!\d)0\d{2,3}-?\d{7,8}(?!\d)|(?<=[打话线])\d{5,}|(?<=[话线][：:])\d{5,}", re.ASCII)
# 两个, 两天, but 二楼, 二月.
_TWO_OF = re.compile(r"(?<![\d.])2(?=个|人|天|小时|次|元|块|班)", re.ASCII)
_SPOKEN = re.compile(r"[\w]", re.UNICODE)
_UNITS = {
    PayUnit.MONTH: "一个月",
    PayUnit.DAY: "一天",
    PayUnit.HOUR: "一小时",
    PayUnit.YEAR: "一年",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What is told of a posting: `place` where the work is, `hours` in the listing's words, `until` the last day.

    `ask_at` is where one asks: a counter or station of the public service, never a person or an employer's phone.
    """

    title: str
    place: str
    openings: int
    pay: Pay
    ask_at: str
    until: date
    hours: str | None = None
    is_day_paid: bool = False


def write_announcement(posting: Announced) -> str:
    """What the loudspeaker reads of one posting: at most 240 spoken characters.

    Titles and words of the listing are cut where they are long, and contacts in them left out.
    """
    hours = _read_out(posting.hours or "", _WORDS)
    return "".join(
        (
            "乡亲们，请听用工信息。",
            f"{_read_out(posting.place, _PLACE)}要招{_read_out(posting.title, _TITLE)}，",
            f"{_people(posting.openings)}。",
            f"{say_pay(posting.pay)}。",
            "当天结账。" if posting.is_day_paid else "",
            f"{hours}。" if hours else "",
            f"{spell_number(posting.until.month)}月{spell_number(posting.until.day)}号之前都可以报名，",
            f"想去的请到{_read_out(posting.ask_at, _PLACE)}问。",
            "不收任何费用。再说一遍，不收任何费用。",
        )
    )


def write_notice(posting: Announced) -> str:
    """The same for the wall, a line for each thing, with figures as they are read by the eye."""
    hours = _shown(posting.hours or "", _WORDS)
    lines = [
        "用工信息",
        f"岗位：{_shown(posting.title, _TITLE)}",
        f"地点：{_shown(posting.place, _PLACE)}",
        f"人数：{posting.openings}人",
        f"工资：{posting.pay.told()}{'，当天结' if posting.is_day_paid else ''}",
        f"时间：{hours}" if hours else "",
        f"报名：{posting.until.month}月{posting.until.day}日之前，到{_shown(posting.ask_at, _PLACE)}",
        "不收任何费用，不押证件。",
    ]
    return "\n".join(line for line in lines if line)


def count_spoken(text: str) -> int:
    """Characters that are read out: all but punctuation and spaces."""
    return len(_SPOKEN.findall(text))


def spell_numbers(text: str) -> str:
    """A text for the ear: each number in it as it is said, `3000-4000元` as `三千到四千元`."""
    text = _PHONE.sub(lambda found: _digits(found[0].replace("-", "")), text)
    text = re.sub(r"(?<=\d)\s*[-–—~～至]\s*(?=\d)", "到", text)
    text = re.sub(r"(?<=\d)[,，](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<!\d)(\d{1,2})[:：](\d{2})(?!\d)", _clock, text)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%", lambda found: f"百分之{_number(found[1])}", text)
    text = _TWO_OF.sub("两", text)
    return _NUMBER.sub(lambda found: _number(found[0]), text)


def spell_number(number: int) -> str:
    """A whole number as it is said: 2 两千 in front, 二 in the tens, one 零 for a gap. Up to 99,999,999.

    Raises:
        ValueError: it is below zero or beyond.
    """
    if not 0 <= number <= _LONGEST_NUMBER:
        raise ValueError("a number that nobody says")
    if number == 0:
        return "零"
    high, low = divmod(number, 10_000)
    if not high:
        return _spell_thousands(low)
    head = "两" if high == 2 else _spell_thousands(high)
    if not low:
        return f"{head}万"
    return f"{head}万{'零' if low < 1_000 else ''}{_spell_thousands(low, inner=True)}"


def say_pay(pay: Pay) -> str:
    """Pay for the ear: `一个月三千到四千块`."""
    unit = _UNITS.get(pay.unit)
    if unit is None or (pay.low is None and pay.high is None):
        return {PayUnit.PIECE: "工资计件", PayUnit.NEGOTIABLE: "工资当面谈"}.get(pay.unit, "工资当面谈")
    figures = list(dict.fromkeys(_decimal(figure) for figure in (pay.low, pay.high) if figure is not None))
    if pay.low is None:
        return f"{unit}最多{figures[0]}块"
    if pay.high is None:
        return f"{unit}{figures[0]}块以上"
    return f"{unit}{'到'.join(figures)}块"


def _spell_thousands(number: int, *, inner: bool = False) -> str:
    """1 to 9999. `inner` stands behind 万, where ten is 一十."""
    parts: list[str] = []
    gap = False
    for unit, name in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if not digit:
            gap = bool(parts)
            continue
        if gap:
            parts.append("零")
            gap = False
        # 两千, 两百, but 二十, 十二, 二.
        said = "两" if digit == 2 and unit >= 100 else _DIGITS[digit]
        if unit == 10 and digit == 1 and not parts and not inner:
            said = ""
        parts.append(said + name)
    return "".join(parts)


def _number(text: str) -> str:
    """Digits as they are said; a long one, or one that begins with 0, digit by digit."""
    whole, _, fraction = text.partition(".")
    is_code = len(whole) > 8 or (len(whole) > 1 and whole[0] == "0")
    said = _digits(whole) if is_code else spell_number(int(whole))
    return said + (f"点{''.join(_DIGITS[int(sign)] for sign in fraction)}" if fraction else "")


def _digits(number: str) -> str:
    """Digit by digit; a one is 幺, which nobody takes for a seven."""
    return "".join("幺" if sign == "1" else _DIGITS[int(sign)] for sign in number)


def _decimal(figure: Decimal) -> str:
    return _number(f"{figure.normalize():f}")


def _clock(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if hour > 24 or minute > 59:
        return found[0]
    said = {0: "", 30: "半"}.get(minute)
    if said is None:
        said = f"{'零' if minute < 10 else ''}{spell_number(minute)}分"
    return f"{'两' if hour == 2 else spell_number(hour)}点{said}"


def _people(openings: int) -> str:
    return "招一个人" if openings == 1 else f"要{'两' if openings == 2 else spell_number(openings)}个人"


def _shown(text: str, longest: int) -> str:
    """The words of a listing on one line, without contacts, cut."""
    plain = conceal_contacts(" ".join(text.split())).replace(CONTACTS_CONCEALED, "")
    return cut(plain, longest) if plain else ""


def _read_out(text: str, longest: int) -> str:
    # Cut again: spelled, 2026 is longer than written.
    said = cut(spell_numbers(_shown(text, longest)), longest) if text.strip() else ""
    return said.rstrip("…。，")
