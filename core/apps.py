"""Registers the core app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What all apps stand on; it has no models."""

    name = "core"
