"""The house: put together from the environment, refused with reasons, and who its reporters are."""

import json
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, text

from app.cli.databases import prepare
from app.domain.pushes import Message, Outcome
from app.domain.viewers import EVERYBODY, NOBODY
from app.kit.clock import SystemClock
from app.kit.database import open_engine, write_session
from app.kit.encrypted import Place, blind_index, seal
from app.kit.keys import load_key_ring, new_key_ring, save_key_ring
from app.kit.migrations import upgrade
from app.settings import Settings
from app.wiring import (
    House,
    HouseUnusable,
    KeysForeign,
    KeysLost,
    NotReady,
    Readiness,
    RowsUnguarded,
    RowsUnseen,
    bind_keys,
    build_callbacks,
    build_senders,
    check_keys,
    check_readiness,
    check_schema,
    check_second_line,
    is_believed,
    is_reference_loaded,
    load_matchmaker,
    open_house,
    owning,
    require_second_line,
)
from seed.reference import load_reference
from tests import postgres


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


@pytest.fixture
def empty_house(tmp_path: Path, empty_database: Callable[[str], Engine], backend: str) -> House:
    """A house over a database of each kind in turn, without a table."""
    return replace(open_house(data=tmp_path), engine=empty_database(backend))


def test_a_demo_needs_nothing_but_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "var"
    house = open_house(data=folder, port=8100)
    assert house.settings.port == 8100
    assert house.engine.url.database == str(folder.resolve() / "jiujin.db")
    assert isinstance(house.clock, SystemClock)
    assert house.matchmaker is None
    assert stat.S_IMODE((folder / "keys.json").stat().st_mode) == 0o600
    # The same keys the next time.
    assert open_house(data=folder).keys.to_json() == house.keys.to_json()


def test_keys_may_come_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = new_key_ring()
    monkeypatch.setenv("JIUJIN_KEYS", ring.to_json())
    assert open_house(data=tmp_path).keys.to_json() == ring.to_json()
    assert not (tmp_path / "keys.json").exists()


def test_a_keys_file_that_was_named_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(tmp_path / "mine.json"))
    with pytest.raises(HouseUnusable, match="读不到密钥文件"):
        open_house(data=tmp_path)
    assert not (tmp_path / "mine.json").exists()


@pytest.fixture
def demo(
    empty_database: Callable[[str], Engine], backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], House]]:
    """Opens the house of one demo anew, over a database of each kind in turn without a table."""
    url = empty_database(backend).url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    with ExitStack() as opened:

        def open_again() -> House:
            house = open_house(data=tmp_path / "var")
            opened.callback(house.close)
            return house

        yield open_again


def test_a_ring_is_made_for_a_database_that_needs_none(demo: Callable[[], House], tmp_path: Path) -> None:
    path = tmp_path / "var" / "keys.json"
    first = demo()
    path.unlink()
    second = demo()
    assert second.keys != first.keys
    upgrade(second.engine)
    path.unlink()
    third = demo()
    bind_keys(third)
    assert demo().keys == third.keys


def test_a_lost_ring_is_not_replaced(demo: Callable[[], House], tmp_path: Path) -> None:
    path = tmp_path / "var" / "keys.json"
    house = demo()
    upgrade(house.engine)
    bind_keys(house)
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(KeysLost, match=r"keys\.json 不见了.*请把备份放回原处"):
        demo()
    assert not path.exists()
    path.write_bytes(kept)
    path.chmod(0o600)
    assert demo().keys == house.keys


def test_people_stored_before_there_were_check_values_need_their_ring(
    demo: Callable[[], House], tmp_path: Path
) -> None:
    house = demo()
    upgrade(house.engine, to="0001")
    with write_session(house.engine) as session:
        session.execute(
            text(
                "INSERT INTO workers (id, birth_on, home_area_code, skills_text, wants, certificates, kinds, limits, "
                "max_km, origin, created_at, updated_at) VALUES (1, '1970-01-01', '500237102', '', '[]', '[]', '[]', "
                "'[]', 30, 'imported', '2026-12-01 00:00:00.000000', '2026-12-01 00:00:00.000000')"
            )
        )
        session.execute(
            text(
                "INSERT INTO identities (worker_id, name, id_number, id_number_index) "
                "VALUES (1, :name, :number, :index)"
            ),
            {
                "name": seal(house.keys, "样例甲", place=Place("identities", "name", 1)),
                "number": seal(house.keys, "1", place=Place("identities", "id_number", 1)),
                "index": blind_index(house.keys, "1", purpose="identities.id_number"),
            },
        )
    (tmp_path / "var" / "keys.json").unlink()
    with pytest.raises(KeysLost):
        demo()
    assert not (tmp_path / "var" / "keys.json").exists()


def test_no_ring_is_made_while_the_database_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://jiujin:s3cret@127.0.0.1:1/jiujin")
    with pytest.raises(HouseUnusable, match="DATABASE_URL") as refused:
        open_house(data=tmp_path)
    assert "s3cret" not in str(refused.value)
    assert not (tmp_path / "keys.json").exists()


def test_a_foreign_ring_is_refused_and_told_where_the_right_one_belongs(
    demo: Callable[[], House], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = demo()
    upgrade(house.engine)
    bind_keys(house)
    save_key_ring(new_key_ring(), tmp_path / "var" / "keys.json")
    for refuse in (check_keys, bind_keys):
        with pytest.raises(KeysForeign, match=re.escape(str(tmp_path / "var" / "keys.json"))):
            refuse(demo())
    monkeypatch.setenv("JIUJIN_KEYS", new_key_ring().to_json())
    with pytest.raises(KeysForeign, match="请把备份的密钥放回 JIUJIN_KEYS"):
        bind_keys(demo())
    monkeypatch.setenv("JIUJIN_KEYS", house.keys.to_json())
    bind_keys(demo())


def test_what_is_wrong_is_said_at_once_and_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIUJIN_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://jiujin:changeme@db/jiujin")
    with pytest.raises(HouseUnusable) as refused:
        open_house(data=tmp_path)
    assert "默认密码" in str(refused.value)
    assert "JIUJIN_PUBLIC_URL" in str(refused.value)
    assert "changeme" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://jiujin:s3cret@[::1/jiujin", "postgresql://jiujin:s3cret@db:port/jiujin", "sqlite:/s3cret"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(HouseUnusable, match="DATABASE_URL") as refused:
        open_house(data=tmp_path)
    assert "s3cret" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HouseUnusable, match="数据目录"):
        open_house(data=tmp_path / "file" / "var")


def test_what_is_loaded_is_known(empty_house: House) -> None:
    house = empty_house
    assert check_readiness(house) == Readiness(migrated=False, loaded=False, index_built=False)
    upgrade(house.engine)
    assert check_readiness(house) == Readiness(migrated=True, loaded=False, index_built=False)
    assert not check_readiness(house).is_ready
    assert not is_reference_loaded(house)
    with pytest.raises(LookupError):
        load_matchmaker(house)
    with pytest.raises(NotReady):
        house.ready_matchmaker()
    load_reference(house.engine, now=house.clock.now(), report=lambda _name, _rows: None)
    ready = replace(house, matchmaker=load_matchmaker(house))
    assert check_readiness(ready).is_ready
    assert ready.ready_matchmaker() is ready.matchmaker


def test_the_schema_of_the_code_is_that_of_the_tables(database: Engine) -> None:
    state = check_schema(database, compare_tables=True)
    assert state.is_current, state.drift


@pytest.mark.owner
def test_drift_is_seen_when_it_is_looked_for(database: Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE employers ADD COLUMN nickname VARCHAR(10)")
    assert check_schema(database).is_current
    assert not check_schema(database, compare_tables=True).is_current


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:aaaa::9", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("", "", True),
    ],
)
def test_reporters_are_told_apart_by_network(tmp_path: Path, left: str, right: str, same: bool) -> None:
    house = open_house(data=tmp_path)
    digests = [house.reporter(address) for address in (left, right)]
    assert (digests[0] == digests[1]) is same
    assert all("10.0" not in digest for each in digests for digest in each)


def test_a_network_is_known_by_its_digests_of_before_a_rotation(tmp_path: Path) -> None:
    house = open_house(data=tmp_path)
    rotated = replace(house, keys=house.keys.rotated("token"))
    assert rotated.reporter("10.0.0.1")[1:] == house.reporter("10.0.0.1")
    assert rotated.reporter("10.0.0.1")[0].startswith("2.")


def test_without_the_keys_nobody_can_try_addresses(tmp_path: Path) -> None:
    here, there = open_house(data=tmp_path / "here"), open_house(data=tmp_path / "there")
    assert here.reporter("10.0.0.1") != there.reporter("10.0.0.1")


def test_printing_a_house_gives_no_key_away(tmp_path: Path) -> None:
    house = replace(open_house(data=tmp_path), engine=open_engine("postgresql://jiujin:s3cret@db/jiujin"))
    assert "s3cret" not in repr(house)
    assert not any(str(key) in repr(house) for key in house.keys.data.values())


AGREED = '{"push": {"code": "T1", "fields": {"title": "title", "pay": "pay"}}}'
ALIYUN = {
    "JIUJIN_ALIYUN_KEY_ID": "key-id",
    "JIUJIN_ALIYUN_KEY_SECRET": "hush-key",
    "JIUJIN_ALIYUN_TEMPLATES": AGREED,
    "JIUJIN_ALIYUN_CALLBACK_SECRET": "a-long-enough-secret-for-aliyun",
}
ALL_PROVIDERS = {
    **ALIYUN,
    "JIUJIN_SMS_URL": "https://gateway.example.gov.cn/sms",
    "JIUJIN_SMS_SECRET": "a-long-enough-secret-for-sms",
    "JIUJIN_VOICE_URL": "https://gateway.example.gov.cn/voice",
    "JIUJIN_VOICE_SECRET": "a-long-enough-secret-for-voice",
    "JIUJIN_TENCENT_KEY_ID": "key-id",
    "JIUJIN_TENCENT_KEY_SECRET": "hush-key",
    "JIUJIN_TENCENT_APP_ID": "1400006666",
    "JIUJIN_TENCENT_TEMPLATES": AGREED,
    "JIUJIN_TENCENT_CALLBACK_SECRET": "a-long-enough-secret-for-tencent",
    "JIUJIN_WECHAT_APP_ID": "wx1",
    "JIUJIN_WECHAT_APP_SECRET": "hush-key",
    "JIUJIN_WECHAT_TEMPLATES": AGREED.replace("push", "push_wechat"),
    "JIUJIN_WECHAT_CALLBACK_TOKEN": "aLongEnoughTokenForWechat",
}


def served(house: House) -> list[tuple[str, str]]:
    return [(sender.channel.value, sender.provider) for sender in house.senders]


def test_a_demo_records_what_it_would_send(tmp_path: Path) -> None:
    house = open_house(data=tmp_path)
    assert served(house) == [
        ("sms", "recording"),
        ("wechat", "recording"),
        ("voice", "recording"),
        ("inbox", "house"),
        ("slip", "house"),
    ]
    assert house.callbacks == {}
    message = Message(key="push-1", to="13800001111", template="push", values={}, text="【就近】小区保安")
    assert house.senders[0].send(message).outcome is Outcome.ACCEPTED
    assert "小区保安" in json.loads((tmp_path / "sent.jsonl").read_text(encoding="utf-8"))["text"]


def test_a_demo_with_one_provider_records_the_other_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALIYUN.items():
        monkeypatch.setenv(name, value)
    house = open_house(data=tmp_path)
    assert served(house)[:3] == [("sms", "aliyun"), ("wechat", "recording"), ("voice", "recording")]
    assert list(house.callbacks) == ["aliyun"]
    assert "hush-key" not in repr(house)


def test_every_provider_is_built_with_its_callbacks_and_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ALL_PROVIDERS.items():
        monkeypatch.setenv(name, value)
    house = open_house(data=tmp_path)
    assert served(house) == [
        ("sms", "gateway"),
        ("sms", "aliyun"),
        ("sms", "tencent"),
        ("wechat", "wechat"),
        ("voice", "voice"),
        ("inbox", "house"),
        ("slip", "house"),
    ]
    assert {name: reader.channel.value for name, reader in house.callbacks.items()} == {
        "gateway": "sms",
        "aliyun": "sms",
        "tencent": "sms",
        "wechat": "wechat",
        "voice": "voice",
    }
    assert all(name == reader.provider for name, reader in house.callbacks.items())


def test_production_sends_nothing_that_was_not_set_up(tmp_path: Path) -> None:
    settings = Settings(env="production", data=tmp_path)
    assert [sender.provider for sender in build_senders(settings, SystemClock())] == ["house", "house"]
    assert build_callbacks(settings, SystemClock()) == {}


@pytest.mark.parametrize(
    ("agreed", "said"),
    [
        (AGREED.replace("push", "pusch"), "“pusch”不是我们的模板，只有code、push、push_link"),
        (AGREED.replace('"pay": ', '"salary": '), "“push”没有salary这一项"),
    ],
)
def test_a_template_that_was_agreed_wrongly_keeps_it_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agreed: str, said: str
) -> None:
    for name, value in {**ALIYUN, "JIUJIN_ALIYUN_TEMPLATES": agreed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(HouseUnusable, match=said):
        open_house(data=tmp_path)


# --- whose rows are seen ----------------------------------------------------------------------------------------------


@pytest.fixture
def two_roles(
    postgres_server: URL, postgres_roles: postgres.Roles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], House]]:
    """Opens the house of a service that connects as a role of its own, over a database that another one owns."""
    name = f"jiujin_roles_{uuid4().hex[:12]}"
    postgres.create_database(postgres_server, name, owner=postgres_roles.owner.username)
    for variable, url in (
        ("DATABASE_URL", postgres_roles.service),
        ("JIUJIN_OWNER_DATABASE_URL", postgres_roles.owner),
    ):
        monkeypatch.setenv(variable, url.set(database=name).render_as_string(hide_password=False))
    with ExitStack() as opened:

        def open_again() -> House:
            house = open_house(data=tmp_path / "var")
            opened.callback(house.close)
            return house

        yield open_again
    postgres.drop_database(postgres_server, name)


def test_the_owner_prepares_what_the_service_works_with(
    two_roles: Callable[[], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # again, it changes nothing
        prepare(two_roles())
    monkeypatch.delenv("JIUJIN_OWNER_DATABASE_URL")
    house = two_roles()
    bind_keys(house)
    assert is_believed(house)
    assert not is_believed(house.seen_by(NOBODY))
    assert check_second_line(house) == []
    assert is_believed(house.seen_by(NOBODY).seen_by(EVERYBODY))
    in_production = replace(house, settings=house.settings.model_copy(update={"env": "production"}))
    require_second_line(in_production)


def test_who_owns_the_tables_does_not_serve_a_city(two_roles: Callable[[], House]) -> None:
    house = two_roles()
    prepare(house)
    with owning(house) as owner:
        as_owner = replace(house, engine=owner)
        require_second_line(as_owner)  # in a demo one role may own everything
        in_production = replace(as_owner, settings=house.settings.model_copy(update={"env": "production"}))
        with pytest.raises(RowsUnguarded, match="主人"):
            require_second_line(in_production)
        with owner.begin() as connection:
            connection.execute(text("ALTER TABLE workers NO FORCE ROW LEVEL SECURITY"))
    with pytest.raises(RowsUnguarded, match="workers"):
        require_second_line(replace(in_production, engine=house.engine))


def test_keys_that_the_database_does_not_know_are_told_by_the_owner_alone(
    two_roles: Callable[[], House], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepare(two_roles())
    path = tmp_path / "var" / "keys.json"
    save_key_ring(load_key_ring(path).rotated("token"), path)
    with monkeypatch.context() as without:
        without.delenv("JIUJIN_OWNER_DATABASE_URL")
        with pytest.raises(RowsUnseen):
            bind_keys(two_roles())
    prepare(two_roles())
    monkeypatch.delenv("JIUJIN_OWNER_DATABASE_URL")
    bind_keys(two_roles())
    # Another ring is refused, and what was told stays.
    save_key_ring(new_key_ring(), path)
    with pytest.raises(KeysForeign):
        bind_keys(two_roles())
