"""Registers the project itself: its system checks, commands and Celery app."""

from django.apps import AppConfig

# Importing the app makes it Celery's default, so that a web process that queues
# a shared task uses our broker and not Celery's own default.
from newsroom.celery import app as celery_app

__all__ = ["NewsroomConfig", "celery_app"]


class NewsroomConfig(AppConfig):
    """The composition root; nothing imports it."""

    name = "newsroom"
