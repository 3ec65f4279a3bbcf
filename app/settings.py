"""Every environment variable, typed. Only `wiring` reads it; everybody else is handed values.

Production is another contract than a demo: with `JIUJIN_ENV=production` nothing has a convenient default, and the
service does not start until every invariant holds; `load_settings` names all that do not at once.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

# Passwords that installation guides and container images print.
_WELL_KNOWN_PASSWORDS = frozenset({"", "postgres", "password", "changeme", "secret", "jiujin", "admin", "123456"})
_DATABASES = ("sqlite", "postgresql")


class SettingsUnusable(Exception):
    """The environment does not allow a start. `problems` holds one Chinese sentence for each thing to mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("配置有误，服务未启动：\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = problems


class AgreedSetting(BaseModel):
    """A template as it was agreed with a provider: its code there, and our placeholders with theirs, in their order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    fields: dict[str, str]


AgreedSettings = dict[str, AgreedSetting]
"""By the name of our template: `{"push": {"code": "SMS_1", "fields": {"title": "title"}}}`."""


class Settings(BaseSettings):
    """The environment. A field's alias is the name of its variable; an empty variable counts as not set."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", validate_by_name=True, validate_by_alias=True
    )

    env: Literal["demo", "production"] = Field("demo", validation_alias="JIUJIN_ENV")
    data: Path = Field(Path("var"), validation_alias="JIUJIN_DATA")

    # Secret, because it carries a password; None is the SQLite file in `data`.
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    # Under whom `jiujin db upgrade` migrates where the service connects as a role that owns nothing; None: as itself.
    owner_database_url: SecretStr | None = Field(None, validation_alias="JIUJIN_OWNER_DATABASE_URL")
    db_pool_size: int = Field(4, ge=1, le=100, validation_alias="JIUJIN_DB_POOL_SIZE")
    db_statement_timeout_ms: int = Field(15_000, ge=0, le=3_600_000, validation_alias="JIUJIN_DB_STATEMENT_TIMEOUT_MS")
    db_lock_timeout_ms: int = Field(5_000, ge=1, le=600_000, validation_alias="JIUJIN_DB_LOCK_TIMEOUT_MS")

    # The key ring as a file (mode 0600) or as its JSON text; in a demo neither makes `data/keys.json` on first use.
    keys_file: Path | None = Field(None, validation_alias="JIUJIN_KEYS_FILE")
    keys: SecretStr | None = Field(None, validation_alias="JIUJIN_KEYS")
    # What seals from now on; what the other one has sealed opens all the same.
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = Field("aes-256-gcm", validation_alias="JIUJIN_CIPHER")
    # A key service that wraps people's own keys (docs/keys.md); without one the key ring does.
    kms_url: str | None = Field(None, validation_alias="JIUJIN_KMS_URL")
    kms_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_KMS_SECRET")

    host: str = Field("127.0.0.1", validation_alias="JIUJIN_HOST")
    port: int = Field(8000, ge=1, le=65_535, validation_alias="JIUJIN_PORT")
    # What links in messages to people begin with; None is http://<host>:<port>.
    public_url: str | None = Field(None, validation_alias="JIUJIN_PUBLIC_URL")
    # Whose X-Forwarded-* headers are believed: addresses and networks, separated by commas.
    trusted_proxies: str = Field("127.0.0.1", validation_alias="JIUJIN_TRUSTED_PROXIES")

    # How many requests one network may send a minute to one process, and whose are not counted (a load balancer that
    # hides addresses, a station): addresses and networks, separated by commas.
    reads_a_minute: int = Field(1_200, ge=1, le=1_000_000, validation_alias="JIUJIN_READS_A_MINUTE")
    writes_a_minute: int = Field(240, ge=1, le=1_000_000, validation_alias="JIUJIN_WRITES_A_MINUTE")
    unlimited_networks: str = Field("", validation_alias="JIUJIN_UNLIMITED_NETWORKS")

    # A gateway that speaks our own shape (docs/channels.md), for text messages and for voice.
    sms_url: str | None = Field(None, validation_alias="JIUJIN_SMS_URL")
    sms_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_SMS_SECRET")
    voice_url: str | None = Field(None, validation_alias="JIUJIN_VOICE_URL")
    voice_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_VOICE_SECRET")

    aliyun_key_id: str | None = Field(None, validation_alias="JIUJIN_ALIYUN_KEY_ID")
    aliyun_key_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_ALIYUN_KEY_SECRET")
    aliyun_templates: Json[AgreedSettings] | None = Field(None, validation_alias="JIUJIN_ALIYUN_TEMPLATES")
    # What stands in the path of callbacks, because these providers sign none.
    aliyun_callback_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_ALIYUN_CALLBACK_SECRET")
    aliyun_url: str = Field("https://dysmsapi.aliyuncs.com/", validation_alias="JIUJIN_ALIYUN_URL")

    tencent_key_id: str | None = Field(None, validation_alias="JIUJIN_TENCENT_KEY_ID")
    tencent_key_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_TENCENT_KEY_SECRET")
    tencent_app_id: str | None = Field(None, validation_alias="JIUJIN_TENCENT_APP_ID")
    tencent_templates: Json[AgreedSettings] | None = Field(None, validation_alias="JIUJIN_TENCENT_TEMPLATES")
    tencent_callback_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_TENCENT_CALLBACK_SECRET")
    tencent_url: str = Field("https://sms.tencentcloudapi.com/", validation_alias="JIUJIN_TENCENT_URL")

    wechat_app_id: str | None = Field(None, validation_alias="JIUJIN_WECHAT_APP_ID")
    wechat_app_secret: SecretStr | None = Field(None, validation_alias="JIUJIN_WECHAT_APP_SECRET")
    wechat_templates: Json[AgreedSettings] | None = Field(None, validation_alias="JIUJIN_WECHAT_TEMPLATES")
    wechat_callback_token: SecretStr | None = Field(None, validation_alias="JIUJIN_WECHAT_CALLBACK_TOKEN")
    wechat_url: str = Field("https://api.weixin.qq.com", validation_alias="JIUJIN_WECHAT_URL")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="JIUJIN_LOG_LEVEL")
    # None: JSON in production, plain text in a demo.
    log_format: Literal["plain", "json"] | None = Field(None, validation_alias="JIUJIN_LOG_FORMAT")
    access_log: bool = Field(default=True, validation_alias="JIUJIN_ACCESS_LOG")

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def effective_database_url(self) -> str:
        """`DATABASE_URL`, or the SQLite file in the data folder. Secret: it may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data.resolve() / 'jiujin.db'}"

    @property
    def effective_public_url(self) -> str:
        """Where people reach the service, without a slash at the end."""
        # Listening everywhere is no place to go to.
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  compared, not bound
        host = f"[{host}]" if ":" in host else host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def effective_keys_file(self) -> Path:
        """Where the key ring lies if it is not given as text."""
        return self.keys_file or self.data / "keys.json"

    @property
    def checkpoints(self) -> Path:
        """Where the ledger's checkpoints are kept, outside the database."""
        return self.data / "checkpoints"

    @property
    def logs_as_json(self) -> bool:
        return (self.log_format or ("json" if self.is_production else "plain")) == "json"

    def problems(self) -> list[str]:
        """What keeps the service from starting, a Chinese sentence each; empty if nothing does."""
        return [*self._contradictions(), *(self._production_gaps() if self.is_production else ())]

    def _contradictions(self) -> list[str]:
        found = []
        if self.keys is not None and self.keys_file is not None:
            found.append("JIUJIN_KEYS 和 JIUJIN_KEYS_FILE 只能设一个")
        if self.database_url is not None and _backend(self.effective_database_url) not in _DATABASES:
            found.append("DATABASE_URL 要以 postgresql:// 或 sqlite:/// 开头")
        if self.public_url is not None and not _is_web_address(self.public_url):
            found.append("JIUJIN_PUBLIC_URL 要是完整的网址，如 https://job.example.gov.cn")
        if not _are_networks(self.unlimited_networks):
            found.append("JIUJIN_UNLIMITED_NETWORKS 要填地址或网段，用逗号隔开，如 10.1.2.3,10.8.0.0/16")
        owner = self.owner_database_url
        if owner is not None and {
            _backend(owner.get_secret_value()),
            _backend(self.effective_database_url),
        } != {"postgresql"}:
            found.append("JIUJIN_OWNER_DATABASE_URL 只在用 PostgreSQL 时设，要以 postgresql:// 开头")
        for group in _PROVIDERS:
            missing = [_variable(name) for name in group if getattr(self, name) is None]
            if missing and len(missing) < len(group):
                found.append(f"还缺 {'、'.join(missing)}：这家渠道要设齐才能用")
        if (self.kms_url is None) != (self.kms_secret is None):
            missing_one = "kms_url" if self.kms_url is None else "kms_secret"
            found.append(f"还缺 {_variable(missing_one)}：密钥服务要设齐才能用")
        for name in (*_PROVIDER_URLS, "kms_url"):
            url = getattr(self, name)
            if url is not None and not _is_web_address(url):
                found.append(f"{_variable(name)} 要是完整的网址")
        return found

    def _production_gaps(self) -> list[str]:
        found = []
        if self.database_url is None:
            found.append("正式环境要设 DATABASE_URL")
        elif _backend(self.effective_database_url) == "sqlite":
            found.append("正式环境的 DATABASE_URL 要用 PostgreSQL，SQLite 只供试用")
        elif _password(self.effective_database_url) in _WELL_KNOWN_PASSWORDS:
            found.append("DATABASE_URL 里的数据库密码是人人知道的默认密码")
        if self.keys is None and self.keys_file is None:
            found.append("正式环境要设 JIUJIN_KEYS_FILE 或 JIUJIN_KEYS：密钥要自己生成、另行备份")
        elif self.keys_file is not None and not self.keys_file.is_file():
            found.append("JIUJIN_KEYS_FILE 指的文件不存在")
        if self.public_url is None:
            found.append("正式环境要设 JIUJIN_PUBLIC_URL")
        elif not self.public_url.startswith("https://"):
            found.append("JIUJIN_PUBLIC_URL 要用 https://")
        for name in _PROVIDER_URLS:
            url = getattr(self, name)
            if url is not None and not url.startswith("https://"):
                found.append(f"{_variable(name)} 要用 https://：里面有手机号")
        if self.kms_url is not None and not self.kms_url.startswith("https://"):
            found.append("JIUJIN_KMS_URL 要用 https://：里面有密钥")
        if self.kms_secret is not None and len(self.kms_secret.get_secret_value()) < _SHORTEST_SECRET:
            found.append(f"JIUJIN_KMS_SECRET 至少要{_SHORTEST_SECRET}个字符，不然别人也能叫密钥服务解密")
        secrets = {name: getattr(self, name) for name in _SHARED_SECRETS}
        given = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
        for name, secret in given.items():
            if len(secret) < _SHORTEST_SECRET:
                found.append(f"{_variable(name)} 至少要{_SHORTEST_SECRET}个字符，不然回执可以伪造")
            elif list(given.values()).count(secret) > 1:
                found.append(f"{_variable(name)} 和别的渠道一样了，每家要各用各的")
        if self.log_level == "DEBUG":
            found.append("正式环境的 JIUJIN_LOG_LEVEL 不能是 DEBUG：第三方库会写出请求内容")
        return found


def load_settings(**given: Any) -> Settings:
    """The settings of this process.

    Args:
        **given: fields set on the command line (`data`, `host`, `port`); they win over the environment, None counts as
            not given.

    Raises:
        SettingsUnusable: a variable cannot be read, or an invariant does not hold; says everything at once.
    """
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        # The values are left out: they may be secrets.
        problems = [_explain(item["loc"], item["type"], item.get("ctx", {})) for item in error.errors()]
        # A variable that holds a table may be wrong in several places.
        raise SettingsUnusable(list(dict.fromkeys(problems))) from None
    if problems := settings.problems():
        raise SettingsUnusable(problems)
    return settings


_PROVIDERS = (
    ("sms_url", "sms_secret"),
    ("voice_url", "voice_secret"),
    ("aliyun_key_id", "aliyun_key_secret", "aliyun_templates", "aliyun_callback_secret"),
    ("tencent_key_id", "tencent_key_secret", "tencent_app_id", "tencent_templates", "tencent_callback_secret"),
    ("wechat_app_id", "wechat_app_secret", "wechat_templates", "wechat_callback_token"),
)
_PROVIDER_URLS = ("sms_url", "voice_url", "aliyun_url", "tencent_url", "wechat_url")
# What callbacks are known by: who has one of these can make deliveries up. The token of WeChat is at most 32 long.
_SHARED_SECRETS = (
    "sms_secret",
    "voice_secret",
    "aliyun_callback_secret",
    "tencent_callback_secret",
    "wechat_callback_token",
)
_SHORTEST_SECRET = 24


def _variable(name: str) -> str:
    return str(Settings.model_fields[name].validation_alias)


def _explain(place: tuple[int | str, ...], kind: str, limits: dict[str, Any]) -> str:
    name = str(place[0])
    field = Settings.model_fields.get(name)
    variable = str(field.validation_alias) if field else name
    match kind:
        case "literal_error":
            return f"{variable} 只能是 {limits['expected'].replace(' or ', ' 或 ')}"
        case "greater_than_equal":
            return f"{variable} 不能小于 {limits['ge']}"
        case "less_than_equal":
            return f"{variable} 不能大于 {limits['le']}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{variable} 要填整数"
        case "bool_parsing" | "bool_type":
            return f"{variable} 要填 true 或 false"
        case _:
            return f"{variable} 的格式不对"


def _backend(url: str) -> str:
    # "postgresql+psycopg" names the driver too.
    return url.partition(":")[0].partition("+")[0]


def _password(url: str) -> str | None:
    """The password in a database URL; None where it comes from elsewhere: socket, certificate, password file."""
    return urlsplit(url).password


def _are_networks(text: str) -> bool:
    try:
        for part in text.split(","):
            if part.strip():
                ip_network(part.strip())
    except ValueError:
        return False
    return True


def _is_web_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
