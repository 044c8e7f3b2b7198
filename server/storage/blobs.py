"""The folder of blobs: written to a temporary name, fsynced, renamed to the content's hash.

A blob is durable before any row speaks of it. A killed process can leave a temporary file or a blob nobody refers to,
never half a blob under a hash. The same content is stored once.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_STALE_SECONDS = 24 * 3600


class NoSpace(Exception):
    """The disk is full (or a quota is reached): nothing was stored."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A durable content: its SHA-256 (32 bytes), MD5 (hex) and size in bytes."""

    sha256: bytes
    md5: str
    size: int


class Upload:
    """A content on its way in. Use as a context manager: what is not kept is removed.

    Writing stays in memory below `SMALL` bytes so that a refused request never touches the disk for a small file.
    """

    SMALL = 256 * 1024

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises
        ------
        NoSpace
            When the disk is full.
        """
        self._sha256.update(data)
        self._md5.update(data)
        self.size += len(data)
        if self._file is None and self.size <= self.SMALL:
            self._pieces.append(bytes(data))
            return
        with _plain_no_space():
            _write_all(self._file or self._spill(), data)

    def keep(self) -> StoredBlob:
        """Make the content durable under its hash and return what it is. Idempotent for equal contents.

        Raises
        ------
        NoSpace
            When the disk is full; nothing is left behind.
        """
        blob = StoredBlob(self._sha256.digest(), self._md5.hexdigest(), self.size)
        target = self._store.path(blob.sha256)
        if target.exists():
            self.discard()
            _fsync_folder(target.parent)  # whoever renamed it there may not have come to this yet
            return blob
        with _plain_no_space():
            file = self._file or self._spill()
            file.flush()
            os.fsync(file.fileno())
            file.close()
            self._file = None
            assert self._path is not None
            self._store.prepare_folder(target.parent)
            os.rename(self._path, target)
            self._path = None
            _fsync_folder(target.parent)
        return blob

    def discard(self) -> None:
        """Forget the content; harmless after `keep`."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        self._pieces.clear()

    def _spill(self) -> IO[bytes]:
        self._path = self._store.temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
        self._file = open(self._path, "xb", buffering=0)  # noqa: SIM115 - closed by keep or discard
        for piece in self._pieces:
            _write_all(self._file, piece)
        self._pieces.clear()
        return self._file


class BlobStore:
    """A folder of contents: ``<root>/ab/cdef…`` by SHA-256 in hex.

    Parameters
    ----------
    root : Path
        The folder; made when missing.
    reserve : int
        Bytes that must stay free on the disk; uploads are refused below it.
    """

    def __init__(self, root: Path, reserve: int = 0) -> None:
        self.root = root
        self.reserve = reserve
        self.temporary = root / "incoming"
        root.mkdir(parents=True, exist_ok=True, mode=0o700)  # photos of people's homes: for this account alone
        self.temporary.mkdir(exist_ok=True)
        self._ready: set[Path] = set()
        self._free_checked = 0.0

    def path(self, sha256: bytes) -> Path:
        """Where a content lives, whether or not it is there."""
        name = sha256.hex()
        return self.root / name[:2] / name[2:]

    def upload(self) -> Upload:
        """Begin a content.

        Raises
        ------
        NoSpace
            When less than the reserve is free.
        """
        self.require_space()
        return Upload(self)

    def put(self, data: bytes) -> StoredBlob:
        """Store bytes; see `Upload.keep`."""
        with self.upload() as upload:
            upload.write(data)
            return upload.keep()

    def open(self, sha256: bytes) -> IO[bytes]:
        """Open a content for reading.

        Raises
        ------
        FileNotFoundError
            When the store does not hold it.
        """
        return open(self.path(sha256), "rb")

    def chunks(self, sha256: bytes, size: int = 1 << 18) -> Iterator[bytes]:
        """The content in pieces."""
        with self.open(sha256) as file:
            while piece := file.read(size):
                yield piece

    def require_space(self) -> None:
        """Raise `NoSpace` when less than the reserve is free; looks at most once a second."""
        now = time.monotonic()
        if not self.reserve or now - self._free_checked < 1.0:
            return
        if shutil.disk_usage(self.root).free < self.reserve:
            raise NoSpace(str(self.root))
        self._free_checked = now

    def prepare_folder(self, folder: Path) -> None:
        """Make a shard durable before anything is renamed into it."""
        if folder in self._ready:
            return
        folder.mkdir(exist_ok=True)
        _fsync_folder(self.root)  # also when another process made it, and has not come to this yet
        self._ready.add(folder)

    def sweep(self) -> int:
        """Remove what killed uploads left more than a day ago; returns how many files."""
        removed = 0
        for file in self.temporary.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > _STALE_SECONDS:
                    file.unlink()
                    removed += 1
        return removed


class _plain_no_space:
    """Turn the operating system's words for a full disk into `NoSpace`."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(str(error)) from error


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write every byte: on a disk that fills up, an unbuffered write takes a part and says so only by its count."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
