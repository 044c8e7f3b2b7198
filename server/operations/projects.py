"""Projects."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, text

from server.database import db
from server.models import Project
from server.operations import audit
from server.operations.errors import Refused, _, not_found
from server.operations.permissions import Identity


def create(name: str, *, description: str = "", language: str = "zh", by: int | None = None) -> Project:
    """Create a project; `Refused` 400.8 without a usable name."""
    name = name.strip()
    if not name or len(name) > 200 or "\x00" in name + description:
        raise Refused("400.8", _("A project needs a name of at most 200 characters."))
    project = Project(name=name, description=description.strip(), language=language)
    db.session.add(project)
    db.session.flush()
    audit.record(by, "project.create", project_id=project.id, details={"name": name})
    db.session.commit()
    return project


def get(project_id: int) -> Project:
    """One project; `Refused` 404.1 when it is not there."""
    project = db.session.get(Project, project_id) if 0 < project_id < 2**63 else None
    if project is None or project.deleted_at is not None:
        raise not_found()
    return project


def listing(identity: Identity | None = None) -> Sequence[Project]:
    """Projects the actor may read (all without one), archived last, newest first."""
    query = select(Project).where(Project.deleted_at.is_(None)).order_by(Project.archived, Project.id.desc())
    if identity is not None:
        readable = text(
            """
            EXISTS (SELECT FROM assignment a JOIN role r ON r.id = a.role_id
                    WHERE a.actor_id = :actor AND 'project.read' = ANY (r.verbs)
                      AND (a.project_id IS NULL OR a.project_id = project.id))
            """
        ).bindparams(actor=identity.actor_id)
        query = query.where(readable)
    return db.session.scalars(query).all()
