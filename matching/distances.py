"""Distances on the sphere, for arrays of places."""

import numpy as np
from numpy.typing import NDArray

from matching.search import EARTH_RADIUS_KM
from matching.values import Place

Floats = NDArray[np.float64]


def great_circle_km(lon: Floats, lat: Floats, *, to: Place) -> Floats:
    """Distance in km from n WGS-84 points (degrees) to one place, shape (n,); haversine on the mean sphere."""
    phi, phi_to = np.radians(lat), np.radians(to.lat)
    half_lat = np.sin((phi - phi_to) / 2)
    half_lon = np.sin(np.radians(lon - to.lon) / 2)
    chord = half_lat * half_lat + np.cos(phi) * np.cos(phi_to) * half_lon * half_lon
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(1.0, chord))))
