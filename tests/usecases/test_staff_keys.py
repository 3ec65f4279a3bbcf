"""Whom a member of staff is answered about: as the table of permissions has it."""

from contextlib import suppress

import pytest

from app.domain.permissions import Action, Relation, Role, may
from app.kit.errors import NotFound
from app.usecases.staff_keys import Staff

BROKER = Staff(actor="broker/b-1", broker="b-1", district=None)
CLERK = Staff(actor="clerk/k-1", broker=None, district="500237")
OFFICER = Staff(actor="officer/o-1", broker=None, district="500237")
CITY = Staff(actor="officer/o-2", broker=None, district=None)


def test_each_acts_in_the_role_they_sign_in_and_the_city_is_a_role_of_its_own() -> None:
    roles = [staff.role for staff in (BROKER, CLERK, OFFICER, CITY)]
    assert roles == [Role.BROKER, Role.CLERK, Role.OFFICER, Role.MUNICIPAL]


@pytest.mark.parametrize("staff", [BROKER, CLERK, OFFICER, CITY])
def test_a_question_is_narrowed_to_what_the_table_allows(staff: Staff) -> None:
    # To be answered about everybody in another district, about one's own district, about another's cases.
    asked = {Relation.OTHER: {"district": "500101"}, Relation.DISTRICT: {"district": "500237"}}
    if staff is BROKER:
        asked = {Relation.OTHER: {"broker": "b-2"}, Relation.CASELOAD: {"broker": "b-1"}}
    for relation, question in asked.items():
        found = None
        with suppress(NotFound):
            found = staff.narrowed(**{"broker": None, "district": None} | question)
        assert (found is not None) is may(staff.role, Action.SEE_DUE, relation)
    assert staff.narrowed(broker=None, district=None) == (staff.broker, staff.district)
