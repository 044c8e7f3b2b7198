"""The two things phones ask for all day, and what a phone is told when something is in the way.

They take the request as an argument, so that `views` (through Flask's routing) and `express` (past it) share them.
"""

from __future__ import annotations

import shutil

import structlog
from flask import Response, current_app
from psycopg.errors import DiskFull
from sqlalchemy.exc import OperationalError
from werkzeug.wrappers import Request

from server.config import Settings
from server.database.fast import Unavailable
from server.openrosa import answers, multipart
from server.operations import forms, phones, receive
from server.operations.arrivals import Destination, Sender
from server.operations.errors import Refused, _
from server.storage import NoSpace

_ASK_FIRST = 1_000_000  # bytes from which the sender is checked before the body is read
_FULL = _("The server's disk is full; the record was not stored. Keep it on the phone and tell the township office.")


def form_list(request: Request, who: Sender, where: Destination) -> Response:
    """The forms this sender may fetch."""
    found = phones.list_forms(who, where, request.args.get("formID"))
    return answers.form_list(request, found, request.base_url.removesuffix("/formList"), where.draft_of is not None)


def submission(request: Request, who: Sender, where: Destination) -> Response:
    """HEAD: how much may be sent. POST: a record, or a part of one."""
    settings: Settings = current_app.config["SETTINGS"]
    if request.method == "HEAD":
        phones.check_sender(who, where)
        return answers.may_send(settings.accept_length, request.base_url)
    if (request.content_length or _ASK_FIRST) >= _ASK_FIRST:
        phones.check_sender(who, where)
    parcel = multipart.read_parcel(request, forms.blobs(), settings)
    try:
        receipt = receive.submission(parcel, who, where)
    finally:
        multipart.discard(parcel)
    return answers.received(receipt, settings.accept_length)


def error(problem: Exception, project_id: int) -> Response | None:
    """What the phone is told, in its project's language; None for a fault of ours."""
    if isinstance(problem, OperationalError):  # from the ORM, which finds out who a person is
        problem = Unavailable(type(problem.orig).__name__, full=isinstance(problem.orig, DiskFull))
    if isinstance(problem, Refused):
        return answers.refused(problem, _language(project_id))
    if isinstance(problem, NoSpace):
        structlog.get_logger().error("storage.full", reason=str(problem))
        return answers.refused(Refused("507.1", _FULL), _language(project_id))
    if isinstance(problem, Unavailable):
        structlog.get_logger().warning("database.unavailable", reason=str(problem))
        if problem.full or _is_disk_full():
            return answers.refused(Refused("507.1", _FULL), _language(project_id))
        return answers.refused(Refused("503.1", _("The server is starting or busy. Send again in a minute.")), "zh")
    return None


def _is_disk_full() -> bool:
    """Whether the disk explains why the database is away: without room for its log PostgreSQL ends."""
    settings: Settings = current_app.config["SETTINGS"]
    return shutil.disk_usage(settings.data_dir).free < 1_000_000


def _language(project_id: int) -> str:
    """The project's language, asked when there is an error to word."""
    try:
        return phones.language(project_id)
    except Unavailable:
        return "zh"
