"""Matchmaking: the one place where people and postings meet the ranking library.

`Matchmaker` keeps everything that an answer needs in memory (areas, occupations, cards, the match index), so that the
ranking route never visits the database. It follows the database by `refresh`, driven by a background loop.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.domain.areas import CHONGQING, AreaLevel, Nearness, Precision
from app.domain.occupations import OBTAINED_ON_HIRING, certificates_covered
from app.domain.postings import PostingKind, PostingOrigin
from app.domain.workers import WORKING_AGE, Education, Limit, Priority, Sex, may_work
from app.kit.errors import FieldFault, Invalid
from app.kit.page_tokens import read_page_token, write_page_token
from app.store import occupations as occupations_store
from app.store import policies
from app.store import postings as postings_store
from app.usecases.areas import AreaBook
from app.usecases.places import PlaceNames
from app.usecases.postings import SURE_CONFIDENCE, PostingCard, card_of, is_listed_on
from matching import Match, MatchIndex, OccupationResolver, Opening, Place, PublishedWeight, Seeker, Weights
from matching.distances import great_circle_km

LEAST_CONFIDENCE = 0.2  # below it words are not taken for an occupation; they still count against titles
LITTLE = 5  # fewer matches than this, and the search widens
NOWHERE_METRES = 1e9  # farther than any place on Earth: what has no place stands last
WHOLE_CITY_KM = 600.0  # Chongqing measures about 470 km from west to east
SKILL_FITTING = 0.35  # the occupation's group, and work whose title says what the person said; not the family alone
_SKILL_OWN = 0.75
ENOUGH_TO_TELL_PAY = 10
TOWNSHIP_CODE_LENGTH = 9
OVERLAP = timedelta(minutes=10)
BAIT_SETTING = "bait_pay_multiple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What somebody says who looks for work. `home` is an area's code or a WGS-84 point (lon, lat); nothing is stored.

    `age` in whole years or `birth_on`; one of them must be given. `wants` are words or occupation codes, best first.
    """

    home: str | tuple[float, float]
    wants: tuple[str, ...]
    age: int | None = None
    birth_on: date | None = None
    sex: Sex | None = None
    current: str | None = None
    skills_text: str = ""
    certificates: frozenset[str] = frozenset()
    pay_min_yuan_month: int | None = None
    kinds: frozenset[PostingKind] = frozenset()
    max_km: float = 30.0
    available_on: date | None = None
    limits: frozenset[Limit] = frozenset()
    home_by: int | None = None
    priority: Priority = Priority.NONE
    education: Education | None = None
    experience_years: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedWords:
    """Somebody's words and the occupation they were taken for; `occupation` is None where none fits."""

    text: str
    occupation: str | None
    name: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A reason, caution or step of widening: a stable code and plain Chinese words."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPosting:
    """A posting in somebody's list, with why it stands there. `distance_km` is None where the place is unknown."""

    rank: int
    score: float
    distance_km: float | None
    nearness: Nearness
    card: PostingCard
    parts: Mapping[str, float]
    reasons: tuple[Note, ...]
    cautions: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LackingCertificate:
    """A certificate that alone keeps somebody from so many postings of the work that they want, within so many km."""

    name: str
    postings: int
    within_km: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What somebody insists on: `older` keeps to work that suits older people, the others forbid a way of widening."""

    older: bool = False
    distance: bool = False
    kinds: bool = False


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchAnswer:
    """A ranked list, how the words were understood, how far the search had to be widened, and what was refused.

    `refused` counts postings near the person by the rule that keeps them off the list; `lacking` names certificates
    that would open some of them; `notes` say what the person should know about the list as a whole.
    """

    resolved: tuple[ResolvedWords, ...]
    matches: tuple[RankedPosting, ...]
    widened: tuple[Note, ...]
    refused: Mapping[str, int]
    lacking: tuple[LackingCertificate, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPosting:
    """A posting in a search by distance."""

    distance_km: float | None
    nearness: Nearness
    card: PostingCard


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """A public search: near an area or a point, within a radius, by words, kind or occupation."""

    near: str | tuple[float, float] | None = None
    radius_km: float | None = None
    words: str = ""
    kinds: frozenset[PostingKind] = frozenset()
    occupation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of a search, nearest first; `next_token` continues it, None at the end. `total` counts all pages."""

    items: tuple[FoundPosting, ...]
    next_token: str | None
    total: int
    resolved: tuple[ResolvedWords, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Board:
    """Cards by id and their columns, sorted by id, for searching; lon and lat are NaN where unknown."""

    cards: Mapping[int, PostingCard]
    ids: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    is_rough: NDArray[np.bool_]
    is_in_city: NDArray[np.bool_]
    is_historical: NDArray[np.bool_]
    suits_older: NDArray[np.bool_]
    kinds: NDArray[np.str_]
    occupations: NDArray[np.str_]
    words: tuple[str, ...]

    @classmethod
    def of(cls, cards: Mapping[int, PostingCard]) -> "_Board":
        ordered = [cards[each] for each in sorted(cards)]
        return cls(
            cards=cards,
            ids=np.array([card.id for card in ordered], np.int64),
            lon=np.array([np.nan if card.lon is None else card.lon for card in ordered], np.float64),
            lat=np.array([np.nan if card.lat is None else card.lat for card in ordered], np.float64),
            is_rough=np.array([card.precision is Precision.DISTRICT for card in ordered], np.bool_),
            is_in_city=np.array([_is_in_city(card) for card in ordered], np.bool_),
            is_historical=np.array([card.is_historical for card in ordered], np.bool_),
            suits_older=np.array([card.suits_older for card in ordered], np.bool_),
            kinds=np.array([card.kind for card in ordered], np.str_),
            occupations=np.array([card.occupation_code or "" for card in ordered], np.str_),
            words=tuple(_plain(f"{card.title} {card.employer_name}") for card in ordered),
        )

    def metres(self, centre: Place | None, *, floor_km: float) -> NDArray[np.float64]:
        """Whole metres from a place to each card, (n,), NOWHERE where its place is unknown; zeros without a place."""
        if centre is None:
            return np.zeros(len(self.ids))
        km = great_circle_km(self.lon, self.lat, to=centre)
        rough = self.is_rough | (centre.precision == Precision.DISTRICT)
        metres = np.round(np.where(rough, np.maximum(km, floor_km), km) * 1000)
        return np.where(np.isnan(metres), NOWHERE_METRES, metres)

    def wanted(self, query: SearchQuery, meant: Collection[str]) -> NDArray[np.bool_]:
        """Cards in Chongqing that a search asks for, (n,); `meant` are occupations that its words mean."""
        wanted = self.is_in_city.copy()
        if query.kinds:
            wanted &= np.isin(self.kinds, [str(kind) for kind in query.kinds])
        if query.occupation is not None:
            wanted &= self.occupations == query.occupation
        words = _plain(query.words)
        if words:
            told = np.fromiter((words in each for each in self.words), np.bool_, len(self.words))
            wanted &= told | np.isin(self.occupations, list(meant))
        return wanted


class Matchmaker:
    """Everything that an answer needs, in memory. Readers may read while `refresh` follows the database."""

    def __init__(
        self,
        *,
        areas: AreaBook,
        places: PlaceNames,
        resolver: OccupationResolver,
        index: MatchIndex,
        cards: Mapping[int, PostingCard],
        occupations: Mapping[str, occupations_store.Occupation],
    ) -> None:
        self.areas = areas
        self.places = places
        self.version = 1
        self._resolver = resolver
        self._index = index
        self._board = _Board.of(cards)
        self._occupations = occupations
        self._day = index.today
        self._seen: dict[int, datetime] = {}
        self._followed_to: datetime | None = None

    @classmethod
    def load(cls, session: Session, *, today: date, now: datetime) -> "Matchmaker":
        """Read everything that job-seekers may see today.

        Raises LookupError when the reference data has not been loaded.
        """
        areas = AreaBook.load(session, on=today)
        occupations = {row.code: row for row in occupations_store.list_occupations(session)}
        if not occupations:
            raise LookupError("no occupations: load the reference data first")
        cards = {
            posting.id: card_of(posting, employer, areas=areas, occupations=occupations)
            for posting, employer in postings_store.list_listed_postings(session, today=today)
        }
        openings = [opening for card in cards.values() if (opening := _opening(card)) is not None]
        bait = policies.find_setting(session, BAIT_SETTING, on=today)
        weights = Weights(going_rates=_going_rates(cards.values()))
        if bait is not None:
            weights = replace(weights, bait_multiple=float(bait.value))
        index = MatchIndex.build(openings, today=today, weights=weights)
        index.warm_up()
        matchmaker = cls(
            areas=areas,
            places=PlaceNames(areas, today=today),
            resolver=_resolver(session, occupations),
            index=index,
            cards=cards,
            occupations=occupations,
        )
        matchmaker._seen = {card.id: card.changed_at for card in cards.values()}
        matchmaker._followed_to = now
        return matchmaker

    def refresh(self, session: Session, *, today: date, now: datetime) -> int:
        """Take in what changed in the database since the last time; the number of postings taken in or dropped.

        Looks back over `OVERLAP` each time, because a row is stamped before its transaction commits.
        """
        since = (self._followed_to or now) - OVERLAP
        changed = [
            posting_id
            for posting_id, changed_at in postings_store.list_changed_ids(session, since=since)
            if self._seen.get(posting_id) != changed_at
        ]
        cards = dict(self._board.cards)
        added: list[Opening] = []
        dropped: list[int] = []
        for posting, employer in postings_store.list_postings(session, changed):
            self._seen[posting.id] = posting.changed_at
            if is_listed_on(posting, today):
                card = card_of(posting, employer, areas=self.areas, occupations=self._occupations)
                cards[card.id] = card
                opening = _opening(card)
                if opening is None:
                    dropped.append(card.id)
                else:
                    added.append(opening)
            elif cards.pop(posting.id, None) is not None:
                dropped.append(posting.id)
        if added:
            self._index.add(added)
        if dropped:
            self._index.close(dropped)
        if changed:
            self._board = _Board.of(cards)
            self.version += 1
        self._followed_to = now
        return len(added) + len(dropped)

    def age_out(self, today: date) -> int:
        """Drop what has expired by today, without asking the database; the number dropped."""
        if today == self._day:
            return 0
        self._day = today
        self._index.at_day(today)
        board = self._board
        over = [card.id for card in board.cards.values() if card.valid_until is not None and card.valid_until < today]
        if over:
            self._index.close(over)
            gone = frozenset(over)
            self._board = _Board.of({each: card for each, card in board.cards.items() if each not in gone})
            self.version += 1
        return len(over)

    def weights_told(self) -> list[PublishedWeight]:
        """The published weights of the score, for a page that people read."""
        return self._index.weights.published()

    def card(self, posting_id: int) -> PostingCard | None:
        """The card of a posting that job-seekers may see."""
        return self._board.cards.get(posting_id)

    def cards(self) -> Collection[PostingCard]:
        """All cards in memory."""
        return self._board.cards.values()

    def resolve(self, words: str, *, k: int = 5) -> list[ResolvedWords]:
        """What occupations words may mean, likeliest first; empty when nothing is alike."""
        return [
            ResolvedWords(text=words, occupation=found.code, name=found.name, confidence=found.confidence)
            for found in self._resolver.resolve(words, k)
        ]

    def match(self, profile: Profile, *, k: int = 10, today: date, filters: Filters = NO_FILTERS) -> MatchAnswer:
        """The k best postings for somebody, with reasons; widened in the stated order when little fits.

        The order: 1.5 and 2.5 times as far, the whole city, other kinds of work, related occupations; and where all
        that finds nothing, any work within the person's own reach. What the filters insist on is never widened.
        Samples of the past do not count as found.

        Raises:
            AreaSplit: home is the code of an area that ended and that several took over.
            AreaUnknown: home leads to no place.
            Invalid: neither age nor birth date.
        """
        resolved = [self.understand(words) for words in profile.wants]
        near_by, home_code = self.seeker(profile, resolved, today=today)
        board = self._board
        among = self.ids_for_older() if filters.older else None
        own = _SKILL_OWN * self._index.weights.later_want ** max(0, len(near_by.wants) - 1) if near_by.wants else 0.0
        found = self._index.rank(near_by, k, skill_min=own, among=among)
        seeker = near_by
        taken: list[Note] = []
        told = 0
        for step in _steps(near_by, own, filters):
            if self._count_open(found) >= min(k, LITTLE):
                break
            seeker = step.seeker
            taken.append(step.note)
            wider = self._index.rank(seeker, k, skill_min=step.skill_min, among=among)
            if len(wider) > len(found):
                # A step stays in force behind the next one, so all up to this one are told.
                found, told = wider, len(taken)
        if not found and near_by.wants:
            found = self._index.rank(near_by, k, among=among)
            if found:
                taken, told = [ANY_WORK], 1
        ranked = [(match, board.cards[match.opening_id]) for match in found if match.opening_id in board.cards]
        return MatchAnswer(
            resolved=tuple(resolved),
            matches=tuple(
                self._ranked(match, card, rank=rank, home_code=home_code)
                for rank, (match, card) in enumerate(ranked, 1)
            ),
            widened=tuple(taken[:told]),
            refused=self._index.refusal_counts(seeker),
            # What lies far away is named only where the own reach has nothing to open.
            lacking=self._lacking(near_by, own) or self._lacking(seeker, own),
            notes=_notes_for(seeker, today),
        )

    def _lacking(self, seeker: Seeker, skill_min: float) -> tuple[LackingCertificate, ...]:
        found = self._index.lacking_certificates(seeker, skill_min=skill_min)
        return tuple(
            LackingCertificate(name=name, postings=number, within_km=seeker.max_km) for name, number in found.items()
        )

    def _count_open(self, found: Sequence[Match]) -> int:
        cards = (self.card(match.opening_id) for match in found)
        return sum(1 for card in cards if card is not None and not card.is_historical)

    def explain(self, profile: Profile, posting_id: int, *, today: date) -> RankedPosting | Note | None:
        """How one posting fits somebody, or the rule that keeps them from it; None when the posting is not in memory.

        Distance and kind of work do not count as refusals here: whoever looks at a posting has chosen it.
        """
        card = self.card(posting_id)
        if card is None:
            return None
        resolved = [self.understand(words) for words in profile.wants]
        seeker, home_code = self.seeker(profile, resolved, today=today)
        seeker = replace(seeker, max_km=WHOLE_CITY_KM, kinds=frozenset())
        match = self._index.explain(seeker, posting_id)
        if match is not None:
            return self._ranked(match, card, rank=0, home_code=home_code)
        refusals = self._index.refusals(seeker, [posting_id])
        return Note(code=refusals[0].rule, text=refusals[0].text) if refusals else None

    def rank_among(self, seeker: Seeker, ids: NDArray[np.int64], *, k: int, skill_min: float = 0.0) -> list[Match]:
        """The k best of these postings for somebody, within their own reach."""
        return self._index.rank(seeker, k, skill_min=skill_min, among=ids)

    def places_left(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and places left, each (m,), of the postings that are not full; samples of the past among them."""
        return self._index.places_left()

    def ids_for_older(self) -> NDArray[np.int64]:
        """Ids of the postings that lie in a lane for older workers and name no age cap below 60, ascending."""
        board = self._board
        return board.ids[np.flatnonzero(board.suits_older)]

    def ids_of_kind(self, kind: PostingKind) -> NDArray[np.int64]:
        """Ids of the postings of a kind, ascending."""
        board = self._board
        return board.ids[np.flatnonzero(board.kinds == str(kind))]

    def save_index(self, path: Path) -> None:
        """Write the index of now to a file that other processes can open."""
        self._index.save(path)

    def search(self, query: SearchQuery, *, page_size: int, page_token: str | None = None) -> SearchPage:
        """Postings by distance from a place, or newest first without one; the page behind `page_token`.

        Words are met by a title or employer that holds them, or by the occupation that they mean.

        Raises:
            AreaSplit: `near` is the code of an area that ended and that several took over.
            AreaUnknown: `near` leads to no place.
            BadPageToken: the token was not given out by this search.
        """
        board = self._board
        resolved = self.resolve(query.words, k=1) if query.words.strip() else []
        meant = [each.occupation for each in resolved if each.occupation and each.confidence >= SURE_CONFIDENCE]
        centre = None if query.near is None else self._place(query.near)
        metres = board.metres(centre, floor_km=self._index.weights.district_floor_km)
        reach = np.inf if query.radius_km is None or centre is None else query.radius_km * 1000
        chosen = np.flatnonzero(board.wanted(query, meant) & (metres <= reach))
        if centre is None:
            # Samples of the past stand behind everything that somebody offers today.
            metres = board.is_historical.astype(np.float64)
        # Without a place the newest stand first: ids grow with time.
        key = board.ids[chosen] if centre is not None else -board.ids[chosen]
        order = np.lexsort((key, metres[chosen]))
        total = len(order)
        if page_token is not None:
            after_metres, after_key = read_page_token(page_token, of="postings", shape=(int, int))
            sorted_metres = metres[chosen][order]
            behind = (sorted_metres > after_metres) | ((sorted_metres == after_metres) & (key[order] > after_key))
            order = order[behind]
        page = order[:page_size]
        home_code = self._home_code(query.near) if query.near is not None else None
        next_token = None
        if len(order) > page_size:
            next_token = write_page_token(int(metres[chosen[page[-1]]]), int(key[page[-1]]), of="postings")
        found = []
        for place in chosen[page]:
            card = board.cards[int(board.ids[place])]
            away = metres[place]
            found.append(
                FoundPosting(
                    distance_km=None if centre is None or away >= NOWHERE_METRES else float(away) / 1000,
                    nearness=self._nearness(home_code, card),
                    card=card,
                )
            )
        return SearchPage(items=tuple(found), next_token=next_token, total=total, resolved=tuple(resolved))

    def similar(self, posting_id: int, *, k: int = 3) -> list[PostingCard]:
        """Open postings of the same occupation, else of its group, nearest to this one first."""
        card = self.card(posting_id)
        if card is None or card.occupation_code is None or card.lon is None or card.lat is None:
            return []
        board = self._board
        metres = board.metres(Place(lon=card.lon, lat=card.lat), floor_km=0)
        group = card.occupation_code.rpartition("-")[0]
        near = np.flatnonzero(
            np.char.startswith(board.occupations, group) & board.is_in_city & (board.ids != posting_id)
        )
        order = near[np.lexsort((board.ids[near], metres[near], board.occupations[near] != card.occupation_code))]
        others = (board.cards[int(board.ids[place])] for place in order)
        return list(islice((other for other in others if not other.is_historical), k))

    def understand(self, words: str) -> ResolvedWords:
        if words in self._occupations:
            return ResolvedWords(text=words, occupation=words, name=self._occupations[words].name, confidence=1.0)
        found = self.resolve(words, k=1)
        if found and found[0].confidence >= LEAST_CONFIDENCE:
            return found[0]
        return ResolvedWords(text=words, occupation=None, name="", confidence=0.0)

    def seeker(self, profile: Profile, resolved: Sequence[ResolvedWords], *, today: date) -> tuple[Seeker, str | None]:
        if profile.birth_on is None and profile.age is None:
            raise Invalid("请告诉我们年龄", fields=(FieldFault("age", "missing", "请填写年龄"),))
        birth = profile.birth_on or _years_before(today, profile.age or 0)
        places = [self._place(profile.home)]
        if profile.current is not None:
            places.append(self._place(profile.current))
        own_words = [words.text for words in resolved if words.text not in self._occupations]
        seeker = Seeker(
            id=0,
            birth_date=birth,
            places=tuple(places),
            wants=tuple(dict.fromkeys(words.occupation for words in resolved if words.occupation is not None)),
            sex=profile.sex,
            skills_text=" ".join((profile.skills_text, *own_words)).strip(),
            certificates=certificates_covered(profile.certificates),
            pay_min_yuan_month=profile.pay_min_yuan_month,
            kinds=profile.kinds,
            max_km=profile.max_km,
            available_on=profile.available_on,
            limits=profile.limits,
            home_by=profile.home_by,
            priority=profile.priority,
            education=profile.education,
            experience_years=profile.experience_years,
        )
        return seeker, self._home_code(profile.home)

    def _place(self, where: str | tuple[float, float]) -> Place:
        if isinstance(where, tuple):
            return Place(lon=where[0], lat=where[1], township=self._home_code(where), precision="point")
        fact = self.areas.place(where)
        lon, lat = fact.located()
        return Place(
            lon=lon,
            lat=lat,
            township=fact.code if fact.level is AreaLevel.TOWNSHIP else None,
            precision="district" if fact.level is not AreaLevel.TOWNSHIP else fact.precision,
        )

    def _home_code(self, where: str | tuple[float, float]) -> str | None:
        if isinstance(where, tuple):
            township = self.areas.nearest_township(*where)
            return township.code if township else None
        fact = self.areas.find(where)
        return fact.code if fact else None

    def _nearness(self, home_code: str | None, card: PostingCard) -> Nearness:
        return self.areas.nearness(home_code, card.area_code, work_precision=card.precision)

    def _ranked(self, match: Match, card: PostingCard, *, rank: int, home_code: str | None) -> RankedPosting:
        cautions = [Note(code=caution.code, text=caution.text) for caution in match.cautions]
        if card.is_historical:
            cautions.insert(0, Note(code="historical", text=f"历史样例（{card.observed}），只供参考，不能报名"))
        return RankedPosting(
            rank=rank,
            score=match.score,
            distance_km=match.distance_km,
            nearness=self._nearness(home_code, card),
            card=card,
            parts=match.parts,
            reasons=tuple(Note(code=reason.code, text=reason.text) for reason in match.reasons),
            cautions=tuple(cautions),
        )


def _notes_for(seeker: Seeker, today: date) -> tuple[Note, ...]:
    """What the law says to a person who is too young for any work."""
    if may_work(seeker.birth_date, today):
        return ()
    words = f"未满{WORKING_AGE}周岁，法律不许招用（劳动法第十五条）。有困难可以打 12355 青少年服务热线或 12333。"
    return (Note(code="under_working_age", text=words),)


ANY_WORK = Note(code="any_work", text="没有对口的活，先看看附近别的")


@dataclass(frozen=True, slots=True)
class _Step:
    seeker: Seeker
    skill_min: float
    note: Note


def _steps(seeker: Seeker, skill_min: float, filters: Filters) -> Iterator[_Step]:
    """The stated order of widening, but for what is insisted on; each step keeps what the steps before it opened."""
    wider = seeker
    if not filters.distance:
        for times in (1.5, 2.5):
            wider = replace(wider, max_km=seeker.max_km * times)
            told = f"附近不多，放宽到{wider.max_km:.0f}公里"
            yield _Step(wider, skill_min, Note(code=f"max_km_x{times:g}", text=told))
        wider = replace(wider, max_km=max(WHOLE_CITY_KM, wider.max_km))
        yield _Step(wider, skill_min, Note(code="city", text="附近不多，放宽到全市"))
    if seeker.kinds and not filters.kinds:
        wider = replace(wider, kinds=frozenset())
        yield _Step(wider, skill_min, Note(code="kinds", text="也看了别的用工方式（全职、零工等）"))
    if skill_min > SKILL_FITTING:
        yield _Step(wider, SKILL_FITTING, Note(code="occupation_group", text="也看了相近的工种"))


def _opening(card: PostingCard) -> Opening | None:
    """The card as the library takes it; None where the place is unknown or outside Chongqing."""
    if card.lon is None or card.lat is None or not _is_in_city(card):
        return None
    return Opening(
        id=card.id,
        title=card.title,
        place=Place(
            lon=card.lon,
            lat=card.lat,
            township=card.area_code if len(card.area_code or "") == TOWNSHIP_CODE_LENGTH else None,
            precision=card.precision,
        ),
        occupation=card.occupation_code,
        kind=card.kind,
        pay_min_yuan_month=card.pay_min_yuan_month,
        pay_max_yuan_month=card.pay_max_yuan_month,
        openings=card.openings,
        sent=card.sent,
        starts_on=card.starts_on,
        valid_until=card.valid_until,
        physical_level=card.physical_level,
        demands=frozenset(card.demands),
        age_min=card.age_min,
        age_max=card.age_max,
        age_reason=card.age_reason,
        sex_required=card.sex_required,
        certificates=frozenset(card.certificates) - OBTAINED_ON_HIRING,
        education=card.education,
        experience_years_min=card.experience_years_min,
        programme=card.programme,
        employer=card.employer_name,
        reply_rate=card.employer_reply_rate,
        verified=card.is_verified,
        meals=card.meals,
        lodging=card.lodging,
        insurance=card.insurance,
        ends_at_hour=card.ends_at_hour,
    )


def _going_rates(cards: Collection[PostingCard]) -> dict[str, float]:
    """Median pay in yuan a month of each occupation with enough full-time postings to tell.

    Listings of the past tell what was paid then, and are left out. Generated postings speak only where real ones are
    too few, so that the two are never mixed.
    """
    real: dict[str, list[float]] = {}
    generated: dict[str, list[float]] = {}
    for card in cards:
        known = [figure for figure in (card.pay_min_yuan_month, card.pay_max_yuan_month) if figure is not None]
        if card.occupation_code and known and card.kind is PostingKind.FULL_TIME and not card.is_historical:
            told = generated if card.origin is PostingOrigin.GENERATED else real
            told.setdefault(card.occupation_code, []).append(sum(known) / len(known))
    return {
        code: median(figures)
        for told in (generated, real)
        for code, figures in told.items()
        if len(figures) >= ENOUGH_TO_TELL_PAY
    }


def _resolver(session: Session, occupations: Mapping[str, occupations_store.Occupation]) -> OccupationResolver:
    return OccupationResolver.from_tables(
        {code: row.name for code, row in occupations.items()},
        [(text, code) for text, code in occupations_store.list_aliases(session)],
    )


def title_resolver(session: Session) -> Callable[[Sequence[str]], list[ResolvedWords | None]]:
    """A function that reads titles of postings as occupations, None where nothing is alike; for imports."""
    resolver = _resolver(session, {row.code: row for row in occupations_store.list_occupations(session)})

    def resolve(titles: Sequence[str]) -> list[ResolvedWords | None]:
        return [
            ResolvedWords(text=title, occupation=best[0].code, name=best[0].name, confidence=best[0].confidence)
            if best
            else None
            for title, best in zip(titles, resolver.resolve_many(titles, 1), strict=True)
        ]

    return resolve


def _is_in_city(card: PostingCard) -> bool:
    return (card.area_code or "").startswith(CHONGQING[:2])


def _plain(words: str) -> str:
    return unicodedata.normalize("NFKC", words).strip().lower()


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)
