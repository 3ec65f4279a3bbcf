"""The market: openings as rows of one NumPy record array, with the texts that rows share kept once.

A `Market` never changes. Every change makes a new one, so whoever reads holds a whole and consistent state. Unknown
numbers are NaN in float fields and -1 in integer fields.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from matching.values import EDUCATION_RANK, AgeReason, Demand, Kind, Opening, Precision, SexRequired

KINDS = tuple(Kind)
AGE_REASONS = tuple(AgeReason)
SEXES = tuple(SexRequired)
DEMAND_BIT: Mapping[str, int] = MappingProxyType({demand: 1 << place for place, demand in enumerate(Demand)})
NO_END = np.iinfo(np.int32).max

ROW = np.dtype(
    [
        ("id", np.int64),
        ("lon", np.float64),  # WGS-84 degrees
        ("lat", np.float64),
        ("pay", np.float64),  # what may be expected, yuan a month
        ("starts", np.float64),  # proleptic ordinal of the day
        ("experience", np.float64),  # years asked for
        ("reply", np.float64),  # 0-1
        ("ends_at", np.float64),  # hour of the day
        ("valid_until", np.int32),  # proleptic ordinal of the last day, NO_END without one
        ("sent", np.int32),
        ("township", np.int32),  # position in `townships`
        ("occupation", np.int32),  # position in `occupations`
        ("title", np.int32),  # position in `titles`
        ("certificates", np.int32),  # position in `certificate_sets`
        ("demands", np.int32),  # bit set, see DEMAND_BIT
        ("age_min", np.int16),
        ("age_max", np.int16),
        ("kind", np.int8),  # position in KINDS
        ("level", np.int8),  # 1-4
        ("age_reason", np.int8),  # position in AGE_REASONS
        ("sex", np.int8),  # position in SEXES
        ("education", np.int8),  # rank, see EDUCATION_RANK
        ("meals", np.int8),  # 1 yes, 0 no
        ("lodging", np.int8),
        ("insurance", np.int8),
        ("verified", np.bool_),
        ("is_district", np.bool_),  # the place is known only to its district
    ]
)

Rows = NDArray[np.void]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Texts that rows share; a row holds a position in `texts`."""

    texts: tuple[str, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)

    def grown(self, texts: Iterable[str]) -> "Vocabulary":
        """This vocabulary with new texts behind the old ones; itself when nothing is new."""
        known = dict(self.positions)
        for text in texts:
            known.setdefault(text, len(known))
        return self if len(known) == len(self.texts) else Vocabulary(tuple(known), known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """n openings: `rows` (n,) of ROW, `left` (n,) places left, `is_open` (n,), `place_of` position by id."""

    openings: tuple[Opening, ...] = ()
    rows: Rows
    left: NDArray[np.int32]
    is_open: Flags
    place_of: Mapping[int, int]
    townships: Vocabulary = field(default_factory=Vocabulary)
    occupations: Vocabulary = field(default_factory=Vocabulary)
    titles: Vocabulary = field(default_factory=Vocabulary)
    certificate_sets: tuple[frozenset[str], ...] = ()

    @classmethod
    def empty(cls) -> "Market":
        """A market without openings."""
        return cls(
            rows=np.empty(0, ROW),
            left=np.empty(0, np.int32),
            is_open=np.empty(0, np.bool_),
            place_of=MappingProxyType({}),
        )

    def with_openings(self, openings: Sequence[Opening]) -> "Market":
        """The market with openings added; one whose id is known takes the older one's place.

        Raises ValueError when two of the added bear one id.
        """
        if len({opening.id for opening in openings}) != len(openings):
            raise ValueError("two openings bear one id")
        replaced = [self.place_of[opening.id] for opening in openings if opening.id in self.place_of]
        keep = np.ones(len(self.openings), np.bool_)
        keep[replaced] = False
        townships = self.townships.grown(opening.place.township or "" for opening in openings)
        occupations = self.occupations.grown(opening.occupation or "" for opening in openings)
        titles = self.titles.grown(opening.title for opening in openings)
        sets = {certificates: place for place, certificates in enumerate(self.certificate_sets)}
        for opening in openings:
            sets.setdefault(frozenset(opening.certificates), len(sets))
        added = np.array(
            [
                _row(
                    opening,
                    township=townships.positions[opening.place.township or ""],
                    occupation=occupations.positions[opening.occupation or ""],
                    title=titles.positions[opening.title],
                    certificates=sets[frozenset(opening.certificates)],
                )
                for opening in openings
            ],
            ROW,
        )
        whole = (*(opening for opening, kept in zip(self.openings, keep, strict=True) if kept), *openings)
        return Market(
            openings=whole,
            rows=np.concatenate([self.rows[keep], added]),
            left=np.concatenate([self.left[keep], np.array([opening.openings for opening in openings], np.int32)]),
            is_open=np.concatenate([self.is_open[keep], np.ones(len(openings), np.bool_)]),
            place_of={opening.id: place for place, opening in enumerate(whole)},
            townships=townships,
            occupations=occupations,
            titles=titles,
            certificate_sets=tuple(sets),
        )

    def without(self, ids: Iterable[int]) -> "Market":
        """The market with some openings closed; ids that it does not know are passed over."""
        is_open = self.is_open.copy()
        is_open[[self.place_of[each] for each in ids if each in self.place_of]] = False
        return replace(self, is_open=is_open)

    def with_left(self, ids: Sequence[int], left: Sequence[int]) -> "Market":
        """The market with other numbers of places left; ids that it does not know are passed over."""
        changed = self.left.copy()
        for each, number in zip(ids, left, strict=True):
            if each in self.place_of:
                changed[self.place_of[each]] = number
        return replace(self, left=changed)


def expected_pay(low: float | None, high: float | None) -> float:
    """What may be expected of a pay window, yuan a month: the low end and a quarter of the way up; NaN when unknown.

    With only the high end known three quarters of it are taken: the top of a window is for the few.
    """
    if low is None:
        return float("nan") if high is None else 0.75 * high
    return low if high is None else low + 0.25 * max(0.0, high - low)


def _row(opening: Opening, *, township: int, occupation: int, title: int, certificates: int) -> tuple[object, ...]:
    return (
        opening.id,
        opening.place.lon,
        opening.place.lat,
        expected_pay(opening.pay_min_yuan_month, opening.pay_max_yuan_month),
        _number(None if opening.starts_on is None else opening.starts_on.toordinal()),
        _number(opening.experience_years_min),
        _number(opening.reply_rate),
        _number(opening.ends_at_hour),
        NO_END if opening.valid_until is None else opening.valid_until.toordinal(),
        opening.sent,
        township,
        occupation,
        title,
        certificates,
        sum(DEMAND_BIT[demand] for demand in opening.demands),
        -1 if opening.age_min is None else opening.age_min,
        -1 if opening.age_max is None else opening.age_max,
        KINDS.index(Kind(opening.kind)),
        -1 if opening.physical_level is None else opening.physical_level,
        -1 if opening.age_reason is None else AGE_REASONS.index(AgeReason(opening.age_reason)),
        -1 if opening.sex_required is None else SEXES.index(SexRequired(opening.sex_required)),
        -1 if opening.education is None else EDUCATION_RANK[opening.education],
        _yes_no(opening.meals),
        _yes_no(opening.lodging),
        _yes_no(opening.insurance),
        opening.verified,
        opening.place.precision == Precision.DISTRICT,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _yes_no(value: bool | None, /) -> int:  # noqa: FBT001  a column's value, not a switch
    return -1 if value is None else int(value)
