"""Who may do what to whose things: one table. Whatever is not in it is not allowed.

A role alone says little: a broker may see what is owed to the people in their own care and to nobody else. So each
entry names the relations in which the role stands to what the deed is about. Rules of the trade, section 10; least
privilege as in OWASP ASVS 5.0, 8.2.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar


class Role(StrEnum):
    """As what somebody acts.

    ANYBODY brings no credentials. BEARER brings a code or link that was given to one person, on paper or in a message,
    and is good for one thing of theirs. PROVIDER is a gateway that signs what it tells. The three administrators are
    never one person, and none of them sees personal data.
    """

    ANYBODY = "anybody"
    BEARER = "bearer"
    SEEKER = "seeker"
    KIOSK = "kiosk"
    EMPLOYER = "employer"
    PROVIDER = "provider"
    BROKER = "broker"
    CLERK = "clerk"
    OFFICER = "officer"
    MUNICIPAL = "municipal"
    AUDITOR = "auditor"
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"

    @property
    def label(self) -> str:
        return _ROLE_LABELS[self]


_ROLE_LABELS = {
    Role.ANYBODY: "没有登录的人",
    Role.BEARER: "拿着本人链接或编号的人",
    Role.SEEKER: "求职者",
    Role.KIOSK: "驿站终端",
    Role.EMPLOYER: "用人单位",
    Role.PROVIDER: "短信等服务商",
    Role.BROKER: "劳务经纪人",
    Role.CLERK: "驿站经办人",
    Role.OFFICER: "区县工作人员",
    Role.MUNICIPAL: "市级工作人员",
    Role.AUDITOR: "审计人员",
    Role.SYSTEM_ADMIN: "系统管理员",
    Role.SECURITY_ADMIN: "安全管理员",
    Role.AUDIT_ADMIN: "审计管理员",
}


class Relation(StrEnum):
    """How somebody stands to what a deed is about.

    PUBLIC: it is about nobody. OWN: about themselves. CASELOAD: about somebody in their care. DISTRICT: about somebody
    at home in the district that they work for. OTHER: about anybody else. ERASED: about somebody who was erased.
    """

    PUBLIC = "public"
    OWN = "own"
    CASELOAD = "caseload"
    DISTRICT = "district"
    OTHER = "other"
    ERASED = "erased"


class Action(StrEnum):
    """A deed that a route does."""

    SEE_AREAS = "see_areas"
    SEE_OCCUPATIONS = "see_occupations"
    SEE_POSTINGS = "see_postings"
    MATCH = "match"
    READ_FEED = "read_feed"
    REPORT_POSTING = "report_posting"
    SEE_REPORT = "see_report"
    READ_ABOUT = "read_about"
    SEE_ASSETS = "see_assets"
    SEE_HEALTH = "see_health"
    SEE_METRICS = "see_metrics"
    READ_SCHEMA = "read_schema"
    TELL_RECEIPTS = "tell_receipts"
    SEE_PUSH = "see_push"
    ANSWER_PUSH = "answer_push"
    SEE_INBOX = "see_inbox"
    CHECK_RECEIPT = "check_receipt"
    SEE_DUE = "see_due"
    LOG_IN = "log_in"
    SEE_OWN_SESSIONS = "see_own_sessions"
    END_OWN_SESSIONS = "end_own_sessions"
    SET_UP_ACCOUNT = "set_up_account"
    SHOW_FACTOR = "show_factor"
    SEE_ACCOUNTS = "see_accounts"
    CHANGE_ACCOUNTS = "change_accounts"
    SEE_KIOSKS = "see_kiosks"
    CHANGE_KIOSKS = "change_kiosks"
    TELL_KIOSK = "tell_kiosk"
    LET_IN_AT_KIOSK = "let_in_at_kiosk"
    ASSIST_AT_KIOSK = "assist_at_kiosk"
    SEE_WORKERS = "see_workers"
    UNMASK_WORKER = "unmask_worker"
    BREAK_GLASS = "break_glass"
    SEE_GRANTS = "see_grants"
    SEE_AUDIT = "see_audit"
    SEE_OWN_DATA = "see_own_data"
    CHANGE_OWN_DATA = "change_own_data"
    EXPORT_OWN_DATA = "export_own_data"
    ERASE_OWN_DATA = "erase_own_data"


_Grants = Mapping[Role, frozenset[Relation]]
_TO_ALL: _Grants = {role: frozenset({Relation.PUBLIC}) for role in Role}
_STAFF = (
    Role.BROKER,
    Role.CLERK,
    Role.OFFICER,
    Role.MUNICIPAL,
    Role.AUDITOR,
    Role.SYSTEM_ADMIN,
    Role.SECURITY_ADMIN,
    Role.AUDIT_ADMIN,
)
_TO_STAFF: _Grants = {role: frozenset({Relation.OWN}) for role in _STAFF}


def _to(**grants: tuple[Relation, ...]) -> _Grants:
    return {Role(name): frozenset(relations) for name, relations in grants.items()}


_THEIR_PEOPLE = _to(
    broker=(Relation.CASELOAD,),
    clerk=(Relation.DISTRICT,),
    officer=(Relation.DISTRICT,),
    municipal=(Relation.DISTRICT, Relation.OTHER),
)

TABLE: Mapping[Action, _Grants] = {
    Action.SEE_AREAS: _TO_ALL,
    Action.SEE_OCCUPATIONS: _TO_ALL,
    Action.SEE_POSTINGS: _TO_ALL,
    Action.MATCH: _TO_ALL,
    Action.READ_FEED: _TO_ALL,
    Action.REPORT_POSTING: _TO_ALL,
    Action.READ_ABOUT: _TO_ALL,
    Action.SEE_ASSETS: _TO_ALL,
    # What a machine that looks after this one asks: numbers of the service, of nobody.
    Action.SEE_HEALTH: _TO_ALL,
    Action.SEE_METRICS: _TO_ALL,
    Action.READ_SCHEMA: _TO_ALL,
    Action.TELL_RECEIPTS: _to(provider=(Relation.PUBLIC,)),
    # A link or a code is a key to one thing of one person, and shows neither name nor number.
    Action.SEE_REPORT: _to(bearer=(Relation.OWN,)),
    Action.SEE_PUSH: _to(bearer=(Relation.OWN,)),
    Action.ANSWER_PUSH: _to(bearer=(Relation.OWN,)),
    Action.SEE_INBOX: _to(bearer=(Relation.OWN,)),
    Action.CHECK_RECEIPT: _to(bearer=(Relation.OWN, Relation.ERASED)),
    Action.LOG_IN: _TO_ALL,
    # A session belongs to whoever logged in, whatever they are.
    Action.SEE_OWN_SESSIONS: {**_TO_STAFF, **_to(seeker=(Relation.OWN,), employer=(Relation.OWN,))},
    Action.END_OWN_SESSIONS: {**_TO_STAFF, **_to(seeker=(Relation.OWN,), employer=(Relation.OWN,))},
    Action.SET_UP_ACCOUNT: _TO_STAFF,
    Action.SHOW_FACTOR: _TO_STAFF,
    # What is stored of a job-seeker, and what they were sent: theirs alone, whoever else may see some of it elsewhere.
    Action.SEE_OWN_DATA: _to(seeker=(Relation.OWN,)),
    Action.CHANGE_OWN_DATA: _to(seeker=(Relation.OWN,)),
    Action.EXPORT_OWN_DATA: _to(seeker=(Relation.OWN,)),
    Action.ERASE_OWN_DATA: _to(seeker=(Relation.OWN,)),
    # Accounts hold no personal data; whoever hands them out sees nothing of what they open.
    Action.SEE_ACCOUNTS: _to(security_admin=(Relation.PUBLIC,), auditor=(Relation.PUBLIC,)),
    Action.CHANGE_ACCOUNTS: _to(security_admin=(Relation.PUBLIC,)),
    # A device key names a device and nobody.
    Action.SEE_KIOSKS: _to(system_admin=(Relation.PUBLIC,)),
    Action.CHANGE_KIOSKS: _to(system_admin=(Relation.PUBLIC,)),
    Action.TELL_KIOSK: _to(kiosk=(Relation.PUBLIC,)),
    # Whoever stands before it shows who they are; the device itself sees nobody's things.
    Action.LET_IN_AT_KIOSK: _to(kiosk=(Relation.PUBLIC,)),
    Action.ASSIST_AT_KIOSK: _to(broker=(Relation.CASELOAD,), clerk=(Relation.DISTRICT,)),
    Action.SEE_WORKERS: _THEIR_PEOPLE,
    Action.UNMASK_WORKER: _THEIR_PEOPLE,
    # Only who stands at a counter and answers for a district; the city sees everybody, a broker their own cases.
    Action.BREAK_GLASS: _to(clerk=(Relation.OTHER,), officer=(Relation.OTHER,)),
    Action.SEE_GRANTS: _to(
        clerk=(Relation.OWN,),
        officer=(Relation.OWN, Relation.DISTRICT),
        municipal=(Relation.DISTRICT, Relation.OTHER),
    ),
    # Acts, with people as numbers.
    Action.SEE_AUDIT: _to(audit_admin=(Relation.PUBLIC,), auditor=(Relation.PUBLIC,)),
    # People as numbers; who was erased is not counted as somebody who lacks something.
    Action.SEE_DUE: _to(
        broker=(Relation.CASELOAD,),
        clerk=(Relation.DISTRICT,),
        officer=(Relation.DISTRICT,),
        municipal=(Relation.DISTRICT, Relation.OTHER),
    ),
}


def may(role: Role, action: Action, relation: Relation) -> bool:
    """Whether the table lets a role do something to what stands to them so."""
    return relation in TABLE[action].get(role, frozenset())


_Route = TypeVar("_Route", bound=Callable[..., object])
_DECLARED = "__permission__"


def permits(action: Action) -> Callable[[_Route], _Route]:
    """Declare what a route does; the application does not start with a route that does not say so."""

    def declare(route: _Route) -> _Route:
        setattr(route, _DECLARED, action)
        return route

    return declare


def declared(route: object) -> Action | None:
    """What a route has declared that it does."""
    found: Action | None = getattr(route, _DECLARED, None)
    return found
