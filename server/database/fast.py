"""The hot path's connections: psycopg itself, autocommit, prepared statements.

The ORM serves administration. Receiving and listing go through here: one statement, one round trip, durable when it
returns. Connections are kept by the process, last used first, and replaced when PostgreSQL was restarted; there are as
many as requests work at once.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from flask import current_app
from psycopg import errors, pq
from psycopg.rows import TupleRow
from sqlalchemy.engine import make_url

Connection = psycopg.Connection[TupleRow]
Found = TypeVar("Found")


class Unavailable(Exception):
    """The database cannot be reached or is full right now; nothing was written. The caller may try again later."""

    def __init__(self, reason: str, full: bool = False) -> None:
        super().__init__(reason)
        self.full = full


def sqlalchemy_url(url: str) -> str:
    """A ``postgresql://`` URL as SQLAlchemy wants it for psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


# ------------------------------------------------------------------------------------------------ connections


class _Line:
    """A connection and the statements prepared on it."""

    __slots__ = ("connection", "prepared")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.prepared: set[bytes] = set()


class Lines:
    """The process's connections to one database, opened when first needed.

    Parameters
    ----------
    url : str
        SQLAlchemy or libpq URL.
    """

    def __init__(self, url: str) -> None:
        self._conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._idle: deque[_Line] = deque()

    @contextmanager
    def line(self) -> Iterator[_Line]:
        """A connection for the block; closed afterwards when it turned out to be cut."""
        line = self.take()
        try:
            yield line
        except psycopg.OperationalError as error:
            if is_cut(error):
                line.connection.close()
            raise
        finally:
            self.give_back(line)

    def take(self) -> _Line:
        """An idle connection or a new one; the caller gives it back."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def give_back(self, line: _Line) -> None:
        """Keep the connection for the next, unless it was closed."""
        if not line.connection.closed:
            self._idle.append(line)

    def dispose(self) -> None:
        """Close the connections that are idle now."""
        while self._idle:
            self._idle.pop().connection.close()

    def _open(self) -> _Line:
        # One plan for all: statements here touch rows by unique keys; planning anew would cost as much as they do.
        options = "-c plan_cache_mode=force_generic_plan"
        return _Line(
            psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=1, connect_timeout=10, options=options)
        )


def is_cut(error: psycopg.Error) -> bool:
    """Whether the connection is gone, rather than one statement refused: no answer, or PostgreSQL is going down."""
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


# ------------------------------------------------------------------------------------------------ statements


class Statement:
    """A statement of the hottest path: prepared once a connection and sent by libpq's own call.

    That costs a third of the driver's general way (82 against 217 µs of CPU a submission), which plans for any type and
    for waiting elsewhere. Values are None, bool, int, str (no NUL) or bytes.

    Parameters
    ----------
    sql : str
        With ``%(name)s`` places, each cast where its type is not plain.
    returns : Sequence[Callable[[str], Any]]
        Makes a column's value from PostgreSQL's text; NULL stays None.
    """

    _numbers = itertools.count(1)

    def __init__(self, sql: str, returns: Sequence[Callable[[str], Any]]) -> None:
        self.returns = tuple(returns)
        self.name = b"xiangtu_%d" % next(self._numbers)
        self.places: list[str] = []
        self.sql = re.sub(r"%\((\w+)\)s", self._place, sql).encode()

    def _place(self, match: re.Match[str]) -> str:
        if match[1] not in self.places:
            self.places.append(match[1])
        return f"${self.places.index(match[1]) + 1}"

    def run(self, line: _Line, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run on a connection; the first row or None.

        Raises
        ------
        psycopg.Error
            As the driver would.
        """
        try:
            return self._run(line, values)
        except errors.InvalidSqlStatementName:  # the driver deallocates all after a rollback
            line.prepared.discard(self.name)  # only this one is known to be gone: another may have been prepared since
            return self._run(line, values)

    def _run(self, line: _Line, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        low = line.connection.pgconn
        if self.name not in line.prepared:
            _require(low, low.prepare(self.name, self.sql), pq.ExecStatus.COMMAND_OK)
            line.prepared.add(self.name)
        given = [_encode(values[place]) for place in self.places]
        formats = [pq.Format.BINARY if type(values[place]) is bytes else pq.Format.TEXT for place in self.places]
        result = low.exec_prepared(self.name, given, formats, pq.Format.TEXT)  # type: ignore[arg-type] # None is NULL
        _require(low, result, pq.ExecStatus.TUPLES_OK)
        if not result.ntuples:
            return None
        found = (result.get_value(0, column) for column in range(len(self.returns)))
        return tuple(
            None if value is None else make(value.decode()) for value, make in zip(found, self.returns, strict=True)
        )


def truth(text: str) -> bool:
    """A boolean from PostgreSQL's text."""
    return text == "t"


def _encode(value: Any) -> bytes | None:
    if value is None or type(value) is bytes:
        return value
    if isinstance(value, bool):
        return b"t" if value else b"f"
    encoded = str(value).encode()
    if b"\0" in encoded:
        raise ValueError("a text with a NUL cannot be sent to PostgreSQL")
    return encoded


def _require(low: pq.abc.PGconn, result: pq.abc.PGresult, status: pq.ExecStatus) -> None:
    if result.status == status:
        return
    if low.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError("the connection is lost")
    raise errors.error_from_result(result)


# ------------------------------------------------------------------------------------------------ running them


def run(statement: Statement, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run a hot statement by itself and return its first row; see `execute`."""
    lines = _lines()
    try:
        line = lines.take()
    except psycopg.OperationalError:
        return _repeatable(lambda line: statement.run(line, values))
    try:
        return statement.run(line, values)
    except psycopg.OperationalError as error:
        if not is_cut(error):
            with _plain_errors():
                raise
        line.connection.close()
    finally:
        lines.give_back(line)
    return _repeatable(lambda line: statement.run(line, values))


def execute(sql: str, values: Mapping[str, Any]) -> TupleRow | None:
    """Run one statement by itself and return its first row.

    The statement must be safe to repeat: it runs a second time when its connection turns out to be dead, which may be
    after PostgreSQL had already committed it.

    Raises
    ------
    Unavailable
        When PostgreSQL cannot be reached or its disk is full.
    """
    return _repeatable(lambda line: line.connection.execute(sql, values, prepare=True, binary=True).fetchone())


def fetch(sql: str, values: Mapping[str, Any]) -> list[TupleRow]:
    """Run one statement by itself and return all its rows; see `execute`."""
    return _repeatable(lambda line: line.connection.execute(sql, values, prepare=True, binary=True).fetchall())


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection inside one transaction, committed when the block ends well.

    Raises
    ------
    Unavailable
        As `execute`.
    """
    with _plain_errors(), _lines().line() as line, line.connection.transaction():
        yield line.connection


def _repeatable(act: Callable[[_Line], Found]) -> Found:
    lines = _lines()
    with _plain_errors():
        try:
            with lines.line() as line:
                return act(line)
        except psycopg.OperationalError as error:
            if not is_cut(error):
                raise
        lines.dispose()  # the others were cut by the same restart
        with lines.line() as line:
            return act(line)


def _lines() -> Lines:
    lines: Lines = current_app.extensions["xiangtu.fast"]
    return lines


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (errors.DeadlockDetected, errors.ProgramLimitExceeded):
        raise  # the database is well; what was asked of it is at fault
    except errors.DiskFull as error:
        raise Unavailable("disk full", full=True) from error
    except psycopg.OperationalError as error:
        if "No space left on device" in str(error):
            raise Unavailable("disk full", full=True) from error
        raise Unavailable(type(error).__name__) from error
