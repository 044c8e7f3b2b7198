"""Text of one answer -> its JSON value. A text that is not of the question's type raises `BadValue`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | list[str]

_INTEGER = re.compile(r"[+-]?[0-9]+(?:\.0*)?\Z")
# JavaRosa writes "+08:00", older ones "+08"; PostgreSQL takes offsets up to 15:59.
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
_OFFSET = re.compile(rf"{_ZONE}\Z")
_TIME = re.compile(rf"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?{_ZONE}?\Z")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# orjson and bigint columns end there.
_MAX_INTEGER = 2**63 - 1


class BadValue(ValueError):
    """A text that is not of the question's type; the argument is the reason's code."""


def integer(text: str) -> int:
    """Read an int: ``12``, ``-3``, ``10.0``; 64 bits."""
    if len(text) < 19 and text.isdigit() and text.isascii():
        return int(text)
    if not _INTEGER.match(text) or len(text) > 40:
        raise BadValue("not_an_integer")
    number = int(text.partition(".")[0])
    if not -_MAX_INTEGER <= number <= _MAX_INTEGER:
        raise BadValue("not_an_integer")
    return number


def decimal(text: str) -> float:
    """Read a finite decimal; JavaRosa's ``NaN`` and ``Infinity`` are none."""
    try:
        number = float(text)
    except ValueError:
        raise BadValue("not_a_number") from None
    # float() also takes "1_0" and the digits of other scripts.
    if not math.isfinite(number) or "_" in text or not text.isascii():
        raise BadValue("not_a_number")
    return number


def boolean(text: str) -> bool:
    """Read ``true``, ``1``, ``false``, ``0``."""
    found = _BOOLEANS.get(text)
    if found is None:
        raise BadValue("not_a_boolean")
    return found


def day(text: str) -> str:
    """Read a date as ``YYYY-MM-DD``; an offset after it is dropped, a date has no hour to shift."""
    short = text[:10]
    try:
        if short[7:8] != "-" or (text != short and not _OFFSET.match(text, 10)):
            raise BadValue("not_a_date")
        date.fromisoformat(short)
    except ValueError:
        raise BadValue("not_a_date") from None
    return short


def clock(text: str) -> str:
    """Read a time, ``09:30:00.000+08:00``, kept as it is."""
    if not _TIME.match(text):
        raise BadValue("not_a_time")
    return text


def moment(text: str) -> str:
    """Read a date and time in ISO 8601 with or without offset, kept as it is."""
    # datetime.fromisoformat() takes weeks, commas and times without colons, which databases do not.
    if text[7:8] != "-" or text[10:11] != "T" or not _TIME.match(text, 11):
        raise BadValue("not_a_datetime")
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        raise BadValue("not_a_datetime") from None
    return text


#: Type -> reader of the stripped text. Types not listed are text, places or files.
READERS: dict[str, Callable[[str], Scalar]] = {
    "int": integer,
    "decimal": decimal,
    "boolean": boolean,
    "date": day,
    "time": clock,
    "dateTime": moment,
    "select1": str,
    "select": str.split,
    "rank": str.split,
}
