"""All routes that programs call, in the order in which they are documented; what `main` plugs in."""

from app.api import accounts, areas, auth, callbacks, duties, feed, health, matches, occupations, postings, schema

ROUTERS = (
    areas.router,
    occupations.router,
    postings.router,
    matches.router,
    feed.router,
    auth.router,
    accounts.router,
    duties.router,
    callbacks.router,
    health.router,
    schema.router,
)

# Paths below which a client is a program, whatever it says it accepts.
DATA_PATHS = ("/api/", "/health/", "/metrics", "/openapi.json")
