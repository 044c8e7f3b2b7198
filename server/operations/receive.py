"""Receiving a submission: the hot path of the house.

A new instance is one SQL statement that checks the sender and the form, writes record, version, geometries, files and
audit row, and is durable when it returns. The unique index on (form, draft, instanceID) arbitrates between retries
and races: whoever does not insert goes to `server.operations.settle`, which compares, completes, edits or waits.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Sequence
from functools import lru_cache

from flask import current_app

from forms.instance import Envelope, InstanceError, parse, read_envelope
from server.database import fast
from server.database.fast import Statement, truth
from server.operations import definitions, phones, settle
from server.operations.arrivals import (
    FILE_ROWS,
    GEOMETRY_ROWS,
    Arrival,
    Destination,
    Parcel,
    Receipt,
    ReceivedFile,
    Sender,
    gate,
    parameters,
)
from server.operations.definitions import Definition
from server.operations.errors import Refused, _, not_allowed
from server.storage import StoredBlob

_MAX_NAME = 255
_ADMITTED = 10_000
_ADMISSION_SECONDS = 60
_MAX_TAGS = 1_000_000  # libxml2 takes some 130 bytes for the smallest element, so size alone does not bound memory
_MAX_FILES = 10_000


def submission(parcel: Parcel, sender: Sender, destination: Destination) -> Receipt:
    """Receive one POST of a submission. When it returns, everything in it is durable.

    Raises
    ------
    Refused
        With Central's codes: 400.1 XML that cannot be read, 400.2 a form id missing, 403.1 sender not allowed,
        404.1 unknown form, 404.6 unknown version, 409.1 same instanceID with different XML, 409.2 closed form,
        409.9 stale edit, 409.18 deleted record.
    server.database.fast.Unavailable
        When PostgreSQL cannot be reached or is full; nothing of the record was written.
    server.storage.NoSpace
        When the disk of the blobs is full; nothing of the record was written.
    """
    envelope = _read(parcel.xml)
    definition = _resolve(envelope, sender, destination)
    arrival = _arrive(parcel, sender, envelope, definition)
    if arrival.deprecated_id is not None:
        return settle.edit(arrival)
    row = fast.run(_statement(arrival), parameters(arrival))
    assert row is not None
    allowed, accepting, submission_id, language = row
    if not allowed:
        raise not_allowed()
    if not accepting:
        definitions.forget(definition)
        raise definitions.refusal(definition)
    if submission_id is None:
        return settle.repeat(arrival)
    missing = len(set(arrival.instance.files) - {name for name, _blob, _type in arrival.blobs})
    return Receipt(arrival.instance_id, "created", missing, language)


def _read(xml: bytes) -> Envelope:
    if xml.count(b"<") > _MAX_TAGS:
        raise Refused("413.1", _("The record has more answers than the server takes."))
    try:
        return read_envelope(xml)
    except InstanceError as error:
        raise _unreadable(error) from error


def _unreadable(error: InstanceError) -> Refused:
    if error.code == "no_form_id":
        return Refused("400.2", _("The record does not say which form it belongs to."))
    return Refused("400.1", _("The record cannot be read: %(reason)s"), reason=error.message)


def _resolve(envelope: Envelope, sender: Sender, destination: Destination) -> Definition:
    try:
        return definitions.resolve(destination.project_id, envelope.form_id, envelope.version, destination.draft_of)
    except Refused:
        phones.check_sender(sender, destination)  # strangers are not told which forms there are
        raise


def _admit(sender: Sender, definition: Definition, verb: str) -> None:
    """Refuse whoever may not send before files take room on the disk; the statement that writes asks again.

    That is why an answer may be a minute old: it only keeps strangers' files out.
    """
    admitted: dict[tuple[Sender, int, str], float] = current_app.extensions.setdefault("xiangtu.admitted", {})
    now = time.monotonic()
    if admitted.get((sender, definition.version_id, verb), 0.0) > now:
        return
    _ask_admission(sender, definition, verb)
    if len(admitted) > _ADMITTED:
        admitted.clear()
    admitted[sender, definition.version_id, verb] = now + _ADMISSION_SECONDS


def _ask_admission(sender: Sender, definition: Definition, verb: str) -> None:
    row = fast.execute(
        f"WITH {gate(sender, definition.draft, verb)} SELECT EXISTS (SELECT FROM sender), EXISTS (SELECT FROM place)",
        {
            "token": sender.token_hash,
            "actor": sender.actor_id,
            "project": definition.project_id,
            "form": definition.form_id,
            "form_version": definition.version_id,
        },
    )
    assert row is not None
    if not row[0]:
        raise not_allowed()
    if not row[1]:
        definitions.forget(definition)
        raise definitions.refusal(definition)


def _arrive(parcel: Parcel, sender: Sender, envelope: Envelope, definition: Definition) -> Arrival:
    try:
        instance = parse(envelope, definition.schema)
    except InstanceError as error:
        raise _unreadable(error) from error
    instance_id = envelope.instance_id or _stable_instance_id(parcel.xml)
    names = (instance_id, envelope.deprecated_id or "", envelope.instance_name or "")
    if any("\x00" in name for name in names) or len(instance_id) > _MAX_NAME or len(names[1]) > _MAX_NAME:
        raise Refused("400.8", _("The record's instanceID cannot be used."))
    # What is too long for a file's name can never come as a file; it stays an answer.
    instance.files = [name for name in instance.files if len(name) <= _MAX_NAME]
    if len(instance.files) > _MAX_FILES:
        raise Refused("413.1", _("The record names more files than the server takes."))
    if parcel.files:
        _admit(sender, definition, "submission.create" if envelope.deprecated_id is None else "submission.update")
    return Arrival(
        definition=definition,
        sender=sender,
        instance=instance,
        instance_id=instance_id,
        xml=parcel.xml,
        blobs=_keep(parcel.files),
        device_id=_clean(parcel.device_id),
        user_agent=_clean(parcel.user_agent),
    )


def _keep(files: Sequence[ReceivedFile]) -> list[tuple[str, StoredBlob, str | None]]:
    """Make the files durable before any row speaks of them. Of a name sent twice, the last one counts."""
    last = {file.name: file for file in files}
    return [(file.name, file.upload.keep(), _clean(file.content_type)) for file in last.values()]


def _stable_instance_id(xml: bytes) -> str:
    """An instanceID for XML that has none: from its bytes, so that a retry is still recognised."""
    return f"uuid:{uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(xml).hexdigest())}"


def _clean(text: str | None) -> str | None:
    return text.replace("\x00", "")[:500] if text else None


_INSERT = """
keys AS (
    SELECT actor_id, nextval('submission_id_seq') AS submission_id, nextval('submission_version_id_seq') AS version_id
    FROM sender, place
), version AS (
    INSERT INTO submission_version (id, submission_id, project_id, form_id, form_version_id, draft, instance_id,
        instance_name, xml, answers, problems, entities, encrypted, submitter_id, device_id, user_agent)
    SELECT version_id, submission_id, %(project)s, %(form)s, %(form_version)s, %(draft)s, %(instance_id)s,
        %(instance_name)s, %(xml)s, %(answers)s::jsonb, %(problems)s::jsonb, %(entities)s::jsonb, %(encrypted)s,
        actor_id, %(device_id)s, %(user_agent)s
    FROM keys
    ON CONFLICT (form_id, draft, instance_id) DO NOTHING
    RETURNING id, submission_id, submitter_id
), record AS (
    INSERT INTO submission (id, project_id, form_id, draft, instance_id, current_version_id, submitter_id, device_id)
    SELECT submission_id, %(project)s, %(form)s, %(draft)s, %(instance_id)s, id, submitter_id, %(device_id)s
    FROM version
), entry AS (
    INSERT INTO audit_log (actor_id, action, project_id, form_id, submission_id)
    SELECT submitter_id, 'submission.create', %(project)s, %(form)s, submission_id FROM version
)
"""
_GEOMETRIES = f"""
, geometries AS (
    INSERT INTO submission_geometry (version_id, project_id, form_id, path, ordinal, geom, accuracy)
    SELECT v.id, %(project)s, %(form)s, g.path, g.ordinal, g.ewkb::geometry, g.accuracy
    FROM version v, {GEOMETRY_ROWS}
)
"""
_FILES = f"""
, files AS (
    INSERT INTO submission_attachment (version_id, project_id, name, expected, blob_sha256, content_type, updated_at)
    SELECT v.id, %(project)s, f.name, f.expected, f.sha256, f.type, CASE WHEN f.sha256 IS NOT NULL THEN now() END
    FROM version v, {FILE_ROWS}
)
"""
_BLOBS = f"""
, contents AS (
    INSERT INTO blob (sha256, md5, size)
    SELECT DISTINCT ON (f.sha256) f.sha256, f.md5, f.size FROM version, {FILE_ROWS} WHERE f.sha256 IS NOT NULL
    ON CONFLICT DO NOTHING
)
"""
_ANSWER = """
SELECT EXISTS (SELECT FROM sender), EXISTS (SELECT FROM place), (SELECT submission_id FROM version),
    (SELECT language FROM project WHERE id = %(project)s)
"""


def _statement(arrival: Arrival) -> Statement:
    """The statement with the parts this arrival needs: each left out saves PostgreSQL a table to open."""
    instance = arrival.instance
    return _compose(
        arrival.sender.actor_id is not None,
        arrival.definition.draft,
        bool(instance.geometries),
        bool(instance.files or arrival.blobs),
        bool(arrival.blobs),
    )


@lru_cache(maxsize=32)
def _compose(by_actor: bool, draft: bool, geometries: bool, files: bool, blobs: bool) -> Statement:
    sender = Sender(actor_id=0) if by_actor else Sender(token_hash=b"")
    parts = [_INSERT, _GEOMETRIES if geometries else "", _BLOBS if blobs else "", _FILES if files else "", _ANSWER]
    return Statement(f"WITH {gate(sender, draft)}, {''.join(parts)}", (truth, truth, int, str))
