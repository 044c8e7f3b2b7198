"""Who a phone is: a token in the path, Basic credentials, or a person's session."""

from __future__ import annotations

from flask import request

from server.operations import people
from server.operations.arrivals import Sender
from server.operations.errors import Refused, _, not_authenticated
from server.operations.tokens import digest

SESSION_COOKIE = "session"


def by_token(token: str) -> Sender:
    """An app user or a draft; whether the token is good is asked in the statement that acts."""
    return Sender(token_hash=digest(token))


def by_person() -> Sender:
    """The person behind Basic credentials or a session cookie.

    Raises
    ------
    Refused
        401.4 nothing given, 401.3 Basic over plain HTTP from another machine, 401.2 wrong credentials.
    """
    authorization = request.authorization
    if authorization is not None and authorization.type == "basic":
        if not (request.is_secure or request.remote_addr in {"127.0.0.1", "::1"}):
            raise Refused("401.3", _("Passwords are accepted over https only. Use the QR code of an enumerator."))
        identity = people.identify_basic(authorization.username or "", authorization.password or "")
        return Sender(actor_id=identity.actor_id)
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie is None:
        raise Refused("401.4", _("This address asks for a name and a password."))
    found = people.identify_session(cookie)
    if found is None:
        raise not_authenticated()
    return Sender(actor_id=found.actor_id)
