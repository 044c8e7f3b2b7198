"""What phones are answered: OpenRosa XML, in the project's language.

Form list: https://docs.getodk.org/openrosa-form-list/ · submission: https://docs.getodk.org/openrosa-form-submission/
Collect insists on ``text/xml`` and on the ``X-OpenRosa-Version`` header of every answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote
from xml.sax.saxutils import escape

from flask import Response
from werkzeug.wrappers import Request

from server.i18n import translate
from server.operations.arrivals import Receipt
from server.operations.errors import Refused, _
from server.operations.phones import FetchableForm

OPENROSA_VERSION = {"X-OpenRosa-Version": "1.0"}
_XML = "text/xml; charset=utf-8"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_REVALIDATE = "private, no-cache"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A row of a manifest."""

    name: str
    md5: str
    download_url: str


def form_list(request: Request, forms: Iterable[FetchableForm], base: str, draft: bool) -> Response:
    """``<xforms>``: every form with a hash, without which Collect never downloads it.

    Parameters
    ----------
    request : Request
        What is answered.
    forms : Iterable[FetchableForm]
        What to list.
    base : str
        Address the forms' own addresses begin with: the phone's server URL, or a draft's address.
    draft : bool
        Whether `base` is a draft's.
    """
    base = escape(base)
    parts = [_DECLARATION, '<xforms xmlns="http://openrosa.org/xforms/xformsList">']
    for form in forms:
        parts += (piece if piece is not None else base for piece in _listed(form, draft))
    parts.append("</xforms>")
    return cacheable(request, "".join(parts).encode(), _XML)


@lru_cache(maxsize=2048)
def _listed(form: FetchableForm, draft: bool) -> tuple[str | None, ...]:
    """An ``<xform>`` in pieces, None where the base address goes: phones ask for the same forms every few minutes."""
    address = "" if draft else f"/forms/{quote(form.xml_form_id, safe='')}"
    head = (
        f"<xform><formID>{escape(form.xml_form_id)}</formID><name>{escape(form.title)}</name>"
        f"<version>{escape(form.version)}</version><hash>md5:{form.md5}</hash><downloadUrl>"
    )
    download = f"{address}.xml</downloadUrl>"
    if not form.has_files:
        return (head, None, f"{download}</xform>")
    return (head, None, f"{download}<manifestUrl>", None, f"{address}/manifest</manifestUrl></xform>")


def manifest(request: Request, files: Iterable[ListedFile]) -> Response:
    """``<manifest>``: only files that are here; one without a hash would void them all."""
    parts = [_DECLARATION, '<manifest xmlns="http://openrosa.org/xforms/xformsManifest">']
    for file in files:
        parts += (
            "<mediaFile><filename>", escape(file.name), "</filename><hash>md5:", file.md5, "</hash><downloadUrl>",
            escape(file.download_url), "</downloadUrl></mediaFile>",
        )  # fmt: skip
    parts.append("</manifest>")
    return cacheable(request, "".join(parts).encode(), _XML)


def cacheable(request: Request, body: bytes, content_type: str, md5: str | None = None) -> Response:
    """200 with an ETag, or 304 when the phone has it: syncing again costs no mobile data."""
    etag = f'"{md5 or hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    headers = {**OPENROSA_VERSION, "ETag": etag, "Cache-Control": _REVALIDATE, "Date": formatdate(usegmt=True)}
    if etag in request.headers.get("If-None-Match", "").replace("W/", ""):
        return Response(status=304, headers=headers)
    return Response(body, 200, headers, content_type=content_type)


def may_send(accept_length: int, location: str) -> Response:
    """HEAD before a submission: 204, or Collect asks whether this is an OpenRosa server at all."""
    headers = {
        **OPENROSA_VERSION,
        "X-OpenRosa-Accept-Content-Length": str(accept_length),
        "Location": location,
        "Date": formatdate(usegmt=True),
    }
    return Response(status=204, headers=headers)


def received(receipt: Receipt, accept_length: int) -> Response:
    """201: it is durable. The enumerator reads the message."""
    language = receipt.language
    if receipt.outcome == "waiting":
        text = translate(_("Received. The edit is applied when the original record arrives."), language)
    elif receipt.missing:
        text = translate(_("Received. Files still to come: %(count)s."), language, {"count": receipt.missing})
    else:
        text = translate(_("The record was received in full."), language)
    return message(201, "submit_success", text, {"X-OpenRosa-Accept-Content-Length": str(accept_length)})


def refused(error: Refused, language: str) -> Response:
    """An error the enumerator can read; the code is for the office."""
    text = translate(error.message, language, error.details)
    response = message(error.status, "error", f"{text} ({error.code})")
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Xiangtu", charset="UTF-8"'
    if error.status == 503:
        response.headers["Retry-After"] = "10"
    return response


def message(status: int, nature: str, text: str, headers: dict[str, str] | None = None) -> Response:
    """An ``<OpenRosaResponse>``; Collect shows the text of its ``<message>``."""
    body = (
        f'{_DECLARATION}<OpenRosaResponse xmlns="http://openrosa.org/http/response" items="0">'
        f'<message nature="{nature}">{escape(text)}</message></OpenRosaResponse>'
    )
    return Response(body.encode(), status, {**OPENROSA_VERSION, **(headers or {})}, content_type=_XML)
