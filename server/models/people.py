"""People and devices: who acts, how they prove it, what they may do."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.database import db
from server.models.columns import CreatedAt, Key, Sha256, Time


class Actor(db.Model):
    """Anything that can do something: a person, a phone's app user. Audit rows and submissions point here."""

    __tablename__ = "actor"
    __table_args__ = (CheckConstraint("type IN ('user', 'app_user')", name="type"),)

    id: Mapped[Key]
    type: Mapped[str] = mapped_column(Text)
    display_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Time | None]
    deleted_at: Mapped[Time | None]


class User(db.Model):
    """A person who logs in with e-mail and password."""

    __tablename__ = "user"
    __table_args__ = (Index("uq_user_email_lower", text("lower(email)"), unique=True),)

    actor_id: Mapped[int] = mapped_column(ForeignKey("actor.id"), primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text, doc="argon2id; NULL: cannot log in with a password.")
    language: Mapped[str | None] = mapped_column(Text, doc="Language of the pages: zh or en; NULL: not chosen yet.")
    failed_logins: Mapped[int] = mapped_column(Integer, server_default="0", doc="Since the last success.")
    locked_until: Mapped[Time | None] = mapped_column(doc="No login before this after too many failures.")
    last_login_at: Mapped[Time | None]

    actor: Mapped[Actor] = relationship(lazy="joined")


class AppUser(db.Model):
    """An enumerator's phone in one project. The token is derived from the server's secret and `nonce`: the database
    alone cannot give it away, and the QR code can still be printed again."""

    __tablename__ = "app_user"

    actor_id: Mapped[int] = mapped_column(ForeignKey("actor.id"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    nonce: Mapped[bytes]
    token_hash: Mapped[Sha256] = mapped_column(unique=True, doc="SHA-256 of the token in the phone's path.")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("actor.id"))
    revoked_at: Mapped[Time | None]
    last_used_at: Mapped[Time | None] = mapped_column(doc="When it last asked for forms, to the hour.")

    actor: Mapped[Actor] = relationship(lazy="joined", foreign_keys=[actor_id])


class Session(db.Model):
    """A person's login in one browser or program."""

    __tablename__ = "session"

    token_hash: Mapped[Sha256] = mapped_column(primary_key=True, doc="SHA-256 of the token in the cookie.")
    actor_id: Mapped[int] = mapped_column(ForeignKey("actor.id"), index=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Time] = mapped_column(index=True)
    user_agent: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)


class Role(db.Model):
    """A named set of verbs; names and verbs are ODK Central's."""

    __tablename__ = "role"

    id: Mapped[Key]
    system: Mapped[str] = mapped_column(Text, unique=True, doc="admin, manager, viewer, formfill, app-user.")
    name: Mapped[str] = mapped_column(Text)
    verbs: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Assignment(db.Model):
    """An actor holds a role everywhere, in a project, or on one form; later, only within a unit."""

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint(
            "actor_id",
            "role_id",
            "project_id",
            "form_id",
            "unit_id",
            name="uq_assignment",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("form_id IS NULL OR project_id IS NOT NULL", name="form_in_project"),
    )

    id: Mapped[Key]
    actor_id: Mapped[int] = mapped_column(ForeignKey("actor.id"))
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"), index=True)
    form_id: Mapped[int | None] = mapped_column(ForeignKey("form.id"), index=True)
    unit_id: Mapped[int | None] = mapped_column(BigInteger, doc="Scope: only records of this unit.")
    created_at: Mapped[CreatedAt]

    role: Mapped[Role] = relationship(lazy="joined")
