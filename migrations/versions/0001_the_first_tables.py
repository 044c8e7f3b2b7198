"""The first tables

Revision: 0001
Follows:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# A typical record compresses to 3 KB. Kept in its row it needs no second table and index: a tenth of an insert.
KEEP_INLINE = "ALTER TABLE submission_version SET (toast_tuple_target = 8160)"

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# ODK Central's roles and verbs, as its API lists them; the ids are part of its contract (2 is the app user).
ROLES = """
INSERT INTO role (id, system, name, verbs) OVERRIDING SYSTEM VALUE VALUES
(1, 'admin', 'Administrator', '{
    project.create,project.read,project.update,project.delete,form.create,form.read,form.list,
    form.update,form.delete,form.restore,submission.create,submission.read,submission.list,
    submission.update,submission.delete,submission.restore,submission.export,app_user.create,
    app_user.list,app_user.delete,user.create,user.list,user.read,user.update,user.delete,
    assignment.create,assignment.list,assignment.delete,audit.read,config.read,config.set}'),
(2, 'app-user', 'App User', '{
    form.read,form.list,submission.create,submission.update}'),
(5, 'manager', 'Project Manager', '{
    project.read,project.update,form.create,form.read,form.list,form.update,form.delete,form.restore,
    submission.create,submission.read,submission.list,submission.update,submission.delete,
    submission.restore,submission.export,app_user.create,app_user.list,app_user.delete,assignment.create,
    assignment.list,assignment.delete,audit.read}'),
(6, 'formfill', 'Data Collector', '{
    project.read,form.read,form.list,submission.create}'),
(7, 'viewer', 'Project Viewer', '{
    project.read,form.read,form.list,submission.read,submission.list,submission.export}');
SELECT setval(pg_get_serial_sequence('role', 'id'), 100);
"""


def upgrade() -> None:
    op.create_table(
        "actor",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("type IN ('user', 'app_user')", name=op.f("ck_actor_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actor")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("logged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("form_id", sa.BigInteger(), nullable=True),
        sa.Column("submission_id", sa.BigInteger(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "blob",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_blob_sha256_length")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="zh", nullable=False),
        sa.Column("archived", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f("ck_project_language")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
    )
    op.create_table(
        "role",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("verbs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint("system", name=op.f("uq_role_system")),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column("draft", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("current_version_id", sa.BigInteger(), nullable=True),
        sa.Column("submitter_id", sa.BigInteger(), nullable=True),
        sa.Column("device_id", sa.Text(), nullable=True),
        sa.Column("review_state", sa.Text(), server_default="received", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "review_state IN ('received', 'edited', 'hasIssues', 'approved', 'rejected')",
            name=op.f("ck_submission_review_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
    )
    op.create_index("ix_submission_form_id_id", "submission", ["form_id", "draft", "id"], unique=False)
    op.create_geospatial_table(
        "submission_geometry",
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "geom",
            Geometry(
                geometry_type="GEOMETRYZ",
                srid=4326,
                dimension=3,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("accuracy", sa.REAL(), nullable=True),
        sa.PrimaryKeyConstraint("version_id", "path", "ordinal", name=op.f("pk_submission_geometry")),
    )
    op.create_geospatial_index(
        "idx_submission_geometry_geom",
        "submission_geometry",
        ["geom"],
        unique=False,
        postgresql_using="gist",
        postgresql_ops={},
    )
    op.create_table(
        "app_user",
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"], name=op.f("fk_app_user_actor_id")),
        sa.ForeignKeyConstraint(["created_by"], ["actor.id"], name=op.f("fk_app_user_created_by")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_app_user_project_id")),
        sa.PrimaryKeyConstraint("actor_id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_app_user_token_hash")),
    )
    op.create_index(op.f("ix_app_user_project_id"), "app_user", ["project_id"], unique=False)
    op.create_table(
        "form",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("xml_form_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("current_version_id", sa.BigInteger(), nullable=True),
        sa.Column("draft_version_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closing', 'closed')", name=op.f("ck_form_state")),
        sa.ForeignKeyConstraint(
            ["current_version_id"], ["form_version.id"], name=op.f("fk_form_current_version_id"), use_alter=True
        ),
        sa.ForeignKeyConstraint(
            ["draft_version_id"], ["form_version.id"], name=op.f("fk_form_draft_version_id"), use_alter=True
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_form_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form")),
    )
    op.create_index(
        "uq_form_project_id_xml_form_id",
        "form",
        ["project_id", "xml_form_id"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"], name=op.f("fk_session_actor_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_actor_id"), "session", ["actor_id"], unique=False)
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"], unique=False)
    op.create_table(
        "user",
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("failed_logins", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"], name=op.f("fk_user_actor_id")),
        sa.PrimaryKeyConstraint("actor_id", name=op.f("pk_user")),
    )
    op.create_index("uq_user_email_lower", "user", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "assignment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("form_id", sa.BigInteger(), nullable=True),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("form_id IS NULL OR project_id IS NOT NULL", name=op.f("ck_assignment_form_in_project")),
        sa.ForeignKeyConstraint(["actor_id"], ["actor.id"], name=op.f("fk_assignment_actor_id")),
        sa.ForeignKeyConstraint(["form_id"], ["form.id"], name=op.f("fk_assignment_form_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_assignment_project_id")),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_assignment_role_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sa.UniqueConstraint(
            "actor_id",
            "role_id",
            "project_id",
            "form_id",
            "unit_id",
            name="uq_assignment",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_assignment_form_id"), "assignment", ["form_id"], unique=False)
    op.create_index(op.f("ix_assignment_project_id"), "assignment", ["project_id"], unique=False)
    op.create_table(
        "form_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("xform", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("xlsform_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("xlsform_name", sa.Text(), nullable=True),
        sa.Column("schema", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("draft_token_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("draft_nonce", sa.LargeBinary(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["actor.id"], name=op.f("fk_form_version_created_by")),
        sa.ForeignKeyConstraint(["form_id"], ["form.id"], name=op.f("fk_form_version_form_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_form_version_project_id")),
        sa.ForeignKeyConstraint(["xlsform_sha256"], ["blob.sha256"], name=op.f("fk_form_version_xlsform_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_version")),
        sa.UniqueConstraint("draft_token_hash", name=op.f("uq_form_version_draft_token_hash")),
    )
    op.create_index("ix_form_version_form_id", "form_version", ["form_id"], unique=False)
    op.create_index(
        "uq_form_version_published",
        "form_version",
        ["form_id", "version"],
        unique=True,
        postgresql_where=sa.text("published_at IS NOT NULL"),
    )
    op.create_table(
        "form_attachment",
        sa.Column("form_version_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("blob_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["blob_sha256"], ["blob.sha256"], name=op.f("fk_form_attachment_blob_sha256")),
        sa.ForeignKeyConstraint(
            ["form_version_id"],
            ["form_version.id"],
            name=op.f("fk_form_attachment_form_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("form_version_id", "name", name=op.f("pk_form_attachment")),
    )
    op.create_table(
        "submission_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column("form_version_id", sa.BigInteger(), nullable=True),
        sa.Column("draft", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("deprecated_id", sa.Text(), nullable=True),
        sa.Column("ordinal", sa.Integer(), server_default="0", nullable=False),
        sa.Column("instance_name", sa.Text(), nullable=True),
        sa.Column("xml", sa.LargeBinary(), nullable=True),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("entities", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("encrypted", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("submitter_id", sa.BigInteger(), nullable=True),
        sa.Column("device_id", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["form_version_id"], ["form_version.id"], name=op.f("fk_submission_version_form_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission_version")),
    )
    op.create_index("ix_submission_version_submission_id", "submission_version", ["submission_id"], unique=False)
    op.create_index(
        "uq_submission_version_instance_id", "submission_version", ["form_id", "draft", "instance_id"], unique=True
    )
    op.create_table(
        "submission_attachment",
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.Boolean(), nullable=False),
        sa.Column("blob_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["blob_sha256"], ["blob.sha256"], name=op.f("fk_submission_attachment_blob_sha256")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["submission_version.id"], name=op.f("fk_submission_attachment_version_id")
        ),
        sa.PrimaryKeyConstraint("version_id", "name", name=op.f("pk_submission_attachment")),
    )
    for column in ("current_version_id", "draft_version_id"):  # form and form_version refer to each other
        op.create_foreign_key(f"fk_form_{column}", "form", "form_version", [column], ["id"])
    op.execute(KEEP_INLINE)
    op.execute(APPEND_ONLY)
    op.execute(ROLES)


def downgrade() -> None:
    for column in ("current_version_id", "draft_version_id"):
        op.drop_constraint(f"fk_form_{column}", "form")
    op.drop_table("submission_attachment")
    op.drop_index("uq_submission_version_instance_id", table_name="submission_version")
    op.drop_index("ix_submission_version_submission_id", table_name="submission_version")
    op.drop_table("submission_version")
    op.drop_table("form_attachment")
    op.drop_index(
        "uq_form_version_published", table_name="form_version", postgresql_where=sa.text("published_at IS NOT NULL")
    )
    op.drop_index("ix_form_version_form_id", table_name="form_version")
    op.drop_table("form_version")
    op.drop_index(op.f("ix_assignment_project_id"), table_name="assignment")
    op.drop_index(op.f("ix_assignment_form_id"), table_name="assignment")
    op.drop_table("assignment")
    op.drop_index("uq_user_email_lower", table_name="user")
    op.drop_table("user")
    op.drop_index(op.f("ix_session_expires_at"), table_name="session")
    op.drop_index(op.f("ix_session_actor_id"), table_name="session")
    op.drop_table("session")
    op.drop_index("uq_form_project_id_xml_form_id", table_name="form", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_table("form")
    op.drop_index(op.f("ix_app_user_project_id"), table_name="app_user")
    op.drop_table("app_user")
    op.drop_geospatial_index(
        "idx_submission_geometry_geom", table_name="submission_geometry", postgresql_using="gist", column_name="geom"
    )
    op.drop_geospatial_table("submission_geometry")
    op.drop_index("ix_submission_form_id_id", table_name="submission")
    op.drop_table("submission")
    op.drop_table("role")
    op.drop_table("project")
    op.drop_table("blob")
    op.drop_table("audit_log")
    op.drop_table("actor")
    op.execute("DROP FUNCTION refuse_change()")
