"""Peers that rank in SQL: PostgreSQL with PostGIS, SQLite, DuckDB, all with the one statement of the full score.

A table holds, for each posting, what the score needs: what depends on no person is worked out at loading, by the same
code as ours. A person comes as bound parameters, closeness as an array by occupation. The statement knows no words of
a person's own (an array of 40,000 titles with each question would only slow a peer down), so people who have some are
not put to it.
"""

import math
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg
from numpy.typing import NDArray

from bench.columns import Columns, Floats, Places, Wish
from matching.search import (
    EARTH_RADIUS_KM,
    HOURS_UNKNOWN,
    PAY_UNKNOWN,
    START_UNKNOWN,
    UNKNOWN_DAY,
)
from tests import postgres

UNKNOWN = -1.0  # in columns of numbers
ANY_TIME = 99.0
NEAR_DEGREES = 0.3
SRID = 4326
_SETTINGS = (
    "shared_buffers=2GB", "work_mem=128MB", "maintenance_work_mem=1GB", "max_wal_size=8GB", "autovacuum=off",
    "max_parallel_workers_per_gather=0", "max_parallel_maintenance_workers=0", "random_page_cost=1.1", "jit=off",
    "plan_cache_mode=force_custom_plan",
)  # fmt: skip

Parameters = dict[str, Any]
Answer = tuple[Places, Floats]

# The bars that PostgreSQL asks first are the ones written first: the cheapest that keep most away.
BARS = """
    valid_until >= :today AND places_left > 0 AND ((:kinds >> kind) & 1) = 1 AND (demands & :barred_demands) = 0
    AND ((:held_sets >> certificates) & 1) = 1 AND (:is_spared = 0 OR level <> 4)
    AND (age_reason < 0 OR (age_min <= :age AND (age_max < 0 OR age_max >= :age)))
    AND (:sex < 0 OR sex < 0 OR sex = :sex) AND ends_at <= :home_by
"""
SCORE = """
SELECT {distinct} id, score FROM (
    SELECT id, (:skill_floor + (1 - :skill_floor) * :close[occupation])
        * (chance + :years[years] + :education[education + 1] + :chances[kind])
        * (:daily_km / greatest(road, :daily_km))
        * (worth + :worths[kind] + :near * exp(-(road / :decay_km))
            + :pay_share * CASE WHEN pay < 0 THEN :pay_unknown ELSE
                (CASE WHEN times < 1 THEN 0.6 * times * times ELSE 0.6 + 0.4 * least(1.0, 2 * (times - 1)) END)
                * greatest(0.0, least(1.0, 1 - (times_at_most - :bait_multiple))) END
            + :start * CASE WHEN starts < 0 THEN :start_unknown ELSE
                30 / (30 + greatest(wait, CASE WHEN :is_free_now = 1 THEN 0.0 ELSE -2 * wait END)) END
            + :hours * CASE WHEN :home_by > 24 THEN 1.0 WHEN (demands & :nights) <> 0 THEN 0.0
                WHEN ends_at < 0 THEN :hours_unknown
                ELSE greatest(0.0, least(1.0, (:home_by - ends_at - km * :hours_a_km) / 2)) END
        ) AS score
    FROM (
        SELECT *, km * detour AS road, starts - :can_start AS wait,
            pay / CASE WHEN :pay > 0 THEN :pay ELSE usual END AS times,
            pay / CASE WHEN :pay > usual THEN :pay ELSE usual END AS times_at_most
        FROM (
            SELECT *, greatest(:diameter_km * asin(least(1.0, 0.5 * sqrt(chord))), is_rough * :rough_km) AS km
            FROM (
                SELECT *, {chord} AS chord FROM {source} WHERE {chord} <= :most_chord AND {bars} {also}
            ) AS unbarred
        ) AS placed
    ) AS measured
) AS ranked ORDER BY score DESC, id LIMIT :k
"""
CHORD = "(x - :x{0}) * (x - :x{0}) + (y - :y{0}) * (y - :y{0}) + (z - :z{0}) * (z - :z{0})"
POINT = f"ST_SetSRID(ST_MakePoint(:lon{{}}, :lat{{}}), {SRID})"


def table_of(columns: Columns) -> dict[str, NDArray[Any]]:
    """The postings as the databases hold them, column by column."""
    main = columns.market.main
    return {
        "id": columns.ids,
        "x": columns.x,
        "y": columns.y,
        "z": columns.z,
        "lon": np.degrees(np.arctan2(columns.y, columns.x)),
        "lat": np.degrees(np.arcsin(columns.z)),
        "chance": columns.chance,
        "worth": columns.worth,
        "pay": np.nan_to_num(columns.pay, nan=UNKNOWN),
        "usual": columns.usual,
        "detour": columns.detour,
        "ends_at": columns.ends_at,
        "starts": np.where(columns.starts == UNKNOWN_DAY, UNKNOWN, columns.starts),
        "is_rough": columns.is_rough.astype(np.float64),
        "occupation": columns.occupation,
        "valid_until": main.rows["valid_until"].copy(),
        "places_left": np.where(main.is_open, main.left, 0).astype(np.int32),
        "demands": columns.demands.astype(np.int32),
        "certificates": columns.certificates,
        "years": columns.years,
        "kind": columns.kind.astype(np.int16),
        "level": columns.level.astype(np.int16),
        "age_min": columns.age_min,
        "age_max": columns.age_max,
        "age_reason": columns.age_reason.astype(np.int16),
        "sex": columns.sex.astype(np.int16),
        "education": columns.education.astype(np.int16),
    }


def parameters_of(columns: Columns, wish: Wish, k: int) -> Parameters:
    """A person and the weights as bound parameters; what a statement does not name is left out by `Statement`."""
    scale = columns.scale
    assert not wish.has_words
    assert not wish.is_child
    assert len(wish.lacking) < 31
    found: Parameters = {
        "k": k,
        "today": scale.today,
        "kinds": wish.kinds,
        "barred_demands": wish.barred_demands,
        "held_sets": sum(1 << at for at, lacks in enumerate(wish.lacking) if not lacks),
        "is_spared": int(wish.is_spared),
        "age": wish.age,
        "sex": wish.sex,
        "home_by": ANY_TIME if math.isnan(wish.home_by) else wish.home_by,
        "most_chord": (2 * math.sin(min(math.pi, wish.max_km / EARTH_RADIUS_KM) / 2)) ** 2,
        "skill_floor": scale.skill_floor,
        "close": wish.close.tolist(),
        "years": wish.years.tolist(),
        "education": wish.education.tolist(),
        "chances": wish.chances.tolist(),
        "worths": wish.worths.tolist(),
        "near": scale.near,
        "daily_km": scale.daily_km,
        "decay_km": scale.decay_km,
        "pay": wish.pay,
        "pay_share": scale.pay,
        "pay_unknown": PAY_UNKNOWN,
        "bait_multiple": scale.bait_multiple,
        "start": scale.start,
        "start_unknown": START_UNKNOWN,
        "can_start": float(wish.can_start),
        "is_free_now": int(wish.is_free_now),
        "hours": scale.hours,
        "hours_unknown": HOURS_UNKNOWN,
        "hours_a_km": scale.detour / scale.travel_km_hour,
        "nights": scale.nights,
        "diameter_km": 2 * EARTH_RADIUS_KM,
        "rough_km": scale.district_floor_km,
        "wanted": np.flatnonzero(wish.close).tolist(),
    }
    for nth, (place, told) in enumerate(zip(wish.places, wish.seeker.places, strict=True)):
        found |= {f"{axis}{nth}": float(value) for axis, value in zip("xyz", place, strict=True)}
        found |= {f"lon{nth}": told.lon, f"lat{nth}": told.lat}
    return found


def full_score(places: int, *, source: str = "postings", also: str = "", distinct: bool = False) -> str:
    """The statement for somebody with so many places: over a source of candidates, with a further condition."""
    chord = CHORD.format(0) if places == 1 else f"least({', '.join(CHORD.format(nth) for nth in range(places))})"
    return SCORE.format(
        distinct="DISTINCT" if distinct else "",
        chord=chord,
        source=source,
        bars=BARS,
        also=f"AND {also}" if also else "",
    )


def within_degrees(places: int) -> str:
    """Postings of an occupation that is close to what the person wants, not far from one of their places."""
    near = (f"ST_DWithin(geom, {POINT.format(nth, nth)}, {NEAR_DEGREES})" for nth in range(places))
    also = f"({' OR '.join(near)}) AND occupation = ANY(:wanted)"
    return full_score(places, also=also)


def of_the_occupations(places: int) -> str:
    """All postings of an occupation that is close to what the person wants."""
    return full_score(places, also="occupation = ANY(:wanted)")


def nearest(counts: Sequence[tuple[int, str]]) -> Callable[[int], str]:
    """The so many nearest postings to each place that nothing but distance bars, for each further condition."""

    def statement(places: int) -> str:
        parts = [
            f"(SELECT * FROM postings WHERE {BARS} {also} ORDER BY geom <-> {POINT.format(nth, nth)} LIMIT {count})"  # noqa: S608  # our own text
            for count, also in counts
            for nth in range(places)
        ]
        source = f"({' UNION ALL '.join(parts)}) AS candidates"
        return full_score(places, source=source, distinct=True)

    return statement


POSTGIS: Mapping[str, Callable[[int], str]] = {
    "PostGIS, within .3 degrees + occupation": within_degrees,
    "PostGIS, occupation alone": of_the_occupations,
    "PostGIS, nearest 2,000": nearest([(2000, "")]),
    "PostGIS, nearest 500 + 1,500 of the trade": nearest([(500, ""), (1500, "AND occupation = ANY(:wanted)")]),
}
"""Statements that find candidates by an index and rank those, by name; of the number of a person's places."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A database that holds the postings: seconds that it took and megabytes that it takes."""

    seconds: float
    megabytes: float


class PostgreSQL:
    """A server of its own, whose backends are asked one at a time; time is what the backend's process ran."""

    def __init__(self, conninfo: str, columns: Columns) -> None:
        begun = time.perf_counter()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
            table = table_of(columns)
            kinds = {"f": "float8", "i8": "int8", "i4": "int4", "i2": "int2"}
            types = {name: kinds.get(each.dtype.str[1:], "float8") for name, each in table.items()}
            told = ", ".join(f"{name} {kind} NOT NULL" for name, kind in types.items())
            connection.execute(f"CREATE TABLE postings ({told}, geom geometry(Point, {SRID}) NOT NULL)".encode())
            with connection.cursor().copy("COPY postings FROM STDIN (FORMAT binary)") as copy:
                for part in _binary(table):
                    copy.write(part)
            connection.execute("CREATE INDEX postings_geom ON postings USING gist (geom)")
            connection.execute("CLUSTER postings USING postings_geom")
            connection.execute("CREATE INDEX postings_occupation ON postings (occupation)")
            connection.execute("VACUUM ANALYZE postings")
            size = connection.execute("SELECT pg_total_relation_size('postings')").fetchone()
        assert size is not None
        self.loaded = Loaded(time.perf_counter() - begun, size[0] / 1e6)
        # Compiling an expression pays over a million rows, not over a few thousand.
        self._whole = psycopg.connect(
            conninfo, autocommit=True, options="-c jit=on -c enable_indexscan=off -c enable_bitmapscan=off"
        )
        # Without it the planner reads the whole table for the nearest 2,000.
        self._indexed = psycopg.connect(conninfo, autocommit=True, options="-c enable_seqscan=off")
        self._changing = psycopg.connect(conninfo, autocommit=True)

    def close(self) -> None:
        """End all connections."""
        for connection in (self._whole, self._indexed, self._changing):
            connection.close()

    def ask(self, statement: str, parameters: Parameters, *, whole: bool) -> tuple[float, Answer]:
        """Seconds that a statement took, and its answer; over the whole table or by its indexes."""
        connection = self._whole if whole else self._indexed
        text, used = render(statement, parameters, _postgresql_value, _postgresql_array)
        pid = connection.info.backend_pid
        begun = _running_seconds(pid)
        rows = connection.execute(text.encode(), used, prepare=True).fetchall()
        return _running_seconds(pid) - begun, _answer(rows)

    def index_ids_and_days(self) -> None:
        """Two indexes more, four in all: what closes a posting finds it by its id, what ends one by its last day."""
        self._changing.execute("CREATE UNIQUE INDEX postings_id ON postings (id)")
        self._changing.execute("CREATE INDEX postings_valid_until ON postings (valid_until)")

    def copy_in(self, table: Mapping[str, NDArray[Any]]) -> float:
        """Seconds that adding rows by COPY takes; they are taken back."""
        parts = list(_binary(table))

        def copy(cursor: "psycopg.Cursor[Any]") -> None:
            with cursor.copy("COPY postings FROM STDIN (FORMAT binary)") as copy:
                for part in parts:
                    copy.write(part)

        return self._changed(copy)

    def insert(self, table: Mapping[str, NDArray[Any]]) -> float:
        """As `copy_in`, by one prepared INSERT for each row, sent without waiting for answers."""
        marks = ", ".join("%s" for _ in table)
        statement = f"INSERT INTO postings VALUES ({marks}, {POINT.format('', '')})"  # noqa: S608  # marks alone
        statement = statement.replace(":lon", "%s").replace(":lat", "%s")
        columns = (*table.values(), table["lon"], table["lat"])
        rows = list(zip(*(each.tolist() for each in columns), strict=True))
        return self._changed(lambda cursor: cursor.executemany(statement.encode(), rows))

    def delete(self, ids: Sequence[int]) -> float:
        """Seconds that deleting rows takes; it is taken back."""
        return self._changed(lambda cursor: cursor.execute("DELETE FROM postings WHERE id = ANY(%b)", (list(ids),)))

    def _changed(self, change: Callable[["psycopg.Cursor[Any]"], object]) -> float:
        pid = self._changing.info.backend_pid
        with self._changing.cursor() as cursor:
            cursor.execute("BEGIN")
            begun = _running_seconds(pid)
            change(cursor)
            spent = _running_seconds(pid) - begun
            cursor.execute("ROLLBACK")
            cursor.execute("VACUUM postings")  # what was taken back lies in the table until then
        return spent


@contextmanager
def running_postgresql(columns: Columns) -> Iterator[PostgreSQL | None]:
    """A server with the postings; None where the machine has no PostgreSQL with PostGIS."""
    binaries = postgres.installed_binaries()
    if binaries is None or not _has_postgis(binaries):
        yield None
        return
    with postgres.started(binaries, _SETTINGS) as url:
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        server = PostgreSQL(conninfo, columns)
        try:
            yield server
        finally:
            server.close()


class SQLite:
    """The postings in memory, without an index that would help."""

    def __init__(self, columns: Columns) -> None:
        begun = time.perf_counter()
        table = table_of(columns)
        self._database = sqlite3.connect(":memory:")
        self._database.execute(f"CREATE TABLE postings ({', '.join(table)})")
        marks = ", ".join("?" * len(table))
        rows = zip(*(each.tolist() for each in table.values()), strict=True)
        self._database.executemany(f"INSERT INTO postings VALUES ({marks})", rows)  # noqa: S608  # marks alone
        self._database.execute("CREATE TABLE close (value)")
        pages, size = (self._database.execute(f"PRAGMA page_{name}").fetchone()[0] for name in ("count", "size"))
        self.loaded = Loaded(time.perf_counter() - begun, pages * size / 1e6)

    def ask(self, statement: str, parameters: Parameters) -> tuple[float, Answer]:
        """Seconds that a statement took, and its answer."""
        self._database.execute("DELETE FROM close")
        self._database.executemany("INSERT INTO close VALUES (?)", ((value,) for value in parameters["close"]))
        flat = parameters | {
            f"{name}_{at}": value
            for name, values in parameters.items()
            if isinstance(values, list)
            for at, value in enumerate(values)
        }
        text, _ = render(statement, parameters, lambda name, _: f":{name}", _sqlite_array)
        text = text.replace("greatest(", "max(").replace("least(", "min(")
        used = {name: flat[name] for name in re.findall(r":(\w+)", text)}
        begun = time.thread_time()
        rows = self._database.execute(text, used).fetchall()
        return time.thread_time() - begun, _answer(rows)


class DuckDB:
    """The postings in DuckDB's columns, read by one thread."""

    def __init__(self, columns: Columns) -> None:
        begun = time.perf_counter()
        self._database = duckdb.connect(config={"threads": 1})
        arrays = table_of(columns)
        self._database.register("arrays", arrays)
        self._database.execute("CREATE TABLE postings AS SELECT * FROM arrays")
        self._database.unregister("arrays")
        size = self._database.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()
        assert size is not None
        self.loaded = Loaded(time.perf_counter() - begun, float(size[0]) / 1e6)

    def ask(self, statement: str, parameters: Parameters) -> tuple[float, Answer]:
        """Seconds that a statement took, and its answer."""
        text, used = render(statement, parameters, _duckdb_value, _duckdb_array)
        begun = time.process_time()
        rows = self._database.execute(text, used).fetchall()
        return time.process_time() - begun, _answer(rows)


def render(
    statement: str,
    parameters: Parameters,
    value: Callable[[str, Any], str],
    array: Callable[[str, str, int], str],
) -> tuple[str, Parameters]:
    """A statement in a database's own way to write parameters (`:name`) and their elements (`:name[at]`)."""
    used: Parameters = {}

    def written(found: "re.Match[str]") -> str:
        name, at = found[1], found[2]
        used[name] = given = parameters[name]
        return value(name, given) if at is None else array(name, at, len(given))

    return re.sub(r"(?<![:\w]):([a-z]\w*)(?:\[([^\]]+)\])?", written, statement), used


def _postgresql_value(name: str, value: Any) -> str:
    kind = {int: "int4", float: "float8", list: "int4[]"}[type(value)]
    return f"%({name})b::{kind}" if kind == "int4[]" else f"%({name})s::{kind}"


def _postgresql_array(name: str, at: str, size: int) -> str:
    del size
    return f"(%({name})b::float8[])[{at} + 1]"


def _duckdb_value(name: str, value: Any) -> str:
    return f"${name}::{'DOUBLE' if isinstance(value, float) else 'INTEGER'}"


def _duckdb_array(name: str, at: str, size: int) -> str:
    del size
    return f"(${name}::DOUBLE[])[{at} + 1]"


def _sqlite_array(name: str, at: str, size: int) -> str:
    if size > 16:
        return f"(SELECT value FROM {name} WHERE {name}.rowid = {at} + 1)"  # noqa: S608  # our own names
    cases = " ".join(f"WHEN {each} THEN :{name}_{each}" for each in range(size))
    return f"CASE {at} {cases} END"


def _answer(rows: Sequence[tuple[Any, ...]]) -> Answer:
    return np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64)


def _has_postgis(binaries: Path) -> bool:
    folders = (binaries.parent / "share/extension", Path(f"/usr/share/postgresql/{binaries.parent.name}/extension"))
    return any((folder / "postgis.control").exists() for folder in folders)


def _running_seconds(pid: int) -> float:
    """How long a process has run on a core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def _binary(table: Mapping[str, NDArray[Any]], at_once: int = 100_000) -> Iterator[bytes]:
    """The rows in PostgreSQL's binary format for COPY, with the place as a geometry at the end."""
    rows = len(table["id"])
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in table.items():
        fields += [(f"{name}_size", ">i4"), (name, f">{column.dtype.str[1:]}")]
    fields += [("size", ">i4"), ("order", "u1"), ("type", "<u4"), ("srid", "<u4"), ("geom_x", "<f8"), ("geom_y", "<f8")]
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for start in range(0, rows, at_once):
        part = slice(start, min(rows, start + at_once))
        made = np.zeros(part.stop - part.start, np.dtype(fields))
        made["fields"], made["size"], made["order"], made["type"], made["srid"] = (
            len(table) + 1,
            25,
            1,
            0x20000001,
            SRID,
        )
        for name, column in table.items():
            made[f"{name}_size"], made[name] = column.dtype.itemsize, column[part]
        made["geom_x"], made["geom_y"] = table["lon"][part], table["lat"][part]
        yield made.tobytes()
    yield b"\xff\xff"
