"""What providers tell by themselves: receipts, and what people text back or key; and why one is not believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.domain.ledger import Channel
from app.domain.pushes import Outcome
from app.kit.errors import Conflict, Invalid, Unauthenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A callback as it came in. `path_secret` is what stood in the path in the secret's place."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    path_secret: str | None = field(default=None, repr=False)


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

    `sender` is the eleven-digit number it came from, with WeChat the open id; never printed. `happened_at` is aware and
    in UTC, None where the provider does not say. `key` names the message that it answers, where the provider knows (a
    key pressed during a call).
    """

    sender: str = field(repr=False)
    text: str = field(repr=False)
    happened_at: datetime | None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFacts:
    """All that a callback tells. `unreadable` of its rows could not be read and are left out."""

    receipts: Sequence[ReceiptFact] = ()
    replies: Sequence[ReplyFact] = ()
    unreadable: int = 0


class CallbackReader(Protocol):
    """Knows one provider's callbacks from forged ones, and reads them.

    Store what was authenticated, commit, `spend` its nonce, and read it from the store: what cannot be read now is not
    lost.
    """

    @property
    def provider(self) -> str: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def acknowledgement(self) -> tuple[str, bytes]:
        """Media type and body of the 200 that the provider wants to hear; anything else, and it comes again."""
        ...

    def authenticate(self, callback: Callback) -> str:
        """The nonce of a callback that is the provider's, "" where there is none.

        Raises:
            CallbackForged: the signature, or the secret in the path, is wrong.
            CallbackStale: the signature is older than five minutes, or from the future.
            CallbackReplayed: the nonce has been here before.
            CallbackBroken: it is too large.
        """
        ...

    def answer_check(self, callback: Callback) -> tuple[str, bytes]:
        """Media type and body for a provider that asks, when our address is set up there, whether it is ours.

        Remembers nothing: whoever asks twice is answered twice.

        Raises:
            CallbackForged: the signature is wrong, or the provider is none that asks.
            CallbackStale: the signature is older than five minutes, or from the future.
            CallbackBroken: what it wants to hear is missing, too long or not plain.
        """
        ...

    def spend(self, nonce: str) -> None:
        """Remember the nonce of a callback that is stored."""
        ...

    def read(self, body: bytes) -> CallbackFacts:
        """What an authenticated body tells, without the rows that cannot be read.

        Raises:
            CallbackBroken: nothing of it can be read.
        """
        ...


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
