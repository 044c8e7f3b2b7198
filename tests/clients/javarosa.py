"""Fill forms with JavaRosa, the engine inside ODK Collect, and get the XML that a phone would send.

One Java process serves many fills (the first takes about a second, the next ones milliseconds)::

    with JavaRosa() as javarosa:
        filled = javarosa.fill(xform, {"answers": {"/name": "张三", "/members[2]/age": "30"}}, {"villages.csv": csv})
        assert filled.ok, filled.notes
        assert filled.value("/members[2]/age") == "30"

Paths are below the root element and start with "/", as in ``forms.schema``; "[1]" may be left out of a plan and is
always left out of the results. A plan is a dict of

answers
    path -> text as it stands in the XML (dates ISO, points "lat lon alt acc", several choices separated by spaces, a
    photo its file name). Questions are answered in the form's order whatever the order here. An index in a path implies
    that many repeats.
repeats
    path of a repeat -> how many instances (0 removes the first one, which forms offer by themselves).
inspect
    paths of questions to describe when the walk comes to them, into ``Filled.inspected``.
properties
    deviceid, username, phonenumber, email ...; a device id is given when absent.
location
    "lat lon alt acc" that ``start-geopoint`` and ``background-geopoint`` receive.
language
    the name of a language of the form, e.g. "English (en)"; the form's default when absent.

Media is a folder or {file name: bytes}; "last-saved.xml" in it feeds ``${last-saved#…}``. ``edit`` is a submission to
edit. The notes tell what a person would have seen: "CONSTRAINT_VIOLATED /path", "REQUIRED_BUT_EMPTY /path",
"NOT OFFERED /path choice" (the three leave the question as it was), "NOT REACHED /path" (not relevant, or no such
question).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from xml.etree import ElementTree

SOURCE = Path(__file__).parent / "javarosa" / "XformFiller.java"
BUILD = Path(__file__).resolve().parents[2] / "build" / "javarosa"
FILL_TIMEOUT_S = 120


class FillError(RuntimeError):
    """JavaRosa refused the form or broke down; the text holds its last words."""


@dataclass(frozen=True)
class Filled:
    """What became of one fill.

    Attributes
    ----------
    xml : bytes
        The submission.
    validation : str
        "ok", or "required /path" or "constraint /path" for the first question that keeps the form from being finalized.
    notes : list of str
        See the module's docstring; empty when every answer of the plan was taken.
    asked : list of str
        Paths of the questions a person would have seen, in order.
    messages : dict
        Path -> the message shown for a violated constraint.
    inspected : dict
        Path -> {"label", "hint", "required", "readonly", "value", "choices": {value: label}} before answering.
    """

    xml: bytes
    validation: str
    notes: list[str]
    asked: list[str]
    messages: dict[str, str | None]
    inspected: dict[str, dict[str, Any]]
    _root: list[ElementTree.Element] = field(default_factory=list, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the form is valid and every answer of the plan was taken."""
        return self.validation == "ok" and not self.notes

    def value(self, path: str) -> str | None:
        """Text at a path of the submission: "" for an empty answer, None where there is no such node."""
        if not self._root:
            self._root.append(ElementTree.fromstring(self.xml))
        node = self._root[0]
        for name, index in _steps(path):
            same = [child for child in node if child.tag.rsplit("}")[-1] == name]
            if len(same) < index:
                return None
            node = same[index - 1]
        return node.text or ""

    def was_asked(self, path: str) -> bool:
        """Whether a person would have seen this question."""
        return path.replace("[1]", "") in self.asked

    def choices(self, path: str) -> dict[str, str]:
        """Offered value -> label of a question named in the plan's ``inspect``."""
        choices: dict[str, str] = self.inspected[path.replace("[1]", "")]["choices"]
        return choices


def _steps(path: str) -> list[tuple[str, int]]:
    steps = (re.fullmatch(r"([^\[]+)(?:\[(\d+)\])?", step) for step in path.strip("/").split("/"))
    return [(step[1], int(step[2] or 1)) for step in steps if step]


def odk_validate_jar() -> Path:
    """The jar in the pyxform wheel that holds JavaRosa and all it needs."""
    from pyxform.validators.odk_validate import (  # type: ignore[import-untyped, unused-ignore]
        ODK_VALIDATE_PATH,
    )

    return Path(ODK_VALIDATE_PATH)


def compile_filler(build: Path = BUILD) -> Path:
    """Compile the driver unless a build of this source exists; returns the folder of classes."""
    jar = odk_validate_jar()
    stamp = hashlib.sha256(SOURCE.read_bytes() + str(jar.stat().st_size).encode()).hexdigest()[:16]
    classes = build / stamp
    if not classes.is_dir():
        build.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=build) as fresh:
            command = ["javac", "-nowarn", "-cp", str(jar), "-d", f"{fresh}/classes", str(SOURCE)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise FillError(f"javac: {done.stderr}")
            try:
                os.rename(f"{fresh}/classes", classes)
            except OSError:  # another process was quicker
                if not classes.is_dir():
                    raise
    return classes


class JavaRosa:
    """A Java process that fills forms; a context manager, not to be shared between threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="javarosa-")
        self._log: IO[str] = open(f"{self._folder.name}/stderr", "w+", encoding="utf-8", errors="replace")
        java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=Asia/Shanghai"]
        classpath = f"{odk_validate_jar()}{os.pathsep}{compile_filler()}"
        self._process = subprocess.Popen(
            [*java, "-Dfile.encoding=UTF-8", "-Djava.awt.headless=true", "-cp", classpath, "XformFiller"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, encoding="utf-8",
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.wait(10)
            self._process.stdout.close()
        self._log.close()
        self._folder.cleanup()

    def fill(
        self,
        form_xml: bytes,
        plan: dict[str, Any] | None = None,
        media: dict[str, bytes] | Path | None = None,
        edit: bytes | None = None,
    ) -> Filled:
        """Fill a form once.

        Parameters
        ----------
        form_xml : bytes
            The XForm.
        plan : dict, optional
            See the module's docstring; nothing is answered when absent.
        media : dict or Path, optional
            The form's attachments, file name -> bytes, or the folder that holds them.
        edit : bytes, optional
            A submission of this form to edit.

        Raises
        ------
        FillError
            When JavaRosa cannot read the form, or broke down.
        """
        plan = plan or {}
        plan = plan | {"properties": {"deviceid": "collect:test0001"} | plan.get("properties", {})}
        job = {"form": str(self._keep(form_xml)), "plan": plan, "media": str(self._media(media))}
        out = Path(self._folder.name) / "out.xml"
        if edit is not None:
            job["edit"] = str(self._keep(edit))
        answer = self._ask(job | {"out": str(out)})
        if "error" in answer:
            raise FillError(f"{answer['error']}\n{self._last_words()}")
        return Filled(xml=out.read_bytes(), **answer)

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise FillError("use JavaRosa as a context manager")
        hanging = threading.Timer(FILL_TIMEOUT_S, process.kill)
        hanging.start()
        try:
            process.stdin.write(json.dumps(job, ensure_ascii=True) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            hanging.cancel()
        if not line:
            raise FillError(f"JavaRosa ended\n{self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:]

    def _keep(self, content: bytes) -> Path:
        path = Path(self._folder.name) / hashlib.sha256(content).hexdigest()
        if not path.exists():
            path.write_bytes(content)
        return path

    def _media(self, media: dict[str, bytes] | Path | None) -> Path:
        if isinstance(media, Path):
            return media.resolve()
        files = media or {}
        names = repr(sorted((name, hashlib.sha256(content).hexdigest()) for name, content in files.items()))
        folder = Path(self._folder.name) / f"media-{hashlib.sha256(names.encode()).hexdigest()}"
        if not folder.exists():
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
        return folder
