"""Instants as providers write them; None for whatever is none."""

from datetime import UTC, datetime

from app.channels.calls import told
from app.kit.clock import CHINA


def unix_time(value: object) -> datetime | None:
    """Seconds since 1970, as a number or in figures."""
    text = told(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def instant_of(value: object) -> datetime | None:
    """An ISO 8601 instant with its zone."""
    try:
        instant = datetime.fromisoformat(told(value))
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def china_time(value: object) -> datetime | None:
    """`2017-01-01 00:00:00`, or `20170901000000` as Aliyun's replies have it."""
    text = told(value)
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=CHINA).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
