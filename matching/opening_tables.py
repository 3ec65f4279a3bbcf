"""Openings as columns: a million of them without a million objects."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.search import UNKNOWN_DAY
from matching.values import AgeReason, Demand, Education, Kind, Opening, Precision, SexRequired

KINDS = tuple(Kind)
AGE_REASONS = tuple(AgeReason)
SEXES = tuple(SexRequired)
PRECISIONS = tuple(Precision)
EDUCATIONS = tuple(Education)
DEMAND_BIT: Mapping[str, int] = {demand: 1 << place for place, demand in enumerate(Demand)}
NO_END = np.iinfo(np.int32).max

T = TypeVar("T", bound=Hashable)

_UNKNOWN: Any = None  # a column that was left out; `OpeningTable` puts the whole column in its place


@dataclass(frozen=True, slots=True)
class Shared(Generic[T]):
    """A column of which many rows hold the same: each distinct value once, and (n,) int32 positions among them."""

    positions: NDArray[np.int32]
    values: tuple[T, ...]

    @classmethod
    def of(cls, column: Iterable[T]) -> "Shared[T]":
        """From a value for each row."""
        known: defaultdict[T, int] = defaultdict(count().__next__)
        positions = np.fromiter(map(known.__getitem__, column), np.int32)
        return cls(positions, tuple(known))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpeningTable:
    """n openings as columns of shape (n,), in the units and with the meaning of `Opening`'s fields.

    Unknown is NaN in columns of numbers, -1 in columns of positions and of yes (1) or no (0), and "" in texts. Days are
    proleptic ordinals (`date.toordinal`), `UNKNOWN_DAY` and for `valid_until` `NO_END` where there is none. Positions
    are those of the closed lists: `kind`, `precision`, `age_reason`, `sex_required`, `education`; `demands` is a set of
    bits in the order of `Demand`. A column that is left out is unknown in every row.

    Raises ValueError when columns differ in length, an id stands twice, a place is not on the globe, a position is
    outside its list, a rate is outside 0-1, or pay is negative.
    """

    ids: NDArray[np.int64]
    titles: Shared[str]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    precision: NDArray[np.int8] = _UNKNOWN
    townships: Shared[str] = _UNKNOWN
    occupations: Shared[str] = _UNKNOWN
    kind: NDArray[np.int8] = _UNKNOWN
    pay_min_yuan_month: NDArray[np.float64] = _UNKNOWN
    pay_max_yuan_month: NDArray[np.float64] = _UNKNOWN
    openings: NDArray[np.int32] = _UNKNOWN
    sent: NDArray[np.int32] = _UNKNOWN
    starts_on: NDArray[np.int32] = _UNKNOWN
    valid_until: NDArray[np.int32] = _UNKNOWN
    physical_level: NDArray[np.int8] = _UNKNOWN
    demands: NDArray[np.uint16] = _UNKNOWN
    age_min: NDArray[np.int16] = _UNKNOWN
    age_max: NDArray[np.int16] = _UNKNOWN
    age_reason: NDArray[np.int8] = _UNKNOWN
    sex_required: NDArray[np.int8] = _UNKNOWN
    certificates: Shared[frozenset[str]] = _UNKNOWN
    education: NDArray[np.int8] = _UNKNOWN
    experience_years_min: NDArray[np.float64] = _UNKNOWN
    programmes: Shared[str] = _UNKNOWN
    employers: Shared[str] = _UNKNOWN
    reply_rate: NDArray[np.float64] = _UNKNOWN
    verified: NDArray[np.int8] = _UNKNOWN
    meals: NDArray[np.int8] = _UNKNOWN
    lodging: NDArray[np.int8] = _UNKNOWN
    insurance: NDArray[np.int8] = _UNKNOWN
    ends_at_hour: NDArray[np.float64] = _UNKNOWN

    def __post_init__(self) -> None:
        ids = np.ascontiguousarray(self.ids, np.int64)
        for name, dtype, unknown in _COLUMNS:
            given = getattr(self, name)
            column = np.full(len(ids), unknown, dtype) if given is None else np.ascontiguousarray(given, dtype)
            object.__setattr__(self, name, column)
        for name, nothing in _SHARED:
            if getattr(self, name) is None:
                object.__setattr__(self, name, Shared(np.zeros(len(ids), np.int32), (nothing,)))
        object.__setattr__(self, "ids", ids)
        for each in fields(self):
            column = getattr(self, each.name)
            if len(column.positions if isinstance(column, Shared) else column) != len(ids):
                raise ValueError(f"{each.name} has another length than ids")
        self._check()

    def _check(self) -> None:
        rising = np.sort(self.ids)
        if np.any(rising[1:] == rising[:-1]):
            raise ValueError("two openings bear one id")
        if not (np.all(np.abs(self.lon) <= 180) and np.all(np.abs(self.lat) <= 90)):
            raise ValueError("not a place in degrees")
        for name, length, least in _CLOSED:
            column = getattr(self, name)
            if len(column) and not (column.min() >= least and column.max() < length):
                raise ValueError(f"{name} holds a value outside the closed list")
        for name in ("pay_min_yuan_month", "pay_max_yuan_month"):
            if np.any(getattr(self, name) < 0):
                raise ValueError(f"{name} must not be negative")
        if np.any(self.reply_rate < 0) or np.any(self.reply_rate > 1):
            raise ValueError("reply_rate must lie in 0-1")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, openings: Iterable[Opening]) -> "OpeningTable":
        """From one object each.

        Raises ValueError when two openings bear one id.
        """
        rows: Sequence[Opening] = tuple(openings)
        places = [row.place for row in rows]
        demands = {each: sum(DEMAND_BIT[demand] for demand in each) for each in {row.demands for row in rows}}
        return cls(
            ids=np.array([row.id for row in rows], np.int64),
            titles=Shared.of([row.title for row in rows]),
            lon=np.array([place.lon for place in places], np.float64),
            lat=np.array([place.lat for place in places], np.float64),
            precision=_positions([place.precision for place in places], PRECISIONS),
            townships=Shared.of([place.township or "" for place in places]),
            occupations=Shared.of([row.occupation or "" for row in rows]),
            kind=_positions([row.kind for row in rows], KINDS),
            pay_min_yuan_month=_numbers([row.pay_min_yuan_month for row in rows]),
            pay_max_yuan_month=_numbers([row.pay_max_yuan_month for row in rows]),
            openings=np.array([row.openings for row in rows], np.int32),
            sent=np.array([row.sent for row in rows], np.int32),
            starts_on=np.array([UNKNOWN_DAY if row.starts_on is None else row.starts_on.toordinal() for row in rows]),
            valid_until=np.array([NO_END if row.valid_until is None else row.valid_until.toordinal() for row in rows]),
            physical_level=_known([row.physical_level for row in rows], np.int8),
            demands=np.array([demands[row.demands] for row in rows], np.uint16),
            age_min=_known([row.age_min for row in rows], np.int16),
            age_max=_known([row.age_max for row in rows], np.int16),
            age_reason=_positions([row.age_reason for row in rows], AGE_REASONS),
            sex_required=_positions([row.sex_required for row in rows], SEXES),
            certificates=Shared.of([frozenset(row.certificates) for row in rows]),
            education=_positions([row.education for row in rows], EDUCATIONS),
            experience_years_min=_numbers([row.experience_years_min for row in rows]),
            programmes=Shared.of([row.programme or "" for row in rows]),
            employers=Shared.of([row.employer for row in rows]),
            reply_rate=_numbers([row.reply_rate for row in rows]),
            verified=_known([row.verified for row in rows], np.int8),
            meals=_known([row.meals for row in rows], np.int8),
            lodging=_known([row.lodging for row in rows], np.int8),
            insurance=_known([row.insurance for row in rows], np.int8),
            ends_at_hour=_numbers([row.ends_at_hour for row in rows]),
        )


def _numbers(column: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(column, np.float64)  # NumPy takes None for NaN


def _known(column: Sequence[int | None], dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
    return np.array([-1 if value is None else value for value in column], dtype)


def _positions(column: Sequence[str | None], closed: Sequence[str]) -> NDArray[np.int8]:
    place: dict[str | None, int] = {value: at for at, value in enumerate(closed)} | {None: -1}
    return np.fromiter(map(place.__getitem__, column), np.int8, len(column))


_COLUMNS: tuple[tuple[str, Any, ArrayLike], ...] = (
    ("lon", np.float64, np.nan),
    ("lat", np.float64, np.nan),
    ("precision", np.int8, 0),
    ("kind", np.int8, 0),
    ("pay_min_yuan_month", np.float64, np.nan),
    ("pay_max_yuan_month", np.float64, np.nan),
    ("openings", np.int32, 1),
    ("sent", np.int32, 0),
    ("starts_on", np.int32, UNKNOWN_DAY),
    ("valid_until", np.int32, NO_END),
    ("physical_level", np.int8, -1),
    ("demands", np.uint16, 0),
    ("age_min", np.int16, -1),
    ("age_max", np.int16, -1),
    ("age_reason", np.int8, -1),
    ("sex_required", np.int8, -1),
    ("education", np.int8, -1),
    ("experience_years_min", np.float64, np.nan),
    ("reply_rate", np.float64, np.nan),
    ("verified", np.int8, 0),
    ("meals", np.int8, -1),
    ("lodging", np.int8, -1),
    ("insurance", np.int8, -1),
    ("ends_at_hour", np.float64, np.nan),
)
_SHARED: tuple[tuple[str, Hashable], ...] = (
    ("townships", ""),
    ("occupations", ""),
    ("certificates", frozenset()),
    ("programmes", ""),
    ("employers", ""),
)
_CLOSED = (
    ("precision", len(PRECISIONS), 0),
    ("kind", len(KINDS), 0),
    ("age_reason", len(AGE_REASONS), -1),
    ("sex_required", len(SEXES), -1),
    ("education", len(EDUCATIONS), -1),
    ("physical_level", 5, -1),
    ("demands", 1 << len(DEMAND_BIT), 0),
)
