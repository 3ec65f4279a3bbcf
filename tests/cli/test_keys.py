"""`jiujin keys rotate` as a process, killed in the middle, while others read, look up, add and change.

JIUJIN_IDENTITIES says how many people there are: `JIUJIN_IDENTITIES=100000 pytest tests/cli/test_keys.py -k rotated`.
Place code 99 was never given to anybody: these numbers have no bearer.
"""

import json
import os
import random
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.exc import IntegrityError

from app.cli import main
from app.domain.identities import id_check
from app.domain.ledger import EntryKind
from app.domain.workers import Sex, WorkerOrigin
from app.kit.database import open_engine, read_session, reserve_ids, write_session
from app.kit.encrypted import Place, seal
from app.kit.errors import Busy
from app.kit.keys import FiledKeyRing, KeyRing, load_key_ring, new_key_ring, read_key_ring, save_key_ring
from app.store.identities import (
    Identity,
    IdNumberKnown,
    NewIdentity,
    add_identities,
    add_identity,
    change_phone,
    find_by_id_number,
    find_by_phone,
    read_identity,
)
from app.store.person_keys import PersonKey
from app.store.workers import Worker, add_workers
from app.usecases.key_rings import bind_key_ring, count_behind
from app.usecases.ledger import OFFICE, append_entry, open_keys
from tests.cli.conftest import Jiujin

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
PEOPLE = int(os.environ.get("JIUJIN_IDENTITIES", "400"))
A_WRITE = 5_000


def number_of(sequence: int) -> str:
    body = f"99{sequence // 1000:04d}19700101{sequence % 1000:03d}"
    return body + id_check(body)


def phone_of(sequence: int) -> str:
    return f"138{sequence:08d}"


def add_people(engine: Engine, sequences: range, *, keys: KeyRing) -> dict[int, int]:
    """People with an identity each; ids by sequence."""
    found: dict[int, int] = {}
    for start in range(sequences.start, sequences.stop, A_WRITE):
        part = range(start, min(start + A_WRITE, sequences.stop))
        with write_session(engine) as session:
            ids = reserve_ids(session, Worker, len(part))
            add_workers(session, [worker(each) for each in ids], [])
            people = [identity(worker_id, sequence) for worker_id, sequence in zip(ids, part, strict=True)]
            add_identities(session, people, keys=keys)
        found.update(zip(part, ids, strict=True))
    return found


def worker(worker_id: int) -> dict[str, object]:
    return {
        "id": worker_id,
        "birth_on": date(1970, 1, 1),
        "sex": Sex.FEMALE,
        "home_area_code": "500237102",
        "origin": WorkerOrigin.GENERATED,
        "created_at": NOW,
        "updated_at": NOW,
    }


def identity(worker_id: int, sequence: int) -> NewIdentity:
    return NewIdentity(
        worker_id=worker_id, name=f"样例{sequence}", id_number=number_of(sequence), phone=phone_of(sequence)
    )


class Crowd:
    """Threads of another process than the one that rotates: they have its ring from the same file."""

    def __init__(self, url: str, ids: dict[int, int], keys: KeyRing) -> None:
        self.engine = open_engine(url, pool_size=6)
        self.ids = ids
        self.keys = keys
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._next = max(ids) + 1
        self._threads = [
            threading.Thread(target=self._go_on, args=(deed, seed))
            for seed, deed in enumerate((self._read, self._look_up, self._look_up, self._add, self._add_known))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.engine.dispose()

    def _go_on(self, deed: Callable[[random.Random], None], seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  whose turn it is, no secret
        while not self._over.is_set():
            try:
                deed(chance)
            except Busy:
                # Told to come again, which is no wrong answer; SQLite has one writer.
                self.done["busy"] += 1
            except Exception as error:  # noqa: BLE001  whatever it is, it must not have happened
                self.failed.append(f"{deed.__name__}: {error!r}")
            # A command takes seconds to start, and is not to be slowed down meanwhile.
            self._over.wait(0.1 if self.keys.current("data") == 1 else 0.01)

    def _one(self, chance: random.Random) -> tuple[int, int]:
        with self._lock:
            sequence = chance.choice(range(len(self.ids)))
            return sequence, self.ids[sequence]

    def _read(self, chance: random.Random) -> None:
        sequence, worker_id = self._one(chance)
        with write_session(self.engine) as session:
            facts = read_identity(session, worker_id, keys=self.keys, actor="test", reason="test", now=NOW)
        if facts is None or (facts.name, facts.id_number) != (f"样例{sequence}", number_of(sequence)):
            self.failed.append(f"read {worker_id}")
        self.done["read"] += 1

    def _look_up(self, chance: random.Random) -> None:
        sequence, worker_id = self._one(chance)
        with read_session(self.engine) as session:
            found = find_by_id_number(session, number_of(sequence), keys=self.keys)
            by_phone = find_by_phone(session, phone_of(sequence), keys=self.keys)
            missing = find_by_id_number(session, number_of(9_000_000 + sequence % 900_000), keys=self.keys)
        if (found, by_phone, missing) != (worker_id, [worker_id], None):
            self.failed.append(f"looked up {worker_id}: {found} {by_phone} {missing}")
        self.done["looked up"] += 1

    def _add(self, chance: random.Random) -> None:
        del chance
        with self._lock:
            sequence, self._next = self._next, self._next + 1
        try:
            added = add_people(self.engine, range(sequence, sequence + 1), keys=self.keys)
        except Busy:
            with self._lock:
                # Nobody may be missing in between: the same one is added the next time.
                self._next = min(self._next, sequence)
            raise
        with self._lock:
            self.ids |= added
        with write_session(self.engine) as session:
            change_phone(session, added[sequence], phone_of(sequence), keys=self.keys)
        self.done["added"] += 1

    def _add_known(self, chance: random.Random) -> None:
        """Somebody who is on record, once more: refused, whichever version of the key they stand under."""
        sequence, _ = self._one(chance)
        try:
            add_people(self.engine, range(sequence, sequence + 1), keys=self.keys)
        except (IdNumberKnown, IntegrityError):
            self.done["refused"] += 1
        else:
            self.failed.append(f"two people of one number: {sequence}")


@pytest.fixture
def url(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database and a key ring's file, told to commands by the environment."""
    save_key_ring(new_key_ring(), tmp_path / "keys.json")
    address = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("JIUJIN_DATA", str(tmp_path))
    return address


@pytest.fixture
def ring(tmp_path: Path, database: Engine, url: str) -> KeyRing:
    """The ring as a running server holds it, bound to the database."""
    del url
    found = FiledKeyRing(tmp_path / "keys.json")
    with write_session(database) as session:
        bind_key_ring(session, found)
    return found


def count_people(engine: Engine, condition: ColumnElement[bool]) -> int:
    with read_session(engine) as session:
        return session.scalar(select(func.count()).where(condition)) or 0


def left_behind(engine: Engine, keys: KeyRing) -> int:
    with read_session(engine) as session:
        return sum(count_behind(session, keys=keys).values())


def test_everybody_is_rotated_under_reads_and_a_kill_in_the_middle_resumes(
    database: Engine, url: str, ring: KeyRing, tmp_path: Path, jiujin: Jiujin,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ids = add_people(database, range(PEOPLE), keys=ring)
    command = [sys.executable, "-m", "app", "keys", "rotate", "--json"]
    # Of those who were there before: who is added meanwhile stands under the new keys at once.
    moved = (
        PersonKey.wrapped.startswith("2.") & (PersonKey.worker_id <= max(ids.values())),
        Identity.id_number_index.startswith("2.") & (Identity.worker_id <= max(ids.values())),
    )
    with Crowd(url, ids, ring) as crowd:
        behind = []
        # With few people it is killed once: what is only begun takes longer to start than to do.
        for condition in moved if PEOPLE > 1_000 else moved[1:]:
            rotating = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            while rotating.poll() is None and count_people(database, condition) < PEOPLE // 4:
                time.sleep(PEOPLE / 50_000)
            rotating.kill()
            rotating.wait()
            behind.append(left_behind(database, ring))
        report = jiujin("keys", "rotate", "--json").json()
    assert behind == sorted(behind, reverse=True)
    assert behind[-1] > 0, "it was over before it could be killed"
    with capsys.disabled():
        print(f"{PEOPLE} people, killed with {behind} rows left: {dict(crowd.done)}; failed {crowd.failed}; {report}")  # noqa: T201
    assert crowd.failed == []
    assert min(crowd.done[deed] for deed in ("read", "looked up", "added", "refused")) > 0
    assert (report["state"], report["versions"], report["left"]) == ("resumed", {"data": 2, "index": 2}, {})
    assert load_key_ring(tmp_path / "keys.json").current("data") == 2
    assert left_behind(database, ring) == 0
    with read_session(database) as session:
        people = session.scalar(select(func.count()).select_from(Identity))
        old_keys = select(func.count()).select_from(PersonKey).where(PersonKey.wrapped.startswith("1."))
        assert people == len(crowd.ids)
        assert session.scalar(old_keys) == 0


def test_a_rotation_that_is_done_is_followed_by_a_new_one_and_two_at_once_are_one(
    database: Engine, ring: KeyRing, jiujin: Jiujin, capsys: pytest.CaptureFixture[str]
) -> None:
    add_people(database, range(20), keys=ring)
    first = jiujin("keys", "rotate", "--json").json()
    assert (first["state"], first["versions"]) == ("done", {"data": 2, "index": 2})
    assert (first["changed"]["person_keys"], first["changed"]["identities"], first["left"]) == (20, 20, {})
    both = [threading.Thread(target=main, args=(["keys", "rotate", "--master", "--json"],)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [json.loads(line)["left"] for line in capsys.readouterr().out.splitlines()] == [{}, {}]
    assert (ring.current("data") in (3, 4), ring.current("index")) == (True, 2)
    assert left_behind(database, ring) == 0


def test_what_was_sealed_under_the_ring_is_brought_over_before_a_version_is_added(
    database: Engine, ring: KeyRing, jiujin: Jiujin
) -> None:
    ids = add_people(database, range(3), keys=ring)
    with write_session(database) as session:
        row = session.get(Identity, ids[1])
        assert row is not None
        row.name = seal(ring, "样例1", place=Place("identities", "name", ids[1]))
        row.id_number = seal(ring, number_of(1), place=Place("identities", "id_number", ids[1]))
        row.phone = seal(ring, phone_of(1), place=Place("identities", "phone", ids[1]))
    report = jiujin("keys", "rotate", "--json").json()
    assert (report["state"], report["versions"], report["changed"]["identities"]) == (
        "resumed",
        {"data": 1, "index": 1},
        1,
    )
    with write_session(database) as session:
        facts = read_identity(session, ids[1], keys=ring, actor="test", reason="test", now=NOW)
        assert facts is not None
        assert facts.name == "样例1"
        row = session.get(Identity, ids[1])
        assert row is not None
        assert row.name.startswith("p")


def test_a_ring_of_the_environment_is_handed_out_in_two_steps(
    database: Engine, ring: KeyRing, jiujin: Jiujin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add_people(database, range(5), keys=ring)
    first = read_key_ring((tmp_path / "keys.json").read_text())
    monkeypatch.setenv("JIUJIN_KEYS", first.to_json())
    refused = jiujin("keys", "rotate", "--json")
    assert (refused.code, refused.json()["error"]["code"]) == (2, "out_missing")
    said = jiujin("keys", "rotate", "--json", "--out", str(tmp_path / "one"))
    assert (said.json()["state"], said.json()["step"]) == ("handed_out", 1)
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    one = load_key_ring(tmp_path / "one")
    assert (one.current("data"), max(one.data)) == (1, 2)
    assert not any(secret in said.out + said.err for secret in json.loads(one.to_json())["data"].values())
    monkeypatch.setenv("JIUJIN_KEYS", one.to_json())
    said = jiujin("keys", "rotate", "--json", "--out", str(tmp_path / "two"))
    assert (said.json()["state"], said.json()["step"]) == ("handed_out", 2)
    two = load_key_ring(tmp_path / "two")
    assert two.current("data") == 2
    # Who still has the first ring reads and finds whatever the second writes, and adds nobody twice.
    more = add_people(database, range(5, 6), keys=two)
    with write_session(database) as session:
        assert find_by_id_number(session, number_of(5), keys=one) == more[5]
        assert read_identity(session, more[5], keys=one, actor="test", reason="test", now=NOW) is not None
    monkeypatch.setenv("JIUJIN_KEYS", two.to_json())
    said = jiujin("keys", "rotate", "--json", "--out", str(tmp_path / "three"))
    assert (said.json()["state"], said.json()["versions"], said.json()["left"]) == (
        "resumed",
        {"data": 2, "index": 2},
        {},
    )
    with read_session(database) as session:
        assert find_by_id_number(session, number_of(0), keys=two) == ids[0]
        with pytest.raises(Busy):
            find_by_id_number(session, number_of(0), keys=first)
    with pytest.raises(Busy), write_session(database) as session:
        add_identity(session, identity(ids[0], 77), keys=first)


def test_the_keys_of_the_ledger_are_wrapped_anew_and_still_open(
    database: Engine, ring: KeyRing, jiujin: Jiujin
) -> None:
    with write_session(database) as session:
        append_entry(
            session, kind=EntryKind.BRIEFING, worker_id=None, happened_at=NOW, now=NOW, actor="system:test", keys=ring
        )
        before = open_keys(session, [OFFICE], keys=ring)
    report = jiujin("keys", "rotate", "--json").json()
    assert report["changed"]["ledger_keys"] == 1
    with read_session(database) as session:
        assert open_keys(session, [OFFICE], keys=ring) == before
