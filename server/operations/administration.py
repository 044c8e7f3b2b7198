"""Small acts of administration that pages offer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select

from server.database import db
from server.models import Assignment, Form, FormVersion, Project, Role
from server.operations import audit
from server.operations.errors import Refused, _


def update_project(
    project: Project, *, name: str, description: str = "", language: str = "zh", by: int | None = None
) -> Project:
    """Change what a project is called, and the phones' language; `Refused` 400.8 without a usable name."""
    name = name.strip()
    if not name or len(name) > 200 or "\x00" in name + description:
        raise Refused("400.8", _("A project needs a name of at most 200 characters."))
    given = {"name": name, "description": description.strip(), "language": language}
    changed = [key for key, value in given.items() if getattr(project, key) != value]
    if changed:
        for key in changed:
            setattr(project, key, given[key])
        project.updated_at = datetime.now(UTC)
        audit.record(by, "project.update", project_id=project.id, details={"changed": changed})
        db.session.commit()
    return project


def roles_of(actor_ids: Sequence[int]) -> dict[int, list[tuple[str, int | None]]]:
    """What each actor holds: role name, and the project it holds in (None: everywhere)."""
    rows = db.session.execute(
        select(Assignment.actor_id, Role.system, Assignment.project_id)
        .join(Role, Role.id == Assignment.role_id)
        .where(Assignment.actor_id.in_(actor_ids))
        .order_by(Assignment.id)
    )
    found: dict[int, list[tuple[str, int | None]]] = defaultdict(list)
    for actor_id, role, project_id in rows:
        if (role, project_id) not in found[actor_id]:
            found[actor_id].append((role, project_id))
    return found


def forms_of_app_users(actor_ids: Sequence[int]) -> dict[int, list[int]]:
    """The forms each app user is limited to; an app user allowed on the whole project is not in it."""
    rows = db.session.execute(
        select(Assignment.actor_id, Assignment.form_id)
        .where(Assignment.actor_id.in_(actor_ids), Assignment.form_id.is_not(None))
        .order_by(Assignment.id)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for actor_id, form_id in rows:
        assert form_id is not None
        found[actor_id].append(form_id)
    return found


def version_of(form: Form, version_id: int) -> FormVersion | None:
    """A version of the form by its key: published or the draft; None when the form has no such version."""
    version = db.session.get(FormVersion, version_id)
    if version is None or version.form_id != form.id:
        return None
    return version if version.published_at is not None or version.id == form.draft_version_id else None
