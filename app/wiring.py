"""The only composer: the environment becomes an engine, a key ring, a clock and, once it is loaded, the matchmaker.

`House` is frozen: the web process puts a new one at `app.state.house` when the matchmaker is ready. Whoever serves a
request asks for the house of that request and never keeps it.
"""

import errno
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app.channels.agreed import AgreedTemplate
from app.channels.callbacks import ProviderCallbacks, Shape
from app.channels.calls import Caller, Timeouts
from app.channels.inbox import InboxSender, SlipSender
from app.channels.key_service import KeyService
from app.channels.neutral import NeutralSender
from app.channels.recording import RecordingSender
from app.channels.sms_aliyun import AliyunAccount, AliyunSender
from app.channels.sms_tencent import TencentAccount, TencentSender
from app.channels.voice import VoiceSender
from app.channels.wechat import WechatAccount, WechatSender
from app.domain.callbacks import CallbackReader
from app.domain.ledger import Channel
from app.domain.phone_codes import CODE_TEMPLATE
from app.domain.pushes import Sender
from app.domain.templates import PUSH_TEMPLATES, SIGNATURE, push_by_link
from app.domain.viewers import EVERYBODY, Viewer
from app.kit.clock import Clock, SystemClock
from app.kit.database import open_engine, read_session, write_session
from app.kit.encrypted import require_cipher
from app.kit.errors import Busy
from app.kit.keys import (
    Cipher,
    FiledKeyRing,
    KeyRing,
    KeyRingUnusable,
    MasterKeys,
    keyed_digests,
    load_or_create_key_ring,
    read_key_ring,
)
from app.kit.migrations import SchemaState, check
from app.kit.networks import Network, network_of, read_networks
from app.settings import AgreedSettings, Settings, SettingsUnusable, load_settings
from app.store.audit import ORIGIN
from app.store.row_keys import find_role, grant_to, list_weaknesses
from app.store.scoping import PERSONAL_TABLES, scoped
from app.store.tables import METADATA
from app.usecases.areas import list_children
from app.usecases.key_rings import (
    KeyRingForeign,
    bind_key_ring,
    check_key_ring,
    is_ring_needed,
    is_ring_told,
    tell_ring,
)
from app.usecases.matchmaking import Matchmaker


class HouseUnusable(Exception):
    """The service cannot be put together here; the message says why, in Chinese and without a secret.

    `code` is stable, for programs.
    """

    code: ClassVar[str] = "settings_unusable"


class KeysLost(HouseUnusable):
    """The key ring's file is gone, and the database is written with it."""

    code = "keys_lost"


class KeysForeign(HouseUnusable):
    """The key ring is not the one that the database is written with."""

    code = "keys_foreign"


class RowsUnseen(HouseUnusable):
    """PostgreSQL does not believe what this process signs, so that it would show it nobody's rows."""

    code = "rows_unseen"

    def __init__(self) -> None:
        super().__init__(
            "数据库不认这套密钥签的名，一行人员数据也不会给：请先用表的主人运行 jiujin db upgrade（见 README），"
            "再看两边的时钟是否相差超过五分钟、中间有没有连接池"
        )


class RowsUnguarded(HouseUnusable):
    """The role that the service connects as could go past row-level security."""

    code = "rows_unguarded"

    def __init__(self, found: list[str]) -> None:
        super().__init__(
            f"{'；'.join(found)}：正式环境请给服务一个不是主人、没有特权的角色，"
            "用 JIUJIN_OWNER_DATABASE_URL 运行 jiujin db upgrade（见 README）"
        )


class FolderUnwritable(HouseUnusable):
    """The data folder cannot be made, or nothing can be written into it."""

    code = "not_writable"

    def __init__(self, what: str, error: OSError) -> None:
        why = _WHY_UNWRITABLE.get(error.errno or 0, error.strerror)
        super().__init__(f"{what}（{why}）：请换一个能写的目录，如 --data ~/jiujin，或者改好权限、腾出空间再试")


_WHY_UNWRITABLE = {
    errno.EACCES: "没有写的权限",
    errno.EPERM: "没有写的权限",
    errno.EROFS: "这里只能读",
    errno.ENOSPC: "磁盘满了",
    errno.EDQUOT: "用完了磁盘配额",
    errno.ENOTDIR: "路径里有一段不是目录",
    errno.EEXIST: "这个名字已经被别的文件占了",
    errno.ENOENT: "这里不能建文件",
}


class NotReady(Busy):
    """The index is still being built, or the reference data has not been loaded."""

    code = "not_ready"
    title = "系统正在准备数据，请稍后再试"


@dataclass(slots=True)
class Pulse:
    """How one background loop is doing: counted by the loop, shown in the metrics."""

    runs: int = 0
    failures: int = 0
    succeeded_at: datetime | None = None


@dataclass(slots=True)
class Pulses:
    """The pulse of each background loop by its name; loops run in threads of their own."""

    _by_name: dict[str, Pulse] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> Pulse:
        """The pulse of a loop, begun when first asked for."""
        with self._lock:
            return self._by_name.setdefault(name, Pulse())

    def snapshot(self) -> dict[str, Pulse]:
        """A copy of all pulses by name."""
        with self._lock:
            return {name: replace(pulse) for name, pulse in self._by_name.items()}


@dataclass(frozen=True, slots=True)
class House:
    """What a process works with. `matchmaker` is None until the index has been built from loaded reference data.

    Of the `senders` on one channel the first is asked first. `callbacks` holds, by provider, who reads its callbacks.
    """

    settings: Settings
    engine: Engine
    keys: KeyRing
    clock: Clock
    matchmaker: Matchmaker | None = None
    senders: tuple[Sender, ...] = ()
    callbacks: Mapping[str, CallbackReader] = field(default_factory=dict)
    pulses: Pulses = field(default_factory=Pulses)

    def worked_from(self, origin: str) -> "House":
        """The same house, whose acts stand in the audit as done from there: `web`, `command` or `background`."""
        return replace(self, engine=self.engine.execution_options(**{ORIGIN: origin}))

    def ready_matchmaker(self) -> Matchmaker:
        """The matchmaker.

        Raises:
            NotReady: it has not been loaded yet.
        """
        if self.matchmaker is None:
            raise NotReady(retry_after_s=5)
        return self.matchmaker

    def reporter(self, address: str) -> tuple[str, ...]:
        """Keyed digests of the network that a reporter of postings writes from, newest key first; they name nobody.

        Only another network is another reporter: whatever else a request says of itself its sender may choose.
        """
        return keyed_digests(self.keys, network_of(address), purpose="posting_report")

    @property
    def unlimited_networks(self) -> tuple[Network, ...]:
        """The networks whose requests are not counted."""
        return read_networks(self.settings.unlimited_networks)

    def seen_by(self, viewer: Viewer) -> "House":
        """The same house, with the same connections, in which transactions see a viewer's rows and nobody else's."""
        return replace(self, engine=scoped(self.engine, viewer, keys=self.keys))

    def close(self) -> None:
        """Give the database connections back."""
        self.engine.dispose()


def open_house(**given: object) -> House:
    """The house of this process from the environment and what the command line gave (`data`, `host`, `port`).

    Makes the data folder and, in a demo, the key ring; only before that it connects to the database.

    Raises:
        HouseUnusable: a setting, the key ring or the data folder does not allow it; says everything at once.
        KeysLost: the key ring would have to be made, but the database is written with one.
    """
    try:
        return build_house(load_settings(**given))
    except (SettingsUnusable, KeyRingUnusable) as error:
        raise HouseUnusable(str(error)) from error


def build_house(settings: Settings) -> House:
    """Engine, key ring and clock for these settings; the matchmaker is loaded later, by `load_matchmaker`.

    Its transactions see everybody's rows, as commands and loops must; who serves a request narrows it (`seen_by`).

    Raises:
        KeyRingUnusable: the key ring is missing or cannot be read.
        FolderUnwritable: the data folder or, in a demo, the key ring cannot be made.
        KeysLost: the key ring would have to be made, but the database is written with one.
        HouseUnusable: the database URL is not one.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnwritable(f"数据目录 {settings.data} 建不了", error) from error
    try:
        engine = open_engine(
            settings.effective_database_url,
            pool_size=settings.db_pool_size,
            statement_timeout_ms=settings.db_statement_timeout_ms,
            lock_timeout_ms=settings.db_lock_timeout_ms,
        )
    except (ArgumentError, ValueError):
        # Without the cause: it quotes the URL, which may hold a password.
        raise HouseUnusable("DATABASE_URL 不是能用的数据库地址") from None
    clock = SystemClock()
    keys = _open_key_ring(settings, engine, build_masters(settings, clock))
    return House(
        settings=settings,
        engine=scoped(engine, EVERYBODY, keys=keys),
        keys=keys,
        clock=clock,
        senders=build_senders(settings, clock),
        callbacks=build_callbacks(settings, clock),
    )


def build_masters(settings: Settings, clock: Clock) -> MasterKeys | None:
    """The key service that wraps people's own keys; None where the key ring does."""
    if settings.kms_url is None or settings.kms_secret is None:
        return None
    secret = settings.kms_secret.get_secret_value()
    # A deed waits for it, and holds a transaction meanwhile.
    caller = Caller(clock, Timeouts(connect_s=2, read_s=4, overall_s=5))
    return KeyService(base_url=settings.kms_url, secret=secret, caller=caller, clock=clock)


def build_senders(settings: Settings, clock: Clock) -> tuple[Sender, ...]:
    """The senders for these settings: our own shape first, then Aliyun, then Tencent; the inbox and the slip always.

    In a demo a channel that nobody serves is recorded in the data folder; in production nothing is.

    Raises:
        HouseUnusable: a template that was agreed with a provider is none of ours, or asks for a value it does not have.
    """
    found: list[Sender] = []
    caller = Caller(clock)
    if settings.sms_url is not None and settings.sms_secret is not None:
        found.append(
            NeutralSender(
                provider="gateway",
                channel=Channel.SMS,
                base_url=settings.sms_url,
                secret=settings.sms_secret.get_secret_value(),
                caller=caller,
                clock=clock,
            )
        )
    if settings.aliyun_key_id is not None and settings.aliyun_key_secret is not None:
        aliyun = AliyunAccount(
            access_key_id=settings.aliyun_key_id,
            access_key_secret=settings.aliyun_key_secret.get_secret_value(),
            sign_name=SIGNATURE.strip("【】"),
            templates=_agreed("JIUJIN_ALIYUN_TEMPLATES", settings.aliyun_templates, Channel.SMS),
            endpoint=settings.aliyun_url,
        )
        found.append(AliyunSender(aliyun, caller=caller, clock=clock))
    if settings.tencent_key_id is not None and settings.tencent_key_secret is not None:
        tencent = TencentAccount(
            secret_id=settings.tencent_key_id,
            secret_key=settings.tencent_key_secret.get_secret_value(),
            app_id=settings.tencent_app_id or "",
            sign_name=SIGNATURE.strip("【】"),
            templates=_agreed("JIUJIN_TENCENT_TEMPLATES", settings.tencent_templates, Channel.SMS),
            endpoint=settings.tencent_url,
        )
        found.append(TencentSender(tencent, caller=caller, clock=clock))
    if settings.wechat_app_id is not None and settings.wechat_app_secret is not None:
        wechat = WechatAccount(
            app_id=settings.wechat_app_id,
            app_secret=settings.wechat_app_secret.get_secret_value(),
            templates=_agreed("JIUJIN_WECHAT_TEMPLATES", settings.wechat_templates, Channel.WECHAT),
            endpoint=settings.wechat_url.rstrip("/"),
        )
        found.append(WechatSender(wechat, caller=caller, clock=clock))
    if settings.voice_url is not None and settings.voice_secret is not None:
        secret = settings.voice_secret.get_secret_value()
        found.append(
            VoiceSender(provider="voice", base_url=settings.voice_url, secret=secret, caller=caller, clock=clock)
        )
    if not settings.is_production:
        served = {sender.channel for sender in found}
        found += [
            RecordingSender(channel=channel, path=settings.data / "sent.jsonl", clock=clock)
            for channel in (Channel.SMS, Channel.WECHAT, Channel.VOICE)
            if channel not in served
        ]
    return (*found, InboxSender(), SlipSender())


def build_callbacks(settings: Settings, clock: Clock) -> dict[str, CallbackReader]:
    """Who reads the callbacks of each provider that is set up, by the provider's name."""
    doors = (
        ("gateway", Channel.SMS, Shape.NEUTRAL, settings.sms_secret),
        ("voice", Channel.VOICE, Shape.NEUTRAL, settings.voice_secret),
        ("aliyun", Channel.SMS, Shape.ALIYUN, settings.aliyun_callback_secret),
        ("tencent", Channel.SMS, Shape.TENCENT, settings.tencent_callback_secret),
        ("wechat", Channel.WECHAT, Shape.WECHAT, settings.wechat_callback_token),
    )
    return {
        provider: ProviderCallbacks(
            provider=provider, channel=channel, shape=shape, secret=secret.get_secret_value(), clock=clock
        )
        for provider, channel, shape, secret in doors
        if secret is not None
    }


def _agreed(variable: str, given: AgreedSettings | None, channel: Channel) -> dict[str, AgreedTemplate]:
    known = (*PUSH_TEMPLATES, push_by_link(1), CODE_TEMPLATE)
    ours = {template.name: template for template in known if template.channel is channel}
    for name, agreed in (given or {}).items():
        if name not in ours:
            raise HouseUnusable(f"{variable} 里的“{name}”不是我们的模板，只有{'、'.join(sorted(ours))}")
        if unknown := sorted(agreed.fields.keys() - ours[name].longest):
            raise HouseUnusable(f"{variable} 里的“{name}”没有{'、'.join(unknown)}这一项")
    return {
        name: AgreedTemplate(code=agreed.code, fields=tuple(agreed.fields.items()))
        for name, agreed in (given or {}).items()
    }


def load_matchmaker(house: House) -> Matchmaker:
    """Build the matchmaker from the database.

    Raises:
        LookupError: the reference data has not been loaded.
    """
    with read_session(house.engine) as session:
        return Matchmaker.load(session, today=house.clock.today(), now=house.clock.now())


def check_schema(engine: Engine, *, compare_tables: bool = False) -> SchemaState:
    """Where the database stands; with `compare_tables` also whether each table is what the code expects. Slow then."""
    return check(engine, METADATA if compare_tables else None)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What must hold before a process can serve: schema at the head, reference data loaded, index built."""

    migrated: bool
    loaded: bool
    index_built: bool

    @property
    def is_ready(self) -> bool:
        return self.migrated and self.loaded and self.index_built


def check_readiness(house: House) -> Readiness:
    """Look at the database and the index; a database that does not answer is neither migrated nor loaded."""
    try:
        migrated = check_schema(house.engine).is_current
        loaded = migrated and is_reference_loaded(house)
    except (SQLAlchemyError, Busy):
        migrated = loaded = False
    return Readiness(migrated=migrated, loaded=loaded, index_built=house.matchmaker is not None)


def is_reference_loaded(house: House) -> bool:
    """Whether a migrated database holds the areas, without which nothing can be placed."""
    with read_session(house.engine) as session:
        return bool(list_children(session, None, on=house.clock.today(), limit=1))


def check_keys(house: House) -> None:
    """Look whether the key ring is the one that the migrated database is written with. Changes nothing.

    Raises:
        KeysForeign: it is not; says what to do.
    """
    with _telling_foreign_keys(house), read_session(house.engine) as session:
        check_key_ring(session, house.keys)


def bind_keys(house: House) -> None:
    """Bind the migrated database to the key ring, before anything is written with it. Again, it changes nothing.

    PostgreSQL is given what it checks the signed contexts of transactions with; that only the tables' owner can do.

    Raises:
        KeysForeign: the database is written with another ring; says what to do.
        RowsUnseen: PostgreSQL does not know the newest key, and this role may not tell it.
    """
    with _telling_foreign_keys(house):
        with read_session(house.engine) as session:
            # A reader waits for nobody, and mostly there is nothing to write.
            is_bound = check_key_ring(session, house.keys) and is_ring_told(session)
        if not is_bound:
            with owning(house) as owner, write_session(owner) as session:
                if not tell_ring(session, house.keys):
                    raise RowsUnseen
                bind_key_ring(session, house.keys)
    if not is_believed(house):
        raise RowsUnseen


def is_bound(house: House) -> bool:
    """Whether the migrated database is written with some key ring already."""
    with read_session(house.engine) as session:
        return is_ring_needed(session)


def is_believed(house: House) -> bool:
    """Whether the migrated database believes what this process signs of whose rows it sees."""
    with read_session(house.engine) as session:
        return is_ring_told(session)


@contextmanager
def owning(house: House) -> Iterator[Engine]:
    """An engine connected as the owner of the tables, where that is another role than the service's; sees everybody."""
    url = house.settings.owner_database_url
    if url is None:
        yield house.engine
        return
    try:
        engine = open_engine(url.get_secret_value(), pool_size=1)
    except (ArgumentError, ValueError):
        raise HouseUnusable("JIUJIN_OWNER_DATABASE_URL 不是能用的数据库地址") from None
    try:
        yield scoped(engine, EVERYBODY, keys=house.keys)
    finally:
        engine.dispose()


def grant_service(house: House) -> None:
    """Give the role that the service connects as what it needs, where the tables belong to another one."""
    if house.settings.owner_database_url is None:
        return
    with read_session(house.engine) as session:
        role = find_role(session)
    with owning(house) as owner, write_session(owner) as session:
        if find_role(session) != role:
            grant_to(session, role)


def check_second_line(house: House) -> list[str]:
    """What keeps row-level security from being a second line here, a Chinese sentence each; SQLite has none at all.

    In a demo one role may own everything.
    """
    if house.engine.dialect.name != "postgresql":
        return []
    with read_session(house.engine) as session:
        return list_weaknesses(session, PERSONAL_TABLES)


def require_second_line(house: House) -> None:
    """Refuse to serve a city past its second line.

    Raises:
        RowsUnguarded: in production the service's role could see or change what it must not; says everything at once.
    """
    if house.settings.is_production and (found := check_second_line(house)):
        raise RowsUnguarded(found)


@contextmanager
def _telling_foreign_keys(house: House) -> Iterator[None]:
    settings = house.settings
    where = "JIUJIN_KEYS" if settings.keys is not None else str(settings.effective_keys_file.resolve())
    try:
        yield
    except KeyRingForeign as foreign:
        raise KeysForeign(
            f"密钥不是这个数据库原来用的那一套（{foreign}）：请把备份的密钥放回 {where}。现在什么也没有改动"
        ) from None


def _open_key_ring(settings: Settings, engine: Engine, masters: MasterKeys | None) -> KeyRing:
    cipher, path = Cipher(settings.cipher), settings.effective_keys_file
    require_cipher(cipher)
    if settings.keys is not None:
        return replace(read_key_ring(settings.keys.get_secret_value()), cipher=cipher, masters=masters)
    if settings.is_production or settings.keys_file is not None:
        return FiledKeyRing(path, cipher=cipher, masters=masters)
    try:
        if not path.exists():
            _require_no_ring_needed(path, engine)
            load_or_create_key_ring(path)
        return FiledKeyRing(path, cipher=cipher, masters=masters)
    except OSError as error:
        raise FolderUnwritable(f"密钥文件 {path} 写不了", error) from error


def _require_no_ring_needed(path: Path, engine: Engine) -> None:
    """Before a ring is made: a new one opens nothing of what an old one has sealed."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return  # and looking would make the file
    try:
        with read_session(engine) as session:
            is_needed = is_ring_needed(session)
    except (SQLAlchemyError, Busy):
        # Without the cause: it may hold the address and the password.
        raise HouseUnusable(
            f"还没有密钥文件 {path}；新建之前要看数据库里有没有用旧密钥加密的内容，可是连不上：请检查 DATABASE_URL"
        ) from None
    finally:
        engine.dispose()
    if is_needed:
        raise KeysLost(
            f"密钥文件 {path.resolve()} 不见了，数据库里的姓名和电话是用它加密的：请把备份放回原处。现在什么也没有改动"
        )
