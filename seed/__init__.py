"""What a new database is filled with: real reference data, and the demo's generated people and postings.

`reference` is loaded everywhere, `demo` never into a production database. The files under `data/` are the source of
the reference tables: a fact is mended there and loaded again, not in the database.
"""
