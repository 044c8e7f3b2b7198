"""XLSForm in, XForm or messages out, whatever is put in."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms.library import Survey, surveys
from forms.xlsform import (
    MAX_ROWS,
    MAX_SOURCE_BYTES,
    MAX_UNZIPPED_BYTES,
    XLSFormError,
    convert,
    java_available,
    validate_xform,
    write_xlsx,
)

FIXTURES = Path(__file__).parent / "fixtures"

SURVEY = "| survey |\n| | type | name | label |\n"
SMALL = (
    SURVEY
    + "| | text | who | 姓名 |\n| settings |\n| | form_title | form_id | version |\n| | 小表 | small | 2026010101 |\n"
)
SMALL_CSV = (
    "survey,,,\n,type,name,label\n,text,who,姓名\nsettings,,,\n,form_title,form_id,version\n,小表,small,2026010101\n"
)
LOGIC = "| survey |\n| | type | name | label | relevant | calculation | constraint |\n"


def refused(source: Path | bytes | str, validate: bool = True) -> list[tuple[str | None, int | None, str, str]]:
    """Messages of a source that cannot be converted: (sheet, row, source, text)."""
    source = source.encode() if isinstance(source, str) else source
    with pytest.raises(XLSFormError) as caught:
        convert(source, validate=validate)
    return [(m.sheet, m.row, m.source, m.text) for m in caught.value.messages if m.severity == "error"]


def xlsx(md: str, folder: Path) -> bytes:
    (folder / "source.md").write_text(md, encoding="utf-8")
    target = io.BytesIO()
    write_xlsx(folder / "source.md", target)
    return target.getvalue()


def rezipped(content: bytes, changes: dict[str, bytes | None]) -> bytes:
    """A zip with some members replaced, added, or left out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        members = {name: old.read(name) for name in old.namelist()} | changes
        for name, data in members.items():
            if data is not None:
                new.writestr(name, data)
    return target.getvalue()


# what converts


@pytest.mark.parametrize(
    ("source", "file_type"),
    [
        (SMALL.encode(), None),
        (SMALL.encode(), "md"),
        (SMALL_CSV.encode(), ".csv"),
        (SMALL_CSV.encode(), None),
        (b"\xef\xbb\xbf" + SMALL_CSV.encode(), "csv"),
        (SMALL_CSV.encode("gb18030"), "csv"),
        (SMALL_CSV.replace("\n", "\r\n").encode(), "csv"),
    ],
    ids=["md unnamed", "md", "csv", "csv unnamed", "csv with BOM", "csv in GBK", "csv of Windows"],
)
def test_text_sources_give_the_same_form(source: bytes, file_type: str | None) -> None:
    converted = convert(source, file_type=file_type, validate=False)
    assert (converted.form_id, converted.version, converted.title) == ("small", "2026010101", "小表")
    assert "<value>姓名</value>" in converted.xform.decode() or "<label>姓名</label>" in converted.xform.decode()
    assert converted.warnings == []


def test_excel_97_file_is_read() -> None:
    converted = convert(FIXTURES / "excel97.xls", validate=False)
    assert (converted.form_id, converted.version, converted.title) == ("old_excel", "2026112201", "旧式表")


@pytest.mark.parametrize("wrong_name", ["form.xls", "form.csv", "form"])
def test_content_of_an_excel_file_outweighs_its_name(tmp_path: Path, wrong_name: str) -> None:
    path = tmp_path / wrong_name
    path.write_bytes(xlsx(SMALL, tmp_path))
    assert convert(path, validate=False).form_id == "small"


@pytest.mark.parametrize(
    ("name", "fallback", "form_id"), [("visit.md", None, "visit"), ("visit.md", "given", "given"), (None, None, "data")]
)
def test_form_without_settings_takes_the_fallback_id(
    tmp_path: Path, name: str | None, fallback: str | None, form_id: str
) -> None:
    source: Path | bytes = (SURVEY + "| | text | a | A |\n").encode()
    if name:
        (tmp_path / name).write_bytes(source)  # type: ignore[arg-type]
        source = tmp_path / name
    converted = convert(source, form_id_fallback=fallback, validate=False)
    assert (converted.form_id, converted.version, converted.title) == (form_id, "", form_id)


def test_external_choices_give_itemsets() -> None:
    md = "| survey |\n| | type | name | label | choice_filter |\n| | text | town | 乡镇 | |\n"
    md += "| | select_one_external villages | village | 村 | town = ${town} |\n"
    md += "| external_choices |\n| | list_name | name | label | town |\n| | villages | 11 | 石板村 | 1 |\n"
    itemsets = convert(md.encode(), validate=False).itemsets
    assert itemsets is not None
    assert "石板村" in itemsets.decode()
    assert convert(SMALL.encode(), validate=False).itemsets is None


# the forms of the library


@pytest.mark.parametrize("survey", surveys(), ids=lambda survey: survey.name)
def test_library_form_is_valid_without_warnings(survey: Survey) -> None:
    converted = convert(survey.source)
    assert converted.warnings == []
    assert converted.form_id == survey.name
    assert len(converted.version) == 10, "yyyymmddNN"
    assert converted.title.startswith(survey.title_zh)
    assert "villages.csv" in [path.name for path in survey.media]


@pytest.mark.parametrize("survey", surveys(), ids=lambda survey: survey.name)
def test_excel_workbook_of_a_library_form_converts_to_the_same_xform(survey: Survey, tmp_path: Path) -> None:
    write_xlsx(survey.source, tmp_path / "form.xlsx")
    assert convert(tmp_path / "form.xlsx", validate=False).xform == convert(survey.source, validate=False).xform


def test_workbook_for_editing(tmp_path: Path) -> None:
    md = SMALL.replace("| | text | who | 姓名 |", "| | text | who | 姓名 |\n| | text | b | = 1 |")
    book = openpyxl.load_workbook(io.BytesIO(xlsx(md, tmp_path)))
    assert book.sheetnames == ["survey", "settings"]
    sheet = book["survey"]
    assert [cell.value for cell in sheet[1]] == ["type", "name", "label"]
    assert all(cell.font.b for cell in sheet[1])
    assert sheet.freeze_panes == "C2"
    assert book["settings"].freeze_panes == "A2"
    assert sheet["C3"].value == "= 1"
    assert sheet["C3"].data_type == "s", "no formula"
    version = book["settings"]["C2"]
    assert (version.value, version.data_type, version.number_format) == ("2026010101", "s", "@")
    assert version.alignment.wrap_text


# what is wrong with a form, and where


@pytest.mark.parametrize(
    ("source", "sheet", "row", "says"),
    [
        (SURVEY + "| | text | a | A |\n| | text | 1a | B |\n", "survey", 3, "Names must begin with a letter"),
        (SURVEY + "| | text | a | A |\n| | texxt | b | B |\n", "survey", 3, "Unknown question type"),
        (SURVEY + "| | text | a | |\n", "survey", 2, "no label or hint"),
        (SURVEY + "| | text | a | A |\n| | text | b | ${nobody} |\n", "survey", 3, "Could not find the name 'nobody'"),
        (SURVEY + "| | begin_group | g | G |\n| | text | a | A |\n", "survey", 2, "Unmatched 'begin_group'"),
        (SURVEY + "| | select_one kind | a | A |\n", "choices", None, "should be a choices sheet"),
        (
            SURVEY + "| | select_one k | a | A |\n| choices |\n| | list_name | name | label |\n"
            "| | k | x | X |\n| | k | x | Y |\n",
            "choices",
            3,
            "must be unique",
        ),
    ],
    ids=["name", "type", "label", "reference", "group", "no choices", "choice twice"],
)
def test_errors_name_sheet_and_row(source: str, sheet: str, row: int | None, says: str) -> None:
    [(at_sheet, at_row, tool, text)] = refused(source, validate=False)
    assert (at_sheet, at_row, tool) == (sheet, row, "pyxform")
    assert says in text
    assert not text.startswith("[row")


def test_warnings_name_their_row() -> None:
    [warning] = convert((SURVEY + "| | text | a | A |\n| | image | b | B |\n").encode(), validate=False).warnings
    assert (warning.severity, warning.row, warning.source) == ("warning", 3, "pyxform")
    assert "max-pixels" in warning.text


@pytest.mark.parametrize(
    ("source", "row", "says"),
    [
        (LOGIC + "| | text | a | A | | | |\n| | text | b | B | | | foo(. |\n", 3, "Mismatched brackets"),
        (LOGIC + "| | text | b | B | | | |\n| | text | a | A | ${a} = 'x' | | |\n", 3, "Cycle detected"),
        (LOGIC + "| | text | 村 | A | | | |\n", None, "XPath"),
    ],
    ids=["brackets", "cycle", "Chinese name"],
)
def test_what_phones_would_refuse_is_an_error(source: str, row: int | None, says: str) -> None:
    [(_, at_row, tool, text)] = refused(source)
    assert (at_row, tool) == (row, "validate")
    assert says in text
    assert "Result: Invalid" not in text
    assert "failed validation" not in text


def test_error_text_has_every_place() -> None:
    with pytest.raises(XLSFormError, match="survey row 3: Unknown question type"):
        convert((SURVEY + "| | text | a | A |\n| | texxt | b | B |\n").encode(), validate=False)


# ODK Validate on its own


def test_validate_xform() -> None:
    xform = convert(SMALL.encode(), validate=False).xform
    assert validate_xform(xform) == []
    broken = xform.replace(b'nodeset="/data/who"', b'nodeset="/data/who" relevant="a(("')
    assert broken != xform
    [message] = validate_xform(broken)
    assert (message.severity, message.source) == ("error", "validate")
    assert [m.severity for m in validate_xform(b"<html>no form")] == ["error"]


def test_without_java_the_form_converts_with_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert java_available()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not java_available()
    [warning] = convert(SMALL.encode()).warnings
    assert (warning.severity, warning.source) == ("warning", "validate")
    assert "Java" in warning.text


def test_validation_leaves_no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    convert(SMALL.encode())
    refused(LOGIC + "| | text | b | B | | | foo(. |\n")
    assert os.listdir(tmp_path) == []


def test_server_processes_do_not_carry_pyxform() -> None:
    heavy = (
        "import sys, forms.xlsform, forms.library; print(sorted({'pyxform', 'openpyxl', 'xlrd'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", heavy], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# hostile and hapless files


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"hello", "cannot be read as an XLSForm"),
        (b"name,age\n1,2,3,4\n", "cannot be read as an XLSForm"),
        (SURVEY.encode(), "no survey sheet"),
        (SMALL.replace("survey", "choices").encode(), "no survey sheet"),
        (b"\x00\x01\x02" * 100, "not an Excel workbook"),
        (b"\xff\xfe\xfd" * 9, "neither UTF-8 nor GBK"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no workbook", "cannot be read as an XLSForm"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"| survey |" + b" " * MAX_SOURCE_BYTES, "too large"),
        ((SURVEY + "| | begin_group | g | G |\n" * 3000).encode(), ""),
        ((SURVEY + "| | text | a | A \x01 |\n").encode(), ""),
    ],
    ids=[
        "nothing",
        "blanks",
        "a word",
        "another csv",
        "no questions",
        "no survey",
        "binary",
        "no text",
        "no zip",
        "no xls",
        "password",
        "large",
        "deep",
        "control character",
    ],
)
def test_bad_files_are_refused_with_words(source: bytes, says: str) -> None:
    [(_, _, tool, text)] = refused(source, validate=False)
    assert tool == "pyxform"
    assert says in text


def test_too_many_rows_are_refused() -> None:
    rows = "".join(f",text,q{i},Q\n" for i in range(MAX_ROWS["survey"] + 1))
    [(sheet, _, _, text)] = refused("survey,,,\n,type,name,label\n" + rows, validate=False)
    assert sheet == "survey"
    assert "10000" in text


def test_unreadable_paths_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path)[0][3]
    assert "cannot be read" in refused(tmp_path / "absent.xlsx")[0][3]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"xl/worksheets/sheet1.xml": b" " * (MAX_UNZIPPED_BYTES + 1)}, "too large"),
        ({f"xl/junk{i}.xml": b"" for i in range(2001)}, "too large"),
        ({"xl/workbook.xml": None}, "not an .xlsx workbook"),
        ({"xl/worksheets/sheet1.xml": b"<worksheet>"}, "cannot be read as an XLSForm"),
        ({"[Content_Types].xml": None}, "cannot be read as an XLSForm"),
    ],
    ids=["bomb", "many members", "other zip", "broken sheet", "no types"],
)
def test_bad_workbooks_are_refused_with_words(changes: dict[str, bytes | None], says: str, tmp_path: Path) -> None:
    [(_, _, _, text)] = refused(rezipped(xlsx(SMALL, tmp_path), changes), validate=False)
    assert says in text


def test_entities_in_a_workbook_are_not_expanded(tmp_path: Path) -> None:
    workbook = xlsx(SMALL.replace("姓名", "LABEL"), tmp_path)
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    (tmp_path / "secret").write_text("secret words")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'.encode()
    body = sheet[sheet.index(b"<worksheet") :].replace(b"LABEL", b"&e;")
    assert b"&e;" in body
    attacked = rezipped(workbook, {"xl/worksheets/sheet1.xml": doctype + body})
    outcome: object
    try:
        outcome = convert(attacked, validate=False)
    except XLSFormError as error:
        outcome = error.messages
    assert "secret words" not in repr(outcome)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_give_a_form_or_messages(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([SMALL.encode(), SMALL_CSV.encode(), (FIXTURES / "excel97.xls").read_bytes()]))
    damaged = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for at, byte in data.draw(
        st.dictionaries(st.integers(0, len(damaged) - 1), st.integers(0, 255), max_size=6)
    ).items():
        damaged[at] = byte
    try:
        texts = [convert(bytes(damaged), validate=False).xform.decode()]
    except XLSFormError as error:
        texts = [message.text for message in error.messages]
    assert texts
    assert all(texts)
