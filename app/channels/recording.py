"""A channel that sends nothing and keeps what would have been sent: for a demo, and for tests.

What it keeps holds people's texts and, but for the last digits, no address; a demo's people are generated.
"""

import json
import threading
from collections import OrderedDict
from datetime import datetime
from pathlib import Path

from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, Report
from app.domain.segments import count_parts
from app.kit.clock import Clock

_KEPT_KEYS = 10_000


class RecordingSender:
    """Takes on every message once, and writes it as a line of JSON at the end of `path`.

    A key that has been here is not written again, as a good provider would do it. Nothing is ever DELIVERED: nobody
    has seen it.
    """

    provider = "recording"
    can_query = True

    def __init__(self, *, channel: Channel, path: Path, clock: Clock) -> None:
        self.channel = channel
        self._path = path
        self._clock = clock
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def send(self, message: Message) -> Report:
        with self._lock:
            if not self._knows(message.key):
                try:
                    self._write(message)
                except OSError as error:
                    # The disk is full, or not ours: nothing was kept, the same again later.
                    return Report(outcome=Outcome.BUSY, provider=self.provider, code=f"os_{error.errno}")
        segments = count_parts(message.text) if self.channel is Channel.SMS else None
        return Report(outcome=Outcome.ACCEPTED, provider=self.provider, provider_id=message.key, segments=segments)

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        del to, provider_id, sent_at
        with self._lock:
            outcome = Outcome.ACCEPTED if self._knows(message_key) else Outcome.UNKNOWN
        return Report(outcome=outcome, provider=self.provider, provider_id=message_key)

    def _knows(self, key: str) -> bool:
        if key in self._keys:
            return True
        # Another process may have written it.
        try:
            with self._path.open(encoding="utf-8") as lines:
                return any(json.loads(line)["key"] == key for line in lines if f'"{key}"' in line)
        except (OSError, ValueError, LookupError):
            return False

    def _write(self, message: Message) -> None:
        line = {
            "at": self._clock.now().isoformat(timespec="seconds"),
            "key": message.key,
            "channel": self.channel.value,
            "to": f"…{message.to[-4:]}",
            "template": message.template,
            "text": message.text,
        }
        # One write at the end of the file: two processes do not write into each other's lines.
        with self._path.open("ab", buffering=0) as file:
            file.write(f"{json.dumps(line, ensure_ascii=True)}\n".encode())
        self._keys[message.key] = None
        if len(self._keys) > _KEPT_KEYS:
            self._keys.popitem(last=False)
