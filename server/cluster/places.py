"""Who runs the cluster and where its files are."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.cluster.errors import ClusterError
from server.cluster.settings import PORT

# sockaddr_un holds 108 bytes; a few are left for the temporary names of tools.
SOCKET_PATH_LIMIT = 103
FALLBACK_HOME = Path("/var/lib/xiangtu")


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user PostgreSQL runs as; it refuses to run as root."""

    name: str
    uid: int
    gid: int

    def as_child(self) -> dict[str, Any]:
        """Arguments of `subprocess` that make a child run as this user."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, directory: Path) -> bool:
        """Whether this user can reach into `directory` through all the folders above it."""
        done = subprocess.run(
            ["test", "-x", str(directory)], cwd="/", stderr=subprocess.DEVNULL, check=False, **self.as_child()
        )
        return done.returncode == 0


def account_for(pgdata: Path) -> Account:
    """The user to run PostgreSQL as: this one; for root, the directory's owner, ``postgres`` or ``nobody``.

    Raises
    ------
    ClusterError
        When the current user has no entry in the password file (PostgreSQL needs one), or may not use `pgdata`.
    """
    owner = _owner(pgdata)
    me = os.geteuid()
    if me != 0:
        if owner not in (None, me):
            raise ClusterError(
                f"数据库目录 {pgdata} 属于另一个系统用户（{user_name(owner) or owner}）。\n"
                f"The database directory {pgdata} belongs to another system user ({user_name(owner) or owner}).",
                "请用第一次启动乡图的那个用户（或 root）启动。\n"
                "Start Xiangtu as the user who first started it, or as root.",
            )
        name = user_name(me)
        if name is None:
            raise ClusterError(
                f"系统用户 {me} 在 /etc/passwd 中没有名字，PostgreSQL 无法运行。\n"
                f"User {me} has no name in /etc/passwd; PostgreSQL cannot run as it.",
                f"请添加用户：useradd -u {me} xiangtu，或设置 DATABASE_URL 使用外部数据库。\n"
                f"Add one: useradd -u {me} xiangtu; or set DATABASE_URL to use another database.",
            )
        return Account(name, me, os.getegid())
    candidates = [owner] if owner else []
    for name in ("postgres", "nobody"):
        try:
            candidates.append(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    for uid in candidates:
        if user_name(uid) is not None:
            entry = pwd.getpwuid(uid)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ClusterError(
        "PostgreSQL 不能以 root 运行，而系统中没有 postgres 或 nobody 用户。\n"
        "PostgreSQL cannot run as root, and there is no user postgres or nobody.",
        "请添加用户：useradd --system postgres\nAdd one: useradd --system postgres",
    )


def user_name(uid: int | None) -> str | None:
    """Name of an operating-system user, None when there is none."""
    if uid is None:
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


@dataclass(frozen=True, slots=True)
class Places:
    """Where the cluster's files are.

    In the data directory they are ``postgres``, ``log/postgres`` and ``run``. When PostgreSQL's user cannot get there
    (root's data directory below a closed folder) or the socket's path would be too long, they are symbolic links.

    Parameters
    ----------
    data_dir : Path
        Xiangtu's data directory, absolute.
    fallback_home : Path
        Parent of clusters whose data directory PostgreSQL's user cannot enter.
    """

    data_dir: Path
    fallback_home: Path = FALLBACK_HOME

    @property
    def digest(self) -> str:
        """Short name of this data directory, for places outside it."""
        return hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's data directory, links followed."""
        return Path(os.path.realpath(self.data_dir / "postgres"))

    @property
    def log_dir(self) -> Path:
        """Folder of PostgreSQL's logs, links followed."""
        return Path(os.path.realpath(self.data_dir / "log" / "postgres"))

    @property
    def socket_dir(self) -> Path:
        """Folder of the socket."""
        plain = self.data_dir / "run"
        try:
            return Path(os.readlink(plain))
        except OSError:
            return plain if _fits(plain) else self._outside_socket_dir(os.geteuid())

    def prepare(self, account: Account, on_forsaken: Callable[[Path], object]) -> None:
        """Make the folders for `account`.

        `on_forsaken` is called with the PostgreSQL directory of a data directory of the same name that was deleted,
        before that directory is moved aside.

        Raises
        ------
        ClusterError
            When a folder cannot be made or entered.
        """
        try:
            self._prepare(account, on_forsaken)
        except OSError as error:
            raise ClusterError(
                f"无法准备数据目录：{error}\nThe data directory cannot be prepared: {error}",
                f"请检查 {self.data_dir} 的权限和磁盘空间，或用 DATA= 指定别的目录。\n"
                f"Check permissions and free space of {self.data_dir}, or name another one with DATA=.",
            ) from error

    def _prepare(self, account: Account, on_forsaken: Callable[[Path], object]) -> None:
        foreign = account.uid != os.geteuid()
        make_data_dir(self.data_dir)
        (self.data_dir / "log").mkdir(exist_ok=True)
        reachable = not foreign or (account.can_enter(self.data_dir) and account.can_enter(self.data_dir / "log"))
        postgres, log = self.data_dir / "postgres", self.data_dir / "log" / "postgres"
        if postgres.is_dir() and not postgres.is_symlink() and not reachable:
            raise ClusterError(
                f"用户 {account.name} 进不了数据目录 {self.data_dir}。\n"
                f"User {account.name} cannot get into the data directory {self.data_dir}.",
                f"请放开上级目录的进入权限（chmod o+x …），数据库文件在 {postgres}。\n"
                f"Allow others to pass the folders above it (chmod o+x …); the database files are in {postgres}.",
            )
        if not reachable:
            self._link_home(postgres, log, on_forsaken)
        _own_directory(self.log_dir, account)
        self._prepare_socket_dir(account, reachable)

    def _link_home(self, postgres: Path, log: Path, on_forsaken: Callable[[Path], object]) -> None:
        self.fallback_home.mkdir(parents=True, exist_ok=True, mode=0o755)
        home = self.fallback_home / self.digest
        if postgres.is_symlink() and not self.pgdata.parent.is_dir():
            raise ClusterError(
                f"数据库文件不见了：{postgres} 指向 {self.pgdata}，而它不存在。\n"
                f"The database files are gone: {postgres} points to {self.pgdata}, which is not there.",
                f"请把它恢复到原处（或从备份恢复）；只有想从空白开始时才删除链接 {postgres}。\n"
                f"Put it back (or restore a backup); delete the link {postgres} only to begin from nothing.",
            )
        if not postgres.is_symlink():
            if (home / "postgres").exists():
                on_forsaken(home / "postgres")
                os.rename(home, home.with_name(f"{home.name}.left-{int(time.time())}"))
            home.mkdir(mode=0o711, exist_ok=True)
            postgres.symlink_to(home / "postgres")
        if not log.is_symlink() and not log.exists():
            log.symlink_to(home / "log")

    def _prepare_socket_dir(self, account: Account, reachable: bool) -> None:
        plain = self.data_dir / "run"
        if not plain.is_symlink() and not (reachable and _fits(plain)):
            if plain.is_dir():
                shutil.rmtree(plain)
            plain.symlink_to(self._outside_socket_dir(os.geteuid()))
        directory = self.socket_dir
        if directory.parent.name == "xiangtu":
            directory.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        _own_directory(directory, account)
        state = directory.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != account.uid:
            raise ClusterError(
                f"{directory} 已被别的用户占用。\n{directory} has been taken by another user.",
                "请删除它后再启动。\nRemove it and start again.",
            )

    def _outside_socket_dir(self, uid: int) -> Path:
        # Not below /run/user: it goes away when the user logs out, and the server may outlive that.
        if uid == 0:
            return Path("/run/xiangtu") / self.digest
        return Path("/tmp") / f"xiangtu-{uid}-{self.digest}"  # noqa: S108 - made 0700 and its owner is checked


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory: closed to other users, or passable only when root makes it for an unprivileged one."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _own_directory(directory: Path, account: Account) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    state = directory.lstat()
    if stat.S_ISDIR(state.st_mode) and state.st_uid != account.uid and os.geteuid() == 0:
        os.chown(directory, account.uid, account.gid, follow_symlinks=False)


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None
