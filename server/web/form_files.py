"""Files of a form: definitions to download, lists and pictures that go with it to the phone."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request, url_for
from flask_babel import gettext as _

from server.config import Settings
from server.models import Form, FormVersion
from server.operations import administration, forms
from server.operations.errors import Refused, not_found
from server.operations.reading import content_type
from server.web import door, downloads
from server.web.forms import _ONE, room

_VERSION = f"{_ONE}/versions/<int:version_id>"


def _version(form: Form, version_id: int) -> FormVersion:
    version = administration.version_of(form, version_id)
    if version is None:
        raise not_found()
    return version


@room.get(f"{_VERSION}/form.xml")
def download_xform(project_id: int, form_id: int, version_id: int) -> Response:
    """The XForm, byte for byte as phones get it."""
    form = door.form(project_id, form_id)
    version = _version(form, version_id)
    return downloads.bytes_as(version.xform, _name(form, version, ".xml"), "application/xml")


@room.get(f"{_VERSION}/form.xlsx")
def download_xlsform(project_id: int, form_id: int, version_id: int) -> Response:
    """The spreadsheet the version was made from."""
    form = door.form(project_id, form_id)
    version = _version(form, version_id)
    if version.xlsform_sha256 is None:
        raise not_found()
    suffix = "." + (version.xlsform_name or "form.xlsx").rpartition(".")[2].lower()
    name = _name(form, version, suffix)
    return downloads.blob_as(version.xlsform_sha256, name, content_type(name))


def _name(form: Form, version: FormVersion, suffix: str) -> str:
    return "-".join(part for part in (form.xml_form_id, version.version) if part) + suffix


@room.get(f"{_VERSION}/files/<path:name>")
def download_file(project_id: int, form_id: int, version_id: int, name: str) -> Response:
    """A file beside the form."""
    version = _version(door.form(project_id, form_id), version_id)
    attachment = next((item for item in version.attachments if item.name == name), None)
    if attachment is None or attachment.blob_sha256 is None:
        raise not_found()
    return downloads.blob_as(attachment.blob_sha256, name, content_type(name))


@room.post(f"{_VERSION}/files")
def upload_files(project_id: int, form_id: int, version_id: int) -> Any:
    """Give files to a version; they are told apart by their names, or by the row they were dropped on."""
    form = door.form(project_id, form_id, "form.update")
    version = _version(form, version_id)
    settings: Settings = current_app.config["SETTINGS"]
    wanted = request.form.get("name")
    taken = 0
    for file in request.files.getlist("files"):
        if not file.filename:
            continue
        data = file.stream.read(settings.max_body)
        try:
            forms.attach(version, wanted or file.filename, data, by=door.me().actor_id)
            taken += 1
        except Refused as error:
            door.say(door.words(error), "bad")
    if taken:
        door.say(_("The files were stored. Phones get them at their next update."))
    elif not request.files.getlist("files")[0:1] or not request.files.getlist("files")[0].filename:
        door.say(_("Choose a file first."), "warn")
    return door.go(url_for("forms.show", project_id=project_id, form_id=form_id))
