"""Shapes of parcels and roads, and their measures as a phone computes them: a sphere, laid flat at the first corner."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

from server.demo.township import shifted

_RADIUS = 6_378_100.0  # metres; the sphere phones compute on
_METRES_PER_DEGREE = 2 * math.pi * _RADIUS / 360

Corners = list[tuple[float, float]]
"""Latitude, longitude in degrees (WGS84)."""


def parcel(rng: Random, latitude: float, longitude: float, area: float) -> Corners:
    """A parcel of about `area` square metres, closed: five to nine corners around a place, longer than wide."""
    count = rng.randint(5, 9)
    turn, stretch = rng.uniform(0, math.pi), rng.uniform(0.55, 0.95)
    radius = math.sqrt(area / (math.pi * stretch))
    corners = []
    for corner in range(count):
        angle = 2 * math.pi * (corner + rng.uniform(-0.2, 0.2)) / count
        away = radius * rng.uniform(0.88, 1.18)
        x, y = away * math.cos(angle), stretch * away * math.sin(angle)
        north, east = x * math.sin(turn) + y * math.cos(turn), x * math.cos(turn) - y * math.sin(turn)
        corners.append(_rounded(*shifted(latitude, longitude, north, east)))
    return [*corners, corners[0]]


def path(rng: Random, latitude: float, longitude: float, length: float) -> Corners:
    """A winding road of about `length` metres."""
    heading, steps = rng.uniform(0, 2 * math.pi), max(4, int(length / 70))
    corners = [_rounded(latitude, longitude)]
    for _step in range(steps):
        heading += rng.uniform(-0.5, 0.5)
        away = length / steps
        corners.append(_rounded(*shifted(*corners[-1], away * math.sin(heading), away * math.cos(heading))))
    return corners


def _rounded(latitude: float, longitude: float) -> tuple[float, float]:
    return round(latitude, 7), round(longitude, 7)


def shape_text(corners: Corners, altitude: float) -> str:
    """Corners as a phone writes them."""
    return "; ".join(f"{latitude} {longitude} {altitude:.1f} 0.0" for latitude, longitude in corners)


def area_m2(corners: Corners) -> float:
    """Area of a closed ring in square metres; within 1 % of the geodesic area for parcels."""
    latitude0, longitude0 = corners[0]
    flat = [
        (
            (longitude - longitude0) * _METRES_PER_DEGREE * math.cos(math.radians(latitude)),
            (latitude - latitude0) * _METRES_PER_DEGREE,
        )
        for latitude, longitude in corners
    ]
    return abs(sum(x1 * y2 - y1 * x2 for (x1, y1), (x2, y2) in pairwise(flat))) / 2


def length_m(corners: Corners) -> float:
    """Length of a line in metres."""
    return sum(_distance(a, b) for a, b in pairwise(corners))


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    latitude1, latitude2 = math.radians(a[0]), math.radians(b[0])
    east = math.radians(b[1] - a[1])
    half = math.sin((latitude2 - latitude1) / 2) ** 2
    half += math.cos(latitude1) * math.cos(latitude2) * math.sin(east / 2) ** 2
    return 2 * _RADIUS * math.asin(math.sqrt(half))
