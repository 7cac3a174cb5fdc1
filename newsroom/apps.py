"""Registers the project itself: its system checks, commands and Celery app."""

from django.apps import AppConfig

# Importing the checks registers them; importing the app makes it Celery's default, so that a web process that queues
# a shared task uses our broker and not Celery's own default.
from newsroom import address_checks, checks, picture_check, quick_start, role_check
from newsroom.celery import app as celery_app

__all__ = ["NewsroomConfig", "address_checks", "celery_app", "checks", "picture_check", "role_check"]


class NewsroomConfig(AppConfig):
    """The composition root; nothing imports it."""

    name = "newsroom"

    def ready(self) -> None:
        """Python collects garbage as usual again."""
        quick_start.end()
