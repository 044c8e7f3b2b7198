"""Making the cluster's files and writing its configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from server.cluster.binaries import Binaries
from server.cluster.errors import disk_full, explain
from server.cluster.places import Account
from server.cluster.settings import ADMIN_ROLE, MIB

SMALLEST_FREE = 24 * MIB


def create_files(binaries: Binaries, account: Account, final: Path, *, durable: bool) -> None:
    """Run ``initdb`` beside the final place and rename, so that an interrupted attempt leaves nothing half-made.

    Raises
    ------
    ClusterError
        When the disk is full or ``initdb`` fails for another reason.
    """
    scratch = final.with_name("postgres.new")
    shutil.rmtree(scratch, ignore_errors=True)
    need_room(final.parent)
    scratch.mkdir(mode=0o700)
    if account.uid != os.geteuid():
        os.chown(scratch, account.uid, account.gid)
    command = [binaries.path("initdb"), "-D", str(scratch), "--username", ADMIN_ROLE, "--encoding", "UTF8"]
    command += ["--auth-local", "peer", "--auth-host", "reject", "--data-checksums", "--no-instructions"]
    if not durable:
        command += ["--no-sync", "--wal-segsize=1"]  # small and quick: tests make and copy many
    for locale in ("C.UTF-8", "C"):  # the same order of characters; C where the system lacks C.UTF-8
        done = subprocess.run(
            [*command, f"--locale={locale}"],
            capture_output=True,
            text=True,
            env=environment(),
            cwd="/",
            check=False,
            start_new_session=True,
            **account.as_child(),
        )
        if done.returncode == 0 or "locale name" not in done.stderr:
            break
    if done.returncode != 0:
        shutil.rmtree(scratch, ignore_errors=True)
        raise explain(done.stderr, final)
    with (scratch / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\ninclude = 'xiangtu.conf'\ninclude_if_exists = 'local.conf'\n")
        file.flush()
        os.fsync(file.fileno())  # without these lines PostgreSQL would start with its own settings
    os.rename(scratch, final)


def environment() -> dict[str, str]:
    """Environment for PostgreSQL's programs: none of the server's secrets, none of libpq's defaults."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def write_config(path: Path, text: str, account: Account) -> bool:
    """Replace a configuration file in one step, closed to other users; False when it already says this."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return False
    except OSError:
        pass
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if account.uid != os.geteuid():
            os.fchown(file.fileno(), account.uid, account.gid)
    os.rename(scratch, path)
    return True


def need_room(path: Path) -> None:
    """Raise `ClusterError` when the disk of `path` has no room for PostgreSQL to start."""
    if disk(path).free < SMALLEST_FREE:
        raise disk_full(path)


def disk(path: Path) -> shutil._ntuple_diskusage:
    """Size and free space of the disk of `path`."""
    try:
        return shutil.disk_usage(path)
    except OSError:
        return shutil.disk_usage("/")
