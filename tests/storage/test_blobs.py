"""The blob store: content under its hash, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.storage import BlobStore, NoSpace

SMALL = b"small"
LARGE = os.urandom(700_000)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def files(store: BlobStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_content_comes_back(store: BlobStore, data: bytes) -> None:
    blob = store.put(data)
    assert blob.sha256 == hashlib.sha256(data).digest()
    assert blob.md5 == hashlib.md5(data).hexdigest()
    assert blob.size == len(data)
    assert b"".join(store.chunks(blob.sha256, 1000)) == data


def test_the_same_content_is_stored_once(store: BlobStore) -> None:
    assert store.put(LARGE) == store.put(LARGE)
    assert len(files(store)) == 1


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_what_is_not_kept_leaves_nothing(store: BlobStore, data: bytes) -> None:
    with store.upload() as upload:
        upload.write(data)
    assert files(store) == []


def test_keeping_survives_the_end_of_the_block(store: BlobStore) -> None:
    with store.upload() as upload:
        upload.write(LARGE)
        blob = upload.keep()
    assert store.path(blob.sha256).read_bytes() == LARGE
    assert list(store.temporary.iterdir()) == []


def test_threads_storing_the_same_content(store: BlobStore) -> None:
    threads = [threading.Thread(target=store.put, args=(LARGE,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = files(store)
    assert file.read_bytes() == LARGE


def test_a_full_disk_is_said_plainly_and_leaves_nothing(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with store.upload() as upload:
        upload.write(LARGE)
        with pytest.raises(NoSpace):
            upload.keep()
    assert files(store) == []


def test_a_reserve_keeps_room_for_the_database(tmp_path: Path) -> None:
    greedy = BlobStore(tmp_path / "blobs", reserve=1 << 60)
    with pytest.raises(NoSpace):
        greedy.upload()


def test_an_unknown_content_is_not_found(store: BlobStore) -> None:
    with pytest.raises(FileNotFoundError):
        list(store.chunks(b"\0" * 32))


def test_leftovers_of_killed_uploads_are_swept_after_a_day(store: BlobStore) -> None:
    old, fresh = store.temporary / "1-old", store.temporary / "2-fresh"
    for file in (old, fresh):
        file.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert store.sweep() == 1
    assert not old.exists()
    assert fresh.exists()


@given(st.lists(st.binary(max_size=200_000), max_size=8))
def test_any_pieces_make_the_whole(pieces: list[bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        with store.upload() as upload:
            for piece in pieces:
                upload.write(piece)
            blob = upload.keep()
        assert store.path(blob.sha256).read_bytes() == b"".join(pieces)
