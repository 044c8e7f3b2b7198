"""Texts of an XForm: labels, hints and messages by language, and the media that speak or show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lxml import etree

from forms.schema import NO_LANGUAGE

Element = etree._Element
#: XPath of an answer -> its path below the root, None when the expression is not a plain path.
Resolve = Callable[[str], str | None]

_ITEXT = re.compile(r"""^\s*jr:itext\(\s*(['"])(.*?)\1\s*\)\s*$""", re.DOTALL)
MEDIA_FORMS = {"image": "image", "big-image": "image", "audio": "audio", "video": "video"}


def local(node: Element) -> str:
    """Tag without namespace and without prefix (an unbound prefix stays in lxml's tag)."""
    tag: object = node.tag  # a function for entity references, which the stubs do not know
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2] if tag[0] == "{" else tag.rpartition(":")[2]


def attribute(node: Element, name: str) -> str | None:
    """Value of the attribute with this local name, whatever its namespace."""
    plain = node.get(name)
    if plain is not None:
        return plain
    return attributes(node).get(name)


def attributes(node: Element | None) -> dict[str, str]:
    """Attributes by local name."""
    if node is None:
        return {}
    return {str(key).rpartition("}")[2].rpartition(":")[2]: str(value) for key, value in node.attrib.items()}


def children(node: Element, name: str) -> Iterator[Element]:
    """Child elements with this local name."""
    return (child for child in node if local(child) == name)


def child(node: Element, name: str) -> Element | None:
    """The first child element with this local name."""
    return next(children(node, name), None)


@dataclass(slots=True)
class Text:
    """What a label says in each language, and its media: form -> language -> file name."""

    labels: dict[str, str] = field(default_factory=dict)
    guidance: dict[str, str] = field(default_factory=dict)
    media: dict[str, dict[str, str]] = field(default_factory=dict)


class Texts:
    """The itext of a model.

    Parameters
    ----------
    model
        The `<model>` element.
    """

    def __init__(self, model: Element) -> None:
        self.languages: tuple[str, ...] = ()
        self.default_language = NO_LANGUAGE
        self._values: dict[str, dict[str, list[Element]]] = {}
        #: (kind, file name) of every medium in any translation, in order.
        self.media: list[tuple[str, str]] = []
        itext = child(model, "itext")
        translations = list(children(itext, "translation")) if itext is not None else []
        for translation in translations:
            self._read(translation)
        names = [item.get("lang", NO_LANGUAGE) for item in translations]
        # pyxform writes one nameless translation to carry the media of a form without languages.
        if names != [NO_LANGUAGE]:
            self.languages = tuple(dict.fromkeys(names))
        default = next((item.get("lang") for item in translations if item.get("default") is not None), None)
        self.default_language = default or (names[0] if names else NO_LANGUAGE)

    def _read(self, translation: Element) -> None:
        language = translation.get("lang", NO_LANGUAGE)
        for text in children(translation, "text"):
            values = list(children(text, "value"))
            self._values.setdefault(text.get("id", ""), {})[language] = values
            for value in values:
                kind = MEDIA_FORMS.get(value.get("form", ""))
                if kind and value.text and value.text.strip():
                    self.media.append((kind, file_name(value.text)))

    def of(self, node: Element | None, resolve: Resolve) -> Text:
        """Text of a `<label>` or `<hint>`: by reference to itext, or written in it."""
        if node is None:
            return Text()
        reference = _ITEXT.match(node.get("ref") or "")
        if reference:
            return self.by_id(reference[2], resolve)
        inline = render(node, resolve)
        return Text(labels={self.default_language: inline} if inline else {})

    def message(self, value: str | None, resolve: Resolve) -> dict[str, str]:
        """Text of a message attribute (`jr:constraintMsg`), which is plain or refers to itext."""
        if not value or not value.strip():
            return {}
        reference = _ITEXT.match(value)
        return self.by_id(reference[2], resolve).labels if reference else {self.default_language: value.strip()}

    def by_id(self, text_id: str, resolve: Resolve) -> Text:
        """Text with this id in every language that has it."""
        found = Text()
        for language, values in self._values.get(text_id, {}).items():
            by_form = {value.get("form", ""): render(value, resolve) for value in reversed(values)}
            label = by_form.get("") or by_form.get("long") or by_form.get("short")
            if label:
                found.labels[language] = label
            if by_form.get("guidance"):
                found.guidance[language] = by_form["guidance"]
            for form in MEDIA_FORMS:
                if by_form.get(form):
                    found.media.setdefault(form, {})[language] = file_name(by_form[form])
        _drop_placeholders(found.labels)
        _drop_placeholders(found.guidance)
        return found


def _drop_placeholders(labels: dict[str, str]) -> None:
    # pyxform fills a missing translation with "-": a reader is better served by the other language.
    if any(text != "-" for text in labels.values()):
        for language in [language for language, text in labels.items() if text == "-"]:
            del labels[language]


def render(node: Element, resolve: Resolve) -> str:
    """Text of an element in one line a paragraph; `<output value="/data/x"/>` becomes `${/x}`."""
    parts = [node.text or ""]
    for inner in node:
        if local(inner) == "output":
            expression = (inner.get("value") or inner.get("ref") or "").strip()
            parts.append(f"${{{resolve(expression) or expression}}}")
        else:
            parts.append(render(inner, resolve))
        parts.append(inner.tail or "")
    return "".join(parts).strip()


def file_name(uri: str) -> str:
    """File name of a `jr://images/x.png` address."""
    return uri.strip().rpartition("/")[2]
