"""ODK geometry text <-> shapely and EWKB.

A point is written ``lat lon altitude accuracy``, altitude and accuracy optional; traces and shapes join points with
``;``. Geometries in shapely and PostGIS are lon, lat, altitude in EPSG:4326, degrees and metres, always with Z: a
missing altitude is 0.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # shapely and numpy cost 30 MB: a process that only receives submissions never loads them
    from shapely import LineString, Point, Polygon

SRID = 4326
_Z_AND_SRID = 0xA0000000
_POINT = struct.Struct("<BIIddd")
_HEAD = struct.Struct("<BIII")
_COUNT = struct.Struct("<I")
# Metres; no altitude or accuracy is beyond, and every database type holds it.
_FARTHEST = 1e9


class OdkGeometryError(ValueError):
    """Text that is no ODK geometry; `code` says why: not_a_point, out_of_range, too_few_points."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text[:80]!r}")
        self.code = code


class OdkPoint(NamedTuple):
    """One point as phones write it: degrees, metres; None where the text has no number."""

    lat: float
    lon: float
    altitude: float | None = None
    accuracy: float | None = None


def parse_point_text(text: str) -> OdkPoint:
    """Read ``lat lon [altitude [accuracy]]``.

    Raises
    ------
    OdkGeometryError
        Not two to four finite numbers, or latitude beyond ±90 or longitude beyond ±180 degrees.
    """
    parts = text.split()
    # float() also takes "1_0"; no phone writes that and no other reader takes it.
    if not 2 <= len(parts) <= 4 or "_" in text:
        raise OdkGeometryError("not_a_point", text)
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise OdkGeometryError("not_a_point", text) from None
    # Not-a-number fails both comparisons, infinity the first one.
    if not (-90.0 <= numbers[0] <= 90.0 and -180.0 <= numbers[1] <= 180.0):
        raise OdkGeometryError("out_of_range", text)
    if len(numbers) > 2 and not all(-_FARTHEST <= metres <= _FARTHEST for metres in numbers[2:]):
        raise OdkGeometryError("not_a_point", text)
    return OdkPoint(*numbers)


def parse_points(text: str) -> list[OdkPoint]:
    """Read points joined by ``;``; a trailing ``;`` (API users) is no point.

    Raises
    ------
    OdkGeometryError
        As `parse_point_text`, and `not_a_point` when there is none at all.
    """
    points = [parse_point_text(part) for part in text.split(";") if part and not part.isspace()]
    if not points:
        raise OdkGeometryError("not_a_point", text)
    return points


def _single(text: str) -> OdkPoint:
    if ";" not in text:
        return parse_point_text(text)
    points = parse_points(text)
    if len(points) > 1:
        raise OdkGeometryError("not_a_point", text)
    return points[0]


def _line(text: str) -> list[OdkPoint]:
    points = parse_points(text)
    if len(points) < 2:
        raise OdkGeometryError("too_few_points", text)
    return points


def _ring(text: str) -> list[OdkPoint]:
    points = parse_points(text)
    if points[0][:2] != points[-1][:2]:
        points.append(points[0])
    elif _z(points[0]) != _z(points[-1]):
        # A ring closes in three dimensions for PostGIS; phones compare latitude and longitude alone.
        points[-1] = OdkPoint(points[-1].lat, points[-1].lon, points[0].altitude, points[-1].accuracy)
    if len(points) < 4:
        raise OdkGeometryError("too_few_points", text)
    return points


def _z(point: OdkPoint) -> float:
    return point.altitude or 0.0


def _accuracy(points: Sequence[OdkPoint]) -> float | None:
    known = [point.accuracy for point in points if point.accuracy is not None]
    return round(max(known), 3) if known else None


def _xyz(points: Sequence[OdkPoint]) -> list[tuple[float, float, float]]:
    return [(point.lon, point.lat, _z(point)) for point in points]


def parse_geopoint(text: str) -> Point:
    """Read a geopoint answer as a shapely Point Z (lon, lat, altitude; EPSG:4326).

    Raises
    ------
    OdkGeometryError
        The text is no point.
    """
    from shapely import Point

    return Point(_xyz([_single(text)])[0])


def parse_trace(text: str) -> LineString:
    """Read a geotrace answer as a shapely LineString Z of at least two points.

    Raises
    ------
    OdkGeometryError
        The text is no trace, or has one point only (`too_few_points`).
    """
    from shapely import LineString

    return LineString(_xyz(_line(text)))


def parse_shape(text: str) -> Polygon:
    """Read a geoshape answer as a shapely Polygon Z; an open ring is closed.

    Raises
    ------
    OdkGeometryError
        The text is no shape, or has fewer than three corners (`too_few_points`).
    """
    from shapely import Polygon

    return Polygon(_xyz(_ring(text)))


def format_point_text(point: OdkPoint) -> str:
    """Write a point as phones do; a missing altitude or accuracy becomes ``0.0``."""
    return f"{point.lat!r} {point.lon!r} {_z(point)!r} {point.accuracy or 0.0!r}"


def format_geopoint(point: Point, accuracy: float = 0.0) -> str:
    """Write a shapely point (lon, lat[, altitude]) as geopoint text; `accuracy` in metres."""
    return _format([point.coords[0]], accuracy)


def format_trace(line: LineString, accuracy: float = 0.0) -> str:
    """Write a shapely line as geotrace text."""
    return _format(list(line.coords), accuracy)


def format_shape(polygon: Polygon, accuracy: float = 0.0) -> str:
    """Write the outer ring of a shapely polygon as geoshape text (ODK shapes have no holes)."""
    return _format(list(polygon.exterior.coords), accuracy)


def _format(coords: Sequence[tuple[float, ...]], accuracy: float) -> str:
    points = [OdkPoint(c[1], c[0], c[2] if len(c) > 2 else 0.0, accuracy) for c in coords]
    return "; ".join(map(format_point_text, points))


def point_ewkb(text: str) -> tuple[bytes, float | None]:
    """Geopoint text -> little-endian EWKB (SRID 4326, Z) and accuracy.

    Returns
    -------
    tuple of bytes and (float or None)
        Accuracy in metres, to the millimetre; None when the text has none.

    Raises
    ------
    OdkGeometryError
        As `parse_geopoint`.
    """
    point = _single(text)
    packed = _POINT.pack(1, _Z_AND_SRID | 1, SRID, point.lon, point.lat, point.altitude or 0.0)
    return packed, _accuracy((point,))


def trace_ewkb(text: str) -> tuple[bytes, float | None]:
    """Geotrace text -> EWKB LineString Z and the worst accuracy of its points; errors as `parse_trace`."""
    points = _line(text)
    return _HEAD.pack(1, _Z_AND_SRID | 2, SRID, len(points)) + _pack(points), _accuracy(points)


def shape_ewkb(text: str) -> tuple[bytes, float | None]:
    """Geoshape text -> EWKB Polygon Z and the worst accuracy of its points; errors as `parse_shape`."""
    points = _ring(text)
    head = _HEAD.pack(1, _Z_AND_SRID | 3, SRID, 1) + _COUNT.pack(len(points))
    return head + _pack(points), _accuracy(points)


def _pack(points: Sequence[OdkPoint]) -> bytes:
    flat = [value for xyz in _xyz(points) for value in xyz]
    return struct.pack(f"<{len(flat)}d", *flat)
