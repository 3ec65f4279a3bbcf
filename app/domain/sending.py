"""When something may be sent: quiet hours, the weekly cap, the schedule of tries. Pure; the office sets the figures.

Quiet hours and the cap move the time; they never drop a push.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from app.domain.ledger import Channel
from app.kit.clock import CHINA

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRules:
    """What an office has set. Times of day are China's.

    `retry_steps` are the pauses after each refusal, in seconds; when they are used up the next channel is tried.
    `ask_steps` are those before each question about a message that may or may not have been sent, `receipt_steps`
    before each about one whose receipt has not come. When they are used up it stays as it is until a receipt comes or
    its time is over.

    A provider may be busy for `busy_s` after the first try; from then on it counts as a refusal. Four hours are a
    judgement: half a working day, in which others take the place that the push is about. `send_s` is more than one send
    can take: WeChat makes up to four calls of 30 seconds each, and looking up a name comes on top.
    """

    quiet_from: time = time(21)
    quiet_until: time = time(8)
    weekly_cap: int = 3
    retry_steps: tuple[int, ...] = (60, 300, 1800, 7200)
    ask_steps: tuple[int, ...] = (30, 60, 300, 900, 3600, 14_400, 43_200)
    receipt_steps: tuple[int, ...] = (900, 7200, 43_200)
    busy_s: int = 14_400
    send_s: float = 150
    jitter: float = 0.3

    @property
    def lease_s(self) -> float:
        """For how long a claim is held: what is begun in its first half has ended before somebody else takes over."""
        return 2 * self.send_s


def quiet_until(now: datetime, rules: SendRules) -> datetime | None:
    """When the quiet hours end that `now` lies in; None outside them."""
    local = now.astimezone(CHINA)
    start, end = rules.quiet_from, rules.quiet_until
    if start == end:
        return None
    is_over_midnight = start > end
    clock = local.time()
    is_quiet = (clock >= start or clock < end) if is_over_midnight else (start <= clock < end)
    if not is_quiet:
        return None
    is_tomorrow = is_over_midnight and clock >= start
    return datetime.combine(local.date() + timedelta(days=is_tomorrow), end, CHINA)


def capped_until(now: datetime, sent_at: Sequence[datetime], rules: SendRules) -> datetime | None:
    """When a person may be sent something again, after what they were sent; None when at once.

    A week is any seven days, so that the turn of the calendar week does not bring six in two days. Where the office
    lets nothing be sent it is looked at again a day later: what it sets holds from a day on.
    """
    if rules.weekly_cap <= 0:
        return now + DAY
    recent = sorted(each for each in sent_at if each > now - WEEK)
    if len(recent) < rules.weekly_cap:
        return None
    return recent[len(recent) - rules.weekly_cap] + WEEK


def pause(step_s: int, chance: float, rules: SendRules) -> timedelta:
    """A pause around `step_s` seconds; `chance` in 0-1 spreads them, so that not all come back at once."""
    return timedelta(seconds=step_s * (1 + rules.jitter * (2 * chance - 1)))


def pause_asked_for(least_s: int, chance: float, rules: SendRules) -> timedelta:
    """A pause that a provider has asked for: spread as others are, but never shorter than asked."""
    return timedelta(seconds=least_s * (1 + rules.jitter * chance))


ORDER = (Channel.WECHAT, Channel.SMS, Channel.VOICE, Channel.INBOX)
"""Electronic channels in the order in which they are tried: first what costs nothing, a call last but the inbox."""


ELECTRONIC = frozenset(ORDER)


def first_channel(allowed: frozenset[Channel], served: frozenset[Channel]) -> Channel | None:
    """The channel on which a push begins: one that nobody serves just now, rather than none that the person allows."""
    return next_channel(allowed, frozenset(), served) or next_channel(allowed, frozenset(), ELECTRONIC)


def next_channel(allowed: frozenset[Channel], tried: frozenset[Channel], served: frozenset[Channel]) -> Channel | None:
    """The first channel that the person allows, that somebody serves and that was not tried; None: a visit is left."""
    return next((each for each in ORDER if each in allowed and each in served and each not in tried), None)
