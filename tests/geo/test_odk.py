"""ODK geometry text, shapely and EWKB."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import odk

LAT = st.floats(-90, 90)
LON = st.floats(-180, 180)
METRES = st.floats(-1e5, 1e5)
POINTS = st.builds(odk.OdkPoint, LAT, LON, METRES, st.floats(0, 1e4))


def text_of(points: list[odk.OdkPoint]) -> str:
    return "; ".join(map(odk.format_point_text, points))


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("30.67 104.06 512.3 4.5", (30.67, 104.06, 512.3, 4.5)),
        ("30.67 104.06 512.3", (30.67, 104.06, 512.3, None)),
        ("30.67 104.06", (30.67, 104.06, None, None)),
        ("  30.67   104.06 0.0 0.0 ", (30.67, 104.06, 0.0, 0.0)),
        ("-1e1 180", (-10.0, 180.0, None, None)),
    ],
)
def test_points_as_phones_and_programs_write_them(text: str, point: tuple[float | None, ...]) -> None:
    assert odk.parse_point_text(text) == point


def test_latitude_comes_first_in_text_and_second_in_geometry() -> None:
    point = odk.parse_geopoint("30.67 104.06 512.3 4.5")
    assert (point.x, point.y, point.z) == (104.06, 30.67, 512.3)
    assert odk.format_geopoint(point, 4.5) == "30.67 104.06 512.3 4.5"


def test_a_missing_altitude_is_zero() -> None:
    assert odk.parse_geopoint("1 2").z == 0.0
    assert list(odk.parse_trace("1 2; 3 4 5").coords) == [(2, 1, 0), (4, 3, 5)]
    assert odk.format_geopoint(shapely.Point(2, 1)) == "1.0 2.0 0.0 0.0"


@pytest.mark.parametrize("text", ["1 2 0 0; 3 4 0 0;", "1 2 0 0;3 4 0 0", "1 2;3 4; ;"])
def test_traces_with_every_separator(text: str) -> None:
    assert list(odk.parse_trace(text).coords) == [(2, 1, 0), (4, 3, 0)]


def test_a_shape_is_closed() -> None:
    open_ring = odk.parse_shape("0 0; 0 1; 1 1")
    assert open_ring.equals(odk.parse_shape("0 0; 0 1; 1 1; 0 0"))
    assert odk.parse_shape("0 0 5 1; 0 1; 1 1; 0 0 7 2").exterior.coords[-1] == (0, 0, 5)


def test_the_worst_accuracy_counts() -> None:
    assert odk.trace_ewkb("1 2 0 3; 3 4 0 9")[1] == 9
    assert odk.trace_ewkb("1 2; 3 4 0 2")[1] == 2
    assert odk.shape_ewkb("0 0; 0 1; 1 1")[1] is None
    assert odk.point_ewkb("1 2 3;")[1] is None
    assert odk.point_ewkb("1 2 3 1e-60")[1] == 0.0


@pytest.mark.parametrize(
    ("read", "text", "code"),
    [
        (odk.parse_geopoint, "", "not_a_point"),
        (odk.parse_geopoint, ";", "not_a_point"),
        (odk.parse_geopoint, "1", "not_a_point"),
        (odk.parse_geopoint, "1 2 3 4 5", "not_a_point"),
        (odk.parse_geopoint, "1,5 2", "not_a_point"),
        (odk.parse_geopoint, "1_0 2", "not_a_point"),
        (odk.parse_geopoint, "1 2 inf", "not_a_point"),
        (odk.parse_geopoint, "1 2 0 1e39", "not_a_point"),
        (odk.parse_geopoint, "1 2; 3 4", "not_a_point"),
        (odk.parse_geopoint, "90.1 2", "out_of_range"),
        (odk.parse_geopoint, "1 180.5", "out_of_range"),
        (odk.parse_geopoint, "nan 2", "out_of_range"),
        (odk.parse_trace, "1 2", "too_few_points"),
        (odk.parse_trace, "1 2; x", "not_a_point"),
        (odk.parse_shape, "0 0; 0 1", "too_few_points"),
        (odk.parse_shape, "0 0; 0 1; 0 0", "too_few_points"),
    ],
)
def test_what_is_no_geometry(read: object, text: str, code: str) -> None:
    assert callable(read)
    with pytest.raises(odk.OdkGeometryError) as caught:
        read(text)
    assert caught.value.code == code
    assert isinstance(caught.value, ValueError)


@settings(deadline=None)
@given(POINTS)
def test_a_point_survives_text_shapely_and_ewkb(point: odk.OdkPoint) -> None:
    text = odk.format_point_text(point)
    assert odk.parse_point_text(text) == point
    shape = odk.parse_geopoint(text)
    assert odk.format_geopoint(shape, point.accuracy or 0.0) == text
    _same(odk.point_ewkb(text)[0], shape)


@settings(deadline=None)
@given(st.lists(POINTS, min_size=2, max_size=20))
def test_a_trace_survives(points: list[odk.OdkPoint]) -> None:
    text = text_of(points)
    assert odk.parse_points(text) == points
    line = odk.parse_trace(text)
    assert odk.parse_trace(odk.format_trace(line)).equals_exact(line, 0)
    _same(odk.trace_ewkb(text)[0], line)


@settings(deadline=None)
@given(st.lists(POINTS, min_size=3, max_size=20, unique_by=lambda point: point[:2]))
def test_a_shape_survives(points: list[odk.OdkPoint]) -> None:
    polygon = odk.parse_shape(text_of(points))
    assert odk.parse_shape(odk.format_shape(polygon)).equals_exact(polygon, 0)
    _same(odk.shape_ewkb(text_of(points))[0], polygon)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.-+eE ;nafi_", max_size=40))
def test_any_text_is_a_geometry_or_an_error(text: str) -> None:
    for write in (odk.point_ewkb, odk.trace_ewkb, odk.shape_ewkb):
        try:
            found = shapely.from_wkb(write(text)[0]).geom_type
        except odk.OdkGeometryError as error:
            found = error.code
        assert found in {"Point", "LineString", "Polygon", "not_a_point", "out_of_range", "too_few_points"}


def _same(ewkb: bytes, shape: shapely.Geometry) -> None:
    found = shapely.from_wkb(ewkb)
    assert ewkb[0] == 1, "little-endian"
    assert shapely.get_srid(found) == odk.SRID
    assert found.has_z
    assert shapely.to_wkb(found, include_srid=False, byte_order=1) == shapely.to_wkb(shape, byte_order=1)
