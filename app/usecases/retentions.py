"""Dropping what has been kept as long as it may, by periods that an office has set and dated; and setting them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.retentions import DEFAULT_DAYS, Kept
from app.kit.clock import china_date
from app.kit.errors import FieldFault, Invalid
from app.store import consents, policies, pushes, sessions
from app.store.audit import record_act


class RetentionTooShort(Invalid):
    """The law wants it kept longer."""

    code = "retention_too_short"
    title = "法律要求保存得更久"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How many days a class of data is kept, and why: the law's words, else those of whoever set it."""

    kept: Kept
    days: int
    basis: str


def load_periods(session: Session, *, on: date) -> list[Period]:
    """The period of each class of data that holds on a day. One below its floor counts as the floor."""
    found = []
    for kept in Kept:
        setting = policies.find_setting(session, kept.setting, on=on)
        days = DEFAULT_DAYS[kept] if setting is None else int(setting.value)
        note = "" if setting is None else setting.note
        found.append(Period(kept=kept, days=max(days, kept.floor.days), basis=kept.floor.basis or note))
    return found


def set_period(
    session: Session, kept: Kept, *, days: int, valid_from: date, note: str, actor: str, now: datetime
) -> None:
    """Let a class of data be kept so many days from a day on.

    Raises:
        RetentionTooShort: the law wants it kept longer.
        Invalid: the day is over, or has a period of its own already.
    """
    if days < kept.floor.days:
        told = f"最少{kept.floor.days}天。{kept.floor.basis}".rstrip("。")
        raise RetentionTooShort(fields=[FieldFault("days", RetentionTooShort.code, told)])
    known = {each.valid_from for each in policies.list_settings(session, [kept.setting])}
    if valid_from < china_date(now) or valid_from in known:
        raise Invalid(fields=[FieldFault("valid_from", "day_taken", "要从今天或以后的一天起，那天还没有设过")])
    policies.add_setting(
        session, name=kept.setting, value=days, unit="days", note=f"本地设定，{note}", valid_from=valid_from
    )
    record_act(session, actor=actor, action="set_period", subject=kept.setting, now=now, detail=f"{days} {valid_from}")


def forget_kept(session: Session, *, now: datetime) -> None:
    """Drop of each class what has been over for longer than its period, as of today."""
    for period in load_periods(session, on=china_date(now)):
        _FORGET[period.kept](session, now - timedelta(days=period.days))


_FORGET: Mapping[Kept, Callable[[Session, datetime], None]] = {
    Kept.SESSIONS: lambda session, before: sessions.forget_logins(session, before=before),
    Kept.RECEIPTS: lambda session, before: pushes.forget_receipts(session, applied_before=before),
    Kept.CONSENTS: lambda session, before: consents.forget_consents(session, ended_before=before),
    Kept.PUSHES: lambda session, before: pushes.forget_pushes(session, over_before=before),
}
