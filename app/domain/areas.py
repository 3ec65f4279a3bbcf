"""Places: levels of the administrative division, coordinates, and the ladder of nearness.

Coordinates inside the service are WGS-84. What a Chinese map or WeChat hands over is GCJ-02 and is converted at the
door with `wgs84_from_gcj02`; in Chongqing the two differ by about half a kilometre.
"""

import math
import re
from enum import StrEnum

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG 1980

CHONGQING = "500000"

AREA_CODE_PATTERN = r"\d{6}(?:\d{3})?"
"""Six digits (GB/T 2260) for a district and what is above it, nine for a township."""
_AREA_CODE = re.compile(AREA_CODE_PATTERN, re.ASCII)


def is_area_code(text: str) -> bool:
    """Whether a text is spelled as an area's code; not whether any area bears it."""
    return _AREA_CODE.fullmatch(text) is not None


class AreaLevel(StrEnum):
    """Level of an area in the division of China."""

    PROVINCE = "province"
    PREFECTURE = "prefecture"
    DISTRICT = "district"
    TOWNSHIP = "township"

    @property
    def label(self) -> str:
        return {"province": "省级", "prefecture": "地级", "district": "区县", "township": "乡镇街道"}[self.value]


class Precision(StrEnum):
    """How exactly a coordinate is known: the spot itself, its township's centre, or only its district's."""

    POINT = "point"
    TOWNSHIP = "township"
    DISTRICT = "district"


class Nearness(StrEnum):
    """The ladder on which a workplace is told, nearest first (rules of the trade, section 1)."""

    SAME_TOWNSHIP = "same_township"
    SAME_DISTRICT = "same_district"
    NEIGHBOUR_DISTRICT = "neighbour_district"
    SAME_REGION = "same_region"
    IN_CITY = "in_city"
    OUTSIDE = "outside"

    @property
    def label(self) -> str:
        return _NEARNESS_LABELS[self]


_NEARNESS_LABELS = {
    Nearness.SAME_TOWNSHIP: "本乡镇",
    Nearness.SAME_DISTRICT: "本区县",
    Nearness.NEIGHBOUR_DISTRICT: "邻近区县",
    Nearness.SAME_REGION: "同一片区",
    Nearness.IN_CITY: "市内",
    Nearness.OUTSIDE: "市外",
}


def great_circle_km(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Distance in km between two WGS-84 points given in degrees (haversine on the mean sphere)."""
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half_lat = math.sin((phi_b - phi_a) / 2)
    half_lon = math.sin(math.radians(lon_b - lon_a) / 2)
    chord = half_lat * half_lat + math.cos(phi_a) * math.cos(phi_b) * half_lon * half_lon
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, chord)))


def gcj02_from_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """Shift a WGS-84 point to GCJ-02, both in degrees (the published approximation on the Krasovsky 1940 ellipsoid)."""
    axis, eccentricity_squared = 6378245.0, 0.00669342162296594323
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    ripple = 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    shift_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    shift_lat += 2.0 / 3.0 * (ripple + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi))
    shift_lat += 2.0 / 3.0 * (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y / 30.0 * math.pi))
    shift_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    shift_lon += 2.0 / 3.0 * (ripple + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi))
    shift_lon += 2.0 / 3.0 * (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi))
    phi = math.radians(lat)
    magic = 1 - eccentricity_squared * math.sin(phi) ** 2
    meridian = axis * (1 - eccentricity_squared) / (magic * math.sqrt(magic))
    return (
        lon + math.degrees(shift_lon / (axis / math.sqrt(magic) * math.cos(phi))),
        lat + math.degrees(shift_lat / meridian),
    )


def wgs84_from_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Undo the GCJ-02 shift, degrees in and out; exact to well under a metre (fixed-point iteration)."""
    lon_guess, lat_guess = lon, lat
    for _ in range(6):
        lon_there, lat_there = gcj02_from_wgs84(lon_guess, lat_guess)
        lon_guess += lon - lon_there
        lat_guess += lat - lat_there
    return lon_guess, lat_guess
