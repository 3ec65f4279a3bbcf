"""The schema's history (Alembic). Driven by `app.kit.migrations`; there is no alembic.ini.

A revision spells its types in plain SQLAlchemy and imports nothing from `app`: it must do the same in ten years.
"""
