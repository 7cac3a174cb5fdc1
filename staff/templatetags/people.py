"""People of the team on pages."""

from django import template
from django.contrib.auth.models import User

from staff import names

register = template.Library()


@register.filter
def team_name(user: User | None) -> str:
    """What the team calls somebody; empty for nobody."""
    return names.of(user)
