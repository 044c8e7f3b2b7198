"""Reading records: counts, the paged table, one record with its versions and files.

Records that wait for their original, deleted ones and those sent to a draft are never read here. A form may hold a
million records: the table walks the index (form, draft, id) from the nearer end, and counting stops early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from server.database import db
from server.models import Form, FormVersion
from server.operations import audit
from server.operations.errors import Refused, _, not_found
from server.operations.labels import SHANGHAI

PAGE_SIZES = (25, 50, 100, 200)
REVIEW_STATES = ("received", "edited", "hasIssues", "approved", "rejected")
#: Counting goes no further than this; beyond, PostgreSQL's estimate is told as such.
COUNT_LIMIT = 100_000
_OVERVIEW_LIMIT = 10_000

_READABLE = "NOT s.draft AND s.deleted_at IS NULL AND s.current_version_id IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Total:
    """How many records; `exact` is False for an estimate or a lower bound."""

    count: int
    exact: bool = True
    last: datetime | None = None
    forms: int = 0


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records, newest first unless `oldest_first`.

    Parameters
    ----------
    words : str
        Part of the record's name, or the beginning of its instanceID.
    state : str
        A review state, or "" for all.
    submitter : int or None
        Actor who sent it.
    since, until : date or None
        Days of arrival in Asia/Shanghai, both included.
    """

    words: str = ""
    state: str = ""
    submitter: int | None = None
    since: date | None = None
    until: date | None = None
    oldest_first: bool = False

    @property
    def empty(self) -> bool:
        """Whether every record passes."""
        return replace(self, oldest_first=False) == Filters()


@dataclass(frozen=True, slots=True)
class Row:
    """A record in the table."""

    id: int
    instance_id: str
    name: str | None
    created_at: datetime
    submitter: str | None
    state: str
    answers: Mapping[str, Any]
    form_version_id: int
    edits: int
    encrypted: bool
    files: int
    missing: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the table; `number` counts from 1."""

    rows: Sequence[Row]
    total: Total
    number: int
    size: int

    @property
    def last(self) -> int:
        """Number of the last page, as far as is known."""
        return max(1, -(-self.total.count // self.size))


@dataclass(frozen=True, slots=True)
class Version:
    """One version in a record's history."""

    id: int
    instance_id: str
    name: str | None
    created_at: datetime
    submitter: str | None
    device_id: str | None
    user_agent: str | None
    form_version_id: int
    form_version: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class File:
    """A file of a version; not here yet when `sha256` is None."""

    name: str
    sha256: bytes | None
    size: int | None
    content_type: str | None
    expected: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One record, showing one of its versions."""

    id: int
    instance_id: str
    state: str
    created_at: datetime
    updated_at: datetime | None
    shown: Version
    versions: Sequence[Version]
    answers: Mapping[str, Any]
    problems: Sequence[Mapping[str, Any]]
    form_version: FormVersion
    files: Mapping[str, File] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------------ how many


def overview(project_ids: Sequence[int]) -> dict[int, Total]:
    """For each project: its forms and records (a lower bound beyond ten thousand a form), and when the last came."""
    return _totals("f.project_id", project_ids)


def totals(form_ids: Sequence[int]) -> dict[int, Total]:
    """For each form: its records (a lower bound beyond ten thousand), and when the last came."""
    return _totals("f.id", form_ids)


def _totals(key: str, ids: Sequence[int]) -> dict[int, Total]:
    rows = db.session.execute(
        text(
            f"""
            SELECT {key}, count(*), sum(n.count)::bigint, bool_and(n.count < :limit), max(l.created_at)
            FROM form f
            CROSS JOIN LATERAL (SELECT count(*) FROM (
                SELECT FROM submission s WHERE s.form_id = f.id AND {_READABLE} ORDER BY s.id LIMIT :limit) AS few) AS n
            LEFT JOIN LATERAL (
                SELECT s.created_at FROM submission s WHERE s.form_id = f.id AND {_READABLE}
                ORDER BY s.id DESC LIMIT 1) AS l ON true
            WHERE {key} = ANY (:ids) AND f.deleted_at IS NULL
            GROUP BY {key}
            """
        ),
        {"ids": list(ids), "limit": _OVERVIEW_LIMIT},
    )
    return {id: Total(count, exact, last, forms) for id, forms, count, exact, last in rows}


def count(form: Form, filters: Filters) -> Total:
    """How many records pass: exact up to `COUNT_LIMIT`, then PostgreSQL's estimate."""
    where, values = _where(form, filters)
    found = db.session.execute(
        text(f"SELECT count(*) FROM (SELECT FROM submission s WHERE {where} ORDER BY s.id LIMIT :limit) AS few"),
        {**values, "limit": COUNT_LIMIT + 1},
    ).scalar_one()
    if found <= COUNT_LIMIT:
        return Total(found)
    plan = db.session.execute(
        text(f"EXPLAIN (FORMAT JSON) SELECT FROM submission s WHERE {where}"),
        values,
    ).scalar_one()
    return Total(max(COUNT_LIMIT, round(plan[0]["Plan"]["Plan Rows"], -3)), exact=False)


# ------------------------------------------------------------------------------------------------ the table


def page(form: Form, filters: Filters, number: int = 1, size: int = 50) -> Page:
    """A page of the form's records."""
    size = size if size in PAGE_SIZES else 50
    total = count(form, filters)
    number = max(1, min(number, -(-total.count // size) if total.exact else 1_000_000_000)) if total.count else 1
    where, values = _where(form, filters)
    offset, limit, ascending = (number - 1) * size, size, filters.oldest_first
    if total.exact and offset > total.count // 2:  # the nearer end is quicker
        limit = min(size, total.count - offset)
        offset, ascending = total.count - offset - limit, not ascending
    rows = db.session.execute(
        text(
            f"""
            WITH wanted AS MATERIALIZED (
                SELECT s.id FROM submission s WHERE {where}
                ORDER BY s.id {"ASC" if ascending else "DESC"} OFFSET :offset LIMIT :limit)
            SELECT s.id, s.instance_id, v.instance_name, s.created_at, a.display_name, s.review_state, v.answers,
                   v.form_version_id, v.ordinal, v.encrypted, f.files, f.missing
            FROM wanted JOIN submission s USING (id) JOIN submission_version v ON v.id = s.current_version_id
            LEFT JOIN actor a ON a.id = s.submitter_id
            CROSS JOIN LATERAL (
                SELECT count(*) AS files, count(*) FILTER (WHERE t.expected AND t.blob_sha256 IS NULL) AS missing
                FROM submission_attachment t WHERE t.version_id = v.id) AS f
            ORDER BY s.id {"ASC" if filters.oldest_first else "DESC"}
            """
        ),
        {**values, "offset": offset, "limit": limit},
    )
    return Page([Row(*row) for row in rows], total, number, size)


def neighbours(form: Form, filters: Filters, submission_id: int) -> tuple[int | None, int | None]:
    """The records before and after one in the table: ids, None at the ends."""
    where, values = _where(form, filters)

    def beside(comparison: str, order: str) -> int | None:
        found: int | None = db.session.execute(
            text(
                f"SELECT s.id FROM submission s WHERE {where} AND s.id {comparison} :id ORDER BY s.id {order} LIMIT 1"
            ),
            {**values, "id": submission_id},
        ).scalar()
        return found

    newer, older = beside(">", "ASC"), beside("<", "DESC")
    return (older, newer) if filters.oldest_first else (newer, older)


def submitters(form: Form) -> list[tuple[int, str]]:
    """Who may have sent records of the form: the project's app users, and people who sent some lately."""
    rows = db.session.execute(
        text(
            f"""
            SELECT a.id, a.display_name FROM actor a
            WHERE a.id IN (SELECT u.actor_id FROM app_user u WHERE u.project_id = :project)
               OR a.id IN (SELECT s.submitter_id FROM (
                    SELECT s.submitter_id FROM submission s WHERE s.form_id = :form AND {_READABLE}
                    ORDER BY s.id DESC LIMIT 1000) AS s)
            ORDER BY a.display_name, a.id
            """
        ),
        {"project": form.project_id, "form": form.id},
    )
    return [(id, name) for id, name in rows]


def _where(form: Form, filters: Filters) -> tuple[str, dict[str, Any]]:
    parts, values = [f"s.form_id = :form AND {_READABLE}"], {"form": form.id}
    given: dict[str, Any] = dict(values)
    if filters.words:
        parts.append(
            "(s.instance_id LIKE :id_start OR EXISTS (SELECT FROM submission_version n"
            " WHERE n.id = s.current_version_id AND n.instance_name ILIKE :words))"
        )
        literal = filters.words.replace("\x00", "").replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        given |= {"words": f"%{literal}%", "id_start": f"{literal}%"}
    if filters.state in REVIEW_STATES:
        parts.append("s.review_state = :state")
        given["state"] = filters.state
    if filters.submitter is not None:
        parts.append("s.submitter_id = :submitter")
        given["submitter"] = filters.submitter
    if filters.since is not None:
        parts.append("s.created_at >= :since")
        given["since"] = _midnight(filters.since)
    if filters.until is not None:
        parts.append("s.created_at < :until")
        given["until"] = _midnight(filters.until + timedelta(days=1))
    return " AND ".join(parts), given


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


# ------------------------------------------------------------------------------------------------ one record


def get(form: Form, submission_id: int, version_id: int | None = None) -> Record:
    """One record of the form, showing its current version or the one asked for; `Refused` 404.1 when not there."""
    head = db.session.execute(
        text(
            f"""
            SELECT s.id, s.instance_id, s.review_state, s.created_at, s.updated_at, s.current_version_id
            FROM submission s WHERE s.id = :id AND s.form_id = :form AND {_READABLE}
            """
        ),
        {"id": submission_id, "form": form.id},
    ).first()
    if head is None:
        raise not_found()
    history = _versions(submission_id)
    wanted = version_id or head.current_version_id
    shown = next((version for version in history if version.id == wanted), None)
    if shown is None:
        raise not_found()
    answers, problems = db.session.execute(
        text("SELECT answers, problems FROM submission_version WHERE id = :id"), {"id": shown.id}
    ).one()
    return Record(
        head.id,
        head.instance_id,
        head.review_state,
        head.created_at,
        head.updated_at,
        shown,
        history,
        answers,
        problems or (),
        db.session.get_one(FormVersion, shown.form_version_id),
        _files(shown.id),
    )


def _versions(submission_id: int) -> list[Version]:
    rows = db.session.execute(
        text(
            """
            SELECT v.id, v.instance_id, v.instance_name, v.created_at, a.display_name, v.device_id, v.user_agent,
                   v.form_version_id, f.version, v.encrypted
            FROM submission_version v JOIN form_version f ON f.id = v.form_version_id
            LEFT JOIN actor a ON a.id = v.submitter_id
            WHERE v.submission_id = :id ORDER BY v.ordinal DESC, v.id DESC
            """
        ),
        {"id": submission_id},
    )
    return [Version(*row) for row in rows]


def _files(version_id: int) -> dict[str, File]:
    rows = db.session.execute(
        text(
            """
            SELECT t.name, t.blob_sha256, b.size, t.content_type, t.expected
            FROM submission_attachment t LEFT JOIN blob b ON b.sha256 = t.blob_sha256
            WHERE t.version_id = :id ORDER BY t.name
            """
        ),
        {"id": version_id},
    )
    return {
        name: File(name, bytes(sha256) if sha256 is not None else None, size, kind, expected)
        for name, sha256, size, kind, expected in rows
    }


def raw_xml(record: Record) -> bytes:
    """The shown version's XML, byte for byte as the phone sent it."""
    xml = db.session.execute(
        text("SELECT xml FROM submission_version WHERE id = :id"), {"id": record.shown.id}
    ).scalar_one()
    return bytes(xml)


# ------------------------------------------------------------------------------------------------ what is sensitive


def has_sensitive(schema_fields: Sequence[Any]) -> bool:
    """Whether a form asks for anything that is shown masked."""
    return any(item.sensitive for item in schema_fields)


def reveal(record: Record, form: Form, reason: str, what: str, *, by: int) -> None:
    """Note in the audit log that a person looked at what is masked, at what and why; call it before showing.

    Raises
    ------
    Refused
        400.8 without a reason.
    """
    reason = reason.strip()
    if len(reason) < 2 or len(reason) > 200 or "\x00" in reason:
        raise Refused("400.8", _("Say in a few words why you need to see this."))
    audit.record(
        by,
        "submission.sensitive.read",
        project_id=form.project_id,
        form_id=form.id,
        submission_id=record.id,
        details={"instanceId": record.shown.instance_id, "what": what[:500], "reason": reason},
    )
    db.session.commit()


def note_export(form: Form, file_format: str, *, by: int | None, sensitive: bool, reason: str = "") -> None:
    """Note in the audit log that a person took the form's records away, and whether sensitive answers with them."""
    details: dict[str, Any] = {"format": file_format, "sensitive": sensitive}
    if reason:
        details["reason"] = reason[:200]
    audit.record(by, "submission.export", project_id=form.project_id, form_id=form.id, details=details)
    db.session.commit()
