"""Forms: drafts, publishing, states, attachments."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import current_app
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from forms.xform import XFormError, read_xform
from server.database import db
from server.models import Blob, Form, FormAttachment, FormVersion, Project
from server.operations import audit
from server.operations.errors import Refused, _, not_found
from server.operations.tokens import derive, digest
from server.storage import BlobStore, StoredBlob

if TYPE_CHECKING:
    from forms.xlsform import Message

STATES = ("open", "closing", "closed")
_DRAFT_PURPOSE = "draft"


@dataclass(frozen=True, slots=True)
class Definition:
    """A form definition ready to become a draft.

    Parameters
    ----------
    xform : bytes
        The XForm's exact bytes.
    xlsform : bytes, optional
        The spreadsheet it was made from.
    xlsform_name : str, optional
        The spreadsheet's file name.
    warnings : Sequence[Message]
        What the conversion remarked.
    files : Mapping[str, bytes]
        Files the conversion made to go beside the form: ``itemsets.csv`` of external choices.
    """

    xform: bytes
    xlsform: bytes | None = None
    xlsform_name: str | None = None
    warnings: Sequence[Message] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def blobs() -> BlobStore:
    """The blob store of this server."""
    store: BlobStore = current_app.extensions["xiangtu.blobs"]
    return store


# ------------------------------------------------------------------------------------------------ definitions


def read_definition(data: bytes, file_name: str, *, form_id_fallback: str | None = None) -> Definition:
    """Read an uploaded XLSForm or XForm, told apart by its content.

    Raises
    ------
    forms.xlsform.XLSFormError
        With a message a row, when pyxform or ODK Validate refuses it.
    """
    from forms import xlsform

    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        return Definition(data, warnings=tuple(xlsform.validate_xform(data)))
    converted = xlsform.convert(data, file_type=_file_type(data, file_name), form_id_fallback=form_id_fallback)
    files = {"itemsets.csv": converted.itemsets} if converted.itemsets is not None else {}
    return Definition(converted.xform, data, file_name, tuple(converted.warnings), files)


def _file_type(data: bytes, file_name: str) -> str:
    if data.startswith(b"PK\x03\x04"):
        return ".xlsx"
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return ".xls"
    return ".csv" if file_name.lower().endswith(".csv") else ".md"


# ------------------------------------------------------------------------------------------------ drafts


def save_draft(
    project_id: int, definition: Definition, *, form: Form | None = None, by: int | None = None
) -> FormVersion:
    """Make the definition the form's draft, creating the form when `form` is None.

    Attachments already given to the previous draft or the published version are carried over by name.

    Raises
    ------
    Refused
        400.8 for an XForm Collect would refuse, 409.3 when the form id is taken, 400.8 when the definition's form id
        is not the form's.
    """
    try:
        schema = read_xform(definition.xform)
    except XFormError as error:
        raise Refused("400.8", _("This form cannot be used: %(reason)s"), reason=str(error)) from error
    if form is None:
        form = _new_form(project_id, schema.form_id, by)
    elif form.xml_form_id != schema.form_id:
        raise Refused(
            "400.8",
            _(
                "The uploaded form has the id %(given)s; this form is %(expected)s. "
                "Change form_id on the settings sheet."
            ),
            given=schema.form_id,
            expected=form.xml_form_id,
        )
    sheet = remember(blobs().put(definition.xlsform)) if definition.xlsform is not None else None
    nonce = secrets.token_bytes(24)
    version = FormVersion(
        project_id=project_id,
        form_id=form.id,
        version=schema.version,
        title=schema.title or schema.form_id,
        xform=definition.xform,
        hash=hashlib.md5(definition.xform, usedforsecurity=False).hexdigest(),
        xlsform_sha256=sheet.sha256 if sheet else None,
        xlsform_name=definition.xlsform_name,
        schema=schema.to_json(),
        draft_nonce=nonce,
        draft_token_hash=digest(derive(_DRAFT_PURPOSE, nonce)),
        created_by=by,
    )
    db.session.add(version)
    db.session.flush()
    _expect_files(version, {file.name: file.kind for file in schema.attachments}, form, definition)
    form.draft_version_id = version.id
    form.updated_at = datetime.now(UTC)
    audit.record(
        by, "form.update.draft.set", project_id=project_id, form_id=form.id, details={"version": schema.version}
    )
    db.session.commit()
    return version


def _expect_files(version: FormVersion, kinds: dict[str, str], form: Form, definition: Definition) -> None:
    """Name the files the draft asks for; those made with it or given to an earlier version are there already."""
    have = _present_files(form) | {name: remember(blobs().put(data)).sha256 for name, data in definition.files.items()}
    for name, kind in (dict.fromkeys(definition.files, "file") | kinds).items():
        sha256 = have.get(name)
        db.session.add(
            FormAttachment(
                form_version_id=version.id,
                name=name,
                type=kind,
                blob_sha256=sha256,
                updated_at=datetime.now(UTC) if sha256 else None,
            )
        )


def _new_form(project_id: int, xml_form_id: str, by: int | None) -> Form:
    if db.session.get(Project, project_id) is None:
        raise not_found()
    statement = (
        insert(Form).values(project_id=project_id, xml_form_id=xml_form_id).on_conflict_do_nothing().returning(Form.id)
    )
    form_id = db.session.scalar(statement)
    if form_id is None:
        db.session.rollback()
        raise Refused("409.3", _("A form with the id %(form)s already exists in this project."), form=xml_form_id)
    audit.record(by, "form.create", project_id=project_id, form_id=form_id, details={"xmlFormId": xml_form_id})
    return db.session.get_one(Form, form_id)


def _present_files(form: Form) -> dict[str, bytes]:
    versions = [id for id in (form.current_version_id, form.draft_version_id) if id is not None]
    rows = db.session.execute(
        select(FormAttachment.name, FormAttachment.blob_sha256)
        .where(FormAttachment.form_version_id.in_(versions), FormAttachment.blob_sha256.is_not(None))
        .order_by(FormAttachment.form_version_id)
    )
    return {name: sha256 for name, sha256 in rows if sha256 is not None}


def draft_token(version: FormVersion) -> str | None:
    """The token in a draft's test address, or None once it is published."""
    return derive(_DRAFT_PURPOSE, version.draft_nonce) if version.draft_nonce else None


def discard_draft(form: Form, *, by: int | None = None) -> None:
    """Give up the draft. A form that was never published goes with it."""
    if form.draft_version is None:
        raise not_found()
    form.draft_version.draft_nonce = None
    form.draft_version.draft_token_hash = None
    form.draft_version_id = None
    if form.current_version_id is None:
        form.deleted_at = datetime.now(UTC)
    audit.record(by, "form.update.draft.delete", project_id=form.project_id, form_id=form.id)
    db.session.commit()


# ------------------------------------------------------------------------------------------------ publishing


def publish(form: Form, *, by: int | None = None) -> FormVersion:
    """Make the draft the version phones get.

    Raises
    ------
    Refused
        404.1 without a draft, 409.6 when a published version has the same version text.
    """
    db.session.execute(select(Form.id).where(Form.id == form.id).with_for_update())
    db.session.refresh(form)
    draft = form.draft_version
    if draft is None:
        raise not_found()
    taken = db.session.scalar(
        select(FormVersion.id).where(
            FormVersion.form_id == form.id,
            FormVersion.version == draft.version,
            FormVersion.published_at.is_not(None),
        )
    )
    if taken is not None:
        raise Refused(
            "409.6",
            _("Version %(version)s of this form was published before. Change version on the settings sheet."),
            version=draft.version or "''",
        )
    draft.published_at = datetime.now(UTC)
    draft.draft_nonce = None
    draft.draft_token_hash = None
    form.current_version_id = draft.id
    form.draft_version_id = None
    form.updated_at = draft.published_at
    audit.record(
        by, "form.update.publish", project_id=form.project_id, form_id=form.id, details={"version": draft.version}
    )
    db.session.commit()
    return draft


def set_state(form: Form, state: str, *, by: int | None = None) -> None:
    """Open, wind down (`closing`: not listed, still accepts) or close a form; `Refused` 400.8 for another word."""
    if state not in STATES:
        raise Refused("400.8", _("A form's state is open, closing or closed."))
    form.state = state
    form.updated_at = datetime.now(UTC)
    audit.record(by, "form.update", project_id=form.project_id, form_id=form.id, details={"state": state})
    db.session.commit()


# ------------------------------------------------------------------------------------------------ attachments


def attach(version: FormVersion, name: str, data: bytes, *, by: int | None = None) -> FormAttachment:
    """Give a file to a form version that expects it.

    Raises
    ------
    Refused
        404.1 when the form expects no file of that name.
    """
    attachment = db.session.get(FormAttachment, (version.id, name))
    if attachment is None:
        raise Refused("404.1", _("The form does not ask for a file named %(name)s."), name=name)
    attachment.blob_sha256 = remember(blobs().put(data)).sha256
    attachment.updated_at = datetime.now(UTC)
    audit.record(
        by,
        "form.attachment.update",
        project_id=version.project_id,
        form_id=version.form_id,
        details={"name": name, "size": len(data)},
    )
    db.session.commit()
    return attachment


def remember(blob: StoredBlob) -> StoredBlob:
    """Register a durable blob in the session."""
    db.session.execute(insert(Blob).values(sha256=blob.sha256, md5=blob.md5, size=blob.size).on_conflict_do_nothing())
    return blob


# ------------------------------------------------------------------------------------------------ reading


def get(project_id: int, xml_form_id: str) -> Form:
    """One form by its id; `Refused` 404.1 when it is not there."""
    form = None
    if "\x00" not in xml_form_id and 0 < project_id < 2**63:
        form = db.session.scalar(
            select(Form).where(
                Form.project_id == project_id, Form.xml_form_id == xml_form_id, Form.deleted_at.is_(None)
            )
        )
    if form is None:
        raise not_found()
    return form


def listing(project_id: int) -> Sequence[Form]:
    """The project's forms by title of what phones get, those open first."""
    found = db.session.scalars(select(Form).where(Form.project_id == project_id, Form.deleted_at.is_(None))).all()
    return sorted(found, key=lambda form: (STATES.index(form.state), form.xml_form_id))


def versions(form: Form) -> Sequence[FormVersion]:
    """Published versions, newest first."""
    return db.session.scalars(
        select(FormVersion)
        .where(FormVersion.form_id == form.id, FormVersion.published_at.is_not(None))
        .order_by(FormVersion.published_at.desc())
    ).all()
