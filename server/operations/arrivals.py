"""A submission on its way in: what a door hands over, what was read of it, and how SQL sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from forms.instance import Instance
from server.operations.definitions import Definition
from server.storage import StoredBlob, Upload


@dataclass(slots=True)
class ReceivedFile:
    """A media file of a parcel: its name on the phone, its content on the way in, its declared type."""

    name: str
    upload: Upload
    content_type: str | None


@dataclass(slots=True)
class Parcel:
    """What one POST brought.

    Parameters
    ----------
    xml : bytes
        ``xml_submission_file``, byte for byte.
    files : list[ReceivedFile]
        The other parts that are files.
    device_id, user_agent : str or None
        What the phone says of itself.
    """

    xml: bytes
    files: list[ReceivedFile] = field(default_factory=list)
    device_id: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: an app user's or a draft's token by its digest, or an actor that logged in."""

    token_hash: bytes | None = None
    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to: a project, or the draft of one of its forms under test."""

    project_id: int
    draft_of: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a parcel.

    Parameters
    ----------
    instance_id : str
        The version's instanceID.
    outcome : str
        ``created``, ``repeated``, ``edited`` or ``waiting`` (an edit kept until its original arrives).
    missing : int
        Files the XML names that have not come yet.
    language : str
        The project's language, for the words of the answer.
    """

    instance_id: str
    outcome: str
    missing: int
    language: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A parcel, read: what the SQL below and in `settle` writes."""

    definition: Definition
    sender: Sender
    instance: Instance
    instance_id: str
    xml: bytes
    blobs: Sequence[tuple[str, StoredBlob, str | None]]
    device_id: str | None
    user_agent: str | None

    @property
    def deprecated_id(self) -> str | None:
        """instanceID of the version this one edits, if it is an edit."""
        return self.instance.envelope.deprecated_id


def parameters(arrival: Arrival) -> dict[str, Any]:
    """The arrival as named parameters of the SQL in `receive` and `settle`."""
    definition, instance, envelope = arrival.definition, arrival.instance, arrival.instance.envelope
    return {
        "token": arrival.sender.token_hash,
        "actor": arrival.sender.actor_id,
        "project": definition.project_id,
        "form": definition.form_id,
        "form_version": definition.version_id,
        "draft": definition.draft,
        "instance_id": arrival.instance_id,
        "deprecated_id": envelope.deprecated_id,
        "instance_name": envelope.instance_name,
        "xml": arrival.xml,
        "answers": orjson.dumps(instance.answers).decode(),
        "problems": orjson.dumps(instance.problems).decode() if instance.problems else None,
        "entities": _entities(instance),
        "encrypted": envelope.encrypted,
        "device_id": arrival.device_id,
        "user_agent": arrival.user_agent,
        "geometries": _geometries(instance),
        "files": _files(arrival),
    }


def _entities(instance: Instance) -> str | None:
    return orjson.dumps([action.to_json() for action in instance.entities]).decode() if instance.entities else None


def _geometries(instance: Instance) -> str:
    """Rows for `GEOMETRY_ROWS`. One JSON text costs a fifth of what arrays cost on their way to PostgreSQL."""
    rows = [
        {"path": place.path, "ordinal": place.ordinal, "ewkb": place.ewkb.hex(), "accuracy": place.accuracy}
        for place in instance.geometries
    ]
    return orjson.dumps(rows).decode()


def _files(arrival: Arrival) -> str:
    """Rows for `FILE_ROWS`: what the XML names, in its order, then what came besides."""
    rows: dict[str, dict[str, Any]] = {name: {"name": name, "expected": True} for name in arrival.instance.files}
    for name, blob, content_type in arrival.blobs:
        row = rows.setdefault(name, {"name": name, "expected": False})
        row |= {"sha256": blob.sha256.hex(), "md5": blob.md5, "size": blob.size, "type": content_type}
    return orjson.dumps(list(rows.values())).decode()


GEOMETRY_ROWS = "json_to_recordset(%(geometries)s::json) AS g (path text, ordinal int, ewkb text, accuracy real)"
FILE_ROWS = """
    (SELECT name, expected, decode(sha256, 'hex') AS sha256, md5, size, type
     FROM json_to_recordset(%(files)s::json)
         AS r (name text, expected bool, sha256 text, md5 text, size bigint, type text)) AS f
"""

# Whether the sender may send here, as one CTE body each; all yield ``actor_id``.
_BY_TOKEN = """
    SELECT u.actor_id FROM app_user u
    WHERE u.token_hash = %(token)s AND u.project_id = %(project)s AND u.revoked_at IS NULL AND EXISTS (
        SELECT FROM assignment a JOIN role r ON r.id = a.role_id
        WHERE a.actor_id = u.actor_id AND 'submission.create' = ANY (r.verbs)
          AND (a.project_id IS NULL OR a.project_id = u.project_id AND (a.form_id IS NULL OR a.form_id = %(form)s)))
"""
_BY_ACTOR = """
    SELECT u.id AS actor_id FROM actor u
    WHERE u.id = %(actor)s AND u.deleted_at IS NULL AND EXISTS (
        SELECT FROM assignment a JOIN role r ON r.id = a.role_id
        WHERE a.actor_id = u.id AND 'submission.create' = ANY (r.verbs)
          AND (a.project_id IS NULL OR a.project_id = %(project)s AND (a.form_id IS NULL OR a.form_id = %(form)s)))
"""
_BY_DRAFT_TOKEN = """
    SELECT NULL::bigint AS actor_id FROM form_version v
    WHERE v.id = %(form_version)s AND v.draft_token_hash = %(token)s
"""

# Whether the form accepts records now; yields the form's id.
_PLACE = """
    SELECT f.id FROM form f JOIN project p ON p.id = f.project_id
    WHERE f.id = %(form)s AND f.state <> 'closed' AND f.deleted_at IS NULL AND NOT p.archived AND p.deleted_at IS NULL
"""
_DRAFT_PLACE = """
    SELECT f.id FROM form f WHERE f.id = %(form)s AND f.draft_version_id = %(form_version)s AND f.deleted_at IS NULL
"""


def gate(sender: Sender, draft: bool, verb: str = "submission.create") -> str:
    """The CTEs ``sender`` and ``place``: empty when the sender may not send, or the form does not accept, right now."""
    if sender.actor_id is not None:
        who = _BY_ACTOR
    else:
        who = _BY_DRAFT_TOKEN if draft else _BY_TOKEN
    place = _DRAFT_PLACE if draft else _PLACE
    return f"sender AS ({who.replace('submission.create', verb)}), place AS ({place})"
