"""Settings: one table, read from the environment and ``xiangtu.toml``.

The order of precedence is environment, then ``xiangtu.toml`` in the data directory, then the default. ``SETTINGS`` is
the one list of what can be set; ``docs/configuration.md`` is checked against it by a test.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ConfigurationError(Exception):
    """A setting has a value that cannot be used; the message names the setting and what it takes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings.

    Parameters
    ----------
    name : str
        Attribute of `Settings` and key in ``xiangtu.toml``.
    env : str
        Environment variable.
    default : Any
        Value when neither is given.
    read : Callable[[str], Any]
        Makes the value from text.
    what : str
        One line for ``docs/configuration.md``.
    """

    name: str
    env: str
    default: Any
    read: Callable[[str], Any]
    what: str


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected true or false")


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise ValueError("expected a number above 0")
    return number


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "XIANGTU_HOST", "127.0.0.1", str, "Address to listen on; `0.0.0.0` opens the server to the LAN."),
    Setting("port", "XIANGTU_PORT", 8080, _positive, "Port to listen on."),
    Setting(
        "public_url",
        "XIANGTU_PUBLIC_URL",
        "",
        str,
        "Address phones and browsers use, e.g. `https://survey.example.gov.cn`; empty: worked out from host and port.",
    ),
    Setting(
        "database_url",
        "DATABASE_URL",
        "",
        str,
        "PostgreSQL ≥ 15 with PostGIS ≥ 3.3, e.g. `postgresql://user@host/db`; empty: the embedded cluster.",
    ),
    Setting("workers", "XIANGTU_WORKERS", 2, _positive, "Server processes."),
    Setting(
        "threads",
        "XIANGTU_THREADS",
        3,
        _positive,
        "Requests that work at once in each process; each may hold a database connection.",
    ),
    Setting(
        "slow_phones",
        "XIANGTU_SLOW_PHONES",
        200,
        _positive,
        "Further requests that each process lets wait for bytes from a weak signal; each holds a thread only.",
    ),
    Setting(
        "accept_length",
        "XIANGTU_ACCEPT_LENGTH",
        100_000_000,
        _positive,
        "Bytes a phone may put in one POST (`X-OpenRosa-Accept-Content-Length`); it splits larger submissions.",
    ),
    Setting(
        "max_body",
        "XIANGTU_MAX_BODY",
        150_000_000,
        _positive,
        "Bytes above which any request body is refused with 413.",
    ),
    Setting("max_xml", "XIANGTU_MAX_XML", 20_000_000, _positive, "Bytes above which one submission's XML is refused."),
    Setting("max_xlsform", "XIANGTU_MAX_XLSFORM", 20_000_000, _positive, "Bytes above which an XLSForm is refused."),
    Setting("language", "XIANGTU_LANGUAGE", "zh", str, "Language of a new visitor and of new projects: `zh` or `en`."),
    Setting("session_hours", "XIANGTU_SESSION_HOURS", 24, _positive, "Hours a login of a person lasts."),
    Setting("argon2_time", "XIANGTU_ARGON2_TIME", 3, _positive, "argon2id passes over memory."),
    Setting("argon2_memory_kib", "XIANGTU_ARGON2_MEMORY_KIB", 65536, _positive, "argon2id memory in KiB."),
    Setting("argon2_lanes", "XIANGTU_ARGON2_LANES", 2, _positive, "argon2id lanes."),
    Setting(
        "trusted_proxies",
        "XIANGTU_TRUSTED_PROXIES",
        0,
        int,
        "Reverse proxies in front whose `X-Forwarded-*` headers are believed (a count).",
    ),
    Setting("log_level", "XIANGTU_LOG_LEVEL", "info", str, "`debug`, `info`, `warning` or `error`."),
    Setting("log_format", "XIANGTU_LOG_FORMAT", "json", str, "`json` (a line an event) or `console`."),
    Setting(
        "free_disk_mb",
        "XIANGTU_FREE_DISK_MB",
        64,
        int,
        "New uploads are refused with 507 when less than this is free on the disk of the data directory.",
    ),
    Setting("demo", "XIANGTU_DEMO", False, _flag, "Load the demonstration township once at first start."),
)


@dataclass(frozen=True)
class Settings:
    """Values in force; attributes are the names in `SETTINGS` plus `data_dir`."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    database_url: str = ""
    workers: int = 2
    threads: int = 3
    slow_phones: int = 200
    accept_length: int = 100_000_000
    max_body: int = 150_000_000
    max_xml: int = 20_000_000
    max_xlsform: int = 20_000_000
    language: str = "zh"
    session_hours: int = 24
    argon2_time: int = 3
    argon2_memory_kib: int = 65536
    argon2_lanes: int = 2
    trusted_proxies: int = 0
    log_level: str = "info"
    log_format: str = "json"
    free_disk_mb: int = 64
    demo: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def blob_dir(self) -> Path:
        """Folder of the blob store."""
        return self.data_dir / "blobs"

    @property
    def secret_file(self) -> Path:
        """File with the server's secret (mode 0600)."""
        return self.data_dir / "secret"

    def server_origin(self) -> str:
        """Address phones and browsers reach, without a trailing slash."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = self.host
        if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
            from server.network import lan_address

            host = lan_address() or "127.0.0.1"
        if ":" in host:
            host = f"[{host}]"
        return f"http://{host}" + ("" if self.port == 80 else f":{self.port}")


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings in force.

    Parameters
    ----------
    env : Mapping[str, str], optional
        Environment; `os.environ` when not given. ``XIANGTU_DATA`` names the data directory (default ``var``).

    Raises
    ------
    ConfigurationError
        When a value cannot be read, or ``xiangtu.toml`` has a key nobody knows.
    """
    env = os.environ if env is None else env
    data_dir = Path(env.get("XIANGTU_DATA") or "var").absolute()
    file = data_dir / "xiangtu.toml"
    from_file = _read_toml(file)
    known = {setting.name for setting in SETTINGS}
    for key in from_file:
        if key not in known:
            raise ConfigurationError(f"{file}: no setting is called '{key}'")
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for setting in SETTINGS:
        raw: str | None = env.get(setting.env)
        source = setting.env
        if raw is None and setting.name in from_file:
            raw, source = str(from_file[setting.name]), str(file)
        if raw is None:
            continue
        try:
            values[setting.name] = setting.read(raw)
        except ValueError as error:
            raise ConfigurationError(f"{source}: {setting.name} = {raw!r}: {error}") from None
        origin[setting.name] = source
    if values.get("language", "zh") not in {"zh", "en"}:
        raise ConfigurationError(f"{origin['language']}: language takes zh or en")
    return Settings(data_dir=data_dir, origin=origin, **values)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None


def server_secret(settings: Settings) -> bytes:
    """The server's 32-byte secret, made at first use and kept in `Settings.secret_file` with mode 0600.

    It signs cookies and derives app users' tokens; losing it logs people out and hides QR codes already handed out,
    and loses no data.
    """
    path = settings.secret_file
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".secret.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)  # unlike rename, never replaces the secret another process has just made
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return bytes.fromhex(path.read_text(encoding="ascii").strip())
