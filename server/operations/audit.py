"""Writing the audit log. Every verb that changes something says so here, in the transaction of the change."""

from __future__ import annotations

from typing import Any

from server.database import db
from server.models import AuditEntry


def record(
    actor_id: int | None,
    action: str,
    *,
    project_id: int | None = None,
    form_id: int | None = None,
    submission_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Add an entry to the session; it becomes durable with the change it speaks of."""
    db.session.add(
        AuditEntry(
            actor_id=actor_id,
            action=action,
            project_id=project_id,
            form_id=form_id,
            submission_id=submission_id,
            details=details,
        )
    )
