"""XLSForm to XForm.

Surveys are designed in Excel (or in readable Markdown or CSV) and converted by pyxform; what phones would refuse is
found by ODK Validate, whose jar comes with pyxform. Whatever is uploaded, the outcome is a form, or a list of messages
that say where in the workbook to look.

pyxform is imported when it is used: it costs a server process more memory than the rest of this package.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

from lxml import etree

MAX_SOURCE_BYTES = 16 * 1024 * 1024
MAX_UNZIPPED_BYTES = 32 * 1024 * 1024
MAX_ZIP_MEMBERS = 2_000
MAX_ROWS = {"survey": 10_000, "choices": 100_000, "external_choices": 100_000}

SHEETS = ("survey", "choices", "settings", "entities", "external_choices", "osm")

_XFORMS = "{http://www.w3.org/2002/xforms}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

_ROW = re.compile(r"^\[row : (\d+)\]\s*")
_SHEET = re.compile(rf"'({'|'.join(SHEETS)})' sheet|\b({'|'.join(SHEETS)}) sheet\b")
_NAMED = re.compile(r"\$\{([^}]+)\}|named '([^']+)'|type '([^']+)'")
_VALIDATE_NOISE = re.compile(
    r"^(ODK Validate (Errors|Warnings):|>> .*|Result: .*|The following files failed validation:|\$\{\w+\}\.xml"
    r"|Picked up .*)?$"
)
_MARKDOWN_SHEET = re.compile(rf"^\s*\|\s*({'|'.join(SHEETS)})\s*\|", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to know about a form, and where it stands.

    Attributes
    ----------
    text : str
        What it is; pyxform's and ODK Validate's own words, or ours in Chinese and English.
    sheet : str or None
        Sheet of the workbook, as "survey".
    row : int or None
        Row of that sheet as Excel counts it (the header is 1); Markdown and CSV are counted sheet by sheet likewise.
    severity : {"warning", "error"}
    source : {"pyxform", "validate"}
    """

    text: str
    sheet: str | None = None
    row: int | None = None
    severity: Literal["warning", "error"] = "error"
    source: Literal["pyxform", "validate"] = "pyxform"

    def __str__(self) -> str:
        place = " ".join(part for part in (self.sheet, f"row {self.row}" if self.row else None) if part)
        return f"{place}: {self.text}" if place else self.text


class XLSFormError(Exception):
    """A form that cannot be used as it is.

    Attributes
    ----------
    messages : list of Message
        At least one; those of severity "error" are the reason.
    """

    def __init__(self, messages: list[Message]) -> None:
        super().__init__("\n".join(map(str, messages)))
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted form.

    Attributes
    ----------
    xform : bytes
        The XForm, UTF-8.
    warnings : list of Message
    form_id, version, title : str
        As a phone will read them; version is "" when the form has none.
    itemsets : bytes or None
        The content of itemsets.csv, when the form has an external_choices sheet.
    """

    xform: bytes
    warnings: list[Message]
    form_id: str
    version: str
    title: str
    itemsets: bytes | None = None


def convert(
    source: Path | bytes,
    *,
    file_type: str | None = None,
    form_id_fallback: str | None = None,
    validate: bool = True,
) -> Converted:
    """Convert an XLSForm to an XForm.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    file_type : str, optional
        "xlsx", "xlsm", "xls", "md" or "csv", with or without a dot. It decides between Markdown and CSV; Excel files
        are known by their content whatever it says.
    form_id_fallback : str, optional
        Form id, and title, of a form whose settings give none; a path's stem when absent.
    validate : bool
        Whether to run ODK Validate too. Without Java the form is converted all the same and a warning says so.

    Raises
    ------
    XLSFormError
        Whatever is wrong with the source.
    """
    if isinstance(source, Path):
        file_type = file_type or source.suffix
        form_id_fallback = form_id_fallback or source.stem
        source = _read_path(source)
    workbook = _read(source, file_type)
    if form_id_fallback:
        workbook["fallback_form_name"] = form_id_fallback
    survey: Sequence[Mapping[str, Any]] = workbook.get("survey") or ()
    _check_rows(workbook)

    raw_warnings: list[str] = []
    with _explained(survey):
        from pyxform.xls2xform import convert as pyxform_convert  # type: ignore[import-untyped, unused-ignore]

        result = pyxform_convert(dict(workbook), warnings=raw_warnings)
        xform: bytes = result.xform.encode("utf-8")
        form_id, version, title = _identity(xform)
    messages = [m for text in raw_warnings for m in _messages(text, "warning", "pyxform", survey)]
    if validate:
        messages += _validate(xform, survey)
    if any(message.severity == "error" for message in messages):
        raise XLSFormError(messages)
    itemsets = result.itemsets.encode("utf-8") if result.itemsets else None
    return Converted(xform, messages, form_id, version, title, itemsets)


def validate_xform(xform: bytes) -> list[Message]:
    """Run ODK Validate over an XForm, which need not come from an XLSForm.

    Returns
    -------
    list of Message
        Empty when there is nothing to say; errors are what would keep a phone from opening the form. Without Java, one
        warning that nothing was checked.
    """
    return _validate(xform, ())


def java_available() -> bool:
    """Whether there is a Java runtime for ODK Validate."""
    return shutil.which("java") is not None


def write_xlsx(source_md: Path, target: Path | BinaryIO) -> None:
    """Write a readable form as the Excel workbook that staff edit.

    Every cell is text, so that codes and versions of many digits stay as they are; the header row is bold and frozen.

    Parameters
    ----------
    source_md : Path
        The form in Markdown (any XLSForm that `convert` reads will do).
    target : Path or binary file
        Where the .xlsx goes.

    Raises
    ------
    XLSFormError
        When the source cannot be read as an XLSForm.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped, unused-ignore]

    source = _read(_read_path(source_md), source_md.suffix)
    book = Workbook()
    book.remove(book.active)
    for name in SHEETS:
        if source.get(f"{name}_header"):
            columns = list(source[f"{name}_header"][0])
            rows = [[str(row.get(column) or "") for column in columns] for row in source[name]]
            _fill_sheet(book.create_sheet(name), columns, rows)
    book.save(target)


def _fill_sheet(sheet: Any, columns: list[str], rows: list[list[str]]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill  # type: ignore[import-untyped, unused-ignore]
    from openpyxl.utils import get_column_letter  # type: ignore[import-untyped, unused-ignore]

    wrapped = Alignment(wrap_text=True, vertical="top")
    for r, values in enumerate([columns, *rows], start=1):
        for c, value in enumerate(values, start=1):
            cell = sheet.cell(row=r, column=c)
            cell.number_format = "@"
            cell.alignment = wrapped
            if value:
                cell.value = value
                cell.data_type = "s"  # a calculation that starts with "=" is no formula
            if r == 1:
                cell.font = Font(bold=True)
                cell.fill = PatternFill("solid", fgColor="DDE6F0")
    for c, column in enumerate(columns):
        longest = max(_cell_width(text) for text in [column, *(row[c] for row in rows)])
        sheet.column_dimensions[get_column_letter(c + 1)].width = min(max(longest + 2, 8), 48)
    # type and name stay in sight on a survey sheet of many columns
    sheet.freeze_panes = "C2" if sheet.title == "survey" else "A2"


def _cell_width(text: str) -> int:
    """Width in Latin characters: Chinese ones take two."""
    return sum(2 if character > "\u2e7f" else 1 for character in text)


def _read_path(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise _too_large()
        return path.read_bytes()
    except OSError as error:
        raise _refusal(f"文件读不出来 / the file cannot be read: {error.strerror}") from error


def _read(data: bytes, file_type: str | None) -> dict[str, Any]:
    """Sheets of a workbook: name -> rows, name_header -> columns, as pyxform takes them."""
    kind = _kind(data, file_type)
    if kind in (".md", ".csv"):
        data = _as_utf8(data)
    with _explained(()):
        # xlrd grumbles about damaged .xls files to what was stdout when it was imported; stdout belongs to our answers
        with redirect_stdout(sys.__stderr__):
            from pyxform.xls2json_backends import get_xlsform  # type: ignore[import-untyped, unused-ignore]
        definition = get_xlsform(xlsform=data, file_type=kind)
        workbook = {field.name: getattr(definition, field.name) for field in fields(definition)}
    if not any(workbook.get("survey") or ()):
        sheets = ", ".join(str(name) for name in workbook.get("sheet_names") or ())
        raise _refusal(
            "这不是 XLSForm：没有 survey 工作表，或其中没有题目"
            " / not an XLSForm: there is no survey sheet, or it has no rows"
            + (f" (sheets: {sheets[:200]})" if sheets else "")
        )
    return workbook


def _kind(data: bytes, file_type: str | None) -> str:
    """Suffix by which pyxform knows the kind of file; the content outweighs the name, which people change."""
    if not data.strip():
        raise _refusal("文件是空的 / the file is empty")
    if len(data) > MAX_SOURCE_BYTES:
        raise _too_large()
    if data.startswith(_OLE_MAGIC):
        if _OLE_ENCRYPTED in data:
            raise _refusal("工作簿有密码，请先去掉密码再上传 / the workbook has a password: remove it, then upload")
        return ".xls"
    if data.startswith(b"PK"):
        _check_zip(data)
        return ".xlsx"
    hint = f".{(file_type or '').lower().lstrip('.')}"
    if hint in (".md", ".csv"):
        return hint
    if b"\0" in data:
        raise _refusal("不是 Excel 工作簿 / this is not an Excel workbook")
    return ".md" if _MARKDOWN_SHEET.search(data.decode("utf-8", "replace")) else ".csv"


def _check_zip(data: bytes) -> None:
    """Refuse what is no Excel workbook, and what would unfold to fill the memory.

    Python's zip reader never yields more than a member's declared size, so declared sizes can be trusted as a limit.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _refusal("Excel 文件已损坏，请重新保存后再上传 / the Excel file is damaged: save it again") from error
    if not any(member.filename == "xl/workbook.xml" for member in members):
        raise _refusal("不是 .xlsx 工作簿，请另存为 .xlsx / not an .xlsx workbook: save it as .xlsx")
    parts = [member.file_size for member in members if member.filename.endswith((".xml", ".rels"))]
    if len(members) > MAX_ZIP_MEMBERS or sum(parts) > MAX_UNZIPPED_BYTES:
        raise _too_large()


def _as_utf8(data: bytes) -> bytes:
    """Text as UTF-8: editors on Chinese Windows save a byte order mark, or GBK."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").encode("utf-8")
        except UnicodeDecodeError:
            continue
    raise _refusal("文字编码既不是 UTF-8 也不是 GBK / the text is neither UTF-8 nor GBK")


def _check_rows(workbook: Mapping[str, Any]) -> None:
    for sheet, limit in MAX_ROWS.items():
        if len(workbook.get(sheet) or ()) > limit:
            text = f"行数超过 {limit}，名单请放进附件 CSV / more than {limit} rows: put long lists into an attached CSV"
            raise XLSFormError([Message(text, sheet)])


def _identity(xform: bytes) -> tuple[str, str, str]:
    tree = etree.fromstring(xform, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    root = tree.find(f".//{_XFORMS}model/{_XFORMS}instance/*")
    if root is None:
        raise ValueError("no primary instance")
    return root.get("id") or "", root.get("version") or "", tree.findtext(f"{_XHTML}head/{_XHTML}title") or ""


def _validate(xform: bytes, survey: Sequence[Mapping[str, Any]]) -> list[Message]:
    if not java_available():
        text = (
            "没有安装 Java，表单未经 ODK Validate 检查；安装 Java 运行环境（如 default-jre-headless）后再试"
            " / Java is not installed, so ODK Validate did not check the form; install a Java runtime"
            " (such as default-jre-headless) and try again"
        )
        return [Message(text, severity="warning", source="validate")]
    from pyxform.validators.odk_validate import (  # type: ignore[import-untyped, unused-ignore]
        ODKValidateError,
        check_xform,
    )

    with tempfile.TemporaryDirectory(prefix="xiangtu-validate-") as folder:
        path = Path(folder) / "form.xml"
        path.write_bytes(xform)
        try:
            warnings = check_xform(str(path))
        except ODKValidateError as error:
            return _messages(str(error), "error", "validate", survey)
        except OSError as error:
            text = f"ODK Validate 无法运行，表单未经检查 / ODK Validate could not run: {error}"
            return [Message(text, severity="warning", source="validate")]
    return [message for text in warnings for message in _messages(text, "warning", "validate", survey)]


def _messages(
    text: str,
    severity: Literal["warning", "error"],
    source: Literal["pyxform", "validate"],
    survey: Sequence[Mapping[str, Any]],
) -> list[Message]:
    """Split what a tool said into messages, each with its place."""
    if source == "validate":
        lines = [line.removeprefix(": ").strip() for line in text.splitlines()]
        paragraphs = ["\n".join(line for line in lines if not _VALIDATE_NOISE.match(line))]
        if severity == "error" and not paragraphs[0]:
            paragraphs = ["ODK Validate 认为表单无效 / ODK Validate finds the form invalid"]
    else:
        paragraphs = re.split(r"\n(?=\[row : \d+\])", text)
    return [_placed(paragraph, severity, source, survey) for paragraph in paragraphs if paragraph.strip()]


def _placed(
    text: str,
    severity: Literal["warning", "error"],
    source: Literal["pyxform", "validate"],
    survey: Sequence[Mapping[str, Any]],
) -> Message:
    at_sheet = _SHEET.search(text)
    sheet = (at_sheet[1] or at_sheet[2]) if at_sheet else None
    at_row = _ROW.match(text)
    row = int(at_row[1]) if at_row else _row_of_mention(text, survey)
    if row is not None:
        sheet = sheet or "survey"
    return Message(_ROW.sub("", text).strip(), sheet, row, severity, source)


def _row_of_mention(text: str, survey: Sequence[Mapping[str, Any]]) -> int | None:
    """Row of the first question that a message names, unless several questions bear the name."""
    for match in _NAMED.finditer(text):
        column, mention = ("type", match[3]) if match[3] else ("name", match[1] or match[2])
        rows = [number for number, row in enumerate(survey, start=2) if row.get(column) == mention]
        if len(rows) == 1:
            return rows[0]
    return None


@contextmanager
def _explained(survey: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """Whatever goes wrong with a source inside becomes an `XLSFormError`."""
    from pyxform.errors import PyXFormError  # type: ignore[import-untyped, unused-ignore]

    try:
        yield
    except PyXFormError as error:
        if "not recognized as a supported type" in str(error):  # about arguments, which a person has not given
            raise _refusal("文件无法作为 XLSForm 读取 / the file cannot be read as an XLSForm") from error
        raise XLSFormError(_messages(str(error), "error", "pyxform", survey)) from error
    except Exception as error:  # pyxform, openpyxl and xlrd fail in many ways on files that are not what they seem
        detail = f"{type(error).__name__}: {error}"[:300]
        raise _refusal(f"文件无法作为 XLSForm 读取 / the file cannot be read as an XLSForm ({detail})") from error


def _refusal(text: str) -> XLSFormError:
    return XLSFormError([Message(text)])


def _too_large() -> XLSFormError:
    return _refusal("文件过大，名单请放进附件 CSV / the file is too large: put long lists into an attached CSV")
