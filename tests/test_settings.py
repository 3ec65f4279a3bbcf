"""The environment, read and refused."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.settings import Settings, SettingsUnusable, load_settings

SAFE = {
    "JIUJIN_ENV": "production",
    "DATABASE_URL": "postgresql://jiujin:correct-horse@db.internal/jiujin",
    "JIUJIN_KEYS": "{}",
    "JIUJIN_PUBLIC_URL": "https://job.example.gov.cn",
}

PROVIDERS = ("sms_", "voice_", "aliyun_", "tencent_", "wechat_")
AGREED = '{"push": {"code": "SMS_1", "fields": {"title": "title", "pay": "pay"}}}'
ALL_PROVIDERS = {
    "JIUJIN_SMS_URL": "https://gateway.example.gov.cn/sms",
    "JIUJIN_SMS_SECRET": "a-long-enough-secret-for-sms",
    "JIUJIN_VOICE_URL": "https://gateway.example.gov.cn/voice",
    "JIUJIN_VOICE_SECRET": "a-long-enough-secret-for-voice",
    "JIUJIN_ALIYUN_KEY_ID": "key-id",
    "JIUJIN_ALIYUN_KEY_SECRET": "hush-key",
    "JIUJIN_ALIYUN_TEMPLATES": AGREED,
    "JIUJIN_ALIYUN_CALLBACK_SECRET": "a-long-enough-secret-for-aliyun",
    "JIUJIN_TENCENT_KEY_ID": "key-id",
    "JIUJIN_TENCENT_KEY_SECRET": "hush-key",
    "JIUJIN_TENCENT_APP_ID": "1400006666",
    "JIUJIN_TENCENT_TEMPLATES": AGREED,
    "JIUJIN_TENCENT_CALLBACK_SECRET": "a-long-enough-secret-for-tencent",
    "JIUJIN_WECHAT_APP_ID": "wx1",
    "JIUJIN_WECHAT_APP_SECRET": "hush-key",
    "JIUJIN_WECHAT_TEMPLATES": AGREED,
    "JIUJIN_WECHAT_CALLBACK_TOKEN": "aLongEnoughTokenForWechat",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def set_environment(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> None:
    for name, value in {**SAFE, **changes}.items():
        if value is not None:
            monkeypatch.setenv(name, value)


def refused(**given: object) -> list[str]:
    with pytest.raises(SettingsUnusable) as refusal:
        load_settings(**given)
    assert all(problem in str(refusal.value) for problem in refusal.value.problems)
    return refusal.value.problems


def test_without_a_variable_it_is_a_demo_on_sqlite_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert not settings.is_production
    assert settings.effective_database_url == f"sqlite:///{tmp_path / 'var' / 'jiujin.db'}"
    assert settings.effective_keys_file == Path("var/keys.json")
    assert settings.effective_public_url == "http://127.0.0.1:8000"
    assert not settings.logs_as_json


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.touch()
    set_environment(
        monkeypatch,
        JIUJIN_KEYS=None,
        JIUJIN_KEYS_FILE=str(keys),
        JIUJIN_DATA=str(tmp_path),
        JIUJIN_CIPHER="sm4-gcm",
        JIUJIN_KMS_URL="https://kms.example.gov.cn",
        JIUJIN_KMS_SECRET="a-long-enough-secret-for-kms",
        JIUJIN_DB_POOL_SIZE="7",
        JIUJIN_DB_STATEMENT_TIMEOUT_MS="0",
        JIUJIN_DB_LOCK_TIMEOUT_MS="9",
        JIUJIN_HOST="::",
        JIUJIN_PORT="80",
        JIUJIN_TRUSTED_PROXIES="10.0.0.0/8",
        JIUJIN_READS_A_MINUTE="5",
        JIUJIN_WRITES_A_MINUTE="3",
        JIUJIN_UNLIMITED_NETWORKS="10.8.0.0/16",
        JIUJIN_LOG_LEVEL="WARNING",
        JIUJIN_LOG_FORMAT="plain",
        JIUJIN_ACCESS_LOG="false",
    )
    settings = load_settings()
    assert settings.is_production
    assert settings.effective_database_url == SAFE["DATABASE_URL"]
    assert settings.effective_keys_file == keys
    assert settings.effective_public_url == "https://job.example.gov.cn"
    providers = {name for name in Settings.model_fields if name.startswith(PROVIDERS)}
    assert settings.model_dump(exclude={"env", "keys", "keys_file", "database_url", "public_url", *providers}) == {
        "data": tmp_path,
        "owner_database_url": None,
        "cipher": "sm4-gcm",
        "kms_url": "https://kms.example.gov.cn",
        "kms_secret": SecretStr("a-long-enough-secret-for-kms"),
        "db_pool_size": 7,
        "db_statement_timeout_ms": 0,
        "db_lock_timeout_ms": 9,
        "host": "::",
        "port": 80,
        "trusted_proxies": "10.0.0.0/8",
        "reads_a_minute": 5,
        "writes_a_minute": 3,
        "unlimited_networks": "10.8.0.0/16",
        "log_level": "WARNING",
        "log_format": "plain",
        "access_log": False,
    }


def test_the_command_line_wins_and_none_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JIUJIN_PORT", "1234")
    monkeypatch.setenv("JIUJIN_DATA", "/elsewhere")
    settings = load_settings(data=tmp_path, port=None)
    assert (settings.data, settings.port) == (tmp_path, 1234)
    assert load_settings(port=99).port == 99


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("JIUJIN_PORT", "")
    assert load_settings().database_url is None


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("0.0.0.0", "localhost"), ("::", "localhost")])
def test_the_address_to_listen_on_makes_a_url_to_go_to(host: str, shown: str) -> None:
    assert load_settings(host=host).effective_public_url == f"http://{shown}:8000"


def test_everything_that_cannot_be_read_is_named_at_once_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIUJIN_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("JIUJIN_ENV", "prod")
    monkeypatch.setenv("JIUJIN_DB_POOL_SIZE", "0")
    monkeypatch.setenv("JIUJIN_DB_LOCK_TIMEOUT_MS", "600001")
    monkeypatch.setenv("JIUJIN_ACCESS_LOG", "perhaps")
    assert sorted(refused()) == [
        "JIUJIN_ACCESS_LOG 要填 true 或 false",
        "JIUJIN_DB_LOCK_TIMEOUT_MS 不能大于 600000",
        "JIUJIN_DB_POOL_SIZE 不能小于 1",
        "JIUJIN_ENV 只能是 'demo' 或 'production'",
        "JIUJIN_PORT 要填整数",
    ]


def test_a_bad_value_from_the_command_line_is_named_by_its_variable() -> None:
    assert refused(port="eighty") == ["JIUJIN_PORT 要填整数"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/jiujin"),
        ("JIUJIN_PUBLIC_URL", "job.example.gov.cn"),
        ("JIUJIN_UNLIMITED_NETWORKS", "10.0.0.0/8,here"),
    ],
)
def test_a_contradiction_is_refused_in_a_demo_too(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    (problem,) = refused()
    assert variable in problem


def test_keys_come_from_one_place_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JIUJIN_KEYS", "{}")
    monkeypatch.setenv("JIUJIN_KEYS_FILE", str(tmp_path))
    (problem,) = refused()
    assert "只能设一个" in problem


def test_a_safe_production_starts_and_logs_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch)
    settings = load_settings()
    assert settings.is_production
    assert settings.logs_as_json


def test_a_bare_production_names_each_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIUJIN_ENV", "production")
    monkeypatch.setenv("JIUJIN_LOG_LEVEL", "DEBUG")
    problems = refused()
    assert len(problems) == 4
    for name, problem in zip(("DATABASE_URL", "JIUJIN_KEYS", "PUBLIC_URL", "LOG_LEVEL"), problems, strict=True):
        assert name in problem


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"DATABASE_URL": None}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///x.db"}, "PostgreSQL"),
        ({"DATABASE_URL": "sqlite+pysqlite:///x.db"}, "PostgreSQL"),
        ({"DATABASE_URL": "postgresql://jiujin:jiujin@db/jiujin"}, "默认密码"),
        ({"DATABASE_URL": "postgresql+psycopg://postgres:@db/jiujin"}, "默认密码"),
        ({"JIUJIN_KEYS": None}, "JIUJIN_KEYS_FILE"),
        ({"JIUJIN_KEYS": None, "JIUJIN_KEYS_FILE": "/nowhere/keys.json"}, "不存在"),
        ({"JIUJIN_PUBLIC_URL": None}, "JIUJIN_PUBLIC_URL"),
        ({"JIUJIN_PUBLIC_URL": "http://job.example.gov.cn"}, "https"),
        ({"JIUJIN_LOG_LEVEL": "DEBUG"}, "JIUJIN_LOG_LEVEL"),
    ],
)
def test_each_production_invariant_alone_keeps_it_from_starting(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], names: str
) -> None:
    set_environment(monkeypatch, **changes)
    (problem,) = refused()
    assert names in problem
    assert "correct-horse" not in problem


@pytest.mark.parametrize(
    "url",
    ["postgresql://jiujin@db/jiujin", "postgresql:///jiujin?host=/run/postgresql", "postgresql+psycopg://a:b@c/d"],
)
def test_a_database_may_be_reached_without_a_password_in_its_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    set_environment(monkeypatch, DATABASE_URL=url)
    assert load_settings().effective_database_url == url


@pytest.mark.parametrize(
    ("database", "owner", "is_allowed"),
    [
        ("postgresql://service:s@db/x", "postgresql://owner:o@db/x", True),
        ("postgresql://service:s@db/x", "sqlite:///x.db", False),
        ("sqlite:///x.db", "postgresql://owner:o@db/x", False),
    ],
)
def test_an_owner_is_told_apart_only_on_postgresql(
    monkeypatch: pytest.MonkeyPatch, database: str, owner: str, is_allowed: bool
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("JIUJIN_OWNER_DATABASE_URL", owner)
    if is_allowed:
        assert "owner:o" not in repr(load_settings())
        return
    with pytest.raises(SettingsUnusable, match="JIUJIN_OWNER_DATABASE_URL"):
        load_settings()


def test_settings_that_are_printed_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, JIUJIN_KEYS='{"data": "hush"}')
    shown = f"{load_settings()!r} {load_settings()}"
    assert "correct-horse" not in shown
    assert "hush" not in shown


def test_every_provider_is_read_and_its_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, **ALL_PROVIDERS)
    settings = load_settings()
    assert settings.aliyun_templates is not None
    assert settings.aliyun_templates["push"].code == "SMS_1"
    assert list(settings.aliyun_templates["push"].fields) == ["title", "pay"]
    assert all(getattr(settings, name) is not None for name in Settings.model_fields if name.startswith(PROVIDERS))
    shown = f"{settings!r} {settings}"
    assert "hush-key" not in shown
    assert "long-enough" not in shown.lower().replace("alongenough", "long-enough")


@pytest.mark.parametrize("left_out", [name for name in ALL_PROVIDERS if name != "JIUJIN_SMS_URL"])
def test_a_provider_that_is_set_up_by_half_is_refused_in_a_demo_too(
    monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    set_environment(monkeypatch, JIUJIN_ENV="demo", **{**ALL_PROVIDERS, left_out: ""})
    (problem,) = refused()
    assert f"还缺 {left_out}：" in problem


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JIUJIN_ALIYUN_TEMPLATES", "{"),
        ("JIUJIN_ALIYUN_TEMPLATES", '{"push": {}}'),
        ("JIUJIN_TENCENT_TEMPLATES", '{"push": {"code": "", "fields": {}}}'),
        ("JIUJIN_WECHAT_TEMPLATES", '{"push": {"code": "1", "fields": {}, "more": 1}}'),
    ],
)
def test_agreed_templates_that_cannot_be_read_are_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    set_environment(monkeypatch, **{**ALL_PROVIDERS, variable: value})
    (problem,) = refused()
    assert problem.startswith(variable)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"JIUJIN_SMS_URL": "gateway"}, ["JIUJIN_SMS_URL 要是完整的网址", "JIUJIN_SMS_URL 要用 https"]),
        ({"JIUJIN_VOICE_URL": "http://gateway.example.gov.cn"}, ["JIUJIN_VOICE_URL 要用 https"]),
        ({"JIUJIN_ALIYUN_URL": "http://dysmsapi.aliyuncs.com/"}, ["JIUJIN_ALIYUN_URL 要用 https"]),
        ({"JIUJIN_SMS_SECRET": "short"}, ["JIUJIN_SMS_SECRET 至少要24个字符"]),
        ({"JIUJIN_WECHAT_CALLBACK_TOKEN": "short"}, ["JIUJIN_WECHAT_CALLBACK_TOKEN 至少要24个字符"]),
        (
            {"JIUJIN_SMS_SECRET": "a-long-enough-secret-for-voice"},
            ["JIUJIN_SMS_SECRET 和别的渠道一样", "JIUJIN_VOICE_SECRET 和别的渠道一样"],
        ),
    ],
)
def test_each_invariant_of_providers_keeps_production_from_starting(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], names: list[str]
) -> None:
    set_environment(monkeypatch, **{**ALL_PROVIDERS, **changes})
    problems = refused()
    assert len(problems) == len(names)
    assert all(problem.startswith(name) for problem, name in zip(problems, names, strict=True))


def test_a_key_service_is_set_up_whole_and_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, JIUJIN_KMS_URL="https://kms.example.gov.cn")
    assert refused() == ["还缺 JIUJIN_KMS_SECRET：密钥服务要设齐才能用"]
    set_environment(monkeypatch, JIUJIN_KMS_URL="http://kms.example.gov.cn", JIUJIN_KMS_SECRET="short")
    assert [problem.split()[0] for problem in refused()] == ["JIUJIN_KMS_URL", "JIUJIN_KMS_SECRET"]
    monkeypatch.setenv("JIUJIN_CIPHER", "rot13")
    assert any("JIUJIN_CIPHER 只能是" in problem for problem in refused())
