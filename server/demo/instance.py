"""Writing the XML that a phone would send, from answers by path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias
from xml.sax.saxutils import escape, quoteattr

from forms.schema import Field, FormSchema

#: Path below the root -> text as it stands in the XML; path of a repeat -> its instances, each answers again.
Answers: TypeAlias = Mapping[str, "str | Sequence[Answers]"]


class UnknownPath(KeyError):
    """An answer to a question the form does not have."""


def write_instance(schema: FormSchema, answers: Answers) -> bytes:
    """The submission's XML: nodes in the form's order, unanswered ones left out.

    Parameters
    ----------
    schema : FormSchema
        The form.
    answers : Answers
        Texts by path; instances of a repeat as a list.

    Raises
    ------
    UnknownPath
        For an answer whose path the form does not have, or has elsewhere.
    """
    used: set[str] = set()
    body = _children(_by_parent(schema), "", answers, used)
    left = set(answers) - used
    if left:
        raise UnknownPath(f"{schema.form_id}: {', '.join(sorted(left))}")
    head = f"<{schema.root_name} xmlns:orx={quoteattr('http://openrosa.org/xforms')}"
    about = f" id={quoteattr(schema.form_id)} version={quoteattr(schema.version)}>"
    return f"<?xml version='1.0' encoding='UTF-8' ?>{head}{about}{body}</{schema.root_name}>".encode()


def _by_parent(schema: FormSchema) -> dict[str, list[Field]]:
    found: dict[str, list[Field]] = {}
    for field in schema.fields:
        found.setdefault(field.path.rpartition("/")[0], []).append(field)
    return found


def _children(tree: Mapping[str, list[Field]], parent: str, answers: Answers, used: set[str]) -> str:
    return "".join(_node(tree, field, answers, used) for field in tree.get(parent, ()))


def _node(tree: Mapping[str, list[Field]], field: Field, answers: Answers, used: set[str]) -> str:
    if field.kind == "group":
        inside = _children(tree, field.path, answers, used)
        return f"<{field.name}>{inside}</{field.name}>" if inside else ""
    value = answers.get(field.path, "")
    if field.path in answers:
        used.add(field.path)
    if not isinstance(value, str):
        return "".join(_instance(tree, field, one) for one in value)
    if value and field.type == "decimal":
        value = str(float(value))  # as phones write it: 170.0
    return f"<{field.name}>{escape(value)}</{field.name}>" if value else ""


def _instance(tree: Mapping[str, list[Field]], field: Field, answers: Answers) -> str:
    used: set[str] = set()
    inside = _children(tree, field.path, answers, used)
    left = set(answers) - used
    if left:
        raise UnknownPath(f"{field.path}: {', '.join(sorted(left))}")
    return f"<{field.name}>{inside}</{field.name}>"
