"""Registers the digests app."""

from django.apps import AppConfig


class DigestsConfig(AppConfig):
    """Issues: composing, approving and sending them."""

    name = "digests"
    default_auto_field = "django.db.models.BigAutoField"
