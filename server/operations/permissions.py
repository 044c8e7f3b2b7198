"""Who may do what: the one place that decides."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from server.database import db
from server.operations.errors import not_allowed


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking: an actor that has proved itself in this request."""

    actor_id: int
    type: str
    display_name: str
    email: str | None = None
    language: str | None = None


def verbs(actor_id: int, project_id: int | None = None, form_id: int | None = None) -> frozenset[str]:
    """What the actor may do on the form, the project, or (neither given) the whole site."""
    rows = db.session.execute(
        text(
            """
            SELECT DISTINCT unnest(r.verbs)
            FROM assignment a JOIN role r ON r.id = a.role_id JOIN actor ON actor.id = a.actor_id
            WHERE a.actor_id = :actor AND actor.deleted_at IS NULL
              AND (a.project_id IS NULL
                   OR a.project_id = :project AND (a.form_id IS NULL OR a.form_id = :form))
            """
        ),
        {"actor": actor_id, "project": project_id, "form": form_id},
    )
    return frozenset(row[0] for row in rows)


def require(identity: Identity, verb: str, project_id: int | None = None, form_id: int | None = None) -> None:
    """Raise `Refused` 403.1 unless the actor holds the verb there."""
    if verb not in verbs(identity.actor_id, project_id, form_id):
        raise not_allowed()
