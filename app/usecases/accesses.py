"""Who saw or changed what of a person's, when and why: the audit, told to the one whom it concerns (PIPL 44-45)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.accesses import told_actor, told_deed, told_reason
from app.domain.permissions import Role
from app.store import audit
from app.store.accounts import find_account
from app.store.brokers import find_broker
from app.usecases.areas import AreaBook
from app.usecases.ledger import list_entries

_OWN_LOOKS = frozenset({"read_identity"})
_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFact:
    """One act as the person is told of it: `who` is a role, `office` where it works ("" unless known), never a name."""

    id: int
    happened_at: datetime
    who: str
    office: str
    deed: str
    reason: str
    is_own: bool


def list_own_accesses(
    session: Session, worker_id: int, *, areas: AreaBook, before_id: int | None = None, limit: int
) -> tuple[list[AccessFact], int | None]:
    """Acts that concern somebody, newest first, and the id behind which the list goes on; None at its end.

    That they looked at their own data is left out: the list would hold little else.
    """
    own = f"{Role.SEEKER.value}/{worker_id}"
    subjects = [
        f"workers/{worker_id}",
        *(f"ledger/{each.id}" for each in list_entries(session, worker_ids=[worker_id])),
    ]
    found: list[AccessFact] = []
    while True:
        acts = audit.list_acts_on(session, subjects, before_id=before_id, limit=_AT_ONCE)
        for act in acts:
            if act.actor == own and act.action in _OWN_LOOKS:
                continue
            if len(found) == limit:
                return found, found[-1].id
            found.append(
                AccessFact(
                    id=act.id,
                    happened_at=act.happened_at,
                    who=told_actor(act.actor, own_id=worker_id),
                    office=_office(session, act.actor, areas=areas),
                    deed=told_deed(act.action),
                    reason=told_reason(act.action, act.why or act.detail),
                    is_own=act.actor in (own, "worker"),
                )
            )
        if len(acts) < _AT_ONCE:
            return found, None
        before_id = acts[-1].id


def _office(session: Session, actor: str, *, areas: AreaBook) -> str:
    role, _, code = actor.partition("/")
    if role == Role.BROKER.value:
        broker = find_broker(session, code)
        return "" if broker is None else areas.told(broker.area_code)
    if role in (Role.CLERK.value, Role.OFFICER.value):
        account = find_account(session, code)
        return "" if account is None or account.district_code is None else areas.told(account.district_code)
    return ""
