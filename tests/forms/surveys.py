"""A survey of the library and the engine that fills it."""

from __future__ import annotations

import csv
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from lxml import etree

from forms.xlsform import Converted, convert
from tests.clients.javarosa import Filled, JavaRosa
from tests.forms.plans import Answers, changed

LIBRARY = Path(__file__).parents[2] / "forms" / "library"
XF = {"xf": "http://www.w3.org/2002/xforms"}
XIANGTU = "{https://xiangtu.example/xforms}"
ORX = "{http://openrosa.org/xforms}"
CJK = re.compile("[\u4e00-\u9fff]")
WIDE_MARKS = re.compile("[\u4e00-\u9fff] ?[,;:?!()]")


class Survey:
    """Call it with changes to its complete record to get what a phone would send."""

    def __init__(self, engine: JavaRosa, name: str, complete: Answers) -> None:
        self.engine, self.folder, self.complete = engine, LIBRARY / name, complete

    @cached_property
    def form(self) -> Converted:
        return convert(self.folder / "form.md")

    @cached_property
    def tree(self) -> etree._Element:
        return etree.fromstring(self.form.xform)

    @cached_property
    def unchanged(self) -> Filled:
        """The complete record."""
        return self()

    def __call__(self, changes: Answers | None = None, **more: Any) -> Filled:
        """Fill the form; ``more`` goes into the plan (language, inspect, repeats …)."""
        plan = {"answers": changed(self.complete, changes or {}), **more}
        return self.engine.fill(self.form.xform, plan, self.folder)

    @property
    def binds(self) -> dict[str, etree._Element]:
        """Path below the root -> bind."""
        found = self.tree.iterfind(".//xf:bind", XF)
        return {bind.get("nodeset", "").removeprefix("/data"): bind for bind in found}

    @property
    def sensitive(self) -> dict[str, str]:
        """Path -> kind of sensitive answer."""
        marks = {path: bind.get(f"{XIANGTU}sensitive") for path, bind in self.binds.items()}
        return {path: str(mark) for path, mark in marks.items() if mark}

    @property
    def images(self) -> dict[str, str | None]:
        """Path of a photo or signature -> its max-pixels."""
        paths = [upload.get("ref", "").removeprefix("/data") for upload in self.tree.iterfind(".//xf:upload", XF)]
        return {path: self.binds[path].get(f"{ORX}max-pixels") for path in paths}

    @property
    def optional(self) -> set[str]:
        """Paths of the questions that may stay empty."""
        controls = ("{*}input", "{*}select", "{*}select1", "{*}range", "{*}upload")
        paths = {control.get("ref", "").removeprefix("/data") for control in self.tree.iter(*controls)}
        binds = {path: self.binds[path] for path in paths}
        return {path for path, bind in binds.items() if not (bind.get("required") or bind.get("readonly"))}

    @property
    def constrained(self) -> set[str]:
        """Paths of the questions with a constraint."""
        return {path for path, bind in self.binds.items() if bind.get("constraint")}

    @property
    def texts(self) -> dict[str, dict[str, str]]:
        """Language -> id of a text -> the text, references left out."""
        return {
            translation.get("lang", ""): {
                text.get("id", ""): " ".join("".join(map(str, value.itertext())) for value in text)
                for text in translation.findall("xf:text", XF)
            }
            for translation in self.tree.iterfind(".//xf:translation", XF)
        }


def check_form(survey: Survey, form_id: str, title: str) -> None:
    """What holds for every survey of the library."""
    form = survey.form
    assert form.warnings == []
    assert (form.form_id, form.title) == (form_id, title)
    assert re.fullmatch(r"20\d{8}", form.version)

    chinese, english = survey.texts["中文 (zh)"], survey.texts["English (en)"]
    assert list(survey.texts) == ["中文 (zh)", "English (en)"]
    assert chinese.keys() == english.keys()
    assert [key for key, text in chinese.items() if not CJK.search(text)] == []
    assert [text for text in chinese.values() if WIDE_MARKS.search(text)] == []
    assert [key for key, text in english.items() if CJK.search(text) or text.strip() in ("", "-")] == []

    names = {step for path in survey.binds for step in path.strip("/").split("/")} - {"instanceID", "instanceName"}
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    assert set(survey.images.values()) == {"1280"}
    for bind in survey.binds.values():
        if bind.get("constraint") and not bind.get("readonly"):
            assert bind.get("{http://openrosa.org/javarosa}constraintMsg"), bind.get("nodeset")

    audit = survey.binds["/meta/audit"]
    assert audit.get("{http://www.opendatakit.org/xforms}track-changes") == "true"
    assert audit.get("{http://www.opendatakit.org/xforms}location-priority") == "balanced"


def check_villages(survey: Survey) -> None:
    """The attached list of villages agrees with the form's townships and with the national codes."""
    with (survey.folder / "villages.csv").open(encoding="utf-8", newline="") as file:
        villages = list(csv.DictReader(file))
    assert list(villages[0]) == ["name", "label", "label_en", "township", "township_label"]
    assert len({row["name"] for row in villages}) == len(villages)
    assert [row for row in villages if not re.fullmatch(row["township"] + r"\d{3}", row["name"])] == []
    offered = survey(inspect=["/place/township"]).choices("/place/township")
    assert {row["township"]: row["township_label"] for row in villages} == offered


def check_constraint(survey: Survey, before: Answers, path: str, good: str, bad: str) -> None:
    """One answer is taken, another refused with a message that says what to do."""
    assert f"CONSTRAINT_VIOLATED {path}" not in survey(before | {path: good}).notes
    refused = survey(before | {path: bad})
    assert f"CONSTRAINT_VIOLATED {path}" in refused.notes
    assert re.search("请|最多|去掉", refused.messages[path] or "")


def check_asked(filled: Filled, asked: list[str], not_asked: list[str]) -> None:
    """Which questions a person saw, and which not."""
    assert [path for path in asked if not filled.was_asked(path)] == []
    assert [path for path in not_asked if filled.was_asked(path)] == []
