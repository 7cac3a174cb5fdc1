"""Registers the publication app and who may change the publication."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from publication import groups

READ = ["publication.view_publication"]
CHANGE = [*READ, "publication.change_publication"]


class PublicationConfig(AppConfig):
    """Who we are: one row that every page and mail reads."""

    name = "publication"
    verbose_name = _("Publication")

    def ready(self) -> None:
        """Give the groups their rights after each migration."""
        groups.grant_on_migrate(config=self, rights={groups.EDITOR: READ, groups.PUBLISHER: CHANGE})
