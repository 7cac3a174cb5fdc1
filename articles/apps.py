"""Registers the articles app."""

from django.apps import AppConfig


class ArticlesConfig(AppConfig):
    """Stories: writing, publishing, reading."""

    name = "articles"
    default_auto_field = "django.db.models.BigAutoField"
