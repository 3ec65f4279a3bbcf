"""Queries that imports stand on: which source rows are known, and what later rows may be folded into."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.postings import PostingKind, PostingOrigin, PostingState
from app.kit.database import reserve_ids
from app.store.postings import Posting, PostingSource, add_postings, known_source_keys, list_foldable_postings

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def add_posting(session: Session, **given: Any) -> Posting:
    values = {
        "state": PostingState.OPEN,
        "origin": PostingOrigin.IMPORTED,
        "title": "保安",
        "kind": PostingKind.FULL_TIME,
        "fold_key": "a",
        "posted_at": NOW,
        "changed_at": NOW,
        **given,
    }
    posting = Posting(**values)
    session.add(posting)
    session.flush()
    return posting


def add_source(session: Session, posting: Posting, source: str, key: str) -> None:
    session.add(PostingSource(posting_id=posting.id, source=source, source_key=key, imported_at=NOW))
    session.flush()


def test_many_postings_are_stored_with_their_ids_in_order(session: Session) -> None:
    add_posting(session)
    ids = reserve_ids(session, Posting, 1_500)
    rows = [
        {
            "id": posting_id,
            "state": PostingState.REVIEW,
            "origin": PostingOrigin.IMPORTED,
            "title": f"岗位{number}",
            "kind": PostingKind.FULL_TIME,
            "area_code": "500237" if number % 2 else None,
            "lacks": ["pay"] * (number % 3),
            "posted_at": NOW,
            "changed_at": NOW,
        }
        for number, posting_id in enumerate(ids)
    ]
    add_postings(session, rows)
    stored = {posting.id: posting for posting in session.scalars(select(Posting))}
    assert [stored[posting_id].title for posting_id in ids] == [row["title"] for row in rows]
    assert [stored[posting_id].lacks for posting_id in ids[:3]] == [[], ["pay"], ["pay", "pay"]]
    assert [(stored[posting_id].area_code, stored[posting_id].openings) for posting_id in ids[:2]] == [
        (None, 1),
        ("500237", 1),
    ]
    add_postings(session, [])
    assert add_posting(session).id > max(ids)


def test_known_rows_are_those_of_the_same_source(session: Session) -> None:
    posting = add_posting(session)
    for key in range(600):
        session.add(PostingSource(posting_id=posting.id, source="甲", source_key=str(key), imported_at=NOW))
    add_source(session, posting, "乙", "7")
    found = known_source_keys(session, "甲", [str(key) for key in range(500, 700)])
    assert found == {str(key): posting.id for key in range(500, 600)}
    assert known_source_keys(session, "丙", ["7"]) == {}


def test_a_source_brings_a_key_once(session: Session) -> None:
    posting = add_posting(session)
    add_source(session, posting, "甲", "1")
    with pytest.raises(IntegrityError):
        add_source(session, posting, "甲", "1")


def test_closed_postings_take_no_more_rows(session: Session) -> None:
    states = [state for state in PostingState if state is not PostingState.CLOSED]
    ids = [add_posting(session, state=state, title=state.label).id for state in states]
    add_posting(session, state=PostingState.CLOSED)
    add_posting(session, fold_key="b")
    found = list_foldable_postings(session, ["a", "c", *(f"x{n}" for n in range(600))])
    assert found == [(posting_id, "a", state.label) for posting_id, state in zip(ids, states, strict=True)]
