"""`jiujin push`: who is sent what, on threads and on a cluster, twice, at once, and after a stop; sending it."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.domain.ledger import Channel
from app.domain.pushes import PushState
from app.domain.workers import Evidence, Status, WorkerOrigin
from app.kit.clusters import ClusterMissing, run_on_cluster
from app.kit.database import read_session, write_session
from app.kit.keys import save_key_ring
from app.store.identities import NewIdentity, add_identities
from app.store.policies import LocalSetting
from app.store.workers import add_workers
from app.usecases import plans
from app.usecases.consents import give_consent
from app.usecases.key_rings import bind_key_ring
from app.wiring import House, load_matchmaker
from matching import chunks
from tests.cli.conftest import Jiujin, add_posting, url_of
from tests.deliveries import phone_of
from tests.houses import HOME_TOWNSHIP

PEOPLE = 23


def worker(house: House, number: int, **given: Any) -> dict[str, Any]:
    now = house.clock.now()
    known: dict[str, Any] = {
        "id": number,
        "birth_on": date(1970, 1, 1 + number % 28),
        "sex": None,
        "home_area_code": HOME_TOWNSHIP,
        "current_area_code": None,
        "skills_text": "",
        "wants": ["保洁"],
        "certificates": [],
        "kinds": [],
        "limits": [],
        "pay_min_yuan_month": None,
        "max_km": 30,
        "home_by": None,
        "available_on": None,
        "education": None,
        "experience_years": None,
        "origin": WorkerOrigin.GENERATED,
        "created_at": now,
        "updated_at": now,
    }
    return known | given


@pytest.fixture
def planned(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Options for the command, over people and four postings of one place each."""
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    monkeypatch.setattr(chunks, "CHUNK_PEOPLE", 5)
    for _ in range(4):
        add_posting(house, valid_until=None, openings=1)
    first = worker(house, PEOPLE)
    with write_session(house.engine) as session:
        add_workers(
            session,
            [worker(house, number) for number in range(1, PEOPLE)] + [first],
            [
                {
                    "worker_id": PEOPLE,
                    "status": Status.POVERTY_ALLEVIATED,
                    "evidence": Evidence.CERTIFIED,
                    "valid_from": date(2020, 1, 1),
                    "valid_to": None,
                }
            ],
        )
    return ["push", "plan", "--data", str(tmp_path / "var"), "--out", str(tmp_path / "plan")]


def rows(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "plan" / "plan.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_scarce_places_go_once_to_as_many_as_can_be_and_first_to_whom_the_plan_names(
    jiujin: Jiujin, planned: list[str], tmp_path: Path
) -> None:
    said = jiujin(*planned, "--json")
    assert said.code == 0, said.err
    report = said.json()
    # Four places, three people sent to each: twelve pushes, of which the one who comes first has three.
    assert (report["people"], report["postings"], report["pushes"], report["served"]) == (PEOPLE, 4, 12, 10)
    assert (report["served_fully"], report["without_place"], report["postings_reached"]) == (1, 0, 1.0)
    found = rows(tmp_path)
    assert len(found) == 12
    assert [row["rank"] for row in found if row["worker_id"] == str(PEOPLE)] == ["1", "2", "3"]
    assert len({(row["worker_id"], row["posting_id"]) for row in found}) == 12


def test_people_are_told_in_words(jiujin: Jiujin, planned: list[str], tmp_path: Path) -> None:
    said = jiujin(*planned)
    assert said.out.startswith(f"{PEOPLE}人，4个岗位：10人至少有一个，1人满三个，一共12条")
    assert str(tmp_path / "plan" / "plan.csv") in said.out


def test_a_second_plan_is_the_same_and_takes_in_what_is_new(
    house: House, jiujin: Jiujin, planned: list[str], tmp_path: Path
) -> None:
    assert jiujin(*planned).code == 0
    first = rows(tmp_path)
    assert jiujin(*planned).code == 0
    assert rows(tmp_path) == first
    add_posting(house, valid_until=None, openings=2)
    assert jiujin(*planned, "--json").json()["pushes"] == 18


def test_a_home_that_is_nowhere_is_counted_and_keeps_nobody_else_out(
    house: House, jiujin: Jiujin, planned: list[str]
) -> None:
    with write_session(house.engine) as session:
        lost = [worker(house, 90, home_area_code="999999999"), worker(house, 91, current_area_code="999999999")]
        add_workers(session, lost, [])
    report = jiujin(*planned, "--json").json()
    assert (report["people"], report["without_place"]) == (PEOPLE + 1, 1)
    assert "有1人没排" in jiujin(*planned).out


def test_a_plan_that_was_stopped_goes_on_with_the_lists_that_are_there(
    jiujin: Jiujin, planned: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    lists = chunks.Task.lists

    def stopped(task: chunks.Task, *given: Any) -> Any:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task.digest)
        return lists(task, *given)

    monkeypatch.setattr(chunks.Task, "lists", stopped)
    assert jiujin(*planned, "--json").json()["error"]["code"] == "interrupted"
    assert not (tmp_path / "plan" / "plan.csv").exists()
    again: list[str] = []

    def noted(task: chunks.Task, *given: Any) -> Any:
        again.append(task.digest)
        return lists(task, *given)

    monkeypatch.setattr(chunks.Task, "lists", noted)
    assert jiujin(*planned).code == 0
    assert not set(again) & set(made)
    assert len(rows(tmp_path)) == 12


def test_a_snapshot_of_another_version_is_made_anew(jiujin: Jiujin, planned: list[str], tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "index").write_bytes(b"something else")
    assert jiujin(*planned).code == 0
    assert len(rows(tmp_path)) == 12


def test_two_plans_at_once_both_end_well(house: House, planned: list[str], tmp_path: Path) -> None:
    matchmaker = load_matchmaker(house)
    today = house.clock.today()
    with write_session(house.engine) as session:
        people = plans.read_people(session, matchmaker, now=house.clock.now())
    reports: list[plans.PlanReport] = []

    def make() -> None:
        reports.append(
            plans.plan_pushes(people, matchmaker, folder=tmp_path / "plan", today=today, threads=1, keys=house.keys)
        )

    both = [threading.Thread(target=make) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [report.pushes for report in reports] == [12, 12]
    assert len(rows(tmp_path)) == 12
    assert planned


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "不是地址", "http://127.0.0.1:9"])
def test_a_scheduler_that_is_not_there_is_told_and_nothing_is_planned(
    jiujin: Jiujin, planned: list[str], tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.kit.clusters._CONNECT_S", 1)
    said = jiujin(*planned, "--scheduler", address, "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "cluster_missing")
    assert not (tmp_path / "plan" / "plan.csv").exists()


def test_a_folder_that_cannot_be_made_is_told(jiujin: Jiujin, planned: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = jiujin(*planned[:-1], str(tmp_path / "file" / "plan"), "--json")
    assert (said.code, said.json()["error"]["code"]) == (1, "not_writable")


# --- sending ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sendable(house: House, planned: list[str], tmp_path: Path) -> list[str]:
    """Options for sending a plan of twelve pushes, at any hour; one person lets text messages be used."""
    with write_session(house.engine) as session:
        session.add(LocalSetting(name="push_quiet_from", value="08:00", valid_from=date(2026, 1, 1), valid_to=None))
        bind_key_ring(session, house.keys)
        add_identities(
            session,
            [NewIdentity(worker_id=PEOPLE, name="样例", id_number="", phone=phone_of(PEOPLE))],
            keys=house.keys,
        )
        give_consent(
            session,
            worker_id=PEOPLE,
            channel=Channel.SMS,
            how="clerk",
            actor="test",
            now=house.clock.now(),
            keys=house.keys,
        )
    assert planned
    return ["push", "send", "--data", str(tmp_path / "var"), "--plan", str(tmp_path / "plan")]


@pytest.fixture
def keys_here(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commands work with the keys of the house."""
    save_key_ring(house.keys, tmp_path / "ring.json")
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(tmp_path / "ring.json"))


@pytest.mark.usefixtures("keys_here")
def test_the_days_plan_is_sent_and_what_became_of_it_adds_up(
    jiujin: Jiujin, planned: list[str], sendable: list[str], tmp_path: Path
) -> None:
    assert jiujin(*planned).code == 0
    said = jiujin(*sendable, "--json")
    assert said.code == 0, said.err
    report = said.json()
    assert (report["queued"], report["visits"], report["suppressed"], report["known"]) == (3, 0, 9, 0)
    assert report["pushes"] == sum(report["states"].values()) == 12
    assert set(report["states"]) == {state.value for state in PushState}
    # Recorded messages are told to have been sent; nobody tells of their arrival.
    assert (report["messages"], report["states"]["queued"], report["states"]["suppressed"]) == (3, 0, 9)
    sent = (tmp_path / "var" / "sent.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(sent) == 3
    again = jiujin(*sendable, "--json").json()
    assert (again["known"], again["messages"], again["states"]) == (12, 0, report["states"])
    assert len((tmp_path / "var" / "sent.jsonl").read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.usefixtures("keys_here")
def test_sending_tells_people_how_their_pushes_stand(jiujin: Jiujin, planned: list[str], sendable: list[str]) -> None:
    assert jiujin(*planned).code == 0
    some = jiujin(*sendable, "--limit", "5")
    assert some.out.startswith("新做5条：3条等着发，0条要上门，2条本人没同意，不发")
    rest = jiujin(*sendable)
    assert "新做7条" in rest.out
    assert "早就做了5条" in rest.out
    assert "今天一共12条" in rest.out


@pytest.mark.usefixtures("keys_here")
def test_without_a_plan_of_today_it_is_told_what_to_run(
    house: House, jiujin: Jiujin, planned: list[str], tmp_path: Path
) -> None:
    command = ["push", "send", "--data", str(tmp_path / "var"), "--plan", str(tmp_path / "plan"), "--json"]
    none = jiujin(*command)
    assert (none.code, none.json()["error"]["code"]) == (1, "plan_missing")
    assert "jiujin push plan" in none.json()["error"]["message"]
    assert jiujin(*planned).code == 0
    report = json.loads((tmp_path / "plan" / "report.json").read_bytes())
    (tmp_path / "plan" / "report.json").write_text(json.dumps(report | {"day": "2020-01-01"}), encoding="utf-8")
    assert jiujin(*command).json()["error"]["code"] == "plan_missing"
    matchmaker = load_matchmaker(house)
    with read_session(house.engine) as session:
        people = plans.read_people(session, matchmaker, now=house.clock.now())
    plans.plan_pushes(people, matchmaker, folder=tmp_path / "plan", today=date(2020, 1, 1), threads=1, keys=house.keys)
    old = jiujin(*command)
    assert (old.code, old.json()["error"]["code"]) == (1, "plan_outdated")
    assert "2020-01-01" in old.json()["error"]["message"]


def test_one_persons_plan_is_shown_and_nothing_is_written(jiujin: Jiujin, planned: list[str], tmp_path: Path) -> None:
    one = [*planned[:-2], "--worker", str(PEOPLE)]
    report = jiujin(*one, "--json").json()
    assert report["worker"] == PEOPLE
    assert [(each["rank"], each["cause"]) for each in report["pushes"]] == [(1, "asked"), (2, "asked"), (3, "asked")]
    assert "小区保洁员" in jiujin(*one).out
    assert not (tmp_path / "var" / "plans").exists()
    assert jiujin(*planned[:-2], "--worker", "999999", "--json").json()["error"]["code"] == "worker_unknown"
    both = jiujin(*planned, "--worker", "1", "--json")
    assert (both.code, both.json()["error"]["code"]) == (2, "wrong_use")


# --- a cluster --------------------------------------------------------------------------------------------------------


def address_in(told: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """The address that a scheduler writes to a file, once all of it is there."""
    while True:
        with suppress(FileNotFoundError, ValueError):
            return str(json.loads(told.read_text())["address"])
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"the scheduler ended with {scheduler.wait(timeout=0.1)}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers of one thread each, and nurses that bring dead ones back."""
    folder = tmp_path_factory.mktemp("cluster")
    told = str(folder / "scheduler.json")
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    commands = (
        ("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", told),
        ("dask_worker", "--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--scheduler-file", told),
    )
    processes = []
    with (folder / "log").open("wb") as log:
        for module, *options in commands:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *options]
            if module == "dask_worker":
                command += ["--local-directory", str(folder)]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    yield address_in(Path(told), processes[0])
    for process in reversed(processes):
        process.terminate()
        process.wait()


def test_a_cluster_plans_what_threads_plan(jiujin: Jiujin, planned: list[str], tmp_path: Path, cluster: str) -> None:
    assert jiujin(*planned).code == 0
    here = rows(tmp_path)
    said = jiujin(*planned, "--scheduler", cluster)
    assert said.code == 0, said.err
    assert rows(tmp_path) == here


def die_once(folder: bytes, number: int) -> int:
    """Ten times the number; the first worker that has number 3 in hand dies of it, and so does the next."""
    deaths = Path(folder.decode())
    if number == 3:
        for turn in ("first", "second"):
            try:
                (deaths / turn).touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
    return 10 * number


def test_workers_that_die_are_survived(tmp_path: Path, cluster: str) -> None:
    found = dict(run_on_cluster(cluster, die_once, str(tmp_path).encode(), list(range(12))))
    assert found == {number: 10 * number for number in range(12)}
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


def always_dies(_shared: bytes, _task: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_cluster_that_only_dies_is_given_up(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.kit.clusters._ATTEMPTS", 1)
    with pytest.raises(ClusterMissing, match="总是中断"):
        list(run_on_cluster(cluster, always_dies, b"", [1]))
