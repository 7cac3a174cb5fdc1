"""Who may sign in."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.userkit import filter_users_by_email, get_user_by_username
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User

Somebody = AbstractBaseUser | AnonymousUser | None


def may_sign_in(user: Somebody) -> bool:
    """Whether this is an open account of the team; readers have none."""
    return bool(getattr(user, "is_active", False) and getattr(user, "is_staff", False))


class StaffBackend(AuthenticationBackend):  # type: ignore[misc]  # django-allauth publishes no types
    """By name or address, with a password."""

    def _authenticate(self, request: Any, **credentials: Any) -> User | None:
        """Hash the password once for an account, as the caller does where there is none: a clock tells nobody which.

        django-allauth hashes it again for each way to find the same account.
        """
        words = dict.fromkeys(filter(None, (credentials.get("username"), credentials.get("email"))))
        people = [person for word in words for person in (get_user_by_username(word), *filter_users_by_email(word))]
        accounts = {person.pk: person for person in people if person is not None}.values()
        return next((each for each in accounts if self._check_password(each, credentials["password"])), None)

    def user_can_authenticate(self, user: Somebody) -> bool:
        """Whether the account may sign in, and a session of it may go on."""
        return may_sign_in(user)

    def get_user(self, user_id: int) -> User | None:
        """The person of a session, with what they chose for their desk, in one statement."""
        user = User.objects.select_related("preference").filter(pk=user_id).first()
        return user if self.user_can_authenticate(user) else None
