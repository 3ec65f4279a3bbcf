"""The values that go in and come out: people, postings, places, matches and refusals.

Unknown is None or empty and never bars anybody, with one exception: a certificate in `Opening.certificates` is one
that the law demands, and bars whoever does not hold it.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType


class Precision(StrEnum):
    """How exactly a place is known."""

    POINT = "point"
    TOWNSHIP = "township"
    DISTRICT = "district"


class Kind(StrEnum):
    """Kind of work."""

    FULL_TIME = "full_time"
    PART_TIME = "part_time"
    DAY_LABOUR = "day_labour"
    SEASONAL = "seasonal"
    WORK_RELIEF = "work_relief"
    WORKSHOP = "workshop"
    PUBLIC_WELFARE = "public_welfare"


class Demand(StrEnum):
    """What the work asks of a body."""

    HEIGHTS = "heights"
    HEAVY_LIFTING = "heavy_lifting"
    NIGHTS = "nights"
    HEAT = "heat"
    LONG_STANDING = "long_standing"
    EYESIGHT = "eyesight"
    HEARING = "hearing"
    DUST = "dust"
    CHEMICALS = "chemicals"
    COLD_WATER = "cold_water"
    UNDERGROUND = "underground"


class Limit(StrEnum):
    """What a person has said they cannot do; each bars the demand of its name."""

    NO_HEIGHTS = "no_heights"
    NO_HEAVY_LIFTING = "no_heavy_lifting"
    NO_NIGHTS = "no_nights"
    NO_HEAT = "no_heat"
    NO_LONG_STANDING = "no_long_standing"
    POOR_EYESIGHT = "poor_eyesight"
    POOR_HEARING = "poor_hearing"
    NO_DUST = "no_dust"
    NO_CHEMICALS = "no_chemicals"
    NO_COLD_WATER = "no_cold_water"


class Priority(StrEnum):
    """Class in which a person stands where places are scarce."""

    POVERTY_ALLEVIATED = "poverty_alleviated"
    HARD_TO_EMPLOY = "hard_to_employ"
    NONE = "none"


class AgeReason(StrEnum):
    """A lawful reason for a limit of age."""

    STATUTORY_HAZARD = "statutory_hazard"
    LICENCE_AGE = "licence_age"


class SexRequired(StrEnum):
    """The sex that a statute leaves for the work, where it bars the other."""

    MALE = "male"
    FEMALE = "female"


class Education(StrEnum):
    """Schooling, lowest first."""

    NONE = "none"
    PRIMARY = "primary"
    JUNIOR = "junior"
    SENIOR = "senior"
    VOCATIONAL = "vocational"
    COLLEGE = "college"
    BACHELOR = "bachelor"


EDUCATION_RANK: Mapping[str, int] = MappingProxyType(
    # Senior school and vocational school are two ways of the same length (twelve years).
    {"none": 0, "primary": 1, "junior": 2, "senior": 3, "vocational": 3, "college": 4, "bachelor": 5}
)

DEMAND_BARRED_BY: Mapping[str, str] = MappingProxyType(
    {
        "no_heights": "heights",
        "no_heavy_lifting": "heavy_lifting",
        "no_nights": "nights",
        "no_heat": "heat",
        "no_long_standing": "long_standing",
        "poor_eyesight": "eyesight",
        "poor_hearing": "hearing",
        "no_dust": "dust",
        "no_chemicals": "chemicals",
        "no_cold_water": "cold_water",
    }
)
"""Which demand each declared limit bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A WGS-84 point in degrees; `township` is any code by which two places can be told to be in the same one.

    A place whose precision is "district" counts as at least five kilometres away.
    """

    lon: float
    lat: float
    township: str | None = None
    precision: str = "point"

    def __post_init__(self) -> None:
        if not (-180 <= self.lon <= 180 and -90 <= self.lat <= 90):
            raise ValueError(f"not a place in degrees: {self.lon}, {self.lat}")
        object.__setattr__(self, "precision", Precision(self.precision))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeker:
    """Somebody who looks for work.

    `places`: home first, then where they are now. `wants`: occupation codes, best first; empty: open to anything.
    `kinds`: empty means any. `max_km`: great-circle. `home_by`: hour of the day (0-24) by which they must be home.
    Raises ValueError for values outside the closed lists, no place, or a reach below zero.
    """

    id: int
    birth_date: date
    places: tuple[Place, ...]
    wants: tuple[str, ...] = ()
    sex: str | None = None
    skills_text: str = ""
    certificates: AbstractSet[str] = frozenset()
    pay_min_yuan_month: float | None = None
    kinds: AbstractSet[str] = frozenset()
    max_km: float = 30.0
    available_on: date | None = None
    limits: AbstractSet[str] = frozenset()
    home_by: float | None = None
    priority: str = "none"
    education: str | None = None
    experience_years: float | None = None

    def __post_init__(self) -> None:
        if not self.places:
            raise ValueError("a seeker needs at least one place")
        if not self.max_km >= 0:
            raise ValueError("max_km must not be negative")
        put = object.__setattr__
        put(self, "places", tuple(self.places))
        put(self, "wants", tuple(self.wants))
        put(self, "sex", None if self.sex is None else SexRequired(self.sex))
        put(self, "certificates", frozenset(self.certificates))
        put(self, "kinds", frozenset(Kind(kind) for kind in self.kinds))
        put(self, "limits", frozenset(Limit(limit) for limit in self.limits))
        put(self, "priority", Priority(self.priority))
        put(self, "education", None if self.education is None else Education(self.education))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A posting with places left.

    `openings` is the number of places left, `sent` how many people it has been sent to. Pay in yuan a month.
    `physical_level` 1-4 is I-IV of GB/T 3869-1997. `ends_at_hour`: hour of the day (0-24) at which the work ends.
    `age_min`/`age_max` apply only with an `age_reason`. `programme`: a policy clause's number.
    Raises ValueError for values outside the closed lists, a rate outside 0-1, or negative pay.
    """

    id: int
    title: str
    place: Place
    occupation: str | None = None
    kind: str = "full_time"
    pay_min_yuan_month: float | None = None
    pay_max_yuan_month: float | None = None
    openings: int = 1
    sent: int = 0
    starts_on: date | None = None
    valid_until: date | None = None
    physical_level: int | None = None
    demands: AbstractSet[str] = frozenset()
    age_min: int | None = None
    age_max: int | None = None
    age_reason: str | None = None
    sex_required: str | None = None
    certificates: AbstractSet[str] = frozenset()
    education: str | None = None
    experience_years_min: float | None = None
    programme: str | None = None
    employer: str = ""
    reply_rate: float | None = None
    verified: bool = False
    meals: bool | None = None
    lodging: bool | None = None
    insurance: bool | None = None
    ends_at_hour: float | None = None

    def __post_init__(self) -> None:
        if self.physical_level not in (None, 1, 2, 3, 4):
            raise ValueError(f"physical_level must be 1-4: {self.physical_level}")
        if self.reply_rate is not None and not 0 <= self.reply_rate <= 1:
            raise ValueError(f"reply_rate must lie in 0-1: {self.reply_rate}")
        if any(pay is not None and pay < 0 for pay in (self.pay_min_yuan_month, self.pay_max_yuan_month)):
            raise ValueError(f"pay must not be negative: {self.pay_min_yuan_month}, {self.pay_max_yuan_month}")
        put = object.__setattr__
        put(self, "kind", Kind(self.kind))
        put(self, "demands", frozenset(Demand(demand) for demand in self.demands))
        put(self, "age_reason", None if self.age_reason is None else AgeReason(self.age_reason))
        put(self, "sex_required", None if self.sex_required is None else SexRequired(self.sex_required))
        put(self, "certificates", frozenset(self.certificates))
        put(self, "education", None if self.education is None else Education(self.education))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a stable code and in plain Chinese."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A posting that a person can take: `parts` are the named parts of the score, each in 0-1; at least one reason."""

    opening_id: int
    score: float
    distance_km: float
    parts: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    cautions: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """What one certificate more, or one step farther, would bring: a posting at `rank` (1 the first) of the list.

    `code` is "certificate" or "distance"; one of `certificate` and `max_km` is given.
    """

    code: str
    text: str
    rank: int
    opening_id: int
    certificate: str | None = None
    max_km: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A posting that a person is kept from: the rule's stable code and why in plain Chinese."""

    opening_id: int
    rule: str
    text: str
