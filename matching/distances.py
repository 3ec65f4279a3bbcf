"""Distances on the sphere, for arrays of places."""

from collections.abc import Sequence

import numpy as np

from matching.market import Flags, Floats, Rows
from matching.values import Place, Precision

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG 1980
_KM_A_DEGREE = EARTH_RADIUS_KM * np.pi / 180


def great_circle_km(lon: Floats, lat: Floats, *, to: Place) -> Floats:
    """Distance in km from n WGS-84 points (degrees) to one place, shape (n,); haversine on the mean sphere."""
    phi, phi_to = np.radians(lat), np.radians(to.lat)
    half_lat = np.sin((phi - phi_to) / 2)
    half_lon = np.sin(np.radians(lon - to.lon) / 2)
    chord = half_lat * half_lat + np.cos(phi) * np.cos(phi_to) * half_lon * half_lon
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(1.0, chord))))


def nearest_km(rows: Rows, places: Sequence[Place], *, district_floor_km: float) -> Floats:
    """Distance from each row to the nearest of a person's places, shape (n,), in km.

    Where the row's place or the person's is known only to its district, it counts as at least `district_floor_km`.
    """
    nearest = np.full(len(rows), np.inf)
    for place in places:
        km = great_circle_km(rows["lon"], rows["lat"], to=place)
        is_rough = rows["is_district"] | (place.precision == Precision.DISTRICT)
        nearest = np.minimum(nearest, np.where(is_rough, np.maximum(km, district_floor_km), km))
    return nearest


def may_be_within(rows: Rows, places: Sequence[Place], km: float) -> Flags:
    """Rows that a cheap box test cannot tell to be farther than `km` from every place, shape (n,)."""
    found = np.zeros(len(rows), np.bool_)
    for place in places:
        reach_lat = km / _KM_A_DEGREE + 1e-9
        most = abs(place.lat) + reach_lat
        if most >= 89 or reach_lat * 2 >= 180 * np.cos(np.radians(most)):
            return np.ones(len(rows), np.bool_)  # close to a pole, or half the globe: a box says nothing
        # The widest longitude of a circle lies a little polewards of its centre; the box is taken at its polar edge.
        reach_lon = reach_lat / np.cos(np.radians(most))
        apart = np.abs((rows["lon"] - place.lon + 180) % 360 - 180)
        found |= (np.abs(rows["lat"] - place.lat) <= reach_lat) & (apart <= reach_lon)
    return found
