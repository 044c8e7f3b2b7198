"""The language of the terminal, and what becomes of exceptions."""

from __future__ import annotations

import psycopg
import pytest

from server.cli.failures import Failure, explain
from server.cli.language import language
from server.cluster import ClusterError
from server.operations.errors import Refused


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "en_US"}, "zh"),
        ({"XIANGTU_LANGUAGE": "zh", "LC_ALL": "en_US.UTF-8"}, "zh"),
        ({"XIANGTU_LANGUAGE": "en", "LANG": "zh_CN"}, "en"),
    ],
)
def test_language(environment: dict[str, str], expected: str) -> None:
    assert language(environment) == expected


CLUSTER = ClusterError("磁盘已满。\nThe disk is full.\n  PANIC", "请腾出空间。\nFree some space.")


@pytest.mark.parametrize(
    ("speech", "error", "code", "message"),
    [
        ("en", Failure("no_data", "nothing"), "no_data", "nothing"),
        (
            "en",
            Refused("400.8", "%(email)s is not an e-mail address.", email="x"),
            "400.8",
            "x is not an e-mail address.",
        ),
        ("en", CLUSTER, "cluster", "The disk is full.\n  PANIC\nFree some space."),
        ("zh", CLUSTER, "cluster", "磁盘已满。\n  PANIC\n请腾出空间。"),
        ("en", FileNotFoundError(2, "No such file", "a.csv"), "file", "a.csv: No such file"),
    ],
)
def test_exceptions_in_words(
    monkeypatch: pytest.MonkeyPatch, speech: str, error: Exception, code: str, message: str
) -> None:
    monkeypatch.setenv("XIANGTU_LANGUAGE", speech)
    failure = explain(error)
    assert (failure.code, failure.message) == (code, message)


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (
            psycopg.OperationalError("FATAL:  Peer authentication failed for user"),
            "database_unavailable",
            "as the user",
        ),
        (psycopg.OperationalError("connection refused"), "database_unavailable", "connection refused"),
        (ZeroDivisionError("division by zero"), "internal", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_to_do_is_in_the_message(monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, hint: str) -> None:
    monkeypatch.setenv("XIANGTU_LANGUAGE", "en")
    failure = explain(error)
    assert failure.code == code
    assert hint in failure.message
