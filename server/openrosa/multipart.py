"""Reading the multipart body of a submission as it comes in: XML to memory, files to the blob store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from werkzeug.wrappers import Request

from server.config import Settings
from server.operations.arrivals import Parcel, ReceivedFile
from server.operations.errors import Refused, _
from server.storage import BlobStore, Upload

XML_PART = "xml_submission_file"
_PIECE = 1 << 16
_MAX_PARTS = 1000
_MAX_FIELD = 1 << 16


def read_parcel(request: Request, store: BlobStore, settings: Settings) -> Parcel:
    """The parcel in a request. Uploads in it are the caller's to discard.

    Part names are the files' names (Collect), the file name wins where both are given; folders in a name are dropped,
    as Collect itself does. Unknown fields (``*isIncomplete*``) are ignored.

    Raises
    ------
    Refused
        400.6 not multipart, 400.1 broken multipart, 400.7 no XML part, 400.8 a file name that cannot be used,
        413.1 larger than the settings allow.
    server.storage.NoSpace
        When the disk is full.
    """
    parcel = Parcel(b"", device_id=request.args.get("deviceID"), user_agent=request.headers.get("User-Agent"))
    xml: bytearray | None = None
    part: MultipartSegment | None = None
    upload: Upload | None = None
    try:
        for event in _events(request, settings):
            if isinstance(event, MultipartSegment):
                part = event
                if part.name == XML_PART and xml is None:
                    xml = bytearray()
                elif part.filename is not None:
                    upload = store.upload()
                    parcel.files.append(ReceivedFile(_file_name(part), upload, part.content_type))
            elif event is None:
                part = upload = None
            elif upload is not None:
                upload.write(event)
            elif part is not None and part.name == XML_PART and xml is not None:
                xml += event
                if len(xml) > settings.max_xml:
                    raise too_large(settings.max_xml)
            elif part is not None and part.bytes_received > _MAX_FIELD:
                raise Refused("400.8", _("The field %(name)s is too long."), name=(part.name or "")[:100])
        if xml is None:
            raise Refused("400.7", _("The part %(part)s is missing."), part=XML_PART)
    except BaseException:
        discard(parcel)
        raise
    parcel.xml = bytes(xml)
    return parcel


def discard(parcel: Parcel) -> None:
    """Remove what was not kept."""
    for file in parcel.files:
        file.upload.discard()


def too_large(limit: int) -> Refused:
    """413 with the limit in the message."""
    return Refused(
        "413.1", _("What was sent is larger than the server takes (%(limit)s MB)."), limit=limit // 1_000_000
    )


def _events(request: Request, settings: Settings) -> Iterator[MultipartSegment | bytes | None]:
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    boundary = options.get("boundary", "")
    if kind.lower() != "multipart/form-data" or not boundary:
        raise Refused("400.6", _("A record is sent as multipart/form-data."))
    try:
        with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
            for piece in _pieces(request, settings.max_body):
                yield from parser.parse(piece)
    except MultipartError as error:
        raise Refused("400.1", _("The record was cut off on its way, or is not multipart. Send it again.")) from error


def _pieces(request: Request, limit: int) -> Iterator[bytes]:
    stream: IO[bytes] = request.environ["wsgi.input"]
    left = request.content_length
    if left is not None and left > limit:
        raise too_large(limit)
    taken = 0
    while left is None or left > 0:
        piece = stream.read(_PIECE if left is None else min(left, _PIECE))
        if not piece:
            return
        taken += len(piece)
        if taken > limit:
            raise too_large(limit)
        if left is not None:
            left -= len(piece)
        yield piece


def _file_name(part: MultipartSegment) -> str:
    raw = part.filename or part.name or ""
    name = raw.replace("\\", "/").rpartition("/")[2].strip()
    if not name or name in {".", ".."} or len(name) > 255 or any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise Refused("400.8", _("A file has a name that cannot be used."))
    return name
