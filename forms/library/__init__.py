"""The surveys that ship with the product: one folder a form, with its readable source and its media."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_TITLES = (
    ("household_visit", "入户走访", "Household visit"),
    ("mediation_log", "警务两会", "Mediation log"),
    ("resource_survey", "资源调查", "Resource survey"),
)


@dataclass(frozen=True, slots=True)
class Survey:
    """A form of the library.

    Attributes
    ----------
    name : str
        Folder name, and form id.
    title_zh, title_en : str
    source : Path
        The form as a Markdown XLSForm.
    media : list of Path
        The files to attach to the form, by name.
    """

    name: str
    title_zh: str
    title_en: str
    source: Path
    media: list[Path]


def surveys() -> list[Survey]:
    """The surveys, in the order in which a township meets them."""
    return [_survey(*titles) for titles in _TITLES]


def _survey(name: str, title_zh: str, title_en: str) -> Survey:
    folder = Path(__file__).parent / name
    media = sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".geojson", ".png", ".jpg"))
    return Survey(name, title_zh, title_en, folder / "form.md", media)
