"""Locks on a data directory, held by the kernel: they vanish with their process, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from server.cluster.errors import ClusterError


class DataDirLock:
    """One server a data directory.

    Usable as a context manager. The lock is a ``flock`` on ``xiangtu.lock``; the file stays behind and means nothing by
    itself, so nothing has to be cleaned up after a kill -9.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "xiangtu.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        ClusterError
            When another server has it, or the file cannot be written.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ClusterError(
                f"无法写入数据目录：{error}\nThe data directory cannot be written: {error}",
                f"请检查 {self.path.parent} 的属主和权限；始终用同一个系统用户启动乡图。\n"
                f"Check owner and permissions of {self.path.parent}; always start Xiangtu as the same system user.",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(descriptor)
            raise ClusterError(
                f"已有一个乡图服务正在使用数据目录 {self.path.parent}（进程 {holder}）。\n"
                f"Another Xiangtu server is using the data directory {self.path.parent} (process {holder}).",
                "请先停止它（Ctrl-C），或用 DATA= 和 PORT= 另外指定目录和端口。\n"
                "Stop it first (Ctrl-C), or name another directory and port with DATA= and PORT=.",
            ) from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            pass  # the process id is for people only; on a full disk the lock itself still holds
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> DataDirLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def exclusive(path: Path, timeout: float = 120.0) -> Iterator[None]:
    """Hold a ``flock`` on `path` while the block runs, so that two commands do not start one cluster at once.

    Raises
    ------
    ClusterError
        When another process keeps the lock longer than `timeout` seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ClusterError(
                        "另一个乡图命令正在启动或停止数据库。\n"
                        "Another Xiangtu command is starting or stopping the database.",
                        "请等它完成后再试。\nWait until it has finished and try again.",
                        retry=True,
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
