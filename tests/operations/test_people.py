"""Accounts, passwords, sessions, permissions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from server.database import db
from server.models import Assignment, AuditEntry, Project, Session, User
from server.operations import people, permissions
from server.operations.errors import Refused
from server.operations.permissions import Identity

_numbers = itertools.count()


def email() -> str:
    return f"person{next(_numbers)}@example.cn"


def refused(code: str, call: object, *arguments: object, **options: object) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*arguments, **options)  # type: ignore[operator]
    assert caught.value.code == code
    return caught.value


def identity(user: User) -> Identity:
    return Identity(user.actor_id, "user", user.actor.display_name)


def test_a_generated_password_logs_in(context: None) -> None:
    user, password = people.create_user(address := email())
    token, found = people.log_in(address.upper(), password)
    assert found.actor_id == user.actor_id
    known = people.identify_session(token)
    assert known is not None
    assert known.email == address


def test_generated_passwords_are_long_and_differ(context: None) -> None:
    passwords = {people.generate_password() for _ in range(50)}
    assert len(passwords) == 50
    assert all(len(password) == 19 for password in passwords)


def test_the_password_is_kept_as_argon2id_only(context: None) -> None:
    user, password = people.create_user(email())
    assert user.password_hash is not None
    assert user.password_hash.startswith("$argon2id$")
    assert password not in user.password_hash


@pytest.mark.parametrize("bad", ["", "nobody", "a b@c.cn", "x\x00@y.cn", "a@b@c"])
def test_what_is_no_email_is_refused(context: None, bad: str) -> None:
    refused("400.8", people.create_user, bad)


def test_an_email_is_taken_whatever_its_case(context: None) -> None:
    people.create_user(address := email())
    refused("409.3", people.create_user, address.upper())


@pytest.mark.parametrize("password", ["", "short", "x" * 401])
def test_unusable_passwords_are_refused(context: None, password: str) -> None:
    refused("400.21", people.create_user, email(), password=password)


def test_wrong_password_and_unknown_person_are_told_alike(context: None) -> None:
    people.create_user(address := email())
    wrong = refused("401.2", people.log_in, address, "not-the-password")
    unknown = refused("401.2", people.log_in, email(), "not-the-password")
    assert wrong.message == unknown.message


def test_too_many_wrong_passwords_close_the_account_for_a_while(context: None) -> None:
    user, password = people.create_user(address := email())
    for _ in range(people.LOCK_AFTER):
        refused("401.2", people.log_in, address, "not-the-password")
    refused("429.1", people.log_in, address, password)
    user.locked_until = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()
    assert people.log_in(address, password)


def test_logging_out_ends_the_session(context: None) -> None:
    _user, password = people.create_user(address := email())
    token, _found = people.log_in(address, password)
    people.log_out(token)
    assert people.identify_session(token) is None


def test_a_session_ends_by_itself(context: None) -> None:
    _user, password = people.create_user(address := email())
    token, _found = people.log_in(address, password)
    db.session.execute(db.update(Session).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    db.session.commit()
    assert people.identify_session(token) is None


@pytest.mark.parametrize("token", ["", "x", "a" * 64, "\x00" * 64, "' OR 1=1 --", "é" * 64])
def test_what_is_no_session_is_nobody(context: None, token: str) -> None:
    assert people.identify_session(token) is None


def test_a_new_password_ends_all_logins_and_remembered_ones(context: None) -> None:
    user, password = people.create_user(address := email())
    token, _found = people.log_in(address, password)
    assert people.identify_basic(address, password).actor_id == user.actor_id
    people.set_password(user, "another-good-password", by=None)
    assert people.identify_session(token) is None
    refused("401.2", people.identify_basic, address, password)


def test_creating_a_person_is_audited(context: None) -> None:
    user, _password = people.create_user(email(), role="admin")
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.details) == ("user.create", {"actor": user.actor_id, "role": "admin"})


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("admin", "user.create", "nothing.at.all"),
        ("manager", "form.update", "user.create"),
        ("viewer", "submission.read", "submission.create"),
        ("formfill", "submission.create", "submission.read"),
    ],
)
def test_roles(project: Project, role: str, may: str, may_not: str) -> None:
    user, _password = people.create_user(email(), role=role)
    permissions.require(identity(user), may, project.id)
    refused("403.1", permissions.require, identity(user), may_not, project.id)


def test_a_role_in_one_project_is_none_in_another(project: Project) -> None:
    from server.operations import projects

    other = projects.create("别的乡")
    user, _password = people.create_user(email())
    db.session.add(Assignment(actor_id=user.actor_id, role_id=people.role_named("manager").id, project_id=project.id))
    db.session.commit()
    assert "form.update" in permissions.verbs(user.actor_id, project.id)
    assert permissions.verbs(user.actor_id, other.id) == frozenset()
    assert permissions.verbs(user.actor_id) == frozenset()
    assert [found.id for found in projects.listing(identity(user))] == [project.id]


def test_an_unknown_role_is_refused_with_those_there_are(context: None) -> None:
    error = refused("400.8", people.create_user, email(), role="king")
    assert "manager" in str(error)
