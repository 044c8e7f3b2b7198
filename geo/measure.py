"""Measures on the earth's surface: geodesic area and length on the WGS84 ellipsoid, and 亩.

CGCS2000 differs from WGS84 by under a millimetre in its ellipsoid, so the figures hold for both.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyproj import Geod
    from shapely import LinearRing
    from shapely.geometry.base import BaseGeometry

#: 15 亩 make a hectare; the common figure 666.6667 m² is this number rounded.
SQUARE_METRES_PER_MU = 10_000 / 15


@cache
def _wgs84() -> Geod:
    from pyproj import Geod  # loads its database: only those who measure pay for it

    return Geod(ellps="WGS84")


def area_m2(geometry: BaseGeometry) -> float:
    """Geodesic area.

    Parameters
    ----------
    geometry
        Polygon, MultiPolygon or a collection; lon, lat in degrees (EPSG:4326). Rings may turn either way; Z is ignored.

    Returns
    -------
    float
        Square metres, never negative, holes taken out; 0 for points, lines and empty geometries.
    """
    if geometry.is_empty:
        return 0.0
    if hasattr(geometry, "geoms"):
        return sum(area_m2(part) for part in geometry.geoms)
    if geometry.geom_type != "Polygon":
        return 0.0
    outer, *holes = _rings(geometry)
    return max(0.0, _ring_area(outer) - sum(map(_ring_area, holes)))


def _rings(polygon: BaseGeometry) -> list[LinearRing]:
    return [polygon.exterior, *polygon.interiors]  # type: ignore[attr-defined]


def _ring_area(ring: LinearRing) -> float:
    coords = list(ring.coords)
    lons, lats = [c[0] for c in coords], [c[1] for c in coords]
    area, _ = _wgs84().polygon_area_perimeter(lons, lats)
    return abs(float(area))


def length_m(geometry: BaseGeometry) -> float:
    """Geodesic length.

    Parameters
    ----------
    geometry
        Lon, lat in degrees (EPSG:4326); Z is ignored, so a slope counts as its map length.

    Returns
    -------
    float
        Metres: of lines, of all rings of polygons, summed over parts; 0 for points.
    """
    if geometry.is_empty:
        return 0.0
    if hasattr(geometry, "geoms"):
        return sum(length_m(part) for part in geometry.geoms)
    if geometry.geom_type == "Polygon":
        return sum(length_m(ring) for ring in _rings(geometry))
    if geometry.geom_type == "Point":
        return 0.0
    coords = list(geometry.coords)
    return float(_wgs84().line_length([c[0] for c in coords], [c[1] for c in coords]))


def to_mu(square_metres: float) -> float:
    """Square metres -> 亩."""
    return square_metres / SQUARE_METRES_PER_MU


def from_mu(mu: float) -> float:
    """亩 -> square metres."""
    return mu * SQUARE_METRES_PER_MU


def area_mu(geometry: BaseGeometry) -> float:
    """Geodesic area in 亩; as `area_m2`."""
    return to_mu(area_m2(geometry))
