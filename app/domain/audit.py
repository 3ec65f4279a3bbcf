"""What in the audit is worth a look: patterns of looking at people, each with the figures that an office has set.

A finding is no proof: somebody on leave was stood in for, a campaign had to reach everybody by Friday. It says where an
administrator of the audit begins to read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

from app.domain.permissions import Relation, Role
from app.kit.clock import CHINA

LIST_REASON = "list"
"""Why a name is read that stands masked in a list."""
LOOK_REASON = "look"
"""Why a name is read that stands masked on one person's page."""

READ, UNMASK, BREAK_GLASS, LOGIN_FAILED = "read_identity", "unmask_worker", "break_glass", "login_failed"
WATCHED = (READ, UNMASK, BREAK_GLASS, LOGIN_FAILED)
"""The acts that findings are made of."""
NO_ACCOUNT = "accounts/-"
"""As what a failed log-in under a code that nobody has stands in the audit."""

_MOST_NAMED = 20
_STAFF = frozenset({Role.BROKER.value, Role.CLERK.value, Role.OFFICER.value, Role.MUNICIPAL.value, Role.AUDITOR.value})


class AnomalyKind(StrEnum):
    """What is unusual."""

    MANY_LOOKS = "many_looks"
    NIGHT_LOOKS = "night_looks"
    BREAK_GLASS = "break_glass"
    FAILED_LOGINS = "failed_logins"
    FOREIGN_UNMASKINGS = "foreign_unmaskings"
    WATCHED_PERSON = "watched_person"

    @property
    def label(self) -> str:
        return {
            "many_looks": "一天里查看的人比平时多得多",
            "night_looks": "深夜查看",
            "break_glass": "应急查看外区县的人",
            "failed_logins": "登录多次失败",
            "foreign_unmaskings": "多次查看不归自己服务的人的完整身份",
            "watched_person": "一天里很多人查看同一个人",
        }[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One entry of the audit, as far as findings need it."""

    id: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""
    why: str = ""

    @property
    def is_look(self) -> bool:
        """Whether somebody of the staff looked at one person; not one of a list, and no machine that writes to them."""
        return self.action == READ and self.why != LIST_REASON and self.actor.partition("/")[0] in _STAFF


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLimits:
    """From when on something is worth a look; an office sets the figures. Times of day are China's.

    `looks_least` and `looks_multiple`: of people whom one actor looked at in a day, at least so many, and so many times
    as many as on a usual day of theirs. `night_looks` between `night_from` and `night_until`. `failed_logins` of one
    account, `unknown_logins` under codes that nobody has. `unmaskings` of people who are nobody's case of theirs.
    `one_person`: so many different people of the staff look at the same person.
    """

    looks_least: int
    looks_multiple: int
    night_from: time
    night_until: time
    night_looks: int
    failed_logins: int
    unknown_logins: int
    unmaskings: int
    one_person: int

    def is_night(self, instant: datetime) -> bool:
        """Whether an instant lies in the night."""
        clock = instant.astimezone(CHINA).time()
        if self.night_from > self.night_until:
            return clock >= self.night_from or clock < self.night_until
        return self.night_from <= clock < self.night_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One finding of one day.

    `about` is the actor, the account or the person; `count` what was counted, `usual` what it is on a usual day of
    theirs where that was asked; `entry_ids` the first acts that it is made of, to begin reading at.
    """

    kind: AnomalyKind
    about: str
    count: int
    usual: float | None
    entry_ids: tuple[int, ...]


def find_anomalies(acts: Sequence[Act], *, usual: Mapping[str, float], limits: AuditLimits) -> list[Anomaly]:
    """What is worth a look among the acts of one day, by kind and then the largest first.

    Args:
        acts: what was done on the day, of the kinds in `WATCHED`, in order of id.
        usual: by actor how many people they look at on a usual day; who is missing looks at nobody.
        limits: from when on it is.
    """
    looks = [act for act in acts if act.is_look]
    foreign = [act for act in acts if act.action == UNMASK and act.detail != Relation.CASELOAD.value]
    found = [
        *_many_looks(looks, usual=usual, limits=limits),
        *_groups(
            AnomalyKind.NIGHT_LOOKS,
            [act for act in looks if limits.is_night(act.happened_at)],
            by=_actor,
            least=lambda _: limits.night_looks,
        ),
        *_groups(
            AnomalyKind.BREAK_GLASS, [act for act in acts if act.action == BREAK_GLASS], by=_actor, least=lambda _: 1
        ),
        *_groups(
            AnomalyKind.FAILED_LOGINS,
            [act for act in acts if act.action == LOGIN_FAILED],
            by=lambda act: act.subject,
            least=lambda about: limits.unknown_logins if about == NO_ACCOUNT else limits.failed_logins,
        ),
        *_groups(AnomalyKind.FOREIGN_UNMASKINGS, foreign, by=_actor, least=lambda _: limits.unmaskings),
        *_groups(
            AnomalyKind.WATCHED_PERSON,
            looks,
            by=lambda act: act.subject,
            least=lambda _: limits.one_person,
            counting=_actor,
        ),
    ]
    order = list(AnomalyKind)
    return sorted(found, key=lambda one: (order.index(one.kind), -one.count, one.about))


def _many_looks(looks: Sequence[Act], *, usual: Mapping[str, float], limits: AuditLimits) -> list[Anomaly]:
    groups = _groups(
        AnomalyKind.MANY_LOOKS,
        looks,
        by=_actor,
        least=lambda actor: max(limits.looks_least, limits.looks_multiple * usual.get(actor, 0.0)),
        counting=lambda act: act.subject,
    )
    return [
        Anomaly(
            kind=one.kind,
            about=one.about,
            count=one.count,
            usual=usual.get(one.about, 0.0),
            entry_ids=one.entry_ids,
        )
        for one in groups
    ]


def _groups(
    kind: AnomalyKind,
    acts: Iterable[Act],
    *,
    by: Callable[[Act], str],
    least: Callable[[str], float],
    counting: Callable[[Act], object] = lambda act: act.id,
) -> list[Anomaly]:
    """One finding for each group of acts in which enough different things are counted."""
    groups: dict[str, list[Act]] = {}
    for act in acts:
        groups.setdefault(by(act), []).append(act)
    counts = {about: len({counting(act) for act in group}) for about, group in groups.items()}
    return [
        Anomaly(
            kind=kind,
            about=about,
            count=counts[about],
            usual=None,
            entry_ids=tuple(act.id for act in group[:_MOST_NAMED]),
        )
        for about, group in groups.items()
        if counts[about] >= least(about)
    ]


def _actor(act: Act) -> str:
    return act.actor
