"""Masked for everybody; in full for a reason that the audit keeps."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.identities import UnmaskReason
from app.kit.errors import Invalid
from app.kit.keys import KeyRing
from app.store.audit import AuditEntry
from app.usecases.identities import IdentityUnknown, MaskedIdentity, masked_identity, unmask_identity
from tests.deliveries import add_people

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def acts(session: Session) -> list[tuple[str, str]]:
    chosen = select(AuditEntry.subject, AuditEntry.detail).where(AuditEntry.action == "read_identity")
    return [(subject, detail) for subject, detail in session.execute(chosen.order_by(AuditEntry.id))]


def test_everybody_sees_a_few_characters(session: Session, key_ring: KeyRing) -> None:
    (worker_id,) = add_people(session, 1, keys=key_ring, phone="13800001234")
    shown = masked_identity(session, worker_id, actor="clerk/1", now=NOW, keys=key_ring)
    assert shown == MaskedIdentity(worker_id=worker_id, name="样*", id_number="9" + "*" * 17, phone="138****1234")
    session.flush()
    assert acts(session) == [(f"workers/{worker_id}", "masked")]


def test_who_gives_a_reason_sees_all_and_is_written_down(session: Session, key_ring: KeyRing) -> None:
    (worker_id,) = add_people(session, 1, keys=key_ring, phone="13800001234")
    given = {"actor": "clerk/1", "now": NOW, "keys": key_ring}
    facts = unmask_identity(session, worker_id, reason=UnmaskReason.CONTACT, **given)  # type: ignore[arg-type]
    assert (facts.name, facts.phone) == ("样例", "13800001234")
    unmask_identity(session, worker_id, reason=UnmaskReason.OTHER, words=" 核对 名单 ", **given)  # type: ignore[arg-type]
    assert [detail for _, detail in acts(session)] == ["unmask:contact", "unmask:other 核对 名单"]


def test_without_a_reason_that_says_something_nothing_is_shown(session: Session, key_ring: KeyRing) -> None:
    (worker_id,) = add_people(session, 1, keys=key_ring)
    for reason, words in ((UnmaskReason.OTHER, " "), (UnmaskReason.CONTACT, "字" * 81)):
        with pytest.raises(Invalid):
            unmask_identity(session, worker_id, reason=reason, words=words, actor="clerk/1", now=NOW, keys=key_ring)
    for reader in (masked_identity, lambda *a, **k: unmask_identity(*a, reason=UnmaskReason.VISIT, **k)):
        with pytest.raises(IdentityUnknown):
            reader(session, 4711, actor="clerk/1", now=NOW, keys=key_ring)
    assert acts(session) == []


def test_every_reason_has_its_words() -> None:
    assert len({reason.label for reason in UnmaskReason}) == len(UnmaskReason)
