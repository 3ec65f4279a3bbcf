"""Consents: a person lets a channel be used, or does not let it be used any more. Each is audited."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.ledger import Channel
from app.kit.encrypted import Place, SealBroken, blind_index, blind_indexes, seal_for_person, unseal_for_person
from app.kit.errors import Invalid
from app.kit.keys import KeyRing
from app.store import consents as store
from app.store.audit import record_act
from app.store.key_checks import index_version_to_write, look_up
from app.store.person_keys import open_person_keys, person_keys_to_write

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
        app.store.person_keys.PersonErased: the person was erased.
    """
    if not channel.is_electronic:
        raise ChannelNotElectronic
    known = store.find_consent(session, worker_id=worker_id, channel=channel)
    if known is not None:
        if address is None or address == read_address(session, known, keys=keys):
            return
        store.end_consent(session, worker_id=worker_id, channel=channel, how="new_address", now=now)
    sealed, index = (None, None) if address is None else _sealed(session, worker_id, address, keys=keys)
    store.add_consent(
        session, worker_id=worker_id, channel=channel, how=how, now=now, address=sealed, address_index=index
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


def read_address(session: Session, consent: store.Consent, *, keys: KeyRing) -> str | None:
    """Where a channel reaches a person, if it is not their phone."""
    if consent.address is None:
        return None
    person_key = open_person_keys(session, [consent.worker_id], keys=keys).get(consent.worker_id)
    return unseal_for_person(keys, person_key, consent.address, place=_place(consent.worker_id))


def list_addresses(session: Session, worker_id: int, *, keys: KeyRing) -> list[str]:
    """Every address that a person ever gave, and that still opens."""
    found = []
    for consent in store.list_with_address(session, worker_id):
        with suppress(SealBroken):
            found.append(read_address(session, consent, keys=keys) or "")
    return found


def find_by_address(session: Session, *, channel: Channel, address: str, keys: KeyRing) -> list[int]:
    """The workers whom a channel reaches at an address, by id; also who has withdrawn since, for they may still answer.

    An address that was given up for another one is theirs no more.

    Raises:
        KeysBehind: some may be stored with a version of the key that this process has not been given.
    """

    def look() -> list[int]:
        indexes = blind_indexes(keys, address, purpose=_ADDRESS)
        return store.list_by_address(session, channel=channel, address_indexes=indexes)

    return look_up(session, look, keys=keys)


def count_addresses_behind(session: Session, *, index_today: str) -> int:
    """How many addresses are indexed with a version that does not write, or not sealed under the person's own key."""
    return store.count_behind(session, index_today=index_today)


def bring_addresses_up(session: Session, *, after: int, limit: int, keys: KeyRing) -> tuple[int, int] | None:
    """As `store.identities.bring_up`, for the addresses in consents."""
    today = f"{index_version_to_write(session, keys=keys)}."
    rows = store.lock_behind(session, after=after, limit=limit, index_today=today)
    if not rows:
        return None
    changed = 0
    for row in rows:
        try:
            address = read_address(session, row, keys=keys)
        except SealBroken:
            continue
        if address is not None:
            row.address, row.address_index = _sealed(session, row.worker_id, address, keys=keys)
            changed += 1
    session.flush()
    return rows[-1].id, changed


def _sealed(session: Session, worker_id: int, address: str, *, keys: KeyRing) -> tuple[str, str]:
    """An address as it is stored: under the person's key, and its blind index."""
    version = index_version_to_write(session, keys=keys)
    person_key = person_keys_to_write(session, [worker_id], keys=keys)[worker_id]
    place = _place(worker_id)
    sealed = seal_for_person(person_key, {place: address}, cipher=keys.cipher)
    return sealed[place], blind_index(keys, address, purpose=_ADDRESS, version=version)


def _place(worker_id: int) -> Place:
    return Place("consents", "address", worker_id)
