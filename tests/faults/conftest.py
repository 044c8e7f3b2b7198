"""Fixtures of the tests of faults.

A full disk is a small file system that is really full. Making one needs the right to mount: root has it, and so has
anybody in a namespace of his own where the kernel allows that.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from server.app import create_app
from server.cluster import Cluster
from server.database import db
from server.operations import projects
from tests.conftest import quick_settings
from tests.support.field import Field
from tests.support.supervised import Supervised

NAMESPACE = ("unshare", "--map-current-user", "--keep-caps", "--mount")
_TRIAL = ("mount", "-t", "tmpfs", "tmpfs")


def _works(*command: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, folder], capture_output=True, check=False)
        if done.returncode == 0 and command[0] == "mount":
            subprocess.run(["umount", folder], check=True)
    return done.returncode == 0


MAY_MOUNT = _works(*_TRIAL)
collect_ignore = [] if MAY_MOUNT else ["test_full_disk.py"]
if MAY_MOUNT or not _works(*NAMESPACE, *_TRIAL):
    collect_ignore.append("test_full_disk_in_a_namespace.py")


def pytest_report_header() -> str:
    """Say how a full disk is made here."""
    ways = {1: "with mount", 2: "not at all: neither mounting nor user namespaces are allowed"}
    if MAY_MOUNT:
        return f"full disks: {ways[1]}"
    return f"full disks: {ways[2] if len(collect_ignore) > 1 else 'in a namespace'}"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of this size at `folder`, with what the folder holds already, owned and closed as the folder is."""
    before = folder.stat()
    kept = Path(tempfile.mkdtemp(prefix="xiangtu-test-kept-"))
    subprocess.run(["cp", "-a", f"{folder}/.", str(kept)], check=True)
    options = f"size={megabytes}m,mode={before.st_mode & 0o777:o},uid={before.st_uid},gid={before.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(kept)


def fill(folder: Path, leave: int = 0) -> Path:
    """Take all room on the disk of `folder` but `leave` bytes; returns the file to delete to have it back."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = shutil.disk_usage(folder).free
        while size:
            try:
                size = file.write(bytes(min(size, 1 << 20)))
            except OSError:
                break
            size = shutil.disk_usage(folder).free
        file.truncate(max(file.tell() - leave, 0))
    return ballast


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's user may pass."""
    folder = Path(tempfile.mkdtemp(prefix="xiangtu-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def forget_connections() -> None:
    """Drop this process's own connections: the database they led to was killed."""
    db.session().invalidate()
    db.engine.dispose()


@contextmanager
def office(supervised: Supervised) -> Iterator[Field]:
    """A project with a form and a phone on a supervised server, seen from this process."""
    app: Flask = create_app(quick_settings(supervised.data_dir), Cluster(supervised.data_dir).url)
    try:
        with app.app_context():
            field = Field(app, app.test_client(), projects.create("多灾乡"))
            field.publish()
            yield field
    finally:
        with app.app_context():
            forget_connections()
        app.extensions["xiangtu.fast"].dispose()
