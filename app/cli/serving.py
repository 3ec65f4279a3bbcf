"""`jiujin up`, `serve` and `work`: the processes that stay.

The address is taken before anything is loaded, so that a port in use is told at once; connections made meanwhile wait.
"""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import typer
import uvicorn

from app.background.audit_seals import audit_sealing_loop
from app.background.dispatch import dispatch_loop, push_expiry_loop, receipts_loop
from app.background.expiry import expiry_loop
from app.background.forgetting import forgetting_loop
from app.background.loops import Loop, started
from app.background.plans import plan_loop
from app.background.sealing import sealing_loop
from app.background.sequencing import sequencing_loop
from app.cli.databases import fill_reference, prepare, require_current_schema, taking_turns
from app.cli.demo import DemoPostings, DemoWorkers, fill_demo_if_empty
from app.cli.terminal import AsJson, DataFolder, Failed, answer, at_work, stopping_on_sigterm, tell
from app.kit.logs import configure_logging
from app.main import create_app
from app.wiring import House, bind_keys, load_matchmaker, require_second_line

Host = Annotated[str | None, typer.Option(help="监听的地址，默认 127.0.0.1；对外服务用 0.0.0.0", show_default=False)]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="监听的端口，默认 8000", show_default=False)]

_BACKLOG = 2_048
_LEAVE_S = 10


def up(
    *,
    host: Host = None,
    port: Port = None,
    workers: DemoWorkers = None,
    postings: DemoPostings = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Migrate, load what is missing, serve and run the loops, all in one process; safe to run again."""
    with at_work(as_json=as_json, data=data, host=host, port=port) as house, stopping_on_sigterm(), _bound(house) as at:
        with taking_turns(house):
            prepare(house)
            fill_reference(house)
            fill_demo_if_empty(house, workers=workers, postings=postings)
        require_second_line(house)
        tell("正在建立岗位索引…")
        ready = replace(house, matchmaker=load_matchmaker(house))
        _serve(ready, at, loops=work_loops(house), as_json=as_json)


def serve(*, host: Host = None, port: Port = None, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Serve pages and API; what `work` does is left to another process."""
    with at_work(as_json=as_json, data=data, host=host, port=port) as house, stopping_on_sigterm():
        require_current_schema(house)
        bind_keys(house)
        require_second_line(house)
        with _bound(house) as at:
            try:
                matchmaker = load_matchmaker(house)
            except LookupError:
                matchmaker = None
                tell("还没有参考数据，请运行：jiujin seed reference；装好以后会自动开始服务")
            _serve(replace(house, matchmaker=matchmaker), at, loops=(), as_json=as_json)


def work(*, data: DataFolder = None, as_json: AsJson = False) -> None:
    """Run the loops that change the database, without serving."""
    with at_work(as_json=as_json, data=data) as house, stopping_on_sigterm():
        require_current_schema(house)
        bind_keys(house)
        require_second_line(house)
        _configure_logs(house)
        # Not in `up`: whoever tries the demo out plans and sends by hand.
        loops = (*work_loops(house), plan_loop(house))
        with started(loops, house):
            names = [loop.name for loop in loops]
            # Whoever has been told how to stop may do so before the next line is reached.
            try:
                answer(
                    {"event": "working", "loops": names},
                    f"后台任务已启动：{'、'.join(names)}；停止请按 Ctrl+C",
                    as_json=as_json,
                )
                threading.Event().wait()
            except KeyboardInterrupt:
                tell("已停止")


def work_loops(house: House) -> tuple[Loop, ...]:
    """The loops that one process runs for the whole database; an index is followed by each process that serves."""
    house = house.worked_from("background")
    return (
        expiry_loop(house),
        forgetting_loop(house),
        sealing_loop(house),
        sequencing_loop(house),
        audit_sealing_loop(house),
        dispatch_loop(house),
        receipts_loop(house),
        push_expiry_loop(house),
    )


def _serve(house: House, listener: socket.socket, *, loops: Sequence[Loop], as_json: bool) -> None:
    _configure_logs(house)

    def tell_ready() -> None:
        url = house.settings.effective_public_url
        answer(
            {"event": "serving", "url": url, "data": str(house.settings.data.resolve())},
            f"就近已经启动：{url}\n"
            f"数据目录：{house.settings.data.resolve()}\n"
            "找活不用登录；工作人员的账号用 jiujin staff add 开。停止请按 Ctrl+C",
            as_json=as_json,
        )

    config = uvicorn.Config(
        create_app(house, loops=loops),
        # Measured: under load uvloop's slowest answers took fifteen times as long at the same throughput.
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        # Ours tells the route and not the query.
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=house.settings.trusted_proxies,
        timeout_graceful_shutdown=_LEAVE_S,
        backlog=_BACKLOG,
    )
    try:
        _Server(config, on_ready=tell_ready).run(sockets=[listener])
    except KeyboardInterrupt:
        # Raised again by the server once it has stopped cleanly.
        tell("已停止")


class _Server(uvicorn.Server):
    """Says when it listens and its loops run."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _configure_logs(house: House) -> None:
    configure_logging(level=house.settings.log_level, as_json=house.settings.logs_as_json)
    # Alembic would tell of every look at the schema, and the readiness check looks every few seconds; what the server
    # says at start and stop is said by the commands, in Chinese.
    for name in ("alembic", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _bound(house: House) -> socket.socket:
    """A socket that listens at the settings' host and port.

    Raises:
        Failed: the port is in use or not ours to take, or the host is none of this machine's.
    """
    host, port = house.settings.host, house.settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((address[0], port), family=family, backlog=_BACKLOG)
    except socket.gaierror:
        raise Failed(f"地址 {host} 不对", code="bad_host") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Failed(
                f"端口 {port} 已经被占用：换一个端口，如 --port {port % 65_535 + 1}，或者先停掉占用它的程序",
                code="port_in_use",
            ) from None
        if error.errno == errno.EACCES:
            raise Failed(f"没有权限使用端口 {port}：换一个大于 1023 的端口", code="port_forbidden") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise Failed(f"这台机器没有地址 {host}", code="bad_host") from None
        raise
