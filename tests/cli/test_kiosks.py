"""`jiujin kiosk`: a device key is told once, given anew and taken back; and the audit tells from where."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from app.background.audit_seals import seal_waiting_acts
from app.kit.database import read_session
from app.kit.keys import KeyRing, save_key_ring
from app.store.audit import AuditEntry
from app.store.kiosks import Kiosk
from app.wiring import House, bind_keys
from tests.cli.conftest import Jiujin, url_of

ADD = ("kiosk", "add", "K-1", "--station", "大昌镇零工驿站", "--area", "500237102", "--json")


@pytest.fixture(autouse=True)
def _environment(house: House, key_ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    save_key_ring(key_ring, house.settings.data / "keys.json")
    monkeypatch.setenv("DATABASE_URL", url_of(house.engine))
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(house.settings.data / "keys.json"))
    monkeypatch.setenv("JIUJIN_DATA", str(house.settings.data))
    bind_keys(house)


def test_a_kiosk_is_put_on_record_given_a_new_key_and_taken_its_key_back(house: House, jiujin: Jiujin) -> None:
    made = jiujin(*ADD)
    assert (made.code, len(made.json()["key"]) > 40) == (0, True), made
    assert jiujin(*ADD).json()["error"]["code"] == "kiosk_exists"
    renewed = jiujin("kiosk", "key", "K-1", "--json")
    assert renewed.json()["key"] != made.json()["key"]
    assert jiujin("kiosk", "revoke", "K-1", "--json").json() == {"kiosk": "K-1", "ended": 0}
    assert jiujin("kiosk", "revoke", "K-2", "--json").json()["error"]["code"] == "kiosk_unknown"
    with read_session(house.engine) as session:
        assert session.scalars(select(Kiosk)).one().revoked_at is not None
        acts = session.scalars(select(AuditEntry).where(AuditEntry.subject == "kiosks/K-1").order_by(AuditEntry.id))
        assert [(act.actor, act.action, act.origin) for act in acts] == [
            ("office", "add_kiosk", "command"),
            ("office", "renew_kiosk_key", "command"),
            ("office", "revoke_kiosk_key", "command"),
        ]


def test_verify_names_the_first_act_that_was_changed(house: House, jiujin: Jiujin) -> None:
    assert jiujin(*ADD).code == 0
    sealed = seal_waiting_acts(house)
    assert sealed > 0
    good = jiujin("ledger", "verify", "--json")
    assert (good.code, good.json()["wrong_act"]) == (0, None), good
    with house.engine.begin() as connection:
        if house.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(text("UPDATE audit_entries SET actor = 'nobody' WHERE action = 'add_kiosk'"))
    bad = jiujin("ledger", "verify", "--json")
    assert bad.code == 1
    wrong = bad.json()["error"]["wrong_act"]
    assert (wrong["position"], wrong["reason"]) == (sealed - 1, "changed")
    assert f"审计第 {wrong['entry']} 条" in jiujin("ledger", "verify").err
