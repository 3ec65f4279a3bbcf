"""All routes that programs call, in the order in which they are documented; what `main` plugs in."""

from app.api import (
    accounts,
    areas,
    audit,
    auth,
    callbacks,
    duties,
    feed,
    grants,
    health,
    kiosks,
    matches,
    me,
    occupations,
    postings,
    schema,
    workers,
)

ROUTERS = (
    areas.router,
    occupations.router,
    postings.router,
    matches.router,
    feed.router,
    auth.router,
    me.router,
    accounts.router,
    kiosks.router,
    workers.router,
    grants.router,
    audit.router,
    duties.router,
    callbacks.router,
    health.router,
    schema.router,
)

# Paths below which a client is a program, whatever it says it accepts.
DATA_PATHS = ("/api/", "/health/", "/metrics", "/openapi.json")
