"""Fixtures of a furnished house, for the loops that run beside the server."""

from tests.houses import furnished, house, postgresql_reference, sqlite_reference

__all__ = ["furnished", "house", "postgresql_reference", "sqlite_reference"]
