"""How long what is kept of people is kept (留存期限): the shortest that its purpose needs, and no shorter than the law.

What is no longer needed goes (PIPL 19, 47); what the law wants kept stays as long as it says. The periods themselves
are settings that an office chooses and dates; floors are the law's, and no setting goes below them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kept(StrEnum):
    """A class of data that is dropped when its time is over."""

    SESSIONS = "sessions"
    RECEIPTS = "receipts"
    CONSENTS = "consents"
    PUSHES = "pushes"

    @property
    def label(self) -> str:
        return {
            "sessions": "登录的记录，退出以后",
            "receipts": "短信、电话的回执",
            "consents": "同意书，您不同意了以后",
            "pushes": "送过的活，结束以后",
        }[self.value]

    @property
    def setting(self) -> str:
        """The name of the setting that says how many days."""
        return f"kept_{self.value}"

    @property
    def floor(self) -> "Floor":
        """What no setting may go below."""
        return _FLOORS.get(self, _NO_FLOOR)


@dataclass(frozen=True, slots=True)
class Floor:
    """So many days at least, and the article that says so; no days and "" where no law does."""

    days: int
    basis: str


_NO_FLOOR = Floor(1, "")
_FLOORS: Mapping[Kept, Floor] = {
    # Six months, of which the longest six have 184 days.
    Kept.SESSIONS: Floor(184, "网络安全法（2016年）第二十一条第三项：网络日志不少于六个月"),
    # A push is what a decision by machine came to: 55 (2) wants such handling recorded, 56 (2) the record kept.
    Kept.PUSHES: Floor(1_096, "个人信息保护法第五十五条、第五十六条：处理情况记录至少保存三年"),
}

DEFAULT_DAYS: Mapping[Kept, int] = {Kept.SESSIONS: 184, Kept.RECEIPTS: 184, Kept.CONSENTS: 1_096, Kept.PUSHES: 1_096}
"""Where no office has set anything.

Receipts hold numbers and people's words, and what followed from them stands in the ledger: they are kept no longer than
somebody may ask what a provider told. Whoever sends text messages keeps five months of records (通信短信息服务管理规定
article 14), so until then the provider can be asked too.
"""
