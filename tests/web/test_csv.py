"""CSV: what leaves the house, for people and for scripts."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from server.database import db
from server.exports import csv as csv_export
from server.exports.cells import office_text
from server.exports.csv import Options, export
from server.models import Form
from tests.support.field import Field
from tests.web.conftest import ID_NUMBER, LONG_ID, answers

PLAIN = """<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml">
<h:head><h:title>简表</h:title><model><instance><data id="plain" version="1"><name/><meta><instanceID/></meta></data>
</instance><bind nodeset="/data/name" type="string"/></model></h:head>
<h:body><input ref="/data/name"><label>名称</label></input></h:body></h:html>"""


def sheets(form: Form, **options: Any) -> dict[str, list[list[str]]]:
    """The tables of an export, each with its header."""
    data = b"".join(export(form, Options(**options)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {
            name: list(csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig"), newline="")))
            for name in archive.namelist()
            if name.endswith(".csv")
        }


def as_dicts(rows: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


@pytest.fixture
def filled(field: Field, form: Form) -> Form:
    for number, note in enumerate(("平常", "=1+1", "-5 吨", "@x", "+86", '含"引号"，和\n换行'), start=1):
        sent = field.send(
            answers(f"uuid:{number}", tag=f"000{number}", note=note), {"house.jpg": b"H", "card.jpg": b"C"}
        )
        assert sent.status_code == 201
    return form


def test_office_style_reads_like_the_form(filled: Form) -> None:
    tables = sheets(filled)
    assert list(tables) == ["走访.csv", "走访-成员-members.csv"]
    rows = as_dicts(tables["走访.csv"])
    assert len(rows) == 6
    first = rows[0]
    assert first["村"] == "石板村"
    assert first["作物"] == "水稻、茶叶"
    assert first["年收入"] == "-12.5"
    assert (first["门口 纬度"], first["门口 经度"], first["门口 精度（米）"]) == ("26.57", "106.71", "4.5")
    assert first["户码"] == "\t0001", "a leading nought survives Excel"
    assert first["记录编号"] == "uuid:1"
    assert first["审核状态"] == "已收到"
    assert first["提交人"] == "采集员甲"
    assert first["已收文件数"] == "2"
    assert len(first["收到时间"]) == 19
    members = as_dicts(tables["走访-成员-members.csv"])
    assert [row["身份证号"] for row in members[:2]] == [f"\t{LONG_ID}", ID_NUMBER]
    assert members[0]["所属行编号"] == "uuid:1"
    assert members[1]["记录编号"] == "uuid:1/members[2]"


def test_office_style_in_english(filled: Form) -> None:
    first = as_dicts(sheets(filled, language="en")["走访.csv"])[0]
    assert first["村"] == "Shiban"
    assert first["Review"] == "Received"


def test_text_that_would_run_as_a_formula_does_not(filled: Form) -> None:
    notes = [row["备注"] for row in as_dicts(sheets(filled)["走访.csv"])]
    assert notes == ["平常", "'=1+1", "'-5 吨", "'@x", "'+86", '含"引号"，和\n换行']


@pytest.mark.parametrize(
    ("text", "cell"),
    [("", ""), ("石板村", "石板村"), ("3", "3"), ("0", "0"), ("13812345678", "13812345678"), ("0027", "\t0027"),
     ("520599101200", "\t520599101200"), ("3-1", "\t3-1"), ("1e5", "\t1e5"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1")],
)  # fmt: skip
def test_office_text(text: str, cell: str) -> None:
    assert office_text(text) == cell


def test_data_style_is_exact(filled: Form) -> None:
    tables = sheets(filled, office=False)
    assert list(tables) == ["visit.csv", "visit-members.csv"]
    rows = as_dicts(tables["visit.csv"])
    assert [row["note"] for row in rows][1:5] == ["=1+1", "-5 吨", "@x", "+86"]
    assert rows[0]["village"] == "v1"
    assert rows[0]["crops"] == "rice tea"
    assert rows[0]["tag"] == "0001"
    assert rows[0]["money-income"] == "-12.5"
    assert rows[0]["door-Accuracy"] == "4.5"
    assert rows[0]["KEY"] == "uuid:1"
    assert rows[0]["SubmissionDate"].endswith("Z")
    members = as_dicts(tables["visit-members.csv"])
    assert members[0] == {"name": "王小山", "id_no": LONG_ID, "PARENT_KEY": "uuid:1", "KEY": "uuid:1/members[1]"}


def test_bytes_are_what_excel_wants(filled: Form) -> None:
    data = b"".join(export(filled))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert content.startswith(b"\xef\xbb\xbf")
            assert content.endswith(b"\r\n")


def test_masked_answers_and_files_stay_in_the_house(filled: Form) -> None:
    data = b"".join(export(filled, Options(sensitive=False, media=True)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
        media = [name for name in archive.namelist() if name.startswith("media/")]
    assert LONG_ID not in everything
    assert "王小山" not in everything
    assert "520599**********91" in everything
    assert media[0] == "media/house.jpg"
    assert len(media) == 6
    assert not any("card" in name for name in media)
    with zipfile.ZipFile(io.BytesIO(b"".join(export(filled, Options(media=True))))) as archive:
        assert len([name for name in archive.namelist() if "card" in name]) == 6


def test_a_form_with_one_table_is_a_plain_file(field: Field) -> None:
    form = field.publish(PLAIN.encode())
    field.send(
        b'<data id="plain" version="1"><name>\xe5\xb1\xb1</name><meta><instanceID>uuid:p</instanceID></meta></data>'
    )
    exported = export(form.id)
    assert (exported.file_name, exported.content_type) == ("简表.csv", "text/csv; charset=utf-8")
    assert "山" in b"".join(exported).decode("utf-8-sig")


def test_questions_of_older_versions_keep_their_columns(field: Field) -> None:
    field.publish(PLAIN.encode())
    newer = PLAIN.replace('version="1"', 'version="2"').replace("name", "title").replace("名称", "标题")
    field.send(b'<data id="plain" version="1"><name>old</name><meta><instanceID>uuid:p</instanceID></meta></data>')
    form = field.publish(newer.replace('xml title="1.0"', 'xml version="1.0"').encode())
    field.send(b'<data id="plain" version="2"><title>new</title><meta><instanceID>uuid:q</instanceID></meta></data>')
    rows = as_dicts(list(csv.reader(io.StringIO(b"".join(export(form)).decode("utf-8-sig")))))
    assert [(row["标题"], row["名称"]) for row in rows] == [("", "old"), ("new", "")]


def test_pages_mask_unless_a_reason_is_given_and_note_it(field: Field, filled: Form, someone: Any) -> None:
    person = someone("viewer", "zh")
    address = f"/projects/{field.project.id}/forms/{filled.id}/records.csv"
    masked = person.get(address)
    assert "filename*=UTF-8''visit.zip" in masked.headers["Content-Disposition"]
    assert LONG_ID.encode() not in unzipped(masked.data)
    assert person.post(address, {"sensitive": "yes"}).status_code == 400
    assert LONG_ID.encode() in unzipped(person.post(address, {"sensitive": "yes", "reason": "上报"}).data)
    noted = field.rows(
        "SELECT details FROM audit_log WHERE action = 'submission.export' AND project_id = :project ORDER BY id"
    )
    assert [row[0] for row in noted] == [
        {"format": "csv", "sensitive": False},
        {"format": "csv", "sensitive": True, "reason": "上报"},
    ]


def unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def test_calc_opens_it_with_chinese_and_numbers_whole(filled: Form, tmp_path: Path) -> None:
    program = shutil.which("soffice") or shutil.which("libreoffice")
    assert program is not None, "LibreOffice is part of the test set-up"
    with zipfile.ZipFile(io.BytesIO(b"".join(export(filled)))) as archive:
        archive.extractall(tmp_path)
    command = [
        # Comma, quotes, UTF-8, first line: what Calc's dialogue finds by itself from the byte order mark.
        program, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--infilter=CSV:44,34,76,1",
        "--convert-to", "xlsx",
        "--outdir", str(tmp_path / "out"), *(str(path) for path in tmp_path.glob("*.csv")),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    records = load_workbook(tmp_path / "out" / "走访.xlsx").active
    members = load_workbook(tmp_path / "out" / "走访-成员-members.xlsx").active
    assert records is not None
    assert members is not None
    header, first, second, *_ = records.iter_rows(values_only=True)
    by_label = dict(zip(header, first, strict=True))
    assert by_label["村"] == "石板村"
    assert by_label["年收入"] == -12.5
    assert by_label["户码"].strip() == "0001"
    assert dict(zip(header, second, strict=True))["备注"] == "'=1+1"
    (_, *people) = members.iter_rows(values_only=True)
    assert people[0][:2] == ("王小山", f"\t{LONG_ID}")


def test_rows_are_read_in_batches_in_one_snapshot(filled: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays the same however many records there are: no more than a batch is held at a time."""
    monkeypatch.setattr(csv_export, "_BATCH", 2)
    sizes = []
    original = csv_export._batches

    def watched(*args: Any) -> Any:
        for batch in original(*args):
            rows = list(batch)
            sizes.append(len(rows))
            yield iter(rows)

    monkeypatch.setattr(csv_export, "_batches", watched)
    assert len(sheets(filled)["走访.csv"]) == 7
    assert sizes == [2, 2, 2, 2, 2, 2]


def test_an_export_given_up_lets_the_database_go(filled: Form) -> None:
    pool = db.engine.pool
    before = pool.checkedout()  # type: ignore[attr-defined]
    exported = export(filled)
    next(exported)
    assert pool.checkedout() == before + 1  # type: ignore[attr-defined]
    exported.close()
    assert pool.checkedout() == before  # type: ignore[attr-defined]
