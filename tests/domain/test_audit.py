"""What in the audit is worth a look, and what is everyday work."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import count

import pytest

from app.domain.audit import (
    BREAK_GLASS,
    LIST_REASON,
    LOGIN_FAILED,
    NO_ACCOUNT,
    READ,
    UNMASK,
    Act,
    AnomalyKind,
    AuditLimits,
    find_anomalies,
)

NOON = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)
LIMITS = AuditLimits(
    looks_least=5,
    looks_multiple=3,
    night_from=time(22),
    night_until=time(6),
    night_looks=2,
    failed_logins=3,
    unknown_logins=6,
    unmaskings=2,
    one_person=3,
)
_ids = count(1)


def act(actor: str, subject: str, *, action: str = READ, at: datetime = NOON, detail: str = "", why: str = "") -> Act:
    return Act(
        id=next(_ids), happened_at=at, actor=actor, action=action, subject=subject, detail=detail, why=why or "look"
    )


def looks(actor: str, number: int, **given: datetime | str) -> list[Act]:
    return [act(actor, f"workers/{each}", **given) for each in range(number)]  # type: ignore[arg-type]


def told(acts: list[Act], usual: dict[str, float] | None = None) -> list[tuple[AnomalyKind, str, int]]:
    return [(one.kind, one.about, one.count) for one in find_anomalies(acts, usual=usual or {}, limits=LIMITS)]


def test_many_looks_are_told_against_what_is_usual_for_whoever_looks() -> None:
    acts = looks("broker/b-1", 5)
    assert told(acts) == [(AnomalyKind.MANY_LOOKS, "broker/b-1", 5)]
    assert told(acts, {"broker/b-1": 1.6}) == [(AnomalyKind.MANY_LOOKS, "broker/b-1", 5)]
    assert told(acts, {"broker/b-1": 1.7}) == []
    assert told(acts[:4]) == []


def test_the_same_person_again_a_list_and_a_machine_are_no_looks() -> None:
    again = [act("broker/b-1", "workers/7") for _ in range(9)]
    listed = looks("broker/b-1", 40, why=LIST_REASON)
    machine = looks("dispatch", 40)
    assert told([*again, *listed, *machine]) == []


@pytest.mark.parametrize(
    ("hour", "is_night"), [(21, False), (22, True), (23, True), (0, True), (5, True), (6, False), (12, False)]
)
def test_nights_are_those_of_china_and_go_over_midnight(hour: int, is_night: bool) -> None:
    at = datetime(2026, 12, 1, 16, 0, tzinfo=UTC) + timedelta(hours=hour)  # midnight in Chongqing, and so many hours
    found = told(looks("clerk/k-1", 2, at=at))
    assert found == ([(AnomalyKind.NIGHT_LOOKS, "clerk/k-1", 2)] if is_night else [])


def test_each_break_glass_is_told() -> None:
    assert told([act("clerk/k-1", "workers/1", action=BREAK_GLASS)]) == [(AnomalyKind.BREAK_GLASS, "clerk/k-1", 1)]


def test_failed_log_ins_count_by_account_and_more_leniently_where_there_is_none() -> None:
    failed = [act("accounts/a", "accounts/a", action=LOGIN_FAILED) for _ in range(3)]
    unknown = [act(NO_ACCOUNT, NO_ACCOUNT, action=LOGIN_FAILED) for _ in range(5)]
    assert told([*failed, *unknown]) == [(AnomalyKind.FAILED_LOGINS, "accounts/a", 3)]
    assert told([*failed[:2], *unknown, act(NO_ACCOUNT, NO_ACCOUNT, action=LOGIN_FAILED)]) == [
        (AnomalyKind.FAILED_LOGINS, NO_ACCOUNT, 6)
    ]


def test_unmasking_ones_own_cases_is_work_and_others_is_told() -> None:
    def unmask(detail: str) -> list[Act]:
        return [act("broker/b-1", f"workers/{each}", action=UNMASK, detail=detail) for each in range(2)]

    assert told(unmask("caseload")) == []
    assert told(unmask("district")) == [(AnomalyKind.FOREIGN_UNMASKINGS, "broker/b-1", 2)]
    assert told(unmask("other")) == [(AnomalyKind.FOREIGN_UNMASKINGS, "broker/b-1", 2)]


def test_a_person_at_whom_many_look_is_told_whom_one_looks_at_often_is_not() -> None:
    many = [act(f"broker/b-{each}", "workers/7") for each in range(3)]
    assert told(many) == [(AnomalyKind.WATCHED_PERSON, "workers/7", 3)]
    assert told([*many[:2], act("broker/b-0", "workers/7")]) == []
    (found,) = find_anomalies(many, usual={}, limits=LIMITS)
    assert found.entry_ids == tuple(each.id for each in many)


def test_every_kind_has_its_words() -> None:
    assert len({kind.label for kind in AnomalyKind}) == len(AnomalyKind)
