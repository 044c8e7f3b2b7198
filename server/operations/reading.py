"""One record laid out for reading: groups and repeats as sections, answers under labels, masked where sensitive."""

from __future__ import annotations

import mimetypes
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forms.schema import Field, FormSchema, pick
from server.operations.labels import Choices, clean, mask, say
from server.operations.records import File, Record

#: What a browser shows by itself without running anything in it.
INLINE_IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"})
INLINE_MEDIA = frozenset({"audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/aac", "audio/amr", "video/mp4"})

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the page shows it.

    Parameters
    ----------
    key : str
        Path with positions, ``/members[2]/name``: what a request to reveal names.
    kind : str
        text, photo, audio, video, file, point, shape.
    masked : bool
        The text is a mask; the answer may be revealed.
    points : Sequence[tuple[float, float]]
        Latitude and longitude of a place.
    """

    key: str
    label: str
    hint: str
    text: str
    kind: str = "text"
    masked: bool = False
    sensitive: bool = False
    problem: str | None = None
    file: File | None = None
    points: Sequence[tuple[float, float]] = ()

    @property
    def empty(self) -> bool:
        """Whether there is no answer."""
        return not self.text


@dataclass(frozen=True, slots=True)
class Section:
    """A group, or one turn of a repeat; `only` when the repeat has no other turn."""

    key: str
    title: str
    parts: Sequence[Answer | Section] = field(default_factory=tuple)
    repeat: bool = False
    only: bool = False

    @property
    def revealed(self) -> bool:
        """Whether a sensitive answer in it is shown as it is."""
        return any(answer.sensitive and not answer.masked for answer in _answers(self.parts))

    @property
    def teaser(self) -> str:
        """The first answers of a turn, to tell it from the others while it is folded."""
        if not self.repeat:
            return ""
        texts = [answer.text for answer in _answers(self.parts) if answer.kind == "text" and not answer.empty]
        return " · ".join(text for text in texts[:3] if len(text) <= 40)

    @property
    def empty(self) -> bool:
        """Whether nothing in it was answered."""
        return all(part.empty for part in self.parts)


def _answers(parts: Sequence[Answer | Section]) -> Iterator[Answer]:
    for part in parts:
        if isinstance(part, Section):
            yield from _answers(part.parts)
        else:
            yield part


@dataclass(frozen=True, slots=True)
class Layout:
    """A record laid out: the questions, then what the phone and the form added.

    `masked` counts what is hidden; `opened` names the sensitive files that are shown.
    """

    parts: Sequence[Answer | Section]
    technical: Sequence[Answer]
    masked: int
    opened: frozenset[str] = frozenset()


def lay_out(
    record: Record, schema: FormSchema, choices: Choices, language: str, revealed: Collection[str] = ()
) -> Layout:
    """Lay a record out.

    Parameters
    ----------
    revealed : Collection[str]
        Keys of sensitive answers to show as they are; `EVERYTHING` for all of them.
    """
    return _Printer(record, schema, choices, language, revealed).run()


class _Printer:
    def __init__(
        self, record: Record, schema: FormSchema, choices: Choices, language: str, revealed: Collection[str]
    ) -> None:
        self.record, self.schema, self.choices, self.language = record, schema, choices, language
        self.revealed = revealed
        self.problems = {str(item.get("path")): str(item.get("reason")) for item in record.problems}
        self.children: dict[str, list[Field]] = defaultdict(list)
        for spec in schema.fields:
            self.children[spec.path.rpartition("/")[0]].append(spec)
        self.technical: list[Answer] = []
        self.masked = 0
        self.opened: set[str] = set()

    def run(self) -> Layout:
        parts = self.parts("", "", self.record.answers)
        return Layout(parts, self.technical, self.masked, frozenset(self.opened))

    def parts(self, parent: str, at: str, scope: Mapping[str, Any]) -> list[Answer | Section]:
        found: list[Answer | Section] = []
        for spec in self.children[parent]:
            key = f"{at}/{spec.name}"
            if spec.kind == "repeat":
                found += self.turns(spec, key, scope)
            elif spec.kind == "group":
                inner = self.parts(spec.path, key, scope)
                found += [Section(key, self.label(spec, scope), inner)] if spec.labels and inner else inner
            elif not spec.note:
                self.place(found, spec, key, scope)
        around = self.schema.at(parent)
        if around is None or around.kind == "repeat":
            self.unknown(at, scope)
        return found

    def turns(self, spec: Field, key: str, scope: Mapping[str, Any]) -> list[Section]:
        items = scope.get(spec.path)
        turns = items if isinstance(items, list) else []
        title = self.label(spec, scope)
        return [
            Section(
                f"{key}[{n}]", f"{title} {n}", self.parts(spec.path, f"{key}[{n}]", item), True, only=len(turns) == 1
            )
            for n, item in enumerate(turns, start=1)
            if isinstance(item, Mapping)
        ]

    def place(self, found: list[Answer | Section], spec: Field, key: str, scope: Mapping[str, Any]) -> None:
        answer = self.answer(spec, key, scope)
        if spec.meta or not spec.labels:
            if not answer.empty:
                self.technical.append(answer)
        else:
            found.append(answer)

    def unknown(self, at: str, scope: Mapping[str, Any]) -> None:
        """Answers the form version does not ask for are kept by the server, so they are shown too."""
        for path, value in scope.items():
            if self.schema.at(path) is None and value not in (None, "", []):
                self.technical.append(Answer(f"{at}{path}", path, "", str(value)))

    def label(self, spec: Field, scope: Mapping[str, Any]) -> str:
        text = pick(spec.labels, self.language, self.schema.default_language)
        return clean(text, lambda path: self.reference(path, scope)) or spec.name

    def reference(self, path: str, scope: Mapping[str, Any]) -> str:
        spec = self.schema.at(path)
        value = scope.get(path, self.record.answers.get(path))
        if spec is None or spec.sensitive or value is None or isinstance(value, list):
            return "…"
        return say(spec, value, self.choices, self.language)

    def answer(self, spec: Field, key: str, scope: Mapping[str, Any]) -> Answer:
        value = scope.get(spec.path)
        text = say(spec, value, self.choices, self.language)
        label = self.label(spec, scope)
        hint = clean(pick(spec.hints, self.language, self.schema.default_language))
        problem = self.problems.get(spec.path)
        if spec.sensitive and text and EVERYTHING not in self.revealed and key not in self.revealed:
            self.masked += 1
            return Answer(key, label, hint, mask(text, spec.sensitive), masked=True, sensitive=True)
        sensitive = bool(spec.sensitive and text)
        if spec.binary or spec.type == "binary":
            file = self.record.files.get(str(value)) if value else None
            if sensitive:
                self.opened.add(text)
            return Answer(key, label, hint, text, _media_kind(text), sensitive=sensitive, file=file)
        if spec.place and text:
            points = _points(str(value))
            kind = "point" if spec.type == "geopoint" else "shape"
            return Answer(key, label, hint, text, kind, sensitive=sensitive, problem=problem, points=points)
        return Answer(key, label, hint, text, sensitive=sensitive, problem=problem)


def content_type(name: str) -> str:
    """The type a file is served as, by its name: what a phone declares is not believed."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _media_kind(name: str) -> str:
    kind = content_type(name)
    if kind in INLINE_IMAGES:
        return "photo"
    if kind in INLINE_MEDIA:
        return kind.partition("/")[0]
    return "file"


def _points(text: str) -> list[tuple[float, float]]:
    found = []
    for vertex in text.split(";"):
        parts = vertex.split()
        try:
            found.append((float(parts[0]), float(parts[1])))
        except (IndexError, ValueError):
            continue
    return found


def sensitive_files(schema: FormSchema, answers: Mapping[str, Any]) -> frozenset[str]:
    """Names of the files of a record that may not be seen without a reason.

    Those that answer sensitive questions, and Collect's log of the filling-in, which repeats what was typed, when the
    form asks anything sensitive.
    """
    asks = any(spec.sensitive for spec in schema.fields)
    paths = {
        spec.path
        for spec in schema.fields
        if (spec.type == "binary" and (spec.sensitive or (asks and spec.meta))) or (asks and spec.path == "/meta/audit")
    }
    return frozenset(_values(answers, paths)) if paths else frozenset()


def _values(scope: Mapping[str, Any], paths: Collection[str]) -> Iterator[str]:
    for path, value in scope.items():
        if isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield from _values(item, paths)
        elif path in paths and value:
            yield str(value)
