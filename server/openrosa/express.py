"""A short way for what phones do all day: sending a record, asking for the form list.

Flask's routing, request context and hooks cost as much CPU as reading the record does, and on a township's PC server,
database and desktop share two cores. Here the address is told by one pattern and the same `acts` answer it. Everything
else, and every address that does not match to the letter, goes on to Flask, whose views give the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response
from werkzeug.wrappers import Request

from server.openrosa import acts
from server.openrosa.sender import by_token
from server.operations.arrivals import Destination

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PHONE = re.compile(r"/v1/key/([A-Za-z0-9_-]{20,128})/projects/([1-9][0-9]{0,17})/(submission|formList)")
_ACTS = {("POST", "submission"): acts.submission, ("GET", "formList"): acts.form_list}


class Express:
    """WSGI middleware around Flask.

    Parameters
    ----------
    app : Flask
        Whose context the acts work in.
    otherwise : WSGIApplication
        What answers everything else.
    on_crash : Callable[[Exception, str], Response]
        Writes a fault of ours down (with the path) and words it.
    """

    def __init__(self, app: Flask, otherwise: WSGIApplication, on_crash: Callable[[Exception, str], Response]) -> None:
        self._app = app
        self._otherwise = otherwise
        self._on_crash = on_crash

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        found = _PHONE.fullmatch(environ["PATH_INFO"])
        act = _ACTS.get((environ["REQUEST_METHOD"], found[3])) if found else None
        if found is None or act is None:
            return self._otherwise(environ, start_response)
        project_id = int(found[2])
        with self._app.app_context():
            try:
                # Not put into the environ: the two would keep each other, and the body, until the collector comes.
                response = act(Request(environ, populate_request=False), by_token(found[1]), Destination(project_id))
            except Exception as problem:
                response = acts.error(problem, project_id) or self._on_crash(problem, environ["PATH_INFO"])
            return response(environ, start_response)
