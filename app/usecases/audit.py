"""Reading the audit: acts by actor, subject and kind, and what among them is worth a look. Reading it is an act too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.domain.audit import LIST_REASON, READ, WATCHED, Act, Anomaly, AuditLimits, find_anomalies
from app.kit.clock import CHINA
from app.kit.database import HIGHEST_ID
from app.store import audit as store
from app.store import policies
from app.usecases.obligations import RulesMissing
from app.usecases.sessions import Visitor

USUAL_DAYS = 30
"""The days before the one that is looked at, on which it is seen how many people somebody looks at usually."""

_SETTINGS = {
    "looks_least": "audit_looks_least",
    "looks_multiple": "audit_looks_multiple",
    "night_from": "audit_night_from",
    "night_until": "audit_night_until",
    "night_looks": "audit_night_looks",
    "failed_logins": "audit_failed_logins",
    "unknown_logins": "audit_unknown_logins",
    "unmaskings": "audit_unmaskings",
    "one_person": "audit_one_person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFact:
    """One act as the audit is read: people stand there as numbers."""

    id: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    why: str
    origin: str


def list_acts(
    session: Session,
    visitor: Visitor,
    *,
    now: datetime,
    limit: int,
    before: int = HIGHEST_ID,
    actor: str | None = None,
    subject: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
) -> list[ActFact]:
    """Acts, newest first, those before an id. Needs a session that writes: who read the audit stands in it."""
    found = store.list_acts(
        session,
        before=before,
        limit=limit,
        actor=actor,
        subject=subject,
        actions=None if action is None else [action],
        since=since,
    )
    asked = {"actor": actor, "subject": subject, "action": action}
    detail = " ".join(f"{name}={value}" for name, value in asked.items() if value is not None)
    store.record_act(
        session,
        actor=visitor.actor,
        action="read_audit",
        subject="audit",
        now=now,
        detail=detail[:200],
        origin=visitor.origin,
    )
    return [_fact(act) for act in found]


def find_anomalies_of(session: Session, *, day: date) -> list[Anomaly]:
    """What is worth a look among the acts of one day in China, against each actor's days before it.

    Raises:
        RulesMissing: a threshold is missing or cannot be used.
    """
    limits = read_limits(session, on=day)
    acts = [
        Act(
            id=act.id,
            happened_at=act.happened_at,
            actor=act.actor,
            action=act.action,
            subject=act.subject,
            detail=act.detail,
            why=act.why,
        )
        for act in store.read_acts(session, actions=WATCHED, since=_begins(day), until=_begins(_after(day)))
    ]
    return find_anomalies(acts, usual=_usual(session, before=day), limits=limits)


def read_limits(session: Session, *, on: date) -> AuditLimits:
    """The thresholds that hold on a day.

    Raises:
        RulesMissing: one is missing or cannot be used; `settings` names it.
    """
    found: dict[str, Any] = {}
    for name, setting in _SETTINGS.items():
        row = policies.find_setting(session, setting, on=on)
        if row is None:
            raise RulesMissing(f"{on} 没有这个设定：{setting}", settings=[setting])
        try:
            found[name] = _value(name, row.value)
        except (TypeError, ValueError):
            raise RulesMissing(f"设定 {setting} 的值不能用", settings=[setting]) from None
    return AuditLimits(**found)


def _fact(act: store.AuditEntry) -> ActFact:
    return ActFact(
        id=act.id,
        happened_at=act.happened_at,
        actor=act.actor,
        action=act.action,
        subject=act.subject,
        detail=act.detail,
        why=act.why,
        origin=act.origin,
    )


def _usual(session: Session, *, before: date) -> dict[str, float]:
    """By actor how many people they looked at on a day on which they looked at any."""
    days: dict[str, list[int]] = {}
    for back in range(1, USUAL_DAYS + 1):
        day = before - timedelta(days=back)
        counts = store.count_subjects(
            session, action=READ, but_why=[LIST_REASON], since=_begins(day), until=_begins(_after(day))
        )
        for actor, count in counts.items():
            days.setdefault(actor, []).append(count)
    return {actor: _mean(counts) for actor, counts in days.items()}


def _mean(counts: Sequence[int]) -> float:
    return round(sum(counts) / len(counts), 1)


def _value(name: str, value: Any) -> Any:
    if name in {"night_from", "night_until"}:
        return time.fromisoformat(value)
    if type(value) is not int or value < 1:
        raise ValueError("a whole number above zero")
    return value


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=CHINA)


def _after(day: date) -> date:
    return day + timedelta(days=1)
