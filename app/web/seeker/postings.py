"""The list of postings near somebody, one posting whole, and the form to report it.

The list comes out of memory (`Matchmaker`); one posting is read from the database, so that a closed or hidden one is
gone at once. Nothing here changes state but `take_report`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response

from app.domain.areas import AreaLevel, Precision
from app.domain.permissions import Action, permits
from app.domain.postings import PostingKind, ReportReason
from app.kit.database import read_session, write_session
from app.usecases.areas import AreaFact, AreaUnknown
from app.usecases.matchmaking import Filters, MatchAnswer, Note, Profile, RankedPosting
from app.usecases.postings import PostingCard, load_posting, report_posting
from app.web import ids, wording
from app.web.answers import Answers, keeps_answers, one_line, read_answers
from app.web.rendering import render, see_other
from app.web.seeker.lists import CHOICES_KM, CITY_KM, MOST_SHOWN, ListQuery, list_query_in, read_list_query
from app.web.seeker.places import is_home, regions_of
from app.web.seeker.structured_data import job_posting
from app.wiring import House

ids.register()
postings = APIRouter(include_in_schema=False)

# Who has not said an age is taken for an adult whom no rule about age concerns, neither as young nor as older.
AGE_NOT_SAID = 40
SIMILAR = 3
OTHER_NAMES = 4
MOST_CERTIFICATES = 3
LONGEST_REPORT = 300
# Reasons that only tell the distance.
_DISTANCE_REASONS = frozenset({"near_home", "distance"})
_DISTANCE_STEPS = frozenset({"max_km_x1.5", "max_km_x2.5", "city"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A posting in the list as the page shows it."""

    rank: int
    card: PostingCard
    where: str
    why: str
    cautions: tuple[str, ...]


@postings.get("/jobs")
@permits(Action.SEE_POSTINGS)
def list_postings(request: Request) -> Response:
    """Postings near a place, best first; the place and the words come from the address or else from the cookie."""
    house: House = request.app.state.house
    answers = read_answers(request)
    query = read_list_query(request.query_params)
    areas = house.ready_matchmaker().areas
    former = areas.former(query.near or "")
    if former is not None and len(heirs := areas.heirs(former)) > 1:
        places = [(areas.told(heir.code), query.with_near(heir.code).address()) for heir in heirs]
        return render(request, "which_near.html", former=former, places=places)
    home = _home(house, query, answers)
    if home is None:
        regions = regions_of(areas)
        return render(request, "near.html", asks=True, regions=regions, query=query, forgets=_forgets(request, query))
    words = _words(query, answers)
    found = _find(house, home, words, answers, query)
    # Nobody is left before an empty list while there is work: then the filters are let go, and the page says so.
    is_let_go = query.is_filtered and not found.matches
    if is_let_go:
        found = _find(house, home, words, answers, query.without_filters())
    matches = found.matches
    return render(
        request,
        "list.html",
        asks=True,
        query=query,
        forgets=_forgets(request, query),
        home=home,
        home_told=areas.told(home.code),
        words=words,
        rows=[_row(match, home) for match in matches[: query.shown]],
        more=query.longer() if len(matches) > query.shown and query.shown < MOST_SHOWN else None,
        next_id=matches[query.shown].card.id if len(matches) > query.shown else None,
        kinds=PostingKind,
        resolved=found.resolved,
        other_names=_other_names(house, words, found),
        notes=_notes(found, let_go=is_let_go and bool(matches)),
        refused=wording.refusals(found.refused),
        lacking=found.lacking[:MOST_CERTIFICATES],
        choices_km=CHOICES_KM,
        city_km=CITY_KM,
        today=house.clock.today(),
    )


@postings.get("/jobs/{posting_id:id}")
@permits(Action.SEE_POSTINGS)
def show_posting(request: Request, posting_id: int) -> Response:
    """One posting whole."""
    house: House = request.app.state.house
    answers = read_answers(request)
    card = _load(house, posting_id)
    url = f"{house.settings.effective_public_url}/jobs/{card.id}"
    home = _home(house, ListQuery(), answers)
    judged = _judge(house, home, answers, card) if home else None
    match = judged if isinstance(judged, RankedPosting) else None
    return render(
        request,
        "posting.html",
        card=card,
        where=_where(match, home) if match and home else "",
        reasons=_others(match.reasons) if match else [],
        cautions=_cautions(match) if match else [],
        barred=judged.text if isinstance(judged, Note) else "",
        similar=house.ready_matchmaker().similar(card.id, k=SIMILAR),
        url=url,
        back=_list_address(request, card),
        structured_data=job_posting(card, url=url),
        today=house.clock.today(),
    )


@postings.get("/jobs/{posting_id:id}/reports")
@permits(Action.REPORT_POSTING)
def ask_report(request: Request, posting_id: int) -> Response:
    """What is wrong with the posting?"""
    card = _load(request.app.state.house, posting_id)
    return render(request, "report.html", card=card, reasons=tuple(ReportReason), problem="", chosen="", words="")


@postings.post("/jobs/{posting_id:id}/reports")
@permits(Action.REPORT_POSTING)
def take_report(
    request: Request,
    posting_id: int,
    reason: Annotated[str, Form()] = "",
    words: Annotated[str, Form()] = "",
) -> Response:
    """Take a report and lead to the page that tells what came of it."""
    house: House = request.app.state.house
    words, problem = one_line(words), ""
    if reason not in set(ReportReason):
        problem = "请选一样：哪里不对"
    elif len(words) > LONGEST_REPORT:
        problem = f"写短一点，{LONGEST_REPORT}个字以内"
    if problem:
        return render(
            request,
            "report.html",
            status=422,
            card=_load(house, posting_id),
            reasons=tuple(ReportReason),
            problem=problem,
            chosen=reason,
            words=words,
        )
    with write_session(house.engine) as session:
        receipt = report_posting(
            session,
            posting_id,
            reason=ReportReason(reason),
            words=words,
            keys=house.keys,
            reporter=house.reporter(request.client.host if request.client else ""),
            today=house.clock.today(),
            now=house.clock.now(),
        )
    return see_other(request, f"/reports/{receipt.code}")


def _load(house: House, posting_id: int) -> PostingCard:
    areas = house.ready_matchmaker().areas
    with read_session(house.engine) as session:
        return load_posting(session, posting_id, areas=areas, today=house.clock.today())


def _home(house: House, query: ListQuery, answers: Answers) -> AreaFact | None:
    """The place to search around; a place in the cookie that is none any more counts as not answered.

    Raises:
        AreaUnknown: the place in the address is none.
    """
    areas = house.ready_matchmaker().areas
    home = areas.find(query.near or answers.home or "")
    if home is not None and is_home(home):
        return home
    if query.near is not None:
        raise AreaUnknown("没有这个区县或乡镇街道的代码，请从首页选地方")
    return None


def _forgets(request: Request, query: ListQuery) -> bool:
    """Whether the phone keeps no answers: none came with an answer before, and none comes now."""
    return not query.kept and not keeps_answers(request)


def _words(query: ListQuery, answers: Answers) -> str:
    if query.words is not None:
        return query.words
    # Somebody else's link to a place must not be mixed with this phone's words.
    return answers.words or "" if query.near is None else ""


def _find(house: House, home: AreaFact, words: str, answers: Answers, query: ListQuery) -> MatchAnswer:
    """As many matches as the page shows and one more, which tells whether there are more."""
    return house.ready_matchmaker().match(
        _profile(home, words, answers, query),
        k=query.shown + 1,
        today=house.clock.today(),
        filters=Filters(older=query.older, distance=query.km is not None, kinds=query.kind is not None),
    )


def _profile(home: AreaFact, words: str, answers: Answers, query: ListQuery) -> Profile:
    profile = Profile(
        home=home.code,
        wants=wording.split_wants(words),
        age=answers.age or AGE_NOT_SAID,
        limits=answers.limits,
        certificates=answers.certificates,
        kinds=frozenset({query.kind} if query.kind else ()),
    )
    return profile if query.km is None else replace(profile, max_km=float(query.km))


def _judge(house: House, home: AreaFact, answers: Answers, card: PostingCard) -> RankedPosting | Note | None:
    """How the posting stands for the person of the cookie: ranked, or the rule that keeps it off the list."""
    profile = _profile(home, answers.words or "", answers, ListQuery(km=CITY_KM))
    return house.ready_matchmaker().explain(profile, card.id, today=house.clock.today())


def _row(match: RankedPosting, home: AreaFact) -> Row:
    return Row(
        rank=match.rank,
        card=match.card,
        where=_where(match, home),
        why="，".join(_others(match.reasons)),
        cautions=tuple(_cautions(match)),
    )


def _where(match: RankedPosting, home: AreaFact) -> str:
    rough = Precision.DISTRICT in (match.card.precision, home.precision) or home.level is AreaLevel.DISTRICT
    return wording.distance(match.distance_km, match.nearness, rough=rough)


def _others(reasons: Iterable[Note]) -> list[str]:
    """Reasons besides the distance, which already stands first."""
    return [note.text for note in reasons if note.code not in _DISTANCE_REASONS]


def _cautions(match: RankedPosting) -> list[str]:
    """Cautions besides the one that a mark on the posting already tells."""
    return [note.text for note in match.cautions if note.code != "historical"]


def _notes(found: MatchAnswer, *, let_go: bool) -> list[str]:
    """How the search was widened, of the steps in distance only the last."""
    distances = [note for note in found.widened if note.code in _DISTANCE_STEPS]
    widened = (*distances[-1:], *(note for note in found.widened if note not in distances))
    return [*(["您点的条件附近没有，先看看别的活"] if let_go else []), *(note.text for note in widened)]


def _other_names(house: House, words: str, found: MatchAnswer) -> list[str]:
    """What else the words may have meant, for somebody who was misunderstood."""
    taken = {each.name for each in found.resolved}
    meant = house.ready_matchmaker().resolve(words, k=OTHER_NAMES + 1) if words else []
    return [each.name for each in meant if each.occupation is not None and each.name not in taken][:OTHER_NAMES]


def _list_address(request: Request, card: PostingCard) -> str:
    """The list from which the reader came, at the place of this posting."""
    came_from = request.headers.get("Referer", "")
    query = list_query_in(came_from) if _is_ours(request, came_from) else ListQuery()
    return f"{query.address()}#job-{card.id}"


def _is_ours(request: Request, address: str) -> bool:
    try:
        return urlsplit(address).netloc == request.headers.get("Host")
    except ValueError:
        return False
