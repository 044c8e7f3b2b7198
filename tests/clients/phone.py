"""A phone with ODK Collect, as a server sees it: form list, hashes, manifests, conditional GETs, split uploads.

Only what Collect does is done, in its order and with its strictness; what it would show as an error is raised as
`PhoneError`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import requests

_LIST = "{http://openrosa.org/xforms/xformsList}"
_MANIFEST = "{http://openrosa.org/xforms/xformsManifest}"
_MESSAGE = "{http://openrosa.org/http/response}message"
_HEADERS = {"X-OpenRosa-Version": "1.0", "User-Agent": "org.odk.collect.android/v2026.2.1 Dalvik/2.1.0"}


class PhoneError(Exception):
    """What the enumerator would see."""


@dataclass
class PhoneForm:
    """A form on the phone: its bytes and the files beside it."""

    xml: bytes
    files: dict[str, bytes] = field(default_factory=dict)


class Phone:
    """One phone.

    Parameters
    ----------
    server_url : str
        As in the QR code: ``…/v1/key/{token}/projects/{id}``.
    """

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self.forms: dict[str, PhoneForm] = {}
        self.downloads: list[str] = []
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        self._cache: dict[str, tuple[str, bytes]] = {}

    def sync(self) -> None:
        """Match the server's form list exactly, as Collect does in the background."""
        listed = {form["formID"]: form for form in self._form_list()}
        for form_id in set(self.forms) - set(listed):
            del self.forms[form_id]
        for form_id, form in listed.items():
            known = self.forms.get(form_id)
            xml = (
                known.xml
                if known and _md5(known.xml) == form["hash"]
                else self._download(form["downloadUrl"], form["hash"])
            )
            files = {
                file["filename"]: self._file(known, file)
                for file in (self._manifest(form["manifestUrl"]) if "manifestUrl" in form else ())
            }
            self.forms[form_id] = PhoneForm(xml, files)

    def send(self, xml: bytes, files: Mapping[str, bytes]) -> list[list[str]]:
        """Send a record, split as the server's accepted length asks; returns the file names of each POST."""
        url = f"{self.server_url}/submission?deviceID=collect%3Aphone"
        head = self._session.head(url, timeout=30)
        if head.status_code != 204:
            raise PhoneError(f"is this an OpenRosa server? {head.status_code}")
        posts = list(_split(files, int(head.headers["X-OpenRosa-Accept-Content-Length"]) - len(xml)))
        for number, names in enumerate(posts, start=1):
            parts: list[Any] = [("xml_submission_file", ("submission.xml", xml, "text/xml"))]
            if number < len(posts):
                parts.append(("*isIncomplete*", (None, "yes")))
            parts += [(name, (name, files[name], "image/jpeg")) for name in names]
            answer = self._session.post(url, files=parts, timeout=60)
            if answer.status_code not in {201, 202}:
                found = ElementTree.fromstring(answer.content).find(_MESSAGE)
                raise PhoneError(f"{answer.status_code} {'' if found is None else found.text}")
        return posts

    def _get(self, url: str) -> bytes:
        known = self._cache.get(url)
        headers = {"If-None-Match": known[0]} if known else {}
        answer = self._session.get(url, params={"deviceID": "collect:phone"}, headers=headers, timeout=30)
        if known and answer.status_code == 304:
            return known[1]
        if answer.status_code != 200:
            raise PhoneError(f"{answer.status_code} {url}")
        self._cache[url] = (answer.headers["ETag"], answer.content)
        return answer.content

    def _xml(self, url: str, root: str) -> ElementTree.Element:
        answer = ElementTree.fromstring(self._get(url))
        if answer.tag != root:
            raise PhoneError(f"{url}: the root is {answer.tag}")
        return answer

    def _form_list(self) -> list[dict[str, str]]:
        forms = [_values(form, _LIST) for form in self._xml(f"{self.server_url}/formList", f"{_LIST}xforms")]
        if any(not (form.get("formID") and form.get("name") and form.get("downloadUrl")) for form in forms):
            raise PhoneError("one form lacks its id, name or address: the whole list is void")
        return forms

    def _manifest(self, url: str) -> list[dict[str, str]]:
        return [_values(file, _MANIFEST) for file in self._xml(url, f"{_MANIFEST}manifest")]

    def _file(self, known: PhoneForm | None, file: Mapping[str, str]) -> bytes:
        have = known.files.get(file["filename"]) if known else None
        return (
            have
            if have is not None and _md5(have) == file["hash"]
            else self._download(file["downloadUrl"], file["hash"])
        )

    def _download(self, url: str, announced: str) -> bytes:
        self.downloads.append(url)
        data = self._get(url)
        if _md5(data) != announced:
            raise PhoneError(f"{url}: announced {announced}, got {_md5(data)}")
        return data


def _values(element: ElementTree.Element, namespace: str) -> dict[str, str]:
    return {child.tag.removeprefix(namespace): child.text or "" for child in element}


def _md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data).hexdigest()


def _split(files: Mapping[str, bytes], room: int) -> Iterator[list[str]]:
    """Collect starts a new POST when the next file would pass the accepted length or be the hundredth."""
    names: list[str] = []
    used = 0
    for name, data in files.items():
        if names and (used + len(data) > room or len(names) >= 99):
            yield names
            names, used = [], 0
        names.append(os.path.basename(name))
        used += len(data)
    yield names
