"""What the documents list is what there is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from server.cli.root import _COMMANDS
from server.config import SETTINGS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def rows(document: str, width: int) -> list[list[str]]:
    """Rows of a document's tables that have so many columns, without heads and rules."""
    lines = (ROOT / document).read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [row for row in cells if len(row) == width]


def test_every_setting_stands_in_the_table() -> None:
    expected = []
    for setting in SETTINGS:
        shown = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
        default = f"`{shown}`" if shown != "" else "（空 empty）"
        expected.append([f"`{setting.name}`", f"`{setting.env}`", default, setting.what])
    assert rows("docs/configuration.md", 4) == expected


def listed_packages() -> set[str]:
    """Names in the tables of dependencies."""
    return {name for row in rows("docs/dependencies.md", 2) for name in re.findall(r"`([^`]+)`", row[0])}


def test_every_python_package_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = list(project["project"]["dependencies"])
    for group in project["dependency-groups"].values():
        wanted += [entry for entry in group if isinstance(entry, str)]
    names = {re.split(r"[\[<>=~! ]", requirement, maxsplit=1)[0] for requirement in wanted}
    assert names - listed_packages() == set()


def test_every_package_of_the_pages_has_its_line() -> None:
    package = json.loads((ROOT / "server/web/ui/package.json").read_text("utf-8"))
    names = {*package.get("dependencies", {}), *package.get("devDependencies", {})}
    assert names - listed_packages() == set()


def test_every_system_package_has_its_line() -> None:
    script = (ROOT / "scripts/install-system.sh").read_text("utf-8")
    names = {name for name in re.findall(r"\bneed ([a-z][a-z0-9.-]+) ", script) if name != "need"}
    names |= set(re.findall(r"java_package=([a-z-]+)", script)) | set(
        re.findall(r"\binstall (postgresql-[a-z]+)", script)
    )
    assert {"default-jre-headless", "nodejs", "fonts-noto-cjk", "chromium"} <= names
    assert names - listed_packages() == set()


def test_no_line_is_left_of_what_is_gone() -> None:
    sources = ("pyproject.toml", "server/web/ui/package.json", "scripts/install-system.sh")
    text = "".join((ROOT / source).read_text("utf-8") for source in sources)
    aside = {"postgresql-NN-postgis-3", "python3-venv", "python3.NN", "python3.NN-venv"}
    assert {name for name in listed_packages() - aside if name not in text} == set()


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_stands_in_the_readme(readme: str) -> None:
    named = {name for row in rows(readme, 2) for name in re.findall(r"`([a-z-]+)`", row[0])}
    assert named == set(_COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_licence_is_whole() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in licence
    assert licence.rstrip().endswith("limitations under the License.")
