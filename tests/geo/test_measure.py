"""Geodesic area and length, and 亩."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPolygon,
    Point,
    Polygon,
    box,
    reverse,
)
from shapely.affinity import translate

from geo.measure import area_m2, area_mu, from_mu, length_m, to_mu

# A degree of the meridian from 0 to 1, and the cell of one degree at the equator, both of the WGS84 ellipsoid.
MERIDIAN_DEGREE = 110_574.3886
EQUATOR_DEGREE = 6_378_137 * math.pi / 180


def metres(width: float, height: float, lon: float = 102.18, lat: float = 27.4) -> Polygon:
    """A rectangle of about this size, by the radii of curvature at its place."""
    a, e2 = 6_378_137.0, 0.00669437999014
    w = 1 - e2 * math.sin(math.radians(lat)) ** 2
    north = a * (1 - e2) / w**1.5
    east = a / w**0.5 * math.cos(math.radians(lat))
    return box(lon, lat, lon + math.degrees(width / east), lat + math.degrees(height / north))


def test_a_hectare_is_fifteen_mu() -> None:
    assert to_mu(10_000) == pytest.approx(15)
    assert to_mu(666.6667) == pytest.approx(1, abs=1e-6)
    assert from_mu(15) == pytest.approx(10_000)


@pytest.mark.parametrize(("width", "height"), [(20, 100 / 3), (100, 100), (1000, 667)])
def test_the_area_of_a_field(width: float, height: float) -> None:
    assert area_m2(metres(width, height)) == pytest.approx(width * height, rel=2e-4)
    assert area_mu(metres(width, height)) == pytest.approx(width * height * 15 / 10_000, rel=2e-4)


def test_the_direction_of_rings_does_not_matter_and_holes_are_taken_out() -> None:
    field = metres(100, 100)
    assert area_m2(reverse(field)) == pytest.approx(area_m2(field))
    hole = metres(10, 10, 102.1805, 27.4005)
    for ring in (hole.exterior.coords, hole.exterior.coords[::-1]):
        with_hole = Polygon(field.exterior.coords, [ring])
        assert area_m2(with_hole) == pytest.approx(area_m2(field) - area_m2(hole))


def test_parts_add_up() -> None:
    one, two = metres(10, 10), metres(20, 20, 103)
    assert area_m2(MultiPolygon([one, two])) == pytest.approx(area_m2(one) + area_m2(two))
    mixed = GeometryCollection([one, LineString([(0, 0), (0, 1)]), Point(1, 1)])
    assert area_m2(mixed) == pytest.approx(area_m2(one))
    assert length_m(mixed) == pytest.approx(length_m(one) + MERIDIAN_DEGREE)


@pytest.mark.parametrize(
    ("geometry", "length"),
    [
        (LineString([(102, 0), (102, 1)]), MERIDIAN_DEGREE),
        (LineString([(102, 0), (103, 0)]), EQUATOR_DEGREE),
        (LineString([(102, 0, 0), (103, 0, 5000)]), EQUATOR_DEGREE),
        (MultiLineString([[(102, 0), (103, 0)], [(102, 0), (102, 1)]]), EQUATOR_DEGREE + MERIDIAN_DEGREE),
    ],
)
def test_lengths(geometry: LineString, length: float) -> None:
    assert length_m(geometry) == pytest.approx(length, abs=0.001)


@pytest.mark.parametrize("geometry", [Point(1, 2), Point(), Polygon(), LineString(), MultiPolygon()])
def test_what_has_no_extent_measures_nothing(geometry: Point) -> None:
    assert (area_m2(geometry), length_m(geometry)) == (0.0, 0.0)


def test_the_perimeter_counts_every_ring() -> None:
    field, hole = metres(100, 100), metres(10, 10, 102.1805, 27.4005)
    with_hole = Polygon(field.exterior.coords, [hole.exterior.coords])
    assert length_m(with_hole) == pytest.approx(length_m(field) + length_m(hole))
    assert length_m(field) == pytest.approx(400, rel=2e-4)


@settings(deadline=None, max_examples=40)
@given(st.floats(-150, 150), st.floats(-60, 60), st.floats(5, 2000), st.floats(5, 2000))
def test_area_depends_on_size_and_not_on_longitude(shift: float, lat: float, width: float, height: float) -> None:
    field = metres(width, height, 0, lat)
    moved = translate(field, xoff=shift)
    assert area_m2(moved) == pytest.approx(area_m2(field), rel=1e-6)
    assert area_m2(field) == pytest.approx(width * height, rel=2e-3)
