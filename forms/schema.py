"""What a form asks, as plain data: read once from the XForm, stored as JSON, used by every other room."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from forms.values import READERS

Kind = Literal["group", "repeat", "field"]
Labels = Mapping[str, str]

#: The key of texts that have no language of their own (a form without translations).
NO_LANGUAGE = "default"

#: Value types whose text is a place.
GEO_TYPES = frozenset({"geopoint", "geotrace", "geoshape"})

#: Value types whose text is a list of choice names.
LIST_TYPES = frozenset({"select", "rank"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a list; `extra` holds the further columns that choice filters use."""

    name: str
    labels: Labels = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    media: Mapping[str, Labels] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """A list of choices, inside the form (`choices`) or in an attached file (`source`, with the columns to read)."""

    name: str
    choices: tuple[Choice, ...] = ()
    source: str | None = None
    value_ref: str = "name"
    label_ref: str = "label"


@dataclass(frozen=True, slots=True)
class ExpectedAttachment:
    """A file that the form needs on the phone. `kind`: image, audio, video, csv, geojson, xml or file."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class EntitySpec:
    """Which entities a submission creates or updates, by the ODK entity specification.

    Attributes
    ----------
    dataset
        Name of the entity list.
    path
        Path of the `<entity>` node, `/meta/entity` or `/members/meta/entity`.
    repeat
        Path of the innermost repeat around it, None at the root.
    create, update
        Whether the form can create, can update.
    create_if, update_if
        The conditions as XPath, None when unconditional.
    label
        XPath of the label, None when the form gives none.
    properties
        Entity property -> path of the question that is saved to it.
    """

    dataset: str
    path: str
    repeat: str | None = None
    create: bool = False
    update: bool = False
    create_if: str | None = None
    update_if: str | None = None
    label: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """A node of the primary instance: a question, a calculated value, a group or a repeat.

    Attributes
    ----------
    path
        Below the root element, `/members/name`; names without prefix.
    type
        The type of the value: string, int, decimal, boolean, date, time, dateTime, select1, select, rank, geopoint,
        geotrace, geoshape, binary, barcode; `structure` for a group, `repeat` for a repeat.
    kind
        group, repeat or field.
    order
        Position in document order, 0-based, unique in the schema.
    repeat
        Path of the innermost repeat around the node, None at the root.
    bind_type
        The type as the bind writes it, "" when it gives none.
    control
        The control in the body without prefix (input, select1, select, rank, upload, range, trigger, secret, group,
        repeat), None for what is not shown.
    labels, hints, guidance, required_messages, constraint_messages
        By language; `${/path}` where another answer is shown in the text.
    media
        Form (image, big-image, audio, video) -> language -> file name.
    list_name, itemset, choice_filter
        The choice list, the nodeset of the itemset, the predicate in it.
    relevant, required, readonly, constraint, calculate, default_expression, repeat_count
        XPath as in the form, None when absent.
    parameters
        Further attributes of bind and control by local name: `start`, `end`, `step`, `max-pixels`, `preload` …
    sensitive
        Value of a bind attribute with the local name `sensitive` (any namespace): `id_number`, `phone` …
    saveto
        The entity property this answer is saved to.
    """

    path: str
    name: str
    type: str
    kind: Kind = "field"
    order: int = 0
    repeat: str | None = None
    bind_type: str = ""
    control: str | None = None
    labels: Labels = field(default_factory=dict)
    hints: Labels = field(default_factory=dict)
    guidance: Labels = field(default_factory=dict)
    media: Mapping[str, Labels] = field(default_factory=dict)
    appearance: str = ""
    mediatype: str | None = None
    list_name: str | None = None
    itemset: str | None = None
    choice_filter: str | None = None
    binary: bool = False
    multiple: bool = False
    calculated: bool = False
    sensitive: str | None = None
    relevant: str | None = None
    required: str | None = None
    required_messages: Labels = field(default_factory=dict)
    readonly: str | None = None
    constraint: str | None = None
    constraint_messages: Labels = field(default_factory=dict)
    calculate: str | None = None
    default: str | None = None
    default_expression: str | None = None
    repeat_count: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    saveto: str | None = None

    @property
    def meta(self) -> bool:
        """Whether the node belongs to a `<meta>` block."""
        return self.path == "/meta" or self.path.startswith("/meta/") or "/meta/" in self.path

    @property
    def note(self) -> bool:
        """Whether the node only shows text: a read-only input without calculation."""
        return self.control == "input" and self.readonly == "true()" and not self.calculated

    @property
    def place(self) -> bool:
        """Whether the answer is a geometry."""
        return self.type in GEO_TYPES

    def label(self, language: str | None = None, default: str | None = None) -> str:
        """Label in `language` (a form language or a code like `zh`), else in `default`, else any, else the name."""
        return pick(self.labels, language, default) or self.name


class Node:
    """A schema node prepared for reading submissions: children found by tag in one dictionary lookup."""

    __slots__ = ("children", "is_leaf", "is_repeat", "is_text", "path", "read", "type")

    def __init__(self, path: str, spec: Field | None) -> None:
        self.path = path
        self.type = spec.type if spec else "structure"
        self.is_repeat = spec is not None and spec.kind == "repeat"
        self.is_leaf = spec is not None and spec.kind == "field"
        self.read = READERS.get(self.type)
        #: Text is kept as it came, blanks at its ends included.
        self.is_text = self.is_leaf and self.read is None and self.type not in GEO_TYPES and self.type != "binary"
        self.children: dict[str, Node] = {}


@dataclass(frozen=True, slots=True)
class FormSchema:
    """Everything the house knows of one form version.

    Attributes
    ----------
    languages
        Languages of the form in its order; empty when it has no translations.
    default_language
        The language to show first; `NO_LANGUAGE` when the form has no translations.
    fields
        Groups, repeats and leaves in document order; a repeat's template and instances count once.
    submission_ref
        Path of the subtree that is sent in place of the whole instance, None usually.
    public_key
        `base64RsaPublicKey`: phones encrypt submissions of this form.
    instance_name
        XPath of the name of a record.
    """

    form_id: str
    version: str
    title: str
    root_name: str
    root_namespace: str | None = None
    languages: tuple[str, ...] = ()
    default_language: str = NO_LANGUAGE
    fields: tuple[Field, ...] = ()
    choice_lists: tuple[ChoiceList, ...] = ()
    attachments: tuple[ExpectedAttachment, ...] = ()
    entities: tuple[EntitySpec, ...] = ()
    entities_version: str | None = None
    submission_url: str | None = None
    submission_ref: str | None = None
    public_key: str | None = None
    auto_send: str | None = None
    auto_delete: str | None = None
    instance_name: str | None = None
    _compiled: Node | None = field(default=None, init=False, repr=False, compare=False)
    _by_path: dict[str, Field] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def compiled(self) -> Node:
        """The root node of the lookup tree, built at the first use and kept as long as the schema lives."""
        found = self._compiled
        if found is None:
            found = _compile(self)
            object.__setattr__(self, "_compiled", found)
        return found

    @property
    def by_path(self) -> dict[str, Field]:
        """Fields by path."""
        found = self._by_path
        if found is None:
            found = {spec.path: spec for spec in self.fields}
            object.__setattr__(self, "_by_path", found)
        return found

    def at(self, path: str) -> Field | None:
        """The field at `path`, None when the form has none there."""
        return self.by_path.get(path)

    def choice_list(self, name: str | None) -> ChoiceList | None:
        """The choice list called `name`."""
        return next((item for item in self.choice_lists if item.name == name), None)

    def leaves(self) -> Iterator[Field]:
        """Fields that hold a value, in document order."""
        return (spec for spec in self.fields if spec.kind == "field")

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dictionary; what equals its default is left out."""
        return _dump(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FormSchema:
        """The schema that `to_json` wrote."""
        parts: dict[str, Any] = dict(data)
        parts["languages"] = tuple(parts.get("languages", ()))
        parts["fields"] = tuple(Field(**item) for item in parts.get("fields", ()))
        parts["attachments"] = tuple(ExpectedAttachment(**item) for item in parts.get("attachments", ()))
        parts["entities"] = tuple(EntitySpec(**item) for item in parts.get("entities", ()))
        parts["choice_lists"] = tuple(
            ChoiceList(**{**item, "choices": tuple(Choice(**choice) for choice in item.get("choices", ()))})
            for item in parts.get("choice_lists", ())
        )
        return cls(**parts)


def pick(labels: Labels, language: str | None = None, default: str | None = None) -> str:
    """Text of `labels` for a reader.

    Parameters
    ----------
    labels
        Texts by form language, `中文 (zh)`, `English (en)`, or `NO_LANGUAGE`.
    language
        The reader's language, as the form writes it or as a code (`zh`, `zh_Hans_CN`).
    default
        The form's default language, the second choice.

    Returns
    -------
    str
        The first text found: reader's language, default language, any; "" when there is none.
    """
    for wanted in (language, default):
        if wanted is None:
            continue
        if wanted in labels:
            return labels[wanted]
        code = f"({wanted.replace('_', '-').split('-')[0].lower()}"
        for name, text in labels.items():
            if code in name.lower().replace("_", "-"):
                return text
    return next(iter(labels.values()), "")


def _dump(item: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for spec in dataclasses.fields(item):
        if not spec.init:
            continue
        value = getattr(item, spec.name)
        if spec.default is not dataclasses.MISSING and value == spec.default:
            continue
        if spec.default_factory is not dataclasses.MISSING and not value:
            continue
        found[spec.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _dump(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _compile(schema: FormSchema) -> Node:
    root = Node("", None)
    nodes = {"": root}
    for spec in schema.fields:
        node = nodes[spec.path] = Node(spec.path, spec)
        parent = nodes[spec.path.rpartition("/")[0]]
        parent.children[spec.name] = node
        # Phones repeat the root's namespace on every child, so its tags arrive in Clark notation.
        if schema.root_namespace:
            parent.children.setdefault(f"{{{schema.root_namespace}}}{spec.name}", node)
        parent.children.setdefault(f"{{http://openrosa.org/xforms}}{spec.name}", node)
    return root
