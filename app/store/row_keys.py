"""Row-level security in PostgreSQL seen from here: its keys, the rights of the service's role, and whether it holds.

The keys check what `kit.row_contexts` signs. The role that the service connects as cannot read them, nor change what
is only appended; whoever owns the tables stores and grants.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kit.database import Base
from app.kit.row_contexts import Pads


class RowKey(Base):
    """One version of the key, padded as HMAC uses it. Empty on SQLite."""

    __tablename__ = "row_keys"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    inner_pad: Mapped[bytes] = mapped_column(LargeBinary)
    outer_pad: Mapped[bytes] = mapped_column(LargeBinary)


def has_policies(session: Session) -> bool:
    """Whether this database narrows by itself: PostgreSQL, migrated far enough."""
    if session.get_bind().dialect.name != "postgresql":
        return False
    return session.scalar(text("SELECT to_regproc('rows_reach') IS NOT NULL")) is True


def sees_everybody(session: Session) -> bool:
    """Whether the database believes this transaction that it sees everybody's rows; SQLite believes anything."""
    return not has_policies(session) or session.scalar(text("SELECT rows_reach()")) == "everybody"


def may_store_row_keys(session: Session) -> bool:
    """Whether this role may keep the keys that contexts are checked with."""
    each = (f"has_table_privilege('row_keys', '{right}')" for right in ("SELECT", "INSERT", "UPDATE"))
    return session.scalar(text(f"SELECT {' AND '.join(each)}")) is True


def store_row_keys(session: Session, keys: Mapping[int, Pads]) -> None:
    """Keep these keys; what stood there under their versions goes."""
    rows = [
        {"version": version, "inner_pad": pads.inner, "outer_pad": pads.outer} for version, pads in sorted(keys.items())
    ]
    adding = insert(RowKey)
    changed = {"inner_pad": adding.excluded.inner_pad, "outer_pad": adding.excluded.outer_pad}
    session.connection().execute(adding.on_conflict_do_update(index_elements=["version"], set_=changed), rows)


# --- roles ------------------------------------------------------------------------------------------------------------

APPEND_ONLY = ("ledger", "ledger_leaves", "ledger_checkpoints", "audit_entries")
"""Tables in which the service changes and takes away nothing."""
_READ_ONLY = ("alembic_version",)


def find_role(session: Session) -> str:
    """As whom this session is connected."""
    return str(session.scalar(text("SELECT current_user")))


def grant_to(session: Session, role: str) -> None:
    """Give the service's role what it needs in this schema, now and of tables to come, and take back what it does not.

    For whoever owns the tables; again, it changes nothing.
    """
    quote = session.connection().dialect.identifier_preparer.quote
    schema, grantee = quote(str(session.scalar(text("SELECT current_schema()")))), quote(role)
    statements = [
        f"GRANT USAGE ON SCHEMA {schema} TO {grantee}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {grantee}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {grantee}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {grantee}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {grantee}",
        f"REVOKE ALL ON {schema}.row_keys FROM {grantee}",
        *(f"REVOKE UPDATE, DELETE, TRUNCATE ON {schema}.{table} FROM {grantee}" for table in APPEND_ONLY),
        *(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {schema}.{table} FROM {grantee}" for table in _READ_ONLY),
    ]
    for statement in statements:
        session.connection().exec_driver_sql(statement)


def list_weaknesses(session: Session, tables: Collection[str]) -> list[str]:
    """What makes row-level security no second line for this session's role, a Chinese sentence each.

    Args:
        session: of the role that the service connects as.
        tables: those that hold rows about people.
    """
    found = []
    role = session.execute(
        text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    ).one_or_none()
    if role is None or role.rolsuper:
        found.append("服务用的数据库角色是超级用户")
    elif role.rolbypassrls:
        found.append("服务用的数据库角色有 BYPASSRLS")
    rows = session.execute(
        text(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS is_forced,"
            " pg_has_role(current_user, relowner, 'MEMBER') AS is_owned"
            " FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
        )
    ).all()
    if any(row.is_owned for row in rows):
        found.append("服务用的数据库角色是表的主人，或者能变成主人")
    forced = {row.relname for row in rows if row.is_forced}
    if open_tables := sorted({*tables} - forced):
        found.append(f"这些表没有强制行级安全：{'、'.join(open_tables)}")
    return found
