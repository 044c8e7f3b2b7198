"""Records: the table of a form, one record, its files, CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

from flask import Response, current_app, g, request, url_for
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeTimedSerializer

from forms.schema import Field, FormSchema
from server.exports.csv import Options, export
from server.models import Form, FormVersion
from server.operations import forms, labels, reading, records
from server.operations.errors import Refused, not_found
from server.operations.records import Filters, Record
from server.web import door, downloads

room = door.room("records")
_TABLE = "/projects/<int:project_id>/forms/<int:form_id>/records"
_ONE = f"{_TABLE}/<int:submission_id>"

#: How many answers the table shows beside who, when and in what state.
_COLUMNS = 4
#: How long the address of a revealed file works.
_PASS_SECONDS = 3600
_USEFUL = frozenset({"select1", "string", "int", "decimal", "date", "select"})
_QUERY = ("q", "by", "state", "since", "until", "sort", "size", "page")


@room.get("/projects/<int:project_id>/records")
def of_project(project_id: int) -> Any:
    """The records of the form that received something last."""
    door.project(project_id, "submission.list")
    found = [form for form in forms.listing(project_id) if form.current_version_id is not None]
    if not found:
        return door.page("records/none.html")
    totals = records.totals([form.id for form in found])
    latest = max(found, key=lambda form: (str(totals[form.id].last or ""), -form.id))
    return door.go(url_for("records.table", project_id=project_id, form_id=latest.id))


# ------------------------------------------------------------------------------------------------ the table


@room.get(_TABLE)
def table(project_id: int, form_id: int) -> Any:
    """A page of a form's records."""
    form = door.form(project_id, form_id, "submission.list")
    filters = _filters()
    page = records.page(form, filters, _number("page", 1), _number("size", 50))
    schema = _schema(form)
    columns = _useful(schema) if schema else []
    return door.page(
        "records/table.html",
        form=form,
        forms=[item for item in forms.listing(project_id) if item.current_version_id or item.id == form_id],
        page=page,
        filters=filters,
        submitters=records.submitters(form),
        columns=[(field, labels.label(field, schema, door.language())) for field in columns] if schema else [],
        cells={row.id: _cells(row, columns, form) for row in page.rows},
        address=_address,
        query=_query(),
        link=link,
        sizes=records.PAGE_SIZES,
        sensitive=bool(schema and records.has_sensitive(schema.fields)),
    )


def _query() -> dict[str, str]:
    """The parts of the query that choose and order records; anything else is not carried from page to page."""
    return {key: value for key, value in request.args.items() if key in _QUERY}


def _address(**changes: Any) -> str:
    """This page's address with some of the query changed; None takes a part away."""
    query = {**_query(), **changes}
    if "page" not in changes:
        query.pop("page", None)
    kept = {key: value for key, value in query.items() if value not in (None, "", 1 if key == "page" else None)}
    return link("table", kept)


def link(endpoint: str, query: Mapping[str, Any], **values: Any) -> str:
    """Address below the form of this request; `values` go before what stands in the query."""
    view = request.view_args or {}
    arguments: dict[str, Any] = {**query, **values, "project_id": view["project_id"], "form_id": view["form_id"]}
    return url_for(f"records.{endpoint}", **arguments)


def _filters() -> Filters:
    submitter = request.args.get("by", "")
    return Filters(
        words=request.args.get("q", "").strip()[:100],
        state=request.args.get("state", "") if request.args.get("state") in records.REVIEW_STATES else "",
        submitter=int(submitter) if submitter.isdecimal() and len(submitter) < 19 else None,
        since=_day("since"),
        until=_day("until"),
        oldest_first=request.args.get("sort") == "oldest",
    )


def _day(name: str) -> date | None:
    try:
        found = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return found if 1900 <= found.year <= 9000 else None


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else otherwise


def _schema(form: Form) -> FormSchema | None:
    version = form.current_version or form.draft_version
    return labels.schema_of(version) if version else None


def _useful(schema: FormSchema) -> list[Field]:
    """The first questions a clerk would look at: asked, labelled, short, not sensitive, once a record."""
    asked = [
        field
        for field in schema.leaves()
        if field.control and field.labels and field.repeat is None and not field.meta and not field.note
        if not field.sensitive and field.type in _USEFUL and "multiline" not in field.appearance
    ]
    return asked[:_COLUMNS]


def _choices(version: FormVersion) -> labels.Choices:
    """Labels in the reader's language, remembered for the request."""
    known: dict[int, labels.Choices] = g.setdefault("choices", {})
    if version.id not in known:
        schema = labels.schema_of(version)
        known[version.id] = labels.Choices([schema], labels.files_of([version.id]), forms.blobs(), door.language())
    return known[version.id]


def _cells(row: records.Row, columns: list[Field], form: Form) -> list[str]:
    version = form.current_version or form.draft_version
    if version is None:
        return []
    choices = _choices(version)
    return [labels.say(field, row.answers.get(field.path), choices, door.language()) for field in columns]


# ------------------------------------------------------------------------------------------------ one record


@room.route(_ONE, methods=["GET", "POST"])
def show(project_id: int, form_id: int, submission_id: int) -> Any:
    """One record. POST shows what is masked, after a reason was given."""
    form = door.form(project_id, form_id, "submission.read")
    record = records.get(form, submission_id, _number("version", 0) or None)
    revealed, error = _revealed(record, form) if request.method == "POST" else ((), None)
    version = record.form_version
    layout = reading.lay_out(record, labels.schema_of(version), _choices(version), door.language(), revealed)
    before, after = records.neighbours(form, _filters(), submission_id)
    return door.page(
        "records/show.html",
        status=422 if error else 200,
        form=form,
        record=record,
        layout=layout,
        link=link,
        file_address=_file_addresses(record, revealed, layout),
        before=before,
        after=after,
        query=_query(),
        back=_query(),
        error=error,
        sensitive=records.has_sensitive(labels.schema_of(version).fields),
    )


def _revealed(record: Record, form: Form) -> tuple[tuple[str, ...], str | None]:
    wanted = request.form.get("what", reading.EVERYTHING)
    try:
        records.reveal(record, form, request.form.get("reason", ""), wanted, by=door.me().actor_id)
    except Refused as error:
        return (), door.words(error)
    return (wanted,), None


@room.route(f"{_ONE}/record.xml", methods=["GET", "POST"])
def download_xml(project_id: int, form_id: int, submission_id: int) -> Response:
    """The XML as the phone sent it. It masks nothing, so a form with sensitive questions asks why."""
    form = door.form(project_id, form_id, "submission.read")
    record = records.get(form, submission_id, _number("version", 0) or None)
    if records.has_sensitive(labels.schema_of(record.form_version).fields):
        records.reveal(record, form, request.form.get("reason", ""), "xml", by=door.me().actor_id)
    name = record.shown.instance_id.removeprefix("uuid:").replace("/", "_") + ".xml"
    return downloads.bytes_as(records.raw_xml(record), name, "application/xml")


@room.get(f"{_ONE}/versions/<int:version_id>/files/<path:name>")
def download_file(project_id: int, form_id: int, submission_id: int, version_id: int, name: str) -> Response:
    """A file of the record."""
    form = door.form(project_id, form_id, "submission.read")
    record = records.get(form, submission_id, version_id)
    file = record.files.get(name)
    if file is None or file.sha256 is None:
        raise not_found()
    if name in _sensitive_files(record) and not _may_pass(record, name):
        raise Refused("403.1", _("This file is sensitive. Open it from its record, where a reason is asked."))
    return downloads.blob_as(file.sha256, name, reading.content_type(name), inline=True)


def _sensitive_files(record: Record) -> frozenset[str]:
    return reading.sensitive_files(labels.schema_of(record.form_version), record.answers)


def _passes() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="sensitive-file")


def _may_pass(record: Record, name: str) -> bool:
    """Whether the address carries the pass that was made for this person when the file was revealed."""
    try:
        given = _passes().loads(request.args.get("pass", ""), max_age=_PASS_SECONDS)
    except BadData:
        return False
    return bool(given == [door.me().actor_id, record.shown.id, name])


def _file_addresses(record: Record, revealed: Collection[str], layout: reading.Layout) -> Callable[[str], str | None]:
    """Name -> address of a file; None for a sensitive one that was not revealed on this page."""
    locked = _sensitive_files(record)
    opened = layout.opened if reading.EVERYTHING not in revealed else locked

    def address(name: str) -> str | None:
        values = {"submission_id": record.id, "version_id": record.shown.id, "name": name}
        if name not in locked:
            return link("download_file", {}, **values)
        if name not in opened:
            return None
        signed = _passes().dumps([door.me().actor_id, record.shown.id, name])
        return link("download_file", {}, **values, **{"pass": signed})

    return address


# ------------------------------------------------------------------------------------------------ CSV


@room.route("/projects/<int:project_id>/forms/<int:form_id>/records.csv", methods=["GET", "POST"])
def download_csv(project_id: int, form_id: int) -> Response:
    """All records as CSV, zipped when the form has repeats. POST with a reason includes what is masked."""
    form = door.form(project_id, form_id, "submission.export")
    plain = request.method == "POST" and request.form.get("sensitive") == "yes"
    reason = request.form.get("reason", "").strip()
    if plain and len(reason) < 2:
        raise Refused("400.8", _("Say in a few words why you need to see this."))
    office = request.values.get("style") != "data"
    options = Options(
        office=office, language=door.language(), sensitive=plain, media=request.values.get("media") == "yes"
    )
    exported = export(form.id, options)
    records.note_export(form, "csv", by=door.me().actor_id, sensitive=plain, reason=reason)
    response = downloads.bytes_as(exported.pieces, exported.file_name, exported.content_type)
    response.headers["X-Accel-Buffering"] = "no"
    return response


@room.app_template_global("sketch")
def sketch(points: Sequence[tuple[float, float]]) -> tuple[str, str] | None:
    """View box and path of an outline without a map: north up, east shrunk by the latitude; None for fewer than two."""
    if len(points) < 2:
        return None
    shrink = math.cos(math.radians(points[0][0]))
    drawn = [(longitude * shrink, -latitude) for latitude, longitude in points]
    left, top = min(x for x, _y in drawn), min(y for _x, y in drawn)
    width, height = max(x for x, _y in drawn) - left, max(y for _x, y in drawn) - top
    scale = 100 / (max(width, height) or 1e-9)
    path = "M" + "L".join(f"{(x - left) * scale:.2f} {(y - top) * scale:.2f}" for x, y in drawn)
    return f"-6 -6 {width * scale + 12:.2f} {height * scale + 12:.2f}", path
