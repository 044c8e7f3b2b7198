"""``xiangtu doctor``: what this machine has, what it lacks, and how to mend it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.cluster import Cluster, ClusterError, DataDirLock
from server.cluster.binaries import OLDEST_MAJOR, find_binaries
from server.process import answers_http, bind_error, is_port_taken

if TYPE_CHECKING:
    import psycopg

    from server.config import Settings

OLDEST_POSTGIS = (3, 3)
OLDEST_JAVA = 11
EARLIEST_YEAR = 2026  # a PC with an empty clock battery starts decades back
GIB = 1 << 30
EXTENSIONS = ("postgis", "pg_trgm", "btree_gist")

Grade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes
    ----------
    name : str
        Short ASCII name, stable for scripts.
    ok : {'ok', 'warn', 'fail'}
        ``warn``: works, with something missing; ``fail``: the server cannot do its work.
    detail_zh, detail_en : str
        What was found.
    remedy_zh, remedy_en : str
        What to do; empty when all is well.
    """

    name: str
    ok: Grade
    detail_zh: str
    detail_en: str
    remedy_zh: str = ""
    remedy_en: str = ""


Revisions = Callable[["psycopg.Connection[tuple[object, ...]]"], tuple[str | None, str | None]]


def checks(settings: Settings, revisions: Revisions | None = None) -> list[Check]:
    """Look at everything the server depends on.

    Parameters
    ----------
    settings : Settings
        The instance to examine.
    revisions : callable, optional
        Given an open psycopg connection, returns the database's migration and the newest one; None: not looked at.

    Returns
    -------
    list of Check
        In the order an operator should read them. Nothing is raised for what is broken: it is reported.
    """
    return [
        _python(),
        _data_directory(settings.data_dir),
        _blobs(settings.blob_dir),
        _disk(settings.data_dir, settings.free_disk_mb << 20),
        *_database(settings, revisions),
        _clock(),
        _java(),
        _fonts(),
        _port(settings),
    ]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"Python {version}", f"Python {version}")


def _data_directory(data_dir: Path) -> Check:
    where = str(data_dir)
    if not data_dir.exists():
        return Check("data", "ok", f"{where} 尚未建立，启动时会建立", f"{where} will be made at the first start")
    trouble = _cannot_write(data_dir)
    if trouble:
        return Check(
            "data",
            "fail",
            f"无法写入 {where}：{trouble}",
            f"{where} cannot be written: {trouble}",
            f"用启动乡图的用户检查权限：ls -ld {where}",
            f"Check its permissions as the user who starts Xiangtu: ls -ld {where}",
        )
    secret = data_dir / "secret"
    if secret.exists() and secret.stat().st_mode & 0o077:
        return Check(
            "data",
            "warn",
            f"{secret} 可被其他用户读取",
            f"{secret} can be read by other users",
            f"chmod 600 {secret}",
            f"chmod 600 {secret}",
        )
    return Check("data", "ok", where, where)


def _blobs(blob_dir: Path) -> Check:
    where = str(blob_dir)
    if not blob_dir.exists():
        return Check("blobs", "ok", f"{where} 尚未建立", f"{where} will be made when it is needed")
    trouble = _cannot_write(blob_dir)
    if trouble:
        return Check(
            "blobs",
            "fail",
            f"无法写入照片和附件目录 {where}：{trouble}",
            f"The folder of photos and attachments cannot be written: {where}: {trouble}",
            "检查它的权限和磁盘空间",
            "Check its permissions and the free space",
        )
    return Check("blobs", "ok", f"{where} 可写", f"{where} is writable")


def _disk(data_dir: Path, reserve: int) -> Check:
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    usage = shutil.disk_usage(place)
    zh, en = (
        f"剩余 {usage.free / GIB:.1f} GB，共 {usage.total / GIB:.1f} GB",
        f"{usage.free / GIB:.1f} GB free of {usage.total / GIB:.1f} GB",
    )
    remedy = (
        f"腾出空间，或用 DATA= 把数据放到更大的磁盘（现在在 {place}）",
        f"Free some space, or put the data on a larger disk with DATA= (now {place})",
    )
    if usage.free < max(reserve, GIB // 4):
        return Check("disk", "fail", zh, en, *remedy)
    if usage.free < 2 * GIB:
        return Check("disk", "warn", zh, en, *remedy)
    return Check("disk", "ok", zh, en)


def _database(settings: Settings, revisions: Revisions | None) -> Iterator[Check]:
    address = settings.database_url
    if not address:
        cluster = Cluster(settings.data_dir)
        try:
            status = cluster.status()
            if status.state in {"absent", "stopped"}:
                binaries = find_binaries(status.version, status.pgdata)
                yield Check(
                    "database",
                    "ok",
                    f"PostgreSQL {binaries.major} 已安装，随乡图启动",
                    f"PostgreSQL {binaries.major} is installed and starts with Xiangtu",
                )
                return
        except ClusterError as error:
            yield _cluster_trouble(error)
            return
        address = cluster.url
    import psycopg

    try:
        connection = psycopg.connect(_libpq(address), connect_timeout=5, autocommit=True)
    except psycopg.Error as error:
        trouble = " ".join(str(error).split())
        remedy = ("重新启动乡图，并查看 log/postgres", "Restart Xiangtu and read log/postgres")
        if settings.database_url:
            remedy = ("检查 DATABASE_URL、网络和数据库服务", "Check DATABASE_URL, the network and the database server")
        zh, en = f"无法连接数据库：{trouble}", f"The database cannot be reached: {trouble}"
        yield Check("database", "fail", zh, en, *remedy)
        return
    with connection:
        yield _server_version(connection)
        yield _extensions(connection)
        yield _clock_difference(connection)
        if revisions is not None:
            yield _migrations(connection, revisions)


def _cluster_trouble(error: ClusterError) -> Check:
    message, remedy = error.message.split("\n"), error.remedy.split("\n")
    return Check("database", "fail", message[0], " ".join(message[1:]), remedy[0], " ".join(remedy[1:]))


def _server_version(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    number = connection.info.server_version
    version = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number < OLDEST_MAJOR * 10000:
        return Check(
            "database",
            "fail",
            f"{version} 太旧",
            f"{version} is too old",
            f"需要 PostgreSQL {OLDEST_MAJOR} 或更新",
            f"PostgreSQL {OLDEST_MAJOR} or newer is needed",
        )
    return Check("database", "ok", version, version)


def _extensions(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    rows = connection.execute(
        "SELECT extname, extversion FROM pg_extension WHERE extname = ANY(%s)", [list(EXTENSIONS)]
    ).fetchall()
    found = {str(name): str(version) for name, version in rows}
    missing = [name for name in EXTENSIONS if name not in found]
    if missing:
        orders = " ".join(f"CREATE EXTENSION {name};" for name in missing)
        names = ", ".join(missing)
        return Check(
            "extensions",
            "fail",
            f"数据库缺少扩展 {names}",
            f"The database lacks the extensions {names}",
            f"以数据库管理员执行：{orders}",
            f"As the database's administrator, run: {orders}",
        )
    if tuple(int(part) for part in re.findall(r"\d+", found["postgis"])[:2]) < OLDEST_POSTGIS:
        return Check(
            "extensions",
            "fail",
            f"PostGIS {found['postgis']} 太旧",
            f"PostGIS {found['postgis']} is too old",
            "需要 PostGIS 3.3 或更新",
            "PostGIS 3.3 or newer is needed",
        )
    text = ", ".join(f"{name} {found[name]}" for name in EXTENSIONS)
    return Check("extensions", "ok", text, text)


def _clock_difference(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    before = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    middle = (before + time.time()) / 2
    difference = abs(float(str(row[0])) - middle) if row else 0.0
    zh, en = f"与数据库时钟相差 {difference:.1f} 秒", f"{difference:.1f} s apart from the database's clock"
    if difference > 5:
        return Check(
            "database_clock",
            "fail" if difference > 60 else "warn",
            zh,
            en,
            "在两台机器上都打开网络对时：timedatectl set-ntp true",
            "Turn network time on, on both machines: timedatectl set-ntp true",
        )
    return Check("database_clock", "ok", zh, en)


def _migrations(connection: psycopg.Connection[tuple[object, ...]], revisions: Revisions) -> Check:
    current, newest = revisions(connection)
    if current == newest:
        return Check("migrations", "ok", f"数据库结构是最新的（{current}）", f"The tables are up to date ({current})")
    return Check(
        "migrations",
        "fail",
        f"数据库结构是 {current or '空的'}，需要 {newest}",
        f"The tables are at {current or 'nothing'}; {newest} is needed",
        "重新启动乡图，它会自动更新数据库结构",
        "Restart Xiangtu; it brings the tables up to date",
    )


def _clock(now: datetime | None = None) -> Check:
    now = now or datetime.now(UTC)
    try:
        beijing = f"{now.astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H:%M}"
    except ZoneInfoNotFoundError:
        return Check(
            "clock",
            "fail",
            "系统缺少时区数据",
            "The system lacks time zone data",
            "sudo apt-get install tzdata",
            "sudo apt-get install tzdata",
        )
    if now.year < EARLIEST_YEAR:
        return Check(
            "clock",
            "fail",
            f"系统时间不对：北京时间 {beijing}",
            f"The clock is wrong: {beijing} in Beijing",
            "校准时间：sudo timedatectl set-ntp true；断电后仍不准时请更换主板电池",
            "Set it: sudo timedatectl set-ntp true; if it is lost again without power, change the clock battery",
        )
    return Check("clock", "ok", f"北京时间 {beijing}", f"{beijing} in Beijing")


def _java() -> Check:
    remedy = ("sudo apt-get install default-jre-headless", "sudo apt-get install default-jre-headless")
    try:
        done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return Check(
            "java",
            "warn",
            "没有 Java：上传表单时不做 ODK Validate 检查",
            "No Java: uploaded forms are not checked by ODK Validate",
            *remedy,
        )
    found = re.search(r'version "(\d+)(?:\.(\d+))?[^"]*"', done.stderr + done.stdout)
    # Java 8 and older call themselves 1.8.
    major = (int(found.group(2) or 0) if found.group(1) == "1" else int(found.group(1))) if found else 0
    if major < OLDEST_JAVA:
        return Check("java", "warn", f"Java {major} 太旧，需要 {OLDEST_JAVA}", f"Java {major} is too old", *remedy)
    return Check("java", "ok", f"Java {major}", f"Java {major}")


def _fonts() -> Check:
    try:
        done = subprocess.run(
            ["fc-list", ":lang=zh", "family"], capture_output=True, text=True, check=False, timeout=60
        )
        family = next((line.split(",")[0] for line in sorted(done.stdout.splitlines()) if line.strip()), "")
    except (OSError, subprocess.TimeoutExpired):
        places = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
        names = (file.name for place in places for file in place.rglob("*CJK*"))
        family = next(names, "")
    if not family:
        return Check(
            "fonts",
            "warn",
            "没有中文字体，报表和地图上的汉字会显示为方框",
            "No Chinese font: characters in reports and maps will be empty boxes",
            "sudo apt-get install fonts-noto-cjk",
            "sudo apt-get install fonts-noto-cjk",
        )
    return Check("fonts", "ok", family, family)


def _port(settings: Settings) -> Check:
    host, port = settings.host, settings.port
    error = bind_error(host, port)
    if error is None:
        return Check("port", "ok", f"{host}:{port} 空闲", f"{host}:{port} is free")
    if not is_port_taken(error):
        return Check(
            "port",
            "fail",
            f"无法监听 {host}:{port}：{error.strerror}",
            f"Cannot listen on {host}:{port}: {error.strerror}",
            "小于 1024 的端口需要 root；用 HOST= 和 PORT= 更换地址和端口",
            "Ports below 1024 need root; choose another address with HOST= and PORT=",
        )
    if _server_runs(settings.data_dir) and answers_http(host, port):
        return Check("port", "ok", f"乡图正在 {host}:{port} 上服务", f"Xiangtu is serving on {host}:{port}")
    return Check(
        "port",
        "fail",
        f"端口 {port} 被其他程序占用",
        f"Port {port} is used by another program",
        f"停止那个程序（ss -ltnp | grep {port}），或用 PORT= 换一个端口",
        f"Stop that program (ss -ltnp | grep {port}), or choose another port with PORT=",
    )


def _server_runs(data_dir: Path) -> bool:
    if not (data_dir / "xiangtu.lock").exists():
        return False
    try:
        with DataDirLock(data_dir):
            return False
    except ClusterError:
        return True


def _cannot_write(directory: Path) -> str:
    """Why no file can be made in `directory`; empty when one can."""
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _libpq(address: str) -> str:
    """A SQLAlchemy address as libpq takes it."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", address)
