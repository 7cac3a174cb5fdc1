"""Registers the subscribers app and its permissions for each group of editors."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from publication import groups

READ = [
    "subscribers.view_newsletter", "subscribers.view_cadenceoffer",
    "subscribers.view_legaldocument", "subscribers.view_legalversion",
]  # fmt: skip
# Segments name no reader.
SEGMENTS = ["subscribers.view_segment", "subscribers.change_segment"]
# Readers' addresses are for those who answer for them.
PUBLISH = [
    *READ, *SEGMENTS,
    "subscribers.add_newsletter", "subscribers.change_newsletter", "subscribers.delete_newsletter",
    "subscribers.add_cadenceoffer", "subscribers.change_cadenceoffer", "subscribers.delete_cadenceoffer",
    "subscribers.add_legaldocument", "subscribers.change_legaldocument", "subscribers.delete_legaldocument",
    "subscribers.add_legalversion", "subscribers.change_legalversion", "subscribers.delete_legalversion",
    "subscribers.publish_legalversion",
    "subscribers.view_subscriber", "subscribers.delete_subscriber",
    "subscribers.view_subscription", "subscribers.change_subscription",
    "subscribers.view_consentevent", "subscribers.view_consentorigin",
    "subscribers.view_suppression", "subscribers.add_suppression", "subscribers.delete_suppression",
    "subscribers.view_letter", "subscribers.import_readers", "subscribers.export_readers",
]  # fmt: skip
EDIT = [
    *READ, *SEGMENTS, "subscribers.change_newsletter", "subscribers.add_legalversion",
    "subscribers.change_legalversion",
]  # fmt: skip


class SubscribersConfig(AppConfig):
    """Readers, their consent and their subscriptions."""

    name = "subscribers"
    verbose_name = _("Readers")

    def ready(self) -> None:
        """Give the groups their rights after each migration."""
        groups.grant_on_migrate(
            config=self, rights={groups.AUTHOR: READ, groups.EDITOR: EDIT, groups.PUBLISHER: PUBLISH}
        )
