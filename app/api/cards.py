"""A posting as JSON: short for lists and the feed, whole for one posting; short ones are kept as bytes once written.

A card is a value that never changes: when a posting changes, the matchmaker holds another card. So a fragment belongs
to a card object, not to a posting's id.
"""

from datetime import date
from decimal import Decimal
from threading import Lock
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, Field

from app.api.answers import told_at
from app.domain.areas import Precision
from app.domain.occupations import Lane
from app.domain.pay import PayUnit
from app.domain.postings import AgeReason, Demand, Lack, PostingKind, PostingOrigin, PostingState
from app.domain.workers import Education, Sex
from app.usecases.postings import PostingCard


class PayOut(BaseModel):
    """Pay in yuan: `low` to `high` for one `unit`, and what that comes to in a month of full-time work."""

    text: str = Field(description="as people read it, such as 3000-4000元/月")
    unit: PayUnit | None
    low: float | None
    high: float | None
    min_yuan_month: int | None
    max_yuan_month: int | None


class PlaceOut(BaseModel):
    """Where the work is, in degrees WGS-84; `precision` tells the spot from its township's or district's centre."""

    lon: float | None
    lat: float | None
    precision: Precision
    area_code: str | None
    area_name: str
    address: str


class OccupationOut(BaseModel):
    """An occupation of the 2022 classification."""

    code: str
    name: str


class EmployerOut(BaseModel):
    """Who offers the work; `verified_on` is the day on which an office last checked them."""

    name: str
    verified_on: date | None
    reply_rate: float | None


class PostingOut(BaseModel):
    """A posting in a list. `historical` marks a real listing of the past: shown as a sample, nobody hires on it."""

    id: int
    title: str
    state: PostingState
    historical: bool
    observed: str | None = Field(description="for a historical one the month in which it was seen, YYYY-MM")
    origin: PostingOrigin
    kind: PostingKind
    occupation: OccupationOut | None
    employer: EmployerOut
    pay: PayOut
    place: PlaceOut
    openings: int
    hours: str
    starts_on: date | None
    valid_until: date | None
    physical_level: int | None = Field(description="I-IV of GB/T 3869 as 1-4")
    demands: list[Demand]
    meals: bool | None
    lodging: bool | None
    insurance: bool | None
    suits_older: bool
    lanes: list[Lane]
    posted_at: str
    changed_at: str


class AgeOut(BaseModel):
    """A limit of age: applied only with a lawful `reason`; without one `words` are shown and nobody is kept away."""

    min: int | None
    max: int | None
    reason: AgeReason | None
    words: str


class WholePostingOut(PostingOut):
    """One posting with all that is known of it. `lacks` names what job information must hold and this does not."""

    duties: str
    conditions: str
    paid_by: str
    paid_when: str
    ends_at_hour: int | None = Field(
        description="hour by which a day of work is over, half hours rounded up; 24: at midnight or later"
    )
    certificates: list[str]
    age: AgeOut
    sex_required: Sex | None
    education: Education | None
    experience_years_min: int | None
    programme: str | None
    phone: str
    lacks: list[Lack]


def posting_out(card: PostingCard) -> dict[str, Any]:
    """A card as `PostingOut`. Without the phone: a list is no telephone book."""
    pay = card.pay
    return {
        "id": card.id,
        "title": card.title,
        "state": card.state,
        "historical": card.is_historical,
        "observed": card.observed or None,
        "origin": card.origin,
        "kind": card.kind,
        "occupation": (
            {"code": card.occupation_code, "name": card.occupation_name} if card.occupation_code is not None else None
        ),
        "employer": {
            "name": card.employer_name,
            "verified_on": card.employer_verified_on,
            "reply_rate": card.employer_reply_rate,
        },
        "pay": {
            "text": card.pay_text,
            "unit": pay.unit if pay else None,
            "low": _number(pay.low) if pay else None,
            "high": _number(pay.high) if pay else None,
            "min_yuan_month": card.pay_min_yuan_month,
            "max_yuan_month": card.pay_max_yuan_month,
        },
        "place": {
            "lon": _degrees(card.lon),
            "lat": _degrees(card.lat),
            "precision": card.precision,
            "area_code": card.area_code,
            "area_name": card.area_name,
            "address": card.workplace,
        },
        "openings": card.openings,
        "hours": card.hours,
        "starts_on": card.starts_on,
        "valid_until": card.valid_until,
        "physical_level": card.physical_level,
        "demands": list(card.demands),
        "meals": card.meals,
        "lodging": card.lodging,
        "insurance": card.insurance,
        "suits_older": card.suits_older,
        "lanes": list(card.lanes),
        "posted_at": told_at(card.posted_at),
        "changed_at": told_at(card.changed_at),
    }


def whole_posting_out(card: PostingCard) -> dict[str, Any]:
    """A card as `WholePostingOut`."""
    return {
        **posting_out(card),
        "duties": card.duties,
        "conditions": card.conditions,
        "paid_by": card.paid_by,
        "paid_when": card.paid_when,
        "ends_at_hour": card.ends_at_hour,
        "certificates": list(card.certificates),
        "age": {"min": card.age_min, "max": card.age_max, "reason": card.age_reason, "words": card.age_words},
        "sex_required": card.sex_required,
        "education": card.education,
        "experience_years_min": card.experience_years_min,
        "programme": card.programme,
        "phone": card.phone,
        "lacks": list(card.lacks),
    }


def _degrees(coordinate: float | None) -> float | None:
    # A millionth of a degree is a tenth of a metre.
    return None if coordinate is None else round(coordinate, 6)


def _number(figure: Decimal | None) -> int | float | None:
    if figure is None:
        return None
    return int(figure) if figure == figure.to_integral_value() else float(figure)


class Fragments:
    """The JSON of cards as bytes, written once: building twenty dicts costs more than ranking a million postings.

    Bounded: at about 1 kB a card, `most` of them are some 30 MB.
    """

    def __init__(self, *, most: int = 30_000) -> None:
        self._most = most
        self._kept: dict[int, tuple[PostingCard, orjson.Fragment]] = {}
        self._lock = Lock()

    def of(self, card: PostingCard) -> orjson.Fragment:
        """The card's JSON, to be put into a document."""
        kept = self._kept.get(card.id)
        if kept is not None and kept[0] is card:
            return kept[1]
        fragment = orjson.Fragment(orjson.dumps(posting_out(card)))
        with self._lock:
            if len(self._kept) >= self._most:
                self._kept.clear()
            self._kept[card.id] = (card, fragment)
        return fragment


async def fragments_of(request: Request) -> Fragments:
    """The fragments of this application."""
    fragments: Fragments = request.app.state.fragments
    return fragments


CurrentFragments = Annotated[Fragments, Depends(fragments_of)]
