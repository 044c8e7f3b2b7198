"""Commands: what they print for people and for scripts, and how they fail."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.cli.conftest import Command

FORM = """
| survey   |      |         |       |
|          | type | name    | label |
|          | text | village | 村    |
|          | select_one_from_file groups.csv | group | 组 |
| settings |      |         |       |
|          | form_id | form_title | version |
|          | {form_id} | 试用表 | {version} |
"""


@pytest.fixture
def project(xiangtu: Command) -> int:
    """A project of this test's own."""
    number: int = xiangtu("project", "create", "云岭镇", "--json").json["id"]
    return number


@pytest.fixture
def form_file(tmp_path: Path) -> Path:
    """A small form with its choices beside it."""
    (tmp_path / "groups.csv").write_text("name,label\n1,一组\n", encoding="utf-8")
    file = tmp_path / "trial.md"
    file.write_text(FORM.format(form_id="trial", version="1"), encoding="utf-8")
    return file


# ------------------------------------------------------------------------------------------------ people


def test_user_create_prints_the_generated_password(xiangtu: Command) -> None:
    made = xiangtu("user", "create", "--email", "zhang@example.cn", "--role", "admin", "--json").json
    assert made["role"] == "admin"
    assert len(made["password"]) >= 16
    listed = {user["email"]: user for user in xiangtu("user", "list", "--json").json}
    assert listed["zhang@example.cn"]["roles"] == ["admin"]
    assert "zhang@example.cn" in xiangtu("user", "list").out


def test_a_given_password_is_not_repeated_to_people(xiangtu: Command) -> None:
    words = ("user", "create", "--email", "li@example.cn", "--name", "李四", "--password", "a-long-password")
    printed = xiangtu(*words)
    assert printed.status == 0
    assert "a-long-password" not in printed.out


def test_a_new_password_replaces_the_old_one(xiangtu: Command) -> None:
    first = xiangtu("user", "create", "--email", "wang@example.cn", "--json").json["password"]
    second = xiangtu("user", "reset-password", "WANG@example.cn", "--json").json["password"]
    assert first != second


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("user", "create", "--email", "nonsense"), "400.8"),
        (("user", "create", "--email", "x@example.cn", "--role", "boss"), "400.8"),
        (("user", "create", "--email", "x@example.cn", "--password", "short"), "400.21"),
        (("user", "reset-password", "nobody@example.cn"), "404.1"),
        (("app-user", "create", "--project", "999", "--name", "n"), "404.1"),
        (("app-user", "list", "--project", "999"), "404.1"),
        (("form", "list", "--project", "999"), "404.1"),
        (("submissions", "count", "--project", "999"), "404.1"),
        (("form", "publish", "no-such-file", "--project", "1"), "file"),
    ],
)
def test_a_refusal_is_one_plain_line(xiangtu: Command, words: tuple[str, ...], code: str) -> None:
    printed = xiangtu(*words)
    assert printed.status == 1
    assert printed.out == ""
    assert printed.err.startswith("✗ ")
    assert "Traceback" not in printed.err
    failed = xiangtu(*words, "--json")
    assert failed.status == 1
    assert failed.failure["code"] == code
    assert f"✗ {failed.failure['error']}\n" == printed.err


def test_wrong_usage_has_a_status_of_its_own(xiangtu: Command) -> None:
    assert xiangtu("user", "create").status == 2
    assert xiangtu("no-such-command").status == 2
    assert xiangtu("user", "create", "--json").failure["code"] == "usage"


# ------------------------------------------------------------------------------------------------ phones


def test_app_user_create_prints_token_and_server_url(xiangtu: Command, project: int) -> None:
    made = xiangtu("app-user", "create", "--project", project, "--name", "王小二", "--json").json
    assert made["server_url"] == f"http://127.0.0.1:8080/v1/key/{made['token']}/projects/{project}"
    settings = json.loads(zlib.decompress(base64.b64decode(made["settings"])))
    assert settings["general"]["server_url"] == made["server_url"]
    assert settings["project"]["name"] == "云岭镇"


def test_qr_code_as_picture_and_in_the_terminal(xiangtu: Command, project: int, tmp_path: Path) -> None:
    made = xiangtu("app-user", "create", "--project", project, "--name", "n", "--qr", tmp_path / "a.png", "--json").json
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    again = xiangtu("app-user", "qr", made["id"], "--project", project, "--out", tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    assert again.out.count("█") > 200
    assert made["server_url"] in again.out
    widest = max(len(line) for line in again.out.splitlines() if "█" in line)
    assert widest <= 80


def test_a_revoked_phone_has_no_code_any_more(xiangtu: Command, project: int) -> None:
    phone = xiangtu("app-user", "create", "--project", project, "--name", "n", "--json").json["id"]
    assert xiangtu("app-user", "revoke", phone, "--project", project, "--json").json["revoked_at"]
    assert xiangtu("app-user", "qr", phone, "--project", project).status == 1
    (listed,) = xiangtu("app-user", "list", "--project", project, "--json").json
    assert listed["revoked_at"]
    assert "token" not in listed


def test_the_public_address_is_in_the_code(xiangtu: Command, project: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTU_PUBLIC_URL", "https://survey.example.gov.cn/")
    made = xiangtu("app-user", "create", "--project", project, "--name", "n", "--json").json
    assert made["server_url"].startswith("https://survey.example.gov.cn/v1/key/")


# ------------------------------------------------------------------------------------------------ forms


def test_publish_takes_the_media_beside_the_form(xiangtu: Command, project: int, form_file: Path) -> None:
    done = xiangtu("form", "publish", form_file, "--project", project, "--json").json
    assert (done["form"], done["version"]) == ("trial", "1")
    assert done["attachments"] == [{"name": "groups.csv", "present": True}]
    (listed,) = xiangtu("form", "list", "--project", project, "--json").json
    assert (listed["form"], listed["version"], listed["draft"]) == ("trial", "1", None)
    phone = xiangtu("app-user", "create", "--project", project, "--name", "n", "--form", "trial", "--json")
    assert phone.status == 0


def test_a_version_is_published_once(xiangtu: Command, project: int, form_file: Path) -> None:
    assert xiangtu("form", "publish", form_file, "--project", project).status == 0
    again = xiangtu("form", "publish", form_file, "--project", project, "--json")
    assert again.failure["code"] == "409.6"
    (listed,) = xiangtu("form", "list", "--project", project, "--json").json
    assert listed["draft"] is None
    form_file.write_text(FORM.format(form_id="trial", version="2"), encoding="utf-8")
    assert xiangtu("form", "publish", form_file, "--project", project, "--json").json["version"] == "2"


def test_convert_and_check(xiangtu: Command, form_file: Path, tmp_path: Path) -> None:
    done = xiangtu("form", "convert", form_file, "--out", tmp_path / "trial.xml", "--json").json
    assert done["form"] == "trial"
    assert b"trial" in (tmp_path / "trial.xml").read_bytes()
    checked = xiangtu("form", "check", form_file, "--json").json
    assert checked["ok"]
    assert (checked["form"], checked["version"]) == ("trial", "1")


def test_check_names_sheet_and_row(xiangtu: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.md"
    broken.write_text(FORM.format(form_id="broken", version="1").replace("| text |", "| tekst |"), encoding="utf-8")
    report = xiangtu("form", "check", broken, "--json")
    assert report.status == 1
    assert not report.json["ok"]
    assert [(message["sheet"], message["row"]) for message in report.json["messages"]] == [("survey", 2)]
    assert "cannot be used" in xiangtu("form", "check", broken).out
    assert xiangtu("form", "convert", broken, "--json").failure["code"] == "form_invalid"


def test_xlsx_of_a_shipped_survey(xiangtu: Command, tmp_path: Path) -> None:
    done = xiangtu("form", "xlsx", "mediation_log", "--out", tmp_path, "--json").json
    assert done["files"] == [str(tmp_path / "mediation_log.xlsx")]
    assert (tmp_path / "villages.csv").exists()
    with zipfile.ZipFile(tmp_path / "mediation_log.xlsx") as book:
        assert "xl/workbook.xml" in book.namelist()


# ------------------------------------------------------------------------------------------------ records


def test_count_and_export_without_records(xiangtu: Command, project: int, form_file: Path, tmp_path: Path) -> None:
    xiangtu("form", "publish", form_file, "--project", project)
    counted = xiangtu("submissions", "count", "--project", project, "--json").json
    assert counted["total"] == 0
    assert [form["form"] for form in counted["forms"]] == ["trial"]
    words = ("submissions", "export", "--project", project, "--form", "trial")
    done = xiangtu(*words, "--out", tmp_path / "trial.csv", "--json").json
    assert done["records"] == 0
    content = (tmp_path / "trial.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert len(list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))) == 1
    xiangtu(*words, "--out", tmp_path)
    assert (tmp_path / "试用表.csv").exists()
    assert [file.name for file in tmp_path.iterdir() if file.name.endswith(".part")] == []


# ------------------------------------------------------------------------------------------------ the machine


def test_migrate_has_nothing_to_do(xiangtu: Command) -> None:
    done = xiangtu("migrate", "--json").json
    assert done["before"] == done["after"]


def test_doctor_reports_and_fails_when_the_database_is_gone(xiangtu: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    report = xiangtu("doctor", "--json").json
    found = {check["name"]: check["ok"] for check in report["checks"]}
    assert found["database"] == found["extensions"] == found["migrations"] == "ok"
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    broken = xiangtu("doctor")
    assert broken.status == 1
    assert "✗" in broken.out


def test_an_unreachable_database_is_said_plainly(xiangtu: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert xiangtu("project", "list", "--json").failure["code"] == "database_unavailable"


def test_a_wrong_setting_is_said_plainly(xiangtu: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTU_PORT", "http")
    failure = xiangtu("project", "list", "--json").failure
    assert failure["code"] == "configuration"
    assert "XIANGTU_PORT" in failure["error"]


def test_an_empty_folder_is_not_made_an_instance(
    xiangtu: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("XIANGTU_DATA", str(tmp_path / "typo"))
    assert xiangtu("user", "list", "--json").failure["code"] == "no_data"
    assert not (tmp_path / "typo").exists()
