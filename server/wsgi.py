"""What Granian serves."""

from __future__ import annotations

from server.process import die_with_parent

die_with_parent()  # before the application loads: until then the main process's handler would lose the signal

from server.app import create_app  # noqa: E402

app = create_app()
