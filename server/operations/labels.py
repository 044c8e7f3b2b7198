"""Names of choices as a reader knows them: from the form, or from the list attached to it.

Also how a value is written for people. Pages and exports ask here, so that both say the same.
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from forms.schema import ChoiceList, Field, FormSchema, pick
from server.database import db
from server.i18n import translate
from server.models import FormAttachment, FormVersion
from server.operations.errors import _
from server.storage import BlobStore

SHANGHAI = ZoneInfo("Asia/Shanghai")
_KEEP_SCHEMAS = 32
_schemas: OrderedDict[str, FormSchema] = OrderedDict()
_lock = threading.Lock()
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_MARKS = re.compile(r"(\*\*|__)(.+?)\1")
_TAGS = re.compile(r"</?[A-Za-z][^>]{0,200}>")
_LIST_MARKS = {"zh": "、", "en": ", "}


def schema_of(version: FormVersion) -> FormSchema:
    """What a form version asks. Remembered by the hash of its XForm, from which it was read."""
    with _lock:
        found = _schemas.get(version.hash)
        if found is not None:
            _schemas.move_to_end(version.hash)
            return found
    found = FormSchema.from_json(version.schema)
    with _lock:
        _schemas[version.hash] = found
        while len(_schemas) > _KEEP_SCHEMAS:
            _schemas.popitem(last=False)
    return found


def files_of(version_ids: Sequence[int]) -> dict[str, bytes]:
    """Files beside the form versions, those of later ones first: name -> SHA-256."""
    rows = db.session.execute(
        select(FormAttachment.name, FormAttachment.blob_sha256)
        .where(FormAttachment.form_version_id.in_(version_ids), FormAttachment.blob_sha256.is_not(None))
        .order_by(FormAttachment.form_version_id)
    )
    return {name: sha256 for name, sha256 in rows if sha256 is not None}


class Choices:
    """Labels of a form's choices in one language.

    Parameters
    ----------
    schemas : Sequence[FormSchema]
        Versions of the form, the one whose words apply first.
    files : Mapping[str, bytes]
        Files beside the form: name -> SHA-256.
    store : BlobStore
        Where the files are.
    language : str
        ``zh`` or ``en``.
    """

    def __init__(
        self, schemas: Sequence[FormSchema], files: Mapping[str, bytes], store: BlobStore, language: str
    ) -> None:
        self._schemas = schemas
        self._files = files
        self._store = store
        self._language = language
        self._lists: dict[str, dict[str, str]] = {}

    def labels(self, field: Field) -> dict[str, str]:
        """Choice name -> label, of the list the field chooses from."""
        if field.path not in self._lists:
            found: dict[str, str] = {}
            for schema in reversed(self._schemas):
                there = schema.at(field.path)
                choices = schema.choice_list(there.list_name) if there else None
                if choices is not None:
                    found.update(self._read(choices, schema))
            self._lists[field.path] = found
        return self._lists[field.path]

    def label(self, field: Field, name: str) -> str:
        """Label of one choice; its name when nobody gave it one."""
        return self.labels(field).get(name) or name

    def _read(self, choices: ChoiceList, schema: FormSchema) -> dict[str, str]:
        found = {
            choice.name: clean(pick(choice.labels, self._language, schema.default_language)) or choice.name
            for choice in choices.choices
        }
        sha256 = self._files.get(choices.source) if choices.source else None
        if sha256 is not None and choices.source is not None:
            path = str(self._store.path(sha256))
            found.update(_attached(path, choices.source, choices.value_ref, choices.label_ref, self._language))
        return found


@lru_cache(maxsize=32)
def _attached(path: str, name: str, value_ref: str, label_ref: str, language: str) -> Mapping[str, str]:
    """Labels in an attached list. The path holds the content's hash, so what is remembered is never stale."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return {}
    try:
        rows = _geojson_rows(data) if name.lower().endswith(".geojson") else _csv_rows(data)
    except (ValueError, csv.Error):
        return {}
    wanted = (f"{label_ref}_{language}", f"{label_ref}::{language}", label_ref)
    found: dict[str, str] = {}
    for row in rows:
        value = str(row.get(value_ref) or "")
        if value:
            found[value] = next((str(row[column]) for column in wanted if row.get(column)), value)
    return found


def _csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig", "replace"))))


def _geojson_rows(data: bytes) -> list[dict[str, Any]]:
    content = json.loads(data)
    features = content.get("features", []) if isinstance(content, dict) else []
    return [{"id": item.get("id"), **(item.get("properties") or {})} for item in features if isinstance(item, dict)]


# ------------------------------------------------------------------------------------------------ texts


def clean(text: str, fill: Callable[[str], str] | None = None) -> str:
    """A label in one plain line: without Markdown and HTML, references to answers filled in by `fill` or left out."""
    text = _REFERENCE.sub(lambda match: fill(match[1]) if fill else "…", text)
    text = _TAGS.sub("", _MARKS.sub(r"\2", text))
    return " ".join(text.lstrip("#").split())


def label(field: Field, schema: FormSchema, language: str) -> str:
    """What the field is called in `language`, in plain text."""
    return clean(pick(field.labels, language, schema.default_language)) or field.name


def say(field: Field, value: Any, choices: Choices, language: str) -> str:
    """An answer as people write it; "" for none."""
    if value is None or value == "":
        return ""
    if field.type in {"select1", "select", "rank"}:
        names = value if isinstance(value, list) else [str(value)]
        return _LIST_MARKS[language].join(choices.label(field, str(name)) for name in names)
    if isinstance(value, bool):
        return translate(_("Yes") if value else _("No"), language)
    if isinstance(value, int | float):
        return _number(value)
    if field.type == "dateTime":
        return _moment(str(value))
    if field.type == "time":
        return str(value)[:5]
    if field.type == "geopoint":
        return _point(str(value))
    return str(value) if not isinstance(value, list) else " ".join(map(str, value))


def _number(value: float) -> str:
    # Four digits may be a year; larger numbers are easier to read in groups.
    text = f"{value:,}" if abs(value) >= 10_000 else str(value)
    return text.removesuffix(".0")


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is not None:
        moment = moment.astimezone(SHANGHAI)
    return moment.strftime("%Y-%m-%d %H:%M")


def _point(text: str) -> str:
    parts = text.split()
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return text
    if len(numbers) < 2:
        return text
    shown = f"{numbers[0]:.6f}, {numbers[1]:.6f}"
    if len(numbers) > 3 and numbers[3] > 0:
        shown += f" (±{numbers[3]:.0f} m)"
    return shown


# ------------------------------------------------------------------------------------------------ masks


def mask(text: str, kind: str) -> str:
    """A sensitive text so that people can still tell two apart, and no more.

    ID numbers keep the county and the last two digits, telephones three and four digits, names the family name.
    """
    if kind == "id_number" and len(text) >= 15:
        return f"{text[:6]}{'*' * (len(text) - 8)}{text[-2:]}"
    if kind == "phone" and len(text) >= 7:
        return f"{text[:3]}{'*' * (len(text) - 7)}{text[-4:]}"
    if kind == "name" and text:
        return text[0] + "*" * max(1, min(len(text) - 1, 3))
    return "******"
