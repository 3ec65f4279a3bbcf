"""The paper slip (送岗上门): large type, one page a person, up to three postings, and a receipt to tear off.

A page is measured in full-width characters: A4 with 20 mm margins at 22 points holds 21 in a line and 30 lines
(judgement: 22 points are read at arm's length without glasses by most people of sixty). Latin letters and digits take
half a place. The receipt's code is what a broker enters; the paper names the person no further than `for_whom` does.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from app.kit.errors import FieldFault, Invalid

COLUMNS = 21
LINES = 30
MOST_POSTS = 3
_MARKS = "①②③"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # a line of a listing may hold line ends
_INDENT = "　"
_BOX = "□"


class SlipRefused(Invalid):
    """A slip that cannot be written."""

    code = "slip_refused"
    title = "这张纸条打不了"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipPost:
    """One posting on a slip, in the words of a page: `where` with the distance, `pay`, `hours`, and why it suits."""

    title: str
    employer: str
    where: str
    pay: str
    hours: str = ""
    reason: str = ""


def write_slip(posts: Sequence[SlipPost], *, for_whom: str, code: str, ask_at: str, printed_on: str) -> str:
    """The text of one page, lines no wider than the page and no more of them.

    Args:
        posts: one to three.
        for_whom: how the person is called on paper, 张老师 or a masked name.
        code: the receipt's, for this page alone.
        ask_at: where one asks, with the public service's number if it has one.
        printed_on: the day, as people write it.

    Raises:
        SlipRefused: no posting, or more than three; no code.
    """
    faults = []
    if not 1 <= len(posts) <= MOST_POSTS:
        faults.append(FieldFault("posts", "count", f"一张纸条放1到{MOST_POSTS}个岗位"))
    if not code.strip():
        faults.append(FieldFault("code", "missing", "纸条要有回执编号"))
    if faults:
        raise SlipRefused(fields=faults)
    lines = [_fit(f"{for_whom}，您好！"), _fit(f"就近有{len(posts)}个活路，送给您看：")]
    for mark, post in zip(_MARKS, posts, strict=False):
        lines += [
            "",
            _fit(f"{mark}{post.title}"),
            _fit(f"{_INDENT}{post.employer}"),
            _fit(f"{_INDENT}{post.where}"),
            _fit(f"{_INDENT}{post.pay}{_INDENT}{post.hours}".rstrip()),
            *([_fit(f"{_INDENT}{post.reason}")] if post.reason else []),
        ]
    lines += ["", _fit(f"问：{ask_at}"), _fit("不收钱，不押证件。")]
    lines += ["✂" + "－" * (COLUMNS - 1), _fit(f"回执 {code.strip()}　{printed_on}")]
    lines += [f"{mark}{_BOX}想去{_INDENT}{_BOX}不合适" for mark in _MARKS[: len(posts)]]
    lines += [f"{_BOX}请打给我{_INDENT}签名："]
    return "\n".join(lines)


def width_of(text: str) -> int:
    """Half places that a line takes: two for a full-width sign, one for a Latin letter or digit."""
    return sum(_half_places(sign) for sign in text)


def _half_places(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WFA" else 1


def _fit(text: str) -> str:
    """A text on one line of the page, cut with an … where it is longer."""
    line = _CONTROLS.sub(" ", text)
    if width_of(line) <= 2 * COLUMNS:
        return line
    kept, width = [], 2  # the …
    for sign in line:
        width += _half_places(sign)
        if width > 2 * COLUMNS:
            break
        kept.append(sign)
    return "".join(kept) + "…"
