"""Projects: what one township or campaign keeps together."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.database import db
from server.models.columns import CreatedAt, Key, Time


class Project(db.Model):
    """A set of forms, the people who may use them, and their records."""

    __tablename__ = "project"
    __table_args__ = (CheckConstraint("language IN ('zh', 'en')", name="language"),)

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    language: Mapped[str] = mapped_column(Text, server_default="zh", doc="Language phones are answered in: zh or en.")
    archived: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Time | None]
    deleted_at: Mapped[Time | None]
