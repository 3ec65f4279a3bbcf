"""Consents: a person lets a channel be used, or does not let it be used any more. Each is audited."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.ledger import Channel
from app.kit.encrypted import Place, blind_index, blind_indexes, seal, unseal
from app.kit.errors import Invalid
from app.kit.keys import KeyRing
from app.store import consents as store
from app.store.audit import record_act

_ADDRESS = "consents.address"


class ChannelNotElectronic(Invalid):
    """Consent is asked for what a machine sends; for a visit or a slip nobody needs one."""

    code = "channel_not_electronic"
    title = "这个渠道不需要本人同意"


def give_consent(
    session: Session,
    *,
    worker_id: int,
    channel: Channel,
    how: str,
    actor: str,
    now: datetime,
    keys: KeyRing,
    address: str | None = None,
) -> None:
    """Note that a person lets a channel be used. Again, it changes nothing, unless the address is another one.

    Raises:
        ChannelNotElectronic: no machine sends on it.
    """
    if not channel.is_electronic:
        raise ChannelNotElectronic
    known = store.find_consent(session, worker_id=worker_id, channel=channel)
    if known is not None:
        if address is None or address == read_address(known, keys=keys):
            return
        store.end_consent(session, worker_id=worker_id, channel=channel, how="new_address", now=now)
    store.add_consent(
        session,
        worker_id=worker_id,
        channel=channel,
        how=how,
        now=now,
        address=None if address is None else seal(keys, address, place=_place(worker_id)),
        address_index=None if address is None else blind_index(keys, address, purpose=_ADDRESS),
    )
    record_act(
        session, actor=actor, action="give_consent", subject=f"workers/{worker_id}", now=now, detail=channel.value
    )


def end_consent(session: Session, *, worker_id: int, channel: Channel, how: str, actor: str, now: datetime) -> None:
    """Note that a person does not let a channel be used any more. Again, it changes nothing."""
    if store.find_consent(session, worker_id=worker_id, channel=channel) is None:
        return
    store.end_consent(session, worker_id=worker_id, channel=channel, how=how, now=now)
    record_act(
        session, actor=actor, action="end_consent", subject=f"workers/{worker_id}", now=now, detail=channel.value
    )


def read_address(consent: store.Consent, *, keys: KeyRing) -> str | None:
    """Where a channel reaches a person, if it is not their phone."""
    return None if consent.address is None else unseal(keys, consent.address, place=_place(consent.worker_id))


def find_by_address(session: Session, *, channel: Channel, address: str, keys: KeyRing) -> list[int]:
    """The workers whom a channel reaches at an address, by id; also who has withdrawn since, for they may still answer.

    An address that was given up for another one is theirs no more.
    """
    indexes = blind_indexes(keys, address, purpose=_ADDRESS)
    return store.list_by_address(session, channel=channel, address_indexes=indexes)


def _place(worker_id: int) -> Place:
    return Place("consents", "address", worker_id)
