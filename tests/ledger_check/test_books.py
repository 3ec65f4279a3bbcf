"""An export that somebody has altered on its way is told, also by somebody who knows how it is made."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.domain.entries import (
    GREATEST_NUMBER,
    canonical_json,
    check_facts,
    columns,
    commitment_of,
    digest_of,
    entry_key,
)
from app.domain.entries import leaf_data as our_leaf_data
from app.domain.ledger import Channel, Entry, EntryKind, Grade
from app.kit.database import read_session, write_session
from app.kit.keys import KeyRing
from app.usecases.ledger import EntryDraft, append_entries, erase_person
from app.usecases.ledger_exports import export_lines, make_receipt, prove_growth
from app.usecases.sequencing import newest_note, sequence_entries, signer_of
from ledger_check.books import Report, check_book
from ledger_check.entries import canonical, digest, leaf_data, opens, read_json
from ledger_check.notes import Unreadable, read_key
from ledger_check.receipts import check_growth, check_receipt

NOW = datetime(2026, 12, 1, 2, 0, 0, 123456, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
NUMBER = st.integers(-GREATEST_NUMBER, GREATEST_NUMBER)
FACT = st.one_of(TEXT, NUMBER, st.booleans(), st.none(), st.lists(TEXT, max_size=3))
INSTANT = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  given one

Lines = list[dict[str, Any]]


# --- both sides write the same bytes ----------------------------------------------------------------------------------


@given(
    st.builds(
        Entry,
        id=st.integers(1, 2**31 - 1),
        kind=st.sampled_from(EntryKind),
        worker_id=st.none() | st.integers(1, 2**31 - 1),
        spell_id=st.none() | st.integers(1, 2**31 - 1),
        channel=st.none() | st.sampled_from(Channel),
        evidence=st.none() | st.sampled_from(Grade),
        happened_at=INSTANT,
        written_at=INSTANT,
        actor=TEXT,
        refers_to=st.none() | st.integers(1, 2**31 - 1),
        facts=st.dictionaries(TEXT, FACT, max_size=4),
        note=st.none() | TEXT,
    )
)
def test_the_checker_reads_every_entry_as_the_service_wrote_it(entry: Entry) -> None:
    check_facts(entry.facts)
    told = json.loads(orjson.dumps(columns(entry)))
    key = b"k" * 32
    commitment = commitment_of(entry, person_key=key)
    assert canonical(told) == canonical_json(columns(entry))
    assert opens(told, commitment, entry_key(key, entry.id).hex())
    assert leaf_data(told, commitment) == our_leaf_data(entry, commitment)
    assert digest(told, commitment) == digest_of(entry, commitment)


def test_the_bytes_are_those_of_the_document() -> None:
    entry = Entry(
        id=4,
        kind=EntryKind.GUIDANCE,
        worker_id=7,
        spell_id=None,
        channel=Channel.CALL,
        evidence=Grade.C,
        happened_at=datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
        written_at=NOW,
        actor="broker/3",
        facts={"said": True, "minutes": 12, "why": "离家近"},
    )
    # Written out by hand from docs/ledger.md.
    spelled = (
        '{"actor":"broker/3","channel":"call","evidence":"C","facts":{"minutes":12,"said":true,"why":"离家近"},'
        '"happened_at":"2026-12-01T09:00:00.000000Z","id":4,"kind":"guidance","note":null,"refers_to":null,'
        '"spell_id":null,"worker_id":7,"written_at":"2026-12-01T02:00:00.123456Z"}'
    )
    person = bytes(range(32))
    key = hmac.digest(person, b"entry4", hashlib.sha256)
    commitment = hmac.digest(key, spelled.encode(), hashlib.sha256).hex()
    assert commitment_of(entry, person_key=person) == commitment
    assert our_leaf_data(entry, commitment).decode() == (
        f'{{"channel":"call","commitment":"{commitment}","evidence":"C","happened_at":"2026-12-01T09:00:00.000000Z",'
        '"id":4,"kind":"guidance","written_at":"2026-12-01T02:00:00.123456Z"}'
    )


@pytest.mark.parametrize("line", ["", "[]", "1", "{", '{"a":1,"a":1}', '{"a":NaN}', '{"a":{"b":1,"b":2}}', b"\xff{}"])
def test_json_that_two_readers_could_understand_differently_is_refused(line: str | bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(line)


def test_a_key_that_was_miscopied_is_refused(key_ring: KeyRing) -> None:
    (told,) = signer_of(key_ring).told_keys
    assert read_key(told).name == signer_of(key_ring).origin
    for wrong in (told[1:], told[:-2], told.replace("+", "-"), told.swapcase(), ""):
        with pytest.raises(Unreadable):
            read_key(wrong)


# --- exports that were altered ----------------------------------------------------------------------------------------


@pytest.fixture
def book(sqlite_database: Engine, key_ring: KeyRing) -> tuple[Lines, str, list[str]]:
    """Eight entries and an erasure with places, one that waits; the checkpoint that was kept, the public keys."""
    with write_session(sqlite_database) as session:
        append_entries(session, [draft(number) for number in range(8)], keys=key_ring)
        erase_person(session, 2, actor="clerk/1", now=NOW, keys=key_ring)
    with write_session(sqlite_database) as session:
        sequence_entries(session, after=0, limit=99, outside=None, now=NOW, keys=key_ring)
    with write_session(sqlite_database) as session:
        append_entries(session, [draft(9)], keys=key_ring)
    with read_session(sqlite_database) as session:
        note = newest_note(session)
        assert note is not None
        return list(export_lines(session, keys=key_ring)), note, signer_of(key_ring).told_keys


def draft(number: int) -> EntryDraft:
    return EntryDraft(
        kind=EntryKind.GUIDANCE,
        worker_id=1 + number % 3,
        channel=Channel.CALL,
        evidence=Grade.C,
        happened_at=NOW - timedelta(hours=1),
        now=NOW,
        actor="broker/3",
        facts={"minutes": number},
    )


def check(book: tuple[Lines, str, list[str]], lines: Lines) -> Report:
    _, note, keys = book
    # Not orjson, which refuses halves of surrogate pairs.
    return check_book(map(json.dumps, lines), checkpoints=[note], keys=keys)


def first(report: Report) -> tuple[int | None, int | None, str] | None:
    return None if report.first is None else (report.first.position, report.first.entry_id, report.first.reason)


def copy(lines: Lines) -> Lines:
    copied: Lines = json.loads(orjson.dumps(lines))
    return copied


def reopened(line: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The line with other columns, and with a key and a commitment that fit them: anybody can make those."""
    entry = {**line["entry"], **changes}
    commitment = hmac.digest(b"\x01" * 32, canonical(entry), hashlib.sha256).hex()
    return {**line, "entry": entry, "key": "01" * 32, "commitment": commitment}


HEAD = 2  # lines before the first entry


def test_the_export_as_it_was_made_is_good(book: tuple[Lines, str, list[str]]) -> None:
    lines = book[0]
    report = check(book, lines)
    assert (first(report), report.places, report.erased, report.waiting, report.outside) == (None, 9, 3, [10], 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines.pop(HEAD + 3), (3, None, "missing")),
        (lambda lines: lines.insert(HEAD + 3, lines[HEAD + 3]), (3, 4, "doubled")),
        (lambda lines: lines.append(lines[HEAD + 3]), (3, 4, "doubled")),
        (lambda lines: lines.append(lines[-1]), (None, 10, "doubled")),
        (lambda lines: lines.append({**lines[HEAD], "position": None}), (None, 1, "doubled")),
        (lambda lines: lines.insert(HEAD + 3, {**lines[HEAD + 3], "position": None}), (3, 4, "doubled")),
        (lambda lines: lines.insert(HEAD + 3, {"type": "something"}), (3, None, "unreadable")),
        (lambda lines: lines.insert(HEAD + 3, lines[1]), (3, None, "unreadable")),
        (lambda lines: lines.insert(HEAD + 3, lines.pop(HEAD + 5)), (3, None, "missing")),
        (lambda lines: lines.__delitem__(slice(HEAD + 6, None)), (6, None, "missing")),
        (lambda lines: lines[HEAD + 3].update(key=None), (3, 4, "no_opening")),
        (lambda lines: lines[HEAD + 3].update(key=5), (3, 4, "commitment_differs")),
        (lambda lines: lines[HEAD + 3].update(hash=None), (3, 4, "leaf_differs")),
        (lambda lines: lines[HEAD + 3].update(signature="zz"), (3, 4, "misplaced")),
        (lambda lines: lines[HEAD + 3].update(commitment=None), (3, 4, "commitment_differs")),
        (lambda lines: lines[HEAD + 3].update(position="3"), (3, None, "unreadable")),
        (lambda lines: lines[HEAD + 3].update(position=True), (3, None, "unreadable")),
        (lambda lines: lines[HEAD + 3].update(entry=[]), (3, None, "unreadable")),
        (lambda lines: lines[HEAD + 3].update(entry=None), (3, None, "entry_missing")),
        (lambda lines: lines[HEAD + 3].pop("key"), (3, None, "unreadable")),
        (lambda lines: lines[HEAD + 3]["entry"].update(more=1), (3, None, "unreadable")),
        (lambda lines: lines[HEAD + 3]["entry"].pop("note"), (3, None, "unreadable")),
        (lambda lines: lines[HEAD + 3]["entry"].update(facts={"minutes": 3.0}), (3, 4, "commitment_differs")),
        (lambda lines: lines[HEAD + 3]["entry"].update(actor="\ud800"), (3, None, "unreadable")),
        (lambda lines: lines.__setitem__(HEAD + 3, reopened(lines[HEAD + 3], evidence="A")), (3, 4, "leaf_differs")),
        (lambda lines: lines.__setitem__(HEAD + 1, reopened(lines[HEAD + 1], worker_id=1)), (1, 2, "leaf_differs")),
        (lambda lines: lines[HEAD + 1]["entry"].update(worker_id=1), (1, 2, "commitment_differs")),
        (lambda lines: lines[1].update(note="nothing"), (None, None, "checkpoint_broken")),
        (lambda lines: lines[-1]["entry"].update(actor="x"), (None, 10, "commitment_differs")),
        (lambda lines: lines[-1].update(entry=None), (9, None, "unreadable")),
    ],
)
def test_each_alteration_is_told_at_its_place(
    book: tuple[Lines, str, list[str]], change: Callable[[Lines], Any], expected: tuple[int | None, int | None, str]
) -> None:
    lines = copy(book[0])
    change(lines)
    report = check(book, lines)
    assert first(report) == expected
    assert report.first is not None
    assert report.first.words


# What no reader may stumble over, in place of anything.
STRANGE: list[Any] = [
    *(None, True, 5, -1, 1.5, 2**63, 10**4000, "", "x", "é", "\ud800", "9" * 5000, "3"),
    *([], [5], ["x", 5], [[]], {}, {"a": []}, {"unreadable": "x"}),
]


def placed_in(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in a document."""
    for name, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*path, name)
        if isinstance(value, (dict, list)):
            yield from placed_in(value, (*path, name))


def with_another(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


def test_nothing_in_an_export_makes_the_checker_stumble(book: tuple[Lines, str, list[str]]) -> None:
    lines = book[0]
    erasure = next(at for at, line in enumerate(lines) if line.get("entry", {}).get("kind") == "erasure")
    passed = set()
    for at in (0, 1, HEAD + 1, HEAD + 3, erasure, len(lines) - 1):
        for path in placed_in(lines[at]):
            for strange in STRANGE:
                changed = copy(lines)
                changed[at] = with_another(lines[at], path, strange)
                try:
                    is_good = check(book, changed).is_good
                except Unreadable:
                    is_good = False
                if is_good and changed != lines:
                    passed.add((at, path))
    # The keys come from outside, and the log's name with them; what waits has neither hash nor signature.
    header = {(0, ("format",)), (0, ("origin",)), (0, ("keys",)), (0, ("keys", 0))}
    assert passed <= header | {(len(lines) - 1, (name,)) for name in ("hash", "signature")}


def test_an_erasure_that_somebody_made_up_may_name_anything(book: tuple[Lines, str, list[str]]) -> None:
    lines = book[0]
    for named in (*STRANGE, ["9" * 5000 + ":x"], [None], [{"a": 1}], ["1"]):
        if named == "\ud800":  # nothing makes a commitment to it
            continue
        forged = reopened(copy(lines)[-1], id=11, kind="erasure", facts={"entries": named})
        assert check(book, [*lines, forged]).waiting == [10, 11]


@pytest.mark.parametrize(
    "note", [5, None, [], {}, "", "\ud800\n5\nx\n\nx", "a\n" + "9" * 5000 + "\n" + "A" * 43 + "=\n\n— a x\n"]
)
def test_what_is_no_checkpoint_is_told_as_broken(book: tuple[Lines, str, list[str]], note: Any) -> None:
    lines = copy(book[0])
    lines[1]["note"] = note
    assert first(check(book, lines)) == (None, None, "checkpoint_broken")
    assert check_book(map(json.dumps, book[0]), checkpoints=[note], keys=book[2]).first is not None


def test_nothing_in_a_receipt_or_a_proof_makes_the_checker_stumble(
    sqlite_database: Engine, key_ring: KeyRing, book: tuple[Lines, str, list[str]]
) -> None:
    _, note, keys = book
    with write_session(sqlite_database) as session:
        sequence_entries(session, after=0, limit=99, outside=note, now=NOW, keys=key_ring)
        receipt = make_receipt(session, 4, keys=key_ring)
        growth = prove_growth(session, note, keys=key_ring)
    for document, judge in ((receipt, check_receipt), (growth, check_growth)):
        told = json.loads(orjson.dumps(document))
        assert judge(told, keys=keys, checkpoints=[note]) is None
        passed = set()
        for path in placed_in(told):
            for strange in STRANGE:
                changed = with_another(told, path, strange)
                for outside in (keys, []):
                    try:
                        is_good = judge(changed, keys=outside, checkpoints=[note]) is None
                    except Unreadable:
                        is_good = False
                    if is_good and changed != told:
                        passed.add(path[0])
        assert passed <= {"type", "format", "code", "origin", "keys"}


def test_a_made_up_erasure_excuses_nothing(book: tuple[Lines, str, list[str]]) -> None:
    lines = copy(book[0])
    # Entry 4 is turned to another person's, its key taken away, and an erasure added that names what it now says.
    victim = lines[HEAD + 3]
    victim["entry"]["worker_id"] = 9
    victim["key"] = None
    name = f"4:{digest(victim['entry'], victim['commitment'])}"
    forged = reopened(lines[-1], id=11, kind="erasure", worker_id=9, facts={"entries": [name]})
    assert first(check(book, [*lines, forged])) == (3, 4, "no_opening")
    # Nor does an erasure whose own key was taken away, so that nobody sees what was added to it.
    erasure = lines[HEAD + 8]
    erasure["entry"]["facts"]["entries"].append(name)
    assert first(check(book, lines)) == (8, 9, "commitment_differs")
    erasure["key"] = None
    report = check(book, lines)
    assert report.first is not None
    assert report.first.reason == "no_opening"
    assert report.bad == 5  # the victim, the erasure, and the three that it named


def test_a_book_of_somebody_elses_keys_is_good_only_to_whoever_believes_it(
    sqlite_database: Engine, key_ring: KeyRing, book: tuple[Lines, str, list[str]]
) -> None:
    with read_session(sqlite_database) as session:
        lines = list(export_lines(session, keys=key_ring))
    other = signer_of(key_ring.rotated("token")).told_keys[:1]
    assert check_book(map(orjson.dumps, lines)).is_good
    report = check_book(map(orjson.dumps, lines), keys=other)
    assert (report.is_good, report.keys_given) == (False, True)
    # Its own keys in the export, and a checkpoint kept from the true one.
    lines[0]["keys"] = other
    assert not check_book(map(orjson.dumps, lines), checkpoints=[book[1]]).is_good


@pytest.mark.parametrize(
    "lines", [[], ["nothing"], ["{}"], ['{"type":"ledger","format":2,"keys":[]}'], ['{"type":"ledger","format":1}']]
)
def test_what_is_no_ledger_is_refused(lines: list[str]) -> None:
    with pytest.raises(Unreadable):
        check_book(lines)
