"""``python -m server.prepare``: what happens between the database's start and the server's.

Tables are brought up to date; at the first start the first administrator, a project and, when asked for, the
demonstration are made. ``--banner``, run once the server answers, tells people where to go. Output is Chinese and
English on every line, as the supervisor's is: at the first start nobody has chosen a language yet.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.config import Settings, load_settings

if TYPE_CHECKING:
    import psycopg

ADMIN_EMAIL = "admin@xiangtu.local"
FIRST_PHONE = {"zh": "演示采集员", "en": "Demo enumerator"}
_BEIJING = timezone(timedelta(hours=8))
_PATIENCE = 60.0  # seconds a database of one's own may take to come up after the machine has started


def prepare(settings: Settings) -> None:
    """Bring database and first data up to date; cheap when there is nothing to do.

    Raises
    ------
    Exception
        Whatever the database says when it cannot be used; `main` puts it into words.
    """
    from server.cli.instance import remember

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    remember(settings)
    url = _database_url(settings)
    if not _is_complete(settings, url):
        _complete(settings, url)


def _complete(settings: Settings, url: str) -> None:
    """The slow way: everything that may be missing, each step harmless when it was done before."""
    _say("正在准备数据表 · Preparing the tables")
    _make_extensions(url)
    from server.app import create_app
    from server.database import db
    from server.database.migrate import head_revision, upgrade

    app = create_app(replace(settings, log_level="error"), database_url=url)
    with app.app_context():
        upgrade(db.engine)
        _make_first_administrator(settings)
        if settings.demo:
            _load_demo()
        _make_first_project(settings)
        _write_stamp(settings, head_revision())
        db.session.remove()
        db.engine.dispose()


def _make_extensions(url: str) -> None:
    """The extensions, when they are missing and this role may make them; the embedded cluster has them already."""
    import psycopg

    from server.cli.failures import Failure
    from server.cluster.cluster import EXTENSIONS

    with _connect(url) as connection:
        rows = connection.execute("SELECT extname FROM pg_extension").fetchall()
        missing = [name for name in EXTENSIONS if (name,) not in rows]
        orders = " ".join(f"CREATE EXTENSION {name};" for name in missing)
        try:
            if missing:
                connection.execute(orders.encode())
        except psycopg.Error as error:
            raise Failure(
                "extensions",
                f"请让数据库管理员执行 · The database's administrator has to run:  {orders}\n  {error}".rstrip(),
            ) from error


# ------------------------------------------------------------------------------------------------ is anything to do?


def _is_complete(settings: Settings, url: str) -> bool:
    """Whether the last start left everything done: asked with one connection and without loading the application."""
    try:
        stamp = json.loads((settings.data_dir / "prepared.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stamp = {}
    connection = _connect(url)
    try:
        if stamp.get("migrations") != _migration_files():
            return False
        found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        if found is None or not found[0]:
            return False
        row = connection.execute(
            """
            SELECT (SELECT version_num FROM alembic_version),
                   EXISTS (SELECT FROM "user") AND EXISTS (SELECT FROM project),
                   EXISTS (SELECT FROM audit_log WHERE action = 'demo.load')
            """
        ).fetchone()
    finally:
        connection.close()
    return row is not None and row[0] == stamp["revision"] and bool(row[1]) and (bool(row[2]) or not settings.demo)


def _connect(url: str) -> psycopg.Connection[Any]:
    import psycopg

    deadline, told = time.monotonic() + _PATIENCE, False
    while True:
        try:
            return psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:", 1), connect_timeout=10)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            if not told:
                _say("正在等待数据库 · Waiting for the database")
            told = True
            time.sleep(1.0)


def _database_url(settings: Settings) -> str:
    if settings.database_url:
        return settings.database_url
    from server.cluster import Cluster

    return Cluster(settings.data_dir).url


def _migration_files() -> list[str]:
    import migrations

    return sorted(path.name for path in (Path(migrations.__file__).parent / "versions").glob("*.py"))


def _write_stamp(settings: Settings, revision: str) -> None:
    stamp = {"revision": revision, "migrations": _migration_files()}
    (settings.data_dir / "prepared.json").write_text(json.dumps(stamp), encoding="utf-8")


# ------------------------------------------------------------------------------------------------ first data


def _make_first_administrator(settings: Settings) -> None:
    from server.operations import people

    if people.list_users():
        return
    password = people.generate_password()
    # The file first: killed in between, the next start writes a new one; the other way round nobody could log in.
    _write_login(settings, password)
    people.create_user(ADMIN_EMAIL, password=password, role="admin", name="管理员 Administrator")
    _say(f"已建立第一个管理员 · Made the first administrator: {ADMIN_EMAIL}")


def login_file(settings: Settings) -> Path:
    """Where the first administrator's login is written, for the owner of the data directory only."""
    return settings.data_dir / "admin-login.txt"


def _write_login(settings: Settings, password: str) -> None:
    file = login_file(settings)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(
            "第一个管理员的登录信息。登录后请修改密码，然后删除本文件。\n"
            "Login of the first administrator. Change the password after logging in, then delete this file.\n\n"
            f"email: {ADMIN_EMAIL}\npassword: {password}\n"
        )
        out.flush()
        os.fsync(out.fileno())


def _make_first_project(settings: Settings) -> None:
    from server.operations import app_users, projects

    if not projects.listing():
        name = "默认项目" if settings.language == "zh" else "Default project"
        projects.create(name, language=settings.language)
    first = min(project.id for project in projects.listing())
    if not app_users.listing(first):
        app_users.create(first, FIRST_PHONE[settings.language])


def _load_demo() -> None:
    from server import demo
    from server.cli.output import progress

    _say("正在载入演示乡镇：三张调查表、500 条记录（只此一次）· Loading the demonstration township (this once)")
    with progress() as bar:
        task = bar.add_task("演示记录 · Records", total=None)
        reported = 0

        def report(sent: int, total: int) -> None:
            nonlocal reported
            bar.update(task, completed=sent, total=total)
            if bar.disable and (sent - reported >= 100 or sent == total):
                reported = sent
                _say(f"  {sent}/{total}")

        demo.load(report)


# ------------------------------------------------------------------------------------------------ the banner


def banner(settings: Settings) -> str:
    """What to show once the server answers: addresses, login, QR code.

    Secrets are left out with XIANGTU_QUIET and under systemd, whose journal keeps everything.
    """
    from server.app import create_app

    app = create_app(replace(settings, log_level="error", threads=1), database_url=_database_url(settings))
    with app.app_context():
        lines = ["", f"  乡图 Xiangtu    {settings.server_origin()}", ""]
        if settings.host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
            lines.insert(2, f"  本机 this computer    http://127.0.0.1:{settings.port}")
        if os.environ.get("XIANGTU_QUIET") or os.environ.get("JOURNAL_STREAM"):
            lines += [f"  管理员登录 administrator's login: {login_file(settings)}", ""]
        else:
            lines += [*_login_lines(settings), "", *_phone_lines(settings), ""]
    return "\n".join(lines)


def _login_lines(settings: Settings) -> list[str]:
    """E-mail and password until the first login; after that the password may be another one."""
    from server.operations import people

    user = people.find_user(ADMIN_EMAIL)
    file = login_file(settings)
    if user is None or not file.exists():
        return ["  忘记密码 lost a password: xiangtu user list; xiangtu user reset-password EMAIL"]
    if user.last_login_at is not None:
        return [f"  管理员 administrator  {ADMIN_EMAIL}    首次密码 first password: {file}"]
    password = next(
        (line.removeprefix("password: ") for line in file.read_text("utf-8").splitlines() if line.startswith("pass")),
        "",
    )
    return [
        f"  管理员 administrator  {ADMIN_EMAIL}",
        f"  密码   password       {password}",
        f"  也写在 also in        {file}",
    ]


def _phone_lines(settings: Settings) -> list[str]:
    from server.cli.app_user import terminal_code
    from server.operations import app_users, projects

    phone, project = None, None
    for project in sorted(projects.listing(), key=lambda project: project.id):
        known = (found for found in app_users.listing(project.id) if found.actor.display_name in FIRST_PHONE.values())
        phone = next((found for found in known if found.revoked_at is None), None)
        if phone is not None:
            break
    if phone is None or project is None:
        return ["  手机二维码 QR codes for phones: xiangtu app-user create --project 1 --name NAME"]
    text = app_users.collect_settings(app_users.server_url(phone), project.name, project.language)
    lines = [*terminal_code(text).splitlines()]
    lines.append("  用 ODK Collect 扫码即可采集 · Scan with ODK Collect to begin")
    if settings.server_origin().startswith("http://127."):
        lines += [
            "  手机要连到这台电脑，请改用 · For phones on the LAN start with:  make run HOST=0.0.0.0",
            "                                                  或 or:  xiangtu serve --host 0.0.0.0",
        ]
    return lines


# ------------------------------------------------------------------------------------------------ command


def _say(message: str) -> None:
    print(f"{datetime.now(_BEIJING):%H:%M:%S} {message}", file=sys.stderr, flush=True)


def main() -> int:
    """Run one of the two steps; failures become one plain line."""
    from server.cli.failures import explain, wants_traceback

    try:
        settings = load_settings()
        if "--banner" in sys.argv[1:]:
            print(banner(settings), flush=True)
        else:
            prepare(settings)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if wants_traceback():
            raise
        _say(f"! {explain(error).message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
