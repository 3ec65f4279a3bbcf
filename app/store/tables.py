"""Every table of the service, imported once so that `Base.metadata` is whole for migrations.

A new noun adds its line here; a table that is missing here is missing in the database.
"""

from app.kit.database import Base
from app.store import (
    areas,
    audit,
    briefings,
    brokers,
    consents,
    courses,
    employers,
    idempotency_keys,
    identities,
    industries,
    key_checks,
    ledger,
    occupations,
    policies,
    postings,
    pushes,
    slips,
    spells,
    staff_keys,
    workers,
)

TABLES = (
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
    pushes,
    slips,
    spells,
    staff_keys,
    workers,
)
METADATA = Base.metadata
