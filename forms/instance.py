"""Submission XML -> what it says: envelope first (who sends which form), then typed answers by path.

This is the hot path of the house: one parse, one walk, dictionary lookups, no XPath.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lxml import etree

from forms.entities import EntityAction, read_actions
from forms.hardened import InstanceError, parse_xml
from forms.schema import FormSchema, Node
from forms.texts import Element, attribute, local
from forms.values import BadValue
from forms.xform import form_id_of
from geo.odk import OdkGeometryError, point_ewkb, shape_ewkb, trace_ewkb

__all__ = ["Envelope", "Geometry", "Instance", "InstanceError", "Problem", "parse", "read_envelope"]

Answers: TypeAlias = dict[str, Any]

_SHAPES: dict[str, Callable[[str], tuple[bytes, float | None]]] = {
    "geopoint": point_ewkb,
    "geotrace": trace_ewkb,
    "geoshape": shape_ewkb,
}
_YES = {"yes", "true", "1"}
#: Elements below the root; forms in the field stay under ten.
MAX_DEPTH = 64
#: Length of the path of a node that the form does not know; with MAX_UNKNOWN it bounds what hostile names can cost.
MAX_UNKNOWN_PATH = 1000
MAX_UNKNOWN = 10_000
MAX_PROBLEMS = 500


@dataclass(slots=True)
class Envelope:
    """A submission as far as its form need not be known.

    Attributes
    ----------
    root
        The parsed tree; not for other threads.
    version
        "" when absent.
    instance_id, deprecated_id, instance_name
        From `meta` in any namespace, stripped; None when absent or empty.
    encrypted
        The XML is a manifest of encrypted files.
    """

    root: Element
    form_id: str
    version: str
    instance_id: str | None
    deprecated_id: str | None
    instance_name: str | None
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Geometry:
    """A place in a submission.

    Attributes
    ----------
    path
        Path of the question.
    ordinal
        0-based position of the innermost repeat instance among all of that repeat in the submission, in document order;
        0 outside repeats. (path, ordinal) is unique.
    ewkb
        Little-endian EWKB, SRID 4326, with Z.
    accuracy
        Metres; the worst of a trace's or shape's points; None when unknown. 0 means placed by hand.
    """

    path: str
    ordinal: int
    ewkb: bytes
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer kept as text because it does not fit the form. `value` is cut at 200 characters.

    `reason`: not_an_integer, not_a_number, not_a_boolean, not_a_date, not_a_time, not_a_datetime, not_a_point,
    out_of_range, too_few_points, not_in_form, repeated (a second answer where the form has one), not_a_leaf (text
    beside or in place of child elements), more (the list was cut).
    """

    path: str
    value: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """A JSON-able dictionary."""
        return {"path": self.path, "value": self.value, "reason": self.reason}


@dataclass(slots=True)
class Instance:
    """What a submission says.

    Attributes
    ----------
    answers
        Path -> JSON value; groups are flattened, a repeat is a list of such dictionaries under its own path. A second
        answer where the form has one is kept under `path[2]`, `path[3]` …; empty answers are absent.
    files
        Names of the files that belong to the submission, each once.
    """

    envelope: Envelope
    answers: Answers = field(default_factory=dict)
    geometries: list[Geometry] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    entities: list[EntityAction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_envelope(xml: bytes, form_id: str | None = None) -> Envelope:
    """Parse a submission and read who it is.

    Parameters
    ----------
    xml
        The bytes of `xml_submission_file`.
    form_id
        The form, where the address names it. It counts only for XML that names none: JavaRosa sends the part of a form
        that `<submission ref>` asks for without id and version.

    Returns
    -------
    Envelope

    Raises
    ------
    InstanceError
        The only exception, whatever the bytes: empty, not_xml, doctype, too_deep, too_large, no_form_id.
    """
    root = parse_xml(xml)
    form_id = form_id_of(root, form_id)
    if not form_id:
        raise InstanceError("no_form_id", "The submission does not name its form (no id attribute)")
    meta = _meta(root)
    return Envelope(
        root=root,
        form_id=form_id,
        version=root.get("version") or attribute(root, "version") or "",
        # Exports of older servers carry the instance's id on the root.
        instance_id=meta.get("instanceID") or (root.get("instanceID") or "").strip() or None,
        deprecated_id=meta.get("deprecatedID"),
        instance_name=meta.get("instanceName"),
        encrypted=(root.get("encrypted") or "").strip().lower() in _YES,
    )


def _meta(root: Element) -> dict[str, str]:
    """First non-empty text of each child of `meta`, whatever its prefix or namespace."""
    found: dict[str, str] = {}
    # From the end: meta is last in forms of pyxform, and long repeats come before it.
    for node in root.iterchildren(reversed=True):
        if local(node) != "meta":
            continue
        for inner in node:
            text = (inner.text or "").strip()
            if text:
                found.setdefault(local(inner), text)
    return found


def parse(envelope: Envelope, schema: FormSchema) -> Instance:
    """Read the answers of a submission by its form.

    Every non-empty leaf of the XML is in the answers exactly once: a value of the wrong type as text with a problem, a
    node that the form does not know under its own path.

    Parameters
    ----------
    envelope
        What `read_envelope` gave.
    schema
        The form version that the envelope names.

    Returns
    -------
    Instance
        For an encrypted submission without answers; files are the encrypted ones.

    Raises
    ------
    InstanceError
        too_deep, or too_many_unknown when more than `MAX_UNKNOWN` nodes are not the form's.
    """
    instance = Instance(envelope)
    if envelope.encrypted:
        instance.files = list(dict.fromkeys(_encrypted_files(envelope.root)))
        return instance
    root, node = envelope.root, schema.compiled
    reader = _Reader(instance)
    if schema.submission_ref and local(root) != schema.root_name:
        node = _descend(node, schema.submission_ref)
        reader.visit(root, node, instance.answers, 0)
    else:
        reader.walk(root, node, instance.answers, 0)
    if schema.entities:
        instance.entities = read_actions(root, schema)
    return instance


def _descend(node: Node, path: str) -> Node:
    for name in path.strip("/").split("/"):
        node = node.children.get(name) or Node(path, None)
    return node


def _encrypted_files(root: Element) -> Iterator[str]:
    for node in root.iter(etree.Element):
        text = (node.text or "").strip()
        if text and local(node) in ("file", "encryptedXmlFile"):
            yield text


class _Reader:
    """One walk over one submission."""

    __slots__ = ("_counts", "_files", "_instance", "_ordinals", "_unknown")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._files: set[str] = set()
        #: Repeat path -> instances met so far in the whole submission.
        self._ordinals: dict[str, int] = {}
        #: (dictionary, path) -> number of answers kept there, from the second on.
        self._counts: dict[tuple[int, str], int] = {}
        self._unknown = 0

    def walk(self, element: Element, node: Node, answers: Answers, ordinal: int, depth: int = 0) -> None:
        """Read the children of a group, of a repeat instance or of the root."""
        if depth > MAX_DEPTH:
            raise InstanceError("too_deep", "The submission nests its elements too deeply")
        known = node.children
        beside = element.text
        if beside and not beside.isspace():
            self._keep(answers, node.path, beside, "not_a_leaf")
        for child in element:
            found = known.get(child.tag) or known.get(local(child))
            if found is None:
                self._stranger(child, f"{node.path}/{local(child)}", answers, depth + 1)
            elif not found.is_leaf or len(child):
                self.visit(child, found, answers, ordinal, depth)
            else:
                text = child.text
                if text and not text.isspace():
                    if found.is_text and found.path not in answers:
                        answers[found.path] = text
                    else:
                        self._leaf(text, found, answers, ordinal)
            beside = child.tail
            if beside and not beside.isspace():
                self._keep(answers, node.path, beside, "not_a_leaf")

    def visit(self, element: Element, node: Node, answers: Answers, ordinal: int, depth: int = 0) -> None:
        """Read one node of the form."""
        if node.is_repeat:
            rows = answers.get(node.path)
            if rows is None:
                rows = answers[node.path] = []
            position = self._ordinals.get(node.path, 0)
            self._ordinals[node.path] = position + 1
            row: Answers = {}
            rows.append(row)
            self.walk(element, node, row, position, depth + 1)
        elif not node.is_leaf:
            self.walk(element, node, answers, ordinal, depth + 1)
        elif len(element):
            self._stranger(element, node.path, answers, depth + 1)
        elif element.text and not element.text.isspace():
            self._leaf(element.text, node, answers, ordinal)

    def _leaf(self, text: str, node: Node, answers: Answers, ordinal: int) -> None:
        path = node.path
        if node.type == "binary":
            self._file(text.strip())
        if path in answers:
            self._keep(answers, path, text, "repeated")
            return
        try:
            if node.read is not None:
                answers[path] = node.read(text.strip())
            elif node.type in _SHAPES:
                answers[path] = self._place(text.strip(), node, ordinal)
            else:
                answers[path] = text
        except BadValue as bad:
            answers[path] = text
            self._problem(path, text, str(bad))

    def _place(self, text: str, node: Node, ordinal: int) -> str:
        try:
            ewkb, accuracy = _SHAPES[node.type](text)
        except OdkGeometryError as error:
            raise BadValue(error.code) from None
        self._instance.geometries.append(Geometry(node.path, ordinal, ewkb, accuracy))
        return text

    def _stranger(self, element: Element, path: str, answers: Answers, depth: int) -> None:
        """Keep a node that the form does not have, and everything below it."""
        if depth > MAX_DEPTH or len(path) > MAX_UNKNOWN_PATH:
            raise InstanceError("too_deep", "The submission nests its elements too deeply")
        for text in (element.text, *(child.tail for child in element)):
            if text and not text.isspace():
                # Servers and edits add to meta what no form declares (deprecatedID).
                reason = "not_a_leaf" if len(element) else "" if path.startswith("/meta/") else "not_in_form"
                self._keep(answers, path, text, reason)
        for child in element:
            self._stranger(child, f"{path}/{local(child)}", answers, depth + 1)

    def _keep(self, answers: Answers, path: str, text: str, reason: str) -> None:
        """Keep text where the form expects none, beside what is there already."""
        self._unknown += 1
        if self._unknown > MAX_UNKNOWN:
            raise InstanceError("too_many_unknown", "The submission has too many answers that its form does not know")
        key = path or "/"
        if key in answers:
            count = self._counts.get((id(answers), key), 1) + 1
            while f"{key}[{count}]" in answers:
                count += 1
            self._counts[id(answers), key] = count
            key = f"{key}[{count}]"
        answers[key] = text
        if reason:
            self._problem(key, text, reason)

    def _file(self, name: str) -> None:
        if name and name not in self._files:
            self._files.add(name)
            self._instance.files.append(name)

    def _problem(self, path: str, value: str, reason: str) -> None:
        problems = self._instance.problems
        if len(problems) < MAX_PROBLEMS:
            problems.append(Problem(path, value[:200], reason))
        elif len(problems) == MAX_PROBLEMS:
            problems.append(Problem("", "", "more"))
