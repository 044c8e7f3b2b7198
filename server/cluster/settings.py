"""The cluster's configuration files, worked out from the machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

ROLE = "xiangtu"
ADMIN_ROLE = "xiangtu_admin"
DATABASE = "xiangtu"
PORT = 5432  # part of the socket's file name only: the cluster never listens on TCP
MIB = 1 << 20
MAX_CONNECTIONS = 60


def machine_memory() -> int:
    """Bytes of memory this process may use: the machine's, or its container's when that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def postgresql_conf(
    *, memory: int, free_disk: int, shm: int, log_dir: Path, socket_dir: Path, lz4: bool, durable: bool
) -> str:
    """Text of ``xiangtu.conf``, which ``postgresql.conf`` includes.

    Parameters
    ----------
    memory : int
        Bytes of memory of the machine. An eighth goes to PostgreSQL's own cache, between 64 MB and 2 GB: the same
        township PC runs the server's processes and a browser that draws reports.
    free_disk : int
        Bytes free where the cluster lives; the write-ahead log may take a tenth, between 256 MB and 2 GB.
    shm : int
        Bytes of ``/dev/shm``; containers often give 64 MB, too little for parallel queries.
    log_dir, socket_dir : Path
        Where logs and the socket go.
    lz4 : bool
        Whether PostgreSQL was built with lz4.
    durable : bool
        False for throw-away test clusters only: a power cut would lose or damage them.
    """
    values: dict[str, str | int] = {
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": str(socket_dir),
        "max_connections": MAX_CONNECTIONS,
        "shared_buffers": _mb(memory // 8, 64, 2048),
        "effective_cache_size": _mb(memory // 2, 256, 1 << 20),
        "work_mem": _mb(memory // 256, 4, 64),
        "maintenance_work_mem": _mb(memory // 16, 64, 512),
        "dynamic_shared_memory_type": "posix" if shm >= 256 * MIB else "mmap",
        "max_wal_size": _mb(free_disk // 10, 256, 2048),
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # Township PCs have anything from an old disk to NVMe; between the values usual for either.
        "random_page_cost": "2.0",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "idle_in_transaction_session_timeout": "1h",
        "logging_collector": "on",
        "log_directory": str(log_dir),
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_line_prefix": "%m [%p] %q%u %a ",
        "log_lock_waits": "on",
        "log_min_duration_statement": "2s",
        # Bind values and error details hold names, ID numbers, tokens: none of them belongs in a log.
        "log_parameter_max_length": 0,
        "log_parameter_max_length_on_error": 0,
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "cluster_name": "xiangtu",
    }
    if lz4:
        values |= {"default_toast_compression": "lz4", "wal_compression": "lz4"}
    if durable:
        values |= {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    else:
        values |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "shared_buffers": "64MB",
            "autovacuum": "off",
            "max_connections": 100,
        }
    lines = ["# Written at every start. Put your own settings into local.conf beside this file."]
    lines += [f"{name} = {_quoted(str(value))}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def hba_conf() -> str:
    """Text of ``pg_hba.conf``: this machine's socket only, and only operating-system users named in the map."""
    return (
        "# Written at every start.\n"
        f"local all {ROLE},{ADMIN_ROLE} peer map=xiangtu\n"
        f"local replication {ADMIN_ROLE} peer map=xiangtu\n"
    )


def ident_conf(users: Iterable[str]) -> str:
    """Text of ``pg_ident.conf``: which operating-system users may take the two roles."""
    rows = [
        f'xiangtu "{user}" {role}'
        for user in sorted(set(users))
        if '"' not in user and "\n" not in user
        for role in (ROLE, ADMIN_ROLE)
    ]
    return "# Written at every start.\n" + "\n".join(rows) + "\n"


def _mb(size: int, low: int, high: int) -> str:
    return f"{max(low, min(high, size // MIB))}MB"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
