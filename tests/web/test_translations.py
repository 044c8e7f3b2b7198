"""The Chinese catalogue says everything the programs say, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CHINESE = ROOT / "server/translations/zh/LC_MESSAGES/messages.po"
#: What is the same in both languages.
SAME: set[str] = set()


def extracted(tmp_path: Path) -> Catalog:
    target = tmp_path / "messages.pot"
    command = ["-q", "extract", "-F", "babel.cfg", "--no-location", "-k", "_l", "-o", str(target), "."]
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *command], cwd=ROOT, check=True)
    with target.open("rb") as file:
        return read_po(file)


def test_chinese_is_complete(tmp_path: Path) -> None:
    with CHINESE.open("rb") as file:
        chinese = read_po(file, locale="zh")
    wanted = {message.id for message in extracted(tmp_path) if message.id}
    known = {message.id: message for message in chinese if message.id}
    assert len(wanted) > 200
    assert wanted - set(known) == set(), "missing"
    assert set(known) - wanted == set(), "no longer used"
    assert not chinese.obsolete
    for message in known.values():
        texts = message.string if isinstance(message.string, list | tuple) else [message.string]
        assert all(texts), f"untranslated: {message.id}"
        assert "fuzzy" not in message.flags, message.id
        assert list(message.check()) == [], message.id
        assert message.string != message.id or message.id in SAME, f"still English: {message.id}"
