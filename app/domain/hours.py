"""Hours of work as employers write them, and the one thing that is read out of them: when a day of work is over.

`8:00-20:00 两班倒` is not over at 20: who takes turns works through the night in another week. Then nothing is told.
"""

import re
import unicodedata

MIDNIGHT = 24
"""The hour of a shift that is over at midnight or later, so that nobody is home that evening."""

_BEFORE_NOON = ("凌晨", "清晨", "早晨", "早上", "上午", "早")
_AFTER_NOON = ("中午", "下午", "傍晚", "晚上", "夜里", "晚", "夜")
_TIME = (
    rf"(次日|第二天|翌日|隔天)?({'|'.join((*_BEFORE_NOON, *_AFTER_NOON))})?\s*"
    r"(\d{1,2})\s*[:点时]\s*(\d{2}|半)?"
)
_SHIFT = re.compile(rf"{_TIME}\D{{0,6}}?[-—–−~至到]\D{{0,2}}?{_TIME}")
_TURNS = re.compile(r"[两二三四]班|[倒轮翻]班|班[倒轮]")
_NAMED_SHIFT = re.compile(r"[早中晚夜白]班")


def hour_of_end(hours: str) -> int | None:
    """The hour by which a day of work is over: 18 for `8:00-12:00 14:00-18:00` and for `9:00-17:30`.

    24 where it is over at midnight or later (`20:00-次日8:00`). None where the hours do not say it, or not for every
    day: people who take turns, several shifts to choose from, figures on a twelve-hour clock that fit twice.
    """
    words = unicodedata.normalize("NFKC", hours)
    if _TURNS.search(words) or len(set(_NAMED_SHIFT.findall(words))) > 1:
        return None
    begun, over = MIDNIGHT, 0
    for found in _SHIFT.finditer(words):
        span = _span(found)
        if span is None:
            return None
        begin, end = span
        if begun <= begin and end <= over:
            continue  # a break within the day
        if begin < over:
            return None
        begun, over = min(begun, begin), end
    # Rounded up: by half past five it is not over at five.
    return min(-(-over // 60), MIDNIGHT) or None


def _span(found: re.Match[str]) -> tuple[int, int] | None:
    """Begin and end in minutes from the first midnight, the end beyond 24 hours for the next day; None if unclear."""
    tomorrow, said_at_begin, said_at_end = found[5] is not None, found[2], found[6]
    begin, end = _minutes(said_at_begin, found[3], found[4]), _minutes(said_at_end, found[7], found[8])
    day = MIDNIGHT * 60
    if begin > day or end > day:
        return None
    if tomorrow:
        return begin, end + day
    if end > begin:
        return begin, end
    if said_at_end is None and said_at_begin in _AFTER_NOON and begin < end + day // 2 <= day:
        return begin, end + day // 2  # 下午2:00-6:00
    if said_at_end == "凌晨" or begin > day // 2 or said_at_begin in _AFTER_NOON:
        return begin, end + day
    return None


def _minutes(said: str | None, hour: str, minute: str | None) -> int:
    told = int(hour)
    if said in _AFTER_NOON and told < MIDNIGHT // 2:
        told += MIDNIGHT // 2
    return told * 60 + (30 if minute == "半" else int(minute or 0))
