"""Consents: a person lets a channel be used for something, or does not let it be used any more. Each is audited."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.consents import Purpose
from app.domain.ledger import Channel
from app.kit.encrypted import Place, SealBroken, blind_index, blind_indexes, seal_for_person, unseal_for_person
from app.kit.errors import Conflict, Invalid
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


class ChannelUnbound(Conflict):
    """Where the channel reaches the person is not known: it is bound where its own account is, or at a station."""

    code = "channel_unbound"
    title = "微信还没有绑定，请到就近的驿站办，或者在公众号里点同意"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """A consent as its giver is told of it; `ended_at` None while it holds."""

    purpose: Purpose
    channel: Channel
    given_at: datetime
    how: str
    ended_at: datetime | None
    ended_how: str | None


def give_consent(
    session: Session,
    *,
    worker_id: int,
    purpose: Purpose = Purpose.JOB_PUSHES,
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
    known = store.find_consent(session, worker_id=worker_id, purpose=purpose, channel=channel)
    if known is not None:
        if address is None or address == read_address(session, known, keys=keys):
            return
        store.end_consent(session, worker_id=worker_id, purpose=purpose, channel=channel, how="new_address", now=now)
    sealed, index = (None, None) if address is None else _sealed(session, worker_id, address, keys=keys)
    store.add_consent(
        session,
        worker_id=worker_id,
        purpose=purpose,
        channel=channel,
        how=how,
        now=now,
        address=sealed,
        address_index=index,
    )
    _record(session, "give_consent", purpose, worker_id=worker_id, channel=channel, actor=actor, now=now)


def end_consent(
    session: Session,
    *,
    worker_id: int,
    purpose: Purpose | None = None,
    channel: Channel,
    how: str,
    actor: str,
    now: datetime,
) -> None:
    """Note that a person does not let a channel be used any more. Again, it changes nothing.

    Without a purpose it is for none: who texts back 退订 means all that comes this way.
    """
    for ended in store.end_consent(session, worker_id=worker_id, purpose=purpose, channel=channel, how=how, now=now):
        _record(session, "end_consent", ended, worker_id=worker_id, channel=channel, actor=actor, now=now)


def list_own_consents(session: Session, worker_id: int) -> list[ConsentFact]:
    """Every consent that somebody gave, also those that they withdrew, oldest first."""
    return [
        ConsentFact(
            purpose=consent.purpose,
            channel=consent.channel,
            given_at=consent.given_at,
            how=consent.how,
            ended_at=consent.ended_at,
            ended_how=consent.ended_how,
        )
        for consent in store.list_consents_of(session, worker_id)
    ]


def list_own_addresses(session: Session, worker_id: int, *, keys: KeyRing) -> dict[Channel, str]:
    """Where each channel reaches somebody that reaches them elsewhere than by phone, as last told."""
    known = {each.channel: each for each in store.list_consents_of(session, worker_id) if each.address is not None}
    return {channel: address for channel, each in known.items() if (address := read_address(session, each, keys=keys))}


def change_own_consent(
    session: Session,
    *,
    worker_id: int,
    purpose: Purpose,
    channel: Channel,
    is_given: bool,
    actor: str,
    now: datetime,
    keys: KeyRing,
) -> None:
    """Give or withdraw one consent oneself, on a page. Again, it changes nothing.

    Raises:
        ChannelNotElectronic: no machine sends on it.
        ChannelUnbound: it is WeChat, and nobody knows yet where that reaches them.
    """
    if not channel.is_electronic:
        raise ChannelNotElectronic
    if not is_given:
        end_consent(session, worker_id=worker_id, purpose=purpose, channel=channel, how="page", actor=actor, now=now)
        return
    address = list_own_addresses(session, worker_id, keys=keys).get(channel)
    if channel is Channel.WECHAT and address is None:
        raise ChannelUnbound
    give_consent(
        session,
        worker_id=worker_id,
        purpose=purpose,
        channel=channel,
        how="page",
        actor=actor,
        now=now,
        keys=keys,
        address=address,
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


def _record(
    session: Session, action: str, purpose: Purpose, *, worker_id: int, channel: Channel, actor: str, now: datetime
) -> None:
    subject, detail = f"workers/{worker_id}", f"{purpose.value} {channel.value}"
    record_act(session, actor=actor, action=action, subject=subject, now=now, detail=detail)


def _place(worker_id: int) -> Place:
    return Place("consents", "address", worker_id)
