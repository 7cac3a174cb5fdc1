"""Sessions at the desk: when they end by themselves, where they are open, and how they are ended.

A session ends `SESSION_COOKIE_AGE` after the sign-in and `SESSION_IDLE_SECONDS` after its last use. What a page
asks for by itself (`X-Background: 1`) is no use. The row of a session (`UserSession`) is for people to look at;
what decides is in the session itself.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from core import client_address
from staff import audit
from staff.audit_actions import AuditAction

BEGAN_AT: Final = "began_at"
USED_AT: Final = "used_at"
# A request of a page that nobody looks at; our scripts send it with what they ask for by the clock.
BACKGROUND: Final = "X-Background"
# The last use is written down at most this often.
NOTED_EVERY: Final = 60.0
# In this order: each also says the names of those behind it.
BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"),
    ("CrOS", "Chromebook"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Open:
    """A session as its owner sees it."""

    pk: int
    device: str
    place: str
    began_at: datetime
    used_at: datetime
    is_this: bool


def is_over(session: SessionBase) -> bool:
    """Whether the session has lasted, or lain idle, for too long."""
    began_at, used_at = session.get(BEGAN_AT), session.get(USED_AT)
    if began_at is None or used_at is None:
        return True
    now = time.time()
    over: bool = now - began_at > settings.SESSION_COOKIE_AGE or now - used_at > settings.SESSION_IDLE_SECONDS
    return over


def began(*, request: HttpRequest, user: User) -> None:
    """Somebody signed in: both times begin, and the session is on their list."""
    request.session[BEGAN_AT] = request.session[USED_AT] = time.time()
    UserSession.objects.create_from_request(request, user=user)


def used(request: HttpRequest) -> None:
    """Somebody does something: the session's idle time begins again, unless a page asked by itself."""
    now = time.time()
    if request.headers.get(BACKGROUND) or now - request.session.get(USED_AT, 0.0) < NOTED_EVERY:
        return
    request.session[USED_AT] = now
    UserSession.objects.filter(session_key=request.session.session_key).update(
        last_seen_at=timezone.now(), ip=client_address.client_ip(request) or client_address.UNKNOWN
    )


def of(user: User, *, current: str | None = None) -> list[Open]:
    """The sessions of one person that are still open, the last used one first; `current` is the key of this one."""
    rows = sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)
    return [
        Open(
            pk=row.pk,
            device=device(row.user_agent),
            place=row.ip,
            began_at=row.created_at,
            used_at=row.last_seen_at,
            is_this=row.session_key == current,
        )
        for row in rows
    ]


def device(user_agent: str) -> str:
    """The browser and system in words; what a browser says of itself is a claim, and enough to recognise it."""
    browser = next((name for mark, name in BROWSERS if re.search(rf"{mark}\w*/", user_agent)), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown device")


def end(*, user: User, pk: int, actor: User, now: datetime) -> bool:
    """End one session of this person; return whether it was open."""
    return _end(UserSession.objects.filter(user=user, pk=pk), user=user, actor=actor, now=now) > 0


def end_all(*, user: User, actor: User | None, now: datetime, besides: str | None = None) -> int:
    """End all sessions of this person, but for the one with the key `besides`; return how many were open."""
    rows = UserSession.objects.filter(user=user).exclude(session_key=besides or "")
    return _end(rows, user=user, actor=actor, now=now)


def _end(rows: Any, *, user: User, actor: User | None, now: datetime) -> int:
    with transaction.atomic():
        ended: Sequence[UserSession] = list(rows.select_for_update())
        for row in ended:
            row.end()
        if ended:
            audit.record(action=AuditAction.SESSION_ENDED, actor=actor, target=user, now=now, count=len(ended))
    return len(ended)
