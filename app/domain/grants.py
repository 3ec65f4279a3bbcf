"""Break-glass (应急查看): looking at one person of another district, for a reason and for a while.

Whoever needs it gets it at once, without asking: a person stands before them. What keeps it honest is that it says why,
ends by itself, and is seen by the person's own office and by the person.
"""

from datetime import timedelta
from enum import StrEnum

from app.domain.tries import Limit


class GrantReason(StrEnum):
    """Why somebody of another district is looked at."""

    PRESENT = "present"
    RETURNED = "returned"
    RIGHTS = "rights"
    EMERGENCY = "emergency"
    CHECK = "check"

    @property
    def label(self) -> str:
        return {
            "present": "本人来到窗口或驿站办事",
            "returned": "本人搬来或返乡，正在转接",
            "rights": "欠薪、工伤等维权急办",
            "emergency": "人身安全等紧急情况",
            "check": "上级交办的核查",
        }[self.value]


class UnmaskReason(StrEnum):
    """Why somebody's name, number and phone are shown in full."""

    CONTACT = "contact"
    PAPERS = "papers"
    BENEFIT = "benefit"
    COMPLAINT = "complaint"
    CORRECT = "correct"

    @property
    def label(self) -> str:
        return {
            "contact": "要打电话、上门联系本人",
            "papers": "核对证件、办登记",
            "benefit": "办补贴、社保等待遇",
            "complaint": "处理本人的投诉、维权",
            "correct": "更正登记错的信息",
        }[self.value]


GOOD_FOR = timedelta(hours=2)
SHORTEST_WORDS, LONGEST_WORDS = 4, 200
AN_ACCOUNTS_GRANTS = Limit(name="grants_account", most=20, within=timedelta(days=1))
"""More people than this nobody meets by chance in a day; then a municipal office has to help."""
