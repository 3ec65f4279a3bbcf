"""What providers tell by themselves: receipts, and what people text back or key; and why one is not believed."""

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.pushes import Outcome
from app.kit.errors import Conflict, Invalid, Unauthenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFact:
    """What became of one message. It is known by our `key`, by the provider's own `provider_id`, or by both.

    `outcome` is DELIVERED, REFUSED or BROKEN; `happened_at` is aware and in UTC, None where the provider does not say.
    """

    key: str | None
    provider_id: str | None
    outcome: Outcome
    happened_at: datetime | None
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFact:
    """What somebody texted back or keyed.

    `phone` is the eleven-digit number it came from, with WeChat the open id; never printed. `key` names the message
    that it answers, where the provider knows (a key pressed during a call).
    """

    phone: str = field(repr=False)
    text: str = field(repr=False)
    happened_at: datetime
    key: str | None = None


class CallbackForged(Unauthenticated):
    """The signature, or the secret in the path, is wrong or missing."""

    code = "callback_forged"
    title = "回执的签名不对"


class CallbackStale(Unauthenticated):
    """The signature is right, its time is more than five minutes from now."""

    code = "callback_stale"
    title = "回执的时间不对"


class CallbackReplayed(Conflict):
    """This very request, by its nonce, has been here before."""

    code = "callback_replayed"
    title = "回执已经收过"


class CallbackBroken(Invalid):
    """The signature is right, the content cannot be read."""

    code = "callback_broken"
    title = "回执看不懂"
