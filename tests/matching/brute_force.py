"""The ranking of `docs/ranking.md` computed again, one posting at a time, to hold the library against.

Written from the document alone, in plain Python, without a line of `matching/`: a mistake would have to be made twice.
When the two differ, the document decides who is right, not this file.
"""

import itertools
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from matching import Opening, Place, Seeker

EARTH_KM = 6371.0088
DISTRICT_KM = 5.0
DETOUR = 1.4
COMMUTE_KM = 40.0
GOING_RATE = 4961.0

CHANCE_SHARES = {"experience": 0.20, "education": 0.16, "room": 0.20, "reply": 0.18, "trust": 0.10, "programme": 0.16}
WORTH_SHARES = {
    "pay": 0.30,
    "near": 0.30,
    "start": 0.08,
    "keep": 0.07,
    "insurance": 0.06,
    "kind": 0.05,
    "ease": 0.08,
    "hours": 0.03,
    "open_to_all": 0.03,
}
SCHOOL = {"none": 0, "primary": 1, "junior": 2, "senior": 3, "vocational": 3, "college": 4, "bachelor": 5}
HAZARDS_OF_MINORS = ("heights", "heavy_lifting", "heat", "dust", "chemicals", "cold_water", "underground")
LIMITS = {
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
KIND_PARTS = {
    "full_time": 1.0,
    "workshop": 0.95,
    "public_welfare": 0.9,
    "work_relief": 0.8,
    "part_time": 0.8,
    "seasonal": 0.75,
    "day_labour": 0.65,
}
PROGRAMME_PARTS = {"poverty_alleviated": 1.0, "hard_to_employ": 0.6, "none": 0.35}
EASE_OF_LEVEL = {None: 0.8, 1: 1.0, 2: 0.8, 3: 0.45, 4: 0.1}
EASE_TAKEN = {"heavy_lifting": 0.3, "nights": 0.2, "heat": 0.1, "dust": 0.1, "chemicals": 0.1, "heights": 0.1}
BRACKETED = re.compile(r"[(\[【〔《<「].*?[)\]】〕》>」]", re.DOTALL)
CALLS = ("急招", "急聘", "诚聘", "诚招", "高薪", "直招", "招聘", "招")
ENDINGS = ("师傅", "人员", "工人", "工", "员", "的")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables that an office can learn: closeness of occupations, going rates, detours by township."""

    closeness: Mapping[tuple[str, str], float] = field(default_factory=dict)
    going_rates: Mapping[str, float] = field(default_factory=dict)
    detours: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One posting for one person: `rule` is why not, or None; what is barred has no score and no parts."""

    opening_id: int
    rule: str | None
    score: float
    distance_km: float
    parts: Mapping[str, float]


def clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def haversine_km(one: Place, other: Place) -> float:
    a, b = math.radians(one.lat), math.radians(other.lat)
    across = math.radians(other.lon - one.lon)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(across / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def distance_km(seeker: Seeker, opening: Opening) -> float:
    def counted(place: Place) -> float:
        straight = haversine_km(place, opening.place)
        vague = "district" in (place.precision, opening.place.precision)
        return max(straight, DISTRICT_KM) if vague else straight

    return min(counted(place) for place in seeker.places)


def age_on(birth_date: date, today: date) -> int:
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))


def first_rule(
    seeker: Seeker, opening: Opening, *, today: date, km: float, closed: Collection[int] = frozenset()
) -> str | None:
    """The refusal's rule by section 2, or None."""
    age = age_on(seeker.birth_date, today)
    if age < 16:
        return "under_working_age"
    woman = seeker.sex == "female"
    if opening.physical_level == 4 and (woman or age < 18):
        return "hazard_level_iv"
    if "underground" in opening.demands and woman:
        return "hazard_underground"
    if age < 18 and any(hazard in opening.demands for hazard in HAZARDS_OF_MINORS):
        return "hazard_minor"
    too_young = opening.age_min is not None and age < opening.age_min
    too_old = opening.age_max is not None and age > opening.age_max
    if opening.age_reason is not None and (too_young or too_old):
        return {"statutory_hazard": "age_statutory_hazard", "licence_age": "age_licence"}[opening.age_reason]
    if opening.sex_required is not None and seeker.sex is not None and seeker.sex != opening.sex_required:
        return "sex_statutory"
    if any(certificate not in seeker.certificates for certificate in opening.certificates):
        return "certificate"
    for limit, demand in LIMITS.items():
        if limit in seeker.limits and demand in opening.demands:
            return f"limit_{limit}"
    if seeker.home_by is not None and opening.ends_at_hour is not None and opening.ends_at_hour > seeker.home_by:
        return "home_by"
    if opening.id in closed:
        return "closed"
    if opening.valid_until is not None and opening.valid_until < today:
        return "expired"
    if opening.openings <= 0:
        return "full"
    if km > seeker.max_km:
        return "too_far"
    if seeker.kinds and opening.kind not in seeker.kinds:
        return "kind"
    return None


def closeness(wanted: str, offered: str, tables: Tables) -> float:
    if (wanted, offered) in tables.closeness:
        return tables.closeness[(wanted, offered)]
    if wanted == offered:
        return 1.0
    one, other = wanted.split("-"), offered.split("-")
    if len(one) != len(other) or len(one) < 3:
        return 0.0
    if one[:-1] == other[:-1]:
        return 0.6
    return 0.3 if one[:-2] == other[:-2] else 0.0


def plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def pairs_of(text: str) -> set[str]:
    """The pairs of a plain text."""
    return {a + b for a, b in itertools.pairwise(text) if a.isalnum() and b.isalnum()}


def without_call(piece: str) -> str:
    """What advertises, taken off the beginning until nothing more comes off."""
    for call in CALLS:
        if piece.startswith(call) and len(piece) - len(call) >= 2:
            return without_call(piece[len(call) :])
    return piece


def without_ending(piece: str) -> str:
    for ending in ENDINGS:
        if piece.endswith(ending) and len(piece) - len(ending) >= 2:
            return piece[: -len(ending)]
    return piece


def pieces_of(text: str) -> list[str]:
    """The pieces of a plain text."""
    runs = itertools.groupby(BRACKETED.sub(" ", text), str.isalnum)
    return [without_ending(without_call("".join(run))) for is_piece, run in runs if is_piece]


def dice(one: str, other: str) -> float:
    pairs, others = pairs_of(one), pairs_of(other)
    return 2 * len(pairs & others) / (len(pairs) + len(others)) if pairs or others else 0.0


def holds(title: str, words: str) -> bool:
    """Whether a piece of the title holds all pairs of a piece of the words, at least one."""
    pairs = pairs_of(words)
    return bool(pairs) and pairs <= pairs_of(title)


def said(words: str, title: str) -> float:
    """How far the title says what the person said."""
    words, title = plain(words), plain(title)
    pieces = list(itertools.product(pieces_of(words), pieces_of(title)))
    alike = max((dice(a, b) ** 2 for a, b in pieces), default=0.0)
    held = 0.6 if any(holds(b, a) for a, b in pieces) else 0.0
    pairs = pairs_of(title)
    shared = len(pairs & pairs_of(words)) / len(pairs) if pairs else 0.0
    return max(alike, held, 0.5 * shared)


def skill(seeker: Seeker, opening: Opening, tables: Tables) -> float:
    if not seeker.wants or opening.occupation is None:
        close = 0.3
    else:
        close = max(
            closeness(wanted, opening.occupation, tables) * 0.9**place for place, wanted in enumerate(seeker.wants)
        )
    if seeker.skills_text:
        return 1 - (1 - 0.85 * close) * (1 - said(seeker.skills_text, opening.title))
    return close


def commute(road_km: float) -> float:
    return 1.0 if road_km <= COMMUTE_KM else COMMUTE_KM / road_km


def pay(seeker: Seeker, opening: Opening, tables: Tables) -> float:
    low, high = opening.pay_min_yuan_month, opening.pay_max_yuan_month
    if low is None and high is None:
        return 0.3
    if low is None:
        assert high is not None
        expected = 0.75 * high
    else:
        expected = low + max(0.0, (low if high is None else high) - low) / 4
    going_rate = tables.going_rates.get(opening.occupation or "", GOING_RATE)
    mark = seeker.pay_min_yuan_month or going_rate
    times = expected / mark
    part = 0.6 * times**2 if times < 1 else 0.6 + 0.4 * min(1.0, (times - 1) / 0.5)
    believable = expected / max(mark, going_rate)
    if believable > 3:
        part *= clamp(1 - (believable - 3), 0.0, 1.0)
    return part


def start(seeker: Seeker, opening: Opening, today: date) -> float:
    if opening.starts_on is None:
        return 0.8
    free_on = max(seeker.available_on or today, today)
    wait = (opening.starts_on - free_on).days
    late = wait if wait > 0 else 0 if free_on == today else 2 * -wait
    return 30 / (30 + late)


def known(fact: bool | None) -> float:
    return 0.4 if fact is None else float(fact)


def experience(seeker: Seeker, opening: Opening) -> float:
    asked = opening.experience_years_min
    if not asked:
        return 1.0
    return 0.7 if seeker.experience_years is None else clamp(seeker.experience_years / asked, 0.2, 1.0)


def education(seeker: Seeker, opening: Opening) -> float:
    if opening.education in (None, "none"):
        return 1.0
    if seeker.education is None:
        return 0.75
    return clamp(1 - 0.3 * (SCHOOL[str(opening.education)] - SCHOOL[seeker.education]), 0.1, 1.0)


def ease(opening: Opening) -> float:
    taken = sum(less for demand, less in EASE_TAKEN.items() if demand in opening.demands)
    return clamp(EASE_OF_LEVEL[opening.physical_level] - taken, 0.0, 1.0)


def hours(seeker: Seeker, opening: Opening, km: float) -> float:
    if seeker.home_by is None:
        return 1.0
    if "nights" in opening.demands:
        return 0.0
    if opening.ends_at_hour is None:
        return 0.6
    return clamp((seeker.home_by - opening.ends_at_hour - km * 1.4 / 25) / 2, 0.0, 1.0)


def all_parts(seeker: Seeker, opening: Opening, *, today: date, km: float, tables: Tables) -> dict[str, float]:
    """Every part of section 3 by its name."""
    left, sent = max(opening.openings, 0), max(opening.sent, 0)
    programme = opening.kind in ("work_relief", "public_welfare")
    road_km = km * tables.detours.get(opening.place.township or "", DETOUR)
    return {
        "skill": skill(seeker, opening, tables),
        "commute": commute(road_km),
        "experience": experience(seeker, opening),
        "education": education(seeker, opening),
        "room": left / (left + 0.5 * sent + 0.5),
        "reply": 0.5 if opening.reply_rate is None else opening.reply_rate,
        "trust": 1.0 if opening.verified else 0.3,
        "programme": PROGRAMME_PARTS[seeker.priority] if programme else 0.5,
        "pay": pay(seeker, opening, tables),
        "near": math.exp(-road_km / 15),
        "start": start(seeker, opening, today),
        "keep": 0.4 * known(opening.meals) + 0.6 * known(opening.lodging),
        "insurance": known(opening.insurance),
        "kind": 1.0 if seeker.kinds else KIND_PARTS[opening.kind],
        "ease": ease(opening),
        "hours": hours(seeker, opening, km),
        "open_to_all": 0.0 if opening.age_max is not None and opening.age_reason is None else 1.0,
    }


def judge(
    seeker: Seeker,
    opening: Opening,
    *,
    today: date,
    tables: Tables | None = None,
    closed: Collection[int] = frozenset(),
) -> Judged:
    """One posting for one person."""
    tables = tables or Tables()
    km = distance_km(seeker, opening)
    rule = first_rule(seeker, opening, today=today, km=km, closed=closed)
    if rule is not None:
        return Judged(opening_id=opening.id, rule=rule, score=0.0, distance_km=km, parts={})
    parts = all_parts(seeker, opening, today=today, km=km, tables=tables)
    chance = sum(share * parts[name] for name, share in CHANCE_SHARES.items()) / sum(CHANCE_SHARES.values())
    worth = sum(share * parts[name] for name, share in WORTH_SHARES.items()) / sum(WORTH_SHARES.values())
    return Judged(
        opening_id=opening.id,
        rule=None,
        score=round((0.05 + 0.95 * parts["skill"]) * chance * parts["commute"] * worth, 9),
        distance_km=km,
        parts=parts,
    )


def is_there(opening: Opening, judged: Judged, seeker: Seeker, *, today: date, closed: Collection[int]) -> bool:
    """Open, with places, and within reach: whoever asks, this posting could be had."""
    lasts = opening.valid_until is None or opening.valid_until >= today
    return opening.id not in closed and lasts and opening.openings > 0 and judged.distance_km <= seeker.max_km


def order(judged: Iterable[Judged]) -> list[Judged]:
    """What nothing bars, best first, equal scores by id."""
    return sorted((one for one in judged if one.rule is None), key=lambda one: (-one.score, one.opening_id))
