"""The language of the terminal: Chinese or English, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def language(env: Mapping[str, str] | None = None) -> str:
    """``zh`` or ``en``: XIANGTU_LANGUAGE when given, else what the locale says (LC_ALL, LC_MESSAGES, LANG)."""
    env = os.environ if env is None else env
    chosen = env.get("XIANGTU_LANGUAGE", "")
    if chosen in {"zh", "en"}:
        return chosen
    locale = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def _(message: str, **values: Any) -> str:
    """The message in the terminal's language, its ``%(name)s`` places filled."""
    if language() == "en":  # message ids are English: no catalogue to load
        return message % values if values else message
    from server.i18n import translate

    return translate(message, "zh", values)


def both(chinese: str, english: str) -> str:
    """One of two texts."""
    return chinese if language() == "zh" else english
