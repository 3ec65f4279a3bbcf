"""Every table of the service, imported once so that `Base.metadata` is whole for migrations.

A new noun adds its line here; a table that is missing here is missing in the database.
"""

from app.kit.database import Base
from app.store import (
    areas,
    audit,
    employers,
    idempotency_keys,
    identities,
    industries,
    key_checks,
    occupations,
    policies,
    postings,
    workers,
)

TABLES = (
    areas,
    audit,
    employers,
    identities,
    idempotency_keys,
    industries,
    key_checks,
    occupations,
    policies,
    postings,
    workers,
)
METADATA = Base.metadata
