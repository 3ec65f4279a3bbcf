"""Keys for programs of staff, such as the screen of a broker's board: who holds one, and what it lets them see.

A broker sees their own cases, a clerk their district, an officer a district or the city. Whoever asks for more is told
that there is no such thing.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.permissions import Role
from app.domain.viewers import Viewer
from app.kit.clock import china_date
from app.kit.errors import FieldFault, Invalid, Unauthenticated
from app.kit.tokens import new_token, token_digest
from app.store import staff_keys as store
from app.store.audit import record_act
from app.usecases.areas import AreaBook
from app.usecases.obligations import BrokerUnknown, DistrictUnknown, require_writer
from app.usecases.viewers import staff_viewer

GOOD_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Who asks: `actor` as they sign entries; their code if they are a broker; the district they may see, None all."""

    actor: str
    broker: str | None
    district: str | None

    @property
    def role(self) -> Role:
        """As what they act; an officer without a district works for the city."""
        role = Role(_role(self.actor))
        return Role.MUNICIPAL if role is Role.OFFICER and self.district is None else role

    def viewer(self, *, areas: AreaBook, today: date) -> Viewer:
        """Whose rows they see."""
        return staff_viewer(self.role, broker=self.broker, district=self.district, areas=areas, today=today)

    def narrowed(self, *, broker: str | None, district: str | None) -> tuple[str | None, str | None]:
        """The broker and the district that a question of theirs is about: their own, where they have one.

        As `domain.permissions` says of what is owed; a test holds the two together.

        Raises:
            BrokerUnknown: a broker asks for another one's cases.
            DistrictUnknown: they ask for a district that is not theirs.
        """
        if self.broker is not None and broker not in (None, self.broker):
            raise BrokerUnknown
        if self.district is not None and district not in (None, self.district):
            raise DistrictUnknown
        return broker if self.broker is None else self.broker, district if self.district is None else self.district


def issue_staff_key(session: Session, actor: str, *, district: str | None, now: datetime) -> str:
    """Make a key for somebody; the token, which is told once and kept nowhere. Older keys of theirs stay good.

    Args:
        session: a transaction that the caller commits.
        actor: a role and a code, `broker/B-07`.
        district: the one they may see. A clerk needs one, an officer without one sees the city; a broker sees their own
            cases wherever these live, and has none.
        now: when; the key is good for 90 days.

    Raises:
        Invalid: no role and code of ours; a district missing or too many (`district`).
        BrokerUnknown: no broker bears the code.
        DistrictUnknown: no district bears this code today.
    """
    require_writer(session, actor)
    role = _role(actor)
    if role == "broker" and district is not None:
        raise Invalid(fields=[FieldFault("district", "district_needless", "经纪人看自己手上的人，不用写区县")])
    if role == "clerk" and district is None:
        raise Invalid(fields=[FieldFault("district", "district_missing", "请写经办人看哪个区县")])
    if district is not None and district not in {
        fact.code for fact in AreaBook.load(session, on=china_date(now)).districts()
    }:
        raise DistrictUnknown
    token = new_token()
    store.add_staff_key(
        session,
        store.StaffKey(
            actor=actor,
            district_code=district,
            digest=token_digest(token),
            issued_at=now,
            expires_at=now + GOOD_FOR,
        ),
    )
    record_act(session, actor="office", action="issue_staff_key", subject=actor, now=now, detail=district or "")
    return token


def revoke_staff_keys(session: Session, actor: str, *, now: datetime) -> int:
    """End all keys of somebody at once; how many were good until now."""
    ended = store.revoke_staff_keys(session, actor, now=now)
    record_act(session, actor="office", action="revoke_staff_keys", subject=actor, now=now, detail=str(ended))
    return ended


def staff_of(session: Session, token: str, *, now: datetime) -> Staff:
    """Whose key this is.

    Raises:
        Unauthenticated: it is none of ours, or not good any more.
    """
    key = store.find_staff_key(session, token_digest(token), now=now)
    if key is None:
        raise Unauthenticated
    broker = key.actor.removeprefix("broker/") if _role(key.actor) == "broker" else None
    return Staff(actor=key.actor, broker=broker, district=key.district_code)


def _role(actor: str) -> str:
    return actor.partition("/")[0]
