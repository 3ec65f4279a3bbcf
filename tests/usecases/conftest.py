"""Fixtures of a furnished house, for the tests of what people do."""

from tests.houses import furnished, house, postgresql_reference, sqlite_reference

__all__ = ["furnished", "house", "postgresql_reference", "sqlite_reference"]
