"""Submission bytes -> XML tree: hardened, and lenient where phones in the field are."""

from __future__ import annotations

import re
import threading

from lxml import etree

from forms.texts import Element

_local = threading.local()

# Possessive parts: a hostile prolog cannot make the expression backtrack.
_PROLOG = rb"(?>\xef\xbb\xbf)?+(?>\s++|<\?(?>.*?\?>)|<!--(?>.*?-->))*+"
_DOCTYPE = re.compile(_PROLOG + rb"<!DOCTYPE", re.DOTALL)
_ROOT = re.compile(_PROLOG + rb"<([^\s/>!?]++)((?>\s++[^\s=>/]++\s*+=\s*+(?>\"[^\"]*+\"|'[^']*+'))*+)", re.DOTALL)
_PREFIXES = re.compile(rb"[<\s/]([A-Za-z_][\w.-]{0,63}):[A-Za-z_]")
_DECLARED = re.compile(rb"\sxmlns:([^\s=]++)\s*+=")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")

_INVALID_CHARACTER = 9
_RESERVED_NAME = 64
_RESOURCE_LIMIT = 114
_UNDEFINED_PREFIX = 201
_MENDABLE = {_INVALID_CHARACTER, _RESERVED_NAME, _UNDEFINED_PREFIX}
_MAX_PREFIXES = 32
_KNOWN = {
    b"orx": b"http://openrosa.org/xforms",
    b"jr": b"http://openrosa.org/javarosa",
    b"entities": b"http://www.opendatakit.org/xforms/entities",
}


class InstanceError(ValueError):
    """A submission that cannot be taken in.

    Attributes
    ----------
    code
        empty, not_xml, doctype, too_deep, too_large, no_form_id, too_many_unknown.
    message
        In English; doors translate by `code`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse_xml(data: bytes) -> Element:
    """Parse a submission.

    No entity is resolved, nothing is fetched, libxml2's limits on depth and text stay on, comments and processing
    instructions are dropped. What is not well-formed in one of the ways seen in the field gets a second reading:
    unbound prefixes are bound at the root, control characters (raw, or as `&#26;` from a barcode) become their
    visible symbols (U+2400 ff), surrogate pairs written as two references become one character, blanks before the XML
    declaration are dropped.

    Raises
    ------
    InstanceError
        empty, not_xml, doctype, too_deep or too_large.
    """
    if not data or data.isspace():
        raise InstanceError("empty", "The submission is empty")
    if has_doctype(data):
        raise InstanceError("doctype", "The submission has a document type declaration")
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        if _code(error) not in _MENDABLE or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise _refusal(error) from None
        root = _second_reading(data)
    except (ValueError, LookupError, AssertionError) as error:
        raise InstanceError("not_xml", f"The submission is not well-formed XML: {error}") from None
    # An encoding other than UTF-8 can hide the declaration from the first look.
    if root.getroottree().docinfo.internalDTD is not None:
        raise InstanceError("doctype", "The submission has a document type declaration")
    return root


def has_doctype(data: bytes) -> bool:
    """Whether there is a document type declaration before the root, seen without parsing (entity bombs)."""
    return b"<!DOCTYPE" in data and _DOCTYPE.match(data) is not None


def _parser() -> etree.XMLParser:
    found: etree.XMLParser | None = getattr(_local, "parser", None)
    if found is None:
        found = _local.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    return found


def _code(error: etree.XMLSyntaxError) -> int | None:
    found: int | None = getattr(error, "code", None)
    return found


def _refusal(error: etree.XMLSyntaxError) -> InstanceError:
    message = str(error.msg or "")
    if _code(error) == _RESOURCE_LIMIT:
        if "depth" in message:
            return InstanceError("too_deep", "The submission nests its elements too deeply")
        return InstanceError("too_large", "The submission has a text that is too long")
    return InstanceError("not_xml", f"The submission is not well-formed XML: {message}")


def _second_reading(data: bytes) -> Element:
    mended = _bind_prefixes(_visible_controls(data).lstrip())
    try:
        return etree.fromstring(mended, _parser())
    except etree.XMLSyntaxError as error:
        raise _refusal(error) from None
    except (ValueError, LookupError, AssertionError) as error:
        raise InstanceError("not_xml", f"The submission is not well-formed XML: {error}") from None


def _visible_controls(data: bytes) -> bytes:
    data = _CONTROL.sub(lambda match: _symbol(match[0][0] if len(match[0]) == 1 else 0xFFFE), data)
    if b"&#" not in data:
        return data
    return _join_surrogates(_REFERENCE.sub(_reference, data))


def _reference(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16) if match[1] else int(match[2])
    if code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code <= 0x10FFFF:
        return match[0]
    if 0xD800 <= code < 0xE000:
        return chr(code).encode("utf-8", "surrogatepass")
    return _symbol(code)


def _symbol(code: int) -> bytes:
    """The visible symbol of a control character, in UTF-8: U+241A for U+001A; U+FFFD for what has none."""
    return chr(0x2400 + code if code < 0x20 else 0xFFFD).encode()


def _join_surrogates(data: bytes) -> bytes:
    if b"\xed" not in data:
        return data
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data
    return _SURROGATES.sub(_pair, text).encode()


def _pair(match: re.Match[str]) -> str:
    high, low = match[0][0], match[0][-1]
    return chr(0x10000 + ((ord(high) - 0xD800) << 10) + ord(low) - 0xDC00) if len(match[0]) == 2 else "\ufffd"


def _bind_prefixes(data: bytes) -> bytes:
    """Declare at the root every prefix in use that the root does not declare itself."""
    root = _ROOT.match(data)
    if root is None:
        return data
    declared = set(_DECLARED.findall(root[2])) | {b"xml", b"xmlns"}
    missing = [prefix for prefix in dict.fromkeys(_PREFIXES.findall(data)) if prefix not in declared]
    declarations = b"".join(
        b' xmlns:%s="%s"' % (prefix, _KNOWN.get(prefix, b"urn:unbound:" + prefix)) for prefix in missing[:_MAX_PREFIXES]
    )
    end = root.end(1)
    return data[:end] + declarations + data[end:]
