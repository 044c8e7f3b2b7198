"""The OpenRosa endpoints: what Collect calls, under three kinds of address.

| address | who |
|---|---|
| ``/v1/key/{token}/projects/{id}/…`` | an app user's phone |
| ``/v1/projects/{id}/…`` | a person: Basic over https, or a session |
| ``/v1/test/{token}/projects/{id}/forms/{form}/draft/…`` | a phone testing a draft |

Query parameters that are not known (``deviceID`` is sent with everything) are ignored; form ids may hold slashes.
"""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from flask import Blueprint, Response, request
from sqlalchemy.exc import OperationalError

from server.database.fast import Unavailable
from server.openrosa import acts, answers, sender
from server.operations import forms, phones
from server.operations.arrivals import Destination, Sender
from server.operations.errors import Refused
from server.storage import NoSpace

blueprint = Blueprint("openrosa", __name__)


def _phone(token: str, project_id: int) -> tuple[Sender, Destination]:
    return sender.by_token(token), Destination(project_id)


def _person(project_id: int) -> tuple[Sender, Destination]:
    return sender.by_person(), Destination(project_id)


def _tester(token: str, project_id: int, draft_of: str) -> tuple[Sender, Destination]:
    return sender.by_token(token), Destination(project_id, draft_of)


# ------------------------------------------------------------------------------------------------ routes


@blueprint.get("/v1/key/<token>/projects/<int:project_id>/formList")
def phone_form_list(token: str, project_id: int) -> Response:
    """Form list for a phone."""
    return _form_list(*_phone(token, project_id))


@blueprint.get("/v1/projects/<int:project_id>/formList")
def person_form_list(project_id: int) -> Response:
    """Form list for a person."""
    return _form_list(*_person(project_id))


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<path:draft_of>/draft/formList")
def draft_form_list(token: str, project_id: int, draft_of: str) -> Response:
    """Form list of the one draft under test."""
    return _form_list(*_tester(token, project_id, draft_of))


@blueprint.get("/v1/key/<token>/projects/<int:project_id>/forms/<path:form_id>.xml")
def phone_form_xml(token: str, project_id: int, form_id: str) -> Response:
    """An XForm for a phone."""
    return _form_xml(*_phone(token, project_id), form_id)


@blueprint.get("/v1/projects/<int:project_id>/forms/<path:form_id>.xml")
def person_form_xml(project_id: int, form_id: str) -> Response:
    """An XForm for a person."""
    return _form_xml(*_person(project_id), form_id)


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<path:draft_of>/draft.xml")
def draft_form_xml(token: str, project_id: int, draft_of: str) -> Response:
    """The draft's XForm."""
    return _form_xml(*_tester(token, project_id, draft_of), draft_of)


@blueprint.get("/v1/key/<token>/projects/<int:project_id>/forms/<path:form_id>/manifest")
def phone_manifest(token: str, project_id: int, form_id: str) -> Response:
    """The files beside a form, for a phone."""
    return _manifest(*_phone(token, project_id), form_id)


@blueprint.get("/v1/projects/<int:project_id>/forms/<path:form_id>/manifest")
def person_manifest(project_id: int, form_id: str) -> Response:
    """The files beside a form, for a person."""
    return _manifest(*_person(project_id), form_id)


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<path:draft_of>/draft/manifest")
def draft_manifest(token: str, project_id: int, draft_of: str) -> Response:
    """The files beside the draft."""
    return _manifest(*_tester(token, project_id, draft_of), draft_of)


@blueprint.get("/v1/key/<token>/projects/<int:project_id>/forms/<path:form_id>/attachments/<name>")
def phone_attachment(token: str, project_id: int, form_id: str, name: str) -> Response:
    """A file beside a form, for a phone."""
    return _attachment(*_phone(token, project_id), form_id, name)


@blueprint.get("/v1/projects/<int:project_id>/forms/<path:form_id>/attachments/<name>")
def person_attachment(project_id: int, form_id: str, name: str) -> Response:
    """A file beside a form, for a person."""
    return _attachment(*_person(project_id), form_id, name)


@blueprint.get("/v1/test/<token>/projects/<int:project_id>/forms/<path:draft_of>/draft/attachments/<name>")
def draft_attachment(token: str, project_id: int, draft_of: str, name: str) -> Response:
    """A file beside the draft."""
    return _attachment(*_tester(token, project_id, draft_of), draft_of, name)


@blueprint.route("/v1/key/<token>/projects/<int:project_id>/submission", methods=["HEAD", "POST"])
def phone_submission(token: str, project_id: int) -> Response:
    """Records from a phone."""
    return _submission(*_phone(token, project_id))


@blueprint.route("/v1/projects/<int:project_id>/submission", methods=["HEAD", "POST"])
def person_submission(project_id: int) -> Response:
    """Records from a person."""
    return _submission(*_person(project_id))


@blueprint.route(
    "/v1/test/<token>/projects/<int:project_id>/forms/<path:draft_of>/draft/submission", methods=["HEAD", "POST"]
)
def draft_submission(token: str, project_id: int, draft_of: str) -> Response:
    """Trial records for a draft."""
    return _submission(*_tester(token, project_id, draft_of))


# ------------------------------------------------------------------------------------------------ what they do


def _form_list(who: Sender, where: Destination) -> Response:
    return acts.form_list(request, who, where)


def _submission(who: Sender, where: Destination) -> Response:
    return acts.submission(request, who, where)


def _form_xml(who: Sender, where: Destination, form_id: str) -> Response:
    xml, md5 = phones.form_xml(who, where, form_id)
    return answers.cacheable(request, xml, "text/xml; charset=utf-8", md5)


def _manifest(who: Sender, where: Destination, form_id: str) -> Response:
    base = request.base_url.removesuffix("/manifest")
    return answers.manifest(
        request,
        [
            answers.ListedFile(file.name, file.md5, f"{base}/attachments/{quote(file.name, safe='')}")
            for file in phones.manifest(who, where, form_id)
        ],
    )


def _attachment(who: Sender, where: Destination, form_id: str, name: str) -> Response:
    file = phones.attachment(who, where, form_id, name)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = answers.cacheable(request, b"", kind, file.md5)
    if response.status_code == 200:
        response.response = forms.blobs().chunks(file.sha256)
        response.headers["Content-Length"] = str(file.size)
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


# ------------------------------------------------------------------------------------------------ errors


@blueprint.errorhandler(Refused)
@blueprint.errorhandler(Unavailable)
@blueprint.errorhandler(OperationalError)
@blueprint.errorhandler(NoSpace)
def _on_error(error: Exception) -> Response:
    response = acts.error(error, (request.view_args or {}).get("project_id", 0))
    assert response is not None
    return response
