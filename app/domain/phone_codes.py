"""Codes sent to a phone (短信验证码): for what, how long, how often.

Six digits have 20 bits; five comparisons of a million are a chance that stays small only because so few codes are made
for one number (OWASP ASVS 5.0, 6.5 and 6.6). The phone is never the only door: a station lets people in without one.
"""

from datetime import timedelta
from enum import StrEnum

from app.domain.ledger import Channel
from app.domain.templates import SIGNATURE, Template
from app.domain.tries import Limit


class CodePurpose(StrEnum):
    """What a code lets somebody do."""

    SEEKER = "seeker"
    EMPLOYER = "employer"

    @property
    def label(self) -> str:
        return {"seeker": "求职者登录", "employer": "用人单位登录"}[self.value]


GOOD_FOR = timedelta(minutes=5)
MOST_COMPARES = 5
DIGITS = 6

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

A_NUMBER = (
    Limit(name="code_number_minute", most=1, within=_MINUTE),
    Limit(name="code_number_hour", most=5, within=_HOUR),
    Limit(name="code_number_day", most=10, within=_DAY),
)
A_NETWORK = (
    # A village or a station may share one address.
    Limit(name="code_network_hour", most=30, within=_HOUR),
    Limit(name="code_network_day", most=200, within=_DAY),
)
A_DEVICE = (Limit(name="code_device_hour", most=10, within=_HOUR),)
IN_ALL = (Limit(name="code_all_minute", most=600, within=_MINUTE),)
"""What a city needs on its busiest day, and no more of what strangers can make an office pay for."""

A_NETWORKS_GUESSES = (Limit(name="code_guess_network", most=60, within=_HOUR),)

CODE_TEMPLATE = Template(
    name="code",
    version=1,
    channel=Channel.SMS,
    text=f"{SIGNATURE}验证码{{code}}，5分钟内有效。工作人员不会向您要它，请不要告诉别人。",
    longest={"code": DIGITS},
)
