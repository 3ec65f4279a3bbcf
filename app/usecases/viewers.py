"""Whose rows somebody of the staff sees."""

from datetime import date

from app.domain.permissions import Role
from app.domain.viewers import EVERYBODY, NOBODY, Reach, Viewer
from app.usecases.areas import AreaBook


def staff_viewer(role: Role, *, broker: str | None, district: str | None, areas: AreaBook, today: date) -> Viewer:
    """A broker's cases, the people at home in a clerk's or an officer's district, or everybody for the city.

    Homes are kept as they were told: of a district that was given a new code its earlier ones lead to it too. Auditors
    and administrators see nobody this way: what they look at is no row about people.
    """
    if role is Role.BROKER and broker is not None:
        return Viewer(reach=Reach.CASELOAD, broker=broker, today=today)
    if role in (Role.CLERK, Role.OFFICER) and district is not None:
        return Viewer(reach=Reach.DISTRICTS, districts=areas.codes_of(district))
    return EVERYBODY if role is Role.MUNICIPAL else NOBODY
