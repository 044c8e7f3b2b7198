"""The tests of full disks for a user who may mount only in a namespace of his own."""

from __future__ import annotations

import subprocess
import sys

from tests.faults.conftest import NAMESPACE
from tests.support.server import ROOT


def test_full_disks() -> None:
    command = [
        *NAMESPACE,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/faults/test_full_disk.py",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
