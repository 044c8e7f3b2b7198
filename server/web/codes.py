"""QR codes as inline SVG."""

from __future__ import annotations

import segno
from markupsafe import Markup


def qr(text: str, title: str) -> Markup:
    """The text as a QR code with a name for screen readers.

    Error correction M bears a scratch or a fold of the printed card.
    """
    code = segno.make_qr(text, error="m", boost_error=False)
    svg = code.svg_inline(border=2, title=title, omitsize=True, svgclass="qr-code", lineclass=None)
    return Markup(svg)  # noqa: S704 - segno escapes the title
