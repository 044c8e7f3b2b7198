"""XForm XML -> `FormSchema`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from lxml import etree

from forms.entities import read_specs
from forms.hardened import has_doctype
from forms.lists import read_attachments, read_choice_lists, read_itemset
from forms.schema import ChoiceList, Field, FormSchema, Kind
from forms.texts import Element, Text, Texts, attribute, attributes, child, children, local

_CONTROLS = {"input", "select1", "select", "rank", "upload", "range", "trigger", "secret"}
_TYPES = {
    "integer": "int", "long": "int", "short": "int", "double": "decimal", "float": "decimal", "datetime": "dateTime",
    "selectone": "select1", "odk:rank": "rank", "base64binary": "binary",
}  # fmt: skip
_KNOWN_TYPES = {
    "string", "int", "decimal", "boolean", "date", "time", "dateTime", "select1", "select", "rank", "geopoint",
    "geotrace", "geoshape", "binary", "barcode",
}  # fmt: skip
_BIND_KNOWN = {
    "nodeset", "ref", "id", "type", "readonly", "calculate", "required", "relevant", "constraint", "constraintMsg",
    "requiredMsg", "saveto", "sensitive",
}  # fmt: skip
_CONTROL_KNOWN = {"ref", "nodeset", "bind", "appearance", "mediatype", "count", "noAddRemove"}
_STEP = re.compile(r"[^\s/\[\]()@'\"]+\Z")
_NOT_A_FORM_ID = ("http://www.w3.org/", "http://openrosa.org/xforms", "http://opendatakit.org/submissions")
_MAX_DEPTH = 60


class XFormError(ValueError):
    """What Collect would refuse.

    Attributes
    ----------
    code
        not_xml, doctype, no_model, no_instance, no_form_id, too_deep, no_such_node.
    message
        In English; doors translate by `code`.
    detail
        The parser's words or the path, "" when there is nothing to add.
    """

    def __init__(self, code: str, message: str, detail: str = "") -> None:
        super().__init__(f"{message} ({detail})" if detail else message)
        self.code = code
        self.message = message
        self.detail = detail


@dataclass(slots=True)
class _Draft:
    """What is gathered before the fields are written."""

    root: str
    texts: Texts
    binds: dict[str, Element] = field(default_factory=dict)
    controls: dict[str, Element] = field(default_factory=dict)
    #: Paths of groups and repeats in the body, with the element that holds their label.
    groups: dict[str, Element] = field(default_factory=dict)
    repeats: dict[str, tuple[Element, Element]] = field(default_factory=dict)
    setvalues: dict[str, str] = field(default_factory=dict)
    lists: dict[str, ChoiceList] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    #: File names and kinds met on the way: default media of image questions.
    media: list[tuple[str, str]] = field(default_factory=list)

    def resolver(self, context: str) -> Callable[[str], str | None]:
        return lambda expression: resolve(expression, context, self.root)


def read_xform(xml: bytes) -> FormSchema:
    """Read a form definition.

    Parameters
    ----------
    xml
        The XForm as pyxform writes it or as it was uploaded.

    Returns
    -------
    FormSchema

    Raises
    ------
    XFormError
        What Collect would refuse: not well-formed, a document type declaration, no model, no primary instance,
        no form id, a question bound to a node that does not exist.
    """
    document = _parse(xml)
    model = next((node for node in document.iter(etree.Element) if local(node) == "model"), None)
    if model is None:
        raise XFormError("no_model", "The form has no <model>")
    instance = child(model, "instance")
    root = next(iter(instance), None) if instance is not None else None
    if instance is None or root is None:
        raise XFormError("no_instance", "The form has no primary instance")
    form_id = form_id_of(root)
    if not form_id:
        raise XFormError("no_form_id", "The primary instance has no id attribute")
    draft = _Draft(local(root), Texts(model))
    _collect_model(draft, model)
    body = next((node for node in document if local(node) == "body"), None)
    if body is not None:
        _collect_body(draft, body, "", 0)
    draft.lists = read_choice_lists(model, body, draft.texts, instance)
    _walk(draft, [root], "", None, 0)
    _check_questions(draft)
    return _schema(draft, document, model, root, form_id)


def form_id_of(root: Element, known: str | None = None) -> str:
    """The form id of a root element: `id`, else `known`, else its namespace (OpenRosa's older way), else ""."""
    found = root.get("id") or ""
    if found.strip():
        return found
    if known:
        return known
    namespace = etree.QName(root).namespace or ""
    return "" if namespace.startswith(_NOT_A_FORM_ID) else namespace


def resolve(expression: str, context: str, root: str) -> str | None:
    """Path below the root of an XPath that names one node.

    Parameters
    ----------
    expression
        `/data/a/b`, `../b`, `./b`, `current()/../b`; prefixes in steps are dropped.
    context
        Path that relative expressions start from.
    root
        Name of the root element.

    Returns
    -------
    str or None
        "" for the root itself; None for anything but a plain path (functions, predicates, other instances).
    """
    text = expression.strip()
    absolute = text.startswith("/")
    steps = [] if absolute else [step for step in context.split("/") if step]
    wanted = text.removeprefix("current()/").strip("/").split("/") if text else []
    if not wanted or not wanted[0]:
        return None
    for step in wanted:
        step = step.strip()
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step != ".":
            if not _STEP.match(step.removeprefix("@")):
                return None
            steps.append(step.rpartition(":")[2])
    if absolute:
        if not steps or steps[0] != root:
            return None
        del steps[0]
    return "".join(f"/{step}" for step in steps)


def _parse(xml: bytes) -> Element:
    if has_doctype(xml):
        raise XFormError("doctype", "The form has a document type declaration")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        document = etree.fromstring(xml.lstrip(), parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise XFormError("not_xml", "The form is not well-formed XML", str(error)) from None
    if document.getroottree().docinfo.internalDTD is not None:
        raise XFormError("doctype", "The form has a document type declaration")
    return document


def _collect_model(draft: _Draft, model: Element) -> None:
    resolver = draft.resolver("")
    for node in model.iter(etree.Element):
        name = local(node)
        if name == "bind":
            path = resolver(node.get("nodeset") or node.get("ref") or "")
            if path is not None:
                draft.binds.setdefault(path, node)
        elif name == "setvalue":
            path = resolver(node.get("ref") or "")
            if path is not None:
                draft.setvalues.setdefault(path, (node.get("value") or node.text or "").strip())


def _collect_body(draft: _Draft, parent: Element, context: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise XFormError("too_deep", "The form nests its groups too deeply", context)
    for node in parent:
        name = local(node)
        path = _control_path(draft, node, context)
        if name in _CONTROLS and path is not None:
            draft.controls.setdefault(path, node)
            for inner in children(node, "setvalue"):
                target = resolve(inner.get("ref") or "", path, draft.root)
                if target is not None:
                    draft.setvalues.setdefault(target, (inner.get("value") or inner.text or "").strip())
        elif name == "group":
            if path is not None:
                draft.groups.setdefault(path, node)
            _collect_body(draft, node, context if path is None else path, depth + 1)
        elif name == "repeat":
            if path is not None:
                draft.repeats.setdefault(path, (node, parent))
            _collect_body(draft, node, context if path is None else path, depth + 1)


def _control_path(draft: _Draft, node: Element, context: str) -> str | None:
    by_id = node.get("bind")
    if by_id:
        return next((path for path, bind in draft.binds.items() if bind.get("id") == by_id), None)
    reference = node.get("nodeset") if local(node) == "repeat" else node.get("ref")
    return resolve(reference, context, draft.root) if reference else None


def _walk(draft: _Draft, nodes: list[Element], path: str, repeat: str | None, depth: int) -> None:
    """Write the fields below `nodes`, which are one node of the schema: a repeat's template and its instances."""
    if depth > _MAX_DEPTH:
        raise XFormError("too_deep", "The form nests its groups too deeply", path)
    by_name: dict[str, list[Element]] = {}
    for node in nodes:
        for inner in node:
            by_name.setdefault(local(inner), []).append(inner)
    for name, same in by_name.items():
        below = f"{path}/{name}"
        kind = _kind(draft, below, same)
        draft.fields.append(_field(draft, below, kind, repeat, same))
        if kind != "field":
            _walk(draft, same, below, below if kind == "repeat" else repeat, depth + 1)


def _kind(draft: _Draft, path: str, nodes: Iterable[Element]) -> Kind:
    if path in draft.repeats:
        return "repeat"
    entity = path.endswith("/meta/entity")
    return "group" if entity or path in draft.groups or any(len(node) for node in nodes) else "field"


def _field(draft: _Draft, path: str, kind: Kind, repeat: str | None, nodes: list[Element]) -> Field:
    bind = draft.binds.get(path)
    short = attributes(bind)
    resolver = draft.resolver(path)
    found = Field(
        path=path,
        name=local(nodes[0]),
        type={"group": "structure", "repeat": "repeat"}.get(kind, ""),
        kind=kind,
        order=len(draft.fields),
        repeat=repeat,
        bind_type=short.get("type", ""),
        relevant=_expression(short.get("relevant")),
        required=_expression(short.get("required")),
        required_messages=draft.texts.message(short.get("requiredMsg"), resolver),
        readonly=_expression(short.get("readonly")),
        constraint=_expression(short.get("constraint")),
        constraint_messages=draft.texts.message(short.get("constraintMsg"), resolver),
        calculate=_expression(short.get("calculate")),
        default_expression=draft.setvalues.get(path) or None,
        parameters={key: value for key, value in short.items() if key not in _BIND_KNOWN},
        calculated="calculate" in short or "preload" in short,
        sensitive=short.get("sensitive") or _sensitive(draft, path),
        saveto=short.get("saveto"),
    )
    if kind != "field":
        return _with_group(draft, found)
    default = next((node.text.strip() for node in nodes if node.text and node.text.strip()), None)
    return _with_control(draft, replace(found, default=default))


def _expression(text: str | None) -> str | None:
    return (text.strip() or None) if text else None


def _sensitive(draft: _Draft, path: str) -> str | None:
    for found in (draft.controls.get(path), draft.groups.get(path)):
        value = attribute(found, "sensitive") if found is not None else None
        if value:
            return value
    return None


def _with_group(draft: _Draft, found: Field) -> Field:
    if found.path in draft.repeats:
        node, outer = draft.repeats[found.path]
        # The label of a repeat is on the group around it, unless the repeat has one itself.
        label = child(node, "label")
        if label is None:
            label = child(outer, "label") if _wraps(outer, node) else None
        count = attribute(node, "count")
    elif found.path in draft.groups:
        node, count = draft.groups[found.path], None
        label = child(node, "label")
    else:
        return found
    text = draft.texts.of(label, draft.resolver(found.path))
    appearance = node.get("appearance", "") or _outer_appearance(draft, found.path)
    return replace(
        found, control=local(node), labels=text.labels, media=text.media, appearance=appearance,
        repeat_count=_expression(count),
    )  # fmt: skip


def _wraps(outer: Element, repeat: Element) -> bool:
    """Whether a group is there for the repeat alone; one that holds other questions too keeps its label."""
    if outer.get("ref"):
        return outer.get("ref") == repeat.get("nodeset")
    return all(inner is repeat or local(inner) in ("label", "hint") for inner in outer)


def _outer_appearance(draft: _Draft, path: str) -> str:
    group = draft.groups.get(path)
    return group.get("appearance", "") if group is not None else ""


def _with_control(draft: _Draft, found: Field) -> Field:
    node = draft.controls.get(found.path)
    control = local(node) if node is not None else None
    value_type = _value_type(found.bind_type, control)
    found = replace(
        found, type=value_type, control=control, binary=value_type == "binary",
        multiple=value_type in ("select", "rank"),
    )  # fmt: skip
    if node is None:
        return found
    resolver = draft.resolver(found.path)
    label = draft.texts.of(child(node, "label"), resolver)
    hint: Text = draft.texts.of(child(node, "hint"), resolver)
    own = attributes(node)
    found = replace(
        found,
        labels=label.labels,
        hints=hint.labels,
        guidance=hint.guidance or label.guidance,
        media={**hint.media, **label.media},
        appearance=node.get("appearance", ""),
        mediatype=node.get("mediatype"),
        parameters={**found.parameters, **{key: value for key, value in own.items() if key not in _CONTROL_KNOWN}},
    )
    return read_itemset(found, node, draft.lists, draft.texts, resolver)


def _value_type(bind_type: str, control: str | None) -> str:
    if control in ("select1", "select", "rank"):
        return control
    name = bind_type.strip()
    name = _TYPES.get(name.lower(), name)
    name = name.rpartition(":")[2]
    name = _TYPES.get(name.lower(), name)
    if name in _KNOWN_TYPES:
        return name
    return "binary" if control == "upload" else "string"


def _check_questions(draft: _Draft) -> None:
    known = {found.path for found in draft.fields}
    for path in draft.controls:
        # Attributes can be questions too (`/data/meta/entity/@id`); the fields hold elements alone.
        if path not in known and "@" not in path:
            raise XFormError("no_such_node", "A question is bound to a node that does not exist", path)


def _schema(draft: _Draft, document: Element, model: Element, root: Element, form_id: str) -> FormSchema:
    title = next((node for node in document.iter(etree.Element) if local(node) == "title"), None)
    submission = child(model, "submission")
    settings = attributes(submission)
    name = next((found.calculate for found in draft.fields if found.path == "/meta/instanceName"), None)
    fields = tuple(draft.fields)
    return FormSchema(
        form_id=form_id,
        version=attribute(root, "version") or "",
        title=(title.text or "").strip() if title is not None and (title.text or "").strip() else form_id,
        root_name=local(root),
        root_namespace=etree.QName(root).namespace,
        languages=draft.texts.languages,
        default_language=draft.texts.default_language,
        fields=fields,
        choice_lists=tuple(draft.lists.values()),
        attachments=read_attachments(model, document, draft.texts, fields),
        entities=read_specs(root, draft.binds, fields),
        entities_version=attribute(model, "entities-version"),
        submission_url=settings.get("action"),
        submission_ref=resolve(settings["ref"], "", draft.root) or None if settings.get("ref") else None,
        public_key=settings.get("base64RsaPublicKey") or None,
        auto_send=settings.get("auto-send"),
        auto_delete=settings.get("auto-delete"),
        instance_name=name,
    )
