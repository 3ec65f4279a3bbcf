"""Spells (失业登记): one registration of one person as unemployed and poverty-alleviated, from its first day on."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.domain.workers import Status


class SpellSource(StrEnum):
    """Who opened a spell."""

    IMPORT = "import"
    CLERK = "clerk"
    KIOSK = "kiosk"

    @property
    def label(self) -> str:
        return {"import": "名单导入", "clerk": "窗口登记", "kiosk": "驿站终端"}[self.value]


class SpellEnd(StrEnum):
    """Why a spell was closed."""

    EMPLOYED = "employed"
    SELF_EMPLOYED = "self_employed"
    WELFARE_POST = "welfare_post"
    NOT_LOOKING = "not_looking"
    RETIRED = "retired"
    MOVED_AWAY = "moved_away"
    STATUS_ENDED = "status_ended"
    DIED = "died"
    ERASED = "erased"
    MISTAKE = "mistake"

    @property
    def label(self) -> str:
        return _END_LABELS[self]


_END_LABELS = {
    SpellEnd.EMPLOYED: "已经上岗",
    SpellEnd.SELF_EMPLOYED: "自己做生意",
    SpellEnd.WELFARE_POST: "安置到公益性岗位",
    SpellEnd.NOT_LOOKING: "本人不找工作",
    SpellEnd.RETIRED: "到了退休年龄",
    SpellEnd.MOVED_AWAY: "迁出",
    SpellEnd.STATUS_ENDED: "不再是登记失业的脱贫人口",
    SpellEnd.DIED: "去世",
    SpellEnd.ERASED: "本人要求销毁身份信息",
    SpellEnd.MISTAKE: "登记错了",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """One registration. `closed_on` is its last day, None while it is open."""

    id: int
    worker_id: int
    opened_on: date
    closed_on: date | None = None
    end: SpellEnd | None = None


OWED_STATUSES = frozenset({Status.REGISTERED_UNEMPLOYED, Status.POVERTY_ALLEVIATED})
"""What one must be registered as, both at once, to be owed the package (plan 8.5-8.8: 登记失业的脱贫人口)."""


def is_owed(statuses: frozenset[Status]) -> bool:
    """Whether a person with these statuses is one to whom the package is owed."""
    return statuses >= OWED_STATUSES
