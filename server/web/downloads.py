"""Files leaving by the pages' door: always as what we say they are, never run by the browser."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from flask import Response

from server.operations import forms
from server.operations.errors import not_found
from server.operations.reading import INLINE_IMAGES, INLINE_MEDIA


def disposition(name: str, kind: str = "attachment") -> str:
    """A Content-Disposition that keeps Chinese file names, with a plain name for old programs."""
    plain = "".join(mark if mark.isascii() and mark.isprintable() and mark not in '"\\;' else "_" for mark in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def bytes_as(data: bytes | Iterable[bytes], name: str, content_type: str) -> Response:
    """Bytes, or pieces of them, to be saved under a name."""
    response = Response(data, content_type=content_type)
    response.headers["Content-Disposition"] = disposition(name)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "no-store"
    return response


def blob_as(sha256: bytes, name: str, content_type: str, *, inline: bool = False) -> Response:
    """A stored content. Pictures, sound and film may show in the page; anything else is saved, SVG and HTML too."""
    store = forms.blobs()
    try:
        size = store.path(sha256).stat().st_size
    except FileNotFoundError:
        raise not_found() from None
    shown = inline and content_type in INLINE_IMAGES | INLINE_MEDIA
    response = bytes_as(store.chunks(sha256), name, content_type)
    response.headers["Content-Length"] = str(size)
    if shown:
        response.headers["Content-Disposition"] = disposition(name, "inline")
        # The same name under the same record never changes its content, but a shared computer must not keep it long.
        response.headers["Cache-Control"] = "private, max-age=600"
    return response
