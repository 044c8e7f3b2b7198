"""Submissions that are not simply new: retries, missing files, edits, edits that come before their original.

All of it happens in one transaction that first takes a lock on the instances concerned, so that concurrent parcels of
one record come one after the other.

A *waiting* record: an edit B of an unknown instance A makes a record whose version A has no XML yet; the unique index
then sends A, when it comes, here, and the chain is complete. Chains of any length and order end the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from server.database import fast
from server.database.fast import Connection
from server.operations import definitions
from server.operations.arrivals import FILE_ROWS, GEOMETRY_ROWS, Arrival, Receipt, gate, parameters
from server.operations.errors import Refused, _, not_allowed

_TRIES = 4


def _again(act: Callable[[], Receipt]) -> Receipt:
    """Run a transaction again when another one won the race for the same instance."""
    for _attempt in range(_TRIES - 1):
        try:
            return act()
        except (errors.UniqueViolation, errors.DeadlockDetected):
            continue
    return act()


def repeat(arrival: Arrival) -> Receipt:
    """An instance whose id is there already: the same XML is a retry that may bring files, other XML is refused.

    Raises
    ------
    Refused
        409.1 different XML, 409.18 the record was deleted.
    """
    return _again(lambda: _repeat(arrival))


def _repeat(arrival: Arrival) -> Receipt:
    values = parameters(arrival)
    with fast.transaction() as connection:
        _lock(connection, arrival)
        _check_gate(connection, arrival, "submission.create")
        existing = _existing(connection, values)
        if existing is None:  # deleted for good since the insert saw it
            _write_new(connection, values)
            return _receipt(connection, values, "created")
        return _meet(connection, arrival, existing, values)


def edit(arrival: Arrival) -> Receipt:
    """A new version of a record.

    Raises
    ------
    Refused
        403.1 sender may not edit, 409.2 form closed, 409.1 the new instanceID is taken by different XML, 409.8 an edit
        of itself, 409.9 not the latest version was edited, 409.18 the record was deleted.
    """
    if arrival.deprecated_id == arrival.instance_id:
        raise Refused("409.8", _("The edited record has the instanceID of its original. Edit it again on the phone."))
    return _again(lambda: _edit(arrival))


def _edit(arrival: Arrival) -> Receipt:
    values = parameters(arrival)
    with fast.transaction() as connection:
        _lock(connection, arrival)
        _check_gate(connection, arrival, "submission.update")
        existing = _existing(connection, values)
        if existing is not None:
            return _meet(connection, arrival, existing, values)
        submission_id = _parent(connection, values)
        if submission_id is None:
            submission_id = _wait(connection, values)
        values["version"] = _insert_version(connection, values | {"submission": submission_id})
        _store_files(connection, values)
        waiting = _settle_chain(connection, values | {"submission": submission_id}, "submission.update")
        return _receipt(connection, values, "waiting" if waiting else "edited")


# ------------------------------------------------------------------------------------------------ meeting what is there


def _meet(connection: Connection, arrival: Arrival, existing: dict[str, Any], values: dict[str, Any]) -> Receipt:
    values["version"] = existing["version_id"]
    if existing["deleted"]:
        raise Refused("409.18", _("This record was deleted on the server. Ask the township office."))
    if existing["awaited"]:
        return _arrive_awaited(connection, arrival, existing, values)
    if not existing["same_xml"]:
        raise Refused("409.1", _("The server has this record already, with different answers. It was kept unchanged."))
    _store_files(connection, values)
    _run(connection, _CARRY_FILES, values | {"submission": existing["submission_id"]})
    return _receipt(connection, values, "repeated")


def _arrive_awaited(
    connection: Connection, arrival: Arrival, existing: dict[str, Any], values: dict[str, Any]
) -> Receipt:
    """The original that an edit was waiting for is here."""
    _run(connection, _FILL_VERSION, values)
    _store_files(connection, values)
    submission_id = existing["submission_id"]
    if arrival.deprecated_id is not None:
        older = _parent(connection, values)
        if older is None:
            _run(connection, _AWAIT, values | {"submission": submission_id})
        else:
            _run(connection, _JOIN_RECORDS, values | {"submission": submission_id, "older": older})
            submission_id = older
    action = "submission.create" if arrival.deprecated_id is None else "submission.update"
    waiting = _settle_chain(connection, values | {"submission": submission_id}, action)
    outcome = "waiting" if waiting else "created" if arrival.deprecated_id is None else "edited"
    return _receipt(connection, values, outcome)


def _existing(connection: Connection, values: dict[str, Any]) -> dict[str, Any] | None:
    row = _run(
        connection,
        """
        SELECT v.id, v.submission_id, v.xml IS NULL, coalesce(v.xml = %(xml)s, false), s.deleted_at IS NOT NULL
        FROM submission_version v JOIN submission s ON s.id = v.submission_id
        WHERE v.form_id = %(form)s AND v.draft = %(draft)s AND v.instance_id = %(instance_id)s
        FOR UPDATE OF s
        """,
        values,
    ).fetchone()
    if row is None:
        return None
    return dict(zip(("version_id", "submission_id", "awaited", "same_xml", "deleted"), row, strict=True))


def _parent(connection: Connection, values: dict[str, Any]) -> int | None:
    """The record whose latest version is the one edited, locked; None when the edited instance is not here.

    An instance that is itself still awaited counts as here only for a second edit of it, which is stale.
    """
    row = _run(
        connection,
        """
        SELECT s.id, s.deleted_at IS NOT NULL,
               EXISTS (SELECT FROM submission_version n WHERE n.form_id = %(form)s AND n.draft = %(draft)s
                         AND n.submission_id = s.id AND n.deprecated_id = v.instance_id
                         AND n.instance_id <> %(instance_id)s)
        FROM submission_version v JOIN submission s ON s.id = v.submission_id
        WHERE v.form_id = %(form)s AND v.draft = %(draft)s AND v.instance_id = %(deprecated_id)s
        FOR UPDATE OF s
        """,
        values,
    ).fetchone()
    if row is None:
        return None
    submission_id, deleted, edited_before = row
    if deleted:
        raise Refused("409.18", _("This record was deleted on the server. Ask the township office."))
    if edited_before:
        raise Refused("409.9", _("The record was edited by somebody else meanwhile. Get the latest version first."))
    return int(submission_id)


def _wait(connection: Connection, values: dict[str, Any]) -> int:
    """Make a waiting record for an edit whose original is not here."""
    submission_id = _value(
        connection,
        """
        INSERT INTO submission (project_id, form_id, draft, instance_id)
        VALUES (%(project)s, %(form)s, %(draft)s, %(deprecated_id)s) RETURNING id
        """,
        values,
    )
    _run(connection, _AWAIT, values | {"submission": submission_id})
    return submission_id


# ------------------------------------------------------------------------------------------------ writing


def _lock(connection: Connection, arrival: Arrival) -> None:
    """One at a time for all parcels that name the same instances; sorted, so that no two wait for each other."""
    names = sorted({arrival.instance_id, arrival.deprecated_id or arrival.instance_id})
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(n, %(form)s)) FROM unnest(%(names)s::text[]) AS n",
        {"names": names, "form": arrival.definition.form_id},
    )


def _check_gate(connection: Connection, arrival: Arrival, verb: str) -> None:
    row = _run(
        connection,
        f"""
        WITH {gate(arrival.sender, arrival.definition.draft, verb)}
        SELECT (SELECT actor_id FROM sender), EXISTS (SELECT FROM sender), EXISTS (SELECT FROM place)
        """,
        parameters(arrival),
    ).fetchone()
    assert row is not None
    if not row[1]:
        raise not_allowed()
    if not row[2]:
        definitions.forget(arrival.definition)
        raise definitions.refusal(arrival.definition)


def _write_new(connection: Connection, values: dict[str, Any]) -> None:
    submission_id = _value(
        connection,
        """
        INSERT INTO submission (project_id, form_id, draft, instance_id, device_id)
        VALUES (%(project)s, %(form)s, %(draft)s, %(instance_id)s, %(device_id)s) RETURNING id
        """,
        values,
    )
    values["version"] = _insert_version(connection, values | {"submission": submission_id})
    _store_files(connection, values)
    _settle_chain(connection, values | {"submission": submission_id}, "submission.create")


def _insert_version(connection: Connection, values: dict[str, Any]) -> int:
    version_id = _value(connection, _INSERT_VERSION, values)
    _run(connection, _INSERT_GEOMETRIES, values | {"version": version_id})
    return version_id


def _store_files(connection: Connection, values: dict[str, Any]) -> None:
    """Tie the parcel's files to the version, name what is expected, carry over what an edit did not send again."""
    _run(connection, _INSERT_BLOBS, values)
    _run(connection, _UPSERT_FILES, values)


def _settle_chain(connection: Connection, values: dict[str, Any], action: str) -> bool:
    """Put the record's versions in order and make the last one current; True while an original is still awaited."""
    _run(connection, _ORDER_CHAIN, values)
    _run(connection, _CARRY_FILES, values)
    waiting = bool(_value(connection, _MAKE_CURRENT, values))
    _run(
        connection,
        """
        INSERT INTO audit_log (actor_id, action, project_id, form_id, submission_id, details)
        SELECT submitter_id, %(action)s, %(project)s, %(form)s, %(submission)s,
               jsonb_build_object('instanceId', instance_id, 'waiting', %(waiting)s::bool)
        FROM submission_version WHERE id = %(version)s
        """,
        values | {"action": action, "waiting": waiting},
    )
    return waiting


def _receipt(connection: Connection, values: dict[str, Any], outcome: str) -> Receipt:
    row = _run(
        connection,
        """
        SELECT (SELECT count(*) FROM submission_attachment WHERE version_id = %(version)s AND blob_sha256 IS NULL),
               (SELECT language FROM project WHERE id = %(project)s)
        """,
        values,
    ).fetchone()
    assert row is not None
    return Receipt(values["instance_id"], outcome, row[0], row[1])


def _run(connection: Connection, sql: str, values: dict[str, Any]) -> psycopg.Cursor[TupleRow]:
    return connection.execute(sql, values)


def _value(connection: Connection, sql: str, values: dict[str, Any]) -> int:
    row = connection.execute(sql, values).fetchone()
    assert row is not None
    return int(row[0])


_SUBMITTER = """
    coalesce(%(actor)s::bigint,
             (SELECT actor_id FROM app_user WHERE token_hash = %(token)s AND project_id = %(project)s))
"""
_INSERT_VERSION = f"""
    INSERT INTO submission_version (submission_id, project_id, form_id, form_version_id, draft, instance_id,
        deprecated_id, instance_name, xml, answers, problems, entities, encrypted, submitter_id, device_id, user_agent)
    VALUES (%(submission)s, %(project)s, %(form)s, %(form_version)s, %(draft)s, %(instance_id)s,
        %(deprecated_id)s, %(instance_name)s, %(xml)s, %(answers)s::jsonb, %(problems)s::jsonb, %(entities)s::jsonb,
        %(encrypted)s, {_SUBMITTER}, %(device_id)s, %(user_agent)s)
    RETURNING id
"""
_FILL_VERSION = f"""
    WITH filled AS (
        UPDATE submission_version SET form_version_id = %(form_version)s, deprecated_id = %(deprecated_id)s,
            instance_name = %(instance_name)s, xml = %(xml)s, answers = %(answers)s::jsonb,
            problems = %(problems)s::jsonb, entities = %(entities)s::jsonb, encrypted = %(encrypted)s,
            submitter_id = {_SUBMITTER}, device_id = %(device_id)s, user_agent = %(user_agent)s, created_at = now()
        WHERE id = %(version)s)
    INSERT INTO submission_geometry (version_id, project_id, form_id, path, ordinal, geom, accuracy)
    SELECT %(version)s, %(project)s, %(form)s, g.path, g.ordinal, g.ewkb::geometry, g.accuracy
    FROM {GEOMETRY_ROWS}
"""
_INSERT_GEOMETRIES = f"""
    INSERT INTO submission_geometry (version_id, project_id, form_id, path, ordinal, geom, accuracy)
    SELECT %(version)s, %(project)s, %(form)s, g.path, g.ordinal, g.ewkb::geometry, g.accuracy
    FROM {GEOMETRY_ROWS}
"""
_AWAIT = """
    WITH renamed AS (UPDATE submission SET instance_id = %(deprecated_id)s WHERE id = %(submission)s)
    INSERT INTO submission_version (submission_id, project_id, form_id, draft, instance_id)
    VALUES (%(submission)s, %(project)s, %(form)s, %(draft)s, %(deprecated_id)s)
"""
_JOIN_RECORDS = """
    WITH moved AS (UPDATE submission_version SET submission_id = %(older)s WHERE submission_id = %(submission)s)
    DELETE FROM submission WHERE id = %(submission)s
"""
_INSERT_BLOBS = f"""
    INSERT INTO blob (sha256, md5, size)
    SELECT DISTINCT ON (f.sha256) f.sha256, f.md5, f.size FROM {FILE_ROWS}
    WHERE f.sha256 IS NOT NULL ORDER BY f.sha256
    ON CONFLICT DO NOTHING
"""
_UPSERT_FILES = f"""
    WITH given AS (
        SELECT f.* FROM {FILE_ROWS}
    ), replaced AS (
        INSERT INTO audit_log (action, project_id, form_id, submission_id, details)
        SELECT 'submission.attachment.update', %(project)s, %(form)s, v.submission_id,
               jsonb_build_object('name', a.name, 'oldBlob', encode(a.blob_sha256, 'hex'))
        FROM given g JOIN submission_attachment a ON a.version_id = %(version)s AND a.name = g.name
        JOIN submission_version v ON v.id = a.version_id
        WHERE g.sha256 IS NOT NULL AND a.blob_sha256 IS NOT NULL AND a.blob_sha256 <> g.sha256
    )
    INSERT INTO submission_attachment (version_id, project_id, name, expected, blob_sha256, content_type, updated_at)
    SELECT %(version)s, %(project)s, name, expected, sha256, type, CASE WHEN sha256 IS NOT NULL THEN now() END
    FROM given
    ON CONFLICT (version_id, name) DO UPDATE
        SET blob_sha256 = EXCLUDED.blob_sha256, content_type = EXCLUDED.content_type, updated_at = now()
        WHERE EXCLUDED.blob_sha256 IS NOT NULL
          AND submission_attachment.blob_sha256 IS DISTINCT FROM EXCLUDED.blob_sha256
"""
_ORDER_CHAIN = """
    WITH RECURSIVE chain AS (
        SELECT v.id, v.instance_id, 0 AS ordinal FROM submission_version v
        WHERE v.submission_id = %(submission)s AND NOT EXISTS (
            SELECT FROM submission_version o
            WHERE o.submission_id = v.submission_id AND o.instance_id = v.deprecated_id)
        UNION ALL
        SELECT v.id, v.instance_id, chain.ordinal + 1 FROM submission_version v
        JOIN chain ON v.deprecated_id = chain.instance_id WHERE v.submission_id = %(submission)s
    ) CYCLE id SET looped USING trail
    UPDATE submission_version v SET ordinal = chain.ordinal FROM chain
    WHERE v.id = chain.id AND NOT chain.looped AND v.ordinal <> chain.ordinal
"""
_CARRY_FILES = """
    WITH files AS (
        SELECT v.ordinal, a.* FROM submission_attachment a JOIN submission_version v ON v.id = a.version_id
        WHERE v.submission_id = %(submission)s
    ), carried AS (
        SELECT DISTINCT ON (lacking.version_id, lacking.name)
               lacking.version_id, lacking.name, older.blob_sha256, older.content_type
        FROM files lacking JOIN files older ON older.name = lacking.name AND older.ordinal < lacking.ordinal
        WHERE lacking.blob_sha256 IS NULL AND older.blob_sha256 IS NOT NULL
        ORDER BY lacking.version_id, lacking.name, older.ordinal DESC
    )
    UPDATE submission_attachment a
    SET blob_sha256 = c.blob_sha256, content_type = c.content_type, updated_at = now()
    FROM carried c WHERE a.version_id = c.version_id AND a.name = c.name
"""
_MAKE_CURRENT = """
    WITH versions AS (
        SELECT bool_or(xml IS NULL) AS waiting, max(ordinal) AS edits,
               (array_agg(id ORDER BY ordinal DESC))[1] AS last,
               (array_agg(submitter_id ORDER BY ordinal))[1] AS submitter_id,
               (array_agg(device_id ORDER BY ordinal))[1] AS device_id
        FROM submission_version WHERE submission_id = %(submission)s
    )
    UPDATE submission s
    SET current_version_id = CASE WHEN v.waiting THEN NULL ELSE v.last END,
        submitter_id = v.submitter_id, device_id = v.device_id,
        review_state = CASE WHEN v.edits > 0 AND NOT v.waiting THEN 'edited' ELSE s.review_state END,
        updated_at = CASE WHEN v.edits > 0 THEN now() ELSE s.updated_at END
    FROM versions v WHERE s.id = %(submission)s
    RETURNING v.waiting::int
"""
