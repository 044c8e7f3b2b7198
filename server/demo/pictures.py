"""Small pictures made from nothing: a house on a hill, a signature. Their PNG needs no imaging library."""

from __future__ import annotations

import math
import struct
import zlib
from functools import lru_cache
from random import Random

_WIDTH, _HEIGHT = 240, 180


@lru_cache(maxsize=64)
def landscape(seed: int) -> bytes:
    """A house under the sky as PNG, another one for each seed (a few kilobytes)."""
    rng = Random(f"landscape-{seed}")  # noqa: S311 - a picture, no secret
    sky, hill = (
        rng.choice([(150, 190, 230), (190, 200, 210), (235, 200, 160)]),
        rng.choice([(70, 110, 60), (95, 120, 70)]),
    )
    wall = rng.choice([(222, 214, 198), (186, 160, 130), (205, 205, 205), (160, 120, 90)])
    roof = rng.choice([(70, 70, 75), (150, 70, 50), (110, 90, 70)])
    wave, height = rng.uniform(18, 40), rng.randint(60, 90)
    tops = [height + int(12 * math.sin(x / wave) + 6 * math.sin(x / 9 + seed)) for x in range(_WIDTH)]
    left, width, top = rng.randint(30, 100), rng.randint(70, 110), rng.randint(75, 95)
    rows = []
    for y in range(_HEIGHT):
        shade = [max(0, min(255, part + (40 - y) // 3)) for part in sky]
        row = bytearray(b"".join(bytes(shade if y < tops[x] else hill) for x in range(_WIDTH)))
        if top - 30 <= y < top:
            inset = (top - y) * width // 70
            _paint(row, left - 6 + inset, left + width + 6 - inset, roof)
        elif top <= y < 150:
            _paint(row, left, left + width, wall)
            if y > 112:
                _paint(row, left + width // 2 - 8, left + width // 2 + 8, (60, 40, 30))
            elif y > 100:
                _paint(row, left + 10, left + 26, (90, 120, 140))
        rows.append(bytes(row))
    return _png(rows, _WIDTH)


@lru_cache(maxsize=64)
def signature(seed: int) -> bytes:
    """A handwritten line on white as PNG."""
    rng = Random(f"signature-{seed}")  # noqa: S311 - a picture, no secret
    width, height = 200, 80
    rows = [bytearray(b"\xff" * (3 * width)) for _y in range(height)]
    a, b, c = rng.uniform(4, 9), rng.uniform(11, 19), rng.uniform(0, 6)
    for step in range(1600):
        x = 15 + step / 10 + 8 * math.sin(step / (7 * a))
        y = 40 + 14 * math.sin(step / (3 * b) + c) + 9 * math.sin(step / a)
        _paint(rows[int(y)], int(x), int(x) + 2, (20, 20, 70))
    return _png([bytes(row) for row in rows], width)


def _paint(row: bytearray, begin: int, end: int, colour: tuple[int, int, int]) -> None:
    if end > begin:
        row[3 * begin : 3 * end] = bytes(colour) * (end - begin)


def _png(rows: list[bytes], width: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
