"""What can go wrong with the embedded cluster, in words an operator can act on (Chinese first, then English)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


class ClusterError(Exception):
    """The embedded cluster cannot be used.

    Parameters
    ----------
    message : str
        What happened; a Chinese line, then an English one.
    remedy : str
        What the operator can do; a Chinese line, then an English one.
    retry : bool
        True when the same call may succeed a moment later without anybody doing anything.
    """

    def __init__(self, message: str, remedy: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.retry = retry

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}"


@dataclass(frozen=True, slots=True)
class _Symptom:
    """One way PostgreSQL says that it cannot start, and what that means here."""

    pattern: str
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str
    retry: bool = False


# The first match wins: a full disk also shows up as failed writes of all kinds.
_SYMPTOMS = (
    _Symptom(
        r"No space left on device|Disk quota exceeded",
        "磁盘已满，数据库无法写入。",
        "The disk is full; the database cannot write.",
        "请在 {path} 所在的磁盘上腾出空间（至少 500 MB）后重新启动；已保存的数据不会丢失。",
        "Free at least 500 MB on the disk that holds {path} and start again; what was saved is safe.",
    ),
    _Symptom(
        r"Read-only file system",
        "数据目录所在的磁盘是只读的。",
        "The disk that holds the data directory is read-only.",
        "请检查磁盘（dmesg、mount）后以可写方式重新挂载：{path}",
        "Check the disk (dmesg, mount) and mount it writable again: {path}",
    ),
    _Symptom(
        r"pre-existing shared memory block|lock file \"[^\"]*\" already exists|Is another postmaster",
        "上一次运行留下的数据库进程还没有退出。",
        "Database processes of the previous run have not ended yet.",
        "请稍等几秒再启动；若仍不行，请重启这台电脑。",
        "Wait a few seconds and start again; if that does not help, restart this computer.",
        retry=True,
    ),
    _Symptom(
        r"database files are incompatible with server",
        "数据目录属于另一个版本的 PostgreSQL。",
        "The data directory belongs to another version of PostgreSQL.",
        "请安装与数据目录相同的主版本，或按 docs 中“升级”一节操作：{path}",
        "Install the major version the directory was made with, or follow “Upgrade” in the docs: {path}",
    ),
    _Symptom(
        r"Cannot allocate memory|could not map anonymous shared memory|could not create shared memory segment",
        "内存不足，数据库无法启动。",
        "There is not enough memory to start the database.",
        "请关闭其他程序，或在 {path}/local.conf 写入 shared_buffers = '64MB' 后再启动。",
        "Close other programs, or write shared_buffers = '64MB' into {path}/local.conf, and start again.",
    ),
    _Symptom(
        r"unrecognized configuration parameter|invalid value for parameter|contains errors",
        "数据库配置文件有错误。",
        "The database's configuration file has an error.",
        "请检查 {path}/local.conf（改正或删除出错的行）后再启动。",
        "Check {path}/local.conf (mend or remove the line at fault) and start again.",
    ),
    _Symptom(
        r"has invalid permissions|has wrong ownership",
        "数据库目录的权限不对（可能放在不支持 Linux 权限的磁盘上，例如 U 盘或 Windows 分区）。",
        "The database directory has wrong permissions (perhaps on a disk without Linux permissions, e.g. a USB stick).",
        "请用 DATA= 指定 Linux 分区上的目录，或执行：chmod 700 {path}",
        "Name a directory on a Linux partition with DATA=, or run: chmod 700 {path}",
    ),
    _Symptom(
        r"Permission denied|Operation not permitted",
        "数据库没有读写所需文件的权限。",
        "The database may not read or write its files.",
        "请检查 {path} 及其上级目录的属主和权限；始终用同一个系统用户启动乡图。",
        "Check owner and permissions of {path} and the folders above it; always start Xiangtu as the same system user.",
    ),
    _Symptom(
        r"could not locate a valid checkpoint record|invalid (primary )?checkpoint record|PANIC",
        "数据库文件已损坏，无法恢复。",
        "The database files are damaged and cannot be recovered.",
        "请不要删除任何文件；先复制 {path}，再从备份恢复。",
        "Delete nothing; copy {path} first, then restore from a backup.",
    ),
)


def explain(output: str, path: Path) -> ClusterError:
    """Turn what PostgreSQL wrote into an error with a remedy.

    Parameters
    ----------
    output : str
        Standard error or log of the program that failed.
    path : Path
        The cluster's directory, named in the remedy.
    """
    for symptom in _SYMPTOMS:
        found = re.search(symptom.pattern, output)
        if found:
            line = next((row.strip() for row in output.splitlines() if found.group(0) in row), "")
            return ClusterError(
                f"{symptom.zh}\n{symptom.en}\n  {line}",
                f"{symptom.remedy_zh.format(path=path)}\n{symptom.remedy_en.format(path=path)}",
                retry=symptom.retry,
            )
    tail = "\n".join(f"  {row}" for row in output.strip().splitlines()[-8:])
    return ClusterError(
        f"数据库无法启动。\nThe database could not be started.\n{tail}",
        f"请查看日志目录 log/postgres 中的最新文件（数据库位于 {path}）。\n"
        f"See the newest file in log/postgres (the database is in {path}).",
    )


def disk_full(path: Path) -> ClusterError:
    """The error for a disk without room, also when PostgreSQL could not even write that down."""
    return explain("No space left on device", path)
