"""Row-level security for a table that a later revision makes: the policy that revision 0011 gave the others.

It stands here so that each such table says in a line whose rows it holds; its functions are those of 0011.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op
from sqlalchemy import text

_SEEN = (
    "(SELECT {schema}.rows_reach()) = 'everybody'"
    " OR {table}.{column} IN (SELECT {schema}.rows_people())"
    " OR CASE WHEN (SELECT {schema}.rows_reach()) = 'districts'"
    " THEN EXISTS (SELECT 1 FROM {schema}.workers AS person WHERE person.id = {table}.{column}) ELSE false END"
)


def protect_people(table: str, column: str = "worker_id") -> None:
    """Show and let write the rows of a table about the people whom a viewer sees, the owner too; nothing on SQLite."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    rule = _SEEN.format(schema=schema, table=table, column=column)
    for statement in (
        f"ALTER TABLE {schema}.{table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {schema}.{table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY rows_seen ON {schema}.{table} USING ({rule}) WITH CHECK ({rule})",
    ):
        connection.exec_driver_sql(statement)


@contextmanager
def past_policies(table: str) -> Iterator[None]:
    """Let a revision change all rows of a table about people, as its owner; without this it would change none."""
    if op.get_bind().dialect.name == "sqlite":
        yield
        return
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
