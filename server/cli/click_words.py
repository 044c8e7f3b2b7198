"""Sentences that click says by itself, marked here so that they get into our catalogue of translations."""

from __future__ import annotations

import gettext
import os


def _l(message: str) -> str:
    """Mark a message for the catalogue."""
    return message


SENTENCES = (
    _l("Usage:"),
    _l("Options"),
    _l("Commands"),
    _l("Show the version and exit."),
    _l("Show this message and exit."),
    _l("Try '{command} {option}' for help."),
    _l("Missing command."),
    _l("Missing option"),
    _l("Missing argument"),
    _l("No such command {name!r}."),
    _l("No such option {name!r}."),
    _l("Option {name!r} does not take a value."),
    _l("Invalid value for {param_hint}: {message}"),
    _l("Invalid value: {message}"),
    _l("{value!r} is not a valid {number_type}."),
    _l("{value} is not in the range {range}."),
    _l("{name} {filename!r} does not exist."),
    _l("{name} {filename!r} is a directory."),
    _l("{name} {filename!r} is a file."),
    _l("{name} {filename!r} is not readable."),
    _l("Could not open file {filename!r}: {message}"),
)


def speak_chinese() -> None:
    """Let click, which asks the standard library's gettext, find its words in our catalogue."""
    from server.i18n import TRANSLATIONS

    os.environ["LANGUAGE"] = "zh"
    gettext.bindtextdomain("messages", str(TRANSLATIONS))
    gettext.textdomain("messages")
