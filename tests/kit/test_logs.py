"""What reaches the log, and above all what does not."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from app.kit.logs import AccessLog, JsonFormatter, PlainFormatter, configure_logging, redact

# Not a person's: there is no month 13 and no number that begins with 120.
NUMBER = "500237196813010012"
PHONE = "12012345678"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET /jobs?near=500237102&q=向秀兰 HTTP/1.1", "GET /jobs?… HTTP/1.1"),
        ("fetched https://sms.example/send?phone=1&text=x now", "fetched https://sms.example/send?… now"),
        (f"number {NUMBER} seen", "number ‹id› seen"),
        ("number 50023719681301001X seen", "number ‹id› seen"),
        ("number 500237681301001 seen", "number ‹id› seen"),
        (f"called {PHONE}，无人接听", "called ‹phone›，无人接听"),
        ("called 120 1234 5678 and 120-1234-5678", "called ‹phone› and ‹phone›"),
        (f"+86{PHONE} or 86 {PHONE}", "‹phone› or ‹phone›"),
        ("DETAIL:  Key (name)=(向秀兰) already exists.", "DETAIL: …"),
        ("is it there? yes", "is it there? yes"),
        ("posting 500237102 took 1764000000.123 s", "posting 500237102 took 1764000000.123 s"),
    ],
)
def test_redaction(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def logged(*, as_json: bool) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    configure_logging(level="INFO", as_json=as_json, stream=stream)
    return logging.getLogger("jiujin.test"), stream


def test_a_json_line_holds_message_level_time_and_extras() -> None:
    logger, stream = logged(as_json=True)
    logger.warning("推送失败 %s", "sms", extra={"push": 7, "to": PHONE, "permanent": True, "wait_s": 1.5, "why": None})
    line = json.loads(stream.getvalue())
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "jiujin.test",
        "message": "推送失败 sms",
        "push": 7,
        "to": "‹phone›",
        "permanent": True,
        "wait_s": 1.5,
        "why": None,
    }


def test_an_extra_cannot_stand_in_for_what_every_line_has() -> None:
    logger, stream = logged(as_json=True)
    logger.info("said", extra={"level": "none", "at": "never"})
    assert json.loads(stream.getvalue())["level"] == "info"
    assert json.loads(stream.getvalue())["at"] != "never"


def test_a_json_line_is_one_line_whatever_was_said() -> None:
    logger, stream = logged(as_json=True)
    logger.info("one\ntwo\u2028three")
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue())["message"] == "one\ntwo\u2028three"


@pytest.mark.parametrize("as_json", [True, False])
def test_tracebacks_are_written_and_redacted(as_json: bool) -> None:
    logger, stream = logged(as_json=as_json)
    try:
        int(f"cannot call {PHONE}")
    except ValueError:
        logger.exception("failed")
    assert "ValueError: invalid literal for int() with base 10: 'cannot call ‹phone›'" in stream.getvalue()
    assert PHONE not in stream.getvalue()


def test_plain_lines_tell_the_time_in_utc() -> None:
    record = logging.makeLogRecord({"name": "jiujin", "levelname": "INFO", "msg": "up", "created": 0.0})
    assert PlainFormatter().format(record) == "1970-01-01T00:00:00Z INFO    jiujin: up"
    assert json.loads(JsonFormatter().format(record))["at"] == "1970-01-01T00:00:00.000+00:00"


def test_the_servers_own_logs_go_through_ours_and_its_access_log_nowhere() -> None:
    _, stream = logged(as_json=False)
    logging.getLogger("uvicorn.error").info("started with %s", PHONE)
    logging.getLogger("uvicorn.access").info("GET /jobs?q=x")
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    logging.getLogger("httpx").info("HTTP Request: POST https://sms.example/%s", PHONE)
    assert stream.getvalue().count("\n") == 1
    assert "started with ‹phone›" in stream.getvalue()


def test_configuring_twice_does_not_write_twice() -> None:
    logged(as_json=False)
    logger, stream = logged(as_json=False)
    logger.info("once")
    assert stream.getvalue().count("once") == 1


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(stream=sys.stderr)
    logging.getLogger("jiujin.test").info("hello")
    assert "hello" in capsys.readouterr().err
    configure_logging(level="WARNING")
    logging.getLogger("jiujin.test").info("quiet")
    logging.getLogger("jiujin.test").warning("loud")
    captured = capsys.readouterr()
    assert "loud" in captured.err
    assert "quiet" not in captured.err
    assert captured.out == ""


def site() -> AccessLog:
    service = FastAPI()

    @service.get("/r/{token}")
    async def follow(token: str) -> str:
        return token

    @service.get("/broken")
    async def broken() -> None:
        raise ArithmeticError

    @service.get("/health/live")
    async def live() -> str:
        return "ok"

    return AccessLog(service)


async def visit(*paths: str) -> list[str]:
    stream = io.StringIO()
    configure_logging(as_json=True, stream=stream)
    transport = httpx.ASGITransport(site(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in paths:
            await client.get(path)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert all(line["duration_ms"] >= 0 for line in lines if line["logger"] == "jiujin.access")
    return [line["message"] for line in lines if line["logger"] == "jiujin.access"]


@pytest.mark.anyio
async def test_the_access_log_shows_the_route_not_the_token_nor_the_query() -> None:
    assert await visit("/r/s3cr3t?name=x") == ["GET /r/{token} 200"]


@pytest.mark.anyio
async def test_the_access_log_cuts_unknown_paths() -> None:
    assert await visit("/login/s3cr3t", "/s3cr3t", "/jobs", f"/{PHONE}/x", "/") == [
        "GET /login/… 404",
        "GET /… 404",
        "GET /jobs 404",
        "GET /…/… 404",
        "GET / 404",
    ]


@pytest.mark.anyio
async def test_a_request_that_raised_is_logged_as_500() -> None:
    assert await visit("/broken") == ["GET /broken 500"]


@pytest.mark.anyio
async def test_health_checks_are_not_logged() -> None:
    assert await visit("/health/live") == []
