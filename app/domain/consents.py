"""What a consent is for: one is asked for by purpose and channel, and withdrawing one leaves the others (PIPL 14-16).

Only what nobody is owed and nobody has asked for needs one. What the law makes an office do (the register, what is owed
to registered people, the ledger) rests on the law (PIPL 13 (3)) and is no purpose here; how lists are ranked is a
setting, which is on until the person turns it off (PIPL 24).
"""

from enum import StrEnum


class Purpose(StrEnum):
    """For what somebody may be written to or called."""

    JOB_PUSHES = "job_pushes"
    POLICY_NEWS = "policy_news"
    COURSES = "courses"

    @property
    def label(self) -> str:
        return {"job_pushes": "送合适的活", "policy_news": "告诉新政策、补贴", "courses": "告诉有什么培训"}[self.value]
