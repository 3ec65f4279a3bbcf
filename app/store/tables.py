"""Every table of the service, imported once so that `Base.metadata` is whole for migrations.

A new noun adds its line here; a table that is missing here is missing in the database.
"""

from app.kit.database import Base
from app.store import (
    accounts,
    areas,
    audit,
    briefings,
    brokers,
    consents,
    courses,
    employer_contacts,
    employers,
    idempotency_keys,
    identities,
    industries,
    key_checks,
    ledger,
    occupations,
    phone_codes,
    policies,
    postings,
    pushes,
    row_keys,
    sessions,
    slips,
    spells,
    staff_keys,
    tries,
    workers,
)

TABLES = (
    accounts,
    areas,
    audit,
    briefings,
    brokers,
    consents,
    courses,
    employers,
    identities,
    idempotency_keys,
    industries,
    key_checks,
    ledger,
    occupations,
    policies,
    postings,
    phone_codes,
    sessions,
    employer_contacts,
    pushes,
    row_keys,
    slips,
    spells,
    staff_keys,
    tries,
    workers,
)
METADATA = Base.metadata
