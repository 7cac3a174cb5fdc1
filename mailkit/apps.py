"""Registers the mailkit app."""

from django.apps import AppConfig

# Importing the checks registers them.
from mailkit import checks

__all__ = ["MailkitConfig", "checks"]


class MailkitConfig(AppConfig):
    """How any letter is built; it has no models."""

    name = "mailkit"
