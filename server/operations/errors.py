"""Refusals: what an operation answers when it cannot do what was asked. Codes are ODK Central's."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """An operation declined; doors translate it into their protocol.

    Parameters
    ----------
    code : str
        ODK Central's problem code, e.g. ``409.1``; the part before the dot is the HTTP status.
    message : str
        English message, the key of its translation, with ``%(name)s`` places.
    details : Any
        Machine-readable details for the REST door; mapping values also fill the message's places.
    """

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = details

    @property
    def status(self) -> int:
        """The HTTP status the code belongs to."""
        return int(self.code.partition(".")[0])

    def __str__(self) -> str:
        return f"{self.code}: {self.message % self.details}"


def _(message: str) -> str:
    """Mark a message for translation; it is translated where the language is known."""
    return message


def not_found() -> Refused:
    """The thing is not there, or not for this actor to know of."""
    return Refused("404.1", _("Could not find the resource you were looking for."))


def not_allowed() -> Refused:
    """The actor lacks the verb."""
    return Refused("403.1", _("You are not allowed to do that."))


def not_authenticated() -> Refused:
    """No or wrong credentials."""
    return Refused("401.2", _("Authentication failed. Check your login details."))
