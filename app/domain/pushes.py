"""Pushes (岗位推送): their states and what may follow what, how urgent a message is, and what a channel does.

Sent is not delivered. What left the house without an answer is *uncertain*: the provider is asked, and until it has
answered nothing is repeated and no other channel is tried.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol

from app.domain.ledger import Channel


class PushState(StrEnum):
    """Where a push stands. Each intent is in exactly one state, so their numbers add up to the intents."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"

    @property
    def label(self) -> str:
        return _STATE_LABELS[self]


_STATE_LABELS = {
    PushState.QUEUED: "等着送",
    PushState.SENDING: "正在送",
    PushState.SENT: "送出了，没有回执",
    PushState.UNCERTAIN: "不知道送出没有",
    PushState.DELIVERED: "送到了",
    PushState.ANSWERED: "本人回了",
    PushState.FAILED: "没送成",
    PushState.EXPIRED: "过期了",
    PushState.SUPPRESSED: "本人没同意，没送",
}

NEXT: dict[PushState, frozenset[PushState]] = {
    PushState.QUEUED: frozenset(
        # A person may answer a slip, or a page, before the machine has got round to sending; and it may turn out that a
        # channel does not know where to reach them.
        {
            PushState.SENDING,
            PushState.FAILED,
            PushState.DELIVERED,
            PushState.ANSWERED,
            PushState.EXPIRED,
            PushState.SUPPRESSED,
        }
    ),
    PushState.SENDING: frozenset(
        {
            PushState.SENT,
            PushState.UNCERTAIN,
            PushState.QUEUED,
            PushState.FAILED,
            PushState.DELIVERED,
            PushState.ANSWERED,
        }
    ),
    PushState.UNCERTAIN: frozenset(
        {
            PushState.SENT,
            PushState.QUEUED,
            PushState.FAILED,
            PushState.DELIVERED,
            PushState.ANSWERED,
            PushState.EXPIRED,
        }
    ),
    PushState.SENT: frozenset(
        {PushState.QUEUED, PushState.FAILED, PushState.DELIVERED, PushState.ANSWERED, PushState.EXPIRED}
    ),
    # A receipt may come after it was given up.
    PushState.FAILED: frozenset({PushState.QUEUED, PushState.DELIVERED, PushState.ANSWERED, PushState.EXPIRED}),
    PushState.EXPIRED: frozenset({PushState.DELIVERED, PushState.ANSWERED}),
    # It may have been sent on one channel before it was suppressed on the next.
    PushState.SUPPRESSED: frozenset({PushState.QUEUED, PushState.DELIVERED, PushState.ANSWERED, PushState.EXPIRED}),
    PushState.DELIVERED: frozenset({PushState.ANSWERED}),
    PushState.ANSWERED: frozenset(),
}
"""What may follow each state. Nothing leads out of `delivered` but the person's answer."""
MAY_ARRIVE = frozenset(state for state, after in NEXT.items() if PushState.DELIVERED in after)
"""States in which a push has not arrived and still may."""


class Urgency(IntEnum):
    """Whose turn it is: a login code before a confirmation, that before what is owed, that before all else."""

    CODE = 0
    TRANSACTIONAL = 1
    MANDATED = 2
    BATCH = 3


class PushCause(StrEnum):
    """Why a person was sent a posting."""

    OWED = "owed"
    OLDER = "older"
    RETURNING = "returning"
    PLANNED = "planned"
    ASKED = "asked"

    @property
    def label(self) -> str:
        return _CAUSE_LABELS[self]

    @property
    def urgency(self) -> Urgency:
        return {PushCause.OWED: Urgency.MANDATED, PushCause.ASKED: Urgency.TRANSACTIONAL}.get(self, Urgency.BATCH)


_CAUSE_LABELS = {
    PushCause.OWED: "应尽服务",
    PushCause.OLDER: "大龄专送",
    PushCause.RETURNING: "返乡前推荐",
    PushCause.PLANNED: "日常推荐",
    PushCause.ASKED: "本人要的",
}


class Answer(StrEnum):
    """What a person says to a push."""

    INTERESTED = "interested"
    UNSUITABLE = "unsuitable"
    CALL_ME = "call_me"

    @property
    def label(self) -> str:
        return {"interested": "感兴趣", "unsuitable": "不合适", "call_me": "打给我"}[self.value]


REPLIES = {"1": Answer.INTERESTED, "2": Answer.UNSUITABLE, "3": Answer.CALL_ME}
"""What one texts back or keys."""
OPT_OUTS = frozenset({"退订", "TD", "T", "N"})


class Unsuitable(StrEnum):
    """Why a posting does not suit."""

    TOO_FAR = "too_far"
    PAY = "pay"
    HOURS = "hours"
    TOO_HEAVY = "too_heavy"
    NOT_MY_WORK = "not_my_work"
    FAMILY = "family"
    HAVE_WORK = "have_work"
    OTHER = "other"

    @property
    def label(self) -> str:
        return _UNSUITABLE_LABELS[self]


_UNSUITABLE_LABELS = {
    Unsuitable.TOO_FAR: "太远了",
    Unsuitable.PAY: "钱少了",
    Unsuitable.HOURS: "时间不合适",
    Unsuitable.TOO_HEAVY: "太累了",
    Unsuitable.NOT_MY_WORK: "不会做这个",
    Unsuitable.FAMILY: "家里走不开",
    Unsuitable.HAVE_WORK: "已经有活了",
    Unsuitable.OTHER: "别的原因",
}


class Outcome(StrEnum):
    """What one attempt to send came to, or what a provider says of it afterwards.

    ACCEPTED: the provider has taken it on. DELIVERED: it has reached the device. REFUSED: it will not be sent, and
    another provider or channel may be tried. BUSY: not now; the same again later. UNCERTAIN: it left, and nobody knows
    what became of it. UNKNOWN: the provider has never heard of it, so that it may be sent. BROKEN: it cannot be sent to
    this person on this channel at all.
    """

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    REFUSED = "refused"
    BUSY = "busy"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"
    BROKEN = "broken"


_WORDS_FOR_WHY = (
    (Unsuitable.TOO_FAR, ("远", "路")),
    (Unsuitable.PAY, ("钱", "工资", "少", "低")),
    (Unsuitable.HOURS, ("时间", "夜", "晚", "早")),
    (Unsuitable.TOO_HEAVY, ("累", "重", "吃不消")),
    (Unsuitable.NOT_MY_WORK, ("不会", "没做过", "不懂", "证")),
    (Unsuitable.FAMILY, ("家", "娃", "老人", "带", "照顾")),
    (Unsuitable.HAVE_WORK, ("有活", "有工作", "上班", "找到")),
)


_APART = " ,，.。、!！:：;；)）"
_WHY_BEGINS = (
    *("不合适", "不去", "不想", "不会", "不行", "不要", "不懂", "不方便", "没空", "没时间", "没做过"),
    *("太", "嫌", "远了", "累", "钱少", "钱低", "工资低", "工资少", "时间不"),
    *("家里", "有活", "有工作", "找到", "已经", "别的"),
)


def reply_in(words: str) -> tuple[Answer, Unsuitable | None] | None:
    """What somebody has texted back or keyed: 1, 2 (and why) or 3; None where the figure is one of something else.

    "1公里太远了" is no interest, and "2号可以去" no refusal: a figure answers only where it stands alone, before the
    words that it stands for, or, a 2, before why it does not suit. What is not understood costs a call; what is
    misunderstood costs a job.
    """
    answer, rest = REPLIES.get(words[:1]), words[1:]
    plain = rest.strip(_APART)
    if answer is None:
        return None
    if answer is Answer.UNSUITABLE:
        return (answer, reason_in(plain)) if not plain or plain.startswith(_WHY_BEGINS) else None
    return (answer, None) if plain in {"", answer.label} else None


def reason_in(words: str) -> Unsuitable:
    """Why a posting does not suit, from somebody's own words; the first that is recognised, else `other`."""
    return next((why for why, signs in _WORDS_FOR_WHY if any(sign in words for sign in signs)), Unsuitable.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel sends. `key` is the same at every try, so that a provider can drop a repeat.

    `to` is a phone number, an open id or a worker's id, as the channel needs it; never printed. `template` names an
    agreed text, `values` fill it; `text` is the whole as it is read.
    """

    key: str
    to: str = field(repr=False)
    template: str
    values: dict[str, str] = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a send, a query, or a receipt. `code` is the provider's own word, for whoever looks into it.

    `retry_after_s` is how long a busy provider asks to be left alone; `segments` how many parts were charged;
    `happened_at` when it arrived, where the provider says so.
    """

    outcome: Outcome
    provider: str
    provider_id: str | None = None
    code: str = ""
    retry_after_s: int | None = None
    segments: int | None = None
    happened_at: datetime | None = None


class Sender(Protocol):
    """One provider on one channel. No method raises: whatever goes wrong is an outcome."""

    @property
    def provider(self) -> str: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def can_query(self) -> bool:
        """Whether the provider answers what became of a key."""
        ...

    def send(self, message: Message) -> Report: ...
    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report: ...
