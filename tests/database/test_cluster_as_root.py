"""The embedded cluster when root starts it: PostgreSQL then runs as another user, who may not get everywhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from server.cluster import Cluster, ClusterError
from tests.support.postgres import ask, has_ended, order


def test_a_data_directory_postgres_cannot_enter_gets_its_files_elsewhere(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    home = place / "home"
    home.mkdir(mode=0o755)
    cluster = Cluster(closed / "data", durable=False, fallback_home=home)
    cluster.ensure()
    assert (closed / "data" / "postgres").is_symlink()
    assert cluster.status().pgdata.is_relative_to(home)
    order(cluster, "CREATE TABLE kept (n int)")
    cluster.stop()
    cluster.ensure()
    assert ask(cluster, "SELECT count(*) FROM kept") == 0
    # Deleting the data directory means beginning from nothing, even while the old postmaster runs.
    old = cluster.status().pid
    shutil.rmtree(cluster.places.socket_dir)
    shutil.rmtree(closed / "data")
    fresh = Cluster(closed / "data", durable=False, fallback_home=home)
    fresh.start()
    assert fresh.status().pid != old
    assert has_ended(old)
    assert fresh.psql("SELECT count(*) FROM pg_database WHERE datname = 'xiangtu'") == "0"
    fresh.stop()
    shutil.rmtree(home)
    with pytest.raises(ClusterError, match="不见了"):
        Cluster(closed / "data", durable=False, fallback_home=home).ensure()


def test_a_folder_closed_later_is_explained(place: Path) -> None:
    (place / "data" / "postgres").mkdir(parents=True)
    cluster = Cluster(place / "data", durable=False)
    place.chmod(0o700)
    with pytest.raises(ClusterError) as caught:
        cluster.ensure()
    assert "chmod o+x" in caught.value.remedy


def test_an_ordinary_user_runs_it_alone(place: Path) -> None:
    """The same steps as `nobody`, who owns nothing else; another user gets no connection."""
    folder = place / "nobody"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    script = (
        "import sys; from pathlib import Path; from server.cluster import Cluster\n"
        "cluster = Cluster(Path(sys.argv[1]), durable=False); cluster.ensure()\n"
        "print(cluster.psql('SELECT current_user', 'xiangtu', 'xiangtu'))"
    )
    code = folder / "code"
    shutil.copytree("server", code / "server", ignore=shutil.ignore_patterns("web", "__pycache__"))
    run = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", _system_python(), "-c", script]
    done = subprocess.run([*run, str(folder / "data")], cwd=code, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "xiangtu"), done.stderr
    cluster = Cluster(folder / "data", durable=False)
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        ask(cluster, "SELECT 1")
    cluster.ensure()  # root takes over as the owner of the files
    assert ask(cluster, "SELECT 1") == 1


def _system_python() -> str:
    """A Python that `nobody` may run; a developer's own may be below a closed home."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if Path(candidate).exists():
            return candidate
    raise RuntimeError("no Python in the system's folders")
