"""What went wrong, in plain words: every exception a command can meet becomes a message and a code."""

from __future__ import annotations

import os
import sys

from server.cli.language import _, both


class Failure(Exception):
    """A command cannot do what was asked.

    Parameters
    ----------
    code : str
        A short ASCII word for scripts, e.g. ``no_data``.
    message : str
        What to tell the person, already in their language.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def explain(error: BaseException) -> Failure:
    """The exception in words. Modules that were never imported cannot have raised it, so none is imported for this."""
    if isinstance(error, Failure):
        return error
    for name, describe in _DESCRIPTIONS.items():
        module, _dot, kind = name.rpartition(".")
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, getattr(loaded, kind)):
            return describe(error)
    if isinstance(error, OSError):
        return Failure("file", _describe_os_error(error))
    return Failure(
        "internal",
        _(
            "Something unexpected happened (%(what)s). Please report it; XIANGTU_LOG_LEVEL=debug shows where.",
            what=f"{type(error).__name__}: {error}".strip(": "),
        ),
    )


def wants_traceback() -> bool:
    """Whether the person asked to see where an unexpected error came from."""
    return os.environ.get("XIANGTU_LOG_LEVEL", "").lower() == "debug"


def _describe_os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _refused(error: BaseException) -> Failure:
    return Failure(error.code, _(error.message, **error.details))  # type: ignore[attr-defined]


def _cluster(error: BaseException) -> Failure:
    """A `ClusterError` says everything twice: a Chinese line, then an English one, then what PostgreSQL wrote."""
    parts: list[str] = [error.message, error.remedy]  # type: ignore[attr-defined]
    lines: list[str] = []
    for part in parts:
        chinese, english, *rest = [*part.split("\n"), ""]
        lines += [both(chinese, english or chinese), *rest]
    return Failure("cluster", "\n".join(line for line in lines if line.strip()))


def _configuration(error: BaseException) -> Failure:
    return Failure("configuration", str(error))


def _form_invalid(error: BaseException) -> Failure:
    return Failure("form_invalid", "\n".join(map(str, error.messages)))  # type: ignore[attr-defined]


def _no_space(error: BaseException) -> Failure:
    return Failure("disk_full", _("The disk is full; nothing was stored."))


def _unreachable(error: BaseException) -> Failure:
    reason = " ".join(str(getattr(error, "orig", None) or error).split())
    if "Peer authentication failed" in reason:
        return Failure(
            "database_unavailable",
            _("The database belongs to another user of this machine. Run the command as the user who starts Xiangtu."),
        )
    return Failure("database_unavailable", _("The database cannot be reached: %(reason)s", reason=reason))


def _wrong_tables(error: BaseException) -> Failure:
    original = type(getattr(error, "orig", error)).__name__
    if original in {"UndefinedTable", "UndefinedColumn", "UndefinedFunction", "UndefinedObject"}:
        return Failure(
            "not_migrated",
            _("The tables of the database are not those of this version. Bring them up to date: xiangtu migrate"),
        )
    return _unreachable(error)


_DESCRIPTIONS = {
    "server.operations.errors.Refused": _refused,
    "server.cluster.errors.ClusterError": _cluster,
    "server.config.ConfigurationError": _configuration,
    "forms.xlsform.XLSFormError": _form_invalid,
    "server.storage.NoSpace": _no_space,
    "server.database.fast.Unavailable": _unreachable,
    "sqlalchemy.exc.ProgrammingError": _wrong_tables,
    "sqlalchemy.exc.DBAPIError": _unreachable,
    "sqlalchemy.exc.ArgumentError": _unreachable,
    "psycopg.Error": _unreachable,
}
