"""How long somebody who was let in stays so, and when they must show who they are again.

Sessions are kept by the server, so each can be ended at once. OWASP ASVS 5.0, 7.3: an idle limit and a limit in all,
by role; 7.5: a fresh factor before what cannot be taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.permissions import Action, Role


class LetInBy(StrEnum):
    """What somebody showed at the door."""

    SMS_CODE = "sms_code"
    PASSWORD = "password"  # noqa: S105  the word, not one
    CARD = "card"
    CLERK = "clerk"

    @property
    def label(self) -> str:
        return {
            "sms_code": "短信验证码",
            "password": "密码和动态码",
            "card": "刷身份证",
            "clerk": "经办人协助",
        }[self.value]


class SessionEnd(StrEnum):
    """How a session came to its end before its time."""

    LOGGED_OUT = "logged_out"
    KICKED_OUT = "kicked_out"
    REPLACED = "replaced"
    ACCOUNT_CHANGED = "account_changed"
    KIOSK_CHANGED = "kiosk_changed"


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a session lasts: `idle` without a request, `total` in all."""

    idle: timedelta
    total: timedelta


_OFFICE = Stay(timedelta(minutes=30), timedelta(hours=12))
_ADMINISTRATION = Stay(timedelta(minutes=15), timedelta(hours=8))

STAYS: Mapping[Role, Stay] = {
    # A phone of their own; who looks for work once a month must not ask for a code each time.
    Role.SEEKER: Stay(timedelta(days=30), timedelta(days=90)),
    Role.EMPLOYER: Stay(timedelta(days=7), timedelta(days=30)),
    Role.BROKER: _OFFICE,
    Role.CLERK: _OFFICE,
    Role.OFFICER: _OFFICE,
    Role.MUNICIPAL: _OFFICE,
    Role.AUDITOR: _ADMINISTRATION,
    Role.SYSTEM_ADMIN: _ADMINISTRATION,
    Role.SECURITY_ADMIN: _ADMINISTRATION,
    Role.AUDIT_ADMIN: _ADMINISTRATION,
}
AT_A_KIOSK = Stay(timedelta(minutes=3), timedelta(minutes=10))
"""A screen that the next person stands before."""

FRESH = timedelta(minutes=10)
NEEDS_FRESH_FACTOR: frozenset[Action] = frozenset(
    {Action.CHANGE_ACCOUNTS, Action.CHANGE_KIOSKS, Action.UNMASK_WORKER, Action.BREAK_GLASS}
)
OWN_HAND: frozenset[Action] = frozenset({Action.EXPORT_OWN_DATA, Action.ERASE_OWN_DATA})
"""What nobody does in a session that a clerk opened for somebody: clerks do it in their own name, with a reason."""
IN_SETUP: frozenset[Action] = frozenset({Action.SET_UP_ACCOUNT, Action.SEE_OWN_SESSIONS, Action.END_OWN_SESSIONS})
"""All that whoever has still to choose a password and a second factor may do."""


def is_fresh(factor_at: datetime | None, *, now: datetime) -> bool:
    """Whether a second factor was shown lately enough for what cannot be taken back."""
    return factor_at is not None and timedelta(0) <= now - factor_at <= FRESH
