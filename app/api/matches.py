"""Matches: an anonymous profile in, ranked postings with their reasons out. Nothing is stored, nothing is logged.

The route is `async` and answers from memory: a hop to a thread would cost more than the ranking. It must never touch
the database.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from starlette.responses import Response

from app.api.answers import private_answer
from app.api.bodies import StrictBody, body_of, documents
from app.api.cards import CurrentFragments, Fragments, PostingOut
from app.api.houses import CurrentHouse
from app.api.occupations import ResolvedOut, resolved_out
from app.api.parameters import AreaCode, Day, Readable
from app.api.postings import distance_out
from app.api.problems import BadJson, BodyTooLarge, MediaTypeUnsupported, declares, refusal
from app.domain.areas import Nearness
from app.domain.permissions import Action, permits
from app.domain.postings import PostingKind
from app.domain.workers import Education, Limit, Sex
from app.kit.errors import Invalid
from app.usecases.areas import AreaSplit, AreaUnknown
from app.usecases.matchmaking import MatchAnswer, Note, Profile, RankedPosting
from app.wiring import NotReady

router = APIRouter(prefix="/api/v1", tags=["matches"])

_LONGEST_LIST = 50

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), Readable]


_EXAMPLE: dict[str, JsonValue] = {
    "age": 58,
    "sex": "female",
    "home": {"township": "500237102"},
    "wants": ["保洁", "看大门"],
    "pay_min_yuan_month": 2500,
    "max_km": 20,
    "kinds": ["full_time", "part_time"],
    "limits": ["no_heights", "no_heavy_lifting"],
    "available_on": "2026-12-01",
    "k": 10,
}


# A set in Python is told as a list whose items differ; what stands twice is taken once.
_TWICE_IS_ONCE: dict[str, JsonValue] = {"uniqueItems": False}


class Home(StrictBody):
    """Where the person lives: the code of a township or district, or a point in degrees WGS-84."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["township"],
                    "properties": {"township": {"type": "string"}, "lon": {"type": "null"}, "lat": {"type": "null"}},
                },
                {
                    "required": ["lon", "lat"],
                    "properties": {"township": {"type": "null"}, "lon": {"type": "number"}, "lat": {"type": "number"}},
                },
            ]
        }
    )

    township: AreaCode | None = None
    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)

    @model_validator(mode="after")
    def _is_one_place(self) -> "Home":
        by_point = (self.lon is not None) + (self.lat is not None)
        if (self.township is not None and by_point) or (self.township is None and by_point != 2):
            raise refusal("one_place", '填 {"township": 代码}，或者 {"lon": 经度, "lat": 纬度}')
        return self

    def place(self) -> str | tuple[float, float]:
        """The area's code or (lon, lat)."""
        if self.township is not None:
            return self.township
        assert self.lon is not None and self.lat is not None  # noqa: S101, PT018  checked above
        return self.lon, self.lat


class MatchProfile(StrictBody):
    """What somebody says who looks for work. `home`, `age` and one of `wants` are enough."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    age: int = Field(ge=14, le=100, description="whole years; below 16 nothing is offered")
    home: Home
    wants: list[_Words] = Field(min_length=1, max_length=10, description="words or occupation codes, best first")
    sex: Sex | None = None
    current: AreaCode | None = Field(default=None, description="where the person works now")
    skills: Annotated[str, Field(max_length=200), Readable] = Field(
        default="", description="what the person can do, in their own words"
    )
    certificates: frozenset[_Words] = Field(default=frozenset(), max_length=20, json_schema_extra=_TWICE_IS_ONCE)
    education: Education | None = None
    experience_years: int | None = Field(default=None, ge=0, le=80)
    pay_min_yuan_month: int | None = Field(default=None, ge=0, le=200_000)
    max_km: float = Field(default=30.0, gt=0, le=2_000)
    kinds: frozenset[PostingKind] = Field(default=frozenset(), json_schema_extra=_TWICE_IS_ONCE)
    limits: frozenset[Limit] = Field(default=frozenset(), json_schema_extra=_TWICE_IS_ONCE)
    home_by: int | None = Field(default=None, ge=0, le=24, description="hour by which the person must be home")
    available_on: Day | None = None
    k: int = Field(default=10, ge=1, le=_LONGEST_LIST, description="how long the list may be")

    def to_profile(self) -> Profile:
        """The same for the matchmaker."""
        return Profile(
            home=self.home.place(),
            wants=tuple(self.wants),
            age=self.age,
            sex=self.sex,
            current=self.current,
            skills_text=self.skills,
            certificates=self.certificates,
            education=self.education,
            experience_years=self.experience_years,
            pay_min_yuan_month=self.pay_min_yuan_month,
            max_km=self.max_km,
            kinds=self.kinds,
            limits=self.limits,
            home_by=self.home_by,
            available_on=self.available_on,
        )


class NoteOut(BaseModel):
    """A stable code and plain Chinese words."""

    code: str
    text: str


class MatchOut(BaseModel):
    """A posting in the list, with why it stands there."""

    rank: int
    score: float = Field(ge=0, le=1)
    distance_km: float | None
    nearness: Nearness
    posting: PostingOut
    parts: dict[str, float]
    reasons: list[NoteOut]
    cautions: list[NoteOut]


class LackingOut(BaseModel):
    """A certificate and how many postings it alone would open within so many kilometres."""

    certificate: str
    postings: int
    within_km: float


class MatchAnswerOut(BaseModel):
    """Matches fall by score. `refused` counts postings near the person by the rule that keeps them off the list."""

    resolved: list[ResolvedOut]
    matches: list[MatchOut]
    widened: list[NoteOut] = Field(description="how far the search had to reach, in order")
    refused: dict[str, int]
    lacking: list[LackingOut] = Field(description="certificates that alone keep the person from postings they want")
    notes: list[NoteOut] = Field(description="what the person should know about the list as a whole")


@router.post(
    "/match",
    response_model=MatchAnswerOut,
    responses=declares(Invalid, AreaUnknown, AreaSplit, BadJson, BodyTooLarge, MediaTypeUnsupported, NotReady),
    openapi_extra=documents(MatchProfile),
    summary="Rank postings for an anonymous profile",
)
@permits(Action.MATCH)
async def match(
    house: CurrentHouse, fragments: CurrentFragments, body: Annotated[MatchProfile, Depends(body_of(MatchProfile))]
) -> Response:
    """Postings that fit, best first, each with its reasons; and what was refused by which rule."""
    answer = house.ready_matchmaker().match(body.to_profile(), k=body.k, today=house.clock.today())
    return private_answer(answer_out(answer, fragments))


def answer_out(answer: MatchAnswer, fragments: Fragments) -> dict[str, Any]:
    """The answer as `MatchAnswerOut`."""
    return {
        "resolved": [resolved_out(words) for words in answer.resolved],
        "matches": [_match_out(ranked, fragments) for ranked in answer.matches],
        "widened": [_note_out(note) for note in answer.widened],
        "refused": dict(answer.refused),
        "lacking": [
            {"certificate": each.name, "postings": each.postings, "within_km": each.within_km}
            for each in answer.lacking
        ],
        "notes": [_note_out(note) for note in answer.notes],
    }


def _match_out(ranked: RankedPosting, fragments: Fragments) -> dict[str, Any]:
    return {
        "rank": ranked.rank,
        "score": round(ranked.score, 4),
        "distance_km": distance_out(ranked.distance_km),
        "nearness": ranked.nearness,
        "posting": fragments.of(ranked.card),
        "parts": {name: round(part, 4) for name, part in ranked.parts.items()},
        "reasons": [_note_out(note) for note in ranked.reasons],
        "cautions": [_note_out(note) for note in ranked.cautions],
    }


def _note_out(note: Note) -> dict[str, str]:
    return {"code": note.code, "text": note.text}
