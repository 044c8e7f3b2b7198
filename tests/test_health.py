"""What a supervisor or a proxy asks, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from server.operations import app_users, people
from tests.conftest import quick_settings
from tests.support.field import Field, record
from tests.support.postgres import TestCluster
from tests.support.server import LiveServer


def test_the_process_answers(live: LiveServer) -> None:
    answer = requests.get(f"{live.url}/healthz", timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_ready_names_the_migration(live: LiveServer) -> None:
    answer = requests.get(f"{live.url}/readyz", timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_not_ready_before_the_tables_are_there(cluster: TestCluster, tmp_path: Path) -> None:
    from server.app import create_app

    app = create_app(quick_settings(tmp_path), cluster.create_database())
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["migrations"] is None


def test_alive_but_not_ready_without_a_database(tmp_path: Path) -> None:
    from server.app import create_app

    client = create_app(quick_settings(tmp_path), "postgresql://nobody@/none?host=/nonexistent").test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    answer = client.get("/v1/key/x/projects/1/formList")
    assert answer.status_code == 503, "never an empty 200: a phone would delete its forms"
    assert answer.headers["Retry-After"]
    assert b"OpenRosaResponse" in answer.data


def test_requests_are_logged_with_an_id_and_without_secrets(field: Field, live: LiveServer) -> None:
    field.publish()
    token = app_users.token(field.phone)
    _user, password = people.create_user("logged@example.cn", role="admin")
    requests.get(f"{live.url}/v1/key/{token}/projects/{field.project.id}/formList", timeout=10)
    requests.get(f"{live.url}/v1/key/wrong{token}/projects/{field.project.id}/formList", timeout=10)
    answer = requests.post(
        f"{live.url}/v1/projects/{field.project.id}/submission",
        files={"xml_submission_file": ("x.xml", record(), "text/xml")},
        auth=("logged@example.cn", password),
        headers={"X-Request-Id": "known-id"},
        timeout=10,
    )
    assert answer.status_code == 201
    assert answer.headers["X-Request-Id"] == "known-id"
    log = live.log.read_text()
    assert token not in log
    assert password not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    asked = next(line for line in lines if line.get("request_id") == "known-id")
    assert (asked["method"], asked["status"]) == ("POST", 201)
    assert any(line.get("path") == f"/v1/key/***/projects/{field.project.id}/formList" for line in lines)
