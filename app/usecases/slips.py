"""Paper slips: printing what is to be brought to people, and taking in what comes back signed.

A signature is the person's own hand: it proves that all postings on the page reached them. What they ticked is their
answer; what they did not tick they have seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.domain.identities import mask_name
from app.domain.ledger import Channel
from app.domain.pushes import Answer, PushCause, Unsuitable
from app.domain.slips import MOST_POSTS, SlipPost, write_slip
from app.kit.clock import CHINA
from app.kit.errors import FieldFault, Invalid, NotFound
from app.kit.keyed_codes import keyed_code, read_keyed_code
from app.kit.keys import KeyRing
from app.store import pushes as pushes_store
from app.store import slips as store
from app.store import spells as spells_store
from app.store import workers as workers_store
from app.store.brokers import find_broker
from app.store.identities import read_identity
from app.store.pushes import Push
from app.usecases.areas import AreaBook
from app.usecases.obligations import BrokerUnknown, DistrictUnknown, require_writer
from app.usecases.postings import PostingNotFound, load_posting
from app.usecases.pushes import answer_push, confirm_push
from app.usecases.workers import WorkerUnknown

HOTLINE = "12333"
_PURPOSE = "slip"
_PEOPLE_AT_ONCE = 1_000


class SlipUnknown(NotFound):
    """No slip bears the code."""

    code = "slip_unknown"
    title = "没有这张纸条，请再看一遍回执编号"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedSlip:
    """A page: what stands on it, and what a clerk enters when it comes back."""

    code: str
    worker_id: int
    postings: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSlip:
    """What a signed slip has proven: the postings that arrived with their answers, None where nothing was ticked."""

    worker_id: int
    answers: Mapping[int, Answer | None]


def print_slips(
    session: Session,
    *,
    areas: AreaBook,
    actor: str,
    now: datetime,
    keys: KeyRing,
    worker_id: int | None = None,
    broker: str | None = None,
    district: str | None = None,
) -> list[PrintedSlip]:
    """Write the pages for those whose pushes wait for somebody who brings them; printed again, a page keeps its code.

    For one person who is named also what was sent to them and has not arrived.

    Args:
        session: a transaction that the caller commits.
        areas: today's.
        actor: who prints, a role and a code; reading the names is audited under it.
        now: when.
        keys: open names and make codes.
        worker_id: this person alone.
        broker: only people in the care of the broker with this code.
        district: only people at home there.

    Raises:
        Invalid: `actor` is no role and code.
        BrokerUnknown: nobody bears the code.
        DistrictUnknown: no district bears the code today.
        WorkerUnknown: there is no such person.
    """
    require_writer(session, actor)
    if broker is not None and find_broker(session, broker) is None:
        raise BrokerUnknown
    if district is not None and district not in {fact.code for fact in areas.districts()}:
        raise DistrictUnknown
    today = now.astimezone(CHINA).date()
    if worker_id is not None:
        if workers_store.find_worker(session, worker_id) is None:
            raise WorkerUnknown
        people = [worker_id]
    else:
        rows = spells_store.list_people_in_spells(session, on=today, district=district, broker=broker)
        people = [spell.worker_id for spell, *_ in rows if spell.closed_on is None]
    printed = []
    for start in range(0, len(people), _PEOPLE_AT_ONCE):
        part = people[start : start + _PEOPLE_AT_ONCE]
        # Of two who print at once the second finds the page of the first, with its code.
        workers_store.hold_workers(session, part)
        theirs: dict[int, list[Push]] = {}
        for push in pushes_store.list_to_hand(session, part, now=now, by_hand=worker_id is None):
            theirs.setdefault(push.worker_id, []).append(push)
        known = {(slip.worker_id, *slip.push_ids): slip for slip in store.list_unsigned(session, [*theirs])}
        for person, pushes in theirs.items():
            page = _page(session, person, pushes, known, areas=areas, actor=actor, now=now, keys=keys)
            if page is not None:
                printed.append(page)
    return printed


def take_signed_slip(
    session: Session,
    code: str,
    marks: Mapping[int, tuple[Answer, Unsuitable | None]],
    *,
    calls: bool,
    actor: str,
    happened_at: datetime,
    now: datetime,
    keys: KeyRing,
) -> SignedSlip:
    """Take in a slip that came back signed: its postings have arrived, proven by the person. Again, it changes nothing.

    Args:
        session: a transaction that the caller commits.
        code: the receipt's, as somebody typed it.
        marks: what was ticked, by the number that a posting has on the page, from 1.
        calls: the person asks to be called; that answers what they ticked nothing at.
        actor: who takes it in.
        happened_at: when it was signed.
        now: when it is taken in.
        keys: the key ring.

    Raises:
        SlipUnknown: no slip bears the code.
        Invalid: `actor` is no role and code; a mark for a posting that is not on the page (`no_such_mark`); signed in
            the future (`in_future`) or before it was printed (`before_printing`).
    """
    require_writer(session, actor)
    slip_id = read_keyed_code(keys, code, purpose=_PURPOSE)
    slip = None if slip_id is None else store.lock_slip(session, slip_id)
    if slip is None:
        raise SlipUnknown
    faults = []
    if any(not 1 <= number <= len(slip.push_ids) for number in marks):
        faults.append(FieldFault("marks", "no_such_mark", f"这张纸条上只有 1 到 {len(slip.push_ids)} 号岗位"))
    if happened_at > now:
        faults.append(FieldFault("happened_at", "in_future", "时间还没有到，请核对"))
    if happened_at < slip.printed_at:
        faults.append(FieldFault("happened_at", "before_printing", "签字的时间在打印之前，请核对"))
    if faults:
        raise Invalid(fields=faults)
    slip.signed_at = slip.signed_at or happened_at
    answers: dict[int, Answer | None] = {}
    given: dict[str, Any] = {
        "happened_at": happened_at,
        "now": now,
        "actor": actor,
        "keys": keys,
    }
    for number, push_id in enumerate(slip.push_ids, 1):
        answer, why = marks.get(number, (Answer.CALL_ME if calls else None, None))
        if answer is None:
            push = confirm_push(session, push_id, channel=Channel.SLIP, **given)
        else:
            # The page has a box for "does not suit" and none for the reason.
            reason = (why or Unsuitable.OTHER) if answer is Answer.UNSUITABLE else None
            push = answer_push(session, push_id, answer, why=reason, channel=Channel.SLIP, **given)
        answers[push.posting_id] = answer
    session.flush()
    return SignedSlip(worker_id=slip.worker_id, answers=answers)


def _page(
    session: Session,
    worker_id: int,
    pushes: list[Push],
    known: Mapping[tuple[int, ...], store.Slip],
    *,
    areas: AreaBook,
    actor: str,
    now: datetime,
    keys: KeyRing,
) -> PrintedSlip | None:
    """One person's page, None where no posting of theirs is open any more."""
    today = now.astimezone(CHINA).date()
    posts: list[tuple[Push, SlipPost]] = []
    # What is owed first, then what was made first.
    for push in sorted(pushes, key=lambda each: (each.cause is not PushCause.OWED, each.id)):
        try:
            card = load_posting(session, push.posting_id, areas=areas, today=today)
        except PostingNotFound:
            continue
        km = int(push.match.get("metres", 0)) / 1000
        post = SlipPost(
            title=card.title,
            employer=card.employer_name,
            where=f"{card.area_name}，离家{km:.1f}公里",
            pay=card.pay_text,
            hours=card.hours,
        )
        posts.append((push, post))
    posts = posts[:MOST_POSTS]
    if not posts:
        return None
    ids = [push.id for push, _ in posts]
    slip = known.get((worker_id, *ids)) or store.add_slip(
        session, store.Slip(worker_id=worker_id, push_ids=ids, printed_at=now, actor=actor)
    )
    worker = workers_store.find_worker(session, worker_id)
    identity = read_identity(session, worker_id, keys=keys, actor=actor, reason="print a slip", now=now)
    code = keyed_code(keys, slip.id, purpose=_PURPOSE)
    text = write_slip(
        [post for _, post in posts],
        for_whom=mask_name(identity.name) if identity is not None else f"编号{worker_id}",
        code=code,
        ask_at=f"{_counter_near(worker, areas)}，电话{HOTLINE}",
        printed_on=f"{today.year}年{today.month}月{today.day}日",
    )
    return PrintedSlip(code=code, worker_id=worker_id, postings=tuple(push.posting_id for push, _ in posts), text=text)


def _counter_near(worker: workers_store.Worker | None, areas: AreaBook) -> str:
    """Where one asks: the counter of the township or subdistrict of their home, else of the district."""
    fact = None if worker is None else areas.find(worker.home_area_code)
    return f"{fact.name if fact is not None else '乡镇（街道）'}便民服务中心"
