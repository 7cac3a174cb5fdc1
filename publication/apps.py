"""Registers the publication app."""

from django.apps import AppConfig


class PublicationConfig(AppConfig):
    """Who we are: one row that every page and mail reads."""

    name = "publication"
    default_auto_field = "django.db.models.BigAutoField"
