"""From the terminal: slips are printed, come back signed, and whoever asked to be called is called; keys for boards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.ledger import Channel
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing, save_key_ring
from app.store.brokers import Broker, Case
from app.usecases.ledger import list_entries
from app.usecases.pushes import intend_pushes
from app.wiring import House, bind_keys
from tests.cli.conftest import Jiujin, add_posting, url_of
from tests.deliveries import intent
from tests.houses import HOME_TOWNSHIP
from tests.people import ALLEVIATED, add_person, unemployed

BY = ("--by", "clerk/k-1")


@pytest.fixture
def visited(house: House, key_ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jiujin: Jiujin) -> int:
    """Somebody in the care of b-7 who is owed two pushes that somebody has to bring."""
    save_key_ring(key_ring, tmp_path / "keys.json")
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("JIUJIN_DATA", str(tmp_path / "data"))
    bind_keys(house)
    now = datetime.now(UTC)
    today = (now + timedelta(hours=8)).date()
    person = add_person(house, [ALLEVIATED, unemployed(today - timedelta(days=30))])
    with write_session(house.engine) as session:
        broker = Broker(code="b-7", area_code="500237")
        session.add(broker)
        session.flush()
        session.add(Case(worker_id=person, broker_id=broker.id, valid_from=today - timedelta(days=9), valid_to=None))
    assert jiujin("ledger", "open", "--worker", str(person), *BY).code == 0
    postings = [add_posting(house, valid_until=None) for _ in range(2)]
    with write_session(house.engine) as session:
        intents = [intent(person, posting, now=now) for posting in postings]
        intend_pushes(session, intents, served=frozenset({Channel.SMS}), now=now, keys=house.keys)
    return person


def test_a_slip_is_printed_signed_and_followed_up(visited: int, jiujin: Jiujin, tmp_path: Path) -> None:
    out = tmp_path / "slips.html"
    told = jiujin("push", "slips", "--broker", "b-7", "--out", str(out), *BY, "--json").json()
    (slip,) = told["slips"]
    assert (slip["worker"], len(slip["postings"]), told["file"]) == (visited, 2, str(out))
    assert (out.read_text(encoding="utf-8").count("<pre>"), out.stat().st_mode & 0o777) == (1, 0o600)
    assert slip["code"] in out.read_text(encoding="utf-8")
    assert slip["code"] in jiujin("push", "slips", "--worker", str(visited), *BY).out
    signed = jiujin("push", "signed", slip["code"], "--mark", "1=interested", "--mark", "2=unsuitable:too_far", *BY)
    assert (signed.code, "感兴趣" in signed.out, "不合适" in signed.out) == (0, True, True)
    assert jiujin("push", "slips", "--broker", "b-7", *BY).out.strip() == "没有要上门送的岗位"
    (waits,) = jiujin("push", "waiting", "--broker", "b-7", "--json").json()["waiting"]
    assert (waits["worker_id"], waits["answer"]) == (visited, "interested")
    assert "感兴趣" in jiujin("push", "waiting").out
    assert [jiujin("push", "reached", str(waits["id"]), *BY).code for _ in range(2)] == [0, 0]
    assert jiujin("push", "waiting", "--json").json() == {"waiting": []}
    assert jiujin("push", "reached", "2147483647", *BY, "--json").json()["error"]["code"] == "follow_up_unknown"


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (("slips", *BY), 2, "--broker、--district 或 --worker"),
        (("slips", "--broker", "nobody", *BY), 1, "没有这个经纪人"),
        (("slips", "--district", "500999", *BY), 1, "没有这个区县"),
        (("signed", "1-AAAA-AAAA", *BY), 1, "没有这张纸条"),
        (("signed", "1-AAAA-AAAA", "--mark", "1=maybe", *BY), 2, "--mark 填得不对"),
        (("announce", "--near", "999"), 1, "请选择重庆的区县或乡镇街道"),
    ],
)
def test_what_cannot_be_is_told(
    house: House, visited: int, jiujin: Jiujin, words: tuple[str, ...], exit_code: int, told: str
) -> None:
    with read_session(house.engine) as session:
        before = len(list_entries(session))
    said = jiujin("push", *words)
    assert (said.code, told in said.err) == (exit_code, True), said
    with read_session(house.engine) as session:
        assert (len(list_entries(session)), visited > 0) == (before, True)


def test_the_nearest_postings_are_written_for_loudspeaker_and_wall(visited: int, jiujin: Jiujin) -> None:
    found = jiujin("push", "announce", "--near", HOME_TOWNSHIP, "--limit", "1", "--json").json()["announcements"]
    assert (len(found), visited > 0) == (1, True)
    assert "大昌镇要招小区保洁员" in found[0]["spoken"]
    assert "不收任何费用" in found[0]["notice"]
    assert "【张贴】" in jiujin("push", "announce", "--near", HOME_TOWNSHIP).out


def test_a_key_for_a_board_is_told_once_and_taken_back(visited: int, jiujin: Jiujin) -> None:
    made = jiujin("staff", "key", "broker/b-7", "--json")
    assert (made.code, len(made.json()["key"]) > 40, visited > 0) == (0, True, True)
    assert jiujin("staff", "revoke", "broker/b-7", "--json").json()["revoked"] == 1
    assert jiujin("staff", "key", "clerk/k-1", "--json").json()["error"]["fields"][0]["code"] == "district_missing"


def test_who_agrees_to_the_inbox_is_given_its_address(visited: int, jiujin: Jiujin) -> None:
    said = jiujin("push", "consent", "--worker", str(visited), "--channel", "inbox", *BY, "--json").json()
    assert f"/inbox/{visited}-" in said["inbox"]


def test_one_person_is_sent_what_is_owed_to_them_now(house: House, visited: int, jiujin: Jiujin) -> None:
    posting = add_posting(house, valid_until=None)
    said = jiujin("push", "now", "--worker", str(visited), *BY, "--json")
    # Two wait for a visit already, so that one is missing.
    assert [(each["posting_id"], each["cause"]) for each in said.json()["pushes"]] == [(posting, "owed")]
    assert jiujin("push", "now", "--worker", str(visited), *BY, "--json").json()["pushes"] == []
    more = [add_posting(house, valid_until=None) for _ in range(2)]
    asked = jiujin("push", "now", "--worker", str(visited), "--asked", *BY, "--json").json()["pushes"]
    assert {each["posting_id"]: each["cause"] for each in asked} == dict.fromkeys(more, "asked")
    assert jiujin("push", "now", "--worker", "2147483647", *BY, "--json").json()["error"]["code"] == "worker_unknown"
