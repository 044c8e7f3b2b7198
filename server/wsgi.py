"""What Granian serves."""

from __future__ import annotations

import gc

from server.process import die_with_parent

die_with_parent()  # before the application loads: until then the main process's handler would lose the signal

from server.app import create_app  # noqa: E402

app = create_app()

# What is loaded by now stays: the collector need not look at it again, nor run for the few thousand objects a request
# makes and drops.
gc.collect()
gc.freeze()
gc.set_threshold(5_000, 20, 20)
