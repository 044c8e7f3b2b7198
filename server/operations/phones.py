"""What a phone may fetch: form lists, form definitions, the files beside them.

Each is one statement that also checks the sender. A draft under test is listed alone, to the holder of its token.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from server.database import fast
from server.database.fast import Statement, truth
from server.operations.arrivals import Destination, Sender
from server.operations.errors import Refused, _, not_allowed, not_found


class FetchableForm(NamedTuple):
    """A form as form lists show it; `md5` is of the exact bytes of the XForm."""

    xml_form_id: str
    title: str
    version: str
    md5: str
    has_files: bool


@dataclass(frozen=True, slots=True)
class FetchableFile:
    """A file beside a form; `sha256` finds it in the blob store."""

    name: str
    md5: str
    sha256: bytes
    size: int


_BY_TOKEN = """
    SELECT u.actor_id, coalesce(u.last_used_at < now() - interval '1 hour', true) AS unseen
    FROM app_user u JOIN project p ON p.id = u.project_id
    WHERE u.token_hash = %(token)s AND u.project_id = %(project)s AND u.revoked_at IS NULL AND p.deleted_at IS NULL
"""
_BY_ACTOR = """
    SELECT u.id AS actor_id, false AS unseen FROM actor u, project p
    WHERE u.id = %(actor)s AND u.deleted_at IS NULL AND p.id = %(project)s AND p.deleted_at IS NULL
      AND EXISTS (SELECT FROM assignment a JOIN role r ON r.id = a.role_id
                  WHERE a.actor_id = u.id AND 'form.list' = ANY (r.verbs)
                    AND (a.project_id IS NULL OR a.project_id = %(project)s))
"""
_BY_DRAFT_TOKEN = """
    SELECT NULL::bigint AS actor_id, false AS unseen FROM form_version v JOIN form f ON f.draft_version_id = v.id
    WHERE v.draft_token_hash = %(token)s AND f.project_id = %(project)s AND f.xml_form_id = %(draft_of)s
      AND f.deleted_at IS NULL
"""
_SEEN = "UPDATE app_user SET last_used_at = now() WHERE token_hash = %(token)s RETURNING 1"
_PUBLISHED = """
    SELECT f.id AS form_id, f.xml_form_id, f.state, v.id AS version_id, v.title, v.version, v.hash
    FROM form f JOIN form_version v ON v.id = f.current_version_id
    WHERE f.project_id = %(project)s AND f.deleted_at IS NULL AND EXISTS (
        SELECT FROM assignment a JOIN role r ON r.id = a.role_id
        WHERE a.actor_id = sender.actor_id AND 'form.read' = ANY (r.verbs)
          AND (a.project_id IS NULL OR a.project_id = f.project_id AND (a.form_id IS NULL OR a.form_id = f.id)))
"""
_DRAFT = """
    SELECT f.id AS form_id, f.xml_form_id, 'open' AS state, v.id AS version_id, v.title, v.version, v.hash
    FROM form f JOIN form_version v ON v.id = f.draft_version_id
    WHERE f.project_id = %(project)s AND f.xml_form_id = %(draft_of)s AND f.deleted_at IS NULL
      AND (v.draft_token_hash = %(token)s OR sender.actor_id IS NOT NULL)
"""


def _gate(sender: Sender, destination: Destination) -> str:
    """The CTE ``sender``: empty for a sender that is not, or no longer, good here."""
    if sender.actor_id is not None:
        who = _BY_ACTOR
    else:
        who = _BY_DRAFT_TOKEN if destination.draft_of is not None else _BY_TOKEN
    return f"WITH sender AS ({who})"


def _forms(destination: Destination) -> str:
    """The forms this sender may fetch, as a join after ``sender``: no form still leaves the sender's row."""
    what = _DRAFT if destination.draft_of is not None else _PUBLISHED
    return f"FROM sender LEFT JOIN LATERAL ({what}) form ON true"


def _values(sender: Sender, destination: Destination, xml_form_id: str = "") -> dict[str, Any]:
    return {
        "token": sender.token_hash,
        "actor": sender.actor_id,
        "project": destination.project_id if destination.project_id < 2**63 else 0,
        "draft_of": (destination.draft_of or "").replace("\x00", "\ufffd"),
        "form": xml_form_id.replace("\x00", "\ufffd"),
    }


def refusal(destination: Destination) -> Refused:
    """What a sender is told that the gate does not know: 404.4 for a draft's token, 403.1 otherwise."""
    if destination.draft_of is not None:
        return Refused("404.4", _("This draft is no longer under test. Get its new code from the form's page."))
    return not_allowed()


def list_forms(sender: Sender, destination: Destination, xml_form_id: str | None = None) -> list[FetchableForm]:
    """Open forms for this sender, by form id; only `xml_form_id` when it is given.

    Raises
    ------
    Refused
        403.1 or 404.4 for a sender that is not (or no longer) good. Never an empty list: a phone that matches exactly
        would delete all its forms.
    """
    row = fast.run(_list(sender.actor_id is not None, destination.draft_of is not None), _values(sender, destination))
    assert row is not None
    known, unseen, listed = row
    if not known:
        raise refusal(destination)
    if unseen:
        fast.execute(_SEEN, _values(sender, destination))
    forms = [FetchableForm(*form) for form in listed or ()]
    return forms if xml_form_id is None else [form for form in forms if form.xml_form_id == xml_form_id]


@lru_cache(maxsize=4)
def _list(by_actor: bool, draft: bool) -> Statement:
    """One row whatever the number of forms: whether the sender is known, whether to note it, the forms as JSON."""
    sender = Sender(actor_id=0) if by_actor else Sender(token_hash=b"")
    destination = Destination(0, "" if draft else None)
    sql = f"""
        {_gate(sender, destination)}
        SELECT count(*) > 0, coalesce(bool_or(sender.unseen), false),
               json_agg(json_build_array(form.xml_form_id, form.title, form.version, form.hash, EXISTS (
                   SELECT FROM form_attachment a
                   WHERE a.form_version_id = form.version_id AND a.blob_sha256 IS NOT NULL))
                   ORDER BY form.xml_form_id) FILTER (WHERE form.state = 'open')
        {_forms(destination)}
    """
    return Statement(sql, (truth, truth, orjson.loads))


def form_xml(sender: Sender, destination: Destination, xml_form_id: str) -> tuple[bytes, str]:
    """The XForm's exact bytes and their MD5; `Refused` 403.1, 404.1 or 404.4."""
    ((xform, md5),) = _of_form(
        f"""
        {_gate(sender, destination)}
        SELECT form.xml_form_id, v.xform, v.hash
        {_forms(destination)} AND form.xml_form_id = %(form)s
        LEFT JOIN form_version v ON v.id = form.version_id
        """,
        sender,
        destination,
        xml_form_id,
    )
    return bytes(xform), md5


def manifest(sender: Sender, destination: Destination, xml_form_id: str) -> list[FetchableFile]:
    """The files beside the form that are here, by name; `Refused` 403.1, 404.1 or 404.4."""
    rows = _of_form(
        f"""
        {_gate(sender, destination)}
        SELECT form.xml_form_id, a.name, b.md5, b.sha256, b.size
        {_forms(destination)} AND form.xml_form_id = %(form)s
        LEFT JOIN form_attachment a ON a.form_version_id = form.version_id AND a.blob_sha256 IS NOT NULL
        LEFT JOIN blob b ON b.sha256 = a.blob_sha256
        ORDER BY a.name
        """,
        sender,
        destination,
        xml_form_id,
    )
    return [FetchableFile(name, md5, bytes(sha256), size) for name, md5, sha256, size in rows if name is not None]


def attachment(sender: Sender, destination: Destination, xml_form_id: str, name: str) -> FetchableFile:
    """One file beside the form; `Refused` 403.1, 404.1 or 404.4."""
    for file in manifest(sender, destination, xml_form_id):
        if file.name == name:
            return file
    raise not_found()


def check_sender(sender: Sender, destination: Destination) -> None:
    """Raise `Refused` unless the sender is known here: asked before a large upload is read, and by HEAD."""
    known = f"{_gate(sender, destination)} SELECT 1 FROM sender"
    if fast.execute(known, _values(sender, destination)) is None:
        raise refusal(destination)


def language(project_id: int) -> str:
    """The language phones of the project are answered in."""
    if project_id >= 2**63:
        return "zh"
    row = fast.execute("SELECT language FROM project WHERE id = %(project)s", {"project": project_id})
    return "zh" if row is None else row[0]


def _of_form(sql: str, sender: Sender, destination: Destination, xml_form_id: str) -> list[tuple[Any, ...]]:
    """The rows after their first column, which is NULL when the sender is good but the form is not there for it."""
    rows = fast.fetch(sql, _values(sender, destination, xml_form_id))
    if not rows:
        raise refusal(destination)
    if rows[0][0] is None:
        raise not_found()
    return [row[1:] for row in rows]
