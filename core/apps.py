"""Registers the core app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What all apps share; it has no models."""

    name = "core"
