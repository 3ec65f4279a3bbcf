"""The person's own inbox (站内消息) and the paper slip (纸条): nothing leaves the house, and so nothing can get lost.

A push that stands in the database is what the inbox shows and what the slips are printed from (`domain.slips`). Taken
on is therefore all that can be said: it is delivered when the person says on the page that they have seen it, or when
the signed slip comes back.
"""

from datetime import datetime

from app.domain.ledger import Channel
from app.domain.pushes import Message, Outcome, Report


class _HouseSender:
    """A channel that ends in our own house."""

    provider = "house"
    can_query = True

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def send(self, message: Message) -> Report:
        return Report(outcome=Outcome.ACCEPTED, provider=self.provider, provider_id=message.key)

    def query(self, message_key: str, *, to: str, provider_id: str | None, sent_at: datetime) -> Report:
        del to, provider_id, sent_at
        return Report(outcome=Outcome.ACCEPTED, provider=self.provider, provider_id=message_key)


class InboxSender(_HouseSender):
    """The inbox of the person who is logged in."""

    def __init__(self) -> None:
        super().__init__(Channel.INBOX)


class SlipSender(_HouseSender):
    """The list of slips to print for the next visit."""

    def __init__(self) -> None:
        super().__init__(Channel.SLIP)
