"""How facts are told on the pages: distances, days, pay, tags, in words that a villager says.

Everything here is pure. A distance is a straight line and often runs from the middle of a township, so it is rounded
and, where only the district is known, said to be rough.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from app.domain.areas import Nearness
from app.domain.hours import MIDNIGHT
from app.domain.ledger import Channel, EntryKind, Grade
from app.domain.occupations import PHYSICAL_LEVEL_LABELS
from app.domain.pay import PayUnit
from app.domain.postings import PostingKind, PostingOrigin, PostingState
from app.domain.workers import Limit
from app.kit.clock import CHINA, china_date
from app.usecases.postings import PostingCard

MOST_TAGS = 5


@dataclass(frozen=True, slots=True)
class Tag:
    """A short mark on a posting; `tone` is the style sheet's name for its colour."""

    text: str
    tone: str = "plain"


def distance(km: float | None, nearness: Nearness, *, rough: bool = False) -> str:
    """`离家 2.3 公里`; `离家约 23 公里` if `rough`; the rung of the ladder of nearness where no distance is known."""
    if km is None:
        return nearness.label
    if rough:
        return f"离家约 {max(1, round(km))} 公里"
    if km < 0.95:
        return "离家不到 1 公里"
    return f"离家 {km:.1f} 公里" if km < 9.95 else f"离家 {round(km)} 公里"


def day(told: date, *, today: date) -> str:
    """`11月3日`, in another year `2025年11月3日`."""
    return f"{told.month}月{told.day}日" if told.year == today.year else f"{told.year}年{told.month}月{told.day}日"


def moment(told: datetime, *, today: date) -> str:
    """`11月3日10点05分`, in another year with the year."""
    local = told.astimezone(CHINA)
    return f"{day(local.date(), today=today)}{local.hour}点{local.minute:02}分"


def day_of(told: datetime, *, today: date) -> str:
    """The day of an instant in China, as `day` tells it."""
    return day(china_date(told), today=today)


def stretch(days: int) -> str:
    """A number of days as people say it, never fewer than it is: `3年`, `半年`, `30天`."""
    years, rest = divmod(days, 365)
    if years and rest <= years:
        return f"{years}年"
    return "半年" if 180 <= days <= 184 else f"{days}天"


def end_of_work(hour: int) -> str:
    """The hour by which work is over: `最晚 18 点`, since half hours are rounded up; `过了半夜` from midnight on."""
    return "过了半夜" if hour >= MIDNIGHT else f"最晚 {hour} 点"


def freshness(card: PostingCard, *, today: date) -> str:
    """How long ago a posting was put up: `今天发布`, `3天前发布`, for a sample of the past `2019年6月的招聘`."""
    if card.is_historical:
        return f"{month(card.observed)}的招聘" if card.observed else "以前的招聘"
    days = (today - china_date(card.posted_at)).days
    if days <= 0:
        return "今天发布"
    if days == 1:
        return "昨天发布"
    return f"{days}天前发布" if days < 30 else f"{day(china_date(card.posted_at), today=today)}发布"


def month(observed: str) -> str:
    """`2019年6月` from `2019-06`, `2019年` from `2019`."""
    year, _, number = observed.partition("-")
    return f"{year}年{int(number[:2])}月" if number[:2].isdecimal() else f"{year}年"


def tags(card: PostingCard) -> list[Tag]:
    """The marks of a posting, what a reader must know first, at most five."""
    found = []
    if card.is_historical:
        found.append(Tag(PostingState.HISTORICAL.label, "past"))
    elif card.origin is PostingOrigin.GENERATED:
        found.append(Tag("演示数据", "past"))
    if card.suits_older:
        found.append(Tag("50+可做", "good"))
    if card.kind is PostingKind.DAY_LABOUR or (card.pay is not None and card.pay.unit is PayUnit.DAY):
        found.append(Tag("日结" if card.kind is PostingKind.DAY_LABOUR else "按天算", "good"))
    if board := _board(card):
        found.append(Tag(board, "good"))
    if card.kind not in (PostingKind.FULL_TIME, PostingKind.DAY_LABOUR):
        found.append(Tag(card.kind.label))
    if card.insurance:
        found.append(Tag("有保险"))
    if card.physical_level is not None:
        found.append(Tag(PHYSICAL_LEVEL_LABELS[card.physical_level]))
    return found[:MOST_TAGS]


def _board(card: PostingCard) -> str:
    if card.meals and card.lodging:
        return "包吃住"
    if card.meals:
        return "包吃"
    return "包住" if card.lodging else ""


def board(card: PostingCard) -> str:
    """Meals and lodging in a sentence; "" when neither is known."""
    if card.meals is None and card.lodging is None:
        return ""
    told = {True: "包", False: "不包", None: "没写包不包"}
    return f"{told[card.meals]}吃，{told[card.lodging]}住"


def month_pay(card: PostingCard) -> str:
    """What pay by the day, hour or year comes to in a month; "" for other pay and for work that fills no month."""
    if card.pay is None or card.pay.unit not in (PayUnit.DAY, PayUnit.HOUR, PayUnit.YEAR):
        return ""
    if card.kind in (PostingKind.PART_TIME, PostingKind.DAY_LABOUR):
        return ""
    figures = [str(figure) for figure in dict.fromkeys((card.pay_min_yuan_month, card.pay_max_yuan_month)) if figure]
    return "-".join(figures)


def workplace(card: PostingCard) -> str:
    """Area and spot of the work; "" when neither is known."""
    return " ".join(part for part in (card.area_name, card.workplace) if part)


def heaviness(card: PostingCard) -> str:
    """How heavy the work is, in words with the grade of GB/T 3869; "" when it is not known."""
    if card.physical_level is None:
        return ""
    return f"{PHYSICAL_LEVEL_LABELS[card.physical_level]}（国家分四级，这是第{card.physical_level}级）"


def age_limit(card: PostingCard) -> str:
    """The ages that a posting names, with the lawful reason if it has one; "" when it names none."""
    told = card.age_words or _ages(card.age_min, card.age_max)
    return f"{told}（{card.age_reason.label}）" if told and card.age_reason is not None else told


def _ages(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f"{low}到{high}岁"
    if high is not None:
        return f"{high}岁以下"
    return f"{low}岁以上" if low is not None else ""


def is_cap_unlawful(card: PostingCard) -> bool:
    """Whether the posting caps the age without a lawful reason (rules of the trade, section 3)."""
    return card.age_reason is None and card.age_max is not None


def reply_rate(card: PostingCard) -> str:
    """How often the employer answers people, in tenths; "" when nothing is known."""
    rate = card.employer_reply_rate
    if rate is None:
        return ""
    tenths = round(rate * 10)
    return "问的人都回" if tenths == 10 else f"十个人问，大约回{tenths}个"


def split_wants(words: str) -> tuple[str, ...]:
    """The kinds of work that words name, in their order: `保洁、看大门` are two."""
    return tuple(dict.fromkeys(part.strip() for part in re.split(r"[、，,；;/。]|\s", words) if part.strip()))


_REFUSALS = {
    "under_working_age": "不满16岁不能做的",
    "hazard_level_iv": "法律不许安排的重活",
    "hazard_underground": "法律不许安排的井下活",
    "hazard_minor": "不满18岁不能做的",
    "age_statutory_hazard": "法规限定年龄的危险作业",
    "age_licence": "从业资格限定年龄的",
    "sex_statutory": "法律限定性别的",
    "certificate": "要先有证的",
    "home_by": "下班太晚的",
    "full": "已经招满的",
    **{f"limit_{limit.value}": f"您说过“{limit.label}”的" for limit in Limit},
}


def refusals(refused: Mapping[str, int]) -> list[str]:
    """What near the person is not in the list, and why: `要先有证的 3 个`; not what the search itself leaves out."""
    return [f"{told} {refused[rule]} 个" for rule, told in _REFUSALS.items() if refused.get(rule)]


_ENTRIES = {
    EntryKind.SPELL_OPENED: "登记了失业，该给的服务从这时算起。",
    EntryKind.SPELL_CLOSED: "失业登记结束了。",
    EntryKind.BRIEFING: "给本人讲了政策。",
    EntryKind.GUIDANCE: "给本人讲了怎么找活。",
    EntryKind.PUSH: "给本人送了一个岗位。",
    EntryKind.TRAINING: "给本人推荐了培训。",
    EntryKind.ANSWER: "本人对送来的岗位回了话。",
    EntryKind.REFUSAL: "本人说不要。",
    EntryKind.ATTEMPT: "找过本人，没有联系上。",
    EntryKind.START: "本人上岗了。",
    EntryKind.PRIORITY: "名额不够时，先安排了本人。",
    EntryKind.LAST_RESORT: "安置到公益性岗位的一步。",
    EntryKind.STRIKE: "前面有一条记错了，把它作废。",
    EntryKind.ERASURE: "本人的身份信息销毁了。",
    EntryKind.AUDIT: "谁看过、改过什么，到这时为止封存了。",
}


def entry(kind: EntryKind) -> str:
    """What an entry of the ledger tells, in a sentence."""
    return _ENTRIES[kind]


def evidence(grade: Grade | None, channel: Channel | None) -> str:
    """What an entry of the ledger rests on: who says that it reached the person."""
    match grade:
        case Grade.A:
            return "本人自己确认的：回了话、点了按钮，或者签了字"
        case Grade.B:
            return f"{channel.label if channel else '发送的一方'}那边回报说送到了"
        case Grade.C:
            return "工作人员这样记的，本人没有另外确认"
        case None:
            return "办事时记下的"
