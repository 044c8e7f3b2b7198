"""The light parent of a running server: it starts PostgreSQL and Granian, watches both, and stops them in order.

It loads neither Flask nor SQLAlchemy; the work of setting up the database happens in a child that ends
(``server.prepare``). What it may leave behind when it is killed with -9 is found and used, or ended, by the next start.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType

from server.cluster import Cluster, ClusterError, DataDirLock
from server.cluster.places import make_data_dir
from server.config import ConfigurationError, Settings, load_settings
from server.process import (
    answers_http,
    bind_error,
    die_with_parent,
    end_group,
    group_members,
    is_port_taken,
    reap_strangers,
)

log = logging.getLogger("xiangtu.supervisor")

APPLICATION = "server.wsgi:app"
# -P: a folder called "server" where somebody happens to stand must not be taken for ours.
PYTHON = (sys.executable, "-P")
PREPARE = (*PYTHON, "-m", "server.prepare")
GRACE = 15  # seconds requests in progress get when the server stops
EARLY_DEATHS = 3  # a server that never answered and ended so often has a fault that waiting does not mend
LOADING = 10.0  # seconds after a start in which a worker may still be loading
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a new start


class _Stop(Exception):
    """A signal asked for the end; raised where the supervisor waits."""


def granian_command(settings: Settings, application: str = APPLICATION) -> list[str]:
    """Command line of the HTTP server.

    ``--backpressure`` counts open connections of a worker, idle ones too, so it is far above the number of threads.
    """
    return [
        *(*PYTHON, "-m", "granian", "--interface", "wsgi", application),
        *("--working-dir", str(Path(__file__).resolve().parents[1])),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--workers", str(settings.workers), "--blocking-threads", str(settings.threads + settings.slow_phones)),
        *("--backlog", "1024", "--backpressure", "512", "--http", "1", "--no-ws"),
        *("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", str(GRACE)),
        *("--no-access-log", "--log-level", "error"),
    ]


class Supervisor:
    """One run of ``xiangtu serve``.

    Parameters
    ----------
    settings : Settings
        Where the data is, where to listen; with `database_url` no PostgreSQL is started.
    prepare : Sequence[str]
        Command that brings the database up to date; it runs to its end before the server starts.
    welcome : Sequence[str], optional
        Command that runs once when the server answers for the first time.
    application : str
        What Granian serves, ``module:name``.
    """

    def __init__(
        self,
        settings: Settings,
        prepare: Sequence[str] = PREPARE,
        welcome: Sequence[str] | None = None,
        application: str = APPLICATION,
    ) -> None:
        self.settings = settings
        self.prepare = list(prepare)
        self.welcome = list(welcome or ())
        self.application = application
        self.cluster = None if settings.database_url else Cluster(settings.data_dir)
        self.pid_file = settings.data_dir / "server.pid"
        self._stopping = False
        self._bell_in, self._bell_out = socket.socketpair()
        self._server: subprocess.Popen[bytes] | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._started = self._next_start = self._database_retry = 0.0
        self._pause = SHORTEST_PAUSE
        self._early_deaths = 0
        self._answers = False  # the present server process
        self._welcomed = False  # any server process of this run

    def run(self) -> int:
        """Serve until a signal comes.

        Returns
        -------
        int
            Exit status: 0 after SIGINT, SIGTERM or SIGHUP, 1 when the server could not be started.
        """
        self._catch_signals()
        try:
            make_data_dir(self.settings.data_dir)
            _log_to_file(self.settings.data_dir / "log")
            with DataDirLock(self.settings.data_dir):
                return self._run_locked()
        except ClusterError as error:
            if self._stopping:
                return 0
            log.error("%s", error)
            return 1
        except OSError as error:
            log.error("无法使用数据目录：%s · The data directory cannot be used: %s", error, error)
            return 1

    def _run_locked(self) -> int:
        try:
            self._end_previous_server()
            if not self._port_is_free():
                return 1
            if self.cluster is not None:
                self.cluster.ensure(log.info)
            self._check_stop()
            if not self._run_prepare():
                return 1
            return self._watch()
        except _Stop:
            return 0
        finally:
            self._stop_server()
            if self.cluster is not None and self.cluster.is_alive():
                log.info("正在停止数据库 · Stopping the database")
                self.cluster.stop()
            log.info("已停止 · Stopped")

    # -- start ----------------------------------------------------------------------------------------------------

    def _end_previous_server(self) -> None:
        """End what a killed supervisor left: we hold the lock, so it cannot belong to a living one."""
        try:
            group = int(self.pid_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        if group_members(group, self.application):
            log.info("正在结束上次遗留的服务进程 · Ending server processes of the previous run")
            end_group(group, patience=3.0, command=self.application, ask=False)
        self.pid_file.unlink(missing_ok=True)

    def _port_is_free(self) -> bool:
        host, port = self.settings.host, self.settings.port
        error = bind_error(host, port)
        deadline = time.monotonic() + 3.0
        while error is not None and is_port_taken(error) and time.monotonic() < deadline:
            self._wait(0.2)
            self._check_stop()
            error = bind_error(host, port)
        if error is None:
            return True
        if is_port_taken(error):
            log.error("端口 %d 已被其他程序占用 · Port %d is used by another program", port, port)
            log.error("请用 PORT= 换一个端口，例如 · Choose another one, e.g.:  make run PORT=%d", port + 1)
        else:
            log.error("无法监听 %s:%d：%s · Cannot listen on %s:%d: %s", host, port, error, host, port, error)
        return False

    def _run_prepare(self) -> bool:
        child = self._spawn(self.prepare)
        while child.poll() is None:
            self._wait(0.5)
            if self._stopping:
                end_group(child.pid, patience=5.0)
                child.wait()
                raise _Stop
        if child.returncode != 0:
            log.error("准备数据库失败（状态 %d）· Preparing the database failed (status %d)", *[child.returncode] * 2)
        return child.returncode == 0

    def _start_server(self) -> None:
        self._answers = False
        try:
            self._server = self._spawn(granian_command(self.settings, self.application))
        except OSError as error:  # no memory or no process left: try again, somebody may end something
            log.error("无法启动服务进程 · The server process cannot be started: %s", error)
            self._next_start = time.monotonic() + LONGEST_PAUSE
            return
        self._started = time.monotonic()
        _write_quietly(self.pid_file, f"{self._server.pid}\n")

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a child in a session of its own (Ctrl-C reaches only us) that ends when we do."""
        me = os.getpid()
        environment = dict(os.environ)
        environment["XIANGTU_DATA"] = str(self.settings.data_dir)
        environment["XIANGTU_HOST"] = self.settings.host
        environment["XIANGTU_PORT"] = str(self.settings.port)
        # Hundreds of threads wait for slow phones; glibc would give each its own heap to grow.
        environment.setdefault("MALLOC_ARENA_MAX", "2")
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(me),  # noqa: PLW1509 - this process has one thread
        )

    # -- watch ----------------------------------------------------------------------------------------------------

    def _watch(self) -> int:
        """Keep both running; returns only when the server cannot be started at all."""
        self._start_server()
        while True:
            self._wait(1.0 if self._answers else 0.1)
            self._check_stop()
            self._mend_database()
            if self._server is None:
                if time.monotonic() >= self._next_start:
                    self._start_server()
            elif self._server.poll() is not None:
                if not self._bury_server(self._server):
                    return 1
            elif not self._answers and answers_http(self.settings.host, self.settings.port):
                self._greet()
            self._children = [child for child in self._children if child.poll() is None]
            reap_strangers({child.pid for child in [*self._children, *([self._server] if self._server else [])]})

    def _greet(self) -> None:
        """The server answers: say so, and run the welcome command if this is the first time."""
        self._answers = True
        log.info("正在服务 · Serving on %s", self.settings.server_origin())
        if self.welcome and not self._welcomed:
            self._children.append(self._spawn(self.welcome))
        self._welcomed = True

    def _mend_database(self) -> None:
        if self.cluster is None or time.monotonic() < self._database_retry or self.cluster.is_alive():
            return
        log.warning("数据库进程已退出，正在重新启动 · The database has ended; starting it again")
        try:
            self.cluster.restart_if_dead(log.info)
            log.info("数据库已恢复 · The database is back")
        except ClusterError as error:
            log.error("%s", error)
            self._database_retry = time.monotonic() + LONGEST_PAUSE

    def _bury_server(self, server: subprocess.Popen[bytes]) -> bool:
        """After the server's main process has ended: end its workers and choose when to start anew.

        Returns
        -------
        bool
            False when it is no use to try again.
        """
        log.warning("服务进程已退出（%s），将重新启动 · The server ended; starting again", _how(server.returncode))
        # The kernel has asked its workers to end (`die_with_parent`). They hold the port in common with their
        # successors, so they get a moment for the requests in progress and no more.
        end_group(server.pid, patience=2.0, ask=False)
        self._server = None
        self._pause = SHORTEST_PAUSE if self._answers else min(self._pause * 2, LONGEST_PAUSE)
        self._next_start = time.monotonic() + self._pause
        if not self._welcomed:
            self._early_deaths += 1
            if self._early_deaths >= EARLY_DEATHS:
                log.error("服务无法启动，原因见上 · The server cannot be started; see the messages above")
                return False
        return True

    # -- stop -----------------------------------------------------------------------------------------------------

    def _stop_server(self) -> None:
        for child in self._children:
            end_group(child.pid, patience=2.0)
            child.wait()
        server, self._server = self._server, None
        if server is None:
            return
        log.info("正在停止服务 · Stopping the server")
        if server.poll() is None:
            server.terminate()
            # A worker that is still loading misses the signal; right after a start nobody waits for long.
            fresh = time.monotonic() - self._started < LOADING
            try:
                server.wait(2 if fresh else GRACE + 5)
            except subprocess.TimeoutExpired:
                log.warning("服务没有及时停止 · The server did not stop in time")
        end_group(server.pid, patience=0.0)
        server.wait()
        self.pid_file.unlink(missing_ok=True)

    def _catch_signals(self) -> None:
        for bell in (self._bell_in, self._bell_out):
            bell.setblocking(False)
        signal.set_wakeup_fd(self._bell_in.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _check_stop(self) -> None:
        if self._stopping:
            raise _Stop

    def _wait(self, seconds: float) -> None:
        """Sleep until a signal arrives, a child ends, or the time is over."""
        if self._stopping:
            return
        select.select([self._bell_out], [], [], seconds)
        try:
            while self._bell_out.recv(4096):
                pass
        except BlockingIOError:
            pass


def run(
    settings: Settings,
    prepare: Sequence[str] = PREPARE,
    welcome: Sequence[str] | None = None,
    application: str = APPLICATION,
) -> int:
    """Serve with these settings until a signal comes; see `Supervisor`."""
    _log_to_terminal()
    return Supervisor(settings, prepare, welcome, application).run()


def main(load: Callable[[], Settings] = load_settings) -> int:
    """``python -m server.supervisor``: what ``xiangtu serve`` becomes, so that the parent stays small."""
    try:
        settings = load()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return run(settings)


class _Formatter(logging.Formatter):
    """Beijing time, then the message; continuation lines are indented."""

    zone = timezone(timedelta(hours=8))

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, self.zone)
        mark = "" if record.levelno < logging.WARNING else "! "
        return f"{moment:%H:%M:%S} {mark}" + record.getMessage().replace("\n", "\n         ")


class _FileFormatter(_Formatter):
    """As on the terminal, with the date: the file is read days later."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{datetime.fromtimestamp(record.created, self.zone):%Y-%m-%d} {super().format(record)}"


def _log_to_terminal() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.raiseExceptions = False  # a full disk or a closed terminal must not stop the supervisor


def _log_to_file(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    handler = RotatingFileHandler(directory / "supervisor.log", maxBytes=1_000_000, backupCount=3, encoding="utf-8")
    handler.setFormatter(_FileFormatter())
    log.addHandler(handler)


def _write_quietly(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:  # only the next start after a kill -9 would have used it
        log.warning("%s", error)


def _how(status: int) -> str:
    return f"信号 {-status}, signal {-status}" if status < 0 else f"状态 {status}, status {status}"


if __name__ == "__main__":
    sys.exit(main())
