"""`Cluster`: a private PostgreSQL + PostGIS in the data directory, reached through a unix socket only."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from server.cluster import postmaster
from server.cluster.binaries import Binaries, find_binaries
from server.cluster.creation import create_files, disk, environment, need_room, write_config
from server.cluster.errors import ClusterError, disk_full, explain
from server.cluster.lock import exclusive
from server.cluster.places import FALLBACK_HOME, Account, Places, account_for, make_data_dir, user_name
from server.cluster.settings import (
    ADMIN_ROLE,
    DATABASE,
    MIB,
    PORT,
    ROLE,
    hba_conf,
    ident_conf,
    machine_memory,
    postgresql_conf,
)

Progress = Callable[[str], None]
EXTENSIONS = ("postgis", "pg_trgm", "btree_gist")
START_PATIENCE = 20.0  # seconds for processes of a killed postmaster to leave
READY_PATIENCE = 900.0  # seconds for crash recovery; it reports progress meanwhile


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What can be known about the cluster without connecting to it.

    Attributes
    ----------
    state : str
        ``absent`` (never made), ``stopped``, ``starting`` (also: recovering) or ``running``.
    pid : int or None
        The postmaster.
    version : int or None
        Major version the directory was made with.
    pgdata, socket_dir : Path
        Where it is.
    """

    state: str
    pid: int | None
    version: int | None
    pgdata: Path
    socket_dir: Path


def _silent(_message: str) -> None:
    """Progress nobody wants."""


class Cluster:
    """The embedded PostgreSQL of one data directory.

    Two roles exist: ``xiangtu`` owns the database and is nothing more; ``xiangtu_admin`` is the superuser for set-up.
    Both are open to the operating-system user who runs the server and to the one who runs PostgreSQL, by peer
    authentication; there are no passwords.

    Parameters
    ----------
    data_dir : Path
        Xiangtu's data directory.
    durable : bool
        False for throw-away test clusters: nothing survives a power cut, everything is faster.
    fallback_home : Path
        Where the files go when PostgreSQL's user cannot enter `data_dir`.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True, fallback_home: Path = FALLBACK_HOME) -> None:
        self.data_dir = Path(os.path.abspath(data_dir))
        self.durable = durable
        self.places = Places(self.data_dir, fallback_home)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy address of the database for the server's role."""
        return self.url_for(DATABASE)

    @property
    def admin_url(self) -> str:
        """SQLAlchemy address of the database for the superuser; set-up only."""
        return self.url_for(DATABASE, ADMIN_ROLE)

    def url_for(self, database: str, role: str = ROLE) -> str:
        """SQLAlchemy address of any database of this cluster."""
        host = quote(str(self.places.socket_dir), safe="/")
        return f"postgresql+psycopg://{role}@/{quote(database)}?host={host}&port={PORT}"

    def ensure(self, progress: Progress = _silent) -> None:
        """Make the cluster if there is none, start it if it is not running, and set up role, database, extensions.

        Raises
        ------
        ClusterError
            With a remedy: no PostgreSQL or PostGIS, another major version's directory, a full disk, permissions.
        """
        make_data_dir_or_explain(self.data_dir)
        with exclusive(self.data_dir / "postgres.lock"):
            self._start(progress)
            self._set_up(progress)

    def start(self, progress: Progress = _silent) -> None:
        """Start the cluster (as `ensure`, without looking at roles and extensions)."""
        make_data_dir_or_explain(self.data_dir)
        with exclusive(self.data_dir / "postgres.lock"):
            self._start(progress)

    def stop(self) -> None:
        """Stop the cluster cleanly; harmless when it does not run.

        Raises
        ------
        ClusterError
            When the postmaster belongs to another user.
        """
        if not self.data_dir.is_dir():
            return
        with exclusive(self.data_dir / "postgres.lock"):
            try:
                postmaster.end(self.places.pgdata)
            except PermissionError as error:
                raise explain(str(error), self.places.pgdata) from error
            self._reap()

    def status(self) -> ClusterStatus:
        """What the files and processes say."""
        pgdata, version = self.places.pgdata, self._version()
        pid = postmaster.running_pid(pgdata)
        if pid is not None:
            state = "running" if postmaster.is_ready(pgdata) else "starting"
        else:
            state = "absent" if version is None else "stopped"
        return ClusterStatus(state, pid, version, pgdata, self.places.socket_dir)

    def is_alive(self) -> bool:
        """Whether the postmaster process is there (cheap: no connection is made)."""
        self._reap()
        return postmaster.running_pid(self.places.pgdata) is not None

    def restart_if_dead(self, progress: Progress = _silent) -> bool:
        """Start the cluster again when its postmaster has died; True when that was needed."""
        if self.is_alive():
            return False
        self.start(progress)
        return True

    def psql(self, sql: str, database: str = "postgres", role: str = ADMIN_ROLE) -> str:
        """Run SQL through ``psql`` and return its unaligned output (rows by newline, columns by ``|``).

        For set-up only: the supervisor uses it so that it need not load a driver.

        Raises
        ------
        ClusterError
            When the connection or a statement fails.
        """
        binaries = find_binaries(self._version(), self.places.pgdata)
        command = [binaries.path("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-h"]
        command += [str(self.places.socket_dir), "-p", str(PORT), "-U", role, "-d", database, "-f", "-"]
        done = subprocess.run(
            command,
            input=sql,
            capture_output=True,
            text=True,
            env=environment(),
            cwd="/",
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal must not cut set-up in the middle
        )
        if done.returncode != 0:
            raise explain(done.stderr, self.places.pgdata)
        return done.stdout.strip()

    def _version(self) -> int | None:
        try:
            text = (self.places.pgdata / "PG_VERSION").read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise explain(str(error), self.places.pgdata) from error
        return int(text.split(".")[0])

    def _start(self, progress: Progress) -> None:
        account = account_for(self.places.pgdata)
        self.places.prepare(account, on_forsaken=postmaster.end)
        pgdata, version = self.places.pgdata, self._version()
        binaries = find_binaries(version, pgdata)
        if version is None:
            progress("正在创建数据库文件（仅第一次）· Creating the database files (first time only)")
            create_files(binaries, account, pgdata, durable=self.durable)
        changed = self._configure(binaries, account)
        pid = postmaster.running_pid(pgdata)
        if pid is not None:
            if changed:
                subprocess.run(
                    [binaries.path("pg_ctl"), "reload", "-s", "-D", str(pgdata)],
                    cwd="/",
                    check=False,
                    **account.as_child(),
                )
            self._wait_ready(progress, lambda: postmaster.running_pid(pgdata) is not None)
            return
        progress("正在启动数据库 · Starting the database")
        self._launch_patiently(binaries, account, progress)

    def _configure(self, binaries: Binaries, account: Account) -> bool:
        """Write the configuration; True when something changed."""
        pgdata = self.places.pgdata
        owner = user_name(self.data_dir.stat().st_uid)
        users = [account.name] + [name for name in (user_name(os.geteuid()), owner) if name]
        texts = {
            "xiangtu.conf": postgresql_conf(
                memory=machine_memory(),
                free_disk=disk(pgdata).free,
                shm=disk(Path("/dev/shm")).total,  # noqa: S108 - measured, not written
                log_dir=self.places.log_dir,
                socket_dir=self.places.socket_dir,
                lz4=binaries.has_lz4(),
                durable=self.durable,
            ),
            "pg_hba.conf": hba_conf(),
            "pg_ident.conf": ident_conf(users),
        }
        try:
            written = [write_config(pgdata / name, text, account) for name, text in texts.items()]
        except OSError as error:
            raise explain(str(error), pgdata) from error
        return any(written)

    def _launch_patiently(self, binaries: Binaries, account: Account, progress: Progress) -> None:
        """Start the postmaster; while processes of a killed one still hold its shared memory, try again."""
        pgdata = self.places.pgdata
        deadline = time.monotonic() + START_PATIENCE
        waited = False
        while True:
            self._reap()
            postmaster.remove_stale_pid_file(pgdata)
            need_room(pgdata)
            try:
                self._launch(binaries, account, progress)
                return
            except ClusterError as error:
                # Once a killed one's processes were in the way, the next failure is theirs too, whatever its words.
                if not (error.retry or waited) or time.monotonic() > deadline:
                    raise
                if not waited:
                    progress("等待上次的数据库进程退出 · Waiting for the previous run's database processes to end")
                else:
                    postmaster.end_orphans(pgdata)
                waited = True
                time.sleep(0.5)

    def _launch(self, binaries: Binaries, account: Account, progress: Progress) -> None:
        pgdata, log_dir = self.places.pgdata, self.places.log_dir
        sizes = {file: file.stat().st_size for file in log_dir.glob("*.log")}
        start_log = log_dir / "start.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        sizes[start_log] = 0
        with os.fdopen(os.open(start_log, flags, 0o600), "wb") as output:
            process = subprocess.Popen(
                [binaries.path("postgres"), "-D", str(pgdata)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is for the supervisor, which stops the database last
                **account.as_child(),
            )
        self._process = process
        self._wait_ready(progress, lambda: process.poll() is None, process.pid)
        if process.returncode is not None:
            written = "".join(_tail(file, sizes.get(file, 0)) for file in sorted(log_dir.glob("*.log")))
            error = explain(written, pgdata)
            raise disk_full(pgdata) if disk(pgdata).free < MIB else error

    def _wait_ready(self, progress: Progress, alive: Callable[[], bool], pid: int | None = None) -> None:
        """Return when the postmaster takes connections, or is not `alive` any more."""
        pgdata = self.places.pgdata
        began = said = time.monotonic()
        while alive():
            if postmaster.is_ready(pgdata) and pid in (None, postmaster.running_pid(pgdata)):
                return
            now = time.monotonic()
            if now - began > READY_PATIENCE:
                raise ClusterError(
                    "数据库长时间没有就绪。\nThe database has not become ready for a long time.",
                    f"请查看日志 {self.places.log_dir}。\nSee the logs in {self.places.log_dir}.",
                )
            if now - said > 5:
                said = now
                progress(f"数据库正在恢复（{now - began:.0f} 秒）· The database is recovering ({now - began:.0f} s)")
            time.sleep(0.02)

    def _set_up(self, progress: Progress) -> None:
        """Role, database and extensions, whatever of them is missing after an earlier, interrupted start."""
        has_role, has_database = self.psql(
            f"SELECT count(*) FROM pg_roles WHERE rolname = '{ROLE}';"  # noqa: S608 - names of our own
            f"SELECT count(*) FROM pg_database WHERE datname = '{DATABASE}';"
        ).split()
        if has_role == "0":
            self.psql(f"CREATE ROLE {ROLE} LOGIN;")
        if has_database == "0":
            progress("正在建立数据库和空间扩展 · Making the database and its spatial extensions")
            self.psql(f"CREATE DATABASE {DATABASE} OWNER {ROLE};")
        names = ", ".join(f"'{name}'" for name in EXTENSIONS)
        rows = self.psql(
            "SELECT name, installed_version IS NULL, installed_version IS DISTINCT FROM default_version "  # noqa: S608
            f"FROM pg_available_extensions WHERE name IN ({names});",
            DATABASE,
        )
        known = {name: (missing, old) for name, missing, old in (row.split("|") for row in rows.splitlines())}
        orders = []
        for name in EXTENSIONS:
            missing, old = known.get(name, ("t", "t"))
            if missing == "t":
                orders.append(f"CREATE EXTENSION {name};")
            elif old == "t":  # the package was upgraded since
                orders.append(f"ALTER EXTENSION {name} UPDATE;")
        if orders:
            self.psql("SET client_min_messages = warning;" + "".join(orders), DATABASE)

    def _reap(self) -> None:
        """Collect a postmaster that ended: as a zombie its number would look alive to PostgreSQL."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None


def make_data_dir_or_explain(data_dir: Path) -> None:
    """`make_data_dir` with a `ClusterError` instead of an `OSError`."""
    try:
        make_data_dir(data_dir)
    except OSError as error:
        raise explain(str(error), data_dir) from error


def _tail(file: Path, offset: int) -> str:
    with file.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(min(offset, size), size - 16_000))
        return handle.read().decode("utf-8", "replace")
