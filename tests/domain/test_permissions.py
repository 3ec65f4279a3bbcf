"""The table of permissions: complete, and as narrow as the rules say."""

import pytest

from app.domain.permissions import TABLE, Action, Relation, Role, may

ADMINS = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
PERSONAL = frozenset(Relation) - {Relation.PUBLIC}
THEIR_OWN_ACCOUNT = {Action.SEE_OWN_SESSIONS, Action.END_OWN_SESSIONS, Action.SET_UP_ACCOUNT, Action.SHOW_FACTOR}


def test_every_action_is_in_the_table_and_everybody_has_a_label() -> None:
    assert TABLE.keys() == set(Action)
    assert all(role.label for role in Role)


def test_what_is_not_in_the_table_is_not_allowed() -> None:
    assert not may(Role.SEEKER, Action.SEE_DUE, Relation.OWN)
    assert not may(Role.ANYBODY, Action.SEE_INBOX, Relation.OWN)
    assert not may(Role.PROVIDER, Action.SEE_POSTINGS, Relation.OWN)


@pytest.mark.parametrize("role", [*ADMINS, Role.ANYBODY, Role.PROVIDER])
def test_who_looks_after_machines_or_brings_nothing_comes_near_nobodys_things(role: Role) -> None:
    others = set(Action) - THEIR_OWN_ACCOUNT
    assert not any(may(role, action, relation) for action in others for relation in PERSONAL)
    assert not any(may(role, action, relation) for action in Action for relation in PERSONAL - {Relation.OWN})


def test_what_one_administrator_does_no_other_does() -> None:
    deeds = {
        role: {action for action in Action if may(role, action, Relation.PUBLIC)}
        - {action for action in Action if may(Role.ANYBODY, action, Relation.PUBLIC)}
        for role in ADMINS
    }
    for one in ADMINS:
        for other in ADMINS:
            assert one is other or not deeds[one] & deeds[other]


def test_a_broker_sees_their_own_cases_a_district_its_own_and_the_city_all() -> None:
    seen = {
        role: {relation for relation in Relation if may(role, Action.SEE_DUE, relation)}
        for role in Role
        if any(may(role, Action.SEE_DUE, relation) for relation in Relation)
    }
    assert seen == {
        Role.BROKER: {Relation.CASELOAD},
        Role.CLERK: {Relation.DISTRICT},
        Role.OFFICER: {Relation.DISTRICT},
        Role.MUNICIPAL: {Relation.DISTRICT, Relation.OTHER},
    }


def test_people_are_seen_and_unmasked_by_those_who_see_what_is_owed_to_them() -> None:
    assert TABLE[Action.SEE_WORKERS] == TABLE[Action.UNMASK_WORKER] == TABLE[Action.SEE_DUE]


def test_glass_is_broken_at_a_counter_alone_and_the_audit_read_by_those_who_do_nothing_else() -> None:
    def who(action: Action) -> set[Role]:
        return {role for role in Role if any(may(role, action, relation) for relation in Relation)}

    assert who(Action.BREAK_GLASS) == {Role.CLERK, Role.OFFICER}
    assert who(Action.SEE_AUDIT) == {Role.AUDITOR, Role.AUDIT_ADMIN}
    assert who(Action.CHANGE_KIOSKS) == who(Action.SEE_KIOSKS) == {Role.SYSTEM_ADMIN}
    assert who(Action.LET_IN_AT_KIOSK) == who(Action.TELL_KIOSK) == {Role.KIOSK}
    assert not any(may(Role.AUDITOR, action, relation) for action in Action for relation in (Relation.DISTRICT,))
