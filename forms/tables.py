"""`FormSchema` -> flat tables, one for the records and one for each repeat: the one place that decides column names
and their order, for CSV, workbooks, SQL views and codebooks alike.

Headers are those of ODK Central's CSV, so that scripts written for it go on working.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from forms.schema import Field, FormSchema, Labels

ROOT_NAME = "Submissions"
#: Parts of a geopoint in the order of their columns.
POINT_PARTS = ("Latitude", "Longitude", "Altitude", "Accuracy")
_BEFORE = (("SubmissionDate", "dateTime"),)
_AFTER = (
    ("KEY", "string"),
    ("SubmitterID", "string"),
    ("SubmitterName", "string"),
    ("AttachmentsPresent", "int"),
    ("AttachmentsExpected", "int"),
    ("Status", "string"),
    ("ReviewState", "string"),
    ("DeviceID", "string"),
    ("Edits", "int"),
    ("FormVersion", "string"),
)
_AFTER_REPEAT = (("PARENT_KEY", "string"), ("KEY", "string"))
#: PostgreSQL cuts identifiers at 63 bytes.
_MAX_IDENTIFIER = 63
_Identity: TypeAlias = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    path
        Path of the answer; None for a system column.
    header
        Unique in its table.
    sql_name
        The header as a PostgreSQL identifier: at most 63 bytes, unique in its table.
    type
        Type of the cells: decimal in the four columns of a geopoint, int in those of a split select.
    source_type
        Type of the answer the cells are taken from.
    part
        Latitude, Longitude, Altitude or Accuracy of a geopoint.
    choice
        The choice whose 0 or 1 this column holds, when selects are split.
    labels
        Labels of the question by language.
    sensitive
        As `Field.sensitive`.
    """

    path: str | None
    header: str
    sql_name: str
    type: str
    source_type: str
    part: str | None = None
    choice: str | None = None
    labels: Labels = field(default_factory=dict)
    sensitive: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One flat table.

    Attributes
    ----------
    name
        `Submissions` for the records; for a repeat its name, with its groups when another repeat has the same one.
    path
        Path of the repeat, None for the records.
    parent
        Path of the repeat around it, None when its rows belong to a record.
    """

    name: str
    path: str | None
    parent: str | None
    columns: tuple[Column, ...]
    labels: Labels = field(default_factory=dict)

    def file_name(self, form_id: str, suffix: str = ".csv") -> str:
        """Name of the file that holds this table: `household.csv`, `household-members.csv`."""
        # Form ids may hold what file systems do not take.
        stem = "".join("_" if mark in '/\\:*?"<>|' or mark < " " else mark for mark in form_id)
        return f"{stem}{suffix}" if self.path is None else f"{stem}-{self.name}{suffix}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table before it is formatted: keys and the answers by path."""

    key: str
    parent_key: str | None
    answers: Mapping[str, Any]


def tables(
    schema: FormSchema | Sequence[FormSchema], *, split_selects: bool = False, group_names: bool = True
) -> list[Table]:
    """Tables of a form.

    Parameters
    ----------
    schema
        One version, or several with the one whose order and labels apply first; questions that only others have stand
        after the question they followed there.
    split_selects
        Add a column with 0 or 1 for each choice of a select multiple (`crops/rice`).
    group_names
        Put the names of groups before those of questions (`housing-area`).

    Returns
    -------
    list of Table
        The records first, then repeats in document order.
    """
    versions = [schema] if isinstance(schema, FormSchema) else list(schema)
    fields = _merge(versions)
    repeats = [item for item in fields if item.kind == "repeat"]
    names = _table_names([item.path for item in repeats])
    found = []
    for path in (None, *(item.path for item in repeats)):
        own = [item for item in fields if item.kind == "field" and item.repeat == path]
        spec = next((item for item in repeats if item.path == path), None)
        found.append(
            Table(
                name=ROOT_NAME if path is None else names[path],
                path=path,
                parent=spec.repeat if spec else None,
                columns=_columns(own, path, versions, split_selects=split_selects, group_names=group_names),
                labels=spec.labels if spec else {},
            )
        )
    return found


def rows(table: Table, answers: Mapping[str, Any], instance_id: str) -> Iterator[Row]:
    """Rows of a table in one record, with ODK's keys: `uuid:…/members[2]/loans[1]`.

    Parameters
    ----------
    table
        From `tables`.
    answers
        `Instance.answers`.
    instance_id
        Key of the record.
    """
    if table.path is None:
        yield Row(instance_id, None, answers)
        return
    yield from _rows(table.path, "", answers, instance_id)


def _rows(wanted: str, at: str, answers: Mapping[str, Any], key: str) -> Iterator[Row]:
    for path, value in answers.items():
        nested = isinstance(value, list) and value and isinstance(value[0], Mapping)
        if not nested or not (wanted == path or wanted.startswith(f"{path}/")):
            continue
        for position, item in enumerate(value, start=1):
            below = f"{key}{path.removeprefix(at)}[{position}]"
            if path == wanted:
                yield Row(below, key, item)
            else:
                yield from _rows(wanted, path, item, below)


def _identity(item: Field) -> _Identity:
    # A node that was a group in one version and a repeat in the other keeps its answers in different places.
    return item.path, item.repeat, item.kind


def _merge(versions: Sequence[FormSchema]) -> list[Field]:
    merged: dict[_Identity, Field] = {}
    order: list[_Identity] = []
    for version in versions:
        followers: dict[_Identity | None, list[_Identity]] = {}
        before: _Identity | None = None
        for item in version.fields:
            identity = _identity(item)
            kept = merged.get(identity)
            if kept is None:
                merged[identity] = item
                followers.setdefault(before, []).append(identity)
            else:
                merged[identity] = replace(kept, type=_common_type(kept.type, item.type))
                before = identity
        kept_order, order = order, list(followers.get(None, ()))
        for anchor in kept_order:
            order += [anchor, *followers.get(anchor, ())]
    return [merged[identity] for identity in order]


def _common_type(first: str, second: str) -> str:
    if first == second or first == "geopoint":
        return first
    return "decimal" if {first, second} == {"int", "decimal"} else "string"


def _table_names(paths: Sequence[str]) -> dict[str, str]:
    short = [path.rpartition("/")[2] for path in paths]
    used: set[str] = set()
    return {
        path: _unique(name if short.count(name) == 1 else path.strip("/").replace("/", "-"), used)
        for path, name in zip(paths, short, strict=True)
    }


def _unique(name: str, used: set[str]) -> str:
    found, number = name, 2
    while found in used:
        found, number = f"{name}_{number}", number + 1
    used.add(found)
    return found


def _identifier(name: str, used: set[str]) -> str:
    cut = name.encode()[:_MAX_IDENTIFIER].decode(errors="ignore")
    found, number = cut, 2
    while found in used:
        tail = f"_{number}"
        found = name.encode()[: _MAX_IDENTIFIER - len(tail)].decode(errors="ignore") + tail
        number += 1
    used.add(found)
    return found


def _columns(
    fields: Sequence[Field],
    repeat: str | None,
    versions: Sequence[FormSchema],
    *,
    split_selects: bool,
    group_names: bool,
) -> tuple[Column, ...]:
    before, after = (_BEFORE, _AFTER) if repeat is None else ((), _AFTER_REPEAT)
    # System headers are promised to scripts: a question called KEY gives way.
    headers = {name for name, _ in (*before, *after)}
    identifiers = set(headers)
    found = [_system(name, kind) for name, kind in before]
    for item in fields:
        below = item.path.removeprefix(repeat or "").strip("/")
        base = below.replace("/", "-") if group_names else item.name
        for draft in _cells(item, base, versions, split_selects=split_selects):
            header = _unique(draft.header, headers)
            found.append(replace(draft, header=header, sql_name=_identifier(header, identifiers)))
    return (*found, *(_system(name, kind) for name, kind in after))


def _system(name: str, kind: str) -> Column:
    return Column(None, name, name, kind, kind)


def _cells(item: Field, header: str, versions: Sequence[FormSchema], *, split_selects: bool) -> Iterator[Column]:
    whole = Column(item.path, header, "", item.type, item.type, labels=item.labels, sensitive=item.sensitive)
    if item.type == "geopoint":
        for part in POINT_PARTS:
            yield replace(whole, header=f"{header}-{part}", type="decimal", part=part)
        return
    yield whole
    if split_selects and item.type == "select":
        for name in _choice_names(item, versions):
            yield replace(whole, header=f"{header}/{name}", type="int", choice=name)


def _choice_names(item: Field, versions: Sequence[FormSchema]) -> list[str]:
    found: dict[str, None] = {}
    for version in versions:
        spec = version.at(item.path)
        choices = version.choice_list(spec.list_name) if spec else None
        found.update((choice.name, None) for choice in (choices.choices if choices else ()))
    return list(found)
