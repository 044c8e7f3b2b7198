"""The audit log: who did what, when. Append-only; the database refuses UPDATE and DELETE."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.database import db
from server.models.columns import CreatedAt, Key


class AuditEntry(db.Model):
    """One act. The ids are plain numbers without foreign keys: the log outlives what it speaks of."""

    __tablename__ = "audit_log"

    id: Mapped[Key]
    logged_at: Mapped[CreatedAt]
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(Text, doc="ODK Central's names: submission.create, form.update.publish, …")
    project_id: Mapped[int | None] = mapped_column(BigInteger)
    form_id: Mapped[int | None] = mapped_column(BigInteger)
    submission_id: Mapped[int | None] = mapped_column(BigInteger)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
