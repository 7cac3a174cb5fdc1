"""What follows when somebody signs in or changes a key: the audit log has it, and other sessions end."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as second_factor
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_save
from django.http import HttpRequest

from core import database_clock
from staff import audit, reauthentication, sessions
from staff.audit_actions import AuditAction


def _record(action: AuditAction, user: User, **detail: Any) -> None:
    with transaction.atomic():
        audit.record(action=action, actor=user, target=user, now=database_clock.now(), **detail)


def _began(*, request: HttpRequest | None = None, user: User, **_signal: Any) -> None:
    if request is not None:
        sessions.began(request=request, user=user)
        reauthentication.record(request)


def _signed_in(*, user: User, **_signal: Any) -> None:
    _record(AuditAction.SIGNED_IN, user)


def _proved(*, request: HttpRequest, reauthenticated: bool = False, **_signal: Any) -> None:
    if reauthenticated:
        reauthentication.record(request)


def _password_changed(*, request: HttpRequest, user: User, **_signal: Any) -> None:
    _record(AuditAction.PASSWORD_CHANGED, user)
    _end_others(request, user)


def _key_stored(*, instance: Authenticator, created: bool, **_signal: Any) -> None:
    # In the transaction that stores it: django-allauth says that an app was added only after the commit.
    if created:
        _record(AuditAction.SECOND_FACTOR_ADDED, instance.user, kind=instance.type)


def _key_added(*, request: HttpRequest, user: User, **_signal: Any) -> None:
    # They were opened without it.
    _end_others(request, user)


def _key_removed(*, user: User, authenticator: Authenticator, **_signal: Any) -> None:
    _record(AuditAction.SECOND_FACTOR_REMOVED, user, kind=authenticator.type)


def _end_others(request: HttpRequest, user: User) -> None:
    sessions.end_all(user=user, actor=user, now=database_clock.now(), besides=request.session.session_key)


def follow() -> None:
    """Listen, once per process."""
    user_logged_in.connect(_began, dispatch_uid="a session begins")
    account.user_logged_in.connect(_signed_in, dispatch_uid="somebody signed in")
    account.authentication_step_completed.connect(_proved, dispatch_uid="somebody proved again who they are")
    account.password_changed.connect(_password_changed, dispatch_uid="a password was changed")
    account.password_reset.connect(_password_changed, dispatch_uid="a password was reset")
    post_save.connect(_key_stored, sender=Authenticator, dispatch_uid="a key was stored")
    second_factor.authenticator_added.connect(_key_added, dispatch_uid="a key was added")
    second_factor.authenticator_removed.connect(_key_removed, dispatch_uid="a key was removed")
