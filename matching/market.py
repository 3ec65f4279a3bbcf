"""The market: openings as rows in the order in which the search reads them, with what rows share kept once.

A `Market` never changes. Every change makes a new one that shares what stayed the same, so whoever reads holds a whole
and consistent state. New openings go to a small segment of their own (`delta`), which is built anew with each of them;
once it has grown it is built together with the large one. All arrays are read-only.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matching.opening_tables import (
    AGE_REASONS,
    DEMAND_BIT,
    EDUCATIONS,
    KINDS,
    NO_END,
    PRECISIONS,
    SEXES,
    OpeningTable,
    Shared,
)
from matching.scores import KIND_TABLE, PROGRAMME_TABLE, fixed_parts, scale_of, shares_of
from matching.search import EARTH_RADIUS_KM, ENVELOPE, ROW, UNKNOWN_DAY, Scale, Segment, Tables, enclose, find, split
from matching.values import DEMAND_BARRED_BY, EDUCATION_RANK, Limit, Opening, Place
from matching.weights import Weights

BLOCK_KM = 20.0
CHUNK_ROWS = 32  # at most, in one chunk
BUNDLE = 16  # chunks
DELTA_LEAST = 60_000  # a delta below this is kept apart, however small the main segment
# NumPy copies a row field by field, but where it takes some or knows no fields: forty times as fast.
_WHOLE = np.dtype((np.void, ROW.itemsize))
_KM_A_DEGREE = EARTH_RADIUS_KM * np.pi / 180

Rows = NDArray[np.void]
Positions = NDArray[np.int64]
T = TypeVar("T", bound=Hashable)


@runtime_checkable
class Growing(Protocol[T]):
    """Values in the order in which they came: a list, or what stands for one."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[T]: ...
    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...
    def index(self, value: T) -> int: ...
    def append(self, value: T, /) -> None: ...


class Vocabulary(Generic[T]):
    """Distinct values that rows point at. It only grows, so a position once given out keeps its meaning."""

    def __init__(self, values: "Growing[T] | Iterable[T]" = ()) -> None:
        self.values: Growing[T] = values if isinstance(values, Growing) else list(values)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _known(self) -> dict[T, int]:
        return {value: place for place, value in enumerate(self.values)}

    def positions(self, values: Sequence[T]) -> NDArray[np.int32]:
        """Positions of values; those that are not known yet come in behind the others. For one writer at a time."""
        known = self._known
        for value in values:
            if value not in known:
                known[value] = len(known)
                self.values.append(value)
        return np.fromiter(map(known.__getitem__, values), np.int32, len(values))


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """All that rows point at."""

    titles: Vocabulary[str]
    townships: Vocabulary[str]
    occupations: Vocabulary[str]
    certificates: Vocabulary[frozenset[str]]
    programmes: Vocabulary[str]
    employers: Vocabulary[str]
    hours: Vocabulary[float | None]
    years: Vocabulary[float | None]

    @classmethod
    def empty(cls) -> "Vocabularies":
        """Nothing known yet."""
        return cls(*(Vocabulary[Any]() for _ in cls.__slots__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Openings in two segments, `main` and `delta`, each with its rows by id."""

    weights: Weights
    vocabularies: Vocabularies
    tables: Tables
    main: Segment
    main_by_id: NDArray[np.int32]
    delta: Segment
    delta_by_id: NDArray[np.int32]
    titles: int  # how many of the vocabulary this market may point at

    @classmethod
    def of(cls, table: OpeningTable, weights: Weights) -> "Market":
        """The market of a table of openings."""
        vocabularies = Vocabularies.empty()
        rows = _rows_of(table, vocabularies, weights)
        nothing = _Columns(rows[:0], table.openings[:0], np.zeros(0, np.bool_))
        columns = _Columns(rows, table.openings, np.ones(len(rows), np.bool_))
        return cls._built(columns, nothing, vocabularies, weights, len(vocabularies.titles))

    @classmethod
    def _built(
        cls, main: "_Columns", delta: "_Columns", vocabularies: Vocabularies, weights: Weights, titles: int
    ) -> "Market":
        tables = _tables_of(vocabularies, weights)
        segments = [_segment(columns, tables, weights, titles) for columns in (main, delta)]
        return cls(
            weights=weights,
            vocabularies=vocabularies,
            tables=tables,
            main=segments[0],
            main_by_id=_by_id(segments[0]),
            delta=segments[1],
            delta_by_id=_by_id(segments[1]),
            titles=titles,
        )

    @classmethod
    def restored(
        cls, main: Segment, main_by_id: NDArray[np.int32], vocabularies: Vocabularies, weights: Weights
    ) -> "Market":
        """The market of a segment that was built before, with all that its rows point at."""
        tables, titles = _tables_of(vocabularies, weights), len(vocabularies.titles)
        rows = _frozen(np.zeros(0, ROW))
        delta = _segment(_Columns(rows, np.zeros(0, np.int32), np.zeros(0, np.bool_)), tables, weights, titles)
        return cls(
            weights=weights,
            vocabularies=vocabularies,
            tables=tables,
            main=main,
            main_by_id=main_by_id,
            delta=delta,
            delta_by_id=_by_id(delta),
            titles=titles,
        )

    def __len__(self) -> int:
        return int(self.main.is_open.sum()) + int(self.delta.is_open.sum())

    def with_openings(self, table: OpeningTable) -> "Market":
        """The market with openings added; one whose id is known takes the older one's place."""
        if not len(table):
            return self
        rows = _rows_of(table, self.vocabularies, self.weights)
        replaced = _places(self.main, self.main_by_id, table.ids)
        again = _places(self.delta, self.delta_by_id, table.ids)
        delta = _Columns.of(self.delta, _others(self.delta, self.delta_by_id, again)).with_more(
            _Columns(rows, table.openings, np.ones(len(rows), np.bool_))
        )
        if len(delta.rows) > max(DELTA_LEAST, len(self.main.rows) // 8):
            # All in one: each further delta would cost more than this.
            whole = _Columns.of(self.main, _others(self.main, self.main_by_id, replaced)).with_more(delta)
            return self._built(whole, delta.head(0), self.vocabularies, self.weights, len(self.vocabularies.titles))
        tables, titles = self._tables_now(), len(self.vocabularies.titles)
        main, main_by_id = self.main, self.main_by_id
        if np.any(replaced >= 0):
            # A row that was replaced stays where it is, closed, and nobody finds it by its id.
            gone = np.zeros(len(main.rows), np.bool_)
            gone[replaced[replaced >= 0]] = True
            main = main._replace(is_open=_frozen(main.is_open & ~gone))
            main_by_id = _frozen(main_by_id[~gone[main_by_id]])
        segment = _segment(delta, tables, self.weights, titles)
        return replace(
            self,
            tables=tables,
            main=main,
            main_by_id=main_by_id,
            delta=segment,
            delta_by_id=_by_id(segment),
            titles=titles,
        )

    def without(self, ids: Iterable[int]) -> "Market":
        """The market with some openings closed; ids that it does not know are passed over."""
        wanted = np.array(list(ids), np.int64)
        changed: dict[str, Any] = {}
        for name, segment, by_id in self._parts():
            places = _places(segment, by_id, wanted)
            if np.any(places >= 0):
                is_open = segment.is_open.copy()
                is_open[places[places >= 0]] = False
                changed[name] = segment._replace(is_open=_frozen(is_open))
        return replace(self, **changed) if changed else self

    def with_left(self, ids: Sequence[int], left: Sequence[int]) -> "Market":
        """The market with other numbers of places left; ids that it does not know are passed over.

        Raises ValueError when the two sequences differ in length.
        """
        pairs = list(zip(ids, left, strict=True))
        wanted = np.array([each for each, _ in pairs], np.int64)
        numbers = np.array([number for _, number in pairs], np.int32)
        changed: dict[str, Any] = {}
        for name, segment, by_id in self._parts():
            places = _places(segment, by_id, wanted)
            known = places >= 0
            if np.any(known):
                changed[name] = _with_left(segment, places[known], numbers[known], self.weights)
        return replace(self, **changed) if changed else self

    def compact(self) -> "Market":
        """The same openings with all rows in one segment, and none that were replaced."""
        whole = _Columns.of(self.main, np.sort(self.main_by_id))
        return self._built(
            whole.with_more(_Columns.of(self.delta, np.sort(self.delta_by_id))),
            whole.head(0),
            self.vocabularies,
            self.weights,
            self.titles,
        )

    def places_of(self, ids: NDArray[np.int64]) -> Positions:
        """Where n openings stand: (n,) rows of main, or the rows of main and the row in delta; -1 where nowhere."""
        late = _places(self.delta, self.delta_by_id, ids)
        return np.where(late >= 0, late + len(self.main.rows), _places(self.main, self.main_by_id, ids))

    def opening_at(self, place: int) -> Opening:
        """The opening at a place, with the places that are left in it."""
        base = len(self.main.rows)
        segment, at = (self.main, place) if place < base else (self.delta, place - base)
        return _opening(segment.rows[at], int(segment.left[at]), self.vocabularies)

    def scale(self, today: date) -> Scale:
        """The weights as the search takes them, on a day."""
        codes = self.vocabularies.occupations.values
        return scale_of(self.weights, today=today, unknown_occupation=codes.index("") if "" in codes else -1)

    def _tables_now(self) -> Tables:
        """The tables, made anew only where there is more to point at."""
        known, tables = self.vocabularies, self.tables
        pointed = ((known.occupations, tables.usual), (known.townships, tables.detours))
        numbers = ((known.hours, tables.hours), (known.years, tables.years))
        if all(len(vocabulary) == len(table) for vocabulary, table in (*pointed, *numbers)):
            return tables
        return _tables_of(known, self.weights)

    def _parts(self) -> tuple[tuple[str, Segment, NDArray[np.int32]], ...]:
        return (("main", self.main, self.main_by_id), ("delta", self.delta, self.delta_by_id))


@dataclass(frozen=True, slots=True)
class _Columns:
    """n rows in any order, with what changes of them."""

    rows: Rows
    left: NDArray[np.int32]
    is_open: NDArray[np.bool_]

    @classmethod
    def of(cls, segment: Segment, chosen: NDArray[Any]) -> "_Columns":
        return cls(segment.rows.take(chosen), segment.left[chosen], segment.is_open[chosen])

    def with_more(self, other: "_Columns") -> "_Columns":
        return _Columns(
            np.concatenate([self.rows.view(_WHOLE), other.rows.view(_WHOLE)]).view(ROW),
            np.concatenate([self.left, other.left]),
            np.concatenate([self.is_open, other.is_open]),
        )

    def head(self, number: int) -> "_Columns":
        return _Columns(self.rows[:number], self.left[:number], self.is_open[:number])


def expected_pay(low: float | None, high: float | None) -> float:
    """What may be expected of a pay window, yuan a month: the low end and a quarter of the way up; NaN when unknown.

    With only the high end known three quarters of it are taken: the top of a window is for the few.
    """
    if low is None:
        return float("nan") if high is None else 0.75 * high
    return low if high is None else low + 0.25 * max(0.0, high - low)


def unit_vectors(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in degrees as unit vectors from the centre of the Earth, (n, 3)."""
    phi, away = np.radians(lat), np.radians(lon)
    return np.column_stack([np.cos(phi) * np.cos(away), np.cos(phi) * np.sin(away), np.sin(phi)])


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    # Compiled code tells read-only arrays from others: all are read-only, as those of a mapped file are.
    array.flags.writeable = False
    return array


def _rows_of(table: OpeningTable, vocabularies: Vocabularies, weights: Weights) -> Rows:
    rows = np.zeros(len(table), ROW)
    rows["x"], rows["y"], rows["z"] = unit_vectors(table.lon, table.lat).T
    pointers: tuple[tuple[str, Shared[Any], Vocabulary[Any]], ...] = (
        ("township", table.townships, vocabularies.townships),
        ("occupation", table.occupations, vocabularies.occupations),
        ("title", table.titles, vocabularies.titles),
        ("certificates", table.certificates, vocabularies.certificates),
        ("employer", table.employers, vocabularies.employers),
        ("programme", table.programmes, vocabularies.programmes),
        ("hours", _shared_numbers(table.ends_at_hour), vocabularies.hours),
        ("years", _shared_numbers(table.experience_years_min), vocabularies.years),
    )
    for name, shared, vocabulary in pointers:
        rows[name] = vocabulary.positions(shared.values)[shared.positions]
    for name, column in (
        ("id", table.ids),
        ("pay", _expected(table.pay_min_yuan_month, table.pay_max_yuan_month)),
        ("pay_min", table.pay_min_yuan_month),
        ("pay_max", table.pay_max_yuan_month),
        ("reply", table.reply_rate),
        ("starts", table.starts_on),
        ("valid_until", table.valid_until),
        ("sent", table.sent),
        ("demands", table.demands),
        ("age_min", table.age_min),
        ("age_max", table.age_max),
        ("kind", table.kind),
        ("level", table.physical_level),
        ("age_reason", table.age_reason),
        ("sex", table.sex_required),
        ("schooling", table.education),
        ("education", np.array([*(EDUCATION_RANK[each] for each in EDUCATIONS), -1])[table.education]),
        ("meals", table.meals),
        ("lodging", table.lodging),
        ("insurance", table.insurance),
        ("verified", table.verified),
        ("precision", table.precision),
    ):
        rows[name] = column
    parts, chance, worth = fixed_parts(rows, table.reply_rate), shares_of(weights.chance), shares_of(weights.worth)
    rows["fixed_chance"] = sum(chance[name] * parts[name] for name in ("reply", "trust"))
    rows["fixed_worth"] = sum(worth[name] * parts[name] for name in ("keep", "insurance", "ease", "open_to_all"))
    return rows


def _shared_numbers(column: NDArray[np.float64]) -> Shared[float | None]:
    values, positions = np.unique(column, return_inverse=True)
    return Shared(positions.astype(np.int32), tuple(None if np.isnan(value) else float(value) for value in values))


def _tables_of(vocabularies: Vocabularies, weights: Weights) -> Tables:
    def numbers(vocabulary: Vocabulary[float | None]) -> NDArray[np.float64]:
        return np.array([np.nan if value is None else value for value in vocabulary.values], np.float64)

    usual = np.array([weights.usual_pay(code) for code in vocabularies.occupations.values], np.float64)
    detours = np.array(
        [weights.detours.get(code, weights.detour) for code in vocabularies.townships.values], np.float64
    )
    return Tables(
        usual=_frozen(usual),
        detours=_frozen(detours),
        hours=_frozen(numbers(vocabularies.hours)),
        years=_frozen(numbers(vocabularies.years)),
        programme=_frozen(PROGRAMME_TABLE.copy()),
        kinds=_frozen(KIND_TABLE.copy()),
        limits=_frozen(np.array([DEMAND_BIT[DEMAND_BARRED_BY[limit]] for limit in Limit], np.uint16)),
    )


def _segment(columns: _Columns, tables: Tables, weights: Weights, titles: int) -> Segment:
    """Rows in the order of the search, with their envelopes."""
    rows, left, is_open = columns.rows, columns.left.astype(np.int32), columns.is_open
    if not len(rows):
        envelopes = _frozen(np.zeros(0, ENVELOPE))
        starts, occupations = _frozen(np.zeros(titles + 1, np.int32)), _frozen(np.zeros(0, np.int32))
        kept = (_frozen(rows.copy()), _frozen(left), _frozen(is_open.copy()))
        return Segment(*kept, envelopes, envelopes, envelopes, starts, occupations)
    lat, lon = np.degrees(np.arcsin(rows["z"])), np.degrees(np.arctan2(rows["y"], rows["x"]))
    across = lon * max(np.cos(np.radians(lat.mean())), 0.1)
    block = _squares(lat, across, BLOCK_KM)
    order = np.lexsort((rows["certificates"], rows["occupation"], block))
    keys = [key[order] for key in (block, rows["occupation"], rows["certificates"])]
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    runs = np.append(np.flatnonzero(is_first), len(rows))
    traits = _traits(rows, left, lat * _KM_A_DEGREE, across * _KM_A_DEGREE, tables, weights)
    is_start = np.zeros(len(rows), np.bool_)
    split(traits, order, runs, CHUNK_ROWS, is_start)
    rows, left, is_open, block = _frozen(rows.take(order)), _frozen(left[order]), _frozen(is_open[order]), block[order]
    layout = _Layout.of(np.flatnonzero(is_start), len(rows), runs)
    chunks = _envelopes(rows, left, layout.starts, layout.ends, tables, weights)
    chunks["members"], chunks["bundle"] = layout.members, layout.bundle
    for name in ("occupation", "certificates"):
        chunks[name] = rows[name][layout.starts]
    of_chunk = block[chunks["start"]]
    first_chunks = np.flatnonzero(np.append(np.ones(1, np.bool_), of_chunk[1:] != of_chunk[:-1]))
    row_starts = chunks["start"][first_chunks]
    blocks = _envelopes(rows, left, row_starts, np.append(row_starts[1:], len(rows)), tables, weights)
    blocks["start"], blocks["end"] = first_chunks, np.append(first_chunks[1:], len(chunks))
    pairs = np.sort(rows["title"].astype(np.int64) * len(tables.usual) + rows["occupation"])
    pairs = pairs[np.append(np.ones(1, np.bool_), pairs[1:] != pairs[:-1])]
    return Segment(
        rows=rows,
        left=left,
        is_open=is_open,
        chunks=_frozen(chunks),
        blocks=_frozen(blocks),
        whole=_frozen(_envelopes(rows, left, np.array([0]), np.array([len(rows)]), tables, weights)),
        title_starts=_frozen(
            np.append(0, np.cumsum(np.bincount(pairs // len(tables.usual), minlength=titles))).astype(np.int32)
        ),
        title_occupations=_frozen((pairs % len(tables.usual)).astype(np.int32)),
    )


def _traits(
    rows: Rows,
    left: NDArray[np.int32],
    north: NDArray[np.float64],
    east: NDArray[np.float64],
    tables: Tables,
    weights: Weights,
) -> NDArray[np.float32]:
    """What tells rows of one occupation apart, (n, traits), each in units of how far it may move a score.

    What is close in all of them goes into one chunk, so that a chunk's best values are near to those of its rows.
    """
    shares = shares_of(weights.chance) | shares_of(weights.worth)
    near = 0.4 * shares["near"] * weights.detour / weights.decay_km  # far off it hardly moves one
    ratio = np.nan_to_num(rows["pay"] / tables.usual[rows["occupation"]], nan=0.0)
    years = np.nan_to_num(tables.years, nan=0.0)[rows["years"]]
    return np.column_stack(
        [
            near * north,
            near * east,
            _chance_alone(rows, left, weights),
            rows["fixed_worth"],
            shares["pay"] * np.clip(0.6 * ratio, 0, 1),
            shares["education"] * 0.3 * np.maximum(rows["education"], 0),
            shares["experience"] * (1 - 1 / np.maximum(years, 1)),
            shares["kind"] * tables.kinds[rows["kind"]] + shares["programme"] * tables.programme[-1][rows["kind"]],
        ]
    ).astype(np.float32)


def _squares(lat: NDArray[np.float64], across: NDArray[np.float64], km: float) -> NDArray[np.int64]:
    """Which square of the map each place lies in; any number, the same for places in one square."""
    side = km / _KM_A_DEGREE
    return np.asarray(np.floor(lat / side).astype(np.int64) * 1_000_003 + np.floor(across / side).astype(np.int64))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Ranges of rows, chunks and bundles in the order of the search; `members` and `bundle` as in an envelope."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    members: NDArray[np.int64]
    bundle: NDArray[np.int64]

    @classmethod
    def of(cls, starts: NDArray[np.int64], rows: int, runs: NDArray[np.int64]) -> "_Layout":
        """Chunks that begin at `starts`, and before each `BUNDLE` of a run that has many of them a bundle."""
        run = np.searchsorted(runs, starts, side="right") - 1
        number, first = np.bincount(run), np.searchsorted(run, np.arange(len(runs) - 1))
        is_long = number[run] > BUNDLE // 2
        opens = is_long & ((np.arange(len(starts)) - first[run]) % BUNDLE == 0)
        place = np.arange(len(starts)) + np.cumsum(opens)
        bundles, of_bundle = place[opens] - 1, np.cumsum(opens)[is_long] - 1
        size = len(starts) + len(bundles)
        nothing = np.zeros(size, np.int64)
        found = cls(nothing, nothing.copy(), nothing.copy(), np.full(size, -1, np.int64))
        found.starts[place], found.ends[place] = starts, np.append(starts[1:], rows)
        found.bundle[place[is_long]] = bundles[of_bundle]
        found.members[bundles] = np.bincount(of_bundle, minlength=len(bundles))
        found.starts[bundles] = found.starts[bundles + 1]
        found.ends[bundles] = found.ends[bundles + found.members[bundles]]
        return found


def _envelopes(
    rows: Rows,
    left: NDArray[np.int32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    tables: Tables,
    weights: Weights,
) -> NDArray[np.void]:
    """Over the rows from each start to its end; of no bundle, and occupation and certificates are -1."""
    found = np.zeros(len(starts), ENVELOPE)
    found["start"], found["end"] = starts, ends
    found["bundle"], found["occupation"], found["certificates"] = -1, -1, -1
    enclose(rows, left, tables, shares_of(weights.chance)["room"], found)
    return found


def _chance_alone(rows: Rows, left: NDArray[np.int32], weights: Weights) -> NDArray[np.float64]:
    """What a posting brings to the chance by itself: its fixed part and its room."""
    places = np.maximum(left, 0).astype(np.float64)
    room = places / (places + 0.5 * np.maximum(rows["sent"], 0) + 0.5)
    return np.asarray(rows["fixed_chance"] + shares_of(weights.chance)["room"] * room)


def _expected(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    window = low + 0.25 * np.maximum(0.0, np.nan_to_num(high - low, nan=0.0))
    return np.where(np.isnan(low), 0.75 * high, window)


def _up(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))


def _with_left(segment: Segment, places: Positions, numbers: NDArray[np.int32], weights: Weights) -> Segment:
    left = segment.left.copy()
    left[places] = numbers
    chance = _up(_chance_alone(segment.rows[places], left[places], weights))
    # A bundle begins with its first chunk, which stands behind it.
    chunk = np.searchsorted(segment.chunks["start"], places, side="right") - 1
    changed: dict[str, NDArray[Any]] = {"left": _frozen(left)}
    # An envelope may only grow here; one that could shrink stays a bound all the same.
    if np.any(chance > segment.chunks["chance"][chunk]):
        block = np.searchsorted(segment.blocks["start"], chunk, side="right") - 1
        bundle = segment.chunks["bundle"][chunk]
        chunks, blocks, whole = (each.copy() for each in (segment.chunks, segment.blocks, segment.whole))
        np.maximum.at(chunks["chance"], chunk, chance)
        np.maximum.at(chunks["chance"], bundle[bundle >= 0], chance[bundle >= 0])
        np.maximum.at(blocks["chance"], block, chance)
        whole["chance"] = max(whole["chance"][0], chance.max())
        changed |= {"chunks": _frozen(chunks), "blocks": _frozen(blocks), "whole": _frozen(whole)}
    return segment._replace(**changed)


def _places(segment: Segment, by_id: NDArray[np.int32], ids: NDArray[np.int64]) -> Positions:
    places = np.empty(len(ids), np.int64)
    find(segment.rows, by_id, _frozen(np.array(ids, np.int64)), places)
    return places


def _others(segment: Segment, by_id: NDArray[np.int32], gone: Positions) -> Positions:
    """The places in a segment that are found by an id, but for some that are gone (-1: nowhere), rising."""
    stays = np.zeros(len(segment.rows), np.bool_)
    stays[by_id] = True
    stays[gone[gone >= 0]] = False
    return np.flatnonzero(stays)


def least_of(segment: Segment, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The least of the rows' values in each chunk and bundle of a segment, (chunks,)."""
    found = np.zeros(len(segment.chunks), np.float32)
    if len(found):
        members = segment.chunks["members"]
        is_chunk, bundles = members == 0, np.flatnonzero(members)
        found[is_chunk] = np.minimum.reduceat(values, segment.chunks["start"][is_chunk])
        cuts = np.column_stack([bundles + 1, bundles + 1 + members[bundles]]).ravel()
        if len(cuts):
            found[bundles] = np.minimum.reduceat(np.append(found, np.float32(0)), cuts)[::2]
    return _frozen(found)


def _by_id(segment: Segment) -> NDArray[np.int32]:
    return _frozen(np.argsort(segment.rows["id"]).astype(np.int32))


def _fen(pay: float) -> float | None:
    """Pay as it was told, from the short float it is kept in: nobody names less than a fen."""
    return None if np.isnan(pay) else round(float(pay), 2)


def _opening(row: Any, left: int, vocabularies: Vocabularies) -> Opening:
    def number(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    def whole(value: int) -> int | None:
        return None if value < 0 else int(value)

    def yes_no(value: int) -> bool | None:
        return None if value < 0 else bool(value)

    return Opening(
        id=int(row["id"]),
        title=vocabularies.titles.values[row["title"]],
        place=Place(
            lon=float(np.degrees(np.arctan2(row["y"], row["x"]))),
            lat=float(np.degrees(np.arcsin(min(max(row["z"], -1.0), 1.0)))),
            township=vocabularies.townships.values[row["township"]] or None,
            precision=PRECISIONS[row["precision"]],
        ),
        occupation=vocabularies.occupations.values[row["occupation"]] or None,
        kind=KINDS[row["kind"]],
        pay_min_yuan_month=_fen(row["pay_min"]),
        pay_max_yuan_month=_fen(row["pay_max"]),
        openings=left,
        sent=int(row["sent"]),
        starts_on=None if row["starts"] == UNKNOWN_DAY else date.fromordinal(int(row["starts"])),
        valid_until=None if row["valid_until"] == NO_END else date.fromordinal(int(row["valid_until"])),
        physical_level=whole(row["level"]),
        demands=frozenset(demand for demand, bit in DEMAND_BIT.items() if row["demands"] & bit),
        age_min=whole(row["age_min"]),
        age_max=whole(row["age_max"]),
        age_reason=None if row["age_reason"] < 0 else AGE_REASONS[row["age_reason"]],
        sex_required=None if row["sex"] < 0 else SEXES[row["sex"]],
        certificates=vocabularies.certificates.values[row["certificates"]],
        education=None if row["schooling"] < 0 else EDUCATIONS[row["schooling"]],
        experience_years_min=vocabularies.years.values[row["years"]],
        programme=vocabularies.programmes.values[row["programme"]] or None,
        employer=vocabularies.employers.values[row["employer"]],
        reply_rate=number(row["reply"]),
        verified=bool(row["verified"]),
        meals=yes_no(row["meals"]),
        lodging=yes_no(row["lodging"]),
        insurance=yes_no(row["insurance"]),
        ends_at_hour=vocabularies.hours.values[row["hours"]],
    )
