"""A provider that misbehaves on purpose: a real HTTP server that speaks our shape, Aliyun's, Tencent's and WeChat's.

It keeps what it has taken on in an SQLite file, a row for each time, so that a test can count what was sent twice; it
answers questions, and tells receipts late, doubled, out of order or never. Signatures are verified by code of its own:
nothing of the service is imported. As a process of its own:

    python -m tests.channels.provider --port 0 --file accepted.db --faults timeout=0.02,reset=0.05 --seed 7
        --callback http://127.0.0.1:8000/api/v1/callbacks/neutral --never 0.1 --twice 0.2 --late 3

prints `{"port": …}` on a line and runs until its standard input ends or it is terminated.
"""

import argparse
import base64
import gzip
import hashlib
import hmac
import http.client
import json
import random
import secrets
import socket
import sqlite3
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SECRET = "a secret that both sides know"
ALIYUN_KEY = ("testAccessKeyId", "testAccessKeySecret")
TENCENT_KEY = ("testSecretId", "testSecretKey")
WECHAT_APP = ("wxtest", "wxsecret")
_CHUNK = b" " * 65_536
HUGE_BYTES = 3_200 * len(_CHUNK)  # 200 MB
_PACKED = gzip.compress(b" " * 50_000_000)  # 50 kB
_TABLES = """
CREATE TABLE IF NOT EXISTS taken (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, shape TEXT NOT NULL, address TEXT NOT NULL, status TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '', body TEXT NOT NULL, taken_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_taken_key ON taken (key);
CREATE TABLE IF NOT EXISTS asked (id INTEGER PRIMARY KEY, key TEXT NOT NULL, what TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS told (id INTEGER PRIMARY KEY, taken_id INTEGER NOT NULL, http_status INTEGER NOT NULL);
"""


class Fault(StrEnum):
    """What can be wrong with an answer."""

    TIMEOUT = "timeout"
    RESET = "reset"
    BUSY = "busy"
    ERROR = "error"
    DRIP = "drip"
    DRIP_HEAD = "drip_head"
    BROKEN = "broken"
    WRONG_TYPE = "wrong_type"
    REDIRECT = "redirect"
    HUGE = "huge"
    PACKED = "packed"


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """One fault of one answer, and whether the message is taken on all the same."""

    fault: Fault
    takes: bool = True
    retry_after: str = "7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How receipts are told: to where, after up to how many seconds, which share never and which twice."""

    url: str
    shape: str = "neutral"
    secret: str = SECRET
    late_s: float = 0.0
    never: float = 0.0
    twice: float = 0.0
    delivered: float = 1.0


@dataclass
class Provider:
    """The server and what it knows. `clock` gives Unix seconds, so that a test may have its own time."""

    file: Path
    port: int = 0
    seed: int = 0
    chances: Mapping[Fault, float] = field(default_factory=dict)
    telling: Telling | None = None
    clock: Any = time.time
    drip_s: float = 0.02
    drops_repeats: bool = True
    refusals: dict[str, tuple[int, Any]] = field(default_factory=dict)
    void_tokens: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(self.file, check_same_thread=False, isolation_level=None)
        # Readers of other processes do not hold it up, and it outlives whoever is killed: the disk is not waited for.
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_TABLES}")
        self._random = random.Random(self.seed)  # noqa: S311  the same again is the point
        self._next: deque[Misbehaviour] = deque()
        self._nonces: set[str] = set()
        self._tokens = 0
        self.problems: list[str] = []
        self.stopped = threading.Event()
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        self._threads = [threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})]
        if self.telling is not None:
            self._threads.append(threading.Thread(target=self._tell_all))
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(5)
        with self._lock:
            self._database.close()

    # --- what a test asks and sets ---

    def misbehave(self, *misbehaviours: Misbehaviour) -> None:
        """How the next answers go wrong, one after another."""
        self._next.extend(misbehaviours)

    def refuse(self, shape: str, status: int, answer: Any) -> None:
        """Answer every message of a shape with this, without taking it on."""
        self.refusals[shape] = (status, answer)

    def settle(self, key: str, status: str, code: str = "") -> None:
        """What became of a message: delivered, refused, broken."""
        with self._lock:
            self._database.execute("UPDATE taken SET status = ?, code = ? WHERE key = ?", (status, code, key))

    def taken(self) -> Counter[str]:
        """How often each key was taken on."""
        return count_taken(self.file)

    def bodies(self) -> list[dict[str, Any]]:
        """What was taken on, as it came."""
        with self._lock:
            return [json.loads(row[0]) for row in self._database.execute("SELECT body FROM taken ORDER BY id")]

    # --- what the server asks ---

    def draw(self) -> Misbehaviour | None:
        with self._lock:
            if self._next:
                return self._next.popleft()
            draw, takes = self._random.random(), self._random.random() < 0.5
            for fault, chance in self.chances.items():
                draw -= chance
                if draw < 0:
                    # Who says "not now" has not taken it on, or nobody could ever be right.
                    return Misbehaviour(fault, takes and fault is not Fault.BUSY)
            return None

    def take(self, shape: str, key: str, address: str, body: Mapping[str, Any]) -> int:
        """Take a message on; where repeats are dropped, one that is known keeps its row."""
        with self._lock:
            self.ask(key, "send")
            known = self._database.execute("SELECT id FROM taken WHERE key = ? AND shape = ?", (key, shape)).fetchone()
            if known and self.drops_repeats and shape in ("neutral", "wechat"):
                return int(known[0])
            row = (key, shape, address, "accepted", json.dumps(body), time.time())
            cursor = self._database.execute(
                "INSERT INTO taken (key, shape, address, status, body, taken_at) VALUES (?, ?, ?, ?, ?, ?)", row
            )
            return int(cursor.lastrowid or 0)

    def ask(self, key: str, what: str) -> None:
        with self._lock:
            self._database.execute("INSERT INTO asked (key, what) VALUES (?, ?)", (key, what))

    def rows(self, where: str, *values: str) -> list[tuple[int, str, str, str]]:
        """(id, key, status, code) of messages."""
        with self._lock:
            query = f"SELECT id, key, status, code FROM taken WHERE {where} ORDER BY id"  # noqa: S608  own words
            return self._database.execute(query, values).fetchall()

    def spend(self, nonce: str) -> bool:
        """Whether a nonce is new."""
        with self._lock:
            is_new = nonce not in self._nonces
            self._nonces.add(nonce)
            return is_new

    def object_to(self, problem: str) -> None:
        self.problems.append(problem)

    def new_token(self) -> str:
        with self._lock:
            if not self._tokens:
                self._tokens = 1
            return f"token-{self._tokens}"

    def is_token_good(self, token: str) -> bool:
        """Whether a token is the current one; the first `void_tokens` questions make it void."""
        with self._lock:
            if self.void_tokens > 0:
                self.void_tokens -= 1
                self._tokens += 1
                return False
            return token == f"token-{self._tokens}"

    # --- receipts ---

    def _tell_all(self) -> None:
        """Tell what was taken on: each once decided when, how often and whether at all."""
        telling = self.telling
        assert telling is not None
        seen, due = 0, list[tuple[float, int, str]]()
        while not self.stopped.wait(0.02):
            for number, key, *_ in self.rows("id > ? AND shape = ?", str(seen), telling.shape):
                seen = max(seen, number)
                outcome = "delivered" if self._random.random() < telling.delivered else "refused"
                self.settle(key, outcome, "DELIVRD" if outcome == "delivered" else "EXPIRED")
                if self._random.random() < telling.never:
                    continue
                copies = 2 if self._random.random() < telling.twice else 1
                # Each copy has its own time, so that they arrive in any order.
                due += [(time.monotonic() + self._random.random() * telling.late_s, number, key) for _ in range(copies)]
            now = time.monotonic()
            for entry in sorted(entry for entry in due if entry[0] <= now):
                if self._tell(telling, entry[1], entry[2]):
                    due.remove(entry)

    def _tell(self, telling: Telling, number: int, key: str) -> bool:
        """Post one receipt; False if it has to be told again, because nobody took it."""
        row = self.rows("id = ?", str(number))[0]
        headers, path, body = receipt_of(telling.shape, number, key, row[2], row[3], now=self.clock(), telling=telling)
        parts = urlsplit(telling.url)
        try:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
            connection.request("POST", path, body, dict(headers))
            status = connection.getresponse().status
            connection.close()
        except (OSError, http.client.HTTPException):
            return False
        with self._lock:
            self._database.execute("INSERT INTO told (taken_id, http_status) VALUES (?, ?)", (number, status))
        return status < 500


def count_taken(file: Path) -> Counter[str]:
    """How often each key was taken on, read from the file of a provider of any process."""
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return Counter(dict(database.execute("SELECT key, count(*) FROM taken GROUP BY key")))
    finally:
        database.close()


def receipt_of(
    shape: str, number: int, key: str, status: str, code: str, *, now: float, telling: Telling
) -> tuple[Mapping[str, str], str, bytes]:
    """Headers, path with query, and body of the receipt of one message, as its provider would push it."""
    moment = datetime.fromtimestamp(now, UTC)
    china = (moment + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
    path = urlsplit(telling.url).path
    is_good = status == "delivered"
    if shape == "neutral":
        receipt = {"key": key, "id": str(number), "status": status, "code": code, "at": moment.isoformat()}
        body = json.dumps({"receipts": [receipt]}).encode()
        return sign_callback(body, now=now, secret=telling.secret), path, body
    if shape == "aliyun":
        report = {
            "phone_number": "", "send_time": china, "report_time": china, "success": is_good, "err_code": code,
            "err_msg": "", "sms_size": "1", "biz_id": f"biz{number}^0", "out_id": key,
        }  # fmt: skip
        return {"Content-Type": "application/json"}, f"{path}/{telling.secret}", json.dumps([report]).encode()
    if shape == "tencent":
        report = {
            "user_receive_time": china, "nationcode": "86", "mobile": "", "errmsg": code, "description": code,
            "report_status": "SUCCESS" if is_good else "FAIL", "sid": f"serial:{number}",
        }  # fmt: skip
        return {"Content-Type": "application/json"}, f"{path}/{telling.secret}", json.dumps([report]).encode()
    told = "success" if is_good else "failed:user block"
    xml = (
        f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>"
        f"<CreateTime>{int(now)}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>{number}</MsgID>"
        f"<Status><![CDATA[{told}]]></Status></xml>"
    )
    query = "&".join(f"{name}={value}" for name, value in sign_wechat(telling.secret, now=now).items())
    return {"Content-Type": "text/xml"}, f"{path}?{query}", xml.encode()


def sign_callback(body: bytes, *, now: float, secret: str = SECRET, nonce: str | None = None) -> dict[str, str]:
    """The headers of a callback of our own shape."""
    stamp, nonce = str(int(now)), nonce or secrets.token_hex(8)
    lines = f"CALLBACK\n\n{stamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
    digest = hmac.digest(secret.encode(), lines.encode(), "sha256").hex()
    return {
        "Content-Type": "application/json",
        "X-Jiujin-Timestamp": stamp,
        "X-Jiujin-Nonce": nonce,
        "X-Jiujin-Signature": "sha256=" + digest,
    }


def sign_wechat(token: str, *, now: float, nonce: str | None = None) -> dict[str, str]:
    """The query of a callback of WeChat."""
    stamp, nonce = str(int(now)), nonce or secrets.token_hex(8)
    signature = hashlib.sha1("".join(sorted([token, stamp, nonce])).encode()).hexdigest()  # noqa: S324  as published
    return {"signature": signature, "timestamp": stamp, "nonce": nonce}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up on us all the time; that is what we are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    provider: Provider

    def log_message(self, *_: Any) -> None:
        """Nothing is printed: the first line is our port."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, content: bytes) -> None:
        path = urlsplit(self.path).path
        if path == "/control":
            self._control(json.loads(content))
            return
        misbehaviour = self.provider.draw()
        if misbehaviour is not None and not misbehaviour.takes:
            self._spoil(misbehaviour, 200, {})
            return
        try:
            status, answer = self._answer(path, content)
        except (ValueError, LookupError) as error:
            self.provider.object_to(f"{path}: {error!r}")
            status, answer = 400, {"status": "refused", "code": "unreadable"}
        if misbehaviour is not None:
            self._spoil(misbehaviour, status, answer)
        else:
            self._write(status, json.dumps(answer).encode())

    def _control(self, wanted: Mapping[str, Any]) -> None:
        """`{"faults": ["timeout", …], "takes": true}` from a test in another process."""
        for fault in wanted.get("faults", []):
            self.provider.misbehave(Misbehaviour(Fault(fault), wanted.get("takes", True)))
        for key, status in wanted.get("settle", {}).items():
            self.provider.settle(key, status)
        self._write(200, b"{}")

    # --- the four shapes ---

    def _answer(self, path: str, content: bytes) -> tuple[int, Any]:
        if path == "/cgi-bin/stable_token":
            return self._wechat_token(json.loads(content))
        if path == "/cgi-bin/message/template/send":
            return self._wechat_send(json.loads(content))
        if "X-TC-Action" in self.headers:
            return self._tencent(content)
        if self.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            return self._aliyun(dict(parse_qsl(content.decode(), strict_parsing=True)))
        return self._neutral(path, content)

    def _neutral(self, path: str, content: bytes) -> tuple[int, Any]:
        stamp, nonce = self.headers["X-Jiujin-Timestamp"], self.headers["X-Jiujin-Nonce"]
        lines = [self.command, path, stamp, nonce, hashlib.sha256(content).hexdigest()]
        wanted = "sha256=" + hmac.digest(SECRET.encode(), "\n".join(lines).encode(), "sha256").hex()
        if not hmac.compare_digest(wanted, self.headers["X-Jiujin-Signature"]):
            return 401, {"status": "refused", "code": "bad_signature"}
        if abs(int(stamp) - self.provider.clock()) > 300 or not self.provider.spend(nonce):
            return 401, {"status": "refused", "code": "stale"}
        if self.command == "GET":
            key = unquote(path.removeprefix("/messages/"))
            self.provider.ask(key, "query")
            rows = self.provider.rows("key = ? AND shape = 'neutral'", key)
            if not rows:
                return 404, {"status": "unknown"}
            return 200, {"status": rows[0][2], "id": str(rows[0][0]), "code": rows[0][3]}
        message = json.loads(content)
        if self.headers["Idempotency-Key"] != message["key"]:
            return 422, {"status": "refused", "code": "two_keys"}
        if refusal := self.provider.refusals.get("neutral"):
            return refusal
        number = self.provider.take("neutral", message["key"], message["to"], message)
        return 202, {"status": "accepted", "id": str(number), "segments": 1}

    def _aliyun(self, form: dict[str, str]) -> tuple[int, Any]:
        given = form.pop("Signature")
        pairs = sorted((_percent(name), _percent(value)) for name, value in form.items())
        text = "POST&%2F&" + _percent("&".join(f"{name}={value}" for name, value in pairs))
        wanted = base64.b64encode(hmac.digest((ALIYUN_KEY[1] + "&").encode(), text.encode(), "sha1")).decode()
        if form["AccessKeyId"] != ALIYUN_KEY[0]:
            return 404, {"Code": "InvalidAccessKeyId.NotFound", "Message": "", "RequestId": "r"}
        if not hmac.compare_digest(wanted, given):
            return 400, {"Code": "SignatureDoesNotMatch", "Message": "", "RequestId": "r"}
        stamp = datetime.strptime(form["Timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        if abs(stamp - self.provider.clock()) > 900:
            return 400, {"Code": "InvalidTimeStamp.Expired", "Message": "", "RequestId": "r"}
        if not self.provider.spend(form["SignatureNonce"]):
            return 400, {"Code": "SignatureNonceUsed", "Message": "", "RequestId": "r"}
        if form["Version"] != "2017-05-25" or form["Format"] != "JSON" or form["SignatureMethod"] != "HMAC-SHA1":
            return 400, {"Code": "InvalidVersion", "Message": "", "RequestId": "r"}
        if form["Action"] == "QuerySendDetails":
            return self._aliyun_details(form)
        if refusal := self.provider.refusals.get("aliyun"):
            return refusal
        parameters = json.loads(form["TemplateParam"])
        body = {**form, "TemplateParam": parameters}
        number = self.provider.take("aliyun", form["OutId"], form["PhoneNumbers"], body)
        return 200, {"Code": "OK", "Message": "OK", "RequestId": "r", "BizId": f"biz{number}^0"}

    def _aliyun_details(self, form: Mapping[str, str]) -> tuple[int, Any]:
        self.provider.ask(form["PhoneNumber"], "query")
        size, page = int(form["PageSize"]), int(form["CurrentPage"])
        datetime.strptime(form["SendDate"], "%Y%m%d").replace(tzinfo=UTC)
        rows = self.provider.rows("address = ? AND shape = 'aliyun'", form["PhoneNumber"])
        if form.get("BizId"):
            rows = [row for row in rows if f"biz{row[0]}^0" == form["BizId"]]
        details = [
            {
                "PhoneNum": form["PhoneNumber"],
                "OutId": key,
                "SendStatus": {"accepted": 1, "delivered": 3}.get(status, 2),
                "ErrCode": code,
                "SendDate": "2026-12-01 10:00:00",
            }
            for _, key, status, code in rows[size * (page - 1) : size * page]
        ]
        listed = {"SmsSendDetailDTO": details}
        return 200, {
            "Code": "OK", "Message": "OK", "RequestId": "r", "TotalCount": len(rows), "SmsSendDetailDTOs": listed
        }  # fmt: skip

    def _tencent(self, content: bytes) -> tuple[int, Any]:
        action, stamp = self.headers["X-TC-Action"], int(self.headers["X-TC-Timestamp"])
        date = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d")
        signed = {"content-type": self.headers["Content-Type"], "host": self.headers["Host"]}
        lines = "".join(f"{name}:{value}\n" for name, value in sorted(signed.items()))
        canonical = f"POST\n/\n\n{lines}\n{';'.join(sorted(signed))}\n{hashlib.sha256(content).hexdigest()}"
        text = f"TC3-HMAC-SHA256\n{stamp}\n{date}/sms/tc3_request\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        dated = hmac.digest(("TC3" + TENCENT_KEY[1]).encode(), date.encode(), "sha256")
        signing = hmac.digest(hmac.digest(dated, b"sms", "sha256"), b"tc3_request", "sha256")
        wanted = (
            f"TC3-HMAC-SHA256 Credential={TENCENT_KEY[0]}/{date}/sms/tc3_request, SignedHeaders=content-type;host, "
            f"Signature={hmac.digest(signing, text.encode(), 'sha256').hex()}"
        )
        if not hmac.compare_digest(wanted, self.headers["Authorization"]):
            return 200, _tencent_error("AuthFailure.SignatureFailure")
        if abs(stamp - self.provider.clock()) > 300:
            return 200, _tencent_error("AuthFailure.SignatureExpire")
        if self.headers["X-TC-Version"] != "2021-01-11" or not self.headers["X-TC-Region"]:
            return 200, _tencent_error("InvalidParameter")
        body = json.loads(content)
        if action == "PullSmsSendStatusByPhoneNumber":
            return self._tencent_statuses(body)
        if refusal := self.provider.refusals.get("tencent"):
            return refusal
        (phone,) = body["PhoneNumberSet"]
        number = self.provider.take("tencent", body["SessionContext"], phone, body)
        status = {
            "SerialNo": f"serial:{number}", "PhoneNumber": phone, "Fee": 1, "SessionContext": body["SessionContext"],
            "Code": "Ok", "Message": "send success", "IsoCode": "CN",
        }  # fmt: skip
        return 200, {"Response": {"SendStatusSet": [status], "RequestId": "r"}}

    def _tencent_statuses(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        self.provider.ask(body["PhoneNumber"], "query")
        if body["Offset"] != 0 or body["Limit"] > 100 or body["BeginTime"] < self.provider.clock() - 7 * 86_400 - 1:
            return 200, _tencent_error("InvalidParameterValue.BeginTimeVerifyFail")
        # A status is there once something became of the message.
        statuses = [
            {
                "SerialNo": f"serial:{number}",
                "SessionContext": key,
                "ReportStatus": "SUCCESS" if status == "delivered" else "FAIL",
                "Description": code,
                "PhoneNumber": body["PhoneNumber"],
                "UserReceiveTime": int(self.provider.clock()),
            }
            for number, key, status, code in self.provider.rows(
                "address = ? AND shape = 'tencent' AND status != 'accepted'", body["PhoneNumber"]
            )
        ]
        return 200, {"Response": {"PullSmsSendStatusSet": statuses, "RequestId": "r"}}

    def _wechat_token(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        self.provider.ask(body["appid"], "token")
        if refusal := self.provider.refusals.get("wechat_token"):
            return refusal
        if (body["appid"], body["secret"]) != WECHAT_APP or body["grant_type"] != "client_credential":
            return 200, {"errcode": 40125, "errmsg": "invalid appsecret"}
        return 200, {"access_token": self.provider.new_token(), "expires_in": 7200}

    def _wechat_send(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        query = dict(parse_qsl(urlsplit(self.path).query))
        if not self.provider.is_token_good(query["access_token"]):
            return 200, {"errcode": 42001, "errmsg": "access_token expired"}
        if refusal := self.provider.refusals.get("wechat"):
            return refusal
        if any(len(value["value"]) > 20 for name, value in body["data"].items() if name.startswith("thing")):
            return 200, {"errcode": 47003, "errmsg": "argument invalid"}
        number = self.provider.take("wechat", body["client_msg_id"], body["touser"], body)
        return 200, {"errcode": 0, "errmsg": "ok", "msgid": number}

    # --- what goes wrong ---

    def _spoil(self, misbehaviour: Misbehaviour, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        match misbehaviour.fault:
            case Fault.TIMEOUT:
                self._wait_for_the_end()
            case Fault.RESET:
                # Lingering for no time makes the kernel reset the connection instead of closing it.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            case Fault.BUSY:
                self._write(429, b"{}", {"Retry-After": misbehaviour.retry_after})
            case Fault.ERROR:
                self._write(502, b'{"message": "upstream"}')
            case Fault.DRIP:
                self._head(200, {"Content-Length": "100000"})
                self._drip(b" " * 100_000)
            case Fault.DRIP_HEAD:
                self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100_000)
            case Fault.BROKEN:
                self._write(status, text[:-1] + b',"a":NaN')
            case Fault.WRONG_TYPE:
                self._write(200, b"<html>It works!</html>", {"Content-Type": "text/html"})
            case Fault.REDIRECT:
                self._write(307, b"{}", {"Location": f"{self.provider.url}/elsewhere"})
            case Fault.HUGE:
                self._head(200, {"Content-Length": str(HUGE_BYTES)})
                for _ in range(HUGE_BYTES // len(_CHUNK)):
                    self.wfile.write(_CHUNK)

            case Fault.PACKED:
                self._write(200, _PACKED, {"Content-Encoding": "gzip"})

    def _wait_for_the_end(self) -> None:
        """Until the client hangs up, or we are stopped."""
        self.connection.settimeout(0.05)
        while not self.provider.stopped.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.close_connection = True

    def _drip(self, text: bytes) -> None:
        self.close_connection = True
        for byte in text:
            if self.provider.stopped.wait(self.provider.drip_s):
                return
            self.wfile.write(bytes((byte,)))
            self.wfile.flush()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, status: int, text: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, {"Content-Length": str(len(text)), **(headers or {})})
        self.wfile.write(text)


def _percent(text: str) -> str:
    return quote(text, safe="~")


def _tencent_error(code: str) -> Any:
    return {"Response": {"Error": {"Code": code, "Message": ""}, "RequestId": "r"}}


def http_date(moment: datetime) -> str:
    """An instant as `Retry-After` may have it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


@contextmanager
def running(file: Path, **given: Any) -> Iterator[Provider]:
    """A provider in this process, stopped afterwards."""
    provider = Provider(file, **given)
    try:
        yield provider
    finally:
        provider.stop()


def main() -> None:
    """Run as a process of its own."""
    parser = argparse.ArgumentParser(description="A provider of messages that misbehaves on purpose.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--faults", default="", help="timeout=0.02,reset=0.05: the share of answers that go wrong so")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-repeats", action="store_true", help="take on what comes again as though it were new")
    parser.add_argument("--callback", help="where receipts are told; none without it")
    parser.add_argument("--shape", default="neutral")
    parser.add_argument("--secret", default=SECRET)
    for name in ("never", "twice", "late"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--delivered", type=float, default=1.0)
    given = parser.parse_args()
    shares = (share.partition("=") for share in given.faults.split(",") if share)
    telling = None
    if given.callback:
        telling = Telling(
            url=given.callback,
            shape=given.shape,
            secret=given.secret,
            late_s=given.late,
            never=given.never,
            twice=given.twice,
            delivered=given.delivered,
        )
    chances = {Fault(name): float(share) for name, _, share in shares}
    running_now = running(
        given.file,
        port=given.port,
        seed=given.seed,
        chances=chances,
        telling=telling,
        drops_repeats=not given.keep_repeats,
    )
    with running_now as provider:
        print(json.dumps({"port": provider.port}), flush=True)  # noqa: T201  how its starter learns the port
        sys.stdin.read()


if __name__ == "__main__":
    main()
