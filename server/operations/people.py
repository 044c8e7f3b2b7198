"""People: accounts, passwords, sessions."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app
from sqlalchemy import delete, func, select

from server.config import Settings
from server.database import db
from server.models import Actor, Assignment, Role, Session, User
from server.operations import audit
from server.operations.errors import Refused, _
from server.operations.permissions import Identity
from server.operations.tokens import digest

MINIMUM_PASSWORD = 10
LOCK_AFTER = 8
LOCK_FOR = timedelta(minutes=10)
_TOKEN_SHAPE = re.compile(r"[A-Za-z0-9_-]{20,128}")
_EMAIL_SHAPE = re.compile(r"[^@\s\x00]{1,200}@[^@\s\x00]{1,200}")


# ------------------------------------------------------------------------------------------------ accounts


def create_user(
    email: str, *, password: str | None = None, role: str | None = None, name: str | None = None, by: int | None = None
) -> tuple[User, str]:
    """Create a person; returns the user and the password (generated when none is given).

    Raises
    ------
    Refused
        409.3 when the e-mail is taken, 400.8 for an e-mail, password or role that cannot be used.
    """
    email = email.strip()
    if not _EMAIL_SHAPE.fullmatch(email):
        raise Refused("400.8", _("%(email)s is not an e-mail address."), email=email)
    if find_user(email) is not None:
        raise Refused("409.3", _("A user with the e-mail %(email)s already exists."), email=email)
    password = generate_password() if password is None else password
    actor = Actor(type="user", display_name=name or email)
    db.session.add(actor)
    db.session.flush()
    user = User(actor_id=actor.id, email=email, password_hash=hash_password(password))
    db.session.add(user)
    if role is not None:
        db.session.add(Assignment(actor_id=actor.id, role_id=role_named(role).id))
    audit.record(by, "user.create", details={"actor": actor.id, "role": role})
    db.session.commit()
    return user, password


def find_user(email: str) -> User | None:
    """The person with this e-mail, whatever its case."""
    if "\x00" in email:
        return None
    found: User | None = db.session.scalar(
        select(User).join(User.actor).where(func.lower(User.email) == email.strip().lower(), Actor.deleted_at.is_(None))
    )
    return found


def list_users() -> list[User]:
    """All people, in the order they were created."""
    return list(db.session.scalars(select(User).join(User.actor).where(Actor.deleted_at.is_(None)).order_by(Actor.id)))


def role_named(system: str) -> Role:
    """A role by its system name; `Refused` 400.8 when there is none."""
    role = db.session.scalar(select(Role).where(Role.system == system))
    if role is None:
        names = ", ".join(db.session.scalars(select(Role.system).order_by(Role.id)))
        raise Refused("400.8", _("There is no role %(role)s. Roles: %(names)s."), role=system, names=names)
    return role


def set_password(user: User, password: str, by: int | None) -> None:
    """Give the person a new password and end their logins."""
    user.password_hash = hash_password(password)
    user.failed_logins = 0
    user.locked_until = None
    db.session.execute(delete(Session).where(Session.actor_id == user.actor_id))
    audit.record(by, "user.update", details={"actor": user.actor_id, "changed": ["password"]})
    db.session.commit()


def set_language(identity: Identity, language: str) -> None:
    """Remember the language of a person's pages."""
    user = db.session.get(User, identity.actor_id)
    if user is not None and language in {"zh", "en"}:
        user.language = language
        db.session.commit()


# ------------------------------------------------------------------------------------------------ passwords


def generate_password() -> str:
    """A password that can be read out over the telephone: no look-alikes, about 79 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    letters = [secrets.choice(alphabet) for place in range(16)]
    return "-".join("".join(letters[start : start + 4]) for start in range(0, 16, 4))


def hash_password(password: str) -> str:
    """argon2id with the cost in the settings; `Refused` 400.21 when too short or absurdly long."""
    if not MINIMUM_PASSWORD <= len(password) <= 400:
        raise Refused("400.21", _("A password needs at least %(minimum)s characters."), minimum=MINIMUM_PASSWORD)
    return _hasher().hash(password)


def check_password(email: str, password: str) -> User:
    """The person with these credentials.

    A wrong e-mail costs the same time as a wrong password; `LOCK_AFTER` failures close the account for `LOCK_FOR`.

    Raises
    ------
    Refused
        401.2 for wrong credentials, 429.1 while the account is closed.
    """
    user = find_user(email)
    if user is not None and user.locked_until is not None and user.locked_until > datetime.now(UTC):
        raise Refused("429.1", _("Too many wrong passwords. Wait ten minutes and try again."))
    stored = user.password_hash if user is not None and user.password_hash else _decoy(_hasher())
    if not _matches(stored, password) or user is None:
        if user is not None:
            _count_failure(user)
        raise Refused("401.2", _("The e-mail or the password is wrong."))
    if user.failed_logins:
        user.failed_logins = 0
    if _hasher().check_needs_rehash(stored):
        user.password_hash = _hasher().hash(password)
    return user


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher().verify(stored, password[:1000])
    except (VerificationError, InvalidHashError):
        return False


def _count_failure(user: User) -> None:
    user.failed_logins += 1
    if user.failed_logins >= LOCK_AFTER:
        user.locked_until = datetime.now(UTC) + LOCK_FOR
        user.failed_logins = 0
        audit.record(user.actor_id, "user.session.lock")
    db.session.commit()


def _hasher() -> PasswordHasher:
    settings: Settings = current_app.config["SETTINGS"]
    return _make_hasher(settings.argon2_time, settings.argon2_memory_kib, settings.argon2_lanes)


@lru_cache(maxsize=4)
def _make_hasher(time: int, memory: int, lanes: int) -> PasswordHasher:
    return PasswordHasher(time_cost=time, memory_cost=memory, parallelism=lanes)


@lru_cache(maxsize=4)
def _decoy(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_hex(16))


# ------------------------------------------------------------------------------------------------ sessions


def log_in(email: str, password: str, *, user_agent: str | None = None, address: str | None = None) -> tuple[str, User]:
    """Open a session; returns its token (for the cookie) and the user. See `check_password` for what is raised."""
    user = check_password(email, password)
    token = secrets.token_urlsafe(48)
    now = datetime.now(UTC)
    settings: Settings = current_app.config["SETTINGS"]
    db.session.execute(delete(Session).where(Session.expires_at < now))
    db.session.add(
        Session(
            token_hash=digest(token),
            actor_id=user.actor_id,
            expires_at=now + timedelta(hours=settings.session_hours),
            user_agent=(user_agent or "")[:500] or None,
            address=address,
        )
    )
    user.last_login_at = now
    audit.record(user.actor_id, "user.session.create")
    db.session.commit()
    return token, user


def log_out(token: str) -> None:
    """End the session; harmless when it is gone."""
    db.session.execute(delete(Session).where(Session.token_hash == digest(token)))
    db.session.commit()


def identify_session(token: str) -> Identity | None:
    """Who holds this session token, or None when it is unknown or over."""
    if not _TOKEN_SHAPE.fullmatch(token):
        return None
    row = db.session.execute(
        select(Actor.id, Actor.type, Actor.display_name, User.email, User.language)
        .join(Session, Session.actor_id == Actor.id)
        .join(User, User.actor_id == Actor.id)
        .where(Session.token_hash == digest(token), Session.expires_at > func.now(), Actor.deleted_at.is_(None))
    ).first()
    return Identity(*row) if row else None


def identify_basic(email: str, password: str) -> Identity:
    """Who these Basic credentials belong to; `Refused` as `check_password`.

    A right password is remembered in this process for a minute, as a keyed digest, so that a program that sends Basic
    with each request does not pay argon2 each time. A changed password is noticed at once.
    """
    key = hmac.new(_remember_key(), f"{email}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    now = datetime.now(UTC)
    found = _remembered.get(key)
    if found is not None and found[0] > now:
        user = db.session.get(User, found[1])
        if user is not None and user.password_hash == found[2] and user.actor.deleted_at is None:
            return _identity(user)
    user = check_password(email, password)
    db.session.commit()
    if len(_remembered) > 1000:
        _remembered.clear()
    _remembered[key] = (now + timedelta(minutes=1), user.actor_id, user.password_hash)
    return _identity(user)


_remembered: dict[bytes, tuple[datetime, int, str | None]] = {}


@lru_cache(maxsize=1)
def _remember_key() -> bytes:
    return secrets.token_bytes(32)


def _identity(user: User) -> Identity:
    return Identity(user.actor_id, "user", user.actor.display_name, user.email, user.language)
