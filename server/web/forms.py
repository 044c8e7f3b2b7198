"""Forms of a project: the list, one form with its versions and draft, publishing and closing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import current_app, request, url_for
from flask_babel import gettext as _

from forms.library import surveys
from forms.xlsform import Message, XLSFormError
from server.config import Settings
from server.models import Form
from server.operations import app_users, forms, library, records
from server.operations.errors import Refused, not_found
from server.web import codes, door

room = door.room("forms")
_LIST = "/projects/<int:project_id>/forms"
_ONE = f"{_LIST}/<int:form_id>"


# ------------------------------------------------------------------------------------------------ the list


@room.get(_LIST)
def listing(project_id: int) -> Any:
    """The project's forms."""
    return _listing(project_id)


def _listing(project_id: int, messages: list[Message] | None = None, error: str | None = None) -> Any:
    door.project(project_id, "form.list")
    found = forms.listing(project_id)
    taken = {form.xml_form_id for form in found}
    return door.page(
        "forms/list.html",
        status=422 if messages or error else 200,
        forms=found,
        totals=records.totals([form.id for form in found]),
        library=[survey for survey in surveys() if survey.name not in taken],
        messages=messages,
        error=error,
    )


@room.post(_LIST)
def create(project_id: int) -> Any:
    """Upload a new form; it becomes a draft."""
    door.project(project_id, "form.create")
    try:
        form = _take_upload(project_id, None)
    except XLSFormError as error:
        return _listing(project_id, error.messages)
    except Refused as error:
        return _listing(project_id, error=door.words(error))
    return door.go(url_for("forms.show", project_id=project_id, form_id=form.id))


@room.post(f"{_LIST}/library/<name>")
def add_from_library(project_id: int, name: str) -> Any:
    """Add one of the product's own surveys."""
    door.project(project_id, "form.create")
    survey = next((survey for survey in surveys() if survey.name == name), None)
    if survey is None:
        raise not_found()
    try:
        form = library.add(project_id, survey, by=door.me().actor_id)
    except XLSFormError as error:
        return _listing(project_id, error.messages)
    door.say(_("The survey was added as a draft. Check its files, then publish it."))
    return door.go(url_for("forms.show", project_id=project_id, form_id=form.id))


# ------------------------------------------------------------------------------------------------ one form


@room.get(_ONE)
def show(project_id: int, form_id: int) -> Any:
    """One form: what phones get, its versions, its draft."""
    return _page(door.form(project_id, form_id))


def _page(form: Form, messages: list[Message] | None = None, error: str | None = None) -> Any:
    draft = form.draft_version
    return door.page(
        "forms/show.html",
        status=422 if messages or error else 200,
        form=form,
        draft=draft,
        versions=forms.versions(form),
        total=records.totals([form.id]).get(form.id),
        missing=[item for item in draft.attachments if item.blob_sha256 is None] if draft else [],
        test_code=_test_code(form) if draft and "form.update" in door.verbs(form.project_id, form.id) else None,
        messages=messages,
        error=error,
    )


def _test_code(form: Form) -> Any:
    """QR code that puts the draft alone on a phone, in a Collect project of its own."""
    assert form.draft_version is not None
    token = forms.draft_token(form.draft_version)
    if token is None:
        return None
    settings: Settings = current_app.config["SETTINGS"]
    xml_form_id = quote(form.xml_form_id, safe="")
    url = f"{settings.server_origin()}/v1/test/{token}/projects/{form.project_id}/forms/{xml_form_id}/draft"
    name = _("[Test] %(title)s", title=form.draft_version.title)
    return codes.qr(app_users.collect_settings(url, name, door.language()), name)


@room.post(f"{_ONE}/draft")
def save_draft(project_id: int, form_id: int) -> Any:
    """Upload a new draft; an older draft is replaced."""
    form = door.form(project_id, form_id, "form.update")
    try:
        _take_upload(project_id, form)
    except XLSFormError as error:
        return _page(form, error.messages)
    except Refused as error:
        return _page(door.form(project_id, form_id), error=door.words(error))
    return door.go(url_for("forms.show", project_id=project_id, form_id=form_id))


def _take_upload(project_id: int, form: Form | None) -> Form:
    settings: Settings = current_app.config["SETTINGS"]
    data, name = door.uploaded("file", settings.max_xlsform)
    if not name:
        raise Refused("400.8", _("Choose an Excel file first."))
    stem = name.rpartition(".")[0] or name
    fallback = form.xml_form_id if form else stem
    definition = forms.read_definition(data, name, form_id_fallback=fallback)
    version = forms.save_draft(project_id, definition, form=form, by=door.me().actor_id)
    door.say(_("The draft was saved. Try it on a phone, then publish it."))
    for warning in definition.warnings:
        door.say(str(warning), "warn")
    return form or next(item for item in forms.listing(project_id) if item.id == version.form_id)


@room.post(f"{_ONE}/draft/publish")
def publish(project_id: int, form_id: int) -> Any:
    """Give the draft to the phones."""
    form = door.form(project_id, form_id, "form.update")
    try:
        version = forms.publish(form, by=door.me().actor_id)
    except Refused as error:
        if error.status == 404:
            raise
        return _page(form, error=door.words(error))
    door.say(_("Version %(version)s is published. Phones get it at their next update.", version=version.version or "–"))
    return door.go(url_for("forms.show", project_id=project_id, form_id=form_id))


@room.post(f"{_ONE}/draft/discard")
def discard(project_id: int, form_id: int) -> Any:
    """Give up the draft."""
    form = door.form(project_id, form_id, "form.update")
    was_published = form.current_version_id is not None
    forms.discard_draft(form, by=door.me().actor_id)
    door.say(_("The draft was discarded."))
    if was_published:
        return door.go(url_for("forms.show", project_id=project_id, form_id=form_id))
    return door.go(url_for("forms.listing", project_id=project_id))


@room.post(f"{_ONE}/state")
def set_state(project_id: int, form_id: int) -> Any:
    """Open, wind down or close the form."""
    form = door.form(project_id, form_id, "form.update")
    state = request.form.get("state", "")
    forms.set_state(form, state, by=door.me().actor_id)
    said = {
        "open": _("The form is open: phones list it and its records are accepted."),
        "closing": _("The form is winding down: phones no longer list it; records already begun are still accepted."),
        "closed": _("The form is closed: new records are refused."),
    }
    door.say(said[state])
    return door.go(url_for("forms.show", project_id=project_id, form_id=form_id))
