"""What a person of the team is called: the full name, or the account's where there is none."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User


def of(user: AbstractBaseUser | None) -> str:
    """Empty for nobody."""
    full = user.get_full_name() if isinstance(user, User) else ""
    return full or (user.get_username() if user is not None else "")
