"""row-level security: PostgreSQL shows a transaction the rows of the people whom its signed context names.

Revision ID: 0011
Revises: 0010
Created: 2026-11-29
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Whose row it is, by table. The ledger's keys have 0 for the office, whom nobody but who sees everybody sees.
OF_PEOPLE = {
    "worker_statuses": "worker_id",
    "identities": "worker_id",
    "consents": "worker_id",
    "spells": "worker_id",
    "pushes": "worker_id",
    "follow_ups": "worker_id",
    "slips": "worker_id",
    "ledger": "worker_id",
    "ledger_keys": "worker_id",
    "sessions": "worker_id",
}
OF_PUSHES = {"push_changes": "push_id", "outbox": "push_id"}
OF_NOBODY_KNOWN = ("receipts",)
PROTECTED = ("workers", "cases", *OF_PEOPLE, *OF_PUSHES, *OF_NOBODY_KNOWN)

# Each call stands in a sub-select, so that it is made once a statement and not once a row, and only if it is needed.
# What gives several values gives a set: a function that gives an array would be called by the planner too, to estimate.
_ALL = "(SELECT {schema}.rows_reach()) = 'everybody'"
_NAMED = "{column} IN (SELECT {schema}.rows_people())"
_AT_HOME = (
    "CASE WHEN (SELECT {schema}.rows_reach()) = 'districts'"
    " THEN EXISTS (SELECT 1 FROM {schema}.workers AS person WHERE person.id = {column}) ELSE false END"
)

# What was signed, in six parts, or no row. The signature is HMAC-SHA256 as RFC 2104 has it, out of the hash that
# PostgreSQL brings. Nothing here raises: whatever was set by whomever, the answer is somebody's rows or nobody's.
_VIEWER = """
CREATE FUNCTION {schema}.rows_viewer() RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told text := current_setting('jiujin.rows', true);
    parts text[];
    pads record;
    message bytea;
BEGIN
    IF told IS NULL OR told !~ '^[0-9]{{1,9}}[|][0-9]{{1,9}}[|][0-9]{{1,12}}[|][0-9a-f]{{64}}[|][^|]+$' THEN
        RETURN NULL;
    END IF;
    parts := string_to_array(told, '|');
    IF parts[2]::bigint <> pg_backend_pid()
        OR abs(extract(epoch FROM transaction_timestamp()) - parts[3]::bigint) > 300 THEN
        RETURN NULL;
    END IF;
    SELECT inner_pad, outer_pad INTO pads FROM {schema}.row_keys WHERE version = parts[1]::bigint;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    message := convert_to(parts[1] || '|' || parts[2] || '|' || parts[3] || '|' || parts[5], 'UTF8');
    IF encode(sha256(pads.outer_pad || sha256(pads.inner_pad || message)), 'hex') <> parts[4] THEN
        RETURN NULL;
    END IF;
    RETURN string_to_array(parts[5], ';');
END $$
"""

_REACH = """
CREATE FUNCTION {schema}.rows_reach() RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT coalesce(({schema}.rows_viewer())[1], 'nobody') $$
"""

_DISTRICTS = """
CREATE FUNCTION {schema}.rows_districts() RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT unnest(string_to_array(nullif(({schema}.rows_viewer())[4], ''), ',')) $$
"""

# The broker whose own cases are seen; read here, and not in the policy, so that a caseload costs one look.
_BROKER = """
CREATE FUNCTION {schema}.rows_broker() RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    viewer text[] := {schema}.rows_viewer();
BEGIN
    IF viewer IS NULL OR viewer[1] <> 'caseload' THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT id FROM {schema}.brokers WHERE code = viewer[3]);
END $$
"""

_TODAY = """
CREATE FUNCTION {schema}.rows_today() RETURNS date
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT nullif(({schema}.rows_viewer())[6], '')::date $$
"""

# People who are known by their numbers, without those of a caseload: no table is read for them.
_NUMBERED = """
CREATE FUNCTION {schema}.rows_named() RETURNS SETOF integer
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    viewer text[] := {schema}.rows_viewer();
BEGIN
    IF viewer[1] = 'own' THEN
        RETURN NEXT viewer[2]::integer;
    END IF;
    RETURN QUERY SELECT unnest(string_to_array(nullif(viewer[5], ''), ','))::integer;
END $$
"""

# The policies hold for the owner too, as whom this reads `cases`: of those it sees the broker's own, by a policy that
# asks for no person. Through a function, because policies of tables that name each other would go round in a circle.
_PEOPLE = """
CREATE FUNCTION {schema}.rows_people() RETURNS SETOF integer
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broker integer := {schema}.rows_broker();
    today date := {schema}.rows_today();
BEGIN
    RETURN QUERY SELECT {schema}.rows_named();
    IF broker IS NOT NULL THEN
        RETURN QUERY SELECT worker_id FROM {schema}.cases
            WHERE broker_id = broker AND valid_from <= today AND (valid_to IS NULL OR valid_to >= today);
    END IF;
END $$
"""

_FUNCTIONS = {
    "rows_viewer": _VIEWER,
    "rows_reach": _REACH,
    "rows_districts": _DISTRICTS,
    "rows_broker": _BROKER,
    "rows_today": _TODAY,
    "rows_named": _NUMBERED,
    "rows_people": _PEOPLE,
}


def upgrade() -> None:
    op.create_table(
        "row_keys",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("inner_pad", sa.LargeBinary(), nullable=False),
        sa.Column("outer_pad", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_row_keys")),
    )
    # SQLite has neither roles nor policies: there the table stays empty, and the application narrows alone.
    if op.get_bind().dialect.name == "sqlite":
        return
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    # Past SQLAlchemy, which would take the colons of casts for parameters.
    for body in _FUNCTIONS.values():
        op.get_bind().exec_driver_sql(body.format(schema=schema))

    seen = f"{_ALL} OR {_NAMED} OR {_AT_HOME}"
    _protect(schema, "workers", _OF_WORKERS)
    for table, column in OF_PEOPLE.items():
        _protect(schema, table, seen, column=column)
    for table, column in OF_PUSHES.items():
        whose = "EXISTS (SELECT 1 FROM {schema}.pushes AS push WHERE push.id = {column})"
        _protect(schema, table, f"{_ALL} OR {whose}", column=column)
    for table in OF_NOBODY_KNOWN:
        _protect(schema, table, _ALL)
    # Whoever could write a case of their own would see whom they like: brokers read theirs and write none.
    _protect(schema, "cases", f"{_ALL} OR {_AT_HOME}", column="worker_id")
    _run(schema, f"CREATE POLICY rows_own ON {{schema}}.cases FOR SELECT USING ({_OF_CASES})")


_OF_WORKERS = (
    f"{_ALL} OR id IN (SELECT {{schema}}.rows_people())"
    " OR left(home_area_code, 6) IN (SELECT {schema}.rows_districts())"
)
_OF_CASES = (
    "worker_id IN (SELECT {schema}.rows_named())"
    " OR (broker_id = (SELECT {schema}.rows_broker()) AND valid_from <= (SELECT {schema}.rows_today())"
    " AND (valid_to IS NULL OR valid_to >= (SELECT {schema}.rows_today())))"
)


def _protect(schema: str, table: str, rule: str, *, column: str = "") -> None:
    """Show and let write the rows of a table that a rule names, the owner's too."""
    _run(schema, f"ALTER TABLE {{schema}}.{table} ENABLE ROW LEVEL SECURITY")
    _run(schema, f"ALTER TABLE {{schema}}.{table} FORCE ROW LEVEL SECURITY")
    # In a sub-select of its own table a bare name would be that one's.
    rule = rule.replace("{column}", f"{table}.{column}")
    _run(schema, f"CREATE POLICY rows_seen ON {{schema}}.{table} USING ({rule}) WITH CHECK ({rule})")


def _run(schema: str, statement: str) -> None:
    op.get_bind().exec_driver_sql(statement.format(schema=schema))


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP POLICY rows_own ON cases")
        for table in PROTECTED:
            op.execute(f"DROP POLICY rows_seen ON {table}")
            op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        for name in reversed(_FUNCTIONS):
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("row_keys")
