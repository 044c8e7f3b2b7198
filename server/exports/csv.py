"""All records of a form as CSV: UTF-8 with a byte order mark, CRLF, a file for the records and one for each repeat.

Constant memory: rows come from a server-side cursor, and the zip is made while it is sent. Everything is read in one
snapshot, so that no repeat row misses its record.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from stat import S_IFREG
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson
from isal import isal_zlib
from sqlalchemy import Connection, Engine, RowMapping, text
from stream_zip import ZIP_64, ZIP_AUTO, Method, stream_zip

from forms.schema import Field, FormSchema, pick
from forms.tables import POINT_PARTS, Column, Table, rows, tables
from server.database import db
from server.exports.cells import Cell, Writer, office_text, writer
from server.i18n import translate
from server.models import Form, FormVersion
from server.operations import forms
from server.operations.errors import _, not_found
from server.operations.labels import Choices, clean, files_of, schema_of
from server.operations.reading import sensitive_files

_BATCH = 500
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_MODE = S_IFREG | 0o644
_Member = tuple[str, datetime, int, Method, Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class _Media:
    """Where files are found, and which are left out when sensitive answers are masked."""

    locate: Callable[[bytes], Path]
    schema: FormSchema
    everything: bool


#: System columns as people call them.
_SYSTEM_LABELS = {
    "SubmissionDate": _("Received at"),
    "KEY": _("Record key"),
    "PARENT_KEY": _("Key of the row it belongs to"),
    "SubmitterID": _("Sender's number"),
    "SubmitterName": _("Sender"),
    "AttachmentsPresent": _("Files received"),
    "AttachmentsExpected": _("Files expected"),
    "Status": _("Encryption"),
    "ReviewState": _("Review"),
    "DeviceID": _("Device"),
    "Edits": _("Edits"),
    "FormVersion": _("Form version"),
}
_PART_LABELS = {
    "Latitude": _("latitude"),
    "Longitude": _("longitude"),
    "Altitude": _("altitude (m)"),
    "Accuracy": _("accuracy (m)"),
}
_STATE_LABELS = {
    "received": _("Received"),
    "edited": _("Edited"),
    "hasIssues": _("Has issues"),
    "approved": _("Approved"),
    "rejected": _("Rejected"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """How to write.

    Parameters
    ----------
    office : bool
        For Excel, WPS and Calc: labels in headers and of choices, times of Asia/Shanghai, long digits kept as text,
        no text that runs as a formula. Otherwise names, codes and exact values, headers as ODK Central's.
    language : str
        ``zh`` or ``en``, for labels.
    sensitive : bool
        Whether answers marked sensitive are written as they are; masked otherwise.
    media : bool
        Whether photos and other files go into the zip, under ``media/``.
    """

    office: bool = True
    language: str = "zh"
    sensitive: bool = True
    media: bool = False


class Export:
    """An export under way: iterate for its bytes, once; `close` it when it is given up half-way.

    Attributes
    ----------
    file_name : str
        ``household_visit.zip``, or ``.csv`` for a form with a single table and no files wanted.
    content_type : str
    """

    def __init__(self, file_name: str, content_type: str, pieces: Iterator[bytes]) -> None:
        self.file_name = file_name
        self.content_type = content_type
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def __next__(self) -> bytes:
        return next(self.pieces)

    def close(self) -> None:
        """Let the database go."""
        close = getattr(self.pieces, "close", None)
        if close is not None:
            close()


def export(form: Form | int, options: Options | None = None) -> Export:
    """All readable records of a form.

    Parameters
    ----------
    form : Form or int
        The form, or its key (not its XForm id).
    options : Options, optional

    Raises
    ------
    Refused
        404.1 when the form is not there, or has no version yet.
    """
    options = options or Options()
    found = db.session.get(Form, form) if isinstance(form, int) else form
    if found is None or found.deleted_at is not None:
        raise not_found()
    form = found
    versions: list[FormVersion] = list(forms.versions(form)) or [
        version for version in (form.draft_version,) if version is not None
    ]
    if not versions:
        raise not_found()
    schemas = [schema_of(version) for version in versions]
    choices = Choices(schemas, files_of([version.id for version in versions]), forms.blobs(), options.language)
    described = [_without_notes(table, schemas) if options.office else table for table in tables(schemas)]
    parents = {table.path: table.parent for table in described}
    sheets = [_Sheet(table, _outermost(table.path, parents), schemas, choices, options) for table in described]
    stem = described[0].file_name(form.xml_form_id, "")
    names = [_file_name(table, form, schemas[0], options) for table in described]
    engine = db.engine
    if len(sheets) == 1 and not options.media:
        return Export(names[0], "text/csv; charset=utf-8", _single(engine, form.id, sheets[0]))
    media = _Media(forms.blobs().path, schemas[0], options.sensitive) if options.media else None
    return Export(f"{stem}.zip", "application/zip", _zip(engine, form.id, sheets, names, media))


def _without_notes(table: Table, schemas: Sequence[FormSchema]) -> Table:
    """Texts that are only read out have no answers; to people their empty columns are a nuisance."""
    kept = [
        column
        for column in table.columns
        if column.path is None or not all(field.note for schema in schemas if (field := schema.at(column.path)))
    ]
    return replace(table, columns=tuple(kept))


def _outermost(path: str | None, parents: Mapping[str | None, str | None]) -> str | None:
    while path is not None and parents[path] is not None:
        path = parents[path]
    return path


def _file_name(table: Table, form: Form, schema: FormSchema, options: Options) -> str:
    if not options.office:
        return table.file_name(form.xml_form_id)
    title = schema.title or form.xml_form_id
    if table.path is not None:
        # The name stays beside the label: labels of two repeats may be equal.
        inner = clean(pick(table.labels, options.language, schema.default_language))
        title = f"{title}-{inner}-{table.name}" if inner else f"{title}-{table.name}"
    return _safe(title) + ".csv"


def _safe(name: str) -> str:
    return "".join("_" if mark in '/\\:*?"<>|' or mark < " " else mark for mark in name)[:100].strip(" .") or "records"


# ------------------------------------------------------------------------------------------------ sheets


class _Sheet:
    """A table ready to be written: header cells, and a function for each column."""

    def __init__(
        self, table: Table, outermost: str | None, schemas: Sequence[FormSchema], choices: Choices, options: Options
    ) -> None:
        self.table = table
        self.outermost = outermost
        self.options = options
        self.header = _header(table, schemas[0], options) if options.office else [c.header for c in table.columns]
        self.columns: list[tuple[str | None, str, Writer]] = [
            (column.path, column.header, _column_writer(column, schemas, choices, options)) for column in table.columns
        ]
        self.quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if options.office else csv.QUOTE_MINIMAL

    def root_row(self, record: RowMapping, answers: Mapping[str, Any]) -> list[Cell]:
        """Cells of a record."""
        get = answers.get
        return [
            write(record[header]) if path is None else "" if (value := get(path)) is None else write(value)
            for path, header, write in self.columns
        ]

    def repeat_rows(self, key: str, answers: Mapping[str, Any]) -> Iterator[list[Cell]]:
        """Cells of each turn of the repeat in a record."""
        for row in rows(self.table, answers, key):
            keys = {"KEY": row.key, "PARENT_KEY": row.parent_key}
            get = row.answers.get
            yield [write(keys[header] if path is None else get(path)) for path, header, write in self.columns]


def _column_writer(column: Column, schemas: Sequence[FormSchema], choices: Choices, options: Options) -> Writer:
    if column.path is None:
        return _system_writer(column.header, options)
    field: Field | None = next((found for found in (schema.at(column.path) for schema in schemas) if found), None)
    return writer(column, field, choices, office=options.office, language=options.language, plain=options.sensitive)


def _system_writer(header: str, options: Options) -> Writer:
    if header == "SubmissionDate":
        return _local_time if options.office else _iso_time
    if header == "ReviewState" and options.office:
        return lambda value: translate(_STATE_LABELS.get(value, str(value)), options.language)
    if header in {"Edits", "AttachmentsPresent", "AttachmentsExpected"}:
        return int
    if options.office:
        return lambda value: office_text("" if value is None else str(value))
    return lambda value: "" if value is None else str(value)


def _local_time(moment: datetime) -> str:
    return moment.astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _iso_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _header(table: Table, schema: FormSchema, options: Options) -> list[str]:
    """Labels, unique: where two questions are called the same, the name stands behind."""
    shown = []
    for column in table.columns:
        if column.path is None:
            shown.append(translate(_SYSTEM_LABELS.get(column.header, column.header), options.language))
            continue
        label = clean(pick(column.labels, options.language, schema.default_language)) or column.header
        if column.part in POINT_PARTS and column.labels:
            label = f"{label} {translate(_PART_LABELS[column.part], options.language)}"
        shown.append(label)
    return [
        f"{label} ({column.header})" if shown.count(label) > 1 and column.path is not None else label
        for label, column in zip(shown, table.columns, strict=True)
    ]


# ------------------------------------------------------------------------------------------------ bytes


def _single(engine: Engine, form_id: int, sheet: _Sheet) -> Iterator[bytes]:
    with _snapshot(engine) as connection:
        yield from _csv(connection, form_id, sheet)


def _zip(
    engine: Engine,
    form_id: int,
    sheets: Sequence[_Sheet],
    names: Sequence[str],
    media: _Media | None,
) -> Iterator[bytes]:
    with _snapshot(engine) as connection:

        def members() -> Iterator[_Member]:
            now = datetime.now(_SHANGHAI).replace(tzinfo=None)
            for name, sheet in zip(names, sheets, strict=True):
                yield name, now, _MODE, ZIP_64, _csv(connection, form_id, sheet)
            if media is not None:
                for name, size, path in _media(connection, form_id, media):
                    yield f"media/{name}", now, _MODE, ZIP_AUTO(size), _read(path)

        yield from stream_zip(members(), get_compressobj=_compressor, extended_timestamps=False)


def _compressor() -> Any:
    return isal_zlib.compressobj(level=1, wbits=-isal_zlib.MAX_WBITS)


class _snapshot:
    """A connection of its own that sees one moment of the database, and only reads."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()

    def __enter__(self) -> Connection:
        self._connection = self._connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        return self._connection

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def _csv(connection: Connection, form_id: int, sheet: _Sheet) -> Iterator[bytes]:
    buffer = io.StringIO()
    out = csv.writer(buffer, lineterminator="\r\n", quoting=sheet.quoting)
    out.writerow(sheet.header)
    yield b"\xef\xbb\xbf" + _take(buffer)
    for batch in _batches(connection, form_id, sheet.outermost):
        for record, answers in batch:
            if sheet.table.path is None:
                out.writerow(sheet.root_row(record, answers))
            else:
                out.writerows(sheet.repeat_rows(record["KEY"], answers))
        if buffer.tell():
            yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode("utf-8", "replace")
    buffer.seek(0)
    buffer.truncate()
    return data


_READABLE = "s.form_id = :form AND NOT s.draft AND s.deleted_at IS NULL AND s.current_version_id IS NOT NULL"
_RECORDS = f"""
    SELECT s.created_at AS "SubmissionDate", s.instance_id AS "KEY", s.submitter_id AS "SubmitterID",
           a.display_name AS "SubmitterName", f.present AS "AttachmentsPresent", f.expected AS "AttachmentsExpected",
           CASE WHEN v.encrypted THEN 'not decrypted' END AS "Status", s.review_state AS "ReviewState",
           s.device_id AS "DeviceID", v.ordinal AS "Edits", w.version AS "FormVersion", v.answers::text AS answers
    FROM submission s JOIN submission_version v ON v.id = s.current_version_id
    JOIN form_version w ON w.id = v.form_version_id
    LEFT JOIN actor a ON a.id = s.submitter_id
    CROSS JOIN LATERAL (
        SELECT count(t.blob_sha256) AS present, count(*) FILTER (WHERE t.expected) AS expected
        FROM submission_attachment t WHERE t.version_id = v.id) AS f
    WHERE {_READABLE} ORDER BY s.id
"""
# A repeat needs only the branch of the answers it stands in.
_REPEATS = f"""
    SELECT s.instance_id AS "KEY",
           jsonb_build_object(CAST(:top AS text), v.answers -> CAST(:top AS text))::text AS answers
    FROM submission s JOIN submission_version v ON v.id = s.current_version_id
    WHERE {_READABLE} AND jsonb_exists(v.answers, CAST(:top AS text)) ORDER BY s.id
"""
_FILES = f"""
    SELECT s.instance_id, t.name, b.size, t.blob_sha256, v.answers::text AS answers
    FROM submission s JOIN submission_version v ON v.id = s.current_version_id
    JOIN submission_attachment t ON t.version_id = v.id
    JOIN blob b ON b.sha256 = t.blob_sha256
    WHERE {_READABLE} ORDER BY s.id, t.name
"""


def _batches(connection: Connection, form_id: int, repeat: str | None) -> Iterator[Iterator[tuple[RowMapping, Any]]]:
    values: dict[str, Any] = {"form": form_id}
    if repeat is not None:
        values["top"] = repeat
    result = connection.execution_options(yield_per=_BATCH).execute(
        text(_RECORDS if repeat is None else _REPEATS), values
    )
    with result:
        for part in result.mappings().partitions(_BATCH):
            yield ((record, orjson.loads(record["answers"])) for record in part)


def _media(connection: Connection, form_id: int, media: _Media) -> Iterator[tuple[str, int, Path]]:
    """Files of the records; where two records name one alike, the record's key goes before it."""
    used: set[str] = set()
    result = connection.execution_options(yield_per=_BATCH).execute(text(_FILES), {"form": form_id})
    with result:
        for instance_id, name, size, sha256, answers in result:
            path = media.locate(bytes(sha256))
            if not path.exists():
                continue
            if not media.everything and name in sensitive_files(media.schema, orjson.loads(answers)):
                continue
            shown = _safe(name)
            if shown in used:
                shown = _safe(f"{instance_id.removeprefix('uuid:')}-{name}")
            used.add(shown)
            yield shown, size, path


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 18):
            yield piece
