"""Finding PostgreSQL with PostGIS on this machine."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from server.cluster.errors import ClusterError

OLDEST_MAJOR = 15
DEBIAN_ROOT = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL installation."""

    directory: Path
    major: int
    has_postgis: bool

    def path(self, name: str) -> str:
        """Full path of a program, e.g. ``initdb``."""
        return str(self.directory / name)

    def has_lz4(self) -> bool:
        """Whether this PostgreSQL was built with lz4 (Debian's is; a self-built one may not be)."""
        try:
            done = subprocess.run([self.path("pg_config"), "--configure"], capture_output=True, text=True, check=False)
        except OSError:
            return True
        return done.returncode != 0 or "--with-lz4" in done.stdout


def find_binaries(major: int | None = None, data: Path | None = None) -> Binaries:
    """The installation to use: the newest with PostGIS, or the one that fits an existing directory.

    ``XIANGTU_PG_BIN`` names the directory with ``initdb`` and ``postgres`` when it is not in Debian's place.

    Parameters
    ----------
    major : int, optional
        Major version an existing data directory was made with; no other can open it.
    data : Path, optional
        That directory, for the message.

    Raises
    ------
    ClusterError
        When nothing fits; the remedy names the package to install.
    """
    found = _installed()
    if major is not None:
        for one in found:
            if one.major == major:
                return _with_postgis(one)
        raise _wrong_version(major, found, data)
    fitting = [one for one in found if one.major >= OLDEST_MAJOR]
    complete = [one for one in fitting if one.has_postgis]
    if complete:
        return complete[0]
    if fitting:
        return _with_postgis(fitting[0])
    old = "、".join(str(one.major) for one in found)
    zh, en = "本机没有安装 PostgreSQL。", "PostgreSQL is not installed."
    if old:
        zh = f"本机的 PostgreSQL（{old}）太旧，需要 {OLDEST_MAJOR} 或更新。"
        en = f"This machine's PostgreSQL ({old}) is older than {OLDEST_MAJOR}."
    raise ClusterError(
        f"{zh}\n{en}",
        "请运行 scripts/install-system.sh，或 sudo apt-get install postgresql-15-postgis-3；"
        "装在别处时用 XIANGTU_PG_BIN 指明目录。\n"
        "Run scripts/install-system.sh, or sudo apt-get install postgresql-15-postgis-3; "
        "name its bin directory in XIANGTU_PG_BIN when it is somewhere else.",
    )


def _installed() -> list[Binaries]:
    """All installations, newest first; ``XIANGTU_PG_BIN`` alone when it is set."""
    chosen = os.environ.get("XIANGTU_PG_BIN")
    if chosen:
        one = _examine(Path(chosen))
        if one is None:
            raise ClusterError(
                f"XIANGTU_PG_BIN={chosen} 中没有可用的 initdb 和 postgres。\n"
                f"XIANGTU_PG_BIN={chosen} holds no usable initdb and postgres.",
                "请改正 XIANGTU_PG_BIN，或取消设置。\nCorrect XIANGTU_PG_BIN, or unset it.",
            )
        return [one]
    candidates = sorted(DEBIAN_ROOT.glob("*/bin")) if DEBIAN_ROOT.is_dir() else []
    candidates += [Path("/usr/local/pgsql/bin"), Path("/usr/bin")]
    found = [one for one in map(_examine, candidates) if one is not None]
    return sorted(found, key=lambda one: one.major, reverse=True)


def _examine(directory: Path) -> Binaries | None:
    if not all(os.access(directory / name, os.X_OK) for name in ("initdb", "postgres", "psql")):
        return None
    if directory.parent.parent == DEBIAN_ROOT and directory.parent.name.isdigit():
        share = Path("/usr/share/postgresql") / directory.parent.name
        return Binaries(directory, int(directory.parent.name), _postgis_in(share))
    try:
        version = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True)
        shared = subprocess.run([directory / "pg_config", "--sharedir"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    number = re.search(r"\d+", version.stdout)
    return Binaries(directory, int(number.group()), _postgis_in(Path(shared.stdout.strip()))) if number else None


def _postgis_in(share: Path) -> bool:
    return (share / "extension" / "postgis.control").is_file()


def _with_postgis(one: Binaries) -> Binaries:
    if one.has_postgis:
        return one
    raise ClusterError(
        f"PostgreSQL {one.major} 没有安装 PostGIS。\nPostGIS is not installed for PostgreSQL {one.major}.",
        f"请运行：sudo apt-get install postgresql-{one.major}-postgis-3\n"
        f"Run: sudo apt-get install postgresql-{one.major}-postgis-3",
    )


def _wrong_version(major: int, found: list[Binaries], data: Path | None) -> ClusterError:
    here = ", ".join(str(one.major) for one in found) or "—"
    return ClusterError(
        f"数据目录 {data} 属于 PostgreSQL {major}，本机安装的是 {here}；数据没有被改动。\n"
        f"The data directory {data} belongs to PostgreSQL {major}; this machine has {here}. Nothing was changed.",
        f"请安装原来的版本：sudo apt-get install postgresql-{major}-postgis-3；"
        f"要升级，请先用它导出（pg_dump），再导入新目录。\n"
        f"Install that version: sudo apt-get install postgresql-{major}-postgis-3; to upgrade, dump with it (pg_dump) "
        f"and load into a new directory.",
    )
