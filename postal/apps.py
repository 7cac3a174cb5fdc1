"""Registers the postal app."""

from django.apps import AppConfig


class PostalConfig(AppConfig):
    """How mail leaves and what servers answer; it has no models."""

    name = "postal"
