"""Registers the subscribers app."""

from django.apps import AppConfig


class SubscribersConfig(AppConfig):
    """Readers, their consent and their subscriptions."""

    name = "subscribers"
    default_auto_field = "django.db.models.BigAutoField"
