"""Blobs: what the blob store holds, known by content."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from server.database import db
from server.models.columns import CreatedAt, Sha256


class Blob(db.Model):
    """One stored content. Its bytes are in the blob store under the SHA-256, durable before the row exists."""

    __tablename__ = "blob"
    __table_args__ = (CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),)

    sha256: Mapped[Sha256] = mapped_column(primary_key=True)
    md5: Mapped[str] = mapped_column(Text, doc="Hex digest: what OpenRosa manifests announce.")
    size: Mapped[int] = mapped_column(BigInteger, doc="Bytes.")
    created_at: Mapped[CreatedAt]
