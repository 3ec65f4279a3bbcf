"""Voice calls (语音电话): a gateway that reads a text aloud and takes a digit.

The shape is our own (`neutral`) with `channel` "voice": the text is written for the ear (`domain.templates`), and the
digits that somebody keys come back as replies (`callbacks.facts_in`) with the key of the message they answer. Voice
products of the big clouds differ so much in what they agree beforehand that none is spoken directly.
"""

from app.channels.calls import Caller
from app.channels.neutral import NeutralSender
from app.domain.ledger import Channel
from app.kit.clock import Clock


class VoiceSender(NeutralSender):
    """One voice gateway that speaks our shape."""

    def __init__(self, *, provider: str, base_url: str, secret: str, caller: Caller, clock: Clock) -> None:
        super().__init__(
            provider=provider, channel=Channel.VOICE, base_url=base_url, secret=secret, caller=caller, clock=clock
        )
