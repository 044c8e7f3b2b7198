"""What stands in one cell of a CSV.

Two styles. *Office* is for people who open the file in Excel, WPS or Calc: labels, local times, and text kept as text.
*Data* is for scripts: names, codes and values exactly as the phone sent them.

Office programs change what they take for a number or a date: an ID number becomes 1.1E+17, household 0027 becomes 27,
group 3-1 becomes the third of January. A TAB before such a text keeps it whole, is invisible in the cell, and is taken
off by any script's ``strip``; a formula (``="…"``) would do the same and break every other reader. Text that begins
like a formula gets an apostrophe, so that nothing typed on a phone runs on a clerk's computer
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from forms.schema import Field
from forms.tables import POINT_PARTS, Column
from server.operations.labels import Choices, mask, say

Cell = str | int | float
Writer = Callable[[Any], Cell]

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_MISREAD = re.compile(r"\d{12,}|0\d+|\d+[-/.]\d+(?:[-/.]\d+)?|\d+[eE][+-]?\d+|\d{1,2}:\d{2}(?::\d{2})?")


def office_text(text: str) -> str:
    """Text as office programs leave it alone."""
    if not text:
        return text
    if _FORMULA.match(text):
        return f"'{text}"
    return f"\t{text}" if _MISREAD.fullmatch(text) else text


def writer(
    column: Column, field: Field | None, choices: Choices, *, office: bool, language: str, plain: bool
) -> Writer:
    """The function that writes an answer into the column's cells.

    Parameters
    ----------
    column : Column
        From `forms.tables`.
    field : Field or None
        The question.
    office : bool
        Style of the cells.
    plain : bool
        Whether sensitive answers are written as they are.
    """
    if column.part is not None:
        return _point_part(POINT_PARTS.index(column.part))
    if column.choice is not None:
        wanted = column.choice
        return lambda value: "" if value is None else int(wanted in value)
    if column.sensitive and not plain:
        kind = column.sensitive
        return lambda value: "" if value is None else mask(_exact(value), kind)
    if not office or field is None:
        return _value
    if field.type in {"string", "barcode"}:
        return lambda value: office_text(_exact(value))
    if field.type in {"select1", "select", "rank", "dateTime", "boolean"}:
        return lambda value: office_text(say(field, value, choices, language))
    return _guarded


def _value(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return _exact(value)


def _guarded(value: Any) -> Cell:
    """Numbers, dates, places: as they are, but a text in their place (a value of the wrong type) is watched."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = _exact(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _exact(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _point_part(index: int) -> Writer:
    def write(value: Any) -> Cell:
        parts = value.split() if isinstance(value, str) else ()
        if index >= len(parts):
            return ""
        try:
            return float(parts[index])
        except ValueError:
            return ""

    return write
