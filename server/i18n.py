"""Words in the reader's language, with or without a request.

Message ids are the English sentences; ``server/translations`` holds Chinese. Doors that answer in a project's language
(phones) and commands call `translate`; pages use Flask-Babel, which reads the same catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.support import NullTranslations, Translations

TRANSLATIONS = Path(__file__).parent / "translations"
LANGUAGES = {"zh": "中文", "en": "English"}


@lru_cache(maxsize=4)
def _catalogue(language: str) -> NullTranslations:
    return Translations.load(TRANSLATIONS, [language])


def translate(message: str, language: str, values: Mapping[str, Any] | None = None) -> str:
    """The message in `language`, its ``%(name)s`` places filled from `values`."""
    text: str = _catalogue(language).ugettext(message)
    return text % values if values else text
