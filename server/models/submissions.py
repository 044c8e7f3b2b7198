"""Submissions: the records phones send. These tables grow; each carries `project_id` so that they can be partitioned.

Foreign keys lead out of the aggregate: version to form version, file to version and blob. Inside it, record, version
and geometries get their keys in the one statement that writes them all; the project, form and submitter repeated on
each row come from what that statement has just read, and those rows are never deleted, only marked. A foreign key for
each would cost a quarter of an insert and make all concurrent inserts lock the same rows.
"""

from __future__ import annotations

from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import REAL, BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.database import db
from server.models.columns import CreatedAt, Key, Sha256, Time


class Submission(db.Model):
    """A record: the chain of versions that began with one instance on a phone.

    `current_version_id` is NULL while the record is *waiting*: an edit came before the instance it edits. A waiting
    record is kept whole and shown nowhere until its parent arrives.
    """

    __tablename__ = "submission"
    __table_args__ = (
        CheckConstraint(
            "review_state IN ('received', 'edited', 'hasIssues', 'approved', 'rejected')", name="review_state"
        ),
        Index("ix_submission_form_id_id", "form_id", "draft", "id"),
    )

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(BigInteger)
    form_id: Mapped[int] = mapped_column(BigInteger)
    draft: Mapped[bool] = mapped_column(server_default="false", doc="Sent to a draft for testing.")
    instance_id: Mapped[str] = mapped_column(Text, doc="instanceID of the first version: the record's name in URLs.")
    current_version_id: Mapped[int | None] = mapped_column(BigInteger)
    submitter_id: Mapped[int | None] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(Text)
    review_state: Mapped[str] = mapped_column(Text, server_default="received")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Time | None]
    deleted_at: Mapped[Time | None]

    versions: Mapped[list[SubmissionVersion]] = relationship(
        primaryjoin="Submission.id == foreign(SubmissionVersion.submission_id)",
        order_by="SubmissionVersion.ordinal",
        viewonly=True,
    )
    submitter = relationship("Actor", primaryjoin="foreign(Submission.submitter_id) == Actor.id", viewonly=True)


class SubmissionVersion(db.Model):
    """One XML as a phone sent it, and what was read from it. (form, draft, instanceID) is unique: the rule that makes
    retries and races harmless."""

    __tablename__ = "submission_version"
    __table_args__ = (
        Index("uq_submission_version_instance_id", "form_id", "draft", "instance_id", unique=True),
        Index("ix_submission_version_submission_id", "submission_id"),
    )

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(BigInteger)
    submission_id: Mapped[int] = mapped_column(BigInteger)
    form_id: Mapped[int] = mapped_column(BigInteger)
    form_version_id: Mapped[int | None] = mapped_column(ForeignKey("form_version.id"), doc="NULL with `xml` NULL.")
    draft: Mapped[bool] = mapped_column(server_default="false")
    instance_id: Mapped[str] = mapped_column(Text)
    deprecated_id: Mapped[str | None] = mapped_column(Text, doc="instanceID of the version this one replaces.")
    ordinal: Mapped[int] = mapped_column(Integer, server_default="0", doc="0 the original, then edit by edit.")
    instance_name: Mapped[str | None] = mapped_column(Text)
    xml: Mapped[bytes | None] = mapped_column(
        LargeBinary, deferred=True, doc="Byte for byte as sent; NULL: the parent an edit is waiting for."
    )
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), doc="Keyed by path, typed.")
    problems: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB, doc="Values kept as text, and why.")
    entities: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB, doc="Entity actions found in the XML.")
    encrypted: Mapped[bool] = mapped_column(server_default="false")
    submitter_id: Mapped[int | None] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]

    attachments: Mapped[list[SubmissionAttachment]] = relationship(order_by="SubmissionAttachment.name")
    form_version = relationship("FormVersion")


class SubmissionAttachment(db.Model):
    """A file of a version: expected (its XML names it), present (`blob_sha256` is set), or both."""

    __tablename__ = "submission_attachment"

    version_id: Mapped[int] = mapped_column(ForeignKey("submission_version.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger)
    expected: Mapped[bool]
    blob_sha256: Mapped[Sha256 | None] = mapped_column(ForeignKey("blob.sha256"))
    content_type: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[Time | None]


class SubmissionGeometry(db.Model):
    """A geo answer: longitude, latitude, altitude in WGS84 (EPSG:4326)."""

    __tablename__ = "submission_geometry"

    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True, doc="0, 1, … among the repeats of this path.")
    project_id: Mapped[int] = mapped_column(BigInteger)
    form_id: Mapped[int] = mapped_column(BigInteger)
    geom: Mapped[WKBElement] = mapped_column(Geometry("GEOMETRYZ", srid=4326, dimension=3, spatial_index=True))
    accuracy: Mapped[float | None] = mapped_column(REAL, doc="Metres; 0: placed by hand.")
