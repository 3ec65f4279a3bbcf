"""Logging to standard error, as JSON lines or plain text, and the access log.

Every line passes `redact`, also tracebacks and what libraries write: query strings, phone and ID numbers and the values
that PostgreSQL quotes never reach the log. It is the last net, not a licence: do not log personal data.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

# The ASGI signatures, spelt here because this floor knows no web framework.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_ACCESS = logging.getLogger("jiujin.access")

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # `?name=…` behind a path: the query of an address carries what people searched for and who they are.
    (re.compile(r"(?<=[\w/])\?[\w.%\[\]-]+=[^\s\"'<>]*"), "?…"),
    # PostgreSQL quotes the offending row: "DETAIL:  Key (phone)=(…) already exists."
    (re.compile(r"^(\s*DETAIL:).*$", re.MULTILINE), r"\1 …"),
    # Resident ID numbers (GB 11643-1999), also the 15 digits of old ones, then mobile phones.
    (re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"), "‹id›"),
    (re.compile(r"(?<!\d)\d{15}(?!\d)"), "‹id›"),
    (re.compile(r"(?<!\d)(?:\+?86[ -]?)?1\d{2}(?:[ -]?\d{4}){2}(?!\d)"), "‹phone›"),
)

# What a LogRecord always has; the rest was handed in as `extra` and is a field of the JSON line.
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def redact(text: str) -> str:
    """The text without query strings, phone and ID numbers and values quoted by PostgreSQL."""
    for pattern, substitute in _PATTERNS:
        text = pattern.sub(substitute, text)
    return text


class PlainFormatter(logging.Formatter):
    """One line for people: time in UTC, level, logger, message; then the traceback."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in UTF-8: at, level, logger, message, what was given as `extra`, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _RECORD_FIELDS and name not in line:
                line[name] = value if isinstance(value, int | float | bool | None) else redact(str(value))
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logging(*, level: str = "INFO", as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send everything to one handler; calling it again replaces what it set up before.

    Args:
        level: a level name of `logging`.
        as_json: JSON lines for machines, else plain text.
        stream: where to write; standard error when None.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else PlainFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Their own handlers would write past ours; uvicorn's access log writes query strings.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    # The HTTP client logs every address it calls, and those of text-message providers hold phones; Alembic logs each
    # look at the schema, which is every health check.
    for name in ("httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


class AccessLog:
    """ASGI middleware: one line for each request with method, route, status and duration.

    It writes the route's template (`/r/{token}`), not the path: paths hold tokens. A path that met no route is cut to
    its first segment.
    """

    def __init__(self, app: AsgiApp, *, quiet: Iterable[str] = ("/health/live", "/health/ready", "/metrics")) -> None:
        self.app = app
        self.quiet = frozenset(quiet)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and log it once it is answered, also when it raised."""
        if scope["type"] != "http" or scope["path"] in self.quiet:
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            _ACCESS.info(
                "%s %s %d",
                scope["method"],
                _route_of(scope),
                status,
                extra={"duration_ms": round((time.perf_counter() - begun) * 1000, 1)},
            )


def _route_of(scope: Scope) -> str:
    template = getattr(scope.get("route"), "path", None)
    if isinstance(template, str):
        return template
    first, slash, _ = str(scope["path"]).removeprefix("/").partition("/")
    # Letters only: a single segment can be a token or a name too.
    shown = first if first.isascii() and first.isalpha() else "…"
    return f"/{shown}/…" if slash else f"/{shown}" if first else "/"
