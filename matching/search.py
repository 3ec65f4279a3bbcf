"""The compiled search: bars and score of one row, bounds of many, and the exact best k of a market.

One definition of each serves all: a list, an explanation, a refusal and the plain scan run the same functions, so they
cannot disagree by a bit.

Rows lie in *chunks* (of one place block, one occupation, one set of certificates), chunks in *blocks* (some 20 km of
the map). Both carry an envelope: a cap on the sphere that holds all their rows, and the best that any row reaches in
each part of the score. The score falls with distance and rises with every part, so an envelope gives an upper bound;
what cannot beat the k-th best is not read. Blocks are visited from the nearest on: first the occupations that the
person wants or whose titles say their words, best first, then all others, whose chance is hardly above the floor.

Indexes with bounds for exact top-k over place and text: Zhang et al. 2013, "Inverted linear quadtree" (ICDE); the
threshold argument is that of Fagin, Lotem, Naor 2003 (J. Comput. Syst. Sci. 66).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matching.compiling import compiled, inlined, lean

Array = NDArray[Any]

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG 1980
SCORE_DECIMALS = 9  # equal inputs must tie, whichever sum they went through
_SCALE = 10.0**SCORE_DECIMALS
_ROUNDING = 1.1e-9  # a bound is compared with a score that was rounded
_SPHERE_SLACK_KM = 1e-6
_CHORD_SLACK = 1e-9  # six millimetres
LAST_ID = np.iinfo(np.int64).max
_ANYTHING = -1e300  # less than any score less any price

MOST_GUESSES = 8  # where an id stands
MOST_WANTED = 48  # occupations that a search goes through one by one
UNKNOWN_DAY = np.iinfo(np.int32).min
PAY_UNKNOWN = 0.3
START_UNKNOWN = 0.8
EXPERIENCE_UNKNOWN = 0.7
EDUCATION_UNKNOWN = 0.75
HOURS_UNKNOWN = 0.6

RULE_CODES = (
    "under_working_age",
    "hazard_level_iv",
    "hazard_underground",
    "hazard_minor",
    "age_statutory_hazard",
    "age_licence",
    "sex_statutory",
    "certificate",
    "limit_no_heights",
    "limit_no_heavy_lifting",
    "limit_no_nights",
    "limit_no_heat",
    "limit_no_long_standing",
    "limit_poor_eyesight",
    "limit_poor_hearing",
    "limit_no_dust",
    "limit_no_chemicals",
    "limit_no_cold_water",
    "home_by",
    "closed",
    "expired",
    "full",
    "too_far",
    "kind",
)
"""All rules that bar, in the order in which they are asked; the first that bars is the one that is told."""

_CHILD, _LEVEL_IV, _UNDERGROUND, _MINOR, _AGE_LIMIT, _, _SEX, _CERTIFICATE, _LIMIT = range(9)
_HOME_BY, _CLOSED, _EXPIRED, _FULL, _TOO_FAR, _KIND = range(18, 24)

DYNAMIC_PARTS = (
    "skill", "experience", "education", "room", "programme", "pay", "near", "commute", "start", "kind", "hours",
)  # fmt: skip
"""The parts that depend on the person, or on what changes while the index serves, as `parts_of` fills them."""

ROW = np.dtype(
    [
        ("x", np.float64),  # the place as a unit vector from the centre of the Earth
        ("y", np.float64),
        ("z", np.float64),
        ("fixed_chance", np.float64),  # what the parts that know no person bring to the chance, by their shares
        ("fixed_worth", np.float64),
        ("pay", np.float64),  # what may be expected, yuan a month, NaN unknown
        ("id", np.int64),
        ("pay_min", np.float32),  # as the posting tells it, for words alone
        ("pay_max", np.float32),
        ("reply", np.float32),  # 0-1, NaN unknown
        ("starts", np.int32),  # proleptic ordinal of the day, UNKNOWN_DAY
        ("valid_until", np.int32),  # proleptic ordinal of the last day, the greatest int32 without one
        ("sent", np.int32),
        ("township", np.int32),  # positions in the vocabularies of the market
        ("occupation", np.int32),
        ("title", np.int32),
        ("certificates", np.int32),
        ("employer", np.int32),
        ("hours", np.int32),  # position of the hour at which the work ends
        ("years", np.int32),  # position of the years of experience asked for
        ("demands", np.uint16),  # bit set in the order of the closed list
        ("age_min", np.int16),  # -1 unknown
        ("age_max", np.int16),
        ("programme", np.int16),
        ("kind", np.int8),  # positions in the closed lists, -1 unknown
        ("level", np.int8),
        ("age_reason", np.int8),
        ("sex", np.int8),
        ("education", np.int8),  # rank
        ("meals", np.int8),  # 1 yes, 0 no, -1 unknown
        ("lodging", np.int8),
        ("insurance", np.int8),
        ("verified", np.int8),
        ("precision", np.int8),  # position in the closed list
        ("schooling", np.int8),  # position in the closed list; two ways of schooling share a rank
    ],
    align=True,
)
"""One opening: 128 bytes, two cache lines."""

ENVELOPE = np.dtype(
    [
        ("x", np.float32),  # the middle, near the unit sphere
        ("y", np.float32),
        ("z", np.float32),
        ("radius", np.float32),  # the longest chord from the middle to a row, of a sphere of radius one
        ("detour", np.float32),  # the least
        ("chance", np.float32),  # the most of fixed_chance and room
        ("worth", np.float32),  # the most of fixed_worth
        ("pay", np.float32),  # the highest expected pay, -1 where none is known
        ("pay_ratio", np.float32),  # the highest expected pay over the going rate of its occupation
        ("years", np.float32),  # the fewest asked for
        ("start", np.int32),  # rows of a chunk or a bundle, chunks of a block
        ("end", np.int32),
        ("members", np.int32),  # of a bundle: how many chunks follow that lie in it; 0 of a chunk
        ("bundle", np.int32),  # of a chunk: the place of its bundle, -1 without one
        ("occupation", np.int32),
        ("certificates", np.int32),
        ("demands", np.uint16),  # what all rows demand
        ("kinds", np.uint8),  # bit set of what there is
        ("education", np.int8),  # the lowest rank asked for
    ],
    align=True,
)

SEEKER = np.dtype(
    [
        ("home_by", np.float64),  # NaN: any time
        ("max_km", np.float64),
        ("pay", np.float64),  # what is asked for, 0: nothing named
        ("years", np.float64),  # NaN unknown
        ("age", np.int32),
        ("can_start", np.int32),  # proleptic ordinal
        ("anchors", np.int32),  # range of their places
        ("anchors_end", np.int32),
        ("wants", np.int32),  # range of their wants
        ("wants_end", np.int32),
        ("held", np.int32),  # row of the table of lacking certificates
        ("words", np.int32),  # position of their words, -1: none
        ("underground", np.uint16),  # demands that the law bars for their sex
        ("hazards", np.uint16),  # demands that the law bars at their age
        ("limits", np.uint16),  # demands that they declared not to bear
        ("kinds", np.uint8),  # bit set of what they take
        ("any_kind", np.int8),
        ("sex", np.int8),
        ("priority", np.int8),
        ("education", np.int8),  # rank, -1 unknown
        ("is_child", np.int8),
        ("spared_level_iv", np.int8),
        ("free_now", np.int8),
    ],
    align=True,
)

ANCHOR = np.dtype([("x", np.float64), ("y", np.float64), ("z", np.float64), ("floor_km", np.float64)], align=True)


class Segment(NamedTuple):
    """n rows in the order of their chunks, what changes of them, and the envelopes over them."""

    rows: Array  # (n,) ROW
    left: Array  # (n,) int32, places left
    is_open: Array  # (n,) bool
    chunks: Array  # ENVELOPE
    blocks: Array  # ENVELOPE
    whole: Array  # (1,) ENVELOPE, or (0,) without rows
    title_starts: Array  # (titles + 1,) int32: which occupations a title occurs with
    title_occupations: Array  # int32


class Tables(NamedTuple):
    """What rows point at."""

    usual: Array  # (occupations,) float64, going rates in yuan a month
    detours: Array  # (townships,) float64
    hours: Array  # float64, NaN unknown
    years: Array  # float64, NaN unknown
    programme: Array  # (priorities, kinds) float64 in 0-1
    kinds: Array  # (kinds,) float64 in 0-1
    limits: Array  # uint16: the demand that each limit bars, in the order of the closed list


class Scale(NamedTuple):
    """The weights as the search takes them; shares are of a sum of one."""

    skill_floor: float
    later_want: float
    without_words: float
    unknown_skill: float
    experience: float
    education: float
    room: float
    programme: float
    pay: float
    near: float
    start: float
    kind: float
    hours: float
    decay_km: float
    daily_km: float
    detour: float
    travel_km_hour: float
    bait_multiple: float
    district_floor_km: float
    today: int
    nights: int  # the bit of the demand
    unknown_occupation: int  # position of "" among the occupations, -1: nowhere
    district: int  # position of the precision


class Asked(NamedTuple):
    """People, as arrays."""

    seekers: Array  # (n,) SEEKER
    anchors: Array  # ANCHOR
    wants: Array  # int32: each want's row in the table of closeness
    close_starts: Array  # (distinct wants + 1,) int32
    close_occupations: Array  # int32
    close_values: Array  # float64 in 0-1
    word_starts: Array  # (distinct words + 1,) int32
    word_titles: Array  # int32
    word_values: Array  # float64 in 0-1
    said_starts: Array  # (distinct words + 1,) int32
    said_occupations: Array  # int32: whose titles say some of the words
    said_most: Array  # float64 in 0-1: how far the best of their titles does
    lacking: Array  # (distinct sets held, certificate sets) bool


class Person(NamedTuple):
    """What is worked out once for a person, so that a row is judged by looking things up."""

    close: Array  # (occupations,) float64 in 0-1
    said: Array  # (titles,) float64 in 0-1
    lacking: Array  # (certificate sets,) bool
    late: Array  # (hours,) bool: work that ends then ends too late
    years: Array  # (years,) float64: what a posting that asks for so many brings to the chance
    education: Array  # (ranks,) float64, likewise; place 0 for nothing asked
    chances: Array  # (kinds,) float64: what the programmes bring to the chance
    worths: Array  # (kinds,) float64: what the kind brings to the worth
    most_skill: Array  # (occupations,) float64 in 0-1: no posting of the occupation has more
    best_chances: Array  # (bit sets of kinds,) float64: the most of any of them
    best_worths: Array


class Scratch(NamedTuple):
    """Room for one search."""

    near: Array  # (blocks,) float64
    order: Array  # (blocks,) int32
    bounds: Array  # (chunks,) float64
    queue: Array  # (chunks,) int32


class Limits(NamedTuple):
    """What narrows or reorders a list besides the people; empty arrays where nothing does."""

    skill_min: float
    masks: tuple[Array, Array]  # (rows,) bool of main and delta: the only rows that count
    prices: tuple[Array, Array]  # (rows,) float32: taken off the score
    chunk_prices: tuple[Array, Array]  # (chunks,) float32: the least price in each


@inlined
def _km(one: Any, x: float, y: float, z: float) -> float:
    dx, dy, dz = one.x - x, one.y - y, one.z - z
    return 2.0 * EARTH_RADIUS_KM * math.asin(min(1.0, 0.5 * math.sqrt(dx * dx + dy * dy + dz * dz)))


@inlined
def nearest_km(row: Any, seeker: Any, anchors: Array, scale: Scale) -> float:
    """Kilometres from a row to the nearest of a person's places, each no less than what is known of them allows."""
    nearest = math.inf
    for at in range(seeker.anchors, seeker.anchors_end):
        anchor = anchors[at]
        km = max(_km(row, anchor.x, anchor.y, anchor.z), anchor.floor_km)
        nearest = min(nearest, km)
    if row.precision == scale.district:
        nearest = max(nearest, scale.district_floor_km)
    return nearest


@inlined
def _least_km(envelope: Any, seeker: Any, anchors: Array) -> float:
    """No row of an envelope is nearer: a chord to its middle, less the longest from there to any of them."""
    least = math.inf
    for at in range(seeker.anchors, seeker.anchors_end):
        anchor = anchors[at]
        dx, dy, dz = anchor.x - envelope.x, anchor.y - envelope.y, anchor.z - envelope.z
        chord = max(math.sqrt(dx * dx + dy * dy + dz * dz) - envelope.radius, 0.0)
        # A chord is shorter than its arc, by a metre at 60 km.
        least = min(least, max(EARTH_RADIUS_KM * chord, anchor.floor_km))
    return least


@inlined
def _first_bar(row: Any, is_open: np.bool_, left: int, km: float, seeker: Any, person: Person, tables: Tables,
               today: int) -> int:  # fmt: skip
    """Position of the first rule that bars a row from a person, -1 for none."""
    if seeker.is_child:
        return _CHILD
    if seeker.spared_level_iv and row.level == 4:
        return _LEVEL_IV
    if row.demands & seeker.underground:
        return _UNDERGROUND
    if row.demands & seeker.hazards:
        return _MINOR
    if row.age_reason >= 0 and (seeker.age < row.age_min or (row.age_max >= 0 and seeker.age > row.age_max)):
        return _AGE_LIMIT + row.age_reason
    if row.sex >= 0 and seeker.sex >= 0 and row.sex != seeker.sex:
        return _SEX
    if person.lacking[row.certificates]:
        return _CERTIFICATE
    for at in range(len(tables.limits)):
        if row.demands & seeker.limits & tables.limits[at]:
            return _LIMIT + at
    if person.late[row.hours]:
        return _HOME_BY
    if not is_open:
        return _CLOSED
    if row.valid_until < today:
        return _EXPIRED
    if left <= 0:
        return _FULL
    if km > seeker.max_km:
        return _TOO_FAR
    if not (seeker.kinds >> row.kind) & 1:
        return _KIND
    return -1


@inlined
def _is_barred(row: Any, is_open: bool, left: int, seeker: Any, person: Person, today: int) -> bool:  # noqa: FBT001
    """Whether any rule but that of distance bars a row: all are asked, since to guess which one will costs more."""
    return bool(
        (seeker.is_child != 0)
        | ((seeker.spared_level_iv != 0) & (row.level == 4))
        | ((row.demands & (seeker.underground | seeker.hazards | seeker.limits)) != 0)
        | ((row.age_reason >= 0) & ((seeker.age < row.age_min) | ((row.age_max >= 0) & (seeker.age > row.age_max))))
        | ((row.sex >= 0) & (seeker.sex >= 0) & (row.sex != seeker.sex))
        | person.lacking[row.certificates]
        | person.late[row.hours]
        | (not is_open)
        | (row.valid_until < today)
        | (left <= 0)
        | (((seeker.kinds >> row.kind) & 1) == 0)
    )


@inlined
def _skill(row: Any, seeker: Any, person: Person, scale: Scale) -> float:
    known = person.close[row.occupation]
    if seeker.words < 0:
        return known
    return 1.0 - (1.0 - scale.without_words * known) * (1.0 - person.said[row.title])


@inlined
def _experience(asked: float, seeker: Any) -> float:
    if math.isnan(asked) or asked <= 0:
        return 1.0
    if math.isnan(seeker.years):
        return EXPERIENCE_UNKNOWN
    return min(max(seeker.years / asked, 0.2), 1.0)


@inlined
def _education(asked: int, seeker: Any) -> float:
    if asked <= 0:
        return 1.0
    if seeker.education < 0:
        return EDUCATION_UNKNOWN
    return min(max(1.0 - 0.3 * (asked - seeker.education), 0.1), 1.0)


@inlined
def _room(row: Any, left: int) -> float:
    places = float(max(left, 0))
    return places / (places + 0.5 * max(row.sent, 0) + 0.5)


@inlined
def _pay_worth(times: float) -> float:
    below = 0.6 * times * times
    above = 0.6 + 0.4 * min(1.0, (times - 1.0) / 0.5)
    return below if times < 1.0 else above


@inlined
def _pay(row: Any, seeker: Any, tables: Tables, scale: Scale) -> float:
    usual = tables.usual[row.occupation]
    mark = seeker.pay if seeker.pay > 0 else usual
    believed = min(max(1.0 - (row.pay / max(mark, usual) - scale.bait_multiple), 0.0), 1.0)
    worth = _pay_worth(row.pay / mark) * believed
    return PAY_UNKNOWN if math.isnan(row.pay) else worth


@inlined
def _start(row: Any, seeker: Any) -> float:
    wait = float(row.starts) - float(seeker.can_start)
    # Work that has begun already waits for nobody but takes whoever can come now.
    late = max(wait, 0.0 if seeker.free_now else -2.0 * wait)
    return START_UNKNOWN if row.starts == UNKNOWN_DAY else 30.0 / (30.0 + late)


@inlined
def _hours(row: Any, km: float, seeker: Any, tables: Tables, scale: Scale) -> float:
    if math.isnan(seeker.home_by):
        return 1.0
    if row.demands & scale.nights:
        return 0.0
    ends_at = tables.hours[row.hours]
    if math.isnan(ends_at):
        return HOURS_UNKNOWN
    return min(max((seeker.home_by - ends_at - km * scale.detour / scale.travel_km_hour) / 2.0, 0.0), 1.0)


@inlined
def _chance(row: Any, left: int, skill: float, person: Person, scale: Scale) -> float:
    return (scale.skill_floor + (1.0 - scale.skill_floor) * skill) * (
        row.fixed_chance
        + scale.room * _room(row, left)
        + person.years[row.years]
        + person.education[row.education + 1]
        + person.chances[row.kind]
    )


@inlined
def _worth_at_home(row: Any, seeker: Any, person: Person, tables: Tables, scale: Scale) -> float:
    """What the work is worth, but for distance and hours."""
    return (
        row.fixed_worth
        + scale.pay * _pay(row, seeker, tables, scale)
        + scale.start * _start(row, seeker)
        + person.worths[row.kind]
    )


@inlined
def _commute(road: float, scale: Scale) -> float:
    return scale.daily_km / max(road, scale.daily_km)


@inlined
def _score(chance: float, at_home: float, row: Any, km: float, seeker: Any, tables: Tables, scale: Scale) -> float:
    road = km * tables.detours[row.township]
    worth = _commute(road, scale) * (
        at_home + scale.near * math.exp(-road / scale.decay_km) + scale.hours * _hours(row, km, seeker, tables, scale)
    )
    return float(np.rint(chance * worth * _SCALE)) / _SCALE


@inlined
def _most_chance(envelope: Any, seeker: Any, person: Person, scale: Scale) -> float:
    return (
        envelope.chance
        + scale.experience * _experience(envelope.years, seeker)
        + person.education[envelope.education + 1]
        + person.best_chances[envelope.kinds & seeker.kinds]
    )


@inlined
def _most_worth(envelope: Any, seeker: Any, person: Person, scale: Scale) -> float:
    """As `_worth_at_home`, and hours."""
    times = envelope.pay / seeker.pay if seeker.pay > 0 else envelope.pay_ratio
    return (
        envelope.worth
        + scale.pay * max(PAY_UNKNOWN, _pay_worth(max(times, 0.0)))
        + scale.start
        + person.best_worths[envelope.kinds & seeker.kinds]
        + scale.hours
    )


@inlined
def _most(envelope: Any, km: float, seeker: Any, person: Person, scale: Scale) -> float:
    """An upper bound of score / (floor + (1 - floor) x skill) of the rows of an envelope no nearer than `km`."""
    road = km * envelope.detour
    worth = _most_worth(envelope, seeker, person, scale) + scale.near * math.exp(-road / scale.decay_km)
    return _most_chance(envelope, seeker, person, scale) * _commute(road, scale) * worth


@inlined
def _is_worse(net: float, number: int, than: float, than_number: int) -> bool:
    return net < than or (net == than and number > than_number)


@inlined
def _sift_down(nets: Array, numbers: Array, places: Array, grosses: Array, size: int) -> None:
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and _is_worse(nets[child + 1], numbers[child + 1], nets[child], numbers[child]):
            child += 1
        if not _is_worse(nets[child], numbers[child], nets[at], numbers[at]):
            return
        nets[at], nets[child] = nets[child], nets[at]
        numbers[at], numbers[child] = numbers[child], numbers[at]
        places[at], places[child] = places[child], places[at]
        grosses[at], grosses[child] = grosses[child], grosses[at]
        at = child


@inlined
def _push(nets: Array, numbers: Array, places: Array, grosses: Array, size: int,
          net: float, number: int, place: int, gross: float) -> int:  # fmt: skip
    """Take a row into the best k, which form a heap with the worst on top; the heap's new size."""
    if size < len(nets):
        at = size
        while at > 0:
            parent = (at - 1) // 2
            if not _is_worse(net, number, nets[parent], numbers[parent]):
                break
            nets[at], numbers[at], places[at], grosses[at] = (
                nets[parent],
                numbers[parent],
                places[parent],
                grosses[parent],
            )
            at = parent
        nets[at], numbers[at], places[at], grosses[at] = net, number, place, gross
        return size + 1
    if _is_worse(nets[0], numbers[0], net, number):
        nets[0], numbers[0], places[0], grosses[0] = net, number, place, gross
        _sift_down(nets, numbers, places, grosses, size)
    return size


@inlined
def _scan(
    segment: Segment, start: int, end: int, base: int, seeker: Any, anchors: Array, person: Person, tables: Tables,
    scale: Scale, skill_min: float, mask: Array, prices: Array, near_most: float, commute_most: float,
    nets: Array, numbers: Array, places: Array, grosses: Array, size: int,
) -> int:  # fmt: skip
    """Judge and score the rows from `start` to `end`, which are no nearer than two bounds tell; the heap's new size."""
    for at in range(start, end):
        row = segment.rows[at]
        skill = _skill(row, seeker, person, scale)
        if skill < skill_min:
            continue
        chance = _chance(row, segment.left[at], skill, person, scale)
        at_home = _worth_at_home(row, seeker, person, tables, scale)
        price = float(prices[at]) if len(prices) else 0.0
        most = chance * commute_most * (at_home + near_most + scale.hours) - price + _ROUNDING
        if size == len(nets) and most < nets[0]:
            continue
        # Most rows are not good enough, and few of them barred: the rules are asked last.
        if (len(mask) and not mask[at]) or _is_barred(
            row, segment.is_open[at], segment.left[at], seeker, person, scale.today
        ):
            continue
        km = nearest_km(row, seeker, anchors, scale)
        if km > seeker.max_km:
            continue
        gross = _score(chance, at_home, row, km, seeker, tables, scale)
        size = _push(nets, numbers, places, grosses, size, gross - price, row.id, base + at, gross)
    return size


@inlined
def _first_chunk(chunks: Array, start: int, end: int, occupation: int) -> int:
    """The first chunk of an occupation in a block, or where it would stand."""
    while start < end:
        middle = (start + end) // 2
        if chunks[middle].occupation < occupation:
            start = middle + 1
        else:
            end = middle
    return start


@inlined
def _sink(keys: Array, values: Array, size: int, at: int) -> None:
    """Let a key sink in a heap with the least on top."""
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= keys[at]:
            return
        keys[at], keys[child] = keys[child], keys[at]
        values[at], values[child] = values[child], values[at]
        at = child


@inlined
def _to_heap(keys: Array, values: Array, size: int) -> None:
    for at in range(size // 2 - 1, -1, -1):
        _sink(keys, values, size, at)


@inlined
def _drop_top(keys: Array, values: Array, size: int) -> int:
    """Take the top off a heap; its new size."""
    size -= 1
    keys[0], values[0] = keys[size], values[size]
    _sink(keys, values, size, 0)
    return size


@inlined
def _put(keys: Array, values: Array, size: int, key: float, value: int) -> int:
    """Put a key into a heap; its new size."""
    at = size
    while at > 0 and key < keys[(at - 1) // 2]:
        keys[at], values[at] = keys[(at - 1) // 2], values[(at - 1) // 2]
        at = (at - 1) // 2
    keys[at], values[at] = key, value
    return size + 1


@inlined
def _weigh(chunk: Any, seeker: Any, anchors: Array, person: Person, scale: Scale, skill_min: float,
           near_most: float, commute_most: float, to_beat: float) -> float:  # fmt: skip
    """What no row of a chunk or bundle surpasses, -inf where none counts or where that is less than `to_beat`.

    `near_most` and `commute_most` tell how near the block is at best: often that is enough to know.
    """
    skill = person.most_skill[chunk.occupation]
    if (
        skill < skill_min
        or person.lacking[chunk.certificates]
        or chunk.demands & seeker.limits
        or not chunk.kinds & seeker.kinds
    ):
        return -math.inf
    chance = (scale.skill_floor + (1.0 - scale.skill_floor) * skill) * _most_chance(chunk, seeker, person, scale)
    worth = _most_worth(chunk, seeker, person, scale)
    if chance * commute_most * (worth + near_most) + _ROUNDING < to_beat:
        return -math.inf
    km = _least_km(chunk, seeker, anchors)
    if km > seeker.max_km + _SPHERE_SLACK_KM:
        return -math.inf
    road = km * chunk.detour
    bound = chance * _commute(road, scale) * (worth + scale.near * math.exp(-road / scale.decay_km)) + _ROUNDING
    return -math.inf if bound < to_beat else bound


@lean
def _search(
    segment: Segment, base: int, seeker: Any, anchors: Array, person: Person, special: Array, wanted: Array,
    wanted_skills: Array, rest_skill: float, scratch: Scratch, tables: Tables, scale: Scale, skill_min: float,
    mask: Array, prices: Array, chunk_prices: Array,
    nets: Array, numbers: Array, places: Array, grosses: Array, size: int, read: Array,
) -> int:  # fmt: skip
    """Take the best rows of a segment into the heap; its new size. `read` counts blocks, chunks and rows looked at."""
    k = len(nets)
    near, order, bounds, queue = scratch.near, scratch.order, scratch.bounds, scratch.queue
    floor, rise = scale.skill_floor, 1.0 - scale.skill_floor
    whole = segment.whole[0]
    for is_rest in range(2):
        if is_rest:
            top = rest_skill
        elif len(wanted):
            top = wanted_skills[0]
        else:
            continue
        at_best = (floor + rise * top) * _most(whole, 0.0, seeker, person, scale) + _ROUNDING
        if top < skill_min or (size == k and at_best < nets[0]):
            continue
        blocks = 0
        for at in range(len(segment.blocks)):
            km = _least_km(segment.blocks[at], seeker, anchors)
            if km <= seeker.max_km + _SPHERE_SLACK_KM:
                near[blocks], order[blocks] = km, at
                blocks += 1
        _to_heap(near, order, blocks)
        while blocks > 0:
            km, block = near[0], segment.blocks[order[0]]
            blocks = _drop_top(near, order, blocks)
            if size == k and (floor + rise * top) * _most(whole, km, seeker, person, scale) + _ROUNDING < nets[0]:
                break
            read[0] += 1
            most = _most(block, km, seeker, person, scale)
            if size == k and (floor + rise * top) * most + _ROUNDING < nets[0]:
                continue
            near_most = scale.near * math.exp(-km * block.detour / scale.decay_km)
            commute_most = _commute(km * block.detour, scale)
            queued = 0
            if is_rest:
                chunk_at = block.start
                while chunk_at < block.end:
                    if not special[segment.chunks[chunk_at].occupation]:
                        queue[queued] = chunk_at
                        queued += 1
                    chunk_at += 1 + segment.chunks[chunk_at].members
            else:
                for each in range(len(wanted)):
                    skill = wanted_skills[each]
                    if skill < skill_min or (size == k and (floor + rise * skill) * most + _ROUNDING < nets[0]):
                        break
                    chunk_at = _first_chunk(segment.chunks, block.start, block.end, wanted[each])
                    while chunk_at < block.end and segment.chunks[chunk_at].occupation == wanted[each]:
                        queue[queued] = chunk_at
                        queued += 1
                        chunk_at += 1 + segment.chunks[chunk_at].members
            kept = 0
            for each in range(queued):
                chunk_at = queue[each]
                to_beat = nets[0] if size == k else _ANYTHING
                bound = _weigh(
                    segment.chunks[chunk_at],
                    seeker,
                    anchors,
                    person,
                    scale,
                    skill_min,
                    near_most,
                    commute_most,
                    to_beat,
                )
                if len(chunk_prices):
                    bound -= float(chunk_prices[chunk_at])
                if bound >= to_beat:
                    bounds[kept], queue[kept] = -bound, chunk_at
                    kept += 1
                read[1] += 1
            # The most promising first: what they bring spares reading the others.
            _to_heap(bounds, queue, kept)
            while kept > 0 and (size < k or -bounds[0] >= nets[0]):
                top_at = queue[0]
                chunk = segment.chunks[top_at]
                kept = _drop_top(bounds, queue, kept)
                if chunk.members == 0:
                    read[2] += chunk.end - chunk.start
                    road = _least_km(chunk, seeker, anchors) * chunk.detour
                    size = _scan(
                        segment, chunk.start, chunk.end, base, seeker, anchors, person, tables, scale, skill_min, mask,
                        prices, scale.near * math.exp(-road / scale.decay_km), _commute(road, scale),
                        nets, numbers, places, grosses, size,
                    )  # fmt: skip
                for chunk_at in range(top_at + 1, top_at + 1 + chunk.members):
                    to_beat = nets[0] if size == k else _ANYTHING
                    bound = _weigh(
                        segment.chunks[chunk_at], seeker, anchors, person, scale, skill_min, near_most, commute_most,
                        to_beat,
                    )  # fmt: skip
                    if len(chunk_prices):
                        bound -= float(chunk_prices[chunk_at])
                    if bound >= to_beat:
                        kept = _put(bounds, queue, kept, -bound, chunk_at)
                    read[1] += 1
    return size


@lean
def _scan_whole(
    segment: Segment, seeker: Any, anchors: Array, person: Person, tables: Tables, scale: Scale, skill_min: float,
    mask: Array, prices: Array, nets: Array, numbers: Array, places: Array, grosses: Array,
) -> int:  # fmt: skip
    return _scan(
        segment, 0, len(segment.rows), 0, seeker, anchors, person, tables, scale, skill_min, mask, prices,
        scale.near, 1.0, nets, numbers, places, grosses, 0,
    )  # fmt: skip


@inlined
def _fill(asked: Asked, seeker: Any, scale: Scale, close: Array, touched: Array) -> int:
    """Closeness of each occupation to what a person wants; how many of `touched` are other than the rest."""
    number = 0
    if seeker.wants == seeker.wants_end:
        close[:] = scale.unknown_skill
        return number
    weight = 1.0
    for at in range(seeker.wants, seeker.wants_end):
        want = asked.wants[at]
        for each in range(asked.close_starts[want], asked.close_starts[want + 1]):
            occupation, value = asked.close_occupations[each], weight * asked.close_values[each]
            if close[occupation] == 0.0:
                touched[number] = occupation
                number += 1
            close[occupation] = max(close[occupation], value)
        weight *= scale.later_want
    if scale.unknown_occupation >= 0:
        close[scale.unknown_occupation] = scale.unknown_skill
        touched[number] = scale.unknown_occupation
        number += 1
    return number


@inlined
def _base_skill(seeker: Any, scale: Scale) -> float:
    """The skill of work that the person neither wants nor has named."""
    base = 0.0 if seeker.wants < seeker.wants_end else scale.unknown_skill
    return base if seeker.words < 0 else 1.0 - (1.0 - scale.without_words * base)


@inlined
def _nobody(asked: Asked, tables: Tables, titles: int) -> Person:
    """Room for one person's figures."""
    kinds = len(tables.kinds)
    return Person(
        np.zeros(len(tables.usual)),
        np.zeros(titles),
        np.zeros(asked.lacking.shape[1], np.bool_),
        np.zeros(len(tables.hours), np.bool_),
        np.zeros(len(tables.years)),
        np.zeros(8),
        np.zeros(kinds),
        np.zeros(kinds),
        np.zeros(len(tables.usual)),
        np.zeros(1 << kinds),
        np.zeros(1 << kinds),
    )


@inlined
def _meet(person: Person, asked: Asked, seeker: Any, tables: Tables, scale: Scale) -> None:
    """Work out all but what the person wants and says."""
    person.lacking[:] = asked.lacking[seeker.held]
    for at in range(len(tables.hours)):
        person.late[at] = tables.hours[at] > seeker.home_by
    for at in range(len(tables.years)):
        person.years[at] = scale.experience * _experience(tables.years[at], seeker)
    for rank in range(-1, len(person.education) - 1):
        person.education[rank + 1] = scale.education * _education(rank, seeker)
    for kind in range(len(tables.kinds)):
        person.chances[kind] = scale.programme * tables.programme[seeker.priority, kind]
        person.worths[kind] = scale.kind if not seeker.any_kind else scale.kind * tables.kinds[kind]
        for lower in range(1 << kind):
            person.best_chances[(1 << kind) + lower] = max(person.chances[kind], person.best_chances[lower])
            person.best_worths[(1 << kind) + lower] = max(person.worths[kind], person.best_worths[lower])


@inlined
def _take_out(nets: Array, numbers: Array, places: Array, grosses: Array, size: int) -> None:
    """Put the heap in order, best first, and clear what lies behind it."""
    for last in range(size - 1, 0, -1):
        nets[0], nets[last] = nets[last], nets[0]
        numbers[0], numbers[last] = numbers[last], numbers[0]
        places[0], places[last] = places[last], places[0]
        grosses[0], grosses[last] = grosses[last], grosses[0]
        _sift_down(nets, numbers, places, grosses, last)
    numbers[size:] = -1
    places[size:] = -1
    grosses[size:] = 0.0
    for at in range(size):
        if places[at] < 0:
            numbers[at] = -1


@compiled
def search_many(
    main: Segment, delta: Segment, asked: Asked, tables: Tables, scale: Scale, limits: Limits, titles: int,
    leasts: Array, ids: Array, places: Array, scores: Array, read: Array,
) -> None:  # fmt: skip
    """The best k for each of n people, written to ids, places and scores, each (n, k); -1, -1, 0 where there is none.

    `leasts` (n,), or empty: what counts for a person only from that score less price on.

    A place is the row in main, or the rows of main and the row in delta. `titles` is how many there are. `read` (3,)
    is raised by the blocks, chunks and rows that were looked at.
    """
    occupations = len(tables.usual)
    person = _nobody(asked, tables, titles)
    close, said = person.close, person.said
    most_said, skills = np.zeros(occupations), np.empty(occupations)
    special, touched = np.zeros(occupations, np.bool_), np.empty(occupations, np.int32)
    nets = np.empty(ids.shape[1])
    blocks, chunks = max(len(main.blocks), len(delta.blocks)), max(len(main.chunks), len(delta.chunks))
    scratch = Scratch(np.empty(blocks), np.empty(blocks, np.int32), np.empty(chunks), np.empty(chunks, np.int32))
    for each_person in range(len(asked.seekers)):
        seeker = asked.seekers[each_person]
        numbers, where, grosses = ids[each_person], places[each_person], scores[each_person]
        _meet(person, asked, seeker, tables, scale)
        close[:] = 0.0
        number = _fill(asked, seeker, scale, close, touched)
        for each in range(number):
            special[touched[each]] = True
        words_start, words_end = 0, 0
        if seeker.words >= 0:
            words_start, words_end = asked.word_starts[seeker.words], asked.word_starts[seeker.words + 1]
            for at in range(asked.said_starts[seeker.words], asked.said_starts[seeker.words + 1]):
                occupation = asked.said_occupations[at]
                most_said[occupation] = asked.said_most[at]
                if not special[occupation]:
                    special[occupation] = True
                    touched[number] = occupation
                    number += 1
        for at in range(words_start, words_end):
            said[asked.word_titles[at]] = asked.word_values[at]
        person.most_skill[:] = _base_skill(seeker, scale)
        for each in range(number):
            skill = close[touched[each]]
            if seeker.words >= 0:
                skill = 1.0 - (1.0 - scale.without_words * skill) * (1.0 - most_said[touched[each]])
            skills[each] = person.most_skill[touched[each]] = skill
        order = np.argsort(-skills[:number])
        wanted, wanted_skills = touched[:number][order], skills[:number][order]
        # Words that many titles share lead to many occupations, hardly any of them for good: those are not gone
        # through one by one.
        rest_skill = _base_skill(seeker, scale)
        if number > MOST_WANTED:
            rest_skill = max(rest_skill, wanted_skills[MOST_WANTED])
            for each in range(MOST_WANTED, number):
                special[wanted[each]] = False
            wanted, wanted_skills = wanted[:MOST_WANTED], wanted_skills[:MOST_WANTED]
        size = 0
        if len(leasts) and leasts[each_person] > -math.inf:
            # As though the list were full of what is worth just that, and comes behind all others worth the same.
            size = len(nets)
            nets[:], numbers[:], where[:], grosses[:] = leasts[each_person], LAST_ID, -1, 0.0
        for part in range(2):
            segment = delta if part else main
            if len(segment.rows):
                size = _search(
                    segment, len(main.rows) if part else 0, seeker, asked.anchors, person, special, wanted,
                    wanted_skills,
                    rest_skill, scratch, tables, scale, limits.skill_min, limits.masks[part], limits.prices[part],
                    limits.chunk_prices[part], nets, numbers, where, grosses, size, read,
                )  # fmt: skip
        for at in range(words_start, words_end):
            said[asked.word_titles[at]] = 0.0
        for each in range(number):
            special[touched[each]] = False
            most_said[touched[each]] = 0.0
        _take_out(nets, numbers, where, grosses, size)


@inlined
def _know(person: Person, asked: Asked, seeker: Any, tables: Tables, scale: Scale) -> None:
    """Work out all of one person."""
    _meet(person, asked, seeker, tables, scale)
    person.close[:] = 0.0
    person.said[:] = 0.0
    _fill(asked, seeker, scale, person.close, np.empty(len(person.close), np.int32))
    if seeker.words >= 0:
        for at in range(asked.word_starts[seeker.words], asked.word_starts[seeker.words + 1]):
            person.said[asked.word_titles[at]] = asked.word_values[at]


@compiled
def judge(
    segment: Segment, rows_at: Array, asked: Asked, tables: Tables, scale: Scale, titles: int,
    rules: Array, kms: Array, scores: Array, parts: Array,
) -> None:  # fmt: skip
    """Rule that bars (-1: none), km, score and DYNAMIC_PARTS of n rows for the first of the people.

    Written to rules (n,), kms (n,), scores (n,) and parts (n, parts); barred rows have their score too.
    """
    seeker, person = asked.seekers[0], _nobody(asked, tables, titles)
    _know(person, asked, seeker, tables, scale)
    for each in range(len(rows_at)):
        at = rows_at[each]
        row, left = segment.rows[at], segment.left[at]
        km = nearest_km(row, seeker, asked.anchors, scale)
        road = km * tables.detours[row.township]
        rules[each] = _first_bar(row, segment.is_open[at], left, km, seeker, person, tables, scale.today)
        kms[each] = km
        skill = _skill(row, seeker, person, scale)
        chance = _chance(row, left, skill, person, scale)
        scores[each] = _score(
            chance, _worth_at_home(row, seeker, person, tables, scale), row, km, seeker, tables, scale
        )
        parts[each, 0] = skill
        parts[each, 1] = _experience(tables.years[row.years], seeker)
        parts[each, 2] = _education(row.education, seeker)
        parts[each, 3] = _room(row, left)
        parts[each, 4] = tables.programme[seeker.priority, row.kind]
        parts[each, 5] = _pay(row, seeker, tables, scale)
        parts[each, 6] = math.exp(-road / scale.decay_km)
        parts[each, 7] = _commute(road, scale)
        parts[each, 8] = _start(row, seeker)
        parts[each, 9] = tables.kinds[row.kind] if seeker.any_kind else 1.0
        parts[each, 10] = _hours(row, km, seeker, tables, scale)


@compiled
def tally(
    segment: Segment, asked: Asked, tables: Tables, scale: Scale, titles: int, skill_min: float,
    by_rule: Array, by_certificates: Array,
) -> None:  # fmt: skip
    """Count what is there for the first of the people: open, valid, not full and within reach.

    `by_rule` (rules,) counts barred rows; `by_certificates` (certificate sets,) those that nothing bars and whose
    skill is at least `skill_min`.
    """
    seeker, person = asked.seekers[0], _nobody(asked, tables, titles)
    _know(person, asked, seeker, tables, scale)
    for block_at in range(len(segment.blocks)):
        block = segment.blocks[block_at]
        if _least_km(block, seeker, asked.anchors) > seeker.max_km + _SPHERE_SLACK_KM:
            continue
        for at in range(segment.chunks[block.start].start, segment.chunks[block.end - 1].end):
            row, left = segment.rows[at], segment.left[at]
            if not segment.is_open[at] or row.valid_until < scale.today or left <= 0:
                continue
            km = nearest_km(row, seeker, asked.anchors, scale)
            if km > seeker.max_km:
                continue
            rule = _first_bar(row, segment.is_open[at], left, km, seeker, person, tables, scale.today)
            if rule >= 0:
                by_rule[rule] += 1
            elif _skill(row, seeker, person, scale) >= skill_min:
                by_certificates[row.certificates] += 1


@compiled
def split(traits: Array, order: Array, runs: Array, most: int, is_start: Array) -> None:
    """Put the rows of each run into chunks of at most `most` that are alike: k-d tree, Bentley 1975 (CACM 18/9).

    `traits` (n, traits); `order` (n,) is the order of the rows, changed in place within each run from runs[i] to
    runs[i + 1]; `is_start` (n,) is set where a chunk begins. A part is cut at the middle of the trait that spreads
    most in it.
    """
    pending = np.empty((128, 2), np.int64)
    for run in range(len(runs) - 1):
        pending[0, 0], pending[0, 1] = runs[run], runs[run + 1]
        depth = 1
        while depth > 0:
            depth -= 1
            start, end = pending[depth]
            if end - start <= most:
                is_start[start] = True
                continue
            widest, trait = -1.0, 0
            for each in range(traits.shape[1]):
                low = high = traits[order[start], each]
                for at in range(start + 1, end):
                    value = traits[order[at], each]
                    low, high = min(low, value), max(high, value)
                if high - low > widest:
                    widest, trait = high - low, each
            part = order[start:end].copy()
            column = np.empty(end - start, np.float32)
            for at in range(end - start):
                column[at] = traits[part[at], trait]
            by_trait = np.argsort(column, kind="mergesort")
            for at in range(end - start):
                order[start + at] = part[by_trait[at]]
            # Whole chunks to the left, so that as few as can be are left half full.
            middle = start + most * ((end - start + 2 * most - 1) // (2 * most))
            pending[depth, 0], pending[depth, 1] = middle, end
            pending[depth + 1, 0], pending[depth + 1, 1] = start, middle
            depth += 2


@inlined
def _up(value: float) -> Any:
    return np.nextafter(np.float32(value), np.float32(np.inf))


@inlined
def _down(value: float) -> Any:
    return np.nextafter(np.float32(value), np.float32(-np.inf))


@compiled
def enclose(rows: Array, left: Array, tables: Tables, room: float, envelopes: Array) -> None:
    """Fill in what envelopes say of their rows, which are those from `start` to `end`; `room` is the share of room."""
    for each in range(len(envelopes)):
        envelope = envelopes[each]
        x = y = z = 0.0
        for at in range(envelope.start, envelope.end):
            row = rows[at]
            x, y, z = x + row.x, y + row.y, z + row.z
        length = math.sqrt(x * x + y * y + z * z)
        # Any point may be the middle, and places all round the globe have none: chords are measured from what is kept.
        if length > 1e-6:
            envelope.x, envelope.y, envelope.z = x / length, y / length, z / length
        else:
            envelope.x, envelope.y, envelope.z = 1.0, 0.0, 0.0
        radius, detour, chance, worth, pay, ratio, years = 0.0, math.inf, -math.inf, -math.inf, -1.0, -1.0, math.inf
        demands, kinds, education = 0xFFFF, 0, 127
        for at in range(envelope.start, envelope.end):
            row = rows[at]
            dx, dy, dz = row.x - envelope.x, row.y - envelope.y, row.z - envelope.z
            radius = max(radius, math.sqrt(dx * dx + dy * dy + dz * dz))
            detour = min(detour, tables.detours[row.township])
            chance = max(chance, row.fixed_chance + room * _room(row, left[at]))
            worth = max(worth, row.fixed_worth)
            asked = tables.years[row.years]
            years = min(years, 0.0 if math.isnan(asked) else asked)
            if not math.isnan(row.pay):
                pay = max(pay, row.pay)
                ratio = max(ratio, row.pay / tables.usual[row.occupation])
            demands &= row.demands
            kinds |= 1 << row.kind
            education = min(education, row.education)
        envelope.radius, envelope.detour = _up(radius + _CHORD_SLACK), _down(detour)
        envelope.chance, envelope.worth = _up(chance), _up(worth)
        envelope.pay, envelope.pay_ratio, envelope.years = _up(pay), _up(ratio), _down(max(years, 0.0))
        envelope.demands, envelope.kinds, envelope.education = demands, kinds, education


@compiled
def most_said(segments: tuple[Segment, Segment], titles: Array, values: Array, occupations: int) -> tuple[Any, Any]:
    """The occupations that some titles occur with, and how far the best of each one's titles says the words."""
    most, found, number = np.zeros(occupations), np.empty(occupations, np.int32), 0
    for segment in segments:
        for each in range(len(titles)):
            title = titles[each]
            if title + 1 >= len(segment.title_starts):
                continue
            for at in range(segment.title_starts[title], segment.title_starts[title + 1]):
                occupation = segment.title_occupations[at]
                if most[occupation] == 0.0 and values[each] > 0.0:
                    found[number] = occupation
                    number += 1
                most[occupation] = max(most[occupation], values[each])
    return found[:number].copy(), most[found[:number]]


@compiled
def find(rows: Array, by_id: Array, ids: Array, places: Array) -> None:
    """Where n ids stand in rows that `by_id` puts in the order of their ids: positions (n,), -1 where nowhere.

    Each row that is looked at waits for the memory. Ids mostly lie evenly: where one stands is guessed from those
    around it (Perl, Itai, Avni 1978, CACM 21/7), and what a few guesses leave is halved.
    """
    places[:] = -1
    if len(by_id) == 0:
        return
    first, last = float(rows[by_id[0]].id), float(rows[by_id[-1]].id)
    for each in range(len(ids)):
        wanted = ids[each]
        start, end, low, high, guesses = -1, len(by_id), first - 1.0, last + 1.0, 0
        while end - start > 1:
            at = (start + end) // 2
            if guesses < MOST_GUESSES:
                share = (wanted - low) / (high - low)
                at = min(max(start + int(share * (end - start)), start + 1), end - 1)
                guesses += 1
            found = rows[by_id[at]].id
            if found == wanted:
                places[each] = by_id[at]
                break
            if found < wanted:
                start, low = at, float(found)
            else:
                end, high = at, float(found)


@compiled
def scan_all(
    segment: Segment, asked: Asked, tables: Tables, scale: Scale, limits: Limits, titles: int,
    ids: Array, places: Array, scores: Array,
) -> None:  # fmt: skip
    """As `search_many` over one segment, by reading every row: what the bounds are measured against."""
    person, nets = _nobody(asked, tables, titles), np.empty(ids.shape[1])
    for each_person in range(len(asked.seekers)):
        seeker = asked.seekers[each_person]
        _know(person, asked, seeker, tables, scale)
        size = _scan_whole(
            segment, seeker, asked.anchors, person, tables, scale, limits.skill_min, limits.masks[0], limits.prices[0],
            nets, ids[each_person], places[each_person], scores[each_person],
        )  # fmt: skip
        _take_out(nets, ids[each_person], places[each_person], scores[each_person], size)
