"""What a person of the team is called: the full name, or the account's where there is none."""

from django.contrib.auth.models import User


def of(user: User | None) -> str:
    """Empty for nobody."""
    return user.get_full_name() or user.get_username() if user is not None else ""
