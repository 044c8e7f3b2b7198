"""The ODK entity specification: what a form does to entity lists, and what one submission asks for.

Versions 2022.1 to 2025.1 (<https://getodk.github.io/xforms-spec/entities>). Reading never fails: what is wrong is said
in `EntityAction.problems`, because an entity that cannot be made must not cost the submission.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from forms.schema import EntitySpec, Field, FormSchema
from forms.texts import Element, attribute, child, children, local

_UUID = re.compile(r"(?:uuid:)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\Z", re.IGNORECASE)
# JavaRosa writes "1", web forms "true".
_TRUE = {"1", "true", "true()"}
_FALSE = {"", "0", "false", "false()"}


@dataclass(frozen=True, slots=True)
class EntityAction:
    """What a submission asks of one entity.

    Attributes
    ----------
    dataset, path
        The list; the path of the `<entity>` node.
    node
        The same path with the positions of repeats, `/members[2]/meta/entity`, unique in the submission.
    id
        UUID in lower case without `uuid:`, None when absent or not a UUID.
    create, update
        The flags; with both, an update is tried first.
    label
        None when the submission has no label node, "" when it is empty.
    base_version, trunk_version, branch_id
        Of an update; see the specification of offline entities.
    values
        Property -> text. A property of a question that was not relevant is missing; "" means that it was emptied.
    problems
        Codes: no_id, bad_id, bad_flag, bad_version, bad_branch, dataset_mismatch.
    """

    dataset: str
    path: str
    node: str
    id: str | None
    create: bool
    update: bool
    label: str | None = None
    base_version: int | None = None
    trunk_version: int | None = None
    branch_id: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dictionary with every attribute."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {**found, "values": dict(self.values), "problems": list(self.problems)}


def read_specs(root: Element, binds: Mapping[str, Element], fields: Iterable[Field]) -> tuple[EntitySpec, ...]:
    """Entity specifications of a form, in document order.

    Parameters
    ----------
    root
        Root of the primary instance.
    binds
        Binds by path, those of attributes (`/meta/entity/@create`) included.
    fields
        Fields of the form.
    """
    fields = tuple(fields)
    nodes = {found.path: found for found in fields if found.path.endswith("/meta/entity") or found.saveto}
    homes: dict[str, Element] = {}
    for path in nodes:
        node = _template(root, path) if path.endswith("/meta/entity") else None
        if node is not None and node.get("dataset"):
            homes[path] = node
    saved = [(found.path, found.saveto) for found in fields if found.saveto]
    specs = []
    for path, node in homes.items():
        own = {name: at for at, name in saved if name and _home(at, homes) == path}
        specs.append(
            EntitySpec(
                dataset=node.get("dataset", ""),
                path=path,
                repeat=nodes[path].repeat,
                create=_offered(node, binds, path, "create"),
                update=_offered(node, binds, path, "update"),
                create_if=_calculate(binds, f"{path}/@create"),
                update_if=_calculate(binds, f"{path}/@update"),
                label=_calculate(binds, f"{path}/label"),
                properties=own,
            )
        )
    return tuple(specs)


def _template(root: Element, path: str) -> Element | None:
    found: Element | None = root
    for name in path.strip("/").split("/"):
        found = child(found, name) if found is not None else None
    return found


def _home(path: str, homes: Iterable[str]) -> str | None:
    """The entity of the nearest container: a question is saved to the entity closest above it."""
    near = [home for home in homes if path.startswith(home.removesuffix("meta/entity"))]
    return max(near, key=len, default=None)


def _offered(node: Element, binds: Mapping[str, Element], path: str, flag: str) -> bool:
    return (node.get(flag) or "").lower() in _TRUE or f"{path}/@{flag}" in binds


def _calculate(binds: Mapping[str, Element], path: str) -> str | None:
    bind = binds.get(path)
    return (bind.get("calculate") or "").strip() or None if bind is not None else None


def read_actions(root: Element, schema: FormSchema) -> list[EntityAction]:
    """Entity actions of a submission, in document order; nodes without any flag set ask for nothing and are left out.

    Parameters
    ----------
    root
        Root of the submission.
    schema
        The form; one without entities gives an empty list.
    """
    found = []
    for spec in schema.entities:
        home = spec.path.removesuffix("/meta/entity")
        for container, at in _containers(root, home.strip("/").split("/") if home else [], schema, "", ""):
            for meta in children(container, "meta"):
                for node in children(meta, "entity"):
                    action = _action(node, container, spec, f"{at}/meta/entity")
                    if action is not None:
                        found.append(action)
    return found


def _containers(
    node: Element, steps: list[str], schema: FormSchema, path: str, at: str
) -> Iterator[tuple[Element, str]]:
    if not steps:
        yield node, at
        return
    path = f"{path}/{steps[0]}"
    spec = schema.at(path)
    repeated = spec is not None and spec.kind == "repeat"
    for position, inner in enumerate(children(node, steps[0]), start=1):
        here = f"{at}/{steps[0]}[{position}]" if repeated else f"{at}/{steps[0]}"
        yield from _containers(inner, steps[1:], schema, path, here)


def _action(node: Element, container: Element, spec: EntitySpec, at: str) -> EntityAction | None:
    problems: list[str] = []
    create = _flag(node, "create", problems)
    update = _flag(node, "update", problems)
    if not create and not update and not problems:
        return None
    label = child(node, "label")
    if (node.get("dataset") or spec.dataset) != spec.dataset:
        problems.append("dataset_mismatch")
    return EntityAction(
        dataset=spec.dataset,
        path=spec.path,
        node=at,
        id=_identity(node, problems),
        create=create,
        update=update,
        label=None if label is None else _text(label),
        base_version=_version(node, "baseVersion", problems),
        trunk_version=_version(node, "trunkVersion", problems),
        branch_id=_branch(node, problems),
        values=_values(container, spec),
        problems=tuple(problems),
    )


def _flag(node: Element, name: str, problems: list[str]) -> bool:
    text = (attribute(node, name) or "").strip().lower()
    if text not in _TRUE and text not in _FALSE:
        problems.append("bad_flag")
    return text in _TRUE


def _identity(node: Element, problems: list[str]) -> str | None:
    text = (attribute(node, "id") or "").strip()
    match = _UUID.match(text)
    if match is None:
        problems.append("bad_id" if text else "no_id")
        return None
    return match[1].lower()


def _version(node: Element, name: str, problems: list[str]) -> int | None:
    text = (attribute(node, name) or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        problems.append("bad_version")
        return None
    return int(text)


def _branch(node: Element, problems: list[str]) -> str | None:
    text = (attribute(node, "branchId") or "").strip()
    match = _UUID.match(text)
    if text and match is None:
        problems.append("bad_branch")
    return match[1].lower() if match else None


def _values(container: Element, spec: EntitySpec) -> dict[str, str]:
    home = spec.path.removesuffix("/meta/entity")
    found: dict[str, str] = {}
    for name, path in spec.properties.items():
        node: Element | None = container
        for step in path.removeprefix(home).strip("/").split("/"):
            node = next((inner for inner in node if local(inner) == step), None) if node is not None else None
        if node is not None:
            found[name] = _text(node)
    return found


def _text(node: Element) -> str:
    return "".join(map(str, node.itertext())).strip()
