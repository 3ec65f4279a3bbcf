"""Texts of messages, with places to fill in; looked over when they are saved, with the longest values in every place.

A text message must fit one part (70 characters with the signature): every further part is charged, and an older phone
shows the parts as messages of their own. What cannot be told in full is cut, never a link or a figure. The texts are
part of the code and have a version; gateways know them by codes that were agreed with them.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.announcements import SPOKEN_A_MINUTE, count_spoken
from app.domain.ledger import Channel
from app.domain.pay import Pay, PayUnit
from app.domain.segments import ONE_PART, count_units, cut
from app.kit.errors import FieldFault, Invalid

SIGNATURE = "【就近】"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


class TemplateRefused(Invalid):
    """A template that cannot be saved; `fields` says why, all at once."""

    code = "template_refused"
    title = "这个模板不能用"


class TemplateValueRefused(Invalid):
    """A value is missing, is one too many, or is too long where nothing may be cut."""

    code = "template_value_refused"
    title = "模板里要填的内容不对"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with `{placeholders}` for one channel.

    `longest` tells how many characters (UTF-16 units) a value may have, for each placeholder and for no other name;
    `cuttable` the placeholders whose value is cut to that with an …
    """

    name: str
    version: int
    channel: Channel
    text: str
    longest: Mapping[str, int] = field(default_factory=dict)
    cuttable: frozenset[str] = frozenset()

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with values in its places, a line.

        Raises:
            TemplateValueRefused: a value is missing or unknown, or too long and not to be cut.
        """
        return self.text.format_map(self.fitted(values))

    def fitted(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values as they stand in the text: on one line, cut where they may be.

        Raises:
            TemplateValueRefused: a value is missing or unknown, or too long and not to be cut.
        """
        faults = [FieldFault(name, "missing", f"“{name}”没有填") for name in sorted(self.longest.keys() - values)]
        faults += [FieldFault(name, "unknown", f"模板里没有“{name}”") for name in sorted(values.keys() - self.longest)]
        found = {}
        for name, longest in self.longest.items():
            value = " ".join(values.get(name, "").split())
            over = count_units(value) - longest
            if over > 0 and name not in self.cuttable:
                faults.append(FieldFault(name, "too_long", f"“{name}”长了{over}个字，又不能截短"))
            elif name in values:
                found[name] = cut(value, longest)
        if faults:
            raise TemplateValueRefused(fields=faults)
        return found


def check_template(template: Template) -> None:
    """Look a template over before it is saved: its places, and its length with the longest value in each.

    Raises:
        TemplateRefused: says everything that is wrong, and by how many characters it is too long.
    """
    names, faults = _placeholders(template.text)
    for name in sorted(names - template.longest.keys()):
        faults.append(FieldFault(name, "unknown_placeholder", f"不认识“{{{name}}}”，没有说它最长几个字"))
    for name in sorted(template.longest.keys() - names):
        faults.append(FieldFault(name, "missing_placeholder", f"文字里缺了“{{{name}}}”"))
    for name, longest in sorted(template.longest.items()):
        if longest < 1:
            faults.append(FieldFault(name, "no_length", f"“{name}”最长至少一个字"))
    for name in sorted(template.cuttable - template.longest.keys()):
        faults.append(FieldFault(name, "unknown_placeholder", f"要截短的“{name}”不在模板里"))
    if template.channel is Channel.SMS and not template.text.startswith(SIGNATURE):
        faults.append(FieldFault("text", "no_signature", f"短信要以签名{SIGNATURE}开头"))
    if not faults:
        faults = _length_faults(template)
    if faults:
        raise TemplateRefused(fields=faults)


def push_by_link(link_units: int) -> Template:
    """The text message of a push with its link, for links of that many characters; the title has what is left.

    Raises:
        TemplateRefused: the link is so long that nothing is left; says by how many characters.
    """
    template = Template(
        name="push_link",
        version=1,
        channel=Channel.SMS,
        text=f"{SIGNATURE}{{title}}，{{place}}{{km}}公里，{{pay}} {{link}} 回1感兴趣2不合适3打给我，退订回T",
        longest={"title": _SHORTEST_TITLE, "place": 4, "km": 3, "pay": 8, "link": link_units},
        cuttable=frozenset({"title", "place"}),
    )
    check_template(template)
    left = ONE_PART - count_units(_longest_text(template))
    template = Template(
        name=template.name,
        version=template.version,
        channel=template.channel,
        text=template.text,
        longest={**template.longest, "title": _SHORTEST_TITLE + left},
        cuttable=template.cuttable,
    )
    check_template(template)
    return template


_SHORTEST_TITLE = 5  # 小区保安, 家政保洁 and an …: shorter, a title tells nothing

PUSH_TEXT = Template(
    name="push",
    version=1,
    channel=Channel.SMS,
    text=f"{SIGNATURE}{{title}}，{{place}}，离家{{km}}公里，{{pay}}。回1感兴趣2不合适3打给我，退订回T",
    longest={"title": 14, "place": 10, "km": 3, "pay": 13},
    cuttable=frozenset({"title", "place"}),
)
"""A push for whom a link is of no use: a phone without a browser."""

PUSH_WECHAT = Template(
    name="push_wechat",
    version=1,
    channel=Channel.WECHAT,
    text="{title}，{place}，离家{km}公里，{pay}。点开看详情 {link}",
    # A thing.DATA of the provider holds 20 signs.
    longest={"title": 20, "place": 20, "km": 4, "pay": 20, "link": 200},
    cuttable=frozenset({"title", "place", "pay"}),
)

PUSH_INBOX = Template(
    name="push_inbox",
    version=1,
    channel=Channel.INBOX,
    text="{title}，{place}，离家{km}公里，{pay}。",
    longest={"title": 60, "place": 60, "km": 4, "pay": 40},
    cuttable=frozenset({"title", "place", "pay"}),
)

PUSH_VOICE = Template(
    name="push_voice",
    version=1,
    channel=Channel.VOICE,
    text=(
        "您好，这里是就近，有个活路说给您听。{title}，在{place}，离家{km}公里，{pay}。"
        "感兴趣，请按一。不合适，请按二。要我们打给您，请按三。不想再接到这样的电话，请按零。"
    ),
    # Said for the ear (`domain.announcements.spell_numbers`), in which figures grow.
    longest={"title": 40, "place": 40, "km": 10, "pay": 40},
    cuttable=frozenset({"title", "place", "pay"}),
)

PUSH_TEMPLATES = (PUSH_TEXT, PUSH_WECHAT, PUSH_INBOX, PUSH_VOICE)
"""What is shipped, besides `push_by_link`, whose lengths depend on the public address."""


def short_pay(pay: Pay) -> str:
    """Pay in at most eight characters, its lower end: `3000元/月起`, `200元/天`, `1.2万/月起`, `计件`."""
    figure = pay.low if pay.low is not None else pay.high
    unit = {PayUnit.MONTH: "月", PayUnit.DAY: "天", PayUnit.HOUR: "时", PayUnit.YEAR: "年"}.get(pay.unit)
    if figure is None or unit is None:
        return "计件" if pay.unit is PayUnit.PIECE else "工资面议"
    whole = round(figure)
    told = f"{whole}元" if whole < 10_000 else f"{min(whole / 10_000, 999):.3g}万"
    ending = "内" if pay.low is None else "" if pay.high == pay.low else "起"
    return f"{told}/{unit}{ending}"


def _placeholders(text: str) -> tuple[set[str], list[FieldFault]]:
    """The names in braces, and what is wrong with the braces."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return set(), [FieldFault("text", "broken_braces", "花括号没有成对")]
    names, faults = set(), []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        # {title.upper} and {title!r} would look into the value.
        if not _NAME.fullmatch(name) or spec or conversion:
            faults.append(FieldFault("text", "broken_placeholder", f"“{{{name}}}”不是填空的写法，要像{{title}}这样"))
        else:
            names.add(name)
    return names, faults


def _longest_text(template: Template) -> str:
    return template.text.format_map({name: "字" * longest for name, longest in template.longest.items()})


def _length_faults(template: Template) -> list[FieldFault]:
    text = _longest_text(template)
    if template.channel is Channel.SMS and (over := count_units(text) - ONE_PART) > 0:
        said = f"最长会有{ONE_PART + over}个字，比一条短信的{ONE_PART}个字（含签名）多出{over}个字"
        return [FieldFault("text", "too_long", said)]
    if template.channel is Channel.VOICE and (over := count_spoken(text) - SPOKEN_A_MINUTE) > 0:
        return [FieldFault("text", "too_long", f"念出来比一分钟的{SPOKEN_A_MINUTE}个字多出{over}个字")]
    return []
