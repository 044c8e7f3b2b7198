"""Forms, their versions and the files that go with them to the phone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.database import db
from server.models.columns import CreatedAt, Key, Sha256, Time


class Form(db.Model):
    """A survey in a project, known to phones by `xml_form_id`."""

    __tablename__ = "form"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closing', 'closed')", name="state"),
        Index(
            "uq_form_project_id_xml_form_id",
            "project_id",
            "xml_form_id",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    xml_form_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="open", doc="open; closing: not listed; closed: refuses.")
    current_version_id: Mapped[int | None] = mapped_column(
        ForeignKey("form_version.id", use_alter=True), doc="The published version phones get; NULL: never published."
    )
    draft_version_id: Mapped[int | None] = mapped_column(ForeignKey("form_version.id", use_alter=True))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Time | None]
    deleted_at: Mapped[Time | None]

    current_version: Mapped[FormVersion | None] = relationship(foreign_keys=[current_version_id], lazy="joined")
    draft_version: Mapped[FormVersion | None] = relationship(foreign_keys=[draft_version_id], lazy="joined")


class FormVersion(db.Model):
    """One definition of a form. Immutable once published; every published version is kept."""

    __tablename__ = "form_version"
    __table_args__ = (
        Index(
            "uq_form_version_published",
            "form_id",
            "version",
            unique=True,
            postgresql_where=text("published_at IS NOT NULL"),
        ),
        Index("ix_form_version_form_id", "form_id"),
    )

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    form_id: Mapped[int] = mapped_column(ForeignKey("form.id"))
    version: Mapped[str] = mapped_column(Text, doc="Empty when the form names none.")
    title: Mapped[str] = mapped_column(Text)
    xform: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, doc="The XForm's exact bytes.")
    hash: Mapped[str] = mapped_column(Text, doc="MD5 of `xform` in hex, as form lists announce it.")
    xlsform_sha256: Mapped[Sha256 | None] = mapped_column(
        ForeignKey("blob.sha256"), doc="The spreadsheet it came from."
    )
    xlsform_name: Mapped[str | None] = mapped_column(Text)
    schema: Mapped[dict[str, Any]] = mapped_column(JSONB, deferred=True, doc="`forms.schema.FormSchema.to_json()`.")
    draft_token_hash: Mapped[Sha256 | None] = mapped_column(unique=True, doc="SHA-256 of the draft's test token.")
    draft_nonce: Mapped[bytes | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("actor.id"))
    created_at: Mapped[CreatedAt]
    published_at: Mapped[Time | None]

    attachments: Mapped[list[FormAttachment]] = relationship(order_by="FormAttachment.name")


class FormAttachment(db.Model):
    """A file the form expects beside it (choices, pictures), present once `blob_sha256` is set."""

    __tablename__ = "form_attachment"

    form_version_id: Mapped[int] = mapped_column(ForeignKey("form_version.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text, doc="image, audio, video, file.")
    blob_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))
    updated_at: Mapped[Time | None]
