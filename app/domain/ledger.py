"""What stands in the ledger (服务台账): kinds of entries, the channels they came by, and how sure each is.

An entry is never changed. A wrong one is struck by a later entry that names it, and from then on counts for nothing.
What is owed and done is worked out from entries (`domain.obligations`); nowhere is a count stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Fact = str | int | bool | None | list[str]
"""No floating-point numbers: an entry must read the same, byte for byte, in every database and program."""


class EntryKind(StrEnum):
    """What an entry tells."""

    SPELL_OPENED = "spell_opened"
    SPELL_CLOSED = "spell_closed"
    BRIEFING = "briefing"
    GUIDANCE = "guidance"
    PUSH = "push"
    TRAINING = "training"
    ANSWER = "answer"
    REFUSAL = "refusal"
    ATTEMPT = "attempt"
    START = "start"
    PRIORITY = "priority"
    LAST_RESORT = "last_resort"
    STRIKE = "strike"
    ERASURE = "erasure"
    AUDIT = "audit"

    @property
    def label(self) -> str:
        return _KIND_LABELS[self]


_KIND_LABELS = {
    EntryKind.SPELL_OPENED: "登记失业",
    EntryKind.SPELL_CLOSED: "登记结束",
    EntryKind.BRIEFING: "政策宣介",
    EntryKind.GUIDANCE: "职业指导",
    EntryKind.PUSH: "岗位推送",
    EntryKind.TRAINING: "培训推荐",
    EntryKind.ANSWER: "本人回应",
    EntryKind.REFUSAL: "本人拒绝",
    EntryKind.ATTEMPT: "没联系上",
    EntryKind.START: "上岗",
    EntryKind.PRIORITY: "优先安排",
    EntryKind.LAST_RESORT: "兜底安置",
    EntryKind.STRIKE: "作废",
    EntryKind.ERASURE: "销毁身份",
    EntryKind.AUDIT: "审计封存",
}


class Channel(StrEnum):
    """How something reaches a person."""

    SMS = "sms"
    WECHAT = "wechat"
    VOICE = "voice"
    INBOX = "inbox"
    SLIP = "slip"
    CALL = "call"
    VISIT = "visit"
    COUNTER = "counter"
    KIOSK = "kiosk"
    NOTICE = "notice"
    LOUDSPEAKER = "loudspeaker"

    @property
    def label(self) -> str:
        return _CHANNEL_LABELS[self]

    @property
    def is_electronic(self) -> bool:
        """Whether a machine sends it, so that the person's consent is needed."""
        return self in _ELECTRONIC

    @property
    def is_public(self) -> bool:
        """Whether it speaks to a whole village: it counts for nobody."""
        return self in {Channel.NOTICE, Channel.LOUDSPEAKER}


_ELECTRONIC = frozenset({Channel.SMS, Channel.WECHAT, Channel.VOICE, Channel.INBOX})
_CHANNEL_LABELS = {
    Channel.SMS: "短信",
    Channel.WECHAT: "微信",
    Channel.VOICE: "语音电话",
    Channel.INBOX: "站内消息",
    Channel.SLIP: "纸条",
    Channel.CALL: "打电话",
    Channel.VISIT: "上门",
    Channel.COUNTER: "窗口",
    Channel.KIOSK: "驿站终端",
    Channel.NOTICE: "村里张贴",
    Channel.LOUDSPEAKER: "村广播",
}


class Grade(StrEnum):
    """How sure it is that something reached the person.

    A: the person answered, confirmed on the page by a POST, keyed a digit, signed a slip. B: an authenticated receipt
    of the channel. C: a staff member says so.
    """

    A = "A"
    B = "B"
    C = "C"

    @property
    def label(self) -> str:
        return {"A": "本人确认", "B": "渠道回执", "C": "工作人员记录"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it was written.

    `refers_to` is the entry that is struck, answered or erased for. `facts` names no person; `note` is what was said,
    sealed under the person's own key, and None where nothing is kept. `worker_id` is None where it concerns nobody.

    What stands in `facts`, by kind:
        SPELL_OPENED: source. SPELL_CLOSED: reason.
        BRIEFING: text, version. GUIDANCE: minutes, said (whether a note tells what was said). TRAINING: session.
        PUSH: push, posting, job (the same for every row of one job), is_open, places, bar (rule, None: none),
            skill_permille, metres, reach_metres, reasons. All of these, where it was a talk, also minutes and said.
        ANSWER: push, answer ("interested", "unsuitable", "call_me", "seen"), why.
        REFUSAL: service (kind that was refused, None: all). ATTEMPT: service.
        START: posting; where it was a talk, also minutes and said.
        PRIORITY: posting, project, place (in the order, from 1), placed (whether they were given one).
        LAST_RESORT: step ("proposed", "approved", "declined"), reasons (what the ledger showed: "<figure>:<number>").
        STRIKE: none (the note tells why). ERASURE: entries (of each the person had "<id>:<SHA-256 of its columns>").
        AUDIT: first, count (the places in the book of acts that this seals), root (of the tree over them, in hex).
    """

    id: int
    kind: EntryKind
    worker_id: int | None
    spell_id: int | None
    channel: Channel | None
    evidence: Grade | None
    happened_at: datetime
    written_at: datetime
    actor: str
    refers_to: int | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    note: str | None = field(default=None, repr=False)

    @property
    def takes_place_of(self) -> int | None:
        """The posting of which the person holds a place by this entry: they began there, or were placed by priority."""
        takes = self.kind is EntryKind.START or (self.kind is EntryKind.PRIORITY and self.facts.get("placed") is True)
        posting = self.facts.get("posting") if takes else None
        return posting if isinstance(posting, int) else None
