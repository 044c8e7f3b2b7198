"""Fixtures of the tests of the embedded cluster."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cluster import postmaster

# An ordinary user cannot show root's case; his own is what all other tests then show.
collect_ignore = [] if os.geteuid() == 0 else ["test_cluster_as_root.py"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder anybody may pass; clusters made below it are stopped and removed."""
    folder = Path(tempfile.mkdtemp(prefix="xiangtu-test-"))
    folder.chmod(0o711)
    yield folder
    for found in [*folder.rglob("PG_VERSION")]:
        if found.parent.name == "postgres":
            postmaster.end(found.parent)
    for link in folder.rglob("run"):
        if link.is_symlink():
            shutil.rmtree(os.readlink(link), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
