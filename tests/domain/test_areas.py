"""Codes, distances and the shift between the two systems of coordinates."""

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.areas import EARTH_RADIUS_KM, gcj02_from_wgs84, great_circle_km, is_area_code, wgs84_from_gcj02

LONS = st.floats(105.2, 110.3)  # Chongqing and a bit around it
LATS = st.floats(28.1, 32.3)
ANY_LON = st.floats(-180, 180)
ANY_LAT = st.floats(-90, 90)


@given(LONS, LATS)
def test_the_shift_can_be_undone_to_a_centimetre(lon: float, lat: float) -> None:
    back = wgs84_from_gcj02(*gcj02_from_wgs84(lon, lat))
    assert great_circle_km(lon, lat, *back) < 1e-5


@given(LONS, LATS)
def test_in_chongqing_the_two_systems_lie_half_a_kilometre_apart(lon: float, lat: float) -> None:
    assert 0.2 < great_circle_km(lon, lat, *gcj02_from_wgs84(lon, lat)) < 0.8


def test_the_shift_agrees_with_the_published_centres() -> None:
    with (files("seed") / "data" / "cq_districts_2023.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        there = gcj02_from_wgs84(float(row["lng_wgs84"]), float(row["lat_wgs84"]))
        assert great_circle_km(*there, float(row["lng_gcj02"]), float(row["lat_gcj02"])) < 0.002


@given(ANY_LON, ANY_LAT, ANY_LON, ANY_LAT)
def test_a_distance_is_one_in_both_directions_and_at_most_half_the_earth(
    lon_a: float, lat_a: float, lon_b: float, lat_b: float
) -> None:
    there, back = great_circle_km(lon_a, lat_a, lon_b, lat_b), great_circle_km(lon_b, lat_b, lon_a, lat_a)
    assert there == pytest.approx(back)
    assert 0 <= there <= 3.1416 * EARTH_RADIUS_KM


def test_distances_are_those_of_the_mean_sphere() -> None:
    # A degree of a great circle on the mean sphere: 2 pi R / 360.
    assert great_circle_km(108, 30, 108, 31) == pytest.approx(111.195, abs=0.001)
    assert great_circle_km(0, 0, 180, 0) == pytest.approx(20015.1, abs=0.1)
    assert great_circle_km(109.88, 31.08, 109.88, 31.08) == 0


@pytest.mark.parametrize(
    ("text", "is_code"),
    [
        ("500237", True),
        ("500237102", True),
        ("50023710", False),
        ("5002371", False),
        ("500237\n", False),
        ("５００２３７", False),
        ("50023\x00", False),
        ("", False),
    ],
)
def test_a_code_has_six_or_nine_plain_digits(text: str, is_code: bool) -> None:
    assert is_area_code(text) is is_code
