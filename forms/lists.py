"""Choice lists of an XForm, and the files it needs on the phone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from forms.schema import Choice, ChoiceList, ExpectedAttachment, Field
from forms.texts import Element, Resolve, Texts, attribute, child, children, file_name, local

_INSTANCE = re.compile(r"""instance\(\s*['"]([^'"]+)['"]\s*\)""")
_ITEXT_COLUMN = re.compile(r"jr:itext\(\s*([\w.-]+)\s*\)")
_LOOKUP = re.compile(r"""\b(?:pulldata|search)\(\s*(['"])(.+?)\1""")
_MEDIA_ADDRESS = re.compile(r"jr://(images|audio|video|file)/\S+\Z")
_MEDIA_KINDS = {"images": "image", "audio": "audio", "video": "video", "file": "file"}
_SUFFIXES = {".csv": "csv", ".geojson": "geojson", ".xml": "xml"}


def read_choice_lists(model: Element, body: Element | None, texts: Texts, primary: Element) -> dict[str, ChoiceList]:
    """Choice lists of the secondary instances, by instance id; `jr://instance/…` (last saved) is no list."""
    refs = _refs(body) if body is not None else {}
    found: dict[str, ChoiceList] = {}
    for instance in children(model, "instance"):
        name = instance.get("id")
        source = instance.get("src") or ""
        if instance is primary or not name or source.startswith("jr://instance/"):
            continue
        value_ref, label_ref = refs.get(name, ("name", "label"))
        if source:
            found[name] = ChoiceList(name, (), file_name(source), value_ref, label_ref)
            continue
        root = next(iter(instance), None)
        items = () if root is None else tuple(_choice(item, texts, value_ref, label_ref) for item in root)
        found[name] = ChoiceList(name, tuple(item for item in items if item.name), None, value_ref, label_ref)
    return found


def _refs(body: Element) -> dict[str, tuple[str, str]]:
    """Instance id -> columns of value and label, as the first question that uses the list names them."""
    found: dict[str, tuple[str, str]] = {}
    for itemset in body.iter(etree.Element):
        reference = _INSTANCE.search(itemset.get("nodeset") or "") if local(itemset) == "itemset" else None
        if reference:
            value, label = child(itemset, "value"), child(itemset, "label")
            value_ref = (value.get("ref") if value is not None else None) or "name"
            label_ref = (label.get("ref") if label is not None else None) or "label"
            itext = _ITEXT_COLUMN.match(label_ref)
            found.setdefault(reference[1], (value_ref, itext[1] if itext else label_ref))
    return found


def _choice(item: Element, texts: Texts, value_ref: str, label_ref: str) -> Choice:
    columns = {local(column): (column.text or "").strip() for column in item}
    name = columns.pop(value_ref, "")
    text = texts.by_id(columns.get(label_ref, ""), _no_path)
    label = columns.pop(label_ref, "")
    if text.labels or text.media:
        return Choice(name, text.labels, columns, text.media)
    return Choice(name, {texts.default_language: label} if label else {}, columns)


def _no_path(expression: str) -> str | None:
    return None


def read_itemset(found: Field, control: Element, lists: dict[str, ChoiceList], texts: Texts, resolve: Resolve) -> Field:
    """The field with its choices; `lists` gains the list when it is written in the question itself."""
    itemset = child(control, "itemset")
    query = control.get("query")
    if itemset is None and query is None:
        choices = tuple(_inline(item, texts, resolve) for item in children(control, "item"))
        if not choices:
            return found
        lists[found.path] = ChoiceList(found.path, choices)
        return replace(found, list_name=found.path)
    nodeset = (itemset.get("nodeset") if itemset is not None else query) or ""
    reference = _INSTANCE.search(nodeset)
    name = reference[1] if reference else None
    return replace(
        found,
        list_name=name if name in lists else None,
        itemset=nodeset.strip(),
        choice_filter=_predicate(nodeset),
    )


def _inline(item: Element, texts: Texts, resolve: Resolve) -> Choice:
    value = child(item, "value")
    text = texts.of(child(item, "label"), resolve)
    name = (value.text or "").strip() if value is not None else ""
    return Choice(name, text.labels, media=text.media)


def _predicate(nodeset: str) -> str | None:
    """Text between the outer brackets of the first predicate, brackets inside it included."""
    start = nodeset.find("[")
    if start < 0:
        return None
    depth = 0
    for position in range(start, len(nodeset)):
        depth += {"[": 1, "]": -1}.get(nodeset[position], 0)
        if depth == 0:
            return nodeset[start + 1 : position].strip() or None
    return None


def read_attachments(
    model: Element, document: Element, texts: Texts, fields: Iterable[Field]
) -> tuple[ExpectedAttachment, ...]:
    """Files that the form expects beside it, each once, in the order of the form.

    Media of labels and choices, secondary instances with a source, tables named by `pulldata()` and `search()`,
    `itemsets.csv` of external selects, and default media of questions.
    """
    found: dict[str, str] = {}
    for kind, name in (*texts.media, *_sources(model), *_lookups(document), *_defaults(fields)):
        if name:
            found.setdefault(name, kind)
    return tuple(ExpectedAttachment(name, kind) for name, kind in found.items())


def _sources(model: Element) -> Iterator[tuple[str, str]]:
    for instance in children(model, "instance"):
        source = (instance.get("src") or "").strip()
        if source.startswith("jr://") and not source.startswith("jr://instance/"):
            name = file_name(source)
            kind = "csv" if source.startswith("jr://file-csv/") else _kind_of(name)
            yield kind, name


def _kind_of(name: str) -> str:
    return next((kind for suffix, kind in _SUFFIXES.items() if name.lower().endswith(suffix)), "file")


def _lookups(document: Element) -> Iterator[tuple[str, str]]:
    for node in document.iter(etree.Element):
        name = local(node)
        if name == "input" and node.get("query"):
            yield "csv", "itemsets.csv"
        if name not in ("bind", "setvalue", "itemset", "output") and attribute(node, "appearance") is None:
            continue
        for value in node.attrib.values():
            for match in _LOOKUP.finditer(str(value)):
                table = match[2].strip()
                yield "csv", table if table.lower().endswith(".csv") else f"{table}.csv"


def _defaults(fields: Iterable[Field]) -> Iterator[tuple[str, str]]:
    for found in fields:
        match = _MEDIA_ADDRESS.match(found.default or "") if found.type == "binary" else None
        if match:
            yield _MEDIA_KINDS[match[1]], file_name(found.default or "")
